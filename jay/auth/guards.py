"""The guards: who may enter. A blueprint names its own; they leave what they found in ``g``."""

import threading
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from cachetools import TTLCache
from flask import Flask, g, request

from jay import web
from jay.auth import service
from jay.auth.guest_keys import GuestKeys
from jay.auth.jwks import RemoteKeySets
from jay.auth.models import ApiKey, User
from jay.auth.tokens import Tokens
from jay.clock import Clock, timer
from jay.config import Settings
from jay.db.database import Database
from jay.errors import (
    ApiKeyForAnotherApi,
    ApiKeyMissing,
    ApiKeyRevoked,
    ApiKeyUnknown,
    Busy,
    JayError,
    KeySetUnavailable,
    NotYourBasket,
    TokenAlgorithmRefused,
    TokenClaimsInvalid,
    TokenError,
    TokenExpired,
    TokenKeyUnknown,
    TokenMalformed,
    TokenMissing,
    TokenOfAnotherPartner,
    TokenRevoked,
    TokenSignatureInvalid,
    TokenUnsigned,
    TooManyRequests,
)
from jay.merchants.models import Merchant
from jay.net.client import Client
from jay.partners.models import Partner
from jay.sealing import hash_secret
from jay.web import rates
from jay.web.plain import NotPlain

API_KEY_HEADER = "X-API-Key"
_API_KEY, _TOKEN = "HTTP_X_API_KEY", "HTTP_AUTHORIZATION"  # as WSGI names them
REFUSED = "jay.refused"
"""Where it stands in a request's environment why its token is refused: to verify costs much."""

KEYS_CACHED_SECONDS = 5
"""A revoked key stops working in every process after at most this many seconds."""

_MAX_KEY_LENGTH = 200


class Doorkeeper:
    """What the guards need of one app: known API keys, and the tokens."""

    def __init__(self, database: Database, clock: Clock, tokens: Tokens, *, demo: bool) -> None:
        self.tokens = tokens
        self._database = database
        self._demo = demo
        self._lock = threading.Lock()
        self._keys: TTLCache[str, ApiKey | None] = TTLCache(
            10_000, KEYS_CACHED_SECONDS, timer=timer(clock)
        )

    def api_key(self, environ: Mapping[str, Any], *, now: datetime) -> ApiKey:
        """Return the API key that a request with this WSGI environment carries.

        The look-up is by the key's hash, so how long it takes says nothing about the key.

        :raises ApiKeyMissing: ApiKeyUnknown, ApiKeyRevoked
        """
        key: str | None = environ.get(_API_KEY)
        if not key:
            raise ApiKeyMissing
        found = self._find(hash_secret(key)) if len(key) <= _MAX_KEY_LENGTH else None
        if found is None or (found.demo and not self._demo):
            raise ApiKeyUnknown
        if not found.opens(now):
            raise ApiKeyRevoked
        return found

    def _find(self, key_hash: str) -> ApiKey | None:
        # Asked for once: between two questions its time may run out.
        with self._lock, suppress(KeyError):
            return self._keys[key_hash]
        with self._database.reading() as connection:
            found = service.find_key(connection, key_hash)
        with self._lock:
            self._keys[key_hash] = found
        return found

    def user(self, environ: Mapping[str, Any], partner: Partner, *, now: datetime) -> User:
        """Return whom the bearer token of a request speaks for, under this partner's API key.

        :raises TokenError: there is none, or it is not valid.
        :raises KeySetUnavailable: the partner's keys are at a JWKS URL that never answered.
        """
        if (refused := environ.get(REFUSED)) is not None:
            raise refused
        authorization: str = environ.get(_TOKEN, "")
        scheme, _, token = authorization.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            raise TokenMissing
        return self.tokens.verify(token, partner, now=now)

    def early_partner(self, environ: Mapping[str, Any], *, now: datetime) -> tuple[str, Partner]:
        """Return an API key's prefix and whose it is, for what is answered before Flask.

        :raises NotPlain: it opens nothing here; the route says why.
        :raises Busy: the database can't be reached; the route would wait for it once more.
        """
        try:
            key = self.api_key(environ, now=now)
        except Busy:
            raise
        except JayError as error:
            raise NotPlain from error
        if key.partner is None:
            raise NotPlain
        return key.prefix, key.partner

    def early_user(self, environ: dict[str, Any], partner: Partner, *, now: datetime) -> User:
        """Return whom the bearer token speaks for, for what is answered before Flask.

        :raises NotPlain: nobody; the route says why, and counts it.
        :raises Busy: as ``early_partner``.
        """
        try:
            return self.user(environ, partner, now=now)
        except Busy:
            raise
        except JayError as error:
            environ[REFUSED] = error  # to verify it once more would cost much
            raise NotPlain from error

    def forget(self) -> None:
        """Empty the caches."""
        with self._lock:
            self._keys.clear()
        self.tokens.forget()


def init_app(app: Flask, settings: Settings, database: Database, clock: Clock) -> None:
    """Give the app its doorkeeper."""
    guest_keys = GuestKeys(database, settings.secret_key, clock)
    remote = RemoteKeySets(Client(settings.reachable), insecure=settings.demo)
    tokens = Tokens(guest_keys, remote, clock, settings.secret_key)
    app.extensions["jay.auth"] = Doorkeeper(database, clock, tokens, demo=settings.demo)


def doorkeeper() -> Doorkeeper:
    """Return the current app's doorkeeper."""
    found: Doorkeeper = web.this_app().extensions["jay.auth"]
    return found


@web.guard(
    errors=(ApiKeyMissing, ApiKeyUnknown, ApiKeyRevoked, ApiKeyForAnotherApi, TooManyRequests),
    security={"apiKey": []},
)
def require_partner() -> None:
    """Let partners pass: streaming platforms with a basket key.

    Whoever takes a TV apart can read that key, so its requests are not counted yet: see
    ``require_user`` and ``need_no_user``.
    """
    key = doorkeeper().api_key(web.this_request().environ, now=web.now())
    if key.partner is None:
        raise ApiKeyForAnotherApi
    web.notes().update(partner=key.partner, api_key=key.prefix)
    rates.go_by(key.partner.limits)


@web.guard(errors=(TooManyRequests,), security={})
def need_no_user() -> None:
    """Let partners pass before they have a user; these requests leave the users' ones alone."""
    rates.take(*budget_without_user(g.api_key))


@web.guard(
    errors=(ApiKeyMissing, ApiKeyUnknown, ApiKeyRevoked, ApiKeyForAnotherApi, TooManyRequests),
    security={"apiKey": []},
)
def require_merchant() -> None:
    """Let merchants pass: shops with a product data key."""
    key = doorkeeper().api_key(web.this_request().environ, now=web.now())
    if key.merchant is None:
        raise ApiKeyForAnotherApi
    web.notes().update(merchant=key.merchant, api_key=key.prefix)
    rates.take(rates.REQUESTS, key.prefix)


@web.guard(
    errors=(
        TokenMissing,
        TokenMalformed,
        TokenExpired,
        TokenUnsigned,
        TokenAlgorithmRefused,
        TokenKeyUnknown,
        TokenSignatureInvalid,
        TokenClaimsInvalid,
        TokenOfAnotherPartner,
        TokenRevoked,
        NotYourBasket,
        KeySetUnavailable,
        TooManyRequests,
    ),
    security={"userToken": []},
)
def require_user() -> None:
    """Let users pass whose token is valid and, where the address names a user, theirs.

    What has no valid token counts for its address, and not for the partner's API key: else one who
    knows the key could lock all users out. Nor does what a user sends beyond its own limit.
    """
    this, notes = web.this_request(), web.notes()
    try:
        user = doorkeeper().user(this.environ, notes["partner"], now=web.now())
    except TokenError:
        rates.take_all(rates.of_address(rates.REFUSED_OF_ADDRESS, request.remote_addr))
        raise
    rates.take_all(budgets_of(user, notes["api_key"]))
    view_args = this.view_args or {}
    if view_args.get("userId", user.user_id) != user.user_id:
        raise NotYourBasket
    notes["user"] = user


def budgets_of(user: User, api_key: str) -> tuple[tuple[str, str], ...]:
    """Return what a user's request is counted for: the user first, then the API key."""
    return (
        (rates.REQUESTS_OF_USER, f"{user.partner_id} {user.user_id}"),
        (rates.REQUESTS, api_key),
    )


def budget_without_user(api_key: str) -> tuple[str, str]:
    """Return what a request is counted for by which nobody is named."""
    return rates.REQUESTS, f"{api_key} without a user"


def current_partner() -> Partner:
    """Return the partner that ``require_partner`` let pass."""
    found: Partner = web.notes()["partner"]
    return found


def current_merchant() -> Merchant:
    """Return the merchant that ``require_merchant`` let pass."""
    found: Merchant = web.notes()["merchant"]
    return found


def current_user() -> User:
    """Return the user that ``require_user`` let pass."""
    found: User = web.notes()["user"]
    return found
