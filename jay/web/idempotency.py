"""``Idempotency-Key``: a POST that is sent again is answered again, and done once.

A route says which kind it is.

- *Atomic*: its work and the stored answer are one transaction. Whatever crashes, and when: either
  nothing has happened and the repetition does it, or all has and it is replayed.
- *Stepwise*, where something slow belongs to the work (a picture, another's token, a provider): the
  key is reserved in a short transaction, under a lease. Each step that writes is one transaction
  together with the record of what it has led to. The answer is stored at the end. What a crash has
  left is continued by the next try, which finds the steps that are done.

Answers and records may hold tokens; they are stored sealed with the client's own key, of which only
a hash is kept.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Container
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from flask import Response, g, make_response, request
from sqlalchemy import Connection

from jay import db
from jay.errors import (
    AuthError,
    Busy,
    IdempotencyInFlight,
    IdempotencyKeyReused,
    IdempotencyKeyTooShort,
    JayError,
    MalformedRequest,
    RequestError,
)
from jay.sealing import Seal, older_than
from jay.web import stored_answers
from jay.web.context import now, settings
from jay.web.responses import json_error
from jay.web.stored_answers import KEPT_FOR

HEADER = "Idempotency-Key"
REPLAYED_HEADER = "Idempotency-Replayed"

SHORTEST_SHARED_KEY = 16
"""Characters that a key has at least where all devices of a partner share one name space."""

_KEY = re.compile(r"[\x21-\x7e]{1,255}")


def _a_day() -> timedelta:
    return KEPT_FOR


@dataclass(frozen=True)
class Once:
    """How a POST is done once, see above.

    :param kept_for: tells how long the answer to the current request is replayed.
    """

    stepwise: bool
    kept_for: Callable[[], timedelta] = _a_day


ATOMIC = Once(stepwise=False)
STEPWISE = Once(stepwise=True)


@dataclass(frozen=True)
class Key:
    """The key of the current request, and what it belongs to."""

    hash: str
    request: tuple[str, ...]
    seal: Seal
    kept_for: timedelta

    @property
    def request_hash(self) -> str:
        """What is kept of the request: keyed, as a body may hold a PIN that could be tried out."""
        return _keyed(settings().secret_key, *self.request)

    def is_of(self, request_hash: str) -> bool:
        """Tell whether this is what was kept of the same request, by an older version, too."""
        secret = settings().secret_key
        known = (_keyed(one, *self.request) for one in (secret, *older_than(secret)))
        return request_hash in known or request_hash == _hash(*self.request)


def errors_of(security: Container[str]) -> list[type[JayError]]:
    """Return what the header may lead to at a route that asks for these credentials."""
    shared = "apiKey" in security and "userToken" not in security
    found: list[type[JayError]] = [IdempotencyInFlight, IdempotencyKeyReused]
    return [*found, IdempotencyKeyTooShort] if shared else found


def key_of_request(once: Once) -> Key | None:
    """Return the key that the current request carries; None where it has none.

    It reads the body, so that a slow client waits for itself alone.

    :raises MalformedRequest: IdempotencyKeyTooShort
    """
    key = request.headers.get(HEADER)
    # Where nobody has named himself there is nothing that a key could belong to.
    if key is None or "api_key" not in g:
        return None
    if not _KEY.fullmatch(key):
        raise MalformedRequest("Idempotency-Key must be 1 to 255 visible ASCII characters.")
    # A counter of one TV would be the key of another one, too, and hand it a stranger's basket.
    if "partner" in g and "user" not in g and len(key) < SHORTEST_SHARED_KEY:
        raise IdempotencyKeyTooShort
    asked = (request.method, request.full_path, request.get_data(cache=True).hex())
    seal = Seal("idempotency", settings().secret_key, key)
    return Key(_hash(g.api_key, key), asked, seal, once.kept_for())


def replay(key: Key) -> Response | None:
    """Return the first answer of a key again; None when there is none.

    :raises IdempotencyKeyReused: it answered another request.
    """
    with db.reading() as connection:
        return _replay(key, _find(connection, key))


def do(once: Once, key: Key, work: Callable[[], Any]) -> Response:
    """Do a work, or answer as its first try was answered.

    :raises IdempotencyKeyReused: the key has answered another request.
    :raises IdempotencyInFlight: the first try is at work.
    """
    return _do_in_steps(key, work) if once.stepwise else _do_at_once(key, work)


# --- atomic ---


def _do_at_once(key: Key, work: Callable[[], Any]) -> Response:
    with db.joined() as connection:
        if not stored_answers.lock(connection, key.hash):
            raise IdempotencyInFlight
        replayed = _replay(key, _find(connection, key))
        if replayed is not None:
            return replayed
        response = _answer_of(connection, work)
        stored_answers.store(
            connection, key.hash, key.request_hash, _sealed(key, response), now=now()
        )
    return response


def _answer_of(connection: Connection, work: Callable[[], Any]) -> Response:
    try:
        with connection.begin_nested():
            return make_response(work())
    except JayError as error:
        return _refusal(error)


# --- in steps ---


@dataclass
class _Try:
    """A try of a request in steps: it holds the lease, and knows what was done before."""

    key: Key
    lease: str
    done: dict[str, Any]


def step(
    name: str,
    work: Callable[..., Any],
    *args: Any,
    told: Callable[[Any], Any] = lambda outcome: outcome,
    **kwargs: Any,
) -> Any:
    """Do a step of a request in one transaction: ``work(connection, *args, **kwargs)``.

    With a key, what it leads to is recorded in the same transaction, and a later try gets it
    without doing the work again. So it must be something that JSON can hold.

    :param told: makes that of what the work returns.
    :raises IdempotencyInFlight: this try was taken for dead, and another one goes on.
    """
    mine: _Try | None = g.get("idempotent_try")
    if mine is None:
        return told(db.write(work, *args, **kwargs))
    if name in mine.done:
        return mine.done[name]

    def recorded(connection: Connection) -> Any:
        outcome = told(work(connection, *args, **kwargs))
        progress = mine.key.seal.close(orjson.dumps({**mine.done, name: outcome}))
        if not stored_answers.record(
            connection, mine.key.hash, lease=mine.lease, progress=progress, now=now()
        ):
            raise IdempotencyInFlight
        return outcome

    mine.done[name] = db.write(recorded)
    return mine.done[name]


def note(name: str, work: Callable[[], Any]) -> Any:
    """Do a step that writes nothing itself, and record what it leads to for a later try.

    Without a key nothing is written, and no transaction is opened.
    """
    mine: _Try | None = g.get("idempotent_try")
    if mine is None:
        return work()
    if name in mine.done:
        return mine.done[name]
    outcome = work()
    return step(name, lambda _connection: outcome)


def done(name: str) -> Any:
    """Return what a step has led to in an earlier try, None when none came so far."""
    mine: _Try | None = g.get("idempotent_try")
    return None if mine is None else mine.done.get(name)


def _do_in_steps(key: Key, work: Callable[[], Any]) -> Response:
    lease = secrets.token_urlsafe(16)
    with db.transaction() as connection:
        # One moment for both: what is just not too old to be taken over is there to be found.
        moment = now()
        reserved = stored_answers.reserve(
            connection, key.hash, key.request_hash, lease=lease, now=moment, kept_for=key.kept_for
        )
        row = _find(connection, key, moment)
    if not reserved:
        replayed = _replay(key, row)
        if replayed is None:
            raise IdempotencyInFlight
        return replayed
    progress = orjson.loads(key.seal.open(row.progress)) if row.progress else {}
    g.idempotent_try = _Try(key, lease, progress)
    try:
        response = _stepwise_answer_of(work)
        answer = _sealed(key, response)
        with db.transaction() as connection:
            # Where the lease was lost, the other try answers the same: by the same records.
            stored_answers.finish(connection, key.hash, lease=lease, answer=answer)
    except Exception:
        # Where the database has gone, the lease runs out by itself; the first error is told.
        with suppress(Busy), db.transaction() as connection:
            stored_answers.release(connection, key.hash, lease=lease, now=now())
        raise
    finally:
        del g.idempotent_try
    return response


def _stepwise_answer_of(work: Callable[[], Any]) -> Response:
    try:
        return make_response(work())
    except JayError as error:
        return _refusal(error)


# --- both ---


def _refusal(error: JayError) -> Response:
    """Return the answer of a refusal by a rule, which is an answer like any other."""
    # Nothing was tried: a mended request may use the key again. Or nobody knows what happened.
    if isinstance(error, RequestError | AuthError) or error.status >= 500:
        raise error
    return json_error(error)


def _find(connection: Connection, key: Key, moment: datetime | None = None) -> Any:
    at = moment or now()
    return stored_answers.find(connection, key.hash, now=at, kept_for=key.kept_for)


def _replay(key: Key, row: Any) -> Response | None:
    if row is None:
        return None
    if not key.is_of(row.request_hash):
        raise IdempotencyKeyReused
    if row.answer is None:
        return None
    # Answers that an older version has stored have no headers.
    status, body, *more = orjson.loads(key.seal.open(row.answer))
    headers, version = more or ([["Content-Type", "application/json"]], g.api_version)
    response = Response(body, status=status)
    for name, value in headers:
        response.headers[name] = value
    response.headers[REPLAYED_HEADER] = "true"
    g.api_version = version
    return response


def _sealed(key: Key, response: Response) -> str:
    headers = [[name, value] for name, value in response.headers if name != "Content-Length"]
    body = response.get_data(as_text=True)
    return key.seal.close(orjson.dumps([response.status_code, body, headers, g.api_version]))


def _keyed(secret: str, *parts: str) -> str:
    key = hashlib.sha256(f"jay\0idempotent request\0{secret}".encode()).digest()
    return hmac.digest(key, _joined(parts), "sha256").hex()


def _joined(parts: tuple[str, ...]) -> bytes:
    return "\0".join(parts).encode("utf-8", "surrogateescape")


def _hash(*parts: str) -> str:
    return hashlib.sha256(_joined(parts)).hexdigest()
