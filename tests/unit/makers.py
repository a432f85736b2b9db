"""Small makers of plain objects: no database, no app."""

from datetime import datetime
from typing import Any

from jay.baskets.models import Basket
from jay.merchants.models import Merchant
from jay.partners.models import Partner
from jay.products.models import Product
from jay.products.shipping import ShippingModel
from tests.clock import NOON


def a_product(identifier: str = "mug", **fields: Any) -> Product:
    """Make a product for 12,50 EUR with 19 % VAT; ``shipping`` takes the fields of the wire."""
    values: dict[str, Any] = {
        "sku": identifier,
        "merchant_id": 1,
        "merchant": "mugshop",
        "lang": "de",
        "country": "DE",
        "main_id": None,
        "name": identifier.title(),
        "variant_type": None,
        "variant_value": None,
        "stock_count": 10,
        "stock_id": identifier,
        "price": 1250,
        "org_price": 1250,
        "currency": "EUR",
        "vat": 19.0,
        "not_shoppable": False,
        "description": {},
        **fields,
    }
    values["shipping"] = ShippingModel.from_wire(fields.get("shipping"))
    return Product(id=identifier, **values)


def a_merchant(identifier: int = 1, **fields: Any) -> Merchant:
    """Make a merchant in Germany without a scale of its own."""
    values: dict[str, Any] = {
        "name": f"shop-{identifier}",
        "lang": "de",
        "country": "DE",
        "currency": "EUR",
        "vat": None,
        "shipping_strategy": "MAX",
        "shipping_scale": (),
        **fields,
    }
    return Merchant(id=identifier, **values)


def a_partner(identifier: int = 1, **fields: Any) -> Partner:
    """Make a partner without keys."""
    values: dict[str, Any] = {
        "name": f"partner-{identifier}",
        "display_name": "Kino",
        "issuer": None,
        "audience": None,
        "jwks": None,
        "jwks_url": None,
        "algorithms": (),
        "transfer_origins": (),
        "kiosk": False,
        **fields,
    }
    return Partner(id=identifier, **values)


def a_basket(*in_cart: str, guest: bool = False, now: datetime = NOON, **fields: Any) -> Basket:
    """Make a basket with one piece of each of these products in the cart."""
    basket = Basket(partner_id=1, user_id="alice", guest=guest, now=now, **fields)
    for identifier in in_cart:
        basket.assign(identifier, 1, a_product(identifier), now=now)
    return basket


def ids(entries: list[Any]) -> list[str]:
    """List which products the entries are about, in their order."""
    return [entry.product_id for entry in entries]
