"""Whatever a file has in it, an import says so in words: no reader ends in a traceback."""

import csv
import gzip
import io
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from jay.feeds import importing
from jay.feeds.files import FeedFile
from jay.feeds.mapping import known
from jay.feeds.preview import written
from jay.feeds.readers import PRODUCT_COLUMNS, SHIPPING_COLUMNS, VARIANT_COLUMNS
from jay.feeds.sources import FORMATS, Reading, Source
from jay.feeds.unpacking import UnusableFile
from jay.merchants.models import Merchant
from tests.depth import few_or_all
from tests.property.test_amounts import LONG, notations

DATA = Path(__file__).parents[1] / "data" / "feed"
FILES = [path.read_bytes() for path in sorted(DATA.iterdir())]
NOON = datetime(2025, 6, 4, 12, tzinfo=UTC)
SHOP = Merchant(1, "shop", "de", "DE", "EUR", None, "MAX", ())

HEADINGS = sorted(
    {
        *PRODUCT_COLUMNS,
        *SHIPPING_COLUMNS,
        *VARIANT_COLUMNS,
        *("id", "title", "image_link", "availability", "sale_price", "item_group_id", "shipping"),
        *("sale_price_effective_date", "shipping(price)", "shipping(country:price:", "quantity"),
        *(heading for mapping in known().values() for one in mapping.headings for heading in one),
        *(one for mapping in known().values() for all_ in mapping.columns.values() for one in all_),
        *(one for mapping in known().values() for pair in mapping.options for one in pair),
        *(heading for mapping in known().values() for heading in mapping.skip),
        *("", "#", "# Required", "sep=;", "*", "price ", "PRICE"),
    }
)
CELLS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        [
            *(
                "",
                "A",
                "0",
                "-1",
                "1.5",
                "1.200",
                "9" * 400,
                "1e999",
                "NaN",
                "12,50 EUR",
                "$5",
                "{",
            ),
            *("{}", "[]", "[[", '{"name": 5}', '[{"url": 5}]', "DE:::4.90 EUR", "::::", "DE:", ":"),
            *("in stock", "unlimited", "2026-01-01/2025-01-01", "2025-06-01/9999-12-31", "/", "//"),
            *(
                "id:1",
                "id:",
                "sku=A,size=S|sku=,=|",
                "https://a.example/1.jpg",
                "/a.jpg",
                "configurable",
            ),
            *(
                "variable",
                "variation",
                "Default Title",
                "'5",
                "\0",
                "\ud800",
                "1:4 5:x",
                "yes",
                "<p>a",
            ),
        ]
    ),
    notations().map(lambda written: written[0]),
)
TABLES = st.lists(st.sampled_from(HEADINGS), min_size=1, max_size=9).flatmap(
    lambda header: st.lists(st.lists(CELLS, max_size=len(header) + 1), max_size=5).map(
        lambda rows: [header, *rows]
    )
)


def encoded(rows: list[list[str]], delimiter: str, codec: str) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter).writerows(rows)
    return out.getvalue().encode(codec, "replace")


AS_CSV = st.builds(
    encoded, TABLES, st.sampled_from([",", ";", "\t", "|"]), st.sampled_from(["utf-8", "latin-1"])
)
TAGS = st.sampled_from(
    ["item", "g:id", "g:price", "g:shipping", "g:country", "title", "x", "entry"]
)
AS_XML = st.recursive(
    CELLS.map(lambda text: text.replace("<", "&lt;")),
    lambda inner: st.tuples(TAGS, st.lists(inner, max_size=4)).map(
        lambda node: f"<{node[0]}>{''.join(node[1])}</{node[0]}>"
    ),
    max_leaves=12,
).map(
    lambda text: (f'<rss xmlns:g="http://base.google.com/ns/1.0"><item>{text}</item></rss>').encode(
        "utf-8", "replace"
    )
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Take a right file and change some bytes in it."""
    content = bytearray(draw(st.sampled_from(FILES)))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(content)))
        content[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=4))
    return bytes(content)


def zipped(content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a", content)
    return out.getvalue()


PACKS: list[Callable[[bytes], bytes]] = [bytes, gzip.compress, zipped]
CONTENTS = st.builds(
    lambda pack, content, cut: pack(content)[: cut or None],
    st.sampled_from(PACKS),
    st.one_of(AS_CSV, AS_XML, damaged(), st.binary(max_size=200)),
    st.sampled_from([0, 0, 0, 0, 20, 60]),
)
READINGS = st.builds(
    Reading,
    delimiter=st.none() | st.sampled_from([",", ";"]),
    prices=st.none() | st.sampled_from(["minor", "major"]),
    media_url=st.sampled_from(["", "https://a.example"]),
    volatile=st.booleans(),
)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "feed"


def read(path: Path, content: bytes, wanted: str | None, encoding: str | None, how: Reading) -> Any:
    """Read a file as a dry run does; return how many records it has, or the one sentence."""
    path.write_bytes(content)
    count = 0
    try:
        with FeedFile(path, alone=False, encoding=encoding) as file:
            source = Source(file, wanted, how)
            source.survey()
            for batch in importing.check(source.records("DE", NOON, "EUR"), SHOP):
                for record, put in batch:
                    count += 1
                    assert put != ""
                    if not isinstance(put, str):
                        written(record, put, SHOP)
    except UnusableFile as error:
        return str(error)
    return count


@pytest.mark.timeout(LONG)
@settings(
    max_examples=few_or_all(120, 20_000),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    CONTENTS,
    st.none() | st.sampled_from(FORMATS),
    st.sampled_from([None, None, "latin-1", "cp1252", "utf-16", "klingon"]),
    READINGS,
)
def test_no_file_ends_in_a_traceback(
    path: Path, content: bytes, wanted: str | None, encoding: str | None, how: Reading
) -> None:
    assert read(path, content, wanted, encoding, how) != ""


@pytest.mark.timeout(LONG)
@settings(max_examples=few_or_all(100, 20_000), deadline=None)
@given(st.lists(notations(), min_size=1, max_size=6))
def test_no_price_of_a_file_is_another_than_was_written(
    path: Path, amounts: list[tuple[str, int, str]]
) -> None:
    rows = [["id", "title", "price"]]
    rows += [[str(at), "Mug", text] for at, (text, _, _) in enumerate(amounts)]
    path.write_bytes(encoded(rows, ";", "utf-8"))

    with FeedFile(path, alone=False) as file:
        records = list(Source(file, "google", Reading(delimiter=";")).records("DE", NOON))

    assert len(records) == len(amounts)
    for record, (_, minor, currency) in zip(records, amounts, strict=True):
        if record.body is not None and "price" in record.body:
            assert (record.body["price"], record.body["currency"]) == (minor, currency)
        else:
            assert record.reason or (minor == 0 and record.notes)
