"""The watch over the browsers notices what no page may do: else the other tests prove little."""

import pytest
from playwright.sync_api import Browser, Error

from tests.clock import PATIENCE_SECONDS
from tests.e2e.service import Service
from tests.e2e.watched import Screens

ELSEWHERE = "http://127.0.0.2:9/picture.png"


@pytest.mark.parametrize(
    ("script", "noticed"),
    [
        (f"document.body.append(Object.assign(new Image(), {{src: '{ELSEWHERE}'}}))", "violates"),
        ("document.body.setAttribute('style', 'color: red')", "violates"),
        ("console.error('a complaint')", "a complaint"),
        ("setTimeout(() => { throw new Error('a crash') })", "a crash"),
    ],
)
def test_wrongs_of_a_page_are_noticed(
    service: Service, browser: Browser, script: str, noticed: str
) -> None:
    screens = Screens(browser)
    phone = screens.phone(service)
    phone.goto(f"{service.url}/code")
    assert screens.wrong == []

    phone.evaluate(script)
    for _ in range(PATIENCE_SECONDS * 10):
        if screens.wrong:
            break
        phone.wait_for_timeout(100)
    screens.close()

    assert any(noticed in wrong for wrong in screens.wrong)


def test_a_request_to_another_host_is_noticed(service: Service, browser: Browser) -> None:
    screens = Screens(browser)

    with pytest.raises(Error):
        screens.phone(service).goto(ELSEWHERE)
    screens.close()

    assert screens.wrong == [f"request to another host: {ELSEWHERE}"]
