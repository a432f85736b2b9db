"""The state of a transfer for TVs that poll, answered before Flask makes a request of it.

Each TV asks every second and a half, and a poll is one look-up: what Flask does around it costs
several times as much. So the plain ones are answered here, in the same words as by the route
``get_status``, see ``jay.web.early``. Whatever is not plain goes on to it: a question from another
origin, for a version, or for what no display token looks like.
"""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from flask import Flask

from jay.clock import Clock
from jay.db.database import Database
from jay.transfers import service
from jay.transfers.models import (
    POLL_SECONDS,
    PURCHASE_POLL_SECONDS,
    PurchaseState,
    Transfer,
    TransferState,
)
from jay.web import responses
from jay.web.early import Early, Environ, Success
from jay.web.rates import POLLS, Tally
from jay.web.versions import BASKET_API

ROUTE = f"{BASKET_API.prefix}/transfers/<displayToken>/status"
_BEFORE, _AFTER = ROUTE.split("<displayToken>")
_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,100}")


def status_of(transfer: Transfer, now: datetime) -> dict[str, Any]:
    """Write the state as ``StatusSchema`` has it."""
    state = transfer.state(now)
    if state is TransferState.CLAIMED:
        return {
            "state": state,
            "secondsLeft": 0,
            "pollSeconds": PURCHASE_POLL_SECONDS,
            "purchase": transfer.purchase or PurchaseState.NONE,
        }
    return {
        "state": state,
        "secondsLeft": transfer.seconds_left(now),
        "pollSeconds": POLL_SECONDS,
    }


class PlainPolls:
    """WSGI middleware that answers the plain polls."""

    def __init__(self, app: Flask, database: Database, clock: Clock) -> None:
        self._early = Early(app, BASKET_API)
        self._database = database
        self._clock = clock

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        """Answer a plain poll; hand everything else on."""
        path: str = environ["PATH_INFO"]
        if (
            environ["REQUEST_METHOD"] == "GET"
            and path.startswith(_BEFORE)
            and path.endswith(_AFTER)
            and self._early.is_plain(environ)
            and _TOKEN.fullmatch(display_token := path[len(_BEFORE) : -len(_AFTER)])
        ):
            return self._early.answer(environ, start_response, ROUTE, self._status, display_token)
        return self._early.app(environ, start_response)

    def _status(self, _environ: Environ, tally: Tally, display_token: str) -> Success:
        tally.take(POLLS, display_token)
        now = self._clock()
        with self._database.reading() as connection:
            transfer = service.find_by_display(connection, display_token, now=now)
        return Success(responses.envelope(status_of(transfer, now)))
