"""What to do about each error, as ``/docs/errors`` tells it."""

from jay import errors
from jay.errors import JayError

_MENDS: dict[type[JayError], str] = {
    errors.TrackingNotValid: "Send base64 of the JSON that the tracking session's answer holds.",
    errors.MalformedRequest: "Send one JSON document in UTF-8, without keys that come twice.",
    errors.ValidationFailed: "The details name each field, and what it must be.",
    errors.VersionUnknown: "Send one of the versions of the details, or no version header.",
    errors.RouteNotFound: "Compare the address with the documentation; ids are percent-encoded.",
    errors.MethodNotAllowed: "Use a method of the Allow header.",
    errors.PayloadTooLarge: "Send fewer items a request.",
    errors.UnsupportedMediaType: "Send the header Content-Type: application/json.",
    errors.TooManyRequests: "Wait as long as Retry-After says.",
    errors.PreconditionFailed: "Read the basket again, and repeat the change with its new ETag.",
    errors.IdempotencyInFlight: "Send the same request again after Retry-After.",
    errors.IdempotencyKeyReused: "Make a new key for each request that is not a repetition.",
    errors.FormOutdated: "Load the page again; cookies must be allowed.",
    errors.ApiKeyMissing: "Send the key that the operator has issued in the header X-API-Key.",
    errors.ApiKeyUnknown: "Check that the key is whole, and of this service.",
    errors.ApiKeyRevoked: "Ask the operator for a new key.",
    errors.ApiKeyForAnotherApi: "Use a partner's key for baskets, a merchant's for products.",
    errors.TokenMissing: "Send Authorization: Bearer with the user's token or the guest's.",
    errors.TokenExpired: "Get a new token of the identity provider, or make a new guest.",
    errors.TokenKeyUnknown: "Register the key with the operator, or publish it at the JWKS URL.",
    errors.TokenAlgorithmRefused: "Sign with an algorithm that is registered for this partner.",
    errors.TokenClaimsInvalid: "The message names the claim; compare it with what was agreed.",
    errors.TokenOfAnotherPartner: "Use the API key of the partner that the token was issued for.",
    errors.TokenRevoked: "Scan a new code, or make a new guest.",
    errors.TokenError: "Get a new token, signed with a registered key (RFC 7519).",
    errors.NotYourBasket: "Put the token's user id into the address.",
    errors.GuestNotAllowed: "Use a token that the partner's identity provider has signed.",
    errors.ProductNotFound: "Take the product id from the catalogue, as it stands there.",
    errors.NotInBasket: "Read the basket again, or put the product in with POST.",
    errors.NotShoppable: "Save it with a count of 0.",
    errors.OutOfStock: "Save it with a count of 0, or lower the count.",
    errors.OrderLimit: "Send a count up to the limit of the details; a lower one always goes.",
    errors.CartFull: "Save or remove one of the 20 products first.",
    errors.SavedFull: "Remove one of the 200 products first.",
    errors.NothingToMerge: "Nothing: the products are in the user's basket, or there were none.",
    errors.TransferUrlRefused: "Have the operator register the web shop's origin.",
    errors.TransferClaimed: "If it was your own request, repeat it with its Idempotency-Key.",
    errors.TransferError: "Start a new transfer.",
    errors.BasketError: "Read the basket again and decide what to change.",
    errors.SkuTaken: "Give the variant a SKU that no other product of the locale has.",
    errors.CatalogueError: "Correct the product and send it again.",
    errors.UpstreamError: "Repeat the request after Retry-After.",
    errors.Busy: "Repeat the request after Retry-After.",
    errors.ServiceError: "Tell the operator the X-Request-ID of the answer.",
    errors.AuthError: "Check key and token.",
    errors.RequestError: "Compare the request with the documentation.",
    JayError: "Compare the request with the documentation.",
}


def mend_of(error: type[JayError]) -> str:
    """Return what to do about an error: its own sentence, else its family's."""
    return next(_MENDS[each] for each in error.__mro__ if each in _MENDS)
