"""Orders that are put into a shop at Shopify."""

from jay.connectors.shopify.shop import Shopify
from jay.connectors.shops import ShopConnector

SHOPIFY = ShopConnector(
    "shopify",
    Shopify,
    asked=(("client_id", "Client ID"), ("client_secret", "Client secret")),
    token=(("token", "Access token"),),
)
