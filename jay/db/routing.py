"""Where the rows of a shopper lie, once one server has no room for all of them.

Beyond one PostgreSQL server the tables are distributed, each by one column. Every statement on the
way of a shopper names the value of that column, so that one server answers it, and what a statement
touches lies there together.
"""

import hashlib
from typing import TypeVar

from sqlalchemy import Select, text

BUCKETS = 4096
"""Enough to spread over any number of servers, and far too few to tell one person from another."""

NOWHERE = -1
"""The bucket of what is not there."""

ROUTED_BY = {
    "baskets": "routing_key",
    "comfort_settings": "routing_key",
    "checkout_sessions": "routing_key",
    "contacts": "routing_key",
    "orders": "routing_key",
    "order_parts": "routing_key",
    "order_lines": "routing_key",
    "order_parcels": "routing_key",
    "order_events": "routing_key",
    "ledger": "routing_key",
    "movements": "routing_key",
    "handed_parts": "routing_key",
    "withdrawals": "routing_key",
    "transfers": "routing_key",
    "events": "routing_key",
    "idempotency_keys": "key_hash",
    "tries": "key",
}
"""The tables that are distributed, and by which column."""

WITHOUT_KEY = "/* of before the routing key */"

EVERYWHERE = "/* on every server */"

Query = TypeVar("Query", bound=Select[*tuple[object, ...]])


def routing_key(*names: object) -> int:
    """Return the bucket of what these names stand for together, 0 to 4095.

    What belongs to a user lies in the bucket of partner and user id, a transfer in that of its
    short code. It is a hash that many share: an event that holds one does not say who it was.
    """
    digest = hashlib.sha256(" ".join(map(str, names)).encode()).digest()
    return int.from_bytes(digest[:2]) % BUCKETS


def of_before(query: Query) -> Query:
    """Mark a look-up without a routing key: on a cluster it goes to every server.

    Credentials and codes that were made before migration 0016 do not tell where their row lies.
    They last 30 days: a month after that release this function goes, and what uses it with it.
    """
    return query.prefix_with(text(WITHOUT_KEY))


def on_every_server(query: Query) -> Query:
    """Mark a query that is meant to go to every server, and is of no shopper's way.

    A merchant's list of orders: each of them lies with its shopper.
    """
    return query.prefix_with(text(EVERYWHERE))
