"""Small builders: a partner with keys, a merchant with products, and callers that use the APIs."""

from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import quote

from flask import Flask
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import ECKey, Key, KeySet
from sqlalchemy import Connection
from werkzeug.test import TestResponse

from jay import db
from jay.auth import service as auth
from jay.legal import service as legal
from jay.legal.models import Kind
from jay.merchants import service as merchants
from jay.operators import models as operator_models
from jay.operators import service as operators
from jay.partners import service as partners
from jay.products import feeding
from tests.clock import NOON

PARTNER_KEY_PAIR = ECKey.generate_key("P-256", {"kid": "partner-key-1"})


@dataclass
class Platform:
    """A streaming platform's app: it calls the Basket API with its API key and tokens."""

    client: FlaskClient
    name: str
    key: str
    signing_key: Key = field(default_factory=lambda: PARTNER_KEY_PAIR)
    claims: dict[str, Any] = field(default_factory=dict)

    def token(self, user_id: str, *, expires_in: int = 3600, **claims: Any) -> str:
        """Sign a token for a user as the platform's identity provider does."""
        now = int(NOON.timestamp())
        content = {"sub": user_id, "iat": now, "exp": now + expires_in, **self.claims, **claims}
        content = {name: value for name, value in content.items() if value is not None}
        return jwt.encode({"alg": "ES256", "kid": "partner-key-1"}, content, self.signing_key)

    def call(
        self, method: str, path: str, *, token: str | None = None, json: Any = None, **more: Any
    ) -> TestResponse:
        """Call the Basket API."""
        headers = {"X-API-Key": self.key, **more.pop("headers", {})}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        extra = {} if json is None else {"json": json}
        return self.client.open("/v2" + path, method=method, headers=headers, **extra, **more)

    def user(self, user_id: str = "alice") -> "User":
        """Return a user whose tokens the platform signs."""
        return User(self, user_id, self.token(user_id))

    def guest(self, *products: tuple[str, int]) -> "User":
        """Create a guest with a basket."""
        body = {"products": [{"productId": p, "count": n} for p, n in products]}
        data = self.call("POST", "/baskets/guests", json=body).json["data"]
        return User(self, data["userId"], data["token"])

    def redeem(self, jay_token: str, **headers: str) -> TestResponse:
        """Redeem a transfer over the API, as a web shop's server does."""
        path = f"/baskets/guests?jayToken={jay_token}"
        return self.call("POST", path, headers=headers)


@dataclass
class User:
    """Someone with a bearer token, and the basket that it opens."""

    platform: Platform
    id: str
    token: str

    def call(self, method: str, path: str = "", **more: Any) -> TestResponse:
        """Call the API on this user's basket."""
        path = f"/baskets/users/{quote(self.id, safe='')}{path}"
        return self.platform.call(method, path, token=self.token, **more)

    def product(self, method: str, product_id: str, **more: Any) -> TestResponse:
        """Call the API on a product of this user's basket."""
        return self.call(method, f"/products/{quote(product_id, safe='')}", **more)

    def put(self, product_id: str, count: int = 1) -> TestResponse:
        """Put a product into the basket."""
        return self.product("POST", product_id, json={"count": count})

    def basket(self) -> dict[str, Any]:
        """Read the basket."""
        response = self.call("GET")
        assert response.status_code == 200, response.json
        data: dict[str, Any] = response.json["data"]
        return data

    def cart(self) -> dict[str, int]:
        """Read what is in the cart, as product id to count."""
        return {entry["productId"]: entry["count"] for entry in self.basket()["cart"]}

    def saved(self) -> list[str]:
        """Read what is saved."""
        return [entry["productId"] for entry in self.basket()["saved"]]

    def transfer(self, *, qr: str | None = None, **body: Any) -> dict[str, Any]:
        """Start a transfer."""
        query = "" if qr is None else f"?qr={qr}"
        response = self.call("POST", f"/transfer{query}", json=body or None)
        assert response.status_code == 200, response.json
        data: dict[str, Any] = response.json["data"]
        return data


@dataclass
class Shop:
    """A merchant: it calls the Product Data API with its API key."""

    app: Flask
    client: FlaskClient
    name: str
    key: str

    def call(self, method: str, path: str, *, json: Any = None, **more: Any) -> TestResponse:
        """Call the Product Data API."""
        headers = {"X-API-Key": self.key, **more.pop("headers", {})}
        extra = {} if json is None else {"json": json}
        return self.client.open("/v1" + path, method=method, headers=headers, **extra, **more)

    def product(self, sku: str = "mug", **fields: Any) -> str:
        """Have a product in the catalogue and return its id; it costs 12,50 EUR with 19 % VAT."""
        variants = fields.pop("variants", ())
        volatile = {"price": 1250, "stock_count": 10, "currency": "EUR", "vat": 19.0}
        described = {
            name: fields.pop(name)
            for name in ("lang", "country", "not_shoppable")
            if name in fields
        }
        name, description = fields.pop("name", sku.title()), fields.pop("description", {})
        with self.app.app_context(), db.transaction() as connection:
            merchant_id = merchants.merchant_id(connection, self.name)
            assert merchant_id is not None
            stored = feeding.put_product(
                connection,
                merchants.merchant_by_id(connection, merchant_id),
                now=NOON,
                sku=sku,
                name=name,
                variants=variants,
                volatile={**volatile, **fields},
                description=description,
                **described,
            )
        return stored.id

    def products(self, many: int, kind: str = "mug") -> list[str]:
        """Have products ``mug-0``, ``mug-1`` ... and return their ids; quicker than one by one."""
        volatile = {"price": 1250, "stock_count": 10, "currency": "EUR", "vat": 19.0}
        skus = [f"{kind}-{number}" for number in range(many)]
        with self.app.app_context(), db.transaction() as connection:
            identifier = merchants.merchant_id(connection, self.name)
            assert identifier is not None
            merchant = merchants.merchant_by_id(connection, identifier)
            puts = [
                feeding.Put(
                    sku,
                    merchant.lang,
                    merchant.country,
                    {
                        "name": sku.title(),
                        "not_shoppable": False,
                        "type": None,
                        "value": None,
                        "volatile": volatile,
                        "description": {},
                    },
                    (),
                )
                for sku in skus
            ]
            outcomes = feeding.put_many(connection, merchant, puts, now=NOON)
        assert not any(isinstance(outcome, str) for outcome in outcomes)
        return [f"{self.name}/{merchant.lang}-{merchant.country}/{sku}" for sku in skus]


def add_platform(
    app: Flask,
    client: FlaskClient,
    name: str = "kino",
    *,
    public_key: Key | None = None,
    **fields: Any,
) -> Platform:
    """Register a partner whose tokens are signed with ``PARTNER_KEY_PAIR`` (or ``public_key``)."""
    keys = KeySet([public_key or PARTNER_KEY_PAIR])
    fields = {
        "jwks": dict(keys.as_dict(private=False)),
        "algorithms": ["ES256"],
        "transfer_origins": ["https://shop.example"],
        "cors_origins": ["https://tv.example"],
        **fields,
    }
    with app.app_context(), db.transaction() as connection:
        partner = partners.add_partner(connection, name=name, now=NOON, **fields)
        key = auth.issue_key(connection, partner=partner, now=NOON)
    claims = {"iss": fields.get("issuer"), "aud": fields.get("audience")}
    return Platform(client, name, key, claims=claims)


def add_shop(app: Flask, client: FlaskClient, name: str = "mugshop", **fields: str) -> Shop:
    """Register a merchant in Germany with an API key."""
    locale = {"lang": "de", "country": "DE", "currency": "EUR", **fields}
    with app.app_context(), db.transaction() as connection:
        merchant = merchants.add_merchant(connection, name=name, now=NOON, **locale)
        complete(connection, merchant)
        key = auth.issue_key(connection, merchant=merchant, now=NOON)
    return Shop(app, client, name, key)


LEGAL = {
    "name": "Mugs & More GmbH",
    "street": "Kaistraße",
    "house_number": "4",
    "zip": "20457",
    "city": "Hamburg",
    "country_code": "DE",
    "email": "service@shop.example",
}
TEXTS = [
    (Kind.TERMS, "de", "Es gilt, was hier steht."),
    (Kind.WITHDRAWAL, "de", "Sie können widerrufen."),
]


def complete(connection: Connection, merchant: int) -> None:
    """Tell all that a merchant must tell before its products can be paid."""
    merchants.change_merchant(connection, merchant, {"legal": LEGAL})
    legal.put_merchants(connection, merchant, TEXTS, now=NOON)


OPERATOR_PASSWORD = "correct horse battery"


@cache
def _operator_hash(_method: str) -> str:
    # Once for all tests of a method.
    return operator_models.hash_password(OPERATOR_PASSWORD)


def add_operator(app: Flask, name: str = "olga", *, merchant: str | None = None) -> None:
    """Make an account that ``OPERATOR_PASSWORD`` opens."""
    with app.app_context(), db.transaction() as connection:
        only = None if merchant is None else merchants.merchant_id(connection, merchant)
        assert operators.add(
            connection, name, _operator_hash(operator_models._METHOD), merchant=only, now=NOON
        )
