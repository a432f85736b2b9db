"""Bearer tokens: those that partners sign and those that this service signs for guests.

Verification follows RFC 8725: an allow list of asymmetric algorithms, keys that come from set-up
only, explicit typing of our own tokens, and issuer and audience checked where they are agreed.
"""

import base64
import hashlib
import threading
from datetime import UTC, datetime
from typing import Any

import orjson
from cachetools import TTLCache
from joserfc import jwt
from joserfc.errors import (
    DecodeError,
    InvalidPayloadError,
    JoseError,
)
from joserfc.jwk import Key

from jay.auth.guest_keys import (
    GUEST_ALGORITHM,
    GUEST_KID_PREFIX,
    GUEST_TYPE,
    KEYS_RELOADED_SECONDS,
    GuestKeys,
)
from jay.auth.jwks import RemoteKeySets
from jay.auth.models import GUEST_TOKEN_LIFETIME, User
from jay.auth.signatures import MAX_TOKEN_LENGTH, REGISTRIES
from jay.clock import Clock, timer
from jay.errors import (
    TokenAlgorithmRefused,
    TokenClaimsInvalid,
    TokenExpired,
    TokenKeyUnknown,
    TokenMalformed,
    TokenOfAnotherPartner,
    TokenRevoked,
    TokenSignatureInvalid,
    TokenUnsigned,
)
from jay.partners.keys import keys_for, public_keys
from jay.partners.models import Partner
from jay.sealing import Seal, WrongKey

LEEWAY_SECONDS = 30
_LATEST_DATE = 2**63
MAX_USER_ID_LENGTH = 255
GUEST_ISSUER = "jay-basket"
CACHED_TOKENS = 12_000
"""In each process, by 0.6 KB each: a device asks several times in the same few seconds."""

CACHED_SECONDS = 60

# Headers by which a token would bring its own key (CVE-2026-27962), or demand what we don't know.
_REFUSED_HEADERS = frozenset({"jwk", "jku", "x5u", "x5c", "crit", "b64", "zip"})


class Tokens:
    """Issues guest tokens and verifies all bearer tokens."""

    def __init__(
        self, guest_keys: GuestKeys, remote: RemoteKeySets, clock: Clock, secret: str
    ) -> None:
        self.guest_keys = guest_keys
        self._seal = Seal("basket of a transfer", secret)
        self._remote = remote
        self._lock = threading.Lock()
        # Keyed by a hash: a memory dump shows no tokens. Bounded in number and in time, so that
        # a key that a partner withdraws opens nothing for long, see ``jwks.REFRESH_AFTER``.
        # What a partner's tokens are checked against is part of it: a change counts at once.
        self._verified: TTLCache[bytes, User] = TTLCache(
            CACHED_TOKENS, CACHED_SECONDS, timer=timer(clock)
        )

    def issue(
        self, *, user_id: str, partner: Partner, now: datetime, opens: str | None = None
    ) -> tuple[str, datetime]:
        """Make a guest token.

        :param opens: ``Grant.opens``, for credentials that come out of a transfer. The token
            carries it sealed: where a basket lies depends on whose it is.
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
        if opens is not None:
            claims["opens"] = self._seal.close_alike(opens.encode())
        return self.guest_keys.sign(claims), expires

    def verify(self, token: str, partner: Partner, *, now: datetime) -> User:
        """Return whom the token speaks for, under this partner's API key.

        :raises TokenError: one of its kinds says what is wrong.
        :raises KeySetUnavailable: the partner's keys are at a JWKS URL that never answered.
        """
        if len(token) > MAX_TOKEN_LENGTH:
            raise TokenMalformed("The bearer token is longer than 8 KiB.")
        digest = _sha256(f"{partner.id} {partner.trust} {token}".encode("utf-8", "surrogateescape"))
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
        if isinstance(kid, str) and kid.startswith(GUEST_KID_PREFIX):
            return self._verify_guest(token, header, kid, partner, now)
        return self._verify_partner(token, header, kid, partner, now)

    def _verify_guest(
        self, token: str, header: dict[str, Any], kid: str, partner: Partner, now: datetime
    ) -> User:
        if header["alg"] != GUEST_ALGORITHM or header.get("typ") != GUEST_TYPE:
            raise TokenAlgorithmRefused
        found = self.guest_keys.find(kid)
        if found is None:
            raise TokenKeyUnknown
        key, last = found
        claims = _verified_claims(token, [key], GUEST_ALGORITHM)
        if claims.get("aud") != partner.name:
            raise TokenOfAnotherPartner
        if claims.get("iss") != GUEST_ISSUER:
            raise TokenClaimsInvalid("This service did not issue the bearer token.")
        user_id, expires = _subject_and_expiry(claims, now)
        if last is not None and not _issued_until(last, claims, expires):
            raise TokenKeyUnknown
        basket_key, basket = self._opened(claims)
        return User(partner.id, user_id, True, basket, expires, basket_key)

    def _opened(self, claims: dict[str, Any]) -> tuple[int | None, str | None]:
        """Return routing key and id of the basket that a token of a transfer opens."""
        if "opens" not in claims:
            # As tokens of before the routing key tell it: they last 30 days, see ``of_before``.
            return None, claims.get("basket")
        try:
            opens = self._seal.open_alike(claims["opens"]).decode()
        except WrongKey as error:
            raise TokenRevoked from error
        key, _, basket = opens.rpartition(" ")
        return int(key) if key else None, basket

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
        try:
            claims = _verified_claims(token, keys, algorithm)
        except TokenSignatureInvalid:
            if not partner.jwks_url:
                raise
            newer = self._remote.newer(partner.jwks_url, algorithm, kid, tried=keys, now=now)
            claims = _verified_claims(token, newer, algorithm)
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
        header = _unverified(segments[0])
    except ValueError as error:
        raise TokenMalformed from error
    algorithm = header.get("alg") if isinstance(header, dict) else None
    if not isinstance(algorithm, str):
        raise TokenMalformed
    if algorithm.lower() == "none" or not segments[2]:
        raise TokenUnsigned
    if _REFUSED_HEADERS & header.keys():
        raise TokenMalformed("The header of the bearer token has a parameter that is not accepted.")
    return dict(header)


def _unverified(segment: str) -> Any:
    """Read a header or the claims of a token, whoever has written them.

    :raises ValueError: they are no JSON in base64url.
    """
    return orjson.loads(base64.urlsafe_b64decode(segment + "=="))


def was_issued_lately(token: str, now: datetime) -> bool:
    """Tell whether a token says that it is so new that its key may be known in a moment.

    Nothing of it is verified: this explains a refusal, and opens nothing.
    """
    try:
        claims = _unverified(token.split(".")[1])
        return bool(claims["iat"] > now.timestamp() - 2 * KEYS_RELOADED_SECONDS)
    except (ValueError, LookupError, TypeError):
        return False


def _verified_claims(token: str, keys: list[Key], algorithm: str) -> dict[str, Any]:
    """Return the claims once one of the keys has verified the signature."""
    for key in keys:
        try:
            return jwt.decode(token, key, registry=REGISTRIES[algorithm]).claims
        except (DecodeError, InvalidPayloadError, RecursionError) as error:
            raise TokenMalformed from error
        except (JoseError, ValueError, TypeError):
            continue
    raise TokenSignatureInvalid


def _issued_until(last: datetime, claims: dict[str, Any], expires: float) -> bool:
    """Tell whether a retired key can have signed this while it was in use.

    Who has stolen it can make new tokens, but none that says so, or outlives the last true one.
    """
    issued = _numeric_date(claims, "iat")
    latest = last.timestamp() + LEEWAY_SECONDS
    return (
        issued is not None
        and issued <= latest
        and expires <= latest + GUEST_TOKEN_LIFETIME.total_seconds()
    )


def _subject_and_expiry(claims: dict[str, Any], now: datetime) -> tuple[str, float]:
    """Check the claims that every token has and return user id and expiry (seconds, Unix)."""
    seconds = now.astimezone(UTC).timestamp()
    expires = _numeric_date(claims, "exp")
    if expires is None:
        raise TokenClaimsInvalid('The claim "exp" is missing.')
    if expires <= seconds - LEEWAY_SECONDS:
        raise TokenExpired
    # When a token was issued is no reason to refuse it (RFC 7519 section 4.1.6): clocks differ.
    _numeric_date(claims, "iat")
    not_before = _numeric_date(claims, "nbf")
    if not_before is not None and not_before > seconds + LEEWAY_SECONDS:
        raise TokenClaimsInvalid('The claim "nbf" lies in the future.')
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
