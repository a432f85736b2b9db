"""What the members of a group have in common."""

import pytest

from jay.products.groups import common_description, common_name, own_description


@pytest.mark.parametrize(
    ("one", "other", "common"),
    [
        ("Jumper red S", "Jumper blue M", "Jumper"),
        ("Jumper - S", "Jumper - M", "Jumper"),
        ("Red mug", "Blue mug", "mug"),
        ("Mug", "Mug", "Mug"),
        ("Mug  small", "Mug  small", "Mug  small"),
        ("Mug", "Hat", "Mug"),
        ("Mug", "Mug large", "Mug"),
        ("- S", "- M", "- S"),
    ],
)
def test_names_are_reduced_to_what_is_alike(one: str, other: str, common: str) -> None:
    assert common_name(one, other) == common


def test_a_description_is_reduced_to_what_is_alike_but_for_texts_and_pictures() -> None:
    one = {"colour": "red", "brand": "Nord", "description": "A", "images": [1], "fit": "slim"}
    other = {"colour": "blue", "brand": "Nord", "description": "B", "images": [2]}

    assert common_description(one, other) == {
        "brand": "Nord",
        "description": "A",
        "images": [1],
    }


def test_a_member_keeps_what_it_says_but_for_the_text_of_all() -> None:
    member = {"colour": "red", "description": "A"}

    assert own_description(member, {"description": "A", "colour": "red"}) == {"colour": "red"}
    assert own_description(member, {"description": "B"}) == member
