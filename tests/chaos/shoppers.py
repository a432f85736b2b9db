"""Who uses the service while faults happen, and keeps a ledger of what it was told."""

import contextlib
import secrets
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol
from urllib.parse import quote

import urllib3
from urllib3 import BaseHTTPResponse, PoolManager
from urllib3.exceptions import HTTPError

from tests.e2e.actors import DEMO_BASKET_KEY, DEMO_SHOP_KEY

PRODUCTS = 20
"""As many as a cart holds."""

MOST_COUNT = 900
PAUSE_SECONDS = 0.05
ASK_SECONDS = 30
GIVE_UP_SECONDS = 180
"""So long nothing that is let happen may last."""


@dataclass
class Tally:
    """What all of them have seen."""

    sent: int = 0
    acknowledged: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    replayed: int = 0
    longest_outage: float = 0.0
    _last: float | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def heard(self, status: str) -> None:
        """Count an answer, or the lack of one."""
        with self._lock:
            self.sent += 1
            self.statuses[status] += 1

    def done(self) -> None:
        """Count what was acknowledged."""
        with self._lock:
            now = time.monotonic()
            self.acknowledged += 1
            self.longest_outage = max(self.longest_outage, now - (self._last or now))
            self._last = now


class Caller:
    """Sends requests, again and again until there is an answer that says something."""

    def __init__(self, url: str, tally: Tally) -> None:
        self.url, self.tally = url, tally
        timeout = urllib3.Timeout(total=ASK_SECONDS)
        self._http = PoolManager(retries=False, timeout=timeout)

    def once(self, method: str, path: str, headers: dict[str, str], body: Any = None) -> Any:
        """Send a request; None when there is no answer."""
        try:
            answer = self._http.request(method, self.url + path, headers=headers, json=body)
        except HTTPError:
            self.tally.heard("none")
            return None
        self._note(answer, f"{method} {path}")
        return answer

    def form(self, path: str, fields: dict[str, str]) -> BaseHTTPResponse | None:
        """Send a page's form, and do not go where its answer leads to."""
        try:
            answer = self._http.request(
                "POST", self.url + path, fields=fields, encode_multipart=False, redirect=False
            )
        except HTTPError:
            self.tally.heard("none")
            return None
        self._note(answer, f"POST {path[:16]}")
        return answer

    def _note(self, answer: BaseHTTPResponse, what: str) -> None:
        self.tally.heard(str(answer.status))
        if answer.status == 503 and "Retry-After" not in answer.headers:
            self.tally.wrong.append(f"{what}: 503 without Retry-After {answer.data[:300]!r}")
        if answer.status == 500:
            identifier = answer.headers.get("X-Request-ID")
            self.tally.wrong.append(f"{what} {identifier} {answer.data[:300]!r}")

    def until_answered(
        self, method: str, path: str, headers: dict[str, str], body: Any = None
    ) -> BaseHTTPResponse:
        """Repeat a request until it succeeds or is refused for good.

        :raises RuntimeError: neither happens.
        """
        end = time.monotonic() + GIVE_UP_SECONDS
        while time.monotonic() < end:
            answer: BaseHTTPResponse | None = self.once(method, path, headers, body)
            if answer is not None and not _says_again(answer):
                return answer
            time.sleep(PAUSE_SECONDS)
        raise RuntimeError(f"{method} {path}: not answered for {GIVE_UP_SECONDS} s")


def _says_again(answer: BaseHTTPResponse) -> bool:
    # A guest's token is of the future while the clock is wrong: 401.
    if answer.status in {401, 500, 503}:
        return True
    return answer.status == 409 and answer.json()["error"]["details"] == "IDEMPOTENCY_IN_FLIGHT"


class Acknowledged(NamedTuple):
    """A change that was made, and what it was answered with."""

    path: str
    headers: dict[str, str]
    body: Any
    data: bytes
    etag: str


def _version(etag: str) -> int:
    return int(etag.strip('"').rpartition("-")[2])


class Shopper(Caller):
    """Changes a basket of its own, each time to what it has never been."""

    def __init__(
        self, url: str, tally: Tally, products: list[str], *, sends_keys: bool = True
    ) -> None:
        """:param sends_keys: without, what was sent again may be done again."""
        super().__init__(url, tally)
        self.products, self.sends_keys = products, sends_keys
        self.ledger: dict[str, int] = {}
        self._acknowledged: list[Acknowledged] = []
        self.written: Counter[tuple[str, int]] = Counter()
        key = {"X-API-Key": DEMO_BASKET_KEY}
        again = {"Idempotency-Key": secrets.token_urlsafe(16)}
        guest = self.until_answered("POST", "/v2/baskets/guests", {**key, **again}).json()["data"]
        self._path = f"/v2/baskets/users/{guest['userId']}"
        self._headers = {**key, "Authorization": f"Bearer {guest['token']}"}

    def run(self, over: threading.Event) -> None:
        """Write, and read what was written, until told to end."""
        turn = 0
        while not over.is_set():
            product, count = self.products[turn % PRODUCTS], turn // PRODUCTS % MOST_COUNT + 1
            self._write(product, count)
            turn += 1
            if turn % 3 == 0:
                self.check()

    def _write(self, product: str, count: int) -> None:
        headers = {**self._headers, **(fresh() if self.sends_keys else {})}
        path = f"{self._path}/products/{quote(product, safe='')}"
        answer = self.until_answered("POST", path, headers, {"count": count})
        if answer.status != 200:
            self.tally.wrong.append(f"POST {answer.status} {answer.data[:300]!r}")
            return
        self.ledger[product] = count
        self.written[product, count] += 1
        if self.sends_keys:
            etag = answer.headers["ETag"]
            self._acknowledged.append(
                Acknowledged(path, headers, {"count": count}, answer.data, etag)
            )
        self.tally.done()

    def check(self) -> None:
        """Compare the basket with the ledger."""
        answer = self.until_answered("GET", self._path, self._headers)
        cart = {line["productId"]: line["count"] for line in answer.json()["data"]["cart"]}
        if cart != self.ledger:
            self.tally.lost.append(f"{self._path}: {set(self.ledger.items()) ^ set(cart.items())}")
        if self._acknowledged:
            # The first version is the empty basket, and each change makes another one.
            changes, writes = _version(answer.headers["ETag"]) - 1, self.written.total()
            where = self.tally.lost if changes < writes else self.tally.doubled
            if changes != writes:
                where.append(f"{self._path}: {changes} changes instead of {writes}")

    def replay(self, last: int = 0) -> None:
        """Send the log's changes again, each with its key: they are answered as before.

        :param last: so many of them, 0 for all.
        """
        for done in self._acknowledged[-last:]:
            again = self.until_answered("POST", done.path, done.headers, done.body)
            if (again.status, again.data, again.headers["ETag"]) != (200, done.data, done.etag):
                self.tally.doubled.append(
                    f"{done.path} with the same key: {again.status} {again.headers.get('ETag')}"
                    f" instead of {done.etag}"
                )
        self.tally.replayed += len(self._acknowledged[-last:])
        self.check()


class Transferrer(Caller):
    """Offers baskets to two shops at once: one of them gets each."""

    def run(self, over: threading.Event) -> None:
        """Offer and take over until told to end."""
        while not over.is_set():
            self._transfer()

    def _transfer(self) -> None:
        key = {"X-API-Key": DEMO_BASKET_KEY}
        made = self.until_answered("POST", "/v2/baskets/guests", {**key, **fresh()}).json()["data"]
        mine = {**key, "Authorization": f"Bearer {made['token']}"}
        path = f"/v2/baskets/users/{made['userId']}/transfer"
        offer = self.until_answered("POST", path, {**mine, **fresh()})
        if offer.status != 200:
            self.tally.wrong.append(f"transfer {offer.status} {offer.data[:300]!r}")
            return
        token = offer.json()["data"]["jayToken"]
        redeem = f"/v2/baskets/guests?jayToken={token}"
        with ThreadPoolExecutor(2) as pool:
            keys = [{**key, **fresh()} for _ in range(2)]
            answers = list(pool.map(lambda one: self.until_answered("POST", redeem, one), keys))
        won = [answer.json()["data"] for answer in answers if answer.status == 200]
        if len(won) > 1:
            self.tally.doubled.append(f"a transfer was claimed {len(won)} times")
        for guest in won:
            opened = {**key, "Authorization": f"Bearer {guest['token']}"}
            found = self.until_answered("GET", f"/v2/baskets/users/{guest['userId']}", opened)
            if found.status != 200:
                self.tally.lost.append(f"a claimed basket answers {found.status}")
            self.tally.done()


def fresh() -> dict[str, str]:
    """Return a new Idempotency-Key."""
    return {"Idempotency-Key": secrets.token_urlsafe(16)}


def feed(url: str, sku: str) -> list[str]:
    """Have a merchant with as many products as a cart holds, and return their ids."""
    variants = [{"sku": f"{sku}-{n}", "value": str(n), "type": "number"} for n in range(PRODUCTS)]
    body = {"sku": sku, "name": "Card", "lang": "de", "country": "DE", "currency": "EUR", "vat": 19}
    answer = PoolManager(retries=False).request(
        "POST",
        f"{url}/v1/shops/products",
        headers={"X-API-Key": DEMO_SHOP_KEY},
        json={**body, "price": 100, "stockCount": 100_000, "variants": variants},
    )
    return [variant["productId"] for variant in answer.json()["data"]["variants"]]


class Working(Protocol):
    """Somebody who goes on until told to end."""

    def run(self, over: threading.Event) -> None:
        """Work until then."""


@contextlib.contextmanager
def shopping(workers: Sequence[Working]) -> Any:
    """Let all of them work until the block ends, and wait for them."""
    over = threading.Event()
    with ThreadPoolExecutor(len(workers)) as pool:
        running = [pool.submit(worker.run, over) for worker in workers]
        try:
            yield
        finally:
            over.set()
        for one in running:
            one.result()
