"""``flask products export``: the catalogue as the API takes it."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from jay.feeds import exporting
from jay.products import stored
from tests.api.feed import post
from tests.builders import Shop, add_shop
from tests.cli.conftest import Run

FULL: dict[str, Any] = {
    "sku": "A",
    "name": 'Mug "1"\n😀',
    "lang": "en",
    "country": "GB",
    "stockCount": None,
    "price": 1250,
    "orgPrice": 1500,
    "currency": "GBP",
    "vat": 20.0,
    "shippingModel": {"shippingFlatRate": 490},
    "brand": {"name": "B", "logoUrl": None},
    "description": "ß" * 20_000,
    "notShoppable": True,
    "variants": [
        {"sku": "A-L", "type": "size", "value": "L"},
        {"sku": "A-M", "stockCount": 0, "price": 5, "orgPrice": 6, "type": "size", "value": "M"},
    ],
}


@pytest.fixture
def shop(app: Flask, client: FlaskClient) -> Shop:
    return add_shop(app, client)


def lines(content: str | bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in content.splitlines()]


def test_a_line_is_what_the_merchant_has_sent(run: Run, shop: Shop) -> None:
    post(shop, **FULL)
    post(shop, sku="B", name="Plain")

    result = run("products", "export", "mugshop")

    assert lines(result.stdout) == [
        {"sku": "B", "name": "Plain", "lang": "de", "country": "DE", "variants": []},
        FULL,
    ]
    assert "2 products in" in result.stderr


def test_removed_variants_are_left_out(run: Run, shop: Shop) -> None:
    post(shop, variants=[{"sku": "mug-1"}, {"sku": "mug-2"}])
    post(shop, variants=[{"sku": "mug-2"}])

    (line,) = lines(run("products", "export", "mugshop").stdout)

    assert line["variants"] == [{"sku": "mug-2"}]


def test_every_page_is_written_once(run: Run, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    skus = sorted(f"S-{number}" for number in range(stored.PAGE + 3))
    for sku in skus:
        shop.product(sku)

    exported = lines(run("products", "export", "mugshop").stdout)

    assert [line["sku"] for line in exported] == skus


def test_products_of_others_stay_with_them(
    app: Flask, client: FlaskClient, run: Run, shop: Shop
) -> None:
    add_shop(app, client, "bookshop").product("book")

    assert run("products", "export", "mugshop").stdout == ""


@pytest.mark.parametrize(
    ("name", "options", "packed"),
    [
        ("out.jsonl", (), False),
        ("out.jsonl.gz", (), True),
        ("out", ("--gzip",), True),
    ],
)
def test_a_file_is_complete_when_it_is_there(
    *, run: Run, shop: Shop, tmp_path: Path, name: str, options: tuple[str, ...], packed: bool
) -> None:
    shop.product("mug")
    path = tmp_path / name
    path.write_text("old")

    result = run("products", "export", "mugshop", str(path), *options)

    assert (result.exit_code, result.stdout) == (0, "")
    content = path.read_bytes()
    assert [line["sku"] for line in lines(gzip.decompress(content) if packed else content)] == [
        "mug"
    ]
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_an_export_that_fails_leaves_the_old_file(
    run: Run, shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.product("mug")
    path = tmp_path / "out.jsonl"
    path.write_text("old")

    def full(*_given: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(exporting, "product_body", full)
    result = run("products", "export", "mugshop", str(path))

    assert result.exit_code == 2
    assert "No space left on device" in result.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["out.jsonl"]
    assert path.read_text() == "old"


def test_what_was_exported_is_imported_again(
    app: Flask, client: FlaskClient, run: Run, shop: Shop, tmp_path: Path
) -> None:
    post(shop, **FULL)
    path = str(tmp_path / "out.jsonl")
    run("products", "export", "mugshop", path)
    add_shop(app, client, "bookshop")

    assert run("products", "import", "bookshop", path).exit_code == 0

    exported = [run("products", "export", name).stdout for name in ("mugshop", "bookshop")]
    assert exported[0] == exported[1]


def test_a_place_that_takes_no_file_is_an_error(run: Run, shop: Shop, tmp_path: Path) -> None:
    result = run("products", "export", "mugshop", str(tmp_path / "nowhere" / "out"))

    assert result.exit_code == 2
    assert "can't be written" in result.stderr


def test_an_unknown_merchant_is_an_error(run: Run, shop: Shop) -> None:
    assert run("products", "export", "nobody").exit_code == 2
