"""Use cases of the transfer: offer, look at, claim, renew."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, insert, or_, select, update

from jay.auth.models import User
from jay.baskets import offered
from jay.baskets import service as baskets
from jay.baskets.models import Basket, Grant, new_user_id
from jay.db import turns
from jay.db.prepared import Prepared
from jay.db.routing import of_before, routing_key
from jay.db.turns import is_distributed
from jay.errors import (
    TransferCancelled,
    TransferClaimed,
    TransferExpired,
    TransferUnknown,
    TransferUrlRefused,
)
from jay.events import NOTHING, Event, EventType, Recorded, Tracking
from jay.partners.models import Partner
from jay.partners.service import partner_by_id
from jay.sealing import hash_secret
from jay.transfers.models import (
    CLAIM_WINDOW,
    PARAMETERS,
    PurchaseState,
    Secrets,
    Transfer,
    TransferState,
    has_room_for,
    latest_end,
    read_code,
    routing_key_of,
    transfers,
    typed_token,
)

_ERROR_OF_STATE = {
    TransferState.CLAIMED: TransferClaimed,
    TransferState.CANCELLED: TransferCancelled,
    TransferState.EXPIRED: TransferExpired,
}

_OPEN_NOW = (
    transfers.c.claimed.is_(None)
    & transfers.c.cancelled.is_(None)
    & (transfers.c.expires > bindparam("now", type_=transfers.c.expires.type))
)
"""That nobody has it yet, and that it has not run out."""

_CLAIMABLE = _OPEN_NOW & (
    transfers.c.expires <= bindparam("latest", type_=transfers.c.expires.type)
)
"""The condition of ``Transfer.claimable`` for the database."""

_THIS = (transfers.c.routing_key == bindparam("key_routing_key")) & (
    transfers.c.code_hash == bindparam("key_code_hash")
)

_OPEN = Recorded(
    update(transfers)
    .where(_THIS, transfers.c.opened.is_(None), _CLAIMABLE)
    .values(opened=bindparam("now"))
)

# The one statement that decides. Whoever's update finds no row has lost.
_CLAIM = Recorded(
    update(transfers)
    .where(_THIS, _CLAIMABLE)
    .values(
        claimed=bindparam("now"), claimed_by=bindparam("guest"), claimant_hash=bindparam("proof")
    )
)

# Of one that was claimed alone: its row is nobody's to decide about any more.
_PURCHASE = Prepared(
    update(transfers)
    .where(_THIS, transfers.c.claimed.is_not(None))
    .values(purchase=bindparam("new_purchase"))
)

_OFFERED = (
    *("routing_key", "partner_id", "basket_key", "basket_id", "url", "pair", "kiosk"),
    *("created", "expires", "display_hash", "token_hash", "code_hash"),
)
_OFFER = Recorded(
    insert(transfers).values(
        {name: bindparam(f"new_{name}", type_=transfers.c[name].type) for name in _OFFERED}
    )
)

_COLUMNS = [transfers.c[name] for name in Transfer.__dataclass_fields__ if name != "basket_exists"]

# Every TV asks by it, every second and a half.
_BY_DISPLAY = Prepared(
    select(*_COLUMNS).where(
        transfers.c.routing_key == bindparam("routing_key"),
        transfers.c.display_hash == bindparam("display_hash"),
    )
)
_BY_CODE = Prepared(select(*_COLUMNS).where(_THIS))


@dataclass(frozen=True)
class StartedTransfer:
    """A transfer that was just started, with the secrets that only its starter learns."""

    secrets: Secrets
    url: str | None
    expires: datetime


@dataclass(frozen=True)
class Showing:
    """What a page about a transfer shows."""

    transfer: Transfer
    partner: Partner
    basket: Basket | None

    @property
    def left_behind(self) -> bool:
        """Whether a kiosk's person has gone, and what is shown is nobody else's business.

        The basket was taken along, through whichever of its codes, or the kiosk has forgotten it.
        """
        return self.transfer.kiosk and (self.basket is None or self.basket.claimed)


def start(
    connection: Connection,
    user: User,
    partner: Partner,
    *,
    now: datetime,
    url: str | None = None,
    kiosk: bool = False,
    tracking: Tracking = NOTHING,
) -> StartedTransfer:
    """Offer the user's basket to another device; a pending older offer of it is cancelled.

    :param url: the web shop that finishes the purchase; None for this service's own pages.
    :raises TransferUrlRefused: the URL is not on an origin that the partner has registered.
    """
    if url is not None and not (partner.may_transfer_to(url) and has_room_for(url, *PARAMETERS)):
        raise TransferUrlRefused
    # Opening it for writing makes the row if there is none, and lets starters wait in line.
    basket = baskets.open_for_writing(connection, user, now=now)
    return _offer(connection, basket, now=now, url=url, kiosk=kiosk, tracking=tracking)


def renew(connection: Connection, display_token: str, *, now: datetime) -> StartedTransfer:
    """Offer the same basket anew, as the screen that shows the old offer asks.

    However often it asks: what counts is when the first code was made.

    :raises TransferUnknown: there is no such screen, or it was left alone for too long.
    :raises TransferClaimed: the basket was taken over; who has it decides where else it goes.
    :raises TransferCancelled: the basket is gone.
    """
    old = find_by_display(connection, display_token, now=now)
    if not old.renewable(now):
        raise TransferUnknown
    # Waits for who claims at this very moment, and from here on nobody does.
    basket = offered.basket_by_id(connection, old.basket_key, old.basket_id, now=now)
    if basket is None:
        raise TransferCancelled
    # At a kiosk all codes of a basket are one person's; a partner's TV is its owner's.
    if basket.claimed if old.kiosk else _again(connection, old).claimed is not None:
        raise TransferClaimed
    return _offer(
        connection, basket, now=now, url=old.url, kiosk=old.kiosk, first_start=old.created
    )


def forget(connection: Connection, user: User, *, now: datetime) -> None:
    """Let a kiosk forget a person: nothing of the basket is left, unless a phone has it."""
    # Waits for who claims at this very moment.
    basket = baskets.open_for_writing(connection, user, now=now)
    if not basket.claimed:
        baskets.delete_basket(connection, user, context=baskets.Context(now))
    elif basket.offer is not None:
        cancel(connection, basket.offer, now=now)


def _offer(
    connection: Connection,
    basket: Basket,
    *,
    now: datetime,
    url: str | None,
    kiosk: bool,
    tracking: Tracking = NOTHING,
    first_start: datetime | None = None,
) -> StartedTransfer:
    if basket.untouched:
        basket.touch(now)  # from here on it is a basket with a state of its own
        baskets.save(connection, basket)
    older, drawn = basket.offer, _unused_secrets(connection)
    hashes = drawn.hashes()
    offered.note_offer(connection, basket, hashes["code_hash"])
    if older is not None:
        cancel(connection, older, now=now)
    row: dict[str, Any] = {
        "routing_key": routing_key(hashes["code_hash"]),
        "partner_id": basket.partner_id,
        "basket_key": basket.routing_key,
        "basket_id": basket.id,
        "url": url,
        "pair": drawn.pair,
        "kiosk": kiosk,
        "created": first_start or now,
        "expires": now + CLAIM_WINDOW,
    }
    turns.follow(connection, hashes["code_hash"])
    parameters = {f"new_{name}": value for name, value in (row | hashes).items()}
    event = Event(EventType.TRANSFER_STARTED, now, basket.partner_id, row["routing_key"], tracking)
    _OFFER.execute(connection, parameters, event)
    return StartedTransfer(drawn, url, row["expires"])


@offered.withdraws_offers
def cancel(connection: Connection, code_hash: str, *, now: datetime) -> None:
    """Cancel a transfer if it is still open."""
    # The basket that tells of it may lie elsewhere than its row.
    turns.follow(connection, code_hash)
    connection.execute(
        update(transfers).where(_THIS, _OPEN_NOW).values(cancelled=bindparam("at")),
        {**_key_of(code_hash), "now": now, "at": now},
    )


def note_purchase(connection: Connection, code_hash: str | None, became: PurchaseState) -> None:
    """Let the screen know what becomes of the basket that was taken over from it.

    :param code_hash: the basket's latest transfer; None where it was never offered.
    """
    if code_hash is not None:
        _PURCHASE.rowcount(connection, {**_key_of(code_hash), "new_purchase": became.value})


def _unused_secrets(connection: Connection) -> Secrets:
    # A short code has 39 bits: among the codes of one day, two may be equal once in a long while.
    while True:
        drawn = Secrets.fresh()
        key = _key_of(hash_secret(drawn.user_code))
        if _BY_CODE.one_or_none(connection, key) is None:
            return drawn


def find_by_display(connection: Connection, display_token: str, *, now: datetime) -> Transfer:
    """Return the transfer that a screen shows.

    :raises TransferUnknown: there is none, or the screen was left alone for too long.
    """
    transfer = left_alone(connection, display_token)
    if transfer is None or now >= transfer.shown_until:
        raise TransferUnknown
    return _with_its_basket(connection, transfer, now)


def left_alone(connection: Connection, display_token: str) -> Transfer | None:
    """Return the transfer that a screen shows, for however long it was left alone."""
    hashed = hash_secret(display_token)
    key = {"routing_key": Secrets(display_token).routing_key, "display_hash": hashed}
    row: Any = _BY_DISPLAY.one_or_none(connection, key)
    if row is None:
        row = _made_before(connection, transfers.c.display_hash == hashed)
    return None if row is None else Transfer(*row)


def find_by_token(connection: Connection, token: str, *, now: datetime) -> Transfer:
    """Return the transfer that a QR code, or a typed short code, has led to.

    :raises TransferUnknown: there is none.
    """
    hashed = hash_secret(token)
    named = or_(transfers.c.token_hash == hashed, transfers.c.typed_hash == hashed)
    here = transfers.c.routing_key == routing_key_of(token)
    row: Any = connection.execute(select(*_COLUMNS).where(here, named)).one_or_none()
    if row is None:
        row = _made_before(connection, named)
    if row is None:
        raise TransferUnknown
    return _with_its_basket(connection, Transfer(*row), now)


def _made_before(connection: Connection, named: ColumnElement[bool]) -> Any:
    """Look for a transfer of before the routing key: its tokens don't lead to its short code.

    It lived for an hour. Tables are distributed long after that, and a mistyped code, or a screen
    that still asks for what is long over, must not cost each server something.
    """
    if is_distributed(connection):
        return None
    return connection.execute(of_before(select(*_COLUMNS)).where(named)).one_or_none()


def _with_its_basket(connection: Connection, transfer: Transfer, now: datetime) -> Transfer:
    """Let a transfer whose time is over know whether its basket has gone with it."""
    if transfer.state(now) is not TransferState.EXPIRED:
        return transfer
    kept = offered.is_kept(connection, transfer.basket_key, transfer.basket_id)
    return replace(transfer, basket_exists=kept)


def _again(connection: Connection, transfer: Transfer) -> Transfer:
    """Return the transfer as it is now."""
    return Transfer(*_BY_CODE.one_or_none(connection, _key_of(transfer.code_hash)))


def _at(now: datetime) -> dict[str, datetime]:
    return {"now": now, "latest": latest_end(now)}


def _key_of(code_hash: str) -> dict[str, Any]:
    return {"key_routing_key": routing_key(code_hash), "key_code_hash": code_hash}


def show(connection: Connection, transfer: Transfer, *, now: datetime) -> Showing:
    """Return what a page about the transfer shows."""
    return Showing(
        transfer,
        partner_by_id(connection, transfer.partner_id),
        offered.basket_by_id(connection, transfer.basket_key, transfer.basket_id, now=now),
    )


def check_claimable(transfer: Transfer, now: datetime) -> None:
    """Check that the transfer can still be taken over.

    :raises TransferExpired: TransferClaimed, TransferCancelled
    """
    if not transfer.claimable(now):
        raise _ERROR_OF_STATE[transfer.state(now)]


def opened(connection: Connection, transfer: Transfer, *, now: datetime) -> None:
    """Remember that a phone looks at the claim page. It claims nothing."""
    if transfer.opened is not None:
        return
    event = Event(EventType.TRANSFER_OPENED, now, transfer.partner_id, transfer.routing_key)
    _OPEN.execute(connection, {**_key_of(transfer.code_hash), **_at(now)}, event)


def type_code(connection: Connection, typed: str, *, secret: str, now: datetime) -> str | None:
    """Return the token of the claim page that a typed short code leads to.

    It is derived from the code, so that two people who type the same code both get in.

    :returns: None alike for a wrong, an expired and a used code.
    """
    code_hash = hash_secret(read_code(typed))
    token = typed_token(code_hash, secret)
    result = connection.execute(
        update(transfers).where(_THIS, _CLAIMABLE).values(typed_hash=hash_secret(token)),
        {**_key_of(code_hash), **_at(now)},
    )
    return token if result.rowcount == 1 else None


def claim(
    connection: Connection,
    token: str,
    *,
    now: datetime,
    claimant: str | None = None,
    partner: Partner | None = None,
    tracking: Tracking = NOTHING,
) -> Grant:
    """Take the basket over. One winner, within 60 seconds.

    :param token: the ``jayToken``.
    :param claimant: what a phone can repeat the request with, to get the same credentials: its
        session. Servers repeat with their ``Idempotency-Key``.
    :param partner: the partner of the API key; None for a phone, which needs none.
    :raises TransferUnknown: TransferExpired, TransferClaimed, TransferCancelled
    """
    transfer = find_by_token(connection, token, now=now)
    if partner is not None and partner.id != transfer.partner_id:
        raise TransferUnknown
    if not transfer.claimed_through(claimant):
        check_claimable(transfer, now)
    parameters = {
        **_key_of(transfer.code_hash),
        **_at(now),
        "guest": new_user_id(),
        "proof": hash_secret(claimant) if claimant else None,
    }
    # First the basket, then the transfer: in the same order as who offers it anew.
    basket = offered.note_claim(connection, transfer.basket_key, transfer.basket_id, now=now)
    event = Event(
        EventType.TRANSFER_CLAIMED, now, transfer.partner_id, transfer.routing_key, tracking
    )
    won = _CLAIM.execute(connection, parameters, event)
    transfer = _again(connection, transfer)
    if not won and not transfer.claimed_through(claimant):
        raise _ERROR_OF_STATE[transfer.state(now)]
    if basket is None or transfer.claimed is None or transfer.claimed_by is None:
        raise TransferCancelled  # the basket was deleted meanwhile
    return Grant(
        partner or partner_by_id(connection, transfer.partner_id),
        transfer.claimed_by,
        transfer.claimed,
        basket,
        claimed=True,
    )
