"""Amounts as Stripe counts them: by its table, and refused where it has no such amount."""

import pytest

from jay.checkout.providers.stripe.amounts import WHOLE, from_stripe, to_stripe
from jay.errors import PaymentRefused
from jay.i18n import minor_digits

WORKED = [
    (1299, "EUR", 1299),
    (1299, "USD", 1299),
    (1299, "JPY", 1299),
    (1299, "KRW", 1299),
    (1299, "ISK", 129900),
    (1299, "UGX", 129900),
    (129900, "MGA", 1299),
    (1300, "CLP", 1300),
    (12340, "KWD", 12340),
    (1290, "BHD", 1290),
    (1299, "HUF", 1299),
    (1299, "TWD", 1299),
]


@pytest.mark.parametrize(("ours", "currency", "theirs"), WORKED)
def test_amounts_go_there_and_come_back(ours: int, currency: str, theirs: int) -> None:
    assert to_stripe(ours, currency) == theirs
    assert from_stripe(theirs, currency) == ours


@pytest.mark.parametrize(("amount", "currency"), [(1234, "KWD"), (1235, "TND"), (129901, "MGA")])
def test_what_stripe_can_not_write_is_refused(amount: int, currency: str) -> None:
    with pytest.raises(PaymentRefused) as refused:
        to_stripe(amount, currency)
    assert refused.value.reason == "amount_not_representable"


def test_half_a_krona_is_no_amount_that_was_asked_for() -> None:
    assert from_stripe(129950, "ISK") == 1300


@pytest.mark.parametrize("currency", sorted(WHOLE - {"MGA"}))
def test_what_stripe_counts_in_wholes_has_no_decimals_here(currency: str) -> None:
    assert minor_digits(currency) == 0
