"""Partners' public keys from a JWKS URL, cached.

A JWKS URL is asked again when a token names an unknown ``kid`` or has a signature of none of the
known keys, at most once a minute; and every few minutes, to notice withdrawn keys. While it can't
be reached, the keys that are known keep working.
"""

import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import orjson
import structlog
from joserfc.jwk import Key

from jay.errors import KeySetUnavailable
from jay.net.addresses import Unreachable
from jay.net.client import Client, Limits
from jay.partners.keys import UnusableKey, keys_for, public_keys

log = structlog.get_logger()
REFRESH_AT_MOST = timedelta(seconds=60)
REFRESH_AFTER = timedelta(minutes=4)
"""With how long a verified token is remembered: a withdrawn key opens nothing after 5 minutes."""
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

    :param client: asks for them.
    :param insecure: allow plain http, for demo mode and tests.
    """

    def __init__(self, client: Client, *, insecure: bool = False) -> None:
        self._client = client
        self._insecure = insecure
        self._sets: dict[str, _Cached] = {}
        self._lock = threading.Lock()

    def keys(self, url: str, algorithm: str, kid: str | None, *, now: datetime) -> list[Key]:
        """Return the keys at ``url`` that may have signed a token with this header.

        :raises KeySetUnavailable: nothing is known of this key set and it can't be loaded.
        """
        cached = self._cached(url)
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

    def newer(
        self, url: str, algorithm: str, kid: str | None, *, tried: list[Key], now: datetime
    ) -> list[Key]:
        """Return the keys that ``url`` has exchanged meanwhile: a new one may bear an old ``kid``.

        :param tried: the keys as they were known before; another thread may have asked since.
        :returns: none when nothing has changed, or was asked less than a minute ago.
        """
        cached = self._cached(url)
        with cached.lock:
            self._refresh(url, cached, now)
        known = {key.thumbprint() for key in tried}
        found = keys_for(cached.keys, algorithm, kid)
        return [key for key in found if key.thumbprint() not in known]

    def _cached(self, url: str) -> _Cached:
        with self._lock:
            return self._sets.setdefault(url, _Cached())

    def _refresh(self, url: str, cached: _Cached, now: datetime) -> None:
        if cached.tried is not None and abs(now - cached.tried) < REFRESH_AT_MOST:
            return  # another thread has just asked
        cached.tried = now
        try:
            cached.keys = self._load(url)
            cached.loaded = now
        except (Unreachable, UnusableKey, ValueError) as error:
            log.warning("key set could not be loaded", url=url, reason=str(error))

    def _load(self, url: str) -> list[Key]:
        if not (self._insecure or url.startswith("https://")):
            raise UnusableKey("a JWKS URL must be https")
        limits = Limits(CONNECT_SECONDS, TOTAL_SECONDS, TOTAL_SECONDS, MAX_BYTES)
        with self._client.exchange("GET", url, limits=limits) as answer:
            if answer.status != 200:
                raise UnusableKey(f"answered {answer.status}")
            return public_keys(orjson.loads(answer.read()))
