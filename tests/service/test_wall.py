"""The wall of a kiosk: what it offers, in which language, and how that is looked up."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import event

from jay.db.database import Database
from jay.i18n import LANGUAGES, languages
from jay.merchants import service as merchants
from jay.merchants.models import Merchant
from jay.products import feeding, wall
from tests.clock import NOON

LANGS_OF = {"cap": ["fr"], "hat": ["de"], "mug": ["de", "en"], "tie": ["de", "en", "fr"]}


@pytest.fixture
def database(new_database_url: str) -> Iterator[Database]:
    made = Database(new_database_url)
    yield made
    made.dispose()


@pytest.fixture
def merchant(database: Database) -> Merchant:
    """A merchant whose products are there in one language or in more."""
    with database.transaction() as connection:
        number = merchants.add_merchant(
            connection, name="shop", lang="de", country="DE", currency="EUR", now=NOON
        )
        merchant = merchants.merchant_by_id(connection, number)
    for sku, langs in LANGS_OF.items():
        for lang in langs:
            put(database, merchant, sku, lang=lang)
    put(database, merchant, "far", lang="en", country="GB")
    return merchant


def put(database: Database, merchant: Merchant, sku: str, **more: Any) -> None:
    given = {"name": sku, "volatile": {"price": 1000}, "description": {}, **more}
    database.write(feeding.put_product, merchant, now=NOON, sku=sku, **given)


def shown(
    database: Database, lang: str, offset: int = 0, limit: int = 9
) -> tuple[list[tuple[str, str]], int]:
    """Return language and SKU of what a page shows, and how many there are."""
    with database.reading() as connection:
        page, count = wall.find_page(
            connection, lang=lang, country="DE", offset=offset, limit=limit, now=NOON
        )
    return [(one.lang, one.sku) for one in page], count


@pytest.mark.parametrize(
    ("lang", "expected"),
    [
        ("de", [("de", "hat"), ("de", "mug"), ("de", "tie"), ("fr", "cap")]),
        ("en", [("de", "hat"), ("en", "mug"), ("en", "tie"), ("fr", "cap")]),
        ("fr", [("de", "hat"), ("de", "mug"), ("fr", "cap"), ("fr", "tie")]),
        ("it", [("de", "hat"), ("de", "mug"), ("de", "tie"), ("fr", "cap")]),
    ],
)
def test_a_product_is_shown_once_in_the_best_of_its_languages(
    lang: str, expected: list[tuple[str, str]], database: Database, merchant: Merchant
) -> None:
    assert shown(database, lang) == (expected, 4)
    assert [shown(database, lang, n, 1) for n in range(5)] == [
        *(([one], 4) for one in expected),
        ([], 4),
    ]


def test_what_is_not_for_sale_hides_no_other_language(
    database: Database, merchant: Merchant
) -> None:
    put(database, merchant, "mug", lang="de", not_shoppable=True)

    assert ("en", "mug") in shown(database, "de")[0]


def test_a_wall_ends_somewhere(
    database: Database, merchant: Merchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wall, "MOST", 2)

    # Two of each language are looked at, and of those in English one is there in German.
    assert shown(database, "de") == ([("de", "hat"), ("de", "mug"), ("fr", "cap")], 3)


def test_no_merchant_makes_a_wall_of_all_the_languages_that_there_are(
    database: Database, merchant: Merchant
) -> None:
    named = {"name": "Pin", "not_shoppable": False, "type": None, "value": None}
    pin = {**named, "volatile": {"price": 1000}, "description": {}}
    for lang in sorted(LANGUAGES):
        database.write(
            feeding.put_many, merchant, [feeding.Put(lang, lang, "DE", pin, ())], now=NOON
        )

    # Those that the pages speak are among them, however many come before by their codes.
    found, count = shown(database, "fr", limit=99)
    spoken = {code for code, _name in languages()}
    assert {lang for lang, _sku in found} >= {"fr", *spoken}
    assert len({lang for lang, _sku in found}) == wall.MOST_LANGUAGES
    assert count == len(found)


def test_a_merchant_who_has_gone_sells_nothing(database: Database, merchant: Merchant) -> None:
    with database.transaction() as connection:
        merchants.remove_merchant(connection, merchant.id, now=NOON)

    assert shown(database, "de") == ([], 0)


def plans(database: Database, *, analysed: bool) -> list[str]:
    """Return how the database looks up a page, with or without knowing the products."""
    engine, seen = database.readers, []

    def note(_connection: Any, _cursor: Any, sql: str, parameters: Any, *_more: Any) -> None:
        if "merchants" in sql or "min(" in sql:
            seen.append((sql, parameters))

    event.listen(engine, "before_cursor_execute", note)
    shown(database, "fr")
    event.remove(engine, "before_cursor_execute", note)
    explain = "EXPLAIN QUERY PLAN" if database.is_sqlite else "EXPLAIN"
    with database.transaction() as connection:
        if analysed:
            connection.exec_driver_sql("ANALYZE")
        if not database.is_sqlite:
            # So few rows are read as they lie, and sorted.
            for way in ("seqscan", "sort", "bitmapscan"):
                connection.exec_driver_sql(f"SET LOCAL enable_{way} = off")
        return [
            str(row[-1])
            for sql, parameters in seen
            for row in connection.exec_driver_sql(f"{explain} {sql}", parameters)
        ]


KEY = ("merchant_id", "lang", "country", "sku")
KNOWN = pytest.mark.parametrize("analysed", [False, True], ids=["new", "analysed"])


@KNOWN
@pytest.mark.parametrize("new_database_url", ["postgresql"], indirect=True)
def test_postgresql_looks_up_a_better_language_by_the_whole_key(
    analysed: bool, database: Database, merchant: Merchant
) -> None:
    found = plans(database, analysed=analysed)

    # By a part of the key it reads all products of the merchant, once for each of them.
    better = [step for step in found if "(sku = " in step]
    assert len(better) == 2 * 3  # to count and to show; of two languages, with one and two better
    assert all(f"({name} = " in step for step in better for name in KEY)
    assert not any("Join" in step for step in found)
    # Nor is anything sorted, or read beyond what is shown.
    begin = "Index Scan using ix_products_wall on products"
    assert sum(begin in step for step in found) == 2 * 3
    assert not any("->  Sort" in step for step in found)


@KNOWN
@pytest.mark.parametrize("new_database_url", ["sqlite"], indirect=True)
def test_sqlite_looks_up_a_better_language_by_the_whole_key(
    analysed: bool, database: Database, merchant: Merchant
) -> None:
    found = [
        step for step in plans(database, analysed=analysed) if re.search(r"products|other", step)
    ]

    better = [step for step in found if " other " in step]
    whole = f"({' AND '.join(f'{name}=?' for name in KEY)})"
    assert len(better) == 2 * 3
    assert all(whole in step for step in better)
    assert {step for step in found if step not in better} == {
        "SEARCH products USING INDEX ix_products_wall",
        "SEARCH products USING INDEX ix_products_wall (lang>?)",
        "SEARCH products USING INDEX ix_products_wall (lang=? AND country=?)",
    }
