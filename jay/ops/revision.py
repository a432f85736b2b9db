"""Whether the database has the schema that this program was written for."""

from functools import cache
from pathlib import Path

from sqlalchemy import Connection, inspect

from jay.db.database import Database

OUTDATED = "the database is older than this program; run: flask --app app db upgrade"
MIGRATIONS = Path(__file__).parents[2] / "migrations"


@cache
def _known() -> tuple[str, ...]:
    """Return all revisions that this program knows, the newest first.

    Their files are named by them. Alembic would say it, too, but takes a fifth of the time in
    which a process starts, and needs it only to migrate.
    """
    names = (path.name for path in MIGRATIONS.glob("versions/[0-9]*_*.py"))
    return tuple(sorted((name.partition("_")[0] for name in names), reverse=True))


def _current(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.exec_driver_sql(
        "SELECT version_num FROM alembic_version"
    ).scalar()
    return found


def is_known(revision: str | None) -> bool:
    """Tell whether this program knows a schema: its own, or an older one that it can upgrade."""
    return revision in _known()


def is_outdated(database: Database) -> bool:
    """Tell whether the database has an older schema than this program.

    A newer one is fine: during an update the database comes first, and the old program goes on.

    :raises Busy: the database can't be reached.
    """
    with database.reading() as connection:
        current = _current(connection)
    return current is None or current in _known()[1:]
