"""Minor or major units: what a file says of its amounts, and what its rows prove.

``1999`` is 19.99 where amounts are in minor units, as in the API. A file in which one amount has
decimal places is in major units, all of it: its ``15`` is not fifteen cents. So all of it is looked
through before anything is stored.
"""

import re
from collections.abc import Iterator
from typing import Any

import orjson

from jay.feeds.amounts import Ambiguous, Unreadable, read_money
from jay.feeds.files import FeedFile
from jay.feeds.tables import Table
from jay.feeds.unpacking import UnusableFile

MINOR, MAJOR = "minor", "major"
UNITS = (MINOR, MAJOR)

AMOUNTS = ("price", "orgPrice")
SHIPPING_AMOUNTS = ("shippingFlatRate", "shippingPerItem")

SCALE, SALE = "shippingScale", "sale"

_DECIMALS = re.compile(r"[0-9]+[.,][0-9]{2,}")
# Programs that know numbers with a point alone write 1999 so.
_WHOLE = re.compile(r"[0-9]+(?:[.]0)?")


def proves_major(value: object) -> bool:
    """Tell whether an amount is written for people: ``12.99``, ``1.290``, ``15 EUR``.

    Minor units are whole numbers, with nothing around them.
    """
    if isinstance(value, float):
        return not value.is_integer()
    if not isinstance(value, str) or _WHOLE.fullmatch(value.strip()):
        return False
    try:
        read_money(value, "EUR")
    except Ambiguous:
        return True
    except Unreadable:
        return _DECIMALS.fullmatch(value.strip()) is not None
    return True


def amounts_of_scale(cell: object) -> list[object]:
    """Return the amounts of a shipping scale, as a cell of a table or as the API has it."""
    if isinstance(cell, str) and not cell.startswith("["):
        return [step.partition(":")[2] for step in cell.split()]
    try:
        steps = orjson.loads(cell) if isinstance(cell, str) else cell
    except orjson.JSONDecodeError:
        return []
    if not isinstance(steps, list):
        return []
    return [step.get("price") for step in steps if isinstance(step, dict)]


def check_table(table: Table, columns: dict[int, str]) -> None:
    """Check that no row proves that amounts are in major units.

    :param columns: the places of the amounts in a row, with their names.
    :raises UnusableFile: one does.
    """
    for line, at, cell in table.odd_cells(list(columns)):
        amounts = amounts_of_scale(cell) if columns[at] == SCALE else [cell]
        for amount in amounts:
            if proves_major(amount):
                raise _proven(f"line {line}", columns[at], amount)


# Whatever is a text or has a point; nearly no line has such an amount. Steps have a price, too.
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
            if isinstance(sale := part.get(SALE), dict):
                yield "sale.price", sale.get("price")
            if isinstance(model := part.get("shippingModel"), dict):
                yield from ((name, model[name]) for name in SHIPPING_AMOUNTS if name in model)
                yield from ((SCALE, amount) for amount in amounts_of_scale(model.get(SCALE)))


def _objects(body: Any, name: str) -> list[Any]:
    inner = body.get(name) if isinstance(body, dict) else None
    return inner if isinstance(inner, list) else []


def _proven(place: str, name: str, value: object) -> UnusableFile:
    expected = (
        "amounts are expected in minor units, in which 1999 is 19.99. Nothing was stored. If all"
        " amounts of the file are like this one: --prices major; --prices minor refuses such rows"
        " and takes the others."
    )
    return UnusableFile(
        f"{place}: {name} is {value!r}, but {expected}",
        plain=f"{place}: {name} is in major units, but {expected}",
    )
