"""The next part of a feed is read and checked while the database is at work on the last one."""

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar, cast

T = TypeVar("T")


def one_ahead(items: Iterator[T]) -> Generator[T]:
    """Yield items; a thread of its own takes the next one while one is in use.

    What taking an item raises is raised in its place. Close this where it may not come to its end:
    then it waits for the item that is being taken, and no other one is.
    """
    context, end = copy_context(), object()
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as thread:

        def take() -> T | object:
            return context.run(next, items, end)

        coming = thread.submit(take)
        while (item := coming.result()) is not end:
            coming = thread.submit(take)
            yield cast("T", item)
