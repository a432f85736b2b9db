"""Liveness and readiness, for load balancers and supervisors."""

from flask import Blueprint, Response
from sqlalchemy import select

from jay import db
from jay.auth.guards import doorkeeper
from jay.errors import Busy
from jay.web.responses import json_error

blp = Blueprint("health", __name__)


@blp.get("/healthz")
def alive() -> Response:
    """Tell that the process answers, whatever the database does."""
    return Response("ok\n", mimetype="text/plain")


@blp.get("/readyz")
def ready() -> Response:
    """Tell whether requests can be served: the database answers. 503 when it does not."""
    try:
        with db.reading() as connection:
            connection.execute(select(1))
    except Busy as error:
        return json_error(error)
    return Response("ok\n", mimetype="text/plain")


@blp.get("/.well-known/jwks.json")
def key_set() -> dict[str, object]:
    """Publish the public keys that verify guest tokens (RFC 7517)."""
    return doorkeeper().tokens.guest_keys.key_set()
