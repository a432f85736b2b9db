"""What shipping costs: the shipping model of a product and its combination per merchant.

All amounts are integers in minor units, tax included (contract, checkout: Totals).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class ShippingModel:
    """A product's shipping model; its strategies add up.

    ``scale`` holds steps ``{"start": items, "price": minor units}``. ``order_limit`` is the
    largest count that may be ordered, 0 means none.
    """

    flat_rate: int = 0
    per_item: int = 0
    scale: Sequence[Mapping[str, int]] = field(default=())
    order_limit: int = 0

    @classmethod
    def from_wire(cls, model: Mapping[str, Any] | None) -> "ShippingModel":
        """Build it from the fields of the Product Data API."""
        if not model:
            return _NONE
        return cls(
            model.get("shippingFlatRate") or 0,
            model.get("shippingPerItem") or 0,
            model.get("shippingScale") or (),
            model.get("orderLimit") or 0,
        )

    def cost(self, count: int) -> int:
        """Return the shipping cost of ``count`` pieces of this product."""
        steps = [(step["start"], step["price"]) for step in self.scale]
        return self.flat_rate + self.per_item * count + scale_step(steps, count)


_NONE = ShippingModel()


def scale_step(steps: Iterable[tuple[int, int]], amount: int) -> int:
    """Return the price of the highest step that ``amount`` reaches; of equal starts the first."""
    best_start, best_price = -1, 0
    for start, price in steps:
        if best_start < start <= amount:
            best_start, best_price = start, price
    return best_price


def merchant_shipping(
    strategy: str, scale: Iterable[Mapping[str, int]], costs: Sequence[int], order_value: int
) -> int:
    """Return what one merchant charges for shipping its part of an order.

    :param strategy: ``SUM`` or ``MAX``: how the products' shipping costs combine.
    :param scale: steps ``{"orderPriceStart", "shippingCost"}`` by order value; added.
    """
    if not costs:
        return 0
    combined = sum(costs) if strategy == "SUM" else max(costs)
    steps = [(step.get("orderPriceStart", 0), step.get("shippingCost", 0)) for step in scale]
    return combined + scale_step(steps, order_value)
