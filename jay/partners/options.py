"""The options that ``partner add`` and ``partner change`` share, and what they mean together."""

from collections.abc import Callable, Mapping
from functools import reduce
from pathlib import Path
from typing import Any

import click
import orjson
from joserfc.jwk import Key

from jay import web
from jay.i18n import COUNTRIES
from jay.net.addresses import app_origin_of, origin_of
from jay.partners import branding
from jay.partners.keys import UnusableKey, algorithms_for, pem_key, public_keys
from jay.partners.models import ALGORITHMS
from jay.web.commands import A_COUNTRY, known, some_text
from jay.web.rates import OF_PARTNERS

FETCHED = ("RS256", "ES256")
"""What is accepted of keys that are known only once they are fetched."""

_Command = Callable[..., Any]


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


def _app_origins(
    _context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]
) -> list[str]:
    origins = []
    for value in values:
        origin = app_origin_of(value)
        if origin is None:
            raise click.BadParameter(
                f"{value!r} is no origin of an app, such as https://tv.example, file://,"
                " capacitor://localhost or null"
            )
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


DEFAULT = "default"


def _limits(
    _context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]
) -> dict[str, int | None]:
    found: dict[str, int | None] = {}
    for value in values:
        name, _, number = value.partition("=")
        if name not in OF_PARTNERS:
            raise click.BadParameter(f"{name!r} is none of {', '.join(OF_PARTNERS)}")
        if number != DEFAULT and not (number.isascii() and number.isdigit() and int(number) > 0):
            raise click.BadParameter(f"{value!r} must end in a number above 0, or {DEFAULT}")
        found[name] = None if number == DEFAULT else int(number)
    return found


_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)

_OPTIONS = (
    click.option(
        "--display-name",
        callback=some_text,
        help="How the partner is called on pages; NAME to begin with.",
    ),
    click.option(
        "--colour",
        callback=_colour,
        metavar="#RRGGBB",
        help="Colour of buttons and of the glow on the TV; made darker where words on it"
        " could not be read.",
    ),
    click.option(
        "--logo",
        callback=_logo,
        type=_FILE,
        help="Picture next to the name: PNG, JPEG or WebP, at most 1 MiB. One that is wide is taken"
        " for the name itself and stands alone; one that can't be seen on white gets a dark"
        " ground, if it has a transparent one.",
    ),
    click.option("--issuer", callback=some_text, help='The "iss" that its tokens must have.'),
    click.option("--audience", callback=some_text, help='The "aud" that its tokens must name.'),
    click.option(
        "--public-key",
        type=_FILE,
        help="PEM file with the public key that verifies its tokens.",
    ),
    click.option("--jwks", type=_FILE, help="JSON file with its public keys as a JWK set."),
    click.option("--jwks-url", callback=_jwks_url, help="https address of its JWK set."),
    click.option(
        "--algorithm",
        "algorithms",
        multiple=True,
        type=click.Choice(ALGORITHMS),
        help="Signature algorithm to accept; may be given several times."
        f" Default: those that fit the keys; with --jwks-url {' and '.join(FETCHED)}.",
    ),
    click.option(
        "--transfer-origin",
        "transfer_origins",
        multiple=True,
        callback=_origins,
        metavar="URL",
        help="Web shop that may finish its baskets; may be given several times.",
    ),
    click.option(
        "--cors-origin",
        "cors_origins",
        multiple=True,
        callback=_app_origins,
        metavar="ORIGIN",
        help="App that may call the Basket API from a browser, and show the TV page in a frame:"
        " https://..., file://, dvb://..., capacitor://localhost, or null, which is what any page"
        " without an origin has; may be given several times.",
    ),
    click.option(
        "--limit",
        "limits",
        multiple=True,
        callback=_limits,
        metavar="NAME=NUMBER",
        help="How many requests a minute it may make, instead of what everybody may; NAME=default"
        f" goes back to that. NAME is one of {', '.join(OF_PARTNERS)}. May be given several times.",
    ),
)


TAKEN_AWAY = {
    "no_colour": ("colour", "Go back to this service's own colour."),
    "no_logo": ("logo", "Take the logo away."),
    "no_issuer": ("issuer", 'Take tokens with any "iss".'),
    "no_audience": ("audience", 'Take tokens with any "aud".'),
}
"""What can be absent again: the flag, what it is about, and its help."""


def absences(command: _Command) -> _Command:
    """Let a command take away what can be absent."""
    options = (
        click.option(f"--{flag.replace('_', '-')}", is_flag=True, help=text)
        for flag, (_what, text) in TAKEN_AWAY.items()
    )
    return _with(options, command)


def dropped_origins(command: _Command) -> _Command:
    """Let a command take origins away."""
    options = (
        click.option(
            f"--drop-{kind}-origin",
            f"drop_{kind}_origins",
            multiple=True,
            callback=_origins if kind == "transfer" else _app_origins,
            metavar="ORIGIN",
            help=f"Take an origin away that --{kind}-origin has given; may be given several times.",
        )
        for kind in ("transfer", "cors")
    )
    return _with(options, command)


def partner_options(command: _Command) -> _Command:
    """Let a command take what a partner is registered with, except for kiosk and country."""
    return _with(_OPTIONS, command)


def country_option(command: _Command, default: str | None = None) -> _Command:
    """Let a command take the country of a partner."""
    return click.option(
        "--country",
        default=default,
        show_default=default is not None,
        callback=known(COUNTRIES, A_COUNTRY),
        help="Whose offers its kiosk shows, in every language: ISO 3166 code.",
    )(command)


def _with(options: Any, command: _Command) -> _Command:
    return reduce(lambda made, option: option(made), reversed(tuple(options)), command)


def read_keys(
    public_key: Path | None, jwks: Path | None, jwks_url: str | None, algorithms: tuple[str, ...]
) -> Mapping[str, Any]:
    """Return what is stored of the keys that a command was given; nothing when it was given none.

    :raises click.ClickException: they can't be used, or don't fit the algorithms.
    """
    if sum(source is not None for source in (public_key, jwks, jwks_url)) > 1:
        raise click.UsageError("Give only one of --public-key, --jwks and --jwks-url.")
    if jwks_url is not None:
        if not (jwks_url.startswith("https://") or web.settings().demo):
            raise click.BadParameter("must be https", param_hint="--jwks-url")
        return {"jwks": None, "jwks_url": jwks_url, "algorithms": algorithms or FETCHED}
    keys = _keys_in(public_key, jwks)
    if keys is None:
        return {"algorithms": algorithms} if algorithms else {}
    return {
        "jwks": {"keys": [key.as_dict(private=False) for key in keys]},
        "jwks_url": None,
        "algorithms": fitting(algorithms, keys),
    }


def fitting(algorithms: tuple[str, ...], keys: list[Key]) -> tuple[str, ...]:
    """Return the algorithms that were chosen for these keys; all that fit when none was.

    :raises click.BadParameter: one of them fits no key.
    """
    fits = algorithms_for(keys)
    if unfit := [name for name in algorithms if name not in fits]:
        raise click.BadParameter(
            f"{', '.join(unfit)} fits none of the keys", param_hint="--algorithm"
        )
    return algorithms or tuple(fits)


def _keys_in(public_key: Path | None, jwks: Path | None) -> list[Key] | None:
    try:
        if public_key is not None:
            return [pem_key(public_key.read_bytes())]
        if jwks is not None:
            return public_keys(orjson.loads(jwks.read_bytes()))
    except (UnusableKey, orjson.JSONDecodeError) as error:
        raise click.ClickException(f"{public_key or jwks}: {error}.") from error
    return None
