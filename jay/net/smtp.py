"""Mail servers and mail addresses, as settings and people write them."""

import re
from dataclasses import dataclass, field
from email.errors import MessageError
from email.headerregistry import Address
from email.policy import SMTP
from ipaddress import ip_address
from urllib.parse import parse_qs, unquote, urlsplit

LONGEST_ADDRESS = 254
"""Characters of an address (RFC 5321, 4.5.3.1.3, less the brackets)."""

LONGEST_LOCAL_PART = 64

# A dot-atom (RFC 5322, 3.2.3), or letters of any script in its place (RFC 6531, 3.3). No quotes:
# what needs them is what programs that come later misread.
_ATOM = r"[\w!#$%&'*+/=?^`{|}~-]+"
_LOCAL_PART = re.compile(rf"(?!-){_ATOM}(?:\.{_ATOM})*")
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)", re.IGNORECASE)

_TLS = {"required": True, "none": False}


@dataclass(frozen=True)
class MailServer:
    """A server that takes mail.

    :ivar tls: whether the connection begins encrypted (``smtps``).
    :ivar starttls: whether it must become so before anything is said.
    """

    host: str
    port: int
    tls: bool = False
    starttls: bool = True
    user: str | None = None
    password: str | None = field(default=None, repr=False)


def mail_server(url: str) -> MailServer:
    """Read ``smtp://user:password@host:587`` or ``smtps://...``.

    ``?tls=none`` does without encryption, which only a server on this machine may by itself, and
    ``?tls=required`` asks for it there, too.

    :raises ValueError: it is none; the sentence says why, and does not quote it.
    """
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        raise ValueError("has a port that is none") from None
    host = parts.hostname
    if parts.scheme not in {"smtp", "smtps"} or not host:
        raise ValueError("must be like smtp://user:password@host:587 or smtps://...")
    options = parse_qs(parts.query, keep_blank_values=True)
    asked = options.pop("tls", [None])[-1]
    if options or parts.path.strip("/") or parts.fragment or asked not in {None, *_TLS}:
        raise ValueError("may end with ?tls=none or ?tls=required, and with nothing else")
    if (parts.username is None) != (parts.password is None):
        raise ValueError("must have a user name and a password, or neither")
    tls = parts.scheme == "smtps"
    starttls = not tls and (_TLS[asked] if asked else not _is_this_machine(host))
    if tls and asked == "none":
        raise ValueError("is smtps, which is encrypted, and asks for ?tls=none")
    if parts.password and not (tls or starttls or _is_this_machine(host)):
        raise ValueError("would send its password without encryption")
    usual = 465 if tls else 587 if starttls else 25
    return MailServer(
        host,
        port or usual,
        tls,
        starttls,
        None if parts.username is None else unquote(parts.username),
        None if parts.password is None else unquote(parts.password),
    )


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def mailbox(address: str) -> str:
    """Return an address as mail servers understand it: its domain in ASCII (RFC 5891).

    :raises ValueError: no mail can go there. One that begins with a hyphen is an option to some
        mail programs.
    """
    local, at, domain = address.rpartition("@")
    try:
        domain = domain.encode("idna").decode()
    except UnicodeError:
        raise ValueError("has a domain that is none") from None
    written = f"{local}@{domain}"
    labels = domain.split(".")
    if (
        not at
        or len(written) > LONGEST_ADDRESS
        or len(local.encode()) > LONGEST_LOCAL_PART
        or _LOCAL_PART.fullmatch(local) is None
        or not all(_LABEL.fullmatch(label) for label in labels)
        or labels[-1].isdigit()
    ):
        raise ValueError("is no address that mail can be sent to")
    return written


def sender(text: str) -> Address:
    """Read whom mails come from: ``shop@example.com`` or ``Kino Nord <shop@example.com>``.

    :raises ValueError: it is none.
    """
    try:
        found = SMTP.header_factory("From", text)
        (one,) = found.addresses
        return Address(one.display_name, addr_spec=mailbox(one.addr_spec))
    except (ValueError, MessageError, IndexError, AttributeError):
        raise ValueError("must be like shop@example.com or Kino Nord <shop@example.com>") from None
