"""A group whose members come one by one: what they have in common describes the product.

Feeds such as Google's know no product above its variants. Its texts and pictures are those of the
first member; what another member has otherwise, such as a colour, is said of each alone.
"""

from collections.abc import Mapping
from typing import Any

_OF_THE_FIRST = frozenset({"description", "subLine", "images"})
"""What a product can't do without: kept although others differ, as each has its own."""


def common_name(one: str, other: str) -> str:
    """Return the words that two names begin with, else those that they end with, else the first.

    ``Jumper red S`` and ``Jumper blue M`` are both a ``Jumper``.
    """
    if one == other:
        return one
    words, others = one.split(), other.split()
    begin = _alike(words, others)
    end = _alike(words[::-1], others[::-1])
    kept = words[:begin] or words[len(words) - end :]
    return " ".join(kept).strip(" -\u2013\u2014,/|:;(") or one


def _alike(words: list[str], others: list[str]) -> int:
    count = 0
    for word, other in zip(words, others, strict=False):
        if word != other:
            break
        count += 1
    return count


def common_description(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return what both say alike, and what the first has to say for both."""
    return {
        name: value
        for name, value in one.items()
        if name in _OF_THE_FIRST or other.get(name) == value
    }


def own_description(member: Mapping[str, Any], product: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a member says itself: all but the texts and pictures that are the product's."""
    return {
        name: value
        for name, value in member.items()
        if name not in _OF_THE_FIRST or product.get(name) != value
    }
