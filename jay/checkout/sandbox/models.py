"""The sandbox's payments and its test cards (contract, Payment providers).

It plays a provider: it has tables of its own, and nobody but its page and its adapter reads them.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text, text

from jay.checkout.providers.interface import IntentStatus
from jay.db.types import UtcDateTime, metadata

NAME = "sandbox"
SIGNATURE_HEADER = "Sandbox-Signature"
EVENT_LIFETIME = timedelta(days=3)
"""So long a webhook is sent again, and so long its signature holds."""

CLOCKS_DIFFER = timedelta(minutes=5)

LATE = timedelta(seconds=20)
CHARGED_BACK_AFTER = timedelta(minutes=1)

_AMOUNT = BigInteger().with_variant(Integer, "sqlite")

sandbox_intents = Table(
    "sandbox_intents",
    metadata,
    Column("id", Text, primary_key=True),
    Column("reference", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("amount", _AMOUNT, nullable=False),
    Column("currency", Text, nullable=False),
    Column("captured", _AMOUNT, nullable=False, server_default=text("0")),
    Column("refunded", _AMOUNT, nullable=False, server_default=text("0")),
    # The last four digits of the card that pays.
    Column("card", Text),
    Column("failure", Text),
    Column("lang", Text, nullable=False),
    Column("return_url", Text, nullable=False),
    Column("created", UtcDateTime, nullable=False),
)

# A refund that was asked for by this name was made: once, however often it is asked for.
sandbox_refunds = Table(
    "sandbox_refunds",
    metadata,
    Column("intent_id", Text, primary_key=True),
    Column("reason", Text, primary_key=True),
    # 0 once the money has come back.
    Column("amount", _AMOUNT, nullable=False),
)


# What merchants have got of payments, each share once; no money moves here either.
sandbox_transfers = Table(
    "sandbox_transfers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("intent_id", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("amount", _AMOUNT, nullable=False),
    Column("reversed", _AMOUNT, nullable=False, server_default=text("0")),
    Index("ix_sandbox_transfers_intent_id", "intent_id"),
)

sandbox_reversals = Table(
    "sandbox_reversals",
    metadata,
    Column("transfer_id", Text, primary_key=True),
    Column("reason", Text, primary_key=True),
    Column("amount", _AMOUNT, nullable=False),
)


@dataclass(frozen=True)
class Card:
    """A test card.

    :ivar failure: why it is declined.
    :ivar asks: whether the bank asks for a second step.
    :ivar late: how long the webhook about it takes.
    :ivar charged_back: whether the money is taken back later.
    """

    failure: str | None = None
    asks: bool = False
    late: timedelta = timedelta()
    charged_back: bool = False


CARDS = {
    "4242424242424242": Card(),
    "4000000000000002": Card(failure="card_declined"),
    "4000002500003155": Card(asks=True),
    "4000000000009995": Card(failure="insufficient_funds"),
    "4000000000000341": Card(late=LATE),
    "4000000000000259": Card(charged_back=True),
}

CHARGED_BACK = [number[-4:] for number, card in CARDS.items() if card.charged_back]

_SEPARATORS = re.compile(r"[\s-]+")


def card_of(number: str) -> tuple[str, Card] | None:
    """Read a card number as people type it; None where it is no test card."""
    digits = _SEPARATORS.sub("", number)
    return (digits[-4:], CARDS[digits]) if digits in CARDS else None


def stored_card(token: str) -> tuple[str, Card]:
    """Return the test card that a payment token stands for: ``pm_sandbox_4242``, its last four.

    Any other token stands for a card that is declined.
    """
    for number, card in CARDS.items():
        if token == f"pm_sandbox_{number[-4:]}":
            return number[-4:], card
    return "0000", Card(failure="card_declined")


def intent_id(reference: str) -> str:
    """Return the id of the intent of a reference: asked for again, it is the same one."""
    return f"pi_sandbox_{reference}"


def transfer_id(part: str) -> str:
    """Return the id of the transfer of a share: asked for again, it is the same one."""
    return f"tr_sandbox_{part}"


def client_secret(intent: str, secret: str) -> str:
    """Return what opens the payment page of an intent, 128 bits that nobody can guess."""
    drawn = hmac.digest(secret.encode(), f"sandbox payment {intent}".encode(), "sha256")
    return f"{intent}_{drawn[:16].hex()}"


def intent_of(token: str, secret: str) -> str | None:
    """Return the intent that a client secret opens; None where it is none of ours."""
    intent = token.rpartition("_")[0]
    known = hmac.compare_digest(token.encode(), client_secret(intent, secret).encode())
    return intent if known else None


def sign(body: str, at: int, secret: str) -> str:
    """Sign a webhook.

    :param at: when it was made, in seconds since 1970 UTC.
    """
    key = hashlib.sha256(f"sandbox webhook {secret}".encode()).digest()
    return f"t={at},v1={hmac.digest(key, f'{at}.{body}'.encode(), 'sha256').hex()}"


PAYABLE = (IntentStatus.OPEN,)
CANCELLABLE = (IntentStatus.OPEN, IntentStatus.PROCESSING, IntentStatus.AUTHORISED)
