"""Counting: at most so many of a kind in a minute.

``Limit`` counts in the database, exactly and across all processes: for what must not be guessed.
``Rate`` counts in this process's memory, for nothing but the load: it costs no query.
"""

import hashlib
import hmac
import ipaddress
import re
import threading
from datetime import datetime, timedelta

from cachetools import TTLCache
from sqlalchemy import Column, Connection, Index, Integer, Table, Text, case, or_, update

from jay.clock import Clock, timer
from jay.db.types import UtcDateTime, metadata
from jay.db.upsert import insert_into
from jay.errors import TooManyRequests

WINDOW = timedelta(seconds=60)
CALLERS_REMEMBERED = 100_000
LONGEST_CALLER = 64
"""Characters of a caller that are remembered as they are."""

tries = Table(
    "tries",
    metadata,
    # A keyed hash: the table does not tell who tried.
    Column("key", Text, primary_key=True),
    Column("since", UtcDateTime, nullable=False),
    Column("count", Integer, nullable=False),
    Index("ix_tries_since", "since"),
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
        # A moment in the future is one before the clock was set back.
        over = or_(tries.c.since <= now - WINDOW, tries.c.since > now)
        statement = (
            insert_into(connection, tries)
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


class Rate:
    """At most ``most`` requests of a caller in a minute, in each process."""

    def __init__(self, clock: Clock, most: int) -> None:
        self.most = most
        self._lock = threading.Lock()
        self._counts: TTLCache[str, list[int]] = TTLCache(
            CALLERS_REMEMBERED, WINDOW.total_seconds(), timer=timer(clock)
        )

    def ask(self, caller: str) -> None:
        """Ask whether one more request would pass, and count nothing.

        :raises TooManyRequests: the caller has used up this minute's requests.
        """
        with self._lock:
            if self._counts.get(_short(caller), _NOTHING)[0] >= self.most:
                raise TooManyRequests

    def take(self, caller: str) -> None:
        """Count one request. A refused one is not counted: it moves nothing into the future.

        :raises TooManyRequests: the caller has used up this minute's requests.
        """
        caller = _short(caller)
        with self._lock:
            count = self._counts.get(caller)
            if count is None:
                count = self._counts[caller] = [0]
            if count[0] >= self.most:
                raise TooManyRequests
            count[0] += 1

    def forget(self) -> None:
        """Begin anew."""
        with self._lock:
            self._counts.clear()


_NOTHING = [0]


def _short(caller: str) -> str:
    """Return a name to remember a caller by: screens may have any, however long."""
    if len(caller) <= LONGEST_CALLER:
        return caller
    return hashlib.sha256(caller.encode("utf-8", "surrogatepass")).hexdigest()


UNREADABLE = "unreadable"
"""The one caller that all addresses stand for that can't be read: they share a budget."""

_WITH_PORT = re.compile(r"\[(?P<v6>[^\]]*)\](?::\d{1,5})?|(?P<v4>[\d.]+):\d{1,5}")


def network_of(address: str | None) -> str:
    """Return whom an address stands for: itself, or its /64, which in IPv6 is one household.

    Balancers write it with a port, in brackets, or an IPv4 address as IPv6 (RFC 7239 section 6).
    """
    text = (address or "").strip()
    told = _WITH_PORT.fullmatch(text)
    if told is not None:
        text = told["v6"] or told["v4"] or ""
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return UNREADABLE
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, 64), strict=False))
