"""The doors of all pages: generated from the URL map, so that a new page can't forget one."""

import re

import pytest
from flask import Flask
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from jay.errors import FormOutdated
from jay.web.pages import SAFE_METHODS, PageBlueprint
from jay.web.versions import api_of_path
from tests.api.browser import Browser
from tests.api.checks import dump
from tests.builders import Platform, Shop, User
from tests.conftest import Apps

pytestmark = pytest.mark.one_database

WITHOUT_TOKEN = {"tv.renew", "psp.hear", "sandbox.pay", "order.cancel", "withdrawal.declare"}
"""Pages that take forms without a token: knowing the address is the permission there, and anybody
may declare a withdrawal."""

FOR_EVERYBODY = {
    "basket_pages": "a credential in the session says which basket",
    "held_pages": "as above",
    "checkout_pages": "as above",
    "product_pages": "as above",
    "kiosk": "a public screen",
    "psp": "a provider signs what it tells, a returning shopper brings an order number",
    "sandbox": "the token in the address says which payment",
    "legal": "who answers for the service, and how, is for everybody to read",
    "guarantee": "an official notice, for everybody to see",
    "sellers": "and so is who sells, and under which terms",
    "order": "the token in the address says which order",
    "withdrawal": "the law wants it to be there for everybody, at any time",
    "login": "leads in",
    "transfer_pages": "the token in the address says which transfer",
    "tv": "the token in the address says which screen",
}
"""Pages without a login, and why. Whoever adds one here has thought about it."""

FILES = {"static", "partner_pages", "pictures", "health", "auth", "docs"}
"""Blueprints that show no page of a person: files, and what is the same for everybody."""


def pages_of(app: Flask) -> list[Rule]:
    return [rule for rule in app.url_map.iter_rules() if api_of_path(rule.rule) is None]


def address(rule: Rule, offer: dict[str, str]) -> str:
    """Return an address of a rule."""
    known = {
        "token": offer["jayToken"],
        "display_token": offer["displayUrl"].rsplit("/", 1)[1],
        "name": "kino",
        "kind": "terms",
    }
    values = {name: known.get(name, "some-thing") for name in rule.arguments}
    with_values = rule.rule
    for name, value in values.items():
        with_values = re.sub(rf"<(?:[^<>]*:)?{name}>", value, with_values)
    assert "<" not in with_values
    return with_values


def changing(app: Flask) -> list[tuple[str, Rule]]:
    return [
        (method, rule)
        for rule in pages_of(app)
        for method in sorted((rule.methods or set()) - SAFE_METHODS)
    ]


@pytest.fixture
def offer(platform: Platform, alice: User, shop: Shop) -> dict[str, str]:
    alice.put(shop.product("mug"), 2)
    started: dict[str, str] = alice.transfer()
    return started


def send(browser: Browser, method: str, path: str, **more: object) -> TestResponse:
    return browser._client.open(path, method=method, **more)  # type: ignore[arg-type]


def test_every_page_stands_behind_a_blueprint_that_says_who_may_enter(app: Flask) -> None:
    names = {rule.endpoint.partition(".")[0] for rule in pages_of(app)}
    doors = {name for name in names if isinstance(app.blueprints.get(name), PageBlueprint)}

    assert names - doors - FILES == set()
    public = {name for name in doors if not app.blueprints[name].guards}  # type: ignore[attr-defined]
    assert public == set(FOR_EVERYBODY)
    assert {rule.endpoint for _, rule in changing(app) if not _protected(app, rule)} == (
        WITHOUT_TOKEN
    )


def _protected(app: Flask, rule: Rule) -> bool:
    blueprint = app.blueprints.get(rule.endpoint.partition(".")[0])
    return isinstance(blueprint, PageBlueprint) and blueprint.csrf


def test_every_page_that_changes_something_refuses_without_the_token(
    app: Flask, offer: dict[str, str]
) -> None:
    ways = [(method, rule) for method, rule in changing(app) if rule.endpoint not in WITHOUT_TOKEN]
    assert len(ways) > 8
    for method, rule in ways:
        guarded = app.blueprints[rule.endpoint.partition(".")[0]].guards  # type: ignore[attr-defined]
        browser, path = Browser(app), address(rule, offer)
        browser.get("/code")  # it has a session, and so a cookie
        before = dump(app)
        for form in ({}, {"csrf": ""}, {"csrf": "guessed"}, {"csrf": "ü"}):
            answer = send(browser, method, path, data=form)
            if guarded:
                assert answer.headers["Location"].startswith("/login"), path
            else:
                assert answer.status_code == FormOutdated.status, (method, path, answer.status)
        assert dump(app) == before, path


def test_another_site_can_not_use_that_a_browser_keeps_no_cookies(
    app: Flask, offer: dict[str, str]
) -> None:
    for method, rule in changing(app):
        if rule.endpoint in WITHOUT_TOKEN:
            continue
        for site in ("cross-site", "same-site", "none", ""):
            before = dump(app)
            headers = {"Sec-Fetch-Site": site} if site else {}
            answer = send(Browser(app), method, address(rule, offer), headers=headers)
            assert answer.status_code in {303, FormOutdated.status}, (rule.rule, site)
            assert answer.status_code != 303 or "/login" in answer.headers["Location"]
            assert dump(app) == before


def test_every_page_behind_a_login_leads_to_it(app: Flask, offer: dict[str, str]) -> None:
    guarded = [
        rule
        for rule in pages_of(app)
        if getattr(app.blueprints.get(rule.endpoint.partition(".")[0]), "guards", ())
    ]
    assert guarded
    for rule in guarded:
        for method in sorted((rule.methods or set()) - {"OPTIONS", "HEAD"}):
            answer = send(Browser(app), method, address(rule, offer))
            assert answer.status_code == 303, rule.rule
            target = answer.headers["Location"]
            assert target.startswith("/login")
            assert ("next=" in target) == (method in SAFE_METHODS)


@pytest.fixture
def secure_app(app: Flask, apps: Apps, database_url: str) -> Flask:
    return apps.on(database_url, public_url="https://basket.example")


HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Strict-Transport-Security": "max-age=31536000",
}


def test_every_page_has_the_security_headers(
    app: Flask, secure_app: Flask, offer: dict[str, str]
) -> None:
    asked = 0
    for rule in pages_of(app):
        for method in sorted((rule.methods or set()) - {"OPTIONS", "HEAD"}):
            path = address(rule, offer)
            answer = send(Browser(secure_app), method, path)
            asked += 1
            for name, value in HEADERS.items():
                assert answer.headers.get(name) == value, (path, name)
            policy = answer.headers["Content-Security-Policy"]
            assert policy.startswith("default-src 'none'"), path
            assert "frame-ancestors" in policy
            shown_to_all = rule.endpoint.partition(".")[0] in FILES
            if not shown_to_all or 300 <= answer.status_code < 400:
                assert answer.headers["Cache-Control"] == "no-store", path
    assert asked > 25


def test_nothing_at_all_has_them_too(secure_app: Flask) -> None:
    for path in ("/nothing", "/docs/nothing", "/static/nothing.js"):
        answer = Browser(secure_app).get(path)

        assert answer.status_code == 404
        for name, value in HEADERS.items():
            assert answer.headers.get(name) == value, (path, name)


def test_without_https_nothing_is_said_about_it(app: Flask) -> None:
    assert "Strict-Transport-Security" not in Browser(app).get("/code").headers
