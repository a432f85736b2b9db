"""The rules of the basket, without a database."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from jay.baskets.models import (
    GUEST_LIFETIME,
    MAX_CART_PRODUCTS,
    MAX_COUNT,
    MAX_SAVED_PRODUCTS,
    USER_LIFETIME,
    Basket,
    Entry,
)
from jay.baskets.schemas import basket_view
from jay.errors import (
    CartFull,
    JayError,
    NotInBasket,
    NotShoppable,
    OrderLimit,
    OutOfStock,
    ProductNotFound,
    SavedFull,
)
from tests.clock import NOON
from tests.unit.makers import a_basket, a_product, ids

LATER = NOON + timedelta(minutes=5)
TWENTY = [f"mug-{number}" for number in range(20)]


def with_saved(count: int) -> Basket:
    basket = a_basket()
    for number in range(count):
        basket.assign(f"plate-{number}", 0, a_product(f"plate-{number}"), now=NOON)
    return basket


def state(basket: Basket) -> dict[str, Any]:
    """Everything that a refused request must leave alone."""
    return {
        "entries": basket.stored_entries(),
        "version": basket.version,
        "last_changed": basket.last_changed,
        "expires": basket.expires,
        "etag": basket.etag,
    }


# --- the numbers of the contract


def test_the_limits_are_those_of_the_contract() -> None:
    assert (MAX_CART_PRODUCTS, MAX_SAVED_PRODUCTS, MAX_COUNT) == (20, 200, 999)
    assert timedelta(days=365) == USER_LIFETIME
    assert timedelta(days=30) == GUEST_LIFETIME


# --- putting in, saving, removing


def test_a_new_basket_is_empty() -> None:
    basket = a_basket()

    assert (basket.cart, basket.saved, basket.version) == ([], [], 0)


def test_a_count_puts_a_product_into_the_cart() -> None:
    basket = a_basket()

    basket.assign("mug", 3, a_product("mug"), now=NOON)

    assert [(entry.product_id, entry.count) for entry in basket.cart] == [("mug", 3)]
    assert basket.saved == []


def test_assigning_again_overwrites_the_count_and_does_not_add() -> None:
    basket = a_basket("mug")

    basket.assign("mug", 4, a_product("mug"), now=NOON)

    assert [entry.count for entry in basket.cart] == [4]


def test_zero_moves_a_product_from_the_cart_to_the_saved_list() -> None:
    basket = a_basket("mug")

    basket.assign("mug", 0, a_product("mug"), now=NOON)

    assert basket.cart == []
    assert ids(basket.saved) == ["mug"]


def test_zero_saves_a_product_that_was_not_there() -> None:
    basket = a_basket()

    basket.assign("mug", 0, a_product("mug"), now=NOON)

    assert ids(basket.saved) == ["mug"]


def test_a_count_takes_a_saved_product_back_into_the_cart() -> None:
    basket = with_saved(1)

    basket.assign("plate-0", 2, a_product("plate-0"), now=NOON)

    assert basket.saved == []
    assert [(entry.product_id, entry.count) for entry in basket.cart] == [("plate-0", 2)]


@pytest.mark.parametrize("count", [1, 0])
def test_minus_one_removes_from_the_cart_and_from_the_saved_list(count: int) -> None:
    basket = a_basket()
    basket.assign("mug", count, a_product("mug"), now=NOON)

    basket.assign("mug", -1, a_product("mug"), now=NOON)

    assert basket.stored_entries() == []
    assert "mug" not in basket


def test_minus_one_removes_a_product_that_the_catalogue_no_longer_has() -> None:
    basket = a_basket("mug")

    basket.assign("mug", -1, None, now=NOON)

    assert basket.cart == []


def test_minus_one_for_a_product_that_is_not_there_leaves_the_others() -> None:
    basket = a_basket("mug")

    basket.assign("plate", -1, a_product("plate"), now=NOON)

    assert ids(basket.cart) == ["mug"]


def test_remove_takes_a_product_out_of_either_list() -> None:
    basket = a_basket("mug", "plate")
    basket.assign("plate", 0, a_product("plate"), now=NOON)

    basket.remove("mug", now=NOON)
    basket.remove("plate", now=NOON)

    assert basket.stored_entries() == []


def test_removing_what_is_not_there_is_an_error() -> None:
    with pytest.raises(NotInBasket):
        a_basket("mug").remove("plate", now=NOON)


# --- updating


def test_update_with_none_changes_nothing_at_all() -> None:
    basket = a_basket("mug")
    before = state(basket)

    basket.update("mug", None, a_product("mug", price=1), now=LATER)

    assert state(basket) == before


@pytest.mark.parametrize(("count", "cart", "saved"), [(7, ["mug"], []), (0, [], ["mug"])])
def test_update_changes_a_product_that_is_there(
    count: int, cart: list[str], saved: list[str]
) -> None:
    basket = a_basket("mug")

    basket.update("mug", count, a_product("mug"), now=NOON)

    assert (ids(basket.cart), ids(basket.saved)) == (cart, saved)
    assert basket.stored_entries()[0]["count"] == count


def test_update_with_minus_one_removes() -> None:
    basket = a_basket("mug")

    basket.update("mug", -1, a_product("mug"), now=NOON)

    assert "mug" not in basket


@pytest.mark.parametrize("count", [None, 1, 0, -1])
def test_update_of_what_is_not_there_is_an_error(count: int | None) -> None:
    with pytest.raises(NotInBasket):
        a_basket("mug").update("plate", count, a_product("plate"), now=NOON)


# --- limits


def test_twenty_products_fit_into_the_cart() -> None:
    assert len(a_basket(*TWENTY).cart) == 20


def test_the_21st_product_does_not_fit_into_the_cart() -> None:
    with pytest.raises(CartFull):
        a_basket(*TWENTY).assign("one-more", 1, a_product("one-more"), now=NOON)


def test_a_saved_product_does_not_fit_into_a_full_cart_either() -> None:
    basket = a_basket(*TWENTY)
    basket.assign("plate", 0, a_product("plate"), now=NOON)

    with pytest.raises(CartFull):
        basket.assign("plate", 1, a_product("plate"), now=NOON)

    assert ids(basket.saved) == ["plate"]


def test_overwriting_one_of_20_stays_allowed() -> None:
    basket = a_basket(*TWENTY)

    basket.assign("mug-7", 999, a_product("mug-7"), now=NOON)

    assert ids(basket.cart) == TWENTY
    assert basket.entry("mug-7").count == 999


def test_a_full_cart_still_saves() -> None:
    basket = a_basket(*TWENTY)

    basket.assign("plate", 0, a_product("plate"), now=NOON)

    assert (len(basket.cart), len(basket.saved)) == (20, 1)


@pytest.mark.parametrize("count", [0, -1])
def test_a_place_in_a_full_cart_becomes_free(count: int) -> None:
    basket = a_basket(*TWENTY)

    basket.assign("mug-3", count, a_product("mug-3"), now=NOON)
    basket.assign("one-more", 1, a_product("one-more"), now=NOON)

    assert len(basket.cart) == 20
    assert ids(basket.cart)[-1] == "one-more"


def test_200_products_can_be_saved() -> None:
    assert len(with_saved(200).saved) == 200


def test_the_201st_saved_product_is_refused() -> None:
    with pytest.raises(SavedFull):
        with_saved(200).assign("one-more", 0, a_product("one-more"), now=NOON)


def test_moving_from_the_cart_into_a_full_saved_list_is_refused() -> None:
    basket = with_saved(200)
    basket.assign("mug", 1, a_product("mug"), now=NOON)

    with pytest.raises(SavedFull):
        basket.assign("mug", 0, a_product("mug"), now=NOON)

    assert ids(basket.cart) == ["mug"]


def test_saving_one_of_200_saved_again_stays_allowed() -> None:
    basket = with_saved(200)

    basket.assign("plate-5", 0, a_product("plate-5"), now=NOON)

    assert len(basket.saved) == 200


# --- order: when the product first came to that list


def test_entries_stand_in_the_order_in_which_they_came() -> None:
    assert ids(a_basket("mug", "plate", "bowl").cart) == ["mug", "plate", "bowl"]


def test_overwriting_a_count_keeps_the_place() -> None:
    basket = a_basket("mug", "plate", "bowl")

    basket.assign("mug", 5, a_product("mug"), now=NOON)

    assert ids(basket.cart) == ["mug", "plate", "bowl"]


def test_who_moves_to_the_other_list_goes_to_its_end() -> None:
    basket = a_basket("mug", "plate", "bowl")
    for identifier in ("bowl", "mug"):
        basket.assign(identifier, 0, a_product(identifier), now=NOON)

    assert ids(basket.saved) == ["bowl", "mug"]
    assert ids(basket.cart) == ["plate"]


def test_who_comes_back_to_the_cart_goes_to_its_end() -> None:
    basket = a_basket("mug", "plate", "bowl")

    basket.assign("mug", 0, a_product("mug"), now=NOON)
    basket.assign("mug", 1, a_product("mug"), now=NOON)

    assert ids(basket.cart) == ["plate", "bowl", "mug"]


def test_saving_a_saved_product_again_keeps_its_place() -> None:
    basket = with_saved(3)

    basket.assign("plate-0", 0, a_product("plate-0"), now=NOON)

    assert ids(basket.saved) == ["plate-0", "plate-1", "plate-2"]


def test_who_was_removed_and_comes_again_goes_to_the_end() -> None:
    basket = a_basket("mug", "plate")

    basket.remove("mug", now=NOON)
    basket.assign("mug", 1, a_product("mug"), now=NOON)

    assert ids(basket.cart) == ["plate", "mug"]


# --- what the catalogue says


@pytest.mark.parametrize(
    ("product", "error"),
    [
        (None, ProductNotFound),
        (a_product("bowl", not_shoppable=True), NotShoppable),
        (a_product("bowl", price=None), NotShoppable),
        (a_product("bowl", stock_count=0), OutOfStock),
        (a_product("bowl", stock_count=-1), OutOfStock),
        (a_product("bowl", shipping={"orderLimit": 1}), OrderLimit),
    ],
)
def test_what_can_not_be_bought_does_not_come_into_the_cart(
    product: Any, error: type[JayError]
) -> None:
    with pytest.raises(error):
        a_basket().assign("bowl", 2, product, now=NOON)


@pytest.mark.parametrize(
    "product",
    [
        a_product("bowl", not_shoppable=True),
        a_product("bowl", price=None),
        a_product("bowl", stock_count=0),
        a_product("bowl", shipping={"orderLimit": 1}),
    ],
)
def test_what_can_not_be_bought_can_still_be_saved(product: Any) -> None:
    basket = a_basket()

    basket.assign("bowl", 0, product, now=NOON)

    assert ids(basket.saved) == ["bowl"]


def test_an_order_limit_allows_just_as_many() -> None:
    basket = a_basket()

    basket.assign("bowl", 2, a_product("bowl", shipping={"orderLimit": 2}), now=NOON)

    assert basket.entry("bowl").count == 2


@pytest.mark.parametrize("stock", [None, 1])
def test_a_product_without_stock_limit_or_with_one_piece_can_be_put_in(stock: int | None) -> None:
    basket = a_basket()

    basket.assign("bowl", 2, a_product("bowl", stock_count=stock), now=NOON)

    assert ids(basket.cart) == ["bowl"]


def test_an_unknown_product_can_not_be_saved() -> None:
    with pytest.raises(ProductNotFound):
        a_basket().assign("ghost", 0, None, now=NOON)


def test_a_product_that_vanished_can_still_be_saved_with_the_price_that_it_had() -> None:
    basket = a_basket("mug")

    basket.assign("mug", 0, None, now=NOON)

    assert basket.stored_entries() == [{"id": "mug", "count": 0, "price": 1250, "currency": "EUR"}]


def test_a_product_that_vanished_can_not_change_its_count() -> None:
    with pytest.raises(ProductNotFound):
        a_basket("mug").assign("mug", 2, None, now=NOON)


def test_the_price_of_the_moment_is_kept_with_the_entry() -> None:
    basket = a_basket("mug")

    basket.assign("mug", 2, a_product("mug", price=1100, currency="GBP"), now=NOON)

    entry = basket.entry("mug")
    assert (entry.price, entry.currency) == (1100, "GBP")


# --- refused means unchanged

FULL_CART = (*TWENTY,)
REFUSALS: list[tuple[str, Callable[[Basket], None]]] = [
    ("cart full", lambda b: b.assign("x", 1, a_product("x"), now=LATER)),
    ("unknown", lambda b: b.assign("x", 0, None, now=LATER)),
    ("unknown count", lambda b: b.assign("mug-0", 2, None, now=LATER)),
    ("sold out", lambda b: b.assign("mug-0", 2, a_product("mug-0", stock_count=0), now=LATER)),
    ("not shoppable", lambda b: b.update("mug-0", 2, a_product("mug-0", price=None), now=LATER)),
    (
        "order limit",
        lambda b: b.assign("mug-0", 9, a_product("mug-0", shipping={"orderLimit": 3}), now=LATER),
    ),
    ("update elsewhere", lambda b: b.update("x", 1, a_product("x"), now=LATER)),
    ("remove elsewhere", lambda b: b.remove("x", now=LATER)),
]


@pytest.mark.parametrize("refused", [r for _, r in REFUSALS], ids=[name for name, _ in REFUSALS])
def test_a_refused_request_changes_nothing(refused: Callable[[Basket], None]) -> None:
    basket = a_basket(*FULL_CART)
    before = state(basket)

    with pytest.raises(JayError):
        refused(basket)

    assert state(basket) == before


def test_a_refused_move_into_a_full_saved_list_changes_nothing() -> None:
    basket = with_saved(200)
    basket.assign("mug", 2, a_product("mug"), now=NOON)
    before = state(basket)

    with pytest.raises(SavedFull):
        basket.assign("mug", 0, a_product("mug", price=1), now=LATER)

    assert state(basket) == before


# --- version, time, entity tags


def test_each_change_raises_the_version_by_one_and_moves_last_changed() -> None:
    basket = a_basket("mug")

    basket.assign("mug", 2, a_product("mug"), now=LATER)

    assert (basket.version, basket.last_changed) == (2, LATER)


def test_last_changed_never_goes_back_with_the_clock() -> None:
    basket = a_basket("mug", now=LATER)

    basket.assign("mug", 2, a_product("mug"), now=NOON)

    assert basket.last_changed == LATER
    assert basket.version == 2


def test_the_entity_tag_differs_from_state_to_state_and_from_basket_to_basket() -> None:
    one, other = a_basket("mug"), a_basket("mug")
    tags = {one.etag, other.etag}

    one.assign("mug", 2, a_product("mug"), now=NOON)

    assert len(tags | {one.etag}) == 3


def test_the_current_entity_tag_matches_and_an_old_one_does_not() -> None:
    basket = a_basket("mug")
    old = basket.etag
    basket.assign("mug", 2, a_product("mug"), now=NOON)

    assert basket.matches({"other", basket.etag})
    assert not basket.matches({old})
    assert not basket.matches(set())


def test_the_star_matches_every_basket() -> None:
    assert a_basket().matches({"*"})
    assert a_basket("mug").matches({"*"})


def test_an_untouched_basket_matches_the_tag_of_its_earlier_self() -> None:
    tag = a_basket(now=NOON).etag

    assert a_basket(now=LATER).matches({tag})
    assert not a_basket("mug").matches({tag})


def test_the_tag_of_an_untouched_basket_tells_seconds_apart() -> None:
    assert a_basket(now=NOON).etag != a_basket(now=LATER).etag


@pytest.mark.parametrize("identifier", ["0-Zm9vYmFyYmF6cXV4eA", "0-", "0--"])
def test_no_tag_of_a_basket_that_was_used_matches_an_untouched_one(identifier: str) -> None:
    used = a_basket("mug", identifier=identifier)

    assert not a_basket().matches({used.etag})


def test_each_basket_has_an_id_of_128_random_bits_of_its_own() -> None:
    drawn = {a_basket().id for _ in range(100)}

    assert len(drawn) == 100
    assert {len(identifier) for identifier in drawn} == {22}


# --- expiry


def test_a_users_basket_expires_365_days_after_its_last_change() -> None:
    basket = a_basket("mug")

    basket.assign("mug", 2, a_product("mug"), now=LATER)

    assert basket.expires == LATER + timedelta(days=365)


def test_a_guests_basket_expires_30_days_after_its_creation() -> None:
    basket = a_basket("mug", guest=True)

    basket.assign("mug", 2, a_product("mug"), now=LATER)

    assert basket.expires == NOON + timedelta(days=30)


# --- as it is stored and shown


def test_stored_entries_build_the_same_basket_again() -> None:
    basket = a_basket("mug", "plate")
    basket.assign("mug", 0, a_product("mug"), now=NOON)

    again = a_basket(identifier=basket.id, entries=basket.stored_entries(), version=basket.version)

    assert state(again) == state(basket)
    assert (ids(again.cart), ids(again.saved)) == (["plate"], ["mug"])


def test_the_view_is_the_basket_of_the_contract() -> None:
    basket = a_basket("mug", "plate")
    basket.assign("plate", 0, a_product("plate"), now=NOON + timedelta(milliseconds=1999))

    assert basket_view(basket) == {
        "expires": "2026-06-04T12:00:01Z",
        "lastChanged": "2025-06-04T12:00:01Z",
        "cart": [{"productId": "mug", "count": 1}],
        "saved": [{"productId": "plate", "count": 0}],
        "checkout": [],
    }


def test_what_a_checkout_has_is_in_no_other_list_and_is_stored_so() -> None:
    entries = [
        {"id": "mug", "count": 2, "price": 1250, "currency": "EUR", "checkout": True},
        {"id": "hat", "count": 1, "price": 900, "currency": "EUR"},
    ]
    basket = a_basket(entries=entries)

    assert (ids(basket.cart), ids(basket.saved), ids(basket.checkout)) == (["hat"], [], ["mug"])
    assert basket_view(basket)["checkout"] == [{"productId": "mug", "count": 2}]
    assert basket.stored_entries() == entries


def test_an_undo_does_not_grow_the_saved_list_beyond_its_bound() -> None:
    stored = [{"id": f"p{n}", "count": 0, "price": 1, "currency": "EUR"} for n in range(500)]
    basket = a_basket(entries=stored)

    basket.put_back(Entry("mug", 0, 1250, "EUR"), place=500, now=NOON)

    assert len(basket.saved) == 500
    assert ids(basket.saved)[:1] + ids(basket.saved)[-1:] == ["p1", "mug"]
