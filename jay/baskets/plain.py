"""Reading a basket and setting a product in it, answered before Flask makes a request of it.

These are most of what partners ask for, and one or two statements each: what Flask does around them
costs more. So plain ones are answered here, in the same words as by the routes ``get_basket`` and
``assign_product``, see ``jay.web.early``. Whatever is not plain goes on to them: what has a
condition or an ``Idempotency-Key``, ids with unusual characters, a body with more than a count, and
whoever may not enter.
"""

import io
import re
from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask

from jay.auth.guards import REFUSED, Doorkeeper, budgets_of
from jay.auth.models import User
from jay.baskets import service
from jay.baskets.models import MAX_COUNT, Basket
from jay.baskets.schemas import basket_view
from jay.clock import Clock
from jay.db.database import Database
from jay.errors import Busy, JayError
from jay.partners.models import Partner
from jay.web import rates, tracking
from jay.web.early import Early
from jay.web.paths import ENCODED_SLASH
from jay.web.responses import envelope
from jay.web.versions import BASKET_API

_BASKET = f"{BASKET_API.prefix}/baskets/users/<userId>"
_PRODUCT = f"{_BASKET}/products/<path:productId>"
_BEFORE = _BASKET.removesuffix("<userId>")
_BETWEEN = "/products/"

_NOT_PLAIN = ("HTTP_IF_NONE_MATCH", "HTTP_IF_MATCH", "HTTP_IDEMPOTENCY_KEY")
_OF_PROXIES = ("HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED")
"""Not plain where no proxy is trusted: the operator is to know of it, see ``jay.web.seldom``."""

_BLANK = rb"[ \t\r\n]*"
_COUNT = re.compile(
    _BLANK.join((b"", rb"\{", b'"count"', b":", b"(-1|0|[1-9][0-9]{0,2})", rb"\}", b""))
)
_LONGEST_COUNT = 100
"""Bytes of a body that may be a plain one."""

Work = Callable[[User], Basket]


class PlainBaskets:
    """WSGI middleware that answers the plain requests for a basket."""

    def __init__(self, app: Flask, database: Database, clock: Clock) -> None:
        trusted = app.extensions["jay.settings"].trusted_proxies
        self._app = app.wsgi_app
        self._early = Early(app, BASKET_API, *_NOT_PLAIN, *(() if trusted else _OF_PROXIES))
        self._doorkeeper: Doorkeeper = app.extensions["jay.auth"]
        self._rates: dict[str, rates.Rate] = app.extensions["jay.rates"]
        self._database = database
        self._clock = clock

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer a plain request; hand everything else on."""
        path: str = environ["PATH_INFO"]
        if (
            path.startswith(_BEFORE)
            and path.isascii()
            and path.replace(ENCODED_SLASH, "").isprintable()
            and not environ.get("QUERY_STRING")
            and self._early.is_plain(environ)
        ):
            user_id, between, product_id = path[len(_BEFORE) :].partition(_BETWEEN)
            method = environ["REQUEST_METHOD"]
            answered = None
            if "/" in user_id:  # another route, or none
                return self._app(environ, start_response)
            user_id = user_id.replace(ENCODED_SLASH, "/")
            if method == "GET" and not between:
                answered = self._answer(environ, start_response, _BASKET, user_id, self._read)
            elif method == "POST" and product_id and not product_id.startswith("/"):
                count = _plain_count(environ)
                if count is not None:
                    product_id = product_id.replace(ENCODED_SLASH, "/")
                    work = self._assigning(environ, product_id, count)
                    answered = self._answer(environ, start_response, _PRODUCT, user_id, work)
            if answered is not None:
                return answered
        return self._app(environ, start_response)

    def _answer(
        self, environ: dict[str, Any], start_response: Any, route: str, user_id: str, work: Work
    ) -> Iterable[bytes] | None:
        """Answer; None where the route has something else to say."""
        call = self._early.begin(environ, start_response, route)
        counted: list[rates.Left] = []
        try:
            admitted = self._admitted(environ, user_id)
            if admitted is None:
                return None
            key, partner, user = admitted
            for rate, caller in budgets_of(user, key):
                counted.append(rates.count(self._rates, rate, caller, partner.limits))
                counted[-1].check()
            basket = work(user)
            body = envelope(basket_view(basket))
        except Exception as error:  # noqa: BLE001 - it is answered and logged
            if not counted and not isinstance(error, JayError):
                return None  # the route meets it again, answers it and logs it
            return self._early.refuse(call, error, counted)
        return self._early.answer(call, body, counted, basket.etag)

    def _admitted(self, environ: dict[str, Any], user_id: str) -> tuple[str, Partner, User] | None:
        """Return the API key's prefix, its partner and the user, where these may enter.

        :raises Busy: the database can't be reached; the route would wait for it once more.
        """
        now = self._clock()
        try:
            key = self._doorkeeper.api_key(environ, now=now)
        except Busy:
            raise
        except JayError:
            return None
        if key.partner is None:
            return None
        try:
            user = self._doorkeeper.user(environ, key.partner, now=now)
        except Busy:
            raise
        except JayError as error:
            environ[REFUSED] = error  # for the route, which tells it and counts it
            return None
        return (key.prefix, key.partner, user) if user.user_id == user_id else None

    def _read(self, user: User) -> Basket:
        with self._database.reading() as connection:
            return service.read(connection, user, now=self._clock())

    def _assigning(self, environ: dict[str, Any], product_id: str, count: int) -> Work:
        def assign(user: User) -> Basket:
            context = service.Context(self._clock(), None, tracking.sent(environ))
            return self._database.write(
                service.assign, user, product_id, count=count, context=context
            )

        return assign


def _plain_count(environ: dict[str, Any]) -> int | None:
    """Return the count of a body that holds nothing else; the route can still read the body."""
    length: str = environ.get("CONTENT_LENGTH") or ""
    if environ.get("CONTENT_TYPE") != "application/json" or not length.isdecimal():
        return None
    if int(length) > _LONGEST_COUNT:
        return None
    body: bytes = environ["wsgi.input"].read(int(length))
    environ["wsgi.input"] = io.BytesIO(body)
    found = _COUNT.fullmatch(body)
    count = None if found is None else int(found[1])
    return count if count is not None and count <= MAX_COUNT else None
