"""Stripe: its API by the official library, its webhooks, and what they mean here."""
