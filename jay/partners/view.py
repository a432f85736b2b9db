"""What pages show of a partner: its name, its colours and its logo."""

from dataclasses import dataclass

from flask import url_for

from jay.partners.branding import version_of
from jay.partners.models import Partner


@dataclass(frozen=True)
class LogoView:
    """A logo with its size, so that nothing jumps when it arrives."""

    src: str
    width: int
    height: int


@dataclass(frozen=True)
class PartnerView:
    """A partner, as pages show it: ``colour`` on the TV's dark ground, ``accent`` on white."""

    name: str
    colour: str | None
    accent: str | None
    logo: LogoView | None
    stylesheet: str | None


def partner_view(partner: Partner) -> PartnerView:
    """Write how a partner looks; the addresses name the version, so they can be kept for long."""
    palette, logo, stylesheet = partner.palette, None, None
    if partner.logo is not None:
        source = url_for("partner_pages.logo", name=partner.name, v=partner.logo["version"])
        logo = LogoView(source, partner.logo["width"], partner.logo["height"])
    if palette is not None:
        version = version_of(palette.css.encode())
        stylesheet = url_for("partner_pages.stylesheet", name=partner.name, v=version)
    return PartnerView(
        name=partner.display_name,
        colour=palette.light if palette else None,
        accent=palette.accent if palette else None,
        logo=logo,
        stylesheet=stylesheet,
    )
