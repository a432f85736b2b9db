"""This service's own key pairs, which sign guest tokens."""

import base64
import secrets
import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple, cast

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc.jwk import OKPKey
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from jay.auth import signing_keys
from jay.clock import Clock
from jay.config import ConfigError
from jay.db.database import Database
from jay.sealing import Seal, WrongKey

GUEST_TYPE = "guest+jwt"
GUEST_KID_PREFIX = "jay-guest-"
GUEST_ALGORITHM = "EdDSA"
KEYS_RELOADED_SECONDS = 60


class _Known(NamedTuple):
    """What was in the database at one moment. It is exchanged as a whole: see ``GuestKeys``."""

    keys: Mapping[str, OKPKey]
    retired: Mapping[str, datetime]
    active: str
    loaded: datetime | None
    header: bytes = b""
    """That of each token that the active key signs, as the token has it."""


class GuestKeys:
    """This service's own Ed25519 key pairs, shared by all processes through the database.

    Ed25519 signatures are deterministic: the winner of a transfer who asks again gets the very
    same token without it being stored anywhere.

    Threads read while another one loads: what they know is one value, read once for a decision.
    """

    def __init__(self, database: Database, secret_key: str, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._seal = Seal("guest keys", secret_key)
        self._lock = threading.Lock()
        self._known = _Known({}, {}, "", None)

    def sign(self, claims: dict[str, Any]) -> str:
        """Sign the claims of a guest token with the active key."""
        # Compact (RFC 7515 section 7.1). A library would judge key and header anew for each.
        known = self._newest()
        key = cast("Ed25519PrivateKey", known.keys[known.active].private_key)
        signed = known.header + b"." + _base64url(orjson.dumps(claims))
        return (signed + b"." + _base64url(key.sign(signed))).decode()

    def find(self, kid: str) -> tuple[OKPKey, datetime | None] | None:
        """Return the key with this id, and when it has signed for the last time.

        That is None while it signs. Other processes notice within a minute that it does no more.
        """
        known = self._newest(unless_known=kid)
        key, retired = known.keys.get(kid), known.retired.get(kid)
        last = retired and retired + timedelta(seconds=KEYS_RELOADED_SECONDS)
        return None if key is None else (key, last)

    def key_set(self) -> dict[str, Any]:
        """Return the public keys as a JWK set (RFC 7517)."""
        extra = {"use": "sig", "alg": GUEST_ALGORITHM}
        keys = self._newest().keys.values()
        return {"keys": [key.as_dict(private=False) | extra for key in keys]}

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

    def _newest(self, unless_known: str | None = None) -> _Known:
        """Return what is known, loaded anew when it is old or lacks a key."""
        now, known = self._clock(), self._known
        loaded = known.loaded
        fresh = loaded and abs(now - loaded) < timedelta(seconds=KEYS_RELOADED_SECONDS)
        if fresh and (unless_known is None or unless_known in known.keys):
            return known
        if fresh and loaded and now - loaded < timedelta(seconds=1):
            return known  # a flood of unknown key ids costs one query a second
        with self._lock:
            if self._known is known:  # else another thread has just loaded them
                self._known = self._load(now)
            return self._known

    def _load(self, now: datetime) -> _Known:
        rows = self._rows()
        if not any(row.active for row in rows):
            try:
                with self._database.transaction() as connection:
                    self._make(connection, now)
            except IntegrityError:
                pass  # another process was faster: its key is ours too
            rows = self._rows()
        active = next(row.kid for row in rows if row.active)
        header = {"typ": GUEST_TYPE, "alg": GUEST_ALGORITHM, "kid": active}
        return _Known(
            keys={row.kid: self._unwrap(row.private_key) for row in rows},
            retired={row.kid: row.retired for row in rows if row.retired},
            active=active,
            loaded=now,
            header=_base64url(orjson.dumps(header)),
        )

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


def _base64url(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")
