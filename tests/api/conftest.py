"""What API tests begin with: two platforms, two shops, and ways to look behind the answers."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import structlog
from flask import Flask
from flask.testing import FlaskClient
from joserfc.jwk import ECKey

from jay import create_app
from jay.web import responses
from tests.api.checks import Log
from tests.builders import Platform, Shop, User, add_platform, add_shop
from tests.clock import MovedClock
from tests.conftest import settings

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
def twin(app: Flask, database_url: str, clock: MovedClock, tmp_path: Path) -> Iterator[Flask]:
    """The same service in another process: the same database, caches and loggers of its own."""
    made = create_app(settings(database_url, tmp_path), clock=clock)
    yield made
    made.extensions["jay.db"].dispose()


@pytest.fixture
def log(twin: Flask, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Log:
    """What ``twin`` writes to its log; a logger holds on to the stream that it first wrote to."""
    monkeypatch.setattr(responses, "log", structlog.get_logger())
    capsys.readouterr()
    return Log(capsys)
