"""The worker that serves clients with nothing in front: none of them holds a thread."""

import errno
import gc
import io
import itertools
import os
import runpy
import socket
import sys
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.glogging import Logger

from jay import i18n
from jay.web import answering, body_files, logs, serving
from jay.web.connections import LINGERING
from jay.web.responses import EXPIRED, LARGER_BODIES, MAX_BODY_BYTES
from jay.web.serving import BufferingWorker
from tests.clock import PATIENCE_SECONDS
from tests.full_disk import Full, FullDisk

LARGE = 16 * 1024 * 1024
"""Bytes of an answer that no socket takes at once."""


ALIVE = b"ok\n"


class App:
    """A WSGI app that does as the path says."""

    def __init__(self) -> None:
        self.entered, self.go_on = threading.Semaphore(0), threading.Semaphore(0)
        self.asked: list[tuple[str, str]] = []
        """Paths, and the names of the threads that asked."""

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        path = environ["PATH_INFO"]
        self.asked.append((path, threading.current_thread().name))
        if path == "/exit":
            raise SystemExit
        if path == "/wait":
            self.entered.release()
            assert self.go_on.acquire(timeout=PATIENCE_SECONDS)
        if path == "/break":
            raise RuntimeError("of the app")
        answer = {
            "/large": lambda: bytes(LARGE),
            "/echo": environ["wsgi.input"].read,
            "/v1/shops/pictures/echo": environ["wsgi.input"].read,
            "/v1/shops/pictures/length": environ.get("CONTENT_LENGTH", "").encode,
            "/unread": lambda: b"unread",
            "/expired": lambda: str(EXPIRED in environ).encode(),
        }.get(path, path.encode)()
        announced = len(answer) + (path == "/short")
        start_response("200 OK", [("Content-Length", str(announced))])
        return [answer]


class InThread(BufferingWorker):
    """The worker without a master and its signals."""

    def init_signals(self) -> None:
        pass

    def load_wsgi(self) -> None:
        self.wsgi = self.app


class Listener(socket.socket):
    """Fails as it is told to."""

    failing: int | None = None
    failed = 0

    def accept(self) -> Any:
        if self.failing is None:
            return super().accept()
        self.failed += 1
        raise OSError(self.failing, os.strerror(self.failing))


class Server:
    """A worker, and connections to it."""

    def __init__(
        self,
        threads: int,
        most: int = 1000,
        keepalive: int = PATIENCE_SECONDS,
        listening: socket.socket | None = None,
    ) -> None:
        self.app = App()
        config = Config()
        config.set("threads", threads)
        config.set("worker_connections", most)
        config.set("keepalive", PATIENCE_SECONDS)
        config.set("limit_request_line", 8190)
        config.set("limit_request_field_size", 16380)
        listening = listening or socket.create_server(("127.0.0.1", 0))
        self.listener = Listener(fileno=listening.detach())
        self.address = self.listener.getsockname()
        self.port = self.address[1]
        self.worker = InThread(
            1, os.getppid(), [self.listener], self.app, 30, config, Logger(config)
        )
        self._opened: list[socket.socket] = []
        self._thread = threading.Thread(target=self.worker.init_process)
        others = threading.enumerate()
        self._thread.start()
        assert self.ask("/begin") == b"/begin"
        begun = set(threading.enumerate()).difference(others)
        self._threads = [thread for thread in begun if thread.name.startswith("request-")]

    def connect(self, sent: bytes = b"", *, buffer: int | None = None) -> socket.socket:
        """Open a connection and send something."""
        opened = socket.socket(self.listener.family)
        if buffer is not None:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        opened.settimeout(PATIENCE_SECONDS)
        opened.connect(self.address)
        opened.sendall(sent)
        self._opened.append(opened)
        return opened

    def ask(self, path: str) -> bytes:
        """Send a normal request over a new connection, and return its answer's body."""
        return body_of(self.connect(get(path, close=True)))

    def until(self, condition: Callable[[], bool], path: str = "/tick") -> None:
        """Wait for something; requests are the clock."""
        for _ in range(20_000):
            if condition():
                return
            self.ask(path)
        raise AssertionError("it did not come")

    def tell_to_stop(self) -> None:
        self.worker.alive = False
        os.write(self.worker.PIPE[1], b".")

    def stop(self) -> None:
        for _ in range(50):
            self.app.go_on.release()
        for opened in self._opened:
            opened.close()
        self.tell_to_stop()
        self._thread.join(PATIENCE_SECONDS)
        # Whoever has answered last may still be about to tell the loop, though it has ended.
        for _ in self._threads:
            self.worker._ready.put(None)
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)
        assert [thread for thread in self._threads if thread.is_alive()] == []
        for pipe in self.worker.PIPE:
            os.close(pipe)
        self.worker.tmp._tmp.close()
        self.listener.close()


def get(path: str, *, close: bool = False) -> bytes:
    more = "Connection: close\r\n" if close else ""
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n{more}\r\n".encode()


def read_all(connection: socket.socket) -> bytes:
    """Read until the server closes the connection, or resets it."""
    found = bytearray()
    try:
        while piece := connection.recv(65536):
            found += piece
    except ConnectionError:
        pass
    return bytes(found)


def body_of(connection: socket.socket) -> bytes:
    head, _, body = read_all(connection).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 "), head
    return body


SLOW = {
    "silent": b"",
    "half a line": b"GET /co",
    "half a head": b"GET / HTTP/1.1\r\nHost: x\r\n",
    "half a body": b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345",
    "half a chunk": b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12",
}


@pytest.fixture
def serve(request: pytest.FixtureRequest) -> Callable[..., Server]:
    def start(threads: int = 1, **more: Any) -> Server:
        server = Server(threads, **more)
        request.addfinalizer(server.stop)
        return server

    return start


@pytest.fixture
def server(serve: Callable[..., Server]) -> Server:
    return serve()


def test_slow_clients_hold_no_thread(server: Server) -> None:
    for said in SLOW.values():
        server.connect(said)
    server.connect(get("/large") * 3, buffer=4096)  # and reads nothing

    assert [server.ask(f"/{number}") for number in range(3)] == [b"/0", b"/1", b"/2"]
    assert len(server.worker._open) >= len(SLOW) + 1


@pytest.mark.parametrize("said", list(SLOW.values())[1:], ids=list(SLOW)[1:])
def test_a_request_has_a_deadline_for_its_arrival(
    server: Server, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    monkeypatch.setattr(serving, "DEADLINE_SECONDS", 0.1)

    assert read_all(server.connect(said)).startswith(b"HTTP/1.1 408 ")


def test_a_connection_that_is_not_used_is_kept_as_long_as_one_between_two_requests(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    unused = server.connect()
    server.until(lambda: any(not one.served for one in list(server.worker._open)))
    server.worker.cfg.set("keepalive", 1)
    assert read_all(server.connect()) == b""
    # The first byte begins the deadline of a request, whatever time has passed before.
    monkeypatch.setattr(serving, "DEADLINE_SECONDS", 0.1)
    unused.sendall(b"GET /")
    assert read_all(unused).startswith(b"HTTP/1.1 408 ")


def test_who_is_late_can_read_so_though_it_goes_on_to_send(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "DEADLINE_SECONDS", 0.1)
    monkeypatch.setattr(serving, "LINGER_SECONDS", PATIENCE_SECONDS)
    late = server.connect(SLOW["half a body"])
    server.until(lambda: any(one.state == LINGERING for one in list(server.worker._open)))

    # To a connection that is closed these bytes would be answered with a reset, which takes what
    # was not read yet with it.
    late.sendall(b"6")
    server.ask("/next")

    assert read_all(late).startswith(b"HTTP/1.1 408 ")


def test_an_answer_has_a_deadline_for_being_taken(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "DEADLINE_SECONDS", 0.1)
    deaf = server.connect(get("/large"), buffer=4096)

    server.until(lambda: ("/large", "request-0") in server.app.asked and not server.worker._open)

    assert len(read_all(deaf)) < LARGE


def test_a_client_that_takes_its_time_gets_all(server: Server) -> None:
    slow = server.connect(get("/large", close=True), buffer=4096)
    server.until(lambda: any(one.out for one in list(server.worker._open)))

    assert len(body_of(slow)) == LARGE


def test_the_process_is_alive_while_every_thread_hangs(server: Server) -> None:
    server.connect(get("/wait"))
    assert server.app.entered.acquire(timeout=PATIENCE_SECONDS)

    assert server.ask("/healthz") == ALIVE
    assert "/healthz" not in [path for path, _ in server.app.asked]


def test_the_process_says_that_it_lives_as_http_wants_it(server: Server) -> None:
    kept = server.connect(get("/healthz"))
    first = kept.recv(1000)
    kept.sendall(get("/healthz", close=True))
    second = read_all(kept)
    alone = read_all(server.connect(get("/healthz", close=True).replace(b"GET", b"HEAD")))

    for heard, end in ((first, b"keep-alive"), (second, b"close")):
        assert heard.startswith(b"HTTP/1.1 200 ")
        assert heard.endswith(b"\r\nConnection: " + end + b"\r\n\r\n" + ALIVE)
    assert b"Content-Length: 3\r\n" in alone
    assert alone.endswith(b"\r\n\r\n")
    # What is put in an unusual way is for the parser and the app to judge.
    for unusual in (b"Host : x", b"nonsense", b"A: \xff"):
        server.connect(b"GET /healthz HTTP/1.1\r\n" + unusual + b"\r\n\r\n")
    assert server.ask("/healthz?lang=de") == b"/healthz"


def test_who_has_waited_too_long_for_a_thread_is_told_so(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert server.ask("/expired") == b"False"
    monkeypatch.setattr(answering, "EXPIRES_SECONDS", 0.0)

    assert server.ask("/expired") == b"True"


def test_a_proxy_on_the_same_machine_may_come_by_a_file(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(tmp_path / "sock"))
    listening.listen()
    assert serve(listening=listening).ask("/by-a-file") == b"/by-a-file"


def test_requests_in_a_row_are_answered_in_their_order(serve: Callable[..., Server]) -> None:
    server = serve(threads=4)
    paths = ["/healthz", *(f"/{number}" for number in range(30)), "/code"]
    asked = b"".join(map(get, paths)) + get("/last", close=True)

    heard = read_all(server.connect(asked))

    bodies = [part.partition(b"HTTP/1.1")[0] for part in heard.split(b"\r\n\r\n")[1:]]
    assert bodies == [ALIVE, *(path.encode() for path in [*paths[1:], "/last"])]


def test_a_body_is_what_was_sent_in_whatever_pieces(server: Server) -> None:
    for said in (
        b"Content-Length: 10\r\n\r\n0123456789",
        b"Transfer-Encoding: chunked\r\n\r\n4\r\n0123\r\n6\r\n456789\r\n0\r\n\r\n",
    ):
        asked = b"POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + said
        connection = server.connect()
        for byte in asked:
            connection.sendall(bytes([byte]))
        assert body_of(connection) == b"0123456789"


def test_a_body_that_nobody_reads_is_not_the_next_request(server: Server) -> None:
    asked = b"POST /unread HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nGET / HTTP"

    heard = read_all(server.connect(asked + get("/next", close=True)))

    assert heard.count(b"HTTP/1.1 200 ") == 2
    assert heard.endswith(b"/next")


def test_who_asks_before_sending_a_body_is_told_to_go_on(server: Server) -> None:
    asked = b"POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\n"
    connection = server.connect(asked + b"Content-Length: 5\r\n\r\n")

    assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
    connection.sendall(b"12345")
    assert body_of(connection) == b"12345"


def test_a_body_that_is_too_large_is_answered_at_once_and_the_answer_can_be_read(
    server: Server,
) -> None:
    length = MAX_BODY_BYTES + 1
    asked = f"POST /unread HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode()
    connection = server.connect(asked + bytes(length))

    assert body_of(connection) == b"unread"


def test_pictures_may_be_larger_and_have_longer_to_arrive(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each part as large as an ordinary body has the time of one; who stops to send is cut off.
    monkeypatch.setattr(serving, "DEADLINE_SECONDS", PATIENCE_SECONDS)
    asked = b"PUT /v1/shops/pictures/echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    length = 2 * MAX_BODY_BYTES + 1
    connection = server.connect(asked + b"Content-Length: %d\r\n\r\n" % length + b"1")
    server.until(lambda: any(one.data for one in server.worker._open))
    (reading,) = [one for one in server.worker._open if one.data]
    before = reading.deadline
    connection.sendall(bytes(MAX_BODY_BYTES))
    server.until(lambda: reading.stored > MAX_BODY_BYTES)
    assert reading.deadline > before
    before = reading.deadline
    connection.sendall(b"0")
    server.until(lambda: len(reading.data) > 0)
    assert reading.deadline == before
    connection.sendall(bytes(MAX_BODY_BYTES - 1))

    assert body_of(connection) == b"1" + bytes(MAX_BODY_BYTES) + b"0" + bytes(MAX_BODY_BYTES - 1)


PUT = b"PUT /v1/shops/pictures/%s HTTP/1.1\r\nHost: x\r\n"
PICTURE = bytes(range(256)) * 12_345
"""More than three times of what other bodies may have."""


def in_chunks(body: bytes, length: int) -> bytes:
    pieces = [body[at : at + length] for at in range(0, len(body), length)]
    sent = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return b"Transfer-Encoding: chunked\r\n\r\n" + sent


@pytest.mark.parametrize(
    "framed",
    [
        b"Content-Length: %d\r\n\r\n" % len(PICTURE) + PICTURE,
        in_chunks(PICTURE, 65_536) + b"0\r\n\r\n",
        in_chunks(PICTURE, 2 * MAX_BODY_BYTES) + b"0\r\nX: 1\r\n\r\n",
    ],
)
def test_what_is_larger_lies_in_a_file_and_memory_is_for_all_the_others(
    server: Server, framed: bytes
) -> None:
    sent = PUT % b"echo" + framed
    connection = server.connect(sent[:-9])
    server.until(lambda: any(one.stored > 2 * MAX_BODY_BYTES for one in server.worker._open))
    assert max(one.buffered for one in server.worker._open) < 2 * MAX_BODY_BYTES

    connection.sendall(sent[-9:] + get("/next", close=True))

    assert read_all(connection).split(b"\r\n\r\n", 1)[1].startswith(PICTURE + b"HTTP/1.1 200 ")
    assert server.worker._stored_bytes == 0


def test_files_are_bounded_and_who_goes_on_to_send_keeps_the_room(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server.worker, "_most_stored", 4 * MAX_BODY_BYTES)
    asked = PUT % b"echo" + b"Content-Length: %d\r\n\r\n" % len(PICTURE)
    idle = server.connect(asked + PICTURE[:-1])
    server.until(lambda: server.worker._stored_bytes > 2 * MAX_BODY_BYTES)
    busy = server.connect(asked.replace(b"Host", b"Connection: close\r\nHost") + PICTURE[:-1])

    assert read_all(idle).startswith(b"HTTP/1.1 503 ")
    busy.sendall(PICTURE[-1:])
    assert body_of(busy) == PICTURE
    assert server.worker._stored_bytes == 0


def test_where_no_file_can_be_had_the_client_is_told_to_come_again(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(**_options: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    asked = PUT % b"echo" + b"Content-Length: %d\r\n\r\n" % len(PICTURE)
    late = server.connect(asked + PICTURE[:-1])
    server.until(lambda: server.worker._stored_bytes > 2 * MAX_BODY_BYTES)
    monkeypatch.setattr(tempfile, "TemporaryFile", full)

    assert read_all(server.connect(asked + PICTURE[:-1])).startswith(b"HTTP/1.1 503 ")
    late.sendall(PICTURE[-1:])  # its body needs a file of its own
    assert read_all(late).startswith(b"HTTP/1.1 503 ")
    assert server.ask("/next") == b"/next"
    assert server.worker._stored_bytes == 0


@pytest.mark.parametrize(("workers", "share"), [(1, 256), (4, 64), (64, 21)])
def test_processes_share_the_room_for_files_and_each_has_room_for_one(
    workers: int, share: int
) -> None:
    assert body_files.share(workers) == share * 1024 * 1024


MIB = 1024 * 1024
GIB = 1024 * MIB


@pytest.mark.parametrize(
    ("size", "kept"), [(100 * GIB, 512 * MIB), (2 * GIB, 2 * GIB // 20), (0, None)]
)
def test_files_leave_room_for_the_database(
    server: Server, monkeypatch: pytest.MonkeyPatch, size: int, kept: int | None
) -> None:
    free = 0

    def told(_file: int) -> SimpleNamespace:
        return SimpleNamespace(f_frsize=512, f_blocks=size // 512, f_bavail=free // 512)

    monkeypatch.setattr(os, "fstatvfs", told)
    asked = PUT % b"echo" + b"Content-Length: %d\r\n\r\n" % len(PICTURE)
    if kept is None:  # a file system that tells nothing of itself
        assert read_all(
            server.connect(asked.replace(b"Host", b"Connection: close\r\nHost") + PICTURE)
        ).endswith(PICTURE)
        return
    free = kept + MAX_BODY_BYTES // 2
    refused = read_all(server.connect(asked + PICTURE[:-1]))
    assert refused.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nRetry-After: " in refused
    free = kept + 4 * MAX_BODY_BYTES
    late = server.connect(asked + PICTURE[:-1])
    server.until(lambda: server.worker._stored_bytes > 2 * MAX_BODY_BYTES)
    free = kept
    late.sendall(PICTURE[-1:])  # its body needs a file of its own
    assert read_all(late).startswith(b"HTTP/1.1 503 ")
    assert server.worker._stored_bytes == 0


def test_a_disk_that_is_full_ends_no_process_and_is_counted_once(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = PUT % b"echo" + b"Content-Length: %d\r\n\r\n" % len(PICTURE)
    late = server.connect(asked + PICTURE[:-1])
    server.until(lambda: server.worker._stored_bytes > 2 * MAX_BODY_BYTES)
    before = server.worker._stored_bytes
    monkeypatch.setattr(tempfile, "TemporaryFile", Full)

    assert read_all(server.connect(asked + PICTURE[:-1])).startswith(b"HTTP/1.1 503 ")
    assert server.worker._stored_bytes == before
    late.sendall(PICTURE[-1:])  # its body needs a file of its own
    assert read_all(late).startswith(b"HTTP/1.1 503 ")
    assert server.ask("/next") == b"/next"
    assert server.worker._stored_bytes == 0


@pytest.mark.parametrize("room", [2 * MAX_BODY_BYTES - 4096, len(PICTURE) - 4096])
def test_what_a_buffer_holds_when_the_disk_is_full_is_told_at_once(
    server: Server, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    # The last few KiB are all that has no room, of the file in which it arrives or of its body.
    monkeypatch.setattr(FullDisk, "room", room)
    monkeypatch.setattr(tempfile, "TemporaryFile", Full)
    asked = PUT % b"echo" + b"Content-Length: %d\r\n\r\n" % len(PICTURE)

    assert read_all(server.connect(asked + PICTURE)).startswith(b"HTTP/1.1 503 ")
    assert server.ask("/next") == b"/next"
    assert server.worker._stored_bytes == 0


def test_the_beginning_of_what_is_too_large_is_not_taken_for_all_of_it(server: Server) -> None:
    most = LARGER_BODIES[b"PUT /v1/shops/pictures/"]
    sent = PUT % b"length" + in_chunks(bytes(most + 2 * MAX_BODY_BYTES), MAX_BODY_BYTES)

    assert body_of(server.connect(sent)) == str(2 * most).encode()


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (b"GET / HTTP/7.3\r\nHost: x\r\n\r\n", 505),
        (b"nonsense\r\n\r\n", 400),
        (b"GET /" + b"x" * 9000, 414),
        (b"GET / HTTP/1.1\r\n" + b"A: 1\r\n" * 12_000, 431),
        (SLOW["half a chunk"].replace(b"5\r\n12", b"z\r\n12"), 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n1", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nExpect: rain\r\nContent-Length: 5\r\n\r\n", 417),
    ],
)
def test_what_is_no_request_is_refused(server: Server, said: bytes, status: int) -> None:
    answer = read_all(server.connect(said))

    assert answer.startswith(b"HTTP/1.1 "), answer
    assert int(answer[9:12]) in {status, 400}
    assert server.ask("/next") == b"/next"


CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "said",
    [
        b"Content-Length: 0000000000000000100\r\n\r\n",
        b"Content-Length: 9999999999999999999\r\n\r\n",
        CHUNKED + b"0000000000000040\r\n",
        CHUNKED + b"40;x=" + b"1" * 8190 + b"\r\n",
        CHUNKED + b"z\r\n",
        CHUNKED + b"1\r\n1xx0\r\n\r\n",
        CHUNKED + b"1;=\r\n1\r\n0\r\n\r\n",
        CHUNKED + b"0\r\nHost: y\r\n\r\n",
    ],
)
def test_what_follows_a_body_that_is_not_understood_is_no_request(
    server: Server, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    logged: list[str] = []
    monkeypatch.setattr(server.worker.log, "exception", lambda text, *_more: logged.append(text))
    connection = server.connect(b"POST /unread HTTP/1.1\r\nHost: x\r\n" + said)
    heard = connection.recv(9)

    connection.sendall(get("/smuggled"))
    heard += read_all(connection)

    asked = [path for path, _ in server.app.asked]
    assert "/smuggled" not in asked
    assert heard.count(b"HTTP/1.1 ") == 1
    assert b"\r\nConnection: close\r\n" in heard
    assert not logged
    if b" 9999" not in said:  # that is too large, which the app says
        assert heard.startswith(b"HTTP/1.1 400 ")
        assert "/unread" not in asked


def test_a_body_that_only_the_parser_understands_ends_the_connection(server: Server) -> None:
    asked = b"POST /echo HTTP/1.1\r\nHost: x\r\n" + CHUNKED
    asked += b"0000000000000000a\r\n0123456789\r\n0\r\n\r\n"

    heard = read_all(server.connect(asked + get("/smuggled")))

    assert heard.endswith(b"\r\n\r\n0123456789")
    assert b"\r\nConnection: close\r\n" in heard


def test_the_parser_copies_no_more_than_a_little_for_each_chunk(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    most = 0

    class Watched(answering.IterUnreader):
        def read(self, *args: Any, **more: Any) -> bytes:
            nonlocal most
            found: bytes = super().read(*args, **more)
            most = max(most, len(found))
            return found

    monkeypatch.setattr(answering, "IterUnreader", Watched)
    asked = b"POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + CHUNKED
    asked += b"1\r\nx\r\n" * 10_000 + b"0\r\n\r\n"

    assert body_of(server.connect(asked)) == b"x" * 10_000
    assert most <= 2 * body_files.PARSED_BYTES


@pytest.mark.parametrize("more", [b"", b"A_B: read by gunicorn\r\n"])
def test_nothing_follows_an_answer_that_is_shorter_than_announced(
    server: Server, more: bytes
) -> None:
    asked = get("/short").replace(b"Host", more + b"Host")

    heard = read_all(server.connect(asked + get("/next")))

    assert heard.endswith(b"\r\n\r\n/short")
    assert "/next" not in [path for path, _ in server.app.asked]


def test_a_question_for_life_with_two_lengths_is_refused_and_nothing_follows(
    server: Server,
) -> None:
    asked = get("/healthz")[:-2] + b"Content-Length: 0\r\nContent-Length: 9\r\n\r\n"

    heard = read_all(server.connect(asked + get("/smuggled")))

    assert heard.startswith(b"HTTP/1.1 400 ")
    assert heard.count(b"HTTP/1.1 ") == 1


def test_a_body_is_not_read_by_the_loop(server: Server) -> None:
    asked = get("/healthz", close=True)[:-2]
    for said in (asked + CHUNKED + b"0\r\n\r\n", asked + b"Content-Length: 1\r\n\r\n1"):
        assert body_of(server.connect(said)) == b"/healthz"

    by = [thread for path, thread in server.app.asked if path == "/healthz"]
    assert by == ["request-0"] * 2


def test_an_exit_ends_no_thread(server: Server) -> None:
    assert read_all(server.connect(get("/exit"))) == b""
    assert server.ask("/next") == b"/next"


def test_a_fault_of_the_app_is_a_500_and_no_thread_is_lost(server: Server) -> None:
    for _ in range(3):
        assert read_all(server.connect(get("/break"))).startswith(b"HTTP/1.1 500 ")

    assert server.ask("/next") == b"/next"


def test_a_new_client_takes_the_place_of_the_one_that_is_cut_off_next(
    serve: Callable[..., Server],
) -> None:
    server = serve(most=4)
    idle = [server.connect() for _ in range(10)]

    assert server.ask("/next") == b"/next"
    assert [read_all(one) for one in idle[:6]] == [b""] * 6


def test_no_more_clients_are_accepted_than_there_is_room_for(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(threads=2, most=2)
    paused = threading.Event()
    listen = server.worker._listen

    def note(*, on: bool) -> None:
        listen(on=on)
        if not on:
            paused.set()

    monkeypatch.setattr(server.worker, "_listen", note)
    working = [server.connect(get("/wait", close=True)) for _ in range(2)]
    for _ in working:
        assert server.app.entered.acquire(timeout=PATIENCE_SECONDS)

    waiting = server.connect(get("/third", close=True))
    assert paused.wait(PATIENCE_SECONDS)

    assert len(server.worker._open) == 2
    server.app.go_on.release(2)
    assert [body_of(connection) for connection in working] == [b"/wait"] * 2
    assert body_of(waiting) == b"/third"


def test_who_can_not_be_accepted_for_want_of_files_keeps_nothing_busy(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(threads=2)
    server.until(lambda: len(server.worker._open) <= 1)
    server.connect(get("/wait"))
    assert server.app.entered.acquire(timeout=PATIENCE_SECONDS)
    server.until(lambda: len(server.worker._open) <= 2)
    pauses: list[int] = []
    thrice = threading.Event()
    listen = server.worker._listen

    def note(*, on: bool) -> None:
        listen(on=on)
        if not on:
            pauses.append(server.listener.failed)
        if len(pauses) == 3:
            server.listener.failing = None
            thrice.set()

    monkeypatch.setattr(server.worker, "_listen", note)
    server.listener.failing = errno.EMFILE

    waiting = server.connect(get("/next", close=True))

    assert thrice.wait(PATIENCE_SECONDS)
    # It was tried once each time: what could be freed was freed before.
    assert pauses == list(range(pauses[0], pauses[0] + 3))
    assert body_of(waiting) == b"/next"


def test_a_client_that_has_gone_before_it_was_accepted_costs_nobody_the_place(
    server: Server,
) -> None:
    kept = server.connect(get("/first"))
    assert kept.recv(1000).endswith(b"/first")

    server.listener.failing = errno.EPROTO
    waiting = server.connect(get("/next", close=True))
    while not server.listener.failed:
        kept.sendall(get("/again"))
        assert kept.recv(1000).endswith(b"/again")
    server.listener.failing = None

    assert body_of(waiting) == b"/next"
    kept.sendall(get("/last"))
    assert kept.recv(1000).endswith(b"/last")


def test_what_is_worked_for_costs_nobody_else_the_place(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(threads=2)
    monkeypatch.setattr(serving, "MOST_BUFFERED_BYTES", 1000)
    looked = itertools.count()
    cut_off = server.worker._cut_off

    def count(now: float) -> None:
        cut_off(now)
        next(looked)

    kept = server.connect(get("/first"))
    assert kept.recv(1000).endswith(b"/first")
    asked = b"POST /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n"
    server.connect(asked + bytes(5000))
    assert server.app.entered.acquire(timeout=PATIENCE_SECONDS)
    monkeypatch.setattr(server.worker, "_cut_off", count)

    server.until(lambda: repr(looked) not in {"count(0)", "count(1)"})

    kept.sendall(get("/last"))
    assert kept.recv(1000).endswith(b"/last")


def test_what_waits_for_a_thread_is_bounded(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "MOST_QUEUED_BYTES", 1000)
    server.connect(get("/wait"))
    assert server.app.entered.acquire(timeout=PATIENCE_SECONDS)
    asked = b"POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 700\r\n\r\n"
    first = server.connect(asked + b"1" * 700)
    server.until(lambda: not server.worker._ready.empty(), "/healthz")

    refused = read_all(server.connect(asked + b"2" * 700))

    assert refused.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nConnection: close\r\n" in refused
    server.app.go_on.release()
    assert body_of(first) == b"1" * 700
    assert body_of(server.connect(asked + b"3" * 700)) == b"3" * 700


def test_so_many_wait_for_a_thread_that_there_is_room_for_who_asks_for_life(
    serve: Callable[..., Server],
) -> None:
    server = serve(most=10)
    server.connect(get("/wait"))
    assert server.app.entered.acquire(timeout=PATIENCE_SECONDS)
    for _ in range(12):
        server.connect(get("/queued"))

    assert server.ask("/healthz") == ALIVE


def test_all_slow_clients_together_are_bounded(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "MOST_BUFFERED_BYTES", 1000)
    asked = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n"

    assert read_all(server.connect(asked + bytes(4000))) == b""
    assert server.ask("/next") == b"/next"


def test_what_has_begun_is_finished_before_the_end(server: Server) -> None:
    kept = server.connect(get("/first"))
    assert kept.recv(1000).endswith(b"/first")
    working = server.connect(get("/wait", close=True))
    assert server.app.entered.acquire(timeout=PATIENCE_SECONDS)

    server.tell_to_stop()
    server.app.go_on.release()

    assert body_of(working) == b"/wait"
    # A request may have been on its way: it is answered, and told that it was the last one.
    kept.sendall(get("/second"))
    assert b"\r\nConnection: close\r\n" in read_all(kept)


class Deaf(io.StringIO):
    """A log that nobody reads: who writes to it waits."""

    def __init__(self) -> None:
        super().__init__()
        self.entered, self.go_on = threading.Event(), threading.Event()

    def write(self, text: str) -> int:
        self.entered.set()
        assert self.go_on.wait(PATIENCE_SECONDS)
        return super().write(text)


def test_who_waits_for_the_log_keeps_the_loop_from_nothing(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", deaf := Deaf())
    logs._held.append("held back\n")
    try:
        assert deaf.entered.wait(PATIENCE_SECONDS)
        assert server.ask("/healthz") == ALIVE
    finally:
        deaf.go_on.set()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_what_was_held_back_is_written_where_a_signal_ends_the_process_at_once(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    def end() -> None:
        logs._held.append("held back\n")
        raise SystemExit

    monkeypatch.setattr(logs, "HELD_BACK_SECONDS", PATIENCE_SECONDS)
    server = serve()
    monkeypatch.setattr(sys, "stdout", written := io.StringIO())
    monkeypatch.setattr(server.worker, "_pass", end)
    os.write(server.worker.PIPE[1], b".")
    server._thread.join(PATIENCE_SECONDS)

    assert written.getvalue() == "held back\n"


def test_clients_that_come_and_go_at_random_leave_nothing(serve: Callable[..., Server]) -> None:
    server = serve(threads=4)
    said = itertools.cycle([*SLOW.values(), get("/a"), get("/b") * 5, get("/large")])
    lock = threading.Lock()

    def come_and_go(_number: int) -> None:
        with lock:
            what = next(said)
        with socket.create_connection(("127.0.0.1", server.port), PATIENCE_SECONDS) as connection:
            connection.sendall(what)
            assert server.ask("/beside") == b"/beside"

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(come_and_go, range(120)))

    server.until(lambda: len(server.worker._open) <= 1)


@pytest.fixture(autouse=True)
def _no_files_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    # The limit of this process is that of all tests in it.
    monkeypatch.setattr(serving, "_connections", lambda wanted: wanted)


@pytest.mark.parametrize("hook", ["when_ready", "post_worker_init"])
def test_what_a_process_has_loaded_is_not_walked_again_and_again(hook: str) -> None:
    conf = runpy.run_path(str(Path(__file__).parents[2] / "gunicorn.conf.py"))
    gc.unfreeze()  # what other tests have left so

    try:
        conf[hook](SimpleNamespace(LISTENERS=[]))
        assert gc.get_freeze_count() > 10_000
    finally:
        gc.unfreeze()


def test_texts_are_read_before_there_are_workers() -> None:
    conf = runpy.run_path(str(Path(__file__).parents[2] / "gunicorn.conf.py"))
    i18n.texts.cache_clear()

    try:
        conf["when_ready"](SimpleNamespace(LISTENERS=[]))
        assert i18n.texts.cache_info().currsize == len(i18n.languages())
    finally:
        gc.unfreeze()


def test_a_reload_reads_the_texts_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    conf = runpy.run_path(str(Path(__file__).parents[2] / "gunicorn.conf.py"))
    monkeypatch.setattr(i18n, "_FOLDER", tmp_path)
    try:
        conf["on_reload"](SimpleNamespace())
        assert i18n.texts("fr").gettext("Basket") == "Basket"
        (tmp_path / "fr.po").write_text('msgid "Basket"\nmsgstr "Panier"\n')

        conf["on_reload"](SimpleNamespace())

        assert "fr" in dict(i18n.languages())
        assert i18n.texts("fr").gettext("Basket") == "Panier"
    finally:
        i18n.languages.cache_clear()
        i18n.texts.cache_clear()
