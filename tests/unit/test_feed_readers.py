"""CSV and JSON Lines: each record with the line of the file that it begins on."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from jay.feeds.files import MAX_LINE, FeedFile
from jay.feeds.readers import Record
from jay.feeds.sources import Reading, Source
from jay.feeds.unpacking import UnusableFile

NOON = datetime(2025, 6, 4, 12, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "feed"


def read(path: Path, content: str | bytes, wanted: str | None = None) -> list[Record]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with FeedFile(path) as file:
        return list(Source(file, wanted).records("DE", NOON))


def body(path: Path, header: str, row: str) -> dict[str, object]:
    (record,) = read(path, f"{header}\n{row}\n")
    assert record.body is not None, record
    return record.body


def test_every_column_is_read_as_the_api_has_it(path: Path) -> None:
    header = (
        "sku,name,stockCount,price,orgPrice,lang,country,currency,vat,brand,subLine,description,"
        "gender,material,colour,colourCode,fit,notShoppable,url,urlLabel,urlNote,urlImageUrl,images,"
        "shippingFlatRate,shippingPerItem,shippingScale,orderLimit"
    )
    row = (
        'A-1,Mug,7,1250,1500,de,DE,EUR,"19,5",Hafenlicht,Line,"Fine, really",2,wool,red,255,slim,'
        "yes,https://a.example/1,More,Note,https://a.example/u.png,"
        "https://a.example/1.jpg https://a.example/2.jpg,490,10,1:0 5:300,3"
    )

    assert body(path, header, row) == {
        "sku": "A-1",
        "name": "Mug",
        "stockCount": 7,
        "price": 1250,
        "orgPrice": 1500,
        "lang": "de",
        "country": "DE",
        "currency": "EUR",
        "vat": 19.5,
        "brand": "Hafenlicht",
        "subLine": "Line",
        "description": "Fine, really",
        "gender": 2,
        "material": "wool",
        "colour": "red",
        "colourCode": 255,
        "fit": "slim",
        "notShoppable": True,
        "url": "https://a.example/1",
        "urlLabel": "More",
        "urlNote": "Note",
        "urlImageUrl": "https://a.example/u.png",
        "images": [{"url": "https://a.example/1.jpg"}, {"url": "https://a.example/2.jpg"}],
        "shippingModel": {
            "shippingFlatRate": 490,
            "shippingPerItem": 10,
            "shippingScale": [{"start": 1, "price": 0}, {"start": 5, "price": 300}],
            "orderLimit": 3,
        },
    }


def test_an_empty_cell_is_a_field_that_is_absent(path: Path) -> None:
    assert body(path, "sku,name,price,stockCount", "A,Mug,,") == {"sku": "A", "name": "Mug"}


def test_blanks_around_a_value_mean_nothing_and_blanks_alone_no_value(path: Path) -> None:
    header = "sku,name,stockCount,price,orgPrice,lang,country,currency,notShoppable,colour,vat"

    read_as = body(path, header, "A,Mug, 7 , 1250,-5 , de, DE ,eur , Yes,  , ")

    assert read_as == {
        "sku": "A",
        "name": "Mug",
        "stockCount": 7,
        "price": 1250,
        "orgPrice": -5,
        "lang": "de",
        "country": "DE",
        "currency": "EUR",
        "notShoppable": True,
    }


def test_unlimited_stock_has_a_word(path: Path) -> None:
    assert body(path, "sku,name,stockCount", "A,Mug,unlimited")["stockCount"] is None


def test_a_cell_may_hold_the_object_of_the_api(path: Path) -> None:
    header = "sku,name,brand,gender,images,shippingScale"
    row = '''A,Mug,"{""name"": ""B""}","{""code"": 2}","[{""url"": ""https://a.example""}]","[]"'''

    assert body(path, header, row) == {
        "sku": "A",
        "name": "Mug",
        "brand": {"name": "B"},
        "gender": {"code": 2},
        "images": [{"url": "https://a.example"}],
        "shippingModel": {"shippingScale": []},
    }


@pytest.mark.parametrize("cell", ["12.50", "1_000", "twelve", "--5", "1e3", "9" * 30])
def test_what_is_no_whole_number_is_left_for_the_schema_to_refuse(path: Path, cell: str) -> None:
    assert body(path, "sku,name,price", f"A,Mug,{cell}")["price"] == cell


def test_negative_stock_is_a_number(path: Path) -> None:
    assert body(path, "sku,name,stockCount", "A,Mug,-3")["stockCount"] == -3


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_spreadsheet_may_separate_as_its_country_does(path: Path, delimiter: str) -> None:
    header, row = delimiter.join(("sku", "name", "price")), delimiter.join(("A", "Mug", "5"))

    assert body(path, header, row)["price"] == 5


def test_headings_may_be_written_in_any_of_the_usual_ways(path: Path) -> None:
    assert body(path, "SKU,Name,stock_count,Org Price", "A,Mug,1,2") == {
        "sku": "A",
        "name": "Mug",
        "stockCount": 1,
        "orgPrice": 2,
    }


def test_a_variant_names_its_main_product(path: Path) -> None:
    header = "sku,name,price,stockCount,variantOf,type,value,brand,lang"
    main, variant = read(path, f"{header}\nA,Mug,5,,,,,B,en\nA-M,Mug,,3,A,size,M,B,en\n")

    assert (main.body or {})["brand"] == "B"
    assert variant == Record(
        3,
        "A-M",
        {"sku": "A-M", "stockCount": 3, "type": "size", "value": "M"},
        main_sku="A",
        lang="en",
    )


def test_lines_are_those_of_the_file_also_behind_cells_of_several_lines(path: Path) -> None:
    content = 'sku,name\r\nA,"one\ntwo\r\nthree"\r\n\r\nB,Mug\r\nC,"x\ny"\nD,Z'

    assert [(record.line, record.sku) for record in read(path, content)] == [
        (2, "A"),
        (6, "B"),
        (7, "C"),
        (9, "D"),
    ]


def test_a_row_that_is_not_utf_8_is_refused_with_its_line_and_the_others_are_read(
    path: Path,
) -> None:
    content = b'sku,name\nA,M\xfcg\nB,M\xc3\xbcg\nC,"x\n\xff"\nD,Mug\n'

    records = read(path, content)

    assert [(record.line, record.body is None) for record in records] == [
        (2, True),
        (3, False),
        (4, True),
        (6, False),
    ]
    assert "UTF-8" in (records[0].reason or "")
    assert (records[1].body or {})["name"] == "Müg"


def test_a_row_with_too_many_cells_is_refused(path: Path) -> None:
    long, right = read(path, "sku,name,price\nA,Mug,5,6\nB,Mug,5\n")

    assert "has 4 cells" in (long.reason or "")
    assert right.line == 3


def test_cells_that_are_left_out_at_the_end_are_empty(path: Path) -> None:
    records = read(path, "sku,name,price,brand,\nA,Mug\nB,Mug,5\nC,Mug,5,,,,\n")

    assert [record.body for record in records] == [
        {"sku": "A", "name": "Mug"},
        {"sku": "B", "name": "Mug", "price": 5},
        {"sku": "C", "name": "Mug", "price": 5},
    ]


@pytest.mark.parametrize(
    ("before", "line"),
    [
        ("\n\n", 4),
        ("sep=;\n", 3),
        ('"sep=;"\n', 3),
        ('"# Required | a; b","# Required | c"\n', 3),
        (" \n", 3),
    ],
)
def test_what_stands_before_the_first_line_is_passed_over(
    path: Path, before: str, line: int
) -> None:
    delimiter = ";" if "sep" in before else ","

    (record,) = read(path, f"{before}sku,name,price\nA,Mug,5\n".replace(",", delimiter))

    assert record == Record(line, "A", {"sku": "A", "name": "Mug", "price": 5})


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ('sku,name,"description (short; long; html)",price', "A,Mug,red,5"),
        ("sku;name;description;price", 'A;Mug;"red, blue, green, white",5'),
        ("sku|name|description|price", "A|Mug|a, b; c|5"),
    ],
)
def test_the_delimiter_is_found_behind_quotes(path: Path, header: str, row: str) -> None:
    row = row.replace('",5', '";5')

    assert body(path, header, row)["price"] == 5


def test_two_columns_of_one_name_are_refused(path: Path) -> None:
    with pytest.raises(UnusableFile, match="two columns for price: 'price' and 'Price'"):
        read(path, "sku,name,price,Price\nA,Mug,5,6\n")


@pytest.mark.parametrize("between", [" ", ", ", ",", "|", " | ", "; ", "\n"])
def test_addresses_in_a_cell_may_be_separated_in_any_usual_way(path: Path, between: str) -> None:
    urls = ["https://a.example/1,2.jpg", "https://a.example/3.jpg?a=b;c"]

    images = body(path, "sku,name,images", f'A,Mug,"{between.join(urls)}"')["images"]

    assert images == [{"url": url} for url in urls]


def test_a_type_on_a_main_product_costs_nothing(path: Path) -> None:
    (record,) = read(path, "sku,name,price,type\nA,Mug,5,simple\n")

    assert record.body == {"sku": "A", "name": "Mug", "price": 5}
    assert record.notes == ("type: only a variant has one.",)


def test_a_quote_that_is_not_closed_costs_the_lines_that_it_swallows_and_says_which(
    path: Path,
) -> None:
    content = 'sku,name\nA,"Mug\n' + "x,y\n" * 400_000

    records = read(path, content)

    assert "Lines 2 to " in (records[0].reason or "")
    assert "quote" in (records[0].reason or "")
    assert records[-1].body == {"sku": "x", "name": "y"}
    assert records[-1].line == 400_002


def test_a_quote_that_is_open_at_the_end_is_refused(path: Path) -> None:
    (record,) = read(path, 'sku,name\nA,"Mug')

    assert record.body is None
    assert record.line == 2


def test_rows_without_any_cell_are_passed_over(path: Path) -> None:
    assert [record.line for record in read(path, "sku,name\n\n,\nA,Mug\n\n")] == [4]


def test_an_unknown_column_is_named(path: Path) -> None:
    path.write_text("sku,name,pice,weight\nA,Mug,5,1\n")
    with FeedFile(path) as file:
        assert Source(file).notes == ["Not read, as there is no such column: pice, weight."]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("sku,brand\nA,5\n", "no column name"),
        ("title;price\nA;5\n", "no column sku and no column name"),
        ('[{"sku": "A"}]', "JSON array"),
        (b"sku,na\xfcme\n", "not in UTF-8"),
    ],
)
def test_what_is_no_feed_is_refused_before_anything_is_read(
    path: Path, content: str | bytes, words: str
) -> None:
    with pytest.raises(UnusableFile, match=words):
        read(path, content)


@pytest.mark.parametrize("wanted", [None, "jsonl"])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('[{"sku": "A"}]', "is a JSON array: .* as jq -c '.\\[\\]' writes it"),
        ('\ufeff\n[\n  {"sku": "A"}\n]\n', "is a JSON array"),
        ("[\n]", "is a JSON array"),
        ('{\n  "sku": "A"\n}\n', "JSON that goes over several lines"),
        (
            '{"products": [{"stockCount": 1, "sku": "A"}]}',
            r"is one JSON object with a list: .* as jq -c '\.products\[\]' writes it; --volatile",
        ),
        (
            '{"lang": "de", "shippingModel": {"shippingScale": [{"start": 0}]}, "products": [\n'
            '{"sku": "A", "name": "Mug"}\n]}\n',
            r"jq -c '\.products\[\]' writes it\.",
        ),
        ('{"all": [\r\n{"sku": "A"},\r\n{"sku": "B"}\r\n]}', r"jq -c '\.all\[\]'"),
        ('{"sku": "A",\n"name": "Mug"}\n', "JSON that goes over several lines"),
    ],
)
def test_json_that_is_one_value_of_all_lines_is_named(
    path: Path, content: str, words: str, wanted: str | None
) -> None:
    with pytest.raises(UnusableFile, match=words):
        read(path, content, wanted)


def test_a_product_with_its_variants_first_is_a_line(path: Path) -> None:
    line = '{"variants": [{"sku": "A-S"}], "sku": "A", "name": "Mug"}\n'

    assert [record.sku for record in read(path, line)] == ["A"]


def test_the_lines_of_a_patch_are_read_as_news(path: Path) -> None:
    path.write_text('{"sku": "A", "stockCount": 1}\n')

    with FeedFile(path) as file:
        (record,) = Source(file, None, Reading(volatile=True)).records("DE", NOON)

    assert (record.body, record.volatile) == ({"sku": "A", "stockCount": 1}, True)


def test_lines_with_a_comma_behind_each_are_refused_one_by_one(path: Path) -> None:
    first, second, last = read(path, '{"sku": "A"},\n{"sku": "B"}, \r\n{"sku": "C"}\n')

    for record in (first, second):
        assert "not valid JSON" in (record.reason or "")
    assert last.body == {"sku": "C"}


def test_each_json_line_is_a_body_of_the_api(path: Path) -> None:
    records = read(path, '{"sku": "A", "name": "M"}\n\n{"sku": "B"}\n')

    assert records == [
        Record(1, "A", {"sku": "A", "name": "M"}, whole=True),
        Record(3, "B", {"sku": "B"}, whole=True),
    ]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"{", "not valid JSON"),
        (b'{"sku": "\xff"}', "not valid JSON"),
        (b'{"sku": "\\ud800"}', "not valid JSON"),
        (b"[1]", "not a JSON object"),
        (b"[" * 5000, "not valid JSON"),
        (b'{"sku": "A", "price": 1, "price": 2}', "the same name twice"),
        (b'{"sku":"A","variants":[{"sku":"B","sku":"C"}]}', "the same name twice"),
        (b'{"a": ' + b"[" * 400 + b'{"a": 1, "a": 2}' + b"]" * 400 + b"}", "the same name twice"),
        (b'"' + b"x" * MAX_LINE + b'"', "longer than"),
    ],
)
def test_a_wrong_json_line_is_refused_and_the_next_one_is_read(
    path: Path, line: bytes, words: str
) -> None:
    wrong, right = read(path, line + b'\n{"sku": "B"}\n', "jsonl")

    assert words in (wrong.reason or "")
    assert (right.line, right.sku) == (2, "B")


@pytest.mark.parametrize(
    ("name", "content", "wanted"),
    [
        ("a.txt", '{"sku": "A"}', "jsonl"),
        ("a.jsonl", "broken", "jsonl"),
        ("a.ndjson.gz", "broken", "jsonl"),
        ("a", "sku,name\nA,B\n", "csv"),
        ("a", "id,title,price\nA,B,1 EUR\n", "google"),
        ("a.csv", "id,title,sku,name\nA,B,A,B\n", "csv"),
        ("a", "<rss/>", "google"),
        ("a.xml", "\n <rss/>", "google"),
    ],
)
def test_the_format_is_seen_from_the_content_or_the_name(
    tmp_path: Path, name: str, content: str, wanted: str
) -> None:
    path = tmp_path / name
    path.write_text(content)

    with FeedFile(path) as file:
        assert Source(file).format == wanted


ESCAPED = (
    'A,"Mug \\"big\\"","12\\" wide, red",1\n'
    'B,"Cup 5\\"","two\nlines \\"so\\"",2\n'
    'C,"Pot","",3\n'
    'D,"back\\slash ""x""","C:\\dir\\",4\n'
)


def test_quotes_that_are_escaped_with_a_backslash_are_read(path: Path) -> None:
    """As PHP and MySQL write them; other rows are read as ever."""
    found = read(path, f"sku,name,description,price\n{ESCAPED}")

    assert [(record.line, record.reason) for record in found] == [
        (2, None),
        (3, None),
        (5, None),
        (6, None),
    ]
    bodies = [record.body or {} for record in found]
    assert [one["name"] for one in bodies] == ['Mug "big"', 'Cup 5"', "Pot", 'back\\slash "x"']
    assert [one.get("description") for one in bodies] == [
        '12" wide, red',
        'two\nlines "so"',
        None,
        "C:\\dir\\",
    ]


def test_a_row_that_is_broken_costs_no_other_row_also_where_quotes_are_escaped(path: Path) -> None:
    broken = 'A,"x\\" y\nB,Cup\n'

    found = read(path, "sku,name\n" + broken * 30)

    assert [(one.sku, one.reason is None) for one in found] == [("", False), ("B", True)] * 30
    assert [one.line for one in found[-2:]] == [60, 61]


def test_the_unit_is_told_also_from_rows_with_escaped_quotes(path: Path) -> None:
    path.write_text('sku,name,price\nA,"5\\" pipe",12.99\nB,"Cup",15\n')

    with FeedFile(path) as file, pytest.raises(UnusableFile, match=r"line 2: price is '12\.99'"):
        Source(file).survey()


@pytest.mark.parametrize(("cell", "stock"), [("7,0", 7), ("7.00", 7), ("-2,0", -2), ("7,5", "7,5")])
def test_a_count_is_whole_however_its_decimal_sign_is_written(
    path: Path, cell: str, stock: int | str
) -> None:
    assert body(path, "sku;name;stockCount", f"A;Mug;{cell}")["stockCount"] == stock
