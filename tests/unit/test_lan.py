"""The address at which a phone reaches this machine."""

import socket
from typing import Any

import pytest

from jay.ops import lan


class Interface:
    """A socket that would go out by an interface with this address."""

    def __init__(self, address: str | None) -> None:
        self._address = address

    def __call__(self, *_args: Any) -> "Interface":
        return self

    def __enter__(self) -> "Interface":
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def connect(self, _address: tuple[str, int]) -> None:
        if self._address is None:
            raise OSError("Network is unreachable")

    def getsockname(self) -> tuple[str | None, int]:
        return self._address, 40_000


@pytest.mark.parametrize(
    ("interface", "address"),
    [
        ("192.168.0.17", "192.168.0.17"),
        ("10.1.2.3", "10.1.2.3"),
        ("127.0.0.1", None),
        ("0.0.0.0", None),
        (None, None),
    ],
)
def test_the_address_is_the_one_that_leads_out(
    interface: str | None, address: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "socket", Interface(interface))

    assert lan.lan_address() == address


def test_make_gets_the_address_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lan, "lan_address", lambda: "192.168.0.17")

    lan.main()

    assert capsys.readouterr().out == "192.168.0.17\n"


def test_without_a_network_make_stops_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lan, "lan_address", lambda: None)

    with pytest.raises(SystemExit, match="in no network"):
        lan.main()
