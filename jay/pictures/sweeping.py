"""What there is to fetch: found by the worker, so that no feed and no basket pays for it.

What products name is found by when they were stored last; what lies in baskets, by the events; what
hangs on kiosks' walls, by looking at their beginnings.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, and_, or_, select, true

from jay.events import EventType, events
from jay.partners.service import kiosk_partners
from jay.pictures import leases, service
from jay.pictures.leases import Sweep
from jay.pictures.models import Need
from jay.products import catalogue
from jay.products.models import products
from jay.products.wall import OLDEST_FIRST, hangs

PAGE = 100
"""Products, or events, that are looked at in a transaction. On several servers feeds and checkouts
wait for it (jay/db/turns): there 500 took more than two seconds."""

WALL = 100
"""Products of a kiosk's wall, in each of its languages, that are fetched first."""

OVERLAP = timedelta(minutes=5)
"""What was being stored while a sweep began: clocks differ, and transactions take their time."""

SOONEST, LATEST = timedelta(seconds=15), timedelta(minutes=10)
"""Between two sweeps of the products."""

IDLE_SHARE = 50
"""How many times as long as a sweep has taken the next one waits: it reads all products."""

BASKETS_EVERY, WALLS_EVERY = timedelta(seconds=5), timedelta(minutes=1)
LONG_AGO = timedelta(days=30)
"""How far back baskets are looked at the first time: as long as guests' ones live."""

Step = Callable[..., bool]


def sweep_products(connection: Connection, sweep: Sweep, *, own: str, now: datetime) -> bool:
    """Note what the next products name; tell whether there are more."""
    condition = and_(
        products.c.id > (sweep.position or ""),
        true() if sweep.since is None else products.c.updated >= sweep.since,
    )
    rows = service.of_products(connection, condition, limit=PAGE)
    service.note(connection, rows, own=own, first=None, now=now)
    if len(rows) == PAGE:
        leases.go_on(connection, sweep, position=rows[-1].id, now=now)
        return True
    rest = min(LATEST, max(SOONEST, (now - sweep.begun) * IDLE_SHARE))
    leases.end_sweep(connection, sweep, since=sweep.begun - OVERLAP, due=now + rest)
    return False


def sweep_baskets(connection: Connection, sweep: Sweep, *, own: str, now: datetime) -> bool:
    """Let what was put into baskets be fetched first; tell whether there is more."""
    since = sweep.since or now - LONG_AGO
    query = (
        select(events.c.product_id, events.c.at)
        .where(
            events.c.at > since,
            events.c.kind.in_([EventType.PRODUCT_ASSIGNED, EventType.PRODUCT_UPDATED]),
        )
        .order_by(events.c.at)
        .limit(PAGE)
    )
    rows = connection.execute(query).all()
    want(connection, [row.product_id for row in rows if row.product_id], own=own, now=now)
    more = len(rows) == PAGE
    seen = rows[-1].at if rows else since
    due = now if more else now + BASKETS_EVERY
    leases.end_sweep(connection, sweep, since=min(seen, now), due=due)
    return more


def sweep_walls(connection: Connection, sweep: Sweep, *, own: str, now: datetime) -> bool:
    """Let what kiosks show at first be fetched first."""
    countries = {partner.country for partner in kiosk_partners(connection)}
    for lang, country in catalogue.locales(connection) if countries else ():
        if country in countries:
            query = (
                select(products.c.id)
                .where(*hangs(products, lang, country))
                .order_by(*OLDEST_FIRST)
                .limit(WALL)
            )
            want(connection, connection.execute(query).scalars(), own=own, now=now)
    leases.end_sweep(connection, sweep, since=now, due=now + WALLS_EVERY)
    return False


Sweeps = tuple[tuple[str, Step], ...]

SWEEPS: Sweeps = (
    ("baskets", sweep_baskets),
    ("walls", sweep_walls),
    ("products", sweep_products),
)
"""In the order of need."""


def want(connection: Connection, identifiers: Iterable[str], *, own: str, now: datetime) -> None:
    """Let the first pictures of these products and variants be fetched before all others."""
    wanted = sorted(set(identifiers))
    if not wanted:
        return
    mains = select(products.c.main_id).where(products.c.id.in_(wanted))
    condition: ColumnElement[bool] = or_(products.c.id.in_(wanted), products.c.id.in_(mains))
    rows = service.of_products(connection, condition, limit=2 * len(wanted))
    service.note(connection, rows, own=own, first=Need.WANTED, now=now)
