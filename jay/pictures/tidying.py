"""Removing what is left of pictures: files that belong to none, and drafts of killed processes."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice

from jay import db, web
from jay.pictures import purging
from jay.pictures.showing import reaching_the_store, store

BATCH = 500


def mark_unused() -> int:
    """Note which pictures nothing uses any more; return how many that have become."""
    return sum(db.write(purging.mark_unused, shelf, now=web.now()) for shelf in purging.SHELVES)


def delete_leftovers() -> int:
    """Delete files of which nothing is known, and which nobody is storing; return how many.

    :raises Busy: the store can't be reached.
    """
    with reaching_the_store():
        return sum(map(_delete_leftovers, _batches(store().names())))


def _delete_leftovers(batch: Sequence[tuple[str, datetime]]) -> int:
    oldest, deleted = web.now() - purging.LEFT_OVER_AFTER, 0
    old = [name for name, stored in batch if stored <= oldest]
    with db.reading() as connection:
        known = purging.known(connection, [name[:40] for name in old])
    for name in old:
        if name[:40] in known and name.endswith((".webp", ".jpg")):
            continue
        # The same picture may have been sent again since the files were listed.
        stored = store().stored(name)
        if stored is not None and stored <= oldest:
            store().delete(name)
            deleted += 1
    return deleted


def _batches(names: Iterator[tuple[str, datetime]]) -> Iterator[list[tuple[str, datetime]]]:
    while batch := list(islice(names, BATCH)):
        yield batch
