"""What somebody has to look at, in words for the operator, by the commands and in mails."""

from jay.orders.models import Attention
from jay.orders.withdrawals import Unclear

_LOOK_AT = {
    Attention.REFUND_FAILED: "a refund has failed: orders refund, or settle it otherwise, then"
    " orders attended",
    Attention.SHARE_FAILED: "the merchant's share could not be moved: settle it, then orders"
    " attended",
    Attention.SHOP_REFUND: "a refund in the merchant's shop is like one that was made here:"
    " merchant connection says which, then orders attended",
    Attention.DISPUTED: "the payment is disputed: answer at the provider, then orders attended",
}

_WHY = {
    Unclear.UNKNOWN: "there is no such order",
    Unclear.EMAIL: "the order has another e-mail address",
    Unclear.PRODUCTS: "no product of the order is called so",
    Unclear.CROWDED: "too many named the order at once, so it was compared with none",
}

_LATER = "which only a later version knows"


def look_at(attention: Attention) -> str:
    """Return why a part has to be looked at, and what ends that."""
    return _LOOK_AT.get(attention, f"{attention}, {_LATER}: settle it, then orders attended")


def why_unclear(unclear: Unclear) -> str:
    """Return why a withdrawal has to be looked at."""
    return _WHY.get(unclear, f"{unclear}, {_LATER}")
