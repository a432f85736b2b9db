"""Look-ups of host names within a limit: the system's own knows none."""

import socket
import threading
from collections.abc import Callable, Sequence
from typing import Any

Resolver = Callable[..., Sequence[tuple[Any, ...]]]
"""``socket.getaddrinfo``, or what a test puts in its place."""

RESOLVE_SECONDS = 5.0

MOST_AT_ONCE = 16
"""Look-ups that may hang at the same time, each in a thread that is left behind."""

_places = threading.BoundedSemaphore(MOST_AT_ONCE)


class NoSuchName(Exception):
    """The name can't be resolved."""


class LookUpTimeout(Exception):
    """The name was not resolved in time."""


def look_up(
    host: str, port: int | None, resolve: Resolver = socket.getaddrinfo
) -> Sequence[tuple[Any, ...]]:
    """Resolve a name as ``socket.getaddrinfo`` does.

    :raises NoSuchName: there is no such name.
    :raises LookUpTimeout: it takes too long, or too many others do.
    """
    answers: list[Sequence[tuple[Any, ...]]] = []
    problems: list[Exception] = []

    def ask() -> None:
        try:
            answers.append(resolve(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            problems.append(error)
        finally:
            _places.release()

    if not _places.acquire(timeout=RESOLVE_SECONDS):
        raise LookUpTimeout(f"not resolved within {RESOLVE_SECONDS:.0f} s")
    thread = threading.Thread(target=ask, daemon=True, name="resolver")
    thread.start()
    thread.join(RESOLVE_SECONDS)
    if answers and answers[0]:
        return answers[0]
    if problems or answers:
        raise NoSuchName("it can't be resolved")
    raise LookUpTimeout(f"not resolved within {RESOLVE_SECONDS:.0f} s")
