"""Which baskets a browser holds: a list of credentials in its session, one of them open.

A browser that keeps no cookies holds one basket, in the forms of the page that shows it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from flask import request, session
from sqlalchemy import Connection
from sqlalchemy.exc import NoResultFound

from jay.auth.guards import doorkeeper
from jay.auth.models import User
from jay.auth.tokens import was_issued_lately
from jay.errors import Busy, TokenError, TokenKeyUnknown
from jay.partners.models import Partner
from jay.partners.service import partner_by_id
from jay.sealing import hash_secret

MAX_HELD = 4
"""As many credentials as a cookie of 4 KB has room for, with what else the session holds."""

FIELD = "credential"
"""The form field that carries the credential where there is no cookie."""


class NoBasket(Exception):
    """This browser has no basket: nothing was taken over, or the credentials have ended."""


_PARTNER_ID = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True)
class Held:
    """A basket that this browser may open."""

    token: str
    partner: Partner
    user: User

    @property
    def key(self) -> str:
        """What names it in forms; it says nothing about the credential."""
        return _key(self.token)


def opened(connection: Connection, now: datetime) -> Held:
    """Return the basket that is open on this browser.

    :raises NoBasket: none is.
    :raises Busy: the key that it was signed with can't be read at the moment.
    """
    if "token" in session:
        token, partner_id = session["token"], session.get("partner", "")
    else:
        partner_id, _, token = request.form.get(FIELD, "").partition(".")
    try:
        return _verified(connection, token, partner_id, now)
    except TokenError as error:
        raise ended(error) from error


def ended(error: TokenError) -> Exception:
    """Return what a refused credential means: mostly its end, for a while that a key is missing."""
    return Busy() if isinstance(error, TokenKeyUnknown) else NoBasket()


def others(connection: Connection, now: datetime) -> Iterator[Held]:
    """Yield the baskets that this browser holds besides the open one, the last opened first."""
    for token, partner_id in session.get("others", ()):
        try:
            yield _verified(connection, token, partner_id, now)
        except (TokenError, NoBasket):
            continue  # its time is over


def is_full() -> bool:
    """Tell whether this browser holds as many baskets as it can."""
    return len(_entries()) >= MAX_HELD


def without_cookies() -> bool:
    """Tell whether this request's credential came with a form."""
    return "token" not in session and FIELD in request.form


def field_of(token: str, partner: Partner) -> str:
    """Write a credential for the forms of a page."""
    return f"{partner.id}.{token}"


def take(connection: Connection, token: str, user: User, now: datetime) -> None:
    """Open a basket that this browser has just taken over; the one before stays in the list."""
    rest = [
        entry for entry in _entries() if _is_another(connection, entry, user.basket_of_partner, now)
    ]
    _store([(token, user.partner_id), *rest])


def _is_another(
    connection: Connection, entry: tuple[str, int], basket: tuple[int, str | None], now: datetime
) -> bool:
    """Tell whether an entry of the list may still open another basket than this one."""
    try:
        return _verified(connection, *entry, now).user.basket_of_partner != basket
    except TokenKeyUnknown:
        return True  # it can't be told at the moment
    except (TokenError, NoBasket):
        return False


def switch(key: str) -> bool:
    """Open another basket of the list; return whether it is in there."""
    chosen, rest = _split(key)
    _store([*chosen, *rest])
    return bool(chosen)


def let_go(key: str) -> str | None:
    """Take a basket out of the list; return its credential, with which it can be put back."""
    gone, rest = _split(key)
    _store(rest)
    return _written(gone)


def put_back(connection: Connection, sent: str, now: datetime) -> str | None:
    """Put a basket into the list again that was taken out of it, if it still opens.

    :returns: where the list has filled up meanwhile, the credential of the one that goes for it.
    """
    partner_id, _, token = sent.partition(".")
    entries = _entries()
    try:
        held = _verified(connection, token, partner_id, now)
    except (TokenError, NoBasket):
        return None
    if held.key in {_key(known) for known, _partner in entries}:
        return None
    gone = entries[MAX_HELD - 1 :]
    _store([*entries[: MAX_HELD - 1], (held.token, held.partner.id)])
    return _written(gone)


def drop_opened() -> bool:
    """Forget the open basket, which has ended; return whether there was one."""
    entries = _entries()
    had = "token" in session
    _store(entries[1:] if had else entries)
    return had


def _entries() -> list[tuple[str, int]]:
    first = [(session["token"], session["partner"])] if "token" in session else []
    return [*first, *((token, partner) for token, partner in session.get("others", ()))]


def _store(entries: list[tuple[str, int]]) -> None:
    for name in ("token", "partner", "others"):
        session.pop(name, None)
    if entries:
        session["token"], session["partner"] = entries[0]
    if entries[1:]:
        session["others"] = [list(entry) for entry in entries[1:MAX_HELD]]
    session.permanent = True


def _split(key: str) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
    """Return the entry with this key, if there is one, and all others."""
    entries = _entries()
    return (
        [entry for entry in entries if _key(entry[0]) == key],
        [entry for entry in entries if _key(entry[0]) != key],
    )


def _verified(connection: Connection, token: str, partner_id: str | int, now: datetime) -> Held:
    if not _PARTNER_ID.fullmatch(str(partner_id)):
        raise NoBasket
    try:
        partner = partner_by_id(connection, int(partner_id))
    except NoResultFound as error:  # the form was written by somebody else
        raise NoBasket from error
    if partner.removed is not None:
        raise NoBasket
    try:
        return Held(token, partner, doorkeeper().tokens.verify(token, partner, now=now))
    except TokenKeyUnknown as error:
        if was_issued_lately(token, now):
            raise
        raise NoBasket from error  # its key was revoked, or is too old to be kept


def _written(entries: list[tuple[str, int]]) -> str | None:
    return f"{entries[0][1]}.{entries[0][0]}" if entries else None


def _key(token: str) -> str:
    return hash_secret(token)[:12]
