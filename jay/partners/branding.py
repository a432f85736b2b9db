"""How a partner looks: colours that everybody can read, and logos that can do nothing but look.

Contrast is that of WCAG 2.2: https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio
"""

import hashlib
import io
import re
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from PIL import Image, ImageOps

READABLE = 4.5
"""What text needs on its ground (WCAG AA)."""
VISIBLE = 3.0
"""What a picture needs on the TV's near-black ground."""
NOTICEABLE = 1.3
"""What a button's ground needs on the phone's white one, to look like a button."""

WHITE, NEAR_BLACK = "#ffffff", "#14161c"
_PHONE_GROUND, _TV_GROUND = "#f5f6f8", "#0b0c10"
_STEPS = 100

MAX_LOGO_BYTES = 1024 * 1024
MAX_LOGO_PIXELS = 40_000_000
LOGO_BOX = (512, 256)
WIDEST_LOGO = 12
"""How many times as wide as high a logo may be: what is wider can't be read where it stands."""
WORDMARK = 2.25
"""From this shape on a logo is taken for the name itself."""

SEEN = 2.0
"""What a part of a logo needs on its ground, to be seen at all."""
_MOST, _LEAST = 0.85, 0.03
"""Shares of a logo: seen on a ground that is good, and on one that is of any use."""
_FORMATS = ("PNG", "JPEG", "WEBP")


class UnusableColour(ValueError):
    """This is no colour that can be used; the message says why."""


class UnusableLogo(ValueError):
    """This is no picture that can be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Palette:
    """What is derived from a partner's colour.

    ``accent`` is the ground of buttons and ``text`` what stands on it, ``ink`` is for words and
    lines on light pages, ``light`` for shapes on the dark ones of the TV.
    """

    accent: str
    text: str
    ink: str
    light: str

    def stored(self) -> dict[str, str]:
        """Write it for the database."""
        return asdict(self)

    @property
    def css(self) -> str:
        """The stylesheet that gives phone pages these colours."""
        names = f"--accent:{self.accent};--accent-text:{self.text};--accent-ink:{self.ink}"
        return f":root{{{names}}}\n"


@dataclass(frozen=True, slots=True)
class Logo:
    """A logo as it is stored: a PNG that this service has written itself."""

    png: bytes
    width: int
    height: int
    ground: str = "light"
    """On which of ``GROUNDS`` it can be seen."""

    def stored(self) -> dict[str, Any]:
        """Write what pages need to know of it for the database."""
        return {
            "version": version_of(self.png),
            "width": self.width,
            "height": self.height,
            "ground": self.ground,
        }


def read_colour(text: str) -> str:
    """Return a colour in its normal form, ``#rrggbb``.

    :raises UnusableColour: it is written in another way.
    """
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", text):
        raise UnusableColour("write it as '#RRGGBB', for example '#3A57E8'")
    return text.lower()


def palette_of(colour: str) -> Palette:
    """Derive what pages use of a colour; each is as near to it as its contrast allows."""
    accent = _until(colour, "#000000", lambda c: contrast(c, WHITE) >= NOTICEABLE)
    # A few colours in the middle are too dark for dark text and too light for white text.
    accent = _until(accent, "#000000", lambda c: contrast(c, text_on(c)) >= READABLE)
    return Palette(
        accent=accent,
        text=text_on(accent),
        ink=_until(colour, "#000000", lambda c: contrast(c, _PHONE_GROUND) >= READABLE),
        light=_until(colour, WHITE, lambda c: contrast(c, _TV_GROUND) >= VISIBLE),
    )


def text_on(ground: str) -> str:
    """Return the better one of white and near-black for words on a ground."""
    return max((WHITE, NEAR_BLACK), key=lambda text: contrast(ground, text))


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, from 1 to 21."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def read_logo(content: bytes) -> Logo:
    """Read a PNG, JPEG or WebP file and draw it anew, without anything else that was in it.

    Empty margins are cut off.

    :raises UnusableLogo: it is none, too large or too wide, or there is nothing to be seen.
    """
    if len(content) > MAX_LOGO_BYTES:
        raise UnusableLogo("is larger than 1 MiB")
    if re.search(rb"<svg[\s>]|<!DOCTYPE\s+svg", content[:4096], re.IGNORECASE):
        raise UnusableLogo("is an SVG, which can carry script: export it as PNG")
    try:
        with warnings.catch_warnings():
            # What unpacks to far more than it says is checked below, by its size.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(content), formats=_FORMATS)
            if image.width * image.height > MAX_LOGO_PIXELS:
                raise UnusableLogo("has more than 40 million pixels")
            drawn = ImageOps.exif_transpose(image).convert("RGBA")
    except UnusableLogo:
        raise
    except Image.DecompressionBombError as error:
        raise UnusableLogo("has more than 40 million pixels") from error
    except (OSError, SyntaxError, ValueError) as error:
        raise UnusableLogo("is no PNG, JPEG or WebP picture") from error
    # One without transparency hides whatever it stands on.
    is_opaque = min(drawn.getchannel("A").tobytes()) >= _VISIBLE_ALPHA
    drawn = _without_margins(drawn)
    if drawn.width > WIDEST_LOGO * drawn.height:
        raise UnusableLogo(
            f"is more than {WIDEST_LOGO} times as wide as high: nobody could read it"
        )
    drawn.thumbnail(LOGO_BOX, Image.Resampling.LANCZOS)
    ground = _ground_of(drawn, ("light",) if is_opaque else tuple(GROUNDS))
    drawn.info.clear()  # no metadata, no colour profile
    written = io.BytesIO()
    drawn.save(written, "PNG", optimize=True)
    return Logo(written.getvalue(), drawn.width, drawn.height, ground)


GROUNDS = {"light": WHITE, "dark": NEAR_BLACK, "grey": "#6b7080"}
"""What a logo can stand on; the first one that is good is taken."""


def _without_margins(image: Image.Image) -> Image.Image:
    box = image.getchannel("A").point(lambda alpha: 255 if alpha >= _VISIBLE_ALPHA else 0).getbbox()
    if box is None:
        raise UnusableLogo("is transparent all over: there is nothing to be seen")
    return image.crop(box)


_VISIBLE_ALPHA = 128


def _ground_of(image: Image.Image, grounds: tuple[str, ...]) -> str:
    """Return on which of these grounds most of a logo can be seen.

    :raises UnusableLogo: there is none, or it brings a ground of its own that is the page's.
    """
    small = image.copy()
    small.thumbnail((96, 96))
    pixels = [small.getpixel((x, y)) for x in range(small.width) for y in range(small.height)]
    colours = [
        "#{:02x}{:02x}{:02x}".format(*pixel[:3])
        for pixel in pixels
        if isinstance(pixel, tuple) and pixel[3] >= _VISIBLE_ALPHA
    ]
    seen = {
        name: sum(contrast(colour, GROUNDS[name]) >= SEEN for colour in colours) / len(colours)
        for name in grounds
    }
    best = next((name for name in grounds if seen[name] >= _MOST), max(seen, key=seen.__getitem__))
    if seen[best] < _LEAST:
        raise UnusableLogo(
            "is as light as the white that it stands on: export it with transparency"
        )
    return best


def version_of(content: bytes) -> str:
    """Return what names this very content in an address."""
    return hashlib.sha256(content).hexdigest()[:12]


def _until(colour: str, towards: str, good: Callable[[str], bool]) -> str:
    """Mix a colour with another one, step by step, until it is good."""
    own, target = _channels(colour), _channels(towards)
    for step in range(_STEPS):
        share = step / _STEPS
        mixed = [round(a + (b - a) * share) for a, b in zip(own, target, strict=True)]
        candidate = "#" + "".join(f"{channel:02x}" for channel in mixed)
        if good(candidate):
            return candidate
    return towards


def _channels(colour: str) -> list[int]:
    return list(bytes.fromhex(colour[1:]))


def _luminance(colour: str) -> float:
    shares = [channel / 255 for channel in _channels(colour)]
    linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
