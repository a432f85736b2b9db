"""What a merchant is told by mail of the address that its orders go to: it fails, or is off."""

from sqlalchemy import Connection

from jay import i18n
from jay.connectors.mail.letters import COLOURS
from jay.merchants import service as merchants
from jay.outbox import mails, rendering
from jay.outbox.models import DeliveryResult, Destination, Message

FAILING, SWITCHED_OFF = "merchant.webhook-failing", "merchant.webhook-off"

_NO_MAIL = DeliveryResult(failure="the merchant has told no e-mail address", final=True)


class WebhookMails:
    """The mails about an address that orders go to.

    :param public_url: where people reach this service.
    """

    def __init__(self, public_url: str) -> None:
        self._api = f"{public_url}/docs"
        self.kinds = [mails.mail_kind(name, self._find) for name in (FAILING, SWITCHED_OFF)]

    def _find(
        self, connection: Connection, message: Message, _secret: str
    ) -> Destination | DeliveryResult:
        if message.merchant_id is None:
            return _NO_MAIL
        merchant = merchants.merchant_by_id(connection, message.merchant_id)
        stored = merchants.details(connection, message.merchant_id)
        address = stored.order_email or merchant.legal.get("email")
        if not address:
            return _NO_MAIL
        lang = i18n.choose([merchant.lang])
        off = message.kind == SWITCHED_OFF
        _ = i18n.texts(lang).gettext
        subject = (
            _("Orders no longer reach your webhook")
            if off
            else _("Orders do not reach your webhook at the moment")
        )
        return Destination(
            address,
            write=lambda: rendering.letter(
                "webhook",
                subject,
                lang,
                off=off,
                part_no=message.body,
                api=self._api,
                sender=merchant.shown_name,
                **COLOURS,
            ),
        )
