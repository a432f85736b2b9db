"""The catalogue as JSON Lines: each line is the body of ``POST /v1/shops/products``."""

from collections.abc import Iterator
from typing import Any

import orjson

from jay.merchants.models import Merchant
from jay.products import stored
from jay.products.schemas import product_body


def lines(read: Any, merchant: Merchant) -> Iterator[bytes]:
    """Yield the line of each product; ``read`` opens a connection for each page."""
    after: stored.Position | None = stored.START
    while after is not None:
        with read() as connection:
            found, after = stored.page(connection, merchant, after)
        for each in found:
            yield orjson.dumps(product_body(each), option=orjson.OPT_APPEND_NEWLINE)
