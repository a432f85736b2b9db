"""What a browser remembers of its checkout: the order number that its address was typed for.

The basket may be on several devices; what one person has typed is shown on no other one. So the
session's cookie names the order number, and proves that the address under it is this browser's.
"""

import hmac
from dataclasses import asdict, dataclass

import orjson
from flask import session
from sqlalchemy import Connection

from jay import web
from jay.checkout import contacts, sessions
from jay.checkout.addresses import NOBODY, Contact
from jay.checkout.models import Session

_KEY = "checkout"


@dataclass(frozen=True)
class Remembered:
    """The last checkout of this browser, and who buys as it was typed here."""

    session: Session | None = None
    contact: Contact = NOBODY


def remember(order_no: str, contact: Contact) -> None:
    """Note that a contact was typed in this browser."""
    session[_KEY] = [order_no, _proof(order_no, contact)]
    session.permanent = True


def remembered(connection: Connection) -> Remembered:
    """Return what this browser remembers; nothing where another one has told otherwise since."""
    if _KEY not in session:
        return Remembered()
    order_no, proof = session[_KEY]
    found = sessions.find(connection, order_no)
    contact = contacts.find(connection, order_no, secret=web.settings().secret_key)
    if not hmac.compare_digest(_proof(order_no, contact), proof):
        contact = NOBODY
    return Remembered(found, contact)


def is_of_this_browser(order_no: str) -> bool:
    """Tell whether it is the checkout that this browser has typed an address for."""
    return _KEY in session and session[_KEY][0] == order_no


def _proof(order_no: str, contact: Contact) -> str:
    content = f"contact of {order_no}".encode() + orjson.dumps(asdict(contact))
    return hmac.digest(web.settings().secret_key.encode(), content, "sha256")[:16].hex()
