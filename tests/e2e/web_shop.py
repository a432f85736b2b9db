"""A small web shop that finishes baskets: its server redeems the token and shows what is inside."""

import html
import secrets
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from tests.e2e.actors import BasketOfUser, TvApp, data


class WebShop:
    """A web server on a free port of loopback, until the block ends."""

    app: TvApp
    """How the shop calls the Basket API: with the key of the partner that it works for."""

    def __init__(self) -> None:
        self.basket: BasketOfUser | None = None
        self._key = secrets.token_urlsafe(16)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def page(self, path: str) -> str | None:
        """Redeem the token in the address and write the basket as a page; None for other paths."""
        parts = urlsplit(path)
        if parts.path != "/warenkorb":
            return None
        (token,) = parse_qs(parts.query)["jayToken"]
        redeemed = data(self.app.redeem(token, **{"Idempotency-Key": self._key}))
        self.basket = BasketOfUser(self.app, redeemed["userId"], redeemed["token"])
        counts = {e["productId"]: e["count"] for e in redeemed["basket"]["cart"]}
        call = self.app.call(
            "POST", "/v2/baskets/products/details", token=self.basket.token, json=list(counts)
        )
        items = "".join(
            f"<li>{counts[product['productId']]}x {html.escape(product['name'])}</li>"
            for product in data(call)["products"]
        )
        return f"<!doctype html><html lang=de><title>Warenkorb</title><ul>{items}</ul></html>"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        shop = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                page = shop.page(self.path)
                self.send_response(204 if page is None else 200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write((page or "").encode())

            def log_message(self, *_arguments: Any) -> None:
                pass

        return Handler
