"""Rows of an import that are stored again: only what they say changes, and all of that."""

from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from jay import db
from jay.products import upserting
from jay.products.models import products
from tests.builders import add_shop
from tests.cli.conftest import Run
from tests.clock import MovedClock

MANY = 2 * upserting.FEW


def stored(app: Flask) -> dict[str, Any]:
    """Return all rows, by SKU."""
    with app.app_context(), db.reading() as connection:
        return {row.sku: row for row in connection.execute(select(products))}


def test_what_rows_say_is_stored_and_what_they_do_not_say_stays(
    app: Flask, client: FlaskClient, run: Run, clock: MovedClock, tmp_path: Path
) -> None:
    add_shop(app, client)
    path = tmp_path / "feed.csv"

    def put(*lines: str) -> None:
        clock.move(60)
        path.write_text("\n".join(lines) + "\n")
        result = run("products", "import", "mugshop", str(path))
        assert result.exit_code == 0, result.output

    put(
        "sku,name,stockCount,price,vat,colour,notShoppable,variantOf",
        *(f"S{at},Mug {at},{at},{100 + at},7,red,," for at in range(MANY)),
        *(f"S{at}-L,,3,,,,,S{at}" for at in range(MANY)),
    )
    first = stored(app)
    assert [first[f"S{at}"].price for at in range(3)] == [100, 101, 102]
    assert first["S1-L"].main_id == first["S1"].id
    assert first["S1-L"].stock_count == 3

    # The same products: half of them have another name, and a variant has gone.
    put(
        "sku,name,price,notShoppable,variantOf",
        *(f"S{at},{'Cup' if at % 2 else 'Mug'} {at},{200 + at},," for at in range(MANY)),
        *(f"S{at}-L,,,,S{at}" for at in range(1, MANY)),
    )
    second = stored(app)
    assert {sku: row.id for sku, row in second.items()} == {s: r.id for s, r in first.items()}
    for at in range(MANY):
        row, before = second[f"S{at}"], first[f"S{at}"]
        assert (row.price, row.stock_count, row.vat) == (200 + at, at, 7)  # unsaid ones stay
        assert "colour" not in row.description  # a description is told as a whole
        found_by = f"{'cup' if at % 2 else 'mug'} {at} s{at}" + (f" s{at}-l" if at else "")
        assert row.search == found_by
        assert (row.created, row.updated > before.updated) == (before.created, True)
        assert second[f"S{at}-L"].removed is (at == 0)

    # Now nothing that an index holds changes but of one of them, which has become a variant.
    put(
        "sku,name,price,notShoppable,variantOf",
        *(f"S{at},{'Cup' if at % 2 else 'Mug'} {at},{at},yes," for at in range(1, MANY)),
        *(f"S{at}-L,,,,S{at}" for at in range(1, MANY)),
        "S0,,,,S1",
    )
    third = stored(app)
    assert third["S0"].main_id == third["S1"].id
    assert third["S0"].search is None
    assert third["S1"].search == "cup 1 s1 s1-l s0"
    assert all(third[f"S{at}"].not_shoppable for at in range(1, MANY))
    assert third["S0-L"].removed
