"""``/v1/playouts/.../tracking/session``: hands out the sessions that ``X-JAY-Tracking`` carries.

A session is its own content, base64 of JSON: nothing is stored for it here.
"""

import hashlib
import secrets
from typing import Any

import marshmallow as ma
from flask import Response, request

from jay import web
from jay.clock import iso
from jay.errors import TrackingNotValid
from jay.events import Tracking
from jay.web import tracking
from jay.web.idempotency import ATOMIC
from jay.web.responses import answer
from jay.web.schema import Schema, Text
from jay.web.versions import PRODUCT_API

COOKIE = "__Secure-jay_tracking"
SOURCE = "jay.api.playout"
MAX_PLAYOUT_ID = 100

blp = web.Blueprint("playouts", __name__, api=PRODUCT_API, guards=web.PUBLIC)
blp.description = "Tracking sessions of playouts; no key needed, as they tell nothing."


class SessionRequestSchema(Schema):
    """Whom the session is about, if anybody."""

    user_id = Text(
        validate=ma.validate.Length(1, 255),
        metadata={"description": "Kept as a hash only.", "example": "user-4711"},
    )
    provider_name = Text(validate=ma.validate.Length(1, 100), metadata={"example": "netflix"})


class SessionSchema(Schema):
    """A tracking session."""

    token = ma.fields.String(
        required=True, metadata={"description": "The value of X-JAY-Tracking."}
    )
    session_id = ma.fields.String(required=True)
    start_time = ma.fields.String(required=True, metadata={"example": "2025-01-01T12:00:00Z"})
    source = ma.fields.String(required=True, metadata={"example": "jay.api.playout.news"})
    user_id = ma.fields.String(allow_none=True, metadata={"description": "A hash."})
    provider_name = ma.fields.String(allow_none=True)


# The second address of each is the older one, which the public documents still name.
_ADDRESSES = ("/playouts/<playoutId>/tracking/session", "/playouts/tracking/session")


def _get_session(playoutId: str | None = None) -> Response:  # noqa: N803, ARG001
    """Get the tracking session that the request carries, in its header or cookie."""
    return _answer(_carried())


def _start_session(body: dict[str, str], playoutId: str | None = None) -> Response:  # noqa: N803
    """Start a tracking session."""
    source = SOURCE if playoutId is None else f"{SOURCE}.{playoutId[:MAX_PLAYOUT_ID]}"
    user_id = body.get("user_id")
    session = Tracking(
        session_id=secrets.token_urlsafe(16),
        start_time=iso(web.now()),
        source=source,
        user_id=None if user_id is None else _hashed(user_id),
        provider_name=body.get("provider_name"),
    )
    return _answer(session)


def _end_session(playoutId: str | None = None) -> Response:  # noqa: N803, ARG001
    """End the tracking session that the request carries: its cookie is removed."""
    response = _answer(_carried())
    del response.headers["Set-Cookie"]
    response.delete_cookie(COOKIE, secure=True, httponly=True, samesite="None")
    return response


for _address, _suffix in zip(_ADDRESSES, ("", "_older"), strict=True):
    blp.add_url_rule(
        _address,
        f"get_session{_suffix}",
        blp.errors(TrackingNotValid)(blp.response(200, SessionSchema)(_get_session)),
        methods=["GET"],
    )
    blp.add_url_rule(
        _address,
        f"start_session{_suffix}",
        blp.arguments(SessionRequestSchema, required=False)(
            blp.response(200, SessionSchema)(_start_session)
        ),
        methods=["POST"],
        once=ATOMIC,
    )
    blp.add_url_rule(
        _address,
        f"end_session{_suffix}",
        blp.errors(TrackingNotValid)(blp.response(200, SessionSchema)(_end_session)),
        methods=["DELETE"],
    )


def _carried() -> Tracking:
    carried = request.headers.get(tracking.HEADER) or request.cookies.get(COOKIE)
    if not carried:
        raise TrackingNotValid
    try:
        return Tracking.parse(carried)
    except ValueError as error:
        raise TrackingNotValid from error


def _answer(session: Tracking) -> Response:
    token = session.header()
    data: dict[str, Any] = {
        "token": token,
        "sessionId": session.session_id,
        "startTime": session.start_time,
        "source": session.source,
        "userId": session.user_id,
        "providerName": session.provider_name,
    }
    response = answer(data)
    response.headers[tracking.HEADER] = token
    # For web players on other sites, which is what the name's prefix and SameSite=None are for.
    response.set_cookie(COOKIE, token, secure=True, httponly=True, samesite="None")
    return response


def _hashed(user_id: str) -> str:
    return hashlib.sha256(user_id.encode("utf-8", "surrogatepass")).hexdigest()
