"""``flask merchant add``."""

import pytest
from flask import Flask

from jay import db
from jay.merchants import service as merchants
from jay.merchants.models import Merchant
from tests.cli.conftest import Run


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
