"""Feeds at merchants' addresses, brought into files: whole, within bounds, and only when new."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

from jay.feeds.files import BEGINNING, BOM
from jay.feeds.foreign import WEB_PAGE
from jay.net.addresses import Unreachable
from jay.net.client import Answer, Client, Limits, unless_known
from jay.net.waits import retry_after

LIMITS = Limits(connect=5, read=30, total=30 * 60, most=2 << 30)
"""A feed of two million products fits, also from a slow server."""

REDIRECTS = 3
MAX_VALIDATOR = 1_000
"""Characters of the longest ETag or Last-Modified that is kept."""

_ENDS_ITSELF = (b"\x1f\x8b", b"PK\x03\x04", b"<")
"""What begins like this says by itself where it ends: gzip, zip and XML."""


class NoFeed(Exception):
    """There is nothing to import; the message is one sentence without secrets.

    :ivar wait: how long the server asks to be left alone.
    """

    def __init__(self, why: str, wait: timedelta | None = None) -> None:
        super().__init__(why)
        self.wait = wait


@dataclass(frozen=True)
class Downloaded:
    """An answer: its content is in the file, unless there is nothing new.

    :ivar etag: what to say the next time (RFC 9110 section 13.1).
    :ivar modified: when the content is of, as the server says.
    """

    is_new: bool
    etag: str | None = None
    last_modified: str | None = None
    modified: datetime | None = None


def download(
    client: Client,
    url: str,
    path: Path,
    *,
    etag: str | None,
    last_modified: str | None,
    now: datetime,
    alive: Callable[[], None],
) -> Downloaded:
    """Fetch a feed into a file, unless it is what was fetched before.

    :param etag: of what was fetched before, as the server has called it.
    :param alive: is called for each piece; what it raises ends the download.
    :raises NoFeed: there is no answer, no good one, or not all of it.
    """
    headers = {"Accept": "*/*", **unless_known(etag, last_modified)}
    try:
        with client.exchange(
            "GET", url, limits=LIMITS, headers=headers, redirects=REDIRECTS
        ) as answer:
            if answer.status == 304 and (etag or last_modified):
                return Downloaded(is_new=False)
            if answer.status != 200:
                wait = retry_after(answer.headers.get("Retry-After"), now)
                raise NoFeed(f"its server answered {answer.status}", wait)
            _save(answer, path, alive)
            return _described(answer.headers)
    except Unreachable as error:
        raise NoFeed(str(error)) from error
    except OSError as error:
        raise NoFeed(f"it can't be written here: {error.strerror}") from error


def _save(answer: Answer, path: Path, alive: Callable[[], None]) -> None:
    head = b""
    with path.open("xb") as file:
        for piece in answer.pieces():
            if len(head) < BEGINNING:
                head += piece[:BEGINNING]
                if WEB_PAGE.match(head.removeprefix(BOM)):
                    raise NoFeed("its server answered with a web page (HTML)")
            file.write(piece)
            alive()
    # Where nothing says how long it is, a table that was cut off looks like a whole one.
    begins = head.removeprefix(BOM).lstrip()
    if not answer.says_its_length and not begins.startswith(_ENDS_ITSELF):
        raise NoFeed("its server does not say how long the answer is (Content-Length)")


def _described(headers: Mapping[str, str]) -> Downloaded:
    last_modified = _validator(headers.get("Last-Modified"))
    modified = None
    if last_modified is not None:
        try:
            moment = parsedate_to_datetime(last_modified)
            modified = moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
        except (ValueError, OverflowError):
            last_modified = None
    return Downloaded(True, _validator(headers.get("ETag")), last_modified, modified)


def _validator(value: str | None) -> str | None:
    """Return a header that is repeated to the server; what is no plain text is left out."""
    plain = value and value.isascii() and value.isprintable() and len(value) <= MAX_VALIDATOR
    return value if plain else None
