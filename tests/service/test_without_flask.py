"""Every service works without Flask: in workers, in commands, in tests, wherever a connection is.

Each public function of each file that is a service is called here with nothing but a connection
and plain values. What is handed in is found by the parameter's name, or by the function's where one
name means several things: a new parameter needs a value here.
"""

import importlib
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from types import GeneratorType, SimpleNamespace
from typing import Any

import pytest
from flask import has_app_context
from sqlalchemy import Connection, delete, select

from jay.auth.models import User, signing_keys
from jay.baskets import service as baskets
from jay.baskets.models import Basket, Entry
from jay.baskets.models import baskets as baskets_table
from jay.checkout import notices, sessions
from jay.checkout.addresses import NOBODY
from jay.checkout.models import LIFETIME, Session, SessionState
from jay.checkout.order_numbers import new_order_no
from jay.checkout.providers.interface import Intent, IntentStatus, Opened, ProviderNotice, Purchase
from jay.checkout.sandbox import service as sandbox
from jay.checkout.sandbox.models import Card
from jay.checkout.sessions import Asked
from jay.db.database import Database
from jay.errors import JayError
from jay.events import Event, EventType, Tracking
from jay.feeds import checkpoints, pulls
from jay.feeds.models import FAILED, Pulled
from jay.legal import service as legal
from jay.legal.models import THE_OPERATOR, Kind, Notice
from jay.merchants import service as merchants
from jay.merchants.models import Feed, Merchant, OrderSecret
from jay.operators import service as operators
from jay.ops import alarms, demo_catalogue
from jay.ops.clocks import AHEAD
from jay.ops.purge import EXPIRED
from jay.ops.removal import PARTNER
from jay.ops.reseal import SEALED
from jay.orders import refunds, withdrawals
from jay.orders import service as orders
from jay.orders.models import (
    Actor,
    Attention,
    Happening,
    Money,
    Movement,
    Order,
    OrderPart,
    Parcel,
    PartNo,
    order_parts,
)
from jay.orders.steps import Wanted
from jay.outbox.models import DeliveryResult, Destination, Message
from jay.outbox.service import Taken
from jay.outbox.webhooks import ADD_PRODUCT, lane_of
from jay.partners import service as partners
from jay.partners.models import Partner
from jay.privacy.erasing import Customer, StillNeeded
from jay.privacy.finding import Account, Traces
from jay.products import feeding, stock
from jay.products import service as catalogue
from jay.products.catalogue import Filters
from jay.products.models import Product, products
from jay.sealing import Seal, WrongKey
from jay.transfers import service as transfers
from jay.transfers.models import PurchaseState, Transfer
from tests.builders import complete
from tests.clock import NOON
from tests.conftest import SECRET, empty
from tests.service.picture_values import PICTURES
from tests.unit.test_house import KINDS, SERVICE

FEED = Feed("https://shop.example/feed.csv")


def functions() -> Iterator[tuple[str, Callable[..., Any]]]:
    for name in KINDS[SERVICE].split():
        module = importlib.import_module(f"jay.{name.replace('/', '.')}")
        for attribute, value in vars(module).items():
            own = inspect.isfunction(value) and value.__module__ == module.__name__
            if own and not attribute.startswith("_"):
                yield f"{name}.{attribute}", value


FUNCTIONS = dict(functions())


@dataclass
class World:
    """What the functions are about."""

    connection: Connection
    partner: Partner
    merchant: Merchant
    user: User
    guest: User
    product: str
    basket: Basket
    offer: transfers.StartedTransfer
    transfer: Transfer
    import_: checkpoints.Import


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    database = Database(database_url)
    with database.transaction() as connection:
        empty(connection)
        connection.execute(delete(signing_keys))
        yield made_in(connection)
        connection.rollback()
    database.dispose()


def made_in(connection: Connection) -> World:
    number = merchants.add_merchant(
        connection, name="shop", lang="de", country="DE", currency="EUR", now=NOON
    )
    complete(connection, number)
    merchant = merchants.merchant_by_id(connection, number)
    partner_id = partners.add_partner(connection, name="kino", now=NOON)
    partner = partners.partner_by_id(connection, partner_id)
    product = feeding.put_product(
        connection,
        merchant,
        now=NOON,
        sku="mug",
        name="Mug",
        volatile={"price": 1250, "stock_count": 9, "currency": "EUR", "vat": 19.0},
        description={},
    ).id
    user = User(partner_id, "alice", guest=False, basket=None, expires=0)
    guest = User(partner_id, "g-1", guest=True, basket=None, expires=0)
    baskets.start_guest(connection, guest, {product: 1}, now=NOON)
    baskets.assign(connection, user, product, count=1, context=baskets.Context(NOON))
    offer = transfers.start(connection, user, partner, now=NOON)
    transfer = transfers.find_by_token(connection, offer.secrets.jay_token, now=NOON)
    basket = baskets.open_for_writing(connection, user, now=NOON)
    legal.put(connection, THE_OPERATOR, Kind.TERMS, "de", url=None, text="text", now=NOON)
    operators.add(connection, name="olga", password_hash="x", merchant=None, now=NOON)
    import_, _given_up = checkpoints.begin(
        connection, merchant, fingerprint="f", file="f.csv", as_of=1, now=NOON
    )
    return World(
        connection, partner, merchant, user, guest, product, basket, offer, transfer, import_
    )


def taken(w: World) -> Taken:
    lane = lane_of(w.merchant.id, ADD_PRODUCT)
    message = Message(1, ADD_PRODUCT.name, lane, w.merchant.id, "shop", "mug", "key", None, NOON, 1)
    return Taken(message, ADD_PRODUCT, Destination("http://localhost/"), 0, "lease")


def pull(w: World) -> pulls.Pull:
    found = pulls.take(w.connection, w.merchant.id, now=NOON, feed=FEED)
    assert found is not None
    return found


def wanted(w: World) -> list[tuple[Product, int]]:
    found = catalogue.find(w.connection, w.product, now=NOON)
    assert found is not None
    return [(found, 1)]


DECLARED = withdrawals.Declaration("Ada", "ada@example.com", "J2222", "")
WITHDRAWAL = withdrawals.Withdrawal(-1, "w-1", None, [], None, DECLARED, "de", NOON, NOON)
ASKED = Asked(test=True, lang="de", country="DE")
INTENT = Intent("pi_1", "J2", IntentStatus.CAPTURED, 1000, "EUR", captured=1000)
PURCHASE = Purchase("J2", 1000, "EUR", lang="de", test=True, return_url="http://localhost")


def drafted(w: World) -> sessions.Draft:
    return sessions.draft(w.connection, w.user, ASKED, now=NOON)


def session(w: World) -> Session:
    order_no = reserved(w)
    more = {"contact": NOBODY, "secret": SECRET, "now": NOON, "tracking": Tracking()}
    sessions.freeze(w.connection, w.user, drafted(w), order_no, ASKED, provider="sandbox", **more)
    stored = sessions.find(w.connection, order_no)
    assert stored is not None
    return stored


def ordered(w: World) -> Order:
    paid = session(w)
    orders.make(w.connection, paid, INTENT, secret=SECRET, now=NOON)
    made = orders.find(w.connection, paid.order_no)
    assert made is not None
    return made


def traces_of_order(w: World) -> Traces:
    return Traces(Account(w.partner.id, "alice"), (ordered(w).order_no,), (), (), (WITHDRAWAL,), ())


def reserved_refund(w: World) -> Movement:
    part_no = PartNo(ordered(w).order_no, 1)
    return refunds.reserve(w.connection, part_no, 1, by=Actor.MERCHANT, now=NOON)


VALUES: dict[str, Callable[[World], Any]] = {
    "amount": lambda _: 1,
    "asked": lambda _: ASKED,
    "attention": lambda _: Attention.DISPUTED,
    "by": lambda _: Actor.MERCHANT,
    "unclear": lambda _: withdrawals.Unclear.EMAIL,
    "order": ordered,
    "kept": lambda _: [OrderSecret("whsec_x")],
    "back": lambda w: {w.product: 1},
    "movement": reserved_refund,
    "parcel": lambda _: Parcel(0, "DHL"),
    "part_no": lambda w: PartNo(ordered(w).order_no, 1),
    "card": lambda _: Card(),
    "contact": lambda _: NOBODY,
    "draft": drafted,
    "intent": lambda _: INTENT,
    "last_four": lambda _: "4242",
    "missing": lambda w: [w.product],
    "said": lambda _: {"email": "zoe@example.org"},
    "heard": lambda _: notices.Waiting("sandbox", "evt_1", "pi_1"),
    "order_nos": lambda w: [new_order_no(w.basket.routing_key)],
    "rows": lambda w: w.connection.execute(select(order_parts)).all(),
    "order_no": lambda w: new_order_no(w.basket.routing_key),
    "since": lambda _: NOON,
    "told": lambda _: "refund 7: not paid",
    "provider": lambda _: "sandbox",
    "purchase": lambda _: PURCHASE,
    "reason": lambda _: "no-order",
    "session": session,
    "state": lambda _: SessionState.ABORTED,
    "tracking": lambda _: Tracking(),
    "account": lambda _: "acct_1",
    "part": lambda _: "J2-1",
    "address": lambda _: "192.0.2.1",
    "after": lambda _: ("de", "DE", ""),
    "answer": lambda _: "sealed",
    "as_of": lambda _: 1,
    "basket": lambda w: w.basket,
    "became": lambda _: PurchaseState.PAYING,
    "code_hash": lambda w: w.transfer.code_hash,
    "batch": lambda _: 10,
    "began": lambda _: NOON,
    "bodies": lambda _: {"mug": "{}"},
    "bought": lambda w: {w.product: 1},
    "catalogue": lambda _: demo_catalogue.products("http://localhost"),
    "changes": lambda _: {"display_name": "Kino"},
    "connection": lambda w: w.connection,
    "context": lambda _: baskets.Context(NOON),
    "count": lambda _: 1,
    "country": lambda _: "DE",
    "counts": lambda w: {w.product: 1},
    "currency": lambda _: "EUR",
    "description": lambda _: {},
    "display_token": lambda w: w.offer.secrets.display_token,
    "entry": lambda _: Entry("hat", 1, 900, "EUR"),
    "event": lambda w: Event(EventType.PRODUCT_ASSIGNED, NOON, w.partner.id, w.basket.routing_key),
    "expired": lambda _: EXPIRED[0],
    "file": lambda _: "file.csv",
    "feed": lambda _: FEED,
    "filters": lambda _: Filters(),
    "fingerprint": lambda _: "another",
    "found": lambda _: [],
    "guest": lambda w: w.guest,
    "identifier": lambda w: w.product,
    "identifiers": lambda w: [w.product],
    "ids": lambda _: [1],
    "import_": lambda w: w.import_,
    "items": lambda _: [{"sku": "mug", "price": 1}],
    "jitter": lambda _: lambda: 0.5,
    "kept_for": lambda _: timedelta(hours=24),
    "key": lambda _: "a-key-of-an-api",
    "key_hash": lambda _: "ab" * 32,
    "kid": lambda _: "jay-guest-1",
    "kind": lambda _: ADD_PRODUCT,
    "lane": lambda w: lane_of(w.merchant.id, ADD_PRODUCT),
    "kinds": lambda _: {ADD_PRODUCT.name: ADD_PRODUCT},
    "table": lambda _: baskets_table,
    "taken": taken,
    "lan_address": lambda _: None,
    "lang": lambda _: "de",
    "lease": lambda _: "lease",
    "limit": lambda _: 10,
    "lines": lambda w: [{"product_id": w.product, "count": 1}],
    "main_ids": lambda w: [w.product],
    "mains": lambda w: [w.product],
    "merchant": lambda w: w.merchant,
    "most": lambda _: 10,
    "name": lambda _: "other",
    "notice": lambda _: Notice(THE_OPERATOR, Kind.TERMS, "de", 1, None, NOON),
    "now": lambda _: NOON,
    "offset": lambda _: 0,
    "offer": lambda w: w.transfer.code_hash,
    "owners": lambda _: [THE_OPERATOR],
    "opened": lambda w: operators.account(w.connection, "olga"),
    "other": lambda w: w.guest,
    "other_id": lambda w: w.product,
    "outcome": lambda _: DeliveryResult(),
    "owner": lambda _: PARTNER,
    "partner": lambda w: w.partner,
    "password_hash": lambda _: "x",
    "place": lambda _: 0,
    "prefix": lambda _: "jay_ab",
    "product_id": lambda w: w.product,
    "product_ids": lambda w: [w.product, "unknown"],
    "progress": lambda _: "sealed",
    "public_url": lambda _: "http://localhost",
    "pull": pull,
    "pulled": lambda _: Pulled(FAILED, "It did not answer."),
    "puts": lambda _: [],
    "beginning": lambda _: "a-check",
    "reference": lambda _: "a-checkout",
    "request_hash": lambda _: "cd" * 32,
    "sealed": lambda _: Seal("something else", SECRET).close(b""),
    "routing_key": lambda w: w.basket.routing_key,
    "secret": lambda _: SECRET,
    "shared": lambda _: {},
    "sku": lambda _: "mug",
    "skus": lambda _: ["mug"],
    "stamp": lambda _: 1,
    "stock_id": lambda w: w.product,
    "stock_ids": lambda w: [w.product],
    "states": lambda _: ["waiting"],
    "subject": lambda _: "mug",
    "subjects": lambda _: ["mug"],
    "token": lambda w: w.offer.secrets.jay_token,
    "transfer": lambda w: w.transfer,
    "typed": lambda w: w.offer.secrets.user_code,
    "until": lambda _: NOON + timedelta(days=7),
    "text": lambda _: "text",
    "url": lambda _: None,
    "user": lambda w: w.user,
    "viewer_keys": lambda _: {"keys": []},
    "volatile": lambda _: {"price": 1},
    "wanted": wanted,
    "write": lambda w: lambda work: work(w.connection),
    "read": lambda w: lambda work: work(w.connection),
    "email": lambda _: "ada@example.com",
    "traces": traces_of_order,
    "problem": lambda _: "sent 1: it is over",
    "shop_id": lambda _: "gid://1",
    "what": lambda _: "sent 1",
    "credentials": lambda _: {"key": "k", "secret": "s"},
    "always": lambda _: True,
    "base": lambda _: {"content": 0.5, "unit": "l"},
    "percent": lambda _: 2.5,
    "price": lambda _: 1250,
    "sellers": lambda w: legal.sellers(w.connection, [w.merchant.id]),
    "stored": lambda _: {},
    "total": lambda _: 1250,
    "version": lambda _: 1,
    "why": lambda _: Attention.DISPUTED,
}


def reserved(w: World) -> str:
    order_no = new_order_no(w.basket.routing_key)
    positions = drafted(w).positions
    stock.reserve(w.connection, order_no, positions, until=NOON + LIFETIME, now=NOON)
    return order_no


def paid(w: World) -> str:
    """Return the sandbox's payment of a purchase, captured."""
    identifier = sandbox.open_intent(w.connection, PURCHASE, now=NOON)
    sandbox.pay(w.connection, identifier, "4242", Card(), now=NOON)
    sandbox.capture(w.connection, identifier, now=NOON)
    return identifier


def sent_back(w: World) -> str:
    """Return the sandbox's payment of a purchase, of which some has gone back."""
    identifier = paid(w)
    sandbox.refund(w.connection, identifier, 100, "r-1", now=NOON)
    return identifier


def shared_out(w: World) -> str:
    return sandbox.transfer(w.connection, paid(w), "J2-1", "acct_1", 1000).id


def part_bought(w: World) -> OrderPart:
    found = orders.find_part(w.connection, PartNo(ordered(w).order_no, 1))
    assert found is not None
    return found


BY_FUNCTION: dict[str, dict[str, Callable[[World], Any]]] = {
    **PICTURES,
    "products/former_prices.drop_from_rows": {"rows": lambda _: [], "default": lambda _: "EUR"},
    "products/former_prices.drop_of_variants": {
        "mains": lambda _: ["A"],
        "but": lambda _: (),
        "stamp": lambda _: 0,
        "always": lambda _: False,
    },
    "products/former_prices.in_another_currency": {"news": lambda _: {}},
    "products/former_prices.dropped_from_update": {"items": lambda _: {}, "news": lambda _: {}},
    "products/service.beside": {"query": lambda _: select(products), "table": lambda _: products},
    "products/wall.hangs": {"table": lambda _: products},
    "products/service.from_beside": {"row": lambda _: SimpleNamespace(id=None)},
    "checkout/sessions.freeze": {"order_no": reserved},
    "checkout/notices.store": {"heard": lambda _: ProviderNotice("evt_1", "something", "pi_1")},
    "checkout/sandbox/service.webhook_kind": {"address": lambda _: "http://localhost"},
    "baskets/offered.ends_with_basket": {"work": lambda _: lambda *_args, **_more: None},
    "checkout/sessions.follows_payments": {"work": lambda _: lambda *_args, **_more: None},
    "checkout/sandbox/service.transfer": {"identifier": paid, "amount": lambda _: 1000},
    "checkout/sandbox/service.refund": {"identifier": paid, "amount": lambda _: 1000},
    "checkout/sandbox/service.fail_refund": {"identifier": sent_back, "reason": lambda _: "r-1"},
    "checkout/sandbox/service.reverse": {"identifier": shared_out, "amount": lambda _: 1000},
    "checkout/sessions.makes_orders": {"work": lambda _: lambda *_args, **_more: None},
    **{
        f"orders/steps.{name}": {"wanted": lambda _: [Wanted("mug", 1)]}
        for name in ("ship", "cancel", "take_back", "refund")
    },
    "orders/events.hears": {"work": lambda _: lambda *_args: None},
    "orders/events.of_part": {"table": lambda _: order_parts},
    "orders/events.record": {"kind": lambda _: Happening.ACCEPTED},
    "orders/ledger.enter": {"kind": lambda _: Money.REFUND},
    "checkout/sessions.record_intent": {
        "opened": lambda _: Opened("pi_1", "secret", "http://localhost/pay", "pk")
    },
    "auth/service.issue_key": {"partner": lambda w: w.partner.id},
    "auth/service.store_key": {"partner": lambda w: w.partner.id},
    "baskets/service.start_guest": {
        "user": lambda w: User(w.partner.id, "g-2", guest=True, basket=None, expires=0)
    },
    "baskets/offered.basket_by_id": {"identifier": lambda w: w.basket.id},
    "baskets/service.event_of": {"kind": lambda _: EventType.BASKET_CREATED},
    "baskets/offered.is_kept": {"identifier": lambda w: w.basket.id},
    "baskets/offered.note_claim": {"identifier": lambda w: w.basket.id},
    "baskets/offered.withdraws_offers": {"work": lambda _: transfers.cancel},
    "ops/alarms.tell": {"found": lambda _: alarms.Open(alarms.Alarm.PARKED, "J-1")},
    "ops/alarms.tell_more": {"alarm": lambda _: alarms.Alarm.PARKED, "left_out": lambda _: 1},
    "orders/handover.event_of": {"part": part_bought, "message": lambda w: taken(w).message},
    "orders/handover.part_of": {"message": lambda w: taken(w).message},
    "orders/withdrawals.assign": {
        "found": lambda _: WITHDRAWAL,
        "part_nos": lambda w: [PartNo(ordered(w).order_no, 1)],
    },
    **{
        name: {"found": lambda _: WITHDRAWAL}
        for name in (
            *("orders/withdrawals.lock", "orders/withdrawals.erase"),
            *("privacy/erasing.forget_withdrawal", "privacy/erasing.needed"),
        )
    },
    **{
        f"privacy/{name}": {
            "account": lambda w: Account(w.partner.id, "alice"),
            "customer": lambda _: Customer(None, None),
        }
        for name in (
            *("erasing.forget_account", "erasing.forget_customer", "erasing.customer_of"),
            *("finding.of", "finding.of_account"),
        )
    },
    "connectors/handed.find": {"kind": lambda _: "shopify"},
    "connectors/handed.put": {"kind": lambda _: "shopify"},
    "merchants/connectors.connect": {"kind": lambda _: "shopify"},
    "privacy/erasing.erase_orders": {"numbers": lambda w: [ordered(w).order_no]},
    "privacy/exporting.export": {"about": lambda _: {"user": "alice"}},
    "privacy/exporting.voucher": {"withdrawn": lambda _: [WITHDRAWAL]},
    "orders/withdrawals.close": {"found": lambda _: WITHDRAWAL},
    "orders/withdrawals.declare": {"said": lambda _: DECLARED},
    "orders/withdrawals.list_withdrawals": {"open_only": lambda _: True},
    "orders/withdrawals.withdraw": {
        "part": part_bought,
        "lines": lambda _: None,
        "declared": lambda _: NOON,
    },
    "orders/withdrawals.seal_of": {"identifier": lambda _: "w-1"},
    "orders/withdrawals.find": {"identifier": lambda _: "w-1"},
    "outbox/mails.mail_kind": {"find": lambda _: lambda *_args: DeliveryResult()},
    "outbox/service.enqueue": {"kind": lambda _: ADD_PRODUCT.name},
    "feeds/checkpoints.keep": {"values": lambda _: {"records": 1}},
    "checkout/comfort.seal_of": {"partner": lambda w: w.partner.id, "user_id": lambda _: "alice"},
    "ops/clocks.set_right": {"ahead": lambda _: AHEAD[0]},
    "ops/reseal.reseal": {"sealed": lambda _: SEALED[0]},
    "checkout/comfort.change": {"changes": lambda _: {"customer_id": "C-1"}},
    "ops/purge.delete_in_batches": {"condition": lambda _: baskets_table.c.expires <= NOON},
    **{
        f"ops/removal.{name}": {"identifier": lambda w: w.partner.id}
        for name in ("belongings", "clear", "end", "erase")
    },
    "legal/service.put": {"kind": lambda _: Kind.TERMS, "owner": lambda _: THE_OPERATOR},
    "legal/service.end_all": {"owner": lambda _: THE_OPERATOR},
    "partners/service.change_partner": {"partner": lambda w: w.partner.id},
    "partners/service.remove_partner": {"partner": lambda w: w.partner.id},
    "partners/service.partner_by_id": {"identifier": lambda w: w.partner.id},
    "products/configuring.change": {
        "changes": lambda _: {"shipping_strategy": "SUM", "legal": {"city": "Bonn"}}
    },
    "legal/service.version_of": {"owner": lambda _: THE_OPERATOR, "kind": lambda _: Kind.TERMS},
    "products/price_history.lowest": {"wanted": lambda w: {w.product: None}},
    "legal/service.put_merchants": {"texts": lambda _: [(Kind.TERMS, "de", "text")]},
    "legal/service.sellers": {"wanted": lambda w: [w.merchant.id]},
}
INSTEAD_OF_A_MERCHANT = lambda w: w.merchant.id  # noqa: E731
"""Where the merchant's number is asked for."""


def argument(w: World, function: str, parameter: inspect.Parameter) -> Any:
    own = BY_FUNCTION.get(function, {}).get(parameter.name)
    if own is None and parameter.name == "merchant" and parameter.annotation is not Merchant:
        own = INSTEAD_OF_A_MERCHANT
    found = own or VALUES.get(parameter.name)
    assert found is not None, f"{function}: VALUES has nothing for {parameter}"
    return found(w)


NEEDS_NO_DATABASE = {"ops/demo.welcome"}
"""Texts for the terminal, made from settings alone."""


@pytest.mark.one_database
@pytest.mark.parametrize("name", sorted(set(FUNCTIONS) - NEEDS_NO_DATABASE))
def test_a_service_works_without_an_app_context(name: str, world: World) -> None:
    positional, named = [], {}
    for parameter in inspect.signature(FUNCTIONS[name]).parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD and parameter.name in BY_FUNCTION.get(name, {}):
            named |= argument(world, name, parameter)
            continue
        asked = parameter.name in BY_FUNCTION.get(name, {}) or parameter.default is parameter.empty
        if not asked or parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}:
            continue
        value = argument(world, name, parameter)
        if parameter.kind is parameter.KEYWORD_ONLY:
            named[parameter.name] = value
        else:
            positional.append(value)
    assert not has_app_context()

    try:
        returned = FUNCTIONS[name](*positional, **named)
        if isinstance(returned, GeneratorType):
            list(returned)
    except (JayError, WrongKey, StillNeeded):
        pass  # a rule has refused what was handed in: it was asked all the same
