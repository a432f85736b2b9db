"""A shop at Shopify, by its GraphQL Admin API.

``orderCreate`` knows no idempotency key: an order carries the part's number as
``sourceIdentifier``, and is looked for by it. A mutation that is refused answers 200 with
``userErrors``; a query that is too dear for now answers 200 with ``THROTTLED`` and what the bucket
holds.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from jay.checkout.addresses import Address
from jay.clock import iso
from jay.connectors.calling import Calls
from jay.connectors.interface import (
    SOURCE,
    UNSURE_FOR,
    Draft,
    DraftLine,
    GivenBack,
    InShop,
    Problem,
    Sent,
    amount_of,
    each_read,
)

API_VERSION = "2026-10"
"""What is spoken, whatever the newest is; a newer one is a change of ours, once a year at least."""

SCOPES = ("read_orders", "write_orders", "read_products")

_SCOPES = "{ shop { name } currentAppInstallation { accessScopes { handle } } }"
_FIND = """query($query: String!) {
  orders(first: 10, query: $query) { nodes { id sourceIdentifier } }
}"""
_VARIANTS = """query($query: String!) {
  productVariants(first: 250, query: $query) { nodes { id sku } }
}"""
_CREATE = """mutation($order: OrderCreateOrderInput!, $options: OrderCreateOptionsInput) {
  orderCreate(order: $order, options: $options) {
    order { id } userErrors { field message }
  }
}"""
_CANCEL = """mutation(
  $orderId: ID!, $reason: OrderCancelReason!, $restock: Boolean!
  $refundMethod: OrderCancelRefundMethodInput!
) {
  orderCancel(
    orderId: $orderId, reason: $reason, restock: $restock, refundMethod: $refundMethod
    notifyCustomer: false
  ) {
    job { id } orderCancelUserErrors { field message }
  }
}"""
_NOTE = """mutation($id: ID!, $tags: [String!]!) {
  tagsAdd(id: $id, tags: $tags) { node { id } userErrors { field message } }
}"""
_READ = """query($ids: [ID!]!, $parcels: Int!, $lines: Int!, $refunds: Int!) {
  nodes(ids: $ids) {
    ... on Order {
      id sourceIdentifier cancelledAt
      fulfillments(first: $parcels) {
        id status trackingInfo { company number url }
        fulfillmentLineItems(first: $lines) { nodes { quantity lineItem { sku } } }
      }
      refunds(first: $refunds) { id note totalRefundedSet { shopMoney { amount currencyCode } } }
    }
  }
}"""

READ_AT_ONCE = 4
"""So many orders a query: it may cost 1,000 points, and is priced by what it could return."""

_FEW = {"parcels": 5, "lines": 15, "refunds": 5}
_MANY = {"parcels": 15, "lines": 25, "refunds": 20}
"""For an order alone that has more than a few."""


class TooDear(Problem):
    """A query costs more than any may."""


class Shopify:
    """A shop at Shopify.

    :param address: ``https://NAME.myshopify.com``.
    :param credentials: ``token``; or ``client_id`` and ``client_secret`` of an app, which are
        exchanged for a token that lasts a day.
    """

    def __init__(self, address: str, credentials: Mapping[str, str], calls: Calls) -> None:
        self._address, self._credentials, self._calls = address, credentials, calls
        self._token = credentials.get("token")

    def check(self) -> str:
        """Return the shop's name; the app must have the scopes that are needed."""
        told = self._ask(_SCOPES, {})
        scopes = {one["handle"] for one in told["currentAppInstallation"]["accessScopes"]}
        missing = [one for one in SCOPES if one not in scopes]
        if missing:
            raise Problem(f"the app lacks the scopes {', '.join(missing)}", hold=True)
        return str(told["shop"]["name"])

    def find(self, part_no: str, *, since: datetime) -> str | None:
        """Return the id of the order that was made for a part."""
        told = self._ask(_FIND, {"query": f"source_identifier:'{part_no}'"})
        for one in told["orders"]["nodes"]:
            if one["sourceIdentifier"] == part_no:
                return str(one["id"])
        return None

    def create(self, draft: Draft) -> str:
        """Make an order that is paid already."""
        variants = self._variants([line.sku for line in draft.lines])
        order = {
            "currency": draft.currency,
            "email": draft.contact.email,
            "sourceIdentifier": draft.part_no,
            "sourceName": "jay-basket",
            "processedAt": iso(draft.created),
            "test": draft.test,
            "taxesIncluded": True,
            "tags": ["jay-basket", *(["test"] if draft.test else [])],
            "customAttributes": [{"key": f"{SOURCE} order", "value": draft.part_no}],
            "lineItems": [_line(draft, line, variants[line.sku]) for line in draft.lines],
            "shippingLines": _shipping(draft),
            "billingAddress": _address(draft.contact.billed_to),
            "shippingAddress": _address(draft.contact.goes_to),
            "transactions": [
                {
                    "kind": "SALE",
                    "status": "SUCCESS",
                    "gateway": SOURCE,
                    "test": draft.test,
                    "amountSet": _money(draft, draft.total),
                }
            ],
        }
        behaviour = "BYPASS" if draft.test else "DECREMENT_IGNORING_POLICY"
        told = self._change(
            "orderCreate",
            _CREATE,
            {
                "order": {name: value for name, value in order.items() if value is not None},
                "options": {
                    "inventoryBehaviour": behaviour,
                    "sendReceipt": False,
                    "sendFulfillmentReceipt": False,
                },
            },
        )
        return str(told["order"]["id"])

    def _variants(self, skus: Sequence[str]) -> dict[str, str]:
        """Return the variants by SKU; each has to be there once."""
        wanted = sorted(set(skus))
        quoted = " OR ".join("sku:" + _quoted(sku) for sku in wanted)
        nodes = self._ask(_VARIANTS, {"query": quoted})["productVariants"]["nodes"]
        found: dict[str, str] = {}
        for one in nodes:
            if one["sku"] in found:
                raise Problem(f"several variants in the shop have the SKU {one['sku']}")
            if one["sku"] in wanted:
                found[one["sku"]] = one["id"]
        for sku in wanted:
            if sku not in found:
                raise Problem(f"no variant in the shop has the SKU {sku}")
        return found

    def cancel(self, identifier: str) -> None:
        """Cancel an order: the money goes back by us."""
        self._change(
            "orderCancel",
            _CANCEL,
            {
                "orderId": identifier,
                "reason": "CUSTOMER",
                "restock": True,
                "refundMethod": {"originalPaymentMethodsRefund": False},
            },
            errors="orderCancelUserErrors",
        )

    def note(self, identifier: str, text: str) -> None:
        """Tag an order: a tag is added once, and can be filtered by."""
        self._change("tagsAdd", _NOTE, {"id": identifier, "tags": [text]})

    def read(self, identifiers: Sequence[str]) -> Iterator[InShop]:
        """Return orders as they are now; some at once, fewer where that is too dear."""
        groups = [
            identifiers[start : start + READ_AT_ONCE]
            for start in range(0, len(identifiers), READ_AT_ONCE)
        ]
        while groups:
            ids = groups.pop(0)
            try:
                nodes = self._ask(_READ, {"ids": list(ids), **_FEW})["nodes"]
            except TooDear:
                if len(ids) == 1:
                    raise
                half = len(ids) // 2
                groups[:0] = [ids[:half], ids[half:]]
                continue
            yield from each_read(nodes, self._whole)

    def _whole(self, order: Mapping[str, Any]) -> InShop:
        if _is_full(order, _FEW):
            (order,) = self._ask(_READ, {"ids": [order["id"]], **_MANY})["nodes"]
            if _is_full(order, _MANY):
                raise ValueError("nobody knows whether that is all")
        return _in_shop(order)

    def _change(
        self, name: str, query: str, variables: Mapping[str, Any], errors: str = "userErrors"
    ) -> Any:
        told = self._ask(query, variables)[name]
        if told[errors]:
            # What it says may quote an address; where it is wrong says enough.
            where = sorted({".".join(one["field"] or ["order"]) for one in told[errors]})
            raise Problem(f"the shop does not take {', '.join(where)}")
        return told

    def _ask(self, query: str, variables: Mapping[str, Any]) -> Any:
        url = f"{self._address}/admin/api/{API_VERSION}/graphql.json"
        headers = {"X-Shopify-Access-Token": self._access_token()}
        body = {"query": query, "variables": dict(variables)}
        told, _ = self._calls.call("POST", url, headers=headers, body=body)
        if told.get("errors") or told.get("data") is None:
            raise _problem(told)
        return told["data"]

    def _access_token(self) -> str:
        if self._token is None:
            asked = {
                "grant_type": "client_credentials",
                "client_id": self._credentials["client_id"],
                "client_secret": self._credentials["client_secret"],
            }
            url = f"{self._address}/admin/oauth/access_token"
            told, _ = self._calls.call("POST", url, headers={}, body=asked)
            self._token = str(told["access_token"])
        return self._token


def _problem(told: Mapping[str, Any]) -> Problem:
    errors = told.get("errors")
    codes = {
        str((one.get("extensions") or {}).get("code"))
        for one in (errors if isinstance(errors, list) else [])
        if isinstance(one, dict)
    }
    if "THROTTLED" in codes:
        cost = (told.get("extensions") or {}).get("cost") or {}
        status = cost.get("throttleStatus") or {}
        lacks = float(cost.get("requestedQueryCost") or 0) - float(
            status.get("currentlyAvailable") or 0
        )
        seconds = max(1.0, lacks / max(1.0, float(status.get("restoreRate") or 1)))
        return Problem("the shop is asked too often", hold=True, wait=timedelta(seconds=seconds))
    if "MAX_COST_EXCEEDED" in codes:
        return TooDear("the question is too dear for the shop")
    if "ACCESS_DENIED" in codes:
        return Problem("the app lacks a scope that is needed", hold=True)
    told_codes = ", ".join(sorted(code for code in codes if code.isidentifier()))
    # Such as INTERNAL_SERVER_ERROR or TIMEOUT: it may have been done all the same.
    return Problem(f"the shop does not do what is asked: {told_codes}", wait=UNSURE_FOR)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _money(draft: Draft, amount: int) -> dict[str, Any]:
    return {"shopMoney": {"amount": draft.major(amount), "currencyCode": draft.currency}}


def _line(draft: Draft, line: DraftLine, variant: str) -> dict[str, Any]:
    tax = {"title": "VAT", "rate": line.vat / 100, "priceSet": _money(draft, line.tax)}
    return {
        "variantId": variant,
        "quantity": line.count,
        "priceSet": _money(draft, line.price),
        "taxLines": [tax] if line.tax else [],
        "requiresShipping": True,
    }


def _shipping(draft: Draft) -> list[dict[str, Any]]:
    if not draft.shipping:
        return []
    tax, taxes = draft.shipping_tax, []
    if tax:
        rate = round(tax / (draft.shipping - tax), 3)
        taxes = [{"title": "VAT", "rate": rate, "priceSet": _money(draft, tax)}]
    return [{"title": "Shipping", "priceSet": _money(draft, draft.shipping), "taxLines": taxes}]


def _address(address: Address | None) -> dict[str, Any] | None:
    if address is None:
        return None
    return {
        "firstName": address.first_name,
        "lastName": address.last_name,
        "address1": f"{address.street} {address.house_number}",
        "address2": address.addition or "",
        "zip": address.zip,
        "city": address.city,
        "countryCode": address.country_code,
    }


def _is_full(order: Mapping[str, Any], asked: Mapping[str, int]) -> bool:
    """Tell whether there may be more than was asked for."""
    parcels = order["fulfillments"]
    return (
        len(parcels) >= asked["parcels"]
        or len(order["refunds"]) >= asked["refunds"]
        or any(len(one["fulfillmentLineItems"]["nodes"]) >= asked["lines"] for one in parcels)
    )


def _in_shop(order: Mapping[str, Any]) -> InShop:
    return InShop(
        id=str(order["id"]),
        part_no=order["sourceIdentifier"],
        cancelled=order["cancelledAt"] is not None,
        sent=[_sent(one) for one in order["fulfillments"] if one["status"] == "SUCCESS"],
        given_back=[
            GivenBack(
                str(one["id"]),
                amount_of(one["totalRefundedSet"]["shopMoney"]["amount"]),
                one["totalRefundedSet"]["shopMoney"]["currencyCode"],
                str(one["note"] or ""),
            )
            for one in order["refunds"]
        ],
    )


def _sent(one: Mapping[str, Any]) -> Sent:
    pieces: dict[str, int] = {}
    for line in one["fulfillmentLineItems"]["nodes"]:
        sku = line["lineItem"]["sku"]
        pieces[sku] = pieces.get(sku, 0) + line["quantity"]
    tracking: Mapping[str, Any] = next(iter(one["trackingInfo"]), {})
    return Sent(
        str(one["id"]), pieces, tracking.get("company"), tracking.get("number"), tracking.get("url")
    )
