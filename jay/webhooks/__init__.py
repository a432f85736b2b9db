"""Webhooks to merchants: an outbox, and what sends from it to addresses that may be reached."""
