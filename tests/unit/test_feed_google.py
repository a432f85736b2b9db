"""Feeds for Google Merchant Center, as XML and as tables."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from jay.feeds.files import MAX_LINE, FeedFile
from jay.feeds.google import MAX_TOKEN
from jay.feeds.readers import Record
from jay.feeds.sources import Source
from jay.feeds.unpacking import UnusableFile

NOON = datetime(2025, 6, 4, 12, tzinfo=UTC)
HEAD = '<?xml version="1.0"?>\n<rss xmlns:g="http://base.google.com/ns/1.0" version="2.0"><channel>'
RSS = HEAD + "<title>Shop</title><link>https://shop.example</link>{}</channel></rss>"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "feed"


def read(path: Path, content: str | bytes) -> list[Record]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with FeedFile(path) as file:
        return list(Source(file).records("DE", NOON))


def item(**attributes: str) -> str:
    given = {"id": "A", "title": "Mug", **attributes}
    return "<item>" + "".join(f"<g:{k}>{v}</g:{k}>" for k, v in given.items()) + "</item>"


def body(path: Path, **attributes: str) -> dict[str, Any]:
    (record,) = read(path, RSS.format(item(**attributes)))
    assert record.body is not None, record.reason
    return record.body


def reason(path: Path, **attributes: str) -> str:
    (record,) = read(path, RSS.format(item(**attributes)))
    assert record.body is None
    return record.reason or ""


FULL = {
    "sku": "A",
    "name": "Mug & more",
    "description": "Fine mug",
    "url": "https://shop.example/a",
    "images": [{"url": f"https://shop.example/{n}.jpg"} for n in (1, 2, 3)],
    "brand": "Hafenlicht",
    "colour": "red",
    "material": "clay",
    "gender": 3,
    "price": 1499,
    "orgPrice": 1999,
    "currency": "EUR",
    "stockCount": None,
    "shippingModel": {"shippingFlatRate": 490},
    "gtin": "4006381333931",
    "mpn": "X-1",
    "basePrice": {"content": 0.75, "unit": "l"},
}


def test_rss_is_read_in_full(path: Path) -> None:
    content = """<item>
      <title>Mug &amp; more</title><link>https://shop.example/a</link>
      <description><![CDATA[Fine <b>mug</b>]]></description><g:id>A</g:id>
      <g:image_link>https://shop.example/1.jpg</g:image_link>
      <g:additional_image_link>https://shop.example/2.jpg</g:additional_image_link>
      <g:additional_image_link>https://shop.example/3.jpg</g:additional_image_link>
      <g:price>19.99 EUR</g:price><g:sale_price>14.99 EUR</g:sale_price>
      <g:availability>in stock</g:availability><g:brand>Hafenlicht</g:brand>
      <g:gtin>400638 133393-1</g:gtin>
      <g:mpn>X-1</g:mpn><g:unit_pricing_measure>750 ml</g:unit_pricing_measure>
      <g:color>red</g:color><g:material>clay</g:material><g:gender>Unisex</g:gender>
      <g:shipping><g:country>AT</g:country><g:price>9.90 EUR</g:price></g:shipping>
      <g:shipping><g:country>DE</g:country><g:price>4.90 EUR</g:price></g:shipping>
    </item>"""

    (record,) = read(path, RSS.format(content))

    assert record == Record(2, "A", FULL)


def test_atom_is_read_in_full(path: Path) -> None:
    content = """<feed xmlns="http://www.w3.org/2005/Atom" xmlns:g="http://base.google.com/ns/1.0">
    <title>Shop</title><entry><g:id>A</g:id><title>Mug</title><summary>Fine.</summary>
    <link rel="self" href="https://shop.example/self"/><link href="https://shop.example/a"/>
    <g:price>5 EUR</g:price></entry></feed>"""

    (record,) = read(path, content)

    assert record.body == {
        "sku": "A",
        "name": "Mug",
        "description": "Fine.",
        "url": "https://shop.example/a",
        "price": 500,
        "orgPrice": 500,
        "currency": "EUR",
    }


@pytest.mark.parametrize("delimiter", ["\t", ","])
def test_a_table_is_read_in_full(path: Path, delimiter: str) -> None:
    cells = {
        "id": "A",
        "title": "Mug & more",
        "gtin": "4006381333931",
        "mpn": "X-1",
        "unit_pricing_measure": "750 ml",
        "description": "Fine <b>mug</b>",
        "link": "https://shop.example/a",
        "image link": "https://shop.example/1.jpg",
        "additional_image_link": '"https://shop.example/2.jpg,https://shop.example/3.jpg"',
        "price": "19.99 EUR",
        "sale price": "14.99 EUR",
        "availability": "in_stock",
        "brand": "Hafenlicht",
        "color": "red",
        "material": "clay",
        "gender": "unisex",
        "shipping": '"AT:::9.90 EUR,DE:::4.90 EUR"',
    }

    (record,) = read(path, f"{delimiter.join(cells)}\n{delimiter.join(cells.values())}\n")

    assert record == Record(2, "A", FULL)


def test_a_name_of_google_comes_before_the_plain_one(path: Path) -> None:
    content = "<item><title>Plain</title><g:id>A</g:id><g:title>Google</g:title></item>"

    (record,) = read(path, RSS.format(content))

    assert (record.body or {})["name"] == "Google"


@pytest.mark.parametrize("between", [", ", "|", ";", " | ", "\n"])
def test_several_pictures_in_one_element_are_several(path: Path, between: str) -> None:
    addresses = [f"https://shop.example/{name}.jpg" for name in ("1,2", "3|4", "a b")]

    images = body(path, image_link=between.join(addresses))["images"]

    assert images == [{"url": address} for address in addresses]


def test_items_of_a_group_are_variants_of_one_product(path: Path) -> None:
    items = [
        item(id=f"A-{size}", item_group_id="A", size=size, color="red", price="5 EUR")
        for size in ("S", "M")
    ]

    first, second = read(path, RSS.format("\n".join(items)))

    assert (first.line, second.line) == (2, 3)
    assert second.main_sku == "A"
    assert second.body == {
        "sku": "A-M",
        "price": 500,
        "orgPrice": 500,
        "currency": "EUR",
        "type": "size / colour",
        "value": "M / red",
    }
    assert (second.main or {})["sku"] == "A"
    assert (second.main or {})["price"] == 500
    assert "stockCount" not in (second.main or {})


def test_an_item_with_the_id_of_its_group_is_the_product_itself(path: Path) -> None:
    assert body(path, item_group_id="A")["sku"] == "A"


def test_a_variant_without_a_difference_is_called_by_its_title(path: Path) -> None:
    (record,) = read(path, RSS.format(item(id="A-1", item_group_id="A")))

    assert record.body == {"sku": "A-1", "value": "Mug"}


@pytest.mark.parametrize(
    ("text", "amount", "currency"),
    [
        ("19.99 EUR", 1999, "EUR"),
        ("19.99EUR", 1999, "EUR"),
        ("EUR 19.99", 1999, "EUR"),
        ("19,99 eur", 1999, "EUR"),
        ("1,299.00 USD", 129900, "USD"),
        ("5 EUR", 500, "EUR"),
        ("1500 JPY", 1500, "JPY"),
        ("1.5 KWD", 1500, "KWD"),
    ],
)
def test_prices_become_minor_units(path: Path, text: str, amount: int, currency: str) -> None:
    read_ = body(path, price=text)

    assert (read_["price"], read_["orgPrice"], read_["currency"]) == (amount, amount, currency)


@pytest.mark.parametrize(
    "text", ["19.99", "free", "19.999 EUR", "1.5 JPY", "-5 EUR", "5 EUX", "1.2.3 EUR", "1.200 EUR"]
)
def test_a_price_that_is_none_is_refused(path: Path, text: str) -> None:
    assert reason(path, price=text).startswith("price: ")


@pytest.mark.parametrize(
    ("period", "price"),
    [
        ("2025-06-01T00:00+02:00/2025-06-30T00:00+02:00", 300),
        ("2025-06-04T12:00:00Z/2025-06-04T13:00:00Z", 300),
        ("2025-06-05T00:00+02:00/2025-06-30T00:00+02:00", 500),
        ("2025-06-01T00:00Z/2025-06-04T12:00Z", 500),
        ("2025-06-01/2025-06-30", 300),
        ("2025-06-04/2025-06-04", 300),
        ("2025-06-05/2025-06-30", 500),
        ("2025-06-01/2025-06-03", 500),
        ("2025-06-01T00:00+0200/2025-06-30T23:59:59+0200", 300),
        ("2025-06-01T00:00:00/2025-06-04T14:30:00", 300),
        ("2025-06-01T00:00:00/2025-06-04T13:30:00", 500),
        ("2025-06-01/", 300),
        ("/2025-06-03", 500),
        ("2025-06-01/9999-12-31", 300),
    ],
)
def test_a_sale_price_counts_while_it_is_in_force(path: Path, period: str, price: int) -> None:
    read_ = body(path, price="5 EUR", sale_price="3 EUR", sale_price_effective_date=period)

    assert read_["orgPrice"] == 500
    assert price_at(read_, NOON) == price


def price_at(offer: dict[str, Any], moment: datetime) -> int:
    """Return what an offer costs then."""
    sale = offer.get("sale", {})
    begin, end = (datetime.fromisoformat(sale[n]) if n in sale else None for n in ("from", "until"))
    in_force = sale and (begin is None or begin <= moment) and (end is None or moment < end)
    return int(sale["price"] if in_force else offer["price"])


def test_a_sale_brings_its_end_along(path: Path) -> None:
    period = "2025-06-01T00:00+02:00/2025-06-30T00:00+02:00"

    read_ = body(path, price="5 EUR", sale_price="3 EUR", sale_price_effective_date=period)

    assert (read_["price"], read_["orgPrice"]) == (500, 500)
    assert read_["sale"] == {
        "price": 300,
        "from": "2025-05-31T22:00:00+00:00",
        "until": "2025-06-29T22:00:00+00:00",
    }


def test_a_sale_that_is_over_is_none_and_one_without_end_is_the_price(path: Path) -> None:
    sale = {"price": "5 EUR", "sale_price": "3 EUR"}

    assert "sale" not in body(path, **sale, sale_price_effective_date="/2025-06-01")
    assert body(path, **sale)["price"] == 300
    assert body(path, **sale, sale_price_effective_date="2025-06-01/")["price"] == 300


@pytest.mark.parametrize("period", ["soon", "2025-06-01T00:00Z", "/", "2025-06-30/2025-06-01"])
def test_a_period_that_is_none_costs_the_sale_price_alone(path: Path, period: str) -> None:
    sale = {"sale_price": "3 EUR", "sale_price_effective_date": period}

    (record,) = read(path, RSS.format(item(price="5 EUR", availability="in stock", **sale)))

    assert (record.body or {})["price"] == 500
    assert (record.body or {})["stockCount"] is None
    assert repr(period) in record.notes[0]


@pytest.mark.parametrize(
    ("sale", "notes"), [("0 EUR", 1), ("6 EUR", 1), ("1.200 EUR", 1), ("soon", 1), ("5 EUR", 0)]
)
def test_a_sale_price_that_no_shop_means_is_not_used(path: Path, sale: str, notes: int) -> None:
    (record,) = read(path, RSS.format(item(price="5 EUR", sale_price=sale)))

    assert ((record.body or {})["price"], (record.body or {})["orgPrice"]) == (500, 500)
    assert len(record.notes) == notes


def test_a_price_of_nothing_is_not_used(path: Path) -> None:
    (record,) = read(path, RSS.format(item(price="0.00 EUR", availability="in stock")))

    assert record.body == {"sku": "A", "name": "Mug", "stockCount": None}
    assert len(record.notes) == 1


def test_a_sale_price_in_another_currency_is_refused(path: Path) -> None:
    assert "currency" in reason(path, price="5 EUR", sale_price="3 USD")


@pytest.mark.parametrize(
    ("availability", "stock"),
    [("in_stock", None), ("in stock", None), ("preorder", None), ("out_of_stock", 0)],
)
def test_availability_becomes_stock(path: Path, availability: str, stock: int | None) -> None:
    assert body(path, availability=availability)["stockCount"] == stock


def test_an_unknown_availability_is_refused(path: Path) -> None:
    assert reason(path, availability="maybe").startswith("availability: ")


def test_what_is_for_children_says_so(path: Path) -> None:
    assert body(path, gender="female", age_group="kids")["gender"] == 4


@pytest.mark.parametrize(
    "shipping",
    [
        "<g:country>FR</g:country><g:price>4.90 EUR</g:price>",
        "<g:country>DE</g:country><g:price>4.90 USD</g:price>",
        "<g:country>DE</g:country>",
    ],
)
def test_shipping_of_elsewhere_or_in_another_currency_does_not_count(
    path: Path, shipping: str
) -> None:
    assert "shippingModel" not in body(path, price="5 EUR", shipping=shipping)


BOMBS = {
    "entities": '<!DOCTYPE r [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><r>&b;</r>',
    "a file": '<!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/passwd">]><r>&a;</r>',
    "a DTD of elsewhere": '<!DOCTYPE r SYSTEM "http://127.0.0.1:9/x.dtd"><r/>',
}


@pytest.mark.parametrize("content", BOMBS.values(), ids=BOMBS)
def test_a_document_type_is_refused_before_it_can_do_harm(path: Path, content: str) -> None:
    with pytest.raises(UnusableFile, match="DOCTYPE"):
        read(path, content)


def test_a_tag_without_end_is_given_up(path: Path) -> None:
    with pytest.raises(UnusableFile, match="longer than"):
        read(path, b'<rss a="' + b"x" * (MAX_TOKEN + (2 << 20)))


def test_an_item_that_is_far_too_long_is_refused_and_the_next_one_is_read(path: Path) -> None:
    long = item(description="x" * MAX_LINE)

    refused, right = read(path, RSS.format(long + "\n" + item(id="B")))

    assert "longer than" in (refused.reason or "")
    assert (right.line, right.sku) == (3, "B")


@pytest.mark.parametrize(
    "content", [RSS.format("<item>")[:-20], "<rss><item></rss>", "<rss>&unknown;</rss>", "<"]
)
def test_a_document_that_is_not_well_formed_says_where(path: Path, content: str) -> None:
    with pytest.raises(UnusableFile, match=r"line \d+: not well-formed"):
        read(path, content)


@pytest.mark.parametrize(
    ("measure", "base"),
    [
        ("250g", {"content": 0.25, "unit": "kg"}),
        ("1,5 L", {"content": 1.5, "unit": "l"}),
        ("2.5 sqm", {"content": 2.5, "unit": "m2"}),
        ("12 ct", {"content": 12.0, "unit": "piece"}),
        ("0.750 l", {"content": 0.75, "unit": "l"}),
        ("1000.500 g", {"content": 1.0005, "unit": "kg"}),
        ("1.000 g", None),
        ("1,500 ml", None),
        ("16 oz", None),
        ("a few", None),
        ("0 kg", None),
    ],
)
def test_what_it_holds_is_read_in_metric_units(
    path: Path, measure: str, base: dict[str, object] | None
) -> None:
    content = item(unit_pricing_measure=measure)

    (record,) = read(path, RSS.format(content))

    assert (record.body or {}).get("basePrice") == base


def test_a_measure_that_can_be_read_in_two_ways_is_left_out_with_a_note(path: Path) -> None:
    (record,) = read(path, RSS.format(item(unit_pricing_measure="1.000 g")))

    assert record.notes == (
        "unit_pricing_measure: '1.000 g' can be read in two ways; it is not used.",
    )


@pytest.mark.parametrize(
    "given",
    ["'4006381333931", '="4006381333931"', "4006381333932;4006381333931", "400638-1333931 , 1"],
)
def test_the_gtin_of_a_cell_is_found(path: Path, given: str) -> None:
    quoted = given.replace('"', '""')
    (google,) = read(path, f'id,title,gtin,availability\nA,Mug,"{quoted}",in stock\n')
    (own,) = read(path, f'sku,name,gtin\nA,Mug,"{quoted}"\n')

    assert (google.body or {})["gtin"] == (own.body or {})["gtin"] == "4006381333931"


def test_a_number_that_is_no_gtin_is_left_out_with_a_note(path: Path) -> None:
    (record,) = read(path, RSS.format(item(gtin="4006381333932")))

    assert "gtin" not in (record.body or {})
    assert record.notes == ("gtin: '4006381333932' is none, so it is not used.",)
