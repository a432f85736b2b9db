"""A client of a worker, as its loop and its threads know it."""

import socket
import time
from typing import Any, BinaryIO

from jay.web.framing import Framing
from jay.web.responses import LARGER_BODIES, MAX_BODY_BYTES

READING, WORKING, WRITING, LINGERING, CLOSED = range(5)
"""What is done with a connection: the loop reads or writes, or a thread works for it; it may wait
for what is on its way still; or it is closed."""

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

_BOUNDED = "HTTP/1.1 {}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
LATE = _BOUNDED.format("408 Request Timeout").encode()
MALFORMED = _BOUNDED.format("400 Bad Request").encode()
BUSY = _BOUNDED.format("503 Service Unavailable\r\nRetry-After: 1").encode()
LARGE_HEAD = _BOUNDED.format("431 Request Header Fields Too Large").encode()


class Connection:
    """A client. It belongs to the loop, and to a thread while that works for it."""

    __slots__ = (
        *("client", "close_after", "data", "deadline", "file", "framing", "out", "queued"),
        *("served", "server", "sock", "state", "stored", "watched"),
    )

    def __init__(self, sock: socket.socket, client: Any, server: Any, patience: float) -> None:
        self.sock, self.client, self.server = sock, client, server
        self.data = bytearray()
        # The beginning of a larger request, of which ``data`` is the rest.
        self.file: BinaryIO | None = None
        self.stored = 0
        self.expect_request()
        self.out = memoryview(b"")
        self.state = READING
        # Browsers and balancers open some that they may not need: what says nothing is late at
        # nothing. The first byte begins the deadline of a request.
        self.deadline = time.monotonic() + patience
        self.queued = 0.0
        self.served = 0
        self.close_after = False
        self.watched = 0  # which events the selector looks for

    def expect_request(self) -> None:
        """Nothing is known yet of the one that comes next."""
        self.framing = Framing(MAX_BODY_BYTES, LARGER_BODIES)

    @property
    def begun(self) -> bool:
        """Whether anything of a request is here."""
        return bool(self.data or self.stored)

    @property
    def buffered(self) -> int:
        """How many bytes lie here in memory, of both directions."""
        return len(self.data) + len(self.out)


class Outbox:
    """Takes the place of the socket for gunicorn's answers, and keeps what is written."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.sendall = self.pieces.append

    def gettimeout(self) -> float:
        """It never waits."""
        return 0.0
