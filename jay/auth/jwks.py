"""Partners' public keys from a JWKS URL, cached.

A JWKS URL is asked again when a token names an unknown ``kid``, at most once a minute, and once an
hour to notice withdrawn keys. While it can't be reached, the keys that are known keep working.
"""

import threading
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import orjson
import structlog
import urllib3
from joserfc.jwk import Key

from jay.errors import KeySetUnavailable
from jay.partners.keys import UnusableKey, keys_for, public_keys

log = structlog.get_logger()
REFRESH_AT_MOST = timedelta(seconds=60)
REFRESH_AFTER = timedelta(hours=1)
CONNECT_SECONDS = 2.0
TOTAL_SECONDS = 4.0
MAX_BYTES = 256 * 1024


@dataclass
class _Cached:
    keys: list[Key] = field(default_factory=list)
    tried: datetime | None = None
    loaded: datetime | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


class RemoteKeySets:
    """The key sets of all JWKS URLs, in this process's memory.

    :param insecure: allow plain http, for demo mode and tests.
    """

    def __init__(self, *, insecure: bool = False) -> None:
        self._insecure = insecure
        self._http = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=CONNECT_SECONDS, total=TOTAL_SECONDS),
            retries=False,
            maxsize=2,
        )
        self._sets: dict[str, _Cached] = {}
        self._lock = threading.Lock()

    def keys(self, url: str, algorithm: str, kid: str | None, *, now: datetime) -> list[Key]:
        """Return the keys at ``url`` that may have signed a token with this header.

        :raises KeySetUnavailable: nothing is known of this key set and it can't be loaded.
        """
        with self._lock:
            cached = self._sets.setdefault(url, _Cached())
        found = keys_for(cached.keys, algorithm, kid)
        stale = cached.loaded is None or abs(now - cached.loaded) >= REFRESH_AFTER
        if not found or stale:
            # One thread asks; those whose key is known don't wait for it, the others do.
            if cached.lock.acquire(blocking=not found):
                try:
                    self._refresh(url, cached, now)
                finally:
                    cached.lock.release()
            found = keys_for(cached.keys, algorithm, kid)
        if cached.loaded is None:
            raise KeySetUnavailable
        return found

    def _refresh(self, url: str, cached: _Cached, now: datetime) -> None:
        if cached.tried is not None and abs(now - cached.tried) < REFRESH_AT_MOST:
            return  # another thread has just asked
        cached.tried = now
        try:
            cached.keys = self._load(url)
            cached.loaded = now
        except (urllib3.exceptions.HTTPError, UnusableKey, ValueError, OSError) as error:
            log.warning("key set could not be loaded", url=url, reason=str(error))

    def _load(self, url: str) -> list[Key]:
        if not (self._insecure or url.startswith("https://")):
            raise UnusableKey("a JWKS URL must be https")
        deadline, body = time.monotonic() + TOTAL_SECONDS, b""
        response = self._http.request("GET", url, redirect=False, preload_content=False)
        try:
            if response.status != 200:
                raise UnusableKey(f"answered {response.status}")
            # The timeout is for each piece that arrives; the deadline for all of them.
            while len(body) <= MAX_BYTES and (piece := response.read1(MAX_BYTES + 1)):
                body += piece
                if time.monotonic() > deadline:
                    raise UnusableKey("answers too slowly")
        finally:
            response.close()
        if len(body) > MAX_BYTES:
            raise UnusableKey(f"is larger than {MAX_BYTES} bytes")
        return public_keys(orjson.loads(body))
