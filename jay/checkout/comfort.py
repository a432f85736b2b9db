"""Comfort settings: who a user is at the shop, and how the user pays, to skip data entry.

For users whose token the partner has signed, never for guests. The values can be set and removed,
and read by nobody but the checkout: the API only tells which are set. They are stored sealed.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, Integer, Table, Text, select

from jay.auth.models import User
from jay.db.types import UtcDateTime, metadata
from jay.db.upsert import insert_into
from jay.errors import GuestNotAllowed
from jay.sealing import Seal

comfort_settings = Table(
    "comfort_settings",
    metadata,
    Column("routing_key", Integer, primary_key=True, autoincrement=False),
    Column("partner_id", Integer, primary_key=True),
    Column("user_id", Text, primary_key=True),
    Column("customer_id", Text),
    Column("payment_token", Text),
    Column("changed", UtcDateTime, nullable=False),
)

FIELDS = ("customer_id", "payment_token")


def change(
    connection: Connection,
    user: User,
    changes: Mapping[str, str | None],
    *,
    secret: str,
    now: datetime,
) -> dict[str, bool]:
    """Set those settings that are given, remove those that are None.

    :returns: by field, whether it is set now.
    :raises GuestNotAllowed: the user is a guest.
    """
    if user.guest:
        raise GuestNotAllowed
    seal = seal_of(user.partner_id, user.user_id, secret)
    values: dict[str, Any] = {
        name: None if value is None else seal.close(value.encode())
        for name, value in changes.items()
        if name in FIELDS
    }
    key = {
        "routing_key": user.routing_key,
        "partner_id": user.partner_id,
        "user_id": user.user_id,
    }
    values["changed"] = now
    connection.execute(
        insert_into(connection, comfort_settings)
        .values(**key, **values)
        .on_conflict_do_update(index_elements=list(key), set_=values)
    )
    row = connection.execute(
        select(comfort_settings).where(
            *(comfort_settings.c[name] == value for name, value in key.items())
        )
    ).one()
    return {name: getattr(row, name) is not None for name in FIELDS}


def seal_of(partner: int, user_id: str, secret: str) -> Seal:
    """Return what seals the settings of a user, and of nobody else."""
    return Seal("comfort", secret, str(partner), user_id)
