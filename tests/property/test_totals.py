"""The parts of a cart add up to the whole, whatever is in it and in whatever order."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from jay.baskets.totals import Totals, totals
from jay.merchants.models import Merchant
from jay.products.models import Product
from tests.unit.makers import a_merchant, a_product

amounts = st.integers(0, 10**12)
few = st.integers(0, 50_000)
merchants = st.fixed_dictionaries(
    {
        number: st.builds(
            lambda number, strategy, steps: a_merchant(
                number,
                shipping_strategy=strategy,
                shipping_scale=[{"orderPriceStart": s, "shippingCost": c} for s, c in steps],
            ),
            st.just(number),
            st.sampled_from(["SUM", "MAX"]),
            st.lists(st.tuples(amounts, few), max_size=3),
        )
        for number in (1, 2, 3)
    }
)


@st.composite
def carts(draw: st.DrawFn) -> list[tuple[Product, int]]:
    currency = draw(st.sampled_from(["EUR", "JPY", "KWD", "IDR", "MRU"]))
    count = draw(st.integers(1, 8))
    return [
        (draw(products(f"product-{n}", currency)), draw(st.integers(1, 999))) for n in range(count)
    ]


@st.composite
def products(draw: st.DrawFn, identifier: str, currency: str) -> Product:
    steps = draw(st.lists(st.tuples(st.integers(0, 999), few), max_size=3))
    shipping: dict[str, Any] = {
        "shippingFlatRate": draw(few),
        "shippingPerItem": draw(few),
        "shippingScale": [{"start": start, "price": price} for start, price in steps],
    }
    return a_product(
        identifier,
        merchant_id=draw(st.integers(1, 3)),
        price=draw(amounts),
        lowest_price=draw(st.none() | amounts),
        vat=draw(st.sampled_from([0.0, 2.1, 5.5, 7.0, 8.1, 19.0, 25.5]) | st.floats(0, 100)),
        currency=currency,
        shipping=shipping,
    )


def add_up(cart: list[tuple[Product, int]], shops: dict[int, Merchant]) -> Totals:
    sums = totals(cart, shops)
    assert sums is not None
    return sums


@given(carts(), merchants)
def test_the_parts_are_the_whole(cart: list[tuple[Product, int]], shops: dict[int, Any]) -> None:
    sums = add_up(cart, shops)

    assert sums.goods == sum((product.price or 0) * count for product, count in cart)
    assert sums.total == sums.goods + sums.shipping == sum(part.total for part in sums.parts)
    assert sums.tax == sum(part.tax for part in sums.parts)
    for part in sums.parts:
        # A merchant alone charges what it charges beside others.
        alone = add_up([(p, n) for p, n in cart if p.merchant_id == part.merchant_id], shops)
        assert (alone.goods, alone.shipping, alone.tax) == (part.goods, part.shipping, part.tax)
    assert sorted(p.product.id for part in sums.parts for p in part.positions) == sorted(
        product.id for product, _ in cart
    )


@given(carts(), merchants)
def test_tax_is_contained_and_never_more(
    cart: list[tuple[Product, int]], shops: dict[int, Any]
) -> None:
    for part in add_up(cart, shops).parts:
        assert 0 <= part.shipping_tax <= part.shipping
        assert all(0 <= position.tax <= position.goods for position in part.positions)


@given(carts(), merchants, st.randoms(use_true_random=False))
def test_the_order_of_the_products_says_nothing(
    cart: list[tuple[Product, int]], shops: dict[int, Any], random: Any
) -> None:
    sums = add_up(cart, shops)
    random.shuffle(cart)
    again = add_up(cart, shops)

    assert (again.goods, again.shipping, again.tax, again.saving) == (
        *(sums.goods, sums.shipping, sums.tax, sums.saving),
    )
