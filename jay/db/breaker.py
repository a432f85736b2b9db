"""A server that has stopped to answer is tried by one at a time, so that it holds one thread."""

import threading

from jay.db.postgresql import NotAnswered
from jay.errors import Busy


class Breaker:
    """Opens when a server does not answer, and closes when it has answered.

    While it is open one caller tries the server, until it answers or is given up; who comes
    meanwhile is told at once that it is busy.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open = False
        self._prober: int | None = None

    def enter(self) -> bool:
        """Begin to ask the server.

        :returns: whether this caller is the one that tries it: what ``leave`` wants to know.
        :raises Busy: the server does not answer, and somebody else tries it already.
        """
        if not self._open:  # as nearly always: reading it needs no lock
            return False
        me = threading.get_ident()
        with self._lock:
            if not self._open or self._prober == me:  # who tries may open a second connection
                return False
            if self._prober is None:
                self._prober = me
                return True
        raise Busy from NotAnswered("the server has not answered")

    def close(self) -> None:
        """Let everybody ask: the server has answered who tries it."""
        with self._lock:
            self._open, self._prober = False, None

    def leave(self, *, answers: bool | None, tried: bool) -> None:
        """End what ``enter`` has begun.

        :param answers: whether the server has answered; None where it was not asked.
        """
        if answers and not self._open and not tried:
            return
        with self._lock:
            if answers is not None:
                self._open = not answers
            # After ``close`` it may be another one that tries.
            if tried and self._prober == threading.get_ident():
                self._prober = None
