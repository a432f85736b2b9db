"""Sending one request to a merchant's server, within bounds that hold whatever the server does."""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from types import TracebackType

from jay.outbox.addresses import (
    Address,
    Network,
    Resolver,
    Target,
    Unreachable,
    addresses_of,
    target_of,
)
from jay.outbox.models import Outcome

CONNECT_SECONDS = 3.0
READ_SECONDS = 10.0
TOTAL_SECONDS = 15.0
"""The first two are for each step, the last one is for all of them together."""

REDIRECTED = "redirects are not followed, the configuration must name the final address"


class Sender:
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
        self._tls = tls or ssl.create_default_context()
        # What the interpreter leaves to the system's OpenSSL is decided here (RFC 8996).
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_2
        self._resolve = resolve

    def send(
        self, method: str, url: str, headers: Mapping[str, str], body: str | None, *, now: datetime
    ) -> Outcome:
        """Send a request and tell how it went. The answer's body is not read."""
        try:
            target = target_of(url)
            with _Deadline(TOTAL_SECONDS) as deadline:
                try:
                    addresses = addresses_of(target, self._allowed, self._resolve)
                    with (
                        self._connection(target, addresses, deadline) as connection,
                        _exchange(connection, target, method, headers, body) as response,
                    ):
                        if deadline.over:  # cut off, which looks like the end of its headers
                            raise Unreachable
                        return _outcome(response, now)
                except Unreachable:
                    if deadline.over:
                        raise Unreachable(f"it took more than {TOTAL_SECONDS:.0f} s") from None
                    raise
        except Unreachable as error:
            return Outcome(failure=str(error), hold=True)

    def _connection(
        self, target: Target, addresses: Sequence[Address], deadline: "_Deadline"
    ) -> socket.socket:
        problem = "no connection"
        for address in addresses:
            try:
                plain = socket.create_connection(
                    (str(address), target.port), timeout=min(CONNECT_SECONDS, deadline.left())
                )
            except TimeoutError:
                problem = f"no connection within {CONNECT_SECONDS:.0f} s"
            except OSError:
                problem = "the connection was refused or the network can't be reached"
            else:
                return self._secured(plain, target, deadline)
        raise Unreachable(problem)

    def _secured(
        self, plain: socket.socket, target: Target, deadline: "_Deadline"
    ) -> socket.socket:
        connection = plain
        deadline.guard(connection)
        if not target.https:
            return connection
        try:
            connection = self._tls.wrap_socket(
                plain, server_hostname=target.host, do_handshake_on_connect=False
            )
            deadline.guard(connection)
            connection.do_handshake()
        except OSError as error:  # ssl.SSLError is one, too
            connection.close()
            raise Unreachable(_tls_problem(error)) from error
        return connection


def _tls_problem(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not valid: {error.verify_message}"
    return "no encrypted connection could be agreed on"


def _exchange(
    connection: socket.socket,
    target: Target,
    method: str,
    headers: Mapping[str, str],
    body: str | None,
) -> http.client.HTTPResponse:
    connection.settimeout(READ_SECONDS)
    client = http.client.HTTPConnection(target.host, target.port)
    # It is connected already, to the address that was checked: nothing is resolved again.
    client.sock, client.auto_open = connection, 0
    own = {"Host": target.host_header, "Connection": "close"}
    try:
        client.request(method, target.path, body and body.encode(), {**own, **headers})
        return client.getresponse()
    except TimeoutError as error:
        raise Unreachable(f"no answer within {READ_SECONDS:.0f} s") from error
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable("the connection ended without an answer of HTTP") from error


def _outcome(response: http.client.HTTPResponse, now: datetime) -> Outcome:
    status = response.status
    if 200 <= status < 300:
        return Outcome()
    failure = f"answered {status}"
    if 300 <= status < 400:
        return Outcome(failure=f"{failure}: {REDIRECTED}")
    if status == 410:
        return Outcome(failure=f"{failure}: it is not wanted any more", final=True)
    if status in {429, 503}:
        wait = _retry_after(response.getheader("Retry-After"), now)
        return Outcome(failure=failure, hold=True, wait=wait)
    return Outcome(failure=failure)


def _retry_after(value: str | None, now: datetime) -> timedelta | None:
    """Read a Retry-After header: seconds, or a moment (RFC 9110 section 10.2.3)."""
    if value is None:
        return None
    if value.isascii() and value.isdigit():
        # A year is as good as forever, and more digits would overflow.
        return timedelta(seconds=min(int(value[:9]), 366 * 86400))
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):  # the latter for a year or a zone of very many digits
        return None
    return max(moment.replace(tzinfo=moment.tzinfo or UTC) - now, timedelta())


class _Deadline:
    """Cuts a connection when the time for all is over, whatever it is doing.

    The timeout of a socket is for each piece that arrives: a server that sends a byte now and then
    would never meet it.
    """

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self._connection: socket.socket | None = None
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True

    def __enter__(self) -> "_Deadline":
        self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._timer.cancel()

    @property
    def over(self) -> bool:
        """Whether there is no time left."""
        return time.monotonic() >= self._end

    def left(self) -> float:
        """Return how many seconds are left, a little more than none."""
        return max(self._end - time.monotonic(), 0.001)

    def guard(self, connection: socket.socket) -> None:
        """Cut this connection, and no longer the one before."""
        with self._lock:
            self._connection = connection
        if self.over:
            self._cut()

    def _cut(self) -> None:
        with self._lock:
            if self._connection is None:
                return
            try:
                # Below TLS, which would want to say goodbye first.
                socket.socket.shutdown(self._connection, socket.SHUT_RDWR)
            except OSError:
                return  # it is closed already
