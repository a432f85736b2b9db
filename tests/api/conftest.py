"""What API tests begin with: one platform, one shop."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.builders import Platform, Shop, User, add_platform, add_shop


@pytest.fixture
def platform(app: Flask, client: FlaskClient) -> Platform:
    """A streaming platform."""
    return add_platform(app, client)


@pytest.fixture
def shop(app: Flask, client: FlaskClient) -> Shop:
    """A merchant."""
    return add_shop(app, client)


@pytest.fixture
def alice(platform: Platform) -> User:
    """A user of the platform."""
    return platform.user("alice")
