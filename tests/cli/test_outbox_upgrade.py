"""The migration that lets the outbox hold what is no webhook."""

import json
from collections.abc import Iterator

import alembic.command
import pytest
from flask import Flask
from sqlalchemy import select

from jay import db
from jay.merchants.service import merchant_id
from jay.ops.cli import alembic_config
from jay.outbox import service, webhooks
from jay.outbox.models import outbox
from jay.outbox.webhooks import ADD_PRODUCT, lane_of
from tests.builders import add_shop
from tests.cli.conftest import Run, runner_of
from tests.clock import NOON
from tests.receiver import Receiver, receiving

BEFORE = "0011"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


def test_what_waited_before_goes_on_its_way(
    new_app: Flask, new_database_url: str, receiver: Receiver
) -> None:
    run: Run = runner_of(new_app)
    shop = add_shop(new_app, new_app.test_client())
    shop.call("PATCH", "/shops/config", json={"addProductWebhookUrl": receiver.url})
    with new_app.app_context(), db.transaction() as connection:
        merchant = merchant_id(connection, shop.name) or 0
        lane, kinds = lane_of(merchant, ADD_PRODUCT), {ADD_PRODUCT.name: ADD_PRODUCT}
        bodies = {subject: json.dumps(subject) for subject in ("taken", "waits")}
        webhooks.enqueue(connection, merchant, ADD_PRODUCT, bodies, now=NOON)
        service.take(connection, lane, kinds, secret="s", now=NOON)
    before = stored(new_app)
    assert len(before) == 2

    alembic.command.downgrade(alembic_config(new_database_url), BEFORE)
    assert run("db", "upgrade").exit_code == 0

    assert stored(new_app) == before
    with new_app.app_context(), db.transaction() as connection:
        new = webhooks.enqueue(connection, merchant, ADD_PRODUCT, {"new": '"new"'}, now=NOON)
    assert new > [row.id for row in before]
    assert run("webhooks", "deliver").stdout.startswith("2 delivered")
    assert sorted(receiver.bodies) == ["new", "waits"]


def stored(app: Flask) -> list[object]:
    with app.app_context(), db.reading() as connection:
        return list(connection.execute(select(outbox).order_by(outbox.c.id)).all())
