"""Alembic's entry: brings a database to the schema of the newest revision."""

from alembic import context
from sqlalchemy import text

from jay.auth import models as auth
from jay.baskets import models as baskets
from jay.checkout.comfort import comfort_settings
from jay.checkout.contacts import contacts
from jay.checkout.models import checkout_sessions
from jay.checkout.notices import psp_notices
from jay.checkout.sandbox.models import sandbox_intents, sandbox_refunds
from jay.connectors.handed import handed_parts
from jay.db.database import Database
from jay.db.readiness import readiness
from jay.db.types import metadata
from jay.events import events
from jay.feeds import models as feeds
from jay.legal.models import legal_texts
from jay.merchants import models as merchants
from jay.merchants.connectors import merchant_connectors
from jay.operators import models as operator_models
from jay.orders.withdrawals import withdrawals
from jay.outbox import models as outbox
from jay.partners import models as partners
from jay.pictures import models as pictures
from jay.products import models as products
from jay.products.prices import price_history
from jay.products.wanted import wanted_skus
from jay.transfers import models as transfers
from jay.web.limits import tries
from jay.web.stored_answers import idempotency_keys

# Importing them has told the metadata about their tables.
TABLES = (
    merchants.merchants,
    merchant_connectors,
    handed_parts,
    partners.partners,
    baskets.baskets,
    comfort_settings,
    checkout_sessions,
    contacts,
    psp_notices,
    sandbox_intents,
    sandbox_refunds,
    events,
    idempotency_keys,
    legal_texts,
    price_history,
    auth.api_keys,
    operator_models.operators,
    feeds.product_imports,
    feeds.feed_pulls,
    products.products,
    pictures.pictures,
    pictures.picture_sources,
    pictures.picture_uses,
    pictures.picture_hosts,
    pictures.picture_sweeps,
    readiness,
    transfers.transfers,
    tries,
    wanted_skus,
    withdrawals,
    outbox.outbox,
    outbox.outbox_addresses,
)

_ONE_AT_A_TIME = 0x6A6179  # any number; all our processes use this one


def run() -> None:
    """Upgrade or downgrade, one process at a time, all or nothing."""
    database = Database(context.config.attributes["url"])
    try:
        with database.transaction() as connection:
            if connection.dialect.name == "postgresql":
                # Waiting for another process, or changing a large table, takes its time.
                connection.execute(text("SET LOCAL lock_timeout = 0"))
                connection.execute(text("SET LOCAL statement_timeout = 0"))
                connection.execute(text(f"SELECT pg_advisory_xact_lock({_ONE_AT_A_TIME})"))
            context.configure(
                connection=connection,
                target_metadata=metadata,
                render_as_batch=connection.dialect.name == "sqlite",
                compare_server_default=False,
            )
            context.run_migrations()
    finally:
        database.dispose()


run()
