"""``flask partner``: streaming platforms."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import orjson
from joserfc.jwk import Key

from jay import db, web
from jay.i18n import COUNTRIES
from jay.net.addresses import origin_of
from jay.partners import branding
from jay.partners import service as partners
from jay.partners.keys import UnusableKey, algorithms_for, pem_key, public_keys
from jay.partners.models import ALGORITHMS, HOME
from jay.web.commands import A_COUNTRY, Commands, known, name_of

partner_cli = Commands("partner", help="Streaming platforms, which use the Basket API.")


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
@click.argument("name", callback=name_of)
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
@click.option(
    "--country",
    default=HOME,
    show_default=True,
    callback=known(COUNTRIES, A_COUNTRY),
    help="Whose offers its kiosk shows, in every language: ISO 3166 code.",
)
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
        if partners.partner_id(connection, name) is not None:
            raise click.ClickException(f"There is already a partner {name!r}.")
        partners.add_partner(
            connection,
            name=name,
            now=web.now(),
            jwks=None if keys is None else {"keys": [key.as_dict(private=False) for key in keys]},
            jwks_url=jwks_url,
            algorithms=algorithms,
            **options,
        )
    _tell_of_colour(options["colour"])
    click.echo(f"Partner {name} added. Next: flask --app app key issue --partner {name}", err=True)


@partner_cli.command("change")
@click.argument("name", callback=name_of)
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
        partner = partners.partner_id(connection, name)
        if partner is None:
            raise click.ClickException(f"There is no partner {name!r}.")
        partners.change_branding(connection, partner, changes)
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
