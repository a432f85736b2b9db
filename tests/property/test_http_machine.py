"""The Basket API over HTTP against a model of plain dicts: hundreds of runs without a difference.

Several credentials act on the same baskets, the clock moves, and the catalogue changes meanwhile.
The model knows nothing of the service but its contract.
"""

import itertools
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import hypothesis.strategies as st
from flask import Flask
from flask.testing import FlaskClient
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from werkzeug.test import TestResponse

from jay.clock import iso
from jay.errors import TokenExpired, TokenOfAnotherPartner
from jay.products.models import product_id
from tests.builders import Platform, User, add_platform, add_shop
from tests.clock import NOON, MovedClock
from tests.depth import few_or_all, is_deep
from tests.property.machines import run_machine

RUNS = few_or_all(150, 500)
RUNS_ON_POSTGRESQL = few_or_all(30, 500)
"""The rules are the same: there it is about the statements, which each run sends."""

MET = few_or_all(2, 10)
STEPS = 20
DAY = 86400
USER_TOKEN_SECONDS = 800 * DAY
LEEWAY = timedelta(seconds=30)
USER_LIFETIME, GUEST_LIFETIME = timedelta(days=365), timedelta(days=30)
CLAIM_WINDOW = timedelta(seconds=60)
CART, SAVED, MOST = 20, 200, 999

STATUS = {
    "TOKEN_EXPIRED": 401,
    "TOKEN_REVOKED": 401,
    "TOKEN_OF_ANOTHER_PARTNER": 401,
    "GUEST_NOT_ALLOWED": 403,
    "NOT_YOUR_BASKET": 403,
    "PRODUCT_NOT_FOUND": 404,
    "NOT_IN_BASKET": 404,
    "TRANSFER_UNKNOWN": 404,
    "NOT_SHOPPABLE": 409,
    "OUT_OF_STOCK": 409,
    "ORDER_LIMIT": 409,
    "CART_FULL": 409,
    "SAVED_FULL": 409,
    "NOTHING_TO_MERGE": 409,
    "TRANSFER_CLAIMED": 409,
    "TRANSFER_EXPIRED": 410,
    "TRANSFER_CANCELLED": 410,
}
"""Every refusal that this machine can meet; it must meet each of them."""
WRONG_TOKEN = {"TOKEN_EXPIRED": TokenExpired, "TOKEN_OF_ANOTHER_PARTNER": TokenOfAnotherPartner}
"""What can be wrong with the token of the guest that is to be merged."""
RARELY_MET = {"TRANSFER_UNKNOWN"}
"""But for these, which only a deep run meets for certain."""

# What is in the catalogue when a run begins. None: was there once, and has vanished.
CATALOGUE: dict[str, dict[str, Any] | None] = {
    "mug": {"stock": 10},
    "hat": {"stock": 1},
    "tea/ö 100%": {"stock": None},
    "sold": {"stock": 0},
    "shown": {"stock": 9, "not_shoppable": True},
    "unpriced": {"stock": 9, "price": None},
    "few": {"stock": 9, "limit": 5},
    "tee-m": {"stock": 3},
    "tee-l": None,
}
VARIANTS = ("tee-m", "tee-l")
NEVER = "never"
VARIANTS_OF_ONE = 50
FILLERS = [f"filler-{number}" for number in range(SAVED + CART + 2)]

ABSENT = "absent"
NO_BODY = "no body"

names = st.sampled_from([*CATALOGUE, "mug", "hat", NEVER])
counts = st.sampled_from([1, 2, 0, -1, 1, 5, 6, 0, -1, MOST, 1]) | st.integers(-1, MOST)
indexes = st.integers(0, 11)
moves = st.sampled_from(
    [
        *(0.4, 1, 29, 30, 59, 60, 61, 3600, DAY, 29 * DAY, 200 * DAY, 365 * DAY - 1, 365 * DAY),
        *(30 * DAY - 30, 30 * DAY, 30 * DAY + 29, 30 * DAY + 30),
    ]
)


class World:
    """What all runs share: the service, two partners that are walled off, and a merchant."""

    def __init__(self, app: Flask, client: FlaskClient, clock: MovedClock) -> None:
        self.app, self.clock = app, clock
        self.rates = app.extensions["jay.rates"].values()
        self.kino = add_platform(app, client, "kino")
        self.rival = add_platform(app, client, "rival")
        self.shop = add_shop(app, client)
        self.seen: Counter[str] = Counter()
        self.runs = itertools.count(1)
        self.ids = {name: product_id("mugshop", "de", "DE", name) for name in [*CATALOGUE, NEVER]}
        self.ids |= {name: product_id("mugshop", "de", "DE", name) for name in FILLERS}
        for name, state in CATALOGUE.items():
            if name not in VARIANTS:
                self._add(name, state or {})
        for start in range(0, len(FILLERS), VARIANTS_OF_ONE):
            some = FILLERS[start : start + VARIANTS_OF_ONE]
            self.shop.product(
                f"fillers {start}",
                variants=[{"sku": name, "value": name} for name in some],
                stock_count=None,
            )
        self.stocks: dict[str, int | None] = {}
        self.list_variants(VARIANTS)
        self.list_variants(("tee-m",))

    def _add(self, name: str, state: dict[str, Any]) -> None:
        self.shop.product(
            name,
            stock_count=state["stock"],
            price=state.get("price", 1250),
            not_shoppable=state.get("not_shoppable", False),
            shipping={"orderLimit": state.get("limit", 0)},
        )

    def restore(self) -> None:
        """Have the catalogue as it is when a run begins."""
        if self.listed != ("tee-m",):
            self.list_variants(("tee-m",))
        for name, stock in self.stocks.items():
            original = CATALOGUE[name]
            assert original is not None
            if stock != original["stock"]:
                self.set_stock(name, original["stock"])

    def list_variants(self, listed: tuple[str, ...]) -> None:
        """Send the tee with these variants: one that is not named vanishes from the catalogue."""
        variants = [{"sku": name, "value": name[-1], "stockCount": 3} for name in listed]
        fields = {"sku": "tee", "name": "Tee", "price": 1900, "variants": variants}
        answer = self.shop.call("POST", "/shops/products", json=fields)
        assert answer.status_code == 200, answer.json
        self.listed = listed

    def set_stock(self, name: str, stock: int | None) -> None:
        fields = {"products": [{"sku": name, "stockCount": stock}]}
        answer = self.shop.call("PATCH", "/shops/products", json=fields)
        assert answer.json["data"]["updated"] == 1
        self.stocks[name] = stock


Stock = dict[str, Any]
BasketDict = dict[str, Any]


class HttpMachine(RuleBasedStateMachine):
    """The model: ``baskets`` by owner, ``keys`` (credentials), ``offers`` and ``catalogue``."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world, self.clock = world, world.clock
        self.number = next(world.runs)
        self.clock.now = NOON
        world.restore()
        for rate in world.rates:
            rate.forget()
        self.baskets: dict[tuple[str, str], BasketDict] = {}
        self.keys: list[dict[str, Any]] = []
        self.offers: list[dict[str, Any]] = []
        self.catalogue: dict[str, Stock | None] = {
            name: None if state is None else dict(state) for name, state in CATALOGUE.items()
        }
        self.catalogue |= {name: {"stock": None} for name in FILLERS}
        self.serial = itertools.count(1)
        self.tags: set[str] = set()

    @initialize(wait=st.sampled_from([0, 0.25]))
    def begin(self, wait: float) -> None:
        """One user at two partners, which are two baskets, and another user."""
        self.clock.move(wait)
        alice, bob = f"alice {self.number}", f"bob|{self.number}"
        for platform, user_id in (
            (self.world.kino, alice),
            (self.world.rival, alice),
            (self.world.kino, bob),
        ):
            token = platform.token(user_id, expires_in=USER_TOKEN_SECONDS)
            expires = NOON + timedelta(seconds=USER_TOKEN_SECONDS)
            self.add_key(platform, user_id, token, expires, guest=False)

    def teardown(self) -> None:
        self.every_credential_shows_the_model()

    # --- the model

    @property
    def now(self) -> datetime:
        return self.clock.now

    def add_key(
        self,
        platform: Platform,
        user_id: str,
        token: str,
        expires: datetime,
        *,
        guest: bool,
        opens: int | None = None,
    ) -> dict[str, Any]:
        """Note a credential; ``opens`` is the basket that it was given for by a transfer."""
        key = {
            "user": User(platform, user_id, token),
            "platform": platform,
            "expires": expires,
            "guest": guest,
            "opens": opens,
            "owner": (platform.name, user_id),
        }
        self.keys.append(key)
        return key

    def key(self, index: int) -> dict[str, Any]:
        return self.keys[index % len(self.keys)]

    def expires(self, basket: BasketDict) -> datetime:
        if basket["guest"]:
            return basket["created"] + GUEST_LIFETIME  # type: ignore[no-any-return]
        return basket["changed"] + USER_LIFETIME  # type: ignore[no-any-return]

    def basket_with(self, serial: int) -> BasketDict | None:
        """Return the basket with this id while it lives."""
        for basket in self.baskets.values():
            if basket["id"] == serial and self.now < self.expires(basket):
                return basket
        return None

    def fresh(self, owner: tuple[str, str], *, guest: bool) -> BasketDict:
        return {
            "id": next(self.serial),
            "owner": owner,
            "guest": guest,
            "created": self.now,
            "changed": self.now,
            "entries": {},
            "stored": False,
            "tag": None,
        }

    def opened(self, key: dict[str, Any]) -> BasketDict | str:
        """Return the basket that a credential opens, or the constant that refuses it."""
        if self.now >= key["expires"] + LEEWAY:
            return "TOKEN_EXPIRED"
        if key["opens"] is not None:
            return self.basket_with(key["opens"]) or "TOKEN_REVOKED"
        basket = self.baskets.get(key["owner"])
        if basket is not None and self.now < self.expires(basket):
            return basket
        return self.fresh(key["owner"], guest=key["guest"])

    def touch(self, basket: BasketDict) -> None:
        basket["changed"] = self.now
        basket["stored"] = True
        basket["tag"] = None
        self.baskets[basket["owner"]] = basket

    def view(self, basket: BasketDict) -> dict[str, Any]:
        entries = [
            {"productId": self.world.ids[name], "count": count}
            for name, count in basket["entries"].items()
        ]
        return {
            "expires": iso(self.expires(basket)),
            "lastChanged": iso(basket["changed"]),
            "cart": [entry for entry in entries if entry["count"] > 0],
            "saved": [entry for entry in entries if entry["count"] == 0],
            "checkout": [],
        }

    @staticmethod
    def many(entries: dict[str, int], *, saved: bool) -> int:
        return sum((count == 0) == saved for count in entries.values())

    def refusal(self, entries: dict[str, int], name: str, count: int) -> str | None:
        """Say what the contract says about putting this in, in its order."""
        product = self.catalogue.get(name)
        if 0 < count < entries.get(name, 0):
            return None
        if product is None and (count > 0 or name not in entries):
            return "PRODUCT_NOT_FOUND"
        if count > 0 and product is not None:
            refusal = self.refusal_to_sell(product, count)
            if refusal is not None:
                return refusal
        if name in entries and (entries[name] > 0) == (count > 0):
            return None
        if count > 0:
            return "CART_FULL" if self.many(entries, saved=False) >= CART else None
        return "SAVED_FULL" if self.many(entries, saved=True) >= SAVED else None

    @staticmethod
    def refusal_to_sell(product: Stock, count: int) -> str | None:
        if product.get("not_shoppable") or product.get("price", 1) is None:
            return "NOT_SHOPPABLE"
        if product["stock"] is not None and product["stock"] <= 0:
            return "OUT_OF_STOCK"
        return "ORDER_LIMIT" if 0 < product.get("limit", 0) < count else None

    @staticmethod
    def put(entries: dict[str, int], name: str, count: int) -> None:
        """Let a product come to a list: at its end, unless it is in that list already."""
        if name in entries and (entries[name] > 0) != (count > 0):
            del entries[name]
        entries[name] = count

    # --- comparing

    def assert_refused(self, answer: TestResponse, constant: str) -> None:
        details = answer.json["error"]["details"]
        said = details["constant"] if isinstance(details, dict) else details, answer.status_code
        assert said == (constant, STATUS[constant]), answer.json
        self.world.seen[constant] += 1

    def assert_basket(self, answer: TestResponse, basket: BasketDict) -> None:
        """Compare the whole answer; the entity tag changes if, and only if, the basket does."""
        assert answer.status_code == 200, answer.json
        assert answer.json == {"data": self.view(basket)}
        if not basket["stored"]:
            return
        tag = answer.headers["ETag"]
        if basket["tag"] is None:
            assert tag not in self.tags
            self.tags.add(tag)
            basket["tag"] = tag
        assert tag == basket["tag"]

    def assert_written(self, answer: TestResponse, key: dict[str, Any], basket: BasketDict) -> None:
        """Compare a write's answer, and what another credential to the same basket sees then."""
        self.assert_basket(answer, basket)
        for other in self.keys:
            if other is not key and self.opened(other) is basket:
                self.assert_basket(other["user"].call("GET"), basket)
                self.world.seen["seen by another credential"] += 1
                break

    # --- the operations on one product

    @rule(index=indexes, name=names, count=counts | st.sampled_from([ABSENT, NO_BODY]))
    def assign(self, index: int, name: str, count: Any) -> None:
        key = self.key(index)
        answer = self.product("POST", key, name, count)
        basket = self.opened(key)
        if isinstance(basket, str):
            return self.assert_refused(answer, basket)
        number = count if isinstance(count, int) else 1
        return self.expect_put(answer, key, basket, name, number)

    @rule(
        index=indexes,
        position=indexes,
        name=names,
        count=st.sampled_from([None, ABSENT, NO_BODY]) | counts,
    )
    def update(self, index: int, position: int, name: str, count: Any) -> None:
        key = self.filled_key(index) if position else self.key(index)
        basket = self.opened(key)
        name = self.one_of(basket, position) or name
        answer = self.product("PATCH", key, name, count)
        if isinstance(basket, str):
            return self.assert_refused(answer, basket)
        if name not in basket["entries"]:
            return self.assert_refused(answer, "NOT_IN_BASKET")
        if not isinstance(count, int):
            self.world.seen["patched with nothing"] += 1
            return self.assert_basket(answer, basket)
        return self.expect_put(answer, key, basket, name, count)

    @rule(index=indexes, position=indexes, name=names)
    def remove(self, index: int, position: int, name: str) -> None:
        key = self.filled_key(index) if position else self.key(index)
        basket = self.opened(key)
        name = self.one_of(basket, position) or name
        answer = self.product("DELETE", key, name, NO_BODY)
        if isinstance(basket, str):
            return self.assert_refused(answer, basket)
        if name not in basket["entries"]:
            return self.assert_refused(answer, "NOT_IN_BASKET")
        return self.expect_put(answer, key, basket, name, -1)

    def filled_key(self, index: int) -> dict[str, Any]:
        """Choose mostly among those whose basket holds something: the others are refused anyway."""
        filled = []
        for key in self.keys:
            basket = self.opened(key)
            if isinstance(basket, dict) and basket["entries"]:
                filled.append(key)
        return filled[index % len(filled)] if filled else self.key(index)

    @staticmethod
    def one_of(basket: BasketDict | str, position: int) -> str | None:
        """Choose mostly among what is in the basket, the newest first."""
        if isinstance(basket, str) or not basket["entries"] or position == 0:
            return None
        return list(basket["entries"])[-1 - position % len(basket["entries"])]

    def product(self, method: str, key: dict[str, Any], name: str, count: Any) -> TestResponse:
        body = {NO_BODY: None, ABSENT: {}}.get(count, {"count": count})
        answer: TestResponse = key["user"].product(method, self.world.ids[name], json=body)
        return answer

    def expect_put(
        self, answer: TestResponse, key: dict[str, Any], basket: BasketDict, name: str, count: int
    ) -> None:
        if count == -1:
            basket["entries"].pop(name, None)
        else:
            refusal = self.refusal(basket["entries"], name, count)
            if refusal is not None:
                return self.assert_refused(answer, refusal)
            self.put(basket["entries"], name, count)
        self.touch(basket)
        return self.assert_written(answer, key, basket)

    # --- the operations on whole baskets

    @rule(index=indexes)
    def look(self, index: int) -> None:
        key = self.key(index)
        basket = self.opened(key)
        answer = key["user"].call("GET")
        if isinstance(basket, str):
            return self.assert_refused(answer, basket)
        return self.assert_basket(answer, basket)

    @rule(index=indexes, other=indexes)
    def look_at_anothers(self, index: int, other: int) -> None:
        """A credential opens no basket but its own, whatever the address says."""
        key, victim = self.key(index), self.key(other)
        if key["owner"][1] == victim["owner"][1] or self.now >= key["expires"] + LEEWAY:
            return
        mallory = User(key["platform"], victim["owner"][1], key["user"].token)
        self.assert_refused(mallory.call("GET"), "NOT_YOUR_BASKET")

    @rule(index=indexes)
    def delete_basket(self, index: int) -> None:
        key = self.key(index)
        basket = self.opened(key)
        answer = key["user"].call("DELETE")
        if isinstance(basket, str):
            return self.assert_refused(answer, basket)
        self.baskets.pop(basket["owner"], None)
        # The now empty basket: that of the owner, through whichever credential.
        return self.assert_basket(answer, self.fresh(basket["owner"], guest=basket["guest"]))

    @rule(
        rival=st.sampled_from([False, False, False, True]),
        lines=st.lists(st.tuples(names, st.sampled_from([None, 0, 1, 2, 5, 998])), max_size=4),
    )
    def create_guest(self, rival: bool, lines: list[tuple[str, int | None]]) -> None:
        self.guest_with(self.world.rival if rival else self.world.kino, lines)

    @rule(
        cart=st.sampled_from([CART, CART, CART - 1, CART + 1, 3]),
        saved=st.sampled_from([0, 0, 1, SAVED, SAVED + 1]),
    )
    def create_full_guest(self, cart: int, saved: int) -> None:
        """Reach the limits often: by single steps it would never happen."""
        lines = [(name, 0) for name in FILLERS[:saved]]
        in_cart = FILLERS[saved : saved + cart]
        self.guest_with(self.world.kino, [*lines, *((name, 1) for name in in_cart)])

    def guest_with(self, platform: Platform, lines: list[tuple[str, int | None]]) -> None:
        products = [
            {"productId": self.world.ids[name], **({} if count is None else {"count": count})}
            for name, count in lines
        ]
        body = {"products": products} if products else None
        answer = platform.call("POST", "/baskets/guests", json=body)
        added_up: dict[str, int] = {}
        for name, count in lines:
            added_up[name] = min(added_up.get(name, 0) + (1 if count is None else count), MOST)
        entries: dict[str, int] = {}
        for name, count in added_up.items():
            refusal = self.refusal(entries, name, count)
            if refusal is not None:
                return self.assert_refused(answer, refusal)
            self.put(entries, name, count)
        key = self.admitted(answer, platform, opens=None)
        basket = self.fresh(key["owner"], guest=True)
        basket["entries"] = entries
        self.touch(basket)
        assert answer.json["data"]["basket"] == self.view(basket)
        self.assert_basket(key["user"].call("GET"), basket)
        return None

    def admitted(
        self, answer: TestResponse, platform: Platform, *, opens: int | None
    ) -> dict[str, Any]:
        assert answer.status_code == 200, answer.json
        data = answer.json["data"]
        assert set(data) == {"userId", "token", "expires", "basket"}
        assert data["userId"] not in {key["user"].id for key in self.keys}
        expires = self.now.replace(microsecond=0) + GUEST_LIFETIME
        assert data["expires"] == iso(expires)
        return self.add_key(
            platform, data["userId"], data["token"], expires, guest=True, opens=opens
        )

    @rule(index=indexes, other=indexes)
    def merge(self, index: int, other: int) -> None:
        users, guests = self.keys[:3], self.keys[3:] or self.keys
        key = users[index % 3] if index < 6 else self.key(-1 - other)
        guest = guests[-1 - other % len(guests)] if other < 10 else self.key(index)
        basket = self.opened(key)
        token = guest["user"].token
        answer = key["user"].call("POST", "/merge", json={"guestToken": token})
        refusal = self.refusal_to_merge(key, guest)
        if refusal in WRONG_TOKEN and self.now < key["expires"] + LEEWAY:
            # The caller's own token is a good one: the other is a wrong field of the request.
            wrong = {"guestToken": [WRONG_TOKEN[refusal]().message]}
            assert (answer.status_code, answer.json["error"]["details"]) == (422, wrong)
            self.world.seen[refusal] += 1
            return None
        if refusal is not None:
            return self.assert_refused(answer, refusal)
        theirs = self.opened(guest)
        if isinstance(theirs, str) or not theirs["guest"] or not theirs["stored"]:
            return self.assert_refused(answer, "NOTHING_TO_MERGE")
        assert isinstance(basket, dict)
        del self.baskets[theirs["owner"]]
        self.take_in(basket["entries"], theirs["entries"])
        self.touch(basket)
        self.world.seen["merged"] += 1
        return self.assert_written(answer, key, basket)

    def refusal_to_merge(self, key: dict[str, Any], guest: dict[str, Any]) -> str | None:
        if self.now >= key["expires"] + LEEWAY:
            return "TOKEN_EXPIRED"
        # The guest's token counts under the same API key as any bearer token does; the two
        # partners of this test have the same identity provider.
        if guest["guest"] and guest["platform"] is not key["platform"]:
            return "TOKEN_OF_ANOTHER_PARTNER"
        if self.now >= guest["expires"] + LEEWAY:
            return "TOKEN_EXPIRED"
        if key["guest"]:
            return "GUEST_NOT_ALLOWED"
        if not guest["guest"]:
            return "NOTHING_TO_MERGE"
        return None

    def take_in(self, entries: dict[str, int], theirs: dict[str, int]) -> None:
        """Take the guest's entries in: the larger count stays, what does not fit is saved."""
        for name, count in theirs.items():
            known = entries.get(name, 0)
            if known == 0 and count > 0 and self.many(entries, saved=False) >= CART:
                self.world.seen["saved while merging"] += 1
                self.put(entries, name, 0)
            else:
                self.put(entries, name, max(known, count))

    # --- the transfer

    @rule(index=indexes)
    def transfer(self, index: int) -> None:
        key = self.key(index)
        basket = self.opened(key)
        answer = key["user"].call("POST", "/transfer")
        if isinstance(basket, str):
            return self.assert_refused(answer, basket)
        if not basket["stored"]:
            self.touch(basket)
        for offer in self.offers:
            if offer["basket"] == basket["id"] and self.state(offer) == "open":
                offer["state"] = "TRANSFER_CANCELLED"
        assert answer.status_code == 200, answer.json
        expires = self.now + CLAIM_WINDOW
        assert answer.json["data"]["expires"] == iso(expires)
        self.offers.append(
            {
                "token": answer.json["data"]["jayToken"],
                "platform": key["platform"],
                "basket": basket["id"],
                "expires": expires,
                "state": "open",
            }
        )
        return self.assert_basket(key["user"].call("GET"), basket)

    def state(self, offer: dict[str, Any]) -> str:
        if offer["state"] == "open":
            # Deleted, merged, or expired and begun anew: the basket that was offered is gone.
            if offer["basket"] not in {basket["id"] for basket in self.baskets.values()}:
                return "TRANSFER_CANCELLED"
            if self.now >= offer["expires"]:
                return "TRANSFER_EXPIRED"
        found: str = offer["state"]
        return found

    @precondition(lambda self: self.offers)
    @rule(index=indexes, wrong_partner=st.sampled_from([False, True, False]))
    def claim(self, index: int, wrong_partner: bool) -> None:
        offer = self.offers[-1 - index % len(self.offers)]
        platform = offer["platform"]
        if wrong_partner:
            world = self.world
            platform = world.rival if platform is world.kino else world.kino
        answer = platform.redeem(offer["token"])
        if wrong_partner:
            return self.assert_refused(answer, "TRANSFER_UNKNOWN")
        if self.state(offer) != "open":
            return self.assert_refused(answer, self.state(offer))
        basket = self.basket_with(offer["basket"])
        if basket is None:
            return self.assert_refused(answer, "TRANSFER_CANCELLED")
        offer["state"] = "TRANSFER_CLAIMED"
        key = self.admitted(answer, platform, opens=basket["id"])
        assert answer.json["data"]["basket"] == self.view(basket)
        self.world.seen["claimed"] += 1
        return self.assert_basket(key["user"].call("GET"), basket)

    @rule(cart=st.sampled_from([1, 5, CART - 1, CART]), index=indexes)
    def shop_and_log_in(self, cart: int, index: int) -> None:
        """A guest fills a cart, and then turns out to be a user."""
        before = len(self.keys)
        self.create_full_guest(cart, 1)
        if index % 4 < 3:
            self.assign(before, "mug", 1)
        self.merge(index % 3, len(self.keys) - 1 - before)

    @precondition(lambda self: len(self.keys) < 8)
    @rule(
        index=indexes,
        name=names,
        wait=st.sampled_from([0, 1, 59.9, 60]),
        again=st.sampled_from([False, False, True]),
    )
    def hand_over(self, index: int, name: str, wait: float, again: bool) -> None:
        """From the TV to the phone, and the phone puts something in."""
        before = len(self.keys)
        self.transfer(index)
        if again:  # a new code: the old one is dead
            self.transfer(index)
            if len(self.offers) > 1:
                self.claim(1, wrong_partner=False)
        self.clock.move(wait)
        if self.offers:
            self.claim(0, wrong_partner=False)
        if len(self.keys) > before:
            self.assign(before, name, 1)

    # --- the world changes

    @rule(seconds=moves)
    def time_passes(self, seconds: float) -> None:
        self.clock.move(seconds)

    @rule(name=st.sampled_from(["mug", "hat"]), stock=st.sampled_from([0, 3, None, -2]))
    def stock_changes(self, name: str, stock: int | None) -> None:
        self.world.set_stock(name, stock)
        state = self.catalogue[name]
        assert state is not None
        state["stock"] = stock

    @rule(listed=st.sampled_from([(), ("tee-l",), VARIANTS]))
    def variants_change(self, listed: tuple[str, ...]) -> None:
        self.world.list_variants(listed)
        for name in VARIANTS:
            self.catalogue[name] = {"stock": 3} if name in listed else None

    # --- what always holds

    @invariant()
    def the_limits_hold(self) -> None:
        for basket in self.baskets.values():
            assert self.many(basket["entries"], saved=False) <= CART

    def every_credential_shows_the_model(self) -> None:
        for index in range(len(self.keys)):
            self.look(index)


def test_no_run_shows_a_difference_to_the_model(
    app: Flask, client: FlaskClient, clock: MovedClock, database_url: str
) -> None:
    world = World(app, client, clock)
    runs = RUNS if database_url.startswith("sqlite") else RUNS_ON_POSTGRESQL

    run_machine(lambda: HttpMachine(world), runs=runs, steps=STEPS)

    assert next(world.runs) > runs
    if runs < RUNS:
        return
    # It was worth something only if everything was met.
    due = STATUS.keys() - (set() if is_deep() else RARELY_MET)
    assert [constant for constant in due if not world.seen[constant]] == [], world.seen
    for event in (
        "merged",
        "saved while merging",
        "claimed",
        "patched with nothing",
        "seen by another credential",
    ):
        assert world.seen[event] >= MET, world.seen
