"""Comfort settings: who a user is at the shop, and how the user pays, to skip data entry.

For users whose token the partner has signed, never for guests. The values can be set and removed,
and read by nobody but the checkout: the API only tells which are set. They are stored sealed. What
is stored is used with the user's consent alone, of which time and text are kept, and goes with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Integer,
    Table,
    Text,
    case,
    or_,
    select,
    text,
    update,
)

from jay.auth.models import User
from jay.checkout.pins import MAX_TRIES, WAIT
from jay.db.types import UtcDateTime, metadata
from jay.db.upsert import insert_into
from jay.errors import GuestNotAllowed, PaymentNotStored, PinLocked
from jay.sealing import Seal, WrongKey

comfort_settings = Table(
    "comfort_settings",
    metadata,
    Column("routing_key", Integer, primary_key=True, autoincrement=False),
    Column("partner_id", Integer, primary_key=True),
    Column("user_id", Text, primary_key=True),
    Column("customer_id", Text),
    Column("payment_token", Text),
    # To which text the user has consented, and when.
    Column("consent_version", Text),
    Column("consent_at", UtcDateTime),
    Column("pin_hash", Text),
    # Since the last right one, and when the last was.
    Column("pin_tries", Integer, nullable=False, server_default=text("0")),
    Column("pin_tried", UtcDateTime),
    Column("changed", UtcDateTime, nullable=False),
)
_row = comfort_settings.c

FIELDS = ("customer_id", "payment_token", "pin_hash")
"""What is stored sealed."""

TOLD = ("customer_id", "payment_token", "consent", "pin")


@dataclass(frozen=True)
class Wallet:
    """With what a user pays by one call. ``pin_hash``: None where no PIN is asked for."""

    customer: str = field(repr=False)
    token: str = field(repr=False)
    pin_hash: str | None = field(repr=False)


def change(
    connection: Connection,
    user: User,
    changes: Mapping[str, Any],
    *,
    secret: str,
    now: datetime,
) -> dict[str, bool]:
    """Set those settings that are given, remove those that are None.

    :param changes: of ``FIELDS``, and ``consent``: the version of the text, which holds from now
        on; without it what was stored on its ground goes, too. Where a PIN is set, another one or
        none takes the payment token away that it has guarded: who does not know the PIN pays with
        nothing.
    :returns: by ``TOLD``, whether it is set now.
    :raises GuestNotAllowed: the user is a guest.
    """
    if user.guest:
        raise GuestNotAllowed
    seal = seal_of(user.partner_id, user.user_id, secret)
    wanted = dict(changes)
    values: dict[str, Any] = {"changed": now}
    if "consent" in wanted:
        version = wanted.pop("consent")
        values |= {"consent_version": version, "consent_at": now if version else None}
        if version is None:
            wanted = {"customer_id": None, "payment_token": None, **wanted}
    if "pin_hash" in wanted:
        values["pin_tries"] = 0
    values |= {
        name: None if value is None else seal.close(value.encode())
        for name, value in wanted.items()
        if name in FIELDS
    }
    key = _key_of(user)
    changed = dict(values)
    if "pin_hash" in wanted and "payment_token" not in wanted:
        changed["payment_token"] = case(
            (_row.pin_hash.is_not(None), None), else_=_row.payment_token
        )
    connection.execute(
        insert_into(connection, comfort_settings)
        .values(**key, **values)
        .on_conflict_do_update(index_elements=list(key), set_=changed)
    )
    row = connection.execute(select(comfort_settings).where(*_of(user))).one()
    columns = (row.customer_id, row.payment_token, row.consent_version, row.pin_hash)
    return {name: column is not None for name, column in zip(TOLD, columns, strict=True)}


def wallet_of(connection: Connection, user: User, *, secret: str) -> Wallet:
    """Return with what a user pays by one call.

    :raises GuestNotAllowed: the user is a guest.
    :raises PaymentNotStored: customer, token or consent is missing.
    """
    if user.guest:
        raise GuestNotAllowed
    row = connection.execute(select(comfort_settings).where(*_of(user))).one_or_none()
    if row is None or not (row.customer_id and row.payment_token and row.consent_version):
        raise PaymentNotStored
    seal = seal_of(user.partner_id, user.user_id, secret)
    try:
        return Wallet(
            seal.open(row.customer_id).decode(),
            seal.open(row.payment_token).decode(),
            row.pin_hash and seal.open(row.pin_hash).decode(),
        )
    except WrongKey as error:
        raise PaymentNotStored from error


def count_try(connection: Connection, user: User, *, now: datetime) -> None:
    """Count a try of the PIN, before it is known how it ends: parallel ones don't slip through.

    :raises PinLocked: there were too many lately.
    """
    # Of tries at once the later one may be counted first. Far in the future it was before the clock
    # was set back.
    over = or_(_row.pin_tried.is_(None), _row.pin_tried <= now - WAIT, _row.pin_tried > now + WAIT)
    counted = (
        update(comfort_settings)
        .where(*_of(user), or_(over, _row.pin_tries < MAX_TRIES))
        .values(pin_tries=case((over, 1), else_=_row.pin_tries + 1), pin_tried=now)
        .returning(_row.pin_tries)
    )
    if connection.execute(counted).one_or_none() is None:
        raise PinLocked


def forget_tries(connection: Connection, user: User) -> None:
    """Count anew: the PIN was right."""
    connection.execute(update(comfort_settings).where(*_of(user)).values(pin_tries=0))


def seal_of(partner: int, user_id: str, secret: str) -> Seal:
    """Return what seals the settings of a user, and of nobody else."""
    return Seal("comfort", secret, str(partner), user_id)


def _key_of(user: User) -> dict[str, Any]:
    return {
        "routing_key": user.routing_key,
        "partner_id": user.partner_id,
        "user_id": user.user_id,
    }


def _of(user: User) -> tuple[ColumnElement[bool], ...]:
    return tuple(comfort_settings.c[name] == value for name, value in _key_of(user).items())
