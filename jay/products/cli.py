"""``flask products``: what editors want of merchants."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import wraps
from itertools import islice
from typing import Any, BinaryIO

import click
import marshmallow as ma

from jay import db, web
from jay.merchants import service as merchants
from jay.merchants.arguments import found_merchant
from jay.merchants.models import Merchant
from jay.outbox import delivery, webhooks
from jay.outbox import service as outbox
from jay.outbox.kinds import MessageKind
from jay.outbox.models import DELIVERED, FAILED, WAITING
from jay.outbox.webhooks import ADD_PRODUCT, UPDATE_PRODUCTS
from jay.products import bulk, schemas, wanted
from jay.products.fields import MAX_SKU
from jay.web.commands import Commands

products_cli = Commands("products", help="The catalogue.")

BATCH = 500
"""SKUs a transaction."""

EVERYTHING = "everything"
"""What a full refresh is about."""

_FIELDS = schemas.ProductSchema().fields


def _as_in_the_feed(
    _context: click.Context, parameter: click.Parameter, value: str | None
) -> str | None:
    """Let an option take what the feed takes."""
    try:
        return None if value is None else str(_FIELDS[str(parameter.name)].deserialize(value))
    except ma.ValidationError as error:
        raise click.BadParameter(" ".join(error.messages)) from error


@dataclass(frozen=True)
class _Named:
    """The SKUs that a command is about, in one language and country of a merchant."""

    merchant: Merchant
    lang: str
    country: str
    skus: Sequence[str]

    @property
    def locale(self) -> str:
        return f"{self.lang}-{self.country}"


def _about_skus(work: Callable[[_Named], None]) -> Callable[..., None]:
    """Let a command take a merchant, SKUs from its words or a file, and their locale."""

    @wraps(work)
    def command(
        *,
        merchant: str,
        skus: Sequence[str],
        file: BinaryIO | None,
        lang: str | None,
        country: str | None,
    ) -> None:
        chosen = _skus(skus, file)
        owner = _merchant(merchant)
        work(_Named(owner, lang or owner.lang, country or owner.country, chosen))

    merchant = click.argument("merchant")
    skus = click.argument("skus", nargs=-1, metavar="[SKU]...")
    file = click.option(
        "--file", type=click.File("rb"), help="A file with one SKU a line; - for stdin."
    )
    lang = click.option(
        "--lang", callback=_as_in_the_feed, help="ISO 639 code; else the merchant's own."
    )
    country = click.option(
        "--country", callback=_as_in_the_feed, help="ISO 3166 code; else the merchant's own."
    )
    return merchant(skus(file(lang(country(command)))))


def _sku(text: str) -> str:
    try:
        sku = str(_FIELDS["sku"].deserialize(text))
        sku.encode()
    except (ma.ValidationError, UnicodeEncodeError) as error:
        raise click.ClickException(
            f"{text!r} is no SKU: 1 to {MAX_SKU} characters, none of them invisible."
        ) from error
    return sku


def _skus(words: Sequence[str], file: BinaryIO | None) -> list[str]:
    try:
        lines = [] if file is None else file.read().decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise click.ClickException("The file is not UTF-8.") from error
    skus = [_sku(text) for text in [*words, *(line.strip() for line in lines)] if text]
    if not skus:
        raise click.UsageError("Give SKUs, or a file of them.")
    return list(dict.fromkeys(skus))


def _merchant(name: str) -> Merchant:
    with db.reading() as connection:
        return found_merchant(connection, name)


def _batches(skus: Iterable[str]) -> Iterator[list[str]]:
    remaining = iter(skus)
    while batch := list(islice(remaining, BATCH)):
        yield batch


@products_cli.command("want")
@_about_skus
def want(named: _Named) -> None:
    """Ask MERCHANT for each SKU that it has not sent yet.

    The merchant finds them in its SKU list, and its addProductWebhookUrl is told of each new one.
    A wish ends when the merchant sends the product.
    """
    new, deliveries = 0, list[int]()
    for batch in _batches(named.skus):
        with db.transaction() as connection:
            asked = wanted.want(
                connection, named.merchant, named.lang, named.country, batch, now=web.now()
            )
        for sku in asked.there:
            click.echo(f"{sku}: is there already", err=True)
        for sku in asked.before:
            click.echo(f"{sku}: was asked for before", err=True)
        new += len(asked.new)
        deliveries += asked.deliveries
    click.echo(f"{new} of {len(named.skus)} asked for in {named.locale}.")
    if new and not deliveries:
        click.echo(
            f"{named.merchant.name} has set no addProductWebhookUrl: it learns of them from its SKU"
            " list.",
            err=True,
        )
    _tell(named.merchant, ADD_PRODUCT, deliveries)


@products_cli.command("wanted")
@click.argument("merchant")
def list_wanted(merchant: str) -> None:
    """List what was asked of MERCHANT and has not been sent yet."""
    owner = _merchant(merchant)
    with db.reading() as connection:
        rows = wanted.open_wishes(connection, owner)
    click.echo(f"{'SINCE (UTC)':<18}LOCALE  SKU")
    for row in rows:
        click.echo(f"{row.wanted:%Y-%m-%d %H:%M}  {row.lang}-{row.country}   {row.sku}")


@products_cli.command("unwant")
@_about_skus
def unwant(named: _Named) -> None:
    """Ask MERCHANT no longer for each SKU.

    Webhooks about them that have not arrived yet are taken back.
    """
    gone = 0
    for batch in _batches(named.skus):
        with db.transaction() as connection:
            taken_back = wanted.unwant(connection, named.merchant, named.lang, named.country, batch)
        for sku in sorted(set(batch) - set(taken_back)):
            click.echo(f"{sku}: was not asked for", err=True)
        gone += len(taken_back)
    click.echo(f"{gone} of {len(named.skus)} taken back in {named.locale}.")


@products_cli.command("remove")
@_about_skus
def remove(named: _Named) -> None:
    """Take each SKU out of the catalogue of MERCHANT: a product with its variants, or one variant.

    Baskets keep it, as no longer sold. When the merchant sends it again, it is back.
    """
    gone = 0
    for batch in _batches(named.skus):
        with db.transaction() as connection:
            for sku in batch:
                if (
                    bulk.remove(
                        connection, named.merchant, named.lang, named.country, sku, now=web.now()
                    )
                    is None
                ):
                    click.echo(f"{sku}: is not there", err=True)
                else:
                    gone += 1
    click.echo(f"{gone} of {len(named.skus)} removed in {named.locale}.")


@products_cli.command("refresh")
@click.argument("merchant")
def refresh(merchant: str) -> None:
    """Ask MERCHANT to send all its products anew, through its updateProductsWebhookUrl."""
    owner = _merchant(merchant)
    with db.transaction() as connection:
        if webhooks.is_waiting(connection, owner.id, UPDATE_PRODUCTS, EVERYTHING):
            raise click.ClickException(
                f"{merchant} has not answered the last one yet: see flask --app app webhooks list"
            )
        bodies = {EVERYTHING: None}
        now = web.now()
        deliveries = webhooks.enqueue(connection, owner.id, UPDATE_PRODUCTS, bodies, now=now)
    if not deliveries:
        raise click.ClickException(f"{merchant} has set no updateProductsWebhookUrl.")
    _tell(owner, UPDATE_PRODUCTS, deliveries)


def _tell(merchant: Merchant, kind: MessageKind, deliveries: Sequence[int]) -> None:
    """Send webhooks at once, as far as that goes, and say in one line what has become of them."""
    if not deliveries:
        return
    with db.reading() as connection:
        if not merchants.has_webhook_token(connection, merchant.id):
            click.echo(
                f"{merchant.name} has no webhook token, so they go without X-API-Key;"
                f" set one: flask --app app merchant webhook-token {merchant.name}",
                err=True,
            )
    delivery.deliverer().try_at_once(webhooks.lane_of(merchant.id, kind))
    rows: list[Any] = []
    for start in range(0, len(deliveries), BATCH):
        with db.reading() as connection:
            rows += outbox.states_of(connection, deliveries[start : start + BATCH])
    states = Counter(row.state for row in rows)
    reason = next((f" ({row.reason})" for row in rows if row.reason), "")
    said = f"Webhooks: {states[DELIVERED]} delivered"
    if states[FAILED]:
        said += f", {states[FAILED]} given up"
    if states[WAITING]:
        said += f", {states[WAITING]} left to: flask --app app webhooks deliver"
    click.echo(said + reason)
