"""Asking both ways: before Flask, where that is plainly asked for, and by the route."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask, request_started
from werkzeug.test import TestResponse

from jay.errors import InternalError, JayError
from tests.api.checks import Log, assert_refused

Send = Callable[..., TestResponse]

BY_ROUTE = {"X-API-Version": "2025-09-15"}


@contextmanager
def flask_requests(app: Flask) -> Iterator[list[Any]]:
    """Count what reaches Flask."""
    seen: list[Any] = []

    def note(sender: Flask, **_more: Any) -> None:
        seen.append(sender)

    with request_started.connected_to(note, app):
        yield seen


def headers_of(response: TestResponse) -> dict[str, str]:
    """Return the headers but for what is another one each time."""
    another = {"X-Request-ID", "RateLimit"}
    return {name: value for name, value in response.headers if name not in another}


def both(app: Flask, send: Send) -> tuple[TestResponse, TestResponse]:
    """Send a plain request, and the same once more to its route."""
    with flask_requests(app) as seen:
        plain = send()
        assert seen == []
        routed = send(headers=BY_ROUTE)
        assert len(seen) == 1
    return plain, routed


def both_failing(
    monkeypatch: pytest.MonkeyPatch,
    log: Log,
    use_case: tuple[Any, str],
    error: type[JayError],
    send: Send,
) -> tuple[TestResponse, TestResponse, list[dict[str, Any]]]:
    """Let a use case fail, and ask both ways: each tries it once, and logs the same of it.

    :param use_case: the service, and the name of the function.
    :param error: what is told; an ``InternalError`` is a fault of ours.
    :returns: both answers, and the lines, of which those of the route are the second half.
    """
    asked = list[Any]()

    def fail(*_args: Any, **_more: Any) -> None:
        asked.append(_args)
        if error is InternalError:
            raise RuntimeError("a fault of ours")
        raise error from TimeoutError("no answer")

    monkeypatch.setattr(*use_case, fail)
    log.lines()

    plain = send()
    assert len(asked) == 1
    routed = send(headers=BY_ROUTE)

    assert_refused(plain, error)
    lines = log.lines()
    another = {"timestamp": "", "ms": 0, "id": ""}
    if error is InternalError:
        another["exception"] = ""
    alike = [{**line, **another} for line in lines]
    assert len(alike) == 4
    assert alike[:2] == alike[2:]
    return plain, routed, lines
