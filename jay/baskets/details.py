"""What a product of the basket is, for who thinks of buying it: its details on the phone.

Only what is in the basket is shown: the catalogue is not for everybody to leaf through.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from werkzeug.wrappers import Response

from jay import db, i18n, web
from jay.baskets.showing import read_opened
from jay.errors import RouteNotFound
from jay.i18n import without_controls
from jay.partners.view import partner_view
from jay.products import service as catalogue
from jay.products.showing import images_of
from jay.products.view import price_text, unit_price, was
from jay.web.pages import PageBlueprint, language, page
from jay.web.pages import gettext as _

blp = PageBlueprint("product_pages", __name__, guards=web.PUBLIC)

GUARANTEE_BY_LAW_YEARS = 2
"""A producer's guarantee is told where it is longer than the law's own (EU 2024/825)."""


@dataclass(frozen=True)
class Said:
    """Something about a product. ``lang``: the language that it is said in, if that is known."""

    name: str
    text: str
    lang: str | None = None


@blp.get("/basket/products/<path:product_id>")
def details(product_id: str) -> Response:
    """Show what the merchant says of a product that is in the basket."""
    now = web.now()
    with db.reading() as connection:
        mine, basket = read_opened(connection, now)
        known = product_id in basket
        product = catalogue.find(connection, product_id, now=now) if known else None
        if product is None:
            raise RouteNotFound
        listed, _reasons = images_of(connection, product)
    described = product.description
    return page(
        "phone/product.html",
        partner=partner_view(mine.partner),
        name=without_controls(product.name),
        variant=without_controls(product.variant_value or ""),
        sub_line=without_controls(described.get("subLine") or ""),
        text=without_controls(described.get("description") or ""),
        product_lang=product.lang if product.lang != language() else None,
        seller=without_controls(product.seller or product.merchant),
        price=price_text(product),
        was=was(product),
        per_unit=unit_price(product),
        images=[image for _one, image in listed if image is not None],
        facts=list(_facts(described)),
        safety=list(_safety(described)),
    )


def _facts(described: Mapping[str, Any]) -> Iterable[Said]:
    brand = described.get("brand")
    rows = {
        _("Brand"): brand["name"] if isinstance(brand, dict) else brand,
        _("Colour"): described.get("colour"),
        _("Material"): described.get("material"),
        _("Fit"): described.get("fit"),
        _("Content"): _content(described.get("basePrice")),
        _("Guarantee of the producer"): _guarantee(described.get("durabilityGuaranteeYears")),
        _("Right of withdrawal"): _exception(described.get("withdrawalException")),
        _("Manufacturer"): _company(described.get("manufacturer")),
        _("Responsible in the EU"): _company(described.get("responsiblePerson")),
        "GTIN": described.get("gtin"),
        _("Manufacturer's number"): described.get("mpn"),
    }
    return (Said(name, without_controls(str(text))) for name, text in rows.items() if text)


def _content(base: Mapping[str, Any] | None) -> str:
    if not base:
        return ""
    unit = {"m2": "m²", "piece": _("piece(s)")}.get(base["unit"], base["unit"])
    return f"{i18n.number(base['content'], language())} {unit}"


def _guarantee(years: int | None) -> str:
    if not years or years <= GUARANTEE_BY_LAW_YEARS:
        return ""
    return _("%(years)s years", years=years)


def _exception(reason: str | None) -> str:
    return {
        "custom": _("None: it is made for you."),
        "perishable": _("None: it spoils quickly."),
        "hygiene": _("Only while it is sealed, for reasons of hygiene."),
        "sealedMedia": _("Only while it is sealed."),
        "dateBound": _("None: it is for a certain date."),
        "digital": _("It ends when you begin to download or watch it."),
    }.get(reason or "", "")


def _company(company: Mapping[str, Any] | None) -> str:
    told = company or {}
    return ", ".join(filter(None, (told.get("name"), told.get("address"), told.get("email"))))


def _safety(described: Mapping[str, Any]) -> Iterable[Said]:
    """Return warnings in the shopper's language, or all where there is none in it."""
    told = described.get("safety") or ()
    own = [one for one in told if one["lang"] == language()]
    for one in own or told:
        lang = one["lang"] if one["lang"] != language() else None
        yield Said("", without_controls(one["text"]), lang)
