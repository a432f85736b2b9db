"""The catalogue and the login in every state, and how a browser gets there.

Most of them are seen by a merchant of their own, whose products no other state changes.
"""

from typing import TYPE_CHECKING, Any

from playwright.sync_api import Response

from tests.demo import catalogue, flask_commands
from tests.e2e.actors import Merchant

if TYPE_CHECKING:
    from tests.e2e.states import Visitor

SHOP, EMPTY_SHOP = "hafenhaus", "leerstand"
PASSWORD = "correct horse battery"
LONG_NAME = "Donaudampfschifffahrtsgesellschaftskapitänsmützenkordel mit goldfarbenem Anker"
LONG_BRAND = "Rindfleischetikettierungsüberwachungsgesellschaft Niederbayern"
REMOTE = "https://bilder.hafenlicht-versandhandel.example/katalog/2026/winter"


def _fill(visitor: "Visitor") -> None:
    """Have a merchant with products, one without, and an account for each; once."""
    if "catalogue" in visitor.known:
        return
    visitor.known["catalogue"] = SHOP
    *_, key = flask_commands(
        visitor.service.environ,
        *(("merchant", "add", name) for name in (SHOP, EMPTY_SHOP)),
        *(("operator", "add", name, "--merchant", name) for name in (SHOP, EMPTY_SHOP)),
        ("key", "issue", "--merchant", SHOP),
        typed=PASSWORD,
    )
    shop = Merchant(visitor.service, key.strip())
    for lang, country, currency in (("de", "DE", "EUR"), ("en", "GB", "GBP")):
        place = {"lang": lang, "country": country, "currency": currency}
        for body in catalogue(lang):
            _feed(shop, body, visitor.service.url)
        _feed_odd_ones(shop, place)


def _feed(shop: Merchant, body: dict[str, Any], url: str) -> None:
    (image,) = body["images"]
    shop.post(**{**body, "images": [{**image, "url": url + image["url"]}]})


def _feed_odd_ones(shop: Merchant, place: dict[str, str]) -> None:
    shop.post(
        "ODD-LONG-NAME-AND-A-SKU-WITHOUT-END-0123456789",
        LONG_NAME,
        **place,
        brand={"name": LONG_BRAND, "logoUrl": f"{REMOTE}/logo.png"},
        subLine="Handgedreht, wasserfest und garantiert ohne Anlaufschwierigkeiten",
        description="Erste Zeile.\n\n<b>Kein HTML</b> & trotzdem lesbar.\nDritte Zeile.",
        price=123456789,
        orgPrice=149999999,
        stockCount=1234567,
        gender={"code": 3, "label": "Seeleute jeden Alters"},
        material="Messing, Baumwolle",
        colour="goldfarben",
        colourCode=0xD9A441,
        fit="locker",
        url=f"{REMOTE}/kordel.html",
        urlLabel="Zur Kordel im Laden",
        urlNote="Nur solange der Vorrat reicht",
        urlImageUrl=f"{REMOTE}/hinweis.png",
        images=[
            {"url": f"{REMOTE}/kordel-vorne.jpg", "copyrightText": "Hafenlicht Bildarchiv"},
            {"url": f"{REMOTE}/kordel-von-der-seite-mit-viel-wasser-im-hintergrund.jpg"},
        ],
        shippingModel={
            "shippingFlatRate": 490,
            "shippingPerItem": 50,
            "shippingScale": [{"start": 5, "price": 200}, {"start": 20, "price": 0}],
            "orderLimit": 3,
        },
        variants=[
            {"sku": f"ODD-LONG-{n}", "type": "Länge", "value": f"{n} m", "stockCount": n % 5}
            for n in range(1, 12)
        ],
    )
    shop.post("ODD-BARE", "Anker", **place)
    shop.post("ODD-ENDLESS", "Aal", **place, price=1250, stockCount=None, notShoppable=True)


def _as(visitor: "Visitor", name: str, path: str) -> Response | None:
    """Log in, and open a page."""
    _fill(visitor)
    visitor.forget_tries()
    visitor.post("/login", visitor.get("/login"), name=name, password=PASSWORD)
    return visitor.open(path)


def _place(visitor: "Visitor") -> str:
    return {"de": "de-DE", "en": "en-GB"}[visitor.lang]


def _listing(visitor: "Visitor") -> Response | None:
    return _as(visitor, SHOP, f"/catalogue?locale={_place(visitor)}")


def _second_page(visitor: "Visitor") -> Response | None:
    _listing(visitor)
    address = visitor.page.locator("a[rel=next]").get_attribute("href")
    assert address is not None
    return visitor.open(address)


def _demo_search(visitor: "Visitor") -> Response | None:
    _fill(visitor)
    return visitor.open(f"/catalogue?q=NORDHALM&merchant=demo-shop&locale={_place(visitor)}")


def _nothing_found(visitor: "Visitor") -> Response | None:
    _fill(visitor)
    return visitor.open("/catalogue?q=Zeppelin")


def _sold_out(visitor: "Visitor") -> Response | None:
    return _as(visitor, SHOP, f"/catalogue?state=sold-out&locale={_place(visitor)}")


def _product(visitor: "Visitor") -> Response | None:
    return visitor.open(f"/catalogue/{visitor.product('NORD-JACKET-12')}")


def _odd_product(visitor: "Visitor") -> Response | None:
    path = f"/catalogue/{SHOP}/{_place(visitor)}/ODD-LONG-NAME-AND-A-SKU-WITHOUT-END-0123456789"
    return _as(visitor, SHOP, path)


def _log_in(visitor: "Visitor", times: int) -> Response | None:
    visitor.forget_tries()
    visitor.open("/login")
    for _ in range(times):
        visitor.page.locator("#name").fill("nobody")
        visitor.page.locator("#password").fill("not the password")
        with visitor.page.expect_navigation() as answer:
            visitor.page.locator(".login .button").click()
    visitor.forget_tries()
    return answer.value


def _outdated(visitor: "Visitor") -> Response | None:
    visitor.open("/login")
    visitor.outlive_session()
    visitor.page.locator("#name").fill("nobody")
    visitor.page.locator("#password").fill("not the password")
    with visitor.page.expect_navigation() as answer:
        visitor.page.locator(".login .button").click()
    return answer.value


_LIST, _LOGIN = ("Katalog", "Catalogue"), ("Anmelden", "Log in")
_OPEN_VARIANTS = "document.querySelector('.variants').setAttribute('open', '')"

CATALOGUE_STATES: tuple[tuple[Any, ...], ...] = (
    ("catalogue-list", _listing, *_LIST),
    ("catalogue-list-page-2", _second_page, *_LIST),
    ("catalogue-search", _demo_search, *_LIST),
    ("catalogue-search-variants", _demo_search, *_LIST, 200, _OPEN_VARIANTS),
    ("catalogue-sold-out", _sold_out, *_LIST),
    ("catalogue-nothing-found", _nothing_found, *_LIST),
    ("catalogue-empty", lambda v: _as(v, EMPTY_SHOP, "/catalogue"), *_LIST),
    ("catalogue-product", _product, "Blouson Hafenlicht", "Harbour light jacket"),
    ("catalogue-product-odd", _odd_product, LONG_NAME, LONG_NAME),
    (
        "catalogue-no-product",
        lambda v: v.open("/catalogue/demo-shop/de-DE/GONE"),
        "Dieses Produkt gibt es nicht",
        "No such product",
        404,
    ),
    ("catalogue-login", lambda v: v.open("/login"), *_LOGIN),
    ("catalogue-login-wrong", lambda v: _log_in(v, 1), *_LOGIN, 403),
    ("catalogue-login-too-often", lambda v: _log_in(v, 6), *_LOGIN, 429),
    ("catalogue-login-outdated", _outdated, "Bitte noch einmal", "Please try again", 403),
)
"""Name, lead, German and English headline, status and script, as ``State`` takes them."""
