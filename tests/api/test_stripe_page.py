"""The one page with a script of another host: reached without a token in its address."""

import re
from urllib.parse import urlsplit

import pytest
from flask import Flask

from jay import make_ready
from jay.errors import FormOutdated
from jay.web.versions import api_of_path
from tests.api import stripes
from tests.api.browser import Browser
from tests.builders import Platform, Shop, User
from tests.conftest import Apps
from tests.stripe_api import StripeApi

pytestmark = pytest.mark.one_database


@pytest.fixture
def app(app: Flask, apps: Apps, database_url: str, stripe_api: StripeApi) -> Flask:
    made = apps.on(database_url, psp="stripe", stripe=stripes.settings(stripe_api))
    return make_ready(made)


def start(user: User, shop: Shop, *, test: bool = True) -> str:
    user.put(shop.product("mug"))
    path = f"/checkout/sessions?testMode={str(test).lower()}"
    answer = user.call("POST", path)
    assert answer.status_code == 200, answer.json
    url: str = answer.json["data"]["psp"]["paymentUrl"]
    return urlsplit(url).path


def test_whoever_has_the_payments_address_pays_in_whatever_browser(
    app: Flask, alice: User, shop: Shop
) -> None:
    phone = Browser(app)
    led = phone.get(start(alice, shop))
    assert (led.status_code, led.headers["Location"]) == (303, "/checkout/pay")
    assert led.headers["Referrer-Policy"] == "no-referrer"

    page = phone.get("/checkout/pay")
    assert page.status_code == 200
    text = page.text
    assert 'data-key="pk_test_jay"' in text
    assert re.search(r'data-secret="pi_\d+_secret_x"', text)
    assert 'data-return="http://localhost/checkout/return/J' in text
    assert "no money moves" in text
    assert re.findall(r'<script src="([^"]+)"', text) == [
        "https://js.stripe.com/endive/stripe.js",
        "/static/js/pay.js",
    ]
    assert "no-referrer" not in text  # it would forbid Stripe to know where it is shown


def test_live_payments_do_not_look_like_trials(app: Flask, alice: User, shop: Shop) -> None:
    phone = Browser(app)
    phone.get(start(alice, shop, test=False))

    page = phone.get("/checkout/pay").text
    assert 'data-key="pk_live_jay"' in page
    assert "no money moves" not in page


def test_it_has_exactly_the_headers_that_stripe_needs(app: Flask, alice: User, shop: Shop) -> None:
    phone = Browser(app)
    phone.get(start(alice, shop))
    headers = phone.get("/checkout/pay").headers

    parts = dict(
        part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";")
    )
    assert parts == {
        "default-src": "'none'",
        "script-src": "'self' https://js.stripe.com https://*.js.stripe.com",
        "frame-src": "https://js.stripe.com https://*.js.stripe.com https://hooks.stripe.com",
        "connect-src": "'self' https://api.stripe.com",
        "style-src": "'self' 'unsafe-inline'",
        "img-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    assert headers["Referrer-Policy"] == "strict-origin"
    assert headers["Cache-Control"] == "no-store"


def test_no_other_page_lets_another_host_in(
    app: Flask, platform: Platform, alice: User, shop: Shop
) -> None:
    pay = start(alice, shop)
    known = {
        "order_no": pay.rsplit("/", 1)[1].partition("-")[0],
        "name": "kino",
        "kind": "terms",
    }
    asked = 0
    for rule in app.url_map.iter_rules():
        if api_of_path(rule.rule) is not None or "GET" not in (rule.methods or set()):
            continue
        path = re.sub(
            r"<(?:[^<>]*:)?(\w+)>", lambda found: known.get(found[1], "some-thing"), rule.rule
        )
        phone = Browser(app)
        phone.get(pay)  # it could be shown the form
        answer = phone.get(path)
        policy = answer.headers["Content-Security-Policy"]
        assert ("stripe.com" in policy) == (rule.endpoint == "stripe.show"), path
        assert ("stripe.com" in answer.text) == (rule.endpoint == "stripe.show"), path
        asked += 1
    assert asked > 25


def test_a_forged_address_leads_nowhere(app: Flask, alice: User, shop: Shop) -> None:
    path = start(alice, shop)
    wrong = path[:-1] + ("0" if path[-1] != "0" else "1")

    for forged in (wrong, path.rpartition("-")[0], "/checkout/pay/J234567892345-00", path + "0"):
        assert Browser(app).get(forged).status_code == 404


def test_without_a_cookie_it_is_said_what_is_missing(app: Flask) -> None:
    page = Browser(app).get("/checkout/pay")

    assert page.status_code == FormOutdated.status
    assert "cookie" in page.text


@pytest.mark.parametrize("end", ["paid", "aborted", "expired"])
def test_what_has_ended_is_not_paid_again(
    app: Flask, alice: User, shop: Shop, stripe_api: StripeApi, end: str
) -> None:
    phone = Browser(app)
    path = start(alice, shop)
    phone.get(path)
    (payment,) = [one for one in stripe_api.objects if one.startswith("pi_")]
    if end == "paid":
        stripe_api.pay(payment)
        alice.call("POST", "/checkout/sessions/finish-active", json={"ordered": True})
    elif end == "aborted":
        alice.call("POST", "/checkout/sessions/finish-active", json={"ordered": False})
    else:
        stripe_api.clock.move(1800)

    for address in ("/checkout/pay", "/checkout/pay"):  # a reload, too
        answer = phone.get(address)
        assert answer.status_code == 303
        assert answer.headers["Location"].startswith("/checkout/return/J")


def test_where_stripe_has_its_own_page_ours_is_not_there(
    apps: Apps, app: Flask, database_url: str, stripe_api: StripeApi
) -> None:
    hosted = apps.on(database_url, psp="stripe", stripe=stripes.settings(stripe_api, "hosted"))

    assert "stripe" not in hosted.blueprints
    assert "stripe" in app.blueprints
