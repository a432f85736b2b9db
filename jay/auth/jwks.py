"""Partners' public keys: from PEM or JWK set files at set-up, or from a JWKS URL, cached.

A JWKS URL is asked again when a token names an unknown ``kid``, at most once a minute, and once an
hour to notice withdrawn keys. While it can't be reached, the keys that are known keep working.
"""

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import orjson
import structlog
import urllib3
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, Key, OKPKey, RSAKey

from jay.auth.models import ALGORITHMS
from jay.errors import KeySetUnavailable

log = structlog.get_logger()

REFRESH_AT_MOST = timedelta(seconds=60)
REFRESH_AFTER = timedelta(hours=1)
CONNECT_SECONDS = 2.0
TOTAL_SECONDS = 4.0
MAX_BYTES = 256 * 1024
MIN_RSA_BITS = 2048

_ALGORITHMS_OF_TYPE = {"RSA": ("RS256", "PS256"), "EC": ("ES256",), "OKP": ("EdDSA",)}


class UnusableKey(ValueError):
    """A key is private, too weak or of a kind that no allowed algorithm uses."""


def public_keys(document: Any) -> list[Key]:
    """Read a JWK set (RFC 7517) or a single JWK and return the keys that can verify signatures.

    Keys of other kinds in the set are passed over, as RFC 7517 section 5 asks.

    :raises UnusableKey: there is no usable key in it, or a private one.
    """
    entries = document.get("keys", [document]) if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise UnusableKey("this is not a JWK set")
    keys = []
    for entry in entries:
        if not isinstance(entry, dict) or entry.get("use", "sig") != "sig":
            continue
        if "d" in entry or "k" in entry:
            raise UnusableKey("this holds a private key: only public keys belong here")
        try:
            # Not through a KeySet: that would give a key without an id one of its own.
            keys.append(usable(JWKRegistry.import_key(entry)))
        except (JoseError, ValueError, TypeError, KeyError):
            continue
    if not keys:
        raise UnusableKey("there is no RSA, EC P-256 or Ed25519 public key in it")
    return keys


def pem_key(pem: bytes) -> Key:
    """Read one public key in PEM (SubjectPublicKeyInfo).

    :raises UnusableKey: it is private, too weak, or no allowed algorithm uses it.
    """
    if b"PRIVATE" in pem:
        raise UnusableKey("this is a private key: only the public one belongs here")
    for kind in (RSAKey, ECKey, OKPKey):
        try:
            return usable(kind.import_key(pem))
        except UnusableKey:
            raise
        except (JoseError, ValueError, TypeError, AttributeError):
            continue
    raise UnusableKey("this is no RSA, EC P-256 or Ed25519 public key in PEM")


def usable(key: Key) -> Key:
    """Return the key if one of the allowed algorithms can use it.

    :raises UnusableKey: it can't, or it is too weak (RFC 8725 section 3.5).
    """
    if isinstance(key, RSAKey) and key.raw_value.key_size >= MIN_RSA_BITS:
        return key
    if isinstance(key, ECKey) and key.curve_name == "P-256":
        return key
    if isinstance(key, OKPKey) and key.curve_name == "Ed25519":
        return key
    raise UnusableKey("use RSA with 2048 bits or more, EC P-256 or Ed25519")


def algorithms_for(keys: Iterable[Key]) -> list[str]:
    """Return the algorithms that these keys can verify, in the house's order."""
    possible = {name for key in keys for name in _ALGORITHMS_OF_TYPE[key.key_type]}
    return [name for name in ALGORITHMS if name in possible]


def keys_for(keys: Iterable[Key], algorithm: str, kid: str | None) -> list[Key]:
    """Return the keys that may have signed a token with this header.

    A key without an id of its own, such as one from a PEM file, fits every ``kid``.
    """
    return [
        key
        for key in keys
        if algorithm in _ALGORITHMS_OF_TYPE[key.key_type]
        and key.get("alg", algorithm) == algorithm  # type: ignore[no-untyped-call,unused-ignore]
        and (kid is None or key.kid is None or key.kid == kid)
    ]


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
