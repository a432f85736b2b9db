"""Short ways to feed a product and to look at what has become of it."""

from typing import Any

from werkzeug.test import TestResponse

from tests.builders import Shop, User


def stored(shop: Shop, **fields: Any) -> TestResponse:
    """Send a full product description, that of a mug unless told otherwise."""
    return shop.call("POST", "/shops/products", json={"sku": "mug", "name": "Mug", **fields})


def post(shop: Shop, **fields: Any) -> str:
    """Store a product and return its id."""
    response = stored(shop, **fields)
    assert response.status_code == 200, response.json
    identifier: str = response.json["data"]["productId"]
    return identifier


def details(user: User, product_id: str) -> dict[str, Any]:
    """Return the product as shoppers see it."""
    path = "/baskets/products/details"
    response = user.platform.call("POST", path, token=user.token, json=[product_id])
    assert response.status_code == 200, response.json
    found: dict[str, Any] = response.json["data"]["products"][0]
    return found
