"""Merchants' shops that orders are put into, and from which it is read what becomes of them."""
