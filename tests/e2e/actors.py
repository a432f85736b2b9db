"""Who uses the APIs over real HTTP: a merchant, and a TV app with its baskets."""

import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import urllib3
from urllib3 import BaseHTTPResponse, PoolManager

from jay.errors import Busy, IdempotencyInFlight
from tests.clock import PATIENCE_SECONDS
from tests.e2e.service import Service

DEMO_BASKET_KEY = "demo-basket-key"
DEMO_SHOP_KEY = "demo-shop-key"


def http_client() -> PoolManager:
    """Make a client that repeats nothing, follows nothing and uses no proxy."""
    return PoolManager(retries=False, timeout=urllib3.Timeout(total=PATIENCE_SECONDS))


def data(response: BaseHTTPResponse) -> Any:
    """Return what a successful answer holds."""
    assert response.status == 200, (response.status, response.data)
    return response.json()["data"]


def error_of(response: BaseHTTPResponse) -> tuple[int, Any]:
    """Return status and constant of a refusal."""
    return response.status, response.json()["error"]["details"]


def has_to_wait(response: BaseHTTPResponse) -> bool:
    """Tell whether nothing was done, as machine or disk are slow: it is to be tried again.

    What was told so once may then be in flight, until the lease of that try ends.
    """
    if response.status == 503 and response.headers.get("Content-Type") != "application/json":
        return True  # there was not even a thread for it
    codes = {Busy.status: Busy.code, IdempotencyInFlight.status: IdempotencyInFlight.code}
    return response.status in codes and response.json()["error"]["code"] == codes[response.status]


@dataclass
class Caller:
    """Something that calls an API with its API key."""

    service: Service
    key: str
    http: PoolManager = field(default_factory=http_client)

    def call(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        json: Any = None,
        headers: dict[str, str] | None = None,
    ) -> BaseHTTPResponse:
        """Send one request, and again while the service says that it has to wait."""
        sent = {"X-API-Key": self.key, **(headers or {})}
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            answer = self.http.request(method, self.service.url + path, json=json, headers=sent)
            if not has_to_wait(answer) or time.monotonic() >= deadline:
                return answer
            time.sleep(float(answer.headers["Retry-After"]))


class Merchant(Caller):
    """A shop: it feeds products over the Product Data API."""

    def post(self, sku: str, name: str, **fields: Any) -> dict[str, str]:
        """Send a product, and return the product id of each SKU of it."""
        body = {"sku": sku, "name": name, "lang": "de", "country": "DE", "currency": "EUR"}
        stored = data(self.call("POST", "/v1/shops/products", json={**body, "vat": 19, **fields}))
        variants = {variant["sku"]: variant["productId"] for variant in stored["variants"]}
        return {sku: stored["productId"], **variants}


class TvApp(Caller):
    """A streaming platform's app: it calls the Basket API."""

    def guest(self, *products: tuple[str, int]) -> "BasketOfUser":
        """Create a guest with a basket."""
        body = {"products": [{"productId": p, "count": n} for p, n in products]}
        made = data(self.call("POST", "/v2/baskets/guests", json=body))
        return BasketOfUser(self, made["userId"], made["token"])

    def redeem(self, jay_token: str, **headers: str) -> BaseHTTPResponse:
        """Take the basket of a transfer over, as a web shop's server does."""
        path = f"/v2/baskets/guests?jayToken={jay_token}"
        return self.call("POST", path, headers=headers)


@dataclass
class BasketOfUser:
    """A basket and the credentials that open it."""

    app: TvApp
    user_id: str
    token: str

    def call(self, method: str, path: str = "", **more: Any) -> BaseHTTPResponse:
        """Send one request about this basket."""
        path = f"/v2/baskets/users/{quote(self.user_id, safe='')}{path}"
        return self.app.call(method, path, token=self.token, **more)

    def product(
        self, method: str, product_id: str, count: int | None = None, **more: Any
    ) -> BaseHTTPResponse:
        """Send one request about a product of this basket."""
        body = None if count is None else {"count": count}
        return self.call(method, f"/products/{quote(product_id, safe='')}", json=body, **more)

    def cart(self) -> dict[str, int]:
        """Read what is in the cart."""
        return {entry["productId"]: entry["count"] for entry in data(self.call("GET"))["cart"]}

    def transfer(self, **body: Any) -> dict[str, Any]:
        """Start a transfer, with the QR code's image."""
        started: dict[str, Any] = data(self.call("POST", "/transfer?qr=true", json=body or None))
        return started

    def with_client(self, http: PoolManager) -> "BasketOfUser":
        """Return the same basket, used over other connections."""
        app = TvApp(self.app.service, self.app.key, http)
        return BasketOfUser(app, self.user_id, self.token)
