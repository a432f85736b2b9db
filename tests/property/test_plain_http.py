"""What is read and written for less is what gunicorn reads and writes; all else is left to it."""

import io
import re
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.http import wsgi
from gunicorn.http.message import Request
from gunicorn.http.unreader import IterUnreader
from hypothesis import example, given
from hypothesis import strategies as st

from jay.web.framing import Framing
from jay.web.plain_http import Answer, PlainHttp, PlainRequest
from jay.web.responses import MAX_BODY_BYTES

CLIENT, SERVER = ("192.0.2.7", 50123), ("127.0.0.1", 8000)
CFG = Config()
CFG.set("threads", 2)
CFG.set("limit_request_line", 8190)
CFG.set("limit_request_field_size", 16380)
CFG.set("forwarded_allow_ips", "")
OWN = {"wsgi.errors", "wsgi.input", "wsgi.early_hints", "gunicorn.socket", "wsgi.multithread"}

odd = st.characters(max_codepoint=255)


def mostly(usual: st.SearchStrategy[str], unusual: st.SearchStrategy[str]) -> Any:
    """Return the usual five times of six: what is odd in each part is read by nobody."""
    return st.integers(0, 5).flatmap(lambda number: usual if number else unusual)


names = mostly(
    st.sampled_from(
        ["Host", "Content-Type", "Connection", "X-API-Key", "Cookie", "Te", "a", "A-b"]
    ),
    st.one_of(
        st.sampled_from(
            [
                *("Transfer-Encoding", "Expect", "Upgrade", "X_Forwarded_For", "SCRIPT_NAME"),
                *("host", "Content-Length", "content-length", "Proxy-Connection", "Script-Name"),
            ]
        ),
        st.text(st.sampled_from("aZ-_.!^ :\t\r\n\x00\xdf9"), max_size=4),
    ),
)
values = mostly(
    st.sampled_from(["close", "Keep-Alive", "keep-alive, x", "", " a ", "b: c\t", "chunked", "0"]),
    st.one_of(
        st.sampled_from(["100-continue", "+1", "01", "1_0", "\xb2", "1, 1", "-1", "1"]),
        st.text(odd, max_size=6),
    ),
)
targets = mostly(
    st.text(st.sampled_from("abc/?%2F:@[]\\^`{|}~\"'"), max_size=8).map("/{}".format),
    st.one_of(
        st.sampled_from(["//a/b", "/a#b", "*", "a", "", "http://h/p", "/a b", "/a?b#c"]),
        st.text(odd, max_size=8).map("/{}".format),
    ),
)
methods = mostly(
    st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE"]),
    st.sampled_from(["HEAD", "get", "OPTIONS", "G T", "CONNECT"]),
)
versions = mostly(st.just("HTTP/1.1"), st.sampled_from(["HTTP/1.0", "http/1.1", "HTTP/1.1 "]))
ends = st.integers(0, 40).map(lambda number: {0: "\n", 1: "\r", 2: "\r\n "}.get(number, "\r\n"))


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    text = f"{draw(methods)} {draw(targets)} {draw(versions)}{draw(ends)}"
    body = draw(st.binary(max_size=12))
    for name, value in draw(st.lists(st.tuples(names, values), max_size=4)):
        text += f"{name}:{draw(st.sampled_from([' ', '', '  ']))}{value}{draw(ends)}"
    if draw(st.booleans()):
        text += f"Content-Length: {len(body)}\r\n"
    text += "\r\n"
    return text.encode("latin-1", "replace") + body


def read_plainly(data: bytes) -> PlainRequest | None:
    framing = Framing(MAX_BODY_BYTES)
    if not framing.is_complete(bytearray(data)):
        return None
    return PlainHttp(CFG).read(bytearray(data), framing)


def read_by_gunicorn(data: bytes) -> tuple[Any, dict[str, Any], bytes, bytes]:
    unreader = IterUnreader(iter([data]))
    request = Request(CFG, unreader, CLIENT, 2)
    body = b"".join(iter(request.body.read, b""))
    _, environ = wsgi.create(request, None, CLIENT, SERVER, CFG)
    return request, environ, body, unreader.take_buffered()


@example(b"POST /a%2Fb?c=%20 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nA:\t b \r\n\r\n{}GET /")
@example(b"GET / HTTP/1.1\r\nHost: x\r\nhost: x\r\n\r\n")
@example(b"GET / HTTP/1.1\r\nX-Forwarded-For: a\r\nX_Forwarded_For: b\r\n\r\n")
@example(b"GET / HTTP/1.1\r\nX_Forwarded_For: b\r\n\r\n")
@example(b"POST / HTTP/1.1\r\nContent-Length: 1_0\r\n\r\n0123456789")
@example(b"POST / HTTP/1.1\r\nContent-Length: 2\r\nTransfer-Encoding: identity\r\n\r\n{}")
@example(b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na")
@given(requests())
def test_a_plain_request_is_read_as_gunicorn_reads_it(data: bytes) -> None:
    plain = read_plainly(data)
    if plain is None:
        return
    request, environ, body, rest = read_by_gunicorn(data)  # raises where gunicorn refuses it
    ours = PlainHttp(CFG).environ(plain, None, CLIENT, SERVER)
    assert {k: v for k, v in ours.items() if k not in OWN} == {
        k: v for k, v in environ.items() if k not in OWN
    }
    assert ours["wsgi.input"].read() == body
    assert data[plain.end :] == rest
    assert plain.should_close() == request.should_close()
    assert environ.keys() - ours.keys() == {"wsgi.early_hints"}


@pytest.mark.parametrize(
    "data",
    [
        b"GET /v2/baskets/users/a%2Fb?x=1 HTTP/1.1\r\nHost: x\r\nX-API-Key: k\r\n\r\n",
        b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Type: text/json\r\nContent-Length: 2\r\n\r\n{}",
        b"DELETE /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\nA:\r\n\r\n",
    ],
)
def test_what_apps_send_is_plain(data: bytes) -> None:
    assert read_plainly(data) is not None


statuses = st.sampled_from(["200 OK", "404 Not Found", "304 Not Modified", "204 No Content", "200"])
answers = st.lists(
    st.tuples(
        st.one_of(st.sampled_from(["Content-Type", "Connection", "Set-Cookie", "Date"]), names),
        st.one_of(st.sampled_from(["text/html", "a\r\nX: y", "ä", "x "]), values),
    ),
    max_size=4,
)


class Sock:
    """Takes what is written."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.sendall = self.pieces.append


def said(send: Any) -> bytes | type[Exception]:
    """Return what is written, without the date, or how it was refused."""
    sock = Sock()
    try:
        send(sock)
    except Exception as error:  # noqa: BLE001 - either side may refuse it, in the same way
        return type(error)
    return re.sub(rb"Date: [^\r]+", b"Date", b"".join(sock.pieces))


def is_whole(sock: Sock) -> bool:
    """Tell whether an answer has the length that it announces, or none."""
    head, _, body = b"".join(sock.pieces).partition(b"\r\n\r\n")
    lengths = re.findall(rb"\r\nContent-Length: (-?\w+)", head, re.IGNORECASE)
    return not lengths or head[9:12] in {b"204", b"304"} or len(body) >= int(lengths[-1])


@example("200 OK", [("A: b", "c"), ("Content-Length", "1")], [b"x"], False, -1)
@example("200 OK", [("A", "b\r\nC: d"), ("Content-Length", "1")], [b"x"], False, -1)
@example("200 OK", [("Content-Length", "1"), ("Content-Length", "1")], [b"x"], True, -1)
@given(
    statuses,
    answers,
    st.lists(st.binary(max_size=5), max_size=3),
    st.booleans(),
    st.integers(-1, 1),
)
def test_an_answer_is_written_as_gunicorn_writes_it(
    status: str, headers: list[tuple[str, str]], pieces: list[bytes], close: bool, more: int
) -> None:
    if more >= 0:
        length = max(0, sum(map(len, pieces)) + more)
        headers = [*headers, ("Content-Length", str(length))]
    request = PlainRequest("GET", "/", "/", "", {}, b"", 0)

    def ours(sock: Sock) -> None:
        answer = Answer(PlainHttp(CFG), request, sock, close=close)
        answer.start_response(status, headers)
        goes_on = answer.send(iter(pieces))
        assert goes_on == (
            not close and b"\r\nConnection: close" not in sock.pieces[0] and is_whole(sock)
        )

    def theirs(sock: Sock) -> None:
        answer = wsgi.Response(request, sock, CFG)
        if close:
            answer.force_close()
        answer.start_response(status, headers)
        for piece in pieces:
            answer.write(piece)
        answer.close()

    assert said(ours) == said(theirs)


def test_an_error_takes_the_place_of_an_answer_that_has_begun() -> None:
    sock = Sock()
    answer = Answer(
        PlainHttp(CFG), PlainRequest("GET", "/", "/", "", {}, b"", 0), sock, close=False
    )
    write = answer.start_response("200 OK", [("Content-Length", "2")])
    with pytest.raises(AssertionError):
        answer.start_response("200 OK", [])
    write(b"of the first one")
    answer.start_response("500 Internal Server Error", [("Content-Length", "2")], (1, 2, 3))
    write(b"a")
    assert answer.send([b"b"])
    head, _, body = b"".join(sock.pieces).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 500 ")
    assert body == b"ab"


def test_errors_are_written_where_gunicorn_logs_them_then(monkeypatch: pytest.MonkeyPatch) -> None:
    errors = PlainHttp(CFG).environ(
        PlainRequest("GET", "/", "/", "", {}, b"", 0), None, CLIENT, SERVER
    )["wsgi.errors"]
    later = io.StringIO()
    monkeypatch.setattr("sys.stderr", later)
    errors.write("told")
    assert later.getvalue() == "told"


@pytest.mark.parametrize("name", ["limit_request_fields", "limit_request_line"])
def test_where_less_is_allowed_gunicorn_reads_all(name: str) -> None:
    data = bytearray(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    framing = Framing(MAX_BODY_BYTES)
    assert framing.is_complete(data)
    cfg = Config()
    cfg.set("limit_request_line", 8190)
    assert PlainHttp(cfg).read(data, framing) is not None
    cfg.set(name, 50)
    assert PlainHttp(cfg).read(data, framing) is None
