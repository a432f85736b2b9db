"""The picture-and-word pairs that TV and phone both show: the answer to QR hijacking.

An attacker may show a victim the code of a basket of his own. The claim page therefore begins with
a picture that must stand on the very screen that the person looks at.
"""

from dataclasses import dataclass

from flask import url_for

from jay import i18n


def N_(text: str) -> str:  # noqa: N802 - the name that gettext tools know
    """Mark a text for translation later."""
    return text


WORDS: dict[str, tuple[str, str]] = {
    "fox": (N_("Fox"), N_("a fox")),
    "owl": (N_("Owl"), N_("an owl")),
    "whale": (N_("Whale"), N_("a whale")),
    "hedgehog": (N_("Hedgehog"), N_("a hedgehog")),
    "penguin": (N_("Penguin"), N_("a penguin")),
    "frog": (N_("Frog"), N_("a frog")),
    "elephant": (N_("Elephant"), N_("an elephant")),
    "bee": (N_("Bee"), N_("a bee")),
    "cat": (N_("Cat"), N_("a cat")),
    "duck": (N_("Duck"), N_("a duck")),
    "snail": (N_("Snail"), N_("a snail")),
    "turtle": (N_("Turtle"), N_("a turtle")),
    "rabbit": (N_("Rabbit"), N_("a rabbit")),
    "bear": (N_("Bear"), N_("a bear")),
    "fish": (N_("Fish"), N_("a fish")),
    "mushroom": (N_("Mushroom"), N_("a mushroom")),
    "tree": (N_("Tree"), N_("a tree")),
    "moon": (N_("Moon"), N_("a moon")),
    "star": (N_("Star"), N_("a star")),
    "anchor": (N_("Anchor"), N_("an anchor")),
    "kite": (N_("Kite"), N_("a kite")),
    "boat": (N_("Boat"), N_("a boat")),
    "key": (N_("Key"), N_("a key")),
    "pear": (N_("Pear"), N_("a pear")),
}
"""Key, which is the picture's file name, to the word alone and the word in "shows you ..."."""


@dataclass(frozen=True)
class Pair:
    """A pair as pages show it."""

    word: str
    phrase: str
    image: str


def pair_view(key: str, lang: str) -> Pair:
    """Write a pair in a language."""
    word, phrase = WORDS[key]
    translate = i18n.texts(lang).gettext
    image = url_for("static", filename=f"pairs/{key}.svg")
    return Pair(translate(word), translate(phrase), image)
