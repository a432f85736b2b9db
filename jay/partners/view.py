"""What pages show of a partner: its name, its colours and its logo."""

from dataclasses import dataclass

from flask import url_for
from sqlalchemy import Connection

from jay.errors import RouteNotFound
from jay.partners.branding import WORDMARK, version_of
from jay.partners.models import Partner
from jay.partners.service import partner_by_name
from jay.web.names import NAME_PATTERN

_SHAPES = ((8.0, "wordmark wide wider"), (5.0, "wordmark wide"), (WORDMARK, "wordmark"))
"""From which shape on a logo is what; the wider it is, the lower it stands, to be whole."""


def partner_at(connection: Connection, name: str) -> Partner:
    """Return the partner that the address of a page names.

    :raises RouteNotFound: there is none.
    """
    partner = partner_by_name(connection, name) if NAME_PATTERN.fullmatch(name) else None
    if partner is None:
        raise RouteNotFound
    return partner


@dataclass(frozen=True)
class LogoView:
    """A logo with its size, so that nothing jumps when it arrives."""

    src: str
    width: int
    height: int
    ground: str = "light"

    @property
    def is_wordmark(self) -> bool:
        """Whether it is so wide that it is the name itself, which then needs no words beside it."""
        return self.width >= WORDMARK * self.height

    @property
    def css(self) -> str:
        """The classes that it has on pages, beside ``logo``."""
        shapes = (name for least, name in _SHAPES if self.width >= least * self.height)
        return f"on-{self.ground} {next(shapes, '')}".rstrip()


@dataclass(frozen=True)
class PartnerView:
    """A partner, as pages show it: ``colour`` on the TV's dark ground, ``accent`` on white."""

    id: int
    key: str
    """What names it in addresses."""
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
        # Logos that were stored before it was known what they stand on have stood on white.
        ground = partner.logo.get("ground", "light")
        logo = LogoView(source, partner.logo["width"], partner.logo["height"], ground)
    if palette is not None:
        version = version_of(palette.css.encode())
        stylesheet = url_for("partner_pages.stylesheet", name=partner.name, v=version)
    return PartnerView(
        id=partner.id,
        key=partner.name,
        name=partner.display_name,
        colour=palette.light if palette else None,
        accent=palette.accent if palette else None,
        logo=logo,
        stylesheet=stylesheet,
    )
