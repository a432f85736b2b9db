"""The transfer: one minute, one winner.

Two secrets belong to a transfer. The TV holds the display token: it shows the code and asks for a
new one. The QR code holds the ``jayToken``, from which the display token can't be computed: who
scans a screen can take the basket over once, but never make another code. Both, and the short
code, are derived from the display token, so that only hashes need to be stored.

They are derived in a row, display token, ``jayToken``, short code: so each of them leads to the
short code, by which a transfer is routed. Who scans the screen could have read the code there.
"""

import base64
import enum
import hmac
import re
import secrets
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, Table, Text, false

from jay.db.routing import routing_key
from jay.db.types import UtcDateTime, metadata
from jay.sealing import hash_secret

CLAIM_WINDOW = timedelta(seconds=60)
"""How long a basket can be taken over. Dead at exactly 60.0 seconds."""

OUR_CLOCKS_DIFFER = timedelta(seconds=5)
"""How far apart the clocks of this service's machines may be. An offer from further ahead was made
while one was wrong: set right, it would let a code live for as long as it was wrong."""

RENEWABLE_FOR = timedelta(hours=1)
"""How long a screen that was left alone can still ask for a new code."""

POLL_SECONDS = 1.5
"""How often a screen asks for the state, so that it follows the phone within two seconds."""

PURCHASE_POLL_SECONDS = 5
"""How often a screen asks what becomes of a basket that was taken over."""

FOLLOWED_FOR = timedelta(minutes=15)
"""How long after the claim a screen asks that."""

TOKEN_BYTES = 16
CODE_LENGTH = 8
CODE_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
"""No 0 and O, 1, I and L: they look alike on a television."""

PAIRS = (
    *("fox", "owl", "whale", "hedgehog", "penguin", "frog", "elephant", "bee", "cat", "duck"),
    *("snail", "turtle", "rabbit", "bear", "fish", "mushroom", "tree", "moon", "star"),
    *("anchor", "kite", "boat", "key", "pear"),
)
"""Pictures that TV and phone both show, so that a person sees whose screen was scanned."""

transfers = Table(
    "transfers",
    metadata,
    # That of the short code's hash, see ``routing_key``.
    Column("routing_key", Integer, primary_key=True, autoincrement=False),
    Column("code_hash", Text, primary_key=True),
    Column("partner_id", Integer, ForeignKey("partners.id"), nullable=False),
    # Where the basket lies. Not a foreign key: a basket that is deleted ends its offer itself.
    Column("basket_key", Integer, nullable=False),
    Column("basket_id", Text, nullable=False),
    Column("display_hash", Text, nullable=False),
    Column("token_hash", Text, nullable=False),
    # The token of a claim page that was reached by typing the short code.
    Column("typed_hash", Text),
    Column("url", Text),
    Column("pair", Text, nullable=False),
    Column("kiosk", Boolean, nullable=False, server_default=false()),
    # When the first of a screen's codes was made: renewals keep it.
    Column("created", UtcDateTime, nullable=False),
    Column("expires", UtcDateTime, nullable=False),
    Column("opened", UtcDateTime),
    Column("cancelled", UtcDateTime),
    Column("claimed", UtcDateTime),
    # Who took it over: the guest's user id, and what the winner may repeat the request with.
    Column("claimed_by", Text),
    Column("claimant_hash", Text),
    # What the checkout of the basket says since; None: nothing.
    Column("purchase", Text),
    Index("uq_transfers_display_hash", "display_hash", "routing_key", unique=True),
    Index("uq_transfers_token_hash", "token_hash", "routing_key", unique=True),
    Index("uq_transfers_typed_hash", "typed_hash", "routing_key", unique=True),
    Index("ix_transfers_created", "created"),
)


class TransferState(enum.StrEnum):
    """What a screen shows. The last three are final."""

    PENDING = "pending"
    OPENED = "opened"
    CLAIMED = "claimed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class PurchaseState(enum.StrEnum):
    """What has become of a basket since it was taken over."""

    NONE = "none"
    PAYING = "paying"
    ORDERED = "ordered"


@dataclass(frozen=True, slots=True)
class Secrets:
    """The secrets of a transfer, all derived from the display token."""

    display_token: str

    @classmethod
    def fresh(cls) -> "Secrets":
        """Draw new ones: 128 random bits."""
        return cls(secrets.token_urlsafe(TOKEN_BYTES))

    @property
    def jay_token(self) -> str:
        """What the QR code carries: 128 bits that say nothing about the display token."""
        return _token(_derived(self.display_token, "jayToken"))

    @property
    def user_code(self) -> str:
        """The short code to type where there is no camera."""
        return _code_of(self.jay_token)

    def shown_code(self, transfer: "Transfer") -> str:
        """Return the short code of a transfer that these secrets are of.

        One that was made before the routing key has another: it lasts a minute, its screen an hour.
        """
        code = self.user_code
        return code if hash_secret(code) == transfer.code_hash else _code_of(self.display_token)

    @property
    def pair(self) -> str:
        """The picture that TV and phone both show."""
        return PAIRS[int.from_bytes(_derived(self.display_token, "pair")) % len(PAIRS)]

    def hashes(self) -> dict[str, str]:
        """Return what is stored of them."""
        return {
            "display_hash": hash_secret(self.display_token),
            "token_hash": hash_secret(self.jay_token),
            "code_hash": hash_secret(self.user_code),
        }

    @property
    def routing_key(self) -> int:
        """Where the transfer lies."""
        return routing_key_of(self.jay_token)


def _derived(token: str, purpose: str) -> bytes:
    key = token.encode("utf-8", "surrogatepass")
    return hmac.digest(key, purpose.encode(), "sha256")


def _token(drawn: bytes) -> str:
    return base64.urlsafe_b64encode(drawn[:TOKEN_BYTES]).decode().rstrip("=")


def _code_of(token: str) -> str:
    number = int.from_bytes(_derived(token, "userCode"))
    digits = []
    for _ in range(CODE_LENGTH):
        number, digit = divmod(number, len(CODE_ALPHABET))
        digits.append(CODE_ALPHABET[digit])
    return "".join(digits)


def typed_token(code_hash: str, secret: str) -> str:
    """Return the token of the claim page that a typed short code leads to.

    It begins with where the transfer lies, as it can't be computed from the rest.
    """
    drawn = hmac.digest(secret.encode(), f"typed code {code_hash}".encode(), "sha256")
    return f"{routing_key(code_hash):03x}{_token(drawn)}"


TYPED_TOKEN = re.compile(r"([0-9a-f]{3})[\w-]{22}", re.ASCII)


def routing_key_of(token: str) -> int:
    """Return where the transfer lies that a ``jayToken`` or a typed short code's token names."""
    typed = TYPED_TOKEN.fullmatch(token)
    return int(typed[1], 16) if typed else routing_key(hash_secret(_code_of(token)))


_LOOK_ALIKE = str.maketrans(
    # Cyrillic and Greek capitals that look like Latin ones.
    "АВЕЅЈКМНРСТУХΑΒΕΖΗΚΜΝΡΤΥΧ",  # noqa: RUF001
    "ABESJKMHPCTYXABEZHKMNPTYX",
)


def typed_words(typed: str) -> list[str]:
    """Return what was typed or pasted in capitals, in pieces without anything between them.

    Other forms of the same characters (full width, Cyrillic, Arabic digits) are the Latin ones.
    """
    text = unicodedata.normalize("NFKC", typed).upper().translate(_LOOK_ALIKE)
    text = "".join(
        str(unicodedata.digit(each)) if each.isdecimal() else each if each.isalnum() else " "
        for each in text
    )
    return text.split()


def read_code(typed: str) -> str:
    """Return a typed or pasted short code in its normal form.

    Forgives blanks, hyphens, lower case, words around it, and other forms of the same characters
    (full width, Cyrillic, Arabic digits).
    """
    words = typed_words(typed)
    whole = "".join(words)
    if len(whole) <= CODE_LENGTH:
        return whole
    # Among other words: the last that makes a code, in as few pieces as it takes.
    for pieces in range(1, CODE_LENGTH + 1):
        for start in range(len(words) - pieces, -1, -1):
            joined = "".join(words[start : start + pieces])
            if len(joined) == CODE_LENGTH and set(joined) <= set(CODE_ALPHABET):
                return joined
    return whole


def spaced_code(code: str) -> str:
    """Write a short code in two groups, as people read it."""
    return f"{code[:4]} {code[4:]}"


@dataclass(frozen=True, slots=True)
class Transfer:
    """An offered basket."""

    routing_key: int
    code_hash: str
    partner_id: int
    basket_key: int
    basket_id: str
    url: str | None
    pair: str
    kiosk: bool
    created: datetime
    expires: datetime
    opened: datetime | None = None
    cancelled: datetime | None = None
    claimed: datetime | None = None
    claimed_by: str | None = None
    claimant_hash: str | None = None
    purchase: str | None = None
    basket_exists: bool = True
    """Known of one that has expired: one that is deleted cancels what can still be claimed."""

    def state(self, now: datetime) -> TransferState:
        """Return the state at a moment: at exactly ``expires`` it is dead."""
        if self.claimed is not None:
            return TransferState.CLAIMED
        if self.cancelled is not None or not self.basket_exists:
            return TransferState.CANCELLED
        if now >= self.expires or self.expires > latest_end(now):
            return TransferState.EXPIRED
        return TransferState.PENDING if self.opened is None else TransferState.OPENED

    def claimable(self, now: datetime) -> bool:
        """Tell whether it can be taken over at a moment."""
        return self.state(now) in {TransferState.PENDING, TransferState.OPENED}

    def claimed_through(self, claimant: str | None) -> bool:
        """Tell whether it was taken over by the one who can prove it with ``claimant``."""
        return (
            self.claimed is not None
            and claimant is not None
            and self.claimant_hash == hash_secret(claimant)
        )

    @property
    def renewable_until(self) -> datetime:
        """The moment from which on its screen gets no new code any more."""
        return self.created + RENEWABLE_FOR

    @property
    def shown_until(self) -> datetime:
        """The moment from which on its screen's address leads nowhere.

        The last code that was to be had is shown to its end, and then what became of it.
        """
        ends = max(self.renewable_until, self.expires + CLAIM_WINDOW)
        return ends if self.claimed is None else max(ends, self.claimed + FOLLOWED_FOR)

    def followed_for(self, now: datetime) -> timedelta:
        """Return for how much longer its screen asks what becomes of the basket."""
        if self.claimed is None:
            return timedelta()
        return min(max(self.claimed + FOLLOWED_FOR - now, timedelta()), FOLLOWED_FOR)

    def renewable(self, now: datetime) -> bool:
        """Tell whether its screen may ask for a new code."""
        return self.created - OUR_CLOCKS_DIFFER <= now < self.renewable_until

    def seconds_left(self, now: datetime) -> int:
        """Return the whole seconds until it expires, rounded up: 0 only when it is over."""
        if not self.claimable(now):
            return 0
        return -int((now - self.expires) / timedelta(seconds=1) // 1)


def latest_end(now: datetime) -> datetime:
    """Return when an offer that is made now by one of our machines ends at the latest."""
    return now + CLAIM_WINDOW + OUR_CLOCKS_DIFFER


PARAMETERS = ("jaySource", "jayToken")
"""What is added to a web shop's URL (contract, transfer)."""


def has_room_for(url: str, *names: str) -> bool:
    """Tell whether a URL has no query parameter of these names yet: many servers read the first."""
    return not set(names) & {name for name, _ in parse_qsl(urlsplit(url).query, True)}


def with_parameters(url: str, parameters: dict[str, str]) -> str:
    """Add query parameters to a URL, keeping its query (to the letter) and its fragment."""
    parts = urlsplit(url)
    query = "&".join(filter(None, [parts.query, urlencode(parameters)]))
    return urlunsplit(parts._replace(query=query))
