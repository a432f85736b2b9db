"""The checkout's steps in their order: transactions, and calls of the provider between them.

Nothing slow is inside a transaction, and nothing is believed but what the provider says when asked.
``settle`` is the one function that moves a payment on: webhooks, the shopper's return, the client's
``finish-active`` and the worker all call it, in any order, any number of times.
"""

import time
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog
from flask import Flask, current_app

from jay import db, web
from jay.auth.models import User
from jay.checkout import contacts, sessions
from jay.checkout.addresses import NOBODY, NOTHING_SAID, Contact, Said, Wrong, undelivered
from jay.checkout.models import (
    ACTIVE,
    RESERVED_BEFORE_FROZEN,
    Session,
    SessionState,
)
from jay.checkout.order_numbers import new_order_no, typed_order_no
from jay.checkout.providers.interface import Intent, IntentStatus, Opened, Provider, Purchase
from jay.checkout.sessions import Asked, CartChanged, Draft
from jay.errors import (
    Busy,
    CheckoutNotFound,
    CheckoutPaying,
    NoActiveCheckout,
    OutcomeUnknown,
    PaymentProviderUnavailable,
    PaymentRefused,
    PaymentUnavailable,
)
from jay.events import NOTHING, Tracking
from jay.products import stock
from jay.web.rates import CHECKOUTS

log = structlog.get_logger()

TRIES = 11
"""How often a start looks at a cart again that others change at the same moment."""

LOOKED_AGAIN, PAUSE_SECONDS = 8, 0.005
"""How often what is reserved by others is believed to be the user's own, in another request, and
how long that one is given each time to store its checkout."""

JUST_PAID = timedelta(days=1)
"""So long a client that says that it has paid is believed to mean what was paid last."""

TOO_LATE = "the session had ended"
WRONG_AMOUNT = "another amount or currency than the session's"
SECOND = "the session has another payment"


@dataclass(frozen=True)
class Payable:
    """A session, how it is paid, and who buys, as far as that was said."""

    session: Session
    client_secret: str = field(repr=False)
    payment_url: str = field(repr=False)
    contact: Contact = NOBODY


def init_app(app: Flask, provider: Provider | None) -> None:
    """Give the app its payment service provider; None where nothing can be paid."""
    app.extensions["jay.psp"] = provider


def provider() -> Provider:
    """Return the current app's payment service provider.

    :raises PaymentUnavailable: none is set up.
    """
    found: Provider | None = current_app.extensions["jay.psp"]
    if found is None:
        raise PaymentUnavailable
    return found


def _psp_of(session: Session) -> Provider:
    """Return the provider that a session is paid at.

    :raises PaymentUnavailable: it is not the one that is set up any more.
    """
    found = provider()
    if found.name != session.provider:
        raise PaymentUnavailable
    return found


def budgets_of(user: User) -> list[tuple[str, str]]:
    """Return what limits a user's checkouts; edges ask it before they look at what was sent."""
    return [(CHECKOUTS, f"{user.partner_id} {user.user_id}")]


def start(
    user: User,
    asked: Asked,
    *,
    said: Said = NOTHING_SAID,
    go_on: bool = False,
    tracking: Tracking = NOTHING,
) -> Payable:
    """Start a checkout of the user's cart, or go on with the one that was started for it.

    What was said in a checkout that another cart replaces holds for the new one, too.

    :param said: who buys, as far as it is said by now; it may be said later, and anew (``tell``).
    :param go_on: with one of the same cart however it was asked for, as on the phone with what
        was started on the TV.
    :raises Wrong: a merchant of it does not deliver there.
    :raises CartEmpty: MixedCurrency, CheckoutPaying, PaymentUnavailable, PaymentRefused,
        PaymentProviderUnavailable
    """
    with db.reading() as connection:
        asked = sessions.in_its_mode(connection, user, asked)
    if not provider().is_ready(test=asked.test):  # before anything is reserved
        raise PaymentUnavailable
    known = NOBODY
    for attempt in range(TRIES):
        now = web.now()
        with db.reading() as connection:
            draft = sessions.draft(connection, user, asked, now=now)
            unfinished = sessions.active_of(connection, draft.basket)
        if unfinished is not None and _is_elsewhere(unfinished):
            _abandon(unfinished)
            continue
        if unfinished is not None:
            kept = unfinished.state is SessionState.PAYING or unfinished.expires > now
            if kept and unfinished.is_for(draft.fingerprint, asked_alike=not go_on):
                # Its payment may have been cancelled, or made, since it was looked at.
                waits = unfinished.intent_id is None or settle(unfinished.order_no) in ACTIVE
                if waits and _tell(unfinished, said) is not None:
                    return _payable(_spoken(unfinished, draft, asked) if go_on else unfinished)
                continue
            known = _contact(unfinished.order_no)
            # The old intent is cancelled before a new one is handed out.
            stop(unfinished)
            continue
        try:
            last = attempt >= LOOKED_AGAIN
            contact = _delivered(draft, known, said)
            made = _start(user, draft, asked, contact, tracking=tracking, now=now, last=last)
        except CartChanged:
            continue
        if made is not None:
            return _payable(made, contact)
    raise Busy


def _spoken(session: Session, draft: Draft, asked: Asked) -> Session:
    """Return a session that the phone goes on with, in the phone's own language."""
    if asked.lang is None or asked.lang == session.lang:
        return session
    db.write(sessions.speak, session, draft.sellers, asked.lang)
    return _stored(session.order_no) or session


def _is_elsewhere(session: Session) -> bool:
    """Tell whether a session is paid at a provider that is not set up any more."""
    psp: Provider | None = current_app.extensions["jay.psp"]
    return psp is None or psp.name != session.provider


def _abandon(session: Session) -> None:
    """End a session of which nobody can be asked: its shopper must not be locked out.

    Should it have been paid there, ``orders reconcile`` names it.
    """
    if db.write(sessions.end, session, SessionState.ABORTED, now=web.now()):
        log.error("checkout of another provider ended", order=session.order_no)


def _delivered(draft: Draft, known: Contact, said: Said) -> Contact:
    """Return who buys; of what was said of another cart, not where nobody delivers now.

    :raises Wrong: what is said now.
    """
    contact = replace(known, **said)
    problems = undelivered(contact, draft.reached)
    if not problems:
        return contact
    if contact.goes_to in said.values():
        raise Wrong(problems)
    return replace(contact, billing=None, shipping=None)


def _start(
    user: User,
    draft: Draft,
    asked: Asked,
    contact: Contact,
    *,
    tracking: Tracking,
    now: datetime,
    last: bool,
) -> Session | None:
    sessions.sums_of(draft)  # before anything is reserved
    order_no = new_order_no(draft.basket.routing_key)
    until = now + RESERVED_BEFORE_FROZEN
    missing = []
    if not asked.test:  # what is only tried out keeps nothing from those who buy
        missing = db.write(stock.reserve, order_no, draft.positions, until=until, now=now)
    if missing and not last:
        # It may be the user's own: another start of the same cart, which is stored soon.
        db.write(stock.release, order_no)
        time.sleep(PAUSE_SECONDS)
        return None
    if missing:
        draft = sessions.without(draft, missing)
    try:
        stored = db.write(
            sessions.freeze,
            user,
            draft,
            order_no,
            asked,
            provider=provider().name,
            contact=contact,
            secret=web.settings().secret_key,
            now=now,
            tracking=tracking,
        )
    except OutcomeUnknown:
        raise  # it may be stored, and then needs what is reserved; else that runs out
    except Exception:
        db.write(stock.release, order_no)
        raise
    if stored is None:
        db.write(stock.release, order_no)
    return stored


def _stored(order_no: str) -> Session | None:
    with db.reading() as connection:
        return sessions.find(connection, order_no)


def _payable(session: Session, contact: Contact | None = None) -> Payable:
    secret = web.settings().secret_key
    found = sessions.how_to_pay(session, secret=secret)
    if found is None:
        opened = _open(session)
        session = db.write(sessions.record_intent, session, opened, secret=secret)
        found = opened.client_secret, opened.payment_url
    if contact is None:
        contact = _contact(session.order_no)
    return Payable(session, *found, contact)


def _open(session: Session) -> Opened:
    """Have the provider make the payment of a session; where it refuses, the session ends.

    :raises PaymentRefused: PaymentUnavailable, PaymentProviderUnavailable
    """
    psp = _psp_of(session)
    try:
        return psp.open(
            Purchase(
                reference=session.order_no,
                amount=session.amount,
                currency=session.currency,
                lang=session.lang,
                test=session.test,
                return_url=_back_to(session.order_no),
            )
        )
    except (PaymentRefused, PaymentUnavailable) as error:
        # Nothing can be paid, and nobody may be kept waiting for it: a cart can be changed.
        log.warning("payment refused", order=session.order_no, reason=error.details)
        db.write(sessions.end, session, SessionState.ABORTED, now=web.now())
        raise


def _back_to(order_no: str) -> str:
    return f"{web.settings().public_url}/checkout/return/{order_no}"


def _contact(order_no: str) -> Contact:
    with db.reading() as connection:
        return contacts.find(connection, order_no, secret=web.settings().secret_key)


def _tell(session: Session, said: Said) -> Contact | None:
    if not said:
        return NOBODY
    secret = web.settings().secret_key
    return db.write(sessions.tell, session, said, secret=secret, now=web.now())


def tell(user: User, said: Said) -> Payable:
    """Note who buys and where it goes, in the user's active checkout.

    :raises CheckoutNotFound: there is none.
    :raises CheckoutPaying: it is being paid for, and something else was said before.
    :raises Wrong: a merchant of it does not deliver there.
    """
    found = current(user)
    contact = _tell(found.session, said)
    if contact is None:
        raise CheckoutNotFound
    return replace(found, contact=contact) if said else found


def current(user: User) -> Payable:
    """Return the user's active checkout.

    :raises CheckoutNotFound: there is none.
    """
    with db.reading() as connection:
        found = sessions.active(connection, user, now=web.now())
    # The worker may be late, and a start may have died halfway: starting again mends both.
    if found is None or (found.state is SessionState.OPEN and found.expires <= web.now()):
        raise CheckoutNotFound
    how = sessions.how_to_pay(found, secret=web.settings().secret_key)
    if how is None:
        raise CheckoutNotFound
    return Payable(found, *how, _contact(found.order_no))


def to_finish(user: User, *, ordered: bool) -> str | None:
    """Return the order number of the checkout that a client means to finish; None: it is paid.

    :raises NoActiveCheckout: there is none.
    """
    now = web.now()
    with db.reading() as connection:
        found = sessions.unfinished_or_paid(connection, user, since=now - JUST_PAID, now=now)
    if found is not None and found.state in ACTIVE:
        return found.order_no
    # A webhook may have been quicker than the client.
    if ordered and found is not None:
        return None
    raise NoActiveCheckout


def finish(order_no: str, *, ordered: bool) -> None:
    """Hear from the client that it is done: ask the provider, or abort. It may be said again.

    :raises CheckoutPaying: it was to be aborted, and it is not known yet whether that is possible.
    """
    if ordered:
        settle(order_no)
        return
    found = _stored(order_no)
    if found is not None and found.state in ACTIVE:
        stop(found)


def stop(session: Session) -> None:
    """End a session without an order: its payment is cancelled first, and may have won.

    :raises CheckoutPaying: it is being paid at this moment, and not known yet how that ends.
    """
    if _is_elsewhere(session):
        _abandon(session)
        return
    if session.intent_id is None:
        # It may have been made, and not recorded: the same reference gives the same one.
        try:
            session = _payable(session).session
        except (PaymentRefused, PaymentUnavailable):
            return  # there is none, and the session has ended
    assert session.intent_id is not None  # noqa: S101 - for the type checker
    cancelled = _psp_of(session).cancel(session.intent_id, test=session.test)
    if _apply(session, cancelled) is not None:
        return
    found = _stored(session.order_no)
    if found is not None and found.state in ACTIVE:
        raise CheckoutPaying


def settle(order_no: str) -> SessionState | None:
    """Ask the provider how far a payment is, and do what follows from it.

    :returns: the state of the session then; None where there is no such session.
    """
    session = _stored(order_no)
    if session is None:
        return None
    if session.state is SessionState.PAID or not session.state.is_known:
        return session.state  # the latter is the business of a later version, which knows it
    if _is_elsewhere(session):
        if session.state in ACTIVE and session.expires <= web.now():
            _abandon(session)
            return SessionState.ABORTED
        return session.state
    if session.intent_id is not None:
        intent = _psp_of(session).find(session.intent_id, test=session.test)
        if intent is not None:
            became = _apply(session, intent)
            if became is not None:
                return became
        elif session.state in ACTIVE and session.expires <= web.now():
            # Nothing can be paid that is not there; but where has it gone?
            log.error("payment intent vanished", order=session.order_no)
            db.write(sessions.end, session, SessionState.EXPIRED, now=web.now())
    found = _stored(order_no)
    return None if found is None else found.state


def failure_of(session: Session) -> str | None:
    """Return why the last attempt to pay has failed, the provider's code; None: none has.

    It is no more than a word for the shopper: where the provider does not answer, none is said.
    """
    if session.intent_id is None:
        return None
    try:
        intent = _psp_of(session).find(session.intent_id, test=session.test)
    except (PaymentProviderUnavailable, PaymentUnavailable):
        return None
    return None if intent is None else intent.failure


def settle_intent(intent_id: str, *, test: bool) -> None:
    """Settle the session of an intent that a webhook was about; others' are none of ours.

    A second intent of a session is let go of, and its money goes back: it can never be an order's.

    :param test: the mode of the provider that told.
    """
    psp = provider()
    intent = psp.find(intent_id, test=test)
    if intent is None or typed_order_no(intent.reference) != intent.reference:
        return
    session = _stored(intent.reference)
    if session is None or session.provider != psp.name:
        return  # of another installation that has the same account
    if not _is_own(session, intent):
        _let_go(intent, test=test)
        return
    if session.state is SessionState.PAID:
        if intent.refunded < intent.captured:
            failed = psp.failed_refunds(intent.id, test=test)
            intent = replace(intent, failed_refunds=failed)
        db.write(sessions.follow, session, intent, now=web.now())
    else:
        settle(intent.reference)


def _is_own(session: Session, intent: Intent) -> bool:
    """Tell whether an intent is the one that the session's shopper was given to pay."""
    if session.intent_id is None:
        return False  # nobody was given one, or could pay it
    if session.intent_id == intent.id:
        return True
    own = _psp_of(session).find(session.intent_id, test=session.test)
    return own is not None and own.is_same_as(intent)


def _let_go(intent: Intent, *, test: bool) -> None:
    psp = provider()
    if intent.status in {IntentStatus.OPEN, IntentStatus.PROCESSING, IntentStatus.AUTHORISED}:
        intent = psp.cancel(intent.id, test=test)
    left = intent.captured - intent.refunded
    if left:
        psp.refund(intent.id, amount=left, reason="no-order", test=test)
        log.error("payment refunded", order=intent.reference, reason=SECOND)


def _apply(session: Session, intent: Intent) -> SessionState | None:
    """Do what follows from how far a payment is; return the final state that this has led to."""
    now = web.now()
    if intent.status is IntentStatus.AUTHORISED:
        intent = _decide(session, intent, now)
    if intent.status is IntentStatus.CAPTURED:
        return SessionState.PAID if _captured(session, intent, now) else None
    if intent.status is IntentStatus.CANCELLED:
        # By us, or by the provider, as an authorisation does not last: nothing is paid.
        ended = SessionState.EXPIRED if session.expires <= now else SessionState.ABORTED
        return ended if db.write(sessions.end, session, ended, now=now) else None
    return None


def _decide(session: Session, intent: Intent, now: datetime) -> Intent:
    """Capture what was authorised for a session that waits for it; let go of anything else."""
    psp = _psp_of(session)
    right = (intent.amount, intent.currency) == (session.amount, session.currency)
    # What is held no longer could only be captured by mistake.
    right = right and (intent.capture_before is None or intent.capture_before > now)
    if right and db.write(sessions.begin_paying, session.order_no, now=now):
        return psp.capture(intent.id, test=session.test)
    found = _stored(session.order_no)
    if right and found is not None and found.state is SessionState.PAYING:
        # Somebody else has decided so, and may have died before it was done.
        return psp.capture(intent.id, test=session.test)
    return psp.cancel(intent.id, test=session.test)


def _captured(session: Session, intent: Intent, now: datetime) -> bool:
    """Make the order, or see that there is one; else the money goes back."""
    right = (intent.captured, intent.currency) == (session.amount, session.currency)
    secret = web.settings().secret_key
    if right and db.write(sessions.complete, session, intent, secret=secret, now=now):
        return True
    found = _stored(session.order_no)
    if found is not None and found.state is SessionState.PAID:
        return True
    # No order can be made of it: the money goes back at once, and somebody has to look.
    reason = TOO_LATE if right else WRONG_AMOUNT
    left = intent.captured - intent.refunded
    if left:
        _psp_of(session).refund(intent.id, amount=left, reason="no-order", test=session.test)
        log.error("payment refunded", order=session.order_no, reason=reason)
    if not right:
        db.write(sessions.end, session, SessionState.ABORTED, now=now)
    return False


def pay_stored(order_no: str, *, customer: str, token: str) -> tuple[Payable, Intent | None]:
    """Let what a shopper has stored at the provider pay a started checkout, once.

    :returns: the checkout then, and what has become of the payment; None where it was paid before.
    :raises NoActiveCheckout: it has ended.
    :raises PaymentUnavailable: PaymentRefused, PaymentProviderUnavailable
    """
    session, intent = _stored(order_no), None
    if session is not None and session.state in ACTIVE and session.intent_id is not None:
        intent = _psp_of(session).pay_stored(
            session.intent_id,
            customer=customer,
            token=token,
            return_url=_back_to(order_no),
            test=session.test,
        )
        _apply(session, intent)
        session = _stored(order_no)
    if session is None or session.state not in {*ACTIVE, SessionState.PAID}:
        raise NoActiveCheckout
    return _payable(session), intent
