"""Records whose amounts are in major units, brought into minor ones."""

from collections.abc import Callable, Iterator
from typing import Any

from jay.feeds.amounts import Unreadable, read_money
from jay.feeds.readers import Attributes, Record
from jay.feeds.units import AMOUNTS, SALE, SCALE, SHIPPING_AMOUNTS
from jay.i18n import CURRENCIES, minor_digits


def in_major_units(records: Iterator[Record], currency: str) -> Iterator[Record]:
    """Yield the records with their amounts in minor units.

    :param currency: of products that name none.
    """
    # A variant's row may leave its product's currency out; only another number of decimal places
    # makes a difference, so hardly a product has to be remembered.
    odd: dict[str, str] = {}
    for record in records:
        if record.body is None:
            yield record
            continue
        known = odd.get(record.main_sku or "", currency)
        try:
            body = _converted(record.body, known)
        except Unreadable as error:
            yield record._replace(body=None, reason=str(error))
            continue
        own = body.get("currency", currency)
        if minor_digits(str(own)) != minor_digits(currency) and record.main_sku is None:
            odd[record.sku] = str(own)
        yield record._replace(body=body)


def _converted(body: Attributes, currency: str) -> Attributes:
    given = body.get("currency")
    if isinstance(given, str) and given in CURRENCIES:
        currency = given
    named: set[str] = set()

    def minor(name: str, value: Any) -> Any:
        # What is neither a number nor a text is left for the schema to refuse.
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            return value
        try:
            amount, own = read_money(value if isinstance(value, str) else repr(value), currency)
        except Unreadable as error:
            raise Unreadable(f"{name}: {error}") from None
        named.add(own)
        return amount

    converted = {
        name: minor(name, value) if name in AMOUNTS else value for name, value in body.items()
    }
    if isinstance(sale := body.get(SALE), dict) and "price" in sale:
        converted[SALE] = {**sale, "price": minor("sale", sale["price"])}
    if isinstance(model := body.get("shippingModel"), dict):
        converted["shippingModel"] = _model(model, minor)
    if named - {given or currency} and (given or len(named) > 1):
        raise Unreadable(f"currency: the amounts of one product are in {_all(named, given)}.")
    if named and not given and named != {currency}:
        converted["currency"] = next(iter(named))
    if isinstance(variants := body.get("variants"), list):
        own = converted.get("currency", currency)
        converted["variants"] = [
            _converted(one, own) if isinstance(one, dict) else one for one in variants
        ]
    return converted


def _all(named: set[str], given: Any) -> str:
    return " and ".join(sorted({*named, *([given] if given else [])}))


def _model(model: Attributes, minor: Callable[[str, Any], Any]) -> Attributes:
    converted = {
        name: minor(name, value) if name in SHIPPING_AMOUNTS else value
        for name, value in model.items()
    }
    if isinstance(scale := model.get(SCALE), list):
        converted[SCALE] = [
            {**step, "price": minor(SCALE, step["price"])}
            if isinstance(step, dict) and "price" in step
            else step
            for step in scale
        ]
    return converted
