"""Pictures that are there already, for tests of what shows them."""

from flask import Flask
from sqlalchemy import Connection, select, update

from jay import db
from jay.pictures import service
from jay.pictures.models import Need, Picture, Reason, digest_of, picture_sources
from jay.pictures.reading import Reader
from jay.pictures.showing import store
from jay.products.models import products
from tests.clock import NOON


def fetched(app: Flask, url: str, content: bytes | None = None) -> Picture:
    """Have a picture at an address that products name; drawn from a content, or without files."""
    picture = Picture(digest_of(url.encode()), 900, 1200, "#336699")
    with app.app_context():
        if content is not None:
            with Reader() as reader:
                drawn = reader.read(content)
            picture = drawn.picture
            for name, file in drawn.files.items():
                store().put(name, file)
        with db.transaction() as connection:
            service.store_picture(connection, picture, 1, now=NOON)
            _note(connection)
            connection.execute(
                update(picture_sources)
                .where(picture_sources.c.url == url)
                .values(digest=picture.digest)
            )
    return picture


def failed(app: Flask, url: str, reason: Reason) -> None:
    """Let it be known why there is no picture at an address that products name."""
    with app.app_context(), db.transaction() as connection:
        _note(connection)
        connection.execute(
            update(picture_sources).where(picture_sources.c.url == url).values(reason=reason)
        )


def _note(connection: Connection) -> None:
    rows = connection.execute(select(products)).all()
    service.note(connection, rows, own="http://localhost/", first=Need.WANTED, now=NOON)
