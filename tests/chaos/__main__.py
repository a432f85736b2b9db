"""``make chaos``: shoppers at work while everything happens that happens to services.

On both databases: workers and the master are killed, connections are cut at nine points, in front
and behind, the database is stopped, locked, read-only and without room on its disk, and the clock
jumps. ``CHAOS_SECONDS`` is how long all of it takes (600); each fault happens at least once. It
ends with counts, and fails where anything was lost, done twice, or answered with 500.
"""

import contextlib
import os
import pwd
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from tests.chaos.buyers import Buyer, audit_orders, orders_of
from tests.chaos.faults import FAULTS, Scene, happen, set_clock
from tests.chaos.proxy import Proxy
from tests.chaos.shoppers import Shopper, Tally, Transferrer, feed, shopping
from tests.demo import flask_commands
from tests.servers import free_port, postgres_cluster

SHOPPERS, BUYERS = 4, 2
DISK_BYTES = 96 * 1024 * 1024
SECRET = "a secret of 32 bytes, for benchmarks"


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


@contextlib.contextmanager
def small_disk() -> Iterator[Path | None]:
    """Mount a small disk in memory, if we may."""
    with tempfile.TemporaryDirectory(prefix="jay-chaos-") as name:
        options = f"size={DISK_BYTES},mode=0777"
        mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", name]
        if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
            yield None
            return
        try:
            yield Path(name)
        finally:
            subprocess.run(["umount", "-l", name], check=True)


@contextlib.contextmanager
def scene_on(kind: str, folder: Path) -> Iterator[Scene]:
    """Have a service with demo data on a database of that kind."""
    with contextlib.ExitStack() as stack:
        small = stack.enter_context(small_disk())
        behind = None
        if kind == "sqlite":
            url = seen = f"sqlite:///{(small or folder) / 'jay.sqlite3'}"
        else:
            cluster = stack.enter_context(postgres_cluster())
            url = _database(cluster, small)
            behind = Proxy(int(make_url(url).port or 0))
            seen = make_url(url).set(port=behind.port).render_as_string(hide_password=False)
        environ = {
            "JAY_DEMO": "1",
            "JAY_DATA_DIR": str(folder),
            "JAY_DATABASE_URL": seen,
            "JAY_SECRET_KEY": SECRET,
            "JAY_TEST_CLOCK": str(folder / "clock"),
            "JAY_GUESTS_PER_ADDRESS": "1000000",
            "JAY_GUESTS_PER_KEY": "1000000",
            "JAY_CHECKOUTS_PER_USER": "1000000",
            "JAY_TRANSFERS_PER_USER": "1000000",
            "PORT": str(free_port()),
        }
        set_clock(environ, 0)
        flask_commands(environ, ("db", "upgrade"), ("demo", "load"))
        scene = Scene(environ, url, small, behind)
        try:
            yield scene
        finally:
            scene.close()


def _database(cluster: str, small: Path | None) -> str:
    """Make a database, on the small disk where there is one; the server's own files are not."""
    engine = create_engine(cluster, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        where = ""
        if small is not None:
            user = pwd.getpwnam("postgres")
            place = small / "tables"
            place.mkdir()
            os.chown(place, user.pw_uid, user.pw_gid)
            connection.execute(text(f"CREATE TABLESPACE small LOCATION '{place}'"))
            where = " TABLESPACE small"
        connection.execute(text(f"CREATE DATABASE jay_chaos{where}"))
    engine.dispose()
    return cluster.rsplit("/", 1)[0] + "/jay_chaos"


def audit(url: str, shoppers: list[Shopper], tally: Tally) -> None:
    """Compare what the database has recorded with what was acknowledged."""
    engine = create_engine(url)
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT product_id, count, count(*) FROM events"
                " WHERE kind = 'product_assigned' GROUP BY product_id, count"
            )
        )
        recorded = Counter({(product, count): times for product, count, times in rows})
    engine.dispose()
    for shopper in shoppers:
        shopper.check()
        for what, times in shopper.written.items():
            if recorded[what] > times and shopper.sends_keys:
                tally.doubled.append(f"{what}: {recorded[what]} instead of {times}")
            if recorded[what] < times:
                tally.lost.append(f"{what}: {recorded[what]} instead of {times}")


def run(kind: str, seconds: float) -> bool:
    """Let it happen on one database, print the counts, and tell whether all went well."""
    say(f"{kind}:")
    tally = Tally()
    with tempfile.TemporaryDirectory() as name, scene_on(kind, Path(name)) as scene:
        if scene.small is None:
            say("  no small disk could be mounted: limits of file sizes take its place (SQLite)")
        url = f"http://127.0.0.1:{scene.front.port}"
        shoppers = [
            Shopper(url, tally, feed(scene.service.url, f"CHAOS-{number}"))
            for number in range(SHOPPERS)
        ]
        [bought, *_] = feed(scene.service.url, "CHAOS-BOUGHT")
        buyers = [Buyer(url, tally, bought) for _ in range(BUYERS)]
        before = orders_of(scene.url)
        with shopping([*shoppers, *buyers, Transferrer(url, tally)]):
            happen(scene, FAULTS[kind], seconds, say, lambda: tally.acknowledged)
        for shopper in shoppers:
            shopper.replay(50)
        audit(scene.url, shoppers, tally)
        audit_orders(scene.url, buyers, before, tally)
        errors = scene.errors()
    say(
        f"  sent {tally.sent}, acknowledged {tally.acknowledged}, lost {len(tally.lost)},"
        f" doubled {len(tally.doubled)}, 500s {tally.statuses['500']},"
        f" longest outage {tally.longest_outage:.1f} s"
    )
    say(f"  orders paid {sum(len(one.orders) for one in buyers)}, each refunded in part")
    say(f"  answers: {dict(sorted(tally.statuses.items()))}")
    for kind_of, found in (("lost", tally.lost), ("doubled", tally.doubled), ("", tally.wrong)):
        for one in found[:5]:
            say(f"  {kind_of} {one}")
    if tally.statuses["500"]:
        say("\n".join(errors[:20]))
    return not (tally.lost or tally.doubled or tally.wrong)


def main() -> None:
    """Run it on both databases."""
    seconds = float(os.environ.get("CHAOS_SECONDS") or 600)
    kinds = sys.argv[1:] or list(FAULTS)
    well = [run(kind, seconds / len(kinds)) for kind in kinds]
    sys.exit(0 if all(well) else 1)


if __name__ == "__main__":
    main()
