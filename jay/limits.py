"""Counting tries: at most so many of a kind in a minute, across all processes."""

import hmac
from datetime import datetime, timedelta

from sqlalchemy import Column, Connection, Integer, Table, Text, case, update
from sqlalchemy.dialects import postgresql, sqlite

from jay.db import UtcDateTime, metadata
from jay.errors import TooManyRequests

WINDOW = timedelta(seconds=60)

tries = Table(
    "tries",
    metadata,
    # A keyed hash: the table does not tell who tried.
    Column("key", Text, primary_key=True),
    Column("since", UtcDateTime, nullable=False),
    Column("count", Integer, nullable=False),
)


class Limit:
    """At most ``most`` tries of a kind in a minute by one caller.

    A try is counted before it is known how it ends, so that parallel ones can't slip through;
    one that was right is given back.
    """

    def __init__(self, kind: str, most: int) -> None:
        self.kind = kind
        self.most = most

    def take(self, connection: Connection, caller: str, *, secret: str, now: datetime) -> None:
        """Count one try.

        :raises TooManyRequests: the caller has used up this minute's tries.
        """
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        over = tries.c.since <= now - WINDOW
        statement = (
            dialect.insert(tries)
            .values(key=self._key(caller, secret), since=now, count=1)
            .on_conflict_do_update(
                index_elements=["key"],
                set_={
                    "since": case((over, now), else_=tries.c.since),
                    "count": case((over, 1), else_=tries.c.count + 1),
                },
            )
            .returning(tries.c.count)
        )
        if connection.execute(statement).scalar_one() > self.most:
            raise TooManyRequests

    def give_back(self, connection: Connection, caller: str, *, secret: str) -> None:
        """Uncount a try that was right."""
        connection.execute(
            update(tries)
            .where(tries.c.key == self._key(caller, secret), tries.c.count > 0)
            .values(count=tries.c.count - 1)
        )

    def _key(self, caller: str, secret: str) -> str:
        return hmac.digest(secret.encode(), f"{self.kind}\0{caller}".encode(), "sha256").hex()
