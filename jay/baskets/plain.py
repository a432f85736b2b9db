"""Reading a basket, setting a product in it and the details of products, answered before Flask.

These are most of what partners ask for, and one or two statements each: what Flask does around them
costs more. So plain ones are answered here, in the same words as by the routes ``get_basket``,
``assign_product`` and ``product_details``, see ``jay.web.early``. Whatever is not plain goes on to
them: what has a condition or an ``Idempotency-Key``, ids with unusual characters, a body with more
than a count, or that only the schema can judge, and whoever may not enter.
"""

import re
from collections.abc import Iterable
from typing import Any

from flask import Flask

from jay.auth.guards import Doorkeeper, budgets_of
from jay.auth.models import User
from jay.baskets import service
from jay.baskets.models import MAX_COUNT, Basket
from jay.baskets.schemas import basket_view, details_answer, product_id_list
from jay.clock import Clock
from jay.db.database import Database
from jay.db.standby import Standby, lately
from jay.web import tracking
from jay.web.early import Early, Environ, Success, body_of, content_of, not_plain_of_proxies
from jay.web.paths import ENCODED_SLASH
from jay.web.plain import NotPlain, loader_of
from jay.web.rates import Tally
from jay.web.responses import envelope
from jay.web.versions import BASKET_API

_BASKET = f"{BASKET_API.prefix}/baskets/users/<userId>"
_PRODUCT = f"{_BASKET}/products/<path:productId>"
_BEFORE = _BASKET.removesuffix("<userId>")
_BETWEEN = "/products/"
_DETAILS = f"{BASKET_API.prefix}/baskets/products/details"

_NOT_PLAIN = ("HTTP_IF_NONE_MATCH", "HTTP_IF_MATCH", "HTTP_IDEMPOTENCY_KEY")

_BLANK = rb"[ \t\r\n]*"
_COUNT = re.compile(
    _BLANK.join((b"", rb"\{", b'"count"', b":", b"(-1|0|[1-9][0-9]{0,2})", rb"\}", b""))
)
_LONGEST_COUNT = 100
"""Bytes of a body that may be a plain one."""


class PlainBaskets:
    """WSGI middleware that answers the plain requests for a basket."""

    def __init__(self, app: Flask, database: Database, clock: Clock) -> None:
        self._early = Early(app, BASKET_API, *_NOT_PLAIN, *not_plain_of_proxies(app))
        self._doorkeeper: Doorkeeper = app.extensions["jay.auth"]
        self._load_ids = loader_of(product_id_list())
        self._database = database
        self._standby: Standby | None = app.extensions["jay.standby"]
        self._clock = clock

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
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
            method, answer = environ["REQUEST_METHOD"], self._early.answer
            if "/" in user_id:  # another route, or none
                return self._early.app(environ, start_response)
            user_id = user_id.replace(ENCODED_SLASH, "/")
            if method == "GET" and not between:
                return answer(environ, start_response, _BASKET, self._read, user_id)
            if method == "POST" and product_id and not product_id.startswith("/"):
                product_id = product_id.replace(ENCODED_SLASH, "/")
                return answer(environ, start_response, _PRODUCT, self._assign, user_id, product_id)
        elif (
            path == _DETAILS
            and environ["REQUEST_METHOD"] == "POST"
            and not environ.get("QUERY_STRING")
            and self._early.is_plain(environ)
        ):
            return self._early.answer(environ, start_response, _DETAILS, self._details)
        return self._early.app(environ, start_response)

    def _read(self, environ: Environ, tally: Tally, user_id: str) -> Success:
        user = self._admitted(environ, tally, user_id)
        with self._database.reading() as connection:
            return _told(service.read(connection, user, now=self._clock()))

    def _assign(self, environ: Environ, tally: Tally, user_id: str, product_id: str) -> Success:
        count = _plain_count(environ)
        user = self._admitted(environ, tally, user_id)
        context = service.Context(self._clock(), None, tracking.sent(environ))
        return _told(
            self._database.write(service.assign, user, product_id, count=count, context=context)
        )

    def _details(self, environ: Environ, tally: Tally) -> Success:
        product_ids = self._load_ids(content_of(environ))
        self._admitted(environ, tally)
        now = self._clock()
        with lately(self._database, self._standby, now=now) as connection:
            found = service.details(connection, product_ids, now=now)
        return Success(envelope(details_answer(found)))

    def _admitted(self, environ: Environ, tally: Tally, user_id: str | None = None) -> User:
        """Return the user, where these may enter; it counts for the user and for the API key.

        :param user_id: whose the basket is that is asked for.
        """
        now = self._clock()
        api_key, partner = self._doorkeeper.early_partner(environ, now=now)
        user = self._doorkeeper.early_user(environ, partner, now=now)
        if user_id is not None and user.user_id != user_id:
            raise NotPlain
        tally.limits = partner.limits
        tally.take_all(budgets_of(user, api_key))
        return user


def _told(basket: Basket) -> Success:
    return Success(envelope(basket_view(basket)), basket.etag)


def _plain_count(environ: Environ) -> int:
    """Return the count of a body that holds nothing else."""
    found = _COUNT.fullmatch(body_of(environ, most=_LONGEST_COUNT))
    if found is None or int(found[1]) > MAX_COUNT:
        raise NotPlain
    return int(found[1])
