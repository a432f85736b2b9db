"""Shops that group their products in one way after another: nothing is refused, and ids stay."""

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from jay import db
from jay.products.models import products
from tests.builders import add_platform, add_shop
from tests.cli.conftest import Run
from tests.clock import MovedClock

PREFIX = "mugshop/de-DE/"
# One import after another: of each SKU, the group that the feed says.
TURNS: list[dict[str, str]] = [
    {"A": "", "B": "", "C": ""},
    {"A": "G", "B": "G", "C": ""},
    {"A": "H", "B": "G", "C": "G"},
    {"A": "A", "B": "A", "C": "A"},
    {"A": "B", "B": "B", "C": "C"},
    {"A": "G", "B": "H", "C": "H"},
    {"A": "", "B": "", "C": ""},
    {"A": "G", "B": "G", "C": "G"},
]


@pytest.fixture
def import_turn(run: Run, clock: MovedClock, tmp_path: Path) -> Callable[[dict[str, str]], None]:
    def put(groups: dict[str, str]) -> None:
        clock.move(60)
        path = tmp_path / "feed.tsv"
        rows = [
            f"{sku}\tShirt {sku}\t{10 + at}.00 EUR\tin_stock\t{sku}\t{group}"
            for at, (sku, group) in enumerate(groups.items())
        ]
        head = "id\ttitle\tprice\tavailability\tsize\titem_group_id"
        path.write_text("\n".join([head, *rows]) + "\n")
        result = run("products", "import", "mugshop", str(path))
        assert result.exit_code == 0, (groups, result.output)

    return put


@pytest.mark.one_database
def test_products_may_be_grouped_anew_again_and_again(
    app: Flask,
    client: FlaskClient,
    import_turn: Callable[[dict[str, str]], None],
) -> None:
    add_shop(app, client)
    alice = add_platform(app, client).user()
    for turn, groups in enumerate(TURNS):
        import_turn(groups)
        if not turn:
            alice.put(f"{PREFIX}A", 2)
            alice.put(f"{PREFIX}C", 1)

        with app.app_context(), db.reading() as connection:
            rows = {
                row.sku: row
                for row in connection.execute(select(products).where(~products.c.removed))
            }
        of_which = {
            sku: (rows[sku].main_id or "").removeprefix(PREFIX) for sku in groups if sku in rows
        }
        assert of_which == {sku: "" if sku == group else group for sku, group in groups.items()}
        assert {sku: rows[sku].price for sku in groups} == {"A": 1000, "B": 1100, "C": 1200}
        assert set(rows) == {*groups, *filter(None, groups.values())}, turn
        assert alice.cart() == {f"{PREFIX}A": 2, f"{PREFIX}C": 1}
