"""``flask products import``: what a merchant's file becomes, and what its sender is told."""

import csv
import gzip
import io
import json
import random
import re
import textwrap
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Connection, func, select

from jay import db
from jay.db import turns
from jay.errors import Busy
from jay.feeds import importing, leftovers
from jay.feeds.cli import import_products
from jay.feeds.files import FeedFile
from jay.feeds.models import product_imports
from jay.feeds.readers import (
    NESTED_COLUMNS,
    PRODUCT_COLUMNS,
    SHIPPING_COLUMNS,
    VARIANT_COLUMNS,
)
from jay.products.models import microseconds, products
from jay.products.wanted import wanted_skus
from tests.api.feed import details, post
from tests.builders import Shop, add_platform, add_shop
from tests.cli.conftest import Run
from tests.clock import NOON, MovedClock
from tests.servers import ROOT

HINT = "Amounts are in minor units: 1999 is 19.99."


@pytest.fixture
def shop(app: Flask, client: FlaskClient) -> Shop:
    return add_shop(app, client)


@pytest.fixture
def feed(tmp_path: Path) -> Callable[..., str]:
    """Write a file and return its path."""

    def write(content: str | bytes, name: str = "feed.csv") -> str:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    return write


Known = Callable[[], list[float]]


@pytest.fixture
def known(app: Flask) -> Iterator[Known]:
    """What PostgreSQL knows of the SKUs, at first nothing: how many there are, -1 for all."""

    def ask() -> list[float]:
        query = "SELECT n_distinct FROM pg_stats WHERE tablename = 'products' AND attname = 'sku'"
        with app.app_context(), db.reading() as connection:
            return list(connection.exec_driver_sql(query).scalars())

    def do(statement: str) -> None:
        with app.app_context(), db.transaction() as connection:
            connection.exec_driver_sql(statement)

    do("ALTER TABLE products SET (autovacuum_enabled = false)")
    do("DELETE FROM pg_statistic WHERE starelid = 'products'::regclass")
    yield ask
    do("ALTER TABLE products RESET (autovacuum_enabled)")


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_postgresql_knows_the_catalogue_when_a_large_import_ends(
    run: Run, shop: Shop, feed: Callable[..., str], known: Known, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "MANY", 2)

    assert run("products", "import", "mugshop", feed("sku,name\none,One\n")).exit_code == 0
    assert known() == []
    more = feed("sku,name\ntwo,Two\nthree,Three\n", "more.csv")
    assert run("products", "import", "mugshop", more).exit_code == 0
    assert known() == [-1]


def test_the_database_looks_anew_once_on_the_way_and_at_the_end_of_what_is_new(
    run: Run, app: Flask, shop: Shop, feed: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []

    def look(connection: Connection) -> None:
        stored = connection.scalar(select(func.count()).select_from(products))
        looks.append(stored or 0)

    monkeypatch.setattr(importing, "MANY", 2)
    monkeypatch.setattr(importing, "BATCH_ROWS", 1)
    monkeypatch.setattr(importing, "look_anew", look)

    for price in (100, 200):
        rows = [f"{sku},{sku},{price}\n" for sku in "abcd"]
        file = feed(f"sku,name,price\n{''.join(rows)}")
        assert run("products", "import", "mugshop", file).exit_code == 0

    assert looks == [2, 4, 4]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_an_import_ends_well_where_the_database_looks_at_it_too_slowly(
    run: Run, shop: Shop, feed: Callable[..., str], known: Known, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_slow(connection: Connection) -> None:
        connection.exec_driver_sql("SET LOCAL statement_timeout = 1")
        connection.exec_driver_sql("SELECT pg_sleep(60)")

    monkeypatch.setattr(importing, "MANY", 1)
    monkeypatch.setattr(importing, "look_anew", too_slow)

    result = run("products", "import", "mugshop", feed("sku,name\none,One\n"))

    assert (result.exit_code, known()) == (0, [])
    assert "1 added" in result.stdout


def table(*rows: dict[str, Any]) -> str:
    """Write rows as CSV."""
    columns = dict.fromkeys(name for row in rows for name in row)
    out = io.StringIO()
    writer = csv.DictWriter(out, list(columns))
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def main(sku: str = "A", **fields: Any) -> dict[str, Any]:
    return {"sku": sku, "name": f"Mug {sku}", "price": 500, **fields}


def variant(sku: str, of: str = "A", **fields: Any) -> dict[str, Any]:
    return {"sku": sku, "variantOf": of, "type": "size", "value": sku, **fields}


def stored(app: Flask) -> dict[str, Any]:
    """Return what is in the catalogue, by SKU."""
    with app.app_context(), db.reading() as connection:
        return {row.sku: row for row in connection.execute(select(products))}


def refused(path: str) -> list[tuple[int, str, str]]:
    """Return the lines, SKUs and reasons of the report."""
    with Path(f"{path}.refused.csv").open(newline="", encoding="utf-8-sig") as file:
        return [(int(line), sku, reason) for line, sku, reason in list(csv.reader(file))[1:]]


def test_a_file_becomes_a_catalogue(app: Flask, run: Run, shop: Shop, feed: Any) -> None:
    path = feed(table(main(stockCount=3, brand="B"), variant("A-M"), main("B", lang="en")))

    result = run("products", "import", "mugshop", path)

    assert result.exit_code == 0, result.stderr
    assert "3 rows: 3 added, 0 updated, 0 refused" in result.stdout
    rows = stored(app)
    assert (rows["A"].price, rows["A"].stock_count, rows["A"].description) == (
        500,
        3,
        {"brand": "B"},
    )
    assert rows["A"].id == "mugshop/de-DE/A"
    assert (rows["A-M"].main_id, rows["A-M"].variant_value) == (rows["A"].id, "A-M")
    assert rows["B"].id == "mugshop/en-DE/B"
    assert not Path(f"{path}.refused.csv").exists()


def test_it_is_said_of_how_many_the_stock_was_never_set(
    run: Run, shop: Shop, feed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leftovers, "SCANNED", 2)
    shop.product("other")
    rows = (main(), main("B", stockCount=0), variant("B-M", "B"), main("C"))
    path = feed(table(*rows, variant("C-M", "C"), variant("C-L", "C")))

    said = run("products", "import", "mugshop", path).stdout

    # A and the two variants of C: of B's variant its main product says it.
    assert "Stock not set for 3 of its products and variants: they are sold without limit." in said

    run("products", "import", "mugshop", feed(table({"sku": "C", "stockCount": 1}), "stock.csv"))
    assert "Stock not set for 1 of its" in run("products", "import", "mugshop", path).stdout


def test_the_same_file_again_changes_nothing_but_what_it_has(
    app: Flask, run: Run, shop: Shop, feed: Any
) -> None:
    shop.product("other")
    path = feed(table(main()))
    run("products", "import", "mugshop", path)

    result = run("products", "import", "mugshop", path)

    assert "1 rows: 0 added, 1 updated" in result.stdout
    assert set(stored(app)) == {"A", "other"}


def test_a_row_that_breaks_a_rule_is_reported_and_the_others_are_stored(
    app: Flask, run: Run, shop: Shop, feed: Any
) -> None:
    path = feed(
        table(main("A", price="12.50", vat="x"), main("B"), {"sku": "=C", "name": ""}, main("D"))
    )

    result = run("products", "import", "mugshop", path, "--prices", "minor")

    assert result.exit_code == 1
    assert "4 rows: 2 added, 0 updated, 2 refused" in result.stdout
    assert f"{path}.refused.csv" in result.stderr
    assert refused(path) == [
        (
            *(2, "A"),
            f"price: Not a valid integer. vat: Not a valid number. {HINT} VAT is in percent: 19 is"
            " 19 %.",
        ),
        (4, "'=C", "name: Missing data for required field."),
    ]
    assert set(stored(app)) == {"B", "D"}


def test_a_sku_that_belongs_to_another_product_is_refused_alone(
    app: Flask, run: Run, shop: Shop, feed: Any
) -> None:
    path = feed(
        table(
            main("A"),
            variant("A-M"),
            main("B"),
            variant("A-M", "B"),
            variant("B", "A"),
            main("A-M"),
            variant("X-M", "X"),
            variant("B-M", "B"),
            variant("Y-M", "A-M"),
        )
    )

    result = run("products", "import", "mugshop", path)

    assert result.exit_code == 1
    assert [line for line, _, _ in refused(path)] == [5, 6, 7, 8, 10]
    assert {sku: row.main_id for sku, row in stored(app).items()} == {
        "A": None,
        "A-M": "mugshop/de-DE/A",
        "B": None,
        "B-M": "mugshop/de-DE/B",
    }


def test_a_product_has_fifty_variants_at_most_wherever_they_stand(
    app: Flask, run: Run, shop: Shop, feed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "BATCH_ROWS", 7)
    path = feed(table(main(), *(variant(f"A-{number:02}") for number in range(52)), main("B")))

    run("products", "import", "mugshop", path)
    again = run("products", "import", "mugshop", path)

    assert again.exit_code == 1
    assert [sku for _, sku, _ in refused(path)] == ["A-50", "A-51"]
    rows = stored(app)
    assert [rows[f"A-{number:02}"].position for number in range(50)] == list(range(50))
    assert "B" in rows


def test_variants_that_stand_apart_all_stay_and_those_that_are_gone_are_removed(
    *,
    app: Flask,
    run: Run,
    shop: Shop,
    feed: Any,
    clock: MovedClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importing, "BATCH_ROWS", 2)
    rows = [main("A"), main("B"), *(variant(f"{of}-{n}", of) for n in "123" for of in "AB")]
    run("products", "import", "mugshop", feed(table(*rows)))
    clock.move(60)

    result = run("products", "import", "mugshop", feed(table(*rows[:-1])))

    assert "1 variants that the file has no more were removed." in result.stdout
    removed = {sku for sku, row in stored(app).items() if row.removed}
    assert removed == {"B-3"}
    assert "b-3" not in stored(app)["B"].search


def test_no_variant_is_removed_when_a_row_was_refused(
    app: Flask, run: Run, shop: Shop, feed: Any, clock: MovedClock
) -> None:
    run("products", "import", "mugshop", feed(table(main(), variant("A-1"), variant("A-2"))))
    clock.move(60)

    result = run("products", "import", "mugshop", feed(table(main(), variant("A-1", price="x"))))

    assert "no variant was removed" in result.stderr
    assert not any(row.removed for row in stored(app).values())


def test_what_was_sent_while_the_import_ran_stays(
    app: Flask, run: Run, shop: Shop, feed: Any, clock: MovedClock
) -> None:
    post(shop, sku="A", name="Old", price=1, stockCount=1)
    clock.move(3600)
    path = feed(table(main(price=500, stockCount=50), main("B")))
    shop.call(
        "PATCH",
        "/shops/products",
        json={"lang": "de", "country": "DE", "products": [{"sku": "A", "stockCount": 7}]},
    )

    early = (NOON + timedelta(minutes=30)).isoformat()
    result = run("products", "import", "mugshop", path, "--as-of", early)

    assert result.exit_code == 0, result.stderr
    row = stored(app)["A"]
    assert (row.stock_count, row.price, row.name) == (7, 500, "Mug A")
    assert row.stock_as_of == microseconds(clock.now)
    assert row.price_as_of == microseconds(NOON + timedelta(minutes=30))


def test_what_a_clock_wrote_that_was_ahead_does_not_keep_a_file_out(
    app: Flask, run: Run, shop: Shop, feed: Any, clock: MovedClock
) -> None:
    clock.move(6 * 3600)
    run("products", "import", "mugshop", feed(table(main(price=1), variant("A-1"), variant("A-2"))))
    clock.move(-6 * 3600)

    result = run(
        "products", "import", "mugshop", feed(table(main(price=500), variant("A-1"))), "--restart"
    )

    assert "1 variants that the file has no more were removed." in result.stdout, result.stdout
    assert stored(app)["A"].price == 500


def test_a_file_of_the_same_moment_counts_as_the_later_one(
    app: Flask, run: Run, shop: Shop, feed: Any
) -> None:
    moment = NOON.isoformat()
    run(
        *("products", "import", "mugshop", feed(table(main(), variant("A-1"), variant("A-2")))),
        *("--as-of", moment),
    )

    run(
        *("products", "import", "mugshop", feed(table(main(name="New"), variant("A-2")))),
        *("--as-of", moment),
    )

    rows = stored(app)
    assert (rows["A"].name, rows["A-1"].removed, rows["A-2"].removed) == ("New", True, False)


def test_json_lines_replace_the_set_of_variants_like_the_api(
    app: Flask, run: Run, shop: Shop, feed: Any
) -> None:
    post(shop, sku="A", name="A", variants=[{"sku": "A-1"}, {"sku": "A-2"}])
    body = {"sku": "A", "name": "New", "variants": [{"sku": "A-3"}, {"sku": "A-2"}]}
    path = feed(json.dumps(body) + "\n", "feed.jsonl")

    assert run("products", "import", "mugshop", path).exit_code == 0

    rows = stored(app)
    assert {sku: row.removed for sku, row in rows.items()} == {
        "A": False,
        "A-1": True,
        "A-2": False,
        "A-3": False,
    }
    assert (rows["A-3"].position, rows["A-2"].position) == (0, 1)


def test_of_a_sku_that_comes_twice_the_last_one_counts(
    app: Flask, run: Run, shop: Shop, feed: Any
) -> None:
    path = feed(table(main(name="First"), main("B"), main(name="Last")))

    run("products", "import", "mugshop", path)

    assert stored(app)["A"].name == "Last"


GOOGLE = """<rss xmlns:g="http://base.google.com/ns/1.0"><channel>
<item><g:id>A-S</g:id><g:title>Hoodie small</g:title><g:price>39.90 EUR</g:price>
<g:item_group_id>A</g:item_group_id><g:size>S</g:size><g:availability>in_stock</g:availability></item>
<item><g:id>B</g:id><g:title>Mug</g:title><g:price>9.90 EUR</g:price></item>
<item><g:id>A-M</g:id><g:title>Hoodie medium</g:title><g:price>41.90 EUR</g:price>
<g:item_group_id>A</g:item_group_id><g:size>M</g:size><g:availability>out_of_stock</g:availability></item>
</channel></rss>"""


@pytest.mark.parametrize("rows", [1, 500])
def test_a_google_feed_becomes_products_with_variants(
    *,
    app: Flask,
    run: Run,
    shop: Shop,
    feed: Any,
    clock: MovedClock,
    monkeypatch: pytest.MonkeyPatch,
    rows: int,
) -> None:
    monkeypatch.setattr(importing, "BATCH_ROWS", rows)
    path = feed(gzip.compress(GOOGLE.encode()), "feed.xml.gz")

    first = run("products", "import", "mugshop", path)
    clock.move(60)
    again = run("products", "import", "mugshop", path)

    assert "3 rows: 3 added, 0 updated, 0 refused" in first.stdout
    assert "3 rows: 0 added, 3 updated, 0 refused" in again.stdout
    found = stored(app)
    assert (found["A"].name, found["A"].price, found["A"].stock_set) == (
        "Hoodie",
        3990,
        False,
    )
    assert (found["A-S"].stock_set, found["A-S"].stock_count) == (True, None)
    assert (found["A-M"].price, found["A-M"].stock_count) == (4190, 0)
    assert [found[sku].position for sku in ("A-S", "A-M")] == [0, 1]
    assert not any(row.removed for row in found.values())


@pytest.mark.parametrize("turned", [False, True])
def test_a_group_cannot_take_the_sku_of_a_variant(
    app: Flask, run: Run, shop: Shop, feed: Any, turned: bool
) -> None:
    rows = ["B\tMug\tA", "A\tMug\tX"]
    table_ = "\n".join(["id\ttitle\titem_group_id", *(rows[::-1] if turned else rows)])

    result = run("products", "import", "mugshop", feed(table_))

    assert result.exit_code == 1
    reason = "The SKU A is a variant of X." if turned else "The SKU A is a product of its own."
    assert refused(str(feed(table_))) == [(3, "B" if turned else "A", reason)]


REGROUP = (
    (("P-S", "Pulli S", ""), ("P-M", "Pulli M", "")),
    (("P-S", "Pulli S", "P"), ("P-M", "Pulli M", "P")),
    (("P-M", "Pulli M", "P-S"), ("P-S", "Pulli S", "")),
    (("P", "Pulli", "Q"), ("P-S", "Pulli S", "Q"), ("P-M", "Pulli M", "Q")),
    (("P-S", "Pulli S", ""), ("P-M", "Pulli M", "")),
)


@pytest.mark.parametrize("rows", [1, 500])
def test_a_shop_groups_ungroups_and_regroups_its_products(
    *,
    app: Flask,
    run: Run,
    shop: Shop,
    feed: Any,
    clock: MovedClock,
    monkeypatch: pytest.MonkeyPatch,
    rows: int,
) -> None:
    monkeypatch.setattr(importing, "BATCH_ROWS", rows)
    post(shop, sku="P-S", name="Pulli S", price=3000, stockCount=4)
    ids = {sku: row.id for sku, row in stored(app).items()}

    for given in REGROUP:
        clock.move(60)
        lines = ["id\ttitle\titem_group_id", *("\t".join(row) for row in given)]
        result = run("products", "import", "mugshop", feed("\n".join(lines)))

        assert result.exit_code == 0, result.stdout
        found = {sku: row for sku, row in stored(app).items() if not row.removed}
        groups = {sku: row.main_id and row.main_id.rsplit("/", 1)[1] for sku, row in found.items()}
        for sku, _, group in given:
            assert groups[sku] == (None if group in ("", sku) else group)
        assert all(groups[main] is None for main in groups.values() if main)
        assert found["P-S"].id == ids["P-S"]
        assert (found["P-S"].price, found["P-S"].stock_count) == (3000, 4)


def test_a_wish_ends_when_the_product_comes(app: Flask, run: Run, shop: Shop, feed: Any) -> None:
    run("products", "want", "mugshop", "A", "A-M", "Z")

    run("products", "import", "mugshop", feed(table(main(), variant("A-M"))))

    with app.app_context(), db.reading() as connection:
        assert connection.execute(select(wanted_skus.c.sku)).scalars().all() == ["Z"]


def test_language_and_country_may_be_given_for_rows_without(
    app: Flask, run: Run, shop: Shop, feed: Any
) -> None:
    path = feed(table(main("A"), main("B", lang="de"), variant("A-M", lang="xx")))

    result = run("products", "import", "mugshop", path, "--lang", "en", "--country", "GB")

    assert {row.id for row in stored(app).values()} == {*("mugshop/en-GB/A", "mugshop/de-GB/B")}
    assert result.exit_code == 1
    assert refused(path) == [(4, "A-M", "lang: There is no such language.")]


def test_a_dry_run_checks_and_writes_nothing(app: Flask, run: Run, shop: Shop, feed: Any) -> None:
    path = feed(table(main(), main("B", price=-1)))

    result = run("products", "import", "mugshop", path, "--dry-run")

    assert result.exit_code == 1
    assert "2 rows, 1 would be refused. Nothing was written." in result.stdout
    assert "B" in Path(f"{path}.dry-run.csv").read_text()
    assert stored(app) == {}
    assert not Path(f"{path}.refused.csv").exists()


def test_a_former_price_goes_also_where_a_product_comes_in_another_batch_than_its_variants(
    *,
    app: Flask,
    run: Run,
    shop: Shop,
    feed: Any,
    clock: MovedClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importing, "BATCH_ROWS", 1)
    variants = [variant("A-M", price=400), variant("A-L", price=400)]
    run("products", "import", "mugshop", feed(table(main(), *variants)))
    shop.call(
        "PATCH",
        "/shops/products",
        json={"products": [{"sku": "A-M", "orgPrice": 700}, {"sku": "A-L", "orgPrice": 700}]},
    )

    clock.move(1)
    in_dollars = table(main(currency="USD"), *variants)
    assert run("products", "import", "mugshop", feed(in_dollars)).exit_code == 0

    rows = stored(app)
    assert [(rows[sku].price, rows[sku].org_price) for sku in ("A-M", "A-L")] == [(400, None)] * 2


def test_a_dry_run_of_an_update_shows_the_former_price_alone_too(
    run: Run, shop: Shop, feed: Any
) -> None:
    path = feed(table({"sku": "A", "orgPrice": 700}))

    said = run("products", "import", "mugshop", path, "--dry-run").stdout

    assert "A (de-DE), an update: before €7.00" in said


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("sku,name\n", "has no products."),
        ("<rss><channel/></rss>", "has no products."),
        ("<html><body>Please log in.</body></html>", "is a web page (HTML): "),
    ],
)
def test_a_file_without_products_is_of_no_use_in_a_dry_run_either(
    run: Run, shop: Shop, feed: Any, content: str, what: str
) -> None:
    path = feed(content)

    results = [run("products", "import", "mugshop", path, *dry) for dry in ((), ("--dry-run",))]

    assert {result.exit_code for result in results} == {2}
    assert all(f"{path} {what}" in result.stderr for result in results)


def test_an_import_that_was_stopped_goes_on_where_it_was(
    *,
    app: Flask,
    run: Run,
    shop: Shop,
    feed: Any,
    clock: MovedClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importing, "BATCH_ROWS", 2)
    path = feed(table(*(main(f"A-{n}", price="x" if n % 3 == 0 else 5) for n in range(10))))
    shop_calls = stop_after(monkeypatch, 2)

    stopped = run("products", "import", "mugshop", path)

    assert stopped.exit_code == 130
    assert "The same command goes on from there" in stopped.stderr
    done = len(stored(app)) + len(refused(path))
    assert 0 < done < 10
    shop_calls["left"] = 10**6
    clock.move(60)
    resumed = run("products", "import", "mugshop", path)
    assert "Going on after line" in resumed.stderr
    assert "10 rows: 6 added, 0 updated, 4 refused" in resumed.stdout
    assert [sku for _, sku, _ in refused(path)] == ["A-0", "A-3", "A-6", "A-9"]
    assert {row.price_as_of for row in stored(app).values()} == {microseconds(NOON)}


def stop_after(monkeypatch: pytest.MonkeyPatch, batches: int) -> dict[str, int]:
    """Let Ctrl-C come before a batch."""
    state = {"left": batches}
    check = FeedFile.check_unchanged

    def counted(file: FeedFile) -> None:
        if state["left"] == 0:
            raise KeyboardInterrupt
        state["left"] -= 1
        check(file)

    monkeypatch.setattr(FeedFile, "check_unchanged", counted)
    return state


def test_a_stopped_import_begins_anew_when_the_file_has_changed_and_says_so(
    *,
    app: Flask,
    run: Run,
    shop: Shop,
    feed: Any,
    clock: MovedClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importing, "BATCH_ROWS", 1)
    state = stop_after(monkeypatch, 1)
    run("products", "import", "mugshop", feed(table(main("A"), main("B"))))
    state["left"] = 10**6

    result = run("products", "import", "mugshop", feed(table(main("A", price=7), main("B"))))

    assert "the file or the options have changed since: this one begins anew" in result.stderr
    assert "2 rows: 1 added, 1 updated" in result.stdout
    assert stored(app)["A"].price == 7


def test_a_stopped_import_begins_anew_when_asked_to(
    *,
    app: Flask,
    run: Run,
    shop: Shop,
    feed: Any,
    clock: MovedClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importing, "BATCH_ROWS", 1)
    state = stop_after(monkeypatch, 1)
    path = feed(table(main("A"), main("B")))
    run("products", "import", "mugshop", path)
    state["left"] = 10**6

    result = run("products", "import", "mugshop", path, "--restart")

    assert "Going on" not in result.stderr
    assert "2 rows: 1 added, 1 updated" in result.stdout


def test_a_file_that_changes_while_it_is_read_stops_the_import(
    app: Flask, run: Run, shop: Shop, feed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = feed(table(main("A"), main("B")))
    monkeypatch.setattr(importing, "BATCH_ROWS", 1)
    put = importing.put_of

    def changed(*given: Any) -> Any:
        with Path(path).open("a") as file:
            file.write("C,Mug\n")
        return put(*given)

    monkeypatch.setattr(importing, "put_of", changed)

    result = run("products", "import", "mugshop", path)

    assert result.exit_code == 2
    assert "was changed while it was read. Nothing was stored." in result.stderr


def test_a_second_importer_of_the_same_file_is_refused(run: Run, shop: Shop, feed: Any) -> None:
    path = feed(table(main()))

    with FeedFile(Path(path)):
        result = run("products", "import", "mugshop", path)

    assert result.exit_code == 2
    assert "is being imported by another process" in result.stderr


def test_an_import_that_went_on_elsewhere_is_left_alone(
    app: Flask, run: Run, shop: Shop, feed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a copy of the file on another machine."""
    monkeypatch.setattr(importing, "BATCH_ROWS", 1)
    path = feed(table(main("A"), main("B")))
    check = FeedFile.check_unchanged

    def taken_over(file: FeedFile) -> None:
        with db.transaction() as connection:
            turns.take(connection)
            connection.execute(product_imports.update().values(run="another"))
        check(file)

    monkeypatch.setattr(FeedFile, "check_unchanged", taken_over)

    result = run("products", "import", "mugshop", path)

    assert result.exit_code == 1
    assert "Another process has taken this import over" in result.stderr
    assert stored(app) == {}


def test_a_file_that_breaks_off_says_what_is_stored(
    *,
    app: Flask,
    run: Run,
    shop: Shop,
    feed: Any,
    clock: MovedClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importing, "BATCH_ROWS", 1)
    post(shop, sku="A", name="A", variants=[{"sku": "A-0"}])

    result = run("products", "import", "mugshop", feed(GOOGLE[:-60], "feed.xml"))

    assert result.exit_code == 2
    assert "not well-formed" in result.stderr
    assert not stored(app)["A-0"].removed


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is empty"),
        ("sku,name\n", "has no products"),
        ("sku;brand\nA;5\n", "has no column name"),
        ("[{}]", "JSON array"),
        ('<!DOCTYPE r [<!ENTITY a "a">]><r/>', "DOCTYPE"),
    ],
)
def test_a_file_of_no_use_is_an_error_and_changes_nothing(
    *, app: Flask, run: Run, shop: Shop, feed: Any, content: str, words: str
) -> None:
    result = run("products", "import", "mugshop", feed(content))

    assert result.exit_code == 2
    assert words in result.stderr
    assert stored(app) == {}


def test_a_merchant_that_is_not_there_is_said_with_those_that_are(
    run: Run, shop: Shop, feed: Any
) -> None:
    result = run("products", "import", "mugshp", feed(table(main())))

    assert result.exit_code == 2
    assert "There is no merchant 'mugshp'. There are: mugshop." in result.stderr


def test_the_first_merchant_is_said_how_to_add(run: Run, feed: Any) -> None:
    result = run("products", "import", "mugshop", feed(table(main())))

    assert "flask --app app merchant add mugshop" in result.stderr


@pytest.mark.parametrize(
    "options",
    [
        ("--as-of", "yesterday"),
        ("--as-of", "2025-06-04"),
        ("--as-of", "2025-06-04T12:00:01Z"),
        ("--lang", "xx"),
        ("--country", "de"),
        ("--format", "excel"),
    ],
)
def test_an_option_that_means_nothing_is_an_error(
    run: Run, shop: Shop, feed: Any, options: tuple[str, str]
) -> None:
    result = run("products", "import", "mugshop", feed(table(main())), *options)

    assert result.exit_code == 2
    assert options[0] in result.stderr


def test_a_file_that_does_not_exist_is_an_error(run: Run, shop: Shop) -> None:
    assert run("products", "import", "mugshop", "/nowhere/feed.csv").exit_code == 2


def test_a_database_without_tables_says_what_to_run(empty_app: Flask, feed: Any) -> None:
    words = ["products", "import", "mugshop", feed(table(main()))]

    result = empty_app.test_cli_runner().invoke(args=words)

    assert result.exit_code == 1
    assert "db upgrade" in result.stderr


def test_the_examples_of_the_documentation_are_imported(
    app: Flask, run: Run, shop: Shop, feed: Any
) -> None:
    text = (ROOT / "docs" / "IMPORT.md").read_text()
    example, line = re.findall(r"\n\n((?:    (?:sku,|CREW|\{).*\n)+)", text)

    as_csv = run("products", "import", "mugshop", feed(textwrap.dedent(example)))
    as_json = run("products", "import", "mugshop", feed(textwrap.dedent(line), "feed.jsonl"))

    assert "3 rows: 3 added, 0 updated, 0 refused" in as_csv.stdout
    assert "1 rows: 0 added, 1 updated, 0 refused" in as_json.stdout
    rows = stored(app)
    assert (rows["CREW-01-L"].price, rows["CREW-01-M"].removed) == (12900, False)


def test_the_documentation_has_every_column() -> None:
    text = (ROOT / "docs" / "IMPORT.md").read_text()
    columns = {*PRODUCT_COLUMNS, *SHIPPING_COLUMNS, *VARIANT_COLUMNS, *NESTED_COLUMNS}

    assert {name for name in columns if f"`{name}`" not in text} == set()


def test_a_batch_that_meets_a_busy_database_is_tried_again(
    app: Flask, run: Run, shop: Shop, feed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    put, calls = importing.put_many, []

    def busy_once(*given: Any, **more: Any) -> Any:
        calls.append(put(*given, **more))
        if len(calls) < importing.ATTEMPTS:
            raise Busy
        return calls[-1]

    monkeypatch.setattr(importing, "put_many", busy_once)
    path = feed(table(main("A"), main("B", price="x")))

    result = run("products", "import", "mugshop", path)

    assert "2 rows: 1 added, 0 updated, 1 refused" in result.stdout
    assert len(refused(path)) == 1


def test_a_database_that_stays_busy_ends_the_import_with_how_to_go_on(
    app: Flask, run: Run, shop: Shop, feed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_given: Any, **_more: Any) -> Any:
        raise Busy

    monkeypatch.setattr(importing, "put_many", busy)

    result = run("products", "import", "mugshop", feed(table(main("A"))))

    assert result.exit_code == 1
    assert "Nothing was stored. The same command goes on from there" in result.stderr


def test_the_help_names_the_formats() -> None:
    assert "Google Merchant feed" in (import_products.help or "")


def test_an_import_and_updates_at_once_neither_fail_nor_lose_the_later_news(
    app: Flask, run: Run, shop: Shop, feed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "BATCH_ROWS", 40)
    skus = [f"P-{number:03}" for number in range(200)]
    rows = [row for sku in skus for row in (main(sku, stockCount=1), variant(f"{sku}-V", sku))]
    path = feed(table(*rows))
    run("products", "import", "mugshop", path, "--as-of", (NOON - timedelta(days=2)).isoformat())
    every = [sku for row in skus for sku in (row, f"{row}-V")]
    statuses: list[int] = []
    begin = threading.Barrier(4)

    def update(seed: int) -> None:
        shuffled = random.Random(seed).sample(every, len(every))
        begin.wait()
        for start in range(0, len(shuffled), 50):
            items = [{"sku": sku, "stockCount": 7} for sku in shuffled[start : start + 50]]
            body = {"lang": "de", "country": "DE", "products": items}
            client = Shop(app, app.test_client(), shop.name, shop.key)
            statuses.append(client.call("PATCH", "/shops/products", json=body).status_code)

    threads = [threading.Thread(target=update, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    begin.wait()
    early = (NOON - timedelta(days=1)).isoformat()
    result = run("products", "import", "mugshop", path, "--as-of", early)
    for thread in threads:
        thread.join()

    assert result.exit_code == 0, result.stderr
    assert statuses == [200] * 24
    assert {row.stock_count for row in stored(app).values()} == {7}
    assert {row.described_as_of for row in stored(app).values()} == {
        microseconds(NOON - timedelta(days=1))
    }


JACKET = """<rss xmlns:g="http://base.google.com/ns/1.0"><channel>
<item><g:id>J</g:id><g:item_group_id>J</g:item_group_id><g:title>Jacke S</g:title>
<g:price>50.00 EUR</g:price><g:size>S</g:size><g:color>red</g:color>
<g:image_link>https://shop.example/s.jpg</g:image_link><g:availability>{0}</g:availability></item>
<item><g:id>J-M</g:id><g:item_group_id>J</g:item_group_id><g:title>Jacke M</g:title>
<g:price>55.00 EUR</g:price><g:size>M</g:size><g:color>blue</g:color><g:brand>Nord</g:brand>
<g:image_link>https://shop.example/m.jpg</g:image_link><g:availability>{1}</g:availability></item>
</channel></rss>"""


@pytest.mark.one_database
@pytest.mark.parametrize("rows", [1, 500])
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    ("stock", "out"),
    [
        (("in_stock", "out_of_stock"), False),
        (("out_of_stock", "in_stock"), False),
        (("out_of_stock", "out_of_stock"), True),
    ],
)
def test_the_item_with_the_id_of_its_group_is_a_variant_too(
    *,
    app: Flask,
    run: Run,
    shop: Shop,
    feed: Any,
    monkeypatch: pytest.MonkeyPatch,
    client: FlaskClient,
    rows: int,
    turned: bool,
    stock: tuple[str, str],
    out: bool,
) -> None:
    monkeypatch.setattr(importing, "BATCH_ROWS", rows)
    content = JACKET.format(*stock)
    if turned:
        head, one, other, tail = re.split(r"(?=<item>)|(?=</channel>)", content)
        content = head + other + one + tail

    result = run("products", "import", "mugshop", feed(content, "feed.xml"))

    assert result.exit_code == 0, result.stdout
    alice = add_platform(app, client).user()
    main, variant = (details(alice, f"mugshop/de-DE/{sku}") for sku in ("J", "J-M"))
    assert [(one["value"], one["price"]) for one in main["variants"]] == [
        ("S / red", 5000),
        ("M / blue", 5500),
    ]
    assert (main["name"], main["variant"], main["price"]) == ("Jacke", "S / red", 5000)
    assert (main["colour"], main["brand"], main["outOfStock"]) == (None, None, out)
    assert (variant["name"], variant["colour"], variant["brand"]) == ("Jacke", "blue", "Nord")
    assert variant["images"][0]["url"] == "https://shop.example/m.jpg"
