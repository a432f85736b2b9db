"""The way out to other servers: which addresses may be reached, and one bounded HTTP client."""
