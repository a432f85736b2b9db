"""The house group of commands: what goes wrong outside of a command is said without a traceback."""

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import click
from flask.cli import AppGroup

from jay.config import ConfigError
from jay.db.causes import cause_of
from jay.db.database import driver_error
from jay.db.outages import DATABASE_ERRORS
from jay.errors import Busy, JayError
from jay.web.names import NAME_PATTERN

A_LANGUAGE = "ISO 639 language code, such as de"
A_COUNTRY = "ISO 3166 country code, such as DE"
MOST_TEXT = 300
"""Letters in an option's text."""


@contextmanager
def without_traceback() -> Iterator[None]:
    """Say in one sentence what goes wrong outside of a command.

    :raises click.ClickException: the database can't be reached, or has an older schema.
    """
    try:
        yield
    except JayError as error:
        raise click.ClickException(with_cause(error)) from error
    except ConfigError as error:
        raise click.ClickException(str(error)) from error
    except DATABASE_ERRORS as error:
        if not _lacks_a_table_or_column(error):
            raise
        raise click.ClickException(
            "The database is older than this program; run: flask --app app db upgrade"
        ) from error


def with_cause(error: JayError) -> str:
    """Return what an error says, and why the database can't be used where it is that."""
    cause = cause_of(error.__cause__) if isinstance(error, Busy) else None
    return f"{error.message} The cause: {cause}." if cause else error.message


class Commands(AppGroup):
    """Commands about one subject, such as ``flask partner``."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command.

        :raises click.ClickException: as ``without_traceback``.
        """
        with without_traceback():
            return super().invoke(ctx)


class Command(click.Command):
    """A command that stands alone, such as ``flask worker``."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command.

        :raises click.ClickException: as ``without_traceback``.
        """
        with without_traceback():
            return super().invoke(ctx)


def name_of(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    """Take a name of a partner, merchant or operator."""
    if not NAME_PATTERN.fullmatch(value):
        raise click.BadParameter(
            "use 1 to 40 lower case letters, digits and hyphens; it appears in addresses"
        )
    return value


def some_text(
    _context: click.Context, _parameter: click.Parameter, value: str | None
) -> str | None:
    """Take a text of one line that says something."""
    text = value and value.strip()
    if value is not None and not text:
        raise click.BadParameter("must not be empty")
    if text and (len(text) > MOST_TEXT or not text.isprintable()):
        raise click.BadParameter(f"is one line of at most {MOST_TEXT} characters")
    return text


def told_rows(rows: Mapping[str, str | Sequence[str] | None]) -> None:
    """Print what there is to say, each with its name; several lines for several things."""
    width = max(map(len, rows)) + 2
    for name, value in rows.items():
        lines = [value] if isinstance(value, str) else value or ["-"]
        for number, line in enumerate(lines):
            click.echo(f"{'' if number else name:<{width}}{line}")


def known(values: Container[str], what: str) -> Callable[..., str | None]:
    """Let an option take one of these values, or be left out."""

    def check(
        _context: click.Context, _parameter: click.Parameter, value: str | None
    ) -> str | None:
        if value is not None and value not in values:
            raise click.BadParameter(f"is no {what}")
        return value

    return check


def _lacks_a_table_or_column(error: BaseException) -> bool:
    # SQLSTATE undefined_table and undefined_column; SQLite says it in words alone.
    told = driver_error(error)
    sqlstate = getattr(told, "sqlstate", None)
    text = str(told)
    return sqlstate in {"42P01", "42703"} or any(
        words in text for words in ("no such table", "no such column", "has no column named")
    )
