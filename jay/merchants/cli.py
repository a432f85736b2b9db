"""``flask merchant``: shops."""

import base64
import re
import secrets
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import click

from jay import db, web
from jay.i18n import COUNTRIES, CURRENCIES, LANGUAGES
from jay.merchants import service as merchants
from jay.merchants.arguments import found_merchant
from jay.merchants.models import OrderSecret
from jay.sealing import WrongKey
from jay.web.commands import A_COUNTRY, A_LANGUAGE, Commands, known, name_of, some_text, told_rows

merchant_cli = Commands("merchant", help="Shops, which use the Product Data API.")


_CODES = {
    "lang": ("de", LANGUAGES, A_LANGUAGE, "ISO 639 code of two letters."),
    "country": ("DE", COUNTRIES, A_COUNTRY, "ISO 3166 code."),
    "currency": ("EUR", CURRENCIES, "ISO 4217 currency code, such as EUR", "ISO 4217 code."),
}
"""What holds for products that come without: the option, its default, and what it takes."""


def _codes(*, defaults: bool) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Let a command take language, country and currency."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for name, (default, values, what, text) in reversed(_CODES.items()):
            option = click.option(
                f"--{name}",
                default=default if defaults else None,
                show_default=defaults,
                callback=known(values, what),
                help=text,
            )
            command = option(command)
        return command

    return decorate


_display_name = click.option(
    "--display-name", callback=some_text, help="How people know the shop; NAME to begin with."
)


_fee_percent = click.option(
    "--fee-percent",
    type=click.FloatRange(0, 100),
    help="What the operator keeps of what is paid to the shop, from now on; else as agreed with"
    " the partner.",
)


@merchant_cli.command("add")
@click.argument("name", callback=name_of)
@_display_name
@_fee_percent
@_codes(defaults=True)
def add_merchant(name: str, **given: Any) -> None:
    """Register the shop NAME.

    Language, country and currency are those of products that come without.
    """
    with db.transaction() as connection:
        if merchants.merchant_id(connection, name) is not None:
            raise click.ClickException(f"There is already a merchant {name!r}.")
        merchants.add_merchant(connection, name=name, now=web.now(), **given)
    click.echo(
        f"Merchant {name} added. Next: flask --app app key issue --merchant {name}", err=True
    )


@merchant_cli.command("list")
def list_merchants() -> None:
    """List all merchants, with what holds for products that come without."""
    with db.reading() as connection:
        found = merchants.all_merchants(connection)
    click.echo(f"{'NAME':<41}{'LANG':<6}{'COUNTRY':<9}{'CURRENCY':<10}SHOWN AS")
    for one in found:
        click.echo(f"{one.name:<41}{one.lang:<6}{one.country:<9}{one.currency:<10}{one.shown_name}")


@merchant_cli.command("show")
@click.argument("name", callback=name_of)
def show_merchant(name: str) -> None:
    """Show all that is set up for the shop NAME.

    Of addresses only the host is told: they may hold a secret.
    """
    with db.reading() as connection:
        merchant = found_merchant(connection, name)
        stored = merchants.details(connection, merchant.id)
        feed = merchants.feed_of(connection, merchant.id)
    told_rows(
        {
            "name": merchant.name,
            "shown as": merchant.shown_name,
            "language": merchant.lang,
            "country": merchant.country,
            "currency": merchant.currency,
            "VAT": None if merchant.vat is None else f"{merchant.vat:g} %",
            "shipping": [
                f"{merchant.shipping_strategy} of the products' costs",
                *(", ".join(f"{k} {v}" for k, v in step.items()) for step in stored.shipping_scale),
            ],
            "asked for products at": _host(stored.add_product_webhook_url),
            "asked for updates at": _host(stored.update_products_webhook_url),
            "orders go to": _host(stored.order_webhook_url) or stored.order_email,
            "fee": None if stored.fee_percent is None else f"{stored.fee_percent:g} %",
            "webhook token": "set" if stored.webhook_token else None,
            "feed": f"{_host(feed.url)}, every {feed.every_minutes} minutes" if feed else None,
            "registered": f"{stored.created:%Y-%m-%d %H:%M} UTC",
            "API keys": f"flask --app app key list --merchant {name}",
        }
    )


@merchant_cli.command("change")
@click.argument("name", callback=name_of)
@_display_name
@_fee_percent
@_codes(defaults=False)
def change_merchant(name: str, **given: Any) -> None:
    """Change what the shop NAME was set up with; what is not given stays as it is.

    Language, country and currency are those of products that come without, from now on: products
    that are stored keep their ids, which name language and country. A currency holds for stored
    products without one, too.
    """
    changes = {field: value for field, value in given.items() if value is not None}
    if not changes:
        raise click.UsageError("Say what to change; --help lists it.")
    with db.transaction() as connection:
        merchant = found_merchant(connection, name).id
        currency = changes.pop("currency", None)
        if currency is not None:
            merchants.change_currency(connection, merchant, currency, now=web.now())
        if changes:
            merchants.change_merchant(connection, merchant, changes)
    click.echo(f"Merchant {name} changed.", err=True)


def _host(url: str | None) -> str | None:
    return url and urlsplit(url).netloc


@merchant_cli.command("webhook-token")
@click.argument("merchant")
@click.option("--generate", is_flag=True, help="Make a new one and show it, this once.")
@click.option("--remove", is_flag=True, help="Send webhooks without one.")
def webhook_token(merchant: str, *, generate: bool, remove: bool) -> None:
    """Set the token by which MERCHANT knows our webhooks.

    They carry it in X-API-Key. It is asked for, or read from standard input: never give secrets as
    arguments, which other people on the machine can see. It is stored sealed and never shown.
    """
    if generate and remove:
        raise click.UsageError("Give only one of --generate and --remove.")
    with db.reading() as connection:
        owner = found_merchant(connection, merchant)
    token = None
    if generate:
        token = secrets.token_urlsafe(32)
    elif not remove:
        token = _asked_token()
    with db.transaction() as connection:
        secret = web.settings().secret_key
        merchants.keep_webhook_token(connection, owner.id, token, secret=secret)
    if generate:
        click.echo(token)  # only now: what is printed is in force
    done = "removed: webhooks go without X-API-Key" if remove else "set"
    click.echo(f"Webhook token of {merchant} {done}.", err=True)


OVERLAP_HOURS = 24


@merchant_cli.command("webhook-secret")
@click.argument("merchant")
@click.option("--rotate", is_flag=True, help="Make another one, where there is one already.")
@click.option(
    "--overlap",
    "hours",
    default=OVERLAP_HOURS,
    show_default=True,
    type=click.IntRange(0, 24 * 30),
    help="Hours for which webhooks are signed with the older one, too.",
)
def webhook_secret(merchant: str, *, rotate: bool, hours: int) -> None:
    """Make the secret by which MERCHANT verifies our webhooks about orders, and show it, this once.

    They are signed as https://www.standardwebhooks.com says, so any of its libraries verifies
    them. With --rotate they carry two signatures for a while. It is stored sealed.
    """
    secret, now = web.settings().secret_key, web.now()
    made = OrderSecret("whsec_" + base64.b64encode(secrets.token_bytes(32)).decode())
    with db.transaction() as connection:
        owner = found_merchant(connection, merchant).id
        try:
            known = merchants.order_secrets(connection, owner, secret=secret)
        except WrongKey:
            known = []  # nobody can read them any more, so they sign nothing
        if known and not rotate:
            raise click.ClickException(f"{merchant} has one already; --rotate makes another one.")
        older = [OrderSecret(one.value, now + timedelta(hours=hours)) for one in known[:1]]
        merchants.keep_order_secrets(connection, owner, [made, *older], secret=secret)
    click.echo(made.value)  # only now: what is printed is in force
    if older:
        click.echo(f"The one before signs, too, for {hours} hours.", err=True)


def _asked_token() -> str:
    if sys.stdin.isatty():
        token = str(click.prompt("Token", hide_input=True))
    else:
        token = sys.stdin.buffer.readline().decode("ascii", "replace").strip()
    if not re.fullmatch(r"[!-~]{1,500}", token):
        raise click.ClickException("A token has 1 to 500 characters of ASCII and no white space.")
    return token
