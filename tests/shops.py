"""Stand-ins for merchants' shops on loopback: they keep state, and refuse what real ones refuse.

They were written by the public documentation of Shopify's GraphQL Admin API (2026-10) and of
WooCommerce's REST API (wc/v3). What merchants do in their shops, tests do by methods.
"""

import base64
import contextlib
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

Json = dict[str, Any]

_MONEY = {"shopMoney": {"amount": None, "currencyCode": None}}
_TAXES = {"title": None, "rate": None, "priceSet": _MONEY}
_ADDRESS = dict.fromkeys(
    [
        "firstName",
        "lastName",
        "address1",
        "address2",
        "zip",
        "city",
        "countryCode",
        "phone",
        "company",
        "province",
    ]
)
ORDER_INPUT: Json = {
    **dict.fromkeys(
        [
            "currency",
            "email",
            "sourceIdentifier",
            "sourceName",
            "sourceUrl",
            "processedAt",
            "test",
            "taxesIncluded",
            "note",
            "name",
            "phone",
            "poNumber",
            "referringSite",
            "financialStatus",
            "fulfillmentStatus",
        ]
    ),
    "tags": None,
    "customAttributes": {"key": None, "value": None},
    "lineItems": {
        **dict.fromkeys(
            [
                "variantId",
                "productId",
                "title",
                "variantTitle",
                "sku",
                "quantity",
                "requiresShipping",
                "taxable",
            ]
        ),
        "priceSet": _MONEY,
        "taxLines": _TAXES,
    },
    "shippingLines": {"title": None, "code": None, "priceSet": _MONEY, "taxLines": _TAXES},
    "billingAddress": _ADDRESS,
    "shippingAddress": _ADDRESS,
    "transactions": {
        **dict.fromkeys(["kind", "status", "gateway", "test", "processedAt"]),
        "amountSet": _MONEY,
    },
}
"""What ``OrderCreateOrderInput`` takes: an unknown field is an error of the query itself."""


def unknown(given: Any, known: Any, path: str = "order") -> list[str]:
    """Return the fields that are not documented."""
    if isinstance(given, list):
        return [found for one in given for found in unknown(one, known, path)]
    if not isinstance(given, dict):
        return []
    if known is None:
        return [path]
    wrong = [f"{path}.{name}" for name in given if name not in known]
    for name, value in given.items():
        wrong += unknown(value, known.get(name), f"{path}.{name}")
    return wrong


def price(query: str, given: Json) -> int:
    """Price a query: 1 for an object, 2 for a connection, and each node that may come."""
    body = query[query.index("{") + 1 :]
    return _priced(re.findall(r"\w+|\.\.\.|[{}()]", body), given)


def _priced(tokens: list[str], given: Json) -> int:
    cost, many, fragment = 0, 1, False
    while (token := tokens.pop(0)) != "}":
        if token == "(":
            while (argument := tokens.pop(0)) != ")":
                value = given.get(argument, argument)
                if isinstance(value, list):
                    many = len(value)
                elif str(value).isdigit():
                    many = int(value)
        elif token == "{":
            connection = tokens[0] == "nodes"
            inner = _priced(tokens, given)
            cost += 2 + many * inner if connection else many * (inner + (not fragment))
            many, fragment = 1, False
        elif token == "...":
            fragment = True
    return cost


class Cut(Exception):
    """The connection ends without an answer."""


@dataclass
class Stand:
    """What both have in common."""

    url: str = ""
    orders: dict[str, Json] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    # What goes wrong, each once: "cut after", "cut before", "throttled", "500"; "internal after",
    # "odd after": it was done, and the answer says something else.
    faults: list[str] = field(default_factory=list)
    lock: Any = field(default_factory=threading.RLock)

    def fault(self, *names: str) -> str | None:
        """Take the next fault, where it is one of these."""
        return self.faults.pop(0) if self.faults and self.faults[0] in names else None

    def answer(
        self, method: str, path: str, headers: Any, body: Any
    ) -> tuple[int, Any, dict[str, str]]:
        """Answer a request: status, body and headers."""
        raise NotImplementedError


@dataclass
class ShopifyShop(Stand):
    """A shop at Shopify, with one app."""

    scopes: tuple[str, ...] = ("read_orders", "write_orders", "read_products")
    variants: dict[str, list[str]] = field(default_factory=dict)
    # Whether the search does not know yet what was made.
    lags: bool = False
    # What a query may cost, and what the dearest one has.
    most: int = 1000
    dearest: int = 0

    TOKEN: ClassVar[str] = "shpat_jay"
    CLIENT: ClassVar[tuple[str, str]] = ("client-1", "shpss_jay")

    def answer(  # noqa: PLR0911 - each refusal is one of its own
        self, method: str, path: str, headers: Any, body: Any
    ) -> tuple[int, Any, dict[str, str]]:
        """Answer a request."""
        if (method, path) == ("POST", "/admin/oauth/access_token"):
            given = (body.get("client_id"), body.get("client_secret"))
            if body.get("grant_type") != "client_credentials" or given != self.CLIENT:
                return 401, {"error": "invalid_client"}, {}
            return 200, {"access_token": self.TOKEN, "expires_in": 86399}, {}
        if (method, path) != ("POST", "/admin/api/2026-10/graphql.json"):
            return 404, {"errors": "Not Found"}, {}
        if headers.get("X-Shopify-Access-Token") != self.TOKEN:
            return 401, {"errors": "[API] Invalid API key or access token"}, {}
        name = re.findall(
            r"\b(orderCreate|orderCancel|tagsAdd|productVariants|orders|nodes|shop)\b *[({]",
            body["query"],
        )[0]
        self.asked.append(name)
        cost = price(body["query"], body["variables"])
        self.dearest = max(self.dearest, cost)
        if cost > self.most:
            errors = [{"message": "Dear", "extensions": {"code": "MAX_COST_EXCEEDED"}}]
            return 200, {"errors": errors}, {}
        if self.fault("throttled"):
            status = {"maximumAvailable": 2000.0, "currentlyAvailable": 2, "restoreRate": 10.0}
            told = {"requestedQueryCost": 52, "actualQueryCost": None, "throttleStatus": status}
            errors = [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]
            return 200, {"errors": errors, "extensions": {"cost": told}}, {}
        needed = {"productVariants": "read_products", "shop": None}.get(
            name, "read_orders" if name in {"orders", "nodes"} else "write_orders"
        )
        if needed is not None and needed not in self.scopes:
            errors = [{"message": f"Access denied for {name}"}]
            errors[0]["extensions"] = {"code": "ACCESS_DENIED"}  # type: ignore[assignment]
            return 200, {"errors": errors}, {}
        told = getattr(self, f"_{name}")(body["variables"])
        if "errors" in told:
            return 200, told, {}
        return 200, {"data": {name: told} if name != "shop" else told}, {}

    def _shop(self, _given: Json) -> Json:
        scopes = [{"handle": one} for one in self.scopes]
        return {
            "shop": {"name": "Mugs & more"},
            "currentAppInstallation": {"accessScopes": scopes},
        }

    def _orders(self, given: Json) -> Json:
        (wanted,) = re.fullmatch(r"source_identifier:'([^']+)'", given["query"]).groups()  # type: ignore[union-attr]
        known = () if self.lags else self.orders.values()
        found = [one for one in known if one["sourceIdentifier"] == wanted]
        return {
            "nodes": [{name: one[name] for name in ("id", "sourceIdentifier")} for one in found]
        }

    def _productVariants(self, given: Json) -> Json:  # noqa: N802
        skus = re.findall(r"sku:'([^']+)'", given["query"])
        nodes = [{"id": one, "sku": sku} for sku in skus for one in self.variants.get(sku, [])]
        return {"nodes": nodes}

    def _orderCreate(self, given: Json) -> Json:  # noqa: N802
        order, options = given["order"], given["options"]
        wrong = unknown(order, ORDER_INPUT)
        wrong += [
            f"options.{name}"
            for name in options
            if name not in {"inventoryBehaviour", "sendReceipt", "sendFulfillmentReceipt"}
        ]
        if wrong:
            errors = [{"message": wrong[0], "extensions": {"code": "INVALID_VARIABLE"}}]
            return {"errors": errors}
        if not order["lineItems"] or order["shippingAddress"]["zip"] == "00000":
            where = ["order", "shippingAddress", "zip"]
            error = {"field": where, "message": f"{order['email']} has no such zip"}
            return {"order": None, "userErrors": [error]}
        identifier = f"gid://shopify/Order/{len(self.orders) + 1}"
        self.orders[identifier] = {
            **order,
            "id": identifier,
            "options": options,
            "cancelledAt": None,
            "fulfillments": [],
            "refunds": [],
        }
        if self.fault("cut after"):
            raise Cut
        if self.fault("internal after"):
            errors = [{"message": "Oops", "extensions": {"code": "INTERNAL_SERVER_ERROR"}}]
            return {"errors": errors}
        if self.fault("odd after"):
            return {"order": {}, "userErrors": []}
        return {"order": {"id": identifier}, "userErrors": []}

    def _orderCancel(self, given: Json) -> Json:  # noqa: N802
        assert given["refundMethod"] == {"originalPaymentMethodsRefund": False}
        order = self.orders[given["orderId"]]
        problem = [{"field": ["orderId"], "message": "was cancelled"}]
        if order["cancelledAt"] is None:
            order["cancelledAt"], problem = "2025-06-04T12:00:00Z", []
        return {"job": {"id": "1"}, "orderCancelUserErrors": problem}

    def _tagsAdd(self, given: Json) -> Json:  # noqa: N802
        order = self.orders[given["id"]]
        order["tags"] = sorted({*order["tags"], *given["tags"]})
        return {"node": {"id": given["id"]}, "userErrors": []}

    def _nodes(self, given: Json) -> Any:
        names = ("id", "sourceIdentifier", "cancelledAt", "fulfillments", "refunds")
        found = (self.orders.get(one) for one in given["ids"])
        some = [one and {name: one[name] for name in names} for one in found]
        for one in some:
            if one:
                one["fulfillments"] = one["fulfillments"][: given["parcels"]]
                one["refunds"] = one["refunds"][: given["refunds"]]
        return some

    # --- what the merchant does

    def ship(self, part_no: str, pieces: dict[str, int], number: str) -> None:
        """Fulfil some pieces, with a parcel."""
        lines = [{"quantity": count, "lineItem": {"sku": sku}} for sku, count in pieces.items()]
        self.of(part_no)["fulfillments"].append(
            {
                "id": f"gid://shopify/Fulfillment/{number}",
                "status": "SUCCESS",
                "trackingInfo": [{"company": "DHL", "number": number, "url": None}],
                "fulfillmentLineItems": {"nodes": lines},
            }
        )

    def refund(self, part_no: str, amount: str, note: str = "") -> None:
        """Note a refund."""
        order = self.of(part_no)
        money = {"shopMoney": {"amount": amount, "currencyCode": order["currency"]}}
        identifier = f"gid://shopify/Refund/{len(order['refunds'])}"
        order["refunds"].append({"id": identifier, "note": note, "totalRefundedSet": money})

    def cancel(self, part_no: str) -> None:
        """Cancel an order in the shop."""
        self.of(part_no)["cancelledAt"] = "2025-06-04T12:00:00Z"

    def of(self, part_no: str) -> Json:
        """Return the one order of a part."""
        (found,) = (one for one in self.orders.values() if one["sourceIdentifier"] == part_no)
        return found

    @property
    def stored(self) -> tuple[str, ...]:
        """What ``merchant connect`` is told."""
        return self.CLIENT


_WOO_ADDRESS = {
    "first_name",
    "last_name",
    "company",
    "address_1",
    "address_2",
    "city",
    "state",
    "postcode",
    "country",
    "email",
    "phone",
}
_WOO_LINE = {"product_id", "variation_id", "name", "quantity", "subtotal", "total", "meta_data"}
_WOO = {
    **dict.fromkeys(
        [
            "status",
            "currency",
            "payment_method",
            "payment_method_title",
            "transaction_id",
            "set_paid",
            "customer_note",
            "customer_id",
        ]
    ),
    "billing": _WOO_ADDRESS,
    "shipping": _WOO_ADDRESS - {"email"},
    "line_items": _WOO_LINE,
    "shipping_lines": {"method_id", "method_title", "total"},
    "meta_data": {"key", "value"},
}
_STATUSES = {"pending", "processing", "on-hold", "completed", "cancelled", "refunded", "failed"}


@dataclass
class WooShop(Stand):
    """A site with WooCommerce, with one REST API key. WordPress would pass over unknown fields."""

    permissions: str = "read_write"
    products: dict[str, list[Json]] = field(default_factory=dict)
    notes: dict[str, list[Json]] = field(default_factory=dict)

    KEY: ClassVar[tuple[str, str]] = ("ck_jay", "cs_jay")

    def answer(
        self, method: str, path: str, headers: Any, body: Any
    ) -> tuple[int, Any, dict[str, str]]:
        """Answer a request."""
        parts = urlsplit(path)
        query = {name: value[0] for name, value in parse_qs(parts.query).items()}
        where = parts.path.removeprefix("/wp-json/wc/v3/")
        self.asked.append(f"{method} {re.sub('[0-9]+', 'N', where)}")
        both = base64.b64encode(":".join(self.KEY).encode()).decode()
        if headers.get("Authorization") != f"Basic {both}":
            return 401, {"code": "woocommerce_rest_cannot_view"}, {}
        if method != "GET" and self.permissions == "read":
            return 401, {"code": "woocommerce_rest_authentication_error"}, {}
        if self.fault("throttled"):
            return 429, {"code": "rate_limit"}, {"Retry-After": "30"}
        if method == "GET":
            return self._read(where, query)
        return self._write(method, where, body)

    def _read(self, where: str, query: dict[str, str]) -> tuple[int, Any, dict[str, str]]:
        if where == "products":
            return 200, self.products.get(query.get("sku", ""), []), {}
        if where.endswith("/notes"):
            return 200, self.notes.get(where.split("/")[1], []), {}
        found = list(self.orders.values())
        if "include" in query:
            found = [one for one in found if str(one["id"]) in query["include"].split(",")]
        size, page = int(query.get("per_page", 10)), int(query.get("page", 1))
        if size > 100:
            return 400, {"code": "rest_invalid_param"}, {}
        pages = max(1, -(-len(found) // size))
        names = query["_fields"].split(",")
        some = found[::-1][(page - 1) * size : page * size]
        told = [{name: one[name] for name in names} for one in some]
        return 200, told, {"X-WP-TotalPages": str(pages)}

    def _write(self, method: str, where: str, body: Json) -> tuple[int, Any, dict[str, str]]:
        if (method, where) == ("POST", "orders"):
            return self._create(body)
        _, number, *more = where.split("/")
        if number not in self.orders:
            return 404, {"code": "woocommerce_rest_shop_order_invalid_id"}, {}
        if more == ["notes"]:
            self.notes.setdefault(number, []).append({"id": 1, "note": body["note"]})
            return 201, {"id": 1}, {}
        assert body["status"] in _STATUSES
        self.orders[number]["status"] = body["status"]
        return 200, {"id": int(number)}, {}

    def _create(self, body: Json) -> tuple[int, Any, dict[str, str]]:
        for name, value in body.items():
            inner = [value] if isinstance(value, dict) else value
            fields = _WOO[name]
            for one in inner if fields else ():
                assert set(one) <= fields, (name, one)
        if body["shipping"].get("postcode") == "00000":
            return 400, {"code": "rest_invalid_param", "message": "zoe@example.org"}, {}
        if any("product_id" not in line for line in body["line_items"]):
            return 400, {"code": "woocommerce_rest_required_product_reference"}, {}
        number = len(self.orders) + 1
        self.orders[str(number)] = {**body, "id": number, "refunds": []}
        if self.fault("cut after"):
            raise Cut
        return 201, {"id": number}, {}

    # --- what the merchant does

    def ship(self, part_no: str, _pieces: dict[str, int], number: str) -> None:
        """Complete an order; a usual extension keeps the parcel."""
        order = self.of(part_no)
        order["status"] = "completed"
        parcel = {"tracking_provider": "DHL", "tracking_number": number}
        order["meta_data"].append({"key": "_wc_shipment_tracking_items", "value": [parcel]})

    def refund(self, part_no: str, amount: str, note: str = "") -> None:
        """Note a refund."""
        refunds = self.of(part_no)["refunds"]
        refunds.append({"id": 100 + len(refunds), "reason": note, "total": f"-{amount}"})

    def cancel(self, part_no: str) -> None:
        """Cancel an order in the shop."""
        self.of(part_no)["status"] = "cancelled"

    def of(self, part_no: str) -> Json:
        """Return the one order of a part."""
        mark = {"key": "_jay_basket_part", "value": part_no}
        (found,) = (one for one in self.orders.values() if mark in one["meta_data"])
        return found

    @property
    def stored(self) -> tuple[str, ...]:
        """What ``merchant connect`` is told."""
        return self.KEY


@contextlib.contextmanager
def open_shop(stand: Stand) -> Iterator[None]:
    """Run a stand-in until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def _any(self) -> None:
            text = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            try:
                with stand.lock:
                    status, body, headers = stand.answer(
                        self.command, self.path, self.headers, json.loads(text or b"null")
                    )
            except Cut:
                self.close_connection = True
                return
            written = json.dumps(body).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(written)))
            self.end_headers()
            self.wfile.write(written)

        do_GET = do_POST = do_PUT = _any  # noqa: N815 - http.server wants it so

        def log_message(self, *_args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    stand.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
