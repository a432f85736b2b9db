"""A household's PIN: what it may be, and what it is checked against.

It has so few digits that nothing but the number of tries keeps it from being guessed, and the seal
around the slow hash from being read out of a stolen database.
"""

import re
from datetime import timedelta

from werkzeug.security import check_password_hash, generate_password_hash

MAX_TRIES = 5
WAIT = timedelta(minutes=15)
"""So long nothing is tried after the last of ``MAX_TRIES`` wrong ones."""

FORM = "[0-9]{4,8}"

_METHOD = "scrypt:32768:8:3"


def is_pin(text: str) -> bool:
    """Tell whether a text may be a PIN."""
    return re.fullmatch(FORM, text) is not None


def hash_pin(pin: str) -> str:
    """Return what a PIN is checked against. Slow on purpose: not for inside a transaction."""
    return generate_password_hash(pin, method=_METHOD)


def opens(pin_hash: str, pin: str) -> bool:
    """Tell whether this is the PIN. Slow on purpose: not for inside a transaction."""
    return is_pin(pin) and check_password_hash(pin_hash, pin)
