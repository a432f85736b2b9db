"""How much of a request has arrived is told without a parser, whatever pieces it comes in."""

import pytest

from jay.web.framing import MOST_HEAD_BYTES, MOST_LINE_BYTES, Framing

MOST = 1000
GET = b"GET /code HTTP/1.1\r\nHost: x\r\n\r\n"


def post(headers: bytes, body: bytes) -> bytes:
    return b"POST / HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n\r\n" + body


WHOLE = {
    "without a body": GET,
    "with a length": post(b"Content-Length: 5", b"12345"),
    "with a length of nothing": post(b"content-length:0", b""),
    "in chunks": post(
        b"Transfer-Encoding: chunked", b"5\r\n12345\r\nA;x=1\r\n0123456789\r\n0\r\n\r\n"
    ),
    "in chunks with trailers": post(b"Transfer-Encoding: chunked", b"1\r\n1\r\n0\r\nX: 1\r\n\r\n"),
    "in chunks that hold blank lines": post(
        b"Transfer-Encoding: chunked", b"8\r\n\r\n\r\n\r\n\r\n\r\n0\r\n\r\n"
    ),
}  # fmt: skip


@pytest.mark.parametrize("request_", WHOLE.values(), ids=WHOLE)
def test_a_request_is_complete_with_its_last_byte_and_not_before(request_: bytes) -> None:
    framing, data = Framing(MOST), bytearray()
    for byte in request_[:-1]:
        data.append(byte)
        assert not framing.is_complete(data), bytes(data)
    data += request_[-1:]
    assert framing.is_complete(data)
    assert framing.whole
    # What follows belongs to the next one.
    assert Framing(MOST).is_complete(bytearray(request_ + GET))


@pytest.mark.parametrize("request_", WHOLE.values(), ids=WHOLE)
@pytest.mark.parametrize("step", [1, 2, 7])
def test_what_was_looked_at_can_be_let_go_of(request_: bytes, step: int) -> None:
    framing, data, gone = Framing(MOST), bytearray(), b""
    for begin in range(0, len(request_) - 1, step):
        data += request_[begin : min(begin + step, len(request_) - 1)]
        assert not framing.is_complete(data)
        gone += framing.let_go(data)
        head = request_.index(b"\r\n\r\n") + 4
        assert len(data) < max(step, 20) or len(gone) + len(data) < head
    data += request_[-1:]

    assert framing.is_complete(data)
    assert framing.whole
    assert gone + data == request_


def test_what_was_let_go_of_counts_for_what_is_too_long() -> None:
    framing, data = Framing(MOST), bytearray()
    pieces = [post(b"Transfer-Encoding: chunked", b""), *[b"64\r\n" + bytes(100) + b"\r\n"] * 1000]

    for piece in pieces:
        data += piece
        if framing.is_complete(data):
            break
        framing.let_go(data)

    assert not framing.whole


@pytest.mark.parametrize(
    "beginning",
    [
        b"GET /" + b"x" * (MOST_LINE_BYTES + 2),
        b"GET / HTTP/1.1\r\n" + b"A: 1\r\n" * (MOST_HEAD_BYTES // 6),
        post(b"Content-Length: 1001", b""),
        post(b"Content-Length: 999999999999999999", b""),
        post(b"Transfer-Encoding: chunked", b"fffffff\r\n" + bytes(MOST + MOST_HEAD_BYTES)),
        post(b"Transfer-Encoding: chunked", b"1\r\n1\r\n" * (MOST_HEAD_BYTES // 6 + MOST)),
        post(b"Transfer-Encoding: chunked", b"0\r\n" + b"X: 1\r\n" * (MOST_HEAD_BYTES // 6 + MOST)),
    ],
)
def test_what_is_too_long_is_not_waited_for(beginning: bytes) -> None:
    framing = Framing(MOST)

    assert framing.is_complete(bytearray(beginning))
    assert not framing.whole


@pytest.mark.parametrize(
    "wrong",
    [
        post(b"Transfer-Encoding: chunked", b"zz\r\n"),
        post(b"Transfer-Encoding: chunked", b"1" * (MOST_LINE_BYTES + 2)),
        post(b"Content-Length: -5", b""),
        post(b"Content-Length: five", b""),
        post(b"Content-Length: 0\r\nContent-Length: 5", b""),
        post(b"Content-Length: 0000000000000000005", b""),
        post(b"Content-Length: 9999999999999999999", b""),
        post(b"Transfer-Encoding: chunked", b"0000000000000005\r\n"),
        post(b"Transfer-Encoding: chunked", b"5;x=" + b"1" * MOST_LINE_BYTES + b"\r\n"),
        post(b"Expect: rain\r\nContent-Length: 5", b""),
        post(b"Expect: 100-continue\r\nExpect: rain\r\nContent-Length: 5", b""),
    ],
)
def test_what_is_wrong_is_left_to_the_parser_and_nothing_may_follow(wrong: bytes) -> None:
    framing = Framing(MOST)

    assert framing.is_complete(bytearray(wrong))
    assert not framing.whole


class Watched(bytearray):
    """Notes how much of it is looked through."""

    most = 0

    def find(self, what: bytes, start: int = 0, end: int | None = None) -> int:  # type: ignore[override]
        self.most = max(self.most, min(len(self), end or len(self)) - start)
        return super().find(what, start, len(self) if end is None else end)


def test_trailers_that_come_in_small_pieces_are_looked_through_once() -> None:
    framing, data = Framing(MOST), Watched(post(b"Transfer-Encoding: chunked", b"0\r\n"))
    assert not framing.is_complete(data)
    data.most = 0
    while not framing.is_complete(data):
        data += b"X: 1\r\n"

    assert data.most <= len(b"X: 1\r\n") + 3
    assert not framing.whole
    assert len(data) < MOST_HEAD_BYTES + MOST


def test_a_client_that_waits_to_be_told_is_noticed() -> None:
    framing = Framing(MOST)

    assert not framing.is_complete(
        bytearray(post(b"Expect: 100-Continue\r\nContent-Length: 5", b""))
    )
    assert framing.expects

    framing = Framing(MOST)
    assert framing.is_complete(
        bytearray(post(b"Expect: 100-continue\r\nContent-Length: 5000", b""))
    )
    assert not framing.expects  # it is refused as it is

    framing = Framing(MOST)
    old = post(b"Expect: 100-continue\r\nContent-Length: 5", b"").replace(b"/1.1", b"/1.0")
    assert not framing.is_complete(bytearray(old))
    assert not framing.expects  # it would take that for the answer


@pytest.mark.parametrize(
    ("line", "whole"),
    [
        (b"PUT /pictures/mug HTTP/1.1", True),
        (b"POST /pictures/mug HTTP/1.1", False),
        (b"PUT /picture HTTP/1.1", False),
        (b"GET /?PUT /pictures/ HTTP/1.1", False),
    ],
)
def test_some_requests_may_be_larger_than_others(line: bytes, whole: bool) -> None:
    body = bytes(MOST + 1)
    for said, sent in (
        (b"Content-Length: %d" % len(body), body),
        (b"Transfer-Encoding: chunked", b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)),
    ):
        framing = Framing(MOST, {b"PUT /pictures/": MOST + 1})
        complete = framing.is_complete(bytearray(line + b"\r\n" + said + b"\r\n\r\n" + sent))
        if b"Content" in said:  # little more of one in chunks is no reason to refuse it here
            assert (complete, framing.whole) == (True, whole)
        assert framing.most_body == MOST + whole
