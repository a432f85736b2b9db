"""The form of who buys and where it goes: what was typed stays, what is wrong is told at its field.

The rule book is that of the API (``addresses``); here it is said to people.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from jay import i18n
from jay.checkout.addresses import (
    LONGEST,
    NOBODY,
    Address,
    Contact,
    Problem,
    Wrong,
    checked_address,
    checked_email,
)
from jay.web.pages import gettext as _
from jay.web.pages import language

FIELDS = {
    "firstName": "first_name",
    "lastName": "last_name",
    "street": "street",
    "houseNumber": "house_number",
    "addition": "addition",
    "zip": "zip",
    "city": "city",
    "countryCode": "country_code",
}
"""The form's fields, as browsers and the contract know them, and those of ``Address``."""

ELSEWHERE = "elsewhere"
"""The box that is ticked where it goes to another address; its fields have this before their
names."""

LONGEST_KEPT = 600
"""Characters of what was typed that are shown again: more than any field may have."""


@dataclass(frozen=True)
class AddressForm:
    """What was typed, and what is wrong with it, by the names of the form's fields."""

    values: Mapping[str, str]
    errors: Mapping[str, str] = field(default_factory=dict)
    contact: Contact = NOBODY


def empty_form(country: str) -> AddressForm:
    """Return the form for who has said nothing yet."""
    return AddressForm({"countryCode": country, _elsewhere("countryCode"): country})


def form_of(contact: Contact, country: str) -> AddressForm:
    """Return the form of what was said before."""
    values = {**empty_form(country).values, "email": contact.email or ""}
    addresses = [("", contact.billed_to), (ELSEWHERE, contact.shipping)]
    for prefix, address in addresses:
        if address is not None:
            values |= {
                _name(prefix, name): getattr(address, attribute) or ""
                for name, attribute in FIELDS.items()
            }
    if contact.shipping is not None:
        values[ELSEWHERE] = "yes"
    return AddressForm(values, contact=contact)


def read_form(sent: Mapping[str, str], countries: Sequence[str]) -> AddressForm:
    """Read what was typed.

    :param countries: where all merchants of the cart deliver to.
    """
    names = ["email", ELSEWHERE, *(_name(p, n) for p in ("", ELSEWHERE) for n in FIELDS)]
    values = {name: sent.get(name, "")[:LONGEST_KEPT] for name in names}
    errors: dict[str, str] = {}
    email = None
    try:
        email = checked_email(values["email"])
    except Wrong as error:
        errors["email"] = _said("email", error.problems["email"])
    elsewhere = bool(values[ELSEWHERE])
    main = _address(values, "", errors, () if elsewhere else countries)
    other = _address(values, ELSEWHERE, errors, countries) if elsewhere else None
    return AddressForm(values, errors, NOBODY if errors else Contact(email, main, other))


def _address(
    values: Mapping[str, str], prefix: str, errors: dict[str, str], countries: Sequence[str]
) -> Address | None:
    typed = {FIELDS[name]: values[_name(prefix, name)] for name in FIELDS}
    problems: Mapping[str, Problem] = {}
    try:
        address = checked_address(typed)
        if countries and address.country_code not in countries:
            problems = {"country_code": Problem.NOT_DELIVERED}
    except Wrong as error:
        problems = error.problems
    errors |= {
        _name(prefix, name): _said(attribute, problems[attribute])
        for name, attribute in FIELDS.items()
        if attribute in problems
    }
    return None if problems else address


def _name(prefix: str, name: str) -> str:
    return f"{prefix}-{name}" if prefix else name


def _elsewhere(name: str) -> str:
    return _name(ELSEWHERE, name)


def _said(name: str, problem: Problem) -> str:
    if problem is Problem.MISSING:
        return {
            "email": _("Enter your e-mail address."),
            "first_name": _("Enter your first name."),
            "last_name": _("Enter your last name."),
            "street": _("Enter the street."),
            "house_number": _("Enter the house number."),
            "zip": _("Enter the postcode."),
            "city": _("Enter the town."),
        }.get(name, _("Choose a country."))
    return {
        Problem.TOO_LONG: _("That is too long: at most %(n)s characters.", n=LONGEST[name]),
        Problem.NOT_PRINTABLE: _("There is a character in it that can't be printed."),
        Problem.NO_EMAIL: _("This is no e-mail address. It looks like name@example.com."),
        Problem.NOT_DELIVERED: _("A shop of your basket does not deliver to this country."),
        Problem.NO_ZIP: _("This is no postcode of this country."),
    }.get(problem, _("Choose a country."))


def country_choices(codes: Sequence[str]) -> list[tuple[str, str]]:
    """Return countries with their names in the page's language, by name."""
    named = [(code, i18n.country(code, language())) for code in codes]
    return sorted(named, key=lambda each: each[1])
