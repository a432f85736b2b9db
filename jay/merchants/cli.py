"""``flask merchant``: shops."""

import re
import secrets
import sys

import click

from jay import db, web
from jay.i18n import COUNTRIES, CURRENCIES, LANGUAGES
from jay.merchants import service as merchants
from jay.merchants.arguments import found_merchant
from jay.web.commands import A_COUNTRY, A_LANGUAGE, Commands, known, name_of

merchant_cli = Commands("merchant", help="Shops, which use the Product Data API.")


@merchant_cli.command("add")
@click.argument("name", callback=name_of)
@click.option(
    "--lang",
    default="de",
    show_default=True,
    callback=known(LANGUAGES, A_LANGUAGE),
    help="ISO 639 code of two letters.",
)
@click.option(
    "--country",
    default="DE",
    show_default=True,
    callback=known(COUNTRIES, A_COUNTRY),
    help="ISO 3166 code.",
)
@click.option(
    "--currency",
    default="EUR",
    show_default=True,
    callback=known(CURRENCIES, "ISO 4217 currency code, such as EUR"),
    help="ISO 4217 code.",
)
def add_merchant(name: str, lang: str, country: str, currency: str) -> None:
    """Register the shop NAME.

    Language, country and currency are those of products that come without.
    """
    with db.transaction() as connection:
        if merchants.merchant_id(connection, name) is not None:
            raise click.ClickException(f"There is already a merchant {name!r}.")
        merchants.add_merchant(
            connection,
            name=name,
            lang=lang,
            country=country,
            currency=currency,
            now=web.now(),
        )
    click.echo(
        f"Merchant {name} added. Next: flask --app app key issue --merchant {name}", err=True
    )


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


def _asked_token() -> str:
    if sys.stdin.isatty():
        token = str(click.prompt("Token", hide_input=True))
    else:
        token = sys.stdin.buffer.readline().decode("ascii", "replace").strip()
    if not re.fullmatch(r"[!-~]{1,500}", token):
        raise click.ClickException("A token has 1 to 500 characters of ASCII and no white space.")
    return token
