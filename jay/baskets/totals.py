"""What a cart costs: goods, shipping and the tax contained in both (contract, checkout: Totals).

Basket page, checkout and order all add up here. Amounts are integers in minor units, tax included;
rates are exact decimals. The one rounding is that of tax, in ``tax_in``: once a position, once a
shipping charge, so that the parts add up to the whole, whatever their order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from jay.merchants.models import Merchant
from jay.products.models import Product
from jay.products.shipping import merchant_shipping


@dataclass(frozen=True, slots=True)
class Position:
    """So many pieces of a product, and what they cost together."""

    product: Product
    count: int
    goods: int
    saving: int
    """How much less that is than at the lowest price of the 30 days before (PAngV 11)."""
    tax: int


@dataclass(frozen=True, slots=True)
class Part:
    """What one merchant gets of a cart: a contract of its own."""

    merchant_id: int
    positions: Sequence[Position]
    shipping: int
    shipping_tax: int

    @property
    def goods(self) -> int:
        """What its products cost."""
        return sum(position.goods for position in self.positions)

    @property
    def tax(self) -> int:
        """The tax contained in products and shipping."""
        return self.shipping_tax + sum(position.tax for position in self.positions)

    @property
    def total(self) -> int:
        """What there is to pay to it."""
        return self.goods + self.shipping


@dataclass(frozen=True, slots=True)
class Totals:
    """The sums of a cart in one currency, by merchant, each where its first product stands."""

    currency: str
    parts: Sequence[Part]

    @property
    def goods(self) -> int:
        """What the products cost."""
        return sum(part.goods for part in self.parts)

    @property
    def shipping(self) -> int:
        """What all merchants charge for shipping."""
        return sum(part.shipping for part in self.parts)

    @property
    def tax(self) -> int:
        """The tax contained in products and shipping."""
        return sum(part.tax for part in self.parts)

    @property
    def total(self) -> int:
        """What there is to pay."""
        return sum(part.total for part in self.parts)

    @property
    def saving(self) -> int:
        """What all reductions come to."""
        return sum(position.saving for part in self.parts for position in part.positions)


class MixedCurrencies(ValueError):
    """The products are in more than one currency: there is no total."""


def tax_in(gross: int, vat: float) -> int:
    """Return the tax contained in an amount, rounded half up. ``vat`` in percent."""
    rate = Decimal(str(vat))
    return int((gross * rate / (100 + rate)).quantize(Decimal(1), ROUND_HALF_UP))


def totals(
    positions: Sequence[tuple[Product, int]], merchants: Mapping[int, Merchant]
) -> Totals | None:
    """Add up products, each with a price, and counts; None when there are none.

    :param merchants: by id, those of the products.
    :raises MixedCurrencies: the products are in more than one currency.
    """
    if not positions:
        return None
    currencies = {product.currency for product, _ in positions}
    if len(currencies) > 1:
        raise MixedCurrencies
    parts: dict[int, list[tuple[Product, int]]] = {}
    for product, count in positions:
        parts.setdefault(product.merchant_id, []).append((product, count))
    return Totals(
        currencies.pop(), [_part(merchants[number], part) for number, part in parts.items()]
    )


def _part(merchant: Merchant, chosen: Sequence[tuple[Product, int]]) -> Part:
    positions = [_position(product, count) for product, count in chosen]
    shipping, shipping_tax = _shipping(merchant, positions)
    return Part(merchant.id, positions, shipping, shipping_tax)


def _position(product: Product, count: int) -> Position:
    price = product.price or 0
    goods = price * count
    before = product.struck_price
    saving = 0 if before is None else (before - price) * count
    return Position(product, count, goods, saving, tax_in(goods, product.vat))


def _shipping(merchant: Merchant, positions: Sequence[Position]) -> tuple[int, int]:
    """Return one merchant's shipping and the tax in it.

    Each product's shipping is taxed like the product; what the merchant's own scale adds, like
    the product with the highest rate. Of several that are equally dear to ship, the highest rate
    counts, too: so the tax does not hang on the order of the products.
    """
    costs = [(one.product.shipping.cost(one.count), one.product.vat) for one in positions]
    charged = costs if merchant.shipping_strategy == "SUM" else [max(costs)]
    value = sum(position.goods for position in positions)
    total = merchant_shipping(
        merchant.shipping_strategy, merchant.shipping_scale, [cost for cost, _ in costs], value
    )
    added = total - sum(cost for cost, _ in charged)
    tax = sum(tax_in(cost, vat) for cost, vat in charged)
    return total, tax + tax_in(added, max(vat for _, vat in costs))
