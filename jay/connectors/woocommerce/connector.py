"""Orders that are put into a shop with WooCommerce."""

from jay.connectors.shops import ShopConnector
from jay.connectors.woocommerce.shop import WooCommerce

WOOCOMMERCE = ShopConnector(
    "woocommerce", WooCommerce, asked=(("key", "Consumer key"), ("secret", "Consumer secret"))
)
