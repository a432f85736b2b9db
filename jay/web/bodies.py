"""Reading JSON request bodies, strictly."""

import re
from itertools import islice
from typing import Any

import marshmallow as ma
import orjson
from flask import request

from jay.errors import (
    JayError,
    MalformedRequest,
    PayloadTooLarge,
    UnsupportedMediaType,
)
from jay.net.json_names import SaidTwice, check_names

MAX_CONTAINERS = 25_000
"""Objects and arrays of a body at most, which are what parsing costs most for. No operation takes
so many; 64 KiB have no room for them."""

MAX_TOKENS = 75_000
"""Texts and commas of a body at most: each stands for a name or a value, which take memory."""

_GZIP = b"\x1f\x8b"
"""What everything begins with that is packed with gzip (RFC 1952 section 2.3.1)."""

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+"?|,', re.DOTALL)


def load_json_body() -> Any:
    """Read the request's JSON body, ``ma.missing`` when there is none.

    :raises PayloadTooLarge: UnsupportedMediaType, MalformedRequest
    """
    body = request.get_data(cache=True)
    if request.content_length is None and len(body) >= (request.max_content_length or 0):
        raise PayloadTooLarge  # Werkzeug silently cuts a chunked one there
    if not body:
        return ma.missing
    refuse_codings()
    if not request.is_json:
        raise UnsupportedMediaType
    return parsed(body)


def parsed(body: bytes) -> Any:
    """Read a JSON document as strictly as bodies are read.

    :raises MalformedRequest: it is none, says a name twice, or takes too much to read.
    :raises UnsupportedMediaType: it is compressed.
    """
    if body.count(b"{") + body.count(b"[") > MAX_CONTAINERS:
        raise MalformedRequest("The request body has too many objects and arrays.")
    if _has_too_many_tokens(body):
        raise MalformedRequest("The request body has too many names and values.")
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _unreadable(body, error) from error
    # With one colon there is one name at the most.
    if body.count(b":") > 1:
        _check_names(body)
    return content


def refuse_codings() -> None:
    """Refuse a body that is called compressed, whether it is or not: here nothing is unpacked.

    A proxy that goes by what it is called would read something else.

    :raises UnsupportedMediaType: it is.
    """
    called = request.headers.get("Content-Encoding", "")
    if {one.strip().lower() for one in called.split(",")} - {"", "identity"}:
        raise UnsupportedMediaType(coded=True)


def _unreadable(body: bytes, error: orjson.JSONDecodeError) -> JayError:
    """Say why a body is no JSON, as far as it is known better than by the parser."""
    if body.startswith(_GZIP):
        return UnsupportedMediaType(coded=True)
    try:
        body.decode()
    except UnicodeDecodeError:
        return MalformedRequest("The request body is not valid JSON: it is not written in UTF-8.")
    return MalformedRequest(f"The request body is not valid JSON: {error}.")


def _has_too_many_tokens(body: bytes) -> bool:
    # Most often there are not so many, wherever they stand; else those in texts don't count.
    if body.count(b",") + body.count(b'"') // 2 <= MAX_TOKENS:
        return False
    return any(True for _ in islice(_TOKEN.finditer(body), MAX_TOKENS, None))


def _check_names(body: bytes) -> None:
    """Check that no object of a JSON document says the same name twice.

    :raises MalformedRequest: one does.
    """
    try:
        check_names(body)
    except SaidTwice:
        raise MalformedRequest("An object in the request body has the same name twice.") from None
    except RecursionError as error:
        raise MalformedRequest("The request body is nested too deeply.") from error
