"""Clients are spread over the processes."""

import os
import runpy
from types import SimpleNamespace

import pytest

from jay.web import fair_shares
from jay.web.fair_shares import FairShares
from jay.web.serving import BufferingWorker
from tests.unit.test_serving import Server


def test_who_has_hardly_more_than_the_fewest_is_the_next_one() -> None:
    shares = FairShares()
    first, second, third = (shares.join() for _ in range(3))
    for place, clients in ((first, 3), (second, 2), (third, 1)):
        shares.tell(place, clients)
    assert [shares.may_accept(one) for one in (first, second, third)] == [False, True, True]

    # Where there are crowds, nobody waits for a few.
    for place, clients in ((first, 1100), (second, 1300), (third, 1000)):
        shares.tell(place, clients)
    assert [shares.may_accept(one) for one in (first, second, third)] == [True, False, True]


def test_who_does_not_accept_is_left_nothing() -> None:
    shares = FairShares()
    first, second = shares.join(), shares.join()
    shares.tell(first, 50)
    assert shares.may_accept(first), "the other one has not begun"
    shares.tell(second, 1)
    assert not shares.may_accept(first)
    shares.rest(second)
    assert shares.may_accept(first)
    shares.leave(second)
    assert shares.may_accept(first)
    assert shares.join() == second


def test_what_another_process_tells_is_known() -> None:
    shares = FairShares()
    mine, other = shares.join(), shares.join()
    shares.tell(mine, 5)
    shares.tell(other, 1)
    assert not shares.may_accept(mine)
    child = os.fork()
    if not child:
        shares.tell(other, 6)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert shares.may_accept(mine)


def test_where_there_are_too_many_to_count_each_accepts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fair_shares, "PROCESSES", 1)
    shares = FairShares()
    assert shares.join() == 0
    assert shares.join() is None
    shares.tell(None, 5)
    shares.rest(None)
    shares.leave(None)
    assert shares.may_accept(None)


def test_clients_whom_nobody_else_takes_are_served_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shares = FairShares()
    shares.tell(shares.join(), 0)  # has none, and hangs
    monkeypatch.setattr(BufferingWorker, "shares", shares)
    server = Server(threads=1)
    place = server.worker.place
    try:
        kept = [server.connect(b"GET /one HTTP/1.1\r\nHost: x\r\n\r\n") for _ in range(5)]
        assert all(one.recv(65536).startswith(b"HTTP/1.1 200 ") for one in kept)
        assert not shares.may_accept(place)
    finally:
        server.stop()
    assert shares.join() not in {place, None}, "the place is the master's to give"


@pytest.mark.parametrize("kind", ["ours", "another"])
def test_the_place_of_a_process_that_has_ended_is_free_again(kind: str) -> None:
    hooks = runpy.run_path("gunicorn.conf.py")
    shares = FairShares()
    place = shares.join()
    worker = SimpleNamespace(shares=shares, place=place) if kind == "ours" else SimpleNamespace()
    hooks["child_exit"](None, worker)
    assert (shares.join() == place) == (kind == "ours")
