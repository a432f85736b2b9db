"""The kiosk asks which size, without JavaScript."""

import re
from urllib.parse import quote

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.api.browser import Browser, problems_of, text_of
from tests.builders import Shop, add_platform


@pytest.fixture
def shirt(app: Flask, shop: Shop) -> str:
    """A shirt in three sizes, M sold out and L dearer, and a mug; at a partner's kiosk."""
    add_platform(app, app.test_client(), "corner", kiosk=True)
    shop.product("mug", name="Mug")
    return shop.product(
        "shirt",
        name="Shirt",
        variants=[
            {"sku": "shirt-s", "type": "size", "value": "S"},
            {"sku": "shirt-m", "type": "size", "value": "M", "stock_count": 0},
            {"sku": "shirt-l", "type": "size", "value": "L", "price": 1500},
        ],
    )


@pytest.fixture
def kiosk(app: Flask) -> Browser:
    """The screen."""
    return Browser(app, language="de")


def chooser(kiosk: Browser, product_id: str, page: str = "1") -> TestResponse:
    return kiosk.get(f"/kiosk/corner/choose?product={quote(product_id, safe='')}&page={page}")


def buttons(page: TestResponse) -> dict[str, bool]:
    """Return the label of each button to choose with, and whether it can be pressed."""
    found = re.findall(
        r'<button class="choice"( disabled)?[^>]*>\s*<span class="name"[^>]*>(\w+)',
        page.get_data(as_text=True),
    )
    return {label: not disabled for disabled, label in found}


def test_a_product_in_several_sizes_leads_to_the_choice(kiosk: Browser, shirt: str) -> None:
    html = kiosk.get("/kiosk/corner").get_data(as_text=True)

    assert len(re.findall(r'<button class="tile"', html)) == 1
    (address,) = re.findall(r'<a class="tile" href="([^"]+)"', html)
    page = kiosk.get(address.replace("&amp;", "&"))
    assert page.status_code == 200
    assert problems_of(page) == []
    assert "Welche Größe?" in text_of(page)


def test_the_wall_names_the_lowest_price(kiosk: Browser, shirt: str) -> None:
    assert "ab 12,50 €" in text_of(kiosk.get("/kiosk/corner")).replace("\xa0", " ")


def test_every_size_is_there_and_the_sold_out_one_cannot_be_pressed(
    kiosk: Browser, shirt: str
) -> None:
    page = chooser(kiosk, shirt)

    assert buttons(page) == {"S": True, "M": False, "L": True}
    said = text_of(page).replace("\xa0", " ")
    assert "ausverkauft" in said
    assert "15,00 €" in said


def test_the_chosen_size_is_put_in_and_the_wall_comes_back(kiosk: Browser, shirt: str) -> None:
    page = chooser(kiosk, shirt)
    html = page.get_data(as_text=True)
    form = re.search(r'action="([^"]+)".{0,400}?value="(mugshop/de-DE/shirt-l)"', html, re.DOTALL)
    csrf = re.search(r'name="csrf" value="([^"]+)"', html)
    assert form and csrf  # noqa: PT018

    response = kiosk.post(form[1], csrf=csrf[1], product_id=form[2])

    assert (response.status_code, response.headers["Location"]) == (303, "/kiosk/corner?page=1")
    wall = kiosk.get("/kiosk/corner")
    said = text_of(wall).replace("\xa0", " ")
    assert "1 Artikel" in said
    assert "15,00 €" in said
    assert re.search(r'<a class="tile"[^>]* autofocus>', wall.get_data(as_text=True))
    assert re.search(r"\bL 1\S", text_of(chooser(kiosk, shirt)))


def test_back_leads_to_the_page_of_the_wall_and_puts_nothing_in(kiosk: Browser, shirt: str) -> None:
    html = chooser(kiosk, shirt, "3").get_data(as_text=True)

    assert re.search(r'<a class="button quiet back" href="/kiosk/corner\?page=3"', html)
    assert "Artikel" not in text_of(kiosk.get("/kiosk/corner"))


def test_what_has_no_choice_leads_back_to_the_wall(kiosk: Browser, shop: Shop, shirt: str) -> None:
    one = shop.product("cap", variants=[{"sku": "cap-1", "type": "size", "value": "One size"}])

    for product in ("mugshop/de-DE/mug", "mugshop/de-DE/shirt-s", one, "unknown", "", "a\0b"):
        assert chooser(kiosk, product).headers["Location"] == "/kiosk/corner?page=1"


def test_a_single_variant_is_picked_at_once(kiosk: Browser, shop: Shop, shirt: str) -> None:
    shop.product("cap", variants=[{"sku": "cap-1", "type": "size", "value": "One size"}])

    html = kiosk.get("/kiosk/corner").get_data(as_text=True)

    assert 'name="product_id" value="mugshop/de-DE/cap-1"' in html


def test_when_all_sizes_are_sold_out_there_is_nothing_to_choose(
    kiosk: Browser, shop: Shop, shirt: str
) -> None:
    sizes = [{"sku": f"cap-{n}", "value": str(n), "stock_count": 0} for n in (1, 2)]
    shop.product("cap", name="Cap", variants=sizes)

    html = kiosk.get("/kiosk/corner").get_data(as_text=True)

    assert len(re.findall(r'<button class="tile" disabled>', html)) == 1


def test_variants_that_are_no_sizes_are_asked_for_in_other_words(
    kiosk: Browser, shop: Shop, shirt: str
) -> None:
    scents = [{"sku": f"tea-{n}", "type": "taste", "value": n} for n in ("mint", "rose")]

    assert "Welche Variante?" in text_of(chooser(kiosk, shop.product("tea", variants=scents)))


def test_only_a_kiosk_has_the_choice(kiosk: Browser, shirt: str) -> None:
    assert kiosk.get(f"/kiosk/unknown/choose?product={shirt}").status_code == 404
