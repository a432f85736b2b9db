"""A port that another process has not let go of yet."""

import runpy
import socket
from pathlib import Path
from types import SimpleNamespace

import pytest

from jay.config import ConfigError
from jay.web import ports


def test_a_port_is_waited_for_until_it_is_free() -> None:
    told: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()[:2]

        def free(text: str) -> None:
            told.append(text)
            listener.close()

        ports.wait_until_free(address, free)
        ports.wait_until_free(address, free)

    assert told == [f"127.0.0.1 port {address[1]} is in use: waiting for it"]


def test_a_port_of_another_program_is_not_waited_for_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ports, "PORT_SECONDS", 0.0)
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        pytest.raises(ConfigError, match=r"another program listens .* such as PORT="),
    ):
        ports.wait_until_free(listener.getsockname()[:2], lambda _text: None)


@pytest.mark.parametrize("handed_over", ["GUNICORN_FD", "LISTEN_FDS"])
def test_a_port_that_is_handed_over_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, handed_over: str
) -> None:
    waited: list[object] = []
    monkeypatch.setattr(ports, "wait_until_free", lambda address, _tell: waited.append(address))
    monkeypatch.delenv("GUNICORN_FD", raising=False)
    monkeypatch.delenv("LISTEN_FDS", raising=False)
    conf = runpy.run_path(str(Path(__file__).parents[2] / "gunicorn.conf.py"))
    arbiter = SimpleNamespace(cfg=SimpleNamespace(address=[("127.0.0.1", 1)]))

    conf["on_starting"](arbiter)
    monkeypatch.setenv(handed_over, "3")
    conf["on_starting"](arbiter)

    assert waited == [("127.0.0.1", 1)]
    assert conf["http_parser"] == "python"  # jay.web.framing reckons with that one
