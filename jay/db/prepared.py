"""Statements of the hot path: written in SQLAlchemy Core, compiled once, given to the driver.

Executing a statement through SQLAlchemy costs about 35 us of Python each time, the driver alone 5.
A basket's read and write are a handful of statements that never change, so these are compiled at
first use; types are converted by the same processors. Everything else goes the usual way.
"""

from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, cast

import orjson
from sqlalchemy import (
    ARRAY,
    Boolean,
    ClauseElement,
    ColumnElement,
    Connection,
    Dialect,
    Text,
    TypeDecorator,
    bindparam,
)
from sqlalchemy.exc import NoResultFound
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

from jay.db.outages import leads_nowhere

Processor = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class _Plan:
    """A statement for one dialect."""

    sql: str
    order: tuple[str, ...] | None  # of positional parameters; None where they are named
    defaults: Mapping[str, Any]
    into: tuple[tuple[str, Processor], ...]
    row: Any


class TextsInJson(TypeDecorator[list[str]]):
    """Texts as one parameter, a JSON array: of many, it is written much faster than another."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: list[str] | None, dialect: Dialect) -> Any:
        """Write them as JSON."""
        return orjson.dumps(value).decode()


class _List(TextsInJson):
    """Values of a column as one parameter: an array, or a JSON array where there are none."""

    cache_ok = True

    def __init__(self, of: TypeEngine[Any]) -> None:
        super().__init__()
        self.of = of

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(ARRAY(self.of) if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        if dialect.name == "postgresql":
            return value
        return super().process_bind_param(value, dialect)


class among(ColumnElement[bool]):  # noqa: N801 - reads like a function of SQLAlchemy
    """The condition that a column is one of the texts, or numbers, that a parameter lists.

    It takes the place of ``in_()``, whose SQL differs with the number of texts.
    """

    inherit_cache = False

    def __init__(self, column: ColumnElement[str] | ColumnElement[int], name: str) -> None:
        self.type = Boolean()
        self.column = column
        self.listed = bindparam(name, type_=_List(column.type))

    def self_group(self, against: Any = None) -> "among":
        """Stand as it is: SQLAlchemy would compare it with 1, and SQLite then uses no index."""
        return self


@compiles(among, "postgresql")
def _among_on_postgresql(element: among, compiler: SQLCompiler, **kwargs: Any) -> str:
    column, listed = (compiler.process(part, **kwargs) for part in (element.column, element.listed))
    return f"{column} = ANY ({listed})"


@compiles(among, "sqlite")
def _among_on_sqlite(element: among, compiler: SQLCompiler, **kwargs: Any) -> str:
    column, listed = (compiler.process(part, **kwargs) for part in (element.column, element.listed))
    return f"{column} IN (SELECT value FROM json_each({listed}))"  # noqa: S608 - no text of others


class Prepared:
    """A statement that is compiled once for each dialect.

    :param statement: with ``bindparam()`` for everything that changes; ``among()`` for lists.
    :param row: a named tuple for its columns, in their order; one is made up where none is given.
    :param columns: those that an INSERT or an UPDATE sets, each to the parameter of its name.
    """

    def __init__(
        self, statement: ClauseElement, row: Any = None, *, columns: Sequence[str] | None = None
    ) -> None:
        self._statement = statement
        self._row = row
        self._columns = columns
        self._plans: dict[str, _Plan] = {}
        self._out: dict[str, list[tuple[int, Processor]]] = {}

    def one_or_none(self, connection: Connection, parameters: Mapping[str, Any]) -> Any:
        """Execute it and return its only row, with the columns as attributes."""
        plan = self._plan(connection.dialect)
        cursor = self._execute(connection, plan, parameters)
        values = cursor.fetchone()
        if values is None:
            return None
        return plan.row(*_converted(values, self._processors(connection.dialect, cursor)))

    def one(self, connection: Connection, parameters: Mapping[str, Any]) -> Any:
        """Do the same where there must be one.

        :raises NoResultFound: there is none.
        """
        row = self.one_or_none(connection, parameters)
        if row is None:
            raise NoResultFound
        return row

    def all(self, connection: Connection, parameters: Mapping[str, Any]) -> list[Any]:
        """Execute it and return its rows, with the columns as attributes."""
        plan = self._plan(connection.dialect)
        cursor = self._execute(connection, plan, parameters)
        rows = cursor.fetchall()
        out = self._processors(connection.dialect, cursor)
        if out:
            rows = [_converted(values, out) for values in rows]
        return list(map(plan.row._make, rows))

    def many(
        self, connection: Connection, rows: Iterable[Mapping[str, Any]], common: Mapping[str, Any]
    ) -> int:
        """Execute it once for each row and return how many rows that has changed in all.

        :param common: the parameters that are the same for all rows, or for those that don't say
            otherwise; they are converted once, and what a row says instead is not.
        """
        plan = self._plan(connection.dialect)
        into = dict(plan.into)
        shared = {**plan.defaults, **common}
        for name in common:
            if name in into:
                shared[name] = into.pop(name)(shared[name])
        processed = list(into.items())
        given: list[Any] = []
        for row in rows:
            values = {**shared, **row}
            for name, process in processed:
                values[name] = process(values[name])
            given.append(values)
        if plan.order is not None:
            in_order = itemgetter(*plan.order)
            # Of one name, it gives no tuple.
            given = [in_order(v) if len(plan.order) > 1 else (in_order(v),) for v in given]
        return int(execute(connection, plan.sql, given, many=True).rowcount)

    def many_alike(
        self, connection: Connection, rows: list[dict[str, Any]], common: Mapping[str, Any]
    ) -> int:
        """Do the same where rows have the same names and nothing is to be kept of them.

        :param rows: the converted values are written into them.
        :param common: the parameters that are the same for all rows, and in none of them.
        """
        plan = self._plan(connection.dialect)
        shared = dict(common)
        for name, process in plan.into:
            if name in shared:
                shared[name] = process(shared[name])
            else:
                for row in rows:
                    row[name] = process(row[name])
        for row in rows:
            row.update(shared)
        given: Any = rows if plan.order is None else map(itemgetter(*plan.order), rows)
        return int(execute(connection, plan.sql, given, many=True).rowcount)

    def rowcount(self, connection: Connection, parameters: Mapping[str, Any]) -> int:
        """Execute it and return how many rows it has changed."""
        plan = self._plan(connection.dialect)
        return int(self._execute(connection, plan, parameters).rowcount)

    def _processors(self, dialect: Dialect, cursor: Any) -> list[tuple[int, Processor]]:
        out = self._out.get(dialect.name)
        if out is None:
            # What is to be converted may depend on the column types that the server tells.
            out = _processors(self._statement, dialect, cursor.description)
            self._out[dialect.name] = out
        return out

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
            plan = self._plans[dialect.name] = _compile(
                self._statement, dialect, self._row, self._columns
            )
        return plan


def execute(connection: Connection, sql: str, parameters: Any = (), *, many: bool = False) -> Any:
    """Give a statement to the driver and return its cursor, good until the next statement.

    A connection that broke on it is taken out of the pool.

    :param many: execute it once for each of the ``parameters``.
    """
    driver: Any = connection.connection.driver_connection
    try:
        if not many:
            return getattr(driver, "single", driver).execute(sql, parameters)
        cursor = driver.cursor()
        cursor.executemany(sql, parameters)
        return cursor
    except Exception as error:
        vars(error)["statement"] = sql  # as SQLAlchemy's own errors have it
        dialect = connection.dialect
        if leads_nowhere(error) or (
            isinstance(error, dialect.loaded_dbapi.Error)
            and dialect.is_disconnect(error, driver, None)
        ):
            connection.invalidate(error)
        raise


def _compile(
    statement: ClauseElement, dialect: Dialect, row: Any, columns: Sequence[str] | None
) -> _Plan:
    compiled = cast("SQLCompiler", statement.compile(dialect=dialect, column_keys=columns))
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
        row=row or namedtuple("Row", names),
    )


def _converted(values: Iterable[Any], out: Iterable[tuple[int, Processor]]) -> list[Any]:
    converted = list(values)
    for index, process in out:
        if converted[index] is not None:
            converted[index] = process(converted[index])
    return converted


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
    for columns in ("selected_columns", "exported_columns"):  # of a SELECT, of a RETURNING
        if hasattr(statement, columns):
            return list(getattr(statement, columns))
    return []
