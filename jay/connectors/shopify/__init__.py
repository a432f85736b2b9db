"""Shops at Shopify: the GraphQL Admin API."""
