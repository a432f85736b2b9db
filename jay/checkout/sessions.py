"""Use cases of the checkout session that are one transaction each; jay/checkout/flow.py joins them.

Reserve, call, record: what a step leaves behind when the process dies is found by its moment,
``due``, and completed or undone by whoever looks next.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Connection, and_, bindparam, or_, select, update

from jay.auth.models import User
from jay.baskets import service as baskets
from jay.baskets.models import Basket
from jay.baskets.offered import ends_with_basket
from jay.baskets.totals import MixedCurrencies, Totals, totals
from jay.checkout import contacts
from jay.checkout.addresses import NOBODY, Contact, Said, Wrong, undelivered
from jay.checkout.models import (
    ACTIVE,
    IS_ACTIVE,
    LIFETIME,
    LeftOut,
    Session,
    SessionState,
    checkout_sessions,
    frozen,
    texts_of,
)
from jay.checkout.order_numbers import beginning_of
from jay.checkout.order_rows import bound, of_bound_order, of_order
from jay.checkout.providers.interface import Intent, Opened
from jay.db.prepared import Prepared
from jay.db.types import UtcDateTime
from jay.db.upsert import AddedOnce
from jay.errors import (
    CartEmpty,
    CheckoutPaying,
    MixedCurrency,
    NotShoppable,
    OrderLimit,
    OutOfStock,
)
from jay.events import Event, EventType, Tracking, record
from jay.legal import service as legal
from jay.legal.sellers import Seller
from jay.merchants.service import merchant_by_id
from jay.partners.service import partner_by_id
from jay.products import service as catalogue
from jay.products import stock
from jay.products.models import Product
from jay.sealing import Seal, WrongKey
from jay.transfers import service as transfers
from jay.transfers.models import PurchaseState

_row = checkout_sessions.c
_THIS = of_bound_order(checkout_sessions)
_OWNED = (
    _row.routing_key == bindparam("key_routing_key"),
    _row.partner_id == bindparam("key_partner_id"),
    _row.user_id == bindparam("key_user_id"),
)
_MOMENT = bindparam("moment", type_=UtcDateTime())
_FIND = Prepared(select(checkout_sessions).where(*_THIS))
_ACTIVE = Prepared(select(checkout_sessions).where(*_OWNED, IS_ACTIVE))
_WAS_PAID = and_(_row.state == SessionState.PAID, _row.ended >= _MOMENT)
_ACTIVE_OR_PAID = Prepared(
    select(checkout_sessions)
    .where(*_OWNED, or_(IS_ACTIVE, _WAS_PAID))
    .order_by(_WAS_PAID, _row.ended.desc())
    .limit(1)
)
_IS_OPEN = _row.state == SessionState.OPEN
_HOLD = Prepared(update(checkout_sessions).where(*_THIS, _IS_OPEN).values(state=_row.state))
_BEGIN_PAYING = Prepared(
    update(checkout_sessions)
    .where(*_THIS, _IS_OPEN, _row.expires > _MOMENT)
    .values(state=SessionState.PAYING)
)
_END = Prepared(
    update(checkout_sessions)
    .where(*_THIS, IS_ACTIVE)
    .values(state=bindparam("as_state"), ended=_MOMENT, due=None)
)
_FREEZE = AddedOnce(
    checkout_sessions,
    (
        *("routing_key", "order_no", "partner_id", "user_id", "basket_id", "state", "fingerprint"),
        *("left_out", "provider", "created", "expires", "due", "test", "lang", "country"),
        *("currency", "amount", "shipping", "tax", "lines", "parts"),
    ),
)
_RECORD_INTENT = Prepared(
    update(checkout_sessions).where(*_THIS),
    columns=("intent_id", "publishable_key", "client_secret", "payment_url", "methods"),
)

FIRST_ASKED = timedelta(seconds=15)
"""When the provider is asked about an intent of which no webhook has told; later twice as long."""

LONGEST_ASKED = timedelta(minutes=5)

REMOVED, NO_PRICE, NOT_LIVE = "REMOVED", "NO_PRICE", "MERCHANT_NOT_LIVE"


class CartChanged(Exception):
    """The cart has changed since it was looked at: nothing was stored, look again."""


@dataclass(frozen=True)
class Asked:
    """What a checkout is asked for with, beside the cart."""

    test: bool
    lang: str | None = None
    country: str | None = None


@dataclass(frozen=True)
class Draft:
    """What would be bought: the products of a cart that can be, and what is wrong with others.

    :ivar sellers: who sells what is in the cart, by the merchants' ids.
    """

    basket: Basket
    fingerprint: str
    """Of the cart, and of what is asked for."""
    positions: Sequence[tuple[Product, int]]
    left_out: Sequence[LeftOut]
    sellers: Mapping[int, Seller]

    @property
    def reached(self) -> list[tuple[str, ...]]:
        """Where the merchants deliver of whom something is bought."""
        merchants = {product.merchant_id for product, _ in self.positions}
        return [self.sellers[one].merchant.delivers_to for one in merchants]


def in_its_mode(connection: Connection, user: User, asked: Asked) -> Asked:
    """Return what is asked for, as a test where the user's partner has nothing but tests."""
    partner = partner_by_id(connection, user.partner_id)
    return replace(asked, test=asked.test or partner.test_payments)


def draft(connection: Connection, user: User, asked: Asked, *, now: datetime) -> Draft:
    """Look at a user's cart as the catalogue is now; what is in checkout counts, too."""
    basket = baskets.read(connection, user, now=now)
    wanted = [*basket.checkout, *basket.cart]
    found = catalogue.find_many(connection, [entry.product_id for entry in wanted], now=now)
    sellers = legal.sellers(connection, {product.merchant_id for product in found.values()})
    positions, left_out = [], []
    for entry in wanted:
        product = found.get(entry.product_id)
        reason = _reason(product, entry.count)
        if product is not None and reason is None and not sellers[product.merchant_id].is_live:
            reason = NOT_LIVE
        if product is not None and reason == OutOfStock.constant():
            # What is reserved for the user itself makes it look sold out to the user.
            own = entry.in_checkout or _is_being_started(connection, basket, product)
            reason = None if own else reason
        if product is None or reason is not None:
            left_out.append(LeftOut(entry.product_id, reason or REMOVED))
        else:
            positions.append((product, entry.count))
    # In whatever order: what comes back from a checkout has another place in the cart.
    cart = sorted((entry.product_id, entry.count) for entry in wanted)
    fingerprint = f"{_hash(cart)}:{_hash(asdict(asked))}"
    return Draft(basket, fingerprint, positions, left_out, sellers)


def _is_being_started(connection: Connection, basket: Basket, product: Product) -> bool:
    """Tell whether a checkout of this user, which is not stored yet, may have it reserved.

    Reservations know no users, so it may be somebody else's whose orders lie there, too: then there
    is not enough of it when it is to be reserved.
    """
    beginning = beginning_of(basket.routing_key)
    return stock.is_reserved(connection, product.stock_id, beginning=beginning)


def _hash(content: Any) -> str:
    return hashlib.sha256(orjson.dumps(content)).hexdigest()


def _reason(product: Product | None, count: int) -> str | None:
    if product is None:
        return REMOVED
    if product.price is None and not product.not_shoppable:
        return NO_PRICE
    try:
        product.check_orderable(count)
    except (NotShoppable, OutOfStock, OrderLimit) as error:
        return error.constant()
    return None


def without(draft: Draft, missing: Sequence[str]) -> Draft:
    """Return a draft without the products of which there is not enough."""
    return replace(
        draft,
        positions=[(p, count) for p, count in draft.positions if p.id not in missing],
        left_out=[*draft.left_out, *(LeftOut(each, OutOfStock.constant()) for each in missing)],
    )


def sums_of(draft: Draft) -> Totals:
    """Return what a draft comes to.

    :raises CartEmpty: nothing of it can be bought.
    :raises MixedCurrency: it has prices in more than one currency.
    """
    merchants = {number: seller.merchant for number, seller in draft.sellers.items()}
    try:
        sums = totals(draft.positions, merchants)
    except MixedCurrencies as error:
        raise MixedCurrency from error
    if sums is None:
        reasons = [{"product": one.product_id, "reason": one.reason} for one in draft.left_out]
        raise CartEmpty(details=reasons or None)
    return sums


def freeze(
    connection: Connection,
    user: User,
    draft: Draft,
    order_no: str,
    asked: Asked,
    *,
    provider: str,
    contact: Contact,
    secret: str,
    now: datetime,
    tracking: Tracking,
) -> Session | None:
    """Store the session of a draft, whose stock is reserved, and move its products to checkout.

    :returns: it; None when another one of this user was first.
    :raises CartChanged: the basket has changed since it was looked at.
    """
    basket = baskets.open_for_writing(connection, user, now=now)
    if basket.etag != draft.basket.etag:
        raise CartChanged
    sums = sums_of(draft)  # of what could be reserved there may be nothing
    lang = asked.lang or draft.positions[0][0].lang
    values = {
        "routing_key": basket.routing_key,
        "order_no": order_no,
        "partner_id": basket.partner_id,
        "user_id": basket.user_id,
        "basket_id": basket.id,
        "state": SessionState.OPEN,
        "fingerprint": draft.fingerprint,
        "left_out": [asdict(one) for one in draft.left_out],
        "provider": provider,
        "created": now,
        "expires": now + LIFETIME,
        "due": now + FIRST_ASKED,
        "test": asked.test,
        "lang": lang,
        "country": asked.country or draft.positions[0][0].country,
        **frozen(sums, draft.sellers, lang),
    }
    stored = _FREEZE.add(connection, values)
    if stored is None:
        return None
    if contact != NOBODY:
        contacts.put(connection, order_no, contact, secret=secret, now=now)
    basket.check_out({product.id for product, _ in draft.positions}, now=now)
    started = baskets.event_of(EventType.CHECKOUT_STARTED, basket, now, tracking)
    baskets.save(connection, basket, started)
    _tell_screen(connection, basket, PurchaseState.PAYING)
    # From now on the session's end ends it.
    until = now + LIFETIME + timedelta(days=1)
    stocks = {product.stock_id for product, _ in draft.positions}
    held = stock.extend(connection, order_no, until=until, now=now)
    if held != len(stocks) and not asked.test:
        raise CartChanged  # it took so long that what was reserved has run out
    return Session.from_row(stored)


def tell(
    connection: Connection, session: Session, said: Said, *, secret: str, now: datetime
) -> Contact | None:
    """Note who buys and where it goes, as long as nothing is paid.

    :returns: all that is known then; None where the session has ended.
    :raises CheckoutPaying: it is being paid for, and something else was said before.
    :raises Wrong: a merchant of it does not deliver there.
    """
    # It stays as it is, and nobody else moves it on meanwhile.
    waits = _HOLD.rowcount(connection, bound(session.order_no)) == 1
    known = contacts.find(connection, session.order_no, secret=secret)
    contact = replace(known, **said)
    if not waits and contact != known:
        found = find(connection, session.order_no)
        if found is not None and found.state is SessionState.PAYING:
            raise CheckoutPaying
        return None
    if contact != known:
        _check_delivery(connection, session, contact)
        contacts.put(connection, session.order_no, contact, secret=secret, now=now)
    return contact


def _check_delivery(connection: Connection, session: Session, contact: Contact) -> None:
    reached = [merchant_by_id(connection, part.merchant_id).delivers_to for part in session.parts]
    problems = undelivered(contact, reached)
    if problems:
        raise Wrong(problems)


def speak(
    connection: Connection, session: Session, sellers: Mapping[int, Seller], lang: str
) -> None:
    """Go on in another language, with the texts in it, as long as nothing is paid."""
    parts = [
        {**asdict(part), "texts": texts_of(sellers[part.merchant_id], lang)}
        if part.merchant_id in sellers
        else asdict(part)
        for part in session.parts
    ]
    connection.execute(
        update(checkout_sessions)
        .where(*of_order(checkout_sessions, session.order_no), _row.state == SessionState.OPEN)
        .values(lang=lang, parts=parts)
    )


def record_intent(
    connection: Connection, session: Session, opened: Opened, *, secret: str
) -> Session:
    """Note the payment intent that the provider has made for a session."""
    seal = _seal(session.order_no, secret)
    values: dict[str, Any] = {
        "intent_id": opened.id,
        "publishable_key": opened.publishable_key,
        "client_secret": seal.close(opened.client_secret.encode()),
        "payment_url": seal.close(opened.payment_url.encode()),
    }
    methods = list(opened.methods)
    given = {**bound(session.order_no), **values, "methods": methods}
    _RECORD_INTENT.rowcount(connection, given)
    return replace(session, **values)


def how_to_pay(session: Session, *, secret: str) -> tuple[str, str] | None:
    """Return a session's client secret and payment page; None where the provider has to be asked.

    There is no intent yet, or it was sealed with a secret that was changed since.
    """
    if session.client_secret is None or session.payment_url is None:
        return None
    seal = _seal(session.order_no, secret)
    try:
        return seal.open(session.client_secret).decode(), seal.open(session.payment_url).decode()
    except WrongKey:
        return None


def _seal(order_no: str, secret: str) -> Seal:
    return Seal("payment", secret, order_no)


def active(connection: Connection, user: User, *, now: datetime) -> Session | None:
    """Return the unfinished session of whom the user's basket belongs to, a late one too.

    :raises TokenRevoked: a credential from a transfer, whose basket is gone.
    """
    return active_of(connection, baskets.read(connection, user, now=now))


def active_of(connection: Connection, basket: Basket) -> Session | None:
    """Return the unfinished session of whom a basket belongs to, a late one too."""
    row = _ACTIVE.one_or_none(connection, _owned(basket))
    return None if row is None else Session.from_row(row)


def unfinished_or_paid(
    connection: Connection, user: User, *, since: datetime, now: datetime
) -> Session | None:
    """Return what ``active`` does; where there is none, the last one that was paid.

    :param since: not one that was paid before that.
    """
    basket = baskets.read(connection, user, now=now)
    row = _ACTIVE_OR_PAID.one_or_none(connection, {**_owned(basket), "moment": since})
    return None if row is None else Session.from_row(row)


def _of_owner(basket: Basket) -> tuple[ColumnElement[bool], ...]:
    return (
        _row.routing_key == basket.routing_key,
        _row.partner_id == basket.partner_id,
        _row.user_id == basket.user_id,
    )


def _owned(basket: Basket) -> dict[str, Any]:
    return {
        "key_routing_key": basket.routing_key,
        "key_partner_id": basket.partner_id,
        "key_user_id": basket.user_id,
    }


def find(connection: Connection, order_no: str) -> Session | None:
    """Return the session with this order number."""
    row = _FIND.one_or_none(connection, bound(order_no))
    return None if row is None else Session.from_row(row)


def begin_paying(connection: Connection, order_no: str, *, now: datetime) -> bool:
    """Decide that an authorised payment is to be captured: open -> paying, not when it is late.

    :returns: whether this call did so.
    """
    return _BEGIN_PAYING.rowcount(connection, {**bound(order_no), "moment": now}) == 1


def end(connection: Connection, session: Session, state: SessionState, *, now: datetime) -> bool:
    """End a session without an order: its stock and its products go back.

    :returns: whether this call did so; not when it has ended before.
    """
    # First the basket, then the session, as everywhere.
    basket = _basket_of(connection, session, now=now)
    if not _ended(connection, session.order_no, state, now):
        return False
    stock.release(connection, session.order_no)
    _leave(connection, session, basket, EventType.CHECKOUT_ENDED, bought=False, now=now)
    _tell_screen(connection, basket, PurchaseState.NONE)
    return True


def complete(
    connection: Connection, session: Session, intent: Intent, *, secret: str, now: datetime
) -> bool:
    """Make the order of a session whose money has moved.

    :param secret: this service's, for what the order keeps sealed.
    :returns: whether this call did so; not when it was paid, or has ended, before.
    """
    basket = _basket_of(connection, session, now=now)
    if not _ended(connection, session.order_no, SessionState.PAID, now):
        return False
    if not session.test:
        stock.sell(connection, session.order_no, session.bought, now=now)
    contacts.keep(connection, session.order_no)
    _leave(connection, session, basket, EventType.ORDER_PAID, bought=True, now=now)
    for work in _making_orders:
        work(connection, session, intent, secret=secret, now=now)
    # After the order: so it is everywhere, and nobody waits for the other.
    _tell_screen(connection, basket, PurchaseState.ORDERED)
    return True


def ask_later(connection: Connection, session: Session, *, now: datetime) -> bool:
    """Note that the provider is asked; the next time is twice as far away, up to a bound.

    :returns: whether it is this call's to ask; not when somebody else does.
    """
    wait = min(FIRST_ASKED * 2 ** min(session.asked, 10), LONGEST_ASKED)
    due = now + wait
    if now < session.expires:
        due = min(due, session.expires)
    statement = (
        update(checkout_sessions)
        .where(
            *of_order(checkout_sessions, session.order_no), _row.state.in_(ACTIVE), _row.due <= now
        )
        .values(asked=_row.asked + 1, due=due)
        .returning(_row.order_no)
    )
    return connection.execute(statement).one_or_none() is not None


def due(connection: Connection, *, limit: int, now: datetime) -> list[str]:
    """Return the order numbers of unfinished sessions of which the provider is to be asked."""
    query = select(_row.order_no).where(_row.due <= now).order_by(_row.due).limit(limit)
    return list(connection.execute(query).scalars())


def _ended(connection: Connection, order_no: str, state: SessionState, now: datetime) -> bool:
    given = {**bound(order_no), "as_state": state, "moment": now}
    return _END.rowcount(connection, given) == 1


def _basket_of(connection: Connection, session: Session, *, now: datetime) -> Basket | None:
    """Return the basket of a session, locked; None when it was deleted or has expired."""
    owner = User(session.partner_id, session.user_id, guest=True, basket=None, expires=0)
    basket = baskets.open_for_writing(connection, owner, now=now)
    return basket if basket.id == session.basket_id else None


def _leave(
    connection: Connection,
    session: Session,
    basket: Basket | None,
    event: EventType,
    *,
    bought: bool,
    now: datetime,
) -> None:
    if basket is None:  # what was in it has gone with it
        record(connection, Event(event, now, session.partner_id, session.routing_key))
        return
    basket.end_checkout(bought=bought, now=now)
    baskets.save(connection, basket, baskets.event_of(event, basket, now))


def _tell_screen(connection: Connection, basket: Basket | None, became: PurchaseState) -> None:
    """Let the screen that a basket was taken from say what becomes of it."""
    if basket is not None:
        transfers.note_purchase(connection, basket.offer, became)


@ends_with_basket
def give_up(connection: Connection, basket: Basket, *, now: datetime) -> None:
    """End the checkout of a basket that goes: nothing is paid any more, and the worker does it.

    :raises CheckoutPaying: it is being paid for at this moment.
    """
    mine = _of_owner(basket)
    # Late by every clock, so that nobody can decide any more that it is paid.
    late = update(checkout_sessions).where(*mine, _row.state == SessionState.OPEN)
    connection.execute(late.values(expires=_row.created, due=now))
    query = select(_row.state).where(*mine, _row.state.in_(ACTIVE))
    if connection.execute(query).scalar_one_or_none() == SessionState.PAYING:
        raise CheckoutPaying


FollowPayment = Callable[..., None]
_following: set[FollowPayment] = set()


def follows_payments(work: FollowPayment) -> FollowPayment:
    """Have a function called when the provider tells about a payment that was made.

    ``work(connection, session, intent, now=now)``: it may have been refunded elsewhere, or be
    disputed. It is called any number of times with the same.
    """
    _following.add(work)
    return work


def follow(connection: Connection, session: Session, intent: Intent, *, now: datetime) -> None:
    """Tell those who keep account of a paid session how its payment is by now."""
    for work in _following:
        work(connection, session, intent, now=now)


MakeOrder = Callable[..., None]
_making_orders: set[MakeOrder] = set()


def makes_orders(work: MakeOrder) -> MakeOrder:
    """Have a function called in the transaction in which a session is paid.

    ``work(connection, session, intent, secret=secret, now=now)``: orders stand right of the
    checkout, which can't call them.
    """
    _making_orders.add(work)
    return work
