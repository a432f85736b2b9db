"""What is loaded without marshmallow is loaded as marshmallow would, and refused by it alone."""

from typing import Any

import hypothesis.strategies as st
import marshmallow as ma
import pytest
from hypothesis import example, given, settings

from jay.baskets import schemas as baskets
from jay.products.schemas import VolatileProductSchema
from jay.web.plain import PlainList, loader_of
from jay.web.schema import MAX_AMOUNT, MAX_INT
from tests.depth import few_or_all

numbers = st.sampled_from(
    [0, 1, -1, MAX_INT, -MAX_INT, MAX_INT + 1, -MAX_INT - 1, MAX_AMOUNT, MAX_AMOUNT + 1, 2**64]
)
odd = st.sampled_from([None, True, False, 1.0, 0.5, "1", "", [], {}])
blank = st.sampled_from(
    [" ", "\t", "\u3000", "\xa0", "\u2028", "\u200b", "\x1f", "\x7f", " " * 200]
)
long = st.sampled_from(["x" * 200, "x" * 201, " " * 199 + "x"])
texts = st.text(max_size=4) | st.sampled_from(["mug", " a", "a ", "a\nb", "a\0"]) | blank | long
names = st.sampled_from(["stockCount", "price", "orgPrice", "sku", "name", "stock_count", ""])
right = st.fixed_dictionaries(
    {"sku": st.text("abc-0.äß€😀", min_size=1, max_size=200)},
    optional={
        "stockCount": st.none() | st.integers(-MAX_INT, MAX_INT),
        "price": st.integers(0, MAX_AMOUNT),
        "orgPrice": st.integers(0, MAX_AMOUNT),
    },
)
anything = st.dictionaries(names, numbers | odd | texts) | odd | numbers | texts
mostly_right = right | st.builds(lambda item, more: item | more, right, st.dictionaries(names, odd))


def verdict(load: Any, value: Any) -> Any:
    """Return what is loaded, or the field errors."""
    try:
        return load(value)
    except ma.ValidationError as error:
        return error.normalized_messages()  # type: ignore[no-untyped-call]


@settings(max_examples=few_or_all(200, 1000))
@given(st.lists(anything | mostly_right, max_size=4) | anything)
@example([{"sku": " mug"}])
@example([{"sku": "\x1c"}])
@example([{"sku": "mug", "stockCount": None}])
@example([{"sku": "mug", "price": None}])
@example([{}])
def test_both_ways_of_loading_agree(value: Any) -> None:
    slow = ma.fields.List(ma.fields.Nested(VolatileProductSchema))
    fast = PlainList(ma.fields.Nested(VolatileProductSchema))

    assert verdict(fast.deserialize, value) == verdict(slow.deserialize, value)


@given(st.lists(right, max_size=50))
def test_what_shops_send_needs_no_marshmallow(value: Any) -> None:
    load = loader_of(ma.fields.List(ma.fields.Nested(VolatileProductSchema)))

    assert len(load(value)) == len(value)


@settings(max_examples=few_or_all(100, 500))
@given(st.lists(texts | odd | st.just("x" * 500) | st.just("x" * 501), max_size=51) | odd)
@example([])
@example(["a"] * 50)
@example(["a"] * 51)
def test_both_ways_of_loading_product_ids_agree(value: Any) -> None:
    fast = baskets.product_id_list()
    slow = ma.fields.List(fast.inner, validate=fast.validators)

    assert verdict(fast.deserialize, value) == verdict(slow.deserialize, value)


@pytest.mark.parametrize("value", [[1], ["a", None], "ab", {"a": 1}])
def test_what_is_no_list_of_ids_is_refused(value: Any) -> None:
    with pytest.raises(ma.ValidationError):
        baskets.product_id_list().deserialize(value)
