"""What commands about feeds have in common: whom they name, and how they say what can't be used."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

from jay import db
from jay.feeds.unpacking import UnusableFile
from jay.merchants import service as merchants
from jay.merchants.models import Merchant

MERCHANTS_NAMED = 20
"""How many merchants are named to who has mistyped one."""


class Unusable(click.ClickException):
    """What the person has given can't be used."""

    exit_code = 2


def named_merchant(name: str) -> Merchant:
    """Return the merchant with this name.

    :raises Unusable: there is none.
    """
    with db.reading() as connection:
        found = merchants.merchant_by_name(connection, name)
        if found is not None:
            return found
        names = merchants.merchant_names(connection, most=MERCHANTS_NAMED)
    if names:
        raise Unusable(f"There is no merchant {name!r}. There are: {', '.join(names)}.")
    raise Unusable(
        f"There is no merchant {name!r} yet. Add it: flask --app app merchant add {name}"
    )


@contextmanager
def said_plainly() -> Iterator[None]:
    """Say in one sentence that a file can't be used.

    :raises Unusable: it can't.
    """
    try:
        yield
    except UnusableFile as error:
        raise Unusable(str(error)) from error
