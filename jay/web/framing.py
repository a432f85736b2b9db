"""How much of a request has arrived: told from its first bytes, so that no thread waits for it.

It only counts. What the request says, and whether it may be said so, the server's parser decides,
which gets the very same bytes. What can't be counted here is not whole: nothing may follow it, so
that the rest of a body that the parser understands is never read as a request.
"""

import re
from collections.abc import Mapping

MOST_HEAD_BYTES = 64 * 1024
"""Request line and headers together, and what follows the last chunk."""

MOST_LINE_BYTES = 8190
"""The request line, and the line before each chunk."""

_BLANK = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,18})[ \t]*\r\n")
_NEWER = re.compile(rb"(?:\r\n)?[^\r\n]* http/1\.[1-9]\r\n")
_EXPECTS = re.compile(rb"\r\nexpect:[ \t]*100-continue[ \t]*\r\n")
_CHUNK = re.compile(rb"([0-9a-f]{1,15})[ \t]*(?:;.*)?", re.IGNORECASE | re.DOTALL)


class Framing:
    """Follows one request while it arrives.

    :param most_body: bytes of a body that are waited for; of a longer one the beginning is enough
        to refuse it.
    :param larger: the same for requests whose line begins so: a method and the beginning of a path.
    :ivar whole: whether all of it has arrived. What follows a part can't be read as a request.
    :ivar has_body: whether it has one, or says so.
    :ivar most_body: as far as it is known by now; ``most_body`` until the head is here.
    :ivar expects: whether the client waits to be told to go on (RFC 9110 section 10.1.1).
    """

    __slots__ = (
        *("_at", "_body", "_chunked", "_headed", "_larger", "_last", "_looked", "_need"),
        *("expects", "has_body", "most_body", "whole"),
    )

    def __init__(self, most_body: int, larger: Mapping[bytes, int] | None = None) -> None:
        self.most_body = most_body
        self._larger = larger or {}
        self._looked = 0  # how far the end of the head, or of the trailers, was looked for
        self._headed = False  # whether the head is complete
        # All places count from where the data begins: behind what was let go of.
        self._body = 0  # where the body begins
        self._need = 0  # bytes of the whole request, where its length is told
        self._chunked = False
        self._at = 0  # where the next line of a chunked body begins, perhaps beyond what is here
        self._last = 0  # where the line of the last chunk ends, once it is here
        self.whole = True
        self.has_body = False
        self.expects = False

    @property
    def place(self) -> tuple[int, int] | None:
        """Where the body begins and ends in what has arrived, if that is told by its length."""
        return (
            (self._body, self._need) if self._headed and self.whole and not self._chunked else None
        )

    def is_complete(self, data: bytearray) -> bool:
        """Tell whether the request can be answered.

        :param data: all that has arrived of it, perhaps with what follows.
        """
        if not self._headed and not self._read_head(data):
            return not self.whole
        if self._chunked:
            return self._read_chunks(data)
        return not self.whole or len(data) >= self._need

    def let_go(self, data: bytearray) -> bytes:
        """Take that part of a request away that is not looked at any more, and return it.

        :param data: what was told to be incomplete; only what is left is to be told from now on.
        """
        if not self._headed:
            return b""
        # Of the last chunk's line some is left: a place of 0 means that there is none so far.
        seen = (self._last - 1 if self._last else self._at) if self._chunked else self._need
        end = min(len(data), seen)
        part = bytes(data[:end])
        del data[:end]
        self._body -= end
        self._need -= end
        self._at -= end
        self._looked -= end
        if self._last:
            self._last -= end
        return part

    def _read_head(self, data: bytearray) -> bool:
        end = data.find(_BLANK, max(0, self._looked - 3))
        self._looked = len(data)
        if end < 0:
            too_long = len(data) > MOST_LINE_BYTES + 2 and data.find(b"\r\n") < 0
            self.whole = not too_long and len(data) <= MOST_HEAD_BYTES
            return False
        self._headed = True
        self._body = self._need = end + len(_BLANK)
        if end > MOST_HEAD_BYTES:
            self.whole = False
            return False
        for begins, most in self._larger.items():
            if data.startswith(begins):
                self.most_body = most
        head = bytes(data[: end + 2]).lower()
        if b"\r\ntransfer-encoding:" in head:
            self._chunked, self._at = True, self._body
        elif lengths := head.count(b"\r\ncontent-length:"):
            found = _LENGTH.search(head)
            length = int(found[1]) if found else 0
            self._need += length
            # Of several lengths none is the right one.
            self.whole = lengths == 1 and found is not None and length <= self.most_body
        self.has_body = self._chunked or self._need > self._body or not self.whole
        if expected := head.count(b"\r\nexpect:"):
            self._read_expectation(head, expected)
        return True

    def _read_expectation(self, head: bytes, lines: int) -> None:
        if lines > 1 or _EXPECTS.search(head) is None:
            self.whole = False  # the parser says that it can't be met; no body need come for that
        # Who speaks HTTP/1.0 takes anything for the answer (RFC 9110 section 10.1.1).
        self.expects = self.whole and _NEWER.match(head) is not None

    def _read_chunks(self, data: bytearray) -> bool:
        while not self._last:
            if len(data) < self._at:
                return self._is_too_much(data)
            end = data.find(b"\r\n", self._at, self._at + MOST_LINE_BYTES + 2)
            if end < 0:
                if len(data) - self._at > MOST_LINE_BYTES + 1:
                    return self._give_up()
                return self._is_too_much(data)
            size = _CHUNK.fullmatch(bytes(data[self._at : end]))
            if size is None:
                return self._give_up()
            if int(size[1], 16) == 0:
                self._last = self._looked = end
            self._at = end + 2 + int(size[1], 16) + 2
        return self._read_trailers(data)

    def _read_trailers(self, data: bytearray) -> bool:
        if data.startswith(b"\r\n", self._last + 2):
            return True
        end = data.find(_BLANK, max(self._last, self._looked - 3))
        self._looked = len(data)
        if (len(data) if end < 0 else end) - self._last > MOST_HEAD_BYTES:
            return self._give_up()
        return end >= 0 or self._is_too_much(data)

    def _give_up(self) -> bool:
        self.whole = False
        return True

    def _is_too_much(self, data: bytearray) -> bool:
        # Lines between the chunks are no part of the body, but no reason to wait for ever, either.
        self.whole = len(data) - self._body <= self.most_body + MOST_HEAD_BYTES
        return not self.whole
