"""The house Blueprint: version, guards, bodies and documentation, once for all routes.

A route is a contract and about three lines: the Blueprint resolves the version, asks the guards,
loads the body, and wraps what the route returns into ``{"data": ...}``.
"""

import copy
import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import flask_smorest
import marshmallow as ma
from flask import request
from webargs.flaskparser import FlaskParser

from jay.errors import (
    Busy,
    InternalError,
    JayError,
    MalformedRequest,
    PayloadTooLarge,
    PreconditionFailed,
    TooManyRequests,
    TrackingNotValid,
    UnsupportedMediaType,
    ValidationFailed,
    VersionUnknown,
)
from jay.web import idempotency, rates, tracking, versions
from jay.web.bodies import load_json_body
from jay.web.context import notes, this_request
from jay.web.idempotency import Once
from jay.web.openapi import error_doc
from jay.web.paths import ENCODED_SLASH
from jay.web.schema import camel_case, envelope_of, told

Guard = Callable[[], None]
"""Lets a request pass or raises the error that refuses it."""

Budgets = Callable[[], Sequence[tuple[str, str]]]
"""Tells which budgets the current request uses up: pairs of a rate and its caller."""

PUBLIC: tuple[Guard, ...] = ()
"""The guards of what everybody may see: said on the door, also when it is everyone."""


_ASKED_BY: dict[type[JayError], str] = {
    PreconditionFailed: "IfMatch",
    TrackingNotValid: "Session",
}
"""Which header an operation knows that may answer this."""


class Parser(FlaskParser):
    """Query parameters: the house error where something is wrong."""

    def load_querystring(self, req: Any, schema: ma.Schema) -> Any:
        """Read the parameters, unless one of those that count says two things.

        Which one a proxy or a log goes by is not known, as with a name that is twice in a body.
        """
        names = {field.data_key or name for name, field in schema.fields.items()}
        names -= {tracking.PROVIDER}
        twice = [name for name in names if len({*req.args.getlist(name)}) > 1]
        if twice:
            raise ValidationFailed(details={name: ["Must be given once."] for name in twice})
        return super().load_querystring(req, schema)

    def handle_error(self, error: ma.ValidationError, *_args: Any, **_kwargs: Any) -> Any:
        """Answer 422 with the field errors."""
        messages = error.normalized_messages()  # type: ignore[no-untyped-call]
        raise ValidationFailed(details=told(messages.get("query", messages))) from error


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
        this = this_request()
        this.max_content_length = self.api.max_body
        notes()["api_version"] = self.api.version_for(this.environ)
        if this.view_args:
            this.view_args = {
                name: value.replace(ENCODED_SLASH, "/") if isinstance(value, str) else value
                for name, value in this.view_args.items()
            }
        if this.method == "OPTIONS":
            return  # a browser asks what it may send, without the key that it would send
        for guard in self.guards:
            guard()

    def add_url_rule(
        self,
        rule: str,
        endpoint: Any = None,
        view_func: Any = None,
        *,
        once: Once | None = None,
        budgets: Budgets = tuple,
        **options: Any,
    ) -> None:
        """Register a route.

        :param once: how it honours ``Idempotency-Key``: each POST says so, and a PATCH that adds
            to what is there, such as another parcel.
        :param budgets: what limits it. They are asked before the body is read, and counted when it
            is known to be a good one.
        """
        name = endpoint or view_func.__name__
        methods = options.get("methods") or ()
        if ("POST" in methods and once is None) or (once is not None and not {*methods} <= _ONCE):
            raise TypeError(f"{name}: a POST says once=ATOMIC or once=STEPWISE, and few others do")
        manual = {**view_func._apidoc.get("manual_doc", {}), "operationId": camel_case(name)}
        honoured = () if once is None else tuple(one.lower() for one in methods)
        view_func._apidoc = {**view_func._apidoc, "manual_doc": manual, "once": honoured}
        super().add_url_rule(rule, endpoint, _entered(view_func, once, budgets), **options)

    def arguments(self, schema: Any, *, location: str = "json", **options: Any) -> Any:
        """Load a part of the request with a schema and hand it to the route.

        Bodies are loaded here and not by webargs, which costs more than the schema itself.
        """
        # Made once, and not per request.
        made: ma.Schema = schema() if isinstance(schema, type) else schema
        documented = super().arguments(made, location=location, **options)

        of_nothing = _of_nothing(made)

        def load_body() -> Any:
            body = load_json_body()
            if body is ma.missing:
                return made.load({}) if of_nothing is None else copy.deepcopy(of_nothing)
            return made.load(body)

        def load_other() -> Any:
            if location == "query" and of_nothing is not None and not this_request().query_string:
                return copy.deepcopy(of_nothing)
            return self.ARGUMENTS_PARSER.parse(made, request, location=location)

        load = load_body if location == "json" else load_other
        return lambda view: _with_argument(view, load, documented(view)._apidoc)

    def array_argument(self, field: ma.fields.List[Any]) -> Callable[[Any], Any]:
        """Load a request body that is a JSON array, and document it."""

        def load() -> Any:
            body = load_json_body()
            return field.deserialize(None if body is ma.missing else body)

        return lambda view: _with_argument(
            view, load, {**getattr(view, "_apidoc", {}), "array": field}
        )

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
        answered = doc_info.get("errors", ())
        parameters += [name for error, name in _ASKED_BY.items() if error in answered]
        if 304 in doc.get("responses", {}):
            parameters.append("IfNoneMatch")
        if "userToken" in security:
            parameters += ["Tracking", "ProviderId"]
        if method in doc_info.get("once", ()):
            errors += [MalformedRequest, *idempotency.errors_of(security)]
            parameters.append("IdempotencyKey")
        errors += [*answered, InternalError, Busy]
        responses = doc.setdefault("responses", {})
        errors = list(dict.fromkeys(errors))
        for status in sorted({error.status for error in errors}):
            responses.pop(status, None)
            responses[str(status)] = error_doc([e for e in errors if e.status == status])
        parameters.append("ApiVersion")
        doc["security"] = [security] if security else []
        return doc


_ONCE = {"POST", "PATCH"}
"""What may honour ``Idempotency-Key``; all else does the same when it comes again."""

Loader = Callable[[], Any]


def _of_nothing(schema: ma.Schema) -> Any:
    """Return what a schema makes of nothing, which is asked for often; None where it is an error.

    It is always the same: defaults are values, and schemas know no request.
    """
    try:
        return schema.load({})
    except ma.ValidationError:
        return None


def _with_argument(view: Any, load: Loader, apidoc: dict[str, Any]) -> Any:
    """Let the route load one more argument before it is called; the topmost one comes first."""
    view._loaders = (load, *getattr(view, "_loaders", ()))
    view._apidoc = apidoc
    return view


def _entered(view: Any, once: Once | None, budgets: Budgets) -> Any:
    """Return what happens between the guards and a route.

    Bodies are judged before anything is locked, written or counted.
    """
    loaders: tuple[Loader, ...] = getattr(view, "_loaders", ())

    @functools.wraps(view)
    def wrapper(**view_args: Any) -> Any:
        asked = budgets()
        key = None if once is None else idempotency.key_of_request(once)
        try:
            rates.ask(asked)
        except TooManyRequests:
            # A repetition does nothing, so it is answered whatever the limit.
            replayed = key and idempotency.replay(key)
            if replayed:
                return replayed
            raise
        try:
            loaded = [load() for load in loaders]
        except ma.ValidationError as error:
            messages = error.normalized_messages()  # type: ignore[no-untyped-call]
            raise ValidationFailed(details=told(messages)) from error

        def work() -> Any:
            rates.take_all(asked)
            return view(*loaded, **view_args)

        return work() if once is None or key is None else idempotency.do(once, key, work)

    return wrapper


def guard(
    *, errors: Iterable[type[JayError]], security: dict[str, list[str]]
) -> Callable[[Guard], Guard]:
    """Mark a guard with what the OpenAPI document says about it."""

    def decorator(function: Guard) -> Guard:
        function.errors = tuple(errors)  # type: ignore[attr-defined]
        function.security = security  # type: ignore[attr-defined]
        return function

    return decorator
