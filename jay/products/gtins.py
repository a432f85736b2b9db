"""Global Trade Item Numbers: GTIN, EAN, UPC and ISBN-13."""

import re

LENGTHS = (8, 12, 13, 14)


def has_digits_alone(text: str) -> bool:
    """Tell whether a text is as many digits as such a number has."""
    return len(text) in LENGTHS and set(text) <= set("0123456789")


def is_gtin(text: str) -> bool:
    """Tell whether a text is one: its last digit fits the others."""
    if not has_digits_alone(text):
        return False
    digits = [int(digit) for digit in text]
    # From the right, each second digit counts three times (GS1 General Specifications, 7.9).
    return (sum(digits[-1::-2]) + 3 * sum(digits[-2::-2])) % 10 == 0


# Spreadsheets keep a number as it is behind an apostrophe, or as ="4006381333931".
_AROUND = re.compile(r"^(?:'|=\")|\"$")
_BETWEEN = re.compile(r"[;,|]")


def read_gtin(cell: str) -> str | None:
    """Return the first such number in a cell of a table, however people group its digits."""
    for part in _BETWEEN.split(cell):
        digits = re.sub(r"[\s-]", "", _AROUND.sub("", part.strip()))
        if is_gtin(digits):
            return digits
    return None
