"""``Idempotency-Key``: a POST that is sent again is answered again, and done once.

The whole request runs in one transaction together with the stored answer. So whatever crashes, and
when: either nothing has happened and the repetition does it, or all has and it is replayed. The
answer may hold tokens; it is stored sealed with the client's own key, of which only a hash is kept.
"""

import functools
import hashlib
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import orjson
from flask import Response, g, make_response, request
from sqlalchemy import Connection

from jay import db
from jay.clock import Clock
from jay.errors import (
    AuthError,
    IdempotencyInFlight,
    IdempotencyKeyReused,
    JayError,
    MalformedRequest,
    RequestError,
)
from jay.sealing import Seal
from jay.web import stored_answers
from jay.web.responses import json_error

HEADER = "Idempotency-Key"
REPLAYED_HEADER = "Idempotency-Replayed"

_KEY = re.compile(r"[\x21-\x7e]{1,255}")


def once(view: Callable[..., Any], clock: Callable[[], Clock], secret: Callable[[], str]) -> Any:
    """Wrap a view that answers a POST, so that it honours the header.

    :param clock: returns the current app's clock.
    :param secret: returns the current app's secret.
    """

    @functools.wraps(view)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        key = request.headers.get(HEADER)
        # Where nobody has named himself there is nothing that a key could belong to.
        if key is None or "api_key" not in g:
            return view(*args, **kwargs)
        if not _KEY.fullmatch(key):
            raise MalformedRequest("Idempotency-Key must be 1 to 255 visible ASCII characters.")
        # The body is read before anything is locked: a slow client waits for itself alone.
        request_hash = _request_hash()
        seal = Seal("idempotency", secret(), key)
        work = functools.partial(view, *args, **kwargs)
        with db.joined() as connection:
            return _replay_or_do(connection, key, request_hash, seal, work, now=clock()())

    return wrapper


def _replay_or_do(
    connection: Connection,
    key: str,
    request_hash: str,
    seal: Seal,
    work: Callable[[], Any],
    *,
    now: datetime,
) -> Response:
    key_hash = _hash(g.api_key, key)
    if not stored_answers.lock(connection, key_hash):
        raise IdempotencyInFlight
    row = stored_answers.find(connection, key_hash, now=now)
    if row is not None:
        if row.request_hash != request_hash:
            raise IdempotencyKeyReused
        status, body = orjson.loads(seal.open(row.answer))
        replayed = Response(body, status=status, mimetype="application/json")
        replayed.headers[REPLAYED_HEADER] = "true"
        return replayed
    response = _answer_of(connection, work)
    stored = seal.close(orjson.dumps([response.status_code, response.get_data(as_text=True)]))
    stored_answers.store(connection, key_hash, request_hash, stored, now=now)
    return response


def _answer_of(connection: Connection, work: Callable[[], Any]) -> Response:
    try:
        with connection.begin_nested():
            return make_response(work())
    except (RequestError, AuthError):
        raise  # nothing was tried: a mended request may use the key again
    except JayError as error:
        if error.status >= 500:
            raise
        return json_error(error)


def _request_hash() -> str:
    return _hash(request.method, request.full_path, request.get_data(cache=True).hex())


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()
