"""A partner's logo and colours, as files that browsers keep.

They are the same for everybody, so they neither read nor set a cookie: no ``PageBlueprint``.
"""

from flask import Blueprint, request
from werkzeug.wrappers import Response

from jay import db
from jay.errors import RouteNotFound
from jay.partners.branding import version_of
from jay.partners.models import Partner
from jay.partners.service import logo_of
from jay.partners.view import partner_at

blp = Blueprint("partner_pages", __name__, url_prefix="/partners/<name>")

_A_YEAR = 365 * 86400
_A_MINUTE = 60


@blp.get("/logo.png")
def logo(name: str) -> Response:
    """Show a partner's logo."""
    partner = _partner(name)
    with db.reading() as connection:
        png = logo_of(connection, partner)
    if png is None:
        raise RouteNotFound
    return _file(png, "image/png")


@blp.get("/look.css")
def stylesheet(name: str) -> Response:
    """Give phone pages a partner's colours."""
    palette = _partner(name).palette
    if palette is None:
        raise RouteNotFound
    return _file(palette.css.encode(), "text/css")


def _partner(name: str) -> Partner:
    with db.reading() as connection:
        return partner_at(connection, name)


def _file(content: bytes, mimetype: str) -> Response:
    response = Response(content, mimetype=mimetype)
    version = version_of(content)
    # An address with the version of this very content never means anything else.
    fixed = request.args.get("v") == version
    response.headers["Cache-Control"] = (
        f"public, max-age={_A_YEAR}, immutable" if fixed else f"public, max-age={_A_MINUTE}"
    )
    response.headers["Content-Security-Policy"] = "default-src 'none'; frame-ancestors 'none'"
    response.set_etag(version)
    return response.make_conditional(request)
