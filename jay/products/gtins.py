"""Global Trade Item Numbers: GTIN, EAN, UPC and ISBN-13."""

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
