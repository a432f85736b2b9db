"""Sending one mail: whatever the mail server does, it ends soon and is told without an address."""

import socket
import stat
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest

from jay.net.smtp import MailServer
from jay.outbox.letters import Attachment, Letter
from jay.outbox.models import DeliveryResult, Destination, Message
from jay.outbox.transports import mail
from jay.outbox.transports.mail import Mailbox, Mailer
from tests.clock import NOON
from tests.post_office import FROM, PASSWORD, USER, PostOffice, post_office
from tests.receiver import Authority
from tests.servers import free_port

TO = "ada.lovelace@example.com"
LETTER = Letter(
    "Deine Bestellung: schön, J 2345",
    "Hallo,\n\nschön, dass du da bist.\n",
    "<p>Schön, dass du da bist.</p>",
    "de",
    [
        Attachment("AGB.txt", "text/plain", "Es gilt das Übliche.\n".encode()),
        Attachment("order.json", "application/json", b'{"orderId": "J2345-1"}'),
    ],
)


@pytest.fixture
def office() -> Iterator[PostOffice]:
    with post_office() as running:
        yield running


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def message(number: int = 1) -> Message:
    return Message(number, "order.received", "mail/1", None, None, "J2345", "kEy-_1", None, NOON, 1)


def send(
    office: PostOffice | MailServer, to: str = TO, letter: Letter = LETTER, **options: Any
) -> DeliveryResult:
    server = office.server if isinstance(office, PostOffice) else office
    destination = Destination(to, write=lambda: letter)
    return Mailer(server, FROM, **options).send(message(), destination, now=NOON)


# --- what arrives


def test_a_mail_arrives_as_it_was_written(office: PostOffice) -> None:
    assert send(office) == DeliveryResult()

    (arrived,), (envelope,) = office.mails, office.envelopes
    assert (envelope.mail_from, envelope.rcpt_tos) == ("shop@kino.example", [TO])
    assert arrived["From"] == "Kino Nord <shop@kino.example>"
    assert arrived["To"] == TO
    assert arrived["Subject"] == LETTER.subject
    assert arrived["Date"].datetime == NOON
    assert arrived["Content-Language"] == "de"
    assert arrived["Auto-Submitted"] == "auto-generated"
    text, html = (arrived.get_body((kind,)) for kind in ("plain", "html"))
    assert text is not None
    assert html is not None
    assert text.get_content().replace("\r\n", "\n") == LETTER.text
    assert html.get_content().strip() == LETTER.html


def test_what_is_attached_comes_with_its_name_and_type(office: PostOffice) -> None:
    send(office)

    terms, order = office.mails[0].iter_attachments()
    assert (terms.get_filename(), terms.get_content_type()) == ("AGB.txt", "text/plain")
    assert terms.get_content().strip() == "Es gilt das Übliche."
    assert (order.get_filename(), order.get_content_type()) == ("order.json", "application/json")
    assert order.get_content() == b'{"orderId": "J2345-1"}'


def test_a_mail_that_is_sent_again_has_the_same_id(office: PostOffice) -> None:
    send(office)
    send(office)

    assert [each["Message-ID"] for each in office.mails] == ["<kEy-_1@kino.example>"] * 2


def test_old_servers_get_nothing_but_ascii_in_short_lines(office: PostOffice) -> None:
    send(office, letter=replace(LETTER, text="Ü" * 2000, html="ß" * 2000, subject="Ä" * 200))

    content = office.envelopes[0].content or b""
    assert isinstance(content, bytes)
    assert content.isascii()
    assert max(map(len, content.splitlines())) <= 78
    assert office.mails[0]["Subject"] == "Ä" * 200


def test_an_address_in_another_script_arrives_where_the_server_knows_them(
    office: PostOffice,
) -> None:
    assert send(office, "päivi@müller.example") == DeliveryResult()

    assert office.envelopes[0].rcpt_tos == ["päivi@xn--mller-kva.example"]


# --- nobody can make more of it than a mail


@pytest.mark.parametrize(
    "words",
    [
        "Hello\r\nBcc: eve@example.com",
        "Hello\nX: y",
        "a\x0bb\x85c\u2028d",
        "\r\n.\r\nMAIL FROM:<e@x>",
    ],
)
def test_no_name_in_a_subject_becomes_a_header(office: PostOffice, words: str) -> None:
    assert send(office, letter=replace(LETTER, subject=words)) == DeliveryResult()

    (arrived,) = office.mails
    assert arrived["Subject"] == " ".join(words.split())
    assert (arrived["Bcc"], arrived["X"]) == (None, None)
    assert office.envelopes[0].rcpt_tos == [TO]


def test_no_line_of_a_text_ends_the_mail(office: PostOffice) -> None:
    words = "before\n.\nRCPT TO:<eve@example.com>\n.\nafter\n"

    send(office, letter=replace(LETTER, text=words))

    body = office.mails[0].get_body(("plain",))
    assert body is not None
    assert body.get_content().replace("\r\n", "\n") == words
    assert office.envelopes[0].rcpt_tos == [TO]


@pytest.mark.parametrize(
    "address",
    [
        "-oQ/tmp@example.com",
        "ada@-oProxyCommand.example",
        "ada@example.com, eve@example.com",
        "ada@example.com\r\nRCPT TO:<eve@example.com>",
        "ada@example.com>\r\nDATA",
        '"ada smith"@example.com',
        "ada@[127.0.0.1]",
        "ada@127.0.0.1",
        "ada@",
        "@example.com",
        "ada",
        "",
        "ada@exa mple.com",
        "ada\0@example.com",
        "a" * 65 + "@example.com",
        "ada@" + "a." * 130 + "com",
        "ada@.example.com",
        "ada..b@example.com",
    ],
)
def test_what_is_more_than_an_address_gets_no_connection(office: PostOffice, address: str) -> None:
    outcome = send(office, address)

    assert outcome == DeliveryResult(failure="no mail can be sent to its address", final=True)
    assert office.envelopes == []


# --- what the server refuses


@pytest.mark.parametrize("command", ["RCPT", "DATA"])
@pytest.mark.parametrize(("code", "final"), [(450, False), (451, False), (550, True), (552, True)])
def test_a_refusal_is_for_ever_or_for_now_and_quotes_nobody(
    office: PostOffice, command: str, code: int, final: bool
) -> None:
    office.says[command] = f"{code} <{TO}>: no"

    outcome = send(office)

    assert outcome == DeliveryResult(failure=f"the mail server answered {code}", final=final)
    assert office.mails == []


def test_a_server_that_is_about_to_go_holds_the_others_up(office: PostOffice) -> None:
    office.says["RCPT"] = "421 closing"

    assert send(office) == DeliveryResult(failure="the mail server answered 421", hold=True)


def test_a_sender_that_is_refused_is_our_own_mistake_and_never_for_ever(
    office: PostOffice,
) -> None:
    office.says["MAIL"] = "550 not yours"

    assert send(office) == DeliveryResult(failure="mail server: it answered 550", hold=True)


# --- what the server does otherwise


def test_a_server_that_hangs_up_in_the_middle_has_not_got_it(office: PostOffice) -> None:
    office.says["RCPT"] = ""

    assert send(office) == DeliveryResult(failure="mail server: it ended the connection", hold=True)


def test_a_server_that_hangs_up_after_its_yes_has_got_it(office: PostOffice) -> None:
    office.says["after"] = ""

    assert send(office) == DeliveryResult()
    assert len(office.mails) == 1


def test_where_nobody_listens_it_is_tried_again() -> None:
    outcome = send(MailServer("127.0.0.1", free_port(), starttls=False))

    assert outcome.hold
    assert outcome.failure == (
        "mail server: the connection was refused or the network can't be reached"
    )


def test_a_server_that_says_nothing_is_not_waited_for(
    office: PostOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail, "STEP_SECONDS", 0.2)
    office.waits = "DATA"

    outcome = send(office)

    assert outcome.hold
    assert "mail server: " in str(outcome.failure)


def test_a_server_that_sends_a_letter_now_and_then_is_cut_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mail, "TOTAL_SECONDS", 0.5)
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def drip() -> None:
            connection, _ = listening.accept()
            with connection:
                while not ended.wait(0.05):
                    try:
                        connection.sendall(b"2")
                    except OSError:
                        return

        thread = threading.Thread(target=drip)
        thread.start()
        outcome = send(MailServer("127.0.0.1", listening.getsockname()[1], starttls=False))
        ended.set()
        thread.join()

    assert outcome == DeliveryResult(failure="mail server: it took more than 0 s", hold=True)


# --- encryption and logging in


@pytest.mark.parametrize("encrypted", [False, True], ids=["starttls", "smtps"])
def test_the_password_goes_encrypted(authority: Authority, encrypted: bool) -> None:
    with post_office(authority.server("127.0.0.1"), encrypted=encrypted, log_in=True) as office:
        server = replace(office.server, user=USER, password=PASSWORD)

        assert send(server, tls=authority.trusted()) == DeliveryResult()

    assert len(office.mails) == 1
    assert office.logins


def test_a_wrong_password_can_be_mended(authority: Authority) -> None:
    with post_office(authority.server("127.0.0.1"), log_in=True) as office:
        server = replace(office.server, user=USER, password="wrong")

        outcome = send(server, tls=authority.trusted())

    told = "mail server: it refuses user name and password (535)"
    assert outcome == DeliveryResult(failure=told, hold=True)


def test_nothing_is_said_to_a_server_without_encryption(office: PostOffice) -> None:
    outcome = send(replace(office.server, starttls=True))

    assert "offers no encryption" in str(outcome.failure)
    assert (outcome.hold, office.envelopes) == (True, [])


@pytest.mark.parametrize("encrypted", [False, True], ids=["starttls", "smtps"])
def test_a_certificate_for_another_name_is_refused(authority: Authority, encrypted: bool) -> None:
    with post_office(authority.server("other.example"), encrypted=encrypted) as office:
        outcome = send(office, tls=authority.trusted())

    assert "certificate is not valid" in str(outcome.failure)
    assert (outcome.hold, office.mails) == (True, [])


# --- files instead


@pytest.fixture
def put(tmp_path: Path) -> Callable[..., DeliveryResult]:
    box = Mailbox(tmp_path / "mail", FROM)
    return lambda number=1, to=TO: box.send(
        message(number), Destination(to, write=lambda: LETTER), now=NOON
    )


def test_a_file_holds_the_whole_mail_and_is_its_owners_alone(
    put: Callable[..., DeliveryResult], tmp_path: Path
) -> None:
    assert put() == DeliveryResult()

    (file,) = (tmp_path / "mail").iterdir()
    assert file.name == "000001-kEy-_1.eml"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    found = message_from_bytes(file.read_bytes(), policy=policy.default)
    assert (found["To"], found["Subject"]) == (TO, LETTER.subject)


def test_a_mail_that_is_written_again_is_the_same_file(
    put: Callable[..., DeliveryResult], tmp_path: Path
) -> None:
    put()
    put()
    put(2)

    assert len(list((tmp_path / "mail").iterdir())) == 2


def test_a_folder_that_takes_no_files_is_tried_again(
    put: Callable[..., DeliveryResult], tmp_path: Path
) -> None:
    (tmp_path / "mail").write_text("in the way")

    outcome = put()

    assert (outcome.hold, outcome.final) == (True, False)
    assert "no file could be written" in str(outcome.failure)


def test_a_mail_to_nobody_becomes_no_file(
    put: Callable[..., DeliveryResult], tmp_path: Path
) -> None:
    assert put(to="-oQ/tmp@example.com").final
    assert not (tmp_path / "mail").exists()
