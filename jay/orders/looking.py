"""What somebody has to look at, in words for the operator, by the commands and in mails."""

from jay.orders.models import Attention
from jay.orders.withdrawals import Unclear

LOOK_AT = {
    Attention.REFUND_FAILED: "a refund has failed: orders refund, or settle it otherwise, then"
    " orders attended",
    Attention.SHARE_FAILED: "the merchant's share could not be moved: settle it, then orders"
    " attended",
    Attention.SHOP_REFUND: "a refund in the merchant's shop is like one that was made here:"
    " merchant connection says which, then orders attended",
    Attention.DISPUTED: "the payment is disputed: answer at the provider, then orders attended",
}
"""Why a part has to be looked at, and what ends that."""

WHY = {
    Unclear.UNKNOWN: "there is no such order",
    Unclear.EMAIL: "the order has another e-mail address",
    Unclear.PRODUCTS: "no product of the order is called so",
    Unclear.CROWDED: "too many named the order at once, so it was compared with none",
}
"""Why a withdrawal has to be looked at."""
