"""``/v1/shops/pictures``: merchants send pictures themselves."""

import shutil
import tempfile
import threading
from contextlib import suppress
from typing import Any, BinaryIO, cast

from flask import request

from jay import db, web
from jay.auth.guards import current_merchant, require_merchant
from jay.errors import (
    Busy,
    PayloadTooLarge,
    PictureRefused,
    SkuNotFound,
    UnsupportedMediaType,
    ValidationFailed,
)
from jay.pictures import uploading
from jay.pictures.models import MAX_BYTES, PIECE_BYTES, Unusable
from jay.pictures.reading import Drawn, Reader
from jay.pictures.showing import address, reaching_the_store, store
from jay.products import schemas
from jay.web import rates
from jay.web.bodies import refuse_codings
from jay.web.responses import answer
from jay.web.versions import PRODUCT_API

blp = web.Blueprint("product_pictures", __name__, api=PRODUCT_API, guards=(require_merchant,))
blp.description = "Merchants send pictures themselves."

_PATH = "/shops/pictures/<path:sku>/<position>"
_BODY = {
    "required": True,
    "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
}
_OTHER_BODIES = {"application/json", "multipart/form-data"}
"""What wraps something is not the file itself; ``curl`` calls any body a form."""

_WAIT_SECONDS = 5.0

IN_MEMORY = 1024 * 1024
"""Bytes of a file that memory has room for."""

_reading = threading.Lock()
"""To read a picture may take much memory: a process reads one at a time."""

_places = threading.BoundedSemaphore(2)
"""For one that is read and one that waits or is stored: the other threads are for all else."""


def _budgets() -> list[tuple[str, str]]:
    return [(rates.PICTURES, str(current_merchant().id))]


@blp.route(_PATH, methods=["PUT"], budgets=_budgets)
@blp.arguments(schemas.ProductQuerySchema, location="query")
@blp.doc(requestBody=_BODY)
@blp.response(200, schemas.StoredPictureSchema)
@blp.errors(SkuNotFound, PictureRefused, PayloadTooLarge, UnsupportedMediaType, ValidationFailed)
def put_picture(query: dict[str, str], sku: str, position: str) -> Any:
    """Send a picture of a product or variant: the body is the file, whatever its Content-Type.

    It is shown in place of the one that the description names at this position, from 1 on, or
    behind these; descriptions that are sent later leave it where it is.
    """
    place = _place(position)
    if request.mimetype in _OTHER_BODIES:
        raise UnsupportedMediaType("The request body must be the picture's file itself.")
    refuse_codings()
    request.max_content_length = MAX_BYTES + 1  # in chunks Werkzeug refuses just that, too
    drawn = _stored()
    url = _absolute(address(drawn.picture.files("jpg")[-1]))
    identifier = db.write(
        uploading.put,
        current_merchant(),
        sku,
        place,
        picture=drawn.picture,
        size=sum(map(len, drawn.files.values())),
        url=url,
        now=web.now(),
        **query,
    )
    return answer(schemas.picture_view(identifier, place, url))


@blp.route(_PATH, methods=["DELETE"])
@blp.arguments(schemas.ProductQuerySchema, location="query")
@blp.response(200, schemas.StoredPictureSchema)
@blp.errors(SkuNotFound, ValidationFailed)
def delete_picture(query: dict[str, str], sku: str, position: str) -> Any:
    """Show again what the description names at this position."""
    place = _place(position)
    identifier = db.write(uploading.remove, current_merchant(), sku, place, now=web.now(), **query)
    return answer(schemas.picture_view(identifier, place, None))


def _place(position: str) -> int:
    plain = position.isascii() and position.isdigit() and len(position) < 5
    place = int(position) if plain else 0
    if not 1 <= place <= schemas.MAX_IMAGES:
        raise ValidationFailed(details={"position": [f"Must be 1 to {schemas.MAX_IMAGES}."]})
    return place


def _stored() -> Drawn:
    if not _places.acquire(blocking=False):
        raise Busy
    try:
        folder = web.settings().data_dir
        place = str(folder) if folder.is_dir() else None
        body = tempfile.SpooledTemporaryFile(IN_MEMORY, dir=place)  # noqa: SIM115
        try:
            with reaching_the_store():  # what has no room now has none there, either
                shutil.copyfileobj(request.stream, body, PIECE_BYTES)
                body.flush()
            if body.tell() > MAX_BYTES:
                raise PayloadTooLarge
            drawn = _read(cast("BinaryIO", body))
        finally:
            with suppress(OSError):  # where the disk is full it tries the rest again
                body.close()
        with reaching_the_store():
            for name, file in drawn.files.items():
                store().put(name, file)
        return drawn
    finally:
        _places.release()


def _read(file: BinaryIO) -> Drawn:
    if not _reading.acquire(timeout=_WAIT_SECONDS):
        raise Busy
    try:
        with Reader() as reader:
            return reader.read(file)
    except Unusable as error:
        details = {"constant": PictureRefused.constant(), "reason": error.reason}
        raise PictureRefused(str(error), details=details) from error
    finally:
        _reading.release()


def _absolute(url: str) -> str:
    return url if "://" in url else web.settings().public_url + url
