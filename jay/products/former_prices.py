"""A price to compare with goes when the price comes in another currency, and without a new one.

It was told in the currency of before: struck beside the new price, it would be nonsense, and often
an untrue reduction. Who tells only another currency, and no price, mends the currency of both.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from jay.db.prepared import Prepared, among
from jay.merchants.models import Merchant
from jay.products.models import is_news, products

_main = products.alias("main")
_MAINS_CURRENCIES = Prepared(
    select(products.c.id, _main.c.currency)
    .join_from(products, _main, _main.c.id == products.c.main_id)
    .where(among(products.c.id, "ids"))
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


def drop_from_rows(
    rows: Sequence[dict[str, Any]],
    stored: Mapping[str, Any],
    *,
    default: str,
    as_of: int | None,
) -> None:
    """Let rows of descriptions drop the former prices that are in another currency.

    :param rows: as they are to be written; a row only says what is not empty.
    :param stored: what is there of them and of the main products of variants, by id.
    :param default: the merchant's currency.
    :param as_of: when they were observed; None: they count whatever is stored.
    """
    told = [
        (row, there)
        for row in rows
        if (there := stored.get(row["id"])) is not None
        and there.org_price is not None
        and "price_as_of" in row
        and "org_price_as_of" not in row
        and is_news(there.price_as_of, as_of)
        and is_news(there.org_price_as_of, as_of)
    ]
    if not told:  # as nearly always
        return
    after = {
        row["id"]: row.get("currency")
        for row in rows
        if "currency_as_of" in row
        and ((there := stored.get(row["id"])) is None or is_news(there.currency_as_of, as_of))
    }

    def before(there: Any) -> str:
        main = stored.get(there.main_id)
        return there.currency or (main and main.currency) or default

    for row, there in told:
        main_id = row.get("main_id", "")
        main = stored.get(main_id)
        of_main = after.get(main_id, main and main.currency)
        own = after.get(row["id"], there.currency)
        if (own or of_main or default) != before(there):
            row["org_price"], row["org_price_as_of"] = None, row["price_as_of"]
