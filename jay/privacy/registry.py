"""Which columns are personal, and what becomes of each when a person is forgotten.

Every column of every table stands here once: with a rule, or as impersonal. A test walks the
metadata and fails on one that does not. The forgetting replaces by this table, so that a rule
can't say one thing and the code do another.

What has to be kept: vouchers for eight years (German Fiscal Code, AO 147, 3; Commercial Code,
HGB 257, 4), commercial letters for six, both from the end of the calendar year. Until then it is
locked (GDPR 18), and then purged.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

VOUCHER_YEARS = 8
LETTER_YEARS = 6

WHY_KEPT = "vouchers and letters of a purchase: AO 147, HGB 257"

NOBODY = ""
"""The user of what was somebody's: no user id is empty."""

_ZONES_DIFFER = timedelta(hours=14)
"""A year ends at different moments; it counts as that in which it is last still to be kept."""


class Rule(enum.Enum):
    """What becomes of a personal column."""

    LOCK = "kept and locked until the law lets it go"
    REPLACE = "replaced"
    DELETE = "deleted with its row"


class By(enum.Enum):
    """Who sees to it."""

    FORGET = "orders forget, customer forget"
    PURGE = "baskets purge, after a day or a few: it says of nobody whose it is, or is sealed"
    REMOVAL = "merchant remove, operator remove: of people whom the operator works with"


@dataclass(frozen=True)
class Personal:
    """The rule of a column.

    :ivar value: instead of what was there; a fresh secret where it is ``DRAWN``.
    :ivar years: how long it is kept, from the end of the year on.
    """

    rule: Rule
    by: By = By.FORGET
    value: Any = None
    years: int | None = None


DRAWN = object()

_DELETE = Personal(Rule.DELETE)
_PURGED = Personal(Rule.DELETE, By.PURGE)
_OF_PARTNERS = Personal(Rule.DELETE, By.REMOVAL)
_NONE = Personal(Rule.REPLACE)
_VOUCHER = Personal(Rule.LOCK, years=VOUCHER_YEARS)
_LETTER = Personal(Rule.LOCK, years=LETTER_YEARS)


def _all(rule: Personal, columns: str) -> dict[str, Personal]:
    return dict.fromkeys(columns.split(), rule)


PERSONAL: Mapping[str, Mapping[str, Personal]] = {
    "baskets": _all(_DELETE, "user_id id guest entries offer claimed"),
    "comfort_settings": _all(
        _DELETE,
        "user_id customer_id payment_token consent_version consent_at pin_hash pin_tries pin_tried",
    ),
    "checkout_sessions": {
        "user_id": Personal(Rule.REPLACE, value=NOBODY),
        "basket_id": Personal(Rule.REPLACE, value=NOBODY),
        **_all(_NONE, "client_secret payment_url"),
        **_all(_VOUCHER, "intent_id lines"),
    },
    # Of a checkout that was never paid, and of a test, it is deleted.
    "contacts": {"content": _VOUCHER},
    "orders": {
        **_all(Personal(Rule.REPLACE, value=DRAWN), "token_hash token"),
        **_all(_VOUCHER, "intent_id method"),
    },
    "order_lines": _all(_VOUCHER, "product_id sku name variant described ordered picture"),
    "order_parcels": _all(_DELETE, "carrier tracking_number url"),
    "handed_parts": _all(_VOUCHER, "address shop_id seen"),
    "movements": {"reason": _NONE, "provider_id": _VOUCHER},
    "ledger": {"reference": _VOUCHER},
    # One that fits no order, or a test, is deleted.
    "withdrawals": {"content": _LETTER},
    "outbox": _all(_DELETE, "subject key body reason"),
    "transfers": _all(
        _DELETE,
        "basket_id code_hash display_hash token_hash typed_hash url pair claimed_by claimant_hash",
    ),
    "idempotency_keys": _all(_PURGED, "key_hash request_hash answer progress"),
    "tries": _all(_PURGED, "key"),
    "psp_notices": _all(_PURGED, "id intent_id"),
    "merchants": _all(
        _OF_PARTNERS,
        "display_name order_email legal stripe_account add_product_webhook_url"
        " update_products_webhook_url order_webhook_url webhook_token order_secrets feed",
    ),
    "merchant_connectors": _all(_OF_PARTNERS, "address credentials"),
    "operators": _all(_OF_PARTNERS, "name password_hash"),
    "operator_sessions": _all(_OF_PARTNERS, "token_hash operator_id"),
}

IMPERSONAL: Mapping[str, str] = {
    "api_keys": "prefix key_hash partner_id merchant_id demo created revoked",
    "baskets": "routing_key partner_id version created last_changed expires",
    "checkout_sessions": "routing_key order_no partner_id state fingerprint test lang country"
    " currency amount shipping tax parts left_out provider publishable_key methods created expires"
    " due asked ended",
    "comfort_settings": "routing_key partner_id changed",
    "contacts": "routing_key order_no ends locked",
    # A viewing session's random id, never a user's, and a bucket that many share.
    "events": "routing_key id at kind partner_id session_id source provider product_id count",
    "feed_pulls": "merchant_id feed due lease leased failures etag last_modified as_of state told"
    " succeeded",
    "handed_parts": "routing_key order_no part merchant_id kind problem handed due",
    "idempotency_keys": "created lease leased_until",
    "ledger": "routing_key order_no part kind amount at",
    "legal_texts": "owner owner_id kind lang version url text hash created",
    "merchants": "id name lang country currency currency_since prices_since vat shipping_strategy"
    " shipping_scale withdrawal_days return_costs delivery_countries fee_percent created removed",
    "merchant_connectors": "merchant_id kind connected",
    "movements": "routing_key order_no id part kind amount state by lines follows created due"
    " attempts ended",
    "operators": "id merchant_id created password_changed",
    "operator_sessions": "created",
    "order_events": "routing_key order_no part number at kind by details",
    "order_lines": "routing_key order_no part position stock_id price vat tax shipped cancelled"
    " returned refunded",
    "order_parcels": "routing_key order_no part number",
    "order_parts": "routing_key order_no number merchant_id merchant state goods shipping tax texts"
    " refund_due attention doubts events created changed",
    "orders": "routing_key order_no partner_id test lang country currency amount provider created",
    "outbox": "id kind lane merchant_id state created since due attempts lease finished",
    "outbox_addresses": "key merchant_id failures rests_until probed_until",
    "partner_logos": "partner_id png",
    "partners": "id name display_name issuer audience jwks jwks_url algorithms transfer_origins"
    " cors_origins kiosk country test_payments colour palette logo limits"
    " fee_percent created removed",
    "picture_hosts": "host lease leased rests failures",
    "picture_sources": "key merchant_id url host need due failures reason etag last_modified digest"
    " tried unused",
    "picture_sweeps": "name lease leased due since position begun",
    "picture_uses": "product_id key",
    "pictures": "digest width height colour size created unused ordered",
    "product_imports": "id merchant_id fingerprint file as_of run records line added updated"
    " refused report_bytes notes notes_bytes begun finished",
    "products": "id merchant_id sku lang country main_id position variant_type variant_value"
    " stock_count stock_set taken price org_price sale_price sale_from sale_until currency vat"
    " shipping name not_shoppable description own_images search removed stock_as_of price_as_of"
    " org_price_as_of currency_as_of vat_as_of shipping_as_of described_as_of created updated"
    " priced_since rrp",
    "price_history": "product_id since until price sale_price sale_from sale_until org_price"
    " currency rrp",
    "psp_notices": "provider kind test received due attempts done",
    "readiness": "name checked",
    # Test cards have published numbers, and no money moves.
    "sandbox_intents": "id reference status amount currency captured refunded card failure lang"
    " return_url created",
    "sandbox_refunds": "intent_id reason amount",
    "sandbox_reversals": "transfer_id reason amount",
    "sandbox_transfers": "id intent_id account amount reversed",
    "signing_keys": "kid private_key created retired active",
    "stock_reservations": "product_id reference count expires sold_at",
    "transfers": "routing_key partner_id basket_key kiosk created expires opened cancelled claimed"
    " purchase",
    "tries": "since count",
    "wanted_skus": "merchant_id lang country sku wanted",
    "withdrawals": "routing_key id order_no parts unclear lang received closed locked ends",
}
"""Of nobody by themselves. Numbers of orders are ours: they lead to a person by what is above."""


def replacements(table: str) -> dict[str, Any]:
    """Return what stands in the columns of a table afterwards that are replaced."""
    rules = PERSONAL[table].items()
    return {name: rule.value for name, rule in rules if rule.rule is Rule.REPLACE}


def kept_until(made: datetime, years: int) -> datetime:
    """Return the moment from which on what was made then need not be kept any more."""
    return datetime((made + _ZONES_DIFFER).year + years + 1, 1, 1, tzinfo=UTC)


def let_go_before(now: datetime, years: int) -> datetime:
    """Return before which moment what need not be kept any more was made."""
    return datetime(now.year - years, 1, 1, tzinfo=UTC) - _ZONES_DIFFER
