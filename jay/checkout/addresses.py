"""Who buys, where it goes, and what addresses and e-mail addresses may be.

One rule book for the API and for the form on the phone: what is wrong is told field by field, and
each of the two says it in its own words.
"""

import enum
import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from jay.i18n import COUNTRIES, is_blank
from jay.net.emails import normal_email


class Requirement(enum.StrEnum):
    """What has to be known of who buys (contract, Start); the value is the wire's constant."""

    ADDRESS = "ADDRESS"
    EMAIL = "EMAIL"


@dataclass(frozen=True)
class Address:
    """A postal address. ``country_code``: ISO 3166-1 alpha-2; ``addition``: floor, c/o and such."""

    first_name: str
    last_name: str
    street: str
    house_number: str
    zip: str
    city: str
    country_code: str
    addition: str | None = None


@dataclass(frozen=True)
class Contact:
    """Who buys, and where it goes; what has not been said yet is None.

    :ivar shipping: None: to the billing address.
    """

    email: str | None = field(default=None, repr=False)
    billing: Address | None = field(default=None, repr=False)
    shipping: Address | None = field(default=None, repr=False)

    @property
    def goes_to(self) -> Address | None:
        """Where it is delivered."""
        return self.shipping or self.billing

    @property
    def billed_to(self) -> Address | None:
        """Who is billed."""
        return self.billing or self.shipping

    @property
    def missing(self) -> list[Requirement]:
        """What has not been said yet."""
        said = {Requirement.ADDRESS: self.goes_to, Requirement.EMAIL: self.email}
        return [requirement for requirement, value in said.items() if value is None]


NOBODY = Contact()

Said = Mapping[str, Any]
"""What is told of a ``Contact``, by its fields: None takes it back, what is absent stays."""

NOTHING_SAID: Said = {}


class Problem(enum.Enum):
    """What is wrong with a field."""

    MISSING = enum.auto()
    TOO_LONG = enum.auto()
    NOT_PRINTABLE = enum.auto()
    NO_EMAIL = enum.auto()
    NO_COUNTRY = enum.auto()
    NOT_DELIVERED = enum.auto()
    """A merchant of the cart does not deliver to this country."""
    NO_ZIP = enum.auto()
    """It is not written as this country writes it."""


class Wrong(Exception):
    """Fields are not what they may be.

    :ivar problems: by field; that of a part has the part before it: ``billing.zip``.
    """

    def __init__(self, problems: Mapping[str, Problem]) -> None:
        super().__init__(", ".join(sorted(problems)))
        self.problems = problems


LONGEST = {
    "first_name": 100,
    "last_name": 100,
    "street": 150,
    "house_number": 20,
    "addition": 100,
    "zip": 16,
    "city": 100,
    "country_code": 2,
    "email": 254,  # RFC 5321, 4.5.3.1.3, less the angle brackets
}
"""Characters that a field may have."""

_OPTIONAL = {"addition"}

_ZIPS = {
    country: re.compile(pattern)
    for pattern, countries in {
        "[0-9]{4}": "AT BE BG CH CY DK HU LI LU NO SI",
        "[0-9]{5}": "DE EE ES FI FR HR IT",
        "[0-9]{3} ?[0-9]{2}": "CZ GR SE SK",
        "[0-9]{4} ?[A-Z]{2}": "NL",
        "[0-9]{2}-?[0-9]{3}": "PL",
        "[0-9]{4}-?[0-9]{3}": "PT",
        "[0-9]{5}(-?[0-9]{4})?": "US",
        "[A-Z]{1,2}[0-9][A-Z0-9]? ?[0-9][A-Z]{2}": "GB",
        "[A-Z][0-9][A-Z] ?[0-9][A-Z][0-9]": "CA",
    }.items()
    for country in countries.split()
}
"""How countries write their postcodes, where that is sure; others may have any."""

_WITHOUT_ZIP = "AE AO BS BW FJ GH HK KI KP ML MO MW NA QA RW SC TG TV UG VU YE ZW"

_ANY_ZIP = re.compile("[A-Z0-9][A-Z0-9 -]*")

# Line and paragraph separators, surrogates, and what turns the direction of what follows.
_HIDDEN = frozenset({"Cc", "Zl", "Zp", "Cs"})
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def checked_email(text: str) -> str:
    """Return an e-mail address as it is stored.

    :raises Wrong: it is none.
    """
    written, problem = _written("email", text)
    address = None if problem else normal_email(written)
    if address is None:
        raise Wrong({"email": problem or Problem.NO_EMAIL})
    return address


def checked_address(given: Mapping[str, str | None]) -> Address:
    """Return an address as it is stored, from the fields of ``Address`` as people type them.

    :raises Wrong: with all that is wrong, by the fields of ``Address``.
    """
    problems: dict[str, Problem] = {}
    written: dict[str, str] = {}
    for name in Address.__dataclass_fields__:
        written[name], problem = _written(name, given.get(name) or "")
        if problem is not None:
            problems[name] = problem
    # Not every house has a number, and browsers fill it in behind the street.
    if problems.get("house_number") is Problem.MISSING and _has_digit(written["street"]):
        del problems["house_number"]
    country = written["country_code"] = written["country_code"].upper()
    zip_code = written["zip"] = written["zip"].upper()
    if "country_code" not in problems and country not in COUNTRIES:
        problems["country_code"] = Problem.NO_COUNTRY
    if problems.get("zip") is Problem.MISSING and country in _WITHOUT_ZIP.split():
        del problems["zip"]
    elif "zip" not in problems and not _ZIPS.get(country, _ANY_ZIP).fullmatch(zip_code):
        problems["zip"] = Problem.NO_ZIP
    if problems:
        raise Wrong(problems)
    addition = written.pop("addition")
    return Address(**written, addition=addition or None)


def _written(name: str, text: str) -> tuple[str, Problem | None]:
    """Write a line in Unicode's composed form, with one blank where there are several."""
    if len(text) > LONGEST[name] * 4:  # before anything is made of it
        return "", Problem.TOO_LONG
    if any(unicodedata.category(one) in _HIDDEN or one in _TURNING for one in text):
        return "", Problem.NOT_PRINTABLE
    line = " ".join(unicodedata.normalize("NFC", text).split())
    if is_blank(line):  # of characters that nobody sees: nothing could be delivered there
        line = ""
    if len(line) > LONGEST[name]:
        return line, Problem.TOO_LONG
    return line, Problem.MISSING if not line and name not in _OPTIONAL else None


def _has_digit(text: str) -> bool:
    return any(one.isdecimal() for one in text)


def undelivered(contact: Contact, reached: Iterable[Collection[str]]) -> dict[str, Problem]:
    """Return what is wrong with where it goes.

    :param reached: the countries that each of the merchants delivers to.
    """
    goes_to = contact.goes_to
    if goes_to is None or all(goes_to.country_code in countries for countries in reached):
        return {}
    which = "billing" if contact.shipping is None else "shipping"
    return {f"{which}.country_code": Problem.NOT_DELIVERED}
