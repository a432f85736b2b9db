"""Tells pages where the merchants' pictures are."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from flask import Flask
from sqlalchemy import Connection

from jay import web
from jay.errors import Busy
from jay.pictures import service
from jay.pictures.models import File, Picture, text_of
from jay.pictures.service import Named
from jay.pictures.store import Store, place, store_of
from jay.products.showing import Image, Key
from jay.web.pages import gettext


def init_app(app: Flask) -> None:
    """Let the pages of this app show what was fetched."""
    app.extensions["jay.pictures"] = Fetched()


def store() -> Store:
    """Return where the current app's pictures are."""
    return store_of(web.settings())


@contextmanager
def reaching_the_store() -> Iterator[None]:
    """Answer what can be tried again when the store can't be used at the moment.

    :raises Busy: it is away, or its disk is full.
    """
    try:
        yield
    except OSError as error:
        raise Busy("The store of the pictures can't be reached at the moment.") from error


class Fetched:
    """The pictures that were fetched, see ``Gallery``."""

    def shown(self, connection: Connection, keys: Iterable[Key]) -> Mapping[Key, Image]:
        """Return those pictures that are there."""
        found = service.find(connection, [Named(*key) for key in keys])
        return {(named.merchant_id, named.url): image(one) for named, one in found.items()}

    def reasons(self, connection: Connection, keys: Iterable[Key]) -> Mapping[Key, str]:
        """Return why pictures are not there, in the page's language, as far as it is known."""
        found = service.reasons(connection, [Named(*key) for key in keys])
        return {
            (named.merchant_id, named.url): gettext(text_of(reason))
            for named, reason in found.items()
        }


def image(picture: Picture) -> Image:
    """Write a picture as pages show it."""
    jpeg, webp = picture.files("jpg"), picture.files("webp")
    return Image(
        src=address(jpeg[0]),
        width=jpeg[0].width,
        height=jpeg[0].height,
        large=address(jpeg[-1]),
        jpeg=_choice(jpeg) if len(jpeg) > 1 else "",
        webp=_choice(webp),
        colour=picture.colour,
    )


def address(file: File) -> str:
    """Return where pages load a file from."""
    return f"{web.settings().media_base}/{place(file.name)}"


def _choice(files: Sequence[File]) -> str:
    return ", ".join(f"{address(file)} {file.width}w" for file in files)
