"""Sending one request: whatever the merchant's server does, it ends soon and is told in a word."""

import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_network
from typing import Any

import pytest

from jay.net.addresses import LOOPBACK
from jay.net.client import Client
from jay.outbox.models import DeliveryResult, Destination, Message
from jay.outbox.transports import http
from jay.outbox.transports.http import Sender
from tests.clock import NOON
from tests.receiver import Authority, Receiver, receiving
from tests.servers import free_port
from tests.unit.test_net_addresses import Names

HERE = ("127.0.0.1",)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def send(url: str, body: str | None = '{"sku":"MUG-1"}', **options: Any) -> DeliveryResult:
    sender = Sender(Client(options.pop("allowed", LOOPBACK), **options))
    destination = Destination(url, headers={"X-API-Key": "t"})
    return sender.send(message(body), destination, now=NOON)


def message(body: str | None) -> Message:
    return Message(1, "add-product", "1/add-product", 1, "mugshop", "MUG-1", "key", body, NOON, 1)


# --- what arrives


def test_a_request_arrives_as_it_was_meant(receiver: Receiver) -> None:
    assert send(receiver.url + "?shop=1") == DeliveryResult()

    (request,) = receiver.requests
    assert (request.method, request.path, request.json) == (
        "POST",
        "/hook?shop=1",
        {"sku": "MUG-1"},
    )
    assert request.headers["X-API-Key"] == "t"
    assert request.headers["Host"] == f"127.0.0.1:{receiver.port}"
    assert request.headers["Content-Length"] == "15"


def test_a_request_without_a_body_has_none(receiver: Receiver) -> None:
    assert (
        Sender(Client(LOOPBACK)).send(message(None), Destination(receiver.url, "PUT"), now=NOON)
        == DeliveryResult()
    )

    assert (receiver.requests[0].method, receiver.requests[0].body) == ("PUT", b"")


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_every_2xx_is_a_success(status: int, receiver: Receiver) -> None:
    receiver.answer_with(status)

    assert send(receiver.url) == DeliveryResult()


@pytest.mark.parametrize("status", [400, 401, 404, 500, 502])
def test_an_error_is_a_failure_of_this_delivery(status: int, receiver: Receiver) -> None:
    receiver.answer_with(status)

    assert send(receiver.url) == DeliveryResult(failure=f"answered {status}")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int, receiver: Receiver) -> None:
    with receiving() as other:
        receiver.answer_with(status, Location=other.url)

        outcome = send(receiver.url)

    assert outcome.failure == f"answered {status}: {http.REDIRECTED}"
    assert (len(receiver.requests), other.requests) == (1, [])


def test_410_is_final(receiver: Receiver) -> None:
    receiver.answer_with(410)

    outcome = send(receiver.url)

    assert (outcome.final, outcome.failure) == (True, "answered 410: it is not wanted any more")


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        ("0", 0),
        (format_datetime(NOON + timedelta(seconds=90), usegmt=True), 90),
        (format_datetime(NOON - timedelta(seconds=90), usegmt=True), 0),
        ("9" * 5000, 366 * 86400),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("", None),
        (f"Sun, 01 Feb {'9' * 30} 12:00:00 GMT", None),
        (f"Sun, 01 Feb 2026 12:00:00 +{'9' * 30}", None),
        ("Sun, 01 Feb 0001 12:00:00 +2359", 0),
    ],
)
def test_a_server_may_ask_to_wait(
    status: int, value: str, seconds: int | None, receiver: Receiver
) -> None:
    receiver.answer_with(status, Retry_After=value)

    outcome = send(receiver.url)

    wait = None if seconds is None else timedelta(seconds=seconds)
    assert outcome == DeliveryResult(failure=f"answered {status}", hold=True, wait=wait)


def test_retry_after_counts_with_429_and_503_alone(receiver: Receiver) -> None:
    receiver.answer_with(500, Retry_After="120")

    assert send(receiver.url) == DeliveryResult(failure="answered 500")


# --- bounds


def test_an_endless_body_is_not_read(receiver: Receiver) -> None:
    sent = []

    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while True:
            handler.wfile.write(b"x" * 65536)
            sent.append(1)

    receiver.answer = endless

    assert send(receiver.url) == DeliveryResult()
    assert len(sent) < 1000


@pytest.mark.parametrize(
    "drip", [b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 50, b"HTTP/1.1 100 C\r\n\r\n" * 50]
)
def test_an_answer_that_drips_is_cut(
    drip: bytes, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "TOTAL_SECONDS", 0.3)

    def dripping(handler: BaseHTTPRequestHandler) -> None:
        for byte in drip:
            handler.wfile.write(bytes([byte]))
            if receiver.release.wait(0.02):
                return

    receiver.answer = dripping

    outcome = send(receiver.url)

    assert outcome == DeliveryResult(failure="it took more than 0 s", hold=True)


def test_an_answer_that_does_not_come_is_given_up(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "READ_SECONDS", 0.1)
    receiver.answer_when_released()

    assert send(receiver.url) == DeliveryResult(failure="no answer within 0 s", hold=True)


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1", b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 2xx OK\r\n\r\n", b"\0" * 100_000],
)
def test_what_is_no_answer_of_http_is_a_failure(answer: bytes, receiver: Receiver) -> None:
    receiver.answer = lambda handler: handler.wfile.write(answer) and None

    outcome = send(receiver.url)

    assert outcome.failure == "the connection ended without an answer of HTTP"
    assert outcome.hold


@pytest.mark.parametrize("line", [b"X: " + b"y" * 70_000 + b"\r\n", b"X: y\r\n" * 1000])
def test_headers_without_end_are_a_failure(line: bytes, receiver: Receiver) -> None:
    receiver.answer = lambda handler: handler.wfile.write(b"HTTP/1.1 200 OK\r\n" + line) and None

    assert send(receiver.url).failure == "the connection ended without an answer of HTTP"


def test_a_server_that_is_not_there_is_a_failure() -> None:
    outcome = send(f"http://127.0.0.1:{free_port()}/")

    assert (outcome.hold, "refused" in str(outcome.failure)) == (True, True)


def test_a_server_that_takes_no_connection_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "CONNECT_SECONDS", 0.1)
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for waiting in (first, second):  # the queue is full now: the next one gets no answer
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())

        outcome = send(f"http://127.0.0.1:{full.getsockname()[1]}/")

    assert outcome == DeliveryResult(failure="no connection within 0 s", hold=True)


def test_a_request_that_nobody_reads_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "TOTAL_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"

        assert send(url, "x" * 50_000_000).hold


# --- where to


def test_a_private_address_gets_no_connection(receiver: Receiver) -> None:
    outcome = send(receiver.url, allowed=())

    assert outcome == DeliveryResult(
        failure="its address leads to 127.0.0.1, which is not a public one", hold=True
    )
    assert receiver.requests == []


def test_a_name_that_changes_its_address_gets_no_connection_to_the_second_one(
    receiver: Receiver,
) -> None:
    # DNS rebinding: allowed when it is checked, private when it is used. Here 127.0.0.2 is private.
    names = Names(HERE, ("127.0.0.2",))
    allowed = (ip_network("127.0.0.1/32"),)
    url = f"http://shop.example:{receiver.port}/"

    first = send(url, allowed=allowed, resolve=names)
    second = send(url, allowed=allowed, resolve=names)

    assert (first, len(receiver.requests)) == (DeliveryResult(), 1)
    assert second.failure == "its address leads to 127.0.0.2, which is not a public one"
    assert len(names.asked) == 2  # once for each request


def test_nothing_else_resolves_the_name(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, real = [], socket.getaddrinfo

    def watched(host: Any, *args: Any, **more: Any) -> Any:
        asked.append(host)
        return real(host, *args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", watched)

    assert send(f"http://shop.example:{receiver.port}/", resolve=Names(HERE)) == DeliveryResult()

    assert set(asked) <= {"127.0.0.1"}
    assert receiver.requests[0].headers["Host"] == f"shop.example:{receiver.port}"


def test_the_next_address_of_a_name_is_tried(receiver: Receiver) -> None:
    # Nobody listens at the first one.
    names = Names(("127.0.0.9", "127.0.0.1"))

    assert send(f"http://shop.example:{receiver.port}/", resolve=names) == DeliveryResult()


# --- TLS


def test_the_certificate_is_checked_for_the_name_and_not_for_the_address(
    authority: Authority,
) -> None:
    with receiving(authority.server("shop.example")) as receiver:
        url = f"https://shop.example:{receiver.port}/hook"

        outcome = send(url, tls=authority.trusted(), resolve=Names(HERE))

        assert outcome == DeliveryResult()
        assert receiver.asked_names == ["shop.example"]
        assert receiver.requests[0].headers["Host"] == f"shop.example:{receiver.port}"


def test_a_certificate_for_another_name_is_refused(authority: Authority) -> None:
    with receiving(authority.server("other.example")) as receiver:
        url = f"https://shop.example:{receiver.port}/hook"

        outcome = send(url, tls=authority.trusted(), resolve=Names(HERE))

        assert "certificate is not valid" in str(outcome.failure)
        assert receiver.requests == []


def test_a_certificate_for_the_address_alone_is_refused_under_a_name(authority: Authority) -> None:
    with receiving(authority.server("127.0.0.1")) as receiver:
        tls, url = authority.trusted(), f"https://shop.example:{receiver.port}/hook"

        assert "certificate" in str(send(url, tls=tls, resolve=Names(HERE)).failure)
        assert send(receiver.url, tls=tls) == DeliveryResult()


def test_an_authority_that_nobody_knows_is_refused(authority: Authority) -> None:
    with receiving(authority.server("127.0.0.1")) as receiver:
        assert "certificate is not valid" in str(send(receiver.url).failure)
        assert receiver.requests == []


def test_a_server_that_speaks_no_tls_is_a_failure(
    receiver: Receiver, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = receiver.url.replace("http://", "https://")

    outcome = send(url, tls=authority.trusted())

    assert outcome == DeliveryResult(
        failure="no encrypted connection could be agreed on", hold=True
    )


def test_a_handshake_that_stands_still_is_cut(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "TOTAL_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/"

        assert send(url, tls=authority.trusted()).failure == "it took more than 0 s"


def test_who_asks_nothing_of_https_reads_no_certificates(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssl, "create_default_context", lambda: pytest.fail("it read them"))

    assert send(receiver.url) == DeliveryResult()


def test_nothing_older_than_tls_1_2_is_spoken() -> None:
    assert Client(()).tls.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_no_thread_is_left_behind(receiver: Receiver) -> None:
    before = set(threading.enumerate())

    send(receiver.url)

    left = [one for one in threading.enumerate() if one not in before and "Timer" in one.name]
    for timer in left:
        timer.join(
            http.TOTAL_SECONDS / 2
        )  # it was cancelled and is ending: else this is its whole time
    assert not any(timer.is_alive() for timer in left)
