"""What the services of pictures are called with, see ``test_without_flask.py``."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, true

from jay.pictures import leases, service
from jay.pictures.leases import Host, Sweep
from jay.pictures.models import Need, Picture
from jay.pictures.service import Named
from jay.products.models import products
from tests.clock import NOON

DIGEST = "ab" * 20
OWN = "http://localhost/static/"


def rows(connection: Connection) -> Any:
    return service.of_products(connection, true(), limit=10)


def host(connection: Connection) -> Host:
    added = {"images": [{"url": "https://shop.example/mug.jpg"}]}
    connection.execute(products.update().values(description=added))
    service.note(connection, rows(connection), own=OWN, first=Need.WANTED, now=NOON)
    taken = leases.take_host(connection, now=NOON)
    assert taken is not None
    return taken


def sweep(connection: Connection) -> Sweep:
    taken = leases.take_sweep(connection, "products", now=NOON)
    assert taken is not None
    return taken


def plain(value: Any) -> Callable[[Any], Any]:
    return lambda _world: value


_OWN = {"own": plain(OWN)}
_SWEEP = {"sweep": lambda world: sweep(world.connection)}
_HOST = {"host": lambda world: host(world.connection)}

PICTURES: dict[str, dict[str, Callable[[Any], Any]]] = {
    "baskets/pictured.sweep_guests": {**_SWEEP, **_OWN},
    "pictures/leases.due_of": _HOST,
    "pictures/leases.end_sweep": {**_SWEEP, "due": plain(NOON + timedelta(minutes=1))},
    "pictures/leases.go_on": {**_SWEEP, "position": plain("mug")},
    "pictures/leases.let_go_of_sweep": _SWEEP,
    "pictures/leases.record": {**_HOST, "outcomes": plain([])},
    "pictures/purging.known": {"digests": plain([DIGEST])},
    "pictures/purging.mark_unused": {"shelf": plain("a")},
    "pictures/purging.unused_pictures": {},
    "pictures/purging.unused_sources": {},
    "pictures/uploading.put": {
        "position": plain(1),
        "picture": plain(Picture(DIGEST, 400, 300, "#ffffff")),
        "size": plain(1_000),
        "url": plain("http://localhost/media/ab/ab.jpg"),
    },
    "pictures/uploading.remove": {"position": plain(1)},
    "products/service.with_own_images": {"own": plain([])},
    "pictures/service.counts": {"merchant": plain(1)},
    "pictures/service.states": {"merchant": plain(1), "after": plain("")},
    "pictures/service.find": {"named": plain([Named(1, "https://shop.example/mug.jpg")])},
    "orders/service.pictures_of": {"parts": plain([])},
    "pictures/service.keep_for_orders": {
        "named": plain([Named(1, "https://shop.example/mug.jpg")])
    },
    "pictures/service.find_digest": {"digest": plain(DIGEST)},
    "pictures/service.mark_unused": {"keys": plain(["1-ab"])},
    "pictures/service.missing": {"digests": plain([DIGEST])},
    "pictures/service.note": {
        **_OWN,
        "rows": lambda world: rows(world.connection),
        "first": plain(Need.NEW),
    },
    "pictures/service.of_products": {"condition": plain(true())},
    "pictures/service.reasons": {"named": plain([Named(1, "https://shop.example/mug.jpg")])},
    "pictures/service.store_picture": {
        "picture": plain(Picture(DIGEST, 400, 300, "#ffffff")),
        "size": plain(1_000),
    },
    "pictures/sweeping.sweep_baskets": {**_SWEEP, **_OWN},
    "pictures/sweeping.sweep_products": {**_SWEEP, **_OWN},
    "pictures/sweeping.sweep_walls": {**_SWEEP, **_OWN},
    "pictures/sweeping.want": _OWN,
}
