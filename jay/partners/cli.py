"""``flask partner``: streaming platforms."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from joserfc.jwk import Key
from sqlalchemy import Connection

from jay import db, web
from jay.partners import branding, options
from jay.partners import service as partners
from jay.partners.keys import public_keys
from jay.partners.models import HOME, Partner
from jay.web.commands import Commands, name_of, told_rows

partner_cli = Commands("partner", help="Streaming platforms, which use the Basket API.")


@partner_cli.command("add")
@click.argument("name", callback=name_of)
@options.partner_options
@click.option("--kiosk", is_flag=True, help="Let people pick products at /kiosk/NAME.")
@click.option(
    "--test-payments", is_flag=True, help="Let all its checkouts be tests: no money moves."
)
@lambda command: options.country_option(command, default=HOME)
def add_partner(
    name: str,
    public_key: Path | None,
    jwks: Path | None,
    jwks_url: str | None,
    algorithms: tuple[str, ...],
    **given: Any,
) -> None:
    """Register the streaming platform NAME.

    Without keys it can only use guest baskets. With --public-key, --jwks or --jwks-url it can
    also send the tokens that its own identity provider signs.
    """
    keys = options.read_keys(public_key, jwks, jwks_url, algorithms)
    with db.transaction() as connection:
        if partners.partner_id(connection, name) is not None:
            raise click.ClickException(f"There is already a partner {name!r}.")
        given["limits"] = _limits_of({}, given["limits"])
        partners.add_partner(connection, name=name, now=web.now(), **keys, **given)
    _tell_of_colour(given["colour"])
    click.echo(f"Partner {name} added. Next: flask --app app key issue --partner {name}", err=True)


@partner_cli.command("list")
def list_partners() -> None:
    """List all partners, with how their tokens are verified."""
    with db.reading() as connection:
        found = partners.all_partners(connection)
    click.echo(f"{'NAME':<41}{'COUNTRY':<9}{'KIOSK':<7}{'TOKENS':<12}SHOWN AS")
    for partner in found:
        tokens = "JWKS URL" if partner.jwks_url else "own keys" if partner.jwks else "guests"
        kiosk = "yes" if partner.kiosk else "no"
        click.echo(
            f"{partner.name:<41}{partner.country:<9}{kiosk:<7}{tokens:<12}{partner.display_name}"
        )


@partner_cli.command("show")
@click.argument("name", callback=name_of)
def show_partner(name: str) -> None:
    """Show all that is set up for the streaming platform NAME."""
    with db.reading() as connection:
        partner = _found(connection, name)
    logo = f"{partner.logo['width']} x {partner.logo['height']}" if partner.logo else None
    told_rows(
        {
            "name": partner.name,
            "shown as": partner.display_name,
            "issuer": partner.issuer,
            "audience": partner.audience,
            "keys": partner.jwks_url or [_told(key) for key in _keys_of(partner)],
            "algorithms": list(partner.algorithms),
            "transfer origins": list(partner.transfer_origins),
            "CORS origins": list(partner.cors_origins),
            "kiosk": f"{web.settings().public_url}/kiosk/{name}" if partner.kiosk else None,
            "country": partner.country,
            "payments": "tests only" if partner.test_payments else "live, and tests where asked",
            "fee": f"{partner.fee_percent:g} %",
            "colour": partner.colour,
            "logo": logo,
            "limits": [f"{name}={most} a minute" for name, most in sorted(partner.limits.items())],
            "registered": f"{partner.created:%Y-%m-%d %H:%M} UTC" if partner.created else None,
            "legal texts": f"flask --app app legal list --partner {name}",
            "API keys": f"flask --app app key list --partner {name}",
        }
    )


@partner_cli.command("change")
@click.argument("name", callback=name_of)
@options.partner_options
@options.absences
@options.dropped_origins
@click.option(
    "--kiosk/--no-kiosk", default=None, help="Whether people may pick products at /kiosk/NAME."
)
@click.option(
    "--test-payments/--live-payments",
    default=None,
    help="Whether all its checkouts are tests, in which no money moves.",
)
@click.option(
    "--fee-percent",
    type=click.FloatRange(0, 100),
    help="What the operator keeps of what its users pay, from now on, where a merchant has no"
    " fee of its own.",
)
@options.country_option
@click.option("--no-keys", is_flag=True, help="Take no tokens of its own: guest baskets only.")
def change_partner(
    *,
    name: str,
    public_key: Path | None,
    jwks: Path | None,
    jwks_url: str | None,
    algorithms: tuple[str, ...],
    drop_transfer_origins: list[str],
    drop_cors_origins: list[str],
    no_keys: bool,
    **given: Any,
) -> None:
    """Change what the streaming platform NAME was set up with.

    What is not given stays as it is; origins are added to those that are there. Every process
    goes by it within seconds, with tokens that it has verified before, too.
    """
    absent = {what: None for flag, (what, _) in options.TAKEN_AWAY.items() if given.pop(flag)}
    changes = {key: value for key, value in given.items() if value not in (None, [], {})}
    if changes.keys() & absent.keys():
        raise click.UsageError("Give a new one or take the old one away, not both.")
    changes |= absent
    keys = dict(options.read_keys(public_key, jwks, jwks_url, algorithms))
    if no_keys:
        if keys:
            raise click.UsageError("Give keys or take them away, not both.")
        keys = {"jwks": None, "jwks_url": None, "algorithms": ()}
    with db.transaction() as connection:
        partner = _found(connection, name)
        if keys.keys() == {"algorithms"}:
            keys["algorithms"] = _for_its_keys(partner, algorithms)
        dropped = {"transfer_origins": drop_transfer_origins, "cors_origins": drop_cors_origins}
        for which, gone in dropped.items():
            if gone or which in changes:
                there = getattr(partner, which)
                changes[which] = _origins_of(there, changes.get(which, []), gone)
        if "limits" in changes:
            changes["limits"] = _limits_of(partner.limits, changes["limits"])
        if not (changes | keys):
            raise click.UsageError("Say what to change; --help lists it.")
        partners.change_partner(connection, partner.id, changes | keys)
    _tell_of_colour(changes.get("colour"))
    click.echo(f"Partner {name} changed.", err=True)


def _found(connection: Connection, name: str) -> Partner:
    found = partners.partner_by_name(connection, name)
    if found is None:
        raise click.ClickException(f"There is no partner {name!r}.")
    return found


def _keys_of(partner: Partner) -> list[Key]:
    return public_keys(partner.jwks) if partner.jwks else []


def _told(key: Key) -> str:
    named = f" {key.kid}" if key.get("kid") else ""
    return f"{key.key_type}{named} (thumbprint {key.thumbprint()})"


def _for_its_keys(partner: Partner, algorithms: tuple[str, ...]) -> tuple[str, ...]:
    """Return the algorithms that were given without keys, once they fit those that are there."""
    if partner.jwks_url is not None:
        return algorithms
    return options.fitting(algorithms, _keys_of(partner))


def _origins_of(there: tuple[str, ...], more: list[str], gone: list[str]) -> list[str]:
    unknown = [origin for origin in gone if origin not in there]
    if unknown:
        raise click.ClickException(f"{unknown[0]} is none of its origins: {', '.join(there)}")
    return list(dict.fromkeys([*(o for o in there if o not in gone), *more]))


def _limits_of(there: Mapping[str, int], given: Mapping[str, int | None]) -> dict[str, int] | None:
    """Return a partner's limits after a change; one that is None goes back to the default."""
    changed = {**there, **given}
    return {name: most for name, most in changed.items() if most is not None} or None


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
