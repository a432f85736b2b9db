"""Orders by webhook, signed as Standard Webhooks 1.0 has it."""
