"""What shops' files have beside the ordinary: read as it is meant, or refused with a reason."""

import bz2
import gzip
import io
import lzma
import tarfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from jay.feeds.amounts import Ambiguous, Money, Unreadable, read_money
from jay.feeds.files import BOM, FeedFile
from jay.feeds.importing import put_of
from jay.feeds.mapping import mapping_of
from jay.feeds.mending import without_wrong_addresses
from jay.feeds.readers import NESTED_COLUMNS, PRODUCT_COLUMNS, Record
from jay.feeds.sales import Period, read_period, shop_period
from jay.feeds.sources import Reading, Source
from jay.feeds.unpacking import UnusableFile
from jay.merchants.models import Merchant
from jay.products.bulk import Put
from jay.products.schemas import ProductSchema
from tests.unit.test_feed_files import row, spreadsheet, zipped

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
RSS = '<rss xmlns:g="http://base.google.com/ns/1.0"><channel>{}</channel></rss>'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "feed"


SHOP = Merchant(1, "shop", "de", "DE", "EUR", None, "MAX", ())


def read(
    path: Path, content: str | bytes, wanted: str | None = None, **reading: Any
) -> list[Record]:
    """Read a file as a merchant of Germany who sells for euros."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with FeedFile(path) as file:
        source = Source(file, wanted, Reading(**reading))
        source.survey()
        return list(source.records("DE", NOON, "EUR"))


def tarred(kind: int) -> bytes:
    """Pack a table as tar does."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:", format=kind) as archive:
        entry = tarfile.TarInfo("feed/p.csv")
        entry.size = 9
        archive.addfile(entry, io.BytesIO(b"sku,name\n"))
    return out.getvalue()


def item(*more: str, **attributes: str) -> str:
    given = {"id": "A", "title": "Mug", **attributes}
    return (
        "<item>"
        + "".join(f"<g:{k}>{v}</g:{k}>" for k, v in given.items())
        + f"{''.join(more)}</item>"
    )


def one(path: Path, *more: str, **attributes: str) -> Record:
    (record,) = read(path, RSS.format(item(*more, **attributes)))
    return record


def body(record: Record) -> dict[str, Any]:
    assert record.body is not None, record.reason
    return record.body


# --- amounts and their units


@pytest.mark.parametrize(
    ("text", "money"),
    [
        ("19,90&nbsp;&euro;", (1990, "EUR")),
        ("&pound;1,290.00", (129000, "GBP")),
        ("Fr. 19.90", (1990, "CHF")),
        ("SFr.1'290.00", (129000, "CHF")),
        (".99 EUR", (99, "EUR")),
        ("€.99", (99, "EUR")),
    ],
)
def test_what_stands_around_an_amount_is_no_part_of_it(text: str, money: tuple[int, str]) -> None:
    assert read_money(text) == Money(*money)


@pytest.mark.parametrize(
    ("text", "money"),
    [
        ("\u20b9 1,00,000.50", (10000050, "INR")),
        ("INR 1,999/-", (199900, "INR")),
        ("12,34,56,789 INR", (12345678900, "INR")),
        ("99:- SEK", (9900, "SEK")),
        ("1.299:- SEK", (129900, "SEK")),
        ("\u0661\u0662\u0663\u066b\u0664\u0665 SAR", (12345, "SAR")),
        ("\u0661\u066c\u0662\u0663\u0664\u066b\u0665\u0660 SAR", (123450, "SAR")),
        ("\u0967,\u0968\u0969\u096a.\u096b\u0966 INR", (123450, "INR")),
        ("\uff11\uff12\uff13\uff14\u5186", (1234, "JPY")),
        ("19.99 \u062f.\u0625", (1999, "AED")),
        ("1\u00a0299 \u0440\u0443\u0431.", (129900, "RUB")),
        ("$19.90 CAD", (1990, "CAD")),
        ("CLP$1.990", (1990, "CLP")),
        ("$ 1.990 CLP", (1990, "CLP")),
        ("USD $19.90", (1990, "USD")),
        ("US $19.90", (1990, "USD")),
        ("kr 99 SEK", (9900, "SEK")),
        ("Rp 25.000.000", (2500000000, "IDR")),
        ("S$ 19.90", (1990, "SGD")),
        ("SFr 19.90", (1990, "CHF")),
        ("19,99 zl", (1999, "PLN")),
    ],
)
def test_amounts_of_the_whole_world_are_read(text: str, money: tuple[int, str]) -> None:
    assert read_money(text) == money


@pytest.mark.parametrize(
    "text",
    [
        *("1,234,56 EUR", "1,2,3 EUR", "19\u00b2 EUR", "1\u00bd EUR", "19.99 - 29.99 EUR"),
        *("$19 EUR", "US$ 19 CAD", "\u00a319 USD", "19.99 BGN", "1E2 EUR", "19\u20ac99"),
        *("1.290 SAR", "\u0661\u066b\u0662\u0663\u0664 SAR", "25.000 VND", "Rs 199", "50 ct"),
    ],
)
def test_what_could_be_another_amount_is_refused(text: str) -> None:
    with pytest.raises(Unreadable):
        read_money(text)


def test_a_symbol_is_what_it_is_in_the_merchants_currency_or_nobody_knows() -> None:
    assert read_money("99 kr", "SEK") == (9900, "SEK")
    assert read_money("Rs. 1,999.00", "INR") == (199900, "INR")
    for currency in ("CLP", "CAD", "MXN", "COP"):
        with pytest.raises(Unreadable, match=f"may be USD or {currency}"):
            read_money("$19.990,00", currency)


def test_a_symbol_of_several_currencies_is_told_with_all_of_them() -> None:
    with pytest.raises(Ambiguous, match="DKK or ISK or NOK or SEK"):
        read_money("199,00 kr.")


@pytest.mark.parametrize(
    "amount",
    [
        "12.99",
        "12,5",
        "1.290",
        "1,290",
        "15 EUR",
        "EUR 15",
        "€15",
        "1.290,00",
        "13.7255",
        "14.0000",
    ],
)
def test_an_amount_that_is_written_for_people_refuses_a_file_of_minor_units(
    path: Path, amount: str
) -> None:
    with pytest.raises(UnusableFile, match="--prices major"):
        read(path, f"sku;name;price\nA;Mug;15\nB;Mug;{amount}\n")
    (cheap, _) = read(path, f"sku;name;price\nA;Mug;15\nB;Mug;{amount}\n", prices="minor")
    assert body(cheap)["price"] == 15


@pytest.mark.parametrize("amount", ["1999", " 1999 ", "1999.0", "x", "-5", ""])
def test_what_proves_nothing_costs_its_row_at_the_most(path: Path, amount: str) -> None:
    assert len(read(path, f"sku;name;price\nA;Mug;15\nB;Mug;{amount}\n")) == 2


@pytest.mark.parametrize(
    "line",
    [
        '{"sku":"A","name":"M","price":2000,"sale":{"price":15.99}}',
        '{"sku":"A","name":"M","shippingModel":{"shippingScale":[{"start":1,"price":4.9}]}}',
        '{"sku":"A","name":"M","variants":[{"sku":"V","sale":{"price":"15,99"}}]}',
        '{"sku":"A","name":"M","price":"15 EUR"}',
    ],
)
def test_each_amount_of_a_product_can_prove_its_unit(path: Path, line: str) -> None:
    with pytest.raises(UnusableFile, match="--prices major"):
        read(path, line)


@pytest.mark.parametrize("scale", ["1:4.90 5:0", '"[{""start"": 1, ""price"": 4.9}]"'])
def test_so_can_a_scale_in_a_table(path: Path, scale: str) -> None:
    content = f"sku,name,price,shippingScale\nA,Mug,500,{scale}\n"

    with pytest.raises(UnusableFile, match=r"shippingScale is .*4\.9"):
        read(path, content)
    (record,) = read(path, content, prices="major")
    assert body(record)["shippingModel"]["shippingScale"][0] == {"start": 1, "price": 490}


def test_a_sale_is_read_in_the_unit_of_its_price(path: Path) -> None:
    line = '{"sku":"A","name":"M","price":20,"sale":{"price":15.99,"until":"2030-01-01T00:00:00Z"}}'

    (record,) = read(path, line, prices="major")

    assert body(record)["price"] == 2000
    assert body(record)["sale"] == {"price": 1599, "until": "2030-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ("<g:price>25.00 USD</g:price>", "price: there are two, '20 EUR' and '25.00 USD'"),
        ("<g:availability>out of stock</g:availability>", "availability: there are two"),
    ],
)
def test_what_decides_about_money_or_goods_is_there_once(
    path: Path, more: str, reason: str
) -> None:
    record = one(path, more, price="20 EUR", availability="in stock")

    assert record.body is None
    assert reason in (record.reason or "")
    assert record.sku == "A"
    assert one(path, "<g:price>20 EUR</g:price>", price="20 EUR").body is not None


def test_a_sale_price_without_a_price_is_told(path: Path) -> None:
    record = one(path, sale_price="15 EUR")

    assert "price" not in body(record)
    assert record.notes == ("sale_price: there is no price beside it, so it is not used.",)


def test_codes_of_currencies_may_be_small(path: Path) -> None:
    (own,) = read(path, "sku,name,price,currency\nA,Mug,5,gbp\n")
    (awin,) = read(path, "merchant_product_id,product_name,search_price,currency\nA,Mug,5.00,gbp\n")

    assert (body(own)["currency"], body(awin)["currency"]) == ("GBP", "GBP")


def test_a_recommended_price_of_awin_is_no_earlier_one(path: Path) -> None:
    rows = "A,Mug,5.00,EUR,,7.00\nB,Mug,5.00,EUR,6.00,7.00\nC,Mug,5.00,EUR,,5.00\n"
    head = "merchant_product_id,product_name,search_price,currency,product_price_old,rrp_price\n"

    found = [body(record) for record in read(path, head + rows)]

    told = [(one["orgPrice"], one.get("orgPriceKind")) for one in found]
    assert told == [(700, "rrp"), (600, None), (500, None)]


def test_our_own_csv_has_a_column_for_all_that_the_api_has(path: Path) -> None:
    (record, variant) = read(
        path,
        "sku,name,price,salePrice,saleUntil,basePriceContent,basePriceUnit,gtin,mpn,manufacturer,"
        "responsiblePerson,safety,withdrawalException,durabilityGuaranteeYears,orgPriceKind,"
        "variantOf,value\n"
        'A,Mug,2000,1500,2030-01-01T00:00:00Z,"0,75",l,4006381333931,M-1,Clay Ltd,'
        '"{""name"": ""R""}","[{""lang"": ""de"", ""text"": ""Hot""}]",hygiene,3,rrp,,\n'
        "A-S,,900,800,,,,,,,,,,,,A,S\n",
    )

    given = body(record)
    assert given["sale"] == {"price": 1500, "until": "2030-01-01T00:00:00+00:00"}
    assert given["basePrice"] == {"content": 0.75, "unit": "l"}
    assert (given["manufacturer"], given["responsiblePerson"]) == (
        {"name": "Clay Ltd"},
        {"name": "R"},
    )
    assert (given["safety"], given["orgPriceKind"]) == ([{"lang": "de", "text": "Hot"}], "rrp")
    assert body(variant)["sale"] == {"price": 800}
    named = {field.data_key for field in ProductSchema().fields.values()}
    columns = {*PRODUCT_COLUMNS, *(whole for whole, _, _ in NESTED_COLUMNS.values())}
    assert named - columns == {"shippingModel", "variants", "type", "value"}


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("brand", '{"name": "A", "name": "B"}'),
        ("manufacturer", '{"name": "A", "address": "X", "address": "Y"}'),
        ("safety", '[{"lang": "de", "text": "Hot", "text": "Cold"}]'),
        ("shippingScale", '[{"start": 0, "price": 490, "price": 0}]'),
    ],
)
def test_a_cell_whose_object_says_a_name_twice_refuses_its_row_alone(
    path: Path, column: str, cell: str
) -> None:
    quoted = cell.replace('"', '""')

    wrong, other = read(path, f'sku,name,{column}\nA,Mug,"{quoted}"\nB,Cup,\n')

    assert (wrong.line, wrong.sku, wrong.body) == (2, "A", None)
    assert "the same name twice" in str(wrong.reason)
    assert (other.sku, other.reason) == ("B", None)


def test_a_sale_in_another_unit_refuses_a_table_too(path: Path) -> None:
    with pytest.raises(UnusableFile, match=r"salePrice is '15\.99'"):
        read(path, "sku,name,price,salePrice\nA,Mug,2000,15.99\n")


def test_a_wrong_sale_costs_the_sale_alone(path: Path) -> None:
    (record,) = read(path, "sku,name,price,salePrice,saleUntil\nA,Mug,2000,1500,soon\n")
    mended = without_wrong_addresses(record)

    assert mended is not None
    assert "sale" not in body(mended)
    assert mended.notes[0].startswith("sale: ")


# --- sale dates


@pytest.mark.parametrize(
    "text", ["01.11.2026/31.12.2026", "1.11.2026 00:00/31.12.2026", "2026-11-01/31.12.2026"]
)
def test_days_may_be_written_as_in_germany(text: str) -> None:
    assert read_period(text, "DE") == read_period("2026-11-01/2026-12-31", "DE")


def test_an_hour_counts_as_it_is_written() -> None:
    assert read_period("1.11.2026 8:00/31.12.2026 20:30", "DE") == Period(
        datetime(2026, 11, 1, 7, tzinfo=UTC), datetime(2026, 12, 31, 19, 30, tzinfo=UTC)
    )


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        ("11/1/26", "12/31/26"),
        ("11/1/2026, 12:00 AM", "12/31/2026, 12:00 AM"),
        ("2026-11-01 00:00:00", "2026-12-31 00:00:00"),
    ],
)
def test_exports_name_days_though_a_midnight_may_stand_behind_them(begin: str, end: str) -> None:
    days = read_period("2026-11-01/2026-12-31", "DE")

    assert shop_period(begin, end, "DE", month_first=True) == days


@pytest.mark.parametrize(("hour", "utc"), [("12:30 PM", 11), ("1:30 AM", 0), ("12:30 AM", 23)])
def test_half_days_are_read_as_americans_do(hour: str, utc: int) -> None:
    found = shop_period(f"11/2/26, {hour}", "", "DE", month_first=True)

    assert found.start is not None
    assert (found.start.hour, found.start.minute) == (utc, 30)


@pytest.mark.parametrize(
    ("text", "month_first"), [("11/1/26", False), ("13/1/26", True), ("0/1/26", True)]
)
def test_a_date_that_may_be_another_one_is_none(text: str, month_first: bool) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of whatever kind
        shop_period(text, "", "DE", month_first=month_first)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("0000-00-00 00:00:00/2026-11-30", "/2026-11-30"),
        ("2026-11-01/0000-00-00", "2026-11-01/"),
        ("2026-11-01T00:00+01/2026-11-30T24:00+01", "2026-11-01/2026-11-30"),
        ("01.11.2026 / 30.11.2026", "2026-11-01/2026-11-30"),
        ("20261101/20261130", "2026-11-01/2026-11-30"),
        ("2026-11-01T12:00+1400/2026-11-30", "2026-10-31T22:00Z/2026-11-30"),
    ],
)
def test_a_period_may_be_written_in_many_ways(text: str, same: str) -> None:
    assert read_period(text, "DE") == read_period(same, "DE")


@pytest.mark.parametrize(
    "text",
    [
        *("2026-W45/2026-W46", "1793491200/1795996800", "2026-11-01T25:00/2026-11-30", "1/2/3/4"),
        *("2026-11-31/2026-12-01", "2026-11-01T00:00+25:00/2026-11-30", "2026-11-01"),
        *("2026-11-01T00:00 CET/2026-11-30", "2026-11-01T10:00 pm/2026-11-30", "1.11.26/30.11.26"),
    ],
)
def test_a_period_that_could_be_another_one_is_none(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of whatever kind
        read_period(text, "DE")


# --- stock


@pytest.mark.parametrize(
    ("word", "stock"),
    [
        *(("instock", None), ("In-Stock", None), ("in\u00a0 stock", None), ("pre-order", None)),
        *(("https://schema.org/InStock", None), ("http://schema.org/OutOfStock", 0)),
        *(("SoldOut", 0), ("auf Lager", None), ("Nicht lieferbar", 0), ("ausverkauft", 0)),
    ],
)
def test_stock_is_told_in_many_words(path: Path, word: str, stock: int | None) -> None:
    assert body(one(path, availability=word))["stockCount"] == stock


@pytest.mark.parametrize("word", ["1", "0", "maybe", "not in stock"])
def test_a_word_that_nobody_knows_is_not_guessed(path: Path, word: str) -> None:
    assert "is none of in stock, preorder" in (one(path, availability=word).reason or "")


@pytest.mark.parametrize(("cell", "stock"), [("5.0000", 5), ("5.5", 5), ("0.9999", 0), ("-1", -1)])
def test_what_is_sold_by_weight_counts_in_whole_pieces(path: Path, cell: str, stock: int) -> None:
    (record,) = read(path, f"id,title,price,inventory\nA,Mug,5 EUR,{cell}\n")

    assert body(record)["stockCount"] == stock


TWO_COUNTS = [
    ("1.000", "1 and as 1000: write 1 or 1000."),
    ("1,000", "1 and as 1000: write 1 or 1000."),
    ("-12.500", "12 and as 12500: write 12 or 12500."),
]


@pytest.mark.parametrize(("cell", "meanings"), TWO_COUNTS)
@pytest.mark.parametrize(
    "file",
    [
        'sku,name,stockCount\nA,Mug,"{}"\n',
        'sku,stockCount\nA,"{}"\n',
        'sku,name,stockCount,variantOf,type,value\nA,,"{}",M,size,S\n',
        '{{"sku": "A", "name": "Mug", "stockCount": "{}"}}\n',
        'id,title,price,inventory\nA,Mug,5 EUR,"{}"\n',
        'Handle,Title,Variant Price,Variant SKU,Variant Inventory Qty\na,Mug,5,A,"{}"\n',
    ],
)
def test_a_count_that_may_be_a_thousand_is_refused(
    path: Path, file: str, cell: str, meanings: str
) -> None:
    (record,) = read(path, file.format(cell))

    refused = put_of(record, SHOP)

    assert isinstance(refused, str)
    assert refused.endswith(f"{cell!r} can be read as {meanings}")


@pytest.mark.parametrize("cell", ["1000.000", "0.000", "1.0000"])
def test_a_count_of_three_places_that_is_no_thousand_is_read(path: Path, cell: str) -> None:
    (own,) = read(path, f"sku,name,stockCount\nA,Mug,{cell}\n")
    (google,) = read(path, f"id,title,price,inventory\nA,Mug,5 EUR,{cell}\n")

    assert body(own)["stockCount"] == body(google)["stockCount"] == int(float(cell))


def test_a_count_with_a_point_of_programs_is_a_count(path: Path) -> None:
    first, second = read(path, "sku,name,stockCount\nA,Mug,5.0\nB,Mug,5.5\n")

    assert (body(first)["stockCount"], body(second)["stockCount"]) == (5, "5.5")


# --- exports: what is not published, and what has no SKU


WOO_COLUMNS = (
    *("ID", "Type", "SKU", "Name", "Published", "Regular price", "Sale price", "Stock"),
    *("In stock?", "Backorders allowed?", "Images", "Description", "Date sale price starts"),
    *("Date sale price ends", "Parent", "Attribute 1 name", "Attribute 1 value(s)"),
)
WOO_ROWS = (
    "1,variable,T,Shirt,1,,,,1,0,https://a.example/1.jpg,<p>Soft</p>,,,,Size,S\n"
    '2,variation,T-S,Shirt,1,"19,90","9,90",3,1,0,,,2026-11-01,2026-11-30,T,Size,S\n'
    "3,simple,M,Mug,1,5,,7,1,notify,,,,,,,\n4,simple,D,Draft,-1,5,,1,1,0,,,,,,,\n"
    "5,simple,O,Cup,1,6,,,0,0,,,,,,,\n6,grouped,G,Set,1,,,,1,0,,,,,,,\n"
)


@pytest.mark.parametrize(
    "headings",
    [
        "ID,Typ,Artikelnummer,Name,Ver\u00f6ffentlicht,Regul\u00e4rer Preis,Angebotspreis,Lager,"
        "Vorr\u00e4tig?,Lieferr\u00fcckst\u00e4nde erlaubt?,Bilder,Beschreibung,"
        '"Datum, an dem Angebotspreis beginnt","Datum, an dem Angebotspreis endet",'
        "\u00dcbergeordnetes Produkt,Attribut 1 Name,Attribut 1 Wert(e)",
        "ID,Type,UGS,Nom,Publi\u00e9,Tarif r\u00e9gulier,Tarif promo,Stock,En stock\u00a0?,"
        "Autoriser les commandes de produits en rupture ?,Images,Description,"
        "Date de d\u00e9but de promo,Date de fin de promo,Parent,Nom de l\u2019attribut 1,"
        "Valeur(s) de l\u2019attribut 1",
        "ID,Tipo,SKU,Nombre,Publicado,Precio normal,Precio rebajado,Inventario,\u00bfExistencias?,"
        "\u00bfPermitir reservas de productos agotados?,Im\u00e1genes,Descripci\u00f3n,"
        "D\u00eda en que empieza el precio rebajado,D\u00eda en que termina el precio rebajado,"
        "Superior,Nombre del atributo 1,Valor(es) del atributo 1",
        "ID,Tipo,COD,Nome,Pubblicato,Prezzo di listino,Prezzo in offerta,Magazzino,In stock?,"
        "Abilita gli ordini arretrati?,Immagine,Descrizione,Data di partenza del prezzo in saldo,"
        "Termine data del prezzo di vendita,Genitore,Attributo 1 nome,Attributo 1 valore(i)",
        "ID,Type,Artikelnummer,Naam,Gepubliceerd,Reguliere prijs,Actieprijs,Voorraad,Op voorraad?,"
        "Nabestellingen toestaan?,Afbeeldingen,Beschrijving,Startdatum actieprijs,"
        "Einddatum actieprijs,Hoofd,Naam eigenschap 1,Waarde eigenschap 1",
        "ID,Typ,SKU,Nazwa,Opublikowano,Cena,Cena promocyjna,Stan magazynowy,W magazynie?,"
        "Pozwala\u0107 na zam\u00f3wienia oczekuj\u0105ce (na dostaw\u0119 do magazynu)?,Obrazki,"
        "Opis,"
        "Data rozpocz\u0119cia promocji,Data zako\u0144czenia promocji,Element nadrz\u0119dny,"
        "Nazwa atrybutu 1,Warto\u015bci atrybutu 1",
    ],
    ids=["de", "fr", "es", "it", "nl", "pl"],
)
def test_woocommerce_exports_in_other_languages_are_read_like_english_ones(
    path: Path, headings: str
) -> None:
    found = read(path, f"{headings}\n{WOO_ROWS}")

    assert found == read(path, f"{','.join(WOO_COLUMNS)}\n{WOO_ROWS}")
    assert [record.sku for record in found] == ["T", "T-S", "M", "O"]
    assert (body(found[1])["price"], body(found[1])["stockCount"]) == (1990, 3)
    assert body(found[1])["sale"]["price"] == 990
    assert [body(found[at])["stockCount"] for at in (2, 3)] == [None, 0]
    assert body(found[0])["images"] == [{"url": "https://a.example/1.jpg"}]
    assert body(found[0])["description"] == "Soft"


WOO = "ID,Type,SKU,Name,Published,Regular price,Parent,Attribute 1 name,Attribute 1 value(s)\n"


def test_variants_of_a_product_that_is_not_published_are_not_sold(path: Path) -> None:
    records = read(
        path,
        WOO
        + "10,variable,TEE,Tee,0,,,Size,\n11,variation,TEE-S,Tee,1,20,TEE,Size,S\n"
        + "12,variation,TEE-M,Tee,1,20,id:10,Size,M\n13,simple,MUG,Mug,1,5,,,\n",
    )

    assert [record.sku for record in records] == ["MUG"]


def test_a_row_without_a_sku_is_named_by_its_number_as_others_name_it(path: Path) -> None:
    records = read(
        path,
        WOO + "20,variable,,Tee,1,,,Size,\n21,variation,,Tee,1,20,id:20,Size,S\n"
        "22,variation,TEE-M,Tee,1,20,id:20,Size,M\n",
    )

    assert [(record.sku, record.main_sku) for record in records] == [
        ("id:20", None),
        ("id:21", "id:20"),
        ("TEE-M", "id:20"),
    ]


def test_a_variant_finds_its_product_however_their_skus_are_written(path: Path) -> None:
    records = read(
        path,
        WOO + "1,variable,CAFE\u0301,Cup,1,20,,Size,\n"
        "2,variation,CUP-S,Cup,1,20,\u00a0CAF\u00c9,Size,S\n",
    )

    assert [(record.sku, record.main_sku, record.main) for record in records] == [
        ("CAF\u00c9", None, None),
        ("CUP-S", "CAF\u00c9", None),
    ]


def test_an_item_is_that_of_its_group_however_the_two_are_written(path: Path) -> None:
    record = one(path, id="CAFE\u0301", item_group_id="CAF\u00c9")

    assert (record.main_sku, body(record)["name"]) == (None, "Mug")


def test_a_blank_in_the_address_of_a_picture_is_a_part_of_it(path: Path) -> None:
    blank = "https://a.example/red mug.jpg"
    header = "sku,name,images\n"
    pictures = [{"url": blank}, {"url": "https://a.example/2.jpg"}]

    for between in (" ", ", ", "|"):
        (record,) = read(path, f'{header}A,Mug,"{blank}{between}https://a.example/2.jpg,"\n')
        assert body(record)["images"] == pictures
    assert body(one(path, image_link=blank))["images"] == pictures[:1]


def test_a_cell_full_of_blanks_between_addresses_costs_no_time(path: Path) -> None:
    first, second = "https://a.example/1.jpg", "https://a.example/2.jpg"
    blanks = " " * 300_000
    cells = (f"{first}{blanks}{second}", f"{first}{blanks}|,{blanks}{second}{blanks}")

    for record in read(path, "sku,name,images\n" + "".join(f'A,Mug,"{one}"\n' for one in cells)):
        assert body(record)["images"] == [{"url": first}, {"url": second}]
    (alone,) = read(path, f"sku,name,images\nA,Mug,{first}{blanks}x\n")
    assert len(body(alone)["images"]) == 1


def test_the_picture_of_its_only_variant_is_that_of_a_product_without_one(path: Path) -> None:
    records = read(
        path,
        "Handle,Title,Variant SKU,Variant Price,Option1 Name,Option1 Value,Image Src"
        ",Variant Image\n"
        "mug,Mug,M,5.00,Title,Default Title,,https://a.example/v.jpg\n"
        "cup,Cup,C,5.00,Title,Default Title,https://a.example/1.jpg,https://a.example/v.jpg\n",
    )

    assert [body(record)["images"] for record in records] == [
        [{"url": "https://a.example/v.jpg"}],
        [{"url": "https://a.example/1.jpg"}],
    ]


def test_an_address_without_its_scheme_is_a_safe_one(path: Path) -> None:
    assert body(one(path, image_link="//cdn.example/1.jpg"))["images"] == [
        {"url": "https://cdn.example/1.jpg"}
    ]


def test_prices_of_our_own_csv_that_no_shop_means_are_left_out(path: Path) -> None:
    header = "sku;name;price;salePrice;orgPrice\n"
    rows = "A;Mug;0;;5\nB;Mug;2000;0;\nC;Mug;2000;2500;\nD;Mug;;1500;\nE;Mug;2000;1500;\n"
    said = [
        ("price: 0 is none that a shop means, so it is not used.",),
        *[("salePrice: it is 0 or above the price, so it is not used.",)] * 2,
        ("salePrice: there is no price beside it, so it is not used.",),
        (),
    ]

    for reading in ({}, {"prices": "major"}):
        records = read(path, header + rows, **reading)

        assert [record.notes for record in records] == said
        assert ["price" in body(record) for record in records] == [False, True, True, False, True]
        assert ["sale" in body(record) for record in records] == [False] * 4 + [True]


@pytest.mark.parametrize(
    ("begin", "end", "moments"),
    [
        ("2026-11-01", "30.11.2026", ("2026-10-31T23:00:00+00:00", "2026-11-30T23:00:00+00:00")),
        ("", "2026-11-30T00:00:00", (None, "2026-11-30T23:00:00+00:00")),  # a date of a spreadsheet
        ("2026-11-01T08:00", "", ("2026-11-01T07:00:00+00:00", None)),
        ("2026-11-01T08:00:00Z", "", ("2026-11-01T08:00:00+00:00", None)),
        ("soon", "2026-11-30", ("soon", "2026-11-30")),
        ("2026-11-30", "2026-11-01", ("2026-11-30", "2026-11-01")),
    ],
)
def test_a_sale_of_our_own_csv_may_be_of_days(
    path: Path, begin: str, end: str, moments: tuple[str | None, str | None]
) -> None:
    header = "sku;name;price;salePrice;saleFrom;saleUntil;country\n"
    record, far = read(
        path, f"{header}A;Mug;20;15;{begin};{end};\nB;Mug;20;15;2026-11-01;2026-11-01;JP\n"
    )

    sale = body(record)["sale"]
    assert (sale.get("from"), sale.get("until")) == moments
    assert body(far)["sale"] == {
        "price": 15,
        "from": "2026-10-31T15:00:00+00:00",
        "until": "2026-11-01T15:00:00+00:00",
    }


def test_tax_is_told_in_percent(path: Path) -> None:
    rows = ("19", "19 %", '"5,5%"', "0", "0.19", '"0,07"', "VAT")
    records = read(path, "sku,name,vat\n" + "".join(f"{cell},Mug,{cell}\n" for cell in rows))

    assert [body(record)["vat"] for record in records[:4]] == [19, 19, 5.5, 0]
    for record in records[4:]:
        refused = put_of(record, SHOP)
        assert isinstance(refused, str)
        assert refused.startswith("vat: ")
        assert refused.endswith("VAT is in percent: 19 is 19 %.")


@pytest.mark.parametrize("content", ["1.000", "1,500", "+1.000", "\uff11.000", "1_000", "nan"])
def test_what_it_holds_is_left_out_where_it_can_be_read_in_two_ways(
    path: Path, content: str
) -> None:
    header = "sku,name,basePriceContent,basePriceUnit\n"
    record, plain = read(path, f'{header}A,Oil,"{content}",l\nB,Oil,"0,750",l\n')

    mended = without_wrong_addresses(record)

    assert mended is not None
    assert "basePrice" not in body(mended)
    assert mended.notes[0].startswith("basePrice: ")
    assert body(plain)["basePrice"] == {"content": 0.75, "unit": "l"}


@pytest.mark.parametrize(
    "file",
    [
        "sku,name,gtin\nA,Mug,{}\n",
        "sku,name,variantOf,value,gtin\nA,,M,S,{}\n",
        '{{"sku": "A", "name": "Mug", "gtin": "{}"}}\n',
        '{{"sku": "M", "name": "Mug", "variants": [{{"sku": "A", "gtin": "{}"}}]}}\n',
    ],
)
def test_a_number_that_is_no_gtin_costs_no_product(path: Path, file: str) -> None:
    (record,) = read(path, file.format("4006381333932"))

    mended = without_wrong_addresses(record)

    assert mended is not None
    assert not isinstance(put_of(mended, SHOP), str)
    said = "gtin: '4006381333932' was left out: The last digit does not fit the others."
    assert mended.notes == (said,)


def test_a_variant_of_our_own_csv_has_a_number_of_its_own(path: Path) -> None:
    (record,) = read(path, "sku,name,variantOf,value,gtin,mpn\nA,,M,S,4006381333931,X-1\n")

    put = put_of(record, SHOP)

    assert isinstance(put, Put)
    assert put.variants[0]["description"] == {"gtin": "4006381333931", "mpn": "X-1"}


def test_stock_of_any_table_needs_no_name(path: Path) -> None:
    own = mapping_of("own", '[columns]\nid = "Nr"\nquantity = "Lager"\n', "it")
    google = "id,availability,price\nA,in stock,5 EUR\n"

    (mapped,) = read(path, "Nr;Lager\nA;5\n", mapping=own, volatile=True)
    (record,) = read(path, google, "google", volatile=True)

    assert (body(mapped), mapped.volatile) == ({"sku": "A", "stockCount": 5}, True)
    assert body(record)["price"] == 500
    with pytest.raises(UnusableFile, match="no column title"):
        read(path, google, "google")


MAGENTO = "sku,store_view_code,product_type,name,price,product_online,configurable_variations"
MAGENTO += ",visibility,special_price,special_price_to_date\n"


def test_in_magento_simple_products_are_sold_where_they_are_seen(path: Path) -> None:
    hidden = "Not Visible Individually"
    records = read(
        path,
        MAGENTO
        + f"OFF-S,,simple,Off,20,1,,{hidden},,\nOFF,,configurable,Off,,2,sku=OFF-S,Catalog,,\n"
        + f'ON-S,,simple,On,20,1,,{hidden},15,"12/31/26, 12:00 AM"\n'
        + "ON,,configurable,On,,1,sku=ON-S,Catalog,,\nON,de,configurable,An,,2,sku=ON-S,,,\n"
        + f"ALONE,,simple,Alone,20,1,,{hidden},,\nSEEN,,simple,Seen,20,1,,Catalog,,\n",
    )

    assert [record.sku for record in records] == ["ON-S", "ON", "SEEN"]
    assert body(records[0])["sale"] == {"price": 1500, "until": "2026-12-31T23:00:00+00:00"}


def test_in_magento_what_stands_for_no_picture_is_none(path: Path) -> None:
    header = "sku,product_type,name,price,base_image,additional_images\n"
    one, other = read(
        path,
        header + "A,simple,A,20,no_selection,https://a.example/2.jpg\n"
        "B,simple,B,20,no_selection,\n",
    )

    assert body(one)["images"] == [{"url": "https://a.example/2.jpg"}]
    assert "images" not in body(other)


# --- files and encodings


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_its_mark_is_read(path: Path, encoding: str) -> None:
    (record,) = read(path, "sku\tname\nA\tMüg\n".encode(encoding))

    assert body(record)["name"] == "Müg"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "an old Excel"),
        (b"%PDF-1.4\n", "is a PDF"),
        (gzip.compress(gzip.compress(b"sku,name\n")), "packed twice"),
        (zipped({"a.zip": zipped({"a.csv": b"sku,name\n"})}), "packed twice"),
        (zipped({}), "no file in it"),
        (bz2.compress(b"sku,name\n"), "with bzip2"),
        (lzma.compress(b"sku,name\n"), "with xz"),
        (b"\x28\xb5\x2f\xfd" + bytes(50), "with Zstandard"),
        (zipped({"mimetype": b"x", "content.xml": b"<x/>"}), "OpenDocument"),
        (zipped({"word/document.xml": b"<x/>"}), "of Word"),
        (zipped({"xl/workbook.bin": b"x", "xl/styles.bin": b"x"}), "binary Excel"),
        (zipped({"Index/Document.iwa": b"x", "preview.jpg": b"x"}), "Numbers"),
        (zipped({"a.csv": b"sku,name\n", "b.csv": b"sku,name\n"}), "has 2 files in it"),
        (gzip.compress(tarred(tarfile.GNU_FORMAT)), "is a tar archive"),
        (tarred(tarfile.PAX_FORMAT), "is a tar archive"),
        (zipped({"a.tar": tarred(tarfile.USTAR_FORMAT)}), "is a tar archive"),
        (b"PAR1" + bytes(50), "Parquet"),
        (b"\xff\xd8\xff" + bytes(50), "is a picture"),
        (b"{\\rtf1 sku}", "RTF"),
        (b"<html><table><tr><td>sku", "web page"),
        (BOM + b"\n <!-- a --> <!-- b --><TABLE border=1>", "web page"),
        ("<meta charset=utf-16><table>".encode("utf-16"), "web page"),
        (b'<?xml version="1.0"?><!DOCTYPE html><html>', "web page"),
        (b'<?xml version="1.0"?><?mso-application progid="Excel.Sheet"?><Workbook>', "Excel 2003"),
    ],
    ids=[
        *("xls", "pdf", "gzip twice", "zip twice", "nothing", "bzip2", "xz", "zstd", "ods"),
        *("docx", "xlsb", "numbers", "two", "tar.gz", "tar", "tar in zip", "parquet", "jpeg"),
        *("rtf", "html", "html table", "html in utf-16", "xhtml", "xml of excel"),
    ],
)
def test_what_is_no_table_is_named(path: Path, content: bytes, words: str) -> None:
    with pytest.raises(UnusableFile, match=words):
        read(path, content)


def test_comments_without_end_cost_no_time(path: Path) -> None:
    (record,) = read(path, "<!---->" * 100 + RSS.format(item()))

    assert record.sku == "A"


@pytest.mark.parametrize(
    "content",
    [
        zipped(
            {
                "feed/p.csv": b"sku,name\nA,Mug\n",
                "__MACOSX/feed/._p.csv": b"\0",
                "feed/.DS_Store": b"x",
                "Thumbs.db": b"x",
            }
        ),
        "sku,name\nA,Mug\n".encode("utf-32"),
        "\ufeff\ufeffsku,name\nA,Mug\n".encode(),
        gzip.compress(b"sku,name\n") + gzip.compress(b"A,Mug\n") + bytes(100),
    ],
    ids=["beside", "utf-32", "two marks", "gzip in parts"],
)
def test_what_systems_add_to_a_table_is_passed_over(path: Path, content: bytes) -> None:
    (record,) = read(path, content)

    assert body(record) == {"sku": "A", "name": "Mug"}


def test_a_number_of_a_spreadsheet_has_the_digits_that_excel_knows(path: Path) -> None:
    rows = [
        row(1, "sku", "name", "price"),
        row(2, 4006250000017.0, "Mug", 19.990000000000002),
        row(3, 12345678901234567890.0, "Mug", 0.1 + 0.2),
    ]
    first, second = read(path, spreadsheet("".join(rows)), prices="major")

    assert (first.sku, body(first)["price"], body(second)["price"]) == ("4006250000017", 1999, 30)
    assert second.sku == "1.23456789012346E+19"  # as Excel shows what it has rounded


def test_lines_before_the_declaration_of_xml_are_passed_over(path: Path) -> None:
    (record,) = read(path, '\n\n<?xml version="1.0"?>' + RSS.format(item(price="oops")))

    assert (record.line, record.body) == (3, None)


def test_html_that_nobody_has_escaped_is_text(path: Path) -> None:
    text = '<p xmlns="http://www.w3.org/1999/xhtml">A <b>fine</b> mug</p>'

    assert body(one(path, description=text))["description"].split() == ["A", "fine", "mug"]
