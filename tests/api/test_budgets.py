"""Budgets of whoever has many addresses, and what tells of a proxy that nobody trusts."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from flask import Flask

from jay.web import seldom
from jay.web.limits import SITE
from jay.web.seldom import FORWARDED
from tests.api.browser import Browser, csrf_of
from tests.api.test_pages_http import code_of
from tests.builders import Platform, User
from tests.clock import PATIENCE_SECONDS, MovedClock
from tests.conftest import Apps

WRONG = "WRNG WRNG"


def guess(app: Flask, address: str) -> int:
    return Browser(app, address=address).submit("/code", user_code=WRONG).status_code


def household(number: int, site: int = 1) -> str:
    return f"2001:db8:{site:x}:{number:x}::7"


# --- wrong short codes ---


def test_the_households_of_a_site_share_a_budget_of_wrong_codes(app: Flask) -> None:
    answers = [guess(app, household(number)) for number in range(5 * SITE + 3)]

    assert answers == [404] * (5 * SITE) + [429] * 3
    assert guess(app, household(0, site=2)) == 404


def test_one_household_does_not_use_up_its_site(app: Flask) -> None:
    answers = [guess(app, household(1)) for _ in range(5 * SITE)]

    assert Counter(answers) == {404: 5, 429: 5 * (SITE - 1)}
    assert guess(app, household(2)) == 404


def test_all_wrong_codes_together_have_a_budget(
    apps: Apps, database_url: str, alice: User, clock: MovedClock
) -> None:
    app = apps.on(database_url, wrong_codes=7)
    answers = [guess(app, f"203.0.113.{number}") for number in range(9)]

    assert answers == [404] * 7 + [429] * 2
    clock.move(60)
    phone = Browser(app, address="203.0.113.200")
    assert phone.submit("/code", user_code=code_of(alice.transfer())).status_code == 303


def test_right_codes_use_nothing_up(apps: Apps, database_url: str, alice: User) -> None:
    app = apps.on(database_url, wrong_codes=1)

    for number in range(5):
        phone = Browser(app, address=household(number))
        assert phone.submit("/code", user_code=code_of(alice.transfer())).status_code == 303

    assert guess(app, household(9)) == 404


def test_wrong_codes_from_many_addresses_at_once_are_no_more_than_the_budget(
    apps: Apps, database_url: str, alice: User
) -> None:
    app = apps.on(database_url, wrong_codes=4)
    phones = [Browser(app, address=f"203.0.113.{number}") for number in range(12)]
    tokens = [csrf_of(phone.get("/code")) for phone in phones]
    together = Barrier(len(phones))

    def guess_at_once(phone: Browser, csrf: str) -> int:
        together.wait(PATIENCE_SECONDS)
        return phone.post("/code", csrf=csrf, user_code=WRONG).status_code

    with ThreadPoolExecutor(len(phones)) as pool:
        answers = list(pool.map(guess_at_once, phones, tokens))

    assert Counter(answers) == {404: 4, 429: 8}


# --- new guests, new codes, passwords ---


def test_the_households_of_a_site_share_a_budget_of_new_guests(
    apps: Apps, database_url: str, platform: Platform
) -> None:
    client = apps.on(database_url, guests_per_address=1).test_client()
    headers = {"X-API-Key": platform.key}

    answers = [
        client.post(
            "/v2/baskets/guests",
            headers=headers,
            environ_base={"REMOTE_ADDR": household(number)},
        ).status_code
        for number in range(SITE + 1)
    ]

    assert answers == [200] * SITE + [429]


@pytest.mark.one_database
def test_the_households_of_a_site_share_a_budget_of_new_codes(
    apps: Apps, database_url: str, alice: User
) -> None:
    app = apps.on(database_url, transfers_per_user=1)

    answers = []
    for number in range(SITE + 1):
        tv = Browser(app, address=household(number))
        answers.append(tv.post(alice.transfer()["displayUrl"]).status_code)

    assert answers == [303] * SITE + [429]


def test_the_households_of_a_site_share_a_budget_of_passwords(app: Flask) -> None:
    def log_in(number: int) -> int:
        phone = Browser(app, address=household(number))
        return phone.submit("/login", name=f"nobody{number}", password="x" * 12).status_code

    answers = [log_in(number) for number in range(5 * SITE + 1)]

    assert answers == [403] * (5 * SITE) + [429]


# --- a proxy that is not trusted ---


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """What is warned of from now on."""
    lines: list[dict[str, object]] = []

    class Log:
        def warning(self, event: str, **values: object) -> None:
            lines.append({"event": event, **values})

    monkeypatch.setattr(seldom, "log", Log())
    return lines


@pytest.mark.one_database
@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded"])
def test_a_proxy_that_is_not_trusted_is_told_of_once_in_ten_minutes(
    apps: Apps, database_url: str, clock: MovedClock, warnings: list[dict[str, object]], header: str
) -> None:
    client = apps.on(database_url, f"behind a proxy with {header}").test_client()

    for _ in range(3):
        client.get("/code", headers={header: "for=203.0.113.9"})
    clock.move(599)
    client.get("/code", headers={header: "for=203.0.113.9"})
    assert [line["event"] for line in warnings] == [FORWARDED]
    clock.move(1)
    client.get("/code", headers={header: "for=203.0.113.9"})

    assert [line["event"] for line in warnings] == [FORWARDED] * 2
    assert "JAY_TRUSTED_PROXIES" in str(warnings[0]["mend"])
    assert "203.0.113" not in str(warnings)


@pytest.mark.one_database
def test_a_trusted_proxy_and_none_at_all_are_nothing_to_tell(
    apps: Apps, database_url: str, warnings: list[dict[str, object]]
) -> None:
    apps.on(database_url, "direct").test_client().get("/code")
    trusting = apps.on(database_url, trusted_proxies=1).test_client()
    trusting.get("/code", headers={"X-Forwarded-For": "203.0.113.9"})

    assert warnings == []


def test_of_many_threads_one_warns(clock: MovedClock) -> None:
    told = seldom.Seldom(clock)
    together = Barrier(16)

    def ask(_number: int) -> bool:
        together.wait(PATIENCE_SECONDS)
        return told.is_due("x")

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(ask, range(16))) == 1
