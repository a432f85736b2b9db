"""Pictures from merchants' servers: by the guarded client, within bounds, and only when new."""

from dataclasses import dataclass
from datetime import datetime

from jay.net.addresses import AddressRefused, CutOff, TooLarge, TooSlow, Unreachable
from jay.net.client import Client, Limits, unless_known
from jay.net.waits import retry_after
from jay.pictures.models import MAX_BYTES, Reason, Unusable

LIMITS = Limits(connect=5, read=10, total=30, most=MAX_BYTES)
REDIRECTS = 3
MAX_VALIDATOR = 1_000
"""Characters of the longest ETag or Last-Modified that is kept."""

_REASONS = {
    AddressRefused: Reason.ADDRESS_REFUSED,
    TooSlow: Reason.TOO_SLOW,
    TooLarge: Reason.TOO_LARGE,
    CutOff: Reason.CUT_OFF,
    Unreachable: Reason.UNREACHABLE,
}


@dataclass(frozen=True)
class Fetched:
    """What a server has answered.

    :ivar content: None when it is what was fetched before.
    :ivar etag: what to say the next time (RFC 9110 section 13.1).
    """

    content: bytes | None
    etag: str | None = None
    last_modified: str | None = None


def fetch(
    client: Client, url: str, *, etag: str | None, last_modified: str | None, now: datetime
) -> Fetched:
    """Fetch a picture, unless it is what was fetched before.

    :param etag: of what was fetched before, as the server has called it.
    :raises Unusable: there is no answer, no good one, or not all of it.
    """
    headers = {
        "Accept": "image/webp,image/jpeg,image/png,image/*;q=0.8,*/*;q=0.1",
        **unless_known(etag, last_modified),
    }
    try:
        with client.exchange(
            "GET", url, limits=LIMITS, headers=headers, redirects=REDIRECTS
        ) as answer:
            if answer.status == 304 and (etag or last_modified):
                return Fetched(None)
            if answer.status != 200:
                wait = retry_after(answer.headers.get("Retry-After"), now)
                raise Unusable(_reason_of(answer.status), wait)
            content = answer.read()
            return Fetched(
                content,
                _validator(answer.headers.get("ETag")),
                _validator(answer.headers.get("Last-Modified")),
            )
    except Unreachable as error:
        raise Unusable(_REASONS[type(error)]) from error


def _reason_of(status: int) -> Reason:
    if status in {404, 410}:
        return Reason.NOT_FOUND
    if status in {401, 402, 403, 407, 451}:
        return Reason.DENIED
    if status in {429, 503}:
        return Reason.SERVER_BUSY
    return Reason.SERVER_FAILED if status >= 500 else Reason.ODD_ANSWER


def _validator(value: str | None) -> str | None:
    """Return a header that is repeated to the server; what is no plain text is left out."""
    plain = value and value.isascii() and value.isprintable() and len(value) <= MAX_VALIDATOR
    return value if plain else None
