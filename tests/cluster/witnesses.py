"""Who looks at what the cluster promises beside its writes: prices from the standby, limits."""

import secrets
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from jay.db.standby import LATEST, LOOKED_SECONDS
from tests.chaos.shoppers import PAUSE_SECONDS, Caller, Tally
from tests.cluster.parts import Cluster, until
from tests.e2e.actors import DEMO_BASKET_KEY, DEMO_SHOP_KEY
from tests.servers import stopped

STALE_SECONDS = LATEST.total_seconds() + LOOKED_SECONDS + 1
"""How old a price may be that is read from the standby: workers tell it the time twice a second."""

BACK_READS = 50
"""So many of a standby are none that were only counted late."""

CHANGED_SECONDS = 0.3
LIMIT = 20
ASKED = 100
PROCESSES = 4
"""Of two nodes, two each."""


class PriceWatcher(Caller):
    """A merchant who raises a price again and again, and a reader who must see that in time."""

    def __init__(self, url: str, tally: Tally, product: str, sku: str) -> None:
        super().__init__(url, tally)
        self._product, self.sku = product, sku
        self._acknowledged: list[tuple[float, int]] = []
        self.reads = 0
        self.shown = 0
        self.oldest = 0.0
        key = {"X-API-Key": DEMO_BASKET_KEY}
        guest = self.until_answered("POST", "/v2/baskets/guests", key).json()["data"]
        self._reader = {**key, "Authorization": f"Bearer {guest['token']}"}

    def run(self, over: threading.Event) -> None:
        """Raise and read until told to end."""
        with ThreadPoolExecutor(1) as pool:
            raising = pool.submit(self._raise, over)
            while not over.is_set():
                self._read()
                time.sleep(PAUSE_SECONDS)
            raising.result()

    def _raise(self, over: threading.Event) -> None:
        headers = {"X-API-Key": DEMO_SHOP_KEY}
        for price in range(1_000, 100_000):
            if over.is_set():
                return
            body = {"lang": "de", "country": "DE", "products": [{"sku": self.sku, "price": price}]}
            answer = self.until_answered("PATCH", "/v1/shops/products", headers, body)
            if answer.status != 200:
                self.tally.wrong.append(f"PATCH {answer.status} {answer.data[:300]!r}")
                return
            self._acknowledged.append((time.monotonic(), price))
            time.sleep(CHANGED_SECONDS)

    def _read(self) -> None:
        asked = time.monotonic()
        path = "/v2/baskets/products/details"
        answer = self.once("POST", path, self._reader, [self._product])
        if answer is None or answer.status == 503:
            return
        if answer.status != 200:
            self.tally.wrong.append(f"details {answer.status} {answer.data[:300]!r}")
            return
        [found] = answer.json()["data"]["products"]
        self.reads += 1
        self.shown = found["price"]
        # What came after the price that is shown, and was there when it was asked for.
        later = [moment for moment, price in list(self._acknowledged) if price > found["price"]]
        age = max(0.0, asked - min(later, default=asked))
        self.oldest = max(self.oldest, age)
        if age > STALE_SECONDS:
            self.tally.wrong.append(f"the price {found['price']} is {age:.1f} s old")


def standby_reads(parts: Cluster) -> int:
    """Return how often the standby has looked products up; 0 where its door leads elsewhere."""
    counted = "SELECT sum(idx_scan + seq_scan) FROM pg_stat_user_tables WHERE relname = 'products'"
    return int(parts.sql(f"{counted} AND pg_is_in_recovery()", "standby").strip() or 0)


def stale_standby(parts: Cluster, watcher: PriceWatcher) -> str:
    """Let the standby fall behind, and return how much newer readers see than it shows.

    It gets everything and shows nothing of it. They have to leave it in time, which the watcher
    sees, and to come back when it has caught up.
    """
    number = parts.number_of("sync_standby")
    # HAProxy leads elsewhere from one that is too far behind.
    price, door = f"SELECT price FROM products WHERE sku = '{watcher.sku}'", f"db{number}"
    # Patroni would let one go on that was told to pause.
    with stopped(parts.replaying(number)):
        read = watcher.reads
        time.sleep(2 * STALE_SECONDS)
        stale, shown, read = int(parts.sql(price, door)), watcher.shown, watcher.reads - read
    if shown <= stale or not read:
        watcher.tally.wrong.append(f"{read} reads of a standby that stands still: {stale}, {shown}")
    wait_for_standby_reads(parts)
    return f"{read} prices read meanwhile, the last one {shown} where the standby shows {stale}"


def wait_for_standby_reads(parts: Cluster) -> int:
    """Wait until the standby is asked, and return how often it was meanwhile."""
    before = standby_reads(parts)
    until(lambda: standby_reads(parts) > before + BACK_READS, "nothing is read from the standby")
    return standby_reads(parts) - before


def limited_key(parts: Cluster) -> str:
    """Make a partner who may have so many guests a minute, and return its API key."""
    name = f"limited-{secrets.token_hex(4)}"
    add = ("partner", "add", name, "--limit", f"guests={LIMIT}")
    return parts.flask(add, ("key", "issue", "--partner", name))[-1].strip()


def admitted(parts: Cluster, key: str, tally: Tally, most: int) -> str:
    """Ask for more guests than a partner may have, and return how many were made.

    :param most: how many may be made, of all processes together.
    """
    caller = Caller(parts.url, tally)

    def ask(_number: int) -> Any:
        return caller.once("POST", "/v2/baskets/guests", {"X-API-Key": key})

    with ThreadPoolExecutor(PROCESSES) as pool:
        answers = list(pool.map(ask, range(ASKED)))
    statuses = [0 if answer is None else answer.status for answer in answers]
    made, refused = statuses.count(200), statuses.count(429)
    told = f"{made} of {ASKED} guests made where {LIMIT} may be, {refused} refused"
    silent = [one for one in answers if one is not None and one.status == 429
              and not {"Retry-After", "RateLimit"} <= one.headers.keys()]  # fmt: skip
    if not LIMIT <= made <= most or made + refused != ASKED or silent:
        tally.wrong.append(f"{told}, {len(silent)} without saying when")
    return told
