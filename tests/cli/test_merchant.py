"""``flask merchant add``, ``list``, ``show`` and ``change``."""

import click
import pytest
from flask import Flask

from jay import db
from jay.auth.guards import KEYS_CACHED_SECONDS
from jay.merchants import service as merchants
from jay.merchants.cli import merchant_cli
from jay.merchants.models import Feed, Merchant
from tests.builders import add_shop
from tests.cli.conftest import Run
from tests.clock import MovedClock
from tests.conftest import SECRET


def stored(app: Flask, name: str = "mugshop") -> Merchant | None:
    with app.app_context(), db.reading() as connection:
        identifier = merchants.merchant_id(connection, name)
        return None if identifier is None else merchants.merchant_by_id(connection, identifier)


def test_a_merchant_is_german_by_default(app: Flask, run: Run) -> None:
    result = run("merchant", "add", "mugshop")

    assert result.exit_code == 0
    assert (result.stdout, "key issue --merchant mugshop" in result.stderr) == ("", True)
    merchant = stored(app)
    assert (merchant.lang, merchant.country, merchant.currency) == ("de", "DE", "EUR")
    assert (merchant.shipping_strategy, merchant.shipping_scale, merchant.vat) == ("MAX", (), None)


def test_language_country_and_currency_can_be_chosen(app: Flask, run: Run) -> None:
    run("merchant", "add", "mugshop", "--lang", "en", "--country", "GB", "--currency", "GBP")

    merchant = stored(app)
    assert (merchant.lang, merchant.country, merchant.currency) == ("en", "GB", "GBP")


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("--lang", value) for value in ("DE", "deu", "gsw", "de_DE", "de-DE", "root", "xx", "")),
        *(("--country", value) for value in ("de", "DEU", "276", "ZZ", "EU", "XA", "Germany", "")),
        *(("--currency", value) for value in ("eur", "€", "EURO", "XYZ", "978", "")),
    ],
)
def test_what_does_not_exist_is_refused(app: Flask, run: Run, option: str, value: str) -> None:
    result = run("merchant", "add", "mugshop", option, value)

    assert result.exit_code == 2
    assert option in result.stderr
    assert stored(app) is None


def test_a_name_is_given_once(app: Flask, run: Run) -> None:
    run("merchant", "add", "mugshop")

    result = run("merchant", "add", "mugshop", "--lang", "en")

    assert result.exit_code == 1
    assert "already" in result.stderr
    assert stored(app).lang == "de"


def test_a_partner_and_a_merchant_may_have_the_same_name(run: Run) -> None:
    assert run("partner", "add", "kino").exit_code == 0
    assert run("merchant", "add", "kino").exit_code == 0


# --- list, show and change


@pytest.mark.parametrize(
    ("option", "value", "field"),
    [
        ("--display-name", "Becher & Söhne", "display_name"),
        ("--lang", "en", "lang"),
        ("--country", "GB", "country"),
        ("--currency", "GBP", "currency"),
    ],
)
def test_each_thing_is_changed_and_nothing_else(
    app: Flask, run: Run, *, option: str, value: str, field: str
) -> None:
    run("merchant", "add", "mugshop")
    before = vars(stored(app))

    assert run("merchant", "change", "mugshop", option, value).exit_code == 0

    assert vars(stored(app)) == {**before, field: value}


@pytest.mark.one_database
def test_change_takes_whatever_add_takes() -> None:
    def names(command: str) -> set[str]:
        found = merchant_cli.commands[command]
        return {each.name for each in found.params if isinstance(each, click.Option)}

    assert names("add") == names("change")


@pytest.mark.one_database
@pytest.mark.parametrize(
    "options", [(), ("--display-name", ""), ("--lang", "DE"), ("--currency", "XYZ")]
)
def test_what_can_not_be_is_refused(app: Flask, run: Run, options: tuple[str, ...]) -> None:
    run("merchant", "add", "mugshop")
    before = stored(app)

    assert run("merchant", "change", "mugshop", *options).exit_code == 2

    assert stored(app) == before


@pytest.mark.parametrize("command", [("show",), ("change", "--lang", "en")])
def test_who_is_not_there_is_named(run: Run, command: tuple[str, ...]) -> None:
    result = run("merchant", command[0], "nobody", *command[1:])

    assert (result.exit_code, "no merchant 'nobody'" in result.stderr) == (1, True)


def test_a_change_reaches_a_process_within_seconds(app: Flask, run: Run, clock: MovedClock) -> None:
    shop = add_shop(app, app.test_client())
    body = {"sku": "mug", "name": "Mug", "price": 900, "currency": "EUR"}
    assert shop.call("POST", "/shops/products", json=body).status_code == 200

    run("merchant", "change", "mugshop", "--country", "AT")
    clock.move(KEYS_CACHED_SECONDS)

    posted = shop.call("POST", "/shops/products", json=body).json["data"]
    assert posted["productId"] == "mugshop/de-AT/mug", posted


def test_list_shows_who_is_there(run: Run) -> None:
    run("merchant", "add", "zoo", "--lang", "en", "--country", "GB", "--currency", "GBP")
    run("merchant", "add", "mugshop", "--display-name", "Becher GmbH")

    header, *lines = run("merchant", "list").stdout.splitlines()

    assert header.split() == ["NAME", "LANG", "COUNTRY", "CURRENCY", "SHOWN", "AS"]
    assert [line.split() for line in lines] == [
        ["mugshop", "de", "DE", "EUR", "Becher", "GmbH"],
        ["zoo", "en", "GB", "GBP", "zoo"],
    ]


def test_show_tells_what_is_set_up_and_no_secret(app: Flask, run: Run) -> None:
    run("merchant", "add", "mugshop", "--display-name", "Becher GmbH", "--country", "AT")
    with app.app_context(), db.transaction() as connection:
        identifier = merchants.merchant_id(connection, "mugshop")
        feed = Feed("https://feeds.example/f?key=hush", every_minutes=60)
        merchants.keep_feed(connection, identifier, feed)
        merchants.keep_webhook_token(connection, identifier, "hush-hush", secret=SECRET)
        change = {"add_product_webhook_url": "https://hooks.example/hush"}
        merchants.change_merchant(connection, identifier, change)

    told = run("merchant", "show", "mugshop").stdout

    rows = dict(line.split("  ", 1) for line in told.splitlines())
    assert {name: value.strip() for name, value in rows.items()} == {
        "name": "mugshop",
        "shown as": "Becher GmbH",
        "language": "de",
        "country": "AT",
        "currency": "EUR",
        "VAT": "-",
        "shipping": "MAX of the products' costs",
        "asked for products at": "hooks.example",
        "asked for updates at": "-",
        "orders go to": "-",
        "fee": "-",
        "webhook token": "set",
        "feed": "feeds.example, every 60 minutes",
        "registered": "2025-06-04 12:00 UTC",
        "API keys": "flask --app app key list --merchant mugshop",
    }
