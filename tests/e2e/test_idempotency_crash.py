"""A worker is killed in the middle of a POST; the client repeats it: exactly one effect."""

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import create_engine, func, select
from urllib3 import BaseHTTPResponse
from urllib3.exceptions import HTTPError

from jay.web.stored_answers import LEASE
from tests.clock import PATIENCE_SECONDS
from tests.conftest import new_postgres_database
from tests.e2e.actors import DEMO_BASKET_KEY, DEMO_SHOP_KEY, Merchant, TvApp, data, http_client
from tests.e2e.service import Service, running

AT_ONCE = ("before the work", "after the work", "before the commit", "after the commit")
IN_STEPS = (
    *("before the work", "in a step", "after the work"),
    *("before the commit", "after the commit"),
)
REPLAYED = "Idempotency-Replayed"


# --- inside of the service: a worker that stops where the test wants it ---


def stopping_app() -> Flask:
    """Make the service, with workers that stop at the moment that a file names."""
    from jay import create_app, make_ready
    from jay.web import blueprint, idempotency, stored_answers
    from tests.e2e.moved_app import moved_clock

    order = Path(os.environ["JAY_DATA_DIR"]) / "stop"

    def stop(moment: str) -> None:
        if order.exists() and order.read_text() == moment:
            # Whoever takes the order away stops: the repetition finds none.
            order.rename(order.with_name(f"stopped-{os.getpid()}"))
            time.sleep(PATIENCE_SECONDS)

    def stopping(holder: Any, name: str, *, before: str = "", after: str = "") -> None:
        real = getattr(holder, name)

        def stopped(*args: Any, **kwargs: Any) -> Any:
            stop(before)
            made = real(*args, **kwargs)
            stop(after)
            return made

        setattr(holder, name, stopped)

    for name in ("_answer_of", "_stepwise_answer_of"):
        stopping(idempotency, name, before="before the work", after="after the work")
    stopping(stored_answers, "record", after="in a step")
    for name in ("store", "finish"):
        stopping(stored_answers, name, after="before the commit")
    stopping(blueprint.idempotency, "do", after="after the commit")
    return make_ready(create_app(clock=moved_clock))


# --- outside ---


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def service(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    url = None
    if request.param == "postgresql":
        url = new_postgres_database(request.getfixturevalue("postgres"), "jay_e2e_crash")
    folder = tmp_path_factory.mktemp("stopping_service")
    app = "tests.e2e.test_idempotency_crash:stopping_app()"
    with running(folder, database_url=url, app=app) as started:
        yield started


def folder_of(service: Service) -> Path:
    return Path(service.environ["JAY_TEST_CLOCK"]).parent


def kill_the_stopped_worker(service: Service) -> None:
    """Wait until a worker has stopped where it was told to, and kill it like a crash does."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        for mark in folder_of(service).glob("stopped-*"):
            pid = int(mark.name.removeprefix("stopped-"))
            assert parent_of(pid) == service.gunicorn._process.pid
            os.kill(pid, signal.SIGKILL)
            mark.unlink()
            return
        time.sleep(0.01)
    raise AssertionError("no worker came to that moment")


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])


def until_answered(send: Any) -> BaseHTTPResponse:
    """Repeat a request as a client does: until there is an answer that is final."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            answer: BaseHTTPResponse = send()
        except HTTPError:
            time.sleep(0.05)
            continue
        # In flight, until the server has noticed that the killed worker is gone; or busy.
        if answer.status not in {409, 503}:
            return answer
        assert answer.headers["Retry-After"] == "1"
        time.sleep(0.05)
    raise AssertionError("the service does not come back")


def interrupted(service: Service, moment: str, send: Any) -> BaseHTTPResponse:
    """Send a request whose worker dies at the moment, and then again until it is answered."""
    service.move_clock(0)
    (folder_of(service) / "stop").write_text(moment)
    with ThreadPoolExecutor(1) as pool:
        lost = pool.submit(send)
        kill_the_stopped_worker(service)
        with pytest.raises(HTTPError):
            lost.result(PATIENCE_SECONDS)
    # A request in steps is taken for dead when its lease is over.
    service.move_clock(LEASE.total_seconds())
    return until_answered(send)


def count(service: Service, table: str) -> int:
    from jay.db.types import metadata

    engine = create_engine(service.database_url)
    with engine.connect() as connection:
        found = connection.execute(select(func.count()).select_from(metadata.tables[table]))
        number = int(found.scalar_one())
    engine.dispose()
    return number


def counts(service: Service) -> dict[str, int]:
    tables = ("baskets", "transfers", "events", "idempotency_keys")
    return {table: count(service, table) for table in tables}


def added(service: Service, before: dict[str, int]) -> dict[str, int]:
    return {table: number - before[table] for table, number in counts(service).items()}


@pytest.fixture
def app(service: Service) -> TvApp:
    return TvApp(service, DEMO_BASKET_KEY)


@pytest.fixture
def mug(service: Service) -> str:
    stored = Merchant(service, DEMO_SHOP_KEY).post("CRASH", "Becher", price=500, stockCount=9)
    return stored["CRASH"]


@pytest.mark.parametrize("moment", IN_STEPS)
def test_a_guest_is_made_once(moment: str, service: Service, app: TvApp, mug: str) -> None:
    before, key = counts(service), {"Idempotency-Key": f"a new guest {moment}".replace(" ", "-")}
    body = {"products": [{"productId": mug, "count": 2}]}

    def send() -> BaseHTTPResponse:
        there = TvApp(service, app.key, http_client())
        return there.call("POST", "/v2/baskets/guests", json=body, headers=key)

    answer = interrupted(service, moment, send)

    assert data(answer)["basket"]["cart"] == [{"productId": mug, "count": 2}]
    assert (answer.headers.get(REPLAYED) == "true") == (moment == "after the commit")
    assert added(service, before) == {
        "baskets": 1,
        "transfers": 0,
        "events": 1,
        "idempotency_keys": 1,
    }
    again = send()
    assert (again.data, again.headers[REPLAYED]) == (answer.data, "true")
    assert added(service, before)["baskets"] == 1


@pytest.mark.parametrize("moment", AT_ONCE)
def test_a_product_is_put_in_once(moment: str, service: Service, app: TvApp, mug: str) -> None:
    basket, key = app.guest(), {"Idempotency-Key": f"put {moment}".replace(" ", "-")}
    before = counts(service)

    def send() -> BaseHTTPResponse:
        return basket.with_client(http_client()).product("POST", mug, 3, headers=key)

    answer = interrupted(service, moment, send)

    assert data(answer)["cart"] == [{"productId": mug, "count": 3}]
    assert added(service, before) == {
        "baskets": 0,
        "transfers": 0,
        "events": 1,
        "idempotency_keys": 1,
    }
    # Its version has grown by one: whoever holds the tag of before can tell.
    version = int(basket.call("GET").headers["ETag"].strip('"').rsplit("-", 1)[1])
    assert version == 2


@pytest.mark.parametrize("moment", IN_STEPS)
def test_a_transfer_is_offered_once_with_its_picture(
    moment: str, service: Service, app: TvApp, mug: str
) -> None:
    basket, key = app.guest((mug, 2)), {"Idempotency-Key": f"offer {moment}".replace(" ", "-")}
    before = counts(service)

    def send() -> BaseHTTPResponse:
        return basket.with_client(http_client()).call("POST", "/transfer?qr=true", headers=key)

    answer = interrupted(service, moment, send)

    assert data(answer)["qrCodeImageBase64"]
    assert added(service, before) == {
        "baskets": 0,
        "transfers": 1,
        "events": 1,
        "idempotency_keys": 1,
    }
    assert data(app.redeem(data(answer)["jayToken"]))["basket"]["cart"]


@pytest.mark.parametrize("moment", IN_STEPS)
def test_a_transfer_is_claimed_once_and_its_claimer_gets_the_credentials(
    moment: str, service: Service, app: TvApp, mug: str
) -> None:
    service.move_clock(0)  # an offer from ahead of it would be refused
    basket = app.guest((mug, 2))
    offer, key = basket.transfer(), {"Idempotency-Key": f"the claim {moment}".replace(" ", "-")}
    before = counts(service)

    def send() -> BaseHTTPResponse:
        return TvApp(service, app.key, http_client()).redeem(offer["jayToken"], **key)

    answer = interrupted(service, moment, send)

    assert data(answer)["basket"]["cart"] == [{"productId": mug, "count": 2}]
    assert added(service, before) == {
        "baskets": 0,
        "transfers": 0,
        "events": 1,
        "idempotency_keys": 1,
    }
    assert app.redeem(offer["jayToken"]).status == 409
    assert (
        app.redeem(offer["jayToken"], **{"Idempotency-Key": f"other-{basket.user_id}"}).status
        == 409
    )
