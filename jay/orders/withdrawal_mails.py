"""The acknowledgement of a withdrawal: what was declared, with date and time, at once."""

from sqlalchemy import Connection

from jay import i18n
from jay.legal import service as legal
from jay.legal.models import THE_OPERATOR
from jay.orders import withdrawals, words
from jay.orders.mails import ACCENT, Links
from jay.orders.withdrawals import ACKNOWLEDGED
from jay.outbox import mails, rendering
from jay.outbox.kinds import MessageKind
from jay.outbox.letters import Letter
from jay.outbox.models import DeliveryResult, Destination, Message

_GONE = DeliveryResult(failure="the declaration is not there any more", final=True)
_LOST = DeliveryResult(failure="it was sealed with another JAY_SECRET_KEY", hold=True)


def acknowledgement(public_url: str, sender: str) -> MessageKind:
    """Describe the acknowledgement, which is the same whether there is such an order or not.

    :param public_url: where people reach this service.
    :param sender: what it is called.
    """

    def find(connection: Connection, message: Message, secret: str) -> Destination | DeliveryResult:
        found = withdrawals.find(
            connection, int(message.body or "0"), message.subject, secret=secret
        )
        if found is None:
            return _GONE
        said, lang = found.said, i18n.choose([found.lang])
        if said is None:
            return _LOST
        has_legal = bool(legal.current(connection, [THE_OPERATOR]))
        links = Links(
            order="",
            withdraw=words.withdraw(lang),
            withdrawal=public_url + words.path(lang),
            legal=f"{public_url}/legal" if has_legal else None,
        )

        # It goes to whatever address was typed: what was typed with it must not lead anywhere.
        unlinked = rendering.unlinked

        def write() -> Letter:
            _ = i18n.texts(lang).gettext
            return rendering.letter(
                "withdrawal",
                _("Your withdrawal has arrived"),
                lang,
                links=links,
                sender=sender,
                accent=ACCENT.accent,
                on_accent=ACCENT.text,
                ink=ACCENT.ink,
                received=i18n.second(found.received, lang, i18n.home(lang)),
                facts=[
                    (_("Name"), unlinked(said.name)),
                    (_("Order number"), unlinked(said.number)),
                    (_("E-mail"), said.email),
                    (_("Products"), unlinked(said.products) or _("all of them")),
                ],
            )

        return Destination(said.email, write=write)

    return mails.mail_kind(ACKNOWLEDGED, find)
