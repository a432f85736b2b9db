"""Liveness and readiness, for load balancers and supervisors."""

from flask import Blueprint, Response

from jay import db, web
from jay.db.causes import cause_of
from jay.errors import Busy
from jay.ops import revision
from jay.web.responses import json_error

blp = Blueprint("health", __name__)


@blp.get("/healthz")
def alive() -> Response:
    """Tell that the process answers, whatever the database does."""
    return Response("ok\n", mimetype="text/plain")


@blp.get("/readyz")
def ready() -> Response:
    """Tell whether requests can be served: the database has our schema and can be written."""
    try:
        if revision.is_outdated(db.database()):
            return Response(f"{revision.OUTDATED}\n", 503, mimetype="text/plain")
        db.check_writable(now=web.now())
    except Busy as error:
        cause = cause_of(error.__cause__)
        return json_error(Busy(details={"cause": cause}) if cause else error)
    return Response("ok\n", mimetype="text/plain")
