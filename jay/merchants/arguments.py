"""Arguments of commands that name somebody."""

import click
from sqlalchemy import Connection

from jay.merchants import service as merchants
from jay.merchants.models import Merchant


def found_merchant(connection: Connection, name: str) -> Merchant:
    """Return the merchant that a command names.

    :raises click.ClickException: there is none.
    """
    found = merchants.merchant_by_name(connection, name)
    if found is None:
        raise click.ClickException(f"There is no merchant {name!r}.")
    return found
