"""The service as it runs with Stripe, whose API is a stand-in at another address."""

import os
from collections.abc import Mapping
from dataclasses import replace

from flask import Flask

from jay import create_app, make_ready
from jay.config import settings_from


def made(environ: Mapping[str, str] | None = None) -> Flask:
    """Make the app; ``STRIPE_STAND_IN`` says where the stand-in is.

    :param environ: instead of the process environment.
    """
    given = os.environ if environ is None else environ
    settings = settings_from(given)
    assert settings.stripe is not None
    stripe = replace(settings.stripe, address=given["STRIPE_STAND_IN"])
    return make_ready(create_app(replace(settings, stripe=stripe)))
