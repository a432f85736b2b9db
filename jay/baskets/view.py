"""What pages show of a basket: lines and totals with today's prices, ready to print."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from sqlalchemy import Connection

from jay import i18n, web
from jay.baskets.models import Basket, Entry
from jay.baskets.totals import MixedCurrencies, totals
from jay.i18n import without_controls
from jay.merchants.models import delivered_by_all
from jay.merchants.service import merchant_by_id
from jay.products import service as catalogue
from jay.products.models import Product
from jay.products.showing import Image, first_images
from jay.products.view import Was, price_text, unit_price, was
from jay.web.pages import gettext as _
from jay.web.pages import language, ngettext

LOW_STOCK = 3


@dataclass(frozen=True)
class Note:
    """Something to tell about a line: its price changed, few are left, none is left, it is gone."""

    kind: str
    text: str


@dataclass(frozen=True)
class Line:
    """A product in a list of the basket, as pages print it."""

    id: str
    name: str
    variant: str
    brand: str
    image: Image | None
    count: int
    price: str
    line_price: str
    was: Was | None
    notes: list[Note] = field(default_factory=list)
    buyable: bool = True
    lang: str | None = None
    """The language of name and variant, where it is another one than the page's."""
    main_id: str = ""
    """The main product that it is, or is a variant of."""
    merchant: str = ""
    seller: str = ""
    """How people know the merchant."""
    per_unit: str | None = None
    """What a litre or the like costs."""
    place: int = 0
    """How many lines of its list stand before it."""
    short: bool = False
    """Whether the shop has fewer than are wanted, as the first of its notes then says."""


@dataclass(frozen=True)
class Sums:
    """The totals of the cart, as pages print them.

    ``items`` are those that the total holds, ``left_out`` those that can't be bought now. Where
    there is no total, all are ``items``; ``notice`` says why, or what is left out.
    """

    items: int
    left_out: int = 0
    goods: str | None = None
    shipping: str | None = None
    merchants: int = 0
    total: str | None = None
    tax: str | None = None
    saving: str | None = None
    notice: str | None = None
    delivery: str | None = None
    """Where all merchants deliver to."""


@dataclass(frozen=True)
class BasketView:
    """The whole basket, as pages print it."""

    cart: list[Line]
    saved: list[Line]
    totals: Sums | None
    checkout: list[Line] = field(default_factory=list)
    """What is being paid for at the moment."""

    @property
    def groups(self) -> list[tuple[str, list[Line]]]:
        """The cart by seller, each where its first line stands."""
        found: dict[str, list[Line]] = {}
        for line in self.cart:
            found.setdefault(line.merchant, []).append(line)
        return [(lines[0].seller, lines) for lines in found.values()]


def view(
    connection: Connection,
    basket: Basket | None,
    *,
    with_checkout: bool = False,
    with_saved: bool = True,
) -> BasketView:
    """Look the products up, with one query, and write everything in the page's language.

    :param with_checkout: whether what is being paid for is shown as if it were in the cart still.
    :param with_saved: whether the saved list is shown, which may be long.
    """
    if basket is None:
        return BasketView([], [], None)
    cart = [*basket.checkout, *basket.cart] if with_checkout else basket.cart
    saved = basket.saved if with_saved else []
    entries = [*cart, *saved, *([] if with_checkout else basket.checkout)]
    found = catalogue.find_many(connection, [entry.product_id for entry in entries], now=web.now())
    images = first_images(connection, found.values())
    return BasketView(
        _lines(cart, found, images),
        _lines(saved, found, images),
        _sums(connection, cart, found),
        [] if with_checkout else _lines(basket.checkout, found, images),
    )


def _lines(entries: list[Entry], found: dict[str, Product], images: dict[str, Image]) -> list[Line]:
    return [
        _line(entry, found.get(entry.product_id), place, images.get(entry.product_id))
        for place, entry in enumerate(entries)
    ]


def _line(entry: Entry, product: Product | None, place: int, image: Image | None) -> Line:
    if product is None:
        note = Note("gone", _("No longer available"))
        name = _("This product is gone")
        return Line(
            *(entry.product_id, name, "", "", None, entry.count, "", "", None),
            notes=[note],
            buyable=False,
            place=place,
        )
    return Line(
        id=product.id,
        name=without_controls(product.name),
        variant=without_controls(product.variant_value or ""),
        brand=without_controls(product.brand_name),
        image=image,
        count=entry.count,
        price=price_text(product),
        line_price=_line_price(product, entry.count),
        was=was(product),
        per_unit=unit_price(product),
        notes=list(_notes(entry, product)),
        buyable=product.buyable,
        lang=product.lang if product.lang != language() else None,
        main_id=product.main_id or product.id,
        merchant=product.merchant,
        seller=without_controls(product.seller or product.merchant),
        place=place,
        short=product.buyable and _is_short(entry, product),
    )


def _is_short(entry: Entry, product: Product) -> bool:
    return product.stock_count is not None and product.stock_count < entry.count


def _line_price(product: Product, count: int) -> str:
    if product.price is None:
        return ""
    return i18n.money(product.price * max(count, 1), product.currency, language())


def _notes(entry: Entry, product: Product) -> Iterable[Note]:
    if product.not_shoppable or product.price is None:
        yield Note("soldout", _("Can't be bought at the moment"))
    elif product.out_of_stock:
        # Nothing that is sold out gets into a cart; saved it may have been all along.
        yield Note("soldout", _("Now sold out") if entry.count else _("Sold out"))
    elif _is_short(entry, product):
        text = _(
            "Only %(n)s left, and you have %(count)s", n=product.stock_count, count=entry.count
        )
        yield Note("low", text)
    elif product.stock_count is not None and product.stock_count <= LOW_STOCK:
        yield Note("low", _("Only %(n)s left", n=product.stock_count))
    if entry.price is None or product.price is None:
        return
    currency = entry.currency or product.currency
    if (entry.price, currency) != (product.price, product.currency):
        before = i18n.money(entry.price, currency, language())
        text = _(
            "Price changed: %(now)s instead of %(before)s", now=price_text(product), before=before
        )
        yield Note("price", text)


def _sums(connection: Connection, cart: list[Entry], found: dict[str, Product]) -> Sums | None:
    everything = sum(entry.count for entry in cart)
    if not everything:
        return None
    positions = [
        (found[entry.product_id], entry.count)
        for entry in cart
        if entry.product_id in found and found[entry.product_id].buyable
    ]
    merchants = {
        identifier: merchant_by_id(connection, identifier)
        for identifier in {product.merchant_id for product, _ in positions}
    }
    try:
        sums = totals(positions, merchants)
    except MixedCurrencies:
        notice = _("Your basket has prices in different currencies, so there is no total.")
        return Sums(everything, notice=notice)
    if sums is None:
        return Sums(everything, notice=_("Nothing in your basket can be bought at the moment."))
    items = sum(count for _product, count in positions)
    return Sums(
        items=items,
        left_out=everything - items,
        goods=i18n.money(sums.goods, sums.currency, language()),
        shipping=i18n.money(sums.shipping, sums.currency, language())
        if sums.shipping
        else _("free"),
        merchants=len(sums.parts),
        total=i18n.money(sums.total, sums.currency, language()),
        tax=i18n.money(sums.tax, sums.currency, language()),
        saving=i18n.money(sums.saving, sums.currency, language()) if sums.saving else None,
        notice=_without(everything - items) if everything > items else None,
        delivery=_delivery(one.delivers_to for one in merchants.values()),
    )


def _delivery(reached: Iterable[Collection[str]]) -> str | None:
    names = (i18n.country(code, language()) for code in delivered_by_all(reached))
    return ", ".join(sorted(names)) or None


def _without(left_out: int) -> str:
    return ngettext(
        "Without %(num)s item that can't be bought at the moment.",
        "Without %(num)s items that can't be bought at the moment.",
        left_out,
    )
