"""A product as it would be stored, for a person who tries a file out."""

from collections.abc import Iterator, Mapping
from typing import Any

from jay import i18n
from jay.feeds.importing import News
from jay.feeds.readers import Record
from jay.merchants.models import Merchant
from jay.products.bulk import Put
from jay.products.models import moment_of

MOST = 100
"""Characters of the longest text that is shown."""


def written(record: Record, put: Put | News, merchant: Merchant) -> str:
    """Write what a record becomes, on a few lines."""
    if isinstance(put, News):
        offer = ", ".join(_offer(put.item, put.currency or merchant.currency))
        return f"{put.item['sku']} ({put.lang}-{put.country}), an update: {offer}"
    lines: list[str] = []
    variant_only = record.main_sku is not None
    if put.main is not None and not variant_only:
        lines.append(f"{put.sku} ({put.lang}-{put.country}): {_cut(put.main['name'])}")
        volatile = put.main["volatile"]
        currency = volatile.get("currency") or merchant.currency
        facts = *_offer(volatile, currency), *_unsaid(volatile), *_described(put.main)
        lines += [f"    {fact}" for fact in facts]
    for variant in put.variants:
        currency = variant.get("currency") or merchant.currency
        named = f"{variant.get('type') or ''} {variant.get('value') or ''}".strip()
        of = f"variant of {put.sku}" if variant_only else "variant"
        facts = *_offer(variant, currency), *_unsaid(variant, put.sku)
        start = "" if variant_only else "    "
        lines.append(f"{start}{variant['sku']}, {of}: {named}; {', '.join(facts)}")
    lines += [f"    left out: {_cut(note)}" for note in record.notes]
    return "\n".join(lines)


def _offer(given: Mapping[str, Any], currency: str) -> Iterator[str]:
    price, before = given.get("price"), given.get("org_price")
    if price is not None:
        text = i18n.money(price, currency, "en")
        if before is not None and before > price:
            text += f", before {i18n.money(before, currency, 'en')}"
        yield f"price {text} ({price} {currency} in minor units)"
    elif before is not None:
        yield f"before {i18n.money(before, currency, 'en')}"
    if sale := given.get("sale"):
        ends = [f"{word} {_minute(sale[word])}" for word in ("from", "until") if sale[word]]
        yield f"sale price {i18n.money(sale['price'], currency, 'en')} {' '.join(ends)}"
    if "stock_count" in given:
        count = given["stock_count"]
        yield f"stock {'without limit' if count is None else count}"


def _unsaid(given: Mapping[str, Any], of: str | None = None) -> Iterator[str]:
    """Write what becomes of price and stock that a product does not say.

    :param of: the SKU of a variant's product.
    """
    if of is None and given.get("price") is None:
        yield "price not set: it stays as it is stored"
    if "stock_count" not in given:
        other = "without limit" if of is None else f"that of {of}"
        yield f"stock not set: it stays as it is stored, else {other}"


def _minute(stored: int) -> str:
    return f"{moment_of(stored):%Y-%m-%d %H:%M} UTC"


def _described(main: Mapping[str, Any]) -> Iterator[str]:
    shipping = main["volatile"].get("shipping")
    if shipping:
        yield f"shipping {shipping}"
    for name, value in main["description"].items():
        yield f"{name} {_cut(str(value))}"


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MOST else f"{line[:MOST]} ..."
