"""Use cases of pictures: what products name, what is there of it, and what was fetched."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    case,
    delete,
    exists,
    func,
    or_,
    select,
    tuple_,
    update,
)

from jay.db import turns
from jay.db.prepared import Prepared, among
from jay.db.upsert import insert_into
from jay.net.addresses import origin_of
from jay.pictures.models import (
    Need,
    Picture,
    Reason,
    picture_hosts,
    picture_sources,
    picture_uses,
    pictures,
    source_key,
)
from jay.products.models import products
from jay.products.service import with_own_images

NEW_FOR = timedelta(days=1)
"""How long a product is a new one."""

_source = picture_sources.c

_FIND = Prepared(
    select(_source.key, pictures.c.digest, pictures.c.width, pictures.c.height, pictures.c.colour)
    .join_from(picture_sources, pictures, pictures.c.digest == _source.digest)
    .where(among(_source.key, "keys"))
)


@dataclass(frozen=True)
class Named:
    """An address of a picture that a merchant's product names."""

    merchant_id: int
    url: str

    @property
    def key(self) -> str:
        """What it is stored under."""
        return source_key(self.merchant_id, self.url)


def find(connection: Connection, named: Iterable[Named]) -> dict[Named, Picture]:
    """Return those pictures that are there, with one query."""
    by_key = {one.key: one for one in named}
    if not by_key:
        return {}
    return {
        by_key[row.key]: Picture(row.digest, row.width, row.height, row.colour)
        for row in _FIND.all(connection, {"keys": list(by_key)})
    }


def note(
    connection: Connection, rows: Iterable[Any], *, own: str, first: Need | None, now: datetime
) -> int:
    """Note which pictures products name, and which they name no longer.

    :param rows: products with id, merchant_id, description, created and removed.
    :param own: how the addresses of this service's own files begin, which are not fetched.
    :param first: how soon the first picture of each is needed; None: as new as the product is.
    :returns: how many pictures were not known.
    """
    named: dict[str, set[str]] = {}
    sources: dict[str, dict[str, Any]] = {}
    for row in rows:
        need = first
        if need is None:
            need = Need.NEW if row.created > now - NEW_FOR else Need.REST
        keys = named.setdefault(row.id, set())
        described = with_own_images(row.description or {}, row.own_images)
        urls = [] if row.removed else _urls(described, own)
        for place, url in enumerate(urls):
            key = source_key(row.merchant_id, url)
            keys.add(key)
            wanted = need if place == 0 else max(need, Need.REST)
            known = sources.get(key)
            if known is None or known["need"] > wanted:
                sources[key] = _new_source(key, row.merchant_id, url, wanted, now)
    if named:
        turns.take(connection)
    added = _add_sources(connection, list(sources.values()), now=now)
    _change_uses(connection, named, now=now)
    return added


def _urls(description: Mapping[str, Any], own: str) -> list[str]:
    images = description.get("images") or ()
    urls = dict.fromkeys(image["url"] for image in images if image.get("url"))
    return [url for url in urls if not url.startswith(own)]


def _new_source(
    key: str, merchant: int, url: str, need: Need, now: datetime | None
) -> dict[str, Any]:
    return {
        "key": key,
        "merchant_id": merchant,
        "url": url,
        "host": origin_of(url) or "",
        "need": int(need),
        "due": now,
        "failures": 0,
    }


def _add_sources(connection: Connection, rows: list[dict[str, Any]], *, now: datetime) -> int:
    if not rows:
        return 0
    rows.sort(key=lambda row: row["key"])  # everybody locks them in this order
    keys = [row["key"] for row in rows]
    known = set(connection.execute(select(_source.key).where(_source.key.in_(keys))).scalars())
    insert = insert_into(connection, picture_sources)
    connection.execute(
        insert.on_conflict_do_update(
            index_elements=["key"],
            set_={
                "need": case(
                    (insert.excluded.need < _source.need, insert.excluded.need),
                    else_=_source.need,
                ),
                "unused": None,
            },
            where=or_(insert.excluded.need < _source.need, _source.unused.is_not(None)),
        ),
        rows,
    )
    hosts = sorted({row["host"] for row in rows})
    connection.execute(
        insert_into(connection, picture_hosts).on_conflict_do_nothing(),
        [{"host": host, "rests": now, "failures": 0} for host in hosts],
    )
    return len(rows) - len(known)


def _change_uses(connection: Connection, named: Mapping[str, set[str]], *, now: datetime) -> None:
    if not named:
        return
    use = picture_uses.c
    query = select(use.product_id, use.key).where(use.product_id.in_(list(named)))
    before = {(row.product_id, row.key) for row in connection.execute(query)}
    today = {(product, key) for product, keys in named.items() for key in keys}
    if new := sorted(today - before):
        connection.execute(
            insert_into(connection, picture_uses).on_conflict_do_nothing(),
            [{"product_id": product, "key": key} for product, key in new],
        )
    if gone := sorted(before - today):
        connection.execute(delete(picture_uses).where(tuple_(use.product_id, use.key).in_(gone)))
        mark_unused(connection, {key for _product, key in gone}, now=now)


def mark_unused(connection: Connection, keys: Iterable[str], *, now: datetime) -> None:
    """Note since when these are named by no product, as far as they are not."""
    used = exists().where(picture_uses.c.key == _source.key)
    connection.execute(
        update(picture_sources)
        .where(_source.key.in_(sorted(keys)), _source.unused.is_(None), ~used)
        .values(unused=now)
    )


def of_products(
    connection: Connection, condition: ColumnElement[bool], *, limit: int
) -> Sequence[Any]:
    """Return what ``note`` wants of products that have a description, in the order of their ids."""
    columns = ("id", "merchant_id", "description", "own_images", "created", "removed")
    query = select(*(products.c[name] for name in columns)).where(
        condition, or_(products.c.description.is_not(None), products.c.own_images.is_not(None))
    )
    return connection.execute(query.order_by(products.c.id).limit(limit)).all()


def store_picture(connection: Connection, picture: Picture, size: int, *, now: datetime) -> None:
    """Store what was drawn, after its files are there."""
    insert = insert_into(connection, pictures).values(
        digest=picture.digest,
        width=picture.width,
        height=picture.height,
        colour=picture.colour,
        size=size,
        created=now,
    )
    connection.execute(
        insert.on_conflict_do_update(index_elements=["digest"], set_={"unused": None})
    )


def find_digest(connection: Connection, digest: str) -> Picture | None:
    """Return what was drawn of a content before."""
    row = connection.execute(select(pictures).where(pictures.c.digest == digest)).one_or_none()
    return None if row is None else Picture(row.digest, row.width, row.height, row.colour)


def keep_for_orders(
    connection: Connection, named: Iterable[Named], *, now: datetime
) -> dict[Named, Picture]:
    """Return those pictures that are there, which orders show from now on: they are never purged.

    A picture is changed by its first order alone, so that orders don't wait for each other.
    """
    found = find(connection, named)
    digests = {picture.digest for picture in found.values()}
    if not digests:
        return {}
    columns = pictures.c
    known = select(columns.digest).where(
        columns.digest.in_(sorted(digests)), columns.ordered.is_not(None)
    )
    kept = set(connection.execute(known).scalars())
    if digests - kept:
        turns.take(connection)
    for digest in sorted(digests - kept):  # one by one: everybody locks them in this order
        first = update(pictures).where(columns.digest == digest, columns.ordered.is_(None))
        if connection.execute(first.values(ordered=now)).rowcount:
            kept.add(digest)
        elif find_digest(connection, digest) is not None:
            kept.add(digest)  # another order was the first
    return {one: picture for one, picture in found.items() if picture.digest in kept}


def missing(connection: Connection, digests: Iterable[str]) -> set[str]:
    """Return those pictures that are not there, and keep the others in use from now on."""
    wanted = set(digests)
    if not wanted:
        return set()
    kept = (
        update(pictures)
        .where(pictures.c.digest.in_(sorted(wanted)))
        .values(unused=None)
        .returning(pictures.c.digest)
    )
    return wanted - set(connection.execute(kept).scalars())


@dataclass(frozen=True)
class State:
    """How it stands with a picture of a merchant.

    :ivar reason: why it is not there, or no newer one of it; None where all is well.
    """

    url: str
    shown: bool
    reason: Reason | None
    failures: int
    tried: datetime | None
    due: datetime | None
    products: Sequence[str] = ()


def states(
    connection: Connection, merchant: int, *, after: str = "", limit: int, failed: bool = False
) -> tuple[list[State], str | None]:
    """Return how it stands with a merchant's pictures, page by page.

    :param after: what was returned before, to go on.
    :param failed: only those with a reason.
    """
    query = select(picture_sources).where(_source.merchant_id == merchant, _source.key > after)
    if failed:
        query = query.where(_source.reason.is_not(None))
    rows = connection.execute(query.order_by(_source.key).limit(limit)).all()
    used: dict[str, list[str]] = {}
    use = picture_uses.c
    users = select(use.key, use.product_id).where(use.key.in_([row.key for row in rows]))
    for row in connection.execute(users.order_by(use.product_id)):
        used.setdefault(row.key, []).append(row.product_id)
    found = [
        State(
            row.url,
            row.digest is not None,
            Reason(row.reason) if row.reason else None,
            row.failures,
            row.tried,
            row.due,
            used.get(row.key, ()),
        )
        for row in rows
    ]
    return found, rows[-1].key if len(rows) == limit else None


def counts(connection: Connection, merchant: int) -> dict[str, int]:
    """Count a merchant's pictures: ``shown``, ``waiting``, and those without by their reason."""
    told = case(
        (_source.digest.is_not(None), "shown"),
        (_source.reason.is_(None), "waiting"),
        else_=_source.reason,
    ).label("told")
    mine = select(told).where(_source.merchant_id == merchant, _source.unused.is_(None)).subquery()
    query = select(mine.c.told, func.count().label("number")).group_by(mine.c.told)
    return {row.told: row.number for row in connection.execute(query)}


def reasons(connection: Connection, named: Iterable[Named]) -> dict[Named, Reason]:
    """Return why pictures are not there, of those that were tried in vain."""
    by_key = {one.key: one for one in named}
    query = select(_source.key, _source.reason).where(
        _source.key.in_(list(by_key)), _source.reason.is_not(None)
    )
    return {by_key[row.key]: Reason(row.reason) for row in connection.execute(query)}
