"""What a batch of descriptions does to the history of prices, see price_history.py."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from jay.products.models import SALE, is_news
from jay.products.price_history import Changes
from jay.products.prices import STATE, is_rrp

_STATE_AT = -len(STATE)
"""Where in a row of ``bulk_sql.LOOK_UP`` it stands what a product costs."""


def keep_prices(
    connection: Connection,
    rows: Sequence[dict[str, Any]],
    stored: Mapping[str, Any],
    *,
    now: datetime,
    as_of: int | None,
) -> None:
    """Keep what costs something else once rows are written, and let these say since when.

    :param rows: as they are to be written; a row only says what is not empty.
    :param stored: what is there of them, by id; it must not change meanwhile.
    :param as_of: when they were observed; None: they count whatever is stored.
    """
    changes = Changes(now)
    for row in rows:
        rrp = is_rrp(row["description"])
        if rrp is not None:
            row["rrp"] = rrp
        there = stored.get(row["id"])
        if there is None:
            row["priced_since"] = changes.stamp
            continue
        before = there[_STATE_AT:]
        after = _after(row, there, as_of)
        if _takes_another_price(row, there, as_of, before[0], after[0]):
            row["priced_since"] = changes.stamp
            changes.begin_anew(there.id)
        elif after != before:
            row["priced_since"] = changes.stamp
            changes.change(there.id, there.priced_since, before)
    changes.write(connection)


def _takes_another_price(
    row: Mapping[str, Any], there: Any, as_of: int | None, *prices: int | None
) -> bool:
    """Tell whether a variant had its price from another main product, or has from now on."""
    moves = there.main_id != row.get("main_id")
    return moves and None in prices and is_news(there.described_as_of, as_of)


def _after(row: Mapping[str, Any], there: Any, as_of: int | None) -> tuple[Any, ...]:
    """Return what a product costs once a row is written, in the order of ``STATE``."""
    price, sale, start, end, org_price, currency, rrp = there[_STATE_AT:]
    get = row.get
    if "price_as_of" in row and is_news(there.price_as_of, as_of):
        price, sale, start, end = get("price"), *map(get, SALE)
    if "org_price_as_of" in row and is_news(there.org_price_as_of, as_of):
        org_price = get("org_price")
    if "currency_as_of" in row and is_news(there.currency_as_of, as_of):
        currency = get("currency")
    if is_news(there.described_as_of, as_of):
        rrp = get("rrp")
    return price, sale, start, end, org_price, currency, rrp
