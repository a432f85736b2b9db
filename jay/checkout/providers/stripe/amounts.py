"""Amounts as Stripe's API writes them, whose smallest units are not always those of ISO 4217.

It counts Icelandic krónur and Ugandan shillings in hundredths, which must be nought, ariary in
wholes, and takes currencies with thousandths only in steps of ten.
"""

from jay.errors import PaymentRefused
from jay.i18n import minor_digits

WHOLE = frozenset(
    {
        *("BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA"),
        *("PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"),
    }
)
"""Counted in wholes."""

THOUSANDTHS = 3
HUNDREDTHS = 2
STEP_OF_THOUSANDTHS = 10

_TEN = (1, 10, 100, 1000, 10_000)
"""By how many decimal places: how many of the smallest units are one."""

NOT_REPRESENTABLE = "amount_not_representable"


def to_stripe(amount: int, currency: str) -> int:
    """Write an amount in minor units of its currency as Stripe counts it.

    :raises PaymentRefused: it can't be: a fraction that Stripe does not know.
    """
    theirs = _digits(currency)
    written, rest = divmod(amount * _TEN[theirs], _TEN[minor_digits(currency)])
    if rest or (theirs == THOUSANDTHS and written % STEP_OF_THOUSANDTHS):
        raise PaymentRefused(NOT_REPRESENTABLE)
    return written


def from_stripe(amount: int, currency: str) -> int:
    """Read an amount that Stripe tells, in minor units of its currency.

    What is none of ours, such as half a króna, is read as the next larger amount: it equals no
    amount that was asked for by mistake.
    """
    return -(-amount * _TEN[minor_digits(currency)] // _TEN[_digits(currency)])


def _digits(currency: str) -> int:
    if currency in WHOLE:
        return 0
    return THOUSANDTHS if minor_digits(currency) == THOUSANDTHS else HUNDREDTHS
