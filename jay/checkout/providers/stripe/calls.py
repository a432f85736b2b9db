"""Calls of Stripe's API by its library: one client a mode, our own keys, and what its errors mean.

The library takes 0.3 seconds and 31 MB: ``provider`` imports who uses it when it is first needed.
"""

from collections.abc import Callable
from typing import TypeVar

import stripe
import structlog
from stripe import RequestOptions

from jay.errors import JayError, PaymentProviderUnavailable, PaymentRefused, PaymentUnavailable

log = structlog.get_logger()
T = TypeVar("T")
_Object = TypeVar("_Object", bound=stripe.StripeObject)

API_VERSION = "2026-10-28.endive"
"""What Stripe is asked to speak, whatever an account is set to; a newer one is a change of ours."""

TIMEOUT = (3, 10)
"""Seconds to connect, and between two pieces of the answer."""

RETRIES = 1
"""How often the library repeats by itself what broke off, or met a conflict."""

ATTEMPTS = 3
"""How many keys a step has: Stripe keeps each one's answer for a day, its own failure, too."""

SHARE, REASON = "jay_part", "jay_reason"
"""What transfers, refunds and reversals have in their metadata, to be found by."""

MOST = 100
"""How many of a list Stripe sends at once."""

_UNKNOWN = (stripe.APIConnectionError, stripe.APIError, stripe.RateLimitError)
_NOT_ALLOWED = (stripe.AuthenticationError, stripe.PermissionError)
_NOT_FOUND = 404

_SHOWN = frozenset(
    {
        "payment_intent_unexpected_state",
        "payment_intent_authentication_failure",
        "payment_intent_payment_attempt_failed",
        "payment_intent_payment_attempt_expired",
    }
)
"""Codes of what the payment itself tells when it is read: how far it is, or why it was not paid."""


class Calls:
    """One account in one mode.

    :param address: of the API, where that is another one than the library's.
    """

    def __init__(self, secret: str, address: str | None = None) -> None:
        self._client = stripe.StripeClient(
            secret,
            stripe_version=API_VERSION,
            base_addresses={"api": address} if address else None,
            http_client=stripe.RequestsClient(timeout=TIMEOUT),
            max_network_retries=RETRIES,
        )

    @property
    def api(self) -> stripe.V1Services:
        """The library's services."""
        return self._client.v1

    def read(self, work: Callable[[], T]) -> T | None:
        """Ask for something; None where there is no such thing.

        :raises PaymentProviderUnavailable: PaymentUnavailable, PaymentRefused
        """
        try:
            return work()
        except stripe.InvalidRequestError as error:
            if error.http_status == _NOT_FOUND:
                return None
            raise _meaning(error, "read") from None
        except stripe.StripeError as error:
            raise _meaning(error, "read") from None

    def once(
        self,
        step: str,
        work: Callable[[RequestOptions], T],
        *,
        made: Callable[[], T | None] | None = None,
    ) -> T:
        """Do something once, however often it is asked for.

        :param step: names it: the same again is the same key, for a day at Stripe.
        :param made: looks whether it has been done, which knows it after that day, too.
        :raises PaymentProviderUnavailable: PaymentUnavailable, PaymentRefused
        """
        try:
            return self._repeated(step, work, made)
        except stripe.StripeError as error:
            raise _meaning(error, step) from None

    def move(self, step: str, work: Callable[[RequestOptions], object]) -> None:
        """Move a payment on, once; that a bank has said no, or it has moved already, it shows.

        :raises PaymentProviderUnavailable: PaymentUnavailable, PaymentRefused
        """
        try:
            self._repeated(step, work, None)
        except stripe.StripeError as error:
            meaning = _meaning(error, step)
            if not (isinstance(error, stripe.CardError) or error.code in _SHOWN):
                raise meaning from None

    @staticmethod
    def _repeated(
        step: str, work: Callable[[RequestOptions], T], made: Callable[[], T | None] | None
    ) -> T:
        for attempt in range(1, ATTEMPTS + 1):
            found = made() if made is not None else None
            if found is not None:
                return found
            try:
                return work({"idempotency_key": f"jay-{step}-{attempt}"})
            except stripe.StripeError as error:
                # An earlier try's failure, which this key would get for the rest of the day. What
                # was refused then may be possible by now, where it shows whether it was done.
                worst = 400 if made is not None else 500
                if attempt == ATTEMPTS or not _is_repeated(error, worst):
                    raise
        raise AssertionError  # pragma: no cover - the last attempt has returned or raised


def _is_repeated(error: stripe.StripeError, worst: int) -> bool:
    repeated = (error.headers or {}).get("Idempotent-Replayed") == "true"
    return repeated and (error.http_status or 0) >= worst


def _meaning(error: stripe.StripeError, step: str) -> JayError:
    """Return what an error is to the checkout. What Stripe says in words stays here."""
    body = error.json_body if isinstance(error.json_body, dict) else {}
    code = error.code or (body.get("error") or {}).get("type")
    name = step.rpartition("-")[2]
    told = {"step": name, "status": error.http_status, "reason": code}
    if isinstance(error, _UNKNOWN):
        log.warning("stripe unavailable", request=error.request_id, **told)
        return PaymentProviderUnavailable()
    if isinstance(error, _NOT_ALLOWED):
        log.error("stripe refuses the key", request=error.request_id, **told)
        return PaymentUnavailable()
    log.warning("stripe refused", request=error.request_id, **told)
    return PaymentRefused(code)


def verify_signature(body: str, header: str, secret: str) -> bool:
    """Tell whether a webhook's body was signed with a secret, whenever that was."""
    try:
        stripe.WebhookSignature.verify_header(body, header, secret)
    except stripe.SignatureVerificationError:
        return False
    return True


def marked(every: "stripe.ListObject[_Object] | None", mark: str, value: str) -> "_Object | None":
    """Return the one of a list with this mark in its metadata."""
    for one in every.auto_paging_iter() if every is not None else ():
        if (one.to_dict().get("metadata") or {}).get(mark) == value:
            return one
    return None
