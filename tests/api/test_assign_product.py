"""``POST /v2/baskets/users/{userId}/products/{productId}``."""

from tests.builders import Shop, User


def test_a_count_puts_the_product_into_the_cart(alice: User, shop: Shop) -> None:
    mug = shop.product("mug")

    response = alice.put(mug, 2)

    assert response.status_code == 200
    assert response.json["data"]["cart"] == [{"productId": mug, "count": 2}]


def test_zero_moves_the_product_from_the_cart_to_the_saved_list(alice: User, shop: Shop) -> None:
    mug = shop.product("mug")
    alice.put(mug, 2)

    alice.put(mug, 0)

    assert alice.cart() == {}
    assert alice.saved() == [mug]


def test_the_21st_product_is_refused_and_changes_nothing(alice: User, shop: Shop) -> None:
    for number in range(20):
        alice.put(shop.product(f"mug-{number}"))
    before = alice.basket()

    response = alice.put(shop.product("one-more"))

    assert response.status_code == 409
    assert response.json["error"]["details"] == "CART_FULL"
    assert alice.basket() == before


def test_overwriting_stays_allowed_with_20_products(alice: User, shop: Shop) -> None:
    ids = [shop.product(f"mug-{number}") for number in range(20)]
    for product_id in ids:
        alice.put(product_id)

    response = alice.put(ids[7], 5)

    assert response.status_code == 200
    assert alice.cart()[ids[7]] == 5
