"""A time for all of an exchange with another server, however slowly it goes on."""

import socket
import threading
import time
from types import TracebackType


class Deadline:
    """Cuts a connection when the time for all is over, whatever it is doing.

    The timeout of a socket is for each piece that arrives: a server that sends a byte now and then
    would never meet it.
    """

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self._handle: socket.socket | None = None
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True

    def __enter__(self) -> "Deadline":
        self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        self._hold(None)

    @property
    def over(self) -> bool:
        """Whether there is no time left."""
        return time.monotonic() >= self._end

    def left(self) -> float:
        """Return how many seconds are left, a little more than none."""
        return max(self._end - time.monotonic(), 0.001)

    def guard(self, connection: socket.socket) -> None:
        """Cut this connection, and no longer the one before."""
        # A second handle on it stays valid when TLS takes the first one over.
        self._hold(connection.dup())
        if self.over:
            self._cut()

    def _hold(self, handle: socket.socket | None) -> None:
        with self._lock:
            before, self._handle = self._handle, handle
        if before is not None:
            before.close()

    def _cut(self) -> None:
        with self._lock:
            if self._handle is None:
                return
            try:
                self._handle.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # it has ended already
