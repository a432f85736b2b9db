"""Orders by mail, in words and with the part as JSON."""
