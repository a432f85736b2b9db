"""What another shop's columns mean: small files, one for each kind of export.

A mapping names, for Google's attributes (jay/feeds/items.py), the columns that have them. Besides
``[columns]`` it may have:

- ``headings``: sets of headings by which the kind is told; ``reader = "google"``: it has Google's
- ``options``, within ``[columns]``: pairs of columns, of a variant's difference and its value
- ``[fixed]``: values for all rows; ``[values.ATTRIBUTE]``: what the cells of its column mean
  (an empty text: nothing)
- ``[drop.ATTRIBUTE]``: it is not read where that column has one of these cells
- ``[skip]``: rows that are passed over where that column has one of these cells, ``*`` for any;
  the variants of a main product that is passed over are passed over with it
- ``[skip_alone]``: the same, but for rows that are variants
- ``main_kinds``: which rows are main products that are never sold themselves
- ``rows_of``: rows that follow each other with the same cell there are one product, which has all
  their pictures; ``variant_image_link`` is the picture of the row's variant, and of a product that
  has no other one
- ``month_first``: ``11/1/26`` is the first of November
- ``variants_in``: the column in which a main product's row lists its variants
- ``pairs_in``: the column in whose cells further columns stand, as ``ean=4006381333931,color=Red``
"""

import tomllib
from collections.abc import Mapping as Dict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from jay.feeds.unpacking import UnusableFile

FOLDER = Path(__file__).parent / "mappings"
MAX_FILE = 100_000

ATTRIBUTES = frozenset(
    {
        *("id", "title", "description", "link", "image_link", "additional_image_link", "brand"),
        "variant_image_link",
        *("color", "material", "gender", "age_group", "size", "pattern", "item_group_id"),
        *(
            "price",
            "sale_price",
            "sale_price_effective_date",
            "sale_from",
            "sale_until",
            "was",
            "rrp",
        ),
        *("gtin", "mpn", "unit_pricing_measure"),
        *("currency", "availability", "quantity", "shipping", "shipping_price"),
        *("parent", "number", "options"),
    }
)
Cells = Dict[str, Sequence[str]]
"""By heading, cells that have a meaning; in lower case."""


@dataclass(frozen=True)
class Mapping:
    """One kind of export; see the top of this file."""

    name: str
    title: str
    headings: Sequence[Sequence[str]] = ()
    reader: str = "columns"
    columns: Dict[str, Sequence[str]] = field(default_factory=dict)
    options: Sequence[Sequence[str]] = ()
    fixed: Dict[str, str] = field(default_factory=dict)
    values: Dict[str, Dict[str, str]] = field(default_factory=dict)
    drop: Dict[str, Cells] = field(default_factory=dict)
    skip: Cells = field(default_factory=dict)
    skip_alone: Cells = field(default_factory=dict)
    main_kinds: Cells = field(default_factory=dict)
    rows_of: Sequence[str] = ()
    single_option: str = ""
    variants_in: str = ""
    pairs_in: str = ""
    month_first: bool = False

    def matches(self, header: Sequence[str]) -> int:
        """Return how many headings tell that a table is of this kind; 0 where it is not."""
        there = {heading_of(heading) for heading in header}
        return max(
            (len(one) for one in self.headings if there.issuperset(map(heading_of, one))), default=0
        )


def heading_of(heading: str) -> str:
    """Return a heading as it is compared."""
    return " ".join(heading.lower().replace("\u2019", "'").split())


@cache
def known() -> Dict[str, Mapping]:
    """Return the mappings that come with the program, by name."""
    return {path.stem: read_mapping(path) for path in sorted(FOLDER.glob("*.toml"))}


def recognise(header: Sequence[str]) -> Mapping | None:
    """Return the kind of export that a table is, the most special one of several."""
    found = max(known().values(), key=lambda mapping: mapping.matches(header))
    return found if found.matches(header) else None


def read_mapping(path: Path) -> Mapping:
    """Read a mapping.

    :raises UnusableFile: it is none; the message says why.
    """
    try:
        content = path.read_bytes()
        if len(content) > MAX_FILE:
            raise UnusableFile(f"{path} is too long for a mapping.")
        return mapping_of(path.stem, content.decode(), str(path))
    except OSError as error:
        raise UnusableFile(f"{path} can't be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise UnusableFile(f"{path} is not TOML: {error}.") from error


def mapping_of(name: str, text: str, shown: str) -> Mapping:
    """Read a mapping that is at hand.

    :param shown: what a person is told that it is.
    :raises UnusableFile: it is none; the message says why.
    """
    try:
        return _mapping(name, tomllib.loads(text))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UnusableFile(f"{shown} is not TOML: {error}.") from error
    except _Wrong as error:
        raise UnusableFile(f"{shown}: {error}") from error


class _Wrong(Exception):
    pass


_PARTS = (
    *("title", "headings", "reader", "columns", "fixed", "values", "drop", "skip", "skip_alone"),
    *("main_kinds", "rows_of", "single_option", "variants_in", "pairs_in", "month_first"),
)
_READERS = ("columns", "google")


def _mapping(name: str, given: dict[str, Any]) -> Mapping:
    if unknown := sorted(set(given) - set(_PARTS)):
        raise _Wrong(f"there is no {unknown[0]!r} in a mapping; there are: {', '.join(_PARTS)}.")
    if given.get("reader", "columns") not in _READERS:
        raise _Wrong(f"reader: must be {' or '.join(_READERS)}.")
    if not isinstance(given.get("month_first", False), bool):
        raise _Wrong("month_first: must be true or false.")
    columns = _table(given, "columns")
    options = columns.pop("options", [])
    for table in (columns, _table(given, "fixed"), _table(given, "values"), _table(given, "drop")):
        if unknown := sorted(set(table) - ATTRIBUTES):
            known_ones = ", ".join(sorted(ATTRIBUTES))
            raise _Wrong(f"there is no attribute {unknown[0]!r}; there are: {known_ones}.")
    if given.get("reader", "columns") == "columns" and "id" not in columns:
        raise _Wrong("columns: id is missing, the column with the SKU.")
    return Mapping(
        name,
        str(given.get("title", name)),
        headings=[
            _list("headings", one) for one in _list_of("headings", given.get("headings", []))
        ],
        reader=str(given.get("reader", "columns")),
        columns={attribute: _list(attribute, one) for attribute, one in columns.items()},
        options=[_pair(one) for one in _list_of("options", options)],
        fixed={name: _text(name, one) for name, one in _table(given, "fixed").items()},
        values={
            name: {cell.lower(): _text(name, one) for cell, one in _table(values, name).items()}
            for values in (_table(given, "values"),)
            for name in values
        },
        drop={name: _cells(name, table) for name, table in _table(given, "drop").items()},
        skip=_cells("skip", given.get("skip", {})),
        skip_alone=_cells("skip_alone", given.get("skip_alone", {})),
        main_kinds=_cells("main_kinds", given.get("main_kinds", {})),
        month_first=given.get("month_first", False),
        rows_of=_list("rows_of", given.get("rows_of", [])),
        single_option=_text("single_option", given.get("single_option", "")),
        variants_in=heading_of(_text("variants_in", given.get("variants_in", ""))),
        pairs_in=heading_of(_text("pairs_in", given.get("pairs_in", ""))),
    )


def _table(given: Any, name: str) -> dict[str, Any]:
    table = given.get(name, {}) if isinstance(given, dict) else None
    if not isinstance(table, dict):
        raise _Wrong(f"{name}: must be a table.")
    return dict(table)


def _list_of(name: str, given: Any) -> list[Any]:
    if not isinstance(given, list):
        raise _Wrong(f"{name}: must be a list.")
    return given


def _list(name: str, given: Any) -> list[str]:
    parts = [given] if isinstance(given, str) else _list_of(name, given)
    return [heading_of(_text(name, part)) for part in parts]


def _pair(given: Any) -> list[str]:
    pair = _list("options", given)
    if len(pair) != 2:
        raise _Wrong("options: must be pairs, of the column with the name and that with the value.")
    return pair


def _cells(name: str, given: Any) -> dict[str, Sequence[str]]:
    table = _table({name: given}, name)
    return {
        heading_of(heading): [cell.lower() for cell in map(str, _list_of(name, cells))]
        for heading, cells in table.items()
    }


def _text(name: str, given: Any) -> str:
    if not isinstance(given, str):
        raise _Wrong(f"{name}: {given!r} is not a text.")
    return given
