"""What tests of Stripe have in common: keys, settings, and the webhooks of the stand-in."""

import json
from typing import Any

from flask import Flask
from stripe import WebhookSignature
from werkzeug.test import TestResponse

from jay import db
from jay.checkout import reconciling, sessions
from jay.checkout.models import Session, SessionState
from jay.config import StripeKeys, StripeSettings
from tests.builders import User
from tests.clock import MovedClock
from tests.stripe_api import Json, StripeApi

TEST = StripeKeys("sk_test_jay", "pk_test_jay", ("whsec_test", "whsec_test_new"))
LIVE = StripeKeys("sk_live_jay", "pk_live_jay", ("whsec_live",))


def settings(api: StripeApi, page: str = "elements") -> StripeSettings:
    """Return what an installation sets that has both modes."""
    return StripeSettings(page, LIVE, TEST, address=api.url)


def signed(event: Json | str, clock: MovedClock, secret: str | None = None) -> tuple[str, str]:
    """Return a webhook's body and the header that Stripe signs it with."""
    body = event if isinstance(event, str) else json.dumps(event)
    live = isinstance(event, dict) and event["livemode"]
    secret = secret or (LIVE if live else TEST).webhooks[0]
    at = int(clock().timestamp())
    return body, WebhookSignature.generate_signature_header(body, secret, timestamp=at)


class Till:
    """A shopper's way through a checkout at Stripe, and what the worker does meanwhile."""

    def __init__(self, app: Flask, api: StripeApi) -> None:
        self.app, self.api = app, api
        self.client = app.test_client()
        self.told = 0

    def start(self, user: User, *, test: bool = True, **body: Any) -> Json:
        answer = self.ask(user, test=test, **body)
        assert answer.status_code == 200, answer.json
        data: Json = answer.json["data"]
        return data

    def ask(self, user: User, *, test: bool = True, **body: Any) -> TestResponse:
        path = f"/checkout/sessions?testMode={str(test).lower()}"
        return user.call("POST", path, json=body or None)

    def session(self, started: Json) -> Session:
        with self.app.app_context(), db.reading() as connection:
            found = sessions.find(connection, started["orderNo"])
        assert found is not None
        return found

    def intent(self, started: Json) -> str:
        """Return what the session was opened with at Stripe."""
        return str(self.session(started).intent_id)

    def state(self, started: Json) -> SessionState:
        return self.session(started).state

    def come_back(self, started: Json) -> TestResponse:
        return self.client.get(f"/checkout/return/{started['orderNo']}")

    def tell(self, event: Json | str, secret: str | None = None) -> TestResponse:
        body, header = signed(event, self.api.clock, secret)
        return self.client.post(
            "/psp/stripe/webhook", data=body, headers={"Stripe-Signature": header}
        )

    def hear(self) -> None:
        """Deliver all webhooks that have not been yet, the newest first, each twice; and work."""
        while self.told < len(self.api.events):
            new, self.told = self.api.events[self.told :], len(self.api.events)
            for event in reversed([*new, *new]):
                assert self.tell(event).status_code == 200
            self.work()

    def work(self) -> None:
        with self.app.app_context():
            while reconciling.once():
                pass

    def money(self, started: Json) -> tuple[str, int, int]:
        """Return a payment's status, what has moved, and what has gone back."""
        payment = self.api.payment_of(self.intent(started))
        charge = self.api.objects.get(payment["latest_charge"] or "", {"amount_refunded": 0})
        return payment["status"], payment["amount_received"], charge["amount_refunded"]
