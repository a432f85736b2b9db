"""A browser without a screen: it keeps cookies, sends forms back and reads pages."""

import re
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

from flask import Flask
from werkzeug.test import TestResponse


class Browser:
    """Somebody's phone or TV.

    :param address: its IP address.
    :param language: what it prefers, as ``Accept-Language``.
    """

    def __init__(self, app: Flask, *, address: str = "127.0.0.1", language: str = "en") -> None:
        self._client = app.test_client()
        self._from = {"REMOTE_ADDR": address}
        self._headers = {"Accept-Language": language}

    def get(self, path: str, **more: Any) -> TestResponse:
        """Open an address; those that answers name may be absolute."""
        parts = urlsplit(path)
        local = parts.path + (f"?{parts.query}" if parts.query else "")
        return self._client.get(
            local, environ_base=self._from, headers={**self._headers, **more.pop("headers", {})}
        )

    def post(self, path: str, *, csrf: str | None = None, **form: str) -> TestResponse:
        """Send a form as it is, with a CSRF token or without one."""
        data = form if csrf is None else {"csrf": csrf, **form}
        return self._client.post(
            urlsplit(path).path, data=data, environ_base=self._from, headers=self._headers
        )

    def submit(self, page: str, to: str | None = None, **form: str) -> TestResponse:
        """Open a page and send its form back."""
        return self.post(to or page, csrf=csrf_of(self.get(page)), **form)

    def look(self, offer: dict[str, Any]) -> TestResponse:
        """Scan a QR code and look at the page, whose script tells so."""
        page = self.get(offer["url"])
        if "data-opened" in page.get_data(as_text=True):
            told = self.post(f"{offer['url']}/opened", csrf=csrf_of(page))
            assert told.status_code == 204
        return page

    def take(self, offer: dict[str, Any]) -> TestResponse:
        """Scan a QR code and press the button."""
        return self.submit(offer["url"])


def session_of(browser: Browser) -> dict[str, Any]:
    """Return what the service keeps in a browser's session."""
    with browser._client.session_transaction() as kept:
        return dict(kept)


def csrf_of(response: TestResponse) -> str:
    """Return the CSRF token in a page's forms."""
    found = re.search(r'name="csrf" value="([^"]+)"', response.get_data(as_text=True))
    assert found, response.get_data(as_text=True)
    return found[1]


def text_of(response: TestResponse) -> str:
    """Return what a page says."""
    assert response.mimetype == "text/html"
    reader = _Reader()
    reader.feed(response.get_data(as_text=True))
    return " ".join(" ".join(reader.words).split())


def problems_of(response: TestResponse, *, allowed: str = "/") -> list[str]:
    """Return what a strict Content-Security-Policy would block, or what leads to another host.

    :param allowed: an address that the page may lead to besides its own host.
    """
    reader = _Reader(allowed)
    reader.feed(response.get_data(as_text=True))
    return reader.problems


class _Reader(HTMLParser):
    def __init__(self, allowed: str = "/") -> None:
        super().__init__()
        self.words: list[str] = []
        self.problems: list[str] = []
        self._allowed = allowed
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag
        given = dict(attrs)
        if tag == "style" or (tag == "script" and "src" not in given):
            self.problems.append(f"inline <{tag}>")
        for name, value in attrs:
            if name == "style" or name.startswith("on"):
                self.problems.append(f"<{tag} {name}>")
            if name in {"src", "href", "action", "data-status", "srcset", "poster", "formaction"}:
                local = re.match(r"/(?!/)|[?#]", value or "")
                if not local and value != self._allowed:
                    self.problems.append(f"<{tag} {name}={value!r}>")

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script" and data.strip():
            self.problems.append("code inside <script>")
        elif self._inside != "title":
            self.words.append(data)
