"""Bearer tokens: those that partners sign and those that this service signs for guests.

Verification follows RFC 8725: an allow list of asymmetric algorithms, keys that come from set-up
only, explicit typing of our own tokens, and issuer and audience checked where they are agreed.
"""

import base64
import binascii
import hashlib
import secrets
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from cachetools import TTLCache
from joserfc import jws, jwt
from joserfc.errors import (
    DecodeError,
    InvalidPayloadError,
    JoseError,
    UnsupportedAlgorithmError,
)
from joserfc.jwk import Key, OKPKey
from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from jay.auth.jwks import RemoteKeySets, keys_for, public_keys
from jay.auth.models import ALGORITHMS, Partner, signing_keys
from jay.clock import Clock, timer
from jay.config import ConfigError
from jay.db import Database
from jay.errors import (
    TokenAlgorithmRefused,
    TokenClaimsInvalid,
    TokenExpired,
    TokenKeyUnknown,
    TokenMalformed,
    TokenOfAnotherPartner,
    TokenSignatureInvalid,
    TokenUnsigned,
)
from jay.sealing import Seal, WrongKey

GUEST_TOKEN_LIFETIME = timedelta(days=30)
LEEWAY_SECONDS = 30
_LATEST_DATE = 2**63
MAX_TOKEN_LENGTH = 8 * 1024
MAX_USER_ID_LENGTH = 255

GUEST_ISSUER = "jay-basket"
GUEST_TYPE = "guest+jwt"
_GUEST_KID_PREFIX = "jay-guest-"
_GUEST_ALGORITHM = "EdDSA"

CACHED_TOKENS = 20_000
CACHED_SECONDS = 300
KEYS_RELOADED_SECONDS = 60

# Headers by which a token would bring its own key (CVE-2026-27962), or demand what we don't know.
_REFUSED_HEADERS = frozenset({"jwk", "jku", "x5u", "x5c", "crit", "b64", "zip"})


@dataclass(frozen=True, slots=True)
class User:
    """Who a bearer token speaks for.

    ``basket`` is set for a credential that came out of a transfer: it opens that one basket as
    long as it exists. Everybody else opens the basket of their own user id.
    """

    partner_id: int
    user_id: str
    guest: bool
    basket: str | None
    expires: float


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
        self._active = ""
        self._loaded: datetime | None = None

    def sign(self, claims: dict[str, Any]) -> str:
        """Sign the claims of a guest token with the active key."""
        self._reload_when_old()
        header = {"alg": _GUEST_ALGORITHM, "kid": self._active, "typ": GUEST_TYPE}
        registry = _registries[_GUEST_ALGORITHM]
        return jwt.encode(header, claims, self._keys[self._active], registry=registry)

    def public(self, kid: str) -> OKPKey | None:
        """Return the key with this id, retired ones included."""
        self._reload_when_old(unless_known=kid)
        return self._keys.get(kid)

    def key_set(self) -> dict[str, Any]:
        """Return the public keys as a JWK set (RFC 7517)."""
        self._reload_when_old()
        extra = {"use": "sig", "alg": _GUEST_ALGORITHM}
        return {"keys": [key.as_dict(private=False) | extra for key in self._keys.values()]}

    def rotate(self, connection: Connection, *, now: datetime) -> str:
        """Retire the active key and make a new one; tokens of the old one stay valid.

        :returns: the new key's id.
        :raises ConfigError: the secret key is not the one of the keys that are there: whoever
            has the right one could not open the new key.
        """
        for sealed in connection.execute(select(signing_keys.c.private_key)).scalars():
            self._unwrap(sealed)
        connection.execute(
            update(signing_keys).where(signing_keys.c.active).values(retired=now, active=None)
        )
        return self._make(connection, now)

    def _reload_when_old(self, unless_known: str | None = None) -> None:
        if unless_known is not None and unless_known in self._keys:
            return
        now = self._clock()
        fresh = self._loaded and abs(now - self._loaded) < timedelta(seconds=KEYS_RELOADED_SECONDS)
        if fresh and unless_known is None:
            return
        if fresh and self._loaded and now - self._loaded < timedelta(seconds=1):
            return  # a flood of unknown key ids costs one query a second
        with self._lock:
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
        self._active = next(row.kid for row in rows if row.active)
        self._loaded = now

    def _rows(self) -> list[Any]:
        query = select(signing_keys).order_by(signing_keys.c.created)
        with self._database.reading() as connection:
            return list(connection.execute(query))

    def _make(self, connection: Connection, now: datetime) -> str:
        kid = _GUEST_KID_PREFIX + secrets.token_hex(8)
        key = OKPKey.generate_key("Ed25519", {"kid": kid}, private=True)
        wrapped = self._seal.close(orjson.dumps(key.as_dict(private=True)))
        row = {"kid": kid, "private_key": wrapped, "created": now, "active": True}
        connection.execute(insert(signing_keys).values(row))
        return kid

    def _unwrap(self, wrapped: str) -> OKPKey:
        try:
            return OKPKey.import_key(orjson.loads(self._seal.open(wrapped)))
        except WrongKey as error:
            raise ConfigError(
                "Cannot start: JAY_SECRET_KEY is not the one that the guest keys in this database"
                " were stored with"
            ) from error


class Tokens:
    """Issues guest tokens and verifies all bearer tokens."""

    def __init__(self, guest_keys: GuestKeys, remote: RemoteKeySets, clock: Clock) -> None:
        self.guest_keys = guest_keys
        self._remote = remote
        self._lock = threading.Lock()
        # Keyed by a hash: a memory dump shows no tokens. Bounded in number and in time, so that
        # a key that a partner withdraws opens nothing for longer than five minutes.
        self._verified: TTLCache[tuple[int, bytes], User] = TTLCache(
            CACHED_TOKENS, CACHED_SECONDS, timer=timer(clock)
        )

    def issue(
        self, *, user_id: str, partner: Partner, now: datetime, basket: str | None = None
    ) -> tuple[str, datetime]:
        """Make a guest token.

        :param basket: the basket's id, for credentials that come out of a transfer.
        :returns: the token and the moment at which it expires.
        """
        issued = now.replace(microsecond=0)
        expires = issued + GUEST_TOKEN_LIFETIME
        claims = {
            "iss": GUEST_ISSUER,
            "aud": partner.name,
            "sub": user_id,
            "iat": int(issued.timestamp()),
            "exp": int(expires.timestamp()),
        }
        if basket is not None:
            claims["basket"] = basket
        return self.guest_keys.sign(claims), expires

    def verify(self, token: str, partner: Partner, *, now: datetime) -> User:
        """Return whom the token speaks for, under this partner's API key.

        :raises TokenError: one of its kinds says what is wrong.
        :raises KeySetUnavailable: the partner's keys are at a JWKS URL that never answered.
        """
        if len(token) > MAX_TOKEN_LENGTH:
            raise TokenMalformed("The bearer token is longer than 8 KiB.")
        digest = (partner.id, _sha256(token.encode("utf-8", "surrogateescape")))
        with self._lock:
            user = self._verified.get(digest)
        if user is None:
            user = self._verify(token, partner, now)
            with self._lock:
                self._verified[digest] = user
        elif user.expires <= now.timestamp() - LEEWAY_SECONDS:
            raise TokenExpired
        return user

    def forget(self) -> None:
        """Empty the cache of verified tokens."""
        with self._lock:
            self._verified.clear()

    def _verify(self, token: str, partner: Partner, now: datetime) -> User:
        header = _header_of(token)
        kid = header.get("kid")
        if isinstance(kid, str) and kid.startswith(_GUEST_KID_PREFIX):
            return self._verify_guest(token, header, kid, partner, now)
        return self._verify_partner(token, header, kid, partner, now)

    def _verify_guest(
        self, token: str, header: dict[str, Any], kid: str, partner: Partner, now: datetime
    ) -> User:
        if header["alg"] != _GUEST_ALGORITHM or header.get("typ") != GUEST_TYPE:
            raise TokenAlgorithmRefused
        key = self.guest_keys.public(kid)
        if key is None:
            raise TokenKeyUnknown
        claims = _verified_claims(token, [key], _GUEST_ALGORITHM)
        if claims.get("aud") != partner.name:
            raise TokenOfAnotherPartner
        if claims.get("iss") != GUEST_ISSUER:
            raise TokenClaimsInvalid("This service did not issue the bearer token.")
        user_id, expires = _subject_and_expiry(claims, now)
        return User(partner.id, user_id, True, claims.get("basket"), expires)

    def _verify_partner(
        self, token: str, header: dict[str, Any], kid: Any, partner: Partner, now: datetime
    ) -> User:
        algorithm = header["alg"]
        if algorithm not in partner.algorithms:
            raise TokenAlgorithmRefused
        if kid is not None and not isinstance(kid, str):
            raise TokenMalformed
        if partner.jwks_url:
            keys = self._remote.keys(partner.jwks_url, algorithm, kid, now=now)
        elif partner.jwks:
            keys = keys_for(_parsed(partner), algorithm, kid)
        else:
            keys = []
        if not keys:
            raise TokenKeyUnknown
        claims = _verified_claims(token, keys, algorithm)
        if partner.issuer is not None and claims.get("iss") != partner.issuer:
            raise TokenClaimsInvalid('The claim "iss" is not the issuer of this partner.')
        if partner.audience is not None and partner.audience not in _audiences(claims):
            raise TokenClaimsInvalid('The claim "aud" does not name the audience of this partner.')
        user_id, expires = _subject_and_expiry(claims, now)
        return User(partner.id, user_id, False, None, expires)


_parsed_key_sets: dict[int, tuple[Partner, list[Key]]] = {}


def _parsed(partner: Partner) -> list[Key]:
    # Parsing a key for each token would cost more than verifying with it. The partner is compared
    # by identity: it is read anew every few seconds, so a change is noticed.
    known = _parsed_key_sets.get(partner.id)
    if known is None or known[0] is not partner:
        known = (partner, public_keys(partner.jwks))
        _parsed_key_sets[partner.id] = known
    return known[1]


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _header_of(token: str) -> dict[str, Any]:
    """Return the unverified header, refusing at once what no later step may see."""
    segments = token.split(".")
    if len(segments) != 3:
        raise TokenMalformed
    try:
        header = orjson.loads(base64.urlsafe_b64decode(segments[0] + "=="))
    except (ValueError, binascii.Error) as error:
        raise TokenMalformed from error
    algorithm = header.get("alg") if isinstance(header, dict) else None
    if not isinstance(algorithm, str):
        raise TokenMalformed
    if algorithm.lower() == "none" or not segments[2]:
        raise TokenUnsigned
    if _REFUSED_HEADERS & header.keys():
        raise TokenMalformed("The header of the bearer token has a parameter that is not accepted.")
    return dict(header)


class _OneAlgorithm(jws.JWSRegistry):
    """Accepts a single algorithm, and header parameters that it does not know (RFC 7515, 4)."""

    max_header_length = MAX_TOKEN_LENGTH
    max_payload_length = MAX_TOKEN_LENGTH

    def __init__(self, algorithm: str) -> None:
        super().__init__(algorithms=[algorithm], strict_check_header=False)

    def get_alg(self, name: str) -> Any:
        # Without the library's warning that RFC 9864 renames EdDSA: the public contract, and
        # most identity providers, still say EdDSA.
        if name not in (self.allowed or ()):
            raise UnsupportedAlgorithmError(f"{name} is not allowed")
        return self.algorithms[name]


_registries = {algorithm: _OneAlgorithm(algorithm) for algorithm in ALGORITHMS}


def _verified_claims(token: str, keys: list[Key], algorithm: str) -> dict[str, Any]:
    """Return the claims once one of the keys has verified the signature."""
    for key in keys:
        try:
            return jwt.decode(token, key, registry=_registries[algorithm]).claims
        except (DecodeError, InvalidPayloadError, RecursionError) as error:
            raise TokenMalformed from error
        except (JoseError, ValueError, TypeError):
            continue
    raise TokenSignatureInvalid


def _subject_and_expiry(claims: dict[str, Any], now: datetime) -> tuple[str, float]:
    """Check the claims that every token has and return user id and expiry (seconds, Unix)."""
    seconds = now.astimezone(UTC).timestamp()
    expires = _numeric_date(claims, "exp")
    if expires is None:
        raise TokenClaimsInvalid('The claim "exp" is missing.')
    if expires <= seconds - LEEWAY_SECONDS:
        raise TokenExpired
    # Our own tokens may be older than the clock says, when it was set back since.
    for claim in () if claims.get("iss") == GUEST_ISSUER else ("nbf", "iat"):
        moment = _numeric_date(claims, claim)
        if moment is not None and moment > seconds + LEEWAY_SECONDS:
            raise TokenClaimsInvalid(f'The claim "{claim}" lies in the future.')
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= MAX_USER_ID_LENGTH:
        raise TokenClaimsInvalid('The claim "sub" must be a user id of 1 to 255 characters.')
    # A lone surrogate, which JSON can escape, is no character of any encoding.
    if any(character < " " or "\ud800" <= character <= "\udfff" for character in subject):
        raise TokenClaimsInvalid('The claim "sub" must not contain control characters.')
    return subject, expires


def _numeric_date(claims: dict[str, Any], claim: str) -> float | None:
    value = claims.get(claim)
    if value is None:
        return None
    number = isinstance(value, int | float) and not isinstance(value, bool)
    # Compared, not converted: a float can't hold an integer of 400 digits. NaN is not less either.
    if not number or not abs(value) < _LATEST_DATE:
        raise TokenClaimsInvalid(f'The claim "{claim}" must be a NumericDate.')
    return float(value)


def _audiences(claims: dict[str, Any]) -> list[Any]:
    audience = claims.get("aud")
    return audience if isinstance(audience, list) else [audience]
