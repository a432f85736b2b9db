"""Which parameters Stripe's pinned version takes, read off the types of its library."""

import sys
import typing
from collections.abc import Iterator
from typing import Any, ForwardRef, Literal, NotRequired, get_args, get_origin
from urllib.parse import parse_qsl

import stripe.params as api
from stripe import RequestOptions
from stripe.params import checkout
from typing_extensions import is_typeddict

WAYS: dict[tuple[str, str], Any] = {
    ("POST", "/v1/payment_intents"): api.PaymentIntentCreateParams,
    ("GET", "/v1/payment_intents/:id"): api.PaymentIntentRetrieveParams,
    ("POST", "/v1/payment_intents/:id"): api.PaymentIntentUpdateParams,
    ("POST", "/v1/payment_intents/:id/confirm"): api.PaymentIntentConfirmParams,
    ("POST", "/v1/payment_intents/:id/capture"): api.PaymentIntentCaptureParams,
    ("POST", "/v1/payment_intents/:id/cancel"): api.PaymentIntentCancelParams,
    ("POST", "/v1/checkout/sessions"): checkout.SessionCreateParams,
    ("GET", "/v1/checkout/sessions/:id"): checkout.SessionRetrieveParams,
    ("POST", "/v1/checkout/sessions/:id/expire"): checkout.SessionExpireParams,
    ("DELETE", "/v1/customers/:id"): api.CustomerDeleteParams,
    ("POST", "/v1/refunds"): api.RefundCreateParams,
    ("GET", "/v1/refunds"): api.RefundListParams,
    ("POST", "/v1/transfers"): api.TransferCreateParams,
    ("GET", "/v1/transfers"): api.TransferListParams,
    ("GET", "/v1/transfers/:id"): api.TransferRetrieveParams,
    ("POST", "/v1/transfers/:id/reversals"): api.TransferCreateReversalParams,
    ("GET", "/v1/transfers/:id/reversals"): api.TransferListReversalsParams,
}
"""What each address takes."""


OPTIONS = frozenset(RequestOptions.__annotations__)
"""What the library sends in headers: no parameters, though its types have them all together."""


def read_form(text: str) -> dict[str, Any]:
    """Read a form as Stripe writes it: ``a[b][0][c]=d``, lists by their numbers."""
    found: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        *path, last = name.replace("]", "").split("[")
        inner = found
        for step in path:
            inner = inner.setdefault(step, {})
        inner[last] = value
    return found


def wrong(given: Any, expected: Any) -> Iterator[str]:
    """Yield the names of parameters that a type does not have, or whose value it does not take."""
    yield from _wrong(given, expected, sys.modules[expected.__module__], "")


def _wrong(given: Any, expected: Any, module: Any, name: str) -> Iterator[str]:
    options = [one for one in _options(expected, module) if one is not type(None)]
    for option in options:
        if is_typeddict(option) and isinstance(given, dict):
            yield from _wrong_fields(given, option, name)
            return
        if get_origin(option) is list and isinstance(given, dict):
            for key, value in given.items():
                yield from _wrong(value, get_args(option)[0], module, f"{name}[{key}]")
            return
    words = [str(one) for option in options for one in get_args(option) if _is_literal(option)]
    if options and all(map(_is_literal, options)) and given not in words:
        yield f"{name}={given}"
    if options == [int] and not (isinstance(given, str) and given.lstrip("-").isdigit()):
        yield f"{name}={given}"


def _wrong_fields(given: dict[str, Any], expected: Any, name: str) -> Iterator[str]:
    known, module = expected.__annotations__, sys.modules[expected.__module__]
    for key, value in given.items():
        below = f"{name}[{key}]" if name else key
        if key not in known or key in OPTIONS:
            yield below
        else:
            yield from _wrong(value, known[key], module, below)
    for key, option in known.items():
        if key not in given and get_origin(option) is not NotRequired:
            yield f"{name}[{key}] is missing"


def _is_literal(option: Any) -> bool:
    return get_origin(option) is Literal


def _options(expected: Any, module: Any) -> Iterator[Any]:
    """Yield what a type may be; names that exist for type checkers alone may be anything."""
    if isinstance(expected, ForwardRef | str):
        text = expected.__forward_arg__ if isinstance(expected, ForwardRef) else expected
        try:
            yield from _options(eval(text, {**vars(typing), **vars(module)}), module)
        except NameError:
            yield Any
    elif get_origin(expected) is NotRequired:
        yield from _options(get_args(expected)[0], module)
    elif get_origin(expected) is typing.Union or type(expected).__name__ == "UnionType":
        for one in get_args(expected):
            yield from _options(one, module)
    else:
        yield expected
