"""The feed over HTTP against a model of plain dicts: descriptions, and news in whatever order.

Two merchants feed the same SKUs in two countries; news arrives late, early and without a time. The
model knows nothing of the service but its contract. After each step both catalogues are compared,
row by row, so what one merchant sends never shows in the other's.
"""

from collections import Counter
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

import hypothesis.strategies as st
import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
)
from sqlalchemy import delete, select

from jay import db
from jay.merchants.models import merchants
from jay.products import upserting
from jay.products.models import products
from tests.builders import Shop, add_shop
from tests.clock import NOON, MovedClock
from tests.depth import few_or_all
from tests.property.machines import run_machine

RUNS = few_or_all(120, 200)
RUNS_ON_POSTGRESQL = few_or_all(30, 200)
"""The rules are the same: there it is about the statements, which each run sends."""

MET = few_or_all(1, 5)
STEPS = 15
AHEAD = timedelta(minutes=5)
SKUS = ["mug", "mug-s", "mug-l", "hat", "hat-s"]
COUNTRIES = ["DE", "AT"]
CURRENCY = "EUR"
"""The merchants' own: that of a product of which none is told."""

COLUMNS = {
    "stockCount": "stock_count",
    "price": "price",
    "orgPrice": "org_price",
    "currency": "currency",
    "vat": "vat",
    "shippingModel": "shipping",
}
"""The volatile fields, and where the database keeps them."""

Catalogue = dict[tuple[str, str, str], dict[str, Any]]
"""By merchant, country and SKU: what a product is, and its fields with when they were observed."""

shops = st.sampled_from(["mugshop", "bookshop"])
countries = st.sampled_from(COUNTRIES)
skus = st.sampled_from(SKUS)
own = {
    "stockCount": st.sampled_from([None, -1, 0, 1, 7]),
    "price": st.integers(0, 9),
    "orgPrice": st.integers(0, 9),
}
shared = {
    "currency": st.sampled_from(["EUR", "GBP"]),
    "vat": st.sampled_from([0.0, 7.0, 19.0]),
    "shippingModel": st.sampled_from([{}, {"shippingFlatRate": 490}, {"orderLimit": 3}]),
}
items = st.fixed_dictionaries({"sku": st.sampled_from([*SKUS, "never"])}, optional=own)
variants = st.lists(st.fixed_dictionaries({"sku": skus}, optional=own), max_size=3)
numbers = st.integers(0, 19)
# Seconds after now at which news was observed; many of them meet one another.
moments = st.sampled_from([None, None, -60, -30, -20, -10, -1, 0, 1, 299, 300]) | st.sampled_from(
    [-0.000001, 0.000001, 300.000001, 9999]
)


class World:
    """What all runs share: the service and two merchants."""

    def __init__(self, app: Flask, client: FlaskClient, clock: MovedClock) -> None:
        self.app, self.clock = app, clock
        self.shops: dict[str, Shop] = {
            name: add_shop(app, client, name) for name in ("mugshop", "bookshop")
        }
        self.seen: Counter[str] = Counter()

    def begin_anew(self) -> None:
        self.clock.now = NOON
        with self.app.app_context(), db.transaction() as connection:
            connection.execute(delete(products))

    def catalogue(self) -> dict[tuple[str, str, str], dict[str, Any]]:
        """Return what the database holds, without when it was observed."""
        query = select(products, merchants.c.name.label("merchant")).join(merchants)
        with self.app.app_context(), db.reading() as connection:
            rows = connection.execute(query).all()
        found = {}
        for row in rows:
            fields = {name: getattr(row, column) for name, column in COLUMNS.items()}
            if not row.stock_set:
                assert fields.pop("stockCount") is None
            found[row.merchant, row.country, row.sku] = {
                "id": row.id,
                "main": row.main_id,
                "name": row.name,
                "removed": row.removed,
                "position": row.position,
                **{name: value for name, value in fields.items() if value is not None},
                **({"stockCount": row.stock_count} if row.stock_set else {}),
            }
        return found


class FeedMachine(RuleBasedStateMachine):
    """The model: one dict of what both merchants have sent."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        world.begin_anew()
        self.model: Catalogue = {}

    @property
    def now(self) -> datetime:
        return self.world.clock.now

    def send(self, shop: str, method: str, body: dict[str, Any]) -> Any:
        return self.world.shops[shop].call(method, "/shops/products", json=body)

    # --- what may happen

    @rule(seconds=st.sampled_from([1, 10, 20, 60]))
    def time_passes(self, seconds: float) -> None:
        self.world.clock.move(seconds)

    @rule(
        shop=shops,
        country=countries,
        sku=skus,
        variants=variants,
        fields=st.fixed_dictionaries({}, optional={**own, **shared}),
        name=st.sampled_from(["A", "B"]),
    )
    def describe(
        self,
        *,
        shop: str,
        country: str,
        sku: str,
        variants: list[dict[str, Any]],
        fields: dict[str, Any],
        name: str,
    ) -> None:
        body = {"sku": sku, "name": name, "country": country, "variants": variants, **fields}

        answer = self.send(shop, "POST", body)

        main = f"{shop}/de-{country}/{sku}"
        named = [sku, *(variant["sku"] for variant in variants)]
        if len(set(named)) < len(named) or not self.may_be(shop, country, named):
            assert answer.json["error"]["details"] == "SKU_TAKEN"
            self.world.seen["a SKU is taken"] += 1
            return
        assert answer.status_code == 200, answer.json
        repriced = set()
        if (there := self.model.get((shop, country, sku))) and self.reprices(there, fields):
            repriced.add(main)
        before = {
            key: (product["main"], self.currency(product)) for key, product in self.model.items()
        }
        for product in self.model.values():
            if product["main"] == main and not product["removed"]:
                product["removed"] = True
                self.world.seen["a variant vanished"] += 1
        self.store((shop, country, sku), None, 0, name, fields)
        for position, variant in enumerate(variants):
            key = (shop, country, variant["sku"])
            if key in self.model:
                self.world.seen["moved"] += self.model[key]["main"] != main
            self.store(key, main, position, None, variant)
            for field in shared:
                self.model[key]["fields"][field] = (None, self.now)
        told = {(shop, country, one["sku"]): one for one in ({"sku": sku, **fields}, *variants)}
        self.end_former_prices(told, before, repriced)

    @staticmethod
    def own_currency(product: dict[str, Any]) -> str | None:
        currency, _ = product["fields"].get("currency", (None, None))
        return currency

    def currency(self, product: dict[str, Any]) -> str:
        """Return the currency in which a product's prices are."""
        mains = [one for one in self.model.values() if one["id"] == product["main"]]
        return next(filter(None, map(self.own_currency, (product, *mains))), CURRENCY)

    def reprices(self, product: dict[str, Any], given: dict[str, Any]) -> bool:
        """Tell whether a price comes in another currency than that for the product's variants."""
        return (
            given.keys() >= {"price", "currency"}
            and (self.own_currency(product) or CURRENCY) != given["currency"]
        )

    def end_former_prices(
        self,
        told: dict[tuple[str, str, str], dict[str, Any]],
        before: dict[tuple[str, str, str], tuple[str | None, str]],
        repriced: set[str],
    ) -> None:
        """End those of a description.

        :param before: the main products of all products so far, and the currencies of their prices.
        :param repriced: the main product, where its price comes in another currency.
        """
        for key in told.keys() & before.keys():
            product, (main, currency) = self.model[key], before[key]
            follows = product["main"] == main and main in repriced
            if ("price" in told[key] or follows) and self.currency(product) != currency:
                self.end_former_price(product, told[key], self.now)
        self.end_those_of_variants(repriced, told, None)

    def end_former_price(
        self, product: dict[str, Any], given: dict[str, Any], stamp: datetime | None
    ) -> None:
        """Nothing is struck beside a price in another currency, but what was told with it."""
        value, _ = product["fields"].get("orgPrice", (None, None))
        if value is None or "orgPrice" in given or self.is_newer(product, "orgPrice", stamp):
            return
        product["fields"]["orgPrice"] = (None, stamp or self.now)
        self.world.seen["a former price ended"] += 1

    def end_those_of_variants(
        self, mains: set[str], told: Collection[tuple[str, str, str]], stamp: datetime | None
    ) -> None:
        """Those told in the currency of their main product, which has another one now."""
        for key, product in self.model.items():
            if product["main"] in mains and key not in told and not self.own_currency(product):
                self.end_former_price(product, {}, stamp)

    def may_be(self, shop: str, country: str, named: list[str]) -> bool:
        """Tell whether no variant is a product with other variants of its own."""
        listed = {f"{shop}/de-{country}/{one}" for one in named}
        return not any(
            product["main"] in listed - {f"{shop}/de-{country}/{named[0]}"}
            and product["id"] not in listed
            and not product["removed"]
            for product in self.model.values()
        )

    def store(
        self,
        key: tuple[str, str, str],
        main: str | None,
        position: int,
        name: str | None,
        given: dict[str, Any],
    ) -> None:
        shop, country, sku = key
        product = self.model.setdefault(key, {"fields": {}})
        product |= {
            "id": f"{shop}/de-{country}/{sku}",
            "main": main,
            "name": name,
            "removed": False,
            "position": position,
        }
        for field in COLUMNS.keys() & given.keys():
            product["fields"][field] = (given[field], self.now)

    @rule(
        shop=shops,
        country=countries,
        items=st.lists(items, max_size=5),
        shared=st.fixed_dictionaries({}, optional=shared),
        moment=moments,
    )
    def update(
        self,
        *,
        shop: str,
        country: str,
        items: list[dict[str, Any]],
        shared: dict[str, Any],
        moment: float | None,
    ) -> None:
        body = {"country": country, "products": items, **shared}
        as_of = self.now
        if moment is not None:
            as_of += timedelta(seconds=moment)
            body["asOf"] = as_of.isoformat()

        answer = self.send(shop, "PATCH", body)

        if as_of > self.now + AHEAD:
            assert list(answer.json["error"]["details"]) == ["asOf"]
            self.world.seen["from the future"] += 1
            return
        stamp = None if moment is None else min(as_of, self.now)
        expected = self.expect(shop, country, items, shared, stamp)
        assert answer.json == {"data": expected}
        for kind in ("unknownSkus", "stale", "updated"):
            self.world.seen[kind] += bool(expected[kind])
        self.world.seen["partly stale"] += bool(expected["stale"] and expected["updated"])

    @precondition(lambda self: self.model)
    @rule(
        number=numbers,
        item=st.fixed_dictionaries(
            {"price": own["price"], "stockCount": own["stockCount"]},
            optional={"orgPrice": own["orgPrice"]},
        ),
        shared=st.fixed_dictionaries({}, optional={"currency": shared["currency"]}),
        moment=moments,
    )
    def update_what_is_there(
        self, *, number: int, item: dict[str, Any], shared: dict[str, Any], moment: float | None
    ) -> None:
        """Of all that can be named in an update, little is there: most of it meets nothing."""
        shop, country, sku = self.known(number)
        items = [{"sku": sku, **item}]
        self.update(shop=shop, country=country, items=items, shared=shared, moment=moment)

    @precondition(lambda self: self.model)
    @rule(
        number=numbers,
        variants=variants,
        fields=st.fixed_dictionaries(
            {"price": own["price"]}, optional={"currency": shared["currency"]}
        ),
    )
    def describe_what_is_there(
        self, *, number: int, variants: list[dict[str, Any]], fields: dict[str, Any]
    ) -> None:
        shop, country, sku = self.known(number)
        self.describe(
            shop=shop, country=country, sku=sku, variants=variants, fields=fields, name="C"
        )

    def known(self, number: int) -> tuple[str, str, str]:
        return sorted(self.model)[number % len(self.model)]

    def expect(
        self,
        shop: str,
        country: str,
        items: list[dict[str, Any]],
        shared: dict[str, Any],
        stamp: datetime | None,
    ) -> dict[str, Any]:
        """Change the model as the contract says, and return what is to be answered."""
        unknown, updated, stale = [], 0, 0
        told: dict[tuple[str, str, str], dict[str, Any]] = {}
        for sku, item in {item["sku"]: item for item in items}.items():
            product = self.model.get((shop, country, sku))
            if product is None or product["removed"]:
                unknown.append(sku)
                continue
            told[shop, country, sku] = {
                **shared,
                **{name: item[name] for name in own if name in item},
            }
        before = {key: self.currency(self.model[key]) for key in told}
        repriced: set[str] = set()
        for key, given in told.items():
            product = self.model[key]
            news = {
                name: value
                for name, value in given.items()
                if not self.is_newer(product, name, stamp)
            }
            if self.reprices(product, news):
                repriced.add(product["id"])
            if news.keys() >= {"price", "currency"} and before[key] != news["currency"]:
                self.end_former_price(product, given, stamp)
            for name, value in news.items():
                product["fields"][name] = (value, stamp or self.now)
            stale += len(given) - len(news)
            updated += bool(news) or not given
        self.end_those_of_variants(repriced, told, stamp)
        return {"updated": updated, "unknownSkus": unknown, "stale": stale}

    @staticmethod
    def is_newer(product: dict[str, Any], name: str, stamp: datetime | None) -> bool:
        """Tell whether the stored field is newer than a piece of news."""
        return (
            stamp is not None and name in product["fields"] and product["fields"][name][1] > stamp
        )

    # --- what always holds

    @invariant()
    def both_catalogues_are_as_the_model(self) -> None:
        expected = {}
        for key, product in self.model.items():
            fields = {
                name: value
                for name, (value, _) in product["fields"].items()
                if value is not None or name == "stockCount"
            }
            expected[key] = {**{n: v for n, v in product.items() if n != "fields"}, **fields}
        assert self.world.catalogue() == expected


def test_no_run_shows_a_difference_to_the_model(
    app: Flask,
    client: FlaskClient,
    clock: MovedClock,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # As in an import, where each kind of row takes a statement of its own; else few rows don't.
    monkeypatch.setattr(upserting, "FEW", 1)
    world = World(app, client, clock)
    runs = RUNS if database_url.startswith("sqlite") else RUNS_ON_POSTGRESQL

    run_machine(lambda: FeedMachine(world), runs=runs, steps=STEPS)

    if runs < RUNS:
        return
    # It was worth something only if everything was met.
    kinds = ("a SKU is taken", "a variant vanished", "moved", "from the future", "unknownSkus")
    for kind in (*kinds, "updated", "stale", "partly stale", "a former price ended"):
        assert world.seen[kind] >= MET, world.seen
