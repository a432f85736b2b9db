"""SKUs that a spreadsheet has rounded."""

import pytest

from jay.feeds import skus
from jay.feeds.readers import Record
from jay.feeds.skus import apart
from jay.feeds.unpacking import UnusableFile


def row(line: int, sku: str, **more: object) -> Record:
    return Record(line, sku, {"sku": sku, **more})


def test_rows_that_fall_together_by_rounding_are_refused_with_the_reason() -> None:
    rows = [row(2, "4.00625E+12"), row(3, "A"), row(4, " 4.00625E+12"), row(5, "A")]

    a, again, one, other = apart(iter(rows))

    assert (a, again) == (rows[1], rows[3])
    for record, line in ((one, 2), (other, 4)):
        assert (record.line, record.body) == (line, None)
        assert record.reason is not None
        assert record.reason.startswith("The SKU")
        assert "is in lines 2, 4: Excel has rounded the number" in record.reason


def test_other_programs_write_a_small_e() -> None:
    assert [record.body for record in apart(iter([row(2, "4.1e+12"), row(3, "4.1e+12")]))] == [
        None,
        None,
    ]


@pytest.mark.parametrize("sku", ["4.00625E+12", "4,00625E+12", "4E+12", "4.00625e+12"])
def test_one_alone_is_taken(sku: str) -> None:
    rows = [row(2, sku), row(3, "4.1E+12"), row(4, sku, lang="en")]

    assert list(apart(iter(rows))) == rows


@pytest.mark.parametrize("sku", ["E+12", "SIZE+12", "4.00625e12", "A4.0E+12"])
def test_what_only_looks_like_it_may_come_twice(sku: str) -> None:
    rows = [row(2, sku), row(3, sku)]

    assert list(apart(iter(rows))) == rows


def test_variants_stay_behind_their_main_product() -> None:
    variant = Record(2, "S", {"sku": "S"}, "4.0E+12")
    rows = [row(1, "4.0E+12"), variant, row(3, "A")]

    assert list(apart(iter(rows))) == [rows[2], rows[0], variant]


def test_a_file_of_nothing_else_is_refused_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(skus, "MAX_HELD", 2)

    with pytest.raises(UnusableFile, match="Format the column as text"):
        list(apart(row(line, f"{line}.1E+12") for line in range(1, 5)))
