"""Many at once, and a process that dies: against gunicorn with two workers, on both databases."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey
from sqlalchemy import create_engine, func, select
from urllib3 import BaseHTTPResponse, PoolManager
from urllib3.exceptions import HTTPError

from jay.baskets.models import baskets
from tests.clock import PATIENCE_SECONDS, wait_until
from tests.depth import few_or_all
from tests.e2e.actors import (
    DEMO_BASKET_KEY,
    DEMO_SHOP_KEY,
    BasketOfUser,
    Merchant,
    TvApp,
    data,
    error_of,
    http_client,
)
from tests.e2e.service import Service
from tests.servers import WORKERS

Result = TypeVar("Result")
MOST_RETRIES = 5_000
WRITES_BETWEEN_KILLS = few_or_all(60, 200)


def in_parallel(
    service: Service, many: int, work: Callable[[int, PoolManager], Result]
) -> list[Result]:
    """Let so many threads work at once, each over a connection of its own that is open already."""
    barrier = threading.Barrier(many)

    def run(number: int) -> Result:
        http = http_client()
        assert http.request("GET", f"{service.url}/healthz").status == 200
        barrier.wait(PATIENCE_SECONDS)
        return work(number, http)

    with ThreadPoolExecutor(many) as pool:
        return list(pool.map(run, range(many)))


def outcomes(answers: list[BaseHTTPResponse]) -> dict[tuple[int, object], int]:
    """Count the answers by status and, for refusals, constant."""
    found: dict[tuple[int, object], int] = {}
    for answer in answers:
        outcome = (200, None) if answer.status == 200 else error_of(answer)
        found[outcome] = found.get(outcome, 0) + 1
    return found


def feed(service: Service, sku: str, many: int) -> list[str]:
    """Have a merchant with so many products, as variants of one, and return their ids."""
    variants = [{"sku": f"{sku}-{n}", "value": str(n), "type": "number"} for n in range(many)]
    merchant = Merchant(service, DEMO_SHOP_KEY)
    ids = merchant.post(sku, "Sammelkarte", price=100, stockCount=999, variants=variants)
    return [ids[variant["sku"]] for variant in variants]


@pytest.fixture
def app(any_service: Service) -> TvApp:
    """The TV app of the demo partner."""
    return TvApp(any_service, DEMO_BASKET_KEY)


def test_of_fifty_claims_one_wins_and_can_repeat(any_service: Service, app: TvApp) -> None:
    (product,) = feed(any_service, "CLAIMED", 1)
    basket = app.guest((product, 3))
    token = basket.transfer()["jayToken"]

    def claim(number: int, http: PoolManager) -> BaseHTTPResponse:
        claimant = TvApp(any_service, app.key, http)
        return claimant.redeem(token, **{"Idempotency-Key": f"phone-0123456789-{number}"})

    answers = in_parallel(any_service, 50, claim)

    assert outcomes(answers) == {(200, None): 1, (409, "TRANSFER_CLAIMED"): 49}
    (winner,) = [number for number, answer in enumerate(answers) if answer.status == 200]
    won = data(answers[winner])
    assert data(app.redeem(token, **{"Idempotency-Key": f"phone-0123456789-{winner}"})) == won
    loser = app.redeem(token, **{"Idempotency-Key": f"phone-0123456789-{(winner + 1) % 50}"})
    assert error_of(loser) == (409, "TRANSFER_CLAIMED")
    taken = BasketOfUser(app, won["userId"], won["token"])
    data(taken.product("PATCH", product, 4))
    assert basket.cart() == taken.cart() == {product: 4}


def test_forty_products_at_once_never_overfill_the_cart(any_service: Service, app: TvApp) -> None:
    products = feed(any_service, "FORTY", 40)
    basket = app.guest()

    answers = in_parallel(
        any_service,
        40,
        lambda number, http: basket.with_client(http).product("POST", products[number], 1),
    )

    assert outcomes(answers) == {(200, None): 20, (409, "CART_FULL"): 20}
    accepted = {products[n] for n, answer in enumerate(answers) if answer.status == 200}
    assert basket.cart() == dict.fromkeys(accepted, 1)


def test_twenty_first_requests_make_one_basket(any_service: Service, tmp_path: Path) -> None:
    key_pair = ECKey.generate_key("P-256", {"kid": "first"})
    pem = tmp_path / "partner.pem"
    pem.write_bytes(key_pair.as_pem(private=False))
    app = TvApp(any_service, any_service.add_partner("first-kino", "--public-key", str(pem)))
    claims = {"sub": "a-first-user", "exp": int(time.time()) + 600}
    user = BasketOfUser(app, "a-first-user", jwt.encode({"alg": "ES256"}, claims, key_pair))
    products = feed(any_service, "FIRST", 10)

    def first(number: int, http: PoolManager) -> BaseHTTPResponse:
        one = user.with_client(http)
        if number % 2:
            return one.product("POST", products[number // 2], 1)
        return one.call("GET")

    answers = in_parallel(any_service, 20, first)

    assert outcomes(answers) == {(200, None): 20}
    assert user.cart() == dict.fromkeys(products, 1)
    engine = create_engine(any_service.database_url)
    with engine.connect() as connection:
        rows = select(func.count()).where(baskets.c.user_id == "a-first-user")
        assert connection.execute(rows).scalar_one() == 1
    engine.dispose()


def test_thirty_changes_of_one_product_happen_one_after_the_other(
    any_service: Service, app: TvApp
) -> None:
    (product,) = feed(any_service, "THIRTY", 1)
    basket = app.guest((product, 500))

    def change(number: int, http: PoolManager) -> BaseHTTPResponse:
        one = basket.with_client(http)
        if number % 3 == 2:
            return one.product("DELETE", product)
        # Every tenth saves it for later, every other puts a count in the cart.
        count = 0 if number % 10 == 0 else number + 1
        return one.product("POST" if number % 3 == 0 else "PATCH", product, count)

    answers = in_parallel(any_service, 30, change)

    acknowledged = [answer for answer in answers if answer.status == 200]
    refused = [error_of(answer) for answer in answers if answer.status != 200]
    assert set(refused) <= {(404, "NOT_IN_BASKET")}
    # Each answer shows a state of its own, and the newest of them is the one that stays.
    versions = {int(answer.headers["ETag"].strip('"').rsplit("-", 1)[1]) for answer in acknowledged}
    assert len(versions) == len(acknowledged)
    newest = max(acknowledged, key=lambda a: int(a.headers["ETag"].strip('"').rsplit("-", 1)[1]))
    final = basket.call("GET")
    assert data(final) == data(newest)
    assert final.headers["ETag"] == newest.headers["ETag"]
    for answer in acknowledged:
        lists = [*data(answer)["cart"], *data(answer)["saved"]]
        assert [entry["productId"] for entry in lists] in ([], [product])


def test_of_ten_transfers_of_one_basket_one_lives(any_service: Service, app: TvApp) -> None:
    (product,) = feed(any_service, "TEN", 1)
    basket = app.guest((product, 1))

    offers = in_parallel(any_service, 10, lambda _number, http: basket.with_client(http).transfer())

    states = [data(app.http.request("GET", offer["statusUrl"]))["state"] for offer in offers]
    assert sorted(states) == ["cancelled"] * 9 + ["pending"]
    (living,) = [o for o, state in zip(offers, states, strict=True) if state == "pending"]
    for offer in offers:
        if offer is not living:
            assert error_of(app.redeem(offer["jayToken"])) == (410, "TRANSFER_CANCELLED")
    data(app.redeem(living["jayToken"]))


def kill(workers: list[int], acknowledged: threading.Semaphore) -> None:
    """Kill one after the other, and let shoppers write before each, and after the last one."""
    for worker in [*workers, None]:
        for _ in range(WRITES_BETWEEN_KILLS):
            assert acknowledged.acquire(timeout=PATIENCE_SECONDS), "the service does not come back"
        if worker is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)


def test_no_acknowledged_write_is_lost_when_workers_are_killed(
    any_service: Service, app: TvApp
) -> None:
    products = feed(any_service, "KILLED", 20)
    over, acknowledged, cut_off = threading.Event(), threading.Semaphore(0), threading.Event()

    def shop(_number: int, http: PoolManager) -> tuple[BasketOfUser, dict[str, int]]:
        """Write until told to end; repeat what was not acknowledged, keep a ledger of what was."""
        basket = app.guest().with_client(http)
        ledger: dict[str, int] = {}
        turn = lost = 0
        while not over.is_set():
            product, count = products[turn % 20], turn // 20 % 900 + 1
            while True:
                try:
                    data(basket.product("POST", product, count))
                    break
                except HTTPError:
                    cut_off.set()
                    lost += 1
                    assert lost < MOST_RETRIES, "the service does not come back"
                    time.sleep(0.01)
            ledger[product] = count
            turn += 1
            acknowledged.release()
        return basket, ledger

    def kill_until_one_was_at_work() -> None:
        try:
            kill(before, acknowledged)
            while not cut_off.is_set():  # where answers are quick, all may have been at rest
                kill(any_service.gunicorn.workers(), acknowledged)
        finally:
            over.set()

    before = any_service.gunicorn.workers()
    killer = threading.Thread(target=kill_until_one_was_at_work)
    killer.start()
    try:
        shoppers = in_parallel(any_service, 8, shop)
    finally:
        killer.join()

    # The master notices a moment later that one has ended, where the other one goes on to answer.
    wait_until(lambda: len(set(any_service.gunicorn.workers()) - set(before)) == WORKERS)
    for basket, ledger in shoppers:
        assert ledger
        assert basket.with_client(app.http).cart() == ledger


def test_of_a_hundred_shoppers_ten_get_the_last_ten(any_service: Service, app: TvApp) -> None:
    merchant = Merchant(any_service, DEMO_SHOP_KEY)
    product = merchant.post("LAST-TEN", "Sammelkarte", price=100, stockCount=10)["LAST-TEN"]
    at_once, each = 20, 5
    shoppers = [app.guest((product, 1)) for _ in range(at_once * each)]

    def buy(number: int, http: PoolManager) -> list[BaseHTTPResponse]:
        mine = shoppers[number * each : (number + 1) * each]
        return [one.with_client(http).call("POST", "/checkout/sessions") for one in mine]

    answers = [answer for some in in_parallel(any_service, at_once, buy) for answer in some]

    assert sorted(answer.status for answer in answers) == [200] * 10 + [409] * 90
    told = [answer.json()["error"]["details"] for answer in answers if answer.status == 409]
    assert told == [[{"product": product, "reason": "OUT_OF_STOCK"}]] * 90
    won = next(number for number, answer in enumerate(answers) if answer.status == 200)
    lost = next(number for number, answer in enumerate(answers) if answer.status == 409)
    assert (shoppers[won].cart(), shoppers[lost].cart()) == ({}, {product: 1})
    asked = app.call(
        "POST", "/v2/baskets/products/details", token=shoppers[0].token, json=[product]
    )
    assert data(asked)["products"][0]["currentStockCount"] == 0
