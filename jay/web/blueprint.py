"""The house Api and Blueprint: version, guards, bodies and documentation, once for all routes.

A route is a contract and about three lines: the Blueprint resolves the version, asks the guards,
loads the body, and wraps what the route returns into ``{"data": ...}``.
"""

import functools
import json
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote_to_bytes

import flask_smorest
import marshmallow as ma
import orjson
from flask import Flask, Response, current_app, g, request
from webargs.flaskparser import FlaskParser
from werkzeug.routing import PathConverter

from jay.clock import Clock
from jay.config import Settings
from jay.errors import (
    Busy,
    IdempotencyInFlight,
    IdempotencyKeyReused,
    InternalError,
    JayError,
    MalformedRequest,
    PayloadTooLarge,
    PreconditionFailed,
    UnsupportedMediaType,
    ValidationFailed,
    VersionUnknown,
)
from jay.web import idempotency, versions
from jay.web.responses import MAX_BODY_BYTES, answer, error_body
from jay.web.schema import ErrorAnswer, Schema, camel_case, envelope_of

Guard = Callable[[], None]
"""Lets a request pass or raises the error that refuses it."""

PUBLIC: tuple[Guard, ...] = ()
"""The guards of what everybody may see: said on the door, also when it is everyone."""


def settings() -> Settings:
    """Return the current app's settings."""
    found: Settings = current_app.extensions["jay.settings"]
    return found


def clock() -> Clock:
    """Return the current app's clock."""
    found: Clock = current_app.extensions["jay.clock"]
    return found


ENCODED_SLASH = "\0"
"""Stands for ``%2F`` in a path until the route is found; NUL itself is never part of an id."""


class EncodedSlashes:
    """WSGI middleware: a percent-encoded slash in an API path belongs to an id (RFC 3986, 2.2).

    WSGI servers decode the path before routing, after which a user id such as ``auth0/4711``
    can't be told from two segments. So the path is decoded anew from what the client sent.
    """

    def __init__(self, app: Callable[..., Any]) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        """Decode the path segment by segment."""
        path = environ.get("RAW_URI", "").partition("?")[0]
        if path.startswith("/v") and ("%2f" in path.lower() or "%00" in path):
            segments = [unquote_to_bytes(segment) for segment in path.split("/")]
            mark = ENCODED_SLASH.encode()
            decoded = b"/".join(
                segment.replace(mark, b"\xef\xbf\xbd").replace(b"/", mark) for segment in segments
            )
            environ["PATH_INFO"] = decoded.decode("latin-1")
        return self._app(environ, start_response)


def load_json_body() -> Any:
    """Read the request's JSON body, ``ma.missing`` when there is none.

    :raises PayloadTooLarge: UnsupportedMediaType, MalformedRequest
    """
    body = request.get_data(cache=True)
    if request.content_length is None and len(body) >= MAX_BODY_BYTES:
        raise PayloadTooLarge  # Werkzeug silently cuts a chunked one there
    if not body:
        return ma.missing
    if not request.is_json:
        raise UnsupportedMediaType
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise MalformedRequest(f"The request body is not valid JSON: {error}.") from error
    # With one colon there is one name at the most.
    if body.count(b":") > 1:
        _check_names(body)
    return content


def _check_names(body: bytes) -> None:
    """Check that no object of a JSON document says the same name twice.

    Parsers differ in which one counts (RFC 8259 section 4), so the client may mean the other one.

    :raises MalformedRequest: one does.
    """
    try:
        _NAMES.decode(body.decode())
    except RecursionError as error:
        raise MalformedRequest("The request body is nested too deeply.") from error


def _refuse_repeated(pairs: list[tuple[str, Any]]) -> None:
    names = {name for name, _ in pairs}
    if len(names) < len(pairs):
        raise MalformedRequest("An object in the request body has the same name twice.")


# It reads nothing but the names: numbers stay texts, and objects become nothing.
_NAMES = json.JSONDecoder(object_pairs_hook=_refuse_repeated, parse_int=str, parse_float=str)


class Parser(FlaskParser):
    """Query parameters: the house error where something is wrong."""

    def handle_error(self, error: ma.ValidationError, *_args: Any, **_kwargs: Any) -> Any:
        """Answer 422 with the field errors."""
        messages = error.normalized_messages()  # type: ignore[no-untyped-call]
        raise ValidationFailed(details=messages.get("query", messages)) from error


class Blueprint(flask_smorest.Blueprint):
    """A feature's JSON routes.

    :param api: the API that the routes belong to; its base path is put in front.
    :param guards: who may enter, asked in this order. ``PUBLIC`` when it is everyone.
    """

    ARGUMENTS_PARSER = Parser()

    def __init__(
        self, name: str, import_name: str, *, api: versions.Api, guards: Iterable[Guard]
    ) -> None:
        super().__init__(name, import_name, url_prefix=api.prefix)
        self.api = api
        self.guards = tuple(guards)
        self.before_request(self._enter)
        self._prepare_doc_cbks.append(self._prepare_house_doc)

    def _enter(self) -> None:
        g.api_version = self.api.version_for(request.headers)
        if request.view_args:
            request.view_args = {
                name: value.replace(ENCODED_SLASH, "/") if isinstance(value, str) else value
                for name, value in request.view_args.items()
            }
        if request.method == "OPTIONS":
            return  # a browser asks what it may send, without the key that it would send
        for guard in self.guards:
            guard()

    def add_url_rule(
        self, rule: str, endpoint: Any = None, view_func: Any = None, **options: Any
    ) -> None:
        """Register a route; every POST honours ``Idempotency-Key``."""
        name = endpoint or view_func.__name__
        manual = {**view_func._apidoc.get("manual_doc", {}), "operationId": camel_case(name)}
        view_func._apidoc = {**view_func._apidoc, "manual_doc": manual}
        if "POST" in (options.get("methods") or ()):
            secret = lambda: settings().secret_key  # noqa: E731
            view_func = idempotency.once(view_func, clock, secret)
        super().add_url_rule(rule, endpoint, view_func, **options)

    def arguments(self, schema: Any, *, location: str = "json", **options: Any) -> Any:
        """Load a part of the request with a schema and hand it to the route.

        Bodies are loaded here and not by webargs, which costs more than the schema itself.
        """
        # Made once, and not per request.
        made: ma.Schema = schema() if isinstance(schema, type) else schema
        documented = super().arguments(made, location=location, **options)
        if location != "json":
            return documented

        def load() -> Any:
            body = load_json_body()
            return made.load({} if body is ma.missing else body)

        return lambda view: _with_body(view, load, documented(view)._apidoc)

    def array_argument(self, field: ma.fields.List[Any]) -> Callable[[Any], Any]:
        """Load a request body that is a JSON array, and document it."""

        def load() -> Any:
            body = load_json_body()
            return field.deserialize(None if body is ma.missing else body)

        return lambda view: _with_body(view, load, {**getattr(view, "_apidoc", {}), "array": field})

    def errors(self, *classes: type[JayError]) -> Callable[[Any], Any]:
        """Document the errors that a route's rules may answer."""

        def decorator(view: Any) -> Any:
            view._apidoc = {**getattr(view, "_apidoc", {}), "errors": classes}
            return view

        return decorator

    @staticmethod
    def _prepare_response_content(data: Any) -> Any:
        return {"data": data}

    @staticmethod
    def _make_doc_response_schema(schema: Any) -> Any:
        if not isinstance(schema, ma.Schema):
            return schema
        return envelope_of(type(schema))()

    def _prepare_house_doc(
        self, doc: Any, doc_info: Any, *, api: Any, method: str, **_kwargs: Any
    ) -> Any:
        """Add the errors that can be answered, the version header and the security schemes."""
        if "array" in doc_info:
            schema = api.ma_plugin.converter.field2property(doc_info["array"])
            content = {"application/json": {"schema": schema}}
            doc["requestBody"] = {"required": True, "content": content}
        errors: list[type[JayError]] = [VersionUnknown]
        security: dict[str, list[str]] = {}
        for guard in self.guards:
            errors += getattr(guard, "errors", ())
            security |= getattr(guard, "security", {})
        if "requestBody" in doc:
            errors += [MalformedRequest, PayloadTooLarge, UnsupportedMediaType, ValidationFailed]
        elif doc_info.get("arguments"):
            errors.append(ValidationFailed)
        parameters = doc.setdefault("parameters", [])
        if PreconditionFailed in doc_info.get("errors", ()):
            parameters.append("IfMatch")
        if 304 in doc.get("responses", {}):
            parameters.append("IfNoneMatch")
        if "userToken" in security:
            parameters += ["Tracking", "ProviderId"]
        if method == "post":
            errors += [MalformedRequest, IdempotencyInFlight, IdempotencyKeyReused]
            parameters.append("IdempotencyKey")
        errors += [*doc_info.get("errors", ()), InternalError, Busy]
        responses = doc.setdefault("responses", {})
        errors = list(dict.fromkeys(errors))
        for status in sorted({error.status for error in errors}):
            responses.pop(status, None)
            responses[str(status)] = _error_doc([e for e in errors if e.status == status])
        parameters.append("ApiVersion")
        doc["security"] = [security] if security else []
        return doc


def _with_body(view: Any, load: Callable[[], Any], apidoc: dict[str, Any]) -> Any:
    @functools.wraps(view)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            body = load()
        except ma.ValidationError as error:
            raise ValidationFailed(details=error.normalized_messages()) from error  # type: ignore[no-untyped-call]
        return view(*args, body, **kwargs)

    wrapper._apidoc = apidoc  # type: ignore[attr-defined]
    return wrapper


def _error_doc(errors: list[type[JayError]]) -> dict[str, Any]:
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


class InformationSchema(Schema):
    """What this API is."""

    name = ma.fields.String(required=True, metadata={"example": "Jay Basket API"})
    versions = ma.fields.List(ma.fields.String(), required=True)
    default_version = ma.fields.String(required=True)
    openapi = ma.fields.String(required=True, metadata={"format": "uri"})
    errors = ma.fields.String(required=True, metadata={"format": "uri"})


def information(about: versions.Api) -> Blueprint:
    """Build the blueprint of an API's information endpoint, which needs no key."""
    blp = Blueprint(f"{about.name}-information", __name__, api=about, guards=PUBLIC)

    @blp.route("/", methods=["GET"])
    @blp.response(200, InformationSchema)
    def get_information() -> Response:
        """Get the name, the versions and the links of this API."""
        public = settings().public_url
        return answer(
            {
                "name": about.title,
                "versions": list(about.versions),
                "defaultVersion": about.newest,
                "openapi": f"{public}{about.prefix}/openapi.json",
                "errors": f"{public}/docs/errors",
            }
        )

    return blp


def guard(
    *, errors: Iterable[type[JayError]], security: dict[str, list[str]]
) -> Callable[[Guard], Guard]:
    """Mark a guard with what the OpenAPI document says about it."""

    def decorator(function: Guard) -> Guard:
        function.errors = tuple(errors)  # type: ignore[attr-defined]
        function.security = security  # type: ignore[attr-defined]
        return function

    return decorator
