"""Which sizes, colours or other variants a product of the basket can be had in."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection

from jay import web
from jay.baskets.view import Line
from jay.products import service as catalogue


@dataclass(frozen=True)
class Choice:
    """A variant that a line can be changed to, as a list shows it."""

    id: str
    value: str
    sold_out: bool
    chosen: bool


@dataclass(frozen=True)
class Choices:
    """What a line can be changed to; ``kind`` is the merchant's word, such as ``size``."""

    kind: str
    options: list[Choice]
    open: bool
    """Whether none was chosen yet: the product was put in without one."""


def choices(connection: Connection, lines: Iterable[Line]) -> dict[str, Choices]:
    """Return what lines can be changed to, by their product's id; with one query."""
    known = [line for line in lines if line.main_id]
    mains = dict.fromkeys(line.main_id for line in known)
    variants = catalogue.choices_of(connection, mains, now=web.now())
    found: dict[str, Choices] = {}
    for line in known:
        options = [
            Choice(
                each.id,
                each.variant_value or "",
                sold_out=each.stock_count is not None and each.stock_count <= 0,
                chosen=each.id == line.id,
            )
            for each in variants[line.main_id]
        ]
        undecided = not any(option.chosen for option in options)
        if len(options) > 1 or (options and undecided):
            kind = next((v.variant_type for v in variants[line.main_id] if v.variant_type), "")
            found[line.id] = Choices(kind or "", options, undecided)
    return found
