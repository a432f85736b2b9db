"""``flask partner remove`` and ``flask merchant remove``."""

import pytest
from flask import Flask
from sqlalchemy import func, select

from jay import db
from jay.auth.guards import KEYS_CACHED_SECONDS
from jay.db.types import metadata
from jay.events import events
from jay.merchants import service as merchants
from jay.operators import service as operators
from jay.ops import removal
from jay.ops.removal import MERCHANT, PARTNER, Owner
from jay.partners import service as partners
from jay.products.models import products
from jay.products.wanted import wanted_skus
from tests.api.browser import Browser, text_of
from tests.builders import Platform, Shop, add_platform, add_shop
from tests.cli.conftest import Run
from tests.clock import NOON, MovedClock

STAYS = {
    "events": "holds nothing personal, and ids are never given to another partner",
    "api_keys": "revoked ones are listed",
    "partner_logos": "goes with the set-up",
    "checkout_sessions": "what was paid has to be kept, and the worker ends what was not",
    **dict.fromkeys(("orders", "order_parts", "handed_parts"), "what was sold has to be kept"),
}


@pytest.fixture
def kino(app: Flask) -> Platform:
    return add_platform(app, app.test_client(), kiosk=True, cors_origins=["https://gone.example"])


@pytest.fixture
def rival(app: Flask) -> Platform:
    return add_platform(app, app.test_client(), "rival")


@pytest.fixture
def shop(app: Flask) -> Shop:
    return add_shop(app, app.test_client())


@pytest.fixture
def other_shop(app: Flask) -> Shop:
    return add_shop(app, app.test_client(), "bookshop")


def counts(app: Flask, owner: Owner, name: str) -> dict[str, int]:
    """Return how much of each table belongs to somebody, removed or not."""
    finders = {
        "partner": (partners.partner_id, partners.removed_partner_id),
        "merchant": (merchants.merchant_id, merchants.removed_merchant_id),
    }[owner.kind]
    with app.app_context(), db.reading() as connection:
        identifier = next(found for find in finders if (found := find(connection, name)))
        return {
            each.table.name: connection.execute(
                select(func.count()).where(each.table.c[owner.column] == identifier)
            ).scalar_one()
            for each in owner.belongings
        }


@pytest.mark.one_database
@pytest.mark.parametrize("owner", [PARTNER, MERCHANT], ids=lambda owner: owner.kind)
def test_every_table_with_an_owner_has_been_thought_of(owner: Owner) -> None:
    owned = {table.name for table in metadata.tables.values() if owner.column in table.columns}

    assert owned - STAYS.keys() == {each.table.name for each in owner.belongings}


def test_a_partner_goes_with_keys_and_baskets_and_no_other_one(
    app: Flask, run: Run, clock: MovedClock, *, kino: Platform, rival: Platform, shop: Shop
) -> None:
    mug = shop.product()
    alice, stranger = kino.user("alice"), rival.user("alice")
    for user in (alice, stranger):
        user.put(mug)
        user.call("PATCH", "/comfort", json={"customerId": "C-1"})
    phone = Browser(app)
    phone.take(alice.transfer())
    assert "Mug" in text_of(phone.get("/basket"))

    result = run("partner", "remove", "kino", "--yes")
    clock.move(KEYS_CACHED_SECONDS)

    assert (result.exit_code, result.stdout) == (0, ""), result.output
    assert set(counts(app, PARTNER, "kino").values()) == {0}
    assert alice.call("GET").status_code == 401
    assert kino.call("POST", "/baskets/guests").status_code == 401
    assert app.test_client().get("/kiosk/kino").status_code == 404
    assert phone.get("/basket").status_code < 500
    assert "Mug" not in text_of(phone.get("/basket"))
    assert "kino" not in run("partner", "list").stdout
    assert stranger.cart() == {mug: 1}
    preflight = {"Origin": "https://gone.example", "Access-Control-Request-Method": "POST"}
    answer = app.test_client().options("/v2/baskets/guests", headers=preflight)
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_events_stay_and_ids_are_never_given_to_another_one(
    app: Flask, run: Run, kino: Platform, shop: Shop
) -> None:
    kino.guest((shop.product(), 1))
    with app.app_context(), db.reading() as connection:
        identifier = partners.partner_id(connection, "kino")
        recorded = connection.execute(select(func.count()).select_from(events)).scalar_one()

    run("partner", "remove", "kino", "--yes")
    run("partner", "add", "newcomer")

    with app.app_context(), db.reading() as connection:
        assert partners.partner_id(connection, "newcomer") != identifier
        left = connection.execute(select(func.count()).select_from(events)).scalar_one()
    assert left == recorded > 0


def test_a_partner_that_is_registered_again_begins_with_nothing(
    app: Flask, run: Run, clock: MovedClock, *, kino: Platform, shop: Shop
) -> None:
    guest = kino.guest((shop.product(), 1))
    run("partner", "remove", "kino", "--yes")
    clock.move(KEYS_CACHED_SECONDS)

    assert run("partner", "add", "kino").exit_code == 0

    again = Platform(
        app.test_client(), "kino", run("key", "issue", "--partner", "kino").output[:47]
    )
    with app.app_context(), db.reading() as connection:
        partner = partners.partner_by_name(connection, "kino")
    assert (partner.jwks, partner.kiosk, partner.transfer_origins) == (None, False, ())
    guest.platform = again
    assert guest.basket()["cart"] == []
    assert kino.call("POST", "/baskets/guests").status_code == 401


def test_a_merchant_goes_with_products_and_accounts_and_no_other_one(
    app: Flask, run: Run, clock: MovedClock, *, kino: Platform, shop: Shop, other_shop: Shop
) -> None:
    gone, kept = shop.product(variants=()), other_shop.product("book")
    guest = kino.guest((gone, 1), (kept, 1))
    with app.app_context(), db.transaction() as connection:
        identifier = merchants.merchant_id(connection, "mugshop")
        operators.add(connection, "olga", "x", merchant=identifier, now=NOON)
        operators.add(connection, "boss", "x", merchant=None, now=NOON)
    run("products", "want", "mugshop", "MUG-9")

    result = run("merchant", "remove", "mugshop", "--yes")
    clock.move(KEYS_CACHED_SECONDS)

    assert (result.exit_code, result.stdout) == (0, ""), result.output
    assert set(counts(app, MERCHANT, "mugshop").values()) == {0}
    assert shop.call("GET", "/shops/config").status_code == 401
    assert [line.split()[0] for line in run("operator", "list").stdout.splitlines()[1:]] == ["boss"]
    basket = guest.basket()
    assert [entry["productId"] for entry in basket["cart"]] == [gone, kept]
    assert counts(app, MERCHANT, "bookshop")["products"] == 1
    with app.app_context(), db.reading() as connection:
        assert connection.execute(select(wanted_skus)).all() == []
        assert merchants.merchant_names(connection, most=9) == ["bookshop"]


def test_what_a_merchant_sends_while_it_is_removed_is_refused(app: Flask, shop: Shop) -> None:
    body = {"sku": "mug", "name": "Mug", "price": 900, "currency": "EUR"}
    shop.call("POST", "/shops/products", json=body)  # the process knows the key now
    with app.app_context(), db.transaction() as connection:
        identifier = merchants.merchant_id(connection, "mugshop")
        removal.end(connection, MERCHANT, identifier, now=NOON)

    assert shop.call("POST", "/shops/products", json=body).status_code == 401


# --- being asked


@pytest.mark.parametrize("kind", ["partner", "merchant"])
def test_it_says_what_goes_and_asks(
    app: Flask, run: Run, *, kino: Platform, shop: Shop, kind: str
) -> None:
    kino.guest((shop.product(), 1))
    name, told = {"partner": ("kino", "1 baskets"), "merchant": ("mugshop", "1 products")}[kind]

    result = app.test_cli_runner().invoke(args=[kind, "remove", name], input="n\n")

    assert result.exit_code == 1
    assert told in result.stderr
    assert f"Remove {kind} {name}? [y/N]" in result.stderr
    assert name in run(kind, "list").stdout
    agreed = app.test_cli_runner().invoke(args=[kind, "remove", name], input="y\n")
    assert agreed.exit_code == 0
    assert name not in run(kind, "list").stdout


@pytest.mark.parametrize("kind", ["partner", "merchant"])
def test_who_is_not_there_or_gone_already_is_named(run: Run, kind: str) -> None:
    run(kind, "add", "gone")
    run(kind, "remove", "gone", "--yes")

    for name in ("gone", "nobody"):
        result = run(kind, "remove", name, "--yes")
        assert (result.exit_code, f"no {kind} {name!r}" in result.stderr) == (1, True)


def test_what_was_interrupted_is_finished_by_the_next_run(
    app: Flask, run: Run, monkeypatch: pytest.MonkeyPatch, *, shop: Shop
) -> None:
    for number in range(5):
        shop.product(f"mug-{number}")
    with app.app_context(), db.transaction() as connection:
        identifier = merchants.merchant_id(connection, "mugshop")
        removal.end(connection, MERCHANT, identifier, now=NOON)
    monkeypatch.setattr(removal, "BATCH", 2)
    with app.app_context():
        next(
            removal.delete_in_batches(
                db.write, products, products.c.merchant_id == identifier, batch=2
            )
        )
    assert counts(app, MERCHANT, "mugshop")["products"] == 3

    assert run("merchant", "remove", "mugshop", "--yes").exit_code == 0

    assert counts(app, MERCHANT, "mugshop")["products"] == 0
