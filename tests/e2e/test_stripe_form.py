"""The page with Stripe's form in a real browser; Stripe's script is played by a few lines."""

import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Route, expect
from werkzeug.serving import make_server

from jay import make_ready
from tests.api.stripes import Till, settings
from tests.builders import add_platform, add_shop
from tests.clock import MovedClock
from tests.conftest import Apps
from tests.e2e.checkout_states import ZOE
from tests.e2e.service import Service
from tests.e2e.watched import Screens
from tests.stripe_api import StripeApi, serving

pytestmark = pytest.mark.one_database

SCRIPT = """
window.Stripe = function (key, options) {
  window.asked = {key: key, locale: options.locale};
  return {
    elements: function (given) {
      window.asked.secret = given.clientSecret;
      return {create: function (kind) {
        var ready;
        return {
          on: function (name, call) { if (name === 'ready') { ready = call; } },
          mount: function (where) {
            var field = document.createElement('p');
            field.textContent = kind + ' form';
            field.style.color = 'green';
            document.querySelector(where).appendChild(field);
            ready();
          }
        };
      }};
    },
    confirmPayment: function (given) {
      return window.confirmed().then(function (said) {
        if (said) { return {error: {message: said}}; }
        location.href = given.confirmParams.return_url;
        return new Promise(function () {});
      });
    }
  };
};
"""


@pytest.fixture(params=["elements"])
def till(
    request: pytest.FixtureRequest, apps: Apps, database_url: str, clock: MovedClock
) -> Iterator[Till]:
    with serving(StripeApi(clock)) as api:
        listening = make_server("127.0.0.1", 0, lambda *_: [], threaded=True)
        url = f"http://127.0.0.1:{listening.server_port}"
        app = apps.on(
            database_url, psp="stripe", stripe=settings(api, request.param), public_url=url
        )
        listening.app = make_ready(app)
        thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
        thread.start()
        yield Till(app, api)
        listening.shutdown()
        thread.join()
        listening.server_close()


def test_a_phone_pays_in_stripes_form_once(till: Till, screens: Screens) -> None:
    client = till.app.test_client()
    user = add_platform(till.app, client, "stripe-kino").user()
    user.put(add_shop(till.app, client, "stripe-shop").product())
    started = till.start(user)
    address = started["psp"]["paymentUrl"]
    service = cast("Service", SimpleNamespace(url=till.app.extensions["jay.settings"].public_url))
    screens.allow_host("https://js.stripe.com")
    phone = screens.phone(service, viewport={"width": 320, "height": 640})
    said = ["Die Karte wurde abgelehnt.", ""]
    asked: list[Any] = []

    def confirm() -> str:
        asked.append(phone.url)
        answer = said.pop(0)
        if not answer:
            till.api.pay(till.intent(started))
        return answer

    def script(route: Route) -> None:
        route.fulfill(body=SCRIPT, content_type="text/javascript")

    phone.expose_function("confirmed", confirm)
    phone.context.route("https://js.stripe.com/**", script)

    phone.goto(address)
    button = phone.get_by_role("button", name="bezahlen")
    expect(phone.get_by_text("payment form")).to_be_visible()
    assert urlsplit(phone.url).path == "/checkout/pay"
    assert phone.evaluate("window.asked") == {
        "key": "pk_test_jay",
        "locale": "de",
        "secret": started["psp"]["clientSecret"],
    }
    assert phone.evaluate("document.documentElement.scrollWidth") <= 320

    button.click()
    expect(phone.get_by_role("alert")).to_contain_text("abgelehnt")
    phone.evaluate(  # a double tap
        "() => { const b = document.getElementById('button'); b.click(); b.click(); b.click(); }"
    )
    phone.wait_for_url("**/checkout/return/*")

    expect(phone.get_by_role("heading", name="Vielen Dank")).to_be_visible()
    assert len(asked) == 2
    assert till.money(started) == ("succeeded", 1250, 0)
    phone.goto(address)  # from the history: nothing is paid twice
    expect(phone.get_by_role("heading", name="Vielen Dank")).to_be_visible()
    assert [cookie["name"] for cookie in phone.context.cookies()] == ["jay"]


def test_where_the_form_does_not_load_it_is_said(till: Till, screens: Screens) -> None:
    client = till.app.test_client()
    user = add_platform(till.app, client, "stripe-kino-2").user()
    user.put(add_shop(till.app, client, "stripe-shop-2").product())
    address = till.start(user)["psp"]["paymentUrl"]
    service = cast("Service", SimpleNamespace(url=till.app.extensions["jay.settings"].public_url))
    screens.allow_host("https://js.stripe.com")
    phone = screens.phone(service)
    phone.context.route("https://js.stripe.com/**", lambda route: route.fulfill(body=""))

    phone.goto(address)

    expect(phone.get_by_role("alert")).to_contain_text("konnte nicht geladen werden")
    expect(phone.get_by_role("button", name="bezahlen")).to_be_disabled()
    expect(phone.get_by_role("link", name="Zurück")).to_be_visible()


@pytest.mark.parametrize("till", ["hosted"], indirect=True)
def test_the_order_button_leads_to_stripes_own_page(till: Till, screens: Screens) -> None:
    client = till.app.test_client()
    user = add_platform(till.app, client, "stripe-kino-3").user()
    user.put(add_shop(till.app, client, "stripe-shop-3").product())
    service = cast("Service", SimpleNamespace(url=till.app.extensions["jay.settings"].public_url))
    screens.allow_host("https://checkout.stripe.com")
    phone = screens.phone(service, java_script_enabled=False)
    phone.context.route(
        "https://checkout.stripe.com/**", lambda route: route.fulfill(body="Stripe's page")
    )

    phone.goto(user.transfer()["url"])
    phone.locator("form button.button").first.click()
    phone.goto(f"{service.url}/checkout")
    for name, value in ZOE.items():
        if name != "countryCode":
            phone.locator(f"[name={name}]").first.fill(value)
    phone.locator("[name=email]").press("Enter")
    phone.get_by_role("button", name="Zahlungspflichtig bestellen").click()

    expect(phone.get_by_text("Stripe's page")).to_be_visible()
