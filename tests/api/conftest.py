"""What API tests begin with: two platforms, two shops, and ways to look behind the answers."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import structlog
from flask import Flask
from flask.testing import FlaskClient
from joserfc.jwk import ECKey

from jay.web import responses
from tests.api.checks import Log
from tests.builders import Platform, Shop, User, add_platform, add_shop
from tests.clock import MovedClock
from tests.conftest import Apps
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
