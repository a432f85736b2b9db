"""What shipping costs: per product, and combined per merchant."""

import pytest

from jay.products.shipping import ShippingModel, merchant_shipping, scale_step


def model(**fields: object) -> ShippingModel:
    return ShippingModel.from_wire(fields)


@pytest.mark.parametrize("wire", [None, {}, {"shippingScale": [], "orderLimit": None}])
def test_without_a_model_shipping_is_free_and_without_limit(wire: dict[str, object] | None) -> None:
    shipping = ShippingModel.from_wire(wire)

    assert (shipping.cost(1), shipping.cost(999), shipping.order_limit) == (0, 0, 0)


@pytest.mark.parametrize("count", [1, 2, 999])
def test_the_flat_rate_is_per_order_line(count: int) -> None:
    assert model(shippingFlatRate=499).cost(count) == 499


def test_the_price_per_item_goes_with_the_count() -> None:
    assert [model(shippingPerItem=50).cost(count) for count in (1, 2, 10)] == [50, 100, 500]


@pytest.mark.parametrize(("count", "cost"), [(1, 100), (2, 100), (3, 250), (9, 250), (10, 0)])
def test_the_highest_step_that_the_count_reaches_counts(count: int, cost: int) -> None:
    scale = [{"start": 3, "price": 250}, {"start": 0, "price": 100}, {"start": 10, "price": 0}]

    assert model(shippingScale=scale).cost(count) == cost


def test_below_the_first_step_the_scale_adds_nothing() -> None:
    assert model(shippingScale=[{"start": 5, "price": 250}]).cost(4) == 0


def test_of_steps_with_equal_starts_the_first_counts() -> None:
    scale = [{"start": 2, "price": 300}, {"start": 2, "price": 700}]

    assert model(shippingScale=scale).cost(2) == 300


def test_a_step_at_zero_counts_once_of_two() -> None:
    assert scale_step([(0, 10), (0, 20)], 0) == 10


def test_the_three_strategies_add_up() -> None:
    shipping = model(
        shippingFlatRate=299, shippingPerItem=50, shippingScale=[{"start": 3, "price": 1000}]
    )

    assert shipping.cost(2) == 299 + 2 * 50
    assert shipping.cost(3) == 299 + 3 * 50 + 1000


def test_sum_adds_the_products_shipping() -> None:
    assert merchant_shipping("SUM", (), [499, 399, 0], 0) == 898


def test_max_takes_the_dearest_products_shipping() -> None:
    assert merchant_shipping("MAX", (), [399, 499, 0], 0) == 499


@pytest.mark.parametrize(("value", "cost"), [(0, 590), (4999, 590), (5000, 290), (10000, 0)])
def test_the_merchants_own_scale_goes_by_order_value_and_is_added(value: int, cost: int) -> None:
    scale = [
        {"orderPriceStart": 0, "shippingCost": 590},
        {"orderPriceStart": 5000, "shippingCost": 290},
        {"orderPriceStart": 10000, "shippingCost": 0},
    ]

    assert merchant_shipping("MAX", scale, [499], value) == 499 + cost
    assert merchant_shipping("SUM", scale, [499, 1], value) == 500 + cost


def test_the_fields_of_a_merchants_step_default_to_zero() -> None:
    assert merchant_shipping("MAX", [{"shippingCost": 590}], [0], 1) == 590
    assert merchant_shipping("MAX", [{"orderPriceStart": 1}], [7], 1) == 7


def test_of_a_merchants_steps_with_equal_starts_the_first_counts() -> None:
    scale = [{"shippingCost": 100}, {"orderPriceStart": 0, "shippingCost": 900}]

    assert merchant_shipping("MAX", scale, [0], 1) == 100


def test_without_products_a_merchant_ships_nothing() -> None:
    assert merchant_shipping("SUM", [{"shippingCost": 590}], [], 0) == 0
