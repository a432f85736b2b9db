"""Whether the database has the schema that this program was written for."""

from functools import cache

from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from jay.db.database import Database
from jay.ops.cli import alembic_config

OUTDATED = "the database is older than this program; run: flask --app app db upgrade"


@cache
def _known() -> tuple[str, ...]:
    """Return all revisions that this program knows, the newest first."""
    scripts = ScriptDirectory.from_config(alembic_config(""))
    return tuple(script.revision for script in scripts.walk_revisions())


def is_known(revision: str | None) -> bool:
    """Tell whether this program knows a schema: its own, or an older one that it can upgrade."""
    return revision in _known()


def is_outdated(database: Database) -> bool:
    """Tell whether the database has an older schema than this program.

    A newer one is fine: during an update the database comes first, and the old program goes on.

    :raises Busy: the database can't be reached.
    """
    with database.reading() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    return current is None or current in _known()[1:]
