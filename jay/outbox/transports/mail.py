"""Messages that leave as mail: by SMTP (RFC 5321), or as files where a demo has no mail server.

What a server says may quote an address, so that nothing of it is kept but the number.
"""

import contextlib
import secrets
import smtplib
import socket
import ssl
from collections.abc import Iterator
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from functools import cached_property
from pathlib import Path
from typing import cast

from jay.net.client import trusting
from jay.net.deadlines import Deadline
from jay.net.names import LookUpTimeout, NoSuchName, look_up
from jay.net.smtp import MailServer, mailbox
from jay.outbox.letters import Letter
from jay.outbox.models import DeliveryResult, Destination, Message

STEP_SECONDS = 10.0
TOTAL_SECONDS = 40.0
"""The first one is for each answer, the second one for all of them together."""

# What servers of all ages pass on as it is, also where it was signed on the way (RFC 6376, 5.3).
_POLICY = SMTP.clone(cte_type="7bit", max_line_length=76)

_UNADDRESSED = DeliveryResult(failure="no mail can be sent to its address", final=True)


class _NoAddress(Exception):
    """No mail can go there."""


def written(
    message: Message, destination: Destination, *, sender: Address, now: datetime
) -> tuple[str, EmailMessage]:
    """Write a mail as it is sent, and whom it goes to.

    :raises _NoAddress: nobody.
    """
    try:
        to = mailbox(destination.address)
    except ValueError as error:
        raise _NoAddress from error
    letter = _letter(destination)
    made = EmailMessage(_POLICY)
    made["From"] = sender
    made["To"] = _address(to)
    # Nobody's name can begin another header: what is no text of one line becomes a blank.
    made["Subject"] = " ".join(letter.subject.split())
    made["Date"] = now
    # The same at each attempt: by it a mail that comes twice is known (RFC 5322, 3.6.4).
    made["Message-ID"] = f"<{message.key}@{sender.domain}>"
    # So that absence notes and the like answer nothing (RFC 3834).
    made["Auto-Submitted"] = "auto-generated"
    made.set_content(letter.text)
    made.add_alternative(letter.html, subtype="html")
    _show(made, letter)
    for each in letter.attachments:
        main, _, sub = each.media_type.partition("/")
        if main == "text":
            made.add_attachment(each.content.decode(), subtype=sub, filename=each.name)
        else:
            made.add_attachment(each.content, maintype=main, subtype=sub, filename=each.name)
    # Only now: what begins so would go with the text into its own part.
    made["Content-Language"] = letter.lang
    return to, made


def _show(made: EmailMessage, letter: Letter) -> None:
    """Put the pictures beside the page that shows them, so that nothing is loaded (RFC 2387)."""
    page = cast("list[EmailMessage]", made.get_payload())[1]
    for each in letter.pictures:
        main, _, sub = each.media_type.partition("/")
        cid = f"<{each.content_id}>"
        page.add_related(each.content, main, sub, cid=cid, disposition="inline")


def _letter(destination: Destination) -> Letter:
    if destination.write is None:
        raise TypeError("a mail needs somebody who writes it")
    return destination.write()


def _address(to: str) -> Address:
    local, _, domain = to.rpartition("@")
    return Address(username=local, domain=domain)


class Mailer:
    """Sends mails through a mail server.

    :param tls: instead of the system's certificate authorities; for tests.
    """

    def __init__(
        self, server: MailServer, sender: Address, *, tls: ssl.SSLContext | None = None
    ) -> None:
        self._server = server
        self._sender = sender
        self._given_tls = tls

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return trusting(self._given_tls)

    def send(self, message: Message, destination: Destination, *, now: datetime) -> DeliveryResult:
        """Send a mail and tell how it went."""
        try:
            to, mail = written(message, destination, sender=self._sender, now=now)
        except _NoAddress:
            return _UNADDRESSED
        with Deadline(TOTAL_SECONDS) as deadline:
            try:
                with self._connected(deadline) as server:
                    return self._handed_over(server, mail, to)
            except (OSError, smtplib.SMTPException, NoSuchName, LookUpTimeout) as error:
                if deadline.over:
                    problem = f"it took more than {TOTAL_SECONDS:.0f} s"
                else:
                    problem = _problem(error)
                return DeliveryResult(failure=f"mail server: {problem}", hold=True)

    @contextlib.contextmanager
    def _connected(self, deadline: Deadline) -> Iterator[smtplib.SMTP]:
        there = self._server
        server = _Encrypted(self._tls) if there.tls else _Client()
        server.prepare(there.host, deadline, self._sender.domain)
        try:
            code, said = server.connect(there.host, there.port)
            if code != 220:
                raise smtplib.SMTPConnectError(code, said)
            if there.starttls:
                server.starttls(context=self._tls)
            server.ehlo_or_helo_if_needed()
            if there.user is not None:
                server.login(there.user, there.password or "")
            yield server
        finally:
            server.close()

    def _handed_over(self, server: smtplib.SMTP, mail: EmailMessage, to: str) -> DeliveryResult:
        options = []
        if not to.isascii():
            if not server.has_extn("smtputf8"):
                return DeliveryResult(
                    failure="the mail server knows no addresses in other scripts", final=True
                )
            options = ["SMTPUTF8"]
        content = mail.as_bytes(policy=_POLICY.clone(utf8=True) if options else _POLICY)
        if server.has_extn("size"):
            options.append(f"size={len(content)}")
        code, said = server.mail(self._sender.addr_spec, options)
        if code != 250:
            raise smtplib.SMTPResponseException(code, said)
        code, _ = server.rcpt(to)
        if code in {250, 251}:
            try:
                code, _ = server.data(content)
            except smtplib.SMTPDataError as error:
                code = error.smtp_code
        # The mail is with the server: whatever becomes of the good-bye, it must not come twice.
        with contextlib.suppress(OSError, smtplib.SMTPException):
            server.quit()
        return _outcome(code)


def _outcome(code: int) -> DeliveryResult:
    if 200 <= code < 300:
        return DeliveryResult()
    failure = f"the mail server answered {code}"
    # 421: it is about to go. Other refusals are this mail's alone (RFC 5321, 4.2.1).
    return DeliveryResult(failure=failure, final=500 <= code < 600, hold=code == 421)


_PROBLEMS: tuple[tuple[type[Exception], str], ...] = (
    (smtplib.SMTPAuthenticationError, "it refuses user name and password ({0.smtp_code})"),
    (smtplib.SMTPResponseException, "it answered {0.smtp_code}"),
    (smtplib.SMTPNotSupportedError, "it offers no encryption (STARTTLS), or no way to log in"),
    (smtplib.SMTPException, "it ended the connection"),
    (ssl.SSLCertVerificationError, "its certificate is not valid: {0.verify_message}"),
    (ssl.SSLError, "no encrypted connection could be agreed on"),
    (TimeoutError, f"no answer within {STEP_SECONDS:.0f} s"),
    (OSError, "the connection was refused or the network can't be reached"),
    (NoSuchName, "its name can't be resolved"),
    (LookUpTimeout, "its name is {0}"),
)
"""What goes wrong before the mail itself: the server's, or our settings', and none is for ever."""


def _problem(error: Exception) -> str:
    return next(words for kind, words in _PROBLEMS if isinstance(error, kind)).format(error)


class _Client(smtplib.SMTP):
    """An SMTP client whose socket is cut when the time for all is over."""

    def __init__(self) -> None:
        # What it calls itself is told later: by itself it would ask the network for its name.
        super().__init__(local_hostname="localhost", timeout=STEP_SECONDS)

    def prepare(self, host: str, deadline: Deadline, called: str) -> None:
        """Tell the client what it needs before it connects.

        :param host: whose certificate it must be.
        :param called: what it says that it is (RFC 5321, 4.1.1.1).
        """
        self._host = host
        self._deadline = deadline
        self.local_hostname = called

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        problem: OSError | None = None
        for family, kind, protocol, _, address in look_up(host, port):
            opened = socket.socket(family, kind, protocol)
            self._deadline.guard(opened)
            opened.settimeout(min(timeout, self._deadline.left()))
            try:
                opened.connect(address)
            except OSError as error:
                opened.close()
                problem = error
            else:
                opened.settimeout(timeout)
                return opened
        raise problem or OSError


class _Encrypted(_Client):
    """One that begins encrypted."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        super().__init__()
        self._tls = tls

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        opened = super()._get_socket(host, port, timeout)
        return self._tls.wrap_socket(opened, server_hostname=host)


def file_name(identifier: int, key: str) -> str:
    """Return what the file of a message is called."""
    return f"{identifier:06}-{key}.eml"


class Mailbox:
    """Writes mails as files: what a demo on a machine without a mail server does.

    :param folder: is made when the first mail is written.
    """

    def __init__(self, folder: Path, sender: Address) -> None:
        self._folder = folder
        self._sender = sender

    def send(self, message: Message, destination: Destination, *, now: datetime) -> DeliveryResult:
        """Write a mail into a file of its own, whole or not at all; again, it is the same file."""
        try:
            _to, mail = written(message, destination, sender=self._sender, now=now)
        except _NoAddress:
            return _UNADDRESSED
        name = file_name(message.id, message.key)
        draft = self._folder / f".{name}-{secrets.token_hex(4)}"
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft.touch(mode=0o600, exist_ok=False)
            draft.write_bytes(mail.as_bytes())
            draft.replace(self._folder / name)
        except OSError as error:
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)
            return DeliveryResult(failure=f"no file could be written: {error.strerror}", hold=True)
        return DeliveryResult()
