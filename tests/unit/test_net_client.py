"""The one HTTP client: bodies within their bounds, and redirects only where they are asked for."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler

import pytest

from jay.net.addresses import LOOPBACK, AddressRefused, Unreachable
from jay.net.client import Client, Limits
from tests.clock import PATIENCE_SECONDS
from tests.receiver import Authority, Receiver, receiving
from tests.unit.test_net_addresses import Names

LIMITS = Limits(PATIENCE_SECONDS, PATIENCE_SECONDS, PATIENCE_SECONDS, most=1000)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


def answering(body: bytes, **headers: str) -> object:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def read(url: str, *, limits: Limits = LIMITS, redirects: int = 0) -> bytes:
    with Client(LOOPBACK).exchange("GET", url, limits=limits, redirects=redirects) as answer:
        return answer.read()


def test_a_body_is_read_up_to_its_bound(receiver: Receiver) -> None:
    receiver.answer = answering(b"x" * 1000)
    assert read(receiver.url) == b"x" * 1000

    receiver.answer = answering(b"x" * 1001)
    with pytest.raises(Unreachable, match="larger than 1000 bytes"):
        read(receiver.url)


def test_a_body_that_ends_too_early_is_no_body(receiver: Receiver) -> None:
    receiver.answer = answering(b"half", Content_Length="8")

    with pytest.raises(Unreachable, match="did not arrive whole"):
        read(receiver.url)


def test_a_body_that_drips_is_cut_and_not_taken_for_whole(receiver: Receiver) -> None:
    def dripping(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while not receiver.release.wait(0.02):
            handler.wfile.write(b"x")

    receiver.answer = dripping

    with pytest.raises(Unreachable, match="it took more than"):
        read(receiver.url, limits=replace(LIMITS, total=0.3))


def test_each_piece_is_handed_on_as_it_comes(receiver: Receiver) -> None:
    """Who reads a body can so tell that it is alive, however slow the server is."""
    read_on = threading.Event()

    def slow(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "2")
        handler.end_headers()
        handler.wfile.write(b"a")
        read_on.wait(PATIENCE_SECONDS)
        handler.wfile.write(b"b")

    receiver.answer = slow

    with Client(LOOPBACK).exchange("GET", receiver.url, limits=LIMITS) as answer:
        pieces = answer.pieces()
        first = next(pieces)
        read_on.set()
        assert [first, *pieces] == [b"a", b"b"]


def test_headers_are_found_in_any_case(receiver: Receiver) -> None:
    receiver.answer = answering(b"", ETag='"1"')

    with Client(LOOPBACK).exchange("GET", receiver.url, limits=LIMITS) as answer:
        assert (answer.status, answer.headers.get("etag")) == (200, '"1"')


# --- redirects


def redirecting(receiver: Receiver, to: str) -> None:
    receiver.answer_with(302, Location=to)


def test_a_redirect_is_followed_where_it_is_asked_for(receiver: Receiver) -> None:
    with receiving() as other:
        other.answer = answering(b"here")
        redirecting(receiver, other.url)

        assert read(receiver.url, redirects=1) == b"here"
        with Client(LOOPBACK).exchange("GET", receiver.url, limits=LIMITS) as answer:
            assert answer.status == 302


def test_a_redirect_to_what_is_no_address_is_refused(receiver: Receiver) -> None:
    redirecting(receiver, "http://[bad")

    with pytest.raises(AddressRefused, match="no address"):
        read(receiver.url, redirects=1)


def test_only_so_many_are_followed(receiver: Receiver) -> None:
    redirecting(receiver, receiver.url)

    with Client(LOOPBACK).exchange("GET", receiver.url, limits=LIMITS, redirects=3) as answer:
        assert answer.status == 302
    assert len(receiver.requests) == 4


def test_each_step_is_checked_anew(receiver: Receiver) -> None:
    redirecting(receiver, "http://10.0.0.1/")

    with pytest.raises(AddressRefused, match=r"10\.0\.0\.1"):
        read(receiver.url, redirects=3)


def test_nobody_is_led_from_https_to_plain_http(
    receiver: Receiver, tmp_path_factory: pytest.TempPathFactory
) -> None:
    authority = Authority(tmp_path_factory.mktemp("authority"))
    with receiving(authority.server("shop.example")) as secure:
        redirecting(secure, receiver.url)
        client = Client(LOOPBACK, tls=authority.trusted(), resolve=Names(("127.0.0.1",)))

        with (
            pytest.raises(AddressRefused, match="without encryption"),
            client.exchange(
                "GET", f"https://shop.example:{secure.port}/", limits=LIMITS, redirects=3
            ),
        ):
            pass
    assert receiver.requests == []
