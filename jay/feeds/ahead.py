"""The next part of a feed is read and checked while the database is at work on the last one."""

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar, cast

T = TypeVar("T")


def one_ahead(items: Iterator[T]) -> Generator[T]:
    """Yield items; a thread of its own takes the next one while one is in use.

    The first one is taken in the caller's thread: that may last, as of a resumed import all that is
    done already is skipped before, and only there an interrupt ends it at once.

    What taking an item raises is raised in its place. Close this where it may not come to its end:
    then it waits for the item that is being taken, and no other one is.
    """
    context, end = copy_context(), object()
    item = next(items, end)
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as thread:

        def take() -> T | object:
            return context.run(next, items, end)

        while item is not end:
            coming = thread.submit(take)
            yield cast("T", item)
            item = coming.result()
