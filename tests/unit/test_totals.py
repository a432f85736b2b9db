"""What a cart costs: goods, shipping and the tax contained in both."""

import pytest

from jay.baskets.totals import MixedCurrencies, Totals, tax_in, totals
from jay.merchants.models import Merchant
from jay.products.models import Product
from tests.unit.makers import a_merchant, a_product


def add_up(*positions: tuple[Product, int], merchants: tuple[Merchant, ...] = ()) -> Totals:
    known = {merchant.id: merchant for merchant in (merchants or (a_merchant(),))}
    sums = totals(positions, known)
    assert sums is not None
    return sums


def test_without_products_there_are_no_totals() -> None:
    assert totals([], {}) is None


# --- tax


@pytest.mark.parametrize(
    ("gross", "vat", "tax"),
    [
        (11900, 19, 1900),
        (10700, 7.0, 700),
        (1250, 19.0, 200),  # 199.58
        (2799, 19, 447),  # 446.90
        (8900, 19, 1421),  # 1421.01
        (1000, 5.5, 52),  # 52.13
        (1000, 0, 0),
        (0, 19, 0),
        (2**31 - 1, 19, 342875540),  # 342875540.28
    ],
)
def test_the_tax_contained_in_an_amount(gross: int, vat: float, tax: int) -> None:
    assert tax_in(gross, vat) == tax


@pytest.mark.parametrize(("gross", "tax"), [(1, 1), (3, 2), (5, 3), (2, 1)])
def test_half_a_cent_of_tax_is_rounded_up(gross: int, tax: int) -> None:
    # With 100 % half of the price is tax: rounding half to even would give 0, 2 and 2.
    assert tax_in(gross, 100) == tax


def test_a_rate_is_the_decimal_number_that_was_written() -> None:
    # 2.4 % are contained in 64 cents with exactly 1.5; the nearest binary fraction is below 2.4.
    assert tax_in(64, 2.4) == 2


def test_tax_is_rounded_per_position_and_not_in_the_sum() -> None:
    # 0.32 cents in each position are none; in the sum, 0.96 cents would be one.
    positions = [(a_product(f"pin-{number}", price=2), 1) for number in range(3)]

    assert tax_in(2, 19) == 0
    assert tax_in(6, 19) == 1
    assert add_up(*positions).tax == 0


def test_the_pieces_of_a_position_are_taxed_together() -> None:
    assert add_up((a_product(price=2), 3)).tax == 1


def test_each_position_has_its_own_rate() -> None:
    sums = add_up((a_product("book", price=1070, vat=7.0), 1), (a_product(price=1190), 1))

    assert sums.tax == 70 + 190


# --- goods and shipping


def test_goods_are_price_times_count() -> None:
    sums = add_up((a_product("mug", price=1250), 2), (a_product("lamp", price=8900), 1))

    assert (sums.goods, sums.shipping, sums.total) == (11400, 0, 11400)


def test_shipping_is_added_and_its_tax_is_contained() -> None:
    sums = add_up((a_product(price=11900, shipping={"shippingFlatRate": 1190}), 1))

    assert (sums.goods, sums.shipping, sums.total, sums.tax) == (11900, 1190, 13090, 2090)


def test_max_charges_the_dearest_shipping_and_taxes_it_at_that_products_rate() -> None:
    sums = add_up(
        (a_product("book", price=0, vat=7.0, shipping={"shippingFlatRate": 1070}), 1),
        (a_product("mug", price=0, vat=19.0, shipping={"shippingFlatRate": 595}), 1),
    )

    assert (sums.shipping, sums.tax) == (1070, 70)


def test_sum_charges_every_shipping_and_taxes_each_like_its_product() -> None:
    sums = add_up(
        (a_product("book", price=0, vat=7.0, shipping={"shippingFlatRate": 1070}), 1),
        (a_product("mug", price=0, vat=19.0, shipping={"shippingFlatRate": 595}), 1),
        merchants=(a_merchant(shipping_strategy="SUM"),),
    )

    assert (sums.shipping, sums.tax) == (1665, 70 + 95)


def test_the_merchants_scale_goes_by_its_own_goods_and_is_taxed_at_the_highest_rate() -> None:
    scale = (
        {"orderPriceStart": 0, "shippingCost": 1190},
        {"orderPriceStart": 5000, "shippingCost": 0},
    )
    merchants = (a_merchant(1, shipping_scale=scale), a_merchant(2, shipping_scale=scale))

    sums = add_up(
        (a_product("book", price=2140, vat=7.0), 1),
        (a_product("mug", price=1190, vat=19.0), 1),
        (a_product("lamp", merchant_id=2, price=5000, vat=0.0), 1),
        merchants=merchants,
    )

    assert sums.shipping == 1190  # of the first merchant alone: the second ships free from 50,00
    assert sums.tax == 140 + 190 + 190


def test_each_merchant_ships_by_its_own_strategy() -> None:
    flat = {"shippingFlatRate": 100}
    positions = [
        (a_product(f"p{number}", merchant_id=1 + number // 2, price=1, shipping=flat), 1)
        for number in range(4)
    ]

    sums = add_up(*positions, merchants=(a_merchant(1), a_merchant(2, shipping_strategy="SUM")))

    assert (sums.shipping, len(sums.parts)) == (100 + 200, 2)


def test_the_basket_of_the_pictures() -> None:
    hoodie = a_product("hoodie", price=2799, shipping={"shippingFlatRate": 499})
    mug = a_product("mug", price=1250, shipping={"shippingFlatRate": 299, "shippingPerItem": 50})
    lamp = a_product("lamp", merchant_id=2, price=8900, shipping={"shippingFlatRate": 399})

    sums = add_up((hoodie, 1), (mug, 2), (lamp, 1), merchants=(a_merchant(1), a_merchant(2)))

    assert (sums.goods, sums.shipping, sums.total) == (14199, 898, 15097)
    assert (sums.currency, len(sums.parts)) == ("EUR", 2)
    # Hoodie 447, mugs 399, lamp 1421, shipping of the two merchants 80 and 64.
    assert sums.tax == 447 + 399 + 1421 + 80 + 64


def test_two_currencies_have_no_total() -> None:
    with pytest.raises(MixedCurrencies):
        add_up((a_product("mug"), 1), (a_product("cup", currency="GBP"), 1))


def test_the_currency_is_that_of_the_products() -> None:
    assert add_up((a_product("mug", currency="GBP"), 1)).currency == "GBP"
