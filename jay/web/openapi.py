"""The OpenAPI documents, one for each API."""

from threading import RLock
from typing import Any

import flask_smorest
from flask import Flask
from flask_smorest.spec.plugins import FlaskPlugin
from werkzeug.routing import PathConverter, Rule

from jay.errors import (
    JayError,
)
from jay.web import idempotency, versions
from jay.web.responses import error_body
from jay.web.schema import ErrorAnswer
from jay.web.words import EXAMPLES, MEANINGS, meaning


def error_doc(errors: list[type[JayError]]) -> dict[str, Any]:
    """Document the errors of one status."""
    return {
        "description": " / ".join(dict.fromkeys(error.sentence() for error in errors)),
        "content": {
            "application/json": {
                "schema": ErrorAnswer,
                "examples": {error.constant(): {"value": error_body(error())} for error in errors},
            }
        },
    }


_STRING = {"type": "string"}

_SESSION = {
    "name": "X-JAY-Tracking",
    "required": True,
    "schema": _STRING,
    "example": "eyJzZXNzaW9uX2lkIjoiZXhhbXBsZSIsInN0YXJ0X3RpbWUiOiIyMDI1LTAxLTAxVDEyOjAwOjAwWiIs"
    "InNvdXJjZSI6ImpheS5hcGkucGxheW91dCJ9",
    "description": "The tracking session that it is about; a browser may send its cookie instead.",
}

# Without examples: whoever tries a request out would send them, and a key or a tag of another
# request refuses it.
_PARAMETERS = {
    "IdempotencyKey": (
        "header",
        idempotency.HEADER,
        {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
        "A new random key for each request, such as a UUID. Sent again with the same key within 24"
        " hours, the request is not done again: its first answer comes again.",
    ),
    "IfMatch": (
        "header",
        "If-Match",
        _STRING,
        'Entity tag that the basket must have for the write to be done, such as `"ONtr5x-7"`.',
    ),
    "IfNoneMatch": (
        "header",
        "If-None-Match",
        _STRING,
        'Entity tag for which 304 is answered in place of the basket, such as `"ONtr5x-7"`.',
    ),
    "Tracking": (
        "header",
        "X-JAY-Tracking",
        _STRING,
        "Tracking session, base64 of JSON; a broken one is ignored.",
    ),
    "ProviderId": (
        "query",
        "provider_id",
        _STRING,
        "Provider name where the tracking session names none.",
    ),
}


class _Addresses(FlaskPlugin):  # type: ignore[misc,unused-ignore]
    """Says of each part of an address what it is, with an example that works in the demo."""

    def rule_to_params(self, rule: Rule) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = super().rule_to_params(rule)
        for parameter in found:
            name = parameter["name"]
            parameter["description"] = MEANINGS[name]
            if name in EXAMPLES:
                parameter["example"] = EXAMPLES[name]
        return found


class Api(flask_smorest.Api):
    """One published API with its OpenAPI 3.1 document at ``{prefix}/openapi.json``."""

    ERROR_SCHEMA = ErrorAnswer
    # Every status is documented by itself; a default would make any other look documented, too.
    DEFAULT_ERROR_RESPONSE_NAME = None

    def __init__(self, app: Flask, api: versions.Api, *, description: str) -> None:
        prefix = api.name.upper()
        app.config |= {
            f"{prefix}_API_TITLE": api.title,
            f"{prefix}_API_VERSION": api.newest,
            f"{prefix}_OPENAPI_VERSION": "3.1.0",
            f"{prefix}_OPENAPI_URL_PREFIX": api.prefix,
        }
        spec = {
            "info": {"description": description},
            "servers": [{"url": app.extensions["jay.settings"].public_url}],
            "flask_plugin": _Addresses(),
        }
        self._described_by_one = RLock()
        self._not_described: list[flask_smorest.Blueprint] = []
        super().__init__(app, config_prefix=prefix, spec_kwargs=spec)
        self.ma_plugin.converter.add_attribute_function(_alternatives)
        self.ma_plugin.converter.add_attribute_function(_described)
        # Flask takes an id with a line end for no address at all; no product has such a one.
        one_line = {"type": "string", "minLength": 1, "pattern": r"^[^\n]+(?!\n)$"}
        self.register_converter(PathConverter, lambda _: one_line)
        components = self.spec.components
        components.security_scheme(
            "apiKey", {"type": "apiKey", "in": "header", "name": "X-API-Key"}
        )
        components.security_scheme(
            "userToken", {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
        )
        for identifier, (location, name, schema, text) in _PARAMETERS.items():
            content = {"name": name, "schema": schema, "description": text}
            components.parameter(identifier, location, content)
        components.parameter("Session", "header", _SESSION)
        components.parameter(
            "ApiVersion",
            "header",
            {
                "name": versions.RESPONSE_HEADER,
                "description": "Implementation version; the newest one when absent.",
                "schema": {"type": "string", "enum": list(api.versions)},
            },
        )

    @property
    def spec(self) -> Any:
        """The document, with all operations.

        Where one can't be described, this raises what is wrong with it, each time: a document
        that lacks operations would be taken for a whole one.
        """
        with self._described_by_one:
            while self._not_described:
                blueprint = self._not_described[0]
                blueprint.register_views_in_doc(
                    self, self._app, self._spec, name=blueprint.name, parameters=None
                )
                self._spec.tag({"name": blueprint.name, "description": blueprint.description})
                del self._not_described[0]
        return self._spec

    @spec.setter
    def spec(self, made: Any) -> None:
        self._spec = made

    def register_blueprint(self, blp: flask_smorest.Blueprint) -> None:
        """Register the routes of a blueprint, which are described when somebody asks for that.

        It takes three quarters of the time in which an app is made, and most processes, commands
        above all, are never asked.
        """
        self._app.extensions["flask-smorest"]["blp_name_to_api"][blp.name] = self
        self._app.register_blueprint(blp)
        self._not_described.append(blp)

    def _register_error_handlers(self) -> None:
        # All errors have one renderer, see init_app below.
        pass


def _alternatives(converter: Any, field: Any, **_kwargs: Any) -> dict[str, Any]:
    """Document a field that comes in one of several shapes."""
    shapes = [converter.field2property(shape) for shape in getattr(field, "alternatives", ())]
    if shapes and field.allow_none:
        shapes.append({"type": "null"})
    return {"anyOf": shapes} if shapes else {}


def _described(_converter: Any, field: Any, ret: dict[str, Any], **_kwargs: Any) -> dict[str, Any]:
    """Say what a field means that does not say so itself."""
    if "description" in ret or not field.data_key:
        return {}
    text = meaning(type(field.parent), field.data_key)
    return {} if text is None else {"description": text}
