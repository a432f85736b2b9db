"""A new guest, made before Flask makes a request of it.

Televisions ask for one each time that somebody begins, and all that is done is one row: what Flask
does around it costs as much. So a plain request is answered here, in the same words as by the route
``create_guest``, see ``jay.web.early``. Whatever is not plain goes on to it: a transfer that is
taken over, an ``Idempotency-Key``, and a body that only the schema can judge.
"""

from collections.abc import Iterable
from typing import Any

import marshmallow as ma
from flask import Flask

from jay.auth.guards import Doorkeeper, budget_without_user
from jay.baskets.schemas import basket_view
from jay.clock import Clock
from jay.db.database import Database
from jay.guests import service
from jay.guests.routes import budgets_of
from jay.guests.schemas import GuestRequestSchema, guest_view
from jay.web import tracking
from jay.web.early import Early, Environ, Success, content_of, not_plain_of_proxies
from jay.web.plain import loader_of_schema
from jay.web.rates import Tally
from jay.web.responses import envelope
from jay.web.versions import BASKET_API

ROUTE = f"{BASKET_API.prefix}/baskets/guests"


class PlainGuests:
    """WSGI middleware that makes guests where that is plainly asked for."""

    def __init__(self, app: Flask, database: Database, clock: Clock) -> None:
        not_plain = ("HTTP_IDEMPOTENCY_KEY", *not_plain_of_proxies(app))
        self._early = Early(app, BASKET_API, *not_plain)
        self._doorkeeper: Doorkeeper = app.extensions["jay.auth"]
        self._load = loader_of_schema(GuestRequestSchema())
        self._database = database
        self._clock = clock

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        """Answer a plain request; hand everything else on."""
        if (
            environ["PATH_INFO"] == ROUTE
            and environ["REQUEST_METHOD"] == "POST"
            and not environ.get("QUERY_STRING")
            and self._early.is_plain(environ)
        ):
            return self._early.answer(environ, start_response, ROUTE, self._create)
        return self._early.app(environ, start_response)

    def _create(self, environ: Environ, tally: Tally) -> Success:
        now = self._clock()
        api_key, partner = self._doorkeeper.early_partner(environ, now=now)
        content = content_of(environ)
        lines = () if content is ma.missing else self._load(content).get("products", ())
        tally.limits = partner.limits
        tally.take(*budget_without_user(api_key))
        budgets = budgets_of(api_key, environ.get("REMOTE_ADDR"))
        tally.ask(budgets)
        tally.take_all(budgets)
        session = tracking.sent(environ)
        grant = self._database.write(service.start, partner, lines, now=now, tracking=session)
        token, expires = self._doorkeeper.tokens.issue(
            user_id=grant.user_id, partner=partner, now=grant.since, opens=grant.opens
        )
        view = guest_view(grant.user_id, token, expires, basket_view(grant.basket))
        return Success(envelope(view))
