"""Merchants: shops, as the Product Data API and the orders know them."""
