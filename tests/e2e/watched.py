"""Real browsers: televisions and phones, with an eye on everything that their pages do."""

import io
import re
from typing import Any
from urllib.parse import urlsplit

import zxingcpp
from PIL import Image
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    Request,
    WebError,
    expect,
)

from tests.clock import PATIENCE_SECONDS
from tests.e2e.service import Service

TV = {"viewport": {"width": 1280, "height": 720}}
PHONE = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
}

NOTE_REQUESTS = """
(() => {
  let asking = Promise.resolve();
  window.allAnswered = () => asking;
  const {send} = XMLHttpRequest.prototype;
  XMLHttpRequest.prototype.send = function (...all) {
    asking = new Promise(done => { this.addEventListener('loadend', () => done()); });
    return send.apply(this, all);
  };
})()
"""
"""Lets a page promise that no request waits for its answer, for tests that move the clock."""

_FAILED_LOAD = re.compile(r"Failed to load resource: .* status of (\d{3})")


class Screens:
    """Opens browsers, each with cookies and storage of its own, and keeps what they do wrong.

    A request to another host, a breach of the Content-Security-Policy, a message of the console's
    error level and an exception in a script are all wrong.
    """

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._contexts: list[BrowserContext] = []
        self._hosts: set[str] = set()
        self._refusals: set[str] = set()
        self.wrong: list[str] = []

    def tv(self, service: Service, **options: Any) -> Page:
        """Switch a German television on."""
        return self._open(service, {**TV, **options})

    def phone(self, service: Service, **options: Any) -> Page:
        """Unlock a German phone."""
        return self._open(service, {**PHONE, **options})

    def allow_host(self, url: str) -> None:
        """Let pages of this host be opened too."""
        self._hosts.add(urlsplit(url).netloc)

    def allow_refusal(self, status: int) -> None:
        """Let a page be answered with this status, which the browser's console tells of."""
        self._refusals.add(str(status))

    def close(self) -> None:
        """Close all of them."""
        for context in self._contexts:
            context.close()

    def _open(self, service: Service, options: dict[str, Any]) -> Page:
        self.allow_host(service.url)
        context = self._browser.new_context(locale="de-DE", **options)
        self._contexts.append(context)
        context.set_default_timeout(PATIENCE_SECONDS * 1000)
        context.on("request", self._on_request)
        context.on("console", self._on_console)
        context.on("weberror", self._on_error)
        return context.new_page()

    def _on_request(self, request: Request) -> None:
        # What a script has made of an answer is a blob: of its page.
        if urlsplit(request.url.removeprefix("blob:")).netloc not in self._hosts:
            self.wrong.append(f"request to another host: {request.url}")

    def _on_console(self, message: ConsoleMessage) -> None:
        failed = _FAILED_LOAD.match(message.text)
        if message.type == "error" and (failed is None or failed[1] not in self._refusals):
            self.wrong.append(f"console: {message.text} ({message.location})")

    def _on_error(self, error: WebError) -> None:
        self.wrong.append(f"exception in a script: {error.error}")


def scan(tv: Page) -> str:
    """Read the QR code off a television's screen, as a camera does: from its pixels alone."""
    picture = tv.locator(".card.code img")
    expect(picture).to_be_visible()
    expect(picture).to_have_js_property("complete", True)
    with Image.open(io.BytesIO(tv.screenshot())) as screen:
        codes = zxingcpp.read_barcodes(screen.convert("L"))
    assert [code.format for code in codes] == [zxingcpp.BarcodeFormat.QRCode]
    return codes[0].text


def transfer_on(tv: Page) -> Locator:
    """Return the element that tells the transfer's state."""
    return tv.locator("#transfer")


def expect_state(tv: Page, state: str) -> None:
    """Wait until a television shows a state."""
    expect(transfer_on(tv)).to_have_attribute("data-state", state)


def expect_same_pair(tv: Page, phone: Page) -> None:
    """Check that a television and a phone show the same picture, and the same word for it."""
    source = tv.locator(".pair img").get_attribute("src")
    expect(phone.locator(".pair img")).to_have_attribute("src", str(source))
    word = phone.locator(".pair strong").inner_text()
    assert word
    # "einen Elefanten": German may add an ending to the word.
    expect(tv.locator(".pair strong")).to_have_text(re.compile(rf"\b{re.escape(word)}(e?n)?$"))
    for page in (tv, phone):
        expect(page.locator(".pair img")).to_be_visible()
        assert page.locator(".pair img").evaluate("image => image.naturalWidth") > 0


# Where another size can be chosen, the one that was is what opens the choice.
_CELLS = {"which": ".which, .sizes summary bdi"}


def rows(page: Page, *columns: str) -> list[tuple[str, ...]]:
    """Read the lines of a basket off a phone's screen; ``count`` is what its field holds."""
    found = []
    for line in page.locator(".lines .line").all():
        cells = [
            line.locator("input[name=count]").input_value()
            if column == "count"
            else line.locator(_CELLS.get(column, f".{column}")).first.inner_text()
            for column in columns
        ]
        found.append(tuple(" ".join(cell.split()) for cell in cells))
    return found


def press_until_focused(page: Page, key: str, wanted: Locator, *, at_most: int = 8) -> None:
    """Press a key of the remote control until one of the wanted elements has the focus."""
    for _ in range(at_most):
        page.keyboard.press(key)
        if any(element.evaluate("e => e === document.activeElement") for element in wanted.all()):
            return
    raise AssertionError(f"{key} does not lead to {wanted}")
