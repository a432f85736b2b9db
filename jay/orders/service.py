"""Making orders, and finding them: by number, by the token of their page, or of a merchant."""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, tuple_

from jay.checkout import sessions
from jay.checkout.models import Line, Session
from jay.checkout.order_rows import of_order
from jay.checkout.providers.interface import Intent
from jay.db.prepared import Prepared
from jay.db.routing import on_every_server
from jay.db.types import read_known
from jay.merchants.models import Merchant
from jay.merchants.service import details as merchant_details
from jay.orders import events, refunds
from jay.orders import ledger as money
from jay.orders.events import of_part
from jay.orders.models import (
    Actor,
    Attention,
    Happening,
    Money,
    Order,
    OrderPart,
    PartNo,
    PartState,
    order_lines,
    order_parts,
    orders,
)
from jay.orders.whole import whole_parts
from jay.partners.service import partner_by_id
from jay.pictures import service as pictures
from jay.pictures.models import Picture
from jay.pictures.service import Named
from jay.products import service as catalogue
from jay.products.models import Product
from jay.sealing import Seal, hash_secret
from jay.transfers.models import CODE_ALPHABET

PARTS_PER_PAGE = 100

_DESCRIBED = (
    *("brand", "gtin", "subLine", "description", "gender", "material", "colour", "fit", "url"),
    "variant_type",
)
"""What an order keeps of a product's description, by the names that it has there."""

_ROUTING = 3
_BASE = len(CODE_ALPHABET)

_MAKE = Prepared(insert(orders), columns=orders.c.keys())
_MAKE_PART = Prepared(
    insert(order_parts),
    columns=(
        *("routing_key", "order_no", "number", "merchant_id", "merchant", "goods", "shipping"),
        *("tax", "texts", "created", "changed"),
    ),
)
_MAKE_LINES = Prepared(
    insert(order_lines),
    columns=(
        *("routing_key", "order_no", "part", "position", "product_id", "stock_id", "sku", "name"),
        *("variant", "described", "picture", "price", "vat", "tax", "ordered"),
    ),
)

Position = tuple[datetime, str, int]
"""Moment, order number and number of a part in a merchant's list."""


@sessions.makes_orders
def make(
    connection: Connection, session: Session, intent: Intent, *, secret: str, now: datetime
) -> None:
    """Make the order of a session, in the transaction in which it is paid: exactly once."""
    token = new_token(session.routing_key)
    # A hosted page is over once it is paid: the payment is what is refunded and shared out.
    payment = intent.payment or intent.id
    named = {"routing_key": session.routing_key, "order_no": session.order_no}
    order = {
        **named,
        "partner_id": session.partner_id,
        "test": session.test,
        "lang": session.lang,
        "country": session.country,
        "currency": session.currency,
        "amount": session.amount,
        "provider": session.provider,
        "intent_id": payment,
        "method": intent.method,
        "token_hash": hash_secret(token),
        "token": seal_of(session.order_no, secret).close(token.encode()),
        "created": now,
    }
    _MAKE.rowcount(connection, order)
    found = catalogue.find_many(connection, [line.product_id for line in session.lines], now=now)
    looks = _looks(connection, found.values(), now)
    for number, part in enumerate(session.parts, 1):
        row = {
            **named,
            "number": number,
            "merchant_id": part.merchant_id,
            "merchant": part.merchant,
            "goods": part.goods,
            "shipping": part.shipping,
            "tax": part.tax,
            "texts": [*part.texts],
            "created": now,
            "changed": now,
        }
        _MAKE_PART.rowcount(connection, row)
        lines = [line for line in session.lines if line.merchant_id == part.merchant_id]
        rows = [
            {"position": position, **_line_row(line, found, looks)}
            for position, line in enumerate(lines, 1)
        ]
        _MAKE_LINES.many_alike(connection, rows, {**named, "part": number})
        part_no = PartNo(session.order_no, number)
        money.enter(connection, part_no, Money.CHARGE, payment, part.total, now=now)
        own = merchant_details(connection, part.merchant_id)
        fee = money.fee_of(part.total, _fee_percent(connection, session.partner_id, own))
        money.enter_fee(connection, part_no, fee, now=now)
        share, account = part.total - fee, own.stripe_account
        refunds.reserve_share(connection, part_no, share, account=account, now=now)
        events.record(connection, part_no, Happening.CREATED, Actor.SHOPPER, now=now)


def _looks(
    connection: Connection, found: Iterable[Product], now: datetime
) -> dict[str, dict[str, Any]]:
    """Return what the products look like, as far as their pictures are there, and keep these."""
    firsts = {one.id: Named(one.merchant_id, one.image_url) for one in found if one.image_url}
    kept = pictures.keep_for_orders(connection, firsts.values(), now=now)
    return {key: asdict(kept[named]) for key, named in firsts.items() if named in kept}


def pictures_of(
    connection: Connection, parts: Iterable[OrderPart], *, now: datetime
) -> dict[tuple[int, int], Picture]:
    """Return what is shown of an order's lines, by part and position.

    It is what they looked like when they were bought; where that was not known yet, what the
    product looks like today.
    """
    lines = {(part.number, line.position): line for part in parts for line in part.lines}
    found = {key: read_known(Picture, line.picture) for key, line in lines.items() if line.picture}
    others = {key: line.product_id for key, line in lines.items() if key not in found}
    products = catalogue.find_many(connection, others.values(), now=now)
    firsts = {
        key: Named(products[one].merchant_id, url)
        for key, one in others.items()
        if one in products and (url := products[one].image_url)
    }
    there = pictures.find(connection, firsts.values())
    return found | {key: there[named] for key, named in firsts.items() if named in there}


def _fee_percent(connection: Connection, partner: int, merchant: Any) -> float:
    """Return what the operator keeps: as agreed with the merchant, or else with the partner.

    :param merchant: all that is stored of it.
    """
    own = merchant.fee_percent
    return float(partner_by_id(connection, partner).fee_percent if own is None else own)


def _line_row(
    line: Line, found: Mapping[str, Product], looks: Mapping[str, dict[str, Any]]
) -> dict[str, Any]:
    product = found.get(line.product_id)
    described: dict[str, Any] = {}
    if product is not None:
        told = {**product.description, "variant_type": product.variant_type}
        # Not a set: a brand may be an object.
        described = {name: told[name] for name in _DESCRIBED if told.get(name) not in (None, "")}
    if line.base_price is not None:
        described["basePrice"] = dict(line.base_price)
    return {
        "product_id": line.product_id,
        "stock_id": line.stock_id,
        "sku": line.sku,
        "name": line.name,
        "variant": line.variant,
        "described": described,
        "picture": looks.get(line.product_id),
        "price": line.price,
        "vat": line.vat,
        "tax": line.tax,
        "ordered": line.count,
    }


# --- the token of the order's page ---


def new_token(routing_key: int) -> str:
    """Draw what opens an order's page: 130 random bits, after where it lies."""
    digits = [routing_key // _BASE**place % _BASE for place in reversed(range(_ROUTING))]
    return "".join(CODE_ALPHABET[digit] for digit in digits) + secrets.token_urlsafe(17)


def token_of(order: Order, *, secret: str) -> str:
    """Return what opens an order's page.

    :raises WrongKey: it was sealed with a lost secret.
    """
    return seal_of(order.order_no, secret).open(order.token).decode()


def find_by_token(connection: Connection, token: str) -> Order | None:
    """Return the order whose page a token opens; None for whatever else is sent."""
    digits = [CODE_ALPHABET.find(character) for character in token[:_ROUTING]]
    if len(digits) < _ROUTING or min(digits) < 0:
        return None
    key = 0
    for digit in digits:
        key = key * _BASE + digit
    query = select(orders).where(
        orders.c.routing_key == key, orders.c.token_hash == hash_secret(token)
    )
    return _order_or_none(connection.execute(query).one_or_none())


def seal_of(order_no: str, secret: str) -> Seal:
    """Return what seals the token of an order's page, and of no other one."""
    return Seal("order", secret, order_no)


# --- finding ---


def find(connection: Connection, order_no: str) -> Order | None:
    """Return the order with a valid number."""
    query = select(orders).where(*of_order(orders, order_no))
    return _order_or_none(connection.execute(query).one_or_none())


def parts_of(connection: Connection, order: Order) -> list[OrderPart]:
    """Return the parts of an order, in their order."""
    query = select(order_parts).where(*of_order(order_parts, order.order_no))
    rows = connection.execute(query.order_by(order_parts.c.number)).all()
    return whole_parts(connection, rows, order_no=order.order_no)


def find_part(
    connection: Connection, part_no: PartNo, *, merchant: int | None = None
) -> OrderPart | None:
    """Return a part; None where there is none, or it is another merchant's.

    :param merchant: whose it has to be; None: anybody's.
    """
    query = select(order_parts).where(*of_part(order_parts, part_no))
    if merchant is not None:
        query = query.where(order_parts.c.merchant_id == merchant)
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    return next(iter(whole_parts(connection, [row], order_no=part_no.order_no)), None)


def created(connection: Connection, part_no: PartNo) -> datetime | None:
    """Return when a part was bought; None where there is none."""
    query = select(order_parts.c.created).where(*of_part(order_parts, part_no))
    return connection.execute(query).scalar_one_or_none()


def list_parts(
    connection: Connection,
    *,
    merchant: Merchant | None = None,
    states: Sequence[PartState] = (),
    attention: bool = False,
    since: datetime | None = None,
    after: Position | None = None,
    most: int = PARTS_PER_PAGE,
) -> tuple[list[OrderPart], Position | None]:
    """Return one page of parts, the newest first.

    They lie with their shoppers, so a merchant's are asked of every server; each answers along
    the merchant's index, and the last page costs what the first one does.

    :param merchant: whose; None: everybody's.
    :param attention: those that an operator has to look at.
    :param since: when they were made or have changed, at the earliest.
    :param after: the last part of the page before.
    :returns: the parts, and the position of the last one, None where no page follows.
    """
    row = order_parts.c
    key = (row.created, row.order_no, row.number)
    query = select(order_parts)
    if merchant is not None:
        query = query.where(row.merchant_id == merchant.id)
    if states:
        query = query.where(row.state.in_(states))
    if attention:
        query = query.where(row.attention.is_not(None))
    if since is not None:
        query = query.where(row.changed >= since)
    if after is not None:
        query = query.where(tuple_(*key) < tuple_(*after))
    query = on_every_server(query.order_by(*(column.desc() for column in key)).limit(most + 1))
    rows = connection.execute(query).all()
    found = whole_parts(connection, rows[:most])
    if len(rows) <= most:
        return found, None
    last = rows[most - 1]
    return found, (last.created, last.order_no, last.number)


def parts_to_look_at(connection: Connection, why: Attention, *, most: int) -> list[PartNo]:
    """Return the parts that an operator has to look at for one reason, the oldest first."""
    row = order_parts.c
    key = (row.created, row.order_no, row.number)
    query = select(row.order_no, row.number).where(row.attention == why).order_by(*key).limit(most)
    return [PartNo(*found) for found in connection.execute(on_every_server(query))]


def _order_or_none(row: Row[Any] | None) -> Order | None:
    return None if row is None else Order.from_row(row)
