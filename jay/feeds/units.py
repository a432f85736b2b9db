"""Minor or major units: what a file says of its amounts, and what its rows prove.

``1999`` is 19.99 where amounts are in minor units, as in the API. A file in which one amount has
decimal places is in major units, all of it: its ``15`` is not fifteen cents. So all of it is looked
through before anything is stored.
"""

import re
from collections.abc import Iterator
from typing import Any

import orjson

from jay.feeds.amounts import Unreadable, read_money
from jay.feeds.files import FeedFile
from jay.feeds.tables import Table
from jay.feeds.unpacking import UnusableFile

MINOR, MAJOR = "minor", "major"
UNITS = (MINOR, MAJOR)

AMOUNTS = ("price", "orgPrice")
SHIPPING_AMOUNTS = ("shippingFlatRate", "shippingPerItem")

_DECIMALS = re.compile(r"[.,][0-9]")
# Programs that know numbers with a point alone write 1999 so.
_WHOLE = re.compile(r"[0-9]+[.]0")


def proves_major(value: object) -> bool:
    """Tell whether an amount can be in major units only: ``12.99``, ``1.290,00 EUR``."""
    if isinstance(value, float):
        return not value.is_integer()
    if not isinstance(value, str) or not _DECIMALS.search(value) or _WHOLE.fullmatch(value):
        return False
    try:
        read_money(value, "EUR")
    except Unreadable:
        return False
    return True


def check_table(table: Table, columns: dict[int, str]) -> None:
    """Check that no row proves that amounts are in major units.

    :param columns: the places of the amounts in a row, with their names.
    :raises UnusableFile: one does.
    """
    for line, at, cell in table.odd_cells(list(columns)):
        if proves_major(cell):
            raise _proven(f"line {line}", columns[at], cell)


# Whatever is a text or has a point; nearly no line has such an amount.
_ODD_AMOUNT = re.compile(
    rb'"(?:price|orgPrice|shippingFlatRate|shippingPerItem)"\s*:\s*(?:"|-?[0-9]+[.eE])'
)


def check_json_lines(file: FeedFile) -> None:
    """Check the same of JSON Lines."""
    for number, line in enumerate(file.lines(), 1):
        if _ODD_AMOUNT.search(line):
            for name, value in _amounts(line):
                if proves_major(value):
                    raise _proven(f"line {number}", name, value)


def _amounts(line: bytes) -> Iterator[tuple[str, Any]]:
    try:
        body = orjson.loads(line)
    except orjson.JSONDecodeError:
        return
    parts = [body, *_objects(body, "variants")]
    for part in parts:
        if isinstance(part, dict):
            yield from ((name, part[name]) for name in AMOUNTS if name in part)
            model = part.get("shippingModel")
            if isinstance(model, dict):
                yield from ((name, model[name]) for name in SHIPPING_AMOUNTS if name in model)


def _objects(body: Any, name: str) -> list[Any]:
    inner = body.get(name) if isinstance(body, dict) else None
    return inner if isinstance(inner, list) else []


def _proven(place: str, name: str, value: object) -> UnusableFile:
    return UnusableFile(
        f"{place}: {name} is {value!r}, but amounts are expected in minor units, in which 1999 is"
        " 19.99. Nothing was stored. If all amounts of the file are like this one: --prices major;"
        " --prices minor refuses such rows and takes the others."
    )
