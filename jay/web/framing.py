"""How much of a request has arrived: told from its first bytes, so that no thread waits for it.

It only counts. What the request says, and whether it may be said so, the server's parser decides,
which gets the very same bytes: where the two disagree, the request is refused there.
"""

import re

MOST_HEAD_BYTES = 64 * 1024
"""Request line and headers together."""

MOST_LINE_BYTES = 8190
"""The request line, and the line before each chunk."""

_BLANK = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,18})[ \t]*\r\n")
_EXPECTS = re.compile(rb"\r\nexpect:[ \t]*100-continue[ \t]*\r\n")
_CHUNK = re.compile(rb"([0-9a-f]{1,15})[ \t]*(?:;.*)?", re.IGNORECASE | re.DOTALL)


class Framing:
    """Follows one request while it arrives.

    :param most_body: bytes of a body that are waited for; of a longer one the beginning is enough
        to refuse it.
    :ivar whole: whether all of it has arrived. What follows a part can't be read as a request.
    :ivar expects: whether the client waits to be told to go on (RFC 9110 section 10.1.1).
    """

    __slots__ = ("_at", "_body", "_chunked", "_looked", "_most_body", "_need", "expects", "whole")

    def __init__(self, most_body: int) -> None:
        self._most_body = most_body
        self._looked = 0  # how far the end of the head was looked for
        self._body = 0  # where the body begins; 0 as long as the head is not complete
        self._need = 0  # bytes of the whole request, where its length is told
        self._chunked = False
        self._at = 0  # where the next line of a chunked body begins
        self.whole = True
        self.expects = False

    def is_complete(self, data: bytearray) -> bool:
        """Tell whether the request can be answered.

        :param data: all that has arrived of it, perhaps with what follows.
        """
        if not self._body and not self._read_head(data):
            return not self.whole
        if self._chunked:
            return self._read_chunks(data)
        return not self.whole or len(data) >= self._need

    def _read_head(self, data: bytearray) -> bool:
        end = data.find(_BLANK, max(0, self._looked - 3))
        self._looked = len(data)
        if end < 0:
            too_long = len(data) > MOST_LINE_BYTES + 2 and data.find(b"\r\n") < 0
            self.whole = not too_long and len(data) <= MOST_HEAD_BYTES
            return False
        self._body = self._need = end + len(_BLANK)
        if end > MOST_HEAD_BYTES:
            self.whole = False
            return False
        head = bytes(data[: end + 2]).lower()
        if b"\r\ntransfer-encoding:" in head:
            self._chunked, self._at = True, self._body
        elif found := _LENGTH.search(head):
            self._need += int(found[1])
            self.whole = int(found[1]) <= self._most_body
        self.expects = self.whole and _EXPECTS.search(head) is not None
        return True

    def _read_chunks(self, data: bytearray) -> bool:
        while True:
            end = data.find(b"\r\n", self._at)
            if end < 0 or end - self._at > MOST_LINE_BYTES:
                # A line as long as that is refused by the parser.
                return len(data) - self._at > MOST_LINE_BYTES or self._is_too_much(data)
            size = _CHUNK.fullmatch(bytes(data[self._at : end]))
            if size is None:
                return True
            if int(size[1], 16) == 0:
                return self._has_trailers(data, end) or self._is_too_much(data)
            after = end + 2 + int(size[1], 16) + 2
            if len(data) < after:
                return self._is_too_much(data)
            self._at = after

    def _has_trailers(self, data: bytearray, end: int) -> bool:
        return data.startswith(b"\r\n", end + 2) or data.find(_BLANK, end) >= 0

    def _is_too_much(self, data: bytearray) -> bool:
        # Lines between the chunks are no part of the body, but no reason to wait for ever, either.
        self.whole = len(data) - self._body <= self._most_body + MOST_HEAD_BYTES
        return not self.whole
