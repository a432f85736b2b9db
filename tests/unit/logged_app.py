"""A process whose output ``test_logs.py`` reads: it asks the app for everything that is secret.

Run as ``python -m tests.unit.logged_app DATA_DIR``; prints what the service logs, and nothing else.
"""

import sys
from pathlib import Path

import alembic.command
from flask import Flask

from jay import create_app
from jay.errors import Busy
from jay.ops.cli import alembic_config
from tests.clock import MovedClock
from tests.conftest import settings

API_KEY = "jay_s3cr3t-k3y_0123456789abcdefghijklmnop"
JWT = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJlLXNpZ25hdHVyZQ"
JAY_TOKEN = "u0k3Xf0q2mJ9w1zVb6tPzA"
DISPLAY_TOKEN = "D1splay-T0ken_456789ab"
SECRETS = (API_KEY, JWT, JAY_TOKEN, DISPLAY_TOKEN)
USER = "alice@example.org"
PRODUCT = "mugshop/de-DE/SECRET-GIFT"


def main(folder: Path) -> None:
    url = f"sqlite:///{folder / 'jay.sqlite3'}"
    alembic.command.upgrade(alembic_config(url), "head")
    app = create_app(settings(url, folder), clock=MovedClock())
    add_crashes(app)
    client = app.test_client()
    headers = {"X-API-Key": API_KEY, "Authorization": f"Bearer {JWT}", "Cookie": f"jay={JWT}"}
    for method, path in (
        ("GET", f"/v2/baskets/users/{USER}"),
        ("POST", f"/v2/baskets/users/{USER}/products/{PRODUCT}"),
        ("POST", f"/v2/baskets/guests?jayToken={JAY_TOKEN}"),
        ("GET", f"/v2/transfers/{DISPLAY_TOKEN}/status"),
        ("GET", f"/t/{JAY_TOKEN}"),
        ("GET", f"/tv/{DISPLAY_TOKEN}"),
        ("GET", f"/nowhere/{JAY_TOKEN}"),
        ("GET", f"/crash/{JAY_TOKEN}"),
        ("GET", f"/fault/{JAY_TOKEN}"),
        ("GET", "/static/css/tv.css"),
    ):
        client.open(path, method=method, headers=headers, json={} if method == "POST" else None)
    client.get("/healthz", headers={"X-Request-ID": "from-the-proxy_1.2"})


def add_crashes(app: Flask) -> None:
    @app.get("/crash/<token>")
    def crash(token: str) -> str:
        raise RuntimeError(
            f"key {API_KEY} of Bearer {JWT} at http://x/t/{token} and /tv/{DISPLAY_TOKEN},"
            f" ?jayToken={token}&x=1, /v2/transfers/{DISPLAY_TOKEN}/status, {JWT}"
        )

    @app.get("/fault/<token>")
    def fault(token: str) -> str:
        raise Busy from RuntimeError(f"no connection for /t/{token} with {API_KEY}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
