"""Statements of the hot path: written in SQLAlchemy Core, compiled once, given to the driver.

Executing a statement through SQLAlchemy costs about 35 us of Python each time, the driver alone 5.
A basket's read and write are a handful of statements that never change, so these are compiled at
first use; types are converted by the same processors. Everything else goes the usual way.
"""

from collections import namedtuple
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import ClauseElement, Connection, Dialect
from sqlalchemy.sql.compiler import SQLCompiler

Processor = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class _Plan:
    """A statement for one dialect."""

    sql: str
    order: tuple[str, ...] | None  # of positional parameters; None where they are named
    defaults: Mapping[str, Any]
    into: tuple[tuple[str, Processor], ...]
    row: Callable[..., Any]


class Prepared:
    """A statement that is compiled once for each dialect.

    :param statement: with ``bindparam()`` for everything that changes; without expanding lists.
    """

    def __init__(self, statement: ClauseElement) -> None:
        self._statement = statement
        self._plans: dict[str, _Plan] = {}
        self._out: dict[str, list[tuple[int, Processor]]] = {}

    def one_or_none(self, connection: Connection, parameters: Mapping[str, Any]) -> Any:
        """Execute it and return its only row, with the columns as attributes."""
        plan = self._plan(connection.dialect)
        cursor = self._execute(connection, plan, parameters)
        values = cursor.fetchone()
        if values is None:
            return None
        out = self._out.get(connection.dialect.name)
        if out is None:
            # What is to be converted may depend on the column types that the server tells.
            out = _processors(self._statement, connection.dialect, cursor.description)
            self._out[connection.dialect.name] = out
        values = list(values)
        for index, process in out:
            values[index] = process(values[index])
        return plan.row(*values)

    def rowcount(self, connection: Connection, parameters: Mapping[str, Any]) -> int:
        """Execute it and return how many rows it has changed."""
        plan = self._plan(connection.dialect)
        return int(self._execute(connection, plan, parameters).rowcount)

    def _execute(self, connection: Connection, plan: _Plan, parameters: Mapping[str, Any]) -> Any:
        values = {**plan.defaults, **parameters}
        for name, process in plan.into:
            values[name] = process(values[name])
        given: Any = values
        if plan.order is not None:
            given = [values[name] for name in plan.order]
        return execute(connection, plan.sql, given)

    def _plan(self, dialect: Dialect) -> _Plan:
        plan = self._plans.get(dialect.name)
        if plan is None:
            plan = self._plans[dialect.name] = _compile(self._statement, dialect)
        return plan


def execute(connection: Connection, sql: str, parameters: Any = ()) -> Any:
    """Give a statement to the driver and return its cursor.

    A connection that broke on it is taken out of the pool.
    """
    driver: Any = connection.connection.driver_connection
    try:
        return driver.execute(sql, parameters)
    except Exception as error:
        dialect = connection.dialect
        if isinstance(error, dialect.loaded_dbapi.Error) and dialect.is_disconnect(
            error, driver, None
        ):
            connection.invalidate(error)
            # The others of the pool have broken with it, most likely: don't try them one by one.
            connection.engine.dispose(close=False)
        raise


def _compile(statement: ClauseElement, dialect: Dialect) -> _Plan:
    compiled = cast("SQLCompiler", statement.compile(dialect=dialect))
    into = {}  # by name: a parameter may stand in several places
    for parameter, name in compiled.bind_names.items():
        process = parameter.type.dialect_impl(dialect).bind_processor(dialect)
        if process is not None:
            into[name] = process
    names = [column.key for column in _columns(statement)]
    positional = compiled.positiontup
    return _Plan(
        sql=str(compiled),
        order=None if positional is None else tuple(positional),
        defaults=dict(compiled.params),
        into=tuple(into.items()),
        row=namedtuple("Row", names),
    )


def _processors(
    statement: ClauseElement, dialect: Dialect, description: Any
) -> list[tuple[int, Processor]]:
    found = []
    for index, column in enumerate(_columns(statement)):
        type_code = description[index][1]
        process = column.type.dialect_impl(dialect).result_processor(dialect, type_code)
        if process is not None:
            found.append((index, process))
    return found


def _columns(statement: ClauseElement) -> list[Any]:
    return list(getattr(statement, "selected_columns", ()))
