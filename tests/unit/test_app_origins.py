"""Origins of TV apps: as browsers name them, and as a Content-Security-Policy does."""

import pytest

from jay.net.addresses import app_origin_of, frame_source_of


@pytest.mark.parametrize(
    ("given", "origin", "source"),
    [
        ("https://TV.example:443/app", "https://tv.example", "https://tv.example"),
        ("http://localhost:8080", "http://localhost:8080", "http://localhost:8080"),
        ("http://[::1]:8080", "http://[::1]:8080", "http://[::1]:8080"),
        ("null", "null", "file:"),
        ("file://", "file://", "file:"),
        ("file:///opt/app/index.html", "file://", "file:"),
        ("capacitor://localhost", "capacitor://localhost", "capacitor://localhost"),
        ("DVB://233a.1004.1044/", "dvb://233a.1004.1044", "dvb://233a.1004.1044"),
        ("app://some_app", "app://some_app", "app:"),
        ("ionic://localhost:80", "ionic://localhost:80", "ionic://localhost:80"),
    ],
)
def test_an_apps_origin(given: str, origin: str, source: str) -> None:
    assert app_origin_of(given) == origin
    assert frame_source_of(origin) == source


@pytest.mark.parametrize(
    "given",
    [
        *("", "*", "NULL", "file", "file:", "localhost", "//localhost", "https://"),
        *("https://user@tv.example", "app://user@host", "app://a b", "app://a;x", "app://a,b"),
        *("app://a'b", "app://*", "app://*.example", "app://a\nb", "app://a\\b", "1app://a"),
        *("javascript://x", "data://x", "blob://x", "about://blank", "filesystem://x"),
    ],
)
def test_what_is_no_origin_of_an_app(given: str) -> None:
    assert app_origin_of(given) is None
