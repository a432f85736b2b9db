"""The phone: from the basket to the payment by address, summary and button, and what may fail."""

import re
from dataclasses import replace
from html import escape
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from jay import db
from jay.checkout.models import LIFETIME, SessionState
from jay.checkout.providers.interface import Opened, Purchase
from jay.checkout.sandbox.provider import Sandbox
from jay.legal import service as legal
from jay.legal.models import Kind, Owner
from jay.merchants import service as merchants
from tests.api.browser import Browser, csrf_of, problems_of, session_of, text_of
from tests.api.buying import DECLINED, PAYS, Till
from tests.builders import Shop, User
from tests.clock import MovedClock
from tests.conftest import Apps

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
BUTTONS = {"de": "Zahlungspflichtig bestellen", "en": "Order and pay"}


class Phone(Browser):
    """A phone that has taken a basket over, and its way through the checkout."""

    def page(self, path: str = "/checkout") -> str:
        return text_of(self.get(path))

    def tell(self, **changes: str) -> TestResponse:
        """Fill the form in and send it."""
        return self.submit("/checkout?step=address", "/checkout", **{**ZOE, **changes})

    def order(self, seen: str | None = None) -> TestResponse:
        """Press the button of the summary."""
        shown = self.get("/checkout")
        found = re.search(r'name="seen" value="([^"]+)"', shown.get_data(as_text=True))
        assert found, text_of(shown)
        return self.post("/checkout/order", csrf=csrf_of(shown), seen=seen or found[1])

    def pay(self, till: Till, number: str = PAYS) -> TestResponse:
        """Press the button and pay; return where that leads to."""
        to = self.order().headers["location"]
        assert "/psp/sandbox/pay/" in to, to
        paid = till.client.post(urlsplit(to).path, data={"number": number})
        assert paid.status_code in {303, 402}
        back = self.get(paid.headers.get("location") or back_of(paid))
        led = back.headers.get("location", "")
        return self.get(led) if led.startswith("/orders/") else back


def back_of(page: TestResponse) -> str:
    found = re.search(r'href="([^"]*/checkout/return/[^"]+)"', page.get_data(as_text=True))
    assert found
    return found[1]


@pytest.fixture
def mug(shop: Shop) -> str:
    return shop.product(
        "mug", name="Mug", description={"colour": "blue", "material": "clay", "brand": "Kiln"}
    )


@pytest.fixture
def phone(app: Flask, alice: User, mug: str) -> Phone:
    alice.put(mug, 2)
    return taken(app, alice)


def taken(app: Flask, user: User, language: str = "en") -> Phone:
    phone = Phone(app, language=language)
    phone.take(user.transfer())
    return phone


def test_the_basket_leads_to_the_checkout_and_says_where_it_is_delivered_and_how_it_is_paid(
    phone: Phone,
) -> None:
    shown = phone.get("/basket").get_data(as_text=True)

    assert 'href="/checkout"' in shown
    assert "Delivery to Germany Ways to pay Card" in text_of(phone.get("/basket"))


def test_looking_reserves_nothing(phone: Phone, alice: User) -> None:
    assert "Where does it go?" in phone.page()

    assert alice.call("GET", "/checkout/sessions/active").status_code == 404
    assert alice.basket()["checkout"] == []


def test_a_purchase(phone: Phone, till: Till, alice: User) -> None:
    told = phone.tell()
    assert (told.status_code, told.headers["location"]) == (303, "/checkout")
    summary = phone.page()
    assert "Zoë Schmidt Große Straße 7a 10115 Berlin Germany" in summary
    assert "Reserved for you for another 30 min." in summary

    assert "Thank you" in text_of(phone.pay(till))
    assert alice.basket()["cart"] == alice.basket()["checkout"] == []


def test_a_phone_goes_on_in_its_own_language_with_what_was_started_as_a_test_elsewhere(
    app: Flask, phone: Phone, till: Till, alice: User
) -> None:
    with app.app_context(), db.transaction() as connection:
        owner = Owner("merchant", merchants.merchant_id(connection, "mugshop") or 0)
        legal.put(connection, owner, Kind.TERMS, "en", url=None, text="As usual.", now=till.clock())
    path = "/checkout/sessions?testMode=true"
    number = alice.call("POST", path, json={"language": "de"}).json["data"]["orderNo"]

    phone.tell()

    session = till.session(number)
    assert (session.state, session.lang, session.test) == (SessionState.OPEN, "en", True)
    shown = {(text["kind"], text["lang"]) for part in session.parts for text in part.texts}
    assert ("terms", "en") in shown
    assert "Thank you" in text_of(phone.pay(till))
    assert till.session(number).state is SessionState.PAID


def test_who_has_pressed_the_button_sees_the_order_and_nobody_else_does(
    app: Flask, phone: Phone, till: Till
) -> None:
    phone.tell()

    phone.pay(till)

    order_no = phone_order(phone)
    address = phone.get(f"/checkout/return/{order_no}").headers["Location"]
    assert address.startswith("/orders/")
    assert "Thank you for your order!" in phone.page(address)
    other = text_of(Browser(app).get(f"/checkout/return/{order_no}"))
    assert "Your order is paid." in other
    assert "/orders/" not in other


@pytest.mark.parametrize("lang", BUTTONS)
def test_the_button_has_the_words_of_the_law(app: Flask, alice: User, mug: str, lang: str) -> None:
    alice.put(mug)
    phone = taken(app, alice, lang)
    phone.tell()

    shown = phone.get("/checkout").get_data(as_text=True)

    button = re.search(
        r'<form[^>]*id="order">.*?<button class="button">(.*?)</button>', shown, re.DOTALL
    )
    assert button
    assert re.findall(r'<span class="calm">(.*?)</span>', button[1]) == [BUTTONS[lang]]


def test_right_above_the_button_stands_what_is_bought_and_nothing_else(
    app: Flask, alice: User, mug: str, other_shop: Shop
) -> None:
    alice.put(mug, 2)
    alice.put(other_shop.product("novel", name="Novel", price=999, vat=7.0))
    phone = taken(app, alice)
    phone.tell()

    shown = phone.get("/checkout").get_data(as_text=True)

    above = shown.partition('id="order">')[2].partition("<button")[0]
    assert "<a " not in above
    above = re.sub(r'<span class="letter".*?</span>', "", above)  # stands for a picture
    words = " ".join(re.sub(r"<[^>]+>", " ", above).split())
    assert words == (
        "mugshop Mug €25.00 Colour: blue · Material: clay · Brand: Kiln 2 pieces · €12.50 each"
        " Shipping free Total of this shop €25.00 includes VAT of €3.99"
        " bookshop Novel €9.99 1 piece · €9.99 each"
        " Shipping free Total of this shop €9.99 includes VAT of €0.65"
        " Total €34.99 includes VAT of €4.64"
    )


def test_what_is_wrong_is_told_at_its_field_and_nothing_typed_is_lost(phone: Phone) -> None:
    answer = phone.tell(zip="1011", email="zoe@", street="", city="Köln <b>", lastName="S" * 101)

    assert answer.status_code == 422
    shown = answer.get_data(as_text=True)
    assert "Please check 4 entries:" in text_of(answer)
    for name, text in {
        "lastName": "That is too long: at most 100 characters.",
        "zip": "This is no postcode of this country.",
        "email": "This is no e-mail address.",
        "street": "Enter the street.",
    }.items():
        assert f'href="#{name}"' in shown
        assert re.search(rf'id="{name}-error">{text}', shown)
        assert re.search(rf'name="{name}"[^>]*aria-describedby="{name}-error"', shown)
    assert 'value="Köln &lt;b&gt;"' in shown
    assert 'value="zoe@"' in shown
    assert problems_of(answer) == []


def test_it_may_go_to_another_address(phone: Phone, till: Till) -> None:
    other = {f"elsewhere-{name}": value for name, value in ZOE.items() if name != "email"}
    wrong = phone.tell(elsewhere="yes", **{**other, "elsewhere-city": ""})
    assert wrong.status_code == 422
    assert 'id="elsewhere-city-error"' in wrong.get_data(as_text=True)

    phone.tell(elsewhere="yes", **{**other, "elsewhere-city": "Potsdam"})

    shown = phone.page()
    assert ": Delivery address Zoë Schmidt Große Straße 7a 10115 Potsdam Germany" in shown
    assert "Billing address Zoë Schmidt Große Straße 7a 10115 Berlin" in shown
    again = phone.get("/checkout?step=address").get_data(as_text=True)
    assert 'value="Potsdam"' in again
    assert re.search(r'name="elsewhere" value="yes" checked', again)


def test_only_countries_that_are_delivered_to_are_taken(phone: Phone) -> None:
    answer = phone.tell(countryCode="FR", zip="75001")

    assert answer.status_code == 422
    assert "does not deliver to this country" in text_of(answer)


def test_a_changed_cart_leads_back_to_the_summary(
    phone: Phone, alice: User, shop: Shop, till: Till
) -> None:
    phone.tell()
    shown = phone.get("/checkout").get_data(as_text=True)
    seen = re.search(r'name="seen" value="([^"]+)"', shown)
    assert seen
    alice.put(shop.product("teapot", price=4999))

    answer = phone.post("/checkout/order", csrf=csrf_of(phone.get("/checkout")), seen=seen[1])

    assert answer.headers["location"] == "/checkout"
    now = phone.page()
    assert "Something has changed since you saw this." in now
    assert "€74.99" in now
    assert "Thank you" in text_of(phone.pay(till))


def test_a_price_that_rises_meanwhile_does_not_change_what_was_seen(
    phone: Phone, shop: Shop, till: Till
) -> None:
    phone.tell()
    shop.product("mug", price=9999)

    assert "€25.00" in phone.page()
    assert "Thank you" in text_of(phone.pay(till))


def test_what_was_seen_after_the_time_is_up_is_not_bought_at_another_price(
    phone: Phone, shop: Shop, till: Till, clock: MovedClock
) -> None:
    phone.tell()
    shown = phone.get("/checkout")
    seen = re.search(r'name="seen" value="([^"]+)"', shown.get_data(as_text=True))
    assert seen
    clock.move(LIFETIME.total_seconds())
    till.work()
    shop.product("mug", price=2000)

    answer = phone.post("/checkout/order", csrf=csrf_of(shown), seen=seen[1])

    assert answer.headers["location"] == "/checkout"
    now = phone.page()
    assert "because the time was up" in now
    assert "€40.00" in now


def test_a_declined_card_comes_back_with_a_message_and_another_try(
    phone: Phone, till: Till
) -> None:
    phone.tell()

    back = phone.pay(till, DECLINED)

    assert back.headers["location"] == "/checkout"
    assert "Your card was declined, and nothing was charged." in phone.page()
    assert "Your card was declined" not in phone.page()  # told once
    assert "Thank you" in text_of(phone.pay(till))


def test_who_comes_back_without_paying_is_told_so(phone: Phone, till: Till) -> None:
    phone.tell()
    payment = till.client.get(urlsplit(phone.order().headers["location"]).path)

    assert phone.get(back_of(payment)).headers["location"] == "/checkout"
    assert "You have not paid yet." in phone.page()


def test_back_to_the_basket_ends_it(phone: Phone, alice: User, till: Till, mug: str) -> None:
    phone.tell()
    payment = phone.order().headers["location"]
    held = text_of(phone.get("/basket"))
    assert "At the checkout 2\N{MULTIPLICATION SIGN} Mug" in held
    assert "Nothing in here yet" not in held

    answer = phone.submit("/checkout", "/checkout/abort")

    assert answer.headers["location"] == "/basket"
    assert alice.cart() == {mug: 2}
    assert [status for status, *_ in till.intents()] == ["cancelled"]
    assert till.client.get(urlsplit(payment).path).status_code == 303
    # The address is still known when the shopper comes again.
    assert "Zoë Schmidt" in phone.page()


def test_a_second_tab_and_back_lead_to_what_was_paid(phone: Phone, till: Till) -> None:
    phone.tell()
    shown = phone.get("/checkout")
    seen = re.search(r'name="seen" value="([^"]+)"', shown.get_data(as_text=True))
    assert seen
    assert "Thank you" in text_of(phone.pay(till))

    again = phone.post("/checkout/order", csrf=csrf_of(shown), seen=seen[1])

    for answer in (again, phone.get("/checkout")):
        assert "/checkout/return/" in answer.headers["location"]
        led = phone.get(answer.headers["location"]).headers["location"]
        assert "Thank you" in phone.page(led)
    assert len(till.intents()) == 1


def test_a_second_press_is_the_same_payment(phone: Phone, till: Till) -> None:
    phone.tell()

    first, second = phone.order(), phone.order()

    assert first.headers["location"] == second.headers["location"]
    assert len(till.intents()) == 1


def test_another_phone_is_not_shown_the_address_and_does_not_change_it(
    app: Flask, phone: Phone, alice: User, till: Till
) -> None:
    phone.tell()
    payment = phone.order().headers["location"]
    other = taken(app, alice)

    assert "Where does it go?" in other.page()
    assert "Zoë" not in other.get("/checkout?step=address").get_data(as_text=True)
    other.tell(firstName="Max", city="Hamburg")

    # Whoever was about to pay has not agreed to that: the payment is gone.
    assert till.client.get(urlsplit(payment).path).status_code == 303
    assert [status for status, *_ in till.intents()].count("cancelled") == 1
    assert "Max Schmidt" in other.page()
    assert "Max" not in phone.page()


def test_what_can_not_be_bought_is_said_and_stays(
    app: Flask, alice: User, shop: Shop, mug: str
) -> None:
    bell = shop.product("bell", name="Bell")
    alice.put(bell)
    alice.put(mug)
    phone = taken(app, alice)
    shop.product("bell", name="Bell", stock_count=0)

    phone.tell()

    assert "Not part of this order Bell Sold out It stays in your basket." in phone.page()
    assert list(alice.cart()) == [bell]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"shipping": {"orderLimit": 3}}, "The shop sells at most 3 of this in one order."),
        ({"stock_count": 3}, "Only 3 left"),
    ],
)
def test_what_is_too_many_says_how_many_there_may_be(
    change: dict[str, Any], reason: str, app: Flask, alice: User, shop: Shop
) -> None:
    for product in (shop.product("bell", name="Bell"), shop.product("mug")):
        alice.put(product, 5)
    phone = taken(app, alice)
    shop.product("bell", name="Bell", **change)

    phone.tell()

    assert f"Not part of this order Bell {reason}" in phone.page()


def test_nothing_to_buy(app: Flask, alice: User, shop: Shop) -> None:
    alice.put(shop.product("bell", name="Bell"))
    phone = taken(app, alice)
    shop.product("bell", name="Bell", stock_count=0)

    answer = phone.get("/checkout")

    assert answer.status_code == 409
    assert "Nothing here can be bought" in text_of(answer)
    assert "Bell Sold out" in text_of(answer)


def test_a_browser_without_cookies_is_told_what_to_do(phone: Phone, app: Flask) -> None:
    answer = app.test_client(use_cookies=False).get("/checkout")

    assert answer.status_code == 403
    assert "Your browser sent no cookie" in text_of(answer)


def test_a_payment_that_is_waited_for_is_shown_as_such_and_looked_at_again(
    phone: Phone, till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jay.checkout import flow

    phone.tell()
    order_no = phone_order(phone)
    monkeypatch.setattr(flow, "settle", lambda _order_no: SessionState.PAYING)

    answer = phone.get(f"/checkout/return/{order_no}")

    assert 'http-equiv="refresh"' in answer.get_data(as_text=True)
    assert "We are waiting for the payment to arrive." in text_of(answer)


def phone_order(phone: Phone) -> str:
    number: str = session_of(phone)["checkout"][0]
    return number


def test_a_provider_that_is_away_is_told_and_tried_again(
    app: Flask, phone: Phone, till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jay.errors import PaymentProviderUnavailable

    def away(*_all: Any, **_more: Any) -> Any:
        raise PaymentProviderUnavailable

    monkeypatch.setattr(app.extensions["jay.psp"], "open", away)
    answer = phone.tell()
    assert answer.status_code == 503
    assert "We can't reach the payment service." in text_of(answer)

    monkeypatch.undo()
    phone.tell()
    assert "Thank you" in text_of(phone.pay(till))


@pytest.mark.parametrize("path", ["/checkout", "/checkout/order", "/checkout/abort"])
def test_a_form_of_another_site_does_nothing(phone: Phone, path: str) -> None:
    assert phone.post(path, **ZOE).status_code == 403


def test_the_operators_notice_on_the_legal_guarantee_stands_before_the_order(
    app: Flask, phone: Phone
) -> None:
    phone.tell()
    shown = phone.get("/checkout").get_data(as_text=True)
    assert "legal guarantee" not in shown
    folder = app.extensions["jay.settings"].data_dir / "notices"
    folder.mkdir()
    (folder / "guarantee-de.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    try:
        shown = phone.get("/checkout").get_data(as_text=True)
        address = "/legal/notice/guarantee/de"
        assert f'<img src="{address}"' in shown
        assert shown.index(address) < shown.index('id="order"')
        picture = phone.get(address)
        assert picture.mimetype == "image/svg+xml"
        assert "default-src 'none'" in picture.headers["Content-Security-Policy"]
        assert phone.get("/legal/notice/guarantee/..%2Fde").status_code == 404
    finally:
        (folder / "guarantee-de.svg").unlink()
        folder.rmdir()


def test_nothing_of_the_person_is_in_the_cookie(phone: Phone) -> None:
    phone.tell()

    kept = repr(session_of(phone))
    assert not [text for text in ZOE.values() if len(text) > 2 and text in kept]


def test_a_payment_page_elsewhere_is_led_to_by_a_page_as_forms_may_not_lead_there(
    phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, elsewhere = Sandbox.open, "https://pay.example/c/1?a=1&b=2#fid"

    def there(sandbox: Sandbox, purchase: Purchase) -> Opened:
        return replace(opened(sandbox, purchase), payment_url=elsewhere)

    monkeypatch.setattr(Sandbox, "open", there)
    phone.tell()

    led = phone.order()

    # Chromium and Safari hold redirects that answer a form against form-action as well.
    assert (led.status_code, led.headers.get("location")) == (200, None)
    assert "form-action 'self'" in led.headers["Content-Security-Policy"]
    shown = led.get_data(as_text=True)
    assert f'content="0; url={escape(elsewhere)}"' in shown
    assert f'href="{escape(elsewhere)}"' in shown


def test_the_sellers_texts_are_read_in_the_version_in_which_it_is_bought(
    phone: Phone, shop: Shop
) -> None:
    phone.tell()
    new = {"texts": [{"kind": "terms", "lang": "de", "text": "Ab heute gilt alles anders."}]}
    assert shop.call("PATCH", "/shops/config", json=new).status_code == 200

    shown = phone.get("/checkout").get_data(as_text=True)

    (address,) = re.findall(r'href="(/legal/merchant/mugshop/terms/de/\d+)"', shown)
    assert "gilt alles anders" not in phone.page(address)
    assert "gilt alles anders" in phone.page("/legal/merchant/mugshop/terms/de/2")
    for gone in ("terms/de/3", "terms/en/1", "terms/de/0", "privacy/de/1"):
        assert phone.get(f"/legal/merchant/mugshop/{gone}").status_code == 404


def test_so_many_checkouts_a_minute_and_asked_before_the_form_is_looked_at(
    apps: Apps, database_url: str, alice: User, mug: str, clock: MovedClock
) -> None:
    alice.put(mug)
    phone = taken(apps.on(database_url, checkouts_per_user=1), alice)

    assert phone.tell().status_code == 303
    for changes in ({}, {"zip": ""}):
        refused = phone.tell(**changes)
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "60")
    clock.move(60)
    assert phone.tell(zip="").status_code == 422
    assert phone.tell().status_code == 303
