"""Use cases around legal texts."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, bindparam, func, insert, or_, select

from jay.db.prepared import Prepared, among
from jay.legal.models import (
    MAX_TEXTS,
    MERCHANT,
    MERCHANTS_KINDS,
    Kind,
    Notice,
    Owner,
    hash_of,
    legal_texts,
)
from jay.legal.sellers import Seller
from jay.merchants.service import merchant_by_id

_row = legal_texts.c
_THERE = or_(_row.url.is_not(None), _row.text.is_not(None)).label("there")
_COLUMNS = (_row.owner, _row.owner_id, _row.kind, _row.lang, _row.version, _row.url, _row.hash)
_OF_OWNERS = Prepared(
    select(*_COLUMNS, _row.created, _THERE)
    .where(_row.owner == bindparam("owner"), among(_row.owner_id, "ids"))
    .order_by(_row.version)
)
_KINDS = frozenset(Kind)


def put(
    connection: Connection,
    owner: Owner,
    kind: Kind,
    lang: str,
    *,
    url: str | None,
    text: str | None,
    now: datetime,
) -> int:
    """Let an address or a text be the current one, and return its version.

    :param url: and ``text``: neither ends it.
    """
    mine = and_(*_of(owner), _row.kind == kind, _row.lang == lang)
    last = connection.execute(select(func.max(_row.version)).where(mine)).scalar() or 0
    row = {"owner": owner.kind, "owner_id": owner.id, "kind": kind, "lang": lang}
    told = {"version": last + 1, "url": url, "text": text, "hash": hash_of(url or text)}
    told["created"] = now
    connection.execute(insert(legal_texts).values({**row, **told}))
    return last + 1


class TooManyTexts(Exception):
    """A merchant has more texts than ``MAX_TEXTS``."""


def put_merchants(
    connection: Connection,
    merchant: int,
    texts: Sequence[tuple[Kind, str, str | None]],
    *,
    now: datetime,
) -> None:
    """Let texts of a merchant be the current ones: kind, language, and the text or None for none.

    What is in force already is no new version.

    :raises TooManyTexts: there would be too many.
    """
    owner = Owner(MERCHANT, merchant)
    known = {(each.kind, each.lang): each.hash for each in current(connection, [owner])}
    for kind, lang, text in texts:
        if known.get((kind, lang)) != hash_of(text):
            put(connection, owner, kind, lang, url=None, text=text, now=now)
            known[kind, lang] = hash_of(text)
    if sum(each is not None for each in known.values()) > MAX_TEXTS:
        raise TooManyTexts


def merchants_texts(connection: Connection, merchant: int) -> list[tuple[Notice, str]]:
    """Return the texts of a merchant that are in force."""
    found = current(connection, [Owner(MERCHANT, merchant)])
    found.sort(key=lambda each: (MERCHANTS_KINDS.index(each.kind), each.lang))
    return [(notice, text_of(connection, notice) or "") for notice in found]


def sellers(connection: Connection, wanted: Iterable[int]) -> dict[int, Seller]:
    """Return who sells, by the merchants' ids."""
    owners = [Owner(MERCHANT, merchant) for merchant in wanted]
    notices = current(connection, owners) if owners else []
    return {
        owner.id: Seller(
            merchant_by_id(connection, owner.id),
            [notice for notice in notices if notice.owner == owner],
        )
        for owner in owners
    }


def end_all(connection: Connection, owner: Owner, *, now: datetime) -> None:
    """Let nothing of an owner be in force any more."""
    for notice in current(connection, [owner]):
        put(connection, owner, notice.kind, notice.lang, url=None, text=None, now=now)


def current(connection: Connection, owners: Sequence[Owner]) -> list[Notice]:
    """Return the notices of these owners that are in force, without the texts."""
    newest = {
        (row.owner, row.owner_id, row.kind, row.lang): row
        for kind in dict.fromkeys(owner.kind for owner in owners)
        for row in _OF_OWNERS.all(
            connection,
            {"owner": kind, "ids": [owner.id for owner in owners if owner.kind == kind]},
        )
        if row.kind in _KINDS  # a later version may know more
    }
    return [
        Notice(
            Owner(row.owner, row.owner_id),
            Kind(row.kind),
            row.lang,
            row.version,
            row.url,
            row.created,
            row.hash,
        )
        for row in newest.values()
        if row.there
    ]


def version_of(
    connection: Connection, owner: Owner, kind: Kind, lang: str, version: int
) -> Notice | None:
    """Return a notice as it was in a version, without its text; None where that says nothing."""
    query = select(_row.url, _row.hash, _row.created).where(
        *_of(owner),
        _row.kind == kind,
        _row.lang == lang,
        _row.version == version,
        or_(_row.url.is_not(None), _row.text.is_not(None)),
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    return Notice(owner, kind, lang, version, row.url, row.created, row.hash)


def text_of(connection: Connection, notice: Notice) -> str | None:
    """Return the text of a notice; None where it is an address."""
    query = select(_row.text).where(
        *_of(notice.owner),
        _row.kind == notice.kind,
        _row.lang == notice.lang,
        _row.version == notice.version,
    )
    text: str | None = connection.execute(query).scalar_one()
    return text


def _of(owner: Owner) -> tuple[ColumnElement[bool], ...]:
    return _row.owner == owner.kind, _row.owner_id == owner.id
