"""The wall of a kiosk: what is sold in a country, the oldest first, each product once.

A product that is there in several languages is shown in one of them. Each language is read along
an index, and whether a product is there in a better one is a look by its whole key: PostgreSQL
knows nothing of a catalogue that was just imported, and with a choice it would read all products
of a merchant for each of them.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    ScalarSelect,
    Select,
    func,
    select,
    union_all,
)

from jay.i18n import languages
from jay.merchants.models import merchants
from jay.products import service
from jay.products.models import Product, products

MOST = 4_000
"""How many products of a language are looked at: nobody leafs further, and they are counted for
each page."""

MOST_LANGUAGES = 12
"""How many languages are looked at: each is compared with all that are better, and there are 184,
in which a single merchant may have put something."""

OLDEST_FIRST = (products.c.created, products.c.id)

_other = products.alias("other")


def find_page(
    connection: Connection, *, lang: str, country: str, offset: int, limit: int, now: datetime
) -> tuple[list[Product], int]:
    """Return one page of the products that a kiosk offers, and how many there are in all.

    :param lang: which of a product's languages is shown; one that has it not is shown in another.
    """
    langs = [lang, *_others(_languages(connection, country), lang)]
    added = [_added(each, langs[:place], country) for place, each in enumerate(langs)]
    counts = [select(func.count()).select_from(each.subquery()) for each in added]
    count = sum(connection.execute(select(*(each.scalar_subquery() for each in counts))).one())
    firsts = [select(each.limit(offset + limit).subquery()) for each in added]
    page = union_all(*firsts).subquery()
    query = select(page.c.id).order_by(page.c.created, page.c.id).offset(offset).limit(limit)
    ids = list(connection.execute(query).scalars())
    found = service.find_many(connection, ids, now=now)
    # What vanishes between two statements is no longer shown.
    return [found[one] for one in ids if one in found], count


def hangs(table: FromClause, lang: str, country: str) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions on which a product hangs on the wall of a country, in a language."""
    return (
        table.c.lang == lang,
        table.c.country == country,
        table.c.main_id.is_(None),
        ~table.c.not_shoppable,
        ~table.c.removed,
    )


def _others(found: Iterable[str], lang: str) -> list[str]:
    """Return which other languages are looked at: nobody can crowd out those that pages speak."""
    spoken = {code for code, _name in languages()}
    first = sorted(set(found) - {lang}, key=lambda each: (each not in spoken, each))
    return sorted(first[: MOST_LANGUAGES - 1])


def _added(lang: str, better: Sequence[str], country: str) -> Select[Any]:
    """Return what there is in a language, and in none of the better ones."""
    gone = select(merchants.c.id).where(merchants.c.removed.is_not(None))
    first = (
        select(*OLDEST_FIRST, products.c.merchant_id, products.c.sku)
        .where(*hangs(products, lang, country), products.c.merchant_id.not_in(gone))
        .order_by(*OLDEST_FIRST)
        .limit(MOST)
        .subquery()
    )
    query = select(first.c.created, first.c.id).order_by(first.c.created, first.c.id)
    return query.where(*(_in_language(each, first, country).is_(None) for each in better))


def _in_language(lang: str, first: FromClause, country: str) -> ScalarSelect[Any]:
    # No list of languages, and no EXISTS: PostgreSQL would look by a part of the key, or join.
    query = select(_other.c.id).where(
        _other.c.merchant_id == first.c.merchant_id,
        _other.c.sku == first.c.sku,
        *hangs(_other, lang, country),
    )
    return query.correlate(first).scalar_subquery()


def _languages(connection: Connection, country: str) -> Iterator[str]:
    """Yield the languages of a country's main products, each found by looks into an index."""
    following = select(func.min(products.c.lang)).where(products.c.main_id.is_(None))
    here = select(products.c.id).where(products.c.main_id.is_(None), products.c.country == country)
    found = connection.execute(following).scalar()
    while found is not None:
        if connection.execute(here.where(products.c.lang == found).limit(1)).scalar() is not None:
            yield found
        found = connection.execute(following.where(products.c.lang > found)).scalar()
