"""A shop with WooCommerce, by its REST API wc/v3.

It knows no idempotency key and no search by meta data: an order carries the part's number in its
meta data, and those since the part was made are looked through. Totals of lines are told without
tax, which the shop adds by its own rates.
"""

import base64
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from jay.checkout.addresses import Address
from jay.clock import iso
from jay.connectors.calling import Calls
from jay.connectors.interface import (
    SOURCE,
    Draft,
    DraftLine,
    GivenBack,
    InShop,
    Problem,
    Sent,
    amount_of,
    each_read,
)

PART = "_jay_basket_part"
"""The key of the meta data that names the part."""

PER_PAGE = 100
_CLOCKS_DIFFER = timedelta(hours=1)
_TRACKING = "_wc_shipment_tracking_items"
"""Where the usual extension for parcels keeps them; WooCommerce itself knows none."""


class WooCommerce:
    """A shop with WooCommerce.

    :param address: of the site, ``https://shop.example``.
    :param credentials: ``key`` and ``secret`` of a REST API key that reads and writes.
    """

    def __init__(self, address: str, credentials: Mapping[str, str], calls: Calls) -> None:
        self._address, self._calls = address, calls
        both = f"{credentials['key']}:{credentials['secret']}"
        self._headers = {"Authorization": "Basic " + base64.b64encode(both.encode()).decode()}

    def check(self) -> str:
        """Return the site's address; the key must read and write orders and read products."""
        self._get("products", per_page=1, _fields="id")
        self._get("orders", per_page=1, _fields="id")
        # Nothing is changed: there is no such order, and only who may write is told so.
        try:
            self._call("PUT", "orders/0", {"status": "processing"})
        except Problem as problem:
            if "credentials" in problem.failure:
                raise Problem("the key may not write orders", hold=True) from problem
        return self._address

    def find(self, part_no: str, *, since: datetime) -> str | None:
        """Return the id of the order that was made for a part."""
        for one in self._since(since - _CLOCKS_DIFFER):
            if any(meta["key"] == PART and meta["value"] == part_no for meta in one["meta_data"]):
                return str(one["id"])
        return None

    def _since(self, moment: datetime) -> Iterator[Any]:
        page, pages = 1, 1
        while page <= pages:
            told, headers = self._get_page(
                "orders",
                after=iso(moment).removesuffix("Z"),
                dates_are_gmt="true",
                status="any",
                orderby="date",
                order="desc",
                page=page,
                per_page=PER_PAGE,
                _fields="id,meta_data",
            )
            yield from told
            page, pages = page + 1, int(headers.get("X-WP-TotalPages") or 1)

    def create(self, draft: Draft) -> str:
        """Make an order that is paid already."""
        products = self._products([line.sku for line in draft.lines])
        net = draft.shipping - draft.shipping_tax
        body = {
            # What waits to be paid sends the shopper no mail and takes no stock.
            "status": "pending" if draft.test else "processing",
            "currency": draft.currency,
            "payment_method": "jay-basket",
            "payment_method_title": SOURCE + (" (test)" if draft.test else ""),
            "transaction_id": draft.payment,
            "set_paid": not draft.test,
            "customer_note": f"{SOURCE} {draft.part_no}" + (", only a test" if draft.test else ""),
            "billing": _address(draft.contact.billed_to, draft.contact.email),
            "shipping": _address(draft.contact.goes_to),
            "line_items": [_line(draft, line, products[line.sku]) for line in draft.lines],
            "shipping_lines": [
                {"method_id": "jay-basket", "method_title": "Shipping", "total": draft.major(net)}
            ]
            if draft.shipping
            else [],
            "meta_data": [
                {"key": PART, "value": draft.part_no},
                *([{"key": "_jay_basket_test", "value": "yes"}] if draft.test else []),
            ],
        }
        return str(self._call("POST", "orders", body)["id"])

    def _products(self, skus: Sequence[str]) -> dict[str, dict[str, int]]:
        wanted = sorted(set(skus))
        found: dict[str, dict[str, int]] = {}
        for sku in wanted:
            for one in self._get("products", sku=sku, _fields="id,sku,type,parent_id"):
                if one["sku"] != sku:
                    continue
                if sku in found:
                    raise Problem(f"several products in the shop have the SKU {sku}")
                if one["type"] == "variation":
                    found[sku] = {"product_id": one["parent_id"], "variation_id": one["id"]}
                else:
                    found[sku] = {"product_id": one["id"]}
            if sku not in found:
                raise Problem(f"no product in the shop has the SKU {sku}")
        return found

    def cancel(self, identifier: str) -> None:
        """Cancel an order."""
        self._call("PUT", f"orders/{identifier}", {"status": "cancelled"})

    def note(self, identifier: str, text: str) -> None:
        """Write a private note to an order, once."""
        notes = self._get(f"orders/{identifier}/notes", type="internal")
        if all(one["note"] != text for one in notes):
            self._call("POST", f"orders/{identifier}/notes", {"note": text})

    def read(self, identifiers: Sequence[str]) -> list[InShop]:
        """Return orders as they are now."""
        fields = "id,status,currency,refunds,meta_data"
        told = self._get(
            "orders", include=",".join(identifiers), status="any", per_page=PER_PAGE, _fields=fields
        )
        return each_read(_listed(told), _in_shop)

    def _get(self, path: str, **query: Any) -> Any:
        return self._get_page(path, **query)[0]

    def _get_page(self, path: str, **query: Any) -> tuple[Any, Mapping[str, str]]:
        url = f"{self._address}/wp-json/wc/v3/{path}?{urlencode(query)}"
        return self._calls.call("GET", url, headers=self._headers)

    def _call(self, method: str, path: str, body: Any) -> Any:
        url = f"{self._address}/wp-json/wc/v3/{path}"
        return self._calls.call(method, url, headers=self._headers, body=body)[0]


def _line(draft: Draft, line: DraftLine, product: Mapping[str, int]) -> dict[str, Any]:
    net = draft.major(line.price * line.count - line.tax)
    return {**product, "name": line.name, "quantity": line.count, "subtotal": net, "total": net}


def _address(address: Address | None, email: str | None = None) -> dict[str, str]:
    told = {} if email is None else {"email": email}
    if address is None:
        return told
    return told | {
        "first_name": address.first_name,
        "last_name": address.last_name,
        "address_1": f"{address.street} {address.house_number}",
        "address_2": address.addition or "",
        "postcode": address.zip,
        "city": address.city,
        "country": address.country_code,
    }


def _listed(told: Any) -> Any:
    """Return a list of PHP: one whose keys have gaps is written as an object."""
    return list(told.values()) if isinstance(told, dict) else told


def _in_shop(order: Mapping[str, Any]) -> InShop:
    meta = {one["key"]: one["value"] for one in _listed(order["meta_data"])}
    parcel: Mapping[str, Any] = next(iter(_listed(meta.get(_TRACKING) or [])), {})
    sent = []
    if order["status"] == "completed":
        sent = [
            Sent(
                "completed",
                None,
                parcel.get("tracking_provider") or parcel.get("custom_tracking_provider") or None,
                parcel.get("tracking_number") or None,
                parcel.get("custom_tracking_link") or None,
            )
        ]
    return InShop(
        id=str(order["id"]),
        part_no=meta.get(PART),
        cancelled=order["status"] == "cancelled",
        sent=sent,
        given_back=[
            GivenBack(
                str(one["id"]),
                abs(amount_of(one["total"])),
                order["currency"],
                str(one.get("reason") or ""),
            )
            for one in _listed(order["refunds"])
            if one["total"]  # empty while it is being written
        ],
    )
