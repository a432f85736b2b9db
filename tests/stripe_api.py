"""A stand-in for Stripe's API on loopback: it keeps state, and refuses what the real one refuses.

It was written by the public documentation and the library's types. What Stripe's own pages do in a
browser, tests do by its methods: ``pay``, ``decline``, ``clear``, ``lapse``.
"""

import contextlib
import itertools
import json
import re
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from tests.clock import MovedClock
from tests.stripe_params import WAYS, read_form, wrong

API_VERSION = "2026-10-28.endive"
METHODS = ("card", "klarna", "paypal", "ideal", "sepa_debit")
MINIMUM = 50
CAPTURE_WITHIN = timedelta(days=6, hours=18)  # some days, and not seven

Json = dict[str, Any]


STORED: dict[str, tuple[str, str | None]] = {
    "pm_pays": ("cus_1", None),
    "pm_asks": ("cus_1", "authentication_required"),
    "pm_redirects": ("cus_1", "requires_action"),
    "pm_declined": ("cus_1", "card_declined"),
}
"""What customers have stored: whose it is, and what happens with it when its owner is away."""


class Refused(Exception):
    """What the API answers that it does not do."""

    def __init__(self, code: str, status: int = 400, kind: str = "invalid_request_error") -> None:
        super().__init__(code)
        self.status = status
        error = {"type": kind, "code": code, "message": f"Secret words about {code}."}
        self.body = {"error": {name: value for name, value in error.items() if value}}


class StripeApi:
    """One account in test mode and one in live mode: each key sees its own."""

    def __init__(self, clock: MovedClock) -> None:
        self.url = ""
        self.clock = clock
        self.lock = threading.RLock()
        self.empty()

    def empty(self) -> None:
        """Forget all."""
        self.objects: dict[str, Json] = {}
        self.answers: dict[str, tuple[Any, int, Json]] = {}
        self.events: list[Json] = []
        self.asked: list[tuple[str, str, Json]] = []
        self.faults: list[tuple[str, str]] = []
        self.poor: set[str] = set()
        self.methods = METHODS
        self._numbers = itertools.count(1)

    def fail(self, path: str, how: str = "500") -> None:
        """Let the next request to a path that ends so fail: ``500``, ``cut`` or ``409``."""
        self.faults.append((path, how))

    # --- HTTP

    def answer(self, method: str, target: str, headers: Any, body: str) -> tuple[int, Json, bool]:
        """Answer a request: status, body, and whether it is an earlier answer."""
        with self.lock:
            parts = urlsplit(target)
            given = read_form(body or parts.query)
            self.asked.append((method, parts.path, given))
            key = headers.get("Authorization", "").removeprefix("Bearer ")
            try:
                return (*self._answer(method, parts.path, given, key, headers), False)
            except _Again as again:
                return again.status, again.body, True
            except Refused as refused:
                return refused.status, refused.body, False

    def _answer(
        self, method: str, path: str, given: Json, key: str, headers: Any
    ) -> tuple[int, Json]:
        once = headers.get("Idempotency-Key")
        if re.fullmatch(r"(sk|rk)_(test|live)_\w+", key) is None or key.endswith("revoked"):
            raise Refused("", 401)
        if headers.get("Stripe-Version") != API_VERSION:
            raise Refused("version_not_pinned")
        if method == "POST" and not once:
            raise Refused("no_key_of_ours")
        if once in self.answers:
            before, status, body = self.answers[once]
            if before != (path, given):
                raise Refused("", kind="idempotency_error")
            raise _Again(status, body)
        how = self._fault(path)
        if how == "409":  # an answer of this kind is not kept
            raise Refused("lock_timeout", 409)
        status, body = self._worked(method, path, given, how, livemode="_live_" in key)
        if once:
            self.answers[once] = (path, given), status, json.loads(json.dumps(body))
        if how == "cut":
            raise ConnectionAbortedError
        return status, body

    def _fault(self, path: str) -> str | None:
        fault = next((one for one in self.faults if path.endswith(one[0])), None)
        if fault is None:
            return None
        self.faults.remove(fault)
        return fault[1]

    def _worked(
        self, method: str, path: str, given: Json, how: str | None, *, livemode: bool
    ) -> tuple[int, Json]:
        if how == "500":
            return 500, Refused("", kind="api_error").body
        self._check(method, path, given)
        try:
            return 200, self._do(method, path, given, livemode=livemode)
        except Refused as refused:
            return refused.status, refused.body

    def _check(self, method: str, path: str, given: Json) -> None:
        if "payment_method_types" in given:
            raise Refused("payment_method_types_no_longer_supported")
        way = WAYS.get((method, re.sub(r"/(pi|cs|tr|re|cus)_\w+", "/:id", path)))
        if way is None:
            raise Refused("url_unknown", 404)
        found = list(wrong(given, way))
        if found:
            raise Refused(f"parameter_unknown {found}")

    def _do(self, method: str, path: str, given: Json, *, livemode: bool) -> Json:
        expand = list((given.get("expand") or {}).values())
        name, _, step = re.sub("^/v1/(checkout/)?[a-z_]+/?", "", path).partition("/")
        if not name:
            return self._shown(self._on_all(method, path, given, livemode), expand)
        found = self._known(name, livemode)
        if method == "DELETE":
            del self.objects[name]
            return {"id": name, "object": "customer", "deleted": True}
        if step == "reversals":
            listed = {**given, "transfer": name}
            return self._reverse(found, given) if method == "POST" else self._listed("trr", listed)
        if step:
            moves = {
                "capture": self._capture,
                "cancel": self._cancel,
                "expire": self._expire,
                "confirm": lambda payment: self._confirm(payment, given),
            }
            moves[step](found)
        elif method == "POST":
            found["customer"] = given["customer"]
        return self._shown(found, expand)

    def _on_all(self, method: str, path: str, given: Json, livemode: bool) -> Json:
        if method == "GET":
            return self._listed("re" if path.endswith("refunds") else "tr", given)
        make: dict[str, Callable[[Json, bool], Json]] = {
            "/v1/payment_intents": self._new_payment,
            "/v1/checkout/sessions": self._new_page,
            "/v1/refunds": self._refund,
            "/v1/transfers": self._transfer,
        }
        return make[path](given, livemode)

    def _known(self, identifier: str, livemode: bool) -> Json:
        found = self.objects.get(identifier)
        if found is None or found["livemode"] != livemode:
            raise Refused("resource_missing", 404)
        return found

    def _shown(self, found: Json, expand: list[str]) -> Json:
        shown = {**found}
        for path in expand:
            name, _, rest = path.partition(".")
            inner = self.objects.get(shown.get(name) or "")
            if inner is not None:
                shown[name] = self._shown(inner, [rest] if rest else [])
        return shown

    def _listed(self, kind: str, given: Json) -> Json:
        fields = ("payment_intent", "transfer", "transfer_group", "destination")
        asked = {name: given[name] for name in fields if name in given}
        every = [
            one
            for one in reversed(self.objects.values())
            if one["id"].startswith(kind + "_") and asked.items() <= one.items()
        ]
        after = given.get("starting_after")
        if after:
            every = every[[one["id"] for one in every].index(after) + 1 :]
        limit = int(given.get("limit", 10))
        return {
            "object": "list",
            "url": "/v1/" + {"re": "refunds", "tr": "transfers"}.get(kind, "reversals"),
            "has_more": len(every) > limit,
            "data": every[:limit],
        }

    def _new(self, kind: str, livemode: bool, **values: Any) -> Json:
        made = {"id": f"{kind}_{next(self._numbers)}", "livemode": livemode, **values}
        self.objects[made["id"]] = made
        return made

    def add_customer(self, *, livemode: bool = False) -> str:
        """Make a customer, as a partner's own shop does."""
        return str(self._new("cus", livemode, object="customer")["id"])

    # --- payments

    def _new_payment(self, given: Json, livemode: bool) -> Json:
        amount, currency = self._amount(given["amount"], given["currency"])
        payment = self._new(
            "pi",
            livemode,
            object="payment_intent",
            amount=amount,
            amount_received=0,
            currency=currency,
            status="requires_payment_method",
            metadata=given.get("metadata") or {},
            transfer_group=given.get("transfer_group"),
            payment_method_types=self._offered(given),
            payment_method_options=given.get("payment_method_options") or {},
            automatic_payment_methods=given.get("automatic_payment_methods"),
            latest_charge=None,
            last_payment_error=None,
        )
        payment["client_secret"] = f"{payment['id']}_secret_x"
        return payment

    def _offered(self, given: Json) -> list[str]:
        without = set((given.get("excluded_payment_method_types") or {}).values())
        return [one for one in self.methods if one not in without]

    def _amount(self, amount: str, currency: str) -> tuple[int, str]:
        if currency not in {"eur", "gbp", "usd", "jpy", "isk", "kwd"}:
            raise Refused("currency_not_supported")
        if int(amount) < MINIMUM:
            raise Refused("amount_too_small")
        if (currency == "isk" and int(amount) % 100) or (currency == "kwd" and int(amount) % 10):
            raise Refused("invalid_amount")
        return int(amount), currency

    def _capture(self, payment: Json) -> None:
        charge = self.objects.get(payment["latest_charge"] or "")
        if payment["status"] != "requires_capture" or charge is None:
            raise Refused("payment_intent_unexpected_state")
        details = charge["payment_method_details"]
        if self.clock().timestamp() >= details[details["type"]]["capture_before"]:
            raise Refused("charge_expired_for_capture")
        self._succeed(payment, charge)

    def _confirm(self, payment: Json, given: Json) -> None:
        """Pay with what a customer has stored: only that customer's own, who is not there."""
        owner, code = STORED.get(given["payment_method"], ("", "resource_missing"))
        if payment.get("customer") != owner or given.get("off_session") != "true":
            raise Refused(code or "payment_method_of_another_customer")
        if payment["automatic_payment_methods"] and not given.get("return_url"):
            raise Refused("")  # some of these ways lead elsewhere, and back
        if not payment["status"].startswith(("requires_p", "requires_conf")):
            raise Refused("payment_intent_unexpected_state")
        if code is None:
            self.pay(payment["id"])
            return
        if code == "requires_action":
            payment["status"] = code
            self._tell("payment_intent.requires_action", payment)
            return
        error = {"code": code, "type": "card_error", "charge": f"ch_{next(self._numbers)}"}
        payment["last_payment_error"] = error
        self._tell("payment_intent.payment_failed", payment)
        raise Refused(code, 402, "card_error")

    def _succeed(self, payment: Json, charge: Json) -> None:
        payment |= {"status": "succeeded", "amount_received": payment["amount"]}
        charge["captured"] = True
        self._tell("payment_intent.succeeded", payment)

    def _cancel(self, payment: Json) -> None:
        if not payment["status"].startswith("requires_"):
            raise Refused("payment_intent_unexpected_state")
        payment["status"] = "canceled"
        self._tell("payment_intent.canceled", payment)

    def _refund(self, given: Json, livemode: bool) -> Json:
        payment = self._known(given["payment_intent"], livemode)
        charge = self.objects.get(payment["latest_charge"] or "")
        if charge is None or not charge["captured"]:
            raise Refused("payment_intent_unexpected_state")
        if charge["amount_refunded"] + int(given["amount"]) > charge["amount"]:
            raise Refused("amount_too_large")
        charge["amount_refunded"] += int(given["amount"])
        charge["refunded"] = charge["amount_refunded"] == charge["amount"]
        self._tell("charge.refunded", charge)
        return self._new(
            "re",
            payment["livemode"],
            object="refund",
            payment_intent=payment["id"],
            amount=int(given["amount"]),
            currency=payment["currency"],
            status="succeeded",
            metadata=given.get("metadata") or {},
        )

    # --- hosted pages

    def _new_page(self, given: Json, livemode: bool) -> Json:
        if "success_url" not in given:
            raise Refused("parameter_missing")
        line = given["line_items"]["0"]["price_data"]
        amount, currency = self._amount(line["unit_amount"], line["currency"])
        inner = given.get("payment_intent_data") or {}
        page = self._new(
            "cs",
            livemode,
            object="checkout.session",
            amount_total=amount,
            currency=currency,
            status="open",
            metadata=given.get("metadata") or {},
            payment_method_types=self._offered(given),
            payment_intent=None,
            client_secret=None,
            for_payment={**given, "amount": amount, "currency": currency, **inner},
        )
        page["url"] = f"https://checkout.stripe.com/c/pay/{page['id']}"
        return page

    def _expire(self, page: Json) -> None:
        if page["status"] != "open":
            raise Refused("checkout_session_not_open")
        page["status"] = "expired"

    # --- shares

    def _transfer(self, given: Json, livemode: bool) -> Json:
        charge = self.objects.get(given["source_transaction"])
        if not given["destination"].startswith("acct_"):
            raise Refused("account_invalid")
        sent = sum(
            one["amount"]
            for one in self.objects.values()
            if one.get("source_transaction") == given["source_transaction"]
        )
        if (
            charge is None
            or not charge["captured"]
            or sent + int(given["amount"]) > charge["amount"]
        ):
            raise Refused("balance_insufficient")
        fields = ("currency", "destination", "source_transaction", "transfer_group")
        return self._new(
            "tr",
            livemode,
            object="transfer",
            amount=int(given["amount"]),
            amount_reversed=0,
            metadata=given.get("metadata") or {},
            **{name: given[name] for name in fields},
        )

    def _reverse(self, share: Json, given: Json) -> Json:
        if share["destination"] in self.poor:
            raise Refused("balance_insufficient")
        if share["amount_reversed"] + int(given["amount"]) > share["amount"]:
            raise Refused("amount_too_large")
        share["amount_reversed"] += int(given["amount"])
        self._tell("transfer.reversed", share)
        return self._new(
            "trr",
            share["livemode"],
            object="transfer_reversal",
            transfer=share["id"],
            amount=int(given["amount"]),
            currency=share["currency"],
            metadata=given.get("metadata") or {},
        )

    # --- what shoppers and banks do

    def payment_of(self, identifier: str) -> Json:
        """Return a payment; that of a page is made when somebody begins to pay there."""
        found = self.objects[identifier]
        if found["object"] != "checkout.session":
            return found
        if found["payment_intent"] is None:
            made = self._new_payment(found["for_payment"], found["livemode"])
            found["payment_intent"] = made["id"]
        return self.objects[found["payment_intent"]]

    def pay(self, identifier: str, method: str = "card") -> bool:
        """Let a shopper pay; tell whether that is possible now."""
        with self.lock:
            top = self.objects[identifier]
            if top["object"] == "checkout.session" and top["status"] != "open":
                return False
            payment = self.payment_of(identifier)
            if not payment["status"].startswith("requires_p") or (
                method not in payment["payment_method_types"]
            ):
                return False
            held = payment["payment_method_options"].get(method, {}).get("capture_method")
            until = int((self.clock() + CAPTURE_WITHIN).timestamp()) if held else None
            charge = self._new(
                "ch",
                payment["livemode"],
                object="charge",
                payment_intent=payment["id"],
                amount=payment["amount"],
                amount_refunded=0,
                captured=False,
                disputed=False,
                currency=payment["currency"],
                payment_method_details={"type": method, method: {"capture_before": until}},
            )
            payment |= {"latest_charge": charge["id"], "last_payment_error": None}
            if top["object"] == "checkout.session":
                top["status"] = "complete"
            if held:
                payment["status"] = "requires_capture"
                self._tell("payment_intent.amount_capturable_updated", payment)
            elif method == "sepa_debit":
                payment["status"] = "processing"
                self._tell("payment_intent.processing", payment)
            else:
                self._succeed(payment, charge)
            return True

    def decline(self, identifier: str) -> None:
        """Let the bank decline what a shopper pays with."""
        payment = self.payment_of(identifier)
        payment["last_payment_error"] = {"code": "card_declined", "type": "card_error"}
        self._tell("payment_intent.payment_failed", payment)

    def clear(self, identifier: str) -> None:
        """Let a slow way to pay arrive."""
        payment = self.payment_of(identifier)
        self._succeed(payment, self.objects[payment["latest_charge"]])

    def lapse(self, identifier: str) -> None:
        """Let go of money that was held for too long."""
        payment = self.payment_of(identifier)
        payment["status"] = "canceled"
        self._tell("charge.expired", self.objects[payment["latest_charge"]])

    def fail_refund(self, identifier: str, name: str) -> None:
        """Let the money of a refund come back, as from an account that was closed."""
        payment = self.payment_of(identifier)
        (refund,) = [
            one
            for one in self.objects.values()
            if one["object"] == "refund" and name in one["metadata"].values()
        ]
        refund["status"] = "failed"
        charge = self.objects[payment["latest_charge"]]
        charge["amount_refunded"] -= refund["amount"]
        charge["refunded"] = False
        self._tell("refund.failed", refund)

    def _tell(self, kind: str, subject: Json) -> None:
        event = {
            "id": f"evt_{next(self._numbers)}",
            "object": "event",
            "type": kind,
            "livemode": subject["livemode"],
            "data": {"object": json.loads(json.dumps(subject))},
        }
        self.events.append(event)


class _Again(Exception):
    def __init__(self, status: int, body: Json) -> None:
        super().__init__()
        self.status, self.body = status, body


@contextlib.contextmanager
def serving(api: StripeApi) -> Iterator[StripeApi]:
    """Run the stand-in until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            text = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            try:
                status, body, again = api.answer(self.command, self.path, self.headers, text)
            except ConnectionAbortedError:
                self.close_connection = True
                return
            written = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(written)))
            if status >= 500:
                self.send_header("Stripe-Should-Retry", "false")
            self.send_header("Request-Id", "req_1")
            if again:
                self.send_header("Idempotent-Replayed", "true")
            self.end_headers()
            self.wfile.write(written)

        do_GET = do_POST = do_DELETE = _any  # noqa: N815 - http.server wants it so

        def log_message(self, *_args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    api.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
