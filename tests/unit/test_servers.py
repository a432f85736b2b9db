"""What starts servers for the tests: none is left behind, and nobody meets another one's."""

import socket
import sys
from pathlib import Path

import pytest

from tests import servers
from tests.servers import Gunicorn, free_port

LINES = 20_000
COUNT = f"for n in range({LINES}): print(n, flush=True)"


class Printing(Gunicorn):
    """Prints numbers, and serves nobody."""

    def _command(self, _app: str) -> list[str]:
        return [sys.executable, "-c", COUNT]

    def _wait_until_ready(self) -> None:
        pass


class Failing(Gunicorn):
    """Ends before it serves, and keeps itself where a test finds it."""

    made: Gunicorn

    def _command(self, _app: str) -> list[str]:
        Failing.made = self
        return [sys.executable, "-c", ""]


class Stuck(Failing):
    """Goes on, and never serves."""

    def _command(self, app: str) -> list[str]:
        super()._command(app)
        return [sys.executable, "-c", "import time; time.sleep(3600)"]

    def _wait_until_ready(self) -> None:
        raise RuntimeError("not started")


def test_a_log_that_is_written_meanwhile_is_read_from_its_beginning_without_a_gap() -> None:
    with Printing({"PORT": "0"}) as printing:
        whole: list[str] = []
        while len(whole) < LINES:
            *whole, _begun = printing.log().split("\n")
            assert whole == list(map(str, range(len(whole))))


@pytest.mark.parametrize("kind", [Failing, Stuck])
def test_a_service_that_does_not_start_leaves_neither_a_process_nor_a_file(
    kind: type[Failing],
) -> None:
    with pytest.raises(RuntimeError, match="not start"):
        kind({"PORT": "0"})

    assert kind.made._process.returncode is not None
    assert kind.made._log.closed


FIRST_GIVEN_AWAY = 32768


@pytest.fixture
def usual_ports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system gives ports away as Linux does by default, however it is set on this machine."""
    given_away = tmp_path / "ip_local_port_range"
    given_away.write_text(f"{FIRST_GIVEN_AWAY}\t60999\n")
    monkeypatch.setattr(servers, "PORTS_GIVEN_AWAY", given_away)


@pytest.mark.usefixtures("usual_ports")
def test_ports_are_told_once_and_are_none_that_the_system_gives_away() -> None:
    told = [free_port() for _ in range(50)]

    assert len(set(told)) == len(told)
    assert max(told) < FIRST_GIVEN_AWAY


@pytest.mark.usefixtures("usual_ports")
def test_workers_of_the_tests_have_ports_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    of_each = []
    for worker in ("gw0", "gw1"):
        monkeypatch.setenv("PYTEST_XDIST_WORKER", worker)
        of_each.append({free_port() for _ in range(servers.PORTS_OF_EACH)})

    assert of_each[0].isdisjoint(of_each[1])


def test_a_port_that_somebody_listens_on_is_not_told() -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        assert port not in {free_port() for _ in range(servers.PORTS_OF_EACH)}
