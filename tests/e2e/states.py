"""Every page in every state, and how a browser gets there."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import APIResponse, Page, Response, expect
from sqlalchemy import Delete, create_engine, delete

from jay.products.models import products
from jay.web.limits import tries
from tests.e2e.actors import (
    DEMO_BASKET_KEY,
    DEMO_SHOP_KEY,
    BasketOfUser,
    Merchant,
    TvApp,
    data,
)
from tests.e2e.catalogue_states import CATALOGUE_STATES
from tests.e2e.checkout_states import CHECKOUT_STATES, buyer
from tests.e2e.order_states import ORDER_STATES
from tests.e2e.service import Service

LANGUAGES = {"de": "de-DE", "en": "en-GB"}
SECOND_PARTNER = "kanal-neun"
LONG_NAME = "Donaudampfschifffahrtsgesellschaftskapitänsmützenkordel mit goldfarbenem Anker"
LONG_BRAND = "Rindfleischetikettierungsüberwachungsgesellschaft Niederbayern"


@dataclass
class Visitor:
    """A person with a browser, and everybody whom the person meets.

    ``service`` is one whose clock can be moved.
    """

    service: Service
    page: Page
    lang: str
    known: dict[str, str] = field(default_factory=dict)
    """What lasts longer than a visit: the key of the second partner."""

    @property
    def _locale(self) -> str:
        return LANGUAGES[self.lang]

    # --- what happens before the page is opened ---------------------------------------------------

    @contextmanager
    def earlier(self, seconds: float) -> Iterator[None]:
        """Do something some time ago."""
        self.service.move_clock(-seconds)
        try:
            yield
        finally:
            self.service.move_clock(0)

    def product(self, sku: str) -> str:
        """Return the id of a demo product in this language."""
        return f"demo-shop/{self._locale}/{sku}"

    def guest(self, *lines: tuple[str, int]) -> BasketOfUser:
        """Fill a basket on the TV."""
        return TvApp(self.service, DEMO_BASKET_KEY).guest(*lines)

    def shopper(self) -> BasketOfUser:
        """Fill a basket with five of the demo products."""
        skus = (("NORD-HOODIE-01-M", 1), ("TEEW-MUG-07", 2), ("LUME-LAMP-NORD", 1))
        more = (("SOHL-RUN-204-40", 1), ("SONN-SHADE-11", 1))
        return self.guest(*((self.product(sku), count) for sku, count in skus + more))

    def feed(
        self, sku: str, slug: str, name: str, *, locale: str | None = None, **fields: Any
    ) -> str:
        """Have the shop sell one more product, for 19.90; return its id."""
        language, country = (locale or self._locale).split("-")
        merchant = Merchant(self.service, DEMO_SHOP_KEY)
        sku = f"{sku}-{self.lang}"
        picture = f"{self.service.url}/static/demo/{slug}.svg"
        changes: dict[str, Any] = {
            "price": 1990,
            "stockCount": 40,
            "brand": "Teewig",
            "images": [{"url": picture}],
            **fields,
        }
        return merchant.post(
            sku,
            name,
            lang=language,
            country=country,
            currency="EUR" if country == "DE" else "GBP",
            **changes,
        )[sku]

    def feed_noted(self, **changed: dict[str, Any]) -> list[tuple[str, int]]:
        """Sell a candle, a cushion, a bell and a board game; return what a basket holds of them."""
        pictures = ("candle", "cushion", "bell", "boardgame")
        names = {"de": ("Duftkerze", "Kissen", "Glocke", "Brettspiel")}
        names["en"] = ("Scented candle", "Cushion", "Bell", "Board game")
        return [
            (self.feed(f"NOTE-{slug}", slug, name, **changed.get(slug, {})), 2)
            for slug, name in zip(pictures, names[self.lang], strict=True)
        ]

    def forget_product(self, product_id: str) -> None:
        """Have a product vanish from the catalogue."""
        self._change(delete(products).where(products.c.id == product_id))

    def forget_tries(self) -> None:
        """Let a minute pass in which nobody types a code."""
        self._change(delete(tries))

    def _change(self, statement: Delete) -> None:
        engine = create_engine(self.service.database_url)
        with engine.begin() as connection:
            connection.execute(statement)
        engine.dispose()

    def second_partner_key(self) -> str:
        """Return the API key of a partner that has a kiosk of its own and a long name."""
        if "partner" not in self.known:
            name = "Öffentlich-rechtlicher Heimatkanal Neun"
            self.known["partner"] = self.service.add_partner(
                SECOND_PARTNER, "--kiosk", "--display-name", name
            )
        return self.known["partner"]

    # --- what the person does ---------------------------------------------------------------------

    def open(self, address: str) -> Response | None:
        """Open an address, or a path of the service."""
        return self.page.goto(address if ":" in address else self.service.url + address)

    def get(self, address: str) -> APIResponse:
        """Fetch a page with this browser's cookies, and show nothing."""
        address = address if ":" in address else self.service.url + address
        return self.page.context.request.get(address, headers=self._headers())

    def post(
        self, address: str, page: APIResponse, /, *, status: int = 303, **fields: str
    ) -> APIResponse:
        """Send a form of a page that was fetched before, and follow nowhere."""
        address = address if ":" in address else self.service.url + address
        found = re.search(r'name="csrf" value="([^"]+)"', page.text())
        assert found is not None
        form: dict[str, str | float | bool] = {"csrf": found[1], **fields}
        answer = self.page.context.request.post(
            address, form=form, max_redirects=0, headers=self._headers()
        )
        assert answer.status == status, (answer.status, answer.text())
        return answer

    def _headers(self) -> dict[str, str]:
        return {"Accept-Language": self._locale}

    def look(self, offer: dict[str, Any]) -> APIResponse:
        """Look at a transfer's claim page, whose script tells so."""
        page = self.get(offer["url"])
        self.post(offer["url"] + "/opened", page, status=204)
        return page

    def claim(self, offer: dict[str, Any]) -> APIResponse:
        """Take the basket of a transfer over with this browser; return the basket page."""
        self.post(offer["url"], self.look(offer))
        return self.get("/basket")

    def item(self, seen: APIResponse, action: str, product_id: str, count: int = 1) -> None:
        """Press a button of the basket page."""
        found = re.search(r'name="version" value="([^"]*)"', seen.text())
        fields = {"version": found[1]} if found else {}
        self.post(
            "/basket/items", seen, action=action, product_id=product_id, count=str(count), **fields
        )

    def tap(self, action: str, number: int) -> Response:
        """Tap a button of the basket page that is open, by the place of its line."""
        with self.page.expect_response(_shows_the_basket) as answer:
            self.page.locator(f"button[value={action}]").nth(number).click()
        self.page.wait_for_load_state("load")
        expect(self.page.locator("html:not([data-counting])")).to_have_count(1)
        return answer.value

    def send(self, press: Callable[[], None]) -> Response:
        """Press what sends a form; return the page that comes."""
        with self.page.expect_navigation() as answer:
            press()
        return answer.value

    def pick(self, *numbers: int) -> APIResponse:
        """Pick products of the demo partner's kiosk, by their place among those without sizes."""
        wall = self.get("/kiosk/demo")
        ids = re.findall(r'name="product_id" value="([^"]+)"', wall.text())
        for number in numbers:
            self.post("/kiosk/demo", wall, product_id=ids[number % len(ids)])
        return wall

    def kiosk_code(self) -> str:
        """Have the kiosk show its code; return the address of that page."""
        wall = self.pick(0, 1, 1, 2)
        return self.post("/kiosk/demo/code", wall).headers["location"]

    def outlive_session(self) -> None:
        """Let the page's forms be of a session that has ended: its cookie is sent, not known."""
        self.page.context.clear_cookies()
        root = self.service.url + "/"
        self.page.context.add_cookies([{"name": "jay", "value": "ended", "url": root}])

    def type_wrong_code(self, times: int = 1) -> Response:
        """Type a wrong code, in a minute in which nobody else does."""
        self.forget_tries()
        self.open("/code")
        for _ in range(times):
            self.page.locator("#user_code").fill("2222 222")
            answer = self.send(self.page.locator("#code .button").click)
        self.forget_tries()
        return answer


Lead = Callable[[Visitor], Response | None]


@dataclass(frozen=True)
class State:
    """A page in a state."""

    name: str
    lead: Lead
    german: str
    english: str
    status: int = 200
    script: str | None = None
    """What only happens with JavaScript, after the page was loaded."""

    @property
    def kind(self) -> str:
        """Whether a TV, a kiosk or a phone shows it, or a developer's screen."""
        return self.name.split("-")[0]

    def headline(self, lang: str) -> str:
        """Return what its headline says."""
        return self.german if lang == "de" else self.english

    @property
    def large(self) -> bool:
        """Whether it is made for a TV's screen."""
        return self.kind in {"tv", "kiosk"}


# --- the TV -------------------------------------------------------------------------------------


def _tv_pending(visitor: Visitor) -> Response | None:
    return visitor.open(visitor.shopper().transfer()["displayUrl"])


def _tv_opened(visitor: Visitor) -> Response | None:
    offer = visitor.shopper().transfer()
    visitor.look(offer)
    return visitor.open(offer["displayUrl"])


def _tv_claimed(visitor: Visitor) -> Response | None:
    offer = visitor.shopper().transfer()
    data(TvApp(visitor.service, DEMO_BASKET_KEY).redeem(offer["jayToken"]))
    return visitor.open(offer["displayUrl"])


def _paying(visitor: Visitor) -> tuple[dict[str, Any], dict[str, Any]]:
    """Take a basket over, and start to pay for it; return the transfer and the checkout."""
    basket = buyer(visitor)
    offer = basket.transfer()
    data(TvApp(visitor.service, DEMO_BASKET_KEY).redeem(offer["jayToken"]))
    return offer, data(basket.call("POST", "/checkout/sessions"))


def _tv_paying(visitor: Visitor) -> Response | None:
    return visitor.open(_paying(visitor)[0]["displayUrl"])


def _tv_ordered(visitor: Visitor) -> Response | None:
    offer, session = _paying(visitor)
    screen = visitor.page.context.new_page()
    screen.goto(session["psp"]["paymentUrl"])
    screen.locator("#number").fill("4242424242424242")
    screen.locator(".fields .button").click()
    screen.wait_for_url("**/checkout/return/*")
    screen.close()
    return visitor.open(offer["displayUrl"])


def _tv_expired(visitor: Visitor) -> Response | None:
    with visitor.earlier(120):
        offer = visitor.shopper().transfer()
    return visitor.open(offer["displayUrl"])


def _tv_left_alone(visitor: Visitor) -> Response | None:
    with visitor.earlier(7200):
        offer = visitor.shopper().transfer()
    return visitor.open(offer["displayUrl"])


def _tv_error(visitor: Visitor) -> Response | None:
    return visitor.open("/tv/unknown/nowhere")


def _tv_cancelled(visitor: Visitor) -> Response | None:
    basket = visitor.shopper()
    offer = basket.transfer()
    basket.transfer()
    return visitor.open(offer["displayUrl"])


def _tv_empty(visitor: Visitor) -> Response | None:
    return visitor.open(visitor.guest().transfer()["displayUrl"])


def _tv_gone(visitor: Visitor) -> Response | None:
    return visitor.open("/tv/unknown")


def _long_basket(visitor: Visitor) -> BasketOfUser:
    long = visitor.feed("LONG", "watch", LONG_NAME, brand=LONG_BRAND, price=1234567)
    app = TvApp(visitor.service, visitor.second_partner_key())
    return app.guest((long, 80), (visitor.product("TEEW-MUG-07"), 100))


def _tv_long(visitor: Visitor) -> Response | None:
    return visitor.open(_long_basket(visitor).transfer()["displayUrl"])


def _tv_noted(visitor: Visitor) -> Response | None:
    return visitor.open(_noted_offer(visitor)["displayUrl"])


def _tv_of_kiosk(visitor: Visitor) -> Response | None:
    return visitor.open(visitor.kiosk_code())


def _tv_of_kiosk_claimed(visitor: Visitor) -> Response | None:
    address = visitor.kiosk_code()
    seen = visitor.get(address)
    found = re.search(r'class="typed">.*?<strong[^>]*>([^<]+)</strong>', seen.text(), re.DOTALL)
    assert found is not None
    claim = visitor.post("/code", visitor.get("/code"), user_code=found[1]).headers["location"]
    token = claim.rpartition("/")[2]
    data(TvApp(visitor.service, DEMO_BASKET_KEY).redeem(token))
    return visitor.open(address)


# --- the kiosk ----------------------------------------------------------------------------------


def _kiosk_start(visitor: Visitor) -> Response | None:
    visitor.second_partner_key()
    return visitor.open("/kiosk")


def _kiosk_wall(visitor: Visitor) -> Response | None:
    return visitor.open("/kiosk/demo")


def _kiosk_second_page(visitor: Visitor) -> Response | None:
    return visitor.open("/kiosk/demo?page=2")


def _kiosk_sizes(visitor: Visitor) -> Response | None:
    found = re.search(r'href="([^"]+/choose[^"]+)"', visitor.get("/kiosk/demo").text())
    assert found is not None
    return visitor.open(found[1].replace("&amp;", "&"))


def _kiosk_outdated(visitor: Visitor) -> Response | None:
    visitor.open("/kiosk/demo")
    visitor.page.locator("form:has(button.tile) [name=csrf]").first.evaluate(
        "field => { field.value = 'of an older session'; }"
    )
    with visitor.page.expect_response(lambda answer: answer.status == 403) as answer:
        visitor.page.locator("button.tile").first.click()
    visitor.page.locator(".halted").wait_for()
    return answer.value


def _kiosk_noted(visitor: Visitor) -> Response | None:
    visitor.pick(0, 1, 1)
    last = visitor.feed("KIOSK", "bell", "Glocke", locale="de-DE", stockCount=1)
    visitor.post("/kiosk/demo", visitor.get("/kiosk/demo"), product_id=last)
    visitor.feed("KIOSK", "bell", "Glocke", locale="de-DE", stockCount=0)
    return visitor.open("/kiosk/demo")


def _kiosk_filled(visitor: Visitor) -> Response | None:
    visitor.pick(0, 1, 1, 2, 4, 5)
    return visitor.open("/kiosk/demo")


def _kiosk_picked(visitor: Visitor) -> Response | None:
    visitor.pick(0, 1, 1, 2, 4, 5, 3)
    return visitor.open("/kiosk/demo/picked")


def _kiosk_asks(visitor: Visitor) -> Response | None:
    visitor.pick(0, 1, 1)
    return visitor.open("/kiosk/demo/picked?ask=all")


def _tv_one(visitor: Visitor) -> Response | None:
    basket = visitor.guest((visitor.product("LUME-LAMP-NORD"), 1))
    return visitor.open(basket.transfer()["displayUrl"])


def _tv_shop(visitor: Visitor) -> Response | None:
    offer = visitor.shopper().transfer(url="http://127.0.0.1:9000/warenkorb")
    return visitor.open(offer["displayUrl"])


def _right_to_left(visitor: Visitor) -> list[tuple[str, int]]:
    names = ("כובע צמר עם פונפון 2024", "\u202eإبريق الشاي\u202e (750 ml)", "קפה ☕ Espresso")
    pictures = ("cap", "teapot", "mug")
    return [
        (visitor.feed(f"RTL-{slug}", slug, name, brand=name), 2)
        for slug, name in zip(pictures, names, strict=True)
    ]


def _tv_right_to_left(visitor: Visitor) -> Response | None:
    basket = visitor.guest(*_right_to_left(visitor))
    return visitor.open(basket.transfer()["displayUrl"])


# --- the phone ----------------------------------------------------------------------------------


def _claim(visitor: Visitor) -> Response | None:
    return visitor.open(visitor.shopper().transfer()["url"])


def _claim_empty(visitor: Visitor) -> Response | None:
    return visitor.open(visitor.guest().transfer()["url"])


def _claim_shop(visitor: Visitor) -> Response | None:
    offer = visitor.shopper().transfer(url="http://127.0.0.1:9000/warenkorb")
    found = re.search(r"jayToken=([^&]+)", offer["url"])
    assert found is not None
    return visitor.open(f"/t/{found[1]}")


def _noted_offer(visitor: Visitor) -> dict[str, Any]:
    basket = visitor.guest(*visitor.feed_noted())
    noted = visitor.feed_noted(
        candle={"price": 2490}, cushion={"stockCount": 1}, bell={"stockCount": 0}
    )
    visitor.forget_product(noted[3][0])
    return basket.transfer()


def _claim_noted(visitor: Visitor) -> Response | None:
    return visitor.open(_noted_offer(visitor)["url"])


def _claim_long(visitor: Visitor) -> Response | None:
    return visitor.open(_long_basket(visitor).transfer()["url"])


def _basket(visitor: Visitor) -> Response | None:
    visitor.claim(visitor.shopper().transfer())
    return visitor.open("/basket")


def _basket_empty(visitor: Visitor) -> Response | None:
    visitor.claim(visitor.guest().transfer())
    return visitor.open("/basket")


def _basket_saved(visitor: Visitor) -> Response | None:
    seen = visitor.claim(visitor.shopper().transfer())
    visitor.item(seen, "save", visitor.product("TEEW-MUG-07"), 2)
    visitor.item(visitor.get("/basket"), "save", visitor.product("LUME-LAMP-NORD"))
    visitor.get("/basket")
    return visitor.open("/basket")


def _basket_saved_only(visitor: Visitor) -> Response | None:
    seen = visitor.claim(visitor.guest((visitor.product("TEEW-MUG-07"), 1)).transfer())
    visitor.item(seen, "save", visitor.product("TEEW-MUG-07"))
    visitor.get("/basket")
    return visitor.open("/basket")


def _basket_noted(visitor: Visitor) -> Response | None:
    visitor.claim(_noted_offer(visitor))
    return visitor.open("/basket")


def _basket_undo(visitor: Visitor) -> Response | None:
    visitor.claim(visitor.shopper().transfer())
    visitor.open("/basket")
    return visitor.tap("remove", 1)


def _basket_error(visitor: Visitor) -> Response | None:
    lines = visitor.feed_noted()
    visitor.claim(visitor.guest(*lines).transfer())
    visitor.open("/basket")
    visitor.feed_noted(candle={"stockCount": 0})
    return visitor.tap("plus", 0)


def _basket_conflict(visitor: Visitor) -> Response | None:
    mug = visitor.product("TEEW-MUG-07")
    basket = visitor.shopper()
    visitor.claim(basket.transfer())
    visitor.open("/basket")
    data(basket.product("POST", mug, 5))
    return visitor.tap("plus", 1)


def _basket_ended(visitor: Visitor) -> Response | None:
    basket = visitor.shopper()
    visitor.claim(basket.transfer())
    data(basket.call("DELETE"))
    return visitor.open("/basket")


def _basket_outdated(visitor: Visitor) -> Response | None:
    visitor.claim(visitor.shopper().transfer())
    visitor.open("/basket")
    # As if the session had begun anew meanwhile.
    form = visitor.page.locator("form.acts").first.element_handle()
    assert form is not None
    visitor.page.evaluate("form => { form.elements.csrf.value = 'old'; }", form)
    return visitor.send(visitor.page.locator("button[value=remove]").first.click)


def _basket_long(visitor: Visitor) -> Response | None:
    visitor.claim(_long_basket(visitor).transfer())
    return visitor.open("/basket")


def _code(visitor: Visitor) -> Response | None:
    return visitor.open("/code")


def _code_too_often(visitor: Visitor) -> Response | None:
    return visitor.type_wrong_code(6)


def _refused_expired(visitor: Visitor) -> Response | None:
    with visitor.earlier(120):
        offer = visitor.shopper().transfer()
    return visitor.open(offer["url"])


def _refused_claimed(visitor: Visitor) -> Response | None:
    offer = visitor.shopper().transfer()
    data(TvApp(visitor.service, DEMO_BASKET_KEY).redeem(offer["jayToken"]))
    return visitor.open(offer["url"])


def _refused_cancelled(visitor: Visitor) -> Response | None:
    basket = visitor.shopper()
    offer = basket.transfer()
    basket.transfer()
    return visitor.open(offer["url"])


def _form_outdated(visitor: Visitor) -> Response | None:
    visitor.open("/code")
    # As if the session had begun anew meanwhile.
    visitor.page.evaluate("document.forms.code.elements.csrf.value = 'old'")
    visitor.page.locator("#user_code").fill("2222 222")
    return visitor.send(visitor.page.locator("#code .button").click)


def _no_cookies(visitor: Visitor) -> Response | None:
    _basket(visitor)
    visitor.page.context.clear_cookies()
    return visitor.send(visitor.page.locator("button[value=remove]").first.click)


def _without_cookies(visitor: Visitor) -> Response | None:
    visitor.open(visitor.shopper().transfer()["url"])
    visitor.page.context.clear_cookies()
    return visitor.send(visitor.page.locator("#take .button").first.click)


def _claim_second(visitor: Visitor) -> Response | None:
    visitor.claim(visitor.shopper().transfer())
    return visitor.open(visitor.guest((visitor.product("TEEW-MUG-07"), 3)).transfer()["url"])


def _two_baskets(visitor: Visitor) -> None:
    visitor.claim(visitor.shopper().transfer())
    visitor.claim(visitor.guest((visitor.product("TEEW-MUG-07"), 3)).transfer())


def _basket_of_two(visitor: Visitor) -> Response | None:
    _two_baskets(visitor)
    return visitor.open("/basket")


def _baskets(visitor: Visitor) -> Response | None:
    _two_baskets(visitor)
    return visitor.open("/baskets")


def _baskets_undo(visitor: Visitor) -> Response | None:
    _baskets(visitor)
    return visitor.send(visitor.page.locator("button[value=let-go]").click)


def _basket_sizes(visitor: Visitor) -> Response | None:
    lines = ((visitor.product(sku), 1) for sku in ("NORD-HOODIE-01", "NORD-HOODIE-01-M"))
    visitor.claim(visitor.guest(*lines).transfer())
    return visitor.open("/basket")


def _foreign_offer(visitor: Visitor) -> dict[str, Any]:
    names = ("\u202e\u05e1\u05e4\u05dc \u05db\u05d7\u05d5\u05dc 12", "\u0643\u0648\u0628 3")
    ids = [
        visitor.feed(f"FOREIGN-{number}", "none", name, brand=name, images=[])
        for number, name in enumerate(names)
    ]
    return visitor.guest(*((identifier, 2) for identifier in ids)).transfer()


def _claim_foreign(visitor: Visitor) -> Response | None:
    return visitor.open(_foreign_offer(visitor)["url"])


def _basket_foreign(visitor: Visitor) -> Response | None:
    visitor.claim(_foreign_offer(visitor))
    return visitor.open("/basket")


def _shows_the_basket(answer: Response) -> bool:
    return answer.request.method == "GET" and urlsplit(answer.url).path == "/basket"


_MARK = "document.querySelector('{}').setAttribute('{}', '{}')"
# On a copy, which the page's own timers do not know and so leave as it is.
_MARK_COPY = (
    "var old = document.querySelector('{}'); var copy = old.cloneNode(true);"
    " copy.setAttribute('{}', '{}'); old.parentNode.replaceChild(copy, old)"
)
_LONG_ADDRESS = (
    "document.querySelector('.brand small').textContent ="
    " 'basket.mediathek.kanal-neun.example/legal'"
)
_TYPED_ADDRESS = (
    "var typed = document.querySelector('.typed .address');"
    " typed.textContent = '{}'; typed.className = 'address {}'"
)
_WIDE_ADDRESS = _TYPED_ADDRESS.format("jay.kanal9-tv.example/code", "wide")
_TALL_ADDRESS = _TYPED_ADDRESS.format("jay.mediathek.kanal9-tv.com/code", "long")
_TWO_LINES = _TYPED_ADDRESS.format(
    "warenkorb.fernsehshop.mediathek.kanal-neun.example/code", "longer"
)
_PICK = ("Such dir etwas aus", "Pick something")
_SCAN = ("Nimm deinen Warenkorb mit.", "Take your basket with you.")
_GONE = ("Diesen Code gibt\u2019s nicht mehr.", "This code is gone.")
_TAKE = ("Warenkorb vom Fernseher übernehmen?", "Take the basket from the TV?")
_BASKET = ("Dein Warenkorb", "Your basket")
_COOKIE = ("Dein Browser hat kein Cookie mitgeschickt", "Your browser sent no cookie")
_TYPE = ("Gib den Code vom Fernseher ein", "Enter the code from the TV")

STATES = (
    State("tv-pending", _tv_pending, *_SCAN),
    State(
        "tv-offline",
        _tv_pending,
        *_SCAN,
        script=_MARK_COPY.format("#transfer", "data-net", "lost"),
    ),
    State("tv-opened", _tv_opened, "Schau jetzt auf dein Handy.", "Now look at your phone."),
    State("tv-claimed", _tv_claimed, "Dein Handy hat ihn.", "Your phone has it."),
    State("tv-paying", _tv_paying, "Er wird gerade bezahlt.", "It is being paid for."),
    State("tv-ordered", _tv_ordered, "Bestellt. Vielen Dank!", "Ordered. Thank you!"),
    State("tv-expired", _tv_expired, "Die Minute ist um.", "The minute is up."),
    State("tv-left-alone", _tv_left_alone, *_GONE, 404),
    State(
        "tv-expired-too-long",
        _tv_expired,
        "Die Minute ist um.",
        "The minute is up.",
        script=_MARK.format("#transfer", "data-renewable", "0"),
    ),
    State("tv-error", _tv_error, "Hier ist nichts", "Nothing here", 404),
    State("tv-cancelled", _tv_cancelled, "Es gibt einen neueren Code.", "There is a newer code."),
    State("tv-gone", _tv_gone, *_GONE, 404),
    State("tv-empty", _tv_empty, *_SCAN),
    State("tv-notes", _tv_noted, *_SCAN, script=_TALL_ADDRESS),
    State("tv-long-names", _tv_long, *_SCAN, script=_TWO_LINES),
    State("tv-one", _tv_one, *_SCAN, script=_WIDE_ADDRESS),
    State("tv-shop", _tv_shop, *_SCAN),
    State("tv-right-to-left", _tv_right_to_left, *_SCAN),
    State("tv-kiosk-pending", _tv_of_kiosk, *_SCAN),
    State("tv-kiosk-claimed", _tv_of_kiosk_claimed, "Dein Handy hat ihn.", "Your phone has it."),
    State(
        "kiosk-start",
        _kiosk_start,
        "Hier aussuchen, am Handy bezahlen.",
        "Pick here, pay on your phone.",
    ),
    State("kiosk-wall", _kiosk_wall, *_PICK),
    State("kiosk-wall-page-2", _kiosk_second_page, *_PICK),
    State("kiosk-wall-long-address", _kiosk_second_page, *_PICK, script=_LONG_ADDRESS),
    State("kiosk-sizes", _kiosk_sizes, "Kapuzenpullover Logo", "Kapuzenpullover Logo"),
    State("kiosk-wall-filled", _kiosk_filled, *_PICK),
    State("kiosk-picked", _kiosk_picked, *_BASKET),
    State("kiosk-picked-ask", _kiosk_asks, *_BASKET),
    State("kiosk-wall-notes", _kiosk_noted, *_PICK),
    State(
        "kiosk-error-not-found",
        lambda visitor: visitor.open("/kiosk/unknown"),
        "Hier ist nichts",
        "Nothing here",
        404,
    ),
    State("kiosk-error-outdated", _kiosk_outdated, "Bitte noch einmal", "Please try again", 403),
    State(
        "kiosk-wall-asleep",
        _kiosk_filled,
        *_PICK,
        script=_MARK_COPY.format("#wall", "data-asleep", ""),
    ),
    State(
        "kiosk-wall-offline",
        _kiosk_wall,
        *_PICK,
        script=_MARK_COPY.format("#wall", "data-net", "lost"),
    ),
    State("phone-claim", _claim, *_TAKE),
    State("phone-claim-empty", _claim_empty, *_TAKE),
    State("phone-claim-notes", _claim_noted, *_TAKE),
    State("phone-claim-long-names", _claim_long, *_TAKE),
    State("phone-claim-shop", _claim_shop, *_TAKE),
    State(
        "phone-claim-over",
        _claim,
        *_TAKE,
        script=_MARK.format("#claim", "data-over", ""),
    ),
    State("phone-basket", _basket, *_BASKET),
    State(
        "phone-basket-offline",
        _basket,
        *_BASKET,
        script=_MARK.format("html", "data-offline", ""),
    ),
    State("phone-basket-empty", _basket_empty, *_BASKET),
    State("phone-basket-saved", _basket_saved, *_BASKET),
    State("phone-basket-saved-only", _basket_saved_only, *_BASKET),
    State("phone-basket-notes", _basket_noted, *_BASKET),
    State("phone-basket-undo", _basket_undo, *_BASKET),
    State("phone-basket-error", _basket_error, *_BASKET),
    State("phone-basket-conflict", _basket_conflict, *_BASKET),
    State(
        "phone-basket-ended",
        _basket_ended,
        "Diesen Warenkorb gibt es nicht mehr",
        "This basket has ended",
        404,
    ),
    State("phone-basket-outdated", _basket_outdated, "Bitte noch einmal", "Please try again", 403),
    State("phone-basket-long-names", _basket_long, *_BASKET),
    State("phone-basket-sizes", _basket_sizes, *_BASKET),
    State("phone-basket-foreign-names", _basket_foreign, *_BASKET),
    State("phone-basket-of-two", _basket_of_two, *_BASKET),
    State("phone-basket-without-cookies", _without_cookies, *_BASKET),
    State("phone-claim-second", _claim_second, *_TAKE),
    State("phone-claim-foreign-names", _claim_foreign, *_TAKE),
    State("phone-baskets", _baskets, "Deine Warenkörbe", "Your baskets"),
    State("phone-baskets-undo", _baskets_undo, "Deine Warenkörbe", "Your baskets"),
    State("phone-error-no-cookies", _no_cookies, *_COOKIE, 403),
    State("phone-code", _code, *_TYPE),
    State("phone-code-wrong", lambda visitor: visitor.type_wrong_code(), *_TYPE, 404),
    State("phone-code-too-often", _code_too_often, *_TYPE, 429),
    State("phone-refused-expired", _refused_expired, "Die Zeit ist um", "Time is up", 410),
    State(
        "phone-refused-claimed",
        _refused_claimed,
        "Schon übernommen",
        "Already taken over",
        409,
    ),
    State(
        "phone-refused-cancelled",
        _refused_cancelled,
        "Es gibt einen neueren Code",
        "There is a newer code",
        410,
    ),
    State(
        "phone-refused-unknown",
        lambda visitor: visitor.open("/t/unknown"),
        "Diesen Code kennen wir nicht",
        "We do not know this code",
        404,
    ),
    State(
        "phone-refused-no-basket",
        lambda visitor: visitor.open("/basket"),
        "Auf diesem Handy ist noch kein Warenkorb",
        "No basket on this phone yet",
        404,
    ),
    State(
        "phone-error-not-found",
        lambda visitor: visitor.open("/nowhere"),
        "Hier ist nichts",
        "Nothing here",
        404,
    ),
    State("phone-error-outdated", _form_outdated, "Bitte noch einmal", "Please try again", 403),
    *(State(*each) for each in CHECKOUT_STATES),
    *(State(*each) for each in ORDER_STATES),
    *(State(*each) for each in CATALOGUE_STATES),
    State("docs-errors", lambda visitor: visitor.open("/docs/errors"), "Errors", "Errors"),
)
BY_NAME = {state.name: state for state in STATES}
TV_STATES = ("pending", "opened", "claimed", "expired", "cancelled")
