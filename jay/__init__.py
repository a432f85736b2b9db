"""Jay Basket: the shopping basket for television."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import structlog
from flask import Flask, Response
from flask.cli import AppGroup
from sqlalchemy import inspect
from werkzeug.middleware.proxy_fix import ProxyFix

from jay import db, web
from jay.auth import cors, guards
from jay.auth import routes as auth_routes
from jay.auth.service import demo_keys_in_force
from jay.baskets import details, held_pages, plain
from jay.baskets import pages as basket_pages
from jay.baskets import routes as baskets_routes
from jay.checkout import flow as checkout_flow
from jay.checkout import pages as checkout_pages
from jay.checkout import psp_routes, stripe_pages
from jay.checkout import routes as checkout_routes
from jay.checkout.providers.interface import Provider
from jay.checkout.providers.stripe.provider import Stripe
from jay.checkout.sandbox import pages as sandbox_pages
from jay.checkout.sandbox.provider import Sandbox
from jay.checkout.sandbox.service import webhook_kind
from jay.clock import Clock, system_clock
from jay.config import ELEMENTS, ConfigError, Settings, open_to_others, settings_from
from jay.connectors import handing
from jay.db.causes import cause_of
from jay.db.database import Database
from jay.db.standby import Standby
from jay.errors import Busy
from jay.guests import plain as guests_plain
from jay.guests import routes as guests_routes
from jay.kiosk import pages as kiosk_pages
from jay.legal import guarantee, seller_pages
from jay.legal import pages as legal_pages
from jay.operators import pages as operator_pages
from jay.ops import demo_shop, docs, health, operator_mails, revision
from jay.orders import desk_pages, withdrawal_pages
from jay.orders import pages as order_pages
from jay.orders import routes as orders_routes
from jay.orders.mails import ShopperMails
from jay.orders.withdrawal_mails import acknowledgement
from jay.outbox import delivery, webhooks
from jay.partners import models as partner_models
from jay.partners import pages as partner_pages
from jay.pictures import pages as picture_pages
from jay.pictures import routes as picture_routes
from jay.pictures import showing as picture_showing
from jay.pictures.store import store_of
from jay.playouts import routes as playouts_routes
from jay.products import pages as catalogue_pages
from jay.products import routes as products_routes
from jay.transfers import pages as transfer_pages
from jay.transfers import polling, tv
from jay.transfers import routes as transfers_routes
from jay.web import information, logs, pages, rates, responses, seldom
from jay.web.openapi import Api
from jay.web.paths import EncodedSlashes
from jay.web.versions import BASKET_API, PRODUCT_API

BASKET_ROUTES = (
    information.of(BASKET_API),
    guests_routes.blp,
    baskets_routes.blp,
    checkout_routes.blp,
    transfers_routes.users,
    transfers_routes.screens,
)
PRODUCT_ROUTES = (
    information.of(PRODUCT_API),
    products_routes.blp,
    picture_routes.blp,
    orders_routes.blp,
    playouts_routes.blp,
)
PAGES = (
    transfer_pages.blp,
    tv.blp,
    basket_pages.blp,
    held_pages.blp,
    details.blp,
    kiosk_pages.blp,
    checkout_pages.blp,
    guarantee.blp,
    psp_routes.blp,
    partner_pages.blp,
    legal_pages.blp,
    order_pages.blp,
    withdrawal_pages.blp,
    seller_pages.blp,
    operator_pages.blp,
    catalogue_pages.blp,
    desk_pages.blp,
    picture_pages.blp,
    docs.blp,
    health.blp,
    auth_routes.blp,
)
EASILY_TYPED = 26
"""Characters of an address that a television still shows large, on one line."""

SHORTER = "a host name of 21 characters or fewer for JAY_PUBLIC_URL"

log = structlog.get_logger()
ROOT = Path(__file__).parent.parent


class _App(Flask):
    """Flask without coroutines: looking each view up for them costs time on every request."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        return func

    def send_static_file(self, filename: str) -> Response:
        """Serve a file of /static."""
        folder = Path(self.static_folder or "")
        return responses.file_answer(folder, filename, max_age=self.get_send_file_max_age(filename))


class _Commands(AppGroup):
    """The commands, which are loaded once one is asked for: a process that serves needs none."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        self._load()
        return super().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        self._load()
        return super().get_command(ctx, cmd_name)

    def _load(self) -> None:
        import_module("jay.ops.commands").add_to(self)


def create_app(config: Settings | None = None, *, clock: Clock = system_clock) -> Flask:
    """Build the application: the only place that knows every part.

    :param config: instead of what the environment says.
    :param clock: instead of the system's; for tests.
    :raises ConfigError: the environment can't be used; the message names every problem.
    """
    settings = config or settings_from()
    app = _App("jay", template_folder=str(ROOT / "templates"), static_folder=str(ROOT / "static"))
    app.cli = _Commands(app.name)
    database = Database(settings.database_url, pool_size=settings.threads)
    app.extensions["jay.settings"] = settings
    app.extensions["jay.clock"] = clock

    logs.configure()
    logs.init_app(app)
    db.init_app(app, database, _standby(settings))
    responses.init_app(app, render_page_error=pages.page_error)
    pages.init_app(app)
    picture_showing.init_app(app)
    guards.init_app(app, settings, database, clock)
    cors.init_app(app, clock)
    legal_pages.init_app(app, clock)
    withdrawal_pages.init_app(app)
    checkout_pages.init_app(app)
    rates.init_app(app, settings, clock)
    seldom.init_app(app, settings, clock)
    _set_up_payment(app, settings, database, clock)

    for api, routes, text in (
        (BASKET_API, BASKET_ROUTES, _BASKET_TEXT),
        (PRODUCT_API, PRODUCT_ROUTES, _PRODUCT_TEXT),
    ):
        documented = Api(app, api, description=text)
        for blueprint in routes:
            documented.register_blueprint(blueprint)
    psp_routes.init_app(app, order_pages.address_of)
    for pages_of_feature in PAGES:
        app.register_blueprint(pages_of_feature)
    if settings.demo:
        app.register_blueprint(demo_shop.blp)

    app.wsgi_app = polling.PlainPolls(app, database, clock)  # type: ignore[method-assign]
    app.wsgi_app = guests_plain.PlainGuests(app, database, clock)  # type: ignore[method-assign]
    app.wsgi_app = plain.PlainBaskets(app, database, clock)  # type: ignore[method-assign]
    app.wsgi_app = EncodedSlashes(app.wsgi_app)  # type: ignore[method-assign]
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops)  # type: ignore[method-assign]
    return app


def _standby(settings: Settings) -> Standby | None:
    if not settings.database_read_url:
        return None
    return Standby(Database(settings.database_read_url, pool_size=settings.threads))


def _set_up_payment(app: Flask, settings: Settings, database: Database, clock: Clock) -> None:
    """Give the app its payment service provider, and say what leaves the house."""
    called = settings.mail_from.display_name or settings.public_host
    messages = (
        *webhooks.KINDS,
        *handing.kinds(settings),
        *operator_mails.kinds(settings),
        acknowledgement(settings.public_url, called),
        *ShopperMails(settings.public_url, store_of(settings)).kinds,
    )
    if settings.psp == "sandbox":
        sandbox = Sandbox(database, clock, settings.secret_key, settings.public_url)
        checkout_flow.init_app(app, sandbox)
        app.register_blueprint(sandbox_pages.blp)
        delivery.init_app(app, (*messages, webhook_kind(settings.own_address)))
    else:
        checkout_flow.init_app(app, _provider(settings, clock))
        if settings.stripe is not None and settings.stripe.page == ELEMENTS:
            app.register_blueprint(stripe_pages.blp)
        delivery.init_app(app, messages)


def _provider(settings: Settings, clock: Clock) -> Provider | None:
    if settings.stripe is None:
        return None
    return Stripe(settings.stripe, clock, settings.secret_key, settings.public_url)


def make_ready(app: Flask) -> Flask:
    """Check what must be right before the first request, and make the guest keys if need be.

    :raises ConfigError: the database can't be reached, has an older schema, accepts the published
        demo keys outside of demo mode, or was written with another JAY_SECRET_KEY.
    """
    with app.app_context():
        try:
            _check_the_database()
        except Busy as error:
            cause = cause_of(error.__cause__) or "it is busy"
            raise ConfigError(f"Cannot start: the database can't be used: {cause}") from error
        found = open_to_others(web.settings().data_dir)
    settings = app.extensions["jay.settings"]
    if settings.mail_server is None and not settings.demo:
        log.warning("mails wait: there is no mail server", mend="set JAY_SMTP_URL, JAY_MAIL_FROM")
    address = f"{settings.public_host}/code"
    if len(address) > EASILY_TYPED:
        log.warning("people type a long address off the screen", address=address, mend=SHORTER)
    if found:
        log.warning("others can read the data directory", files=found, mend="chmod -R go= on it")
    return app


def _check_the_database() -> None:
    with db.reading() as connection:
        if not inspect(connection).has_table(partner_models.partners.name):
            raise ConfigError("Cannot start: no tables yet; run: flask --app app db upgrade")
    if revision.is_outdated(db.database()):
        raise ConfigError(f"Cannot start: {revision.OUTDATED}")
    if not web.settings().demo:
        with db.reading() as connection:
            prefixes = demo_keys_in_force(connection, now=web.now())
        if prefixes:
            commands = "; ".join(f"flask --app app key revoke {prefix}" for prefix in prefixes)
            raise ConfigError(
                "Cannot start: this database accepts the published demo keys."
                f" Set JAY_DEMO=1, or revoke them: {commands}"
            )
    guards.doorkeeper().tokens.guest_keys.key_set()


_BASKET_TEXT = """\
Shopping baskets for television: streaming platforms put products in, a phone or a web shop takes
the basket over within one minute.

Every request carries `X-API-Key`. Requests about a user's basket also carry
`Authorization: Bearer <JWT>`: one that the partner's identity provider signed, or the one that
`POST /v2/baskets/guests` gave. Times are ISO 8601 in UTC, amounts are integers in minor units.
Failures answer `{"error": {"code", "message", "details"}}`; the table is at `/docs/errors`.
"""

_PRODUCT_TEXT = """\
Merchants feed product descriptions, prices and stock.

Every request carries `X-API-Key`, which names the merchant. Amounts are integers in minor units,
tax included. Failures answer `{"error": {"code", "message", "details"}}`; the table is at
`/docs/errors`.
"""
