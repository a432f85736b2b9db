"""Every error that is documented is met over HTTP, so none is documented that can't occur."""

import base64
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import ECKey
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from werkzeug.test import TestResponse

from jay import db, errors
from jay.auth import service as auth
from jay.baskets import service as baskets
from jay.checkout import sessions
from jay.checkout.sandbox.provider import Sandbox
from jay.errors import JayError, all_errors
from jay.web.rates import Rate
from tests.api.buying import bought
from tests.api.checks import assert_refused, body
from tests.builders import PARTNER_KEY_PAIR, Platform, Shop, User, add_platform, add_shop
from tests.clock import NOON, MovedClock
from tests.servers import free_port

HEADER = {"alg": "ES256", "kid": "partner-key-1"}
CLAIMS = {"sub": "alice", "exp": int(NOON.timestamp()) + 60}
KEY = {"Idempotency-Key": "k"}


@dataclass
class World:
    """What a case needs to provoke its error."""

    app: Flask
    client: FlaskClient
    clock: MovedClock
    patch: pytest.MonkeyPatch
    platform: Platform = field(init=False)
    rival: Platform = field(init=False)
    shop: Shop = field(init=False)
    alice: User = field(init=False)

    def __post_init__(self) -> None:
        self.platform = add_platform(self.app, self.client)
        self.rival = add_platform(self.app, self.client, "rival")
        self.shop = add_shop(self.app, self.client)
        self.alice = self.platform.user("alice")

    def enter(self, token: str, platform: Platform | None = None) -> TestResponse:
        """Ask for a basket with this bearer token."""
        return (platform or self.platform).call("GET", "/baskets/users/alice", token=token)

    def entered_with(self, header: Any = None, claims: Any = None, key: Any = None) -> TestResponse:
        """Ask for a basket with a token of this content."""
        signed = jwt.encode(header or HEADER, claims or CLAIMS, key or PARTNER_KEY_PAIR)
        return self.enter(signed)

    def offer(self) -> dict[str, Any]:
        """Have a basket that waits for a phone."""
        return self.alice.transfer()

    def redeemed(self, offer: dict[str, Any]) -> User:
        """Take a basket over."""
        data = self.platform.redeem(offer["jayToken"]).json["data"]
        return User(self.platform, data["userId"], data["token"])

    def crash(self, error: Exception) -> TestResponse:
        """Ask for a basket while something fails below."""

        def fail(*_args: Any, **_more: Any) -> None:
            raise error

        self.patch.setattr("jay.baskets.service.read", fail)
        return self.alice.call("GET")

    def guest_with(self, many: int, count: int) -> TestResponse:
        """Create a guest with so many products."""
        variants = [{"sku": f"v{number}", "value": str(number)} for number in range(many)]
        for first in range(0, many, 50):
            main = self.shop.product(f"main-{first}", variants=variants[first : first + 50])
        prefix = main.partition("main-")[0]
        products = [
            {"productId": f"{prefix}{variant['sku']}", "count": count} for variant in variants
        ]
        return self.platform.call("POST", "/baskets/guests", json={"products": products})


Case = Callable[[World], TestResponse]


# --- the request ---


def _tracking_not_valid(world: World) -> TestResponse:
    return world.client.get("/v1/playouts/news/tracking/session", headers={"X-JAY-Tracking": "x"})


def _malformed_request(world: World) -> TestResponse:
    return world.alice.product("POST", "mug", **body("{"))


def _validation_failed(world: World) -> TestResponse:
    return world.alice.product("POST", "mug", json={"count": "1"})


def _version_unknown(world: World) -> TestResponse:
    return world.client.get("/v2/", headers={"X-API-Version": "2024-01-01"})


def _route_not_found(world: World) -> TestResponse:
    return world.client.get("/v2/nothing/here")


def _method_not_allowed(world: World) -> TestResponse:
    return world.alice.call("PUT")


def _payload_too_large(world: World) -> TestResponse:
    return world.alice.product("POST", "mug", **body(b" " * (2**20 + 1)))


def _unsupported_media_type(world: World) -> TestResponse:
    return world.alice.product("POST", "mug", data=b'{"count": 1}')


def _too_many_requests(world: World) -> TestResponse:
    world.patch.setitem(world.app.extensions["jay.rates"], "transfers", Rate(world.clock, 1))
    world.alice.transfer()
    return world.alice.call("POST", "/transfer")


def _precondition_failed(world: World) -> TestResponse:
    return world.alice.call("DELETE", headers={"If-Match": '"another"'})


def _idempotency_in_flight(world: World) -> TestResponse:
    mug, assign = world.shop.product("mug"), baskets.assign
    second: list[TestResponse] = []

    def slowly(*args: Any, **more: Any) -> Any:
        # The client gives up waiting, and sends the same again.
        with ThreadPoolExecutor(1) as phone:
            second.append(phone.submit(put).result())
        return assign(*args, **more)

    def put() -> TestResponse:
        return world.alice.product("POST", mug, headers=KEY)

    world.patch.setattr("jay.baskets.service.assign", slowly)
    assert put().status_code == 200
    return second[0]


def _idempotency_key_reused(world: World) -> TestResponse:
    mug = world.shop.product("mug")
    assert world.alice.product("POST", mug, json={"count": 1}, headers=KEY).status_code == 200
    return world.alice.product("POST", mug, json={"count": 2}, headers=KEY)


def _idempotency_key_too_short(world: World) -> TestResponse:
    return world.platform.call("POST", "/baskets/guests", headers=KEY)


def _form_outdated(world: World) -> TestResponse:
    return world.client.post("/code", data={"code": "ABCD2345", "csrf": "of yesterday"})


def _http_error(world: World) -> TestResponse:
    return world.client.get("/static/css/tv.css", headers={"Range": "bytes=9999999-"})


# --- who is asking ---


def _api_key_missing(world: World) -> TestResponse:
    return world.client.get("/v1/shops/config")


def _api_key_unknown(world: World) -> TestResponse:
    return world.client.get("/v1/shops/config", headers={"X-API-Key": "jay_unknown"})


def _api_key_revoked(world: World) -> TestResponse:
    with world.app.app_context(), db.transaction() as connection:
        prefix = world.shop.key[: auth.PREFIX_LENGTH]
        assert auth.revoke_key(connection, prefix, now=NOON)
    return world.shop.call("GET", "/shops/config")


def _api_key_for_another_api(world: World) -> TestResponse:
    return world.client.get("/v1/shops/config", headers={"X-API-Key": world.platform.key})


def _token_missing(world: World) -> TestResponse:
    return world.platform.call("GET", "/baskets/users/alice")


def _token_malformed(world: World) -> TestResponse:
    return world.enter("no token")


def _token_expired(world: World) -> TestResponse:
    return world.enter(world.platform.token("alice", expires_in=-31))


def _token_unsigned(world: World) -> TestResponse:
    parts = [base64.urlsafe_b64encode(json.dumps(p).encode()) for p in ({"alg": "none"}, CLAIMS)]
    return world.enter(b".".join([*parts, b""]).decode())


def _token_algorithm_refused(world: World) -> TestResponse:
    key = ECKey.generate_key("P-384")
    signed = jwt.encode({"alg": "ES384"}, CLAIMS, key, algorithms=["ES384"])
    return world.enter(signed)


def _token_key_unknown(world: World) -> TestResponse:
    return world.entered_with({"alg": "ES256", "kid": "another"})


def _token_signature_invalid(world: World) -> TestResponse:
    return world.entered_with(key=ECKey.generate_key("P-256"))


def _token_claims_invalid(world: World) -> TestResponse:
    return world.entered_with(claims={"sub": "alice"})


def _token_of_another_partner(world: World) -> TestResponse:
    return world.enter(world.rival.guest().token)


def _token_revoked(world: World) -> TestResponse:
    phone = world.redeemed(world.offer())
    world.alice.call("DELETE")
    return phone.call("GET")


def _not_your_basket(world: World) -> TestResponse:
    return world.platform.call("GET", "/baskets/users/bob", token=world.alice.token)


def _guest_not_allowed(world: World) -> TestResponse:
    return world.platform.guest().call("PATCH", "/comfort", json={"customerId": "C-1"})


# --- the basket ---


def _product_not_found(world: World) -> TestResponse:
    return world.alice.put("unknown")


def _not_in_basket(world: World) -> TestResponse:
    return world.alice.product("DELETE", "unknown")


def _not_shoppable(world: World) -> TestResponse:
    return world.alice.put(world.shop.product("mug", not_shoppable=True))


def _out_of_stock(world: World) -> TestResponse:
    return world.alice.put(world.shop.product("mug", stock_count=0))


def _order_limit(world: World) -> TestResponse:
    return world.alice.put(world.shop.product("mug", shipping={"orderLimit": 2}), 3)


def _cart_full(world: World) -> TestResponse:
    return world.guest_with(21, 1)


def _saved_full(world: World) -> TestResponse:
    return world.guest_with(201, 0)


def _nothing_to_merge(world: World) -> TestResponse:
    guest = world.platform.guest()
    guest.call("DELETE")
    return world.alice.call("POST", "/merge", json={"guestToken": guest.token})


# --- the transfer ---


# --- the checkout ---


def _checkout(world: World, method: str = "POST", path: str = "", **more: Any) -> TestResponse:
    return world.alice.call(method, f"/checkout/sessions{path}", **more)


def _cart_empty(world: World) -> TestResponse:
    return _checkout(world)


def _mixed_currency(world: World) -> TestResponse:
    world.alice.put(world.shop.product("mug"))
    world.alice.put(world.shop.product("cup", currency="GBP"))
    return _checkout(world)


def _no_active_checkout(world: World) -> TestResponse:
    return _checkout(world, path="/finish-active", json={"ordered": False})


def _checkout_paying(world: World) -> TestResponse:
    world.alice.put(world.shop.product("mug"))
    order_no = _checkout(world).json["data"]["orderNo"]
    with world.app.app_context():
        db.write(sessions.begin_paying, order_no, now=NOON)
    return world.alice.call("DELETE")


def _payment_unavailable(world: World) -> TestResponse:
    world.patch.setitem(world.app.extensions, "jay.psp", None)
    return _checkout(world)


def _payment_provider_unavailable(world: World) -> TestResponse:
    def fail(*_args: Any, **_more: Any) -> None:
        raise errors.PaymentProviderUnavailable

    world.patch.setattr(Sandbox, "open", fail)
    world.alice.put(world.shop.product("mug"))
    return _checkout(world)


def _payment_refused(world: World) -> TestResponse:
    def refuse(*_args: Any, **_more: Any) -> None:
        raise errors.PaymentRefused

    world.patch.setattr(Sandbox, "open", refuse)
    world.alice.put(world.shop.product("mug"))
    return _checkout(world)


def _paid_at_once(world: World, card: str, comfort: dict[str, Any], **body: Any) -> TestResponse:
    stored = {"customerId": "C-1", "paymentToken": f"pm_sandbox_{card}"}
    told = {**stored, "consent": {"version": "1"}, **comfort}
    assert world.alice.call("PATCH", "/comfort", json=told).status_code == 200
    world.alice.put(world.shop.product("mug"))
    return world.alice.call("POST", "/checkout/sessions/pay", json=body)


def _payment_not_stored(world: World) -> TestResponse:
    return world.alice.call("POST", "/checkout/sessions/pay")


def _pin_refused(world: World) -> TestResponse:
    return _paid_at_once(world, "4242", {"pin": "2468"}, pin="1111")


def _pin_locked(world: World) -> TestResponse:
    _pin_refused(world)
    for _ in range(4):
        world.alice.call("POST", "/checkout/sessions/pay", json={"pin": "1111"})
    return world.alice.call("POST", "/checkout/sessions/pay", json={"pin": "2468"})


def _authentication_required(world: World) -> TestResponse:
    return _paid_at_once(world, "3155", {})


def _payment_declined(world: World) -> TestResponse:
    return _paid_at_once(world, "0002", {})


def _price_changed(world: World) -> TestResponse:
    return _paid_at_once(world, "4242", {}, fullPrice=1)


def _webhook_refused(world: World) -> TestResponse:
    return world.client.post("/psp/sandbox/webhook", data=b"{}")


def _transfer_unknown(world: World) -> TestResponse:
    return world.platform.redeem("unknown")


def _transfer_expired(world: World) -> TestResponse:
    offer = world.offer()
    world.clock.move(60)
    return world.platform.redeem(offer["jayToken"])


def _transfer_claimed(world: World) -> TestResponse:
    offer = world.offer()
    world.redeemed(offer)
    return world.platform.redeem(offer["jayToken"])


def _transfer_cancelled(world: World) -> TestResponse:
    offer = world.offer()
    world.offer()
    return world.platform.redeem(offer["jayToken"])


def _transfer_url_refused(world: World) -> TestResponse:
    return world.alice.call("POST", "/transfer", json={"url": "https://elsewhere.example/"})


def _qr_code_gone(world: World) -> TestResponse:
    offer = world.offer()
    world.redeemed(offer)
    return world.client.get(offer["qrCodeImageUrl"])


# --- the feed, others, and this service ---


def _sku_taken(world: World) -> TestResponse:
    variants = [{"sku": "s"}, {"sku": "s"}]
    fields = {"sku": "mug", "name": "Mug", "variants": variants}
    return world.shop.call("POST", "/shops/products", json=fields)


def _picture_refused(world: World) -> TestResponse:
    return world.shop.call("PUT", "/shops/pictures/mug/1", data=b"<svg/>")


def _sku_not_found(world: World) -> TestResponse:
    return world.shop.call("GET", "/shops/products/hat")


# --- orders ---


def _order_not_found(world: World) -> TestResponse:
    return world.shop.call("GET", "/shops/orders/J2222222222222-1")


def _order_state(world: World) -> TestResponse:
    path = f"/shops/orders/{bought(world.alice, world.shop)}-1"
    return world.shop.call("PATCH", path, json={"state": "delivered"})


def _refund_too_high(world: World) -> TestResponse:
    path = f"/shops/orders/{bought(world.alice, world.shop)}-1/refunds"
    return world.shop.call("POST", path, json={"amount": 1251, "reason": "Scratched"})


def _key_set_unavailable(world: World) -> TestResponse:
    # Plain http is refused outside of demo mode, and nobody listens there either.
    away = f"http://127.0.0.1:{free_port()}/jwks.json"
    remote = add_platform(world.app, world.client, "remote", jwks=None, jwks_url=away)
    return world.enter(remote.token("alice"), remote)


def _internal_error(world: World) -> TestResponse:
    return world.crash(RuntimeError("a mistake"))


def _busy(world: World) -> TestResponse:
    return world.crash(PoolTimeoutError("no connection is free"))


def _outcome_unknown(world: World) -> TestResponse:
    return world.crash(errors.OutcomeUnknown())


CASES: dict[type[JayError], Case] = {
    errors.TrackingNotValid: _tracking_not_valid,
    errors.MalformedRequest: _malformed_request,
    errors.ValidationFailed: _validation_failed,
    errors.VersionUnknown: _version_unknown,
    errors.RouteNotFound: _route_not_found,
    errors.MethodNotAllowed: _method_not_allowed,
    errors.PayloadTooLarge: _payload_too_large,
    errors.UnsupportedMediaType: _unsupported_media_type,
    errors.TooManyRequests: _too_many_requests,
    errors.PreconditionFailed: _precondition_failed,
    errors.IdempotencyInFlight: _idempotency_in_flight,
    errors.IdempotencyKeyReused: _idempotency_key_reused,
    errors.IdempotencyKeyTooShort: _idempotency_key_too_short,
    errors.FormOutdated: _form_outdated,
    errors.HttpError: _http_error,
    errors.ApiKeyMissing: _api_key_missing,
    errors.ApiKeyUnknown: _api_key_unknown,
    errors.ApiKeyRevoked: _api_key_revoked,
    errors.ApiKeyForAnotherApi: _api_key_for_another_api,
    errors.TokenMissing: _token_missing,
    errors.TokenMalformed: _token_malformed,
    errors.TokenExpired: _token_expired,
    errors.TokenUnsigned: _token_unsigned,
    errors.TokenAlgorithmRefused: _token_algorithm_refused,
    errors.TokenKeyUnknown: _token_key_unknown,
    errors.TokenSignatureInvalid: _token_signature_invalid,
    errors.TokenClaimsInvalid: _token_claims_invalid,
    errors.TokenOfAnotherPartner: _token_of_another_partner,
    errors.TokenRevoked: _token_revoked,
    errors.NotYourBasket: _not_your_basket,
    errors.GuestNotAllowed: _guest_not_allowed,
    errors.ProductNotFound: _product_not_found,
    errors.NotInBasket: _not_in_basket,
    errors.NotShoppable: _not_shoppable,
    errors.OutOfStock: _out_of_stock,
    errors.OrderLimit: _order_limit,
    errors.CartFull: _cart_full,
    errors.SavedFull: _saved_full,
    errors.NothingToMerge: _nothing_to_merge,
    errors.CartEmpty: _cart_empty,
    errors.MixedCurrency: _mixed_currency,
    errors.NoActiveCheckout: _no_active_checkout,
    errors.CheckoutPaying: _checkout_paying,
    errors.PaymentUnavailable: _payment_unavailable,
    errors.PaymentProviderUnavailable: _payment_provider_unavailable,
    errors.PaymentRefused: _payment_refused,
    errors.PaymentNotStored: _payment_not_stored,
    errors.PinRefused: _pin_refused,
    errors.PinLocked: _pin_locked,
    errors.AuthenticationRequired: _authentication_required,
    errors.PaymentDeclined: _payment_declined,
    errors.PriceChanged: _price_changed,
    errors.WebhookRefused: _webhook_refused,
    errors.TransferUnknown: _transfer_unknown,
    errors.TransferExpired: _transfer_expired,
    errors.TransferClaimed: _transfer_claimed,
    errors.TransferCancelled: _transfer_cancelled,
    errors.TransferUrlRefused: _transfer_url_refused,
    errors.QrCodeGone: _qr_code_gone,
    errors.SkuTaken: _sku_taken,
    errors.SkuNotFound: _sku_not_found,
    errors.PictureRefused: _picture_refused,
    errors.OrderNotFound: _order_not_found,
    errors.OrderState: _order_state,
    errors.RefundTooHigh: _refund_too_high,
    errors.KeySetUnavailable: _key_set_unavailable,
    errors.InternalError: _internal_error,
    errors.Busy: _busy,
    errors.OutcomeUnknown: _outcome_unknown,
}

# Pages, not the APIs, answer these, in words; with the status, for HttpError that of the cause.
TELLING = {
    errors.AuthenticationRequired: "paymentUrl",
    errors.PaymentDeclined: "reason",
    errors.PriceChanged: "fullPrice",
}
"""What the details hold besides the constant."""

ON_PAGES = {errors.FormOutdated: 403, errors.HttpError: 416, errors.WebhookRefused: 400}

# SQLite has one writer: there the second request waits for the first one, and is replayed.
ON_POSTGRESQL = {errors.IdempotencyInFlight}


@pytest.fixture
def world(
    app: Flask, client: FlaskClient, clock: MovedClock, monkeypatch: pytest.MonkeyPatch
) -> World:
    """Two platforms, a shop, a user, and the means to let something fail."""
    return World(app, client, clock, monkeypatch)


def test_every_error_has_a_case() -> None:
    assert [error.__name__ for error in all_errors() if error not in CASES] == []
    assert [error.__name__ for error in CASES if error not in set(all_errors())] == []


@pytest.mark.parametrize(
    "error",
    [error for error in CASES if error not in ON_POSTGRESQL],
    ids=lambda error: error.constant(),
)
def test_the_error_occurs(error: type[JayError], world: World) -> None:
    assert_occurs(error, world)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("error", ON_POSTGRESQL, ids=lambda error: error.constant())
def test_the_error_occurs_where_two_writers_meet(error: type[JayError], world: World) -> None:
    assert_occurs(error, world)


def assert_occurs(error: type[JayError], world: World) -> None:
    made: list[type[JayError]] = []
    original = JayError.__init__

    def noted(self: JayError, *args: Any, **more: Any) -> None:
        made.append(type(self))
        original(self, *args, **more)

    world.patch.setattr(JayError, "__init__", noted)

    response = CASES[error](world)

    assert error in made
    if error in ON_PAGES:
        assert (response.status_code, response.mimetype) == (ON_PAGES[error], "text/html")
        return
    assert_refused(response, error)
    if error is errors.VersionUnknown:
        assert set(response.json["error"]["details"]) == {"supported"}
    elif error is errors.ValidationFailed:
        assert set(response.json["error"]["details"]) == {"count"}
    elif error is errors.PictureRefused:
        told = {"constant": "PICTURE_REFUSED", "reason": "SVG"}
        assert response.json["error"]["details"] == told
    elif error is errors.OrderLimit:
        assert response.json["error"]["details"] == {"constant": "ORDER_LIMIT", "limit": 2}
    elif error in TELLING:
        assert response.json["error"]["details"]["constant"] == error.constant()
        assert response.json["error"]["details"][TELLING[error]]
    else:
        assert response.json["error"]["details"] == error.constant()
