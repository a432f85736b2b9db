"""Exports that merchants have: told apart by their headings, and imported without any option."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from jay.feeds import mapping
from jay.feeds.mapping import known, read_mapping
from jay.feeds.unpacking import UnusableFile
from tests.builders import add_shop
from tests.cli.conftest import Imported, Run

MEDIA = ("--media-url", "https://shop.example/media/catalog/product")

# Of each SKU: of which product it is a variant, name or value, price and price before in minor
# units, stock (None: without limit, "": not set) and how many pictures it has.
Row = tuple[str | None, str, int | None, int | None, object, int]
EXPORTS: dict[str, tuple[str, tuple[str, ...], dict[str, Row]]] = {
    "shopify.csv": (
        "shopify",
        (),
        {
            "crew-jacket": (None, "Crew Jacket", 11900, 14900, "", 3),
            "HL-CJ-S": ("crew-jacket", "S / Navy", 11900, 14900, 4, 1),
            "HL-CJ-M": ("crew-jacket", "M / Navy", 11900, 14900, 0, 0),
            "HL-CJ-L": ("crew-jacket", "L / Navy", 12950, 12950, None, 0),
            "4012345678901": (None, "Tea Mug", 1490, 1490, 25, 1),
            "HL-POSTER": (None, "Poster", 900, 900, None, 1),
        },
    ),
    "woocommerce.csv": (
        "woocommerce",
        (),
        {
            "TEE": (None, "Logo Tee", 1990, 2490, "", 2),
            "TEE-S": ("TEE", "S / Red", 1990, 2490, 5, 1),
            "TEE-M": ("TEE", "M / Red", 2490, 2490, 0, 0),
            "MUG": (None, "Tea Mug", 1250, 1490, 12, 1),
            "WORKSHOP": (None, "Workshop", 8000, 8000, None, 0),
            "CLOCK": (None, "Clock", 129900, 129900, None, 0),
        },
    ),
    "magento2.csv": (
        "magento2",
        MEDIA,
        {
            "HOOD": (None, "Harbour Hoodie", 5200, 5200, "", 3),
            "HOOD-S": ("HOOD", "S / Black", 5200, 5200, 7, 0),
            "HOOD-M": ("HOOD", "M / Black", 5450, 5450, 0, 1),
            "BAG": (None, "Sling Bag", 2990, 3400, 100, 1),
            "COURSE": (None, "Course", 8000, 8000, None, 0),
        },
    ),
    "meta.csv": (
        "meta",
        (),
        {
            "MUG": (None, "Tea Mug", 1250, 1490, 75, 3),
            "TEE": (None, "Logo Tee", 2490, 2490, "", 1),
            "TEE-S": ("TEE", "S / red", 2490, 2490, 3, 0),
            "TEE-M": ("TEE", "M / red", 2490, 2490, 0, 0),
        },
    ),
    "idealo-full.csv": (
        "idealo",
        (),
        {
            "MUG": (None, 'Tasse "Anker" grün', 2298, 2998, None, 1),
            "JACKET": (None, "Jacke", 129900, 129900, None, 2),
        },
    ),
    "awin.csv": (
        "awin",
        (),
        {
            "MUG": (None, "Tea Mug", 1490, 1990, 12, 2),
            "TEE": (None, "Logo Tee", 2490, 2490, "", 1),
            "TEE-S": ("TEE", "S / red", 2490, 2490, None, 0),
            "TEE-M": ("TEE", "M / red", 2690, 2690, 0, 0),
        },
    ),
    "google.xml": (
        "google",
        (),
        {
            "MUG": (None, "Tasse", 1250, 1490, None, 2),
            "TEE": (None, "Logo-Shirt", 2490, 2490, "", 1),
            "TEE-S": ("TEE", "S / rot", 2490, 2490, None, 0),
            "TEE-M": ("TEE", "M / rot", 2490, 2490, 0, 0),
        },
    ),
    "magento-like.csv": (
        "magento2",
        MEDIA,
        {
            "M-1": (None, "Tasse", 1200, 1400, 100, 3),
            "M-2": (None, "Kanne", 3450, 3450, 0, 1),
        },
    ),
    "woo-like.csv": (
        "woocommerce",
        (),
        {
            "W-1": (None, "Tasse", 890, 990, "", 2),
            "W-1-S": ("W-1", "S", 890, 990, 5, 0),
        },
    ),
    "idealo.csv": ("idealo", (), {"I-1": (None, "Tasse grün", 2298, 2298, None, 1)}),
}


def seen(rows: dict[str, Any]) -> dict[str, Row]:
    by_id = {row.id: row.sku for row in rows.values()}
    return {
        sku: (
            by_id.get(row.main_id),
            row.name or row.variant_value,
            row.price if row.sale_price is None else row.sale_price,
            row.org_price,
            row.stock_count if row.stock_set else "",
            len((row.description or {}).get("images", ())),
        )
        for sku, row in rows.items()
    }


@pytest.mark.one_database
@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_is_told_by_its_headings_and_imported(
    imported: Callable[..., Imported], name: str
) -> None:
    kind, options, expected = EXPORTS[name]

    found = imported(name, *options)

    assert found.result.exit_code == 0, found.result.stderr
    assert f"{name} ({kind})" in found.result.stdout
    assert seen(found.rows) == expected
    assert found.notes == {}


NUMBERS = {
    "shopify.csv": {"HL-CJ-S": "4006381333931", "4012345678901": "4012345678901"},
    "woocommerce.csv": {"TEE-S": "4006381333931", "MUG": "4006381333931"},
    "magento2.csv": {"HOOD-S": "4006381333931"},
    "idealo-full.csv": {"MUG": "4012345678901", "JACKET": "4006381333931"},
    "awin.csv": {"MUG": "4012345678901"},
}


@pytest.mark.one_database
@pytest.mark.parametrize("name", NUMBERS)
def test_an_exports_barcodes_are_those_of_what_they_stand_on(
    imported: Callable[..., Imported], name: str
) -> None:
    rows = imported(name, *EXPORTS[name][1]).rows

    told = {sku: (row.description or {}).get("gtin") for sku, row in rows.items()}
    assert {sku: number for sku, number in told.items() if number} == NUMBERS[name]


def test_every_kind_of_export_is_tried_and_documented() -> None:
    documentation = (Path(__file__).parents[2] / "docs" / "IMPORT.md").read_text()

    assert {kind for kind, _, _ in EXPORTS.values()} == set(known())
    assert all(f"`{kind}`" in documentation for kind in known())


def test_rows_that_are_not_sold_are_passed_over_and_counted(
    imported: Callable[..., Imported],
) -> None:
    assert "3 rows were passed over" in imported("magento2.csv", *MEDIA).result.stdout


def test_a_path_without_its_address_costs_the_picture(imported: Callable[..., Imported]) -> None:
    found = imported("magento-like.csv")

    assert found.rows["M-1"].description["images"] == []
    assert "'/t/a/tasse.jpg' was left out" in found.notes["M-1"]


def test_a_currency_of_its_own_is_kept(imported: Callable[..., Imported]) -> None:
    rows = imported("awin.csv").rows

    assert {row.currency for row in rows.values()} == {"GBP"}


OWN = b"""\xef\xbb\xbfArtikelnummer;Bezeichnung;Preis;Lager;Bild
A1;Tasse;"1.290,00";5;a.jpg
A2;Kanne;19,9;0;b.jpg
"""
OWN_MAPPING = """
[columns]
id = "Artikelnummer"
title = "Bezeichnung"
price = "Preis"
quantity = ["Lager", "Bestand"]
image_link = "Bild"
"""


def test_a_merchant_says_what_its_own_columns_mean(
    run: Run, app: Flask, client: FlaskClient, tmp_path: Path
) -> None:
    add_shop(app, client)
    feed, own = tmp_path / "artikel.csv", tmp_path / "own.toml"
    feed.write_bytes(OWN)
    own.write_text(OWN_MAPPING)
    options = ("--mapping", str(own), "--media-url", "https://shop.example/img")

    result = run("products", "import", "mugshop", str(feed), *options, "--dry-run")

    assert "artikel.csv (own): 2 rows, 0 would be refused" in result.stdout
    assert "A1 (de-DE): Tasse" in result.stdout
    assert "price €1,290.00 (129000 EUR in minor units)" in result.stdout
    assert "https://shop.example/img/a.jpg" in result.stdout
    assert "Amounts are read in major units; those that name no currency are in EUR" in (
        result.stdout
    )

    assert run("products", "import", "mugshop", str(feed), *options).exit_code == 0


def test_a_column_that_a_mapping_names_in_vain_is_said(
    imported: Callable[..., Imported], tmp_path: Path
) -> None:
    own = tmp_path / "own.toml"
    own.write_text('[columns]\nid = "sku"\ntitle = "name"\nprice = ["Preis", "VK"]\n')

    found = imported("csv-crlf.csv", "--mapping", str(own))

    assert "The table has no column for price (preis or vk)." in found.result.stderr


def test_a_dry_run_says_the_currency_of_a_mapping(
    imported: Callable[..., Imported], tmp_path: Path
) -> None:
    own = tmp_path / "own.toml"
    own.write_text(
        '[columns]\nid = "sku"\ntitle = "name"\nprice = "price"\n[fixed]\ncurrency = "CHF"\n'
    )

    said = imported("csv-crlf.csv", "--mapping", str(own), "--dry-run").result.stdout

    assert "those that name no currency are in CHF." in said
    assert "(199000 CHF in minor units)" in said


def test_a_dry_run_shows_ten_products_and_what_is_ignored(
    imported: Callable[..., Imported],
) -> None:
    found = imported("shopify.csv", "--dry-run")

    assert found.rows == {}
    assert "crew-jacket (de-DE): Crew Jacket" in found.result.stdout
    assert "HL-CJ-M, variant of crew-jacket: Size / Colour M / Navy;" in found.result.stdout
    assert "Not read: Product Category, Type, Tags" in found.result.stdout
    assert "stock not set: it stays as it is stored, else without limit" in found.result.stdout


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[columns", "is not TOML"),
        ("", "columns: id is missing"),
        ('[columns]\nid = "a"\nprise = "b"\n', "no attribute 'prise'; there are: .*price"),
        ("[columns]\nid = 5\n", "must be a list"),
        ('[columns]\nid = ["a", 5]\n', "5 is not a text"),
        ('[columns]\nid = "a"\noptions = [["a"]]\n', "must be pairs"),
        ('columns = "id"\n', "must be a table"),
        ('skipp = {a = "b"}\n[columns]\nid = "a"\n', "no 'skipp' in a mapping; there are: .*skip"),
        ('reader = "xml"\n', "must be columns or google"),
        ('month_first = "yes"\n[columns]\nid = "a"\n', "must be true or false"),
        ('skip = {a = "b"}\n[columns]\nid = "a"\n', "must be a list"),
        ('values = {price = "b"}\n[columns]\nid = "a"\n', "must be a table"),
        ("x" * (mapping.MAX_FILE + 1), "too long"),
    ],
)
def test_a_mapping_that_is_none_says_what_is_wrong(
    tmp_path: Path, content: str, words: str
) -> None:
    path = tmp_path / "own.toml"
    path.write_text(content)

    with pytest.raises(UnusableFile, match=words):
        read_mapping(path)


def test_a_mapping_whose_columns_are_not_there_is_said(
    imported: Callable[..., Imported], tmp_path: Path
) -> None:
    own = tmp_path / "own.toml"
    own.write_text(OWN_MAPPING)

    found = imported("csv-crlf.csv", "--mapping", str(own))

    assert "there is no column artikelnummer" in found.result.stderr
    assert found.result.exit_code == 2
