"""Who sells, by law: a merchant with the texts that hold for what it sells."""

from collections.abc import Sequence
from dataclasses import dataclass

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
