"""Several declarations about one part: the earliest counts, and the whole is recorded once."""

from datetime import timedelta
from itertools import count

from flask.testing import FlaskClient

from jay import db
from jay.orders import withdrawals
from jay.orders.models import Happening
from jay.orders.withdrawals import Declaration
from tests.api.desk import EMAIL, Desk
from tests.api.test_checkout import at_once
from tests.api.test_withdrawal import declare, parts_of, typed
from tests.builders import Shop, User
from tests.cli.conftest import runner_of
from tests.clock import NOON
from tests.conftest import SECRET


def test_the_14_days_count_from_the_earliest_declaration(
    client: FlaskClient, desk: Desk, alice: User, shop: Shop
) -> None:
    run = runner_of(desk.app)
    order_no = desk.buy(alice, (shop.product("mug", name="Tasse"), 1), (shop.product("hat"), 1))

    def declare_unclear() -> str:
        declare(client, "/withdraw", typed("what I bought"))
        return run("orders", "withdrawals").output.split()[0]

    def due_after(identifier: str) -> timedelta | None:
        assert run("orders", "withdraw", identifier, order_no).exit_code == 0
        (part,) = parts_of(desk, order_no)
        return None if part.refund_due is None else part.refund_due - NOON - timedelta(days=14)

    first = declare_unclear()
    desk.clock.move(3600)
    second = declare_unclear()
    desk.clock.move(3600)
    declare(client, "/withdraw", typed(order_no, products="Tasse"))
    assert due_after(second) == timedelta(hours=1)
    desk.clock.move(3600)
    late = declare_unclear()
    assert due_after(late) == timedelta(hours=1)
    # All of it is withdrawn from already, and yet it was declared before.
    assert due_after(first) == timedelta(0)
    (part,) = parts_of(desk, order_no)
    assert part.changed == desk.clock()
    told = [event.details for event in part.events if event.kind is Happening.WITHDRAWN]
    assert told == [{"lines": {"1": 1}}, {}]


def test_however_many_withdraw_at_once_it_is_recorded_once(
    desk: Desk, client: FlaskClient, alice: User, shop: Shop
) -> None:
    order_no = desk.buy(alice, (shop.product("mug", name="Tasse"), 1), (shop.product("hat"), 1))
    declare(client, "/withdraw", typed(order_no, products="Tasse"))
    numbers = count()
    said = Declaration("Ada Lovelace", EMAIL, order_no, "")

    def withdraw() -> None:
        with desk.app.app_context(), db.transaction() as connection:
            number = f"n-{next(numbers)}"
            withdrawals.declare(
                connection, said, number, lang="en", secret=SECRET, now=desk.clock()
            )

    at_once(6, withdraw)

    (part,) = parts_of(desk, order_no)
    told = [event.details for event in part.events if event.kind is Happening.WITHDRAWN]
    assert told == [{"lines": {"1": 1}}, {}]
