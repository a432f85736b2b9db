"""The error family: each class knows its HTTP status, its number and its constant.

The sentence that a client reads is the class's docstring. Codes never change their meaning once
they are published; ``/docs/errors`` lists them all.

    JayError
    ├── RequestError      1001-1099  the request itself
    ├── AuthError         1100-1199  who is asking
    ├── BasketError       2001-2099  rules of the basket
    ├── TransferError     2100-2199  rules of the transfer
    ├── CatalogueError    2200-2299  rules of the product feed
    ├── CheckoutError     2300-2399  rules of the checkout
    ├── OrderError        2400-2499  what becomes of an order
    ├── UpstreamError     3001-3999  someone we depend on
    └── ServiceError      4001-4999  this service
"""

import re
from collections.abc import Iterator
from typing import Any, ClassVar


class JayError(Exception):
    """Something went wrong."""

    status: ClassVar[int] = 500
    code: ClassVar[int] = 0
    headers: ClassVar[dict[str, str]] = {}

    def __init__(
        self, message: str | None = None, *, details: Any = None, wait: int | None = None
    ) -> None:
        self.message = message or self.sentence()
        self.details = self.constant() if details is None else details
        self.wait = wait
        super().__init__(self.message)

    @property
    def told_headers(self) -> dict[str, str]:
        """Return the headers of the answer, with how many seconds to wait where that is known."""
        return (
            self.headers if self.wait is None else {**self.headers, "Retry-After": str(self.wait)}
        )

    @classmethod
    def sentence(cls) -> str:
        """Return the sentence that clients read: the docstring's first paragraph on one line."""
        return " ".join((cls.__doc__ or "").split("\n\n")[0].split())

    @classmethod
    def constant(cls) -> str:
        """Return the constant for ``error.details``: ``CartFull`` gives ``CART_FULL``."""
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", cls.__name__).upper()


class RequestError(JayError):
    """The request can't be understood."""


class TrackingNotValid(RequestError):
    """The tracking session is missing or not valid."""

    status, code = 400, 1001


class MalformedRequest(RequestError):
    """The request is not well-formed: its body must be valid JSON in UTF-8."""

    status, code = 400, 1002


class ValidationFailed(RequestError):
    """The request has fields that are missing, unknown or of the wrong shape."""

    status, code = 422, 1003


class VersionUnknown(RequestError):
    """There is no such version of this API; the details list the supported ones."""

    status, code = 400, 1004


class RouteNotFound(RequestError):
    """There is nothing at this address."""

    status, code = 404, 1005


class MethodNotAllowed(RequestError):
    """This address does not know this method; the Allow header lists those that it knows."""

    status, code = 405, 1006


class PayloadTooLarge(RequestError):
    """The request body is larger than this operation takes: 64 KiB in /v2, 1 MiB in /v1, 20 MiB for
    a picture."""

    status, code = 413, 1007


class UnsupportedMediaType(RequestError):
    """The request body must be sent as application/json."""

    status, code = 415, 1008

    def __init__(self, message: str | None = None, *, coded: bool = False) -> None:
        """Say what is not taken.

        :param coded: it is the coding, such as gzip, and not the type.
        """
        super().__init__("The request body must not be compressed." if coded else message)
        self.coded = coded

    @property
    def told_headers(self) -> dict[str, str]:
        """Return also which coding is taken, which is for that alone (RFC 9110 section 12.5.3)."""
        told = super().told_headers
        return {**told, "Accept-Encoding": "identity"} if self.coded else told


class TooManyRequests(RequestError):
    """Too many requests: please wait as long as the Retry-After header says."""

    status, code = 429, 1009
    headers: ClassVar[dict[str, str]] = {"Retry-After": "60"}


class PreconditionFailed(RequestError):
    """The basket has changed since the version that If-Match names; nothing was changed."""

    status, code = 412, 1010


class IdempotencyInFlight(RequestError):
    """A request with this Idempotency-Key is being worked on: please try again."""

    status, code = 409, 1013
    headers: ClassVar[dict[str, str]] = {"Retry-After": "1"}


class IdempotencyKeyReused(RequestError):
    """This Idempotency-Key was used for another request."""

    status, code = 422, 1014


class IdempotencyKeyTooShort(RequestError):
    """An Idempotency-Key must be random here, and have at least 16 characters.

    All devices of a partner share it: a counter would be the key of another one, too.
    """

    status, code = 422, 1015


class FormOutdated(RequestError):
    """The form is from another session: please load the page again."""

    status, code = 403, 1012


class WebhookRefused(RequestError):
    """The webhook is not signed by the payment provider, is too old, or can't be read."""

    status, code = 400, 1016


class HttpError(RequestError):
    """The request was refused on the level of HTTP."""

    # Any other status that the HTTP layer answers by itself, such as 414 or 431.
    status, code = 400, 1011


class AuthError(JayError):
    """The request could not be authenticated."""

    status = 401


class ApiKeyError(AuthError):
    """The API key was refused."""

    # A 401 must name a scheme (RFC 9110 section 11.6.1); there is none registered for API keys.
    headers: ClassVar[dict[str, str]] = {"WWW-Authenticate": 'ApiKey header="X-API-Key"'}


class ApiKeyMissing(ApiKeyError):
    """The X-API-Key header is missing."""

    code = 1101


class ApiKeyUnknown(ApiKeyError):
    """The X-API-Key header holds no key of this service."""

    code = 1102


class ApiKeyRevoked(ApiKeyError):
    """This API key has been revoked."""

    code = 1103


class ApiKeyForAnotherApi(AuthError):
    """This API key is meant for the other API: basket and product data have keys of their own."""

    status, code = 403, 1104


class TokenError(AuthError):
    """The bearer token was refused (RFC 6750)."""

    headers: ClassVar[dict[str, str]] = {"WWW-Authenticate": 'Bearer error="invalid_token"'}


class TokenMissing(TokenError):
    """The Authorization header must carry a bearer token."""

    code = 1111


class TokenMalformed(TokenError):
    """The bearer token is not a signed JSON Web Token."""

    code = 1112


class TokenExpired(TokenError):
    """The bearer token has expired."""

    code = 1113


class TokenUnsigned(TokenError):
    """The bearer token is not signed: the algorithm "none" is never accepted."""

    code = 1114


class TokenAlgorithmRefused(TokenError):
    """The bearer token is signed with an algorithm that this partner has not registered."""

    code = 1115


class TokenKeyUnknown(TokenError):
    """The bearer token names a key that this partner has not registered."""

    code = 1116


class TokenSignatureInvalid(TokenError):
    """The signature of the bearer token does not match any key of this partner."""

    code = 1117


class TokenClaimsInvalid(TokenError):
    """A claim of the bearer token is missing or not what was agreed with this partner."""

    code = 1118


class TokenOfAnotherPartner(TokenError):
    """The bearer token was issued for another partner than the one of the API key."""

    code = 1119


class TokenRevoked(TokenError):
    """The basket that this token was given for has been deleted."""

    code = 1120


class NotYourBasket(AuthError):
    """The user id in the address is not the one of the bearer token."""

    status, code = 403, 1121


class GuestNotAllowed(AuthError):
    """This is for users whose token the partner has signed, not for guests."""

    status, code = 403, 1122


class BasketError(JayError):
    """A rule of the basket."""

    status = 409


class ProductNotFound(BasketError):
    """There is no product with this id."""

    status, code = 404, 2001


class NotInBasket(BasketError):
    """The product is neither in the cart nor in the saved list."""

    status, code = 404, 2002


class NotShoppable(BasketError):
    """This product can't be bought, only saved."""

    code = 2003


class OutOfStock(BasketError):
    """This product is out of stock; it can be saved for later."""

    code = 2004


class OrderLimit(BasketError):
    """The count is above the largest one that the merchant accepts in an order."""

    code = 2005

    def __init__(self, limit: int | None = None) -> None:
        """Name the limit, for people in the message and for programs in the details."""
        if limit is None:  # the rule in general, as the documentation has it
            super().__init__()
        else:
            super().__init__(
                f"The merchant accepts at most {limit} of this in an order.",
                details={"constant": self.constant(), "limit": limit},
            )
        self.limit = limit


class CartFull(BasketError):
    """The cart already holds 20 products."""

    code = 2006


class SavedFull(BasketError):
    """The saved list already holds 200 products."""

    code = 2007


class NothingToMerge(BasketError):
    """The guest's basket is gone, was merged before, or is not a guest's own."""

    code = 2008


class TransferError(JayError):
    """A rule of the transfer."""


class TransferUnknown(TransferError):
    """There is no transfer with this token."""

    status, code = 404, 2101


class TransferExpired(TransferError):
    """The transfer was not finished within its 60 seconds."""

    status, code = 410, 2102


class TransferClaimed(TransferError):
    """The basket has already been taken over by another device."""

    status, code = 409, 2103


class TransferCancelled(TransferError):
    """The transfer was cancelled, usually by a newer one of the same basket."""

    status, code = 410, 2104


class TransferUrlRefused(TransferError):
    """The web shop URL is not on an origin that the partner has registered."""

    status, code = 422, 2105


class QrCodeGone(TransferError):
    """The basket has been taken over, and the QR code is gone with the transfer."""

    status, code = 410, 2106


class CatalogueError(JayError):
    """A rule of the product feed."""

    status = 409


class SkuTaken(CatalogueError):
    """A SKU stands for two things: it repeats, or is a product with variants of its own."""

    code = 2201


class SkuNotFound(CatalogueError):
    """The catalogue has no product with this SKU in this language and country."""

    status, code = 404, 2202


class PictureRefused(CatalogueError):
    """This can't be shown as a picture; the details name the reason."""

    status, code = 422, 2203


class CheckoutError(JayError):
    """A rule of the checkout."""

    status = 409


class CartEmpty(CheckoutError):
    """There is nothing in the cart that can be bought; the details say why."""

    code = 2301


class MixedCurrency(CheckoutError):
    """The cart has prices in more than one currency, so it can't be paid at once."""

    code = 2302


class NoActiveCheckout(CheckoutError):
    """There is no checkout that could be finished."""

    code = 2303


class CheckoutNotFound(NoActiveCheckout):
    """There is no checkout at the moment."""

    status = 404

    @classmethod
    def constant(cls) -> str:
        """Return the contract's constant, which finishing has, too."""
        return NoActiveCheckout.constant()


class CheckoutPaying(CheckoutError):
    """The basket is being paid for at the moment: wait until that has ended."""

    code = 2305


class PaymentUnavailable(CheckoutError):
    """Nothing can be paid here at the moment: the payment provider is not set up for it."""

    code = 2306


class PaymentRefused(CheckoutError):
    """The payment provider refuses this for good: an amount below its minimum, for example.

    Unlike ``PaymentProviderUnavailable``: nothing has happened, and asking again is of no use. The
    details name the provider's reason where it has given one.
    """

    code = 2307

    def __init__(self, reason: str | None = None) -> None:
        """Tell the provider's own code of why, such as ``amount_too_small``."""
        constant = self.constant()
        super().__init__(
            details=None if reason is None else {"constant": constant, "reason": reason}
        )
        self.reason = reason


class PaymentNotStored(CheckoutError):
    """Nothing is stored to pay with: it takes customer, payment token and consent to them."""

    code = 2308


class PinRefused(CheckoutError):
    """The household's PIN is missing or wrong."""

    status, code = 403, 2309


class PinLocked(CheckoutError):
    """The PIN was wrong too often: please wait as long as the Retry-After header says."""

    status, code = 429, 2310
    headers: ClassVar[dict[str, str]] = {"Retry-After": "900"}


class AuthenticationRequired(CheckoutError):
    """The bank asks for a second step: it is paid on the phone, at the address in the details."""

    code = 2311


class PaymentDeclined(CheckoutError):
    """The stored payment was declined; the checkout goes on, and can be paid in another way."""

    code = 2312

    def __init__(self, reason: str | None = None) -> None:
        """Tell the provider's own code of why, such as ``insufficient_funds``."""
        details = {"constant": self.constant(), "reason": reason}
        super().__init__(details=None if reason is None else details)


class PriceChanged(CheckoutError):
    """It costs another amount than the one that was shown; nothing was paid."""

    code = 2313


class OrderError(JayError):
    """A rule of what becomes of an order."""

    status = 409


class OrderNotFound(OrderError):
    """There is no such order of this merchant."""

    status, code = 404, 2401


class OrderState(OrderError):
    """The order is not in a state that allows this, or fewer pieces are left."""

    code = 2402


class RefundTooHigh(OrderError):
    """A refund can't be more than what was paid and has not gone back yet."""

    code = 2403


class UpstreamError(JayError):
    """A service that this one depends on."""

    status = 503
    headers: ClassVar[dict[str, str]] = {"Retry-After": "5"}


class KeySetUnavailable(UpstreamError):
    """The partner's key set (JWKS) can't be loaded at the moment."""

    code = 3001


class PaymentProviderUnavailable(UpstreamError):
    """The payment provider does not answer at the moment: try again, nothing is paid twice."""

    code = 3002


class ServiceError(JayError):
    """This service has a problem."""


class InternalError(ServiceError):
    """Something went wrong here; the request id helps the operator to find it."""

    status, code = 500, 4001


class Busy(ServiceError):
    """The database is busy or unreachable at the moment; nothing was changed."""

    status, code = 503, 4002
    headers: ClassVar[dict[str, str]] = {"Retry-After": "1"}


class OutcomeUnknown(Busy):
    """The database broke off while it was writing: whether the change was made is not known."""

    code = 4003


def all_errors(family: type[JayError] = JayError) -> Iterator[type[JayError]]:
    """Yield every error that can be answered, in the order of the tree."""
    for cls in family.__subclasses__():
        # One that has its parent's number is the same error with another status.
        if cls.code and cls.code != family.code:
            yield cls
        yield from all_errors(cls)
