"""Counting what must not be guessed: at most so many tries of a kind in a minute.

They are counted in the database, exactly and across all processes. What merely keeps the load down
is counted in memory, see ``jay.web.rates``.
"""

import functools
import hmac
import ipaddress
import re
from datetime import datetime, timedelta

from sqlalchemy import Column, Connection, Index, Integer, Table, Text, case, or_, update

from jay.db.types import UtcDateTime, metadata
from jay.db.upsert import insert_into
from jay.errors import TooManyRequests

WINDOW = timedelta(seconds=60)
LONGEST_WINDOW = timedelta(days=1)

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
    """At most ``most`` tries of a kind in a minute, or another window, by one caller.

    A try is counted before it is known how it ends, so that parallel ones can't slip through;
    one that was right is given back.
    """

    def __init__(self, kind: str, most: int, window: timedelta = WINDOW) -> None:
        self.kind = kind
        self.most = most
        self._window = window

    def take(self, connection: Connection, caller: str, *, secret: str, now: datetime) -> None:
        """Count one try.

        :raises TooManyRequests: the caller has used up the tries of this window.
        """
        if not self.has_room(connection, caller, secret=secret, now=now):
            raise TooManyRequests

    def has_room(self, connection: Connection, caller: str, *, secret: str, now: datetime) -> bool:
        """Count one try; return whether the caller had not used up those of this window."""
        # A moment in the future is one before the clock was set back.
        over = or_(tries.c.since <= now - self._window, tries.c.since > now)
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
        count: int = connection.execute(statement).scalar_one()
        return count <= self.most

    def give_back(self, connection: Connection, caller: str, *, secret: str) -> None:
        """Uncount a try that was right."""
        connection.execute(
            update(tries)
            .where(tries.c.key == self._key(caller, secret), tries.c.count > 0)
            .values(count=tries.c.count - 1)
        )

    def _key(self, caller: str, secret: str) -> str:
        return hmac.digest(secret.encode(), f"{self.kind}\0{caller}".encode(), "sha256").hex()


class AddressLimit:
    """At most so many tries of a kind in a minute from one address, and from its neighbourhood.

    :param most: of an address. A whole /48 of IPv6, which costs no more to have than one address,
        gets ``SITE`` times as many.
    """

    def __init__(self, kind: str, most: int) -> None:
        self._limits = (Limit(kind, most), Limit(f"{kind} of site", most * SITE))

    def counters(self, address: str | None) -> list[tuple[Limit, str]]:
        """Return what counts a try from an address, the narrowest first: locks have one order."""
        return list(zip(self._limits, networks_of(address), strict=False))


SITE = 4
"""How many callers' budgets a /48 of IPv6 has: a company's people, but not 65,536 of one."""

UNREADABLE = "unreadable"
"""The one caller that all addresses stand for that can't be read: they share a budget."""

_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")
_WITH_PORT = re.compile(r"\[(?P<v6>[^\]]*)\](?::\d{1,5})?|(?P<v4>[\d.]+):\d{1,5}")


@functools.lru_cache(1000)
def networks_of(address: str | None) -> tuple[str, ...]:
    """Return whom an address stands for, the narrowest first.

    An IPv4 address is itself. One of IPv6 is its /64, a household, and its /48, which is handed out
    to whoever asks for it (RFC 6177). Balancers write an address with a port, in brackets, in
    quotes (RFC 7239 section 6), or one of IPv4 as IPv6, also as a translator does (RFC 6052): else
    all of IPv4 would be one household.
    """
    text = (address or "").strip(' "')
    told = _WITH_PORT.fullmatch(text)
    if told is not None:
        text = told["v6"] or told["v4"] or ""
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return (UNREADABLE,)
    if isinstance(found, ipaddress.IPv4Address):
        return (str(found),)
    if found.ipv4_mapped is not None:
        return (str(found.ipv4_mapped),)
    if found in _TRANSLATED:
        return (str(ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)),)
    return tuple(str(ipaddress.ip_network((found, size), strict=False)) for size in (64, 48))
