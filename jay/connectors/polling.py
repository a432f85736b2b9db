"""Reading back what merchants do in their shops: parcels, refunds, cancelled orders.

Each of them is noted in one transaction with the mark that it was, so that it is noted once however
often a shop tells it and however many processes ask.
"""

from collections.abc import Callable
from decimal import Decimal

import structlog
from sqlalchemy import Connection

from jay import db, web
from jay.connectors import handed, twins
from jay.connectors.calling import Calls
from jay.connectors.handed import Handed
from jay.connectors.handing import SHOPS
from jay.connectors.interface import NOT_THERE, UNKNOWN_FORM, GivenBack, InShop, Problem, Sent
from jay.errors import JayError
from jay.i18n import minor_digits
from jay.merchants import connectors
from jay.net.client import Client
from jay.orders import events, refunding, service, steps
from jay.orders.models import Actor, Movement, Parcel, PartNo, PartState
from jay.orders.steps import Wanted
from jay.sealing import WrongKey

log = structlog.get_logger()

AT_ONCE = 50
CANCELLED = "cancelled"


def once() -> bool:
    """Ask the shop of one merchant about what is due.

    :returns: whether there may be more.
    """
    now = web.now()
    with db.reading() as connection:
        found = handed.due(connection, limit=AT_ONCE, now=now)
    if not found:
        return False
    mine = db.write(handed.take, found, now=now)
    try:
        _ask(mine)
    except Problem as problem:
        log.warning("shop not read", merchant=found[0].merchant_id, reason=problem.failure)
    except UNKNOWN_FORM:
        log.exception("shop not understood", merchant=found[0].merchant_id)
    return True


def _ask(mine: list[Handed]) -> None:
    if not mine:
        return
    settings = web.settings()
    try:
        with db.reading() as connection:
            shop = connectors.shop_of(connection, mine[0].merchant_id, secret=settings.secret_key)
    except WrongKey as error:
        raise Problem("its credentials were sealed with another JAY_SECRET_KEY") from error
    # What lies in the shop of before is followed no more: its ids are others' here.
    mine = [one for one in mine if shop and (one.kind, one.address) == (shop.kind, shop.address)]
    if shop is None or not mine:
        return
    made = SHOPS[shop.kind].make(shop.address, shop.credentials, Calls(Client(settings.reachable)))
    lying = {one.shop_id: one for one in mine}
    for order in made.read(list(lying)):
        one = lying.get(order.id)
        if one is None:
            continue
        if order.odd or order.part_no != str(one.part_no):
            db.write(handed.note_problem, one.part_no, order.odd or NOT_THERE)
        else:
            _note(one, order)


def _note(one: Handed, order: InShop) -> None:
    """Note what is new; what can't be noted is kept with its reason, and tried again."""
    works: list[tuple[str, Callable[[Connection], None]]] = [
        *((f"sent {sent.id}", _shipped(one, sent)) for sent in order.sent),
        *((f"refund {back.id}", _refunded(one, back)) for back in order.given_back),
    ]
    if order.cancelled:
        # What was refunded with it is in the refund of what is cancelled here.
        works = [(CANCELLED, _cancelled(one)), *works]
    for what, work in works:
        if what in one.seen:
            continue
        try:
            db.write(_once, one.part_no, what, work)
        except (JayError, steps.NotInPart) as error:
            told = error.message if isinstance(error, JayError) else "a SKU is not in the order"
            log.warning("shop not followed", part=str(one.part_no), what=what, reason=told)
            db.write(handed.note_problem, one.part_no, f"{what}: {told}")
    refunding.settle(one.part_no.order_no)


def _once(
    connection: Connection, part_no: PartNo, what: str, work: Callable[[Connection], None]
) -> None:
    if handed.see(connection, part_no, what):
        work(connection)


def _state(connection: Connection, part_no: PartNo) -> PartState | None:
    part = service.find_part(connection, part_no)
    return None if part is None else part.state


def _shipped(one: Handed, sent: Sent) -> Callable[[Connection], None]:
    def work(connection: Connection) -> None:
        by, now = Actor.MERCHANT, web.now()
        state = _state(connection, one.part_no)
        if sent.pieces is None and state not in {PartState.NEW, PartState.ACCEPTED}:
            return  # all of it is on its way, or over, already
        if state is PartState.NEW:
            steps.accept(connection, one.part_no, merchant=one.merchant_id, by=by, now=now)
        wanted = None
        if sent.pieces is not None:
            wanted = [Wanted(sku, count) for sku, count in sent.pieces.items()]
        parcel = None
        if sent.carrier or sent.number or sent.url:
            parcel = Parcel(0, sent.carrier, sent.number, sent.url)
        steps.ship(
            connection, one.part_no, wanted, parcel, merchant=one.merchant_id, by=by, now=now
        )

    return work


def _refunded(one: Handed, back: GivenBack) -> Callable[[Connection], None]:
    def work(connection: Connection) -> None:
        events.lock(connection, one.part_no, now=web.now())  # nobody refunds it meanwhile
        part = service.find_part(connection, one.part_no)
        if part is None or part.state is PartState.CANCELLED:
            return  # its money has gone back with that
        if handed.saw(connection, one.part_no, CANCELLED):
            # So has that of the pieces that had not been shipped.
            told = "went back with what was cancelled; if it is for more, refund that here"
            events.doubt(connection, one.part_no, f"refund {back.id}: {told}")
            return
        amount = int(back.amount * Decimal(10) ** minor_digits(back.currency))
        if amount <= 0 or back.currency != part.order.currency:
            return
        seen = handed.seen_of(connection, one.part_no)
        same = twins.find(part, back.note, amount, seen, since=one.handed)
        booked = [_refund(connection, one, amount)] if same.owed else same.refunds
        for each in booked:
            handed.see(connection, one.part_no, twins.mark_of(each))
        if same.told is not None:
            events.doubt(connection, one.part_no, f"refund {back.id}: {same.told}")

    return work


def _refund(connection: Connection, one: Handed, amount: int) -> Movement:
    return steps.refund(
        connection,
        one.part_no,
        amount,
        None,
        reason=twins.REASON,
        merchant=one.merchant_id,
        by=Actor.MERCHANT,
        now=web.now(),
    )


def _cancelled(one: Handed) -> Callable[[Connection], None]:
    def work(connection: Connection) -> None:
        if _state(connection, one.part_no) is PartState.CANCELLED:
            return
        steps.cancel(
            connection,
            one.part_no,
            None,
            merchant=one.merchant_id,
            by=Actor.MERCHANT,
            now=web.now(),
        )

    return work
