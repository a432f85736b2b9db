"""Files that merchants' shops really write, in small: what each becomes."""

import csv
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import Result
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from jay import db
from jay.products.models import products
from tests.builders import add_shop
from tests.cli.conftest import Run

DATA = Path(__file__).parents[1] / "data" / "feed"


class Imported(NamedTuple):
    """What has become of a file: the rows by SKU, the reasons of what was refused, the answer."""

    rows: dict[str, Any]
    refused: dict[str, str]
    notes: dict[str, str]
    result: Result


@pytest.fixture
def imported(app: Flask, client: FlaskClient, run: Run, tmp_path: Path) -> Callable[..., Imported]:
    """Import a file of the data, as the command does."""
    add_shop(app, client)

    def put(name: str, *options: str) -> Imported:
        path = tmp_path / name
        shutil.copy(DATA / name, path)
        result = run("products", "import", "mugshop", str(path), *options)
        with app.app_context(), db.reading() as connection:
            rows = {row.sku: row for row in connection.execute(select(products))}
        return Imported(rows, _report(path, "refused"), _report(path, "notes"), result)

    return put


def _report(path: Path, kind: str) -> dict[str, str]:
    report = path.with_name(f"{path.name}.{kind}.csv")
    if not report.exists():
        return {}
    with report.open(newline="", encoding="utf-8-sig") as file:
        return {sku or line: reason for line, sku, reason in list(csv.reader(file))[1:]}


def prices(rows: dict[str, Any]) -> dict[str, int]:
    return {sku: row.price for sku, row in rows.items()}


# --- money


def test_thousands_in_german_notation_are_read_and_what_is_unclear_is_refused(
    imported: Callable[..., Imported],
) -> None:
    found = imported("price-german-thousands.xml")

    assert prices(found.rows) == {
        "K1": 129000,
        "K3": 1234000,
        "K4": 12990,
        "K5": 129995,
        "K6": 250050,
    }
    assert found.refused == {"K2": "price: '1.200 EUR' can be read as 1.2 and as 1200 EUR."}
    assert found.result.exit_code == 1


def test_one_digit_behind_the_comma_is_ten_cents(imported: Callable[..., Imported]) -> None:
    found = imported("price-one-digit-comma.xml")

    assert prices(found.rows) == {"C1": 1990, "C2": 750, "C3": 50, "C4": 129950}
    assert found.refused == {
        "C5": "price: '12,345 EUR' can be read as 12.345 and as 12345 EUR.",
        "C6": "price: '1,2345 EUR' has too many decimal places for EUR.",
    }
