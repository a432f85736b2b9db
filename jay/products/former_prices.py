"""A price to compare with goes when the price comes in another currency, and without a new one.

It was told in the currency of before: struck beside the new price, it would be nonsense, and often
an untrue reduction. Who tells only another currency, and no price, mends the currency of both.

A main product's currency is that of its variants which have none of their own, so those of theirs
go as well: when the variants' prices come, nobody knows any more in which currency that was told.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Connection, bindparam, null, select, update

from jay.db.prepared import Prepared, among
from jay.merchants.models import Merchant
from jay.products.bulk_sql import listed
from jay.products.models import is_news, products
from jay.products.price_history import Changes
from jay.products.prices import STATE

_main = products.alias("main")
_MAINS_CURRENCIES = Prepared(
    select(products.c.id, _main.c.currency)
    .join_from(products, _main, _main.c.id == products.c.main_id)
    .where(among(products.c.id, "ids"))
)
_OF_VARIANTS = Prepared(
    select(
        *(products.c[name] for name in ("id", "org_price_as_of", "priced_since", *STATE)),
    )
    .where(
        listed(products.c.main_id, "ids"),
        products.c.currency.is_(None),
        products.c.org_price.is_not(None),
    )
    .order_by(products.c.id)
    .with_for_update(key_share=True)
)
_DROP = Prepared(
    update(products)
    .where(listed(products.c.id, "ids"))
    .values(
        org_price=null(),
        org_price_as_of=bindparam("as_of", type_=BigInteger),
        priced_since=bindparam("since", type_=BigInteger),
        updated=bindparam("now", type_=products.c.updated.type),
    )
)

Items = Mapping[str, Mapping[str, Any]]
News = Mapping[str, frozenset[str]]


def dropped_from_update(
    connection: Connection,
    merchant: Merchant,
    *,
    items: Items,
    stored: Mapping[str, Any],
    news: News,
    currency: str | None,
    stamp: int | None,
) -> tuple[Items, News]:
    """Return an update with the former prices dropped that are in another currency.

    :param items: what is given of each product, by id.
    :param stored: what there is of them; they are locked.
    :param news: which fields of them are written.
    :param currency: that of the call; None: it says none.
    :param stamp: when it was observed, in microseconds since 1970 UTC: newer news of the former
        price stays. None: it counts whatever is stored.
    """
    told = [
        each
        for each, fields in news.items()
        if fields >= {"price", "currency"}
        and "org_price" not in items[each]
        and stored[each].org_price is not None
        and is_news(stored[each].org_price_as_of, stamp)
    ]
    if not told:
        return items, news
    own = {each: stored[each].currency for each in told}
    if inherits := [each for each, before in own.items() if before is None]:
        mains = _MAINS_CURRENCIES.all(connection, {"ids": inherits})
        own |= {row.id: row.currency for row in mains}
    dropped = {each for each, before in own.items() if (before or merchant.currency) != currency}
    return (
        {
            each: {**item, "org_price": None} if each in dropped else item
            for each, item in items.items()
        },
        {
            each: fields | {"org_price"} if each in dropped else fields
            for each, fields in news.items()
        },
    )


def in_another_currency(
    merchant: Merchant, *, stored: Mapping[str, Any], news: News, currency: str | None
) -> set[str]:
    """Return of which products an update tells the price in another currency; some are variants."""
    return {
        each
        for each, fields in news.items()
        if fields >= {"price", "currency"}
        and (stored[each].currency or merchant.currency) != currency
    }


def drop_of_variants(
    connection: Connection,
    mains: Iterable[str],
    *,
    but: Container[str],
    now: datetime,
    stamp: int,
    always: bool,
) -> None:
    """Drop the former prices of variants in the currency that their main products had.

    :param mains: these, by id.
    :param but: variants of which something is told themselves.
    :param stamp: when that was observed, in microseconds since 1970 UTC: newer news of a former
        price stays, but where it counts ``always``.
    """
    ids = list(mains)
    if not ids:  # as nearly always
        return
    as_of = None if always else stamp
    found = [
        row
        for row in _OF_VARIANTS.all(connection, {"ids": ids})
        if row.id not in but and is_news(row.org_price_as_of, as_of)
    ]
    changes = Changes(now)
    for row in found:
        changes.change(row.id, row.priced_since, row[-len(STATE) :])
    changes.write(connection)
    dropped = {"ids": [row.id for row in found], "since": changes.stamp, "as_of": stamp}
    _DROP.rowcount(connection, {**dropped, "now": now})


def drop_from_rows(
    connection: Connection,
    rows: Sequence[dict[str, Any]],
    stored: Mapping[str, Any],
    *,
    default: str,
    as_of: int | None,
) -> set[str]:
    """Let rows of descriptions drop the former prices that are in another currency.

    :param rows: as they are to be written, main products in the order in which they came, then
        variants; a row only says what is not empty.
    :param stored: what is there of them and of the main products of variants, by id.
    :param default: the merchant's currency.
    :param as_of: when they were observed; None: they count whatever is stored.
    :returns: the main products whose price comes in another currency, by id: the variants of which
        there is no row are the caller's.
    """
    kept: list[tuple[dict[str, Any], Any, bool]] = []
    mains: set[str] = set()
    for row in rows:
        there = stored.get(row["id"])
        if there is None:
            continue
        priced = "price_as_of" in row and is_news(there.price_as_of, as_of)
        if (
            there.org_price is not None
            and "org_price_as_of" not in row
            and is_news(there.org_price_as_of, as_of)
        ):
            kept.append((row, there, priced))
        if (
            priced
            and "currency_as_of" in row
            and "main_id" not in row
            and row.get("currency") != (there.currency or default)
            and is_news(there.currency_as_of, as_of)
        ):
            mains.add(row["id"])
    told = [one for one in kept if one[2] or one[1].main_id in mains]
    if not told:  # as nearly always
        return mains
    turns = {row["id"]: turn for turn, row in enumerate(rows)}
    after = {
        row["id"]: row.get("currency")
        for row in rows
        if "currency_as_of" in row
        and ((there := stored.get(row["id"])) is None or is_news(there.currency_as_of, as_of))
    }
    inherited = _currencies_of_mains(connection, [there for _, there, _ in told], stored)
    for row, there, priced in told:
        main_id = row.get("main_id", "")
        main = stored.get(main_id)
        now = after.get(row["id"], there.currency)
        now = now or after.get(main_id, main and main.currency) or default
        before = there.currency or inherited.get(there.id) or default
        # What moves to another main product was still the former one's when that was told before.
        turn = turns.get(main_id or row["id"], len(rows))
        stayed = turns.get(there.main_id, turn) < turn and there.currency is None
        if stayed:
            before = after.get(there.main_id) or before
        follows = priced or (there.main_id == main_id and main_id in mains)
        if (stayed and there.main_id in mains) or (follows and before != now):
            row["org_price"], row["org_price_as_of"] = None, row["described_as_of"]
    return mains


def _currencies_of_mains(
    connection: Connection, products_: Iterable[Any], stored: Mapping[str, Any]
) -> dict[str, str | None]:
    """Return the currency of their main products so far, for variants without one, by their id."""
    variants = [one for one in products_ if one.currency is None and one.main_id is not None]
    found = {one.id: stored[one.main_id].currency for one in variants if one.main_id in stored}
    # Who moves to another main product may leave one of which nothing is told.
    if away := [one.id for one in variants if one.id not in found]:
        found |= {row.id: row.currency for row in _MAINS_CURRENCIES.all(connection, {"ids": away})}
    return found
