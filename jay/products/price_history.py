"""The history of prices: written by whoever sets one, read where a reduction is told of."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Connection,
    FromClause,
    and_,
    bindparam,
    column,
    delete,
    exists,
    false,
    func,
    literal_column,
    null,
    or_,
    select,
    union_all,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from jay.db.prepared import Prepared, among
from jay.merchants.models import merchants
from jay.products.models import microseconds, products
from jay.products.price_merging import MOST_KEPT, merged
from jay.products.prices import (
    LONGEST_REDUCTION,
    LOOKED_BACK,
    STATE,
    Home,
    State,
    Timeline,
    closed,
    price_history,
)

_COLUMNS = tuple(each.name for each in price_history.c)
_ROW_BY_ROW = Prepared(
    sqlite.insert(price_history)
    .values({name: bindparam(name, type_=price_history.c[name].type) for name in _COLUMNS})
    .on_conflict_do_nothing()
)
_lists = [bindparam(each.name, type_=ARRAY(each.type)) for each in price_history.c]
_given = func.unnest(*_lists).table_valued(*(column(c.name, c.type) for c in price_history.c))
_AT_ONCE = Prepared(
    postgresql.insert(price_history)
    .from_select(_COLUMNS, select(*_given.render_derived(name="given").c))
    .on_conflict_do_nothing()
)
_TAKE_BACK = Prepared(
    delete(price_history).where(
        among(price_history.c.product_id, "ids"), price_history.c.since >= bindparam("stamp")
    )
)
_CUT = Prepared(
    update(price_history)
    .where(among(price_history.c.product_id, "ids"), price_history.c.until > bindparam("stamp"))
    .values(until=bindparam("stamp", type_=BigInteger))
)
_FORGET = Prepared(delete(price_history).where(among(price_history.c.product_id, "ids")))
_TOO_MANY = Prepared(
    select(price_history.c.product_id)
    .where(among(price_history.c.product_id, "ids"))
    .group_by(price_history.c.product_id)
    .having(func.count() > literal_column(str(MOST_KEPT)))
)
_HISTORY = Prepared(
    select(*(price_history.c[name] for name in ("product_id", *State._fields))).where(
        among(price_history.c.product_id, "ids")
    )
)
_TOLD = Prepared(
    union_all(
        select(
            products.c.id,
            func.coalesce(products.c.priced_since, literal_column("0")).label("since"),
            literal_column("NULL", BigInteger).label("until"),
            *(products.c[name] for name in STATE),
            merchants.c.currency.label("home"),
            merchants.c.currency_since.label("home_since"),
            merchants.c.prices_since,
        )
        .join_from(products, merchants, merchants.c.id == products.c.merchant_id)
        .where(among(products.c.id, "ids")),
        select(
            *(price_history.c[name] for name in ("product_id", "since", "until", *STATE)),
            null(),
            null(),
            null(),
        ).where(among(price_history.c.product_id, "ids")),
    )
)
"""What products cost now and have cost, and the currency of those without one."""


class Changes:
    """The prices that a batch changes, gathered before it is written.

    The rows of its products are locked: nobody else changes their prices meanwhile.
    """

    def __init__(self, now: datetime) -> None:
        self.stamp = microseconds(now)
        self._ended: list[dict[str, Any]] = []
        self._ahead: list[str] = []
        self._anew: list[str] = []

    def change(self, product_id: str, since: int | None, before: Sequence[Any]) -> None:
        """Take what a product had set, and has no more.

        :param since: from when on, in microseconds since 1970 UTC.
        :param before: in the order of ``STATE``.
        """
        if since == self.stamp:
            return  # nobody has seen it
        if since is not None and since > self.stamp:
            self._ahead.append(product_id)
        self._ended.append(closed(product_id, since, self.stamp, before))

    def begin_anew(self, product_id: str) -> None:
        """Forget what a product has cost: it was another product's price, and is no longer."""
        self._anew.append(product_id)

    def write(self, connection: Connection) -> None:
        """Write them, with a statement for each kind."""
        if self._anew:
            _FORGET.rowcount(connection, {"ids": self._anew})
        if self._ahead:
            # A clock was ahead: what it says is to hold until then ends now, or never began.
            ahead = {"ids": self._ahead, "stamp": self.stamp}
            _TAKE_BACK.rowcount(connection, ahead)
            _CUT.rowcount(connection, ahead)
        if not self._ended:
            return
        _add(connection, self._ended)
        ended = [row["product_id"] for row in self._ended]
        many = [row.product_id for row in _TOO_MANY.all(connection, {"ids": ended})]
        if many:
            _merge(connection, many)


def _add(connection: Connection, rows: list[dict[str, Any]]) -> None:
    if connection.dialect.name == "sqlite":
        _ROW_BY_ROW.many(connection, rows, {})
    else:
        lists = {name: [row[name] for row in rows] for name in _COLUMNS}
        _AT_ONCE.rowcount(connection, lists)


def _merge(connection: Connection, ids: list[str]) -> None:
    """Keep few prices of products that change theirs all the time."""
    history: dict[str, list[State]] = {}
    for row in _HISTORY.all(connection, {"ids": ids}):
        history.setdefault(row.product_id, []).append(State(*row[1:]))
    _FORGET.rowcount(connection, {"ids": ids})
    # One too many says that they are not all there: see lowest().
    kept = {each: merged(states)[-MOST_KEPT - 1 :] for each, states in history.items()}
    _add(
        connection,
        [{"product_id": each, **one._asdict()} for each, states in kept.items() for one in states],
    )


def lowest(
    connection: Connection, wanted: Mapping[str, str | None], *, now: datetime
) -> dict[str, int]:
    """Return the lowest price of the 30 days before each reduction began, with one query.

    :param wanted: ids of products that are reduced now, and their main products'.
    :returns: minor units, by id; what is not there is not reduced, or has no history.
    """
    if not wanted:
        return {}
    states: dict[str, list[State]] = {}
    homes: dict[str, Home] = {}
    for row in _TOLD.all(connection, {"ids": _all_ids(wanted.items())}):
        states.setdefault(row.id, []).append(State(*row[1 : 3 + len(STATE)]))
        if row.home is not None:
            since = row.home_since and microseconds(row.home_since)
            homes[row.id] = Home(row.home, since, row.prices_since)
    stamp = microseconds(now)
    found = {}
    for each, main in wanted.items():
        if each not in homes:
            continue  # it went between two statements
        main_states = states.get(main, ()) if main else ()
        if max(len(states[each]), len(main_states)) > MOST_KEPT + 1:  # with what is asked now
            continue
        timeline = Timeline(_until(states[each], stamp), _until(main_states, stamp), homes[each])
        before = timeline.lowest_before_reduction(stamp)
        if before is not None:
            found[each] = before
    return found


def _until(states: Sequence[State], stamp: int) -> list[State]:
    """Let what begins in the future, as a clock was wrong, hold from now on at least."""
    return [
        one if one.since <= stamp else one._replace(since=stamp)
        for one in states
        if one.since <= stamp or one.until is None
    ]


def _all_ids(wanted: Iterable[tuple[str, str | None]]) -> list[str]:
    return list(dict.fromkeys(one for pair in wanted for one in pair if one is not None))


_later = price_history.alias("later")


def is_forgotten(now: datetime) -> ColumnElement[bool]:
    """Return which of the history nobody asks for any more at a moment.

    That is what ended more than 30 days ago, where it is certain that no reduction which goes on
    began since: at some moment 30 days later nothing was reduced.
    """
    ended = price_history.c.until
    days, longest = (_length(each) for each in (LOOKED_BACK, LONGEST_REDUCTION))
    whole = exists().where(products.c.id == price_history.c.product_id, _is_whole(products))
    since = exists().where(
        _later.c.product_id == price_history.c.product_id,
        _later.c.until >= ended + days,
        _is_whole(_later),
    )
    stamp = microseconds(now)
    return and_(ended <= stamp - days, or_(ended <= stamp - days - longest, whole, since))


def _is_whole(table: FromClause) -> ColumnElement[bool]:
    """Tell whether nothing says that a price is less than before."""
    reduced = and_(table.c.org_price > table.c.price, ~func.coalesce(table.c.rrp, false()))
    return and_(
        table.c.price.is_not(None),
        table.c.sale_price.is_(None),
        ~func.coalesce(reduced, false()),
    )


def _length(time: timedelta) -> int:
    return time // timedelta(microseconds=1)
