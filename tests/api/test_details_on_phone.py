"""What a product is, on the phone: for who has it in the basket, and for nobody else."""

from flask import Flask

from tests.api.browser import Browser, problems_of, text_of
from tests.builders import Shop, User

DESCRIBED = {
    "description": "First line.\nSecond line.",
    "brand": {"name": "Kiln"},
    "colour": "blue",
    "basePrice": {"content": 0.75, "unit": "l"},
    "manufacturer": {"name": "Kiln GmbH", "address": "Kai 4, Hamburg", "email": "a@kiln.example"},
    "gtin": "4006381333931",
    "safety": [{"lang": "de", "text": "Heiß!"}, {"lang": "en", "text": "Hot!"}],
    "withdrawalException": "custom",
    "durabilityGuaranteeYears": 5,
}


def test_the_merchants_words_and_what_the_law_wants_told(
    app: Flask, alice: User, shop: Shop
) -> None:
    mug = shop.product("mug", name="Mug", description=DESCRIBED)
    alice.put(mug)
    phone = Browser(app)
    phone.take(alice.transfer())
    assert f'href="/basket/products/{mug}"' in phone.get("/basket").get_data(as_text=True)

    answer = phone.get(f"/basket/products/{mug}")

    shown = text_of(answer)
    assert "Mug" in shown
    assert "First line. Second line." in shown
    assert "Safety information Hot!" in shown
    assert "Heiß!" not in shown
    assert (
        "Details Brand Kiln Colour blue Content 0.75 l Guarantee of the producer 5 years"
        " Right of withdrawal None: it is made for you."
        " Manufacturer Kiln GmbH, Kai 4, Hamburg, a@kiln.example GTIN 4006381333931"
    ) in shown
    assert problems_of(answer) == []


def test_a_guarantee_that_the_law_gives_anyway_is_not_told(
    app: Flask, alice: User, shop: Shop
) -> None:
    mug = shop.product("mug", description={"durabilityGuaranteeYears": 2})
    alice.put(mug)
    phone = Browser(app)
    phone.take(alice.transfer())

    assert "Guarantee" not in text_of(phone.get(f"/basket/products/{mug}"))


def test_nothing_else_of_the_catalogue_is_shown(app: Flask, alice: User, shop: Shop) -> None:
    mug = shop.product("mug")
    phone = Browser(app)
    phone.take(alice.transfer())

    assert phone.get(f"/basket/products/{mug}").status_code == 404
    alice.put(mug)
    assert Browser(app).get(f"/basket/products/{mug}").status_code == 404
    assert phone.get(f"/basket/products/{mug}").status_code == 200
