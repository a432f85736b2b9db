"""Which addresses this service may go to: public ones, and networks that the operator allows.

Merchants and partners choose the addresses, and this service stands in a network that they don't:
a webhook, a feed or a key set must not become a way into it (server-side request forgery).
"""

import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Any
from urllib.parse import quote, urlsplit

from jay.net import names
from jay.net.names import Resolver

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))

MAX_ADDRESSES = 4
"""How many addresses of one name are tried, each within the time for all."""

# The registries of special-purpose addresses (RFC 6890, IANA). They are named here, too, as Python
# knows the newer entries only in its latest versions.
_SPECIAL = tuple(
    ip_network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "2001::/23",  # with Teredo, which carries IPv4 addresses
        "2001:db8::/32",
        "2002::/16",  # 6to4 carries IPv4 addresses, and is given up (RFC 7526)
        "3fff::/20",
    )
)
# Where cloud providers answer inside of their networks, at addresses that look public: the host of
# Azure with its metadata, and the services of IBM. Other clouds use link-local (169.254.169.254),
# shared (100.100.100.200), reserved (192.0.0.192) or unique local ones (fd00:ec2::254), which are
# refused as such.
_CLOUD = tuple(
    ip_network(network) for network in ("168.63.129.16/32", "161.26.0.0/16", "166.8.0.0/14")
)
_GLOBAL_IPV6 = ip_network("2000::/3")
_NAT64 = ip_network("64:ff9b::/96")


class Unreachable(Exception):
    """A server gives no usable answer; the message is one sentence without secrets."""


class AddressRefused(Unreachable):
    """This service must not go there."""


class TooSlow(Unreachable):
    """It answers, or would, but not in time."""


class TooLarge(Unreachable):
    """It answers with more than is taken."""


class CutOff(Unreachable):
    """It answers, but not whole."""


@dataclass(frozen=True)
class Target:
    """Where a URL leads, taken apart once.

    :ivar host: an ASCII name, or an address.
    :ivar path: with the query, as it stands in the request line.
    """

    https: bool
    host: str
    port: int
    path: str

    @property
    def host_header(self) -> str:
        """What the ``Host`` header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.https else 80) else f"{host}:{self.port}"


def origin_of(url: str) -> str | None:
    """Return ``scheme://host[:port]`` of an http(s) URL in its normal form (RFC 6454).

    None for anything else, for URLs with a user name, and for those that a browser would read
    differently than this function does (white space, control characters, backslashes).
    """
    if re.search(r"[\s\\\x00-\x1f\x7f]", url):
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username is not None:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    default = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{host}" + ("" if port in {None, default} else f":{port}")


NOWHERE = "null"
"""The origin that browsers name for pages of a file, of a package or in a sandbox (RFC 6454)."""


def app_origin_of(url: str) -> str | None:
    """Return the origin of a TV app in the form in which browsers name it.

    Besides those of http(s): ``null``, and those of other schemes, such as ``file://``,
    ``capacitor://localhost`` and ``dvb://233a.1004.1044``. None for anything else, and for schemes
    whose pages have no origin of their own.
    """
    if url == NOWHERE:
        return NOWHERE
    found = _APP_ORIGIN.fullmatch(url)
    if found is None or found["scheme"].lower() in {"http", "https"}:
        return origin_of(url)
    return None if found["scheme"].lower() in _NO_ORIGIN else found["origin"].lower()


# Nothing that would begin another source or directive in a Content-Security-Policy.
_APP_ORIGIN = re.compile(
    r"(?P<origin>(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://[A-Za-z0-9._-]*(?::[0-9]{1,5})?)"
    r"(?:/[^\s\\]*)?"
)
_NO_ORIGIN = {"about", "blob", "data", "filesystem", "javascript", "view-source"}


def frame_source_of(origin: str) -> str:
    """Return what a Content-Security-Policy calls an origin of ``app_origin_of``.

    A host of other letters than a policy knows, and a page without an origin, are told by scheme:
    without one a page comes from a file.
    """
    if origin == NOWHERE:
        return "file:"
    scheme, _, host = origin.partition("://")
    return origin if _POLICY_HOST.fullmatch(host) else f"{scheme}:"


_POLICY_HOST = re.compile(r"(?:[a-z0-9-]+(?:\.[a-z0-9-]+)*|\[[0-9a-f:.]+\])(?::[0-9]+)?")


def target_of(url: str) -> Target:
    """Take a URL apart.

    :raises AddressRefused: it is no http or https URL, holds a user name, or names a port of
        another kind of service: those below 1024 are refused, except 80 and 443.
    """
    if origin_of(url) is None:
        raise AddressRefused("its address is no http or https URL")
    parts = urlsplit(url)
    https = parts.scheme == "https"
    port = parts.port if parts.port is not None else (443 if https else 80)
    if port < 1024 and port not in {80, 443}:
        raise AddressRefused(f"its address names the port {port}: use 80, 443, or one from 1024 on")
    host = parts.hostname or ""
    if ":" not in host:
        try:
            host = host.encode("idna").decode()
        except UnicodeError:
            raise AddressRefused("its address has a host name that can't exist") from None
    query = "?" + parts.query if parts.query else ""
    return Target(https, host, port, quote((parts.path or "/") + query, safe="/%:@!$&'()*+,;=?~"))


def keeps_secrets(url: str, allowed: Sequence[Network]) -> bool:
    """Tell whether what is sent to a URL can be read by nobody on the way.

    That is so where it is https, or where the host is written as an address of an own network.

    :param allowed: networks beside the public ones that may be reached.
    """
    parts = urlsplit(url)
    if parts.scheme == "https":
        return True
    try:
        address = ip_address(parts.hostname or "")
    except ValueError:
        return parts.hostname == "localhost" and all(one in allowed for one in LOOPBACK)
    return any(address in network for network in allowed)


def addresses_of(
    target: Target, allowed: Sequence[Network], resolve: Resolver = socket.getaddrinfo
) -> list[Address]:
    """Resolve the host once and return the addresses to connect to, and to no others.

    :raises AddressRefused: one of them is neither public nor allowed.
    :raises Unreachable: the name can't be resolved.
    """
    found = []
    for entry in _resolved(target, resolve):
        # An address of a link comes with its interface: fe80::1%eth0.
        address = ip_address(str(entry[4][0]).partition("%")[0])
        if not may_reach(address, allowed):
            raise AddressRefused(f"its address leads to {address}, which is not a public one")
        found.append(address)
    return list(dict.fromkeys(found))[:MAX_ADDRESSES]


def may_reach(address: Address, allowed: Sequence[Network]) -> bool:
    """Tell whether an address may be reached: it is public, or in an allowed network."""
    plain = getattr(address, "ipv4_mapped", None) or address
    return _is_public(plain) or any(plain in network for network in allowed)


def _is_public(address: Address) -> bool:
    if address in _NAT64:
        # The network's translator goes on to the IPv4 address in the last 32 bits.
        return _is_public(IPv4Address(int(address) & 0xFFFFFFFF))
    return (
        (address.version == 4 or address in _GLOBAL_IPV6)
        and address.is_global
        and not address.is_multicast
        and not any(address in network for network in (*_SPECIAL, *_CLOUD))
    )


def _resolved(target: Target, resolve: Resolver) -> Sequence[tuple[Any, ...]]:
    try:
        return names.look_up(target.host, target.port, resolve)
    except names.NoSuchName:
        raise Unreachable("the name of its host can't be resolved") from None
    except names.LookUpTimeout as error:
        raise Unreachable(f"the name of its host was {error}") from None
