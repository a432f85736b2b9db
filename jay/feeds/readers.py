"""From a file to records: one product, or one part of a product, each with its line.

A reader never stops at a wrong row: it answers a record that says why, and goes on.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import orjson

from jay.feeds.files import MAX_LINE, FeedFile
from jay.feeds.tables import Table
from jay.net.json_names import SaidTwice, check_names
from jay.products.gtins import read_gtin

MAX_DIGITS = 20

Attributes = dict[str, Any]


class Record(NamedTuple):
    """What stands in one place of the file.

    ``body`` is a product as ``POST /v1/shops/products`` takes it; or, with ``main_sku``, one
    variant of that product, for ``lang`` and ``country``. ``main`` describes the main product of a
    variant that brings it along. ``reason`` says why there is no body. ``whole`` tells that the
    body lists all variants, ``member`` that it is one of its variants itself; ``notes`` what was
    left out of it, and why; ``volatile`` that it is no description but what
    ``PATCH /v1/shops/products`` takes.
    """

    line: int
    sku: str = ""
    body: Attributes | None = None
    main_sku: str | None = None
    main: Attributes | None = None
    lang: str | None = None
    country: str | None = None
    reason: str | None = None
    whole: bool = False
    notes: tuple[str, ...] = ()
    volatile: bool = False
    member: bool = False


NOT_JSON = "The line is not valid JSON: {}."
NOT_OBJECT = "The line is not a JSON object."
TWICE = "An object of the line has the same name twice."
TWICE_IN_CELL = "An object in a cell has the same name twice."
TOO_DEEP = "The line is nested too deeply."
TOO_LONG = f"The line is longer than {MAX_LINE // 2**20} MiB."


def json_lines(file: FeedFile) -> Iterator[Record]:
    """Read JSON Lines: each line is the body of ``POST /v1/shops/products``."""
    for number, line in enumerate(file.lines(), 1):
        if line.isspace():
            continue
        if len(line) >= MAX_LINE:
            yield Record(number, reason=TOO_LONG)
            continue
        try:
            body = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            yield Record(number, reason=NOT_JSON.format(error.msg))
            continue
        if type(body) is not dict:
            yield Record(number, reason=NOT_OBJECT)
            continue
        if (reason := _repeated(body, line)) is not None:
            yield Record(number, _sku_of(body), reason=reason)
            continue
        yield Record(number, _sku_of(body), body, whole=True)


def _sku_of(body: Attributes) -> str:
    sku = body.get("sku")
    return sku if isinstance(sku, str) else ""


def _repeated(body: Attributes, line: bytes) -> str | None:
    """Say that a line has a name twice, of which nobody knows which one counts."""
    try:
        # What comes out as it was has each once, as all lines of our exports; this is fast.
        if orjson.dumps(body) == line.rstrip():
            return None
    except orjson.JSONEncodeError:
        pass  # nested so deeply that it can be read, but not written
    try:
        check_names(line)
    except SaidTwice:
        return TWICE
    except RecursionError:
        return TOO_DEEP
    return None


def whole_number(cell: str) -> Any:
    """Read an integer, with blanks around it; leave anything else for the schema to refuse."""
    text = cell.strip()
    digits = text.removeprefix("-")
    if len(digits) < MAX_DIGITS and digits.isdecimal() and digits.isascii():
        return int(text)
    return cell


# A thousand, or one with three places: as with amounts of money, nobody can tell.
EITHER = re.compile(r"[+-]?([1-9][0-9]{0,2})[.,]([0-9]{3})")


def two_counts(text: object) -> str | None:
    """Say which two counts of pieces a text such as ``1.000`` can be; None where it is not two."""
    found = EITHER.fullmatch(text.strip()) if isinstance(text, str) else None
    if found is None:
        return None
    one, thousand = found[1], found[1] + found[2]
    return f"{text!r} can be read as {one} and as {thousand}: write {one} or {thousand}."


_NO_PART = re.compile(r"(?<=[0-9])[.,]0{1,4}\Z")


def _stock(cell: str) -> Any:
    if cell.isdecimal():
        return whole_number(cell)
    text = cell.strip()
    if text.lower() == "unlimited":
        return None
    # Programs that know numbers with a point alone write 5 as 5.0, or 5,0.
    return cell if two_counts(text) else whole_number(_NO_PART.sub("", text))


def _currency(cell: str) -> Any:
    text = cell.strip()
    return text.upper() if len(text) == 3 and text.isascii() else cell


_FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def _flag(cell: str) -> Any:
    return _FLAGS.get(cell.strip().lower(), cell)


def _text_or_object(cell: str) -> Any:
    return _from_json(cell) if cell.startswith("{") else cell


def _named(cell: str) -> Any:
    return _from_json(cell) if cell.startswith("{") else {"name": cell}


# float() takes more: 1_000, nan, and digits of other scripts.
_DECIMAL = re.compile(
    r"[+-]?(?:[0-9]+(?:[.,][0-9]*)?|[.,][0-9]+)(?:E[+-]?[0-9]{1,2})?", re.IGNORECASE
)


def _decimal(cell: str) -> Any:
    text = cell.strip()
    return float(text.replace(",", ".")) if _DECIMAL.fullmatch(text) else cell


def _percent(cell: str) -> Any:
    value = _decimal(cell.strip().removesuffix("%").rstrip())
    # A spreadsheet keeps 19 % as 0.19, and no tax is so low.
    return cell if isinstance(value, float) and 0 < value < 1 else value


def _content(cell: str) -> Any:
    return cell if EITHER.fullmatch(cell.strip()) else _decimal(cell)


def _from_json(cell: str) -> Any:
    """Read a cell that holds JSON; leave anything else for the schema to refuse.

    :raises SaidTwice: an object of it says a name twice.
    """
    try:
        content = orjson.loads(cell)
        check_names(cell.encode())
    except (orjson.JSONDecodeError, RecursionError):
        return cell
    return content


def _gender(cell: str) -> Any:
    return _from_json(cell) if cell.startswith("{") else whole_number(cell)


def _gtin(cell: str) -> str:
    return read_gtin(cell) or cell.strip()


def _images(cell: str) -> Any:
    if cell.startswith("["):
        return _from_json(cell)
    return [{"url": url} for url in split_addresses(cell)]


# What \s takes, str.split() takes, too.
_BETWEEN_ADDRESSES = re.compile(r"[\s|]+|[,;]\s*(?=[a-z]+://|/)").split
# Each run of separators is looked at once, as a merchant may send a cell full of them.
_BEFORE_ADDRESSES = re.compile(
    r"\|[\s,;]*+|(?<![\s,;])[\s,;]++(?:\|[\s,;]*+|(?=[a-z]+://|/))", re.IGNORECASE
).split


def split_addresses(value: str) -> list[str]:
    """Part addresses in one cell, however they are separated.

    A comma may be within one; so may a blank, where all are whole addresses.
    """
    if "://" in value:
        return [part for one in _BEFORE_ADDRESSES(value) if (part := one.strip(" \t\r\n,;"))]
    if "," not in value and ";" not in value:
        return value.replace("|", " ").split()
    return [part for part in _BETWEEN_ADDRESSES(value) if part]


def _steps(cell: str) -> Any:
    if cell.startswith("["):
        return _from_json(cell)
    return [
        {"start": whole_number(start), "price": whole_number(price)}
        for start, _, price in (step.partition(":") for step in cell.split())
    ]


Convert = Callable[[str], Any]

# Named as in the API; the shipping model's fields have columns of their own.
PRODUCT_COLUMNS: dict[str, Convert | None] = {
    "sku": None,
    "name": None,
    "stockCount": _stock,
    "price": whole_number,
    "orgPrice": whole_number,
    "lang": str.strip,
    "country": str.strip,
    "currency": _currency,
    "vat": _percent,
    "brand": _text_or_object,
    "subLine": None,
    "description": None,
    "gender": _gender,
    "material": None,
    "colour": None,
    "colourCode": whole_number,
    "fit": None,
    "notShoppable": _flag,
    "url": None,
    "urlLabel": None,
    "urlNote": None,
    "urlImageUrl": None,
    "images": _images,
    "orgPriceKind": None,
    "gtin": _gtin,
    "mpn": None,
    "manufacturer": _named,
    "responsiblePerson": _named,
    "safety": _from_json,
    "withdrawalException": None,
    "durabilityGuaranteeYears": whole_number,
}
# Each is a part of what the API has as one object.
NESTED_COLUMNS: dict[str, tuple[str, str, Convert | None]] = {
    "salePrice": ("sale", "price", whole_number),
    "saleFrom": ("sale", "from", None),
    "saleUntil": ("sale", "until", None),
    "basePriceContent": ("basePrice", "content", _content),
    "basePriceUnit": ("basePrice", "unit", None),
}
SHIPPING_COLUMNS: dict[str, Convert] = {
    "shippingFlatRate": whole_number,
    "shippingPerItem": whole_number,
    "shippingScale": _steps,
    "orderLimit": whole_number,
}
_SHIPPING = frozenset(SHIPPING_COLUMNS)
VARIANT_COLUMNS: dict[str, None] = {"variantOf": None, "type": None, "value": None}
OF_VARIANTS = frozenset(
    {"sku", "stockCount", "price", "orgPrice", "sale", "type", "value", "gtin", "mpn"}
)

_COLUMNS: dict[str, Convert | None] = {
    **PRODUCT_COLUMNS,
    **SHIPPING_COLUMNS,
    **VARIANT_COLUMNS,
    **{name: convert for name, (_, _, convert) in NESTED_COLUMNS.items()},
}
_BY_SHORT = {name.lower(): name for name in _COLUMNS}


def column_of(heading: str) -> str | None:
    """Return the column that a heading means: ``Stock count`` and ``stock_count`` are one."""
    return _BY_SHORT.get(heading.replace(" ", "").replace("_", "").replace("-", "").lower())


def own_csv(table: Table) -> Iterator[Record]:
    """Read our own CSV: a product or a variant in each row, as docs/IMPORT.md has it."""
    at: dict[str, int] = {}
    for index, heading in enumerate(table.header):
        name = column_of(heading)
        if name is not None:
            at.setdefault(name, index)
    body_of = _reader_of(at, len(table.header))
    sku_at, main_at = at["sku"], at.get("variantOf")
    nested = [name for name in NESTED_COLUMNS if name in at]
    plain = _SHIPPING.isdisjoint(at) and not {"type", "value"} & at.keys()
    for line, row, reason in table.rows():
        if row is None:
            yield Record(line, reason=reason)
            continue
        try:
            body = body_of(row)
        except SaidTwice:
            yield Record(line, row[sku_at], reason=TWICE_IN_CELL)
            continue
        if not body:
            continue
        if nested:
            _nest(body, nested)
        sku = row[sku_at]
        if main_at is not None and row[main_at]:
            yield _variant(line, sku, body)
        else:
            yield Record(line, sku, body) if plain else _product(line, sku, body)


def _reader_of(at: dict[str, int], width: int) -> Callable[[list[str]], Attributes]:
    """Write the function that reads the cells of a row: a loop would cost more than all it does.

    What nearly all cells of a column are like is read without a call.
    """
    lines = [
        "def read(row):",
        "    body = {}",
        f"    {''.join(f'c{i}, ' for i in range(width))}= row",
    ]
    known: dict[str, Any] = {"is_one_address": _is_one_address}
    for name, index in at.items():
        convert, cell = _COLUMNS[name], f"c{index}"
        value = cell
        if convert is not None:
            known[f"convert{index}"] = convert
            plain = _PLAINLY.get(convert)
            value = f"convert{index}({cell})"
            value = plain.format(cell, value) if plain else value
        lines.append(f"    if {cell} and not {cell}.isspace(): body[{name!r}] = {value}")
    lines.append("    return body")
    exec("\n".join(lines), known)  # noqa: S102 - of our own names and numbers, and nothing else
    read: Callable[[list[str]], Attributes] = known["read"]
    return read


_is_one_address = re.compile(r"[!-+\--:<-Z\\-{}~][!-+\--:<-{}~]*").fullmatch
_DIGITS = "int({0}) if {0}.isdecimal() and len({0}) < 20 and {0}.isascii() else {1}"
_PLAINLY: dict[Convert, str] = {
    whole_number: _DIGITS,
    _gender: _DIGITS,
    _stock: _DIGITS,
    _gtin: "{0} if {0}.isdecimal() and {0}.isascii() else {1}",
    _text_or_object: "{0} if {0}[0] != '{{' else {1}",
    _images: "[{{'url': {0}}}] if is_one_address({0}) else {1}",
}
"""How the usual cells are read: Python for the cell ``{0}``; ``{1}`` is what reads any cell."""


def _nest(body: Attributes, names: Sequence[str]) -> None:
    for name in names:
        if name in body:
            whole, part, _ = NESTED_COLUMNS[name]
            body.setdefault(whole, {})[part] = body.pop(name)


def _product(line: int, sku: str, body: Attributes) -> Record:
    if not _SHIPPING.isdisjoint(body):
        body["shippingModel"] = {n: body.pop(n) for n in SHIPPING_COLUMNS if n in body}
    if "type" not in body and "value" not in body:
        return Record(line, sku, body)
    # Of variants alone; other systems have their own kinds of product in a column of this name.
    mistaken = [name for name in ("type", "value") if body.pop(name, None) is not None]
    return Record(line, sku, body, notes=tuple(f"{n}: only a variant has one." for n in mistaken))


def _variant(line: int, sku: str, body: Attributes) -> Record:
    main_sku = body.pop("variantOf")
    # Spreadsheets fill columns down: what a variant takes from its main product is no mistake.
    variant = {name: value for name, value in body.items() if name in OF_VARIANTS}
    return Record(line, sku, variant, main_sku, None, body.get("lang"), body.get("country"))


def unknown_columns(header: Sequence[str]) -> list[str]:
    """Return the headings that mean no column of ours."""
    return [heading for heading in header if heading and column_of(heading) is None]


VOLATILE_COLUMNS = ("stockCount", "price", "orgPrice")
_NEWS = frozenset({"sku", *VOLATILE_COLUMNS})


def as_news(records: Iterator[Record]) -> Iterator[Record]:
    """Yield of each record what changes often, as an update of what is stored already."""
    for record in records:
        body = record.body
        if body is None:
            yield record
            continue
        known = {name: body[name] for name in ("currency",) if name in body and "price" in body}
        news = {name: value for name, value in body.items() if name in _NEWS}
        yield Record(
            record.line,
            record.sku,
            news | known,
            lang=record.lang or body.get("lang"),
            country=record.country or body.get("country"),
            notes=record.notes,
            volatile=True,
        )
