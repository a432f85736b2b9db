"""``PATCH /v1/shops/products``: stock, prices and the like of many products."""

from datetime import timedelta
from typing import Any

import pytest

from tests.api.checks import body, field_errors
from tests.api.feed import details, post
from tests.builders import Shop, User
from tests.clock import NOON, MovedClock

# As printed in the public description, with a SKU in the placeholder's place.
PRINTED = {
    "lang": "de",
    "country": "DE",
    "currency": "EUR",
    "shippingModel": {
        "shippingFlatRate": 499,
        "shippingPerItem": 0,
        "shippingScale": [{"start": 0, "price": 399}],
        "orderLimit": 0,
    },
    "vat": 19,
    "products": [{"sku": "mug", "stockCount": 0, "price": 2799, "orgPrice": 3599}],
}


def patch(shop: Shop, *products: dict[str, Any], **shared: Any) -> dict[str, Any]:
    response = shop.call("PATCH", "/shops/products", json={"products": list(products), **shared})
    assert response.status_code == 200, response.json
    data: dict[str, Any] = response.json["data"]
    assert set(data) == {"updated", "unknownSkus", "stale"}
    return data


def test_the_printed_example_changes_the_product(shop: Shop, alice: User) -> None:
    mug = post(shop, price=1, stockCount=1, currency="USD", vat=7)

    response = shop.call("PATCH", "/shops/products", json=PRINTED)

    assert response.status_code == 200
    assert response.json == {"data": {"updated": 1, "unknownSkus": [], "stale": 0}}
    found = details(alice, mug)
    assert (found["price"], found["orgPrice"], found["currentStockCount"]) == (2799, 3599, 0)
    assert (found["currency"], found["vat"]) == ("EUR", 19.0)


def test_absent_fields_stay_as_they_are(shop: Shop, alice: User) -> None:
    mug = post(shop, price=900, orgPrice=1000, stockCount=5, currency="GBP", vat=7, colour="red")
    before = details(alice, mug)

    assert patch(shop, {"sku": "mug"})["updated"] == 1
    assert details(alice, mug) == before

    patch(shop, {"sku": "mug", "price": 800})
    assert details(alice, mug) == {**before, "price": 800}

    patch(shop, {"sku": "mug", "stockCount": 1})
    assert details(alice, mug) == {**before, "price": 800, "currentStockCount": 1}


def test_main_products_and_variants_are_found_by_sku(shop: Shop, alice: User) -> None:
    mug = post(shop, price=900, stockCount=5, variants=[{"sku": "s"}, {"sku": "m"}])

    data = patch(shop, {"sku": "mug", "price": 1000}, {"sku": "s", "price": 700, "stockCount": 2})

    assert data["updated"] == 2
    found = details(alice, mug)
    assert found["price"] == 1000
    assert [(v["price"], v["currentStockCount"]) for v in found["variants"]] == [
        (700, 2),
        (1000, 5),
    ]


def test_a_stock_of_null_is_without_limit(shop: Shop, alice: User) -> None:
    mug = post(shop, stockCount=0, variants=[{"sku": "s"}])

    patch(shop, {"sku": "s", "stockCount": None})

    found = details(alice, mug)
    assert found["currentStockCount"] == 0
    assert found["variants"][0]["currentStockCount"] is None


def test_what_is_given_for_the_call_holds_for_all_its_products(shop: Shop, alice: User) -> None:
    ids = [post(shop, sku=sku, price=1) for sku in ("a", "b", "c")]

    patch(
        shop,
        *({"sku": sku} for sku in ("a", "b")),
        currency="£",
        vat=20,
        shippingModel={"orderLimit": 2},
    )

    found = [details(alice, product_id) for product_id in ids]
    assert [product["currency"] for product in found] == ["GBP", "GBP", "EUR"]
    assert [product["vat"] for product in found] == [20.0, 20.0, 0.0]
    assert [alice.put(product_id, 3).status_code for product_id in ids] == [409, 409, 200]


def put_again(shop: Shop, **fields: Any) -> None:
    post(shop, **fields)


def patch_it(shop: Shop, **fields: Any) -> None:
    shared = {name: fields.pop(name) for name in ("currency", "asOf") if name in fields}
    patch(shop, {"sku": "mug", **fields}, **shared)


@pytest.mark.parametrize("door", [put_again, patch_it])
@pytest.mark.parametrize(
    ("news", "expected"),
    [
        ({"price": 800, "currency": "USD"}, (800, 800, "USD")),
        ({"price": 800, "currency": "USD", "orgPrice": 1100}, (800, 1100, "USD")),
        ({"price": 800, "currency": "EUR"}, (800, 1000, "EUR")),
        ({"price": 800}, (800, 1000, "EUR")),
        ({"currency": "USD"}, (900, 1000, "USD")),
        ({"stockCount": 1, "currency": "USD"}, (900, 1000, "USD")),
    ],
)
def test_a_price_in_another_currency_ends_the_former_price(
    door: Any, news: dict[str, Any], expected: tuple[int, int, str], shop: Shop, alice: User
) -> None:
    mug = post(shop, price=900, orgPrice=1000)  # in the merchant's currency

    door(shop, **news)

    found = details(alice, mug)
    assert (found["price"], found["orgPrice"], found["currency"]) == expected


@pytest.mark.parametrize(("currency", "org_price"), [("USD", 1000), ("EUR", 800)])
def test_a_variants_former_price_is_in_the_currency_of_its_product(
    currency: str, org_price: int, shop: Shop, alice: User
) -> None:
    small = {"sku": "mug-s", "type": "size", "value": "S", "price": 900, "orgPrice": 1000}
    mug = post(shop, price=900, currency="USD", variants=[small])

    patch(shop, {"sku": "mug-s", "price": 800}, currency=currency)

    found = details(alice, f"{mug}-s")
    assert (found["price"], found["orgPrice"]) == (800, org_price)


@pytest.mark.parametrize("currency", ["USD", "EUR"])
def test_a_variant_described_anew_with_its_product_in_another_currency_has_no_former_price(
    currency: str, shop: Shop, alice: User
) -> None:
    small = {"sku": "mug-s", "type": "size", "value": "S", "price": 900}
    mug = post(shop, price=900, currency="EUR", variants=[{**small, "orgPrice": 1000}])

    post(shop, price=900, currency=currency, variants=[small])

    found = details(alice, f"{mug}-s")
    assert (found["orgPrice"], found["currency"]) == (1000 if currency == "EUR" else 900, currency)


SMALL = {"sku": "mug-s", "type": "size", "value": "S"}


@pytest.mark.parametrize(
    ("door", "news", "expected"),
    [
        (patch_it, {"price": 800, "currency": "USD"}, 700),
        (patch_it, {"price": 800, "currency": "EUR"}, 1000),
        (patch_it, {"currency": "USD"}, 1000),  # it is the currency of all that was wrong
        (put_again, {"price": 800, "currency": "USD", "variants": [SMALL]}, 700),
        (put_again, {"price": 800, "currency": "EUR", "variants": [SMALL]}, 1000),
        (put_again, {"price": 800, "currency": "USD", "variants": []}, 700),
    ],
)
@pytest.mark.parametrize("told", [{}, {"currency": "USD"}])
def test_a_products_price_in_another_currency_ends_the_former_prices_of_its_variants(
    *,
    door: Any,
    news: dict[str, Any],
    expected: int,
    told: dict[str, str],
    shop: Shop,
    alice: User,
) -> None:
    mug = post(shop, price=900, variants=[{**SMALL, "price": 900, "orgPrice": 1000}])
    door(shop, **news)
    if news.get("variants") == []:
        post(shop, variants=[SMALL])
    told = told and {"currency": str(news["currency"])}

    patch(shop, {"sku": "mug-s", "price": 700}, **told)

    found = details(alice, f"{mug}-s")
    assert (found["price"], found["orgPrice"]) == (700, expected)
    assert found["currency"] == news["currency"]


def test_a_variant_with_a_currency_of_its_own_keeps_its_former_price(
    shop: Shop, alice: User
) -> None:
    mug = post(shop, price=900, variants=[{**SMALL, "price": 900, "orgPrice": 1000}])
    patch(shop, {"sku": "mug-s"}, currency="EUR")

    patch(shop, {"sku": "mug", "price": 800}, currency="USD")

    found = details(alice, f"{mug}-s")
    assert (found["orgPrice"], found["currency"]) == (1000, "EUR")


@pytest.mark.parametrize(("seconds", "expected"), [(10, 1200), (90, 900)])
def test_a_newer_former_price_of_a_variant_stays(
    seconds: float, expected: int, shop: Shop, alice: User
) -> None:
    mug = post(shop, variants=[SMALL])
    patch(shop, {"sku": "mug-s", "price": 900, "orgPrice": 1200}, asOf=ago(seconds))

    patch(shop, {"sku": "mug", "price": 800}, currency="USD", asOf=ago(60))

    assert details(alice, f"{mug}-s")["orgPrice"] == expected


def test_a_newer_former_price_stays(shop: Shop, alice: User) -> None:
    mug = post(shop)
    patch(shop, {"sku": "mug", "orgPrice": 1200}, asOf=ago(10))

    patch(shop, {"sku": "mug", "price": 800}, currency="USD", asOf=ago(60))

    assert details(alice, mug)["orgPrice"] == 1200


def test_unknown_skus_are_listed_and_the_others_changed(shop: Shop, alice: User) -> None:
    mug = post(shop, price=1)

    data = patch(
        shop, {"sku": "zebra"}, {"sku": "mug", "price": 2}, {"sku": "ant"}, {"sku": "mug-s"}
    )

    assert data["updated"] == 1
    assert data["unknownSkus"] == ["zebra", "ant", "mug-s"]
    assert details(alice, mug)["price"] == 2


def test_of_the_same_sku_twice_the_last_one_counts(shop: Shop, alice: User) -> None:
    mug = post(shop, price=1)

    data = patch(shop, {"sku": "mug", "price": 2}, {"sku": "mug", "price": 3})

    assert data["updated"] == 1
    assert details(alice, mug)["price"] == 3


def test_an_unknown_sku_twice_is_listed_once(shop: Shop) -> None:
    assert patch(shop, {"sku": "x"}, {"sku": "x"})["unknownSkus"] == ["x"]


def test_another_merchants_products_are_unknown(shop: Shop, other_shop: Shop, alice: User) -> None:
    mug, hat = post(shop, price=1), post(shop, sku="hat", price=1)
    theirs = post(other_shop, price=1)

    data = patch(other_shop, {"sku": "mug", "price": 9}, {"sku": "hat", "price": 9})

    assert data["unknownSkus"] == ["hat"]
    assert [details(alice, p)["price"] for p in (mug, hat, theirs)] == [1, 1, 9]


def test_the_same_sku_in_another_country_stays(shop: Shop, alice: User) -> None:
    german, austrian = post(shop, price=1), post(shop, price=1, country="AT")

    patch(shop, {"sku": "mug", "price": 2}, country="AT")
    assert [details(alice, p)["price"] for p in (german, austrian)] == [1, 2]

    patch(shop, {"sku": "mug", "price": 3})
    assert [details(alice, p)["price"] for p in (german, austrian)] == [3, 2]


def test_a_removed_variant_is_unknown(shop: Shop) -> None:
    post(shop, variants=[{"sku": "s"}])
    post(shop)

    assert patch(shop, {"sku": "s", "price": 1})["unknownSkus"] == ["s"]


@pytest.mark.parametrize("fields", [{}, {"products": []}, {"vat": 7}])
def test_no_products_are_no_change(fields: dict[str, Any], shop: Shop, alice: User) -> None:
    mug = post(shop, price=1)
    before = details(alice, mug)

    response = shop.call("PATCH", "/shops/products", json=fields)

    assert response.json["data"]["updated"] == 0
    assert details(alice, mug) == before


def test_50_products_are_accepted_and_51_change_nothing(shop: Shop, alice: User) -> None:
    ids = [post(shop, sku=f"mug-{number}", price=1) for number in range(51)]
    changes = [{"sku": f"mug-{number}", "price": 2} for number in range(51)]

    response = shop.call("PATCH", "/shops/products", json={"products": changes})
    assert list(field_errors(response)) == ["products"]
    assert details(alice, ids[0])["price"] == 1

    assert patch(shop, *changes[:50])["updated"] == 50
    assert [details(alice, ids[n])["price"] for n in (0, 49, 50)] == [2, 2, 1]


@pytest.mark.one_database
@pytest.mark.parametrize(
    "wrong",
    [
        '{"sku": "hat", "price": -1}',
        '{"sku": "hat", "price": 1000000000001}',
        '{"sku": "hat", "price": null}',
        '{"sku": "hat", "price": "1"}',
        '{"sku": "hat", "price": 1.0}',
        '{"sku": "hat", "orgPrice": -1}',
        '{"sku": "hat", "stockCount": true}',
        '{"sku": "hat", "stockCount": 2147483648}',
        '{"sku": ""}',
        '{"sku": "a\\u0000b"}',
        '{"price": 1}',
        '{"sku": "hat", "name": "Hat"}',
        '{"sku": "hat", "vat": 1}',
        "1",
        "null",
    ],
)
def test_one_wrong_product_keeps_all_from_changing(wrong: str, shop: Shop, alice: User) -> None:
    mug = post(shop, price=1)
    text = f'{{"products": [{{"sku": "mug", "price": 2}}, {wrong}]}}'

    found = field_errors(shop.call("PATCH", "/shops/products", **body(text)))

    assert list(found) == ["products"]
    assert list(found["products"]) == ["1"]
    assert details(alice, mug)["price"] == 1


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("lang", "DE"),
        ("lang", "xx"),
        ("country", "de"),
        ("country", "XX"),
        ("currency", "eur"),
        ("currency", None),
        ("vat", -1),
        ("vat", "19"),
        ("vat", None),
        ("shippingModel", {"orderLimit": -1}),
        ("shippingModel", {"price": 1}),
        ("name", "Mug"),
        ("products", {}),
        ("products", None),
        ("asOf", None),
        ("asOf", 1749038400),
        ("asOf", ""),
        ("asOf", "2025-06-04"),
        ("asOf", "2025-06-04T11:00:00"),
        ("asOf", "2025-06-04T11:00Z"),
        ("asOf", "20250604T110000Z"),
        ("asOf", "2025-06-31T11:00:00Z"),
        ("asOf", "2025-06-04T24:01:00Z"),
        ("asOf", "2025-06-04T11:60:00Z"),
        ("asOf", "2025-06-04T11:00:61Z"),
        ("asOf", "2025-06-04T11:00:00-05:60"),
        ("asOf", "2025-06-04T11:00:00+24:00"),
        ("asOf", "2025-06-04T11:00:00 CEST"),
        ("asOf", "٢٠٢٥-06-04T11:00:00Z"),
        ("asOf", "now"),
    ],
)
def test_a_wrong_field_of_the_call_is_named(
    field: str, value: Any, shop: Shop, alice: User
) -> None:
    mug = post(shop, price=1)
    fields = {"products": [{"sku": "mug", "price": 2}], field: value}

    assert list(field_errors(shop.call("PATCH", "/shops/products", json=fields))) == [field]
    assert details(alice, mug)["price"] == 1


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_a_vat_that_is_no_number_is_malformed(number: str, shop: Shop) -> None:
    response = shop.call("PATCH", "/shops/products", **body(f'{{"vat": {number}}}'))

    assert (response.status_code, response.json["error"]["code"]) == (400, 1002)


# --- when it was observed ---


def ago(seconds: float) -> str:
    """Write the moment so many seconds before noon, when all tests begin."""
    return (NOON - timedelta(seconds=seconds)).isoformat()


def test_older_news_that_arrives_later_is_skipped_field_by_field(shop: Shop, alice: User) -> None:
    mug = post(shop)
    patch(shop, {"sku": "mug", "price": 900}, asOf=ago(20))

    newer = patch(shop, {"sku": "mug", "stockCount": 5}, asOf=ago(10))
    older = patch(shop, {"sku": "mug", "stockCount": 9, "price": 1}, asOf=ago(30))

    assert newer == {"updated": 1, "unknownSkus": [], "stale": 0}
    assert older == {"updated": 0, "unknownSkus": [], "stale": 2}
    found = details(alice, mug)
    assert (found["price"], found["currentStockCount"]) == (900, 5)


def test_of_a_product_the_newer_fields_are_written_and_the_older_skipped(
    shop: Shop, alice: User
) -> None:
    mug = post(shop)
    patch(shop, {"sku": "mug", "price": 900}, asOf=ago(10))

    data = patch(shop, {"sku": "mug", "price": 1, "stockCount": 2, "orgPrice": 3}, asOf=ago(20))

    assert data == {"updated": 1, "unknownSkus": [], "stale": 1}
    found = details(alice, mug)
    assert (found["price"], found["currentStockCount"], found["orgPrice"]) == (900, 2, 3)


def test_what_a_clock_wrote_that_was_ahead_does_not_keep_true_news_out(
    shop: Shop, alice: User, clock: MovedClock
) -> None:
    mug = post(shop)
    clock.move(6 * 3600)
    patch(shop, {"sku": "mug", "price": 900, "stockCount": 1})
    clock.move(-6 * 3600)

    # It counts as written now: what was observed before is older, what is observed from now on not.
    assert patch(shop, {"sku": "mug", "price": 1}, asOf=ago(1))["stale"] == 1
    assert patch(shop, {"sku": "mug", "price": 800}, asOf=ago(0))["updated"] == 1
    clock.move(10)
    assert patch(shop, {"sku": "mug", "stockCount": 7}, asOf=ago(-8))["updated"] == 1
    found = details(alice, mug)
    assert (found["price"], found["currentStockCount"]) == (800, 7)


def test_news_of_the_same_moment_is_written(shop: Shop, alice: User) -> None:
    mug = post(shop)
    for price in (1, 2, 3):
        assert patch(shop, {"sku": "mug", "price": price}, asOf=ago(10))["stale"] == 0

    assert details(alice, mug)["price"] == 3


def test_what_was_never_observed_is_older_than_all(shop: Shop, alice: User) -> None:
    mug = post(shop, price=1)

    data = patch(shop, {"sku": "mug", "stockCount": 4, "price": 2}, asOf="0001-01-01T00:00:00Z")

    assert data == {"updated": 1, "unknownSkus": [], "stale": 1}
    found = details(alice, mug)
    assert (found["price"], found["currentStockCount"]) == (1, 4)


def test_without_a_time_it_is_written_and_counts_as_observed_now(
    shop: Shop, alice: User, clock: MovedClock
) -> None:
    mug = post(shop, price=1)
    clock.move(-20)  # another process, whose clock is behind

    assert patch(shop, {"sku": "mug", "price": 2})["stale"] == 0
    assert patch(shop, {"sku": "mug", "price": 3}, asOf=ago(21))["stale"] == 1
    assert details(alice, mug)["price"] == 2
    assert patch(shop, {"sku": "mug", "price": 4}, asOf=ago(20))["stale"] == 0

    assert details(alice, mug)["price"] == 4


def test_older_news_never_turns_a_full_description_back(shop: Shop, alice: User) -> None:
    mug = post(shop, price=900, stockCount=5, variants=[{"sku": "s", "price": 700}])

    data = patch(
        shop,
        {"sku": "mug", "price": 1, "stockCount": 1, "orgPrice": 1000},
        {"sku": "s", "price": 1, "stockCount": 2},
        asOf=ago(1),
    )

    assert data == {"updated": 2, "unknownSkus": [], "stale": 3}
    found = details(alice, mug)
    assert (found["price"], found["currentStockCount"], found["orgPrice"]) == (900, 5, 1000)
    assert found["variants"][0]["price"] == 700
    assert found["variants"][0]["currentStockCount"] == 2


def test_a_full_description_without_a_price_leaves_the_news_of_the_price_as_it_is(
    shop: Shop, alice: User
) -> None:
    mug = post(shop)
    patch(shop, {"sku": "mug", "price": 900}, asOf=ago(10))

    post(shop, name="Cup")

    assert patch(shop, {"sku": "mug", "price": 1}, asOf=ago(20))["stale"] == 1
    assert details(alice, mug)["price"] == 900


def test_a_full_description_is_written_whatever_was_observed(
    shop: Shop, alice: User, clock: MovedClock
) -> None:
    mug = post(shop)
    patch(shop, {"sku": "mug", "price": 1, "stockCount": 1})
    clock.move(-20)  # another process, whose clock is behind

    post(shop, price=2)

    found = details(alice, mug)
    assert (found["price"], found["currentStockCount"]) == (2, 1)
    assert patch(shop, {"sku": "mug", "price": 3}, asOf=ago(20.000001))["stale"] == 1
    assert patch(shop, {"sku": "mug", "price": 3}, asOf=ago(20))["stale"] == 0


def test_what_is_given_for_the_call_is_skipped_for_each_product_of_its_own(
    shop: Shop, alice: User
) -> None:
    ids = [post(shop, sku=sku) for sku in ("a", "b")]
    patch(shop, {"sku": "a"}, vat=7, currency="GBP", asOf=ago(10))

    data = patch(
        shop,
        *({"sku": sku} for sku in ("a", "b", "c")),
        vat=19,
        currency="USD",
        shippingModel={"orderLimit": 2},
        asOf=ago(20),
    )

    assert data == {"updated": 2, "unknownSkus": ["c"], "stale": 2}
    found = [details(alice, product_id) for product_id in ids]
    assert [(product["vat"], product["currency"]) for product in found] == [
        (7.0, "GBP"),
        (19.0, "USD"),
    ]
    post(shop, sku="a", price=1)
    assert alice.put(ids[0], 3).json["error"]["details"]["constant"] == "ORDER_LIMIT"


def test_products_of_which_everything_was_stale_are_not_counted_as_updated(shop: Shop) -> None:
    for sku in ("a", "b"):
        post(shop, sku=sku, price=1)

    data = patch(shop, {"sku": "a", "price": 2}, {"sku": "b"}, {"sku": "x"}, asOf=ago(1))

    assert data == {"updated": 1, "unknownSkus": ["x"], "stale": 1}


def test_of_the_same_sku_twice_only_the_last_one_is_judged(shop: Shop, alice: User) -> None:
    mug = post(shop, price=1)

    data = patch(shop, {"sku": "mug", "price": 2}, {"sku": "mug", "stockCount": 3}, asOf=ago(1))

    assert data == {"updated": 1, "unknownSkus": [], "stale": 0}
    assert (details(alice, mug)["price"], details(alice, mug)["currentStockCount"]) == (1, 3)


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("2025-06-04T13:59:59.999+02:00", "2025-06-04T12:00:00Z"),
        ("2025-06-04T11:59:59.999998Z", "2025-06-04T11:59:59.999999z"),
        ("2025-06-03T23:59:59-12:00", "2025-06-04t11:59:59.5-00:00"),
        ("2016-12-31T23:59:58Z", "2016-12-31 23:59:60Z"),
        ("0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00Z"),
        ("1969-12-31T23:59:59Z", "1970-01-01T00:00:00Z"),
    ],
)
def test_moments_of_all_zones_are_told_apart(
    earlier: str, later: str, shop: Shop, alice: User
) -> None:
    mug = post(shop)

    assert patch(shop, {"sku": "mug", "price": 1}, asOf=later)["stale"] == 0
    assert patch(shop, {"sku": "mug", "price": 2}, asOf=earlier)["stale"] == 1
    assert details(alice, mug)["price"] == 1
    assert patch(shop, {"sku": "mug", "price": 3}, asOf=later)["stale"] == 0


def test_a_clock_that_is_ahead_by_minutes_counts_as_now(
    shop: Shop, alice: User, clock: MovedClock
) -> None:
    mug = post(shop)
    assert patch(shop, {"sku": "mug", "price": 1}, asOf=ago(-300))["stale"] == 0
    clock.move(1)

    # It was no later than noon.
    assert patch(shop, {"sku": "mug", "price": 2}, asOf=ago(-1))["stale"] == 0
    assert details(alice, mug)["price"] == 2


@pytest.mark.parametrize("moment", [ago(-300.000001), ago(-3600), "9999-12-31T23:59:59-23:59"])
def test_a_moment_that_is_far_ahead_is_refused(moment: str, shop: Shop, alice: User) -> None:
    mug = post(shop, price=1)
    fields = {"asOf": moment, "products": [{"sku": "mug", "price": 2}]}

    found = field_errors(shop.call("PATCH", "/shops/products", json=fields))

    assert found == {"asOf": ["Must not be in the future."]}
    assert details(alice, mug)["price"] == 1
