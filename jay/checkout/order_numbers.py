"""Order numbers: what people read, type and say on the phone (contract, The order).

``J`` and 12 characters of the short codes' alphabet, which has no look-alikes: three tell where the
order lies, eight are random, and the last one checks the others, so that a slip of the tongue is
noticed before anybody is looked up.
"""

import re
import secrets

from jay.db.routing import BUCKETS
from jay.transfers.models import CODE_ALPHABET

PREFIX = "J"
_ROUTING, _RANDOM = 3, 8
_BASE = len(CODE_ALPHABET)
_WEIGHT = 3
"""A primitive root modulo 31: eleven places have eleven weights, and neighbours different ones."""

_FORM = re.compile(rf"{PREFIX}[{CODE_ALPHABET}]{{{_ROUTING + _RANDOM + 1}}}")
_SEPARATORS = re.compile(r"[\s._\u2010-\u2015-]+")


def new_order_no(routing_key: int) -> str:
    """Draw an order number.

    :param routing_key: where the order lies, 0 to 4095.
    """
    digits = [routing_key // _BASE**place % _BASE for place in reversed(range(_ROUTING))]
    digits += [secrets.randbelow(_BASE) for _ in range(_RANDOM)]
    return PREFIX + "".join(CODE_ALPHABET[digit] for digit in [*digits, _check(digits)])


def routing_key_of(order_no: str) -> int:
    """Return where the order lies that a valid number names."""
    key = 0
    for character in order_no[len(PREFIX) : len(PREFIX) + _ROUTING]:
        key = key * _BASE + CODE_ALPHABET.index(character)
    return key


def typed_order_no(text: str) -> str | None:
    """Read what somebody has typed, with blanks, hyphens or in small letters.

    :returns: the order number; None where there can't be such a one.
    """
    found = _SEPARATORS.sub("", text).upper()
    if _FORM.fullmatch(found) is None:
        return None
    *digits, check = (CODE_ALPHABET.index(character) for character in found[len(PREFIX) :])
    return found if check == _check(digits) and routing_key_of(found) < BUCKETS else None


def grouped(order_no: str) -> str:
    """Write an order number as people read it: ``J 2345 6789 ABCD``."""
    rest = order_no[len(PREFIX) :]
    return " ".join([PREFIX, *(rest[start : start + 4] for start in range(0, len(rest), 4))])


def _check(digits: list[int]) -> int:
    return sum(digit * pow(_WEIGHT, place, _BASE) for place, digit in enumerate(digits, 1)) % _BASE
