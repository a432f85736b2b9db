"""Bodies of requests that the documents show: they work as they stand, one after the other."""

from typing import Any

from jay.web.words import EXAMPLES

_SKU = EXAMPLES["sku"]
_LOCALE = {"lang": "de", "country": "DE", "currency": "EUR"}

PRODUCT: dict[str, Any] = {
    "sku": _SKU,
    "name": "LOGO - Kapuzenpullover - white",
    **_LOCALE,
    "price": 2799,
    "orgPrice": 3599,
    "vat": 19,
    "stockCount": 12,
    "shippingModel": {"shippingFlatRate": 499},
    "brand": "Tommy Hilfiger",
    "description": "Ein weicher Pullover mit Kapuze und Logo.",
    "material": "100 % Baumwolle",
    "colour": "white",
    "colourCode": 0xFFFFFF,
    "gender": 3,
    "url": "https://shop.example/hoodie",
    "images": [{"url": "https://shop.example/hoodie.jpg", "copyrightText": "Shop"}],
    "variants": [
        {"sku": f"{_SKU}-M", "type": "size", "value": "M", "stockCount": 7},
        {"sku": f"{_SKU}-L", "type": "size", "value": "L", "stockCount": 5},
    ],
}

UPDATE: dict[str, Any] = {
    **_LOCALE,
    "products": [
        {"sku": _SKU, "price": 2499},
        {"sku": f"{_SKU}-M", "stockCount": 3},
    ],
}
