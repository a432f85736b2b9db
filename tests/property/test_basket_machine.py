"""The basket against a model of three dicts, through any sequence of operations."""

from datetime import datetime, timedelta
from typing import Any

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from jay.baskets.models import GUEST_LIFETIME, USER_LIFETIME, Basket
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
from jay.products.models import Product
from tests.clock import NOON
from tests.depth import few_or_all
from tests.unit.makers import a_product

CART, SAVED, MOST = 20, 200, 999
NAMES = [f"p{number}" for number in range(26)]
STATES: list[dict[str, Any] | None] = [
    {},
    {"price": 990},
    {"currency": "GBP"},
    {"stock_count": None},
    {"stock_count": 0},
    {"not_shoppable": True},
    {"price": None},
    {"shipping": {"orderLimit": 5}},
    None,  # the catalogue has none
]

names = st.sampled_from(NAMES)
# Mostly products that can be bought, so that carts fill up.
states = st.one_of(st.just(STATES[0]), st.sampled_from(STATES))
counts = st.one_of(st.sampled_from([-1, 0, 1, 2, 5, 6, MOST]), st.integers(-1, MOST))


def as_sold(name: str, state: dict[str, Any] | None) -> Product | None:
    return None if state is None else a_product(name, **state)


class BasketMachine(RuleBasedStateMachine):
    """The model: cart and saved (product to count, in order) and prices (product to price)."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOON
        self.cart: dict[str, int] = {}
        self.saved: dict[str, int] = {}
        self.checkout: dict[str, int] = {}
        self.prices: dict[str, tuple[int | None, str]] = {}

    @initialize(guest=st.booleans(), already_saved=st.sampled_from([0, 0, 197, 199]))
    def begin(self, guest: bool, already_saved: int) -> None:
        self.basket = Basket(partner_id=1, user_id="alice", guest=guest, now=NOON)
        for number in range(already_saved):
            name = f"saved-{number}"
            self.basket.assign(name, 0, a_product(name), now=NOON)
            self.saved[name] = 0
            self.prices[name] = (1250, "EUR")
        self.seen: list[tuple[int, datetime]] = []

    # --- the model

    def expected_error(
        self, name: str, count: int, product: Product | None
    ) -> type[JayError] | None:
        """Say what the contract says about putting this in, in its order."""
        inside = self.has(name)
        if count == -1 or 0 < count < {**self.checkout, **self.cart}.get(name, 0):
            return None if count == -1 else self.no_room(name, count)
        if product is None:
            return ProductNotFound if count > 0 or not inside else self.no_room(name, count)
        if count > 0:
            if product.not_shoppable or product.price is None:
                return NotShoppable
            if product.stock_count is not None and product.stock_count <= 0:
                return OutOfStock
            if 0 < product.shipping.order_limit < count:
                return OrderLimit
        return self.no_room(name, count)

    def no_room(self, name: str, count: int) -> type[JayError] | None:
        if count > 0:
            return CartFull if name not in self.cart and len(self.cart) == CART else None
        return SavedFull if name not in self.saved and len(self.saved) >= SAVED else None

    def has(self, name: str) -> bool:
        return name in self.cart or name in self.saved or name in self.checkout

    def put(self, name: str, count: int, product: Product | None) -> None:
        target, other = (self.cart, self.saved) if count > 0 else (self.saved, self.cart)
        other.pop(name, None)
        self.checkout.pop(name, None)
        target[name] = count
        if product is not None:
            self.prices[name] = (product.price, product.currency)

    def drop(self, name: str) -> None:
        self.cart.pop(name, None)
        self.saved.pop(name, None)
        self.checkout.pop(name, None)
        self.prices.pop(name, None)

    # --- operations

    def attempt(self, expected: type[JayError] | None, operation: Any) -> bool:
        """Do it and tell whether it went through; a refusal must change nothing."""
        before, refused = self.whole_state(), None
        try:
            operation()
        except JayError as error:
            refused = type(error)
        assert refused is expected
        if refused is not None:
            assert self.whole_state() == before
        return refused is None

    def whole_state(self) -> tuple[Any, ...]:
        return (self.basket.stored_entries(), self.basket.version, self.basket.last_changed)

    @rule(name=names, count=counts, state=states)
    def assign(self, name: str, count: int, state: dict[str, Any] | None) -> None:
        product = as_sold(name, state)
        version = self.basket.version
        if self.attempt(
            self.expected_error(name, count, product),
            lambda: self.basket.assign(name, count, product, now=self.now),
        ):
            assert self.basket.version == version + 1
            if count == -1:
                self.drop(name)
            else:
                self.put(name, count, product)

    @rule(name=names, count=st.one_of(st.none(), counts), state=states)
    def update(self, name: str, count: int | None, state: dict[str, Any] | None) -> None:
        product = as_sold(name, state)
        expected: type[JayError] | None = None
        if not self.has(name):
            expected = NotInBasket
        elif count is not None:
            expected = self.expected_error(name, count, product)
        version = self.basket.version
        if self.attempt(expected, lambda: self.basket.update(name, count, product, now=self.now)):
            assert self.basket.version == version + (count is not None)
            if count == -1:
                self.drop(name)
            elif count is not None:
                self.put(name, count, product)

    @rule(name=names)
    def remove(self, name: str) -> None:
        if self.attempt(
            None if self.has(name) else NotInBasket, lambda: self.basket.remove(name, now=self.now)
        ):
            self.drop(name)

    @precondition(lambda self: len(self.cart) < CART)
    @rule(count=st.integers(1, MOST))
    def fill_the_cart(self, count: int) -> None:
        """Reach the limit often: by single steps it would be rare."""
        for name in NAMES:
            if len(self.cart) == CART:
                break
            if name not in self.cart:
                self.assign(name, count, {})

    @rule(some=st.sets(names))
    def check_out(self, some: set[str]) -> None:
        self.basket.check_out(some, now=self.now)
        for name in [name for name in self.cart if name in some]:
            self.checkout[name] = self.cart.pop(name)

    @rule(bought=st.booleans())
    def end_checkout(self, bought: bool) -> None:
        self.basket.end_checkout(bought=bought, now=self.now)
        for name, count in self.checkout.items():
            if bought:
                del self.prices[name]
            elif len(self.cart) < CART:
                self.cart[name] = count
            else:
                self.saved[name] = 0
        self.checkout = {}

    @rule(seconds=st.integers(-3600, 86400))
    def clock(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule()
    def store_and_read(self) -> None:
        """What another process sees is the very same basket."""
        old = self.basket
        self.basket = Basket(
            partner_id=old.partner_id,
            user_id=old.user_id,
            guest=old.guest,
            now=self.now,
            identifier=old.id,
            entries=old.stored_entries(),
            version=old.version,
            created=old.created,
            last_changed=old.last_changed,
        )
        assert self.basket.stored_entries() == old.stored_entries()
        assert basket_view(self.basket) == basket_view(old)
        assert self.basket.etag == old.etag

    # --- what always holds

    @invariant()
    def the_basket_is_the_model(self) -> None:
        assert [(e.product_id, e.count) for e in self.basket.cart] == list(self.cart.items())
        assert [(e.product_id, e.count) for e in self.basket.saved] == list(self.saved.items())
        in_checkout = [(e.product_id, e.count) for e in self.basket.checkout]
        assert in_checkout == list(self.checkout.items())
        assert {
            entry["id"]: (entry["price"], entry["currency"])
            for entry in self.basket.stored_entries()
        } == self.prices

    @invariant()
    def a_product_is_in_one_list_at_most(self) -> None:
        cart = [entry.product_id for entry in self.basket.cart]
        saved = [entry.product_id for entry in self.basket.saved]
        checkout = [entry.product_id for entry in self.basket.checkout]
        assert len({*cart, *saved, *checkout}) == len(cart) + len(saved) + len(checkout)

    @invariant()
    def the_limits_hold(self) -> None:
        assert len(self.basket.cart) <= CART
        assert len(self.basket.saved) <= SAVED + CART  # what the cart had no room for, too
        assert all(1 <= entry.count <= MOST for entry in self.basket.cart)
        assert all(entry.count == 0 for entry in self.basket.saved)

    @invariant()
    def version_and_last_changed_never_go_back(self) -> None:
        self.seen.append((self.basket.version, self.basket.last_changed))
        versions, moments = zip(*self.seen[-2:], strict=True)
        assert list(versions) == sorted(versions)
        assert list(moments) == sorted(moments)

    @invariant()
    def the_expiry_follows_from_the_rules(self) -> None:
        if self.basket.guest:
            assert self.basket.expires == NOON + GUEST_LIFETIME
        else:
            assert self.basket.expires == self.basket.last_changed + USER_LIFETIME


TestBasketMachine = BasketMachine.TestCase
TestBasketMachine.settings = settings(
    max_examples=few_or_all(40, 400),
    stateful_step_count=40,
)
