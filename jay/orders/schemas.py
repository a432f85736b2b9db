"""Wire shapes of the merchants' order API."""

from collections.abc import Mapping, Sequence
from typing import Any

import marshmallow as ma

from jay.checkout.addresses import Address, Contact
from jay.clock import iso
from jay.i18n import in_major_units
from jay.orders.models import Movement, OrderLine, OrderPart, Parcel, PartState
from jay.products.fields import Moment, Sku, Url
from jay.products.models import brand_name
from jay.web.schema import MAX_AMOUNT, MAX_INT, Flag, Int, List, Schema, Text

MAX_LINES = 100
MAX_REASON = 500
MAX_TRACKING = 200

_STATES = [str(state) for state in PartState]
_IN_PIECES = {PartState.SHIPPED, PartState.CANCELLED, PartState.RETURNED}
_GENDERS = {1: "male", 2: "female", 3: "unisex", 4: "children"}


def _described(description: str, example: Any = None) -> dict[str, Any]:
    return {"description": description} | ({} if example is None else {"example": example})


class PiecesSchema(Schema):
    """Some pieces of an order."""

    sku = Sku(metadata=_described("What was ordered.", "MUG-1"))
    count = Int(1, MAX_INT, required=True, metadata=_described("How many of it.", 1))


class TrackingSchema(Schema):
    """How a parcel can be followed."""

    carrier = Text(
        validate=ma.validate.Length(1, MAX_TRACKING), metadata=_described("Who brings it.", "DHL")
    )
    number = Text(
        validate=ma.validate.Length(1, MAX_TRACKING),
        metadata=_described("The carrier's number of the parcel.", "00340434161094042557"),
    )
    url = Url(metadata=_described("Where to follow it.", "https://carrier.example/00340434161"))

    @ma.validates_schema
    def _says_something(self, data: dict[str, Any], **_kwargs: Any) -> None:
        if not data:
            raise ma.ValidationError("Must say something.")


class StepSchema(Schema):
    """The next step of an order."""

    state = Text(
        required=True,
        validate=ma.validate.OneOf([one for one in _STATES if one != PartState.NEW]),
        metadata=_described("What has become of it.", "shipped"),
    )
    lines = List(
        ma.fields.Nested(PiecesSchema),
        validate=ma.validate.Length(1, MAX_LINES),
        metadata=_described("Of which pieces; absent: of all that are left."),
    )
    tracking = ma.fields.Nested(
        TrackingSchema, metadata=_described("Of what was shipped: how it can be followed.")
    )
    restock = Flag(
        metadata=_described(
            "Whether what was cancelled (absent: yes) or has come back (absent: no) is sold again.",
            True,
        )
    )

    @ma.validates_schema
    def _fits(self, data: dict[str, Any], **_kwargs: Any) -> None:
        state = data["state"]
        allowed = {"lines": _IN_PIECES, "tracking": {PartState.SHIPPED}}
        allowed["restock"] = _IN_PIECES - {PartState.SHIPPED}
        wrong = {name: ["Does not go with this state."] for name in data.keys() & allowed.keys()}
        wrong = {name: told for name, told in wrong.items() if state not in allowed[name]}
        if wrong:
            raise ma.ValidationError(wrong)


class RefundRequestSchema(Schema):
    """What goes back to the shopper."""

    amount = Int(
        1, MAX_AMOUNT, metadata=_described("Minor units; absent: as `lines` say, or else all.", 500)
    )
    lines = List(
        ma.fields.Nested(PiecesSchema),
        validate=ma.validate.Length(1, MAX_LINES),
        metadata=_described("Instead of an amount: the pieces whose price goes back."),
    )
    reason = Text(
        required=True,
        validate=ma.validate.Length(1, MAX_REASON),
        metadata=_described("Why, in your own words; the shopper does not see it.", "Scratched"),
    )

    @ma.validates_schema
    def _one_of_both(self, data: dict[str, Any], **_kwargs: Any) -> None:
        if {"amount", "lines"} <= data.keys():
            raise ma.ValidationError({"lines": ["Give either lines or an amount."]})


class PartsQuerySchema(Schema):
    """Filters and the position in the list."""

    class Meta:
        """Unknown query parameters are ignored, as everywhere in the public contract."""

        unknown = ma.EXCLUDE

    state = Text(
        validate=ma.validate.OneOf(_STATES), metadata=_described("Only those in it.", "new")
    )
    since = Moment(metadata=_described("Only those that were made or have changed since then."))
    next_token = Text(metadata=_described("`nextToken` of the page before."))

    def on_bind_field(self, field_name: str, field_obj: ma.fields.Field[Any]) -> None:
        """Query parameters keep their public names."""
        field_obj.data_key = field_name


def _text(description: str, example: str | None, *, none: bool = False) -> ma.fields.String:
    metadata = _described(description, example)
    return ma.fields.String(required=True, allow_none=none, metadata=metadata)


def _number(description: str, example: int) -> ma.fields.Integer:
    return ma.fields.Integer(required=True, metadata=_described(description, example))


class BillingSchema(Schema):
    """Where the bill goes."""

    street = _text("The street.", "Große Straße")
    house_number = _text("The number of the house; empty where the street has it.", "7a")
    zip_code = _text("The postcode.", "10115")
    city = _text("The city.", "Berlin")
    country_code = _text("ISO 3166 code of two letters.", "DE")
    addition = _text("Floor, c/o and such.", "2. Hof", none=True)


class ReceiverSchema(BillingSchema):
    """Where it is delivered."""

    first_name = _text("The first name.", "Zoë")
    last_name = _text("The last name.", "Schmidt")


class CustomerSchema(Schema):
    """Who buys; what was not said, or has been erased, is null."""

    first_name = _text("The first name.", "Zoë", none=True)
    last_name = _text("The last name.", "Schmidt", none=True)
    email = _text("Where mails go.", "zoe@example.org", none=True)
    billing = ma.fields.Nested(
        BillingSchema, required=True, allow_none=True, metadata=_described("Where the bill goes.")
    )
    shipping = ma.fields.Nested(
        ReceiverSchema, required=True, allow_none=True, metadata=_described("Where it goes.")
    )


class TransactionSchema(Schema):
    """How it was paid."""

    transfer_id = _text("The transfer of your share, at the provider.", "tr_1", none=True)
    source_transfer_id = _text("The shopper's payment, at the provider.", "pi_1")
    retailer_account = _text("Your account at the provider.", "acct_1", none=True)
    date = _text("When it was paid, in UTC.", "2025-06-04T12:00:00Z")
    currency = _text("ISO 4217 code.", "EUR")
    amount = _text("What was paid for this part.", "27.99")
    amount_minor = _number("The same in minor units.", 2799)
    refunded_minor = _number("Minor units that have gone back, or are about to.", 0)
    status = _text("`paid`, `partially_refunded` or `refunded`.", "paid")
    payment_method = _text("As the provider names it.", "card", none=True)


class ProductLineSchema(Schema):
    """A product that was ordered."""

    id = _text("Your SKU.", "MUG-1")
    ean = _text("GTIN.", "4006381333931", none=True)
    size = _text("Which variant.", "M", none=True)
    quantity = _number("How many were ordered.", 1)
    price = _text("Of one piece, tax included.", "27.99")
    price_minor = _number("The same in minor units.", 2799)
    currency = _text("ISO 4217 code.", "EUR")
    name = _text("The name.", "Hoodie")
    subtitle = _text("What stands below the name.", "Soft", none=True)
    description = _text("The description.", "A hoodie.", none=True)
    brand = _text("The brand.", "Jay", none=True)
    gender = _text("`male`, `female`, `unisex`, `children`, or in your words.", "unisex", none=True)
    material = _text("The material.", "Cotton", none=True)
    color = _text("The colour.", "white", none=True)
    url = _text("The product's page.", "https://shop.example/hoodie", none=True)


class LineStateSchema(Schema):
    """What has become of a line."""

    sku = _text("Your SKU.", "MUG-1")
    ordered = _number("How many were ordered.", 2)
    shipped = _number("How many have been shipped.", 1)
    cancelled = _number("How many were cancelled.", 0)
    returned = _number("How many of those that were shipped have come back.", 0)
    total = _number("Minor units that they cost together.", 5598)
    tax = _number("Minor units of tax that are contained in it.", 894)
    vat = ma.fields.Float(required=True, metadata=_described("Percent.", 19))


class ParcelSchema(Schema):
    """How a parcel can be followed."""

    carrier = _text("Who brings it.", "DHL", none=True)
    number = _text("The carrier's number of the parcel.", "00340434161094042557", none=True)
    url = _text("Where to follow it.", "https://carrier.example/0034", none=True)


class RefundSchema(Schema):
    """Money that goes back to the shopper."""

    id = _text("What the provider knows it by.", "0a1b2c")
    amount = _number("Minor units.", 500)
    state = _text("`reserved`: about to be made; `made`; `failed`: it never will.", "made")
    by = _text("Who has decided so: `merchant`, `shopper`, `operator`.", "merchant")
    created = _text("When that was, in UTC.", "2025-06-04T12:00:00Z")


class HappenedSchema(Schema):
    """Something that has happened."""

    at = _text("When, in UTC.", "2025-06-04T12:00:00Z")
    kind = _text("What.", "created")
    by = _text("Who has done it.", "shopper")


class OrderPartSchema(Schema):
    """A merchant's part of an order: a contract of its own."""

    order_id = _text("The number of this part.", "J234567892ABC-1")
    order_no = _text("The number of the order, which the shopper knows.", "J234567892ABC")
    state = _text("How far it is.", "new")
    test = ma.fields.Boolean(
        required=True,
        metadata=_described("Whether no money has moved: ship nothing.", False),
    )
    created = _text("When it was ordered, in UTC.", "2025-06-04T12:00:00Z")
    changed = _text("When it has changed last, in UTC.", "2025-06-04T12:00:00Z")
    customer = ma.fields.Nested(CustomerSchema, required=True, metadata=_described("Who buys."))
    transaction = ma.fields.Nested(
        TransactionSchema, required=True, metadata=_described("How it was paid.")
    )
    products = ma.fields.List(
        ma.fields.Nested(ProductLineSchema), required=True, metadata=_described("What was ordered.")
    )
    lines = ma.fields.List(
        ma.fields.Nested(LineStateSchema),
        required=True,
        metadata=_described("What has become of the products, in the same order."),
    )
    shipping_cost = _number("Minor units.", 499)
    tax = _number("Minor units of tax that are contained in the whole.", 447)
    tracking = ma.fields.List(
        ma.fields.Nested(ParcelSchema), required=True, metadata=_described("Its parcels.")
    )
    refunds = ma.fields.List(
        ma.fields.Nested(RefundSchema), required=True, metadata=_described("What goes back.")
    )
    refund_due = _text(
        "Until when a withdrawal has to be refunded, in UTC; null once it was.", None, none=True
    )
    events = ma.fields.List(
        ma.fields.Nested(HappenedSchema), required=True, metadata=_described("What has happened.")
    )


class PartPageSchema(Schema):
    """One page of orders, the newest first; the last one has no ``nextToken``."""

    orders = ma.fields.List(
        ma.fields.Nested(OrderPartSchema), required=True, metadata=_described("Your parts.")
    )
    next_token = ma.fields.String(metadata=_described("What the next page is asked for with."))


STEP = {
    "state": "shipped",
    "lines": [{"sku": "MUG-1", "count": 1}],
    "tracking": {"carrier": "DHL", "number": "00340434161094042557"},
}
REFUND = {"lines": [{"sku": "MUG-1", "count": 1}], "reason": "Scratched"}
"""Bodies of requests that the documents show."""


def part_view(part: OrderPart, contact: Contact) -> dict[str, Any]:
    """Write a part as ``OrderPartSchema`` has it."""
    order = part.order
    return {
        "orderId": str(part.part_no),
        "orderNo": order.order_no,
        "state": part.state,
        "test": order.test,
        "created": iso(order.created),
        "changed": iso(part.changed),
        "customer": _customer(contact),
        "transaction": {
            "transferId": part.transfer_id,
            "sourceTransferId": order.intent_id,
            "retailerAccount": part.account,
            "date": iso(order.created),
            "currency": order.currency,
            "amount": in_major_units(part.total, order.currency),
            "amountMinor": part.total,
            "refundedMinor": part.refunded,
            "status": _status(part),
            "paymentMethod": order.method,
        },
        "products": [_product(line, order.currency) for line in part.lines],
        "lines": [_line(line) for line in part.lines],
        "shippingCost": part.shipping,
        "tax": part.tax,
        "tracking": [_parcel(parcel) for parcel in part.parcels],
        "refunds": [_refund(one) for one in part.refunds],
        "refundDue": None if part.still_due is None else iso(part.still_due),
        "events": [
            {"at": iso(event.at), "kind": event.kind, "by": event.by} for event in part.events
        ],
    }


def page_view(parts: Sequence[tuple[OrderPart, Contact]], next_token: str | None) -> dict[str, Any]:
    """Write a page of parts as ``PartPageSchema`` has it."""
    page: dict[str, Any] = {"orders": [part_view(part, contact) for part, contact in parts]}
    return page if next_token is None else page | {"nextToken": next_token}


def _customer(contact: Contact) -> dict[str, Any]:
    billing, receiver = contact.billing, contact.goes_to
    return {
        "firstName": billing and billing.first_name,
        "lastName": billing and billing.last_name,
        "email": contact.email,
        "billing": billing and _address(billing),
        "shipping": receiver
        and {
            "firstName": receiver.first_name,
            "lastName": receiver.last_name,
            **_address(receiver),
        },
    }


def _address(address: Address) -> dict[str, Any]:
    return {
        "street": address.street,
        "houseNumber": address.house_number or "",
        "zipCode": address.zip,
        "city": address.city,
        "countryCode": address.country_code,
        "addition": address.addition,
    }


def _status(part: OrderPart) -> str:
    if not part.refunded:
        return "paid"
    return "refunded" if part.refunded >= part.total else "partially_refunded"


def _product(line: OrderLine, currency: str) -> dict[str, Any]:
    told = line.described
    return {
        "id": line.sku,
        "ean": told.get("gtin"),
        "size": line.variant,
        "quantity": line.ordered,
        "price": in_major_units(line.price, currency),
        "priceMinor": line.price,
        "currency": currency,
        "name": line.name,
        "subtitle": told.get("subLine"),
        "description": told.get("description"),
        "brand": brand_name(told) or None,
        "gender": _gender(told.get("gender")),
        "material": told.get("material"),
        "color": told.get("colour"),
        "url": told.get("url"),
    }


def _gender(gender: int | Mapping[str, Any] | None) -> str | None:
    if isinstance(gender, Mapping):
        label: str | None = gender.get("label")
        return label or _GENDERS.get(gender["code"])
    return None if gender is None else _GENDERS.get(gender)


def _line(line: OrderLine) -> dict[str, Any]:
    same = ("sku", "ordered", "shipped", "cancelled", "returned", "tax", "vat")
    return {name: getattr(line, name) for name in same} | {"total": line.price * line.ordered}


def _parcel(parcel: Parcel) -> dict[str, Any]:
    return {"carrier": parcel.carrier, "number": parcel.tracking_number, "url": parcel.url}


def _refund(refund: Movement) -> dict[str, Any]:
    same = {name: getattr(refund, name) for name in ("id", "amount", "state", "by")}
    return same | {"created": iso(refund.created)}
