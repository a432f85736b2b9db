"""An order of three merchants from its payment to its end, with every part of it running for real.

Web servers, worker, database, mail server, the merchants' servers and what plays Stripe are
processes or sockets of their own; nobody calls a function of another one.
"""

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from flask import Flask
from sqlalchemy import func, select

from jay import db
from jay.checkout.order_numbers import grouped
from jay.clock import system_clock
from jay.orders.models import MovementState, ledger, movements
from jay.outbox.models import DELIVERED, outbox
from tests.api.buying import BUYER
from tests.api.stripes import LIVE, signed
from tests.builders import LEGAL, TEXTS
from tests.clock import PATIENCE_SECONDS
from tests.depth import is_deep
from tests.e2e import stripe_app
from tests.e2e.actors import BasketOfUser, Merchant, TvApp, data
from tests.e2e.service import SECRET, Service
from tests.post_office import PostOffice, post_office
from tests.receiver import Receiver, receiving, verified
from tests.servers import ROOT, Gunicorn, free_port
from tests.stripe_api import StripeApi, serving

DATABASES = ["postgresql", "sqlite"] if is_deep() else ["postgresql"]
SHOPPER = str(BUYER["email"])
BOOKSELLER = "orders@bookshop.example"
OPERATOR = "ops@jay.example"


@dataclass
class Seller:
    """A merchant: its key, and where it takes its orders."""

    name: str
    api: Merchant
    secret: str
    hook: Receiver | None = None

    def part(self) -> Any:
        """Return the one part that it has."""
        (found,) = data(self.api.call("GET", "/v1/shops/orders"))["orders"]
        return found

    def step(self, **body: Any) -> Any:
        """Take a step with the part."""
        path = f"/v1/shops/orders/{self.part()['orderId']}"
        return data(self.api.call("PATCH", path, json=body))

    def told(self) -> list[Any]:
        """Return what has arrived at its server, each verified by the specification's words."""
        assert self.hook is not None
        return [verified(request, self.secret) for request in self.hook.requests]

    def kinds(self) -> list[str]:
        return [one["type"] for one in self.told()]


@dataclass
class Market:
    """All that runs."""

    app: Flask
    service: Service
    stripe: StripeApi
    office: PostOffice
    sellers: dict[str, Seller] = field(default_factory=dict)
    told: int = 0

    def run(self, *words: str) -> str:
        done = self.app.test_cli_runner().invoke(args=words)
        assert done.exit_code == 0, done.output
        return done.stdout.strip()

    def open_shop(self, name: str, hook: Receiver | None, **config: Any) -> None:
        self.run("merchant", "add", name, "--fee-percent", "7.5")
        secret = self.run("merchant", "webhook-secret", name)
        api = Merchant(self.service, self.run("key", "issue", "--merchant", name).splitlines()[-1])
        legal = {"houseNumber" if k == "house_number" else k: v for k, v in LEGAL.items()}
        legal["countryCode"] = legal.pop("country_code")
        texts = [{"kind": kind, "lang": lang, "text": text} for kind, lang, text in TEXTS]
        told = {"legal": legal, "texts": texts, "stripeAccount": f"acct_{name}", **config}
        data(api.call("PATCH", "/v1/shops/config", json=told))
        self.sellers[name] = Seller(name, api, secret, hook)

    def hear(self) -> None:
        """Have all that Stripe tells arrive, each twice, as it may."""
        new = self.stripe.events[self.told :]
        self.told += len(new)
        for event in [one for one in new for _ in range(2)]:
            body, header = signed(event, system_clock)  # type: ignore[arg-type]
            answer = self.sellers["mugshop"].api.http.request(
                "POST",
                f"{self.service.url}/psp/stripe/webhook",
                body=body.encode(),
                headers={"Stripe-Signature": header},
            )
            assert answer.status == 200, answer.data

    def until(self, true: Callable[[], bool]) -> None:
        """Wait for what the worker brings about."""
        pause = threading.Event()
        for _ in range(PATIENCE_SECONDS * 20):
            self.hear()
            if true():
                return
            pause.wait(0.05)
        raise AssertionError([row._asdict() for row in self.rows(select(outbox))])

    def rows(self, query: Any) -> list[Any]:
        with self.app.app_context(), db.reading() as connection:
            return list(connection.execute(query).all())

    def is_quiet(self) -> bool:
        """Tell whether nothing waits any more."""
        waiting = select(func.count()).where(outbox.c.state != DELIVERED)
        moving = select(func.count()).where(movements.c.state == MovementState.RESERVED)
        return [self.rows(query)[0][0] for query in (waiting, moving)] == [0, 0]

    def mails_to(self, address: str) -> list[EmailMessage]:
        return [mail for mail in self.office.mails if mail["To"] == address]


@contextlib.contextmanager
def worker(environ: dict[str, str]) -> Iterator[None]:
    """Run the worker until the block ends; it ends by itself when told to."""
    command = ("-m", "flask", "--app", "tests.e2e.stripe_app:made()", "worker")
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env={**os.environ, **environ},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            yield
            process.terminate()
            assert process.wait(PATIENCE_SECONDS) == 0
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            log.seek(0)
            sys.stdout.write(log.read().decode())


@pytest.fixture
def market(new_database_url: str, tmp_path: Path) -> Iterator[Market]:
    with contextlib.ExitStack() as running:
        stripe = running.enter_context(serving(StripeApi(system_clock)))  # type: ignore[arg-type]
        office = running.enter_context(post_office())
        hooks = [running.enter_context(receiving()) for _ in range(2)]
        port = free_port()
        environ = {
            "JAY_DATABASE_URL": new_database_url,
            "JAY_DATA_DIR": str(tmp_path),
            "JAY_SECRET_KEY": SECRET,
            "JAY_PUBLIC_URL": f"http://127.0.0.1:{port}",
            "JAY_OUTBOUND_ALLOW": "127.0.0.0/8",
            "JAY_SMTP_URL": f"smtp://127.0.0.1:{office.server.port}",
            "JAY_MAIL_FROM": "tv@jay.example",
            "JAY_OPERATOR_EMAIL": OPERATOR,
            "JAY_PSP": "stripe",
            "JAY_STRIPE_SECRET_KEY": LIVE.secret,
            "JAY_STRIPE_PUBLISHABLE_KEY": LIVE.publishable,
            "JAY_STRIPE_WEBHOOK_SECRET": LIVE.webhooks[0],
            "STRIPE_STAND_IN": stripe.url,
            "PORT": str(port),
        }
        app = stripe_app.made(environ)
        stripe_service = Gunicorn(environ, app="tests.e2e.stripe_app:made()")
        gunicorn = running.enter_context(stripe_service)
        running.callback(app.extensions["jay.db"].dispose)
        made = Market(app, Service(gunicorn, new_database_url, environ), stripe, office)
        made.open_shop("mugshop", hooks[0], orderWebhookUrl=hooks[0].url)
        made.open_shop("hatshop", hooks[1], orderWebhookUrl=hooks[1].url)
        made.open_shop("bookshop", None, orderEmail=BOOKSELLER)
        withdraw(made, "what I have bought")
        running.enter_context(worker(environ))
        yield made


def buy(market: Market, *products: tuple[str, int]) -> str:
    """Buy as a guest, pay, and return the order's number."""
    market.run("partner", "add", "kino")
    key = market.run("key", "issue", "--partner", "kino").splitlines()[-1]
    guest: BasketOfUser = TvApp(market.service, key).guest(*products)
    started = data(guest.call("POST", "/checkout/sessions", json=BUYER))
    assert market.stripe.pay(started["psp"]["clientSecret"].partition("_secret_")[0])
    market.hear()
    return str(started["orderNo"])


def withdraw(market: Market, number: str) -> None:
    """Declare on the page, in its two steps."""
    http = market.sellers["mugshop"].api.http
    said = {"name": "Zoë Łuczak", "number": number, "email": SHOPPER, "products": ""}

    def send(**more: str) -> str:
        answer = http.request(
            "POST",
            f"{market.service.url}/widerruf",
            body=urlencode({**said, **more}),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )
        assert answer.status == 200, answer.data
        return answer.data.decode()

    (nonce,) = re.findall(r'name="nonce" value="([^"]+)"', send())
    assert re.search(r"[0-9]{2}:[0-9]{2}:[0-9]{2}", send(nonce=nonce, step="confirm"))


def told_as_it_is(told: Any, part: Any) -> bool:
    """Compare what was told of a part with the part; its share may be transferred after that."""
    transfer, known = told["transaction"].pop("transferId"), part["transaction"].pop("transferId")
    then, now = told.pop("changed"), part.pop("changed")
    return transfer in {None, known} and then <= now and told == part


@pytest.mark.parametrize("new_database_url", DATABASES, indirect=True)
def test_each_merchant_gets_its_part_and_every_cent_and_every_mail_is_right_in_the_end(
    market: Market,
) -> None:
    mugs, hats, books = market.sellers.values()
    freight = {"shippingFlatRate": 490}
    posted = {
        "mug": mugs.api.post("mug", "Tasse", price=1250, stockCount=9, shippingModel=freight),
        "hat": hats.api.post("hat", "Hut", price=3333, stockCount=9),
        "scarf": hats.api.post("scarf", "Schal", price=1999, stockCount=9),
        "book": books.api.post("book", "Buch", price=2001, stockCount=9),
    }
    bought = {"mug": 3, "hat": 1, "scarf": 2, "book": 1}
    order_no = buy(market, *((posted[sku][sku], count) for sku, count in bought.items()))
    market.until(lambda: len(market.office.mails) == 4 and market.is_quiet())

    # Each has got exactly its part, as its own API shows it.
    for seller, skus in ((mugs, ["mug"]), (hats, ["hat", "scarf"])):
        (told,) = seller.told()
        assert told["type"] == "order.created"
        assert told_as_it_is(told["data"], seller.part())
        assert sorted(line["sku"] for line in told["data"]["lines"]) == skus
        assert told["data"]["customer"]["email"] == SHOPPER
    (mail,) = market.mails_to(BOOKSELLER)
    (file,) = mail.iter_attachments()
    assert file.get_filename() == "order.json"
    assert told_as_it_is(json.loads(file.get_content()), books.part())
    assert [line["sku"] for line in books.part()["lines"]] == ["book"]
    numbers = {seller.part()["orderId"] for seller in market.sellers.values()}
    assert numbers == {f"{order_no}-{number}" for number in (1, 2, 3)}

    # One sends two parcels, one can't deliver a line, and from the third the shopper withdraws.
    mugs.step(state="accepted")
    first = {"carrier": "DHL", "number": "0034-1"}
    mugs.step(state="shipped", lines=[{"sku": "mug", "count": 2}], tracking=first)
    assert mugs.step(state="shipped", tracking={"carrier": "DPD"})["state"] == "shipped"
    hats.step(state="cancelled", lines=[{"sku": "scarf", "count": 2}])
    withdraw(market, books.part()["orderId"])
    assert books.part()["refundDue"] is not None
    market.until(market.is_quiet)
    path = f"/v1/shops/orders/{books.part()['orderId']}/refunds"
    paid_back = data(books.api.call("POST", path, json={"reason": "withdrawn"}))
    assert paid_back["refundDue"] is None
    market.until(market.is_quiet)

    assert mugs.kinds() == ["order.created"]
    assert hats.kinds() == ["order.created", "order.cancelled", "order.refunded"]
    requests = [one for seller in (mugs, hats) for one in seller.hook.requests]  # type: ignore[union-attr]
    assert len({one.headers["webhook-id"] for one in requests}) == len(requests)
    check_mails(market, order_no)
    check_money(market)
    market.run("orders", "reconcile")


def check_mails(market: Market, order_no: str) -> None:
    """Nobody has got a mail twice, nor one too few."""
    told = Counter((mail["To"], mail["Subject"]) for mail in market.office.mails)
    book = market.sellers["bookshop"].part()["orderId"]
    number = grouped(order_no)
    assert told == {
        (SHOPPER, f"Deine Bestellung {number}"): 1,
        (SHOPPER, f"Unterwegs: deine Bestellung {number}"): 2,
        (SHOPPER, f"Storniert: deine Bestellung {number}"): 1,
        (SHOPPER, f"Erstattung zu deiner Bestellung {number}"): 2,
        (SHOPPER, "Dein Widerruf ist eingegangen"): 2,
        (OPERATOR, "A withdrawal has to be looked at"): 1,
        (BOOKSELLER, f"Neue Bestellung {book}"): 1,
        (BOOKSELLER, f"Widerruf: Bestellung {book}"): 1,
        (BOOKSELLER, f"Erstattung: Bestellung {book}"): 1,
    }
    assert len({mail["Message-ID"] for mail in market.office.mails}) == len(market.office.mails)


def check_money(market: Market) -> None:
    """The ledger says what the provider says, and each part is shared out to the last cent."""
    sums: dict[int, Counter[str]] = defaultdict(Counter)
    for row in market.rows(select(ledger.c.part, ledger.c.kind, ledger.c.amount)):
        sums[row.part][row.kind] += row.amount
    objects = market.stripe.objects.values()
    (charge,) = [one for one in objects if one["object"] == "charge"]
    shares = [one for one in objects if one["object"] == "transfer"]
    assert {sum(part.values()) for part in sums.values()} == {0}
    ours = {kind: sum(part[kind] for part in sums.values()) for kind in ("charge", "refund")}
    assert ours == {"charge": charge["amount"], "refund": -charge["amount_refunded"]}
    assert ours == {"charge": 3 * 1250 + 490 + 3333 + 2 * 1999 + 2001, "refund": -(2 * 1999 + 2001)}
    theirs = sorted((one["amount"], one["amount_reversed"]) for one in shares)
    assert theirs == sorted((-part["transfer"], part["reversal"]) for part in sums.values())
