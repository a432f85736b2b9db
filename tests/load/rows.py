"""What ``make bench`` asks: the rows of its table, and the requests of each."""

import itertools
import json
import urllib.request
from collections.abc import Callable, Iterator
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from tests.load import purchases
from tests.load.seeding import DETAILED, PRODUCTS, STOCK, USERS, Seeded
from tests.load.wrk import TRACKING, Request

SLOW_USERS = 1000
"""Of operations that take longer: no worker would know more tokens for the minute that it does."""

PATCHED = 50
SCREENS = 50


class Row(NamedTuple):
    """A line of the table.

    :ivar goal: the ratio to reach at least; None where none was asked for.
    :ivar against: what the limit is asked instead.
    :ivar again: makes the requests anew for each round, as they grow old within a minute.
    :ivar flow: what one shopper after the other does instead, once each.
    """

    name: str
    goal: float | None
    requests: list[Request]
    against: list[Request] | None = None
    merchant: bool = False
    again: Callable[[], list[Request]] | None = None
    flow: purchases.Flow | None = None

    def fresh(self) -> "Row":
        """Return it with requests that are not too old."""
        return self._replace(requests=self.again()) if self.again else self


def rows_of(seeded: Seeded, service: str, number_of_users: int = USERS) -> Iterator[Row]:
    """Yield what is measured, and at least which part of the limit each is to reach.

    :param number_of_users: who ask; those after them, who only buy, are left out.
    """
    users = list(seeded.tokens.items())[:number_of_users]
    ids = seeded.products
    base = "/v2/baskets/users"
    reads = [Request("GET", f"{base}/{user}", token) for user, token in users]
    yield Row("GET basket", 0.75, reads)
    puts = [
        Request(
            "POST",
            f"{base}/{user}/products/{quote(ids[n * 7 % PRODUCTS], safe='')}",
            token,
            f'{{"count": {n % 5 + 1}}}',
        )
        for n, (user, token) in enumerate(users)
    ]
    yield Row("POST product", 0.85, puts)
    details = [
        Request(
            "POST",
            "/v2/baskets/products/details",
            token,
            json.dumps([ids[(n + k) % PRODUCTS] for k in range(DETAILED)]),
        )
        for n, (_, token) in enumerate(users)
    ]
    yield Row("POST details", 0.4, details)
    yield Row("POST guests", 0.4, [Request("POST", "/v2/baskets/guests")])
    slow = users[:SLOW_USERS]
    transfers = [Request("POST", f"{base}/{user}/transfer?qr=true", token) for user, token in slow]
    yield Row("POST transfer", 0.5, transfers)
    yield Row("TV poll", 0.8, [], reads[:SLOW_USERS], again=lambda: polls_of(seeded, service))
    patches = [
        Request("PATCH", "/v1/shops/products", body=json.dumps(_update(ids, first)))
        for first in range(PRODUCTS - PATCHED)
    ]
    yield Row("PATCH 50 SKUs", 0.6, patches, merchant=True)
    yield Row("checkout", None, [], flow=purchases.begin)
    yield Row("purchase", None, [], flow=purchases.buy)


def _update(ids: list[str], first: int) -> dict[str, object]:
    # By id, as the service locks them: the limit takes them as they come, and one side's last
    # requests must not end in a deadlock with the other's first.
    numbers = sorted(range(first, first + PATCHED), key=lambda number: ids[number])
    items = [
        {"sku": f"SKU-{number}", "price": 1000 + number, "stockCount": STOCK + first}
        for number in numbers
    ]
    return {"products": items, "currency": "EUR", "vat": 19}


def polls_of(seeded: Seeded, service: str) -> list[Request]:
    """Start transfers, and return what their TVs ask; after a minute they have ended."""
    found = []
    for user, token in list(seeded.tokens.items())[:SCREENS]:
        asked = urllib.request.Request(
            f"{service}/v2/baskets/users/{user}/transfer",
            method="POST",
            headers={"X-API-Key": seeded.api_key, "Authorization": f"Bearer {token}"},
        )
        with urllib.request.urlopen(asked) as answer:
            found.append(Request("GET", urlsplit(json.load(answer)["data"]["statusUrl"]).path))
    return found


def shoppers_of(seeded: Seeded) -> Iterator[purchases.Shopper]:
    """Yield all users, those who have set nothing last: each can buy its cart once."""
    for user, token in reversed(seeded.tokens.items()):
        headers = {"X-API-Key": seeded.api_key, "Authorization": f"Bearer {token}"}
        yield purchases.Shopper(user, {**headers, "X-JAY-Tracking": TRACKING})


def shoppers_of_limit(seeded: Seeded) -> Iterator[purchases.Shopper]:
    """Yield users without end, who have the baskets of those that there are."""
    for number, user in enumerate(itertools.cycle(seeded.tokens)):
        yield purchases.Shopper(f"{user}~{number}", {})
