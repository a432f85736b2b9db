"""The kiosk's market is its partner's, whatever the language; single picks can be put back."""

import re

import pytest
from flask import Flask

from tests.api.browser import Browser, csrf_of, problems_of, text_of
from tests.builders import Shop, add_platform


@pytest.fixture
def shop_of_two(app: Flask, shop: Shop) -> Shop:
    """A shop that sells a mug in Germany in two languages, a hat in one, and both in Britain."""
    add_platform(app, app.test_client(), "corner", kiosk=True)
    for lang, name in (("de", "Becher"), ("en", "Mug")):
        shop.product("mug", name=name, lang=lang, country="DE", currency="EUR")
    shop.product("hat", name="Hut", lang="de", country="DE", currency="EUR")
    for sku, name in (("mug", "British mug"), ("hat", "British hat")):
        shop.product(sku, name=name, lang="en", country="GB", currency="GBP")
    return shop


@pytest.mark.parametrize(("lang", "mug"), [("de", "Becher"), ("en", "Mug")])
def test_the_language_picks_texts_and_never_prices(
    lang: str, mug: str, app: Flask, shop_of_two: Shop
) -> None:
    page = Browser(app).get(f"/kiosk/corner?lang={lang}")

    names = re.findall(r'<span class="name[^"]*"[^>]*>([^<]+)', page.get_data(as_text=True))
    assert sorted(names) == sorted([mug, "Hut"])
    assert "£" not in text_of(page)
    foreign = re.findall(r'<span class="name[^"]*"[^>]* lang="(\w+)"', page.get_data(as_text=True))
    assert foreign == (["de"] if lang == "en" else [])


def test_another_country_has_another_market(app: Flask, shop_of_two: Shop) -> None:
    add_platform(app, app.test_client(), "london", kiosk=True, country="GB")

    for lang in ("de", "en"):
        said = text_of(Browser(app).get(f"/kiosk/london?lang={lang}"))
        assert "British mug" in said
        assert "€" not in said


def test_a_product_of_another_country_is_not_put_in(app: Flask, shop_of_two: Shop) -> None:
    kiosk = Browser(app)

    kiosk.submit("/kiosk/corner", product_id="mugshop/en-GB/mug")

    assert "There is no more of this right now" in text_of(kiosk.get("/kiosk/corner"))


@pytest.mark.parametrize(
    ("header", "language"), [("en;q=0, de", "de"), ("en;q=0", "de"), ("de;q=0", "en"), ("de", "de")]
)
def test_a_language_that_is_refused_is_not_spoken(
    header: str, language: str, app: Flask, shop_of_two: Shop
) -> None:
    page = Browser(app, language=header).get("/kiosk/corner")

    assert f'<html lang="{language}"' in page.get_data(as_text=True)


def test_single_picks_can_be_put_back(app: Flask, shop_of_two: Shop) -> None:
    kiosk = Browser(app)
    mug, hat = "mugshop/en-DE/mug", "mugshop/de-DE/hat"
    for product_id in (mug, mug, mug, hat):
        kiosk.submit("/kiosk/corner", product_id=product_id)
    seen = kiosk.get("/kiosk/corner/picked")
    assert problems_of(seen) == []
    csrf = csrf_of(seen)

    def change(action: str, product_id: str) -> str:
        answer = kiosk.post("/kiosk/corner/picked", csrf=csrf, action=action, product_id=product_id)
        assert answer.status_code == 303
        return text_of(kiosk.get("/kiosk/corner"))

    assert "3 items" in change("less", mug)
    assert "1 item" in change("remove", mug)
    assert "1 item" in change("remove", "unknown")
    assert "Pick what you like" in change("less", hat)
    # Nothing is left to show.
    assert kiosk.get("/kiosk/corner/picked").headers["Location"] == "/kiosk/corner?page=1"
    assert kiosk.post("/kiosk/corner/picked", product_id=hat).status_code == 403


def test_a_limit_is_named(app: Flask, shop_of_two: Shop) -> None:
    kiosk = Browser(app)
    hat = shop_of_two.product("hat", lang="de", country="DE", shipping={"orderLimit": 2})

    for _ in range(3):
        kiosk.submit("/kiosk/corner", product_id=hat)

    assert "sells at most 2 of this" in text_of(kiosk.get("/kiosk/corner"))


def test_emptying_asks_first(app: Flask, shop_of_two: Shop) -> None:
    kiosk = Browser(app)
    kiosk.submit("/kiosk/corner", product_id="mugshop/de-DE/hat")
    wall = kiosk.get("/kiosk/corner").get_data(as_text=True)

    assert re.search(r'<form[^>]*action="/kiosk/corner/reset"[^>]* hidden>', wall)
    question = text_of(kiosk.get("/kiosk/corner/picked?ask=all"))
    assert "Put everything back?" in question
    assert "No, keep it" in question


def test_a_long_choice_is_leafed_through(app: Flask, shop: Shop) -> None:
    add_platform(app, app.test_client(), "corner", kiosk=True)
    colours = [f"Colour {number}" for number in range(23)]
    shirt = shop.product(
        "shirt",
        variants=[
            {"sku": f"shirt-{n}", "type": "color", "value": value}
            for n, value in enumerate(colours)
        ],
    )
    kiosk, found = Browser(app), []

    for part, first, last in ((1, 1, 9), (2, 10, 18), (3, 19, 23), (9, 19, 23)):
        page = kiosk.get(f"/kiosk/corner/choose?product={shirt}&part={part}")
        assert f"{first}\N{EN DASH}{last} of 23" in text_of(page)
        found += [value for value in colours if re.search(rf"{value}\b", text_of(page))]

    assert found == colours + colours[18:]
