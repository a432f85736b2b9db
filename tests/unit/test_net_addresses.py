"""Which addresses this service may go to: no way into the network that the service stands in."""

import socket
import threading
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from jay.net import addresses
from jay.net.addresses import (
    LOOPBACK,
    AddressRefused,
    Target,
    Unreachable,
    addresses_of,
    may_reach,
    target_of,
)
from tests.clock import PATIENCE_SECONDS

SHOP = Target(https=True, host="shop.example", port=443, path="/")


class Names:
    """A resolver: each question gets the next answer, the last one again and again."""

    def __init__(self, *answers: tuple[str, ...]) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[Any, ...]] = []

    def __call__(self, host: str, port: int, **_more: Any) -> list[tuple[Any, ...]]:
        self.asked.append((host, port))
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in found]


# --- addresses


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "93.184.215.14",
        "172.15.255.255",
        "172.32.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "192.167.255.255",
        "223.255.255.255",
        "2606:4700::6810:84e5",
        "2001:4860:4860::8888",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
    ],
)
def test_a_public_address_may_be_reached(address: str) -> None:
    assert may_reach(ip_address(address), ())


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.255.255.254", "::1"),
        *("10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.0.1"),
        *("169.254.169.254", "fe80::1", "febf::1", "fe80::a9fe:a9fe"),
        *("100.64.0.1", "100.127.255.255"),
        # Metadata of clouds: Amazon, Google, Microsoft, Oracle, Alibaba, Tencent, IBM, Scaleway.
        *("169.254.170.2", "169.254.170.23", "fd00:ec2::23", "fd20:ce::254", "168.63.129.16"),
        *("192.0.0.192", "100.100.100.200", "169.254.0.23", "161.26.0.7", "166.9.48.1"),
        *("169.254.42.42", "fd00:42::42", "::ffff:168.63.129.16", "64:ff9b::a83f:8110"),
        *("0.0.0.0", "0.1.2.3", "::"),
        *("224.0.0.1", "239.255.255.255", "ff02::1", "ff0e::1"),
        *("240.0.0.1", "255.255.255.255"),
        *("192.0.0.1", "192.0.0.9", "192.0.2.1", "198.51.100.1", "203.0.113.1", "192.88.99.1"),
        *("198.18.0.1", "198.19.255.255"),
        *("fc00::1", "fd00:ec2::254", "fec0::1", "2001:db8::1", "3fff::1", "100::1", "5f00::1"),
        # IPv4 addresses that hide in IPv6 ones: mapped, compatible, NAT64, 6to4, Teredo.
        *("::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:10.0.0.1", "::ffff:0:127.0.0.1"),
        *("::127.0.0.1", "::8.8.8.8"),
        *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b::a00:1", "64:ff9b:1::808:808"),
        *("2002:7f00:1::", "2002:a9fe:a9fe::1", "2002:808:808::1"),
        *("2001::1", "2001:0:808:808::f7f7:f7f7", "2001:10::1", "2001:20::1"),
    ],
)
def test_any_other_address_may_not(address: str) -> None:
    assert not may_reach(ip_address(address), ())


@pytest.mark.parametrize(
    ("address", "reached"),
    [
        ("10.1.2.3", True),
        ("10.255.255.255", True),
        ("::ffff:10.1.2.3", True),
        ("fd00::7", True),
        ("11.0.0.1", True),  # public anyway
        ("192.168.0.1", False),
        ("127.0.0.1", False),
        ("fd01::7", False),
        ("64:ff9b::a01:203", False),
    ],
)
def test_the_operator_may_allow_networks(address: str, reached: bool) -> None:
    allowed = (ip_network("10.0.0.0/8"), ip_network("fd00::/64"))

    assert may_reach(ip_address(address), allowed) is reached


# --- names


def test_a_name_is_resolved_once() -> None:
    names = Names(("8.8.8.8", "8.8.4.4", "8.8.8.8"))

    found = addresses_of(SHOP, (), names)

    assert [str(address) for address in found] == ["8.8.8.8", "8.8.4.4"]
    assert names.asked == [("shop.example", 443)]


@pytest.mark.parametrize(
    "answer",
    [("127.0.0.1",), ("8.8.8.8", "10.0.0.1"), ("fe80::1%eth0", "8.8.8.8"), ("169.254.169.254",)],
)
def test_a_name_with_one_address_that_may_not_be_reached_is_refused(
    answer: tuple[str, ...],
) -> None:
    with pytest.raises(AddressRefused, match="not a public one"):
        addresses_of(SHOP, (), Names(answer))


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "localhost", "0", "[::1]"],
)
def test_loopback_is_refused_however_it_is_written(host: str) -> None:
    with pytest.raises(AddressRefused, match="not a public one"):
        addresses_of(target_of(f"http://{host}:8000/"), ())


def test_loopback_can_be_allowed() -> None:
    assert addresses_of(target_of("http://127.0.0.1:8000/"), LOOPBACK) == [ip_address("127.0.0.1")]


def test_so_many_addresses_of_a_name_are_tried_at_most() -> None:
    many = tuple(f"8.8.8.{number}" for number in range(100))

    assert len(addresses_of(SHOP, (), Names(many))) == addresses.MAX_ADDRESSES


def test_an_address_beyond_those_that_are_tried_is_checked_too() -> None:
    many = tuple(f"8.8.8.{number}" for number in range(100))

    with pytest.raises(AddressRefused):
        addresses_of(SHOP, (), Names((*many, "10.0.0.1")))


@pytest.mark.parametrize("error", [socket.gaierror(-2, "unknown"), UnicodeError("too long")])
def test_a_name_that_does_not_exist_can_not_be_reached(error: Exception) -> None:
    def fail(*_args: Any, **_more: Any) -> Any:
        raise error

    with pytest.raises(Unreachable, match="can't be resolved"):
        addresses_of(SHOP, (), fail)


def test_a_name_without_addresses_can_not_be_reached() -> None:
    with pytest.raises(Unreachable, match="can't be resolved"):
        addresses_of(SHOP, (), Names(()))


def test_a_resolver_that_hangs_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jay.net.names.RESOLVE_SECONDS", 0.01)
    release = threading.Event()

    def hang(*_args: Any, **_more: Any) -> Any:
        release.wait(PATIENCE_SECONDS)
        return []

    with pytest.raises(Unreachable, match="not resolved within"):
        addresses_of(SHOP, (), hang)
    release.set()


# --- URLs


@pytest.mark.parametrize(
    ("url", "target", "host_header"),
    [
        ("https://shop.example", Target(True, "shop.example", 443, "/"), "shop.example"),
        ("http://shop.example/a?b=c", Target(False, "shop.example", 80, "/a?b=c"), "shop.example"),
        (
            "HTTPS://Shop.Example:8443/Hook#part",
            Target(True, "shop.example", 8443, "/Hook"),
            "shop.example:8443",
        ),
        (
            "http://shop.example:443/",
            Target(False, "shop.example", 443, "/"),
            "shop.example:443",
        ),
        ("https://[2606:4700::1]/", Target(True, "2606:4700::1", 443, "/"), "[2606:4700::1]"),
        (
            "https://schöner-laden.example/käufe?wer=größe",
            Target(True, "xn--schner-laden-6ib.example", 443, "/k%C3%A4ufe?wer=gr%C3%B6%C3%9Fe"),
            "xn--schner-laden-6ib.example",
        ),
        ("https://shop.example/a%2Fb", Target(True, "shop.example", 443, "/a%2Fb"), "shop.example"),
    ],
)
def test_a_url_is_taken_apart(url: str, target: Target, host_header: str) -> None:
    assert (target_of(url), target_of(url).host_header) == (target, host_header)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://shop.example/",
        "file:///etc/passwd",
        "gopher://shop.example/",
        "https://user@shop.example/",
        "https://user:password@shop.example/",
        "https://shop.example:password@10.0.0.1/",
        "https://shop.example\\@10.0.0.1/",
        "https://shop.example/\r\nX-Evil: 1",
        "https://shop.example/ ",
        "https:///path",
        "https://shop..example/",
        "https://" + "a" * 64 + ".example/",
        "https://shop.example:99999/",
        "//shop.example/",
        "",
    ],
)
def test_what_is_no_http_address_is_refused(url: str) -> None:
    with pytest.raises(AddressRefused):
        target_of(url)


@pytest.mark.parametrize("port", [0, 1, 22, 25, 53, 79, 81, 110, 442, 444, 465, 993, 1023])
def test_a_port_of_another_kind_of_service_is_refused(port: int) -> None:
    with pytest.raises(AddressRefused, match="port"):
        target_of(f"https://shop.example:{port}/")


@pytest.mark.parametrize("port", [80, 443, 1024, 8443, 65535])
def test_a_port_for_http_is_taken(port: int) -> None:
    assert target_of(f"https://shop.example:{port}/").port == port
