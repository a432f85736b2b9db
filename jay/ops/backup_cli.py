"""``flask db backup`` and ``flask db restore``."""

from pathlib import Path

import click
from flask.cli import with_appcontext
from sqlalchemy import inspect

from jay import db, web
from jay.config import make_data_dir
from jay.ops import revision
from jay.ops.backup import BackupError, Content, backup, look_into, restore

_FILE = click.Path(dir_okay=False, path_type=Path)
_UNHEARD = {"alembic_version", "readiness", "tries"}
"""Tables whose rows are nobody's data."""


@click.command("backup")
@click.argument("file", type=_FILE)
@with_appcontext
def back_up(file: Path) -> None:
    """Write a copy of the whole database to FILE, while the service goes on.

    All that was answered before it began is in it. Only the owner can read the file, and none is
    overwritten. What is sealed in it opens with the same JAY_SECRET_KEY alone, which is not in it.
    """
    try:
        backup(db.database().url, file)
        content = look_into(file)
    except BackupError as error:
        raise click.ClickException(str(error)) from error
    click.echo(_told(file, content), err=True)
    if web.settings().data_dir.joinpath("secret-key").exists():
        secret = web.settings().data_dir / "secret-key"
        click.echo(f"Keep {secret} as well, in another place: what is sealed needs it.", err=True)


@click.command("restore")
@click.argument("file", type=_FILE)
@click.option("--check", is_flag=True, help="Read all of it, say what is in it, write nothing.")
@click.option("--replace", is_flag=True, help="Whatever the database holds, throw it away.")
@with_appcontext
def put_back(file: Path, *, check: bool, replace: bool) -> None:
    """Put the copy in FILE into the database: all of it, or nothing. Stop the service first.

    A database with data in it is left alone, unless told. It is of the kind that FILE was made of.
    """
    try:
        content = look_into(file)
        click.echo(_told(file, content), err=True)
        if not revision.is_known(content.revision):
            raise BackupError(
                f"Its schema {content.revision or 'has no number and'} is not one that this program"
                " knows: take the program that it was made with, or a newer one."
            )
        if check:
            return
        make_data_dir(web.settings().data_dir)
        if not replace and _has_data():
            raise BackupError("The database has data in it: --replace throws that away.")
        db.database().dispose()
        restore(db.database().url, file)
    except BackupError as error:
        raise click.ClickException(str(error)) from error
    click.echo("Restored. Next: flask --app app db upgrade", err=True)


COMMANDS = (back_up, put_back)


def _told(file: Path, content: Content) -> str:
    filled = [f"{name} {count:,}" for name, count in sorted(content.rows.items()) if count]
    return f"{file} ({content.kind}, schema {content.revision}): {', '.join(filled) or 'no rows'}."


def _has_data() -> bool:
    tables = set(inspect(db.database().engine).get_table_names()) - _UNHEARD
    with db.reading() as connection:
        return any(
            connection.exec_driver_sql(f'SELECT 1 FROM "{table}" LIMIT 1').first()  # noqa: S608 - its own names
            for table in sorted(tables)
        )
