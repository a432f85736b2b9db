"""64 threads on one basket at once: against gunicorn with two workers, on both databases."""

import pytest
from urllib3 import BaseHTTPResponse, PoolManager

from tests.depth import few_or_all
from tests.e2e.actors import DEMO_BASKET_KEY, DEMO_SHOP_KEY, Merchant, TvApp, data
from tests.e2e.service import Service
from tests.e2e.test_concurrency import in_parallel, outcomes

THREADS = 64
CART = 20
ROUNDS = few_or_all(2, 5)
VARIANTS = 32
"""A product has at most 50."""


@pytest.fixture
def app(any_service: Service) -> TvApp:
    """The TV app of the demo partner."""
    return TvApp(any_service, DEMO_BASKET_KEY)


@pytest.fixture(scope="module")
def products(any_service: Service) -> list[str]:
    """As many products as there are threads."""
    merchant = Merchant(any_service, DEMO_SHOP_KEY)
    found = []
    for half in range(THREADS // VARIANTS):
        skus = [f"MANY-{half}-{number}" for number in range(VARIANTS)]
        variants = [{"sku": sku, "value": sku, "type": "number"} for sku in skus]
        ids = merchant.post(f"MANY-{half}", "Sammelkarte", price=100, variants=variants)
        found += [ids[sku] for sku in skus]
    assert len(set(found)) == THREADS
    return found


def tag_of(answer: BaseHTTPResponse) -> str:
    """Return the entity tag of a basket."""
    tag: str = answer.headers["ETag"]
    return tag


def version_of(answer: BaseHTTPResponse) -> int:
    """Return the version that an entity tag ends with."""
    return int(tag_of(answer).strip('"').rpartition("-")[2])


def cart_of(answer: BaseHTTPResponse) -> list[tuple[str, int]]:
    """Return product and count of each entry of the cart, in its order."""
    return [(entry["productId"], entry["count"]) for entry in data(answer)["cart"]]


def test_of_64_products_at_once_20_come_into_the_cart(
    any_service: Service, app: TvApp, products: list[str]
) -> None:
    basket = app.guest()

    def put(number: int, http: PoolManager) -> BaseHTTPResponse:
        return basket.with_client(http).product("POST", products[number], number + 1)

    answers = in_parallel(any_service, THREADS, put)

    assert outcomes(answers) == {(200, None): CART, (409, "CART_FULL"): THREADS - CART}
    won = [(products[n], n + 1) for n, answer in enumerate(answers) if answer.status == 200]
    final = basket.call("GET")
    assert sorted(cart_of(final)) == sorted(won)
    assert data(final)["saved"] == data(final)["checkout"] == []
    # One after the other: each answer shows the cart of the one before, and one product more.
    accepted = sorted((a for a in answers if a.status == 200), key=version_of)
    versions = [version_of(answer) for answer in accepted]
    assert versions == list(range(versions[0], versions[0] + CART))
    for length, answer in enumerate(accepted, 1):
        assert cart_of(answer) == cart_of(final)[:length]
    assert tag_of(accepted[-1]) == tag_of(final)
    changes = [data(answer)["lastChanged"] for answer in accepted]
    assert changes == sorted(changes)


def test_of_64_changes_to_one_version_one_wins(
    any_service: Service, app: TvApp, products: list[str]
) -> None:
    basket = app.guest()
    seen, winners = [basket.call("GET")], []

    for _ in range(ROUNDS):
        known = tag_of(seen[-1])

        def put(number: int, http: PoolManager, known: str = known) -> BaseHTTPResponse:
            one = basket.with_client(http)
            return one.product("POST", products[number], 1, headers={"If-Match": known})

        answers = in_parallel(any_service, THREADS, put)

        assert outcomes(answers) == {(200, None): 1, (412, "PRECONDITION_FAILED"): THREADS - 1}
        (winner,) = [number for number, answer in enumerate(answers) if answer.status == 200]
        winners.append(products[winner])
        current = basket.call("GET")
        assert tag_of(current) == tag_of(answers[winner])
        assert data(current) == data(answers[winner])
        seen.append(current)

    # A thread that wins twice overwrites its own entry: the order is that of the first time.
    assert cart_of(seen[-1]) == [(product, 1) for product in dict.fromkeys(winners)]
    versions = [version_of(answer) for answer in seen]
    assert versions == list(range(versions[0], versions[0] + ROUNDS + 1))
