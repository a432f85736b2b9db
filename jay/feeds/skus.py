"""SKUs that a spreadsheet has written as rounded numbers: two of them that look alike are not one.

Excel shows 4006250000017 as ``4.00625E+12`` and saves what it shows: the last digits are lost, and
rows of different products fall together.
"""

import re
from collections.abc import Iterator

from jay.feeds.readers import Record
from jay.feeds.unpacking import UnusableFile
from jay.products.models import normal_sku

MAX_HELD = 10_000
"""Rows that are held back until it is known whether others look like them."""

_ROUNDED = re.compile(r"[0-9](?:[.,][0-9]+)?[Ee]\+[0-9]{1,3}").fullmatch
_WHY = (
    "Excel has rounded the number and its last digits are lost. Format the column as text before"
    " you save."
)


def apart(records: Iterator[Record]) -> Iterator[Record]:
    """Yield the records; those whose SKU is a rounded number last, refused where several have it.

    :raises UnusableFile: there are too many of them to be a mistake here and there.
    """
    held: list[Record] = []
    for record in records:
        sku, main_sku = record.sku, record.main_sku
        if not (_has_exponent(sku) or (main_sku is not None and _has_exponent(main_sku))):
            yield record
            continue
        if not _is_rounded(sku) and not _is_rounded(main_sku):
            yield record
            continue
        held.append(record)
        if len(held) > MAX_HELD:
            raise UnusableFile(
                f"More than {MAX_HELD:,} SKUs are like {held[0].sku}: {_WHY}",
                plain=f"More than {MAX_HELD:,} SKUs are rounded numbers: {_WHY}",
            )
    lines: dict[tuple[str, object, object], list[int]] = {}
    for record in held:
        lines.setdefault(_key(record), []).append(record.line)
    for record in held:
        same = lines[_key(record)]
        if len(same) == 1 or not _is_rounded(record.sku):
            yield record
            continue
        others = ", ".join(str(line) for line in same[:5])
        reason = f"The SKU {record.sku} is in lines {others}: {_WHY}"
        yield Record(record.line, record.sku, reason=reason)


def _is_rounded(sku: str | None) -> bool:
    return sku is not None and _has_exponent(sku) and _ROUNDED(normal_sku(sku)) is not None


def _has_exponent(sku: str) -> bool:
    return "E+" in sku or "e+" in sku


def _key(record: Record) -> tuple[str, object, object]:
    body = record.body or {}
    locale = record.lang or body.get("lang"), record.country or body.get("country")
    return normal_sku(record.sku), *locale
