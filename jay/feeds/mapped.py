"""Tables of other shops, read by a mapping: products, and variants wherever they stand."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from jay.feeds.items import Context, Item, record_of
from jay.feeds.mapping import Mapping as ShopMapping
from jay.feeds.mapping import heading_of
from jay.feeds.readers import Record, split_addresses
from jay.feeds.tables import Table
from jay.feeds.unpacking import UnusableFile
from jay.products.models import normal_sku

MANY = ("image_link", "additional_image_link", "variant_image_link")
MAX_ROWS_OF_ONE = 5_000
"""Rows that follow each other as one product; a shop has not as many variants and pictures."""

MAX_CHILDREN = 1_000_000
"""Variants that stand apart from the row that lists them: these have to be remembered."""

_OFFERED = ("availability", "quantity", "option", "size", "pattern")
_NUMBERED = ("gtin", "mpn")
_PRICED = ("price", "was", "rrp", "sale_price", "sale_from", "sale_until", "currency")


class Child(NamedTuple):
    """A variant as its main product's row lists it: whose it is, and what it differs in.

    ``main`` is empty where the main product is passed over.
    """

    main: str
    options: Sequence[tuple[str, str]]


class Columns:
    """Where a mapping finds its attributes in a table.

    :ivar ignored: the headings that mean nothing to it.
    :ivar absent: the attributes, with the headings of their columns, that the table has not.
    :param news: only stock and prices are read, which need no name.
    :raises UnusableFile: the column with the SKU is missing, or that with the name.
    """

    def __init__(self, mapping: ShopMapping, table: Table, *, news: bool = False) -> None:
        self.mapping = mapping
        self._places: dict[str, int] = {}
        self._used: set[int] = set()
        for at, heading in enumerate(table.header):
            self._places.setdefault(heading_of(heading), at)
        self._attributes = [
            (name, places)
            for name, headings in mapping.columns.items()
            if (places := [at for heading in headings for at in self._find(heading)])
        ]
        self._options = [
            (names[0] if names else None, values[0], pair[0])
            for pair in mapping.options
            for names, values in [(self._find(pair[0]), self._find(pair[1]))]
            if values
        ]
        self._drop = [
            (name, cells) for name, tests in mapping.drop.items() for cells in self._cells(tests)
        ]
        self._skip, self._mains = self._cells(mapping.skip), self._cells(mapping.main_kinds)
        self._skip_alone = self._cells(mapping.skip_alone)
        self._key = [at for heading in mapping.rows_of for at in self._find(heading)][:1]
        self._listed = self._find(mapping.variants_in) if mapping.variants_in else []
        self._pairs = self._find(mapping.pairs_in) if mapping.pairs_in else []
        present = {name for name, _ in self._attributes}
        self.absent = [
            f"{name} ({' or '.join(headings)})"
            for name, headings in mapping.columns.items()
            if name not in present and not self._pairs
        ]
        for needed in ("id",) if mapping.rows_of or news else ("id", "title"):
            if needed not in present and not self._key:
                wanted = " or ".join(mapping.columns.get(needed, [needed]))
                raise UnusableFile(f"{mapping.title}: there is no column {wanted}.")
        self.ignored = [
            heading for at, heading in enumerate(table.header) if heading and at not in self._used
        ]
        seen = Counter(heading_of(heading) for heading in table.header)
        table.check_unique(
            lambda heading: (
                heading_of(heading)
                if seen[heading_of(heading)] > 1 and self._places[heading_of(heading)] in self._used
                else None
            )
        )

    def _find(self, heading: str) -> list[int]:
        if heading.endswith("*"):
            start = heading[:-1]
            found = [at for name, at in self._places.items() if name.startswith(start)]
        else:
            found = [self._places[heading]] if heading in self._places else []
        self._used.update(found)
        return found

    def _cells(self, tests: Mapping[str, Sequence[str]]) -> list[tuple[int, Sequence[str]]]:
        return [(at, cells) for heading, cells in tests.items() for at in self._find(heading)]

    def skipped(self, row: Sequence[str]) -> bool:
        """Tell whether a row is passed over."""
        return any(_is_one(row[at], cells) for at, cells in self._skip)

    def skipped_alone(self, row: Sequence[str]) -> bool:
        """Tell whether a row is passed over unless it is a variant."""
        return any(_is_one(row[at], cells) for at, cells in self._skip_alone)

    def is_main(self, row: Sequence[str]) -> bool:
        """Tell whether a row is a main product that is never sold itself."""
        return any(_is_one(row[at], cells) for at, cells in self._mains)

    def key(self, row: Sequence[str]) -> str:
        """Return what rows of one product have in common; empty where each is its own."""
        return row[self._key[0]].strip() if self._key else ""

    def listed(self, row: Sequence[str]) -> str:
        """Return the list of variants of a main product's row."""
        return row[self._listed[0]] if self._listed else ""

    def item(self, row: Sequence[str]) -> Item:
        """Return the attributes of a row."""
        item = self._given(row)
        for name, (at, unwanted) in self._drop:
            if _is_one(row[at], unwanted):
                item.pop(name, None)
        for name, value in self.mapping.fixed.items():
            item.setdefault(name, [value])
        item["option"] = [
            (row[names].strip() if names is not None else heading, value)
            for names, values, heading in self._options
            if (value := row[values].strip())
        ]
        if price := item.pop("shipping_price", None):
            item["shipping"] = price
        if sku := item.get("id"):
            item["id"] = [_sku(sku[0])]
        return item

    def _given(self, row: Sequence[str]) -> Item:
        """Return the attributes of a row as its cells have them."""
        item: Item = {}
        for name, places in self._attributes:
            cells = [cell for at in places if (cell := row[at].strip())]
            means = self.mapping.values.get(name, {})
            if name in MANY:
                parts = (part for cell in cells for part in split_addresses(cell))
                item[name] = [said for part in parts if (said := means.get(part.lower(), part))]
            elif name == "gtin":
                item[name] = cells  # internal numbers may stand beside the one of the world
            elif cells:
                item[name] = [means.get(cells[0].lower(), cells[0])]
        for at in self._pairs:
            further = _pairs(row[at])
            for name, headings in self.mapping.columns.items():
                if found := [further[one] for one in headings if further.get(one)]:
                    item.setdefault(name, found)
        return item


def _is_one(cell: str, cells: Sequence[str]) -> bool:
    written = cell.strip().lower()
    return written in cells or (bool(written) and "*" in cells)


_NEXT_PAIR = re.compile(r",(?=[\w.-]+=)").split


def _pairs(cell: str) -> dict[str, str]:
    """Return the columns that stand in one cell, with their cells."""
    pairs = (pair.partition("=") for pair in _NEXT_PAIR(cell))
    return {heading_of(name): value.strip() for name, _, value in pairs}


def _sku(cell: str) -> str:
    # Spreadsheets keep a number as it is behind an apostrophe.
    number = cell[:1] == "'" and cell[1:].isdecimal()
    return normal_sku(cell[1:] if number else cell)


def children_of(columns: Columns, table: Table) -> dict[str, Child]:
    """Return the variants that main products' rows list, by SKU: one pass over the table.

    :raises UnusableFile: there are too many to remember.
    """
    children: dict[str, Child] = {}
    for _line, row, _reason in table.rows():
        listed = columns.listed(row) if row is not None and columns.is_main(row) else ""
        if row is None or not listed:
            continue
        # A main product's row may be one of several that repeat it: the first one counts.
        main = "" if columns.skipped(row) else (columns.item(row).get("id") or [""])[0]
        for part in listed.split("|"):
            pairs = [pair.partition("=")[::2] for pair in part.split(",")]
            skus = [normal_sku(value) for name, value in pairs if name.strip() == "sku"]
            options = [(name.strip(), value.strip()) for name, value in pairs]
            for sku in skus:
                if main or sku not in children:
                    children[sku] = Child(main, [one for one in options if one[0] != "sku"])
        if len(children) > MAX_CHILDREN:
            raise UnusableFile(f"There are more than {MAX_CHILDREN:,} variants in one file.")
    return children


@dataclass
class Mapped:
    """The records of a table that is read by a mapping.

    :ivar passed_over: how many rows the mapping skips.
    """

    table: Table
    columns: Columns
    context: Context
    children: Mapping[str, Child] = field(default_factory=dict)
    passed_over: int = 0
    _group: list[tuple[int, Item]] = field(default_factory=list)
    _key: str = ""
    _skipping: bool = False
    _held: tuple[int, Item] | None = None
    _numbers: dict[str, str] = field(default_factory=dict)
    _seen: set[str] = field(default_factory=set)
    _over: set[str] = field(default_factory=set)
    _prices: dict[str, Item] = field(default_factory=dict)

    def records(self) -> Iterator[Record]:
        """Yield the records, once."""
        for line, row, reason in self.table.rows():
            if row is None:
                yield from self._flush()
                yield Record(line, reason=reason)
            elif self.columns.mapping.rows_of:
                yield from self._together(line, row)
            elif self.columns.skipped(row):
                self._pass_over(row)
            else:
                yield from self._one(line, row)
        yield from self._flush()

    def _pass_over(self, row: Sequence[str]) -> None:
        self.passed_over += 1
        if self.columns.is_main(row):
            item = self.columns.item(row)
            sku = self._known(item)
            if sku not in self._seen:
                self._over.add(sku)

    # --- rows that follow each other

    def _together(self, line: int, row: Sequence[str]) -> Iterator[Record]:
        key = self.columns.key(row)
        if key != self._key or not key or len(self._group) >= MAX_ROWS_OF_ONE:
            yield from self._flush()
            self._key = key
            # All rows of a product are passed over with its first one.
            self._skipping = self.columns.skipped(row)
        if self._skipping:
            self.passed_over += 1
        else:
            self._group.append((line, self.columns.item(row)))

    def _flush(self) -> Iterator[Record]:
        if self._held is not None:
            (line, item), self._held = self._held, None
            yield record_of(line, item, self.context)
        group, self._group = self._group, []
        if group:
            yield from self._product(group)

    def _product(self, group: Sequence[tuple[int, Item]]) -> Iterator[Record]:
        line, first = group[0]
        pictures = [one for _, item in group for one in item.get("image_link", [])]
        names = [name for name, _ in first["option"]]
        sold = [(at, item) for at, item in group if "price" in item]
        main = {**first, "image_link": pictures}
        if len(sold) <= 1 and self._is_single(sold[0][1] if sold else first):
            only = sold[0][1] if sold else first
            main |= {name: only[name] for name in (*_PRICED, *_NUMBERED) if sold and name in only}
            main["image_link"] = pictures or only.get("variant_image_link", [])
            yield record_of(line, {**main, "id": first.get("id", [self._key])}, self.context)
            return
        # Its first row is that of a variant, too, which has a number of its own.
        of_variants = (*_OFFERED, *_NUMBERED)
        own = {name: value for name, value in main.items() if name not in of_variants}
        yield record_of(line, {**own, "id": [self._key]}, self.context)
        for at, item in sold:
            options = [
                (name or (names[place] if place < len(names) else ""), value)
                for place, (name, value) in enumerate(item["option"])
            ]
            sku = item.get("id") or ["-".join([self._key, *(value for _, value in options)])]
            own_pictures = item.get("variant_image_link", [])
            variant: Item = {
                **item,
                "id": sku,
                "option": options,
                "parent": [self._key],
                "image_link": own_pictures,  # the others are those of the product
                "additional_image_link": [],
            }
            yield record_of(at, variant, self.context)

    def _is_single(self, item: Item) -> bool:
        values = [value for _, value in item["option"]]
        return not values or values == [self.columns.mapping.single_option]

    # --- rows that name each other

    def _one(self, line: int, row: Sequence[str]) -> Iterator[Record]:
        item = self.columns.item(row)
        sku = self._known(item)
        if self.columns.is_main(row):
            yield from self._flush()
            self._seen.add(sku)
            own = {k: v for k, v in item.items() if k not in (*_OFFERED, "parent")}
            if not _has_price(own):
                own |= self._prices.pop(sku, {})
            self._held = line, own
            return
        child = self.children.get(sku)
        parent = (item.pop("parent", None) or [""])[0]
        main = self._main_of(parent) if child is None else child.main
        if child is not None:
            item["option"] = list(child.options)
        over = main in self._over - self._seen if main else child is not None
        if over or (not main and self.columns.skipped_alone(row)):
            self.passed_over += 1
            return
        if main is None:
            yield from self._flush()
            yield Record(line, sku, reason="Its main product does not come before it.")
            return
        yield from self._variant_of(line, item, main) if main else self._plain(line, item)

    def _known(self, item: Item) -> str:
        """Return the SKU of a row; one that has none is named by its number, as others name it."""
        number = (item.pop("number", None) or [""])[0]
        if number and "id" not in item:
            item["id"] = [f"id:{number}"]
        sku: str = (item.get("id") or [""])[0]
        if number:
            self._numbers[number] = sku
        return sku

    def _main_of(self, parent: str) -> str | None:
        if parent.startswith("id:"):
            return self._numbers.get(parent.removeprefix("id:").strip())
        return _sku(parent)

    def _plain(self, line: int, item: Item) -> Iterator[Record]:
        yield from self._flush()
        item.pop("option")
        yield record_of(line, item, self.context)

    def _variant_of(self, line: int, item: Item, main: str) -> Iterator[Record]:
        # A main product has the price of its first variant, where it has none of its own.
        price = {name: item[name] for name in _PRICED if name in item}
        held = self._held[1] if self._held is not None else {}
        if held.get("id") == [main] and not _has_price(held):
            held.update(price)
        elif main not in self._seen:
            self._prices.setdefault(main, price)
        yield from self._flush()
        where: dict[str, Any] = {"parent" if main in self._seen else "item_group_id": [main]}
        yield record_of(line, {**item, **where}, self.context)


def _has_price(item: Item) -> bool:
    price = (item.get("price") or [""])[0]
    return bool(price.strip("0., "))
