"""Eight feeders at once on the same products: no deadlock, no lost news, the newest one stands."""

import itertools
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from urllib3 import PoolManager

from tests.depth import chance, few_or_all
from tests.e2e.actors import DEMO_BASKET_KEY, DEMO_SHOP_KEY, Merchant, TvApp, data
from tests.e2e.service import Service
from tests.e2e.test_concurrency import in_parallel

TURNS, DEEP_TURNS = 30, 600
"""How often each of them feeds, at least."""
MOST_TURNS = 5_000
PRICES, DESCRIPTIONS = 6, 2
MAINS, VARIANTS = 3, 20
YESTERDAY = datetime.now(UTC) - timedelta(days=1)


def skus(main: int) -> list[str]:
    """Return a product's own SKU and those of its variants."""
    return [f"WRITERS-{main}", *(f"WRITERS-{main}-{number}" for number in range(VARIANTS))]


ALL = [sku for main in range(MAINS) for sku in skus(main)]


def describe(merchant: Merchant, main: int, drawn: random.Random) -> dict[str, str]:
    """Send a description with all variants, in any order and without prices; return the ids."""
    own, *variants = skus(main)
    drawn.shuffle(variants)
    return merchant.post(own, "Sammelkarte", variants=[{"sku": sku} for sku in variants])


@pytest.mark.parametrize("any_service", ["postgresql"], indirect=True)
def test_of_eight_feeders_the_newest_price_of_each_product_stands(any_service: Service) -> None:
    merchant = Merchant(any_service, DEMO_SHOP_KEY)
    ids: dict[str, str] = {}
    for main in range(MAINS):
        ids |= describe(merchant, main, chance(main))
    numbers = itertools.count(1)  # next() is one step for all threads
    met = {"stale": False, "described": False}
    turns = few_or_all(TURNS, DEEP_TURNS)

    def feed_prices(me: Merchant, drawn: random.Random) -> dict[str, int]:
        """Send a price that tells its number, and when; return the newest one of each SKU."""
        number = next(numbers)
        sent = drawn.sample(ALL, drawn.randint(1, 50))
        body = {
            "lang": "de",
            "country": "DE",
            "asOf": (YESTERDAY + timedelta(microseconds=number)).isoformat(),
            "products": [{"sku": sku, "price": number} for sku in sent],
        }
        done = data(me.call("PATCH", "/v1/shops/products", json=body))
        assert done == {
            "updated": len(sent) - done["stale"],
            "unknownSkus": [],
            "stale": done["stale"],
        }
        met["stale"] |= done["stale"] > 0
        return dict.fromkeys(sent, number)

    def feed_descriptions(me: Merchant, drawn: random.Random) -> dict[str, int]:
        describe(me, drawn.randrange(MAINS), drawn)
        met["described"] = True
        return {}

    works = [*([feed_prices] * PRICES), *([feed_descriptions] * DESCRIPTIONS)]

    def write(number: int, http: PoolManager) -> dict[str, int]:
        """Feed until enough has happened; every answer must be a success."""
        me, mine = Merchant(any_service, DEMO_SHOP_KEY, http), chance(number)
        newest: dict[str, int] = {}
        for turn in itertools.count(1):
            if (turn > turns and all(met.values())) or turn > MOST_TURNS:
                break
            for sku, price in works[number](me, mine).items():
                newest[sku] = max(price, newest.get(sku, 0))
        return newest

    ledgers = in_parallel(any_service, len(works), write)

    expected = {sku: max(ledger.get(sku, 0) for ledger in ledgers) for sku in ALL}
    assert prices(any_service, ids) == expected
    # The feeders did overtake one another, and descriptions came in between.
    assert met == {"stale": True, "described": True}


def prices(service: Service, ids: dict[str, str]) -> dict[str, Any]:
    """Return the price of each SKU, as shoppers see it."""
    guest = TvApp(service, DEMO_BASKET_KEY).guest()
    found = {}
    names = list(ids)
    for start in range(0, len(names), 50):
        some = names[start : start + 50]
        answer = guest.app.call(
            "POST",
            "/v2/baskets/products/details",
            token=guest.token,
            json=[ids[sku] for sku in some],
        )
        for sku, product in zip(some, data(answer)["products"], strict=True):
            found[sku] = product["price"]
    return found
