"""How it stands with all pictures of a merchant, in a line for the report of an import."""

from sqlalchemy import Connection, Text, cast, exists, func, select

from jay.pictures import service
from jay.pictures.models import picture_sweeps, picture_uses
from jay.products.models import products


def told(connection: Connection, merchant: int) -> str | None:
    """Say how many pictures are shown, wait and are missing, and why; None where it has none."""
    counts = service.counts(connection, merchant)
    shown, waiting = counts.pop("shown", 0), counts.pop("waiting", 0)
    said = [f"{shown:,} shown", f"{waiting:,} wait to be fetched"]
    if counts:
        by_reason = sorted(counts.items(), key=lambda item: -item[1])
        why = ", ".join(f"{count:,} {reason}" for reason, count in by_reason)
        said.append(f"{sum(counts.values()):,} are missing ({why})")
    unseen = _unseen(connection, merchant)
    if unseen:
        said.append(f"those of {unseen:,} products are looked for by the worker next")
    if not (shown or waiting or counts or unseen):
        return None
    return f"Pictures: {'; '.join(said)}."


def _unseen(connection: Connection, merchant: int) -> int:
    """Count the products that name pictures, and that the worker has not looked at yet."""
    since = select(picture_sweeps.c.since).where(picture_sweeps.c.name == "products")
    looked = connection.execute(since).scalar()
    column = products.c
    query = select(func.count()).where(
        column.merchant_id == merchant,
        ~column.removed,
        cast(column.description, Text).like('%"images":[{%'),
        ~exists().where(picture_uses.c.product_id == column.id),
    )
    if looked is not None:
        query = query.where(column.updated >= looked)
    return connection.execute(query).scalar() or 0
