"""The whole way in real browsers: from the basket on the TV to an order that is paid."""

import re
import sqlite3
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Route, expect

from jay.legal.models import Kind
from jay.ops import demo_legal
from tests.clock import PATIENCE_SECONDS
from tests.demo import flask_commands
from tests.e2e.actors import DEMO_BASKET_KEY, DEMO_SHOP_KEY, Merchant, TvApp
from tests.e2e.checkout_states import DECLINED, ZOE
from tests.e2e.purchasing import go_to_checkout, pay
from tests.e2e.service import Service
from tests.e2e.watched import Screens, expect_state
from tests.post_office import post_office

SHOWN = [
    text
    for wanted in (Kind.TERMS, Kind.WITHDRAWAL)
    for kind, lang, text in demo_legal.SELLERS_TEXTS
    if (kind, lang) == (wanted, "de")
]
"""What the demo's shop lets its customers agree to."""

PERSONAL = ("zoe@", "Zoë", "Zo%C3%AB", "Zo\\u00eb", "Schmidt", "Große Straße", "Gro\\u00dfe")


@pytest.fixture
def offer(service: Service) -> dict[str, str]:
    """Fill a basket on the TV and show its code."""
    product = Merchant(service, DEMO_SHOP_KEY).post(
        "BOUGHT",
        "Teekanne Polarlicht",
        price=2450,
        stockCount=1000,
        colour="blau",
        shippingModel={"shippingFlatRate": 490},
    )["BOUGHT"]
    return TvApp(service, DEMO_BASKET_KEY).guest((product, 2)).transfer()


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_from_the_basket_on_the_tv_to_a_paid_order(
    service: Service, screens: Screens, offer: dict[str, str], *, scripts: bool
) -> None:
    tv = screens.tv(service)
    phone = screens.phone(service, java_script_enabled=scripts)
    visited: list[str] = []
    phone.on("framenavigated", lambda frame: visited.append(frame.url))
    go_to_checkout(tv, phone, offer["displayUrl"])
    expect(phone.get_by_role("heading", name="Prüfen und bestellen")).to_be_visible()
    expect(phone.locator(".grand .all")).to_contain_text("53,90")
    expect_state(tv, "paying")

    screens.allow_refusal(402)
    pay(phone, DECLINED)
    expect(phone.get_by_text("Die Karte wurde abgelehnt.")).to_be_visible()
    phone.get_by_role("link", name="Zurück, ohne zu bezahlen").click()
    expect(phone.get_by_role("alert")).to_contain_text("Deine Karte wurde abgelehnt")
    pay(phone)

    expect(phone.get_by_role("heading", name="Dank")).to_be_visible()
    expect_state(tv, "ordered")
    expect(tv.get_by_role("heading", name="Vielen Dank!")).to_be_visible()
    # It is bought: Back and a reload lead nowhere else.
    paid = phone.url
    phone.goto(f"{service.url}/checkout")
    expect(phone.get_by_role("heading", name="Dank")).to_be_visible()
    phone.reload()
    phone.goto(f"{service.url}/basket")
    expect(phone.get_by_text("Noch nichts drin.")).to_be_visible()

    order = read_mail(service)
    phone.goto(service.url + order)
    expect(phone.get_by_text("Teekanne Polarlicht")).to_be_visible()

    cookies = {cookie["name"] for cookie in phone.context.cookies()}
    assert cookies == {"jay"}  # the CSRF token is in it
    assert found_in(" ".join([*visited, paid, service.gunicorn.log(), events(service)])) == []


def test_who_waits_for_the_payment_goes_on_waiting_behind_an_error_of_a_proxy(
    service: Service, screens: Screens
) -> None:
    ours = '<html data-service="jay-basket"><main{}>{}</main>'
    script = '<script src="/static/js/checkout.js"></script>'
    waits, paid = ours.format(' data-again="3"', "Noch nicht") + script, ours.format("", "Danke")
    answers = [(200, waits), (502, "<h1>Bad Gateway</h1>"), (200, "<main>Welcome</main>")]
    answers += [(200, waits), (200, paid), (200, paid)]
    asked: list[str] = []

    def answer(route: Route) -> None:
        status, body = answers[len(asked)]
        asked.append(route.request.resource_type)
        route.fulfill(status=status, content_type="text/html", body=body)

    phone = screens.phone(service)
    phone.clock.install()
    screens.allow_refusal(502)
    phone.route("**/checkout/return/*", answer)
    phone.goto(f"{service.url}/checkout/return/J-1")
    for number in range(2, 6):
        expect(phone.get_by_text("Noch nicht")).to_be_visible()
        for _ in range(PATIENCE_SECONDS):
            if len(asked) >= number:
                break
            phone.clock.run_for(1_000)

    expect(phone.get_by_text("Danke")).to_be_visible()
    assert asked == ["document", *["xhr"] * 4, "document"]


def read_mail(service: Service) -> str:
    """Have the mails sent to a mailbox, read the order's, and return where it leads to."""
    with post_office() as office:
        mailbox = f"smtp://{office.server.host}:{office.server.port}"
        environ = {**service.environ, "JAY_SMTP_URL": mailbox, "JAY_MAIL_FROM": "tv@jay.example"}
        flask_commands(environ, ("webhooks", "deliver"))
    (mail,) = [one for one in office.mails if one["To"] == ZOE["email"]]
    assert "Deine Bestellung" in mail["Subject"]
    for kind in ("plain", "html"):
        body = mail.get_body((kind,))
        assert body is not None
        said = body.get_content().replace("\xa0", " ")
        told = ("Teekanne Polarlicht", "blau", "2 ", "49,00 €", "4,90 €", "53,90 €", "Hafenlicht")
        assert [one for one in told if one not in said] == []
        assert "Große Straße 7a" in said
    texts = {one.get_filename(): one.get_content() for one in mail.iter_attachments()}
    shown = dict(zip(("terms", "withdrawal"), SHOWN, strict=True))
    for kind, text in shown.items():
        (name,) = [name for name in texts if name and f"-{kind}-de-" in name]
        assert texts[name].splitlines() == text.splitlines()
    plain = mail.get_body(("plain",))
    assert plain is not None
    found = re.search(r"https?://[^/\s]+(/orders/\S+)", plain.get_content())
    assert found
    return found[1]


def events(service: Service) -> str:
    """Return all that is written down of what has happened, and all that waits to be told."""
    path = urlsplit(service.database_url).path.removeprefix("/")
    connection = sqlite3.connect(f"/{path.lstrip('/')}")
    try:
        tables = ("events", "checkout_sessions", "idempotency_keys", "psp_notices", "outbox")
        rows = [connection.execute(f"SELECT * FROM {one}").fetchall() for one in tables]
    finally:
        connection.close()
    return repr(rows)


def found_in(text: str) -> list[str]:
    """Return what of the person a text holds."""
    assert re.search("checkout", text)
    return [each for each in PERSONAL if each in text]
