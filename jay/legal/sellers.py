"""Who sells, by law: a merchant with the texts that hold for what it sells."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jay import i18n
from jay.i18n import SOURCE_LANGUAGE
from jay.legal.models import MERCHANT, MERCHANTS_KINDS, Kind, Notice, Owner, chosen
from jay.merchants.models import Merchant

NEEDED = (Kind.TERMS, Kind.WITHDRAWAL)
"""Texts without which nothing can be sold (contract, Merchant's legal details)."""


@dataclass(frozen=True)
class Seller:
    """A merchant, and those of its texts that are in force."""

    merchant: Merchant
    notices: Sequence[Notice]

    @property
    def lacks(self) -> list[str]:
        """What must be there before its products can be paid: fields, and kinds of texts."""
        kinds = {notice.kind for notice in self.notices}
        return [*self.merchant.lacks, *(kind for kind in NEEDED if kind not in kinds)]

    @property
    def is_live(self) -> bool:
        """Whether its products can be paid."""
        return not self.lacks

    def shown(self, lang: str) -> list[Notice]:
        """Return the texts that whoever reads a language is shown, one of each kind."""
        owner = Owner(MERCHANT, self.merchant.id)
        langs = [lang, SOURCE_LANGUAGE]
        return chosen(self.notices, [owner], langs, kinds=MERCHANTS_KINDS)


def lines_of(told: Mapping[str, str], lang: str) -> list[str]:
    """Write who sells as an address is written, a line each.

    :param told: as ``LEGAL_FIELDS`` of the merchants name it.
    """
    country, vat_id = told.get("country_code"), told.get("vat_id")
    rows = [
        told.get("name"),
        " ".join(filter(None, (told.get("street"), told.get("house_number")))),
        " ".join(filter(None, (told.get("zip"), told.get("city")))),
        country and i18n.country(country, lang),
        told.get("email"),
        told.get("phone"),
        told.get("register"),
        vat_id and i18n.texts(lang).gettext("VAT number: %(number)s") % {"number": vat_id},
    ]
    return [row for row in rows if row]
