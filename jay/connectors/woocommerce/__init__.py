"""Shops with WooCommerce: the REST API, wc/v3."""
