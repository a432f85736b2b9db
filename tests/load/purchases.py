"""Shoppers that start checkouts and buy, each of them once; ``tests/load/bench.py`` counts them.

What the next request is depends on the last answer, which wrk can't do. Threads send it over
connections that stay open; what they cost themselves, they cost on both sides.
"""

import http.client
import itertools
import json
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple
from urllib.parse import urlsplit

PATIENCE_SECONDS = 60
CARD = "number=4242424242424242"


class Shopper(NamedTuple):
    """A user with a cart, and what its requests carry."""

    user: str
    headers: dict[str, str]


Flow = Callable[[http.client.HTTPConnection, Shopper], None]


class Counted(NamedTuple):
    """What a run has counted.

    :ivar errors: answers that were none.
    """

    per_second: float
    p50_ms: float
    p99_ms: float
    flows: int
    errors: int


class Wrong(Exception):
    """The answer is not the expected one."""


def start(connection: http.client.HTTPConnection, shopper: Shopper) -> str:
    """Start a checkout; return the path at which it is paid."""
    path = f"/v2/baskets/users/{shopper.user}/checkout/sessions"
    answer = _send(connection, path, b"", shopper.headers, 200)
    return str(urlsplit(json.loads(answer)["data"]["psp"]["paymentUrl"]).path)


def begin(connection: http.client.HTTPConnection, shopper: Shopper) -> None:
    """Start a checkout, and no more."""
    start(connection, shopper)


def buy(connection: http.client.HTTPConnection, shopper: Shopper) -> None:
    """Start a checkout, pay at the sandbox, and say so: then there is an order."""
    paying = start(connection, shopper)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    _send(connection, paying, CARD.encode(), form, 303)
    path = f"/v2/baskets/users/{shopper.user}/checkout/sessions/finish-active"
    as_json = {**shopper.headers, "Content-Type": "application/json"}
    answer = _send(connection, path, b'{"ordered": true}', as_json, 200)
    if json.loads(answer)["data"]["cart"]:
        raise Wrong("something is in the cart still")


def run(
    port: int, flow: Flow, shoppers: Iterator[Shopper], threads: int, seconds: float
) -> Counted:
    """Let threads do a flow again and again, each time for the next shopper."""
    taken, took, errors = threading.Lock(), list[float](), list[Exception]()
    ends = time.perf_counter() + seconds

    def work() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
        while (began := time.perf_counter()) < ends:
            with taken:
                shopper = next(shoppers, None)
            if shopper is None:
                errors.append(RuntimeError("there are not enough users for so many purchases"))
                break
            try:
                flow(connection, shopper)
                took.append(time.perf_counter() - began)
            except (OSError, http.client.HTTPException, Wrong) as error:
                errors.append(error)
                connection.close()
        connection.close()

    began = time.perf_counter()
    started = [threading.Thread(target=work) for _ in range(threads)]
    for one in started:
        one.start()
    for one in started:
        one.join()
    lasted = time.perf_counter() - began
    if not took or any(isinstance(error, RuntimeError) for error in errors):
        raise RuntimeError(f"not all could be measured: {errors[:3]}")
    p99 = sorted(took)[int(len(took) * 0.99)] * 1000
    p50 = statistics.median(took) * 1000
    return Counted(len(took) / lasted, p50, p99, len(took), len(errors))


def do_first(port: int, flow: Flow, shoppers: Iterator[Shopper], number: int) -> None:
    """Do a flow a few times, one after the other, so that both sides know how."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
    for shopper in itertools.islice(shoppers, number):
        flow(connection, shopper)
    connection.close()


def _send(
    connection: http.client.HTTPConnection,
    path: str,
    body: bytes,
    headers: dict[str, str],
    expected: int,
) -> bytes:
    connection.request("POST", path, body, headers)
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != expected:
        raise Wrong(f"{path}: {answer.status} {content[:300]!r}")
    return content
