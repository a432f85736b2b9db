"""One HTTP client for all that this service asks of other servers, within bounds that always hold.

The address is checked and then connected to itself, so that a name can't lead elsewhere between
the two. Certificates are checked for the name. Redirects are followed only where a caller asks for
it, each to an address that is checked anew.
"""

import http.client
import logging
import socket
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urljoin

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, NewConnectionError

from jay.net.addresses import (
    Address,
    AddressRefused,
    CutOff,
    Network,
    Target,
    TooLarge,
    TooSlow,
    Unreachable,
    addresses_of,
    target_of,
)
from jay.net.deadlines import Deadline
from jay.net.names import Resolver

# It would quote addresses, which may hold secrets, when it does not like what a server says.
logging.getLogger("urllib3").setLevel(logging.CRITICAL)

_PIECE = 64 * 1024
_REDIRECTS = (301, 302, 303, 307, 308)
_NO_HTTP = "the connection ended without an answer of HTTP"


@dataclass(frozen=True)
class Limits:
    """What one exchange may cost.

    :ivar connect: seconds for each address until it is connected.
    :ivar read: seconds for each piece of the answer.
    :ivar total: seconds for all of it, redirects and the body included.
    :ivar most: bytes of the answer's body, unpacked.
    """

    connect: float
    read: float
    total: float
    most: int = 0


@dataclass(frozen=True)
class _Question:
    method: str
    headers: Mapping[str, str]
    body: bytes | None
    limits: Limits


def unless_known(etag: str | None, last_modified: str | None) -> dict[str, str]:
    """Return the headers that ask for what was fetched before if it has changed (RFC 9110, 13).

    :param etag: and ``last_modified``: of what was fetched before, as its server has said.
    """
    headers = {"If-None-Match": etag, "If-Modified-Since": last_modified}
    return {name: value for name, value in headers.items() if value is not None}


class Answer:
    """What a server has answered; the body is read only by who asks for it.

    :ivar headers: by name in any case.
    """

    def __init__(
        self, response: urllib3.BaseHTTPResponse, limits: Limits, deadline: Deadline
    ) -> None:
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers
        self._response = response
        self._limits = limits
        self._deadline = deadline

    @property
    def says_its_length(self) -> bool:
        """Whether the end of the body is told, so that one that is cut off is noticed."""
        return "Content-Length" in self.headers or bool(getattr(self._response, "chunked", False))

    def pieces(self) -> Iterator[bytes]:
        """Yield the body piece by piece, unpacked.

        :raises Unreachable: it does not arrive whole, in time, or within its bound.
        """
        left = self._limits.most
        try:
            while piece := self._response.read1(_PIECE):
                if len(piece) > left:
                    raise TooLarge(f"the answer is larger than {self._limits.most} bytes")
                left -= len(piece)
                yield piece
        except (OSError, http.client.HTTPException, HTTPError, ValueError) as error:
            raise CutOff("the answer did not arrive whole") from error
        if self._deadline.over:  # cut off, which looks like the end of a body
            raise CutOff("the answer did not arrive whole")

    def read(self) -> bytes:
        """Return the whole body.

        :raises Unreachable: as ``pieces``.
        """
        return b"".join(self.pieces())


def trusting(tls: ssl.SSLContext | None = None) -> ssl.SSLContext:
    """Return what believes the system's certificate authorities, or those of a test."""
    tls = tls or ssl.create_default_context()
    # What the interpreter leaves to the system's OpenSSL is decided here (RFC 8996).
    tls.minimum_version = ssl.TLSVersion.TLSv1_2
    return tls


class Client:
    """Sends requests to addresses that may be reached.

    :param allowed: networks that may be reached though they are not public.
    :param tls: instead of the system's certificate authorities; for tests.
    :param resolve: instead of the system's resolver; for tests.
    """

    def __init__(
        self,
        allowed: Sequence[Network],
        *,
        tls: ssl.SSLContext | None = None,
        resolve: Resolver = socket.getaddrinfo,
    ) -> None:
        self._allowed = tuple(allowed)
        self._tls = tls
        self._resolve = resolve

    @cached_property
    def tls(self) -> ssl.SSLContext:
        """Which certificates count; read when the first are shown, which takes 30 ms."""
        return trusting(self._tls)

    @contextmanager
    def exchange(
        self,
        method: str,
        url: str,
        *,
        limits: Limits,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        redirects: int = 0,
    ) -> Iterator[Answer]:
        """Send a request and have its answer for the length of the block.

        :param redirects: how many are followed; of https only to https.
        :raises AddressRefused: the address must not be reached.
        :raises Unreachable: there is no answer of HTTP within the limits.
        """
        question = _Question(method, headers or {}, body, limits)
        with Deadline(limits.total) as deadline:
            try:
                connection, response = self._follow(url, question, deadline, redirects)
                try:
                    yield Answer(response, limits, deadline)
                finally:
                    connection.close()
            except Unreachable:
                if deadline.over:
                    raise TooSlow(f"it took more than {limits.total:.0f} s") from None
                raise

    def _follow(
        self, url: str, question: _Question, deadline: Deadline, redirects: int
    ) -> tuple[HTTPConnection, urllib3.BaseHTTPResponse]:
        while True:
            target = target_of(url)
            addresses = addresses_of(target, self._allowed, self._resolve)
            connection = self._connected(target, addresses, question.limits, deadline)
            try:
                response = _ask(connection, target, question)
                if deadline.over:  # cut off, which looks like the end of its headers
                    raise Unreachable(_NO_HTTP)
                onward = response.headers.get("Location")
                if redirects < 1 or onward is None or response.status not in _REDIRECTS:
                    return connection, response
            except BaseException:
                connection.close()
                raise
            connection.close()
            redirects -= 1
            try:
                url = urljoin(url, onward)
            except ValueError:  # such as an address with half a bracket
                raise AddressRefused("its address leads to one that is no address") from None
            if target.https and not target_of(url).https:
                raise AddressRefused(
                    "its address leads from https to an address without encryption"
                )

    def _connected(
        self, target: Target, addresses: Sequence[Address], limits: Limits, deadline: Deadline
    ) -> HTTPConnection:
        problem = "no connection"
        for address in addresses:
            connection = self._connection(
                target, str(address), min(limits.connect, deadline.left()), deadline
            )
            try:
                connection.connect()
            except NewConnectionError:
                problem = "the connection was refused or the network can't be reached"
            except HTTPError:
                problem = f"no connection within {limits.connect:.0f} s"
            except OSError as error:  # ssl.SSLError is one, too
                connection.close()
                raise Unreachable(_tls_problem(error)) from error
            else:
                return connection
            connection.close()
        raise Unreachable(problem)

    def _connection(
        self, target: Target, address: str, seconds: float, deadline: Deadline
    ) -> HTTPConnection:
        if not target.https:
            return _Plain(address, target.port, timeout=seconds, deadline=deadline)
        return _Encrypted(
            address,
            target.port,
            timeout=seconds,
            deadline=deadline,
            ssl_context=self.tls,
            server_hostname=target.host,
        )


class _Guarded:
    """A connection whose socket is cut when the time for all is over, also in its handshake."""

    def __init__(self, *args: Any, deadline: Deadline, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deadline = deadline

    def _new_conn(self) -> socket.socket:
        opened: socket.socket = super()._new_conn()  # type: ignore[misc]
        self._deadline.guard(opened)
        return opened


class _Plain(_Guarded, HTTPConnection):
    pass


class _Encrypted(_Guarded, HTTPSConnection):
    pass


def _tls_problem(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not valid: {error.verify_message}"
    return "no encrypted connection could be agreed on"


def _ask(
    connection: HTTPConnection, target: Target, question: _Question
) -> urllib3.BaseHTTPResponse:
    connection.timeout = question.limits.read
    own = {
        "Host": target.host_header,
        "Connection": "close",
        "User-Agent": "Jay-Basket",
        "Accept-Encoding": "identity",
    }
    try:
        connection.request(
            question.method,
            target.path,
            question.body,
            {**own, **question.headers},
            preload_content=False,
        )
        return connection.getresponse()
    except TimeoutError as error:
        raise TooSlow(f"no answer within {question.limits.read:.0f} s") from error
    except (OSError, http.client.HTTPException, HTTPError) as error:
        raise Unreachable(_NO_HTTP) from error
