"""Files of pictures in a bucket: any store that speaks S3, read and written by obstore.

Its credentials are what all tools for S3 read, ``AWS_ACCESS_KEY_ID`` and ``AWS_SECRET_ACCESS_KEY``,
or the role of the machine. This module is imported where a bucket is set alone: the library takes
memory that a folder does not need.
"""

import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import (
    BaseError,
    PermissionDeniedError,
    UnauthenticatedError,
)
from obstore.store import S3Store

from jay.net.buckets import Bucket
from jay.pictures.models import CONTENT_TYPES, NAME
from jay.pictures.store import StoreAway, place

if TYPE_CHECKING:  # there are no such names at run time
    from obstore.store import S3Config

CONNECT_SECONDS, TOTAL_SECONDS = 2, 10
"""What storing, listing and deleting may take, each try of it."""

TRIES = 2
READ_SECONDS = 2.0
"""What reading a file may take, tried once: a page waits for it."""

READ_AT_ONCE = 2
PLACE_SECONDS = 0.25
"""How long one waits for a place among those; nobody does while the store is slow."""

REST_SECONDS = 5.0
"""So long nobody asks a store again that has not answered: a page's pictures fail at once."""


class BucketStore:
    """Keeps files in a bucket. A file that is being written is not there until it is there whole.

    One connection pool for all threads, made when it is needed first: after a server has forked.
    A store that is silent holds few threads: so many read at once, and after it has failed one of
    them tries it, and the others are told at once that it is away. Who stores is the worker, or one
    of the few whom the route lets in.
    """

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._made: S3Store | None = None
        self._made_for_reading: S3Store | None = None
        self._lock = threading.Lock()
        self._rests_until = 0.0
        self._away = False
        self._places = threading.BoundedSemaphore(READ_AT_ONCE)
        self._slow = False

    def put(self, name: str, content: bytes) -> None:
        """Store a file, whole or not at all.

        :raises StoreAway: the store does not answer, or refuses.
        """
        kind = name.rpartition(".")[2]
        with _Asking(self) as store:
            obstore.put(
                store,
                place(name),
                content,
                use_multipart=False,
                attributes={
                    "Content-Type": CONTENT_TYPES[kind],
                    # For a CDN that reads the bucket itself.
                    "Cache-Control": "public, max-age=31536000, immutable",
                },
            )

    def get(self, name: str) -> bytes | None:
        """Return a file's content; None when there is no such file.

        :raises StoreAway: the store does not answer, or refuses, or others wait for it already.
        """
        if not self._places.acquire(timeout=0 if self._slow else PLACE_SECONDS):
            self._slow = True
            raise StoreAway("others wait for it already")
        try:
            with _Asking(self, reads=True) as store:
                try:
                    return bytes(obstore.get(store, place(name)).bytes())
                except FileNotFoundError:
                    return None
        finally:
            self._slow = False
            self._places.release()

    def names(self) -> Iterator[tuple[str, datetime]]:
        """Yield the name of each file, and when it was stored.

        :raises StoreAway: the store does not answer, or refuses.
        """
        with _Asking(self) as store:
            for batch in obstore.list(store):
                self.answer()
                for entry in batch:
                    name = entry["path"].rpartition("/")[2]
                    if NAME.fullmatch(name) and entry["path"] == place(name):
                        yield name, entry["last_modified"]

    def stored(self, name: str) -> datetime | None:
        """Return when a file was stored last; None when there is no such file.

        :raises StoreAway: the store does not answer, or refuses.
        """
        with _Asking(self) as store:
            try:
                return obstore.head(store, place(name))["last_modified"]
            except FileNotFoundError:
                return None

    def delete(self, name: str) -> None:
        """Delete a file, if it is there.

        :raises StoreAway: the store does not answer, or refuses.
        """
        with _Asking(self) as store:
            try:
                obstore.delete(store, place(name))
            except FileNotFoundError:
                return

    def client(self, *, reads: bool) -> S3Store:
        """Return what asks the store.

        :raises StoreAway: it has just not answered, or somebody else tries whether it does.
        """
        with self._lock:
            now = time.monotonic()
            if now < self._rests_until:
                raise StoreAway("it has not answered a moment ago")
            if reads:
                if self._away:
                    # One tries it: the others wait for no answer before it has waited for one.
                    self._rests_until = now + TRIES * TOTAL_SECONDS
                if self._made_for_reading is None:
                    self._made_for_reading = _client(self._bucket, READ_SECONDS, tries=1)
                return self._made_for_reading
            if self._made is None:
                self._made = _client(self._bucket, TOTAL_SECONDS, tries=TRIES)
            return self._made

    def answer(self) -> None:
        """Let everybody ask: it has answered."""
        if self._away:
            with self._lock:
                self._away, self._rests_until = False, 0.0

    def rest(self) -> None:
        """Let nobody ask for a while."""
        with self._lock:
            self._away, self._rests_until = True, time.monotonic() + REST_SECONDS


class _Asking:
    """Asks a store; what goes wrong is said without what it was asked for."""

    def __init__(self, store: BucketStore, *, reads: bool = False) -> None:
        self._store = store
        self._reads = reads

    def __enter__(self) -> S3Store:
        return self._store.client(reads=self._reads)

    def __exit__(self, kind: object, error: BaseException | None, _traceback: object) -> None:
        refused = isinstance(error, PermissionDeniedError | UnauthenticatedError)
        if error is None or refused:
            self._store.answer()
        if isinstance(error, BaseError | OSError):
            if not refused:
                self._store.rest()
            raise StoreAway(type(error).__name__) from error


def _client(bucket: Bucket, seconds: float, *, tries: int) -> S3Store:
    config: S3Config = {
        "region": bucket.region,
        "virtual_hosted_style_request": bucket.endpoint is None,
    }
    if bucket.endpoint is not None:
        config["endpoint"] = bucket.endpoint
    return S3Store(
        bucket.name,
        prefix=bucket.prefix or None,
        config=config,
        client_options={
            "allow_http": (bucket.endpoint or "").startswith("http://"),
            "connect_timeout": timedelta(seconds=CONNECT_SECONDS),
            "timeout": timedelta(seconds=seconds),
        },
        retry_config={
            "max_retries": tries - 1,
            "retry_timeout": timedelta(seconds=seconds),
            "backoff": {
                "init_backoff": timedelta(milliseconds=100),
                "max_backoff": timedelta(seconds=1),
                "base": 2,
            },
        },
    )
