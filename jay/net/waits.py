"""How long a server asks to be left alone."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime


def retry_after(value: str | None, now: datetime) -> timedelta | None:
    """Read a Retry-After header: seconds, or a moment (RFC 9110 section 10.2.3)."""
    if value is None:
        return None
    if value.isascii() and value.isdigit():
        # A year is as good as forever, and more digits would overflow.
        return timedelta(seconds=min(int(value[:9]), 366 * 86400))
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):  # the latter for a year or a zone of very many digits
        return None
    return max(moment.replace(tzinfo=moment.tzinfo or UTC) - now, timedelta())
