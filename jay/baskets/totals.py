"""What a cart costs: goods, shipping and the tax contained in both (contract, checkout: Totals).

All amounts are integers in minor units, tax included.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from jay.merchants.models import Merchant
from jay.products.models import Product
from jay.products.shipping import merchant_shipping


@dataclass(frozen=True)
class Totals:
    """The sums of a cart in one currency."""

    currency: str
    goods: int
    shipping: int
    tax: int
    merchants: int

    @property
    def total(self) -> int:
        """What there is to pay."""
        return self.goods + self.shipping


class MixedCurrencies(ValueError):
    """The products are in more than one currency: there is no total."""


def tax_in(gross: int, vat: float) -> int:
    """Return the tax contained in an amount, rounded half up. ``vat`` in percent."""
    rate = Decimal(str(vat))
    return int((gross * rate / (100 + rate)).quantize(Decimal(1), ROUND_HALF_UP))


def totals(
    positions: Sequence[tuple[Product, int]], merchants: Mapping[int, Merchant]
) -> Totals | None:
    """Add up products and counts; None when there are none.

    :param merchants: by id, those of the products.
    :raises MixedCurrencies: the products are in more than one currency.
    """
    if not positions:
        return None
    currencies = {product.currency for product, _ in positions}
    if len(currencies) > 1:
        raise MixedCurrencies
    goods = shipping = tax = 0
    for merchant_id in dict.fromkeys(product.merchant_id for product, _ in positions):
        part = [(p, n) for p, n in positions if p.merchant_id == merchant_id]
        value = sum((product.price or 0) * count for product, count in part)
        part_shipping, shipping_tax = _shipping(merchants[merchant_id], part, value)
        goods += value
        shipping += part_shipping
        tax += shipping_tax + sum(tax_in((p.price or 0) * n, p.vat) for p, n in part)
    return Totals(
        currencies.pop(), goods, shipping, tax, len({p.merchant_id for p, _ in positions})
    )


def _shipping(
    merchant: Merchant, part: Sequence[tuple[Product, int]], value: int
) -> tuple[int, int]:
    """Return one merchant's shipping and the tax in it.

    Each product's shipping is taxed like the product; what the merchant's own scale adds, like
    the product with the highest rate.
    """
    strategy, scale = merchant.shipping_strategy, merchant.shipping_scale
    costs = [(product.shipping.cost(count), product.vat) for product, count in part]
    charged = costs if strategy == "SUM" else [max(costs, key=lambda cost: cost[0])]
    total = merchant_shipping(strategy, scale, [cost for cost, _ in costs], value)
    added = total - sum(cost for cost, _ in charged)
    tax = sum(tax_in(cost, vat) for cost, vat in charged)
    return total, tax + tax_in(added, max(vat for _, vat in costs))
