"""The fast way to load a row says the same as the schema, on any input."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from jay.feeds.rows import RowRefused, is_plain, load, load_any, load_variant
from jay.products.fields import MAX_SKU, MAX_TEXT, MAX_URL
from jay.web.schema import MAX_AMOUNT, MAX_INT
from tests.depth import few_or_all

EDGES = st.sampled_from(
    [
        -MAX_INT - 1,
        -MAX_INT,
        -1,
        0,
        1,
        4,
        5,
        1000,
        MAX_INT,
        MAX_INT + 1,
        MAX_AMOUNT,
        MAX_AMOUNT + 1,
        2**63,
    ]
)
NUMBERS = EDGES | st.integers() | st.floats() | st.booleans()
TEXTS = st.one_of(
    st.text(max_size=20),
    st.text(alphabet=st.characters(), max_size=8),  # with lone surrogates
    st.sampled_from(["", "\0", " ", "\u2003", "a\x1fb", "a\x7fb", "­", "é", "😀", "A\n"]),
    st.sampled_from([MAX_TEXT, MAX_TEXT + 1, MAX_SKU + 1]).map("x".__mul__),
)
URLS = st.one_of(
    st.sampled_from(
        [
            *(
                "https://shop.example/p",
                "http://a",
                "https://a.b/c?d=e#f",
                "https://a:80/",
                "http://",
            ),
            *("https://a@b/", "https://[::1]/", "https://[x/", "https://a\\b", "https://a/ b"),
            *("javascript:alert(1)", "HTTPS://A/", "https://ä.example/", "https://a/\n", "//a/b"),
            *("https://a]/", "https://a/[b]", "https://a..b/", "https://-a/", "https://a\t/"),
        ]
    ),
    st.sampled_from([MAX_URL - 10, MAX_URL]).map(lambda size: "https://a/" + "x" * size),
    st.text(max_size=12).map("https://shop.example/".__add__),
    st.text(max_size=12).map("https://".__add__),
)
JUNK = st.recursive(
    st.none() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=4,
)


def shape(required: dict[str, Any], optional: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Make objects that are mostly right, with junk here and there."""
    return st.fixed_dictionaries(required, optional=optional)


IMAGE = shape({"url": URLS}, {"copyrightText": st.none() | TEXTS | NUMBERS, "alt": TEXTS})
SHIPPING = shape(
    {},
    {
        "shippingFlatRate": NUMBERS,
        "shippingPerItem": NUMBERS,
        "orderLimit": st.none() | NUMBERS,
        "shippingScale": st.lists(shape({}, {"start": NUMBERS, "price": NUMBERS}), max_size=2),
    },
)
VARIANT = shape(
    {"sku": TEXTS},
    {
        "stockCount": st.none() | NUMBERS,
        "price": NUMBERS,
        "orgPrice": NUMBERS,
        "value": st.none() | TEXTS,
        "type": st.none() | TEXTS,
        "size": JUNK,
    },
)
BRAND = TEXTS | st.none() | shape({"name": TEXTS}, {"logoUrl": URLS})
GENDER = NUMBERS | st.none() | shape({"code": NUMBERS}, {"label": TEXTS})
FIELDS = {
    "stockCount": st.none() | NUMBERS,
    "price": NUMBERS,
    "orgPrice": NUMBERS,
    "lang": st.sampled_from(["de", "en", "DE", "xx", ""]),
    "country": st.sampled_from(["DE", "GB", "de", "XX", ""]),
    "currency": st.sampled_from(["EUR", "€", "$", "eur", "XXX", ""]),
    "shippingModel": st.none() | SHIPPING,
    "vat": st.none() | NUMBERS,
    "brand": BRAND,
    "subLine": st.none() | TEXTS,
    "description": st.none() | TEXTS,
    "gender": GENDER,
    "material": st.none() | TEXTS,
    "colour": st.none() | TEXTS,
    "colourCode": st.none() | NUMBERS,
    "fit": TEXTS,
    "notShoppable": st.booleans() | NUMBERS,
    "url": st.none() | URLS,
    "urlLabel": TEXTS,
    "urlNote": TEXTS,
    "urlImageUrl": st.none() | URLS,
    "images": st.none() | st.lists(IMAGE | JUNK, max_size=3),
    "variants": st.lists(VARIANT | JUNK, max_size=3),
}
# A few fields at a time: with all of them, one would always be wrong.
BODIES = st.one_of(
    st.lists(st.sampled_from(sorted(FIELDS)), max_size=4, unique=True).flatmap(
        lambda names: st.fixed_dictionaries(
            {"sku": st.just("A-1") | TEXTS, "name": st.just("Mug") | TEXTS},
            optional={name: FIELDS[name] for name in names},
        )
    ),
    shape({}, {"sku": TEXTS, "name": TEXTS, "price": JUNK, "colour": JUNK, "other": JUNK}),
    JUNK,
)


def said(function: Any, body: Any) -> Any:
    """Return what the function answers or, when it refuses, why."""
    try:
        return function(body)
    except RowRefused as refusal:
        return f"refused: {refusal}"


def same(one: Any, other: Any) -> bool:
    """Compare by value and type: 1, 1.0 and true are three things in JSON."""
    return repr_of(one) == repr_of(other)


def repr_of(value: Any) -> str:
    if isinstance(value, dict):
        return repr(sorted((key, repr_of(inner)) for key, inner in value.items()))
    return repr([repr_of(inner) for inner in value]) if isinstance(value, list) else repr(value)


@settings(max_examples=few_or_all(300, 1500))
@given(BODIES)
def test_the_fast_way_and_the_schema_agree_on_every_body(body: Any) -> None:
    assert same(said(load, body), said(load_any, body))


@settings(max_examples=few_or_all(100, 300))
@given(VARIANT)
def test_a_variant_alone_is_loaded_as_within_its_product(body: Any) -> None:
    within = said(load_any, {"sku": "main", "name": "Main", "variants": [body]})

    alone = said(load_variant, body)

    if isinstance(within, str):
        assert alone == within.replace("variants.0.", "").replace("variants.0:", "")
    else:
        assert same(within["variants"], [alone])


def test_a_plain_product_takes_the_fast_way() -> None:
    body = {
        "sku": "A-1",
        "name": "Mug",
        "price": 1250,
        "stockCount": 3,
        "currency": "EUR",
        "vat": 19,
        "brand": "Hafenlicht",
        "description": "Fine.",
        "colour": "red",
        "gender": 2,
        "lang": "de",
        "country": "DE",
        "url": "https://shop.example/p/1?x=1",
        "images": [{"url": "https://shop.example/i.jpg"}],
        "shippingModel": {"shippingFlatRate": 490},
        "variants": [{"sku": "A-1-M", "type": "size", "value": "M", "stockCount": 1}],
    }

    assert is_plain(body)
