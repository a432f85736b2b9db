"""The sandbox: a payment service provider to try things out with, its page and its webhooks."""
