"""Files that merchants' shops really write, in small: what each becomes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from jay import db
from jay.products.models import products
from tests.builders import add_shop
from tests.cli.conftest import Imported, Run


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


def test_a_sale_price_or_price_of_nothing_is_not_used(imported: Callable[..., Imported]) -> None:
    found = imported("price-zero.xml")

    assert prices(found.rows) == {"Z1": 2000, "Z2": None}
    assert set(found.notes) == {"Z1", "Z2"}
    assert found.result.exit_code == 0


def test_a_row_that_proves_another_unit_refuses_the_whole_file(
    imported: Callable[..., Imported],
) -> None:
    found = imported("csv-major-units-mixed.csv")

    assert found.rows == {}
    assert "line 2: price is '12.99'" in found.result.stderr
    assert "--prices major" in found.result.stderr
    assert found.result.exit_code == 2


def test_the_same_file_is_read_where_its_unit_is_said(imported: Callable[..., Imported]) -> None:
    found = imported("csv-major-units-mixed.csv", "--prices", "major")

    assert prices(found.rows) == {"A1": 1299, "A2": 1500, "A3": 129900}


def test_minor_units_that_are_said_cost_the_other_rows_alone(
    imported: Callable[..., Imported],
) -> None:
    found = imported("csv-major-units-mixed.csv", "--prices", "minor")

    assert prices(found.rows) == {"A2": 15, "A3": 1299}
    assert set(found.refused) == {"A1"}


# --- shipping


@pytest.mark.parametrize(
    ("name", "shipping"),
    [
        ("shipping-amount-only.tsv", {"S1": 490, "S2": 490, "S3": 490}),
        ("shipping-header-price.tsv", {"S1": 490}),
        ("shipping-header-times.tsv", {"S1": 490}),
        ("shipping-plain-text.xml", {"S1": 490, "S2": None}),
        ("shipping-with-times.tsv", {"S1": 490, "S2": 490}),
    ],
)
def test_shipping_is_read_in_every_form_of_google(
    imported: Callable[..., Imported], name: str, shipping: dict[str, int | None]
) -> None:
    found = imported(name)

    assert found.result.exit_code == 0, found.result.stderr
    assert {
        sku: (row.shipping or {}).get("shippingFlatRate") for sku, row in found.rows.items()
    } == shipping


# --- encodings


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("xml-encoding-cp1251.xml", "Чашка"),
        ("xml-encoding-latin9.xml", "Größe €"),
        ("xml-encoding-utf8.xml", "Größe Müsli"),
    ],
)
def test_xml_is_read_in_the_encoding_that_it_names(
    imported: Callable[..., Imported], name: str, title: str
) -> None:
    assert imported(name).rows["X1"].name == title


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("xml-encoding-unknown.xml", "no encoding 'unicode': --encoding"),
        ("xml-encoding-utf16-wrong.xml", "says that it is in UTF-16, but it is not: --encoding"),
    ],
)
def test_xml_in_an_encoding_that_is_none_is_refused_in_one_sentence(
    imported: Callable[..., Imported], name: str, words: str
) -> None:
    found = imported(name)

    assert words in found.result.stderr
    assert (found.rows, found.result.exit_code) == ({}, 2)
    assert imported(name, "--encoding", "utf-8").rows["X1"].name == "Cup"


def test_latin_1_is_read_whole_or_refused_whole(imported: Callable[..., Imported]) -> None:
    found = imported("csv-latin1.csv")

    assert found.rows == {}
    assert "line 3: not in UTF-8" in found.result.stderr
    assert found.result.exit_code == 2

    found = imported("csv-latin1.csv", "--encoding", "latin-1", "--prices", "minor")

    assert found.rows["L2"].name == "Müslischüssel"
    assert set(found.refused) == {"L3"}


# --- tables


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("csv-blank-first-line.csv", {"A1": 1990}),
        ("csv-cr-only.csv", {"A1": 1990, "A2": 2990}),
        ("csv-crlf.csv", {"A1": 1990, "A2": 2990}),
        ("csv-facebook-template.csv", {"A1": 1990}),
        ("csv-semicolons-in-heading.csv", {"A1": 1990}),
        ("csv-type-on-main.csv", {"A1": 1990}),
        ("csv-images-comma.csv", {"A1": 1990, "A2": 2990, "A3": 990}),
    ],
)
def test_tables_are_read_as_shops_write_them(
    imported: Callable[..., Imported], name: str, expected: dict[str, int]
) -> None:
    found = imported(name)

    assert found.result.exit_code == 0, found.result.stderr
    assert prices(found.rows) == expected


def test_a_list_of_pictures_is_a_list(imported: Callable[..., Imported]) -> None:
    urls = ["https://shop.example/a.jpg", "https://shop.example/b.jpg"]

    for row in imported("csv-images-comma.csv").rows.values():
        assert [image["url"] for image in row.description["images"]] == urls


def test_two_columns_of_one_name_refuse_the_file(imported: Callable[..., Imported]) -> None:
    found = imported("csv-duplicate-column.csv")

    assert "two columns for price: 'price' and 'Price'" in found.result.stderr
    assert (found.rows, found.result.exit_code) == ({}, 2)


def test_a_character_that_no_database_holds_costs_its_row(
    imported: Callable[..., Imported],
) -> None:
    found = imported("csv-nul.csv")

    assert prices(found.rows) == {"A3": 990}
    assert len(found.refused) == 2


def test_a_wrong_picture_costs_the_picture_alone(
    imported: Callable[..., Imported], tmp_path: Path
) -> None:
    found = imported("pictures-wrong.csv")

    images = {sku: row.description.get("images") for sku, row in found.rows.items()}
    assert images["A1"] == [{"url": "https://shop.example/a.jpg", "copyrightText": None}]
    assert images["A2"] == []
    assert "'ftp://shop.example/b.jpg' was left out" in found.notes["A1"]
    assert "url: 'shop' was left out" in found.notes["A2"]
    assert "Of 2 rows something was left out" in found.result.stderr
    assert found.result.exit_code == 0


# --- stock and prices alone


def test_a_table_of_stock_alone_is_an_update_of_what_is_there(
    app: Flask, imported: Callable[..., Imported]
) -> None:
    assert imported("csv-stock-only.csv").refused == {
        "A1": "The catalogue has no product with this SKU."
    }
    before = imported("csv-crlf.csv").rows

    found = imported("csv-stock-only.csv")

    assert found.result.exit_code == 0, found.result.stderr
    assert "1 rows: 0 added, 1 updated, 0 refused" in found.result.stdout
    assert (found.rows["A1"].stock_count, found.rows["A1"].price) == (5, 1990)
    assert found.rows["A2"] == before["A2"]


def test_of_any_table_stock_and_prices_can_be_read_alone(
    imported: Callable[..., Imported],
) -> None:
    before = imported("csv-crlf.csv").rows

    found = imported("csv-major-units-mixed.csv", "--volatile", "--prices", "major")

    assert set(found.refused) == {"A3"}
    assert prices(found.rows) == {"A1": 1299, "A2": 1500}
    assert {row.currency for row in found.rows.values()} == {"EUR"}
    assert [row.described_as_of for row in found.rows.values()] == [
        row.described_as_of for row in before.values()
    ]


def test_stock_of_another_system_without_our_columns_is_refused_in_one_sentence(
    imported: Callable[..., Imported],
) -> None:
    found = imported("csv-stock-sources.csv")

    assert "has no column name" in found.result.stderr
    assert (found.rows, found.result.exit_code) == ({}, 2)


# --- groups


def test_a_group_without_members_is_sold_no_more(
    app: Flask, client: FlaskClient, run: Run, tmp_path: Path
) -> None:
    add_shop(app, client)
    path = tmp_path / "feed.csv"

    def catalogue(*rows: str) -> dict[str, str | None]:
        path.write_text("id,title,price,item_group_id,size\n" + "\n".join(rows))
        assert run("products", "import", "mugshop", str(path)).exit_code == 0
        with app.app_context(), db.reading() as connection:
            found = connection.execute(select(products).where(~products.c.removed)).all()
        return {row.sku: row.main_id and row.main_id.rpartition("/")[2] for row in found}

    own = "MUG,Mug,5 EUR,,"
    assert catalogue("S,Tee S,9 EUR,OLD,S", "M,Tee M,9 EUR,OLD,M", own) == {
        "OLD": None,
        "S": "OLD",
        "M": "OLD",
        "MUG": None,
    }
    # A product that the file does not have stays; nobody ever sold the group by itself.
    regrouped = {"NEW": None, "S": "NEW", "M": "NEW", "MUG": None}
    assert catalogue("S,Tee S,9 EUR,NEW,S", "M,Tee M,9 EUR,NEW,M") == regrouped
    assert catalogue("S,Tee S,9 EUR,,S", "M,Tee M,9 EUR,NEW,M") == regrouped | {"S": None}
    assert catalogue("M,Tee M,9 EUR,,M") == {"S": None, "M": None, "MUG": None}
    assert catalogue("M,Tee M,9 EUR,NEW,M")["NEW"] is None


def test_a_variant_keeps_the_currency_of_its_price(imported: Callable[..., Imported]) -> None:
    rows = imported("group-two-currencies.xml").rows

    assert (rows["V1"].price, rows["V1"].currency) == (1000, "EUR")
    assert (rows["V2"].price, rows["V2"].currency) == (1200, "USD")


def test_a_product_as_search_engines_have_it_is_refused_with_what_it_has_too_much(
    imported: Callable[..., Imported],
) -> None:
    found = imported("schema-org-product.jsonl")

    assert "offers: Unknown field." in found.refused["SO-1"]
    assert (found.rows, found.result.exit_code) == ({}, 1)


# --- identity


@pytest.mark.one_database
def test_blanks_around_a_sku_make_no_other_product(imported: Callable[..., Imported]) -> None:
    assert prices(imported("csv-sku-blank.csv").rows) == {"A1": 1590}


@pytest.mark.one_database
def test_the_item_with_the_id_of_its_group_is_one_of_the_variants_too(
    imported: Callable[..., Imported],
) -> None:
    rows = imported("group-id-is-first-item.xml").rows

    assert prices(rows) == {"J": 5000, "J-M": 5500}
    assert (rows["J"].main_id, rows["J-M"].main_id) == (None, rows["J"].id)
    assert rows["J"].variant_value is not None


@pytest.mark.one_database
def test_products_that_a_shop_groups_keep_their_ids(imported: Callable[..., Imported]) -> None:
    before = imported("regroup-1-without-group.xml").rows

    found = imported("regroup-2-with-group.xml")

    assert found.refused == {}
    assert prices(found.rows) == {"P": 3000, "P-M": 3000, "P-S": 3000}
    for sku in ("P-M", "P-S"):
        assert found.rows[sku].id == before[sku].id
        assert found.rows[sku].main_id == found.rows["P"].id
