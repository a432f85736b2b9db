"""Checkout: from the basket to a paid order."""
