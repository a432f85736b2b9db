"""Arguments of commands that name somebody."""

import click
from sqlalchemy import Connection

from jay.auth import service
from jay.auth.models import Merchant


def found_merchant(connection: Connection, name: str) -> Merchant:
    """Return the merchant that a command names.

    :raises click.ClickException: there is none.
    """
    found = service.merchant_by_name(connection, name)
    if found is None:
        raise click.ClickException(f"There is no merchant {name!r}.")
    return found
