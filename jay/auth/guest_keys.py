"""This service's own key pairs, which sign guest tokens."""

import secrets
import threading
from datetime import datetime, timedelta
from typing import Any

import orjson
from joserfc import jwt
from joserfc.jwk import OKPKey
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from jay.auth import signing_keys
from jay.auth.signatures import REGISTRIES
from jay.clock import Clock
from jay.config import ConfigError
from jay.db.database import Database
from jay.sealing import Seal, WrongKey

GUEST_TYPE = "guest+jwt"
GUEST_KID_PREFIX = "jay-guest-"
GUEST_ALGORITHM = "EdDSA"
KEYS_RELOADED_SECONDS = 60


class GuestKeys:
    """This service's own Ed25519 key pairs, shared by all processes through the database.

    Ed25519 signatures are deterministic: the winner of a transfer who asks again gets the very
    same token without it being stored anywhere.
    """

    def __init__(self, database: Database, secret_key: str, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._seal = Seal("guest keys", secret_key)
        self._lock = threading.Lock()
        self._keys: dict[str, OKPKey] = {}
        self._retired: dict[str, datetime] = {}
        self._active = ""
        self._loaded: datetime | None = None

    def sign(self, claims: dict[str, Any]) -> str:
        """Sign the claims of a guest token with the active key."""
        self._reload_when_old()
        header = {"alg": GUEST_ALGORITHM, "kid": self._active, "typ": GUEST_TYPE}
        registry = REGISTRIES[GUEST_ALGORITHM]
        return jwt.encode(header, claims, self._keys[self._active], registry=registry)

    def public(self, kid: str) -> OKPKey | None:
        """Return the key with this id, retired ones included."""
        self._reload_when_old(unless_known=kid)
        return self._keys.get(kid)

    def last_issued(self, kid: str) -> datetime | None:
        """Return when a retired key has signed for the last time; None while it signs.

        Other processes notice within a minute that it does no more.
        """
        retired = self._retired.get(kid)
        return retired and retired + timedelta(seconds=KEYS_RELOADED_SECONDS)

    def key_set(self) -> dict[str, Any]:
        """Return the public keys as a JWK set (RFC 7517)."""
        self._reload_when_old()
        extra = {"use": "sig", "alg": GUEST_ALGORITHM}
        return {"keys": [key.as_dict(private=False) | extra for key in self._keys.values()]}

    def rotate(self, connection: Connection, *, now: datetime) -> str:
        """Retire the active key and make a new one; tokens of the old one stay valid.

        :returns: the new key's id.
        :raises ConfigError: the secret key is not the one of the keys that are there: whoever
            has the right one could not open the new key.
        """
        for row in signing_keys.rows(connection):
            self._unwrap(row.private_key)
        signing_keys.retire(connection, now=now)
        return self._make(connection, now)

    def revoke(self, connection: Connection, kid: str, *, now: datetime) -> bool:
        """Let the tokens of a key open nothing any more; one that still signs is replaced first.

        :returns: whether there is such a key.
        :raises ConfigError: as ``rotate``.
        """
        if any(row.kid == kid and row.active for row in signing_keys.rows(connection)):
            self.rotate(connection, now=now)
        return signing_keys.remove(connection, kid)

    def _reload_when_old(self, unless_known: str | None = None) -> None:
        now = self._clock()
        fresh = self._loaded and abs(now - self._loaded) < timedelta(seconds=KEYS_RELOADED_SECONDS)
        if fresh and (unless_known is None or unless_known in self._keys):
            return
        if fresh and self._loaded and now - self._loaded < timedelta(seconds=1):
            return  # a flood of unknown key ids costs one query a second
        seen = self._loaded
        with self._lock:
            if self._loaded is seen:  # else another thread has just loaded them
                self._load(now)

    def _load(self, now: datetime) -> None:
        rows = self._rows()
        if not any(row.active for row in rows):
            try:
                with self._database.transaction() as connection:
                    self._make(connection, now)
            except IntegrityError:
                pass  # another process was faster: its key is ours too
            rows = self._rows()
        self._keys = {row.kid: self._unwrap(row.private_key) for row in rows}
        self._retired = {row.kid: row.retired for row in rows if row.retired}
        self._active = next(row.kid for row in rows if row.active)
        self._loaded = now

    def _rows(self) -> list[Any]:
        with self._database.reading() as connection:
            return signing_keys.rows(connection)

    def _make(self, connection: Connection, now: datetime) -> str:
        kid = GUEST_KID_PREFIX + secrets.token_hex(8)
        key = OKPKey.generate_key("Ed25519", {"kid": kid}, private=True)
        wrapped = self._seal.close(orjson.dumps(key.as_dict(private=True)))
        signing_keys.store(connection, kid, wrapped, now=now)
        return kid

    def _unwrap(self, wrapped: str) -> OKPKey:
        try:
            return OKPKey.import_key(orjson.loads(self._seal.open(wrapped)))
        except WrongKey as error:
            raise ConfigError(
                "Cannot start: JAY_SECRET_KEY is not the one that the guest keys in this database"
                " were stored with"
            ) from error
