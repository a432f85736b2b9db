"""Whom an address stands for, in whatever way a balancer writes it."""

import pytest

from jay.web.limits import UNREADABLE, networks_of


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("203.0.113.9:4711", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("[::ffff:203.0.113.9]:4711", "203.0.113.9"),
        (" 203.0.113.9 ", "203.0.113.9"),
        ("64:ff9b::203.0.113.9", "203.0.113.9"),
        ("[64:ff9b::cb00:7109]:4711", "203.0.113.9"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:1", "2001:db8::/64"),
        ("[2001:db8::1]", "2001:db8::/64"),
        ("[2001:db8::1]:4711", "2001:db8::/64"),
        ('"[2001:db8::1]:4711"', "2001:db8::/64"),
        ("2001:DB8:0:0::1", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_an_address_is_the_same_caller_however_it_is_written(written: str, meant: str) -> None:
    assert networks_of(written)[0] == meant


@pytest.mark.parametrize(
    "written", [None, "", "unknown", "_hidden", "203.0.113.999", "1.2.3.4:x", "[::1", "a:4711"]
)
def test_what_can_not_be_read_is_one_caller(written: str | None) -> None:
    assert networks_of(written) == (UNREADABLE,)


@pytest.mark.parametrize(
    ("written", "site"),
    [
        ("2001:db8:7:1::1", "2001:db8:7::/48"),
        ("[2001:db8:7:ffff::1]:4711", "2001:db8:7::/48"),
        ("2001:db8:8::1", "2001:db8:8::/48"),
    ],
)
def test_an_address_of_ipv6_belongs_to_a_site(written: str, site: str) -> None:
    assert networks_of(written)[1:] == (site,)


def test_an_address_of_ipv4_stands_for_itself_alone() -> None:
    assert networks_of("203.0.113.9") == ("203.0.113.9",)
