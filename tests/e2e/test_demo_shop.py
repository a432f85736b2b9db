"""The demo's own web shops: a code of a transfer leads there, and their server redeems it."""

import re

import pytest

from jay.ops.demo import VARIANT
from tests.e2e.actors import DEMO_BASKET_KEY, TvApp, http_client
from tests.e2e.service import Service

WORDS = {
    "de": ("Deichladen", "Meinen Warenkorb holen", "2 x ", "Dein Warenkorb vom TV ist da"),
    "en": ("Harbour Supplies", "Fetch my basket", "2 x ", "Your basket from the TV is here"),
}


def fields(page: str) -> dict[str, str]:
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))


@pytest.mark.parametrize("lang", WORDS)
def test_a_web_shop_of_the_demo_fetches_the_basket(service: Service, lang: str) -> None:
    shop, button, line, arrived = WORDS[lang]
    basket = TvApp(service, DEMO_BASKET_KEY).guest((f"demo-shop/de-DE/{VARIANT}", 2))
    address = f"{service.url}/demo/shops/{lang}"
    url = basket.transfer(url=address)["url"]
    http = http_client()

    asked = http.request("GET", url, headers={"Accept-Language": "fr"})
    cookie = asked.headers["Set-Cookie"].partition(";")[0]

    def fetched(form: dict[str, str]) -> str:
        answer = http.request(
            "POST", address, fields=form, headers={"Cookie": cookie}, encode_multipart=False
        )
        assert answer.status == 200
        return answer.data.decode()

    form = fields(asked.data.decode())
    page, again = fetched(form), fetched(form)
    other = fetched({**form, "key": "k" * 22})

    assert shop in asked.data.decode()
    assert button in asked.data.decode()
    assert line in page
    assert arrived in page
    assert line in again  # a reload of the page
    assert arrived not in other
    assert f'<html lang="{lang}"' in other
