"""What tests of mails begin with: a shopper buys, and is told of it."""

from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any

from flask import Flask

from jay import db
from jay.orders import events
from jay.orders.models import Actor, Happening, PartNo
from jay.outbox.delivery import Deliverer
from jay.outbox.mails import MAIL
from jay.outbox.transports.mail import Mailer
from tests.api.buying import Till
from tests.builders import User
from tests.clock import MovedClock
from tests.conftest import SECRET
from tests.post_office import FROM, PostOffice

ADA = {
    "firstName": "Ada",
    "lastName": "Lovelace",
    "street": "Am Analytischen Weg",
    "houseNumber": "7a",
    "zip": "20095",
    "city": "Hamburg",
    "countryCode": "DE",
}
EMAIL = "ada.lovelace@example.com"


@dataclass
class Desk:
    """A shopper who buys, and the mailbox in which it is told."""

    app: Flask
    till: Till
    office: PostOffice
    clock: MovedClock

    def buy(self, user: User, *products: tuple[str, int], **more: Any) -> str:
        """Buy products and return the order's number."""
        for product, count in products:
            user.put(product, count)
        started = self.till.start(user, email=EMAIL, billing=ADA, **more)
        self.till.pay(started)
        self.till.hear()
        return str(started["orderNo"])

    def deliver(self) -> list[EmailMessage]:
        """Send what is due, and return what has arrived so far."""
        ways = {MAIL: Mailer(self.office.server, FROM)}
        kinds = self.app.extensions["jay.outbox"]
        database = self.app.extensions["jay.db"]
        Deliverer(database, ways, kinds, clock=self.clock, secret=SECRET).run()
        return self.office.mails

    def happens(self, part: PartNo, kind: Happening, by: Actor, **details: Any) -> int:
        with self.app.app_context(), db.transaction() as connection:
            return events.record(connection, part, kind, by, details, now=self.clock())


def words(mail: EmailMessage, kind: str = "plain") -> str:
    body = mail.get_body((kind,))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n").replace("\u00a0", " ")
