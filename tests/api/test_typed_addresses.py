"""Addresses are typed off a screen: in any case, with a slash or a full stop, in full width."""

import pytest
from flask import Flask

from jay import make_ready
from jay.errors import AuthError, JayError, RequestError, all_errors
from jay.ops.mends import mend_of
from tests.api.browser import Browser, text_of
from tests.builders import User
from tests.conftest import Apps


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("/Code", "/code"),
        ("/CODE", "/code"),
        ("/code/", "/code"),
        ("/Code/", "/code"),
        ("/code.", "/code"),
        ("/code)", "/code"),
        ("/%E2%80%8Bcode%EF%BB%BF", "/code"),
        ("/%20code", "/code"),
        ("/ｃｏｄｅ", "/code"),  # noqa: RUF001
        ("/BASKET", "/basket"),
        ("/Kiosk/", "/kiosk"),
        ("/DOCS", "/docs"),
        ("/Code?lang=de", "/code?lang=de"),
    ],
)
def test_what_was_meant_is_found(typed: str, meant: str, app: Flask) -> None:
    answer = Browser(app).get(typed)

    assert (answer.status_code, answer.headers["Location"]) == (302, meant)


@pytest.mark.parametrize("typed", ["/nowhere", "/Nowhere/", "/codes", "/a//b/Code", "/x/y"])
def test_what_is_nowhere_stays_so(typed: str, app: Flask) -> None:
    assert Browser(app).get(typed).status_code == 404


def test_a_token_keeps_its_case(app: Flask, alice: User) -> None:
    path = alice.transfer()["url"].removeprefix("http://localhost")

    assert Browser(app).get(path.replace("/t/", "/T/") + "/").headers["Location"] == path
    assert Browser(app).get(path.swapcase().replace("/T/", "/t/")).status_code == 404


def test_the_first_page_is_for_people_and_leads_to_the_api(app: Flask) -> None:
    page = Browser(app).get("/")

    assert "Enter the code from the TV" in text_of(page)
    assert 'action="/code"' in page.get_data(as_text=True)
    assert 'href="/docs"' in page.get_data(as_text=True)


def test_an_errors_answer_names_the_page_that_explains_it(app: Flask, alice: User) -> None:
    answer = alice.put("unknown")

    assert answer.headers["Link"] == '</docs/errors#2001>; rel="help"'
    assert 'id="2001"' in Browser(app).get("/docs/errors").get_data(as_text=True)


@pytest.mark.parametrize("error", [*all_errors()], ids=lambda error: error.__name__)
def test_every_error_says_what_to_do(error: type[JayError]) -> None:
    assert mend_of(error).endswith(".")
    # What is said of a whole family helps nobody.
    assert mend_of(error) not in {mend_of(AuthError), mend_of(RequestError), mend_of(JayError)}


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("host", "step", "warned"),
    [
        ("jay.example", "", False),
        ("jay.kanal9-tv.example", " wide", False),
        ("jay.mediathek.kanal9-tv.com", " long", True),
        ("jay.mediathek.kanal9-tv.info", " longer", True),
    ],
)
def test_a_long_address_is_written_smaller_and_warned_of_at_the_start(
    host: str,
    step: str,
    *,
    warned: bool,
    alice: User,
    apps: Apps,
    database_url: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    there = apps.on(database_url, public_url=f"https://{host}")
    screen = alice.transfer()["displayUrl"]

    make_ready(there)

    assert ("people type a long address" in capsys.readouterr().out) == warned
    page = Browser(there).get(screen).get_data(as_text=True)
    assert f'class="address{step}">{host}/code<' in page
