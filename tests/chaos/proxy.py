"""A TCP proxy that cuts connections where it is told to."""

import contextlib
import socket
import threading
from typing import NamedTuple

from tests.clock import PATIENCE_SECONDS

_MOST = 256 * 1024


class Point(NamedTuple):
    """Where the next message is cut.

    :ivar asks: whether it is one to the server, or one of it.
    :ivar through: how many bytes of it come through: a share of all, or a number where negative
        ones count from the end.
    """

    asks: bool
    through: float | int

    def bytes_of(self, length: int) -> int:
        """Return how many bytes of a message of that length come through."""
        if isinstance(self.through, float):
            return int(length * self.through)
        return max(0, length + self.through) if self.through < 0 else min(self.through, length)


POINTS = (
    *(Point(True, 0), Point(True, 1), Point(True, 0.5), Point(True, 1.0)),
    *(Point(False, 0), Point(False, 1), Point(False, 0.5), Point(False, -1), Point(False, 1.0)),
)
"""Before, in and after a question, and before, in and after its answer."""


class Proxy:
    """Hands on what arrives at a port of its own."""

    def __init__(self, target: int) -> None:
        self.target = target
        self._armed: Point | None = None
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def arm(self, point: Point) -> None:
        """Cut the next message that goes this way."""
        with self._lock:
            self._armed = point

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self.target), PATIENCE_SECONDS)
        except OSError:
            client.close()
            return
        server.settimeout(None)
        for asks, source, sink in ((True, client, server), (False, server, client)):
            threading.Thread(target=self._pump, args=(asks, source, sink), daemon=True).start()

    def _pump(self, asks: bool, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(_MOST):
                point = self._taken(asks)
                if point is not None:
                    sink.sendall(piece[: point.bytes_of(len(piece))])
                    break
                sink.sendall(piece)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _taken(self, asks: bool) -> Point | None:
        with self._lock:
            point = self._armed
            if point is None or point.asks is not asks:
                return None
            self._armed = None
            return point

    def close(self) -> None:
        """Take no more connections."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
