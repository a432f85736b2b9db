"""HTTP in its usual form, read and written for a fraction of what gunicorn takes.

Gunicorn understands all that HTTP allows, field by field: 130 us a request, as much as looking a
basket up. Nearly all requests are plain ones that a few patterns read as a whole, and so are their
answers. Whatever is unusual, in the least thing, is left to gunicorn, which is the judge of it. A
property test proves that both read the same, and that what gunicorn refuses is never plain.
"""

import io
import os
import re
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

from gunicorn import SERVER, util
from gunicorn.http import wsgi

from jay.web.framing import Framing

Environ = dict[str, Any]

MOST_HEAD_BYTES, MOST_FIELDS = 8190, 100
"""Where gunicorn is told of lower limits, it reads everything itself."""

MOST_NAMES, LONGEST_NAME = 1000, 50
"""Names of fields that are remembered: clients could send ever new ones, and long ones."""

_FIELD_NAME = r"[!#$%&'*+.^`|~0-9A-Za-z-]+"
"""The name of a field, but for the underscore: with it names are ambiguous in WSGI."""

_REQUEST = re.compile(
    rb"(GET|POST|PUT|PATCH|DELETE) "
    rb"((/(?:[!\"$-.0->@-~][!\"$->@-~]*)?)(?:\?([!\"$-~]*))?) HTTP/1\.1\r\n"
    rb"((?:" + _FIELD_NAME.encode() + rb":[\t\x20-\x7e]*\r\n)+)\r\n"
)
_NAME = re.compile(_FIELD_NAME)
_VALUES = re.compile(r"(?:[^\r\n:]+: [\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?\r\n)+")
_STATUS = re.compile(r"(?!204|304)[2-5][0-9]{2} [\x21-\x7e][\x20-\x7e]*")
_LENGTH = re.compile(r"0|[1-9][0-9]{0,14}")

# What these say decides how the rest is read or written.
_UNUSUAL = {"TRANSFER-ENCODING", "EXPECT", "UPGRADE", "HTTP2-SETTINGS", "PROXY-CONNECTION"}


class PlainRequest(NamedTuple):
    """A request that was read.

    It can stand where gunicorn's own answer asks for gunicorn's request.

    :ivar path: as WSGI wants it, percent-decoded to one character a byte.
    :ivar fields: by their names in WSGI.
    :ivar end: where it ends in what has arrived.
    """

    method: str
    uri: str
    path: str
    query: str
    fields: dict[str, str]
    body: bytes
    end: int

    @property
    def headers(self) -> list[tuple[str, str]]:
        """Its fields, by names that gunicorn's log knows them by."""
        return [
            (key.removeprefix("HTTP_").replace("_", "-"), value)
            for key, value in self.fields.items()
        ]

    @property
    def version(self) -> tuple[int, int]:
        """The version of HTTP."""
        return 1, 1

    def should_close(self) -> bool:
        """Tell whether the client wants the connection to end with the answer."""
        return self.fields.get("HTTP_CONNECTION", "").lower() == "close"


class PlainHttp:
    """Reads requests and makes answers, as gunicorn does with the same configuration."""

    def __init__(self, cfg: Any) -> None:
        self.cfg = cfg
        self._same: Environ = {
            **wsgi.base_environ(cfg),
            "wsgi.errors": _Errors(cfg),
            "wsgi.multithread": True,
            "wsgi.url_scheme": "https" if cfg.is_ssl else "http",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "SCRIPT_NAME": "",
        }
        # What is read in another way than here where somebody has set it so.
        self._leaves_all = (
            bool(os.environ.get("SCRIPT_NAME"))
            or cfg.proxy_protocol != "off"
            or (cfg.limit_request_fields or MOST_FIELDS) < MOST_FIELDS
            or (cfg.limit_request_line or MOST_HEAD_BYTES) < MOST_HEAD_BYTES
            or (cfg.limit_request_field_size or MOST_HEAD_BYTES) < MOST_HEAD_BYTES
        )
        self._keys: dict[str, str | None] = {}
        self._plain_names: dict[str, str | None] = {}
        self._date = (-1, "")

    def read(self, data: bytearray, framing: Framing) -> PlainRequest | None:
        """Read a request; None where gunicorn has to.

        :param data: what has arrived, perhaps with what follows.
        :param framing: what was counted of it.
        """
        place = framing.place
        if place is None or place[0] > MOST_HEAD_BYTES or self._leaves_all:
            return None
        found = _REQUEST.fullmatch(data, 0, place[0])
        if found is None:
            return None
        method, uri, path, query, head = found.groups(b"")
        fields: dict[str, str] = {}
        lines = head.decode("ascii").split("\r\n")[:-1]
        for line in lines:
            name, _, value = line.partition(":")
            key = self._keys[name] if name in self._keys else self._key(name)
            if key is None or key in fields:
                return None
            fields[key] = value.strip(" \t")
        body = bytes(data[place[0] : place[1]])
        # Where it is told otherwise than it was counted, gunicorn says what is wrong.
        length = fields.get("CONTENT_LENGTH", "0")
        if len(lines) > MOST_FIELDS or length != str(len(body)):
            return None
        decoded = unquote_to_bytes(path) if b"%" in path else path
        return PlainRequest(
            method=method.decode("ascii"),
            uri=uri.decode("ascii"),
            path=decoded.decode("latin-1"),
            query=query.decode("ascii"),
            fields=fields,
            body=body,
            end=place[1],
        )

    def environ(self, request: PlainRequest, sock: Any, client: Any, server: Any) -> Environ:
        """Return what the application gets of it.

        :param sock: what gunicorn's answer writes to.
        """
        return {
            **self._same,
            **request.fields,
            "REQUEST_METHOD": request.method,
            "RAW_URI": request.uri,
            "PATH_INFO": request.path,
            "QUERY_STRING": request.query,
            "REMOTE_ADDR": client[0],
            "REMOTE_PORT": str(client[1]),
            "SERVER_NAME": server[0],
            "SERVER_PORT": str(server[1]),
            "gunicorn.socket": sock,
            "wsgi.input": io.BytesIO(request.body),
        }

    def head(self, status: str, headers: list[tuple[str, str]], *, close: bool) -> "Head | None":
        """Write the head of an answer; None where gunicorn has to."""
        if _STATUS.fullmatch(status) is None:
            return None
        length = None
        for name, value in headers:
            kind = self._plain_names.get(name) or self._plain_name(name)
            if kind is None or type(value) is not str:
                return None
            if kind == "content-length":
                if length is not None or _LENGTH.fullmatch(value) is None:
                    return None
                length = int(value)
        written = "".join([f"{name}: {value}\r\n" for name, value in headers])
        # A line too many would be a field that nobody has meant.
        if length is None or written.count("\n") != len(headers) or not _VALUES.fullmatch(written):
            return None
        kept = "close" if close else "keep-alive"
        begin = f"HTTP/1.1 {status}\r\nServer: {SERVER}\r\nDate: {self._now()}\r\n"
        return Head(f"{begin}Connection: {kept}\r\n{written}\r\n".encode("ascii"), length)

    def _key(self, name: str) -> str | None:
        upper = name.upper()
        key: str | None = f"HTTP_{upper.replace('-', '_')}"
        if upper in {"CONTENT-TYPE", "CONTENT-LENGTH"}:
            key = upper.replace("-", "_")
        elif upper in _UNUSUAL:
            key = None
        if len(self._keys) < MOST_NAMES and len(name) <= LONGEST_NAME:
            self._keys[name] = key
        return key

    def _plain_name(self, name: Any) -> str | None:
        if type(name) is not str or _NAME.fullmatch(name) is None:
            return None
        kind = name.lower()
        if kind in util.hop_headers:  # it is gunicorn's to say these
            return None
        if len(self._plain_names) < MOST_NAMES:
            self._plain_names[name] = kind
        return kind

    def _now(self) -> str:
        second = int(time.monotonic())
        if self._date[0] != second:
            self._date = (second, util.http_date())
        return self._date[1]


class Head(NamedTuple):
    """The head of an answer.

    :ivar length: bytes of the body that it announces.
    """

    written: bytes
    length: int


class _Errors(wsgi.WSGIErrorsWrapper):
    """Writes where gunicorn logs errors at that moment: another file, once logs were rotated."""

    def __init__(self, cfg: Any) -> None:
        self._cfg = cfg

    def write(self, data: Any) -> None:
        """Write a text."""
        wsgi.WSGIErrorsWrapper(self._cfg).write(data)


class Answer:
    """Takes what the application says to a plain request.

    :param sock: takes what is written.
    :param close: whether the connection ends with it, also if the client wants it to go on.
    """

    def __init__(self, http: PlainHttp, request: PlainRequest, sock: Any, *, close: bool) -> None:
        self._http, self._request, self._sock, self._close = http, request, sock, close
        self._said: tuple[str, list[tuple[str, str]]] | None = None
        self._written: list[bytes] = []

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], None]:
        """Begin the answer, see PEP 3333.

        As nothing is sent before all of it is there, an error can take its place until then.
        """
        if self._said is not None and exc_info is None:
            raise AssertionError("an answer has begun already")
        self._written.clear()
        self._said = status, list(headers)
        return self._written.append

    def send(self, pieces: Iterable[bytes]) -> bool:
        """Write the answer, and tell whether another request may follow."""
        written = [*self._written, *pieces]
        if self._said is None:
            raise AssertionError("no answer has begun")
        close = self._close or self._request.should_close()
        head = self._http.head(*self._said, close=close)
        body = b"".join(written)
        if head is not None and len(body) == head.length:
            self._sock.sendall(head.written)
            self._sock.sendall(body)
            return not close
        answer = wsgi.Response(self._request, self._sock, self._http.cfg)
        if close:
            answer.force_close()
        answer.start_response(*self._said)
        for piece in written:
            answer.write(piece)
        answer.close()
        return not answer.should_close() and not breaks_off(answer)


def breaks_off(answer: wsgi.Response) -> bool:
    """Tell whether less was written than announced: what followed would be taken for the rest."""
    announced: int | None = answer.response_length
    return announced is not None and answer.sent < announced and not answer._omits_body
