"""``make cluster`` and ``make cluster-test``: the whole topology on this machine.

Without an argument it runs until Ctrl-C. ``test`` lets shoppers use it while new code is released
and its parts are killed and paused, one after the other, and ends with counts; it fails where
anything was lost or done twice, where a request failed that should not have, or a 503 did not say
when to come again. ``CLUSTER_KILLS`` is how often the primary is killed (10).
"""

import argparse
import contextlib
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from playwright.sync_api import Browser

from tests.chaos.__main__ import audit, say
from tests.chaos.buyers import Buyer, audit_orders, orders_of
from tests.chaos.shoppers import Shopper, Tally, Transferrer, feed, shopping
from tests.cluster.parts import Cluster, cluster, until
from tests.cluster.path import browser, walk
from tests.cluster.release import code_of_before, roll_out, says_which
from tests.cluster.witnesses import (
    LIMIT,
    PROCESSES,
    PriceWatcher,
    admitted,
    limited_key,
    stale_standby,
    wait_for_standby_reads,
)
from tests.servers import stopped

SHOPPERS = 3
BACK_SECONDS = 10
"""So long after the primary's death something is written again."""

PAUSE_SECONDS = 5
CALM_SECONDS = 2

_OUTAGE = {"503"}
"""What may be answered while a part is away: with Retry-After, else it is told as wrong."""


class Phases:
    """What happens one after the other, and what may be answered meanwhile."""

    def __init__(self, tally: Tally, apart: Tally) -> None:
        """:param apart: of those without keys, who may be refused in an outage only."""
        self.tally, self.apart = tally, apart
        self.wrong: list[str] = []

    @contextlib.contextmanager
    def phase(self, what: str, allowed: set[str] = frozenset()) -> Iterator[None]:  # type: ignore[assignment]
        """Let something happen, then have a moment without, and print what was answered."""
        before, began = self._answers(), time.monotonic()
        self.tally.longest_outage = 0.0
        yield
        written = self.tally.acknowledged
        until(lambda: self.tally.acknowledged > written, f"{what}: nothing is written again", 60)
        time.sleep(CALM_SECONDS)
        told, others = (
            dict(sorted((now - then).items()))
            for now, then in zip(self._answers(), before, strict=True)
        )
        answered = told.keys() | (set() if allowed else others.keys())
        failed = {status for status in answered if status[0] in "5n"} - allowed
        if failed:
            self.wrong.append(f"{what}: {told}, {others}")
        say(
            f"  {what}: {time.monotonic() - began:.1f} s, longest outage"
            f" {self.tally.longest_outage:.1f} s, answers {told}"
        )

    def _answers(self) -> tuple[Counter[str], Counter[str]]:
        return Counter(self.tally.statuses), Counter(self.apart.statuses)


def kill_primary(parts: Cluster, tally: Tally) -> float:
    """Kill the primary's PostgreSQL; return after how many seconds something was written again."""
    until(parts.is_safe, "no synchronous standby", 120)
    pids = parts.postgres_pids(parts.number_of("leader"))
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    killed = time.monotonic()
    time.sleep(0.5)  # what was on its way back
    before = tally.acknowledged
    until(lambda: tally.acknowledged > before, "nothing is written again", 60)
    return time.monotonic() - killed


def kill_redis(parts: Cluster, key: str, apart: Tally) -> str:
    """Kill Redis, see that each process counts for itself, and start it again."""
    parts.parts["redis"].kill()
    time.sleep(2 * CALM_SECONDS)
    told = admitted(parts, key, apart, PROCESSES * LIMIT)
    parts.parts["redis"].start()
    return told


def kill_node(parts: Cluster) -> None:
    """Kill a node with all its processes, leave it away, and start it again."""
    node = parts.parts["app1"]
    node.kill()
    time.sleep(2 * CALM_SECONDS)
    node.start()
    parts.wait_for_node(1)


def pids_of(parts: Cluster, name: str) -> list[int]:
    """Return the processes of what is to be paused."""
    if name == "patroni":
        return [parts.parts[f"db{parts.number_of('leader')}"].process.pid]
    if name in {"leader", "sync_standby"}:
        return parts.postgres_pids(parts.number_of(name))
    return parts.parts[name].pids


PAUSED = (
    "nginx",
    "app2",
    "worker1",
    "pgbouncer",
    "haproxy",
    "redis",
    "etcd",
    "patroni",
    "sync_standby",
    "leader",
)


def release(parts: Cluster, chromium: Browser, orders: set[str]) -> None:
    """Roll new code out, while people go the way from the TV to an order in browsers.

    :param orders: gets the numbers of theirs.
    """
    with ThreadPoolExecutor(1) as pool:
        rolling, walks = pool.submit(roll_out, parts), 0
        while not rolling.done():
            walks += 1
            orders.add(walk(parts, chromium, f"RELEASE-{walks}"))
        rolling.result()
    say(f"  meanwhile {walks} times from the TV to a paid order, in browsers")


def happen(parts: Cluster, phases: Phases, watcher: PriceWatcher, kills: int) -> list[float]:
    """Let one thing happen after the other; return after how long a new primary took writes."""
    tally, outages = phases.tally, list[float]()
    # What they are told by limits counts apart.
    apart, keys = Tally(), [limited_key(parts) for _ in range(2)]
    with phases.phase("nothing happens"):
        time.sleep(CALM_SECONDS)
        say(f"  limits, counted together: {admitted(parts, keys[0], apart, LIMIT)}")
        read = wait_for_standby_reads(parts)
        say(f"  products were looked up {read} times on the standby meanwhile")
    with phases.phase("the standby's replay paused", _OUTAGE):
        say(f"  {stale_standby(parts, watcher)}")
    with phases.phase("Redis killed"):
        say(f"  limits, without Redis: {kill_redis(parts, keys[1], apart)}")
    with phases.phase("a node killed", _OUTAGE):
        kill_node(parts)
    for number in range(kills):
        with phases.phase(f"primary killed ({number + 1} of {kills})", _OUTAGE):
            outages.append(kill_primary(parts, tally))
    for name in PAUSED:
        until(parts.is_safe, "no synchronous standby", 120)
        paused = f"{name} paused for {PAUSE_SECONDS} s"
        with phases.phase(paused, _OUTAGE), stopped(*pids_of(parts, name)):
            time.sleep(PAUSE_SECONDS)
    phases.wrong += apart.wrong
    phases.wrong += [f"back after {one:.1f} s" for one in outages if one > BACK_SECONDS]
    return outages


def test(kills: int) -> bool:
    """Let all of it happen, print the counts, and tell whether all went well."""
    with code_of_before() as code, cluster(code) as parts, browser() as chromium:
        return _test(parts, chromium, code, kills)


def _test(parts: Cluster, chromium: Browser, code: Path, kills: int) -> bool:
    say(f"{parts.url} is up, with {', '.join(parts.parts)}")
    tally = Tally()
    shoppers = [
        Shopper(parts.url, tally, feed(parts.url, f"CLUSTER-{number}"))
        for number in range(SHOPPERS)
    ]
    # What it is told in an outage counts apart: nobody may send its requests to another node.
    apart = Tally()
    keyless = Shopper(parts.url, apart, feed(parts.url, "CLUSTER-KEYLESS"), sends_keys=False)
    [bought, *_] = feed(parts.url, "CLUSTER-BOUGHT")
    buyer = Buyer(parts.url, tally, bought)
    [priced, *_] = feed(parts.url, "CLUSTER-PRICED")
    watcher = PriceWatcher(parts.url, apart, priced, "CLUSTER-PRICED-0")
    url = parts.database_url.replace("postgresql:", "postgresql+psycopg:")
    others, phases = orders_of(url), Phases(tally, apart)
    people = [*shoppers, keyless, buyer, watcher, Transferrer(parts.url, tally)]
    with shopping(people):
        with phases.phase(f"both nodes and workers released, {says_which(code)}"):
            release(parts, chromium, others)
        outages = happen(parts, phases, watcher, kills)
        others.add(walk(parts, chromium, "AFTERWARDS"))
    with ThreadPoolExecutor(SHOPPERS) as pool:
        list(pool.map(Shopper.replay, shoppers))
    audit(url, shoppers, tally)
    audit(url, [keyless], apart)
    audit_orders(url, [buyer], others, tally)
    say("  from the TV to a paid order in browsers once more, after all of it")
    say(f"  orders paid {len(buyer.orders)}, each refunded in part")
    if outages:
        say(f"  written again {min(outages):.1f} to {max(outages):.1f} s after the primary's death")
    say(
        f"  sent {tally.sent}, acknowledged {tally.acknowledged}, lost {len(tally.lost)},"
        f" done twice {len(tally.doubled)}, answers {dict(sorted(tally.statuses.items()))}"
    )
    say(f"  sent again with their keys {tally.replayed}, and answered as before")
    say(f"  prices read {watcher.reads}, the oldest one {watcher.oldest:.1f} s late")
    say(f"  without a key: sent {apart.sent}, answers {dict(sorted(apart.statuses.items()))}")
    failed = False
    for found in (phases.wrong, tally.lost, tally.doubled, tally.wrong, apart.lost, apart.wrong):
        failed = failed or bool(found)
        for one in found[:10]:
            say(f"  {one}")
    say("something failed" if failed else "no request failed, nothing lost")
    return not failed


def serve() -> None:
    """Run it until Ctrl-C."""
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    with cluster() as parts:
        say(f"{parts.url} (logs in {parts.folder}); Ctrl-C ends it")
        for name, part in parts.parts.items():
            say(f"  {name:<10}{part.process.pid}")
        over.wait()


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    parser.add_argument("what", nargs="?", choices=["test"], help="kill and pause its parts, too")
    if parser.parse_args().what == "test":
        # Whoever ends it does not leave its parts behind.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
        sys.exit(0 if test(int(os.environ.get("CLUSTER_KILLS") or 10)) else 1)
    serve()


if __name__ == "__main__":
    main()
