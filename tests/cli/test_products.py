"""``flask products``: editors ask for SKUs, and merchants hear of it."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import insert

from jay import db
from jay.merchants import service as merchants
from jay.products import wanted
from tests.api.checks import dump, rows
from tests.api.feed import post
from tests.builders import Shop, add_shop
from tests.cli.conftest import Run, runner_of
from tests.clock import NOON, MovedClock
from tests.receiver import Receiver, receiving

URLS = ("addProductWebhookUrl", "updateProductsWebhookUrl")


@pytest.fixture
def here(demo_app: Callable[..., Flask]) -> Flask:
    """The app in demo mode, which may call servers on this machine."""
    return demo_app()


@pytest.fixture
def run(here: Flask) -> Run:
    return runner_of(here)


@pytest.fixture
def shop(app: Flask, client: FlaskClient) -> Shop:
    return add_shop(app, client)


@pytest.fixture
def receiver(shop: Shop) -> Iterator[Receiver]:
    """The merchant's server, which its configuration names."""
    with receiving() as running:
        configure(shop, running.url)
        yield running


def configure(shop: Shop, url: str | None) -> None:
    response = shop.call("PATCH", "/shops/config", json=dict.fromkeys(URLS, url))
    assert response.status_code == 200, response.json


def listed(shop: Shop) -> list[tuple[str, str, str]]:
    """Return the merchant's list of SKUs."""
    blocks = shop.call("GET", "/shops/products").json["data"]["blocks"]
    return [(block["lang"], block["country"], sku) for block in blocks for sku in block["skus"]]


def wishes(run: Run) -> list[str]:
    """Return what the command lists as wanted."""
    result = run("products", "wanted", "mugshop")
    assert result.exit_code == 0
    return [" ".join(line.split()[2:]) for line in result.stdout.splitlines()[1:]]


def typed(app: Flask, text: bytes, *words: str) -> Result:
    result = app.test_cli_runner().invoke(args=list(words), input=text)
    assert result.exception is None or isinstance(result.exception, SystemExit), result
    return result


# --- want


def test_a_wish_is_listed_and_announced(run: Run, shop: Shop, receiver: Receiver) -> None:
    result = run("products", "want", "mugshop", "MUG-1")

    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "1 of 1 asked for in de-DE.",
        "Webhooks: 1 delivered",
    ]
    (request,) = receiver.requests
    assert (request.method, request.path) == ("POST", "/hook")
    assert request.json == {"sku": "MUG-1", "lang": "de", "country": "DE"}
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["Webhook-Id"] == request.headers["Idempotency-Key"] != ""
    assert listed(shop) == [("de", "DE", "MUG-1")]
    assert wishes(run) == ["de-DE MUG-1"]


def test_each_wish_has_a_webhook_of_its_own(run: Run, receiver: Receiver) -> None:
    result = run("products", "want", "mugshop", "B", "A", "C")

    assert "3 of 3 asked for" in result.stdout
    assert [body["sku"] for body in receiver.bodies] == ["A", "B", "C"]
    assert len({request.headers["Webhook-Id"] for request in receiver.requests}) == 3


def test_what_was_asked_for_is_not_asked_for_again(run: Run, receiver: Receiver) -> None:
    run("products", "want", "mugshop", "MUG-1")

    result = run("products", "want", "mugshop", "MUG-1", "MUG-2")

    assert result.exit_code == 0
    assert result.stderr.splitlines()[0] == "MUG-1: was asked for before"
    assert result.stdout.startswith("1 of 2 asked for in de-DE.\n")
    assert [body["sku"] for body in receiver.bodies] == ["MUG-1", "MUG-2"]


def test_what_is_there_is_not_asked_for(
    run: Run, app: Flask, shop: Shop, receiver: Receiver
) -> None:
    post(shop, sku="mug", variants=[{"sku": "mug-s"}])

    result = run("products", "want", "mugshop", "mug", "mug-s")

    assert result.exit_code == 0
    assert result.stderr.splitlines() == ["mug: is there already", "mug-s: is there already"]
    assert result.stdout == "0 of 2 asked for in de-DE.\n"
    assert (receiver.requests, rows(app, "wanted_skus"), rows(app, "outbox")) == (
        [],
        0,
        0,
    )


def test_a_variant_that_was_taken_out_can_be_asked_for(run: Run, shop: Shop) -> None:
    post(shop, sku="mug", variants=[{"sku": "mug-s"}])
    post(shop, sku="mug")

    run("products", "want", "mugshop", "mug-s")

    assert wishes(run) == ["de-DE mug-s"]
    assert listed(shop) == [("de", "DE", "mug"), ("de", "DE", "mug-s")]


def test_language_and_country_can_be_chosen(run: Run, shop: Shop, receiver: Receiver) -> None:
    post(shop, sku="mug")

    run("products", "want", "mugshop", "mug", "--lang", "en", "--country", "GB")

    assert receiver.bodies == [{"sku": "mug", "lang": "en", "country": "GB"}]
    assert listed(shop) == [("de", "DE", "mug"), ("en", "GB", "mug")]


@pytest.mark.parametrize(
    ("option", "value"),
    [("--lang", "DE"), ("--lang", "xx"), ("--country", "de"), ("--country", "")],
)
def test_a_locale_that_does_not_exist_is_refused(
    option: str, value: str, app: Flask, run: Run, shop: Shop
) -> None:
    result = run("products", "want", "mugshop", "mug", option, value)

    assert (result.exit_code, option in result.stderr) == (2, True)
    assert rows(app, "wanted_skus") == 0


@pytest.mark.parametrize("sku", ["x" * 201, "a\tb", "\udcff"])
def test_what_is_no_sku_is_refused_with_all_others(
    sku: str, app: Flask, run: Run, shop: Shop
) -> None:
    result = run("products", "want", "mugshop", "MUG-1", sku)

    assert (result.exit_code, "is no SKU" in result.stderr) == (1, True)
    assert rows(app, "wanted_skus") == 0


def test_without_any_sku_there_is_nothing_to_want(run: Run, shop: Shop) -> None:
    assert run("products", "want", "mugshop").exit_code == 2


def test_an_unknown_merchant_is_an_error(run: Run) -> None:
    for command in (("want", "nobody", "X"), ("unwant", "nobody", "X"), ("wanted", "nobody")):
        result = run("products", *command)
        assert (result.exit_code, "no merchant 'nobody'" in result.stderr) == (1, True)


def test_skus_come_from_a_file_too(run: Run, shop: Shop, tmp_path: Path) -> None:
    file = tmp_path / "skus.txt"
    file.write_bytes("\ufeffMUG-2\r\n\r\n  MÜG 3  \nMUG-2\n".encode())

    result = run("products", "want", "mugshop", "MUG-1", "--file", str(file))

    assert result.stdout == "3 of 3 asked for in de-DE.\n"
    assert wishes(run) == ["de-DE MUG-1", "de-DE MUG-2", "de-DE MÜG 3"]


def test_skus_come_from_standard_input_too(here: Flask, run: Run, shop: Shop) -> None:
    skus = "".join(f"SKU-{number:04}\n" for number in range(1201))

    result = typed(here, skus.encode(), "products", "want", "mugshop", "--file", "-")

    assert result.stdout == "1201 of 1201 asked for in de-DE.\n"
    assert len(wishes(run)) == 1201


def test_a_file_in_another_encoding_is_an_error(here: Flask, shop: Shop) -> None:
    result = typed(here, b"M\xdcG\n", "products", "want", "mugshop", "--file", "-")

    assert (result.exit_code, "not UTF-8" in result.stderr) == (1, True)


def test_without_an_address_nobody_is_told(app: Flask, run: Run, shop: Shop) -> None:
    result = run("products", "want", "mugshop", "MUG-1")

    assert result.exit_code == 0
    assert "has set no addProductWebhookUrl" in result.stderr
    assert rows(app, "outbox") == 0
    assert listed(shop) == [("de", "DE", "MUG-1")]


def test_a_webhook_that_fails_is_left_to_the_next_run(
    run: Run, shop: Shop, receiver: Receiver, clock: MovedClock
) -> None:
    receiver.answer_with(500, 200)

    result = run("products", "want", "mugshop", "MUG-1")

    assert result.exit_code == 0
    assert result.stdout.splitlines()[1] == (
        "Webhooks: 0 delivered, 1 left to: flask --app app webhooks deliver (answered 500)"
    )
    assert wishes(run) == ["de-DE MUG-1"]
    clock.move(10)
    assert run("webhooks", "deliver").stdout == "1 delivered, 0 to be tried again, 0 given up.\n"


def test_a_server_that_can_not_be_reached_does_not_hold_the_editor_up(
    run: Run, shop: Shop, receiver: Receiver
) -> None:
    receiver.answer_with(503)

    result = run("products", "want", "mugshop", "A", "B", "C")

    assert "0 delivered, 3 left to" in result.stdout
    assert len(receiver.requests) == 1


def test_a_private_address_is_not_called_outside_of_demo_mode(
    app: Flask, shop: Shop, receiver: Receiver
) -> None:
    result = runner_of(app)("products", "want", "mugshop", "MUG-1")

    assert "its address leads to 127.0.0.1, which is not a public one" in result.stdout
    assert receiver.requests == []


def test_the_operator_may_allow_a_private_network(
    demo_app: Callable[..., Flask], shop: Shop, receiver: Receiver
) -> None:
    from ipaddress import ip_network

    allowing = demo_app(demo=False, outbound_allow=(ip_network("127.0.0.0/8"),))

    assert "1 delivered" in runner_of(allowing)("products", "want", "mugshop", "MUG-1").stdout


def test_two_editors_at_once_ask_once(
    here: Flask, app: Flask, shop: Shop, receiver: Receiver
) -> None:
    skus = [f"SKU-{number}" for number in range(20)]

    def ask(order: int) -> int:
        with here.app_context(), db.transaction() as connection:
            merchant = merchants.merchant_by_id(connection, merchant_id)
            asked = wanted.want(connection, merchant, "de", "DE", skus[::order], now=NOON)
            return len(asked.new)

    with app.app_context(), db.reading() as connection:
        merchant_id = merchants.merchant_id(connection, "mugshop") or 0
    with ThreadPoolExecutor(8) as pool:
        new = list(pool.map(ask, [1, -1] * 8))

    assert sum(new) == 20
    assert (rows(app, "wanted_skus"), rows(app, "outbox")) == (20, 20)


# --- the end of a wish


def test_a_wish_ends_when_the_product_comes(app: Flask, run: Run, shop: Shop) -> None:
    run("products", "want", "mugshop", "mug", "hat", "mug-s")

    post(shop, sku="mug", variants=[{"sku": "mug-s"}, {"sku": "mug-m"}])

    assert wishes(run) == ["de-DE hat"]
    assert listed(shop) == [("de", "DE", "hat"), ("de", "DE", "mug")]
    assert rows(app, "wanted_skus") == 1


def test_a_wish_does_not_come_back_when_the_product_goes(run: Run, shop: Shop) -> None:
    run("products", "want", "mugshop", "mug-s")
    post(shop, sku="mug", variants=[{"sku": "mug-s"}])

    post(shop, sku="mug", variants=[])

    assert wishes(run) == []


def test_a_product_of_another_locale_or_merchant_ends_no_wish(
    run: Run, app: Flask, client: FlaskClient, shop: Shop
) -> None:
    other = add_shop(app, client, "hatshop")
    run("products", "want", "mugshop", "mug")

    post(shop, sku="mug", lang="en")
    post(shop, sku="mug", country="AT")
    post(other, sku="mug")

    assert wishes(run) == ["de-DE mug"]
    assert listed(other) == [("de", "DE", "mug")]


def test_a_product_that_is_refused_ends_no_wish(run: Run, shop: Shop) -> None:
    run("products", "want", "mugshop", "mug")

    response = shop.call(
        "POST", "/shops/products", json={"sku": "mug", "name": "Mug", "variants": [{"sku": "mug"}]}
    )

    assert response.status_code == 409
    assert wishes(run) == ["de-DE mug"]


def test_a_wish_that_was_stored_together_with_its_product_says_nothing(
    run: Run, app: Flask, shop: Shop
) -> None:
    # What two transactions leave behind that could not see each other.
    post(shop, sku="mug", variants=[{"sku": "mug-s"}])
    with app.app_context(), db.transaction() as connection:
        merchant = merchants.merchant_id(connection, "mugshop")
        for sku in ("mug", "mug-s"):
            key = {"merchant_id": merchant, "lang": "de", "country": "DE", "sku": sku}
            connection.execute(insert(wanted.wanted_skus).values(**key, wanted=NOON))

    assert wishes(run) == []
    assert listed(shop) == [("de", "DE", "mug")]


# --- remove


def test_products_and_variants_are_taken_out_by_their_skus(run: Run, shop: Shop) -> None:
    shop.product("A", variants=[{"sku": "A-S"}, {"sku": "A-M"}])
    shop.product("B")
    shop.product("A", country="AT")

    result = run("products", "remove", "mugshop", " A-S ", "B", "C")

    assert result.stdout == "2 of 3 removed in de-DE.\n"
    assert result.stderr == "C: is not there\n"
    left = shop.call("GET", "/shops/products/A?lang=de&country=DE").json["data"]
    assert [variant["sku"] for variant in left["variants"]] == ["A-M"]

    assert (
        "1 of 1 removed in de-AT"
        in run("products", "remove", "mugshop", "A", "--country", "AT").stdout
    )
    assert listed(shop) == [("de", "DE", "A")]
    shop.product("B")
    assert listed(shop) == [("de", "DE", "A"), ("de", "DE", "B")]


# --- unwant


def test_a_wish_can_be_taken_back_with_its_webhook(
    run: Run, app: Flask, shop: Shop, receiver: Receiver
) -> None:
    receiver.answer_with(503)
    run("products", "want", "mugshop", "A", "B")

    result = run("products", "unwant", "mugshop", "A", "C")

    assert result.stdout == "1 of 2 taken back in de-DE.\n"
    assert result.stderr == "C: was not asked for\n"
    assert wishes(run) == ["de-DE B"]
    assert rows(app, "outbox") == 1


def test_a_wish_that_was_taken_back_can_be_asked_for_anew(run: Run, receiver: Receiver) -> None:
    run("products", "want", "mugshop", "A")
    run("products", "unwant", "mugshop", "A")

    assert "1 of 1 asked for" in run("products", "want", "mugshop", "A").stdout

    first, second = (request.headers["Webhook-Id"] for request in receiver.requests)
    assert first != second


def test_taking_back_is_for_one_locale(run: Run, shop: Shop) -> None:
    run("products", "want", "mugshop", "A")
    run("products", "want", "mugshop", "A", "--country", "AT")

    run("products", "unwant", "mugshop", "A", "--country", "AT")

    assert wishes(run) == ["de-DE A"]


# --- refresh


def test_a_refresh_is_a_put_without_a_body(run: Run, receiver: Receiver) -> None:
    result = run("products", "refresh", "mugshop")

    assert (result.exit_code, result.stdout) == (0, "Webhooks: 1 delivered\n")
    (request,) = receiver.requests
    assert (request.method, request.body) == ("PUT", b"")
    assert "Content-Type" not in request.headers


def test_a_refresh_can_be_asked_for_again_and_again(run: Run, receiver: Receiver) -> None:
    run("products", "refresh", "mugshop")
    run("products", "refresh", "mugshop")

    assert len({request.headers["Webhook-Id"] for request in receiver.requests}) == 2


def test_a_refresh_that_waits_is_not_asked_for_twice(
    app: Flask, run: Run, receiver: Receiver
) -> None:
    receiver.answer_with(500)
    assert run("products", "refresh", "mugshop").exit_code == 0

    result = run("products", "refresh", "mugshop")

    assert (result.exit_code, "not answered the last one yet" in result.stderr) == (1, True)
    assert (len(receiver.requests), rows(app, "outbox")) == (1, 1)


def test_a_refresh_without_an_address_is_an_error(run: Run, shop: Shop) -> None:
    result = run("products", "refresh", "mugshop")

    assert (result.exit_code, "no updateProductsWebhookUrl" in result.stderr) == (1, True)


# --- the merchant's own token


def set_token(app: Flask, token: bytes) -> Result:
    return typed(app, token, "merchant", "webhook-token", "mugshop")


def test_webhooks_carry_the_merchants_token(here: Flask, run: Run, receiver: Receiver) -> None:
    assert set_token(here, b"open-sesame\n").exit_code == 0

    want, refresh = run("products", "want", "mugshop", "A"), run("products", "refresh", "mugshop")

    assert [one.headers["X-API-Key"] for one in receiver.requests] == ["open-sesame"] * 2
    assert "token" not in want.stderr + refresh.stderr


def test_without_a_token_it_is_said_that_there_is_none(run: Run, receiver: Receiver) -> None:
    result = run("products", "want", "mugshop", "A")

    assert "so they go without X-API-Key" in result.stderr
    assert "X-API-Key" not in receiver.requests[0].headers


def test_the_token_is_stored_sealed_and_never_shown(
    app: Flask, here: Flask, run: Run, receiver: Receiver
) -> None:
    result = set_token(here, b"open-sesame\n")
    receiver.answer_with(500)
    shown = [
        result.output,
        run("products", "want", "mugshop", "A").output,
        run("webhooks", "list").output,
        run("webhooks", "deliver").output,
        dump(app),
    ]

    assert [text for text in shown if "open-sesame" in text] == []


def test_a_token_can_be_made(run: Run, receiver: Receiver) -> None:
    token = run("merchant", "webhook-token", "mugshop", "--generate").stdout.strip()

    run("products", "want", "mugshop", "A")

    assert len(token) == 43
    assert receiver.requests[0].headers["X-API-Key"] == token


def test_a_token_can_be_taken_away(here: Flask, run: Run, receiver: Receiver) -> None:
    set_token(here, b"open-sesame\n")

    assert run("merchant", "webhook-token", "mugshop", "--remove").exit_code == 0

    run("products", "want", "mugshop", "A")
    assert "X-API-Key" not in receiver.requests[0].headers


@pytest.mark.one_database
@pytest.mark.parametrize(
    "token", [b"", b"\n", b"a b\n", b"a\tb\n", "ü\n".encode(), b"\xff", b"x" * 501]
)
def test_a_token_that_no_header_can_carry_is_refused(
    token: bytes, app: Flask, here: Flask, shop: Shop
) -> None:
    before = dump(app)

    result = set_token(here, token)

    assert (result.exit_code, "A token has" in result.stderr) == (1, True)
    assert dump(app) == before


def test_a_token_is_never_an_argument(run: Run, shop: Shop) -> None:
    assert run("merchant", "webhook-token", "mugshop", "open-sesame").exit_code == 2


def test_a_token_is_for_a_merchant_that_exists(run: Run) -> None:
    result = run("merchant", "webhook-token", "nobody", "--generate")

    assert (result.exit_code, result.stdout) == (1, "")


def test_a_token_is_made_or_taken_away_but_not_both(run: Run, shop: Shop) -> None:
    words: tuple[Any, ...] = ("merchant", "webhook-token", "mugshop", "--generate", "--remove")

    assert run(*words).exit_code == 2
