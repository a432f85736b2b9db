"""``flask demo load``, and the start that refuses its keys."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from sqlalchemy import select, update

from jay import db, make_ready
from jay.auth.models import api_keys
from jay.config import ConfigError
from jay.merchants.models import merchants
from jay.ops import demo_viewer
from jay.partners.models import partners
from jay.products import service as catalogue
from jay.products.models import Product, product_id, products
from tests.cli.conftest import Run, runner_of
from tests.clock import NOON
from tests.demo import catalogue as demo_catalogue
from tests.demo import flask_commands

ROOT = Path(__file__).parents[2]
LOCALES = [("de", "DE", "EUR"), ("en", "GB", "GBP")]
MakeApp = Callable[..., Flask]


def loaded(demo_app: MakeApp, **changes: Any) -> Flask:
    app = demo_app(**changes)
    result = runner_of(app)("demo", "load")
    assert result.exit_code == 0, result.output
    return app


def rows(app: Flask, table: Any) -> list[dict[str, Any]]:
    with app.app_context(), db.reading() as connection:
        return [dict(row._mapping) for row in connection.execute(select(table))]


def offered(app: Flask, lang: str, country: str) -> list[Product]:
    """Return the demo's main products in one locale, as baskets see them."""
    ids = [product_id("demo-shop", lang, country, body["sku"]) for body in demo_catalogue(lang)]
    with app.app_context(), db.reading() as connection:
        found = catalogue.find_many(connection, ids, now=NOON)
    return [found[identifier] for identifier in ids]


def test_without_demo_mode_nothing_is_loaded(app: Flask, run: Run) -> None:
    result = run("demo", "load")

    assert result.exit_code == 1
    assert "JAY_DEMO=1" in result.stderr
    assert rows(app, partners) == rows(app, merchants) == rows(app, products) == []


def test_load_says_what_to_open_and_what_to_paste(demo_app: MakeApp) -> None:
    app = demo_app(public_url="http://192.168.0.17:8000")

    text = runner_of(app)("demo", "load").stdout

    assert "http://192.168.0.17:8000/kiosk" in text
    assert "http://192.168.0.17:8000/catalogue" in text
    assert "http://192.168.0.17:8000/docs" in text
    assert "http://192.168.0.17:8000/v2/baskets/guests" in text


@pytest.mark.parametrize(
    ("public_url", "address", "told"),
    [
        ("http://127.0.0.1:8000", "192.168.0.17", True),
        ("http://127.0.0.1:8000", None, False),  # in no network
        ("http://192.168.0.17:8000", "192.168.0.17", False),  # a phone reaches it already
    ],
)
def test_load_says_how_a_phone_reaches_it(
    public_url: str,
    address: str | None,
    told: bool,
    demo_app: MakeApp,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("jay.ops.cli.lan_address", lambda: address)

    text = runner_of(demo_app(public_url=public_url))("demo", "load").stdout

    assert ("make run LAN=1" in text) == told
    assert ("http://192.168.0.17:8000" in text) == (address is not None)


def test_the_curl_that_is_printed_works(demo_app: MakeApp) -> None:
    app = demo_app()
    text = runner_of(app)("demo", "load").stdout
    identifier = text.split('"productId": "')[1].split('"')[0]

    response = app.test_client().post(
        "/v2/baskets/guests",
        headers={"X-API-Key": "demo-basket-key"},
        json={"products": [{"productId": identifier}]},
    )

    assert response.status_code == 200
    assert "demo-basket-key" in text
    cart = response.json["data"]["basket"]["cart"]
    assert cart == [{"productId": identifier, "count": 1}]


def test_loading_again_changes_nothing(demo_app: MakeApp) -> None:
    app = loaded(demo_app)
    before = [rows(app, table) for table in (partners, merchants, api_keys, products)]

    loaded(demo_app)

    assert [rows(app, table) for table in (partners, merchants, api_keys, products)] == before


def test_loading_again_keeps_a_changed_price(demo_app: MakeApp) -> None:
    app = loaded(demo_app)
    mug = product_id("demo-shop", "de", "DE", "TEEW-MUG-07")
    with app.app_context(), db.transaction() as connection:
        connection.execute(update(products).where(products.c.id == mug).values(price=1))

    loaded(demo_app)

    assert {row["id"]: row["price"] for row in rows(app, products)}[mug] == 1


def test_the_pictures_follow_the_public_url(demo_app: MakeApp) -> None:
    loaded(demo_app, public_url="http://127.0.0.1:8000")

    app = loaded(demo_app, public_url="http://192.168.0.17:8000")

    for lang, country, _currency in LOCALES:
        hosts = {urlsplit(product.image_url).netloc for product in offered(app, lang, country)}
        assert hosts == {"192.168.0.17:8000"}


def test_moving_the_pictures_keeps_what_else_is_said_and_pictures_elsewhere(
    demo_app: MakeApp,
) -> None:
    app = loaded(demo_app, public_url="http://127.0.0.1:8000")
    mug = product_id("demo-shop", "de", "DE", "TEEW-MUG-07")
    elsewhere = {"url": "https://cdn.example/mug.jpg", "copyrightText": "x"}
    description = {row["id"]: row["description"] for row in rows(app, products)}[mug]
    changed = {**description, "images": [*description["images"], elsewhere], "colour": "rot"}
    with app.app_context(), db.transaction() as connection:
        connection.execute(update(products).where(products.c.id == mug).values(description=changed))

    loaded(demo_app, public_url="https://jay.example")

    after = {row["id"]: row["description"] for row in rows(app, products)}[mug]
    moved = {**description["images"][0], "url": "https://jay.example/static/demo/mug.svg"}
    assert after == {**changed, "images": [moved, elsewhere]}


@pytest.mark.parametrize(("lang", "country", "currency"), LOCALES)
def test_24_products_are_offered_in_each_language(
    demo_app: MakeApp, lang: str, country: str, currency: str
) -> None:
    found = offered(loaded(demo_app), lang, country)

    assert len(found) == 24
    assert {product.currency for product in found} == {currency}
    assert len({product.name for product in found}) == 24
    assert all(product.description["description"] for product in found)


@pytest.mark.parametrize(("lang", "country", "currency"), LOCALES)
def test_one_product_is_sold_out_and_one_is_not_shoppable(
    demo_app: MakeApp, lang: str, country: str, currency: str
) -> None:
    found = offered(loaded(demo_app), lang, country)

    assert len([product for product in found if product.not_shoppable]) == 1
    assert len([p for p in found if p.out_of_stock and not p.not_shoppable]) == 1
    assert len([product for product in found if product.buyable]) == 22


def test_prices_are_reasonable(demo_app: MakeApp) -> None:
    app = loaded(demo_app)

    for lang, country, _currency in LOCALES:
        for product in offered(app, lang, country):
            if not product.not_shoppable:
                assert 100 <= product.price <= 200_000
                assert product.org_price >= product.price
                assert 0 <= product.vat <= 25


def test_the_stock_of_a_product_is_that_of_its_variants() -> None:
    for body in demo_catalogue():
        stocks = [variant.get("stockCount") for variant in body.get("variants", ())]
        if stocks and None not in stocks:
            assert body["stockCount"] == sum(stocks), body["sku"]


def test_every_picture_is_there_and_is_used() -> None:
    folder = ROOT / "static" / "demo"

    there = {f"/static/demo/{path.name}" for path in folder.glob("*.svg")}
    for lang, _country, _currency in LOCALES:
        assert {body["images"][0]["url"] for body in demo_catalogue(lang)} == there


def test_the_pictures_load_over_http(demo_app: MakeApp) -> None:
    app = loaded(demo_app)
    client = app.test_client()

    for product in offered(app, "de", "DE"):
        response = client.get(urlsplit(product.image_url).path)
        assert (response.status_code, response.mimetype) == (200, "image/svg+xml")
        response.close()


# --- the viewer who has signed in


def partner_keys(app: Flask) -> Any:
    return next(row["jwks"] for row in rows(app, partners))


def get_basket(app: Flask, bearer: str) -> int:
    headers = {"X-API-Key": "demo-basket-key", "Authorization": f"Bearer {bearer}"}
    return app.test_client().get("/v2/baskets/users/demo-viewer", headers=headers).status_code


def test_the_documentation_fills_in_a_token_that_opens_the_viewers_basket(
    demo_app: MakeApp,
) -> None:
    app = loaded(demo_app)

    page = app.test_client().get("/docs").get_data(as_text=True)

    bearer = page.split('data-token="')[1].split('"')[0]
    assert get_basket(app, bearer) == 200
    assert "demo-basket-key" in page
    assert "demo-shop-key" in page


def test_without_demo_mode_the_documentation_knows_no_key(app: Flask, demo_app: MakeApp) -> None:
    loaded(demo_app)

    page = app.test_client().get("/docs").get_data(as_text=True)

    assert "demo-basket-key" not in page
    assert "token" not in page


def test_who_knows_the_code_but_not_the_secret_signs_no_viewer_in(demo_app: MakeApp) -> None:
    app = loaded(demo_app)

    assert get_basket(app, demo_viewer.token("another secret", "demo-viewer", now=NOON)) == 401


def test_a_key_of_the_partners_own_stays(demo_app: MakeApp) -> None:
    app = loaded(demo_app)
    own = demo_viewer.key_set("another secret")
    own["keys"][0]["kid"] = "own"
    with app.app_context(), db.transaction() as connection:
        connection.execute(update(partners).values(jwks=own))

    loaded(demo_app)

    assert partner_keys(app) == own


def test_demo_data_of_before_gets_the_viewers_key(demo_app: MakeApp) -> None:
    app = loaded(demo_app)
    new = partner_keys(app)
    with app.app_context(), db.transaction() as connection:
        connection.execute(update(partners).values(jwks=None, algorithms=[]))

    loaded(demo_app)

    assert partner_keys(app) == new


# --- the published keys


def test_the_published_keys_open_the_service_in_demo_mode_only(
    app: Flask, demo_app: MakeApp
) -> None:
    demo = loaded(demo_app)
    header = {"X-API-Key": "demo-basket-key"}

    assert demo.test_client().post("/v2/baskets/guests", headers=header).status_code == 200
    assert app.test_client().post("/v2/baskets/guests", headers=header).status_code == 401


def test_the_start_refuses_a_database_with_demo_keys(app: Flask, demo_app: MakeApp) -> None:
    loaded(demo_app)

    with pytest.raises(ConfigError) as refused:
        make_ready(app)

    message = str(refused.value)
    assert "JAY_DEMO=1" in message
    assert "key revoke demo-basket" in message
    assert "key revoke demo-shop" in message


def test_demo_mode_starts_with_demo_keys(demo_app: MakeApp) -> None:
    app = loaded(demo_app)

    assert make_ready(app) is app


def test_revoking_one_of_the_two_is_not_enough(app: Flask, run: Run, demo_app: MakeApp) -> None:
    loaded(demo_app)
    run("key", "revoke", "demo-basket")

    with pytest.raises(ConfigError) as refused:
        make_ready(app)

    assert "key revoke demo-shop" in str(refused.value)
    assert "demo-basket" not in str(refused.value)


def test_revoking_both_heals_it(app: Flask, run: Run, demo_app: MakeApp) -> None:
    loaded(demo_app)

    assert run("key", "revoke", "demo-basket").exit_code == 0
    assert run("key", "revoke", "demo-shop").exit_code == 0

    assert make_ready(app) is app


def test_revoked_demo_keys_stay_revoked_when_the_demo_is_loaded_again(
    app: Flask, run: Run, demo_app: MakeApp
) -> None:
    loaded(demo_app)
    run("key", "revoke", "demo-basket")
    run("key", "revoke", "demo-shop")

    demo = loaded(demo_app)

    header = {"X-API-Key": "demo-basket-key"}
    assert demo.test_client().post("/v2/baskets/guests", headers=header).status_code == 401
    assert make_ready(app) is app


def start(tmp_path: Path, *command: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a process of its own, as an operator's machine does."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("JAY_") and name not in {"PORT", "WEB_CONCURRENCY", "FLASK_APP"}
    }
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={**inherited, "JAY_DATA_DIR": str(tmp_path), **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_real_start_refuses_demo_keys_and_names_the_way_out(tmp_path: Path) -> None:
    folder = {"JAY_DATA_DIR": str(tmp_path), "JAY_DATABASE_URL": "", "JAY_SECRET_KEY": ""}
    flask_commands({**folder, "JAY_DEMO": "1"}, ("db", "upgrade"), ("demo", "load"))

    refused = start(tmp_path, "-c", "import wsgi")
    heal = "from app import app; run = app.test_cli_runner().invoke;" + "".join(
        f"assert run(args=['key', 'revoke', '{prefix}']).exit_code == 0;"
        for prefix in ("demo-basket", "demo-shop")
    )
    healed = start(tmp_path, "-c", heal + "import wsgi")

    assert refused.returncode != 0
    assert "accepts the published demo keys" in refused.stderr.splitlines()[-1]
    assert (healed.returncode, healed.stderr) == (0, "")


# --- somebody who is signed in, and a web app


def test_a_token_opens_the_basket_of_the_user_and_of_nobody_else(demo_app: MakeApp) -> None:
    app = loaded(demo_app)
    token = runner_of(app)("demo", "token", "alice").stdout.strip()
    headers = {"X-API-Key": "demo-basket-key", "Authorization": f"Bearer {token}"}

    def opened(user: str) -> int:
        path = f"/v2/baskets/users/{user}"
        return app.test_client().get(path, headers=headers).status_code

    assert (opened("alice"), opened("bob")) == (200, 403)


@pytest.mark.parametrize("user", ["", "x" * 256, "a\nb"])
@pytest.mark.one_database
def test_a_token_is_for_a_user_id_alone(demo_app: MakeApp, user: str) -> None:
    assert runner_of(loaded(demo_app))("demo", "token", user).exit_code == 1


def test_tokens_are_for_demo_mode(run: Run) -> None:
    assert run("demo", "token", "alice").exit_code == 1


def test_a_web_app_on_this_machine_may_call_the_api(demo_app: MakeApp) -> None:
    app = loaded(demo_app)
    headers = {"X-API-Key": "demo-basket-key", "Origin": "http://127.0.0.1:9000"}

    answer = app.test_client().post("/v2/baskets/guests", headers=headers)

    assert answer.headers["Access-Control-Allow-Origin"] == "http://127.0.0.1:9000"
