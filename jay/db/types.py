"""The tables' metadata, and column types that both databases read alike."""

import enum
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import DateTime, Dialect, MetaData
from sqlalchemy.types import TypeDecorator

from jay.clock import in_utc

T = TypeVar("T")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC: ``timestamptz`` on PostgreSQL, sortable text on SQLite."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Accept aware moments only: a naive one would mean something else on each machine."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment must know its time zone")
        return in_utc(value)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the moment in UTC, whatever zone the session of the server is in."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class OpenEnum(enum.StrEnum):
    """The words of a column to which a later version may add some: the column is read all the same.

    While an installation is upgraded, and after a step back, programs meet words that only the
    newer ones write. Such a word reads as it is stored and equals no member, so that whatever goes
    by members does nothing about it.
    """

    @classmethod
    def _missing_(cls, value: object) -> "OpenEnum | None":
        if not isinstance(value, str):
            return None
        unknown = str.__new__(cls, value)
        unknown._name_ = unknown._value_ = value
        return unknown

    @property
    def is_known(self) -> bool:
        """Whether this version has a member of it."""
        return any(self is one for one in type(self))


def read_known(made: Callable[..., T], stored: Mapping[str, Any]) -> T:
    """Make a dataclass of a stored object, without what only a later version says of it."""
    known: Mapping[str, Any] = vars(made)["__dataclass_fields__"]
    if not stored.keys() <= known.keys():
        stored = {name: value for name, value in stored.items() if name in known}
    return made(**stored)
