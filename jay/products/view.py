"""What the catalogue's pages show of products, ready to print in the page's language."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from jay import i18n
from jay.products.catalogue import Item, Stored
from jay.products.models import Product
from jay.products.showing import Image
from jay.products.unit_prices import unit_price_text
from jay.web.pages import gettext as _
from jay.web.pages import language

VARIANTS_IN_LIST = 8


@dataclass(frozen=True)
class Moment:
    """When something was, for people and for machines."""

    text: str
    iso: str


@dataclass(frozen=True)
class Stock:
    """How many there are; ``kind`` is out, some, unlimited or unset."""

    kind: str
    text: str


@dataclass(frozen=True)
class Was:
    """The lowest price of 30 days that a price is compared with, or else the recommended one."""

    text: str
    recommended: bool


@dataclass(frozen=True)
class Offer:
    """What a product or variant costs, and how many there are."""

    id: str
    sku: str
    kind: str
    value: str
    price: str
    was: Was | None
    per_unit: str | None
    stock: Stock
    not_shoppable: bool


@dataclass(frozen=True)
class Picture:
    """A picture: shown where this service has it, else where it is, and why it is not here."""

    image: Image | None
    host: str = ""
    url: str = ""
    copyright: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Card:
    """A product in the list."""

    offer: Offer
    name: str
    lang: str
    brand: str
    merchant: str
    place: str
    picture: Picture | None
    seen: Sequence[tuple[str, Moment]]
    variants: Sequence[Offer] = ()
    sold_out: int = 0
    more: int = 0


@dataclass(frozen=True)
class Fact:
    """A line of the product page: what it is called, and what there is."""

    name: str
    text: str
    url: str | None = None
    colour: str | None = None
    own_words: bool = False
    """Whether the text is in the product's language."""


@dataclass(frozen=True)
class Details:
    """A product with everything that is stored of it."""

    card: Card
    sub_line: str
    description: str
    pictures: Sequence[Picture]
    about: Sequence[Fact]
    variants: Sequence[Offer]
    shipping: Sequence[Fact]
    stored: Sequence[tuple[str, Moment | None]] = field(default=())


def price_text(product: Product) -> str:
    """Write a product's price; nothing when it has none."""
    if product.price is None:
        return ""
    return i18n.money(product.price, product.currency, language())


def was(product: Product) -> Was | None:
    """Write the price that a product's is compared with; None where there is none.

    That is the lowest one of the 30 days before it was reduced, or the recommended one.
    """
    struck = product.struck_price
    other = struck or product.recommended_price
    if other is None:
        return None
    return Was(i18n.money(other, product.currency, language()), recommended=struck is None)


def unit_price(product: Product) -> str | None:
    """Write what a litre, a kilogram or the like of a product costs."""
    base = product.description.get("basePrice")
    return unit_price_text(product.price, base, product.currency, language())


def card(item: Item, images: Mapping[str, Image]) -> Card:
    """Write a product as the list shows it.

    :param images: the first pictures that are there, by the product's id.
    """
    product = item.main.product
    variants = [_offer(each) for each in item.variants]
    return Card(
        offer=_offer(item.main),
        name=product.name,
        lang=product.lang,
        brand=product.brand_name,
        merchant=product.merchant,
        place=i18n.place(product.lang, product.country, language()),
        picture=_picture(product.image_url, images.get(product.id)),
        seen=list(_seen(item.main)),
        variants=variants[:VARIANTS_IN_LIST],
        sold_out=sum(each.stock.kind == "out" for each in variants),
        more=len(variants[VARIANTS_IN_LIST:]),
    )


def details(
    item: Item,
    listed: Sequence[tuple[Mapping[str, Any], Image | None]],
    reasons: Mapping[str, str],
) -> Details:
    """Write everything that is stored of a product.

    :param listed: its pictures as its merchant names them, and as they are here.
    :param reasons: why some are not here, by their addresses.
    """
    product, described = item.main.product, item.main.product.description
    first = listed[0][1] if listed else None
    return Details(
        card=card(item, {product.id: first} if first else {}),
        sub_line=described.get("subLine") or "",
        description=described.get("description") or "",
        pictures=[
            found
            for found in (
                _picture(one["url"], image, one.get("copyrightText"), reasons.get(one["url"]))
                for one, image in listed
            )
            if found is not None
        ],
        about=[fact for fact in _about(product) if fact.text],
        variants=[_offer(each) for each in item.variants],
        shipping=list(_shipping(product)),
        stored=list(_stored(item.main)),
    )


def _offer(stored: Stored) -> Offer:
    product = stored.product
    return Offer(
        id=product.id,
        sku=product.sku,
        kind=product.variant_type or "",
        value=product.variant_value or product.sku,
        price=price_text(product),
        was=was(product),
        per_unit=unit_price(product),
        stock=_stock(stored),
        not_shoppable=product.not_shoppable,
    )


def _stock(stored: Stored) -> Stock:
    count = stored.product.stock_count
    if not stored.stock_known:
        return Stock("unset", _("Stock not set"))
    if count is None:
        return Stock("unlimited", _("Unlimited"))
    if count <= 0:
        return Stock("out", _("Sold out"))
    return Stock("some", _("%(n)s left", n=i18n.number(count, language())))


def _picture(
    url: str | None,
    image: Image | None,
    copyright_text: str | None = None,
    reason: str | None = None,
) -> Picture | None:
    if url is None:
        return None
    return Picture(image, urlsplit(url).hostname or "", url, copyright_text or "", reason or "")


def _seen(stored: Stored) -> Iterable[tuple[str, Moment]]:
    price, stock = stored.observed.get("price"), stored.observed.get("stock_count")
    if price is None and stock is None:
        yield _("Stored:"), _day(stored.updated)
    elif price is not None and stock is not None and _day(price) == _day(stock):
        yield _("Price and stock:"), _day(max(price, stock))
    else:
        if price is not None:
            yield _("Price:"), _day(price)
        if stock is not None:
            yield _("Stock:"), _day(stock)


def _day(moment: datetime) -> Moment:
    return Moment(i18n.day(moment, language()), moment.date().isoformat())


def _minute(moment: datetime | None) -> Moment | None:
    if moment is None:
        return None
    return Moment(i18n.minute(moment, language()), moment.isoformat(timespec="seconds"))


def _about(product: Product) -> Iterable[Fact]:
    described = product.description
    brand, code = described.get("brand"), described.get("colourCode")
    yield Fact(_("Brand"), product.brand_name, own_words=True)
    if isinstance(brand, dict) and brand.get("logoUrl"):
        yield Fact(_("Logo of the brand"), brand["logoUrl"], url=brand["logoUrl"])
    yield Fact(_("Material"), described.get("material") or "", own_words=True)
    yield Fact(_("Colour"), described.get("colour") or "", own_words=True)
    if code is not None:
        written = f"#{code:06x}"
        yield Fact(_("Colour code"), written, colour=written)
    yield Fact(_("Fit"), described.get("fit") or "", own_words=True)
    yield Fact(_("Made for"), _gender(described.get("gender")))
    url = described.get("url")
    if url:
        yield Fact(_("Page in the shop"), described.get("urlLabel") or url, url=url)
    elif described.get("urlLabel"):
        yield Fact(_("Page in the shop"), described["urlLabel"], own_words=True)
    yield Fact(_("Note on it"), described.get("urlNote") or "", own_words=True)
    picture = described.get("urlImageUrl")
    yield Fact(_("Picture for it"), picture or "", url=picture)


def _gender(gender: Any) -> str:
    label = gender.get("label") if isinstance(gender, dict) else None
    code = gender.get("code") if isinstance(gender, dict) else gender
    known = {1: _("Men"), 2: _("Women"), 3: _("Everybody"), 4: _("Children")}
    return label or (known.get(code, "") if isinstance(code, int) else "")


def _shipping(product: Product) -> Iterable[Fact]:
    model = product.shipping

    def amount(value: int) -> str:
        return i18n.money(value, product.currency, language())

    if product.org_price not in {None, product.price}:
        yield Fact(_("Price sent along to compare with"), amount(product.org_price or 0))
    yield Fact(_("VAT included"), i18n.percent(product.vat, language()))
    yield Fact(_("Shipping, once"), amount(model.flat_rate))
    yield Fact(_("Shipping for each piece"), amount(model.per_item))
    for step in model.scale:
        count = i18n.number(step["start"], language())
        yield Fact(_("Shipping from %(n)s pieces on", n=count), amount(step["price"]))
    limit = i18n.number(model.order_limit, language()) if model.order_limit else _("No limit")
    yield Fact(_("Most in one order"), limit)


def _stored(stored: Stored) -> Iterable[tuple[str, Moment | None]]:
    for name, title in (
        ("price", _("Price")),
        ("org_price", _("Price before")),
        ("stock_count", _("Stock")),
        ("currency", _("Currency")),
        ("vat", _("VAT")),
        ("shipping", _("Shipping")),
        ("description", _("Description")),
    ):
        yield title, _minute(stored.observed.get(name))
    yield _("First stored"), _minute(stored.created)
    yield _("Last changed"), _minute(stored.updated)
