"""How a feed is to be read, where it does not say so itself: options of several commands."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from jay.feeds.sources import FORMATS
from jay.feeds.tables import DELIMITERS
from jay.feeds.units import UNITS
from jay.i18n import COUNTRIES, LANGUAGES
from jay.net.addresses import origin_of
from jay.web.commands import A_COUNTRY, A_LANGUAGE, known


def _web_address(
    _context: click.Context, _parameter: click.Parameter, value: str | None
) -> str | None:
    if value is not None and origin_of(value) is None:
        raise click.BadParameter("is not an http or https address")
    return value


def _delimiter(
    _context: click.Context, _parameter: click.Parameter, value: str | None
) -> str | None:
    if value is None:
        return None
    sign = DELIMITERS.get(value.lower(), "\t" if value == "\\t" else value)
    if sign not in DELIMITERS.values() and (len(sign) != 1 or sign.isalnum() or sign in '"\r\n\0'):
        raise click.BadParameter("is not a sign that can separate cells")
    return sign


_OPTIONS = (
    click.option(
        "--format",
        type=click.Choice(FORMATS),
        help="What it is, if it is not seen from its content: csv with our own columns, jsonl with"
        " one product of the API on each line, google for a Google Merchant feed, XML or table, or"
        " the export of another system.",
    ),
    click.option(
        "--encoding",
        metavar="NAME",
        help="What it is written in, such as cp1252; default: UTF-8, or what XML says of itself.",
    ),
    click.option(
        "--delimiter",
        callback=_delimiter,
        metavar="SIGN",
        help=f"What separates the cells of a table: a sign, or {', '.join(DELIMITERS)}; default: it"
        " is found.",
    ),
    click.option(
        "--prices",
        type=click.Choice(UNITS),
        help="The unit of the amounts in our own CSV and in JSON Lines: minor, 1999 is 19.99, or"
        " major, 19.99 is; default: minor, unless a row proves the other, which ends the import.",
    ),
    click.option(
        "--mapping",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="What the columns of a table mean, instead of what its headings tell; docs/IMPORT.md"
        " has how it is written.",
    ),
    click.option(
        "--media-url",
        metavar="URL",
        callback=_web_address,
        help="What stands before pictures' addresses that are only paths, as in exports of Magento:"
        " https://shop.example/media/catalog/product",
    ),
    click.option(
        "--volatile",
        is_flag=True,
        help="Read stock and prices alone, of products that are stored already, by the rules of"
        " PATCH /v1/shops/products; a table with no other columns is read so by itself.",
    ),
    click.option(
        "--lang",
        callback=known(LANGUAGES, A_LANGUAGE),
        help="Language of rows that name none; default: the merchant's.",
    ),
    click.option(
        "--country",
        callback=known(COUNTRIES, A_COUNTRY),
        help="Country of rows that name none; default: the merchant's.",
    ),
)


def reading_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Let a command take all of them."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
