"""A database that load programs measure: a partner, products, and users with baskets and tokens."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import alembic.command
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet
from sqlalchemy import insert

from jay.auth import service as auth
from jay.baskets.models import baskets
from jay.db.database import Database
from jay.db.routing import routing_key
from jay.merchants import service as merchants
from jay.ops.cli import alembic_config
from jay.partners import service as partners
from jay.products import feeding
from tests.builders import complete

USERS = 10_000
PRODUCTS = 200
STOCK = 2_000_000
DETAILED = 10
LIMITS = (
    *("JAY_GUESTS_PER_KEY", "JAY_GUESTS_PER_ADDRESS", "JAY_TRANSFERS_PER_USER"),
    *("JAY_POLLS_PER_SCREEN", "JAY_REQUESTS_PER_KEY", "JAY_REQUESTS_PER_USER"),
)


class Seeded(NamedTuple):
    """A filled database and what callers need to know."""

    url: str
    partner: int
    api_key: str
    merchant_key: str
    tokens: dict[str, str]
    products: list[str]
    key: ECKey
    """Signs the tokens."""


def seed(url: str, number_of_users: int | None = None, *, every: int = 1) -> Seeded:
    """Migrate, and make a partner, 200 products and 10,000 users with ten products each.

    :param number_of_users: instead of 10,000.
    :param every: of how many users one is made: their numbers are that far apart.
    """
    alembic.command.upgrade(alembic_config(url), "head")
    now = datetime.now(UTC)
    key = ECKey.generate_key("P-256", {"kid": "bench"})
    users = [f"user-{number * every}" for number in range(number_of_users or USERS)]
    database = Database(url)
    with database.transaction() as connection:
        partner = partners.add_partner(
            connection,
            name="bench",
            jwks=dict(KeySet([key]).as_dict(private=False)),
            algorithms=["ES256"],
            issuer="https://id.example",
            audience="basket",
            now=now,
        )
        api_key = auth.issue_key(connection, partner=partner, now=now)
        shop = merchants.add_merchant(
            connection, name="shop", lang="de", country="DE", currency="EUR", now=now
        )
        merchant = merchants.merchant_by_id(connection, shop)
        ids = [
            feeding.put_product(
                connection,
                merchant,
                now=now,
                sku=f"SKU-{number}",
                name=f"Product {number}",
                volatile={"price": 1250, "stock_count": STOCK, "currency": "EUR", "vat": 19.0},
                description={"brand": "Brand", "images": [{"url": "https://shop.example/p.jpg"}]},
            ).id
            for number in range(PRODUCTS)
        ]
        merchant_key = auth.issue_key(connection, merchant=shop, now=now)
        complete(connection, shop)
        rows = [
            {
                "routing_key": routing_key(partner, user),
                "partner_id": partner,
                "user_id": user,
                "id": f"basket-{number}",
                "guest": False,
                "entries": [
                    {
                        "id": ids[(number + k) % PRODUCTS],
                        "count": k,
                        "price": 1250,
                        "currency": "EUR",
                    }
                    for k in range(DETAILED)
                ],
                "version": 1,
                "created": now,
                "last_changed": now,
                "expires": now + timedelta(days=365),
            }
            for number, user in enumerate(users)
        ]
        connection.execute(insert(baskets), rows)
    database.dispose()
    claims = {"iss": "https://id.example", "aud": "basket", "exp": int(now.timestamp()) + 86400}
    tokens = {
        user: jwt.encode({"alg": "ES256", "kid": "bench"}, {**claims, "sub": user}, key)
        for user in users
    }
    return Seeded(url, partner, api_key, merchant_key, tokens, ids, key)


def service_environ(url: str, folder: Path) -> dict[str, str]:
    """Return the settings of a service that is measured."""
    return {
        "JAY_DATABASE_URL": url,
        "JAY_DATA_DIR": str(folder),
        "JAY_SECRET_KEY": "a secret of 32 bytes, for benchmarks",
        "JAY_PUBLIC_URL": "http://127.0.0.1:8000",
        # What is measured is what a request costs, and not that many are refused.
        **dict.fromkeys(LIMITS, "1000000000"),
    }
