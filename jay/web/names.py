"""Names of partners, merchants and operators."""

import re

NAME_PATTERN = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
"""Names of partners and merchants appear in addresses and product ids."""
