"""Pictures that a merchant sends itself, in place of what its descriptions name or behind it."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from jay.db import turns
from jay.db.upsert import insert_into
from jay.errors import SkuNotFound
from jay.merchants.models import Merchant
from jay.pictures import service
from jay.pictures.models import Need, Picture, picture_sources, picture_uses, source_key
from jay.products.models import normal_sku, product_id, products


def put(
    connection: Connection,
    merchant: Merchant,
    sku: str,
    position: int,
    *,
    picture: Picture,
    size: int,
    url: str,
    now: datetime,
    lang: str | None = None,
    country: str | None = None,
) -> str:
    """Let a product show a picture at a position, whose files are stored already.

    :param position: from 1 on; where the description names fewer, it comes behind these.
    :param size: bytes of its files.
    :param url: where the largest one is.
    :returns: the product's id.
    :raises SkuNotFound: the catalogue has no such product.
    """
    row = _product(connection, merchant, sku, lang, country)
    service.store_picture(connection, picture, size, now=now)
    key = source_key(merchant.id, url)
    source = {
        "key": key,
        "merchant_id": merchant.id,
        "url": url,
        "host": "",
        "need": int(Need.WANTED),
        "failures": 0,
        "digest": picture.digest,
    }
    connection.execute(
        insert_into(connection, picture_sources)
        .values(**source)
        .on_conflict_do_update(
            index_elements=["key"], set_={"digest": picture.digest, "unused": None}
        )
    )
    use = {"product_id": row.id, "key": key}
    connection.execute(insert_into(connection, picture_uses).values(use).on_conflict_do_nothing())
    others = [one for one in row.own_images or () if one["position"] != position]
    _keep(connection, row.id, [*others, {"position": position, "url": url}], now)
    identifier: str = row.id
    return identifier


def remove(
    connection: Connection,
    merchant: Merchant,
    sku: str,
    position: int,
    *,
    now: datetime,
    lang: str | None = None,
    country: str | None = None,
) -> str:
    """Show again what the description names at a position; return the product's id.

    :raises SkuNotFound: the catalogue has no such product.
    """
    row = _product(connection, merchant, sku, lang, country)
    others = [one for one in row.own_images or () if one["position"] != position]
    _keep(connection, row.id, others, now)
    identifier: str = row.id
    return identifier


def _product(
    connection: Connection, merchant: Merchant, sku: str, lang: str | None, country: str | None
) -> Any:
    locale = lang or merchant.lang, country or merchant.country
    identifier = product_id(merchant.name, *locale, normal_sku(sku))
    query = select(products.c.id, products.c.own_images).where(
        products.c.id == identifier, ~products.c.removed
    )
    turns.take(connection)
    # Two positions that are sent at once must not forget each other.
    row = None if "\0" in sku else connection.execute(query.with_for_update()).one_or_none()
    if row is None:
        raise SkuNotFound
    return row


def _keep(connection: Connection, identifier: str, own: list[Any], now: datetime) -> None:
    own = sorted(own, key=lambda one: one["position"])
    connection.execute(
        update(products)
        .where(products.c.id == identifier)
        .values(own_images=own or None, updated=now)
    )
