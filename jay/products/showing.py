"""Products' pictures as pages show them: from here, in the sizes that there are.

Where they are kept is not known here: ``jay/pictures/showing.py`` tells it to the app.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from flask import current_app
from sqlalchemy import Connection

from jay.products.models import Product
from jay.web.pages import local_path

Key = tuple[int, str]
"""A merchant, and an address that its product names."""

_DRAWN_SIZE = 240

_CUT_OFF = 1.3
"""How much longer than wide a picture may be and fill a square."""

_LIGHT = 0.65
"""Of the brightness of white."""

_LIGHT_FOR_A_GREY, _GREY = 0.4, 32
"""Studios have grey grounds; darker ones are rather a thing's own colour."""


@dataclass(frozen=True)
class Image:
    """A picture that is there.

    :ivar src: for every engine; ``large`` is the largest of this kind.
    :ivar jpeg: the sizes that an engine may choose from, as ``srcset`` has them; ``webp`` for
        those that know it.
    :ivar colour: what stands there until it has come.
    """

    src: str
    width: int
    height: int
    large: str = ""
    jpeg: str = ""
    webp: str = ""
    colour: str = ""
    copyright: str = ""

    @property
    def fit(self) -> str:
        """How it stands in a tile that is about square, as a class of the style sheets.

        A picture fills its tile where little of it is cut off by that. A longer one is shown whole:
        on its own colour where that is the one of a ground, light or a grey; else on white.
        """
        if max(self.width, self.height) <= _CUT_OFF * min(self.width, self.height):
            return ""
        return "whole" if _is_ground(self.colour) else "whole mat"


class Gallery(Protocol):
    """What knows the pictures."""

    def shown(self, connection: Connection, keys: Iterable[Key]) -> Mapping[Key, Image]:
        """Return those pictures that are there."""
        ...

    def reasons(self, connection: Connection, keys: Iterable[Key]) -> Mapping[Key, str]:
        """Return why pictures are not there, in the page's language, as far as it is known."""
        ...


def gallery() -> Gallery:
    """Return what knows the pictures of the current app."""
    found: Gallery = current_app.extensions["jay.pictures"]
    return found


def first_images(connection: Connection, products: Iterable[Product]) -> dict[str, Image]:
    """Return the first picture of each product, by the product's id, with one query at most."""
    firsts = {
        product.id: (product.merchant_id, images[0])
        for product in products
        if (images := product.description.get("images") or ())
    }
    found = _shown(connection, [(merchant, image["url"]) for merchant, image in firsts.values()])
    return {
        identifier: _credited(found[merchant, image["url"]], image)
        for identifier, (merchant, image) in firsts.items()
        if (merchant, image["url"]) in found
    }


def images_of(
    connection: Connection, product: Product
) -> tuple[Sequence[tuple[Mapping[str, Any], Image | None]], Mapping[str, str]]:
    """Return all of a product's pictures, and by their addresses why some are not there."""
    images = product.description.get("images") or ()
    keys = [(product.merchant_id, image["url"]) for image in images]
    found = _shown(connection, keys)
    missing = [key for key in keys if key not in found]
    why = gallery().reasons(connection, missing) if missing else {}
    listed = [
        (image, _credited(found[key], image) if key in found else None)
        for image, key in zip(images, keys, strict=True)
    ]
    return listed, {url: reason for (_merchant, url), reason in why.items()}


def _shown(connection: Connection, keys: Sequence[Key]) -> dict[Key, Image]:
    # The demo's drawings are files of this service.
    own = {key: path for key in keys if (path := local_path(key[1])) is not None}
    others = [key for key in keys if key not in own]
    drawn = {key: Image(path, _DRAWN_SIZE, _DRAWN_SIZE, large=path) for key, path in own.items()}
    return {**(gallery().shown(connection, others) if others else {}), **drawn}


def _is_ground(colour: str) -> bool:
    if not colour:
        return False
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    brightness = (0.299 * red + 0.587 * green + 0.114 * blue) / 255
    grey = max(red, green, blue) - min(red, green, blue) <= _GREY
    return brightness >= (_LIGHT_FOR_A_GREY if grey else _LIGHT)


def _credited(found: Image, image: Mapping[str, Any]) -> Image:
    return replace(found, copyright=image.get("copyrightText") or "")
