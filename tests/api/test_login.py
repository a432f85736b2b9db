"""``/login`` and ``/logout``: how operators prove who they are."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from jay import db
from jay.operators import models as operator_models
from jay.operators import service as operators
from tests.api.browser import Browser, csrf_of, problems_of, text_of
from tests.api.checks import Log, dump, rows
from tests.builders import OPERATOR_PASSWORD, Shop, User, add_operator
from tests.clock import NOON, MovedClock

HOURS = 3600
WRONG = "Name or password is wrong."
OTHER_PASSWORD = "a quite different password"


@pytest.fixture
def desk(app: Flask) -> Browser:
    """The browser of somebody with an account."""
    add_operator(app)
    return Browser(app)


def log_in(
    browser: Browser, name: str = "olga", password: str = OPERATOR_PASSWORD, **form: str
) -> TestResponse:
    return browser.submit("/login", name=name, password=password, **form)


def sees_catalogue(browser: Browser) -> bool:
    response = browser.get("/catalogue")
    assert response.status_code in {200, 303}
    return response.status_code == 200


def with_operators(app: Flask, work: Callable[..., Any], *arguments: Any, **more: Any) -> Any:
    """Do something with accounts, as a command does."""
    with app.app_context(), db.transaction() as connection:
        return work(connection, *arguments, **more)


# --- the page ---


@pytest.mark.parametrize(("language", "title"), [("en", "Log in"), ("de", "Anmelden")])
def test_the_page_asks_for_name_and_password(language: str, title: str, app: Flask) -> None:
    page = Browser(app, language=language).get("/login")

    assert page.status_code == 200
    assert title in text_of(page)
    assert problems_of(page) == []
    html = page.get_data(as_text=True)
    assert 'type="password"' in html
    assert 'autocomplete="current-password"' in html


def test_pages_of_the_login_are_kept_by_nobody(desk: Browser) -> None:
    for response in (desk.get("/login"), log_in(desk, password="wrong"), desk.post("/login")):
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")


# --- right and wrong ---


def test_the_right_password_opens_the_catalogue(desk: Browser) -> None:
    assert not sees_catalogue(desk)

    response = log_in(desk)

    assert (response.status_code, response.headers["Location"]) == (303, "/catalogue")
    assert sees_catalogue(desk)
    assert "olga" in text_of(desk.get("/catalogue"))


def test_a_name_is_typed_in_any_case_and_with_spaces_around_it(desk: Browser) -> None:
    assert log_in(desk, name=" Olga ").status_code == 303


def test_the_same_letter_typed_on_another_keyboard_is_the_same(app: Flask) -> None:
    with app.app_context(), db.transaction() as connection:
        hashed = operator_models.hash_password("gru\u0308ne Kürbisse")
        operators.add(connection, "olga", hashed, merchant=None, now=NOON)

    assert log_in(Browser(app), password="gr\u00fcne Kürbisse").status_code == 303


def test_an_unknown_name_and_a_wrong_password_get_the_same_answer(desk: Browser) -> None:
    answers = [log_in(desk, password="wrong"), log_in(desk, name="otto", password="wrong")]

    assert [answer.status_code for answer in answers] == [403, 403]
    said = [
        answer.get_data(as_text=True).replace('value="otto"', 'value="olga"') for answer in answers
    ]
    assert said[0] == said[1]
    assert WRONG in said[0]
    assert not sees_catalogue(desk)


@pytest.mark.usefixtures("real_passwords")
def test_an_unknown_name_takes_as_long_as_a_wrong_password(
    desk: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked = []

    def check(stored: str, password: str) -> bool:
        method, salt, digest = stored.split("$")
        checked.append((method, len(salt), len(digest)))
        return False

    monkeypatch.setattr(operator_models, "check_password_hash", check)
    log_in(desk, password="wrong")
    log_in(desk, name="otto", password="wrong")

    assert checked == [("scrypt:32768:8:3", 16, 128)] * 2


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("", ""),
        ("olga", ""),
        ("", OPERATOR_PASSWORD),
        ("olga\0", OPERATOR_PASSWORD),
        ("o" * 10_000, OPERATOR_PASSWORD),
        ("olga", OPERATOR_PASSWORD + "\0"),
        ("olga", OPERATOR_PASSWORD.upper()),
        ("olga", "x" * 10_000),
        ("olga' OR 1=1 --", "x"),
        ("\U0001f600", "\U0001f600"),
    ],
)
def test_nothing_else_opens_it(name: str, password: str, desk: Browser) -> None:
    response = log_in(desk, name=name, password=password)

    assert response.status_code == 403
    assert WRONG in text_of(response)
    assert not sees_catalogue(desk)


@pytest.mark.parametrize("csrf", [None, "", "wrong", "ü"])
def test_a_form_of_another_session_does_nothing(csrf: str | None, desk: Browser) -> None:
    desk.get("/login")

    response = desk.post("/login", csrf=csrf, name="olga", password=OPERATOR_PASSWORD)

    assert response.status_code == 403
    assert "Please try again" in text_of(response)
    assert not sees_catalogue(desk)


def test_who_is_logged_in_is_not_asked_again(desk: Browser) -> None:
    log_in(desk)

    assert desk.get("/login").headers["Location"] == "/catalogue"


# --- the limit ---


def test_after_five_wrong_tries_even_the_right_password_waits_a_minute(
    app: Flask, clock: MovedClock
) -> None:
    add_operator(app)
    browsers = [Browser(app, address=f"192.0.2.{n}") for n in range(6)]
    answers = [log_in(browser, password="wrong") for browser in browsers[:5]]

    refused = log_in(browsers[5])

    assert [answer.status_code for answer in answers] == [403] * 5
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "60")
    assert "Please wait a minute." in text_of(refused)
    clock.move(60)
    assert log_in(browsers[5]).status_code == 303


def test_an_address_has_five_wrong_tries_for_all_accounts_together(app: Flask) -> None:
    add_operator(app)
    browser = Browser(app)
    for number in range(5):
        assert log_in(browser, name=f"nobody-{number}", password="wrong").status_code == 403

    assert log_in(browser).status_code == 429
    assert log_in(Browser(app, address="192.0.2.1")).status_code == 303


def test_unknown_names_are_limited_as_accounts_are(app: Flask) -> None:
    answers = [
        log_in(Browser(app, address=f"192.0.2.{n}"), name="nobody").status_code for n in range(6)
    ]

    assert answers == [403] * 5 + [429]


def test_the_right_password_is_not_counted(app: Flask) -> None:
    add_operator(app)

    assert [log_in(Browser(app)).status_code for _ in range(7)] == [303] * 7


def test_twenty_tries_at_once_are_no_more_than_five(app: Flask) -> None:
    add_operator(app)
    browsers = [Browser(app) for _ in range(20)]
    forms = [csrf_of(browser.get("/login")) for browser in browsers]
    together = Barrier(len(browsers))

    def attempt(number: int) -> int:
        together.wait()
        answer = browsers[number].post(
            "/login", csrf=forms[number], name="olga", password="not the password"
        )
        return answer.status_code

    with ThreadPoolExecutor(len(browsers)) as pool:
        statuses = sorted(pool.map(attempt, range(len(browsers))))

    assert statuses == [403] * 5 + [429] * 15


def exhaust(app: Flask, name: str = "olga") -> None:
    """Try a name until nobody may go on, from other addresses."""
    strangers = [Browser(app, address=f"192.0.2.{n}") for n in range(6)]
    answers = [log_in(stranger, name, "wrong").status_code for stranger in strangers]
    assert answers == [403] * 5 + [429]


def test_strangers_lock_nobody_out_of_a_browser_that_was_logged_in_before(
    desk: Browser, app: Flask
) -> None:
    log_in(desk)
    desk.submit("/catalogue", to="/logout")
    exhaust(app)

    assert log_in(desk).status_code == 303
    assert log_in(Browser(app, address="192.0.2.99")).status_code == 429


def test_a_browser_that_was_logged_in_before_has_five_wrong_tries_too(
    desk: Browser, app: Flask, clock: MovedClock
) -> None:
    log_in(desk)
    desk.submit("/catalogue", to="/logout")
    thieves = [copy_of(desk, app) for _ in range(6)]

    answers = [log_in(thief, password="wrong").status_code for thief in thieves]

    assert answers == [403] * 5 + [429]
    assert log_in(desk).status_code == 429
    clock.move(60)
    assert log_in(desk).status_code == 303


def test_a_browser_is_known_for_the_account_it_was_logged_in_with_alone(
    desk: Browser, app: Flask
) -> None:
    add_operator(app, "otto")
    log_in(desk)
    desk.submit("/catalogue", to="/logout")
    exhaust(app, "otto")

    assert log_in(desk, name="otto").status_code == 429
    # The beginning of a name is not the name.
    exhaust(app, "olg")
    assert log_in(desk, name="olg").status_code == 429


def test_a_cookie_of_ones_own_making_is_not_known(desk: Browser, app: Flask) -> None:
    exhaust(app)
    desk._client.set_cookie("jay", "eyJrbm93biI6Im9sZ2EveCJ9.aaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbbb")

    assert log_in(desk).status_code == 429


# --- how long it lasts ---


def test_a_session_ends_after_twelve_hours(desk: Browser, clock: MovedClock) -> None:
    log_in(desk)

    clock.move(12 * HOURS - 1)
    assert sees_catalogue(desk)
    clock.move(1)
    assert not sees_catalogue(desk)


def copy_of(browser: Browser, app: Flask) -> Browser:
    """Return the browser of somebody who has a copy of all cookies."""
    thief = Browser(app)
    cookie = browser._client.get_cookie("jay")
    assert cookie is not None
    thief._client.set_cookie("jay", cookie.value)
    return thief


def test_a_logout_ends_the_session_for_every_copy_of_the_cookie(desk: Browser, app: Flask) -> None:
    log_in(desk)
    thief = copy_of(desk, app)
    assert sees_catalogue(thief)

    response = desk.submit("/catalogue", to="/logout")

    assert (response.status_code, response.headers["Location"]) == (303, "/login")
    assert not sees_catalogue(desk)
    assert not sees_catalogue(thief)
    assert rows(app, "operator_sessions") == 0


def test_a_logout_needs_the_pages_own_form(desk: Browser) -> None:
    log_in(desk)

    assert desk.post("/logout").status_code == 403
    assert desk.get("/logout").status_code == 405

    assert sees_catalogue(desk)


def test_other_browsers_stay_logged_in(desk: Browser, app: Flask) -> None:
    other = Browser(app)
    log_in(desk)
    log_in(other)

    desk.submit("/catalogue", to="/logout")

    assert sees_catalogue(other)


def test_removing_an_account_ends_its_sessions(desk: Browser, app: Flask) -> None:
    log_in(desk)

    assert with_operators(app, operators.remove, "olga")

    assert not sees_catalogue(desk)
    assert log_in(desk).status_code == 403
    assert rows(app, "operator_sessions") == 0


def test_another_password_ends_the_sessions_of_its_account_alone(desk: Browser, app: Flask) -> None:
    add_operator(app, "otto")
    other = Browser(app)
    log_in(desk)
    log_in(other, name="otto")

    hashed = operator_models.hash_password(OTHER_PASSWORD)
    assert with_operators(app, operators.change_password, "olga", hashed, now=NOON)

    assert not sees_catalogue(desk)
    assert sees_catalogue(other)
    assert log_in(desk).status_code == 403
    assert log_in(desk, password=OTHER_PASSWORD).status_code == 303


def test_a_password_that_is_changed_during_a_login_opens_nothing(
    desk: Browser, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed, check = (
        operator_models.hash_password(OTHER_PASSWORD),
        operator_models.check_password_hash,
    )

    def slowly(stored: str, password: str) -> bool:
        with_operators(app, operators.change_password, "olga", hashed, now=NOON)
        return check(stored, password)

    monkeypatch.setattr(operator_models, "check_password_hash", slowly)

    assert log_in(desk).status_code == 403
    assert not sees_catalogue(desk)


# --- one cookie for everything ---


def test_what_was_known_of_the_session_before_is_worth_nothing_after(
    desk: Browser, app: Flask
) -> None:
    csrf = csrf_of(desk.get("/login"))
    planted = copy_of(desk, app)

    log_in(desk)

    assert not sees_catalogue(planted)
    assert desk.post("/logout", csrf=csrf).status_code == 403
    assert sees_catalogue(desk)


def test_logging_in_again_ends_the_session_before(desk: Browser, app: Flask) -> None:
    form = csrf_of(desk.get("/login"))
    desk.post("/login", csrf=form, name="olga", password=OPERATOR_PASSWORD)
    before = copy_of(desk, app)
    form = csrf_of(desk.get("/catalogue"))

    desk.post("/login", csrf=form, name="olga", password=OPERATOR_PASSWORD)

    assert sees_catalogue(desk)
    assert not sees_catalogue(before)


def test_the_basket_on_the_same_phone_stays(desk: Browser, alice: User, shop: Shop) -> None:
    alice.put(shop.product("mug", name="Blue Mug"), 2)
    desk.take(alice.transfer())

    log_in(desk)
    assert "Blue Mug" in text_of(desk.get("/basket"))
    desk.submit("/catalogue", to="/logout")

    assert "Blue Mug" in text_of(desk.get("/basket"))


# --- and back again ---


@pytest.mark.parametrize(
    "page",
    [
        "/catalogue?q=tea%20pot&state=sold-out",
        "/catalogue/mugshop/de-DE/a%2Fb%3Fc%23%25%20%C3%BC",
    ],
)
def test_the_login_leads_back_to_where_one_was(page: str, desk: Browser) -> None:
    asked = desk.get(page).headers["Location"]
    assert asked.startswith("/login?next=")
    target = re.search(r'name="next" value="([^"]+)"', desk.get(asked).get_data(as_text=True))
    assert target is not None

    response = log_in(desk, next=target[1].replace("&amp;", "&"))

    # A slash of an id is one in the address, too.
    assert response.headers["Location"] == page.replace("a%2Fb", "a/b")


@pytest.mark.one_database
@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/",
        "///evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        " //evil.example",
        "javascript:alert(1)",
        "catalogue",
        "/catalogue\r\nSet-Cookie: a=b",
        "/" + "a" * 3000,
        "",
    ],
)
def test_the_login_leads_nowhere_else(target: str, desk: Browser) -> None:
    assert log_in(desk, next=target).headers["Location"] == "/catalogue"


# --- secrets ---


def test_neither_password_nor_session_are_stored_as_they_are(desk: Browser, app: Flask) -> None:
    log_in(desk)
    cookie = desk._client.get_cookie("jay")
    assert cookie is not None
    serializer = app.session_interface.get_signing_serializer(app)
    assert serializer is not None
    token = serializer.loads(cookie.value)["operator"]

    stored = dump(app)

    assert OPERATOR_PASSWORD not in stored
    assert token not in stored
    assert len(token) >= 43


def test_nothing_of_a_login_is_in_the_log(
    twin: Flask, app: Flask, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_operator(app)
    browser = Browser(twin)
    log_in(browser, name="olga", password="a wrong password")
    log_in(browser)
    monkeypatch.setattr(operators, "account", lambda *_args: 1 / 0)
    assert log_in(Browser(twin)).status_code == 500

    written = repr(log.lines())

    assert "ZeroDivisionError" in written
    for secret in (OPERATOR_PASSWORD, "a wrong password", "olga"):
        assert secret not in written
