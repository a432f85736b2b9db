"""The demo's web shops, one in German and one in English: where a code of a transfer may lead.

What a shop's server does is done here over the API, as any shop on the internet would: it redeems
the token when a person presses a button (never for link previews), and shows what came over.
"""

import json
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from flask import g, request
from werkzeug.wrappers import Response

from jay import i18n, web
from jay.errors import RouteNotFound
from jay.net.addresses import Unreachable
from jay.net.client import Client, Limits
from jay.ops.demo import PARTNER_KEY
from jay.web.pages import PageBlueprint, csrf_token, gettext, language, page

blp = PageBlueprint("demo_shop", __name__, guards=web.PUBLIC)

NAMES = {"de": "Deichladen", "en": "Harbour Supplies"}

_LIMITS = Limits(connect=3.0, read=10.0, total=10.0, most=1024 * 1024)


@dataclass(frozen=True)
class Position:
    """A line of the basket, as the shop shows it."""

    name: str
    count: int
    total: str


class _NotRedeemed(Exception):
    """The API has refused the token; the message says why."""


@blp.before_request
def _speak() -> None:
    lang = (request.view_args or {}).get("lang")
    if lang in NAMES:
        g.lang = lang  # a shop speaks one language, whatever the browser's is


@blp.get("/demo/shops/<lang>")
def arrive(lang: str) -> Response:
    """Ask who comes from the TV whether to fetch the basket."""
    return _page(lang, token=request.args.get("jayToken", ""), key=secrets.token_urlsafe(16))


@blp.post("/demo/shops/<lang>")
def fetch(lang: str) -> Response:
    """Redeem the token, and show the basket; with its random key a reload gets it again."""
    token, key = request.form.get("token", ""), request.form.get("key", "")
    try:
        positions = _redeemed(token, key)
    except _NotRedeemed as error:
        return _page(lang, token="", failure=str(error))
    return _page(lang, token="", positions=positions)


def _page(lang: str, **context: Any) -> Response:
    if lang not in NAMES:
        raise RouteNotFound
    return page(
        "phone/demo_shop.html", partner=None, csrf=csrf_token(), shop=NAMES[lang], **context
    )


def _redeemed(token: str, key: str) -> list[Position]:
    """Return what came over.

    :raises _NotRedeemed: too late, taken already, or no token at all.
    """
    guest = _call("POST", f"guests?{urlencode({'jayToken': token})}", {"Idempotency-Key": key})
    counts = {line["productId"]: line["count"] for line in guest["basket"]["cart"]}
    if not counts:
        return []
    signed = {"Authorization": f"Bearer {guest['token']}"}
    details = _call("POST", "products/details", signed, list(counts))
    return [_position(product, counts) for product in details["products"]]


def _position(product: dict[str, Any], counts: dict[str, int]) -> Position:
    count = counts[product["productId"]]
    price, currency = product.get("price"), product.get("currency")
    total = "" if price is None else i18n.money(price * count, str(currency), language())
    return Position(product["name"], count, total)


def _call(method: str, path: str, headers: dict[str, str], body: Any = None) -> Any:
    settings = web.settings()
    address = f"{settings.own_address}/v2/baskets/{path}"
    sent = {"X-API-Key": PARTNER_KEY, "Content-Type": "application/json", **headers}
    content = None if body is None else json.dumps(body).encode()
    try:
        with Client(settings.reachable).exchange(
            method, address, headers=sent, body=content, limits=_LIMITS
        ) as answer:
            said = json.loads(answer.read())
    except (Unreachable, ValueError) as error:
        raise _NotRedeemed(gettext("Your basket can't be reached at the moment.")) from error
    if answer.status != 200:
        raise _NotRedeemed(said["error"]["message"])
    return said["data"]
