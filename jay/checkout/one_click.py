"""Paying by one call, with what a user has stored: PIN, checkout, payment."""

from jay import db, web
from jay.auth.models import User
from jay.checkout import comfort, flow, pins, sessions
from jay.checkout.comfort import Wallet
from jay.checkout.flow import Payable
from jay.checkout.models import SessionState
from jay.checkout.providers.interface import AUTHENTICATION_REQUIRED, IntentStatus
from jay.checkout.sessions import Asked
from jay.errors import AuthenticationRequired, PaymentDeclined, PaymentUnavailable, PinRefused


def unlocked(user: User, pin: str | None) -> Wallet:
    """Return with what a user pays, whose household's PIN was given where there is one.

    :raises GuestNotAllowed: PaymentNotStored, PinRefused, PinLocked
    """
    wallet = wallet_of(user)
    if wallet.pin_hash is None:
        return wallet
    if pin is None:
        raise PinRefused
    db.write(comfort.count_try, user, now=web.now())
    if not pins.opens(wallet.pin_hash, pin):
        raise PinRefused
    db.write(comfort.forget_tries, user)
    return wallet


def check(user: User, asked: Asked) -> None:
    """Check that stored payments are taken at all, before anything is reserved.

    :raises PaymentUnavailable: they are not.
    """
    with db.reading() as connection:
        asked = sessions.in_its_mode(connection, user, asked)
    if not flow.provider().takes_stored(test=asked.test):
        raise PaymentUnavailable


def wallet_of(user: User) -> Wallet:
    """Return with what a user pays.

    :raises GuestNotAllowed: PaymentNotStored
    """
    with db.reading() as connection:
        return comfort.wallet_of(connection, user, secret=web.settings().secret_key)


def pay(order_no: str, wallet: Wallet) -> Payable:
    """Pay a started checkout; what is paid already is not paid again.

    :raises AuthenticationRequired: the bank asks for a second step, on the phone.
    :raises PaymentDeclined: and the checkout goes on, to be paid in another way.
    :raises NoActiveCheckout: it has ended.
    :raises PaymentUnavailable: PaymentRefused, PaymentProviderUnavailable
    """
    found, intent = flow.pay_stored(order_no, customer=wallet.customer, token=wallet.token)
    waits = found.session.state is SessionState.OPEN
    if waits and intent is not None and intent.status is IntentStatus.OPEN:
        if intent.failure == AUTHENTICATION_REQUIRED:
            constant = AuthenticationRequired.constant()
            details = {"constant": constant, "paymentUrl": found.payment_url}
            raise AuthenticationRequired(details=details)
        raise PaymentDeclined(intent.failure)
    return found
