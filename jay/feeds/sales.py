"""When a sale price counts: the periods that feeds give, in the many ways in which they do."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel.core import get_global

NO_PRICE = "price: 0 is none that a shop means, so it is not used."
NO_PRICE_BESIDE = "there is no price beside it"
NOT_LOWER = "it is 0 or above the price"
"""Why a sale is left out."""


class Period(NamedTuple):
    """From the first moment on, before the second one; None where it has no such end."""

    start: datetime | None = None
    end: datetime | None = None

    def holds(self, at: datetime) -> bool:
        """Tell whether a moment is within."""
        return (self.start is None or self.start <= at) and (self.end is None or at < self.end)


def read_period(text: str, country: str) -> Period:
    """Read ``2026-11-01T00:00+0100/2026-11-30`` with either end, a day as a whole, in its country.

    :raises ValueError: it is no such period, or ends before it begins.
    """
    begin, between, end = text.partition("/")
    if not between or not (begin.strip() or end.strip()):
        raise ValueError(text)
    return period(begin, end, country)


def period(begin: str, end: str, country: str) -> Period:
    """Read the two ends of a period, each of which may be empty.

    :raises ValueError: one is no moment, or the period ends before it begins.
    """
    start, stop = _moment(begin, country), _moment(end, country, last=True)
    if start is not None and stop is not None and stop <= start:
        raise ValueError(f"{begin}/{end}")
    return Period(start, stop)


def shop_period(begin: str, end: str, country: str, *, month_first: bool = False) -> Period:
    """Read the two ends of a period as a shop's own export has them.

    They name days, though a midnight may stand behind them.

    :param month_first: ``11/1/26`` is the first of November, and not refused.
    :raises ValueError: as ``period``.
    """
    ends = (_MIDNIGHT.sub("", one.strip()) for one in (begin, end))
    first, last = (_american(one) if month_first else one for one in ends)
    return period(first, last, country)


# What databases that know no empty date have instead.
_NO_DATE = re.compile(r"0000-?00-?00(?:[ T]00:00(?::00)?)?")
_MIDNIGHT_AFTER = re.compile(r"[ T]24:00(?::00)?(?=\Z|[Z+-])")
_MIDNIGHT = re.compile(r"(?:[ T]00:00(?::00)?(?:\.0+)?|, ?12:00\s?AM)\Z")
_GERMAN = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})((?:[ T]\d{1,2}:\d{2}(?::\d{2})?)?)")
_AMERICAN = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{2}|\d{4})(?:, ?(\d{1,2}:\d{2})\s?([AP]M))?")


def _american(text: str) -> str:
    """Write ``11/1/26, 3:00 PM`` as ISO 8601 does; anything else stays."""
    found = _AMERICAN.fullmatch(text)
    if found is None:
        return text
    month, day, year, time, half = found.groups()
    written = f"{int(year) + (2000 if len(year) == 2 else 0):04}-{int(month):02}-{int(day):02}"
    if time is None:
        return written
    hour, _, minute = time.partition(":")
    return f"{written} {int(hour) % 12 + (12 if half == 'PM' else 0):02}:{minute}"


def _iso(text: str) -> str:
    """Write ``1.11.2026 8:00`` as ISO 8601 does; anything else stays."""
    found = _GERMAN.fullmatch(text)
    if found is None:
        return text
    day, month, year, time = found.groups()
    hour, colon, rest = time.strip(" T").partition(":")
    written = f"{year}-{int(month):02}-{int(day):02}"
    return f"{written} {int(hour):02}:{rest}" if colon else written


def _moment(text: str, country: str, *, last: bool = False) -> datetime | None:
    """Read one end; of a day that is the last one, all of it counts."""
    written = _iso(text.strip())
    if not written or _NO_DATE.fullmatch(written):
        return None
    if "W" in written:  # a week of ISO 8601 has seven days, of which the first would count alone
        raise ValueError(text)
    midnight = _MIDNIGHT_AFTER.sub("T00:00", written)
    moment = datetime.fromisoformat(midnight)
    whole_day = len(written) <= len("2026-11-30")
    try:
        if (last and whole_day) or midnight != written:
            moment += timedelta(days=1)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=_zone(country, moment))
        return moment.astimezone(UTC)
    except OverflowError:
        return None  # the year 9999 means without end, the year 1 without beginning


def _zone(country: str, moment: datetime) -> tzinfo:
    """Return the time zone of a country; UTC where it has several at that moment."""
    offsets = {moment.replace(tzinfo=zone).utcoffset(): zone for zone in _zones(country)}
    return next(iter(offsets.values())) if len(offsets) == 1 else UTC


@cache
def _zones(country: str) -> tuple[tzinfo, ...]:
    territories = get_global("zone_territories")
    names = [name for name, where in territories.items() if where == country]
    return tuple(_known(names))


def _known(names: Iterable[str]) -> Iterable[tzinfo]:
    for name in names:
        try:
            yield ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            continue
