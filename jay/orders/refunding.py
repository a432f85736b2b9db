"""Making movements of money: taken in one transaction, made at the provider, recorded in another.

Any number of processes may do so at the same time. What a crash has left is made by the worker,
under the same id, by which the provider makes it once.
"""

import structlog

from jay import db, web
from jay.checkout import flow
from jay.errors import JayError, PaymentRefused, PaymentUnavailable
from jay.orders import refunds
from jay.orders.models import Money
from jay.orders.refunds import Due

log = structlog.get_logger()

AT_ONCE = 20


def settle(order_no: str) -> None:
    """Make what is to be made of an order; what can't be made now is left to the worker."""
    with db.reading() as connection:
        due = refunds.due(connection, limit=AT_ONCE, now=web.now(), order_no=order_no)
    for each in due:
        _make(*each)


def once() -> bool:
    """Make what is due now, a few of them.

    :returns: whether there may be more.
    """
    with db.reading() as connection:
        due = refunds.due(connection, limit=AT_ONCE, now=web.now())
    for each in due:
        _make(*each)
    return len(due) == AT_ONCE


def _make(order_no: str, identifier: str) -> None:
    try:
        taken = db.write(refunds.take, order_no, identifier, now=web.now())
        if taken is not None:
            _made(taken)
    except JayError as error:
        log.warning("refund waits", order=order_no, refund=identifier, error=error.constant())
    except Exception:
        # One that can't be dealt with must not keep the others waiting, now and for ever.
        log.exception("refund failed", order=order_no, refund=identifier)


def _made(taken: Due) -> None:
    movement = taken.movement
    try:
        provider_id = _call(taken)
    except PaymentRefused as error:
        if db.write(refunds.failed, movement, now=web.now()):
            log.error(
                "money not moved",
                kind=movement.kind,
                part=str(movement.part_no),
                id=movement.id,
                reason=error.details,
            )
        return
    db.write(refunds.made, movement, provider_id=provider_id, now=web.now())


def _call(taken: Due) -> str | None:
    movement, psp = taken.movement, flow.provider()
    if psp.name != taken.provider:
        raise PaymentUnavailable
    if movement.kind is Money.REFUND:
        psp.refund(taken.intent_id, amount=movement.amount, reason=movement.id, test=taken.test)
        return None
    if movement.kind is Money.TRANSFER:
        if taken.account is None:
            raise PaymentRefused("no_account")
        return psp.transfer(
            taken.intent_id,
            part=str(movement.part_no),
            account=taken.account,
            amount=movement.amount,
            test=taken.test,
        ).id
    if taken.transfer is None:
        raise PaymentRefused("no_transfer")
    psp.reverse(taken.transfer, amount=movement.amount, reason=movement.id, test=taken.test)
    return None
