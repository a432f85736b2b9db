"""How far an import is, written in the transaction of what it has written."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from jay.db import turns
from jay.feeds.models import product_imports
from jay.merchants.models import Merchant
from jay.products.bulk import lock_merchant
from jay.products.feeding import count_as_now
from jay.products.models import CLOCKS_DIFFER, microseconds, moment_of, products


class TakenOver(Exception):
    """Another process has taken this import over: it goes on there."""


@dataclass(frozen=True)
class Import:
    """How far an import is: rows read, what has become of them, and the lengths of the reports.

    ``notes`` counts what was left out of products that were stored.
    """

    id: int
    as_of: int
    run: str
    begun: datetime
    records: int = 0
    line: int = 0
    added: int = 0
    updated: int = 0
    refused: int = 0
    report_bytes: int = 0
    notes: int = 0
    notes_bytes: int = 0

    def so_far(self) -> str:
        """Say what of the file is stored."""
        if not self.records:
            return "Nothing was stored."
        return f"The lines up to {self.line:,} are done."


PROGRESS = (
    *("records", "line", "added", "updated", "refused", "report_bytes", "notes", "notes_bytes"),
)


def begin(
    connection: Connection,
    merchant: Merchant,
    *,
    fingerprint: str,
    file: str,
    as_of: int,
    now: datetime,
    restart: bool = False,
) -> tuple[Import, bool]:
    """Take up an import that has not come to its end, or begin one.

    :param as_of: when what is in the file was observed, in microseconds since 1970 UTC; one that
        is taken up keeps its own.
    :returns: the import, and whether an unfinished one of another content of that file is given up.
    """
    lock_merchant(connection, merchant)  # of two that begin at once, one waits here
    mine = product_imports.c.merchant_id == merchant.id
    same = product_imports.c.fingerprint == fingerprint
    open_ = product_imports.c.finished.is_(None)
    run = secrets.token_hex(8)
    row = connection.execute(select(product_imports).where(mine, same, open_)).one_or_none()
    if row is not None and not restart:
        connection.execute(
            update(product_imports).where(product_imports.c.id == row.id).values(run=run)
        )
        progress = {name: getattr(row, name) for name in PROGRESS}
        return Import(row.id, row.as_of, run, row.begun, **progress), False
    connection.execute(delete(product_imports).where(mine, same))
    given_up = connection.execute(
        delete(product_imports).where(mine, open_, product_imports.c.file == file)
    ).rowcount
    # What an import has seen is told from what an earlier one has seen by its time alone.
    # News of this very moment is newer than what a wrong clock has written.
    just_now = now - moment_of(as_of) <= CLOCKS_DIFFER
    count_as_now(
        connection,
        products.c.merchant_id == merchant.id,
        stamp=as_of - 1 if just_now else microseconds(now),
    )
    stamps = select(product_imports.c.as_of).where(mine, product_imports.c.as_of >= as_of)
    taken = set(connection.execute(stamps).scalars())
    while as_of in taken:
        as_of += 1
    values = dict.fromkeys(PROGRESS, 0) | {"as_of": as_of, "run": run, "begun": now}
    identity = {"merchant_id": merchant.id, "fingerprint": fingerprint, "file": file}
    identifier = connection.execute(
        insert(product_imports).values(**identity, **values).returning(product_imports.c.id)
    ).scalar_one()
    return Import(identifier, as_of, run, now), given_up > 0


def keep(connection: Connection, import_: Import, **values: Any) -> None:
    """Keep how far an import is.

    :raises TakenOver: another process goes on with it.
    """
    mine = (product_imports.c.id == import_.id, product_imports.c.run == import_.run)
    turns.take(connection)
    if connection.execute(update(product_imports).where(*mine).values(**values)).rowcount != 1:
        raise TakenOver
