"""The address of our page with the provider's form, which leads to one payment and nothing else."""

import hmac

from jay.checkout.order_numbers import typed_order_no

_BYTES = 16


def pay_token(order_no: str, secret: str) -> str:
    """Return what opens the payment page of an order number, 128 bits that nobody can guess."""
    drawn = hmac.digest(secret.encode(), f"pay {order_no}".encode(), "sha256")
    return f"{order_no}-{drawn[:_BYTES].hex()}"


def order_no_of(token: str, secret: str) -> str | None:
    """Return the order number whose page a token opens; None where it is none of ours."""
    order_no = token.partition("-")[0]
    if typed_order_no(order_no) != order_no:
        return None
    known = hmac.compare_digest(token.encode(), pay_token(order_no, secret).encode())
    return order_no if known else None
