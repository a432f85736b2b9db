"""Copies of a database that is in use, and what is in a copy.

A running SQLite database is three files, of which a copy of one loses everything recent: its own
backup reads one moment of all of them. PostgreSQL's is ``pg_dump``, which keeps to one moment, too.
"""

import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import psycopg.conninfo
from sqlalchemy.engine import URL

SQLITE, POSTGRESQL = "SQLite", "PostgreSQL"
_MAGIC = {b"SQLite format 3\0": SQLITE, b"PGDMP": POSTGRESQL}
_DEBIAN = Path("/usr/lib/postgresql")
_COPY = re.compile(rb"COPY (?:\w+\.)?\"?(\w+)\"? \(.*\) FROM stdin;")
_REVISIONS = "alembic_version"


class BackupError(Exception):
    """It can't be done; the message is a sentence that says why."""


@dataclass
class Content:
    """What is in a backup: its schema's revision, and how many rows each table has."""

    kind: str
    revision: str | None = None
    rows: dict[str, int] = field(default_factory=dict)


def backup(url: URL, file: Path) -> None:
    """Write a database into a file that only its owner can read, while others go on writing.

    Everything that was committed when it begins is in it.

    :raises BackupError: there is such a file already, or the database can't be read.
    """
    with _new_file(file) as draft:
        if url.get_backend_name() == "sqlite":
            _copy_sqlite(Path(url.database or ""), draft)
            _make_one_file(draft)
        else:
            _run("pg_dump", url, "--format=custom", "--no-owner", "--no-acl", f"--file={draft}")


def restore(url: URL, file: Path) -> None:
    """Put a backup in the place of whatever a database holds: all of it, or nothing.

    :raises BackupError: it can't be read or written, or is of another kind of database.
    """
    sqlite, kind = url.get_backend_name() == "sqlite", _kind(file)
    if sqlite != (kind == SQLITE):
        raise BackupError(f"{file} is a backup of {kind}, and JAY_DATABASE_URL names another kind.")
    if sqlite:
        target = Path(url.database or "")
        target.touch(mode=0o600)
        _copy_sqlite(file, target)
    else:
        options = ("--clean", "--if-exists", "--no-owner", "--no-acl", "--single-transaction")
        _run("pg_restore", url, *options, "--exit-on-error", str(file))
        # What it knows of its tables is in no backup: without, it would read more than it needs.
        statements = ("--command=SET statement_timeout = 0", "--command=ANALYZE")
        _run("psql", url, "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", *statements)


def look_into(file: Path) -> Content:
    """Read all of a backup.

    :raises BackupError: it is none, or damaged.
    """
    kind = _kind(file)
    return _in_sqlite(file) if kind == SQLITE else _in_archive(file)


def _kind(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            head = opened.read(16)
    except OSError as error:
        raise BackupError(f"{file} can't be read: {error.strerror}.") from error
    for magic, kind in _MAGIC.items():
        if head.startswith(magic):
            return kind
    raise BackupError(f"{file} is no backup that `db backup` has written.")


@contextmanager
def _new_file(file: Path) -> Iterator[Path]:
    """Give a file under another name, which gets its own only when it is whole."""
    draft = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        try:
            yield draft
            with draft.open("rb+") as written:
                os.fsync(written.fileno())
            # A link, unlike a renaming, fails where the name is taken.
            file.hardlink_to(draft)
        finally:
            draft.unlink(missing_ok=True)
    except FileExistsError as error:
        raise BackupError(f"{file} is there already, and is not overwritten.") from error
    except OSError as error:
        raise BackupError(f"{file} can't be written: {error.strerror}.") from error


def _copy_sqlite(source: Path, target: Path) -> None:
    if not source.exists():
        raise BackupError(f"There is no database at {source}.")
    try:
        with (
            closing(sqlite3.connect(_only_read(source), uri=True, timeout=60)) as old,
            closing(sqlite3.connect(target, timeout=60)) as new,
        ):
            # In one step, so it is one moment, however much is written meanwhile.
            old.backup(new)
    except sqlite3.Error as error:
        raise BackupError(f"{source} could not be copied: {error}.") from error


def _make_one_file(copy: Path) -> None:
    with closing(sqlite3.connect(copy)) as opened:
        opened.execute("PRAGMA journal_mode = DELETE")


def _only_read(path: Path) -> str:
    return f"{path.absolute().as_uri()}?mode=ro"


def _in_sqlite(file: Path) -> Content:
    content = Content(SQLITE)
    try:
        with closing(sqlite3.connect(f"{_only_read(file)}&immutable=1", uri=True)) as opened:
            said = [row[0] for row in opened.execute("PRAGMA integrity_check(1)")]
            said += [str(row) for row in opened.execute("PRAGMA foreign_key_check").fetchmany(1)]
            if said != ["ok"]:
                raise BackupError(f"{file} is damaged: {said[-1]}.")
            names = opened.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            for (name,) in names:
                if not name.startswith("sqlite_"):
                    counted = opened.execute(f'SELECT count(*) FROM "{name}"')  # noqa: S608 - its own names
                    content.rows[name] = counted.fetchone()[0]
            if content.rows.pop(_REVISIONS, 0):
                found = opened.execute(f"SELECT version_num FROM {_REVISIONS}")  # noqa: S608 - ours
                content.revision = found.fetchone()[0]
    except sqlite3.Error as error:
        raise BackupError(f"{file} is damaged: {error}.") from error
    return content


def _in_archive(file: Path) -> Content:
    """Read an archive to its end as the statements that it stands for."""
    content = Content(POSTGRESQL)
    with subprocess.Popen(  # noqa: S603 - a program of PostgreSQL, without a shell
        [_program("pg_restore"), "--file=-", str(file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        if process.stdout is not None:
            _count(process.stdout, content)
        told = process.stderr.read().decode(errors="replace") if process.stderr else ""
    if process.returncode:
        raise BackupError(f"{file} is damaged: {_sentence(told)}")
    return content


def _count(lines: IO[bytes], content: Content) -> None:
    table = None
    for line in lines:
        if table is None:
            begun = _COPY.match(line)
            if begun is not None:
                table = begun[1].decode()
                content.rows[table] = 0
        elif line == b"\\.\n":
            table = None
        elif table == _REVISIONS:
            content.revision = line.decode().strip()
        else:
            content.rows[table] += 1
    content.rows.pop(_REVISIONS, None)


def _run(program: str, url: URL, *options: str) -> None:
    # The password in the environment: arguments can be seen by other people on the machine.
    environ = {**os.environ, **({"PGPASSWORD": str(url.password)} if url.password else {})}
    named = {"host": url.host, "port": url.port, "user": url.username, "dbname": url.database}
    given = {key: str(value) for key, value in named.items() if value is not None}
    more = {key: value for key, value in url.query.items() if isinstance(value, str)}
    target = psycopg.conninfo.make_conninfo(**{**given, **more})
    done = subprocess.run(  # noqa: S603 - a program of PostgreSQL, without a shell
        [_program(program), f"--dbname={target}", *options],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BackupError(f"{program}: {_sentence(done.stderr)}")


def _program(name: str) -> str:
    """Return where a program of PostgreSQL is.

    :raises BackupError: it is not installed.
    """
    versions = sorted(_DEBIAN.glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    found = str(versions[-1]) if versions else shutil.which(name)
    if found is None:
        raise BackupError(
            f"{name} is not installed: it comes with the Debian package postgresql-client."
        )
    return found


def _sentence(told: str) -> str:
    lines = [line for line in told.strip().splitlines() if line.strip()]
    return (
        lines[0].removeprefix("pg_dump: ").removeprefix("pg_restore: ") if lines else "it failed."
    )
