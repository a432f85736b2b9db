"""``flask merchant legal``: who a shop is by law, and what is missing before it can sell."""

import click
from flask.cli import with_appcontext

from jay import db
from jay.legal import service
from jay.legal.sellers import Seller
from jay.merchants.arguments import found_merchant
from jay.merchants.models import LEGAL_FIELDS
from jay.web.commands import name_of, told_rows


@click.command("legal")
@click.argument("name", callback=name_of)
@with_appcontext
def merchant_legal(name: str) -> None:
    """Show who the shop NAME is by law, and what is missing before it can sell.

    The merchant tells it by PATCH /v1/shops/config. Until nothing is missing, its products can be
    collected and not be paid; this then ends with status 1.
    """
    with db.reading() as connection:
        merchant = found_merchant(connection, name)
        seller = service.sellers(connection, [merchant.id])[merchant.id]
    told_rows(_told(seller))
    if not seller.is_live:
        raise click.ClickException(
            f"The products of {name} can't be paid yet. Missing: {_words(seller.lacks)}."
        )


def _told(seller: Seller) -> dict[str, str | list[str] | None]:
    merchant = seller.merchant
    return {
        **{_words([field]): merchant.legal.get(field) for field in LEGAL_FIELDS},
        "delivers to": ", ".join(merchant.delivers_to),
        "withdrawal": f"within {merchant.withdrawal_days} days, the {merchant.return_costs} pays"
        " for the return",
        "texts": [
            f"{notice.kind} ({notice.lang}), version {notice.version}, since"
            f" {notice.created:%Y-%m-%d %H:%M} UTC"
            for notice in seller.notices
        ],
    }


def _words(names: list[str]) -> str:
    return ", ".join({"vat_id": "VAT id"}.get(name, name.replace("_", " ")) for name in names)
