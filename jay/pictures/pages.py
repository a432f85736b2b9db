"""The files of pictures, as browsers and proxies keep them: what is at a name never changes.

They are the same for everybody, so they neither read nor set a cookie: no ``PageBlueprint``.
"""

from flask import Blueprint
from werkzeug.wrappers import Response

from jay.errors import RouteNotFound
from jay.pictures.models import CONTENT_TYPES, NAME
from jay.pictures.showing import reaching_the_store, store
from jay.pictures.store import place

blp = Blueprint("pictures", __name__)

_A_YEAR = 365 * 86400


@blp.get("/media/<shelf>/<name>")
def file(shelf: str, name: str) -> Response:
    """Show one of a picture's files."""
    named = NAME.fullmatch(name)
    if named is None or place(name) != f"{shelf}/{name}":
        raise RouteNotFound
    with reaching_the_store():
        content = store().get(name)
    if content is None:
        raise RouteNotFound
    response = Response(content, mimetype=CONTENT_TYPES[named[3]])
    response.headers["Cache-Control"] = f"public, max-age={_A_YEAR}, immutable"
    # A merchant's web shop may show what it has sent.
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response
