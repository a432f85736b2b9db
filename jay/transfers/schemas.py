"""Wire shapes of the transfer."""

import marshmallow as ma

from jay.transfers.models import PurchaseState, TransferState
from jay.web.schema import Schema, Text

MAX_URL_BYTES = 1000


class TransferQuerySchema(Schema):
    """Whether the QR code image is wanted with the answer."""

    class Meta:
        """Unknown query parameters are ignored, as everywhere in the public contract."""

        unknown = ma.EXCLUDE

    qr = Text(
        load_default="false",
        validate=ma.validate.OneOf(["true", "false"]),
        metadata={"description": "`true`: make the QR code image too.", "example": "true"},
    )


def _fits_into_a_qr_code(url: str) -> None:
    # What counts is bytes: the source, the token and 1,000 bytes fit at error correction M.
    if len(url.encode()) > MAX_URL_BYTES:
        raise ma.ValidationError(f"Must not be longer than {MAX_URL_BYTES} bytes.")


class TransferRequestSchema(Schema):
    """Where the QR code leads; absent: to this service's own pages."""

    url = Text(
        load_default=None,
        allow_none=True,
        validate=[ma.validate.Length(max=MAX_URL_BYTES), _fits_into_a_qr_code],
        metadata={
            "description": "Web shop URL on an origin that the partner has registered.",
            "example": "https://shop.example/basket",
        },
    )


REQUESTS = {
    "phone": {"summary": "To the phone", "value": {}},
    "shop": {"summary": "To a web shop", "value": {"url": "https://shop.example/basket"}},
}
"""Bodies to start a transfer with."""


class TransferSchema(Schema):
    """A started transfer. It ends after 60 seconds, or with the first device that claims it."""

    expires = ma.fields.String(required=True, metadata={"example": "2025-06-04T12:35:56Z"})
    jay_source = ma.fields.String(required=True, metadata={"example": "demo"})
    jay_token = ma.fields.String(required=True, metadata={"example": "u0k3Xf0q2mJ9w1zVb6tPzA"})
    url = ma.fields.String(required=True, metadata={"description": "What the QR code holds."})
    qr_code_image_url = ma.fields.String(
        required=True,
        metadata={"description": "PNG; with `.svg` instead of `.png`, SVG. Needs no API key."},
    )
    qr_code_image_base64 = ma.fields.String(
        data_key="qrCodeImageBase64",
        allow_none=True,
        metadata={"description": "The PNG in base64, with `qr=true`."},
    )
    display_url = ma.fields.String(
        required=True, metadata={"description": "Page for the TV: code, countdown and state."}
    )
    status_url = ma.fields.String(
        required=True, metadata={"description": "The state as JSON, for a screen of your own."}
    )
    user_code = ma.fields.String(
        required=True, metadata={"description": "Short code to type.", "example": "K7PM 4XQD"}
    )


class StatusSchema(Schema):
    """How the transfer is doing."""

    state = ma.fields.String(
        required=True,
        metadata={"enum": [str(state) for state in TransferState], "example": "pending"},
    )
    seconds_left = ma.fields.Integer(required=True, metadata={"example": 47})
    poll_seconds = ma.fields.Float(
        required=True,
        metadata={
            "description": "Ask again after this time; once claimed, for 15 minutes at most.",
            "example": 1.5,
        },
    )
    purchase = ma.fields.String(
        metadata={
            "description": "Once claimed: whether the basket is being paid for, or was ordered.",
            "enum": [str(each) for each in PurchaseState],
            "example": "none",
        }
    )
