"""Order numbers: what people read, type and say on the phone (contract, The order).

``J`` and 12 characters of the short codes' alphabet, which has no look-alikes: three tell where the
order lies, eight are random, and the last one checks the others, so that a slip of the tongue is
noticed before anybody is looked up.
"""

import re
import secrets
from collections.abc import Iterable

from jay.db.routing import BUCKETS
from jay.transfers.models import CODE_ALPHABET, typed_words

PREFIX = "J"
_ROUTING, _RANDOM = 3, 8
_BASE = len(CODE_ALPHABET)
_WEIGHT = 3
"""A primitive root modulo 31: eleven places have eleven weights, and neighbours different ones."""

_PART = re.compile("0*[1-9][0-9]?")
_FORM = re.compile(rf"{PREFIX}[{CODE_ALPHABET}]{{{_ROUTING + _RANDOM + 1}}}")

LONGEST_TYPED = 100
"""Characters that somebody may type; of more nothing is read."""


def new_order_no(routing_key: int) -> str:
    """Draw an order number.

    :param routing_key: where the order lies, 0 to 4095.
    """
    digits = _routing_digits(routing_key)
    digits += [secrets.randbelow(_BASE) for _ in range(_RANDOM)]
    return PREFIX + _written([*digits, _check(digits)])


def beginning_of(routing_key: int) -> str:
    """Return what the numbers of all orders begin with that lie there."""
    return PREFIX + _written(_routing_digits(routing_key))


def _routing_digits(routing_key: int) -> list[int]:
    return [routing_key // _BASE**place % _BASE for place in reversed(range(_ROUTING))]


def _written(digits: Iterable[int]) -> str:
    return "".join(CODE_ALPHABET[digit] for digit in digits)


def routing_key_of(order_no: str) -> int:
    """Return where the order lies that a valid number names."""
    key = 0
    for character in order_no[len(PREFIX) : len(PREFIX) + _ROUTING]:
        key = key * _BASE + CODE_ALPHABET.index(character)
    return key


def typed_order_no(text: str) -> str | None:
    """Read what somebody has typed or pasted: with blanks, hyphens, words before it, in any form.

    :returns: the order number; None where there can't be such a one.
    """
    return None if len(text) > LONGEST_TYPED else _ending(typed_words(text))


def typed_part_no(text: str) -> tuple[str, int] | None:
    """Read the number of a part: that of its order, and after it 1 to 99, apart from it."""
    if len(text) > LONGEST_TYPED:
        return None
    *words, last = typed_words(text) or [""]
    order_no = _ending(words) if _PART.fullmatch(last) else None
    return None if order_no is None else (order_no, int(last))


def _ending(words: list[str]) -> str | None:
    """Return the order number that some words end with; None where another number is among them."""
    for start in range(len(words)):
        found = "".join(words[start:])
        if _FORM.fullmatch(found) is not None and _is_right(found):
            before = words[:start]
            alone = all(word.isalpha() for word in before) and not any(
                _ending(before[:end]) for end in range(len(before), 0, -1)
            )
            return found if alone else None
    return None


def _is_right(found: str) -> bool:
    *digits, check = (CODE_ALPHABET.index(character) for character in found[len(PREFIX) :])
    return check == _check(digits) and routing_key_of(found) < BUCKETS


def grouped(order_no: str) -> str:
    """Write an order number as people read it: ``J 2345 6789 ABCD``."""
    rest = order_no[len(PREFIX) :]
    return " ".join([PREFIX, *(rest[start : start + 4] for start in range(0, len(rest), 4))])


def _check(digits: list[int]) -> int:
    return sum(digit * pow(_WEIGHT, place, _BASE) for place, digit in enumerate(digits, 1)) % _BASE
