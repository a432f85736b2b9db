"""Legal texts: of the operator, and of partners; in versions, as evidence of what was shown."""
