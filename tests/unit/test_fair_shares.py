"""Clients are spread over the processes."""

import os
import runpy
from types import SimpleNamespace

import pytest

from jay.web import fair_shares
from jay.web.fair_shares import FairShares
from jay.web.serving import BufferingWorker
from tests.unit.test_serving import Server


def test_who_has_the_fewest_clients_is_the_next_one() -> None:
    shares = FairShares()
    first, second, third = (shares.join() for _ in range(3))
    shares.tell(first, 2)
    shares.tell(second, 1)
    shares.tell(third, 1)
    assert [shares.is_least(one) for one in (first, second, third)] == [False, True, True]

    shares.leave(second)
    shares.tell(third, 3)
    assert [shares.is_least(one) for one in (first, third)] == [True, False]
    assert shares.join() == second


def test_what_another_process_tells_is_known() -> None:
    shares = FairShares()
    mine, other = shares.join(), shares.join()
    shares.tell(mine, 1)
    assert not shares.is_least(mine)
    child = os.fork()
    if not child:
        shares.tell(other, 2)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert shares.is_least(mine)


def test_where_there_are_too_many_to_count_each_accepts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fair_shares, "PROCESSES", 1)
    shares = FairShares()
    assert shares.join() == 0
    assert shares.join() is None
    shares.tell(None, 5)
    shares.leave(None)
    assert shares.is_least(None)


def test_a_client_whom_nobody_else_takes_is_served_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shares = FairShares()
    shares.join()  # has none, and accepts none
    monkeypatch.setattr(BufferingWorker, "shares", shares)
    server = Server(threads=1)
    try:
        kept = [server.connect(b"GET /one HTTP/1.1\r\nHost: x\r\n\r\n") for _ in range(3)]
        assert all(one.recv(65536).startswith(b"HTTP/1.1 200 ") for one in kept)
    finally:
        server.stop()
    assert shares.join() == server.worker.place, "a process that has ended leaves its place"


def test_the_place_of_a_process_that_was_killed_is_free_again() -> None:
    hooks = runpy.run_path("gunicorn.conf.py")
    shares = FairShares()
    worker = SimpleNamespace(shares=shares, place=shares.join())
    shares.tell(worker.place, 7)
    hooks["child_exit"](None, worker)
    assert shares.join() == worker.place
