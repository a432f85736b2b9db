"""``flask partner``, ``flask merchant`` and ``flask key``: who may use the service."""

import re
import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import orjson
from joserfc.jwk import Key

from jay import db, web
from jay.auth import service
from jay.auth.guards import doorkeeper
from jay.auth.jwks import UnusableKey, algorithms_for, pem_key, public_keys
from jay.auth.models import ALGORITHMS, NAME_PATTERN, origin_of
from jay.auth.tokens import GUEST_TOKEN_LIFETIME
from jay.config import ConfigError
from jay.i18n import COUNTRIES, CURRENCIES, LANGUAGES
from jay.merchants.arguments import found_merchant
from jay.partners import branding
from jay.web.commands import A_COUNTRY, A_LANGUAGE, Commands, known

partner_cli = Commands("partner", help="Streaming platforms, which use the Basket API.")
merchant_cli = Commands("merchant", help="Shops, which use the Product Data API.")
key_cli = Commands("key", help="API keys of partners and merchants.")
guest_key_cli = Commands("guest-key", help="The key pairs that sign guest tokens.")


def _name(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if not NAME_PATTERN.fullmatch(value):
        raise click.BadParameter(
            "use 1 to 40 lower case letters, digits and hyphens; it appears in addresses"
        )
    return value


def _origins(
    _context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]
) -> list[str]:
    origins = []
    for value in values:
        origin = origin_of(value)
        if origin is None:
            raise click.BadParameter(f"{value!r} is not an http or https URL")
        origins.append(origin)
    return origins


def _jwks_url(
    _context: click.Context, _parameter: click.Parameter, value: str | None
) -> str | None:
    if value is not None and origin_of(value) is None:
        raise click.BadParameter("is not an http or https URL")
    return value


def _colour(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    if value is None:
        return None
    try:
        return branding.read_colour(value)
    except branding.UnusableColour as error:
        raise click.BadParameter(str(error)) from error


def _logo(
    _context: click.Context, _parameter: click.Parameter, value: Path | None
) -> branding.Logo | None:
    if value is None:
        return None
    if value.stat().st_size > branding.MAX_LOGO_BYTES:
        raise click.BadParameter(f"{value} is larger than 1 MiB")
    try:
        return branding.read_logo(value.read_bytes())
    except branding.UnusableLogo as error:
        raise click.BadParameter(f"{value} {error}") from error


def _look_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Let a command take a colour and a logo."""
    colour = click.option(
        "--colour",
        callback=_colour,
        metavar="#RRGGBB",
        help="Colour of buttons and of the glow on the TV; made darker where words on it"
        " could not be read.",
    )
    logo = click.option(
        "--logo",
        callback=_logo,
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Picture next to the name: PNG, JPEG or WebP, at most 1 MiB. It stands on white.",
    )
    return colour(logo(command))


def _tell_of_colour(colour: str | None) -> None:
    if colour is None:
        return
    palette = branding.palette_of(colour)
    if palette.accent != colour:
        click.echo(
            f"{colour} would be hard to read or to see as a button, so buttons are"
            f" {palette.accent}.",
            err=True,
        )


@partner_cli.command("add")
@click.argument("name", callback=_name)
@click.option("--display-name", help="How the partner is called on pages; else NAME.")
@_look_options
@click.option("--issuer", help='The "iss" that its tokens must have.')
@click.option("--audience", help='The "aud" that its tokens must name.')
@click.option(
    "--public-key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="PEM file with the public key that verifies its tokens.",
)
@click.option(
    "--jwks",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="JSON file with its public keys as a JWK set.",
)
@click.option("--jwks-url", callback=_jwks_url, help="https address of its JWK set.")
@click.option(
    "--algorithm",
    "algorithms",
    multiple=True,
    type=click.Choice(ALGORITHMS),
    help="Signature algorithm to accept; may be given several times."
    " Default: those that fit the keys; with --jwks-url RS256 and ES256.",
)
@click.option(
    "--transfer-origin",
    "transfer_origins",
    multiple=True,
    callback=_origins,
    metavar="URL",
    help="Web shop that may finish its baskets; may be given several times.",
)
@click.option(
    "--cors-origin",
    "cors_origins",
    multiple=True,
    callback=_origins,
    metavar="URL",
    help="Web app that may call the Basket API from a browser; may be given several times.",
)
@click.option("--kiosk", is_flag=True, help="Let people pick products at /kiosk/NAME.")
def add_partner(
    name: str,
    public_key: Path | None,
    jwks: Path | None,
    jwks_url: str | None,
    algorithms: tuple[str, ...],
    **options: Any,
) -> None:
    """Register the streaming platform NAME.

    Without keys it can only use guest baskets. With --public-key, --jwks or --jwks-url it can
    also send the tokens that its own identity provider signs.
    """
    if sum(source is not None for source in (public_key, jwks, jwks_url)) > 1:
        raise click.UsageError("Give only one of --public-key, --jwks and --jwks-url.")
    if jwks_url is not None and not (jwks_url.startswith("https://") or web.settings().demo):
        raise click.BadParameter("must be https", param_hint="--jwks-url")
    keys = _read_keys(public_key, jwks)
    if keys is not None:
        fitting = algorithms_for(keys)
        if unfit := [name for name in algorithms if name not in fitting]:
            raise click.BadParameter(
                f"{', '.join(unfit)} fits none of the keys", param_hint="--algorithm"
            )
        algorithms = algorithms or tuple(fitting)
    elif jwks_url is not None:
        algorithms = algorithms or ("RS256", "ES256")
    with db.transaction() as connection:
        if service.partner_id(connection, name) is not None:
            raise click.ClickException(f"There is already a partner {name!r}.")
        service.add_partner(
            connection,
            name=name,
            now=web.clock()(),
            jwks=None if keys is None else {"keys": [key.as_dict(private=False) for key in keys]},
            jwks_url=jwks_url,
            algorithms=algorithms,
            **options,
        )
    _tell_of_colour(options["colour"])
    click.echo(f"Partner {name} added. Next: flask --app app key issue --partner {name}", err=True)


@partner_cli.command("change")
@click.argument("name", callback=_name)
@click.option("--display-name", help="How the partner is called on pages.")
@_look_options
@click.option("--no-colour", is_flag=True, help="Go back to this service's own colour.")
@click.option("--no-logo", is_flag=True, help="Take the logo away.")
def change_partner(
    *,
    name: str,
    display_name: str | None,
    colour: str | None,
    logo: branding.Logo | None,
    no_colour: bool,
    no_logo: bool,
) -> None:
    """Change how the streaming platform NAME looks on pages.

    What is not given stays as it is.
    """
    if (colour and no_colour) or (logo and no_logo):
        raise click.UsageError("Give a new one or take the old one away, not both.")
    given = {"display_name": display_name, "colour": colour, "logo": logo}
    changes: dict[str, Any] = {key: value for key, value in given.items() if value}
    changes |= {"colour": None} if no_colour else {}
    changes |= {"logo": None} if no_logo else {}
    if not changes:
        raise click.UsageError("Say what to change; --help lists it.")
    with db.transaction() as connection:
        partner = service.partner_id(connection, name)
        if partner is None:
            raise click.ClickException(f"There is no partner {name!r}.")
        service.change_look(connection, partner, changes)
    _tell_of_colour(colour)
    click.echo(f"Partner {name} changed.", err=True)


def _read_keys(public_key: Path | None, jwks: Path | None) -> list[Key] | None:
    try:
        if public_key is not None:
            return [pem_key(public_key.read_bytes())]
        if jwks is not None:
            return public_keys(orjson.loads(jwks.read_bytes()))
    except (UnusableKey, orjson.JSONDecodeError) as error:
        raise click.ClickException(f"{public_key or jwks}: {error}.") from error
    return None


@merchant_cli.command("add")
@click.argument("name", callback=_name)
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
        if service.merchant_id(connection, name) is not None:
            raise click.ClickException(f"There is already a merchant {name!r}.")
        service.add_merchant(
            connection,
            name=name,
            lang=lang,
            country=country,
            currency=currency,
            now=web.clock()(),
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
        service.keep_webhook_token(connection, owner.id, token, secret=secret)
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


@key_cli.command("issue")
@click.option("--partner", help="Name of the partner: the key opens the Basket API.")
@click.option("--merchant", help="Name of the merchant: the key opens the Product Data API.")
def issue_key(partner: str | None, merchant: str | None) -> None:
    """Make an API key and print it, this once.

    Only its hash is kept: a lost key can't be shown again, only revoked and replaced.
    """
    if (partner is None) == (merchant is None):
        raise click.UsageError("Give either --partner NAME or --merchant NAME.")
    with db.transaction() as connection:
        if partner is not None:
            owner = {"partner": service.partner_id(connection, partner)}
        else:
            owner = {"merchant": service.merchant_id(connection, merchant or "")}
        if None in owner.values():
            raise click.ClickException(f"There is no {next(iter(owner))} {partner or merchant!r}.")
        key = service.issue_key(connection, now=web.clock()(), **owner)
    click.echo(key)  # only now: what is printed is in force


@key_cli.command("list")
def list_keys() -> None:
    """List all API keys by their prefix, with owner and state."""
    with db.reading() as connection:
        rows = service.list_keys(connection)
    click.echo(f"{'PREFIX':<14}{'OWNER':<33} {'ISSUED (UTC)':<19}STATE")
    for row in rows:
        owner = f"partner {row.partner}" if row.partner else f"merchant {row.merchant}"
        state = f"revoked {row.revoked:%Y-%m-%d %H:%M}" if row.revoked else "valid"
        click.echo(f"{row.prefix:<14}{owner:<33} {row.created:%Y-%m-%d %H:%M}   {state}")


@key_cli.command("revoke")
@click.argument("prefix")
def revoke_key(prefix: str) -> None:
    """Revoke the API key that begins with PREFIX, as `key list` shows it.

    It stops working within five seconds and can't be brought back.
    """
    with db.transaction() as connection:
        if not service.revoke_key(connection, prefix, now=web.clock()()):
            raise click.ClickException(f"There is no valid key with the prefix {prefix!r}.")
    click.echo(f"Key {prefix} revoked.", err=True)


@guest_key_cli.command("rotate")
def rotate_guest_key() -> None:
    """Make a new key pair for guest tokens.

    Every process signs with it within a minute. Tokens that the old one signed stay valid until
    they expire; `guest-key list` tells when an old key is of no more use.
    """
    try:
        with db.transaction() as connection:
            kid = doorkeeper().tokens.guest_keys.rotate(connection, now=web.clock()())
    except ConfigError as error:
        raise click.ClickException(str(error)) from error
    click.echo(kid)


@guest_key_cli.command("list")
def list_guest_keys() -> None:
    """List the key pairs that sign or verify guest tokens."""
    with db.reading() as connection:
        rows = service.list_guest_keys(connection)
    click.echo(f"{'KEY':<30}{'MADE (UTC)':<19}STATE")
    for row in rows:
        until = row.retired and row.retired + GUEST_TOKEN_LIFETIME
        state = f"verifies until {until:%Y-%m-%d %H:%M}" if until else "signs"
        click.echo(f"{row.kid:<30}{row.created:%Y-%m-%d %H:%M}   {state}")
