"""The phone's checkout in every state, and how a browser gets there."""

from typing import TYPE_CHECKING, Any

from playwright.sync_api import Response

from tests.demo import flask_commands
from tests.e2e.actors import BasketOfUser, Merchant, data

if TYPE_CHECKING:
    from tests.e2e.states import Visitor

ZOE = {
    "email": "zoe@example.org",
    "firstName": "Zoë",
    "lastName": "Schmidt",
    "street": "Große Straße",
    "houseNumber": "7a",
    "zip": "10115",
    "city": "Berlin",
    "countryCode": "DE",
}
LONG = {
    **ZOE,
    "email": "friederike-wilhelmine.von-und-zu-hohenstein@rechtsanwaltskanzlei-hohenstein.example",
    "lastName": "von und zu Hohenstein-Niederkrüchten",
    "street": "Rindfleischetikettierungsüberwachungsgesellschaftsstraße",
    "addition": "c/o Donaudampfschifffahrtsgesellschaft, Hinterhaus, 4. Stock links",
    "city": "Hellschen-Heringsand-Unterschaar",
}
LONG_SHOP = "hanseatisches-versandkontor"
DECLINED, PAYS = "4000000000000002", "4242424242424242"


def zoe(visitor: "Visitor", **changes: str) -> dict[str, str]:
    """Return what Zoë types, who lives where this language's shops deliver to."""
    british = {} if visitor.lang == "de" else {"zip": "SW1A 1AA", "countryCode": "GB"}
    return {**ZOE, **british, **changes}


def buyer(visitor: "Visitor", *more: str) -> BasketOfUser:
    """Fill a basket with products of its own: what is reserved here is missed by no other page."""
    names = {"de": ("Teekanne Nordlicht", "Glocke"), "en": ("Northern lights teapot", "Bell")}
    stock = {"stockCount": 100_000, "colour": "blau", "material": "Steinzeug"}
    lines = [
        visitor.feed(f"TILL-{picture}", picture, name, **stock)
        for picture, name in zip(("teapot", "bell"), names[visitor.lang], strict=True)
    ]
    return visitor.guest((lines[0], 1), (lines[1], 2), *((line, 1) for line in more))


def three_shops(visitor: "Visitor") -> BasketOfUser:
    """Fill a basket with products of three shops, one of them with long names."""
    lines = []
    for number, shop in enumerate((LONG_SHOP, "kontor-zwei")):
        if shop not in visitor.known:
            add = ("merchant", "add", shop, *_named(number))
            issue = ("key", "issue", "--merchant", shop)
            visitor.known[shop] = flask_commands(visitor.service.environ, add, issue)[-1].strip()
            _make_live(Merchant(visitor.service, visitor.known[shop]))
        place = {"lang": visitor.lang, "country": "DE", "currency": "EUR"}
        if visitor.lang == "en":
            place |= {"country": "GB", "currency": "GBP"}
        name = "Donaudampfschifffahrtsgesellschaftskapitänsmützenkordel mit goldfarbenem Anker"
        more = {"colour": "dunkelanthrazit", "material": "100 % Baumwolle", "brand": "Ankerwerk"}
        lines += (
            Merchant(visitor.service, visitor.known[shop])
            .post(
                f"CORD-{visitor.lang}",
                name if number == 0 else "Glocke",
                price=1234567 if number == 0 else 2450,
                stockCount=100_000,
                shippingModel={"shippingFlatRate": 490},
                **place,
                **(more if number == 0 else {}),
            )
            .values()
        )
    mug = visitor.feed("TILL-mug", "mug", "Becher Raumschiff", stockCount=100_000)
    return visitor.guest((mug, 2), *((line, 3) for line in lines))


def _make_live(merchant: Merchant) -> None:
    """Have a merchant tell all that it must tell before it can sell."""
    legal = {name: ZOE[name] for name in ("street", "houseNumber", "zip", "city", "countryCode")}
    texts = [
        {"kind": kind, "lang": lang, "text": "Beispiel"}
        for kind in ("terms", "withdrawal")
        for lang in ("de", "en")
    ]
    data(
        merchant.call(
            "PATCH",
            "/v1/shops/config",
            json={
                "legal": {"name": "Kontor", "email": ZOE["email"], **legal},
                "texts": texts,
                "deliveryCountries": ["DE", "GB"],
            },
        )
    )


def _named(number: int) -> tuple[str, ...]:
    name = "Hanseatisches Versandkontor für Schiffsbedarf und Andenken GmbH & Co. KG"
    return ("--display-name", name) if number == 0 else ()


def _candle(visitor: "Visitor", stock: int) -> str:
    name = "Duftkerze" if visitor.lang == "de" else "Scented candle"
    return visitor.feed("TILL-candle", "candle", name, stockCount=stock)


def _address(visitor: "Visitor") -> Response | None:
    visitor.claim(buyer(visitor).transfer())
    return visitor.open("/checkout")


def _address_wrong(visitor: "Visitor") -> Response | None:
    _address(visitor)
    page = visitor.page
    page.locator("#email").fill("zoe@")
    page.locator("#firstName").fill("Zoë")
    page.locator("#zip").fill("1")
    page.locator("#elsewhere").check()
    return visitor.send(page.locator(".thumb .button").click)


def at_summary(visitor: "Visitor", basket: BasketOfUser, **changes: str) -> None:
    """Take a basket over with this browser, and say who buys it."""
    visitor.claim(basket.transfer())
    visitor.post("/checkout", visitor.get("/checkout"), **zoe(visitor, **changes))


def _summary(visitor: "Visitor") -> Response | None:
    at_summary(visitor, buyer(visitor))
    return visitor.open("/checkout")


def _three(visitor: "Visitor") -> Response | None:
    where = zoe(
        visitor, **{name: LONG[name] for name in LONG if name not in ("zip", "countryCode")}
    )
    other = {f"elsewhere-{name}": value for name, value in where.items() if name != "email"}
    at_summary(visitor, three_shops(visitor), **where, elsewhere="yes", **other)
    return visitor.open("/checkout")


def _declined(visitor: "Visitor") -> Response | None:
    gone = _candle(visitor, 5)
    visitor.claim(buyer(visitor, gone).transfer())
    _candle(visitor, 0)
    visitor.post("/checkout", visitor.get("/checkout"), **zoe(visitor))
    visitor.open("/checkout")
    visitor.send(visitor.page.locator("#order .button").click)
    visitor.page.locator("#number").fill(DECLINED)
    visitor.send(visitor.page.locator(".fields .button").click)
    return visitor.send(visitor.page.locator(".button.second").click)


def _at_the_checkout(visitor: "Visitor") -> Response | None:
    at_summary(visitor, buyer(visitor))
    return visitor.open("/basket")


def _nothing(visitor: "Visitor") -> Response | None:
    visitor.claim(visitor.guest((_candle(visitor, 5), 1)).transfer())
    _candle(visitor, 0)
    return visitor.open("/checkout")


def _no_cookies(visitor: "Visitor") -> Response | None:
    return visitor.open("/checkout")


def _paid(visitor: "Visitor") -> Response | None:
    basket = buyer(visitor)
    session = data(basket.call("POST", "/checkout/sessions"))
    visitor.open(session["psp"]["paymentUrl"])
    visitor.page.locator("#number").fill(PAYS)
    return visitor.send(visitor.page.locator(".fields .button").click)


def _product(visitor: "Visitor") -> Response | None:
    name = {"de": "Teekanne Nordlicht", "en": "Northern lights teapot"}[visitor.lang]
    told = visitor.feed(
        "TOLD",
        "teapot",
        name,
        description="Hält eine Stunde warm.\n\nSpülmaschinenfest bis 60 Grad. " * 4,
        colour="blau",
        material="Steinzeug",
        subLine=LONG["street"],
        basePrice={"content": 0.75, "unit": "l"},
        durabilityGuaranteeYears=5,
        manufacturer={"name": LONG["addition"], "address": LONG["street"], "email": LONG["email"]},
        gtin="4006381333931",
        safety=[{"lang": "de", "text": "Heiß!"}, {"lang": "en", "text": "Hot!"}],
        withdrawalException="hygiene",
    )
    visitor.claim(visitor.guest((told, 1)).transfer())
    return visitor.open(f"/basket/products/{told}")


_CHECK = ("Prüfen und bestellen", "Check and order")
_WHERE = ("Wohin geht die Bestellung?", "Where does it go?")

CHECKOUT_STATES: tuple[tuple[Any, ...], ...] = (
    ("phone-product", _product, "Teekanne Nordlicht", "Northern lights teapot"),
    ("phone-checkout-address", _address, *_WHERE),
    ("phone-checkout-address-wrong", _address_wrong, *_WHERE, 422),
    ("phone-checkout", _summary, *_CHECK),
    ("phone-checkout-three-shops", _three, *_CHECK),
    ("phone-checkout-declined", _declined, *_CHECK),
    ("phone-basket-at-checkout", _at_the_checkout, "Dein Warenkorb", "Your basket"),
    (
        "phone-checkout-nothing",
        _nothing,
        "Hier gibt es nichts zu kaufen",
        "Nothing here can be bought",
        409,
    ),
    (
        "phone-checkout-no-cookies",
        _no_cookies,
        "Dein Browser hat kein Cookie mitgeschickt",
        "Your browser sent no cookie",
        403,
    ),
    ("phone-paid", _paid, "Vielen Dank", "Thank you"),
)
"""Name, lead, German and English headline, status and script, as ``State`` takes them."""
