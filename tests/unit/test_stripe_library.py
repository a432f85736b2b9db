"""What is relied on of Stripe's library stands in its own types, so that an upgrade tells."""

import subprocess
import sys
from typing import Any, get_args

import stripe
from stripe._api_version import _ApiVersion
from stripe.params import PaymentIntentCreateParams
from stripe.params.checkout import SessionCreateParams

from jay.checkout.providers.stripe import webhooks
from jay.checkout.providers.stripe.account import HELD_FIRST, TOO_SLOW
from jay.checkout.providers.stripe.calls import API_VERSION
from tests import stripe_api
from tests.stripe_params import read_form, wrong


def words_of(annotation: Any) -> set[str]:
    """Return all literal words in a type, at whatever depth."""
    found = {one for one in get_args(annotation) if isinstance(one, str)}
    return found.union(*(words_of(one) for one in get_args(annotation)))


def test_the_pinned_version_is_the_one_that_its_types_describe() -> None:
    assert _ApiVersion.CURRENT == API_VERSION == stripe_api.API_VERSION


def test_the_ways_to_pay_are_those_that_it_knows() -> None:
    for params in (PaymentIntentCreateParams, SessionCreateParams):
        known = words_of(params.__annotations__["excluded_payment_method_types"])
        assert set(TOO_SLOW) <= known
        assert set(HELD_FIRST) <= known
        for method in HELD_FIRST:
            for how in ("manual", "held"):
                form = read_form(f"payment_method_options[{method}][capture_method]={how}")
                found = [one for one in wrong(form, params) if method in one]
                assert bool(found) == (how == "held")


def test_the_events_are_those_that_it_knows() -> None:
    known = words_of(stripe.Event.__annotations__["type"])

    assert known >= webhooks._BY_ID | webhooks._BY_PAYMENT


def test_it_is_imported_only_where_it_is_used() -> None:
    program = (
        "import sys; from jay import create_app; from jay.config import settings_from;"
        "app = create_app(settings_from());"
        "print(app.extensions['jay.psp'].name, *{'stripe', 'alembic'} & {*sys.modules})"
    )
    environ = {
        "JAY_PSP": "stripe",
        "JAY_SECRET_KEY": "k3J9-vQ2xW7zR5tY1uB8nM4cL6pD0fGh",
        "JAY_STRIPE_TEST_SECRET_KEY": "sk_test_a",
        "JAY_STRIPE_TEST_PUBLISHABLE_KEY": "pk_test_a",
        "JAY_STRIPE_TEST_WEBHOOK_SECRET": "whsec_a",
    }
    written = subprocess.check_output([sys.executable, "-c", program], env=environ, text=True)

    assert written.split() == ["stripe"]
