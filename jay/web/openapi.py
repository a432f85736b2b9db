"""The OpenAPI documents, one for each API."""

from typing import Any

import flask_smorest
from flask import Flask
from werkzeug.routing import PathConverter

from jay.errors import (
    JayError,
)
from jay.web import idempotency, versions
from jay.web.responses import error_body
from jay.web.schema import ErrorAnswer


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

_PARAMETERS = {
    "IdempotencyKey": (
        "header",
        idempotency.HEADER,
        {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
        "5f2b1c9e-6c1b-4a57-9d0e-8a3c1f0d2b4e",
        "Sent again with the same key within 24 hours: the first answer.",
    ),
    "IfMatch": (
        "header",
        "If-Match",
        _STRING,
        '"ONtr5x_OIIOzXB4BC4meig-7"',
        "Entity tag that the basket must have for the write to be done.",
    ),
    "IfNoneMatch": (
        "header",
        "If-None-Match",
        _STRING,
        '"ONtr5x_OIIOzXB4BC4meig-7"',
        "Entity tag for which 304 is answered in place of the basket.",
    ),
    "Tracking": (
        "header",
        "X-JAY-Tracking",
        _STRING,
        "eyJzZXNzaW9uX2lkIjoiZXhhbXBsZSIsInN0YXJ0X3RpbWUiOiIyMDI1LTAxLTAxVDEyOjAwOjAwWiIsInNvdX"
        "JjZSI6ImpheS5hcGkucGxheW91dCJ9",
        "Tracking session, base64 of JSON; a broken one is ignored.",
    ),
    "ProviderId": (
        "query",
        "provider_id",
        _STRING,
        "netflix",
        "Provider name where the tracking session names none.",
    ),
}


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
        }
        super().__init__(app, config_prefix=prefix, spec_kwargs=spec)
        self.ma_plugin.converter.add_attribute_function(_alternatives)
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
        for identifier, (location, name, schema, example, text) in _PARAMETERS.items():
            content = {"name": name, "schema": schema, "example": example, "description": text}
            components.parameter(identifier, location, content)
        components.parameter(
            "ApiVersion",
            "header",
            {
                "name": versions.RESPONSE_HEADER,
                "description": "Implementation version; the newest one when absent.",
                "schema": {"type": "string", "enum": list(api.versions)},
                "example": api.newest,
            },
        )

    def _register_error_handlers(self) -> None:
        # All errors have one renderer, see init_app below.
        pass


def _alternatives(converter: Any, field: Any, **_kwargs: Any) -> dict[str, Any]:
    """Document a field that comes in one of several shapes."""
    shapes = [converter.field2property(shape) for shape in getattr(field, "alternatives", ())]
    if shapes and field.allow_none:
        shapes.append({"type": "null"})
    return {"anyOf": shapes} if shapes else {}
