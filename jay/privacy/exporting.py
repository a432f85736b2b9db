"""Everything that is held of a person, for a document that people and programs can read.

GDPR 15 (what it is for, who gets it, how long it is kept) and 20 (in a common format).
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from jay.baskets.models import baskets
from jay.checkout import contacts, sessions
from jay.checkout.addresses import Address, Contact
from jay.checkout.comfort import comfort_settings, seal_of
from jay.clock import iso
from jay.db.routing import on_every_server
from jay.orders import service as orders
from jay.orders.models import Order, OrderPart
from jay.orders.withdrawals import Withdrawal
from jay.privacy.erasing import messages_about
from jay.privacy.finding import Account, Traces, of
from jay.privacy.registry import LETTER_YEARS, VOUCHER_YEARS, kept_until
from jay.sealing import Seal, WrongKey
from jay.transfers.models import transfers

Json = dict[str, Any]

NOTES: Mapping[str, Any] = {
    "purposes": [
        "to keep the basket, and to hand it over to a phone or web shop",
        "to carry out what was ordered, with payment, delivery, withdrawal and refunds",
        "to pay by one call, with the consent named here",
    ],
    "recipients": "the merchants named at the orders, the payment provider, and who sends mail",
    "kept": [
        "baskets: 30 days for guests, a year from the last change for others",
        "checkouts that led to no order: 7 days",
        f"orders and their payments: {VOUCHER_YEARS} years from the end of the year (AO 147)",
        f"declarations of withdrawal: {LETTER_YEARS} years from the end of the year (HGB 257)",
        "mails sent: 30 days, without address and content",
        "answers kept to be repeated: one day, sealed with what only the caller has",
    ],
    "rights": "correction, erasure, restriction, portability, objection, and to complain to a"
    " supervisory authority (GDPR 15 to 21, 77)",
    "source": "you, the platform that you use, and the merchants",
    "automated_decisions": "none",
}


def export(
    connection: Connection, traces: Traces, *, about: Mapping[str, str], secret: str, now: datetime
) -> Json:
    """Write what is held of a person, and nothing of others.

    :param about: what was asked for.
    """
    found: Json = {"made": iso(now), "about": dict(about), "notes": dict(NOTES)}
    if traces.account is not None:
        found["account"] = {
            "basket": _basket(connection, traces.account),
            "transfers": list(_transfers(connection, traces.account)),
            "quick_checkout": _comfort(connection, traces.account, secret),
        }
    found["checkouts_without_order"] = [
        _checkout(connection, number, secret) for number in (*traces.running, *traces.unpaid)
    ]
    stored = (orders.find(connection, number) for number in traces.bought)
    found["orders"] = [_order(connection, one, secret) for one in stored if one is not None]
    found["withdrawals"] = [_withdrawal(connection, one) for one in traces.withdrawals]
    return found


def voucher(
    connection: Connection, order: Order, withdrawn: Iterable[Withdrawal], *, secret: str
) -> Json:
    """Write what the books need of an order, locked or not."""
    kept = _order(connection, order, secret)
    locked = contacts.locked_since(connection, order.order_no)
    return kept | {
        "locked_since": None if locked is None else iso(locked[0]),
        "kept_until": iso(kept_until(order.created, VOUCHER_YEARS)),
        "withdrawals": [_withdrawal(connection, one) for one in withdrawn],
    }


def _basket(connection: Connection, account: Account) -> Json | None:
    stored = connection.execute(select(baskets).where(*of(account, baskets))).one_or_none()
    if stored is None:
        return None
    return {
        "products": [
            {"product_id": one["id"], "count": one["count"], "price": one["price"]}
            for one in stored.entries
        ],
        "guest": stored.guest,
        "created": iso(stored.created),
        "last_changed": iso(stored.last_changed),
        "expires": iso(stored.expires),
    }


def _transfers(connection: Connection, account: Account) -> Iterable[Json]:
    row = transfers.c
    baskets_of = select(baskets.c.id).where(*of(account, baskets))
    known = list(connection.execute(baskets_of).scalars())
    query = select(row.created, row.claimed, row.url).where(
        row.partner_id == account.partner_id,
        (row.claimed_by == account.user_id)
        | ((row.basket_key == account.routing_key) & row.basket_id.in_(known)),
    )
    for one in connection.execute(on_every_server(query.order_by(row.created))):
        claimed = None if one.claimed is None else iso(one.claimed)
        yield {"created": iso(one.created), "claimed": claimed, "leads_to": one.url}


def _comfort(connection: Connection, account: Account, secret: str) -> Json | None:
    stored = connection.execute(
        select(comfort_settings).where(*of(account, comfort_settings))
    ).one_or_none()
    if stored is None:
        return None
    seal = seal_of(account.partner_id, account.user_id, secret)
    return {
        "customer_id": _opened(seal, stored.customer_id),
        # With it and the number money can be moved: that there is one is told.
        "payment_stored": stored.payment_token is not None,
        "pin_set": stored.pin_hash is not None,
        "consent": None
        if stored.consent_version is None
        else {"text": stored.consent_version, "at": iso(stored.consent_at)},
        "changed": iso(stored.changed),
    }


def _opened(seal: Seal, value: str | None) -> str | None:
    try:
        return None if value is None else seal.open(value).decode()
    except WrongKey:
        return None


def _checkout(connection: Connection, number: str, secret: str) -> Json:
    session = sessions.find(connection, number)
    told = (
        {}
        if session is None
        else {
            "state": session.state,
            "created": iso(session.created),
            "currency": session.currency,
            "amount_minor": session.amount,
            "products": [
                {"sku": line.sku, "name": line.name, "count": line.count, "merchant": line.merchant}
                for line in session.lines
            ],
            "payment": {"provider": session.provider, "id": session.intent_id},
        }
    )
    return {"order_no": number, **told, "contact": _contact(_of(connection, number, secret))}


def _of(connection: Connection, number: str, secret: str) -> Contact:
    return contacts.find(connection, number, secret=secret, locked=True)


def _contact(contact: Contact) -> Json:
    def address(one: Address | None) -> Json | None:
        return None if one is None else asdict(one)

    return {
        "email": contact.email,
        "billing": address(contact.billing),
        "shipping": address(contact.shipping),
    }


def _order(connection: Connection, order: Order, secret: str) -> Json:
    locked = contacts.locked_since(connection, order.order_no)
    return {
        "order_no": order.order_no,
        "created": iso(order.created),
        "test": order.test,
        "lang": order.lang,
        "country": order.country,
        "currency": order.currency,
        "amount_minor": order.amount,
        "payment": {"provider": order.provider, "id": order.intent_id, "method": order.method},
        "contact": _contact(_of(connection, order.order_no, secret)),
        "locked_until": None if locked is None else iso(locked[1]),
        "parts": [_part(part) for part in orders.parts_of(connection, order)],
        "messages": list(_messages(connection, order.order_no)),
    }


def _part(part: OrderPart) -> Json:
    return {
        "number": str(part.part_no),
        "merchant": part.merchant,
        "state": part.state,
        "goods_minor": part.goods,
        "shipping_minor": part.shipping,
        "tax_minor": part.tax,
        "lines": [
            {
                "sku": line.sku,
                "name": line.name,
                "variant": line.variant,
                "price_minor": line.price,
                "vat": line.vat,
                "ordered": line.ordered,
                "shipped": line.shipped,
                "cancelled": line.cancelled,
                "returned": line.returned,
            }
            for line in part.lines
        ],
        "parcels": [
            {"carrier": one.carrier, "number": one.tracking_number, "url": one.url}
            for one in part.parcels
        ],
        "refunds": [
            {
                "amount_minor": one.amount,
                "state": one.state,
                "by": one.by,
                "reason": one.reason,
                "created": iso(one.created),
            }
            for one in part.refunds
        ],
        "events": [{"at": iso(one.at), "kind": one.kind, "by": one.by} for one in part.events],
        "texts_shown": list(part.texts),
    }


def _withdrawal(connection: Connection, one: Withdrawal) -> Json:
    return {
        "received": iso(one.received),
        "order_no": one.order_no,
        "parts": list(one.parts),
        "declared": None if one.said is None else asdict(one.said),
        "locked_until": None if one.ends is None else iso(one.ends),
        "messages": list(_messages(connection, one.id)),
    }


def _messages(connection: Connection, subject: str) -> Iterable[Json]:
    for row in messages_about(connection, subject):
        at = row.finished or row.created
        yield {"kind": row.kind, "state": row.state, "at": iso(at)}
