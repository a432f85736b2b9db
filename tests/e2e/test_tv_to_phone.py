"""The path from the TV to the phone and to a web shop, in real browsers."""

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from playwright.sync_api import Page, expect

from tests.e2e.actors import DEMO_BASKET_KEY, DEMO_SHOP_KEY, Merchant, TvApp, data, http_client
from tests.e2e.purchasing import TAKE, take_over
from tests.e2e.service import SECRET, Service
from tests.e2e.watched import (
    Screens,
    expect_same_pair,
    expect_state,
    press_until_focused,
    rows,
    scan,
)
from tests.e2e.web_shop import WebShop

HOODIE = "Kapuzenpullover Fuchsbau"
TEAPOT = "Teekanne Nordlicht"


def feed(service: Service, sku: str = "PATH") -> dict[str, str]:
    """Have a merchant send a hoodie in two sizes and a teapot; return the ids by S, M, TEAPOT."""
    merchant = Merchant(service, DEMO_SHOP_KEY)
    ids = merchant.post(
        f"{sku}-HOODIE",
        HOODIE,
        price=3990,
        stockCount=40,
        brand="Fuchsbau",
        shippingModel={"shippingFlatRate": 490},
        images=[{"url": f"{service.url}/static/demo/hoodie.svg", "copyrightText": "Jay Basket"}],
        variants=[
            {"sku": f"{sku}-S", "value": "S", "type": "size", "stockCount": 10},
            {"sku": f"{sku}-M", "value": "M", "type": "size", "stockCount": 10, "price": 4290},
        ],
    )
    ids |= merchant.post(
        f"{sku}-TEAPOT",
        TEAPOT,
        price=2450,
        stockCount=12,
        images=[{"url": f"{service.url}/static/demo/teapot.svg"}],
    )
    return {identifier.removeprefix(f"{sku}-"): ids[identifier] for identifier in ids}


def heading(page: Page) -> str:
    """Return the visible headline in one line."""
    return " ".join(page.locator("h1").inner_text().split())


def test_a_basket_goes_from_the_tv_to_the_phone_and_both_go_on_with_it(
    service: Service, screens: Screens
) -> None:
    # A merchant feeds two products, and corrects a price.
    ids = feed(service)
    update = {"lang": "de", "country": "DE", "products": [{"sku": "PATH-TEAPOT", "price": 2500}]}
    merchant = Merchant(service, DEMO_SHOP_KEY)
    assert data(merchant.call("PATCH", "/v1/shops/products", json=update))["updated"] == 1
    blocks = data(merchant.call("GET", "/v1/shops/products?lang=de&country=DE"))["blocks"]
    assert {"PATH-HOODIE", "PATH-TEAPOT"} <= {sku for block in blocks for sku in block["skus"]}

    # A TV app fills a basket.
    basket = TvApp(service, DEMO_BASKET_KEY).guest((ids["M"], 1))
    data(basket.product("POST", ids["S"], 2))
    data(basket.product("POST", ids["TEAPOT"]))
    data(basket.product("PATCH", ids["S"], 3))
    data(basket.product("DELETE", ids["TEAPOT"]))
    assert basket.cart() == {ids["M"]: 1, ids["S"]: 3}

    # The TV shows the code, and the phone reads it off the screen.
    offer = basket.transfer()
    tv, phone = screens.tv(service), screens.phone(service)
    tv.goto(offer["displayUrl"])
    expect_state(tv, "pending")
    assert heading(tv) == "Nimm deinen Warenkorb mit."
    expect(tv.locator(".brand")).to_contain_text("Kino Nord")
    expect(tv.locator(".typed strong")).to_have_text(offer["userCode"])
    code = tv.locator(".card.code").bounding_box()
    assert code is not None
    assert code["height"] >= 0.45 * 720
    scanned = scan(tv)
    assert scanned == offer["url"]

    # The phone shows what it would take over, and the TV that it is looked at.
    phone.goto(scanned)
    assert rows(phone, "name", "which", "price") == [
        (HOODIE, "M", "42,90 €"),
        (HOODIE, "S · 3 Stück", "119,70 €"),
    ]
    expect(phone.locator(".sum")).to_contain_text("162,60 €")
    expect_same_pair(tv, phone)
    expect_state(tv, "opened")
    assert heading(tv) == "Schau jetzt auf dein Handy."

    # The button takes it over, and the TV says so within two seconds.
    phone.get_by_role("button", name=TAKE).tap()
    expect_state(tv, "claimed")
    assert heading(tv) == "Dein Handy hat ihn."
    expect(tv.locator(".card.done")).to_be_visible()
    expect(phone).to_have_url(f"{service.url}/basket")
    assert rows(phone, "name", "which", "price", "count") == [
        (HOODIE, "M", "42,90 €", "1"),
        (HOODIE, "S", "119,70 € je 39,90 €", "3"),
    ]
    expect(phone.locator(".totals .all dd")).to_have_text("167,50 €")
    pictures = phone.locator(".line .pic img")
    expect(pictures).to_have_count(2)
    expect(pictures.first).to_have_js_property("complete", True)
    assert pictures.first.evaluate("image => image.naturalWidth") > 0

    # What the phone changes, the TV sees; and the other way round.
    phone.get_by_role("button", name=f"Eins mehr: {HOODIE}").first.tap()
    expect(phone.locator("input[name=count]").first).to_have_value("2")
    expect(phone.locator(".totals .all dd")).to_have_text("210,40 €")
    assert basket.cart() == {ids["M"]: 2, ids["S"]: 3}

    data(basket.product("POST", ids["S"], 1))
    data(basket.product("POST", ids["TEAPOT"], 1))
    phone.reload()
    assert rows(phone, "name", "price", "count") == [
        (HOODIE, "85,80 € je 42,90 €", "2"),
        (HOODIE, "39,90 €", "1"),
        (TEAPOT, "25,00 €", "1"),
    ]


def test_the_code_leads_to_a_web_shop_whose_server_redeems_it(
    service: Service, screens: Screens
) -> None:
    ids = feed(service, "SHOP")
    with WebShop() as shop:
        shop.app = TvApp(
            service, service.add_partner("kanal-neun", "--transfer-origin", shop.url), http_client()
        )
        screens.allow_host(shop.url)
        basket = shop.app.guest((ids["S"], 1), (ids["TEAPOT"], 2))
        offer = basket.transfer(url=f"{shop.url}/warenkorb?kampagne=7#oben")
        tv, phone = screens.tv(service), screens.phone(service)
        tv.goto(offer["displayUrl"])

        scanned = scan(tv)
        assert scanned == offer["url"]
        parts = urlsplit(scanned)
        assert (parts.path, parts.fragment) == ("/warenkorb", "oben")
        assert parse_qs(parts.query) == {
            "kampagne": ["7"],
            "jaySource": ["kanal-neun"],
            "jayToken": [offer["jayToken"]],
        }

        phone.goto(scanned)
        expect(phone.get_by_role("listitem")).to_have_text([f"1x {HOODIE}", f"2x {TEAPOT}"])
        expect_state(tv, "claimed")
        # The shop's credentials and the TV's open the same basket.
        assert shop.basket is not None
        data(shop.basket.product("PATCH", ids["TEAPOT"], 5))
        assert basket.cart() == {ids["S"]: 1, ids["TEAPOT"]: 5}
        assert shop.basket.user_id != basket.user_id


def test_after_a_minute_the_tv_offers_a_new_code_and_the_old_one_is_refused(
    moved_service: Service, screens: Screens
) -> None:
    basket = TvApp(moved_service, DEMO_BASKET_KEY).guest((feed(moved_service)["TEAPOT"], 1))
    offer = basket.transfer()
    tv, phone = screens.tv(moved_service), screens.phone(moved_service)
    tv.goto(offer["displayUrl"])
    old = scan(tv)

    moved_service.move_clock(60)
    expect_state(tv, "expired")
    assert heading(tv) == "Die Minute ist um."
    expect(tv.get_by_role("button", name="Neuer Code")).to_be_focused()

    tv.keyboard.press("Enter")
    expect_state(tv, "pending")
    new = scan(tv)
    assert new != old
    expect(tv).not_to_have_url(offer["displayUrl"])

    screens.allow_refusal(410)
    refused = phone.goto(old)
    assert refused is not None
    assert refused.status == 410
    assert heading(phone) == "Die Zeit ist um"
    expect(phone.get_by_role("button", name=TAKE)).to_have_count(0)

    phone.goto(new)
    take_over(phone)
    assert rows(phone, "name", "count") == [(TEAPOT, "1")]
    expect_state(tv, "claimed")


def test_the_short_code_leads_to_the_claim_page_and_the_basket(
    service: Service, screens: Screens
) -> None:
    basket = TvApp(service, DEMO_BASKET_KEY).guest((feed(service)["S"], 2))
    offer = basket.transfer()
    tv, phone = screens.tv(service), screens.phone(service)
    tv.goto(offer["displayUrl"])
    expect(tv.locator(".typed .address")).to_contain_text(urlsplit(service.url).netloc + "/code")
    typed = tv.locator(".typed strong").inner_text()

    phone.goto(f"{service.url}/code")
    field = phone.get_by_label("Code", exact=True)
    screens.allow_refusal(404)
    field.fill("2222 2222")
    expect(phone.get_by_role("alert")).to_contain_text("Dieser Code gilt nicht (mehr).")

    # As people type it: in lower case, and with whatever stands between the groups. It goes off
    # with its eighth character.
    field.fill(typed.lower().replace(" ", "-"))
    expect(phone).to_have_url(re.compile(r"/t/"))
    expect_same_pair(tv, phone)
    take_over(phone)
    assert rows(phone, "name", "which", "count") == [(HOODIE, "S", "2")]
    expect_state(tv, "claimed")


def test_a_link_preview_never_claims(service: Service, screens: Screens) -> None:
    offer = TvApp(service, DEMO_BASKET_KEY).guest((feed(service)["S"], 1)).transfer()
    bot = http_client()

    for method in ("GET", "HEAD", "GET", "HEAD"):
        seen = bot.request(method, offer["url"])
        assert seen.status == 200
        assert seen.headers["Cache-Control"] == "no-store"
        assert seen.headers["Referrer-Policy"] == "no-referrer"
    # Without the page's cookie and form token, not even a POST claims.
    assert bot.request("POST", offer["url"], fields={"csrf": ""}).status == 403
    assert data(bot.request("GET", offer["statusUrl"]))["state"] == "pending"

    phone = screens.phone(service)
    phone.goto(offer["url"])
    take_over(phone)
    assert data(bot.request("GET", offer["statusUrl"]))["state"] == "claimed"


def test_at_the_kiosk_the_remote_control_is_enough_and_nothing_stays_for_the_next_person(
    service: Service, screens: Screens
) -> None:
    tv, phone = screens.tv(service), screens.phone(service)
    tv.goto(f"{service.url}/kiosk")
    expect(tv).to_have_url(f"{service.url}/kiosk/demo")
    names = [name.strip() for name in tv.locator(".tile .name").all_inner_texts()[:2]]

    # Two products, by arrow keys and OK; the first one comes in sizes.
    expect(tv.locator(".tile").nth(0)).to_be_focused()
    tv.keyboard.press("Enter")
    expect(tv.locator(".choice")).to_have_count(3)
    expect(tv.locator(".choice").nth(0)).to_be_focused()
    tv.keyboard.press("ArrowRight")
    tv.keyboard.press("Enter")
    expect(tv.locator(".mini")).to_have_count(1)
    expect(tv.locator(".tile").nth(0)).to_be_focused()
    tv.keyboard.press("ArrowRight")
    expect(tv.locator(".tile").nth(1)).to_be_focused()
    tv.keyboard.press("Enter")
    expect(tv.locator(".mini")).to_have_count(2)
    press_until_focused(tv, "ArrowDown", tv.get_by_role("button", name="Code zeigen"))
    tv.keyboard.press("Enter")
    expect(tv).to_have_url(re.compile(r"/tv/"))
    code_page = tv.url

    phone.goto(scan(tv))
    expect_same_pair(tv, phone)
    take_over(phone)
    assert rows(phone, "name", "count") == [(name, "1") for name in names]
    assert rows(phone, "which")[0] == ("M",)

    # Thank you, and from the start.
    expect_state(tv, "claimed")
    again = tv.get_by_role("button", name="Neu anfangen")
    expect(again).to_be_focused()
    tv.keyboard.press("Enter")
    expect(tv).to_have_url(f"{service.url}/kiosk/demo")
    expect(tv.locator(".mini")).to_have_count(0)
    expect(tv.locator(".tile .count")).to_have_count(0)
    expect(tv.get_by_role("button", name="Code zeigen")).to_be_disabled()
    assert tv.evaluate("localStorage.length + sessionStorage.length") == 0
    for cookie in tv.context.cookies():
        assert session_in(cookie["value"]).keys() <= {"csrf", "_permanent"}
    # "Back" leads to no page of the last person.
    tv.go_back()
    assert tv.url != code_page
    expect(tv.locator(".mini, .goods")).to_have_count(0)


def session_in(cookie: str) -> dict[str, Any]:
    """Read what the service keeps in a browser."""
    app = Flask("reader")
    app.secret_key = SECRET
    serializer = SecureCookieSessionInterface().get_signing_serializer(app)
    assert serializer is not None
    content: dict[str, Any] = serializer.loads(cookie)
    return content


def test_everything_works_without_javascript(moved_service: Service, screens: Screens) -> None:
    basket = TvApp(moved_service, DEMO_BASKET_KEY).guest((feed(moved_service)["S"], 1))
    tv = screens.tv(moved_service, java_script_enabled=False)
    phone = screens.phone(moved_service, java_script_enabled=False)
    tv.goto(basket.transfer()["displayUrl"])

    # The TV page finds out for itself that the minute is up.
    moved_service.move_clock(60)
    expect_state(tv, "expired")
    expect(tv.get_by_role("button", name="Neuer Code")).to_be_focused()
    tv.keyboard.press("Enter")
    expect_state(tv, "pending")

    phone.goto(scan(tv))
    expect_same_pair(tv, phone)
    take_over(phone)
    expect_state(tv, "claimed")
    assert heading(tv) == "Dein Handy hat ihn."

    assert rows(phone, "name", "count") == [(HOODIE, "1")]
    phone.locator("input[name=count]").fill("4")
    phone.get_by_role("button", name="Ändern").click()
    expect(phone.locator(".line .price").first).to_contain_text("159,60 €")
    assert list(basket.cart().values()) == [4]
    phone.get_by_role("button", name="Eins weniger").click()
    expect(phone.locator("input[name=count]")).to_have_value("3")
    phone.get_by_role("button", name="Merken").click()
    expect(phone.get_by_role("heading", name="Gemerkt")).to_be_visible()
    assert basket.cart() == {}
