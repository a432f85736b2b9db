"""``flask merchant connect``, ``disconnect``, ``connection``: how orders reach a merchant."""

import sys
from collections.abc import Iterable, Mapping

import click
from flask.cli import with_appcontext

from jay import db, web
from jay.connectors import handed, handing
from jay.connectors.calling import Calls
from jay.connectors.connector import Asked
from jay.connectors.handing import CONNECTORS, SHOPS, LeftBehind
from jay.connectors.interface import UNKNOWN_FORM, Problem
from jay.merchants import connectors
from jay.merchants.arguments import found_merchant
from jay.net.client import Client
from jay.orders import service as orders
from jay.sealing import WrongKey
from jay.web.commands import told_rows

MOST = 200
"""So many parts with doubts are shown, the newest; ``orders list --attention`` shows all."""


@click.command("connect")
@click.argument("merchant")
@click.argument("kind", metavar="KIND", type=click.Choice([one.name for one in CONNECTORS]))
@click.option(
    "--address",
    default="",
    help="Of the shop: https://NAME.myshopify.com, or of the WordPress site; of the merchant's"
    " server, or mailbox.",
)
@click.option("--token", is_flag=True, help="Shopify: ask for the token of a custom app instead.")
@click.option("--unchecked", is_flag=True, help="Don't ask the shop whether it works.")
@with_appcontext
def connect(merchant: str, kind: str, address: str, *, token: bool, unchecked: bool) -> None:
    """Let the orders of MERCHANT go by KIND from now on.

    KIND is shopify or woocommerce, where they are put into its shop; webhook, mail; or pull, where
    the merchant asks for them. Credentials of a shop are asked for, or read from standard input,
    one a line: never give secrets as arguments, which other people on the machine can see. They are
    stored sealed. The shop is asked whether it can be reached and allows what is needed.

    What another way has not tried to deliver goes by this one. What it has may have arrived: that
    is told, and what becomes of it.
    """
    settings, way = web.settings(), next(one for one in CONNECTORS if one.name == kind)
    try:
        url = way.address_of(address, settings)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--address") from error
    if token and not way.token:
        raise click.UsageError(f"{kind} has no tokens.")
    with db.reading() as connection:
        owner = found_merchant(connection, merchant)
    credentials = _asked(way.token if token else way.asked)
    if kind in SHOPS and not unchecked:
        _check(kind, url, credentials)
    with db.transaction() as connection:
        way.connect(
            connection, owner.id, url, credentials, secret=settings.secret_key, now=web.now()
        )
        left = handing.left_behind(connection, owner.id)
    where = f", to {url}" if url else ""
    click.echo(f"Orders of {merchant} go by {kind} from now on{where}.", err=True)
    _tell_of_others([one for one in left if one.way != kind])


def _tell_of_others(left: Iterable[LeftBehind]) -> None:
    """Say what has not been delivered by other ways, and what becomes of it."""
    for one in left:
        if one.end is None:
            click.echo(f"{_parts(one.parts)} still on the way by {one.way}.", err=True)
            continue
        if one.follow:
            told = f"{_parts(one.follow)} not sent by {one.way} yet, and will go by {one.by}."
            click.echo(told, err=True)
        if tried := one.parts - one.follow:
            told = f"{_parts(tried)} not delivered by {one.way}, which has ended: {one.end}."
            by = one.by and f" It may have arrived; orders retry sends what has not by {one.by}."
            asked = " What is parked can be asked for all the same: GET /v1/shops/orders."
            click.echo(f"{told}{by}{asked}", err=True)


def _parts(count: int) -> str:
    return "1 earlier part is" if count == 1 else f"{count} earlier parts are"


def _asked(names: Asked) -> dict[str, str]:
    found = {}
    for name, words in names:
        if sys.stdin.isatty():
            value = str(click.prompt(words, hide_input=True))
        else:
            value = sys.stdin.buffer.readline().decode("ascii", "replace").strip()
        if not value or not value.isascii() or not value.isprintable():
            raise click.ClickException(f"{words} is empty, or is none.")
        found[name] = value
    return found


def _check(kind: str, url: str, credentials: Mapping[str, str]) -> str:
    try:
        return SHOPS[kind].make(url, credentials, Calls(Client(web.settings().reachable))).check()
    except Problem as problem:
        raise click.ClickException(f"The shop can't be used: {problem.failure}.") from problem
    except UNKNOWN_FORM as error:
        raise click.ClickException("The shop answers in an unknown form.") from error


@click.command("disconnect")
@click.argument("merchant")
@with_appcontext
def disconnect(merchant: str) -> None:
    """Put no more orders into the shop of MERCHANT; the credentials are deleted.

    Orders then go by webhook or by mail, also those that the shop was not asked to take yet; where
    the merchant has neither, they wait to be asked for, and what waits for the shop waits until it
    is connected again, and is given up after four days.
    """
    with db.transaction() as connection:
        owner = found_merchant(connection, merchant)
        gone = connectors.disconnect(connection, owner.id)
        left = handing.left_behind(connection, owner.id)
    if not gone:
        raise click.ClickException(f"{merchant} has no shop connected.")
    click.echo(f"The shop of {merchant} is disconnected.", err=True)
    _tell_of_others([one for one in left if one.way in SHOPS])


@click.command("connection")
@click.argument("merchant")
@click.option("--check", is_flag=True, help="Ask the shop whether it works.")
@with_appcontext
def show_connection(merchant: str, *, check: bool) -> None:
    """Show the shop that the orders of MERCHANT are put into, and what went wrong there."""
    settings = web.settings()
    with db.reading() as connection:
        owner = found_merchant(connection, merchant)
        try:
            shop = connectors.shop_of(connection, owner.id, secret=settings.secret_key)
        except WrongKey as error:
            raise click.ClickException(
                "Its credentials were sealed with another JAY_SECRET_KEY: connect it again."
            ) from error
        wrong = handed.problems(connection, owner.id)
        looked_at, _ = orders.list_parts(connection, merchant=owner, attention=True, most=MOST)
    if shop is None:
        raise click.ClickException(f"{merchant} has no shop connected.")
    if check and shop.kind not in SHOPS:
        raise click.ClickException(f"Shops of {shop.kind} are known to a later version alone.")
    works = _check(shop.kind, shop.address, shop.credentials) if check else None
    told_rows(
        {
            "kind": shop.kind,
            "address": shop.address,
            "connected": f"{shop.connected:%Y-%m-%d %H:%M} UTC",
            "answers as": works,
            "could not be noted": [f"{one.part_no}: {one.problem}" for one in wrong],
            "in doubt": [f"{one.part_no}: {doubt}" for one in looked_at for doubt in one.doubts],
        }
    )


COMMANDS = (connect, disconnect, show_connection)
