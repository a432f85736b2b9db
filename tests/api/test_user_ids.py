"""User ids hold whatever the partner's identity provider puts into ``sub``."""

import pytest

from tests.builders import Platform, Shop


@pytest.mark.parametrize(
    "user_id", ["auth0/4711", "urn:x/y//z", "a%2Fb", "a b", "ü|1", "../x", "?#&"]
)
def test_a_user_with_such_an_id_has_a_basket(platform: Platform, shop: Shop, user_id: str) -> None:
    user, mug = platform.user(user_id), shop.product("mug/ü %2F")

    assert user.put(mug, 2).status_code == 200
    assert user.cart() == {mug: 2}
    assert user.product("DELETE", mug).status_code == 200


def test_an_encoded_slash_does_not_lead_into_another_users_basket(platform: Platform) -> None:
    alice = platform.user("alice")

    response = platform.call("GET", "/baskets/users/alice%2Fproducts", token=alice.token)

    assert response.json["error"]["details"] == "NOT_YOUR_BASKET"


def test_a_nul_in_an_id_is_just_another_id(platform: Platform) -> None:
    alice = platform.user("alice")

    response = platform.call("GET", "/baskets/users/alice%00%2F", token=alice.token)

    assert response.status_code == 403
