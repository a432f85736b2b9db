"""Mail servers and senders, as settings name them."""

import pytest

from jay.net.smtp import MailServer, mail_server, sender


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mx.example", MailServer("mx.example", 587)),
        ("smtp://mx.example:2525", MailServer("mx.example", 2525)),
        ("smtp://mx.example?tls=none", MailServer("mx.example", 25, starttls=False)),
        ("smtps://mx.example", MailServer("mx.example", 465, tls=True, starttls=False)),
        ("smtp://localhost", MailServer("localhost", 25, starttls=False)),
        ("smtp://127.0.0.1:1025/", MailServer("127.0.0.1", 1025, starttls=False)),
        ("smtp://[::1]?tls=required", MailServer("::1", 587)),
        (
            "smtp://jay:p%40ss%2Fword@mx.example",
            MailServer("mx.example", 587, user="jay", password="p@ss/word"),
        ),
        (
            "smtp://jay:secret@localhost",
            MailServer("localhost", 25, starttls=False, user="jay", password="secret"),
        ),
    ],
)
def test_a_mail_server_is_encrypted_unless_it_is_this_machine_or_said_otherwise(
    url: str, server: MailServer
) -> None:
    assert mail_server(url) == server


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("mx.example:587", "must be like"),
        ("https://mx.example", "must be like"),
        ("smtp://", "must be like"),
        ("smtp://mx.example:0x1", "port"),
        ("smtp://mx.example:99999", "port"),
        ("smtp://jay@mx.example", "user name and a password"),
        ("smtp://jay:secret@mx.example?tls=none", "without encryption"),
        ("smtps://mx.example?tls=none", "smtps"),
        ("smtp://mx.example?tls=maybe", "tls=none or"),
        ("smtp://mx.example?starttls=1", "tls=none or"),
        ("smtp://mx.example/path", "tls=none or"),
    ],
)
def test_what_is_no_mail_server_is_refused_without_quoting_it(url: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as refused:
        mail_server(url)

    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("shop@kino.example", "shop@kino.example"),
        ("Kino Nord <shop@kino.example>", "Kino Nord <shop@kino.example>"),
        ('"Müller, Söhne" <shop@kino.example>', '"Müller, Söhne" <shop@kino.example>'),
    ],
)
def test_a_sender_may_have_a_name(text: str, written: str) -> None:
    assert str(sender(text)) == written


@pytest.mark.parametrize("text", ["shop", "a@b.example, c@d.example", "<>", "-x@kino.example", ""])
def test_what_is_no_one_sender_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be like shop@"):
        sender(text)
