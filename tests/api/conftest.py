"""What API tests begin with: two platforms, two shops, and ways to look behind the answers."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import structlog
from flask import Flask
from flask.testing import FlaskClient
from joserfc.jwk import ECKey
from sqlalchemy import update

from jay import db
from jay.connectors.webhook.connector import WEBHOOK
from jay.merchants import service as merchants
from jay.merchants.models import OrderSecret
from jay.merchants.models import merchants as merchants_table
from jay.net.addresses import LOOPBACK
from jay.net.client import Client
from jay.outbox.delivery import Deliverer, transports_of
from jay.web import responses
from tests.api.buying import Till
from tests.api.checks import Log
from tests.api.desk import Desk
from tests.builders import Platform, Shop, User, add_platform, add_shop
from tests.clock import MovedClock
from tests.conftest import SECRET, Apps
from tests.post_office import post_office
from tests.receiver import KEY, Receiver, receiving
from tests.stripe_api import StripeApi, serving

# The same key id as the platform's: a key id alone must never be what decides.
RIVAL_KEY_PAIR = ECKey.generate_key("P-256", {"kid": "partner-key-1"})


@pytest.fixture
def platform(app: Flask, client: FlaskClient) -> Platform:
    """A streaming platform."""
    return add_platform(app, client)


@pytest.fixture
def rival(app: Flask, client: FlaskClient) -> Platform:
    """Another streaming platform, with an identity provider of its own."""
    added = add_platform(app, client, "rival", public_key=RIVAL_KEY_PAIR)
    return replace(added, signing_key=RIVAL_KEY_PAIR)


@pytest.fixture
def shop(app: Flask, client: FlaskClient) -> Shop:
    """A merchant."""
    return add_shop(app, client)


@pytest.fixture
def other_shop(app: Flask, client: FlaskClient) -> Shop:
    """Another merchant."""
    return add_shop(app, client, "bookshop")


@pytest.fixture
def alice(platform: Platform) -> User:
    """A user of the platform."""
    return platform.user("alice")


@pytest.fixture
def twin(app: Flask, apps: Apps, database_url: str) -> Flask:
    """The same service in another process: the same database, caches and connections of its own."""
    return apps.on(database_url, "twin")


@pytest.fixture
def log(twin: Flask, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Log:
    """What ``twin`` writes to its log; a logger holds on to the stream that it first wrote to."""
    monkeypatch.setattr(responses, "log", structlog.get_logger())
    capsys.readouterr()
    return Log(capsys)


@pytest.fixture(scope="session")
def _stripe_api(clock: MovedClock) -> Iterator[StripeApi]:
    with serving(StripeApi(clock)) as api:
        yield api


@pytest.fixture
def stripe_api(_stripe_api: StripeApi) -> StripeApi:
    """The stand-in for Stripe, with nothing in it."""
    _stripe_api.empty()
    return _stripe_api


@pytest.fixture
def receiver(app: Flask, shop: Shop) -> Iterator[Receiver]:
    """The server of the merchant, who has a secret to verify with."""
    with receiving() as made:
        with app.app_context(), db.transaction() as connection:
            owner = merchants.merchant_id(connection, shop.name)
            assert owner is not None
            merchants.keep_order_secrets(connection, owner, [OrderSecret(KEY)], secret=SECRET)
            connection.execute(update(merchants_table).values(order_webhook_url=made.url))
        yield made


@pytest.fixture
def deliverer(app: Flask, clock: MovedClock) -> Deliverer:
    on_loopback = replace(app.extensions["jay.settings"], outbound_allow=LOOPBACK)
    with app.app_context():
        return Deliverer(
            db.database(),
            transports_of(Client(LOOPBACK)),
            {kind.name: kind for kind in WEBHOOK.kinds(on_loopback)},
            clock=clock,
            secret=SECRET,
        )


@pytest.fixture
def till(app: Flask, client: FlaskClient, clock: MovedClock) -> Till:
    return Till(app, client, clock)


@pytest.fixture
def desk(app: Flask, client: FlaskClient, clock: MovedClock) -> Iterator[Desk]:
    with post_office() as office:
        yield Desk(app, Till(app, client, clock), office, clock)
