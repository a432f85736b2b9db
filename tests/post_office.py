"""A mail server on loopback, a real one; a test says how it behaves."""

import asyncio
import contextlib
import ssl
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.headerregistry import Address
from email.message import EmailMessage
from typing import Any

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from aiosmtpd.controller import Controller
    from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword

from jay.net.smtp import MailServer
from tests.clock import PATIENCE_SECONDS
from tests.servers import free_port

USER, PASSWORD = "jay", "s3cret: with @ all/sorts"
FROM = Address("Kino Nord", "shop", "kino.example")


@dataclass
class PostOffice:
    """What has arrived, and how it goes on; both may change while it runs.

    :ivar says: by command, what it answers instead of taking it: ``{"RCPT": "550 no such user"}``.
    :ivar waits: a command before which it does nothing for a while.
    """

    server: MailServer = field(default_factory=lambda: MailServer("127.0.0.1", 0))
    mails: list[EmailMessage] = field(default_factory=list)
    envelopes: list[Envelope] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    says: dict[str, str] = field(default_factory=dict)
    waits: str = ""

    async def _answer(self, command: str) -> str | None:
        if self.waits == command:
            await asyncio.sleep(PATIENCE_SECONDS)
        return self.says.get(command)

    async def handle_MAIL(  # noqa: N802 - as the library has it
        self, _server: Any, _session: Any, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if refused := await self._answer("MAIL"):
            return refused
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: Any, _session: Any, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self.says.get("RCPT") == "":
            server.transport.abort()  # it hangs up in the middle
        if refused := await self._answer("RCPT"):
            return refused
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, _session: Any, envelope: Envelope) -> str:  # noqa: N802
        if refused := await self._answer("DATA"):
            return refused
        self.envelopes.append(envelope)
        found = message_from_bytes(envelope.content or b"", policy=policy.default)
        assert isinstance(found, EmailMessage)
        self.mails.append(found)
        if self.says.get("after") == "":
            server.transport.write(b"250 OK\r\n")
            server.transport.close()  # without waiting for a good-bye
        return "250 OK"

    def authenticate(
        self, _server: Any, _session: Any, _envelope: Any, mechanism: str, data: Any
    ) -> AuthResult:
        right = isinstance(data, LoginPassword) and data == LoginPassword(
            USER.encode(), PASSWORD.encode()
        )
        self.logins.append(mechanism)
        return AuthResult(success=right, handled=False)


@contextlib.contextmanager
def post_office(
    tls: ssl.SSLContext | None = None, *, encrypted: bool = False, log_in: bool = False
) -> Iterator[PostOffice]:
    """Run a mail server until the block ends.

    :param tls: its certificate, for STARTTLS.
    :param encrypted: whether it speaks TLS from the first byte on instead.
    """
    office = PostOffice()
    port = free_port()
    options: dict[str, Any] = {"enable_SMTPUTF8": True}
    if tls is not None and not encrypted:
        options |= {"tls_context": tls, "require_starttls": True}
    if log_in:
        options |= {
            "authenticator": office.authenticate,
            "auth_required": True,
            "auth_require_tls": tls is not None and not encrypted,
        }
    controller = Controller(
        office,
        hostname="127.0.0.1",
        port=port,
        ready_timeout=PATIENCE_SECONDS,
        ssl_context=tls if encrypted else None,
        **options,
    )
    office.server = MailServer(
        "127.0.0.1", port, tls=encrypted, starttls=tls is not None and not encrypted
    )
    with warnings.catch_warnings():
        # It warns of what is its own.
        warnings.filterwarnings("ignore", module="aiosmtpd")
        controller.start()
        try:
            yield office
        finally:
            controller.stop()
