"""A product that its merchant takes away stays in baskets, readable and removable."""

import pytest

from jay.errors import ProductNotFound
from tests.api.checks import assert_refused
from tests.builders import Shop, User

MEDIUM, LARGE = "mugshop/de-DE/shirt-m", "mugshop/de-DE/shirt-l"


@pytest.fixture
def gone(alice: User, shop: Shop) -> str:
    """A variant in Alice's cart that the feed has removed since."""
    body = {"sku": "shirt", "name": "Shirt", "price": 2000, "stockCount": 9}
    both = [{"sku": "shirt-m", "value": "M"}, {"sku": "shirt-l", "value": "L"}]
    assert shop.call("POST", "/shops/products", json={**body, "variants": both}).status_code == 200
    alice.put(MEDIUM, 2)
    alice.put(LARGE, 1)
    shop.call("POST", "/shops/products", json={**body, "variants": both[1:]})
    return MEDIUM


def details(user: User, product_id: str) -> dict[str, object]:
    path = "/baskets/products/details"
    response = user.platform.call("POST", path, token=user.token, json=[product_id])
    found: dict[str, object] = response.json["data"]["products"][0]
    return found


def test_it_stays_readable(alice: User, gone: str) -> None:
    assert alice.cart() == {gone: 2, LARGE: 1}


def test_its_details_tell_that_it_is_gone(alice: User, gone: str) -> None:
    assert details(alice, gone) == {"productId": gone, "currentStockCount": -1}


def test_it_is_no_longer_among_the_variants(alice: User, gone: str) -> None:
    variants = details(alice, "mugshop/de-DE/shirt")["variants"]

    assert [variant["productId"] for variant in variants] == [LARGE]  # type: ignore[attr-defined]


def test_it_can_be_removed(alice: User, gone: str) -> None:
    assert alice.product("DELETE", gone).status_code == 200
    assert alice.cart() == {LARGE: 1}


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_it_can_be_removed_by_a_count(method: str, alice: User, gone: str) -> None:
    assert alice.product(method, gone, json={"count": -1}).status_code == 200
    assert alice.cart() == {LARGE: 1}


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_fewer_of_it_may_stay(method: str, alice: User, gone: str) -> None:
    assert alice.product(method, gone, json={"count": 1}).status_code == 200
    assert alice.cart() == {gone: 1, LARGE: 1}


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_it_can_be_saved_but_not_bought_again(method: str, alice: User, gone: str) -> None:
    assert_refused(alice.product(method, gone, json={"count": 3}), ProductNotFound)
    assert alice.product(method, gone, json={"count": 0}).status_code == 200
    assert_refused(alice.product(method, gone, json={"count": 1}), ProductNotFound)
    assert alice.saved() == [gone]


def test_others_can_neither_buy_nor_save_it(alice: User, gone: str) -> None:
    bob = alice.platform.user("bob")

    assert_refused(bob.put(gone, 1), ProductNotFound)
    assert_refused(bob.put(gone, 0), ProductNotFound)


def test_the_rest_of_the_basket_goes_on(alice: User, gone: str) -> None:
    assert alice.put(LARGE, 3).status_code == 200
    assert alice.cart() == {gone: 2, LARGE: 3}


def test_the_basket_can_still_be_transferred(alice: User, gone: str) -> None:
    token = alice.transfer()["jayToken"]

    data = alice.platform.redeem(token).json["data"]

    assert [entry["productId"] for entry in data["basket"]["cart"]] == [gone, LARGE]


def test_when_its_merchant_lists_it_again_it_can_be_bought_again(
    alice: User, gone: str, shop: Shop
) -> None:
    body = {"sku": "shirt", "name": "Shirt", "variants": [{"sku": "shirt-m"}, {"sku": "shirt-l"}]}
    shop.call("POST", "/shops/products", json=body)

    assert alice.put(gone, 4).status_code == 200
