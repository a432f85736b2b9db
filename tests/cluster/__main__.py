"""``make cluster`` and ``make cluster-test``: the whole topology on this machine.

Without an argument it runs until Ctrl-C. ``test`` lets shoppers use it while its parts are started
anew, killed and paused, one after the other, and ends with counts; it fails where anything was
lost or done twice, or where a request failed that should not have. ``CLUSTER_KILLS`` is how often
the primary is killed (10).
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator

from tests.chaos.__main__ import audit, say
from tests.chaos.buyers import Buyer, audit_orders, orders_of
from tests.chaos.shoppers import Shopper, Tally, Transferrer, feed, shopping
from tests.cluster.parts import Cluster, cluster, until
from tests.servers import stopped

SHOPPERS = 3
BACK_SECONDS = 10
"""So long after the primary's death something is written again."""

LEFT_ALONE_SECONDS = 3
"""So long nginx may ask nothing of a node that was away (fail_timeout, and a second more)."""

PAUSE_SECONDS = 5
CALM_SECONDS = 2

_OUTAGE = {"503", "none"}
"""What may be answered while a part is away."""


class Phases:
    """What happens one after the other, and what may be answered meanwhile."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally
        self.wrong: list[str] = []

    @contextlib.contextmanager
    def phase(self, what: str, allowed: set[str] = frozenset()) -> Iterator[None]:  # type: ignore[assignment]
        """Let something happen, then have a moment without, and print what was answered."""
        before, began = Counter(self.tally.statuses), time.monotonic()
        self.tally.longest_outage = 0.0
        yield
        written = self.tally.acknowledged
        until(lambda: self.tally.acknowledged > written, f"{what}: nothing is written again", 60)
        time.sleep(CALM_SECONDS)
        answers = Counter(self.tally.statuses)
        answers.subtract(before)
        told = {status: count for status, count in sorted(answers.items()) if count}
        failed = {status for status in told if status[0] in "5n"} - allowed
        if failed:
            self.wrong.append(f"{what}: {told}")
        say(
            f"  {what}: {time.monotonic() - began:.1f} s, longest outage"
            f" {self.tally.longest_outage:.1f} s, answers {told}"
        )


def rolling_restart(parts: Cluster) -> None:
    """Start both nodes anew, with a change of the tables between, as an upgrade does."""
    _sql(parts, "ALTER TABLE baskets ADD COLUMN later integer")
    for number in (1, 2):
        node = parts.parts[f"app{number}"]
        node.stop()
        node.start()
        parts.wait_for_node(number)
        time.sleep(LEFT_ALONE_SECONDS)
    _sql(parts, "ALTER TABLE baskets DROP COLUMN later")


def _sql(parts: Cluster, statement: str) -> None:
    subprocess.run(["psql", parts.database_url, "-qc", statement], check=True, capture_output=True)


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


def kill_redis(parts: Cluster) -> None:
    """Kill Redis, leave it away, and start it again."""
    parts.parts["redis"].kill()
    time.sleep(2 * CALM_SECONDS)
    parts.parts["redis"].start()


def kill_node(parts: Cluster) -> None:
    """Kill a node with all its processes, leave it away, and start it again."""
    node = parts.parts["app1"]
    node.kill()
    time.sleep(2 * CALM_SECONDS)
    node.start()
    parts.wait_for_node(1)


def pids_of(parts: Cluster, name: str) -> list[int]:
    """Return the processes of what is to be paused."""
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
    "sync_standby",
    "leader",
)


def test(kills: int) -> bool:
    """Let all of it happen, print the counts, and tell whether all went well."""
    tally = Tally()
    with cluster() as parts:
        say(f"{parts.url} is up, with {', '.join(parts.parts)}")
        shoppers = [
            Shopper(parts.url, tally, feed(parts.url, f"CLUSTER-{number}"))
            for number in range(SHOPPERS)
        ]
        # What it is told in an outage counts apart: nobody may send its requests to another node.
        apart = Tally()
        keyless = Shopper(parts.url, apart, feed(parts.url, "CLUSTER-KEYLESS"), sends_keys=False)
        [bought, *_] = feed(parts.url, "CLUSTER-BOUGHT")
        buyer = Buyer(parts.url, tally, bought)
        url = parts.database_url.replace("postgresql:", "postgresql+psycopg:")
        before = orders_of(url)
        phases, outages = Phases(tally), list[float]()
        with shopping([*shoppers, keyless, buyer, Transferrer(parts.url, tally)]):
            with phases.phase("nothing happens"):
                time.sleep(CALM_SECONDS)
            with phases.phase("both nodes started anew, with a migration"):
                rolling_restart(parts)
            with phases.phase("Redis killed"):
                kill_redis(parts)
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
        audit(url, shoppers, tally)
        audit(url, [keyless], apart)
        audit_orders(url, [buyer], before, tally)
        late = [f"{seconds:.1f} s" for seconds in outages if seconds > BACK_SECONDS]
    say(f"  orders paid {len(buyer.orders)}, each refunded in part")
    if outages:
        say(f"  written again {min(outages):.1f} to {max(outages):.1f} s after the primary's death")
    say(
        f"  sent {tally.sent}, acknowledged {tally.acknowledged}, lost {len(tally.lost)},"
        f" done twice {len(tally.doubled)}, answers {dict(sorted(tally.statuses.items()))}"
    )
    say(f"  without a key: sent {apart.sent}, answers {dict(sorted(apart.statuses.items()))}")
    found = [*apart.lost, *apart.wrong]
    found += [*tally.lost, *tally.doubled, *tally.wrong, *phases.wrong, *late]
    for one in found[:20]:
        say(f"  {one}")
    say("something failed" if found else "no request failed, nothing lost")
    return not found


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
    if sys.argv[1:] == ["test"]:
        sys.exit(0 if test(int(os.environ.get("CLUSTER_KILLS") or 10)) else 1)
    serve()


if __name__ == "__main__":
    main()
