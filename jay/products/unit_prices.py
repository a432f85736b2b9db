"""What a unit of something costs: 14.99 EUR for 0.75 l are 19.99 EUR per litre (PAngV 4)."""

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from jay import i18n

_WRITTEN = {"m2": "m²"}


def unit_price_text(
    price: int | None, base: Mapping[str, Any] | None, currency: str, lang: str
) -> str | None:
    """Write what a unit costs; None where nothing is said of it, or the price is that already.

    :param price: in minor units.
    :param base: ``content`` and ``unit``, as merchants send them.
    """
    if price is None or not base or base["content"] == 1:
        return None
    amount = (Decimal(price) / Decimal(str(base["content"]))).quantize(Decimal(1), ROUND_HALF_UP)
    written = i18n.money(int(amount), currency, lang)
    if base["unit"] == "piece":
        return i18n.texts(lang).gettext("%(price)s a piece") % {"price": written}
    return f"{written}/{_WRITTEN.get(base['unit'], base['unit'])}"
