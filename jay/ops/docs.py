"""``/docs``: the API documentation in the browser, and the error table."""

from pathlib import Path

import flask_swagger_ui
from flask import Blueprint, Response, render_template
from werkzeug.wrappers import Response as WerkzeugResponse

from jay import web
from jay.errors import all_errors
from jay.ops import demo, demo_viewer
from jay.ops.mends import mend_of
from jay.web.pages import page
from jay.web.responses import file_answer
from jay.web.versions import APIS, BASKET_API, PRODUCT_API
from jay.web.words import EXAMPLES

blp = Blueprint("docs", __name__)

# The package brings the files of Swagger UI along: nothing is loaded from another host.
_ASSETS = Path(flask_swagger_ui.__file__).parent / "dist"

# Swagger UI sets style attributes, and draws its icons from data: URLs and answered pictures from
# blob: ones.
_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data: blob:; connect-src 'self'; font-src 'self'; base-uri 'none';"
    " form-action 'self'; frame-ancestors 'none'"
)


@blp.get("/docs")
@blp.get("/docs/")
def documentation() -> Response:
    """Show both APIs, with examples, to read and to try out.

    In demo mode the keys of the demo and a token of its viewer are filled in.
    """
    settings = web.settings()
    keys = {BASKET_API.name: demo.PARTNER_KEY, PRODUCT_API.name: demo.MERCHANT_KEY}
    viewer = {
        "user": EXAMPLES["userId"],
        "token": demo_viewer.token(settings.secret_key, EXAMPLES["userId"], now=web.now()),
    }
    trial = {"keys": keys, **viewer} if settings.demo else None
    response = Response(render_template("docs.html", apis=APIS, lang="en", trial=trial))
    response.headers["Content-Security-Policy"] = _CSP
    return response


@blp.get("/docs/assets/<path:name>")
def asset(name: str) -> Response:
    """Serve a file of Swagger UI."""
    return file_answer(_ASSETS, name, max_age=86400)


@blp.get("/docs/errors")
def errors() -> WerkzeugResponse:
    """Show the table of all error numbers."""
    known = sorted(all_errors(), key=lambda error: error.code)
    return page("docs_errors.html", errors=known, mends={each: mend_of(each) for each in known})
