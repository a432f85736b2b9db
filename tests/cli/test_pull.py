"""``flask products pull`` and what the worker does of it: merchants' feeds, fetched from them."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from datetime import timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import structlog
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from jay import db
from jay.errors import Busy
from jay.feeds import downloading, files, importing, pulling, pulls
from jay.feeds.checkpoints import TakenOver
from jay.feeds.models import (
    FAILED,
    FIRST_REST,
    IMPORTED,
    LEASE,
    STOPPED,
    UNCHANGED,
    feed_pulls,
)
from jay.feeds.pulling import Puller
from jay.merchants.models import merchants
from jay.net.addresses import LOOPBACK
from jay.net.client import Client
from jay.products.models import products
from tests.builders import Shop, add_shop
from tests.cli.conftest import Run, runner_of
from tests.clock import NOON, PATIENCE_SECONDS, MovedClock
from tests.receiver import Receiver, receiving

SECRET = "?key=hunter2"
FEED = b"sku,name,price,stockCount\nA,Mug,500,3\n"
NEWER = b"sku,name,price,stockCount\nA,Mug,600,4\n"
EVERY = 60


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        serve(running, FEED)
        yield running


def serve(receiver: Receiver, body: bytes, status: int = 200, **headers: str) -> None:
    """Let the merchant's server answer with this feed."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        sent = {"Content_Length": str(len(body)), **headers}
        for name, value in sent.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    receiver.answer = answer


@pytest.fixture
def shop(app: Flask, client: FlaskClient) -> Shop:
    return add_shop(app, client)


@pytest.fixture
def run(demo_app: Callable[..., Flask]) -> Run:
    """Commands of an app that may call servers on this machine."""
    return runner_of(demo_app())


class Works:
    """The processes of an operator that pull feeds: each has its own ``Puller``."""

    def __init__(self, app: Flask, clock: MovedClock, folder: Path) -> None:
        self.app, self.clock, self.folder = app, clock, folder

    def one(self, *, reachable: Any = LOOPBACK) -> Puller:
        return Puller(
            self.app.extensions["jay.db"],
            Client(reachable),
            self.folder,
            clock=self.clock,
            report=pulling.write_log,
        )

    def due_now(self) -> list[str]:
        """Pull what is due; return how it went."""
        return [pulled.state for pulled in self.one().pull_due()]

    def state(self) -> Any:
        with self.app.app_context(), db.reading() as connection:
            return connection.execute(select(feed_pulls)).one()


@pytest.fixture
def works(app: Flask, clock: MovedClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Works:
    # A log that this test can read, whichever one has logged before.
    monkeypatch.setattr(pulling, "log", structlog.get_logger())
    return Works(app, clock, tmp_path / "feeds")


def configure(shop: Shop, url: str | None, **feed: Any) -> None:
    given = None if url is None else {"url": url, "everyMinutes": EVERY, **feed}
    response = shop.call("PATCH", "/shops/config", json={"feed": given})
    assert response.status_code == 200, response.json


def price(app: Flask, sku: str = "A") -> int | None:
    query = select(products.c.price).where(products.c.sku == sku)
    with app.app_context(), db.reading() as connection:
        return connection.execute(query).scalar()


def asked(receiver: Receiver) -> dict[str, str]:
    """Return the validators that the last request had."""
    sent = receiver.requests[-1].headers
    return {name: sent[name] for name in ("If-None-Match", "If-Modified-Since") if name in sent}


# --- by hand


def test_a_feed_is_fetched_and_imported(
    app: Flask, run: Run, shop: Shop, receiver: Receiver
) -> None:
    result = run("products", "pull", "mugshop", receiver.url)

    assert result.exit_code == 0, result.stderr
    assert result.stdout == "1 rows: 1 added, 0 updated, 0 refused.\n"
    assert price(app) == 500


def test_options_say_how_it_is_read(
    app: Flask, run: Run, shop: Shop, receiver: Receiver, tmp_path: Path
) -> None:
    mapping = tmp_path / "own.toml"
    mapping.write_text('[columns]\nid = "Nr"\ntitle = "Name"\nprice = "Preis"\n')
    serve(receiver, "Nr|Name|Preis\nA|Bücher|9,90\n".encode("cp1252"))

    options = ("--encoding", "cp1252", "--delimiter", "|", "--mapping", str(mapping))
    assert run("products", "pull", "mugshop", receiver.url, *options).exit_code == 0

    assert price(app) == 990


def test_refused_rows_are_in_a_report_that_is_named(
    run: Run, shop: Shop, receiver: Receiver
) -> None:
    serve(receiver, FEED + b"B,,1,1\n")

    result = run("products", "pull", "mugshop", receiver.url)

    assert result.exit_code == 1
    path = result.stderr.split("are in ")[1].split()[0]
    assert "name: Missing data for required field." in Path(path).read_text()


def test_the_address_is_asked_for_where_others_could_see_it(
    app: Flask, demo_app: Callable[..., Flask], shop: Shop, receiver: Receiver
) -> None:
    typed = (
        demo_app()
        .test_cli_runner()
        .invoke(args=["products", "pull", "mugshop", "-"], input=f"{receiver.url}{SECRET}\n")
    )

    assert (typed.exit_code, price(app)) == (0, 500)
    assert receiver.requests[0].path.endswith(SECRET)
    assert "hunter2" not in typed.output


def test_a_schedule_is_kept_shown_and_taken_back(
    run: Run, shop: Shop, receiver: Receiver, works: Works
) -> None:
    run("products", "pull", "mugshop", receiver.url + SECRET, "--every", "90", "--prices", "minor")

    config = shop.call("GET", "/shops/config").json["data"]["feed"]
    assert config == {"url": receiver.url + SECRET, "everyMinutes": 90, "prices": "minor"}
    shown = run("products", "pulls").stdout
    assert all(word in shown for word in ("mugshop", "imported", "1 rows: 1 added"))
    assert "hunter2" not in shown
    assert works.due_now() == []

    assert run("products", "pull", "mugshop", "--stop").exit_code == 0
    assert shop.call("GET", "/shops/config").json["data"]["feed"] is None
    works.clock.move(100 * 60)
    assert works.due_now() == []
    assert "give its URL" in run("products", "pull", "mugshop").stderr


def test_options_without_an_address_are_not_taken_for_those_of_the_schedule(
    run: Run, shop: Shop, receiver: Receiver
) -> None:
    configure(shop, receiver.url)

    assert run("products", "pull", "mugshop", "--volatile").exit_code == 2
    assert receiver.requests == []


# --- only what is new


def test_what_has_not_changed_is_not_sent_again(run: Run, shop: Shop, receiver: Receiver) -> None:
    modified = format_datetime(NOON - timedelta(hours=1), usegmt=True)
    serve(receiver, FEED, ETag='W/"1"', Last_Modified=modified)
    run("products", "pull", "mugshop", receiver.url)
    assert asked(receiver) == {}
    serve(receiver, b"", 304)

    result = run("products", "pull", "mugshop", receiver.url)

    assert result.exit_code == 0
    assert "has not changed" in result.stdout
    assert asked(receiver) == {"If-None-Match": 'W/"1"', "If-Modified-Since": modified}
    # Read in another way, or at somebody's wish, it is another thing.
    for words in (("--prices", "major"), ("--anew",)):
        serve(receiver, FEED, ETag='"2"')
        assert run("products", "pull", "mugshop", receiver.url, *words).exit_code == 0
        assert asked(receiver) == {}


def test_a_304_that_nobody_asked_for_is_no_answer(run: Run, shop: Shop, receiver: Receiver) -> None:
    serve(receiver, b"", 304)

    assert "answered 304" in run("products", "pull", "mugshop", receiver.url).stderr


def test_a_feed_is_as_old_as_its_server_says(
    app: Flask, run: Run, shop: Shop, receiver: Receiver, clock: MovedClock
) -> None:
    run("products", "pull", "mugshop", receiver.url)
    clock.move(3600)
    shop.call("PATCH", "/shops/products", json={"products": [{"sku": "A", "price": 550}]})
    made = format_datetime(clock() - timedelta(minutes=30), usegmt=True)
    clock.move(3600)

    serve(receiver, NEWER, Last_Modified=made)
    run("products", "pull", "mugshop", receiver.url)
    assert price(app) == 550  # which was sent after the feed had been made

    # A server that always says the same of itself is not believed.
    clock.move(60)
    run("products", "pull", "mugshop", receiver.url)
    assert price(app) == 600


def test_news_of_products_that_come_later_are_told_again(
    run: Run, shop: Shop, receiver: Receiver
) -> None:
    serve(receiver, b"sku,price\nA,700\n", ETag='"1"')
    assert run("products", "pull", "mugshop", receiver.url, "--volatile").exit_code == 1

    shop.product("A")
    assert run("products", "pull", "mugshop", receiver.url, "--volatile").exit_code == 0
    assert asked(receiver) == {}


# --- bad answers

BAD = {
    "a failure": (b"oops", 503, {}, "answered 503"),
    "a redirect without end": (b"", 302, {"Location": "/hook"}, "answered 302"),
    "no content": (b"", 204, {}, "answered 204"),
    "nothing": (b"", 200, {}, "is empty"),
    "a web page": (b"\n<!DOCTYPE html><html></html>", 200, {}, "web page"),
    "no feed": (b"hello\nworld\n", 200, {}, "has no column sku"),
    "no products": (b"sku,name\n", 200, {}, "has no products"),
    "no XML": (b"<rss><channel><item></channel>", 200, {}, "not well-formed"),
    "half of it": (NEWER, 200, {"Content_Length": "5000"}, "did not arrive whole"),
    "no end": (NEWER, 200, {"Content_Length": ""}, "how long"),
    "a broken archive": (b"\x1f\x8b\x08\0\0\0", 200, {}, "unpacked"),
    "another unit": (b"sku,name,price\nA,Mug,6.50\n", 200, {}, "--prices major"),
}


@pytest.mark.one_database
def test_a_bad_answer_loses_nothing(
    app: Flask, run: Run, shop: Shop, receiver: Receiver, works: Works
) -> None:
    serve(receiver, FEED, ETag='"1"')
    run("products", "pull", "mugshop", receiver.url)

    for what, (body, status, headers, why) in BAD.items():
        serve(receiver, body, status, **headers)
        if headers.get("Content_Length") == "":
            receiver.answer = until_it_hangs_up(body)
        result = run("products", "pull", "mugshop", receiver.url)

        assert (result.exit_code, why in result.stderr) == (2, True), (what, result.stderr)
        assert price(app) == 500, what
        assert asked(receiver) == {"If-None-Match": '"1"'}, what  # the last good one still counts


def until_it_hangs_up(body: bytes) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


@pytest.mark.one_database
def test_xml_needs_no_length_as_it_has_an_end(
    app: Flask, run: Run, shop: Shop, receiver: Receiver
) -> None:
    receiver.answer = until_it_hangs_up(
        b'<rss xmlns:g="http://base.google.com/ns/1.0"><channel><item><g:id>A</g:id>'
        b"<title>Mug</title><g:price>5.00 EUR</g:price></item></channel></rss>"
    )

    assert run("products", "pull", "mugshop", receiver.url).exit_code == 0
    assert price(app) == 500


@pytest.mark.one_database
def test_an_answer_without_end_is_cut(
    app: Flask, shop: Shop, receiver: Receiver, works: Works, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloading, "LIMITS", replace(downloading.LIMITS, most=10_000))
    serve(receiver, FEED + b"B,Mug,1,1\n" * 2_000)
    configure(shop, receiver.url)

    assert works.due_now() == [FAILED]
    assert "larger than 10000 bytes" in works.state().told
    assert list(works.folder.iterdir()) == []
    assert price(app) is None


def test_private_addresses_are_refused_at_once_and_behind_a_redirect(
    app: Flask, shop: Shop, receiver: Receiver, works: Works
) -> None:
    configure(shop, receiver.url)
    (pulled,) = works.one(reachable=()).pull_due()
    assert (pulled.state, receiver.requests) == (FAILED, [])
    assert "not a public one" in pulled.told

    receiver.answer_with(302, Location="http://10.0.0.1/feed.csv")
    works.clock.move(EVERY * 60)
    (pulled,) = works.one().pull_due()
    assert "leads to 10.0.0.1, which is not a public one" in pulled.told


@pytest.mark.one_database
def test_what_is_kept_of_a_failure_quotes_nothing_of_the_feed(
    run: Run, shop: Shop, receiver: Receiver, works: Works
) -> None:
    configure(shop, receiver.url)
    for body in (
        b"hunter2,b\nA,B\n",
        b"sku,name,price\nA,Mug,6.66 hunter2\nB,Mug,7.66\n",
        b"sku,name,price,Price\nhunter2,A,7,6\n",
        b'<?xml version="1.0" encoding="hunter2"?><rss/>',
    ):
        serve(receiver, body)
        result = run("products", "pull", "mugshop")
        assert result.exit_code == 2, result.output
        works.clock.now = works.state().due

        kept = works.state().told
        assert "hunter2" not in kept
        assert all(word not in kept for word in ("6.66", "7.66", "Price"))
        assert kept


# --- when it is due


def test_a_feed_is_pulled_when_it_is_due_and_not_before(
    app: Flask, shop: Shop, receiver: Receiver, works: Works
) -> None:
    assert works.due_now() == []
    configure(shop, receiver.url)

    assert works.due_now() == [IMPORTED]
    works.clock.move(EVERY * 60 - 1)
    assert works.due_now() == []
    works.clock.move(1)
    serve(receiver, NEWER)
    assert works.due_now() == [IMPORTED]
    assert price(app) == 600

    configure(shop, receiver.url, prices="minor")  # another configuration is due at once
    assert works.due_now() == [IMPORTED]
    configure(shop, None)
    works.clock.move(EVERY * 60)
    assert works.due_now() == []


def test_a_feed_that_is_fetched_once_leaves_the_schedule_of_another_one_alone(
    run: Run, shop: Shop, receiver: Receiver, works: Works
) -> None:
    configure(shop, receiver.url)
    serve(receiver, FEED, ETag='"1"')
    works.due_now()
    before = works.state()

    assert run("products", "pull", "mugshop", f"{receiver.url}?other").exit_code == 0

    assert works.state() == before
    assert works.due_now() == []


def test_only_another_feed_is_due_at_once(shop: Shop, receiver: Receiver, works: Works) -> None:
    configure(shop, receiver.url)
    serve(receiver, FEED, ETag='"1"')
    works.due_now()

    configure(shop, receiver.url)
    shop.call("PATCH", "/shops/config", json={"vat": 19})
    configure(shop, receiver.url, everyMinutes=7 * 24 * 60)
    assert works.due_now() == []
    works.clock.move(EVERY * 60)
    assert works.due_now() == [IMPORTED]  # it was due then already
    assert asked(receiver) == {"If-None-Match": '"1"'}

    # One that is fetched more often from now on waits no longer than that.
    works.clock.move(30 * 60)
    configure(shop, receiver.url, everyMinutes=30)
    works.clock.move(1)
    assert works.due_now() == [IMPORTED]


def test_what_is_unchanged_is_due_again_as_what_was_imported(
    shop: Shop, receiver: Receiver, works: Works
) -> None:
    configure(shop, receiver.url)
    serve(receiver, FEED, ETag='"1"')
    works.due_now()
    serve(receiver, b"", 304)
    works.clock.move(EVERY * 60)

    assert works.due_now() == [UNCHANGED]
    assert works.due_now() == []
    assert works.state().due - works.clock() == timedelta(minutes=EVERY)


def test_after_failures_it_is_tried_soon_and_then_less_and_less_often(
    shop: Shop, receiver: Receiver, works: Works
) -> None:
    configure(shop, receiver.url)
    serve(receiver, b"", 500)
    waits = []
    for _ in range(6):
        assert works.due_now() == [FAILED]
        waits.append(works.state().due - works.clock())
        works.clock.now = works.state().due

    doubled = [FIRST_REST * 2**n for n in range(4)]
    assert waits == [*doubled, timedelta(minutes=EVERY), timedelta(minutes=EVERY)]
    serve(receiver, FEED)
    assert works.due_now() == [IMPORTED]
    assert works.state().failures == 0


def test_a_server_may_ask_to_be_left_alone_for_a_day_at_the_most(
    shop: Shop, receiver: Receiver, works: Works
) -> None:
    configure(shop, receiver.url)
    for asked_for, kept in (("7200", timedelta(hours=2)), ("9999999", timedelta(days=1))):
        serve(receiver, b"", 503, Retry_After=asked_for)
        assert works.due_now() == [FAILED]
        assert works.state().due - works.clock() == kept
        works.clock.now = works.state().due


# --- many processes


def test_of_many_processes_one_pulls(
    app: Flask, shop: Shop, receiver: Receiver, works: Works
) -> None:
    configure(shop, receiver.url)
    feed, at_once = receiver.answer, threading.Barrier(4)

    def late(handler: BaseHTTPRequestHandler) -> None:
        receiver.release.wait(PATIENCE_SECONDS)
        feed(handler)

    receiver.answer = late

    def work() -> list[str]:
        at_once.wait(PATIENCE_SECONDS)
        return works.due_now()

    with ThreadPoolExecutor(4) as pool:
        running = as_completed([pool.submit(work) for _ in range(4)], PATIENCE_SECONDS)
        # Those that come too late are done while the server still thinks.
        assert [next(running).result() for _ in range(3)] == [[], [], []]
        receiver.release.set()
        assert next(running).result() == [IMPORTED]

    assert len(receiver.requests) == 1
    assert price(app) == 500


def test_a_slow_server_keeps_no_other_feed_waiting(
    shop: Shop,
    receiver: Receiver,
    works: Works,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pulling, "LOOK_SECONDS", 0.01)
    feed, stop = receiver.answer, threading.Event()
    slow_asked, fast_came = threading.Event(), threading.Event()

    def late(handler: BaseHTTPRequestHandler) -> None:
        slow_asked.set()
        receiver.release.wait(PATIENCE_SECONDS)
        feed(handler)

    receiver.answer = late
    configure(shop, receiver.url)
    configure(add_shop(shop.app, shop.client, "second"), f"{receiver.url}?second")
    told: list[str] = []

    def report(pull: pulls.Pull, _pulled: Any, _due: Any) -> None:
        told.append(pull.merchant.name)
        fast_came.set()
        if len(told) == 3:
            stop.set()

    at_work = Puller(
        shop.app.extensions["jay.db"],
        Client(LOOPBACK),
        works.folder,
        clock=works.clock,
        report=report,
    )
    with receiving() as fast, ThreadPoolExecutor(1) as pool:
        serve(fast, FEED)
        configure(add_shop(shop.app, shop.client, "third"), fast.url)
        running = pool.submit(at_work.run, stop)
        assert slow_asked.wait(PATIENCE_SECONDS)
        assert fast_came.wait(PATIENCE_SECONDS)
        assert told == ["third"]
        assert len(receiver.requests) == 1  # a server is asked for one feed at a time

        receiver.release.set()
        running.result(PATIENCE_SECONDS)
    assert sorted(told) == ["mugshop", "second", "third"]


def test_who_has_lost_the_lease_stores_nothing_more(
    app: Flask, shop: Shop, receiver: Receiver, works: Works, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "BATCH_ROWS", 1)
    serve(receiver, FEED + b"".join(b"S%d,Mug,500,3\n" % number for number in range(5)))
    configure(shop, receiver.url)
    database = app.extensions["jay.db"]

    def stored() -> int:
        with database.reading() as connection:
            return len(connection.execute(select(products.c.id)).all())

    def taken_after_two(_self: Puller, pull: pulls.Pull) -> Callable[[], None]:
        def step() -> None:
            if stored() == 2 and works.state().lease == pull.lease:
                works.clock.move(LEASE.total_seconds())
                assert database.write(pulls.take, pull.merchant.id, now=works.clock())

        return step

    monkeypatch.setattr(Puller, "_alive", taken_after_two)

    (pulled,) = works.one().pull_due()

    assert (pulled.state, stored()) == (STOPPED, 2)
    assert works.state().leased is not None  # the other one's


def test_a_database_that_is_busy_in_the_middle_is_a_failure_with_a_rest(
    run: Run,
    shop: Shop,
    receiver: Receiver,
    works: Works,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importing, "BATCH_ROWS", 1)
    serve(receiver, FEED + b"B,Mug,1,1\n")
    configure(shop, receiver.url)
    put_many = importing.put_many

    def busy(connection: Any, merchant: Any, puts: Any, **rest: Any) -> Any:
        if puts[0].sku == "B":
            raise Busy
        return put_many(connection, merchant, puts, **rest)

    monkeypatch.setattr(importing, "put_many", busy)

    result = run("products", "pull", "mugshop")

    assert result.exit_code == 2
    assert "Imported in part: The database is busy" in result.stderr
    assert "The lines up to 2 are done." in result.stderr
    assert "The lines up to 2 are done." in works.state().told
    assert (works.state().state, works.state().failures) == (FAILED, 1)
    assert works.due_now() == []
    works.clock.move(FIRST_REST.total_seconds())
    monkeypatch.undo()
    assert works.due_now() == [IMPORTED]


def test_when_a_process_dies_the_next_one_takes_over_and_it_records_nothing(
    app: Flask, shop: Shop, receiver: Receiver, works: Works
) -> None:
    configure(shop, receiver.url)
    database = app.extensions["jay.db"]
    with app.app_context(), db.reading() as connection:
        merchant = connection.execute(select(merchants.c.id)).scalar_one()
    dead = database.write(pulls.take, merchant, now=works.clock())
    assert dead is not None
    assert works.due_now() == []

    works.clock.move(LEASE.total_seconds())
    assert works.due_now() == [IMPORTED]

    with pytest.raises(TakenOver):
        database.write(pulls.renew, dead, now=works.clock())


def test_a_process_that_works_long_keeps_its_feed(
    app: Flask, shop: Shop, receiver: Receiver, works: Works, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "BATCH_ROWS", 1)
    rows = b"".join(b"S%d,Mug,500,3\n" % number for number in range(5))
    serve(receiver, FEED + rows)
    configure(shop, receiver.url)
    alive_of, met = Puller._alive, []

    def slowly(self: Puller, pull: pulls.Pull) -> Callable[[], None]:
        alive = alive_of(self, pull)

        def step() -> None:
            works.clock.move(LEASE.total_seconds() * 0.6)
            alive()
            met.append(works.due_now())

        return step

    monkeypatch.setattr(Puller, "_alive", slowly)

    assert works.due_now() == [IMPORTED]
    assert len(met) > 5
    assert not any(met)
    assert len(receiver.requests) == 1


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_who_reads_ahead_does_not_wait_for_the_batch_that_is_being_stored(
    app: Flask, shop: Shop, receiver: Receiver, works: Works, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "BATCH_ROWS", 1)
    monkeypatch.setattr(files, "LINES_BETWEEN", 1)
    serve(receiver, FEED + b"".join(b"S%d,Mug,500,3\n" % number for number in range(5)))
    configure(shop, receiver.url)
    storing, read, renewed_by = threading.Event(), threading.Event(), set()
    batches, put_many, renew = importing._batches, importing.put_many, pulls.renew

    def second_while_the_first_is_stored(*given: Any) -> Iterator[Any]:
        each = batches(*given)
        yield next(each)
        assert storing.wait(PATIENCE_SECONDS)
        try:
            second = next(each)
        finally:
            read.set()
        yield second
        yield from each

    def slowly(*given: Any, **more: Any) -> Any:
        if not storing.is_set():
            works.clock.move(LEASE.total_seconds() * 0.6)
            storing.set()
            assert read.wait(PATIENCE_SECONDS)
        return put_many(*given, **more)

    def noted(*given: Any, **more: Any) -> None:
        renewed_by.add(threading.current_thread())
        renew(*given, **more)

    monkeypatch.setattr(importing, "_batches", second_while_the_first_is_stored)
    monkeypatch.setattr(importing, "put_many", slowly)
    monkeypatch.setattr(pulls, "renew", noted)

    (pulled,) = works.one().pull_due()

    assert (pulled.state, pulled.told) == (IMPORTED, "6 rows: 6 added, 0 updated, 0 refused.")
    assert renewed_by == {threading.current_thread()}


def test_told_to_stop_it_leaves_the_feed_to_the_next_process(
    app: Flask, shop: Shop, receiver: Receiver, works: Works
) -> None:
    configure(shop, receiver.url)
    stop = threading.Event()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        stop.set()
        serve(receiver, FEED)
        receiver.answer(handler)

    receiver.answer = answer
    works.one().run(stop)
    assert price(app) is None

    assert works.due_now() == [IMPORTED]
    assert list(works.folder.glob("*.feed")) == []


def test_told_to_stop_it_ends_between_two_steps_of_the_end_too(
    shop: Shop, receiver: Receiver, works: Works, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(shop, receiver.url)
    stop, pages = threading.Event(), []

    def endless(*_given: Any) -> tuple[int, tuple[str, str, str]]:
        pages.append(1)
        stop.set()
        return 0, ("de", "DE", "A")

    with monkeypatch.context() as patched:
        patched.setattr(importing, "remove_page", endless)
        works.one().run(stop)

    assert len(pages) == 1
    assert works.due_now() == [IMPORTED]


def test_a_fault_of_ours_stands_in_nobodys_way(
    shop: Shop,
    receiver: Receiver,
    works: Works,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure(shop, receiver.url + SECRET)
    configure(add_shop(shop.app, shop.client, "other"), receiver.url)

    whole = Puller._import

    def broken(self: Puller, importer: Any, *rest: Any) -> Any:
        if importer.pull.merchant.name == "mugshop":
            raise ZeroDivisionError
        return whole(self, importer, *rest)

    monkeypatch.setattr(Puller, "_import", broken)

    assert sorted(works.due_now()) == [FAILED, IMPORTED]

    logged = capsys.readouterr().out
    assert "ZeroDivisionError" in logged
    assert "hunter2" not in logged
    assert works.due_now() == []


def test_no_log_and_no_state_has_the_address(
    shop: Shop, receiver: Receiver, works: Works, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(shop, receiver.url + SECRET)
    works.due_now()
    serve(receiver, b"hunter2", 500)
    works.clock.move(EVERY * 60)
    works.due_now()

    said = repr(works.state()) + "".join(capsys.readouterr())
    assert said.count("feed pulled") == 2
    assert "hunter2" not in said
    assert str(receiver.port) not in said


# --- its configuration


@pytest.mark.parametrize(
    "feed",
    [
        {"everyMinutes": 60},
        {"url": "ftp://shop.example/feed"},
        {"url": "https://u:p@shop.example/feed"},
        {"url": "https://shop.example", "everyMinutes": 14},
        {"url": "https://shop.example", "everyMinutes": 10081},
        {"url": "https://shop.example", "format": "exe"},
        {"url": "https://shop.example", "delimiter": "ab"},
        {"url": "https://shop.example", "delimiter": '"'},
        {"url": "https://shop.example", "prices": "cents"},
        {"url": "https://shop.example", "lang": "xx"},
        {"url": "https://shop.example", "more": 1},
    ],
)
@pytest.mark.one_database
def test_a_wrong_feed_is_refused_at_the_door(feed: dict[str, Any], shop: Shop) -> None:
    assert shop.call("PATCH", "/shops/config", json={"feed": feed}).status_code == 422
    assert shop.call("GET", "/shops/config").json["data"]["feed"] is None


def test_all_that_a_feed_may_say_is_kept(shop: Shop) -> None:
    feed = {
        "url": "https://shop.example/f",
        "everyMinutes": 1440,
        "format": "shopify",
        "encoding": "cp1252",
        "delimiter": "\t",
        "prices": "major",
        "mapping": '[columns]\nid = "Nr"\n',
        "mediaUrl": "https://shop.example/media",
        "volatile": True,
        "lang": "en",
        "country": "AT",
    }
    changed = shop.call("PATCH", "/shops/config", json={"feed": feed})

    assert changed.json["data"]["feed"] == feed
    assert shop.call("GET", "/shops/config").json["data"]["feed"] == feed
