"""The syntax of e-mail addresses (RFC 5321, 5322); nothing is looked up."""

from email_validator import EmailNotValidError, validate_email


def normal_email(text: str) -> str | None:
    """Return an e-mail address as every mail server takes it; None where it is none.

    The local part is ASCII, as servers without SMTPUTF8 (RFC 6531) take no other; the domain is
    written in its ASCII form. What a mail program would read as an option is none.

    This is for what people type. It is stricter than ``jay.net.smtp.mailbox``, by which mails are
    addressed: an operator may have hosts without a public domain, and servers with SMTPUTF8.
    """
    try:
        found = validate_email(text, check_deliverability=False, allow_smtputf8=False)
    except EmailNotValidError:
        return None
    address = found.ascii_email
    return None if address is None or address.startswith("-") else address
