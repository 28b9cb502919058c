"""Instants and the one rule of the time range: a bound is rounded up to the unit of its column.

A row is in the range if start <= t < end, and t is a whole number of units; so the smallest number of units that is not
before a bound says the same as the bound itself, for both of them. Every part that has to do with bounds (the count and
the sample, the job config, the connector) follows it; tests/data/time-bounds.json holds cases for all.
"""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

EpochUnit = Literal["Seconds", "Milliseconds", "Microseconds", "Nanoseconds"]

_SECOND = 1_000_000_000
_NANOSECONDS: dict[EpochUnit | None, int] = {
    "Seconds": _SECOND,
    "Milliseconds": 1_000_000,
    "Microseconds": 1_000,
    "Nanoseconds": 1,
    None: 1_000_000,  # Lindorm keeps a TIMESTAMP in whole milliseconds
}
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_RFC_3339 = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ]([01]\d|2[0-3]):([0-5]\d):([0-5]\d)(?:\.(\d+))?(?:[Zz]|([+-])([01]\d|2[0-3]):([0-5]\d))",
    re.ASCII,
)
_EXPECTED = "must be a date and time with a time zone, such as 2023-01-01T00:00:00Z"


def parse_instant(given: Any) -> int:
    """Nanoseconds since 1970-01-01T00:00:00Z of an RFC 3339 text (or a datetime), rounded up.

    Raises ValueError for what is none, has no zone, or is outside what a TIMESTAMP of Lindorm's can hold.
    """
    match = _RFC_3339.fullmatch(given.isoformat() if isinstance(given, datetime) else str(given).strip())
    if not match:
        raise ValueError(_EXPECTED)
    day, hour, minute, second, fraction, sign, zone_hour, zone_minute = match.groups()
    try:
        days = date.fromisoformat(day).toordinal() - _EPOCH_DAY
    except ValueError as error:
        raise ValueError(f"{_EXPECTED} ({error})") from error
    east = (int(zone_hour) * 60 + int(zone_minute)) * (-1 if sign == "-" else 1) if sign else 0
    seconds = days * 86_400 + int(hour) * 3600 + (int(minute) - east) * 60 + int(second)
    nanoseconds, rest = (fraction or "")[:9].ljust(9, "0"), (fraction or "")[9:]
    instant = seconds * _SECOND + int(nanoseconds) + bool(rest.strip("0"))
    if not FIRST <= instant <= LAST:
        raise ValueError(f"must be between {text_of(FIRST)} and {text_of(LAST)}, as a TIMESTAMP of Lindorm's")
    return instant


def _at(instant: int) -> datetime:
    """To the second, rounded down."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=instant // _SECOND)


def _text(instant: int, digits: int, separator: str, zone: str) -> str:
    at = _at(instant)
    # Not strftime, whose %Y does not pad the years before 1000.
    whole = at.replace(tzinfo=None).isoformat(sep=separator, timespec="seconds")
    fraction = f"{instant % _SECOND:09d}"[:digits]
    return f"{whole}.{fraction}{zone}" if digits else f"{whole}{zone}"


def text_of(instant: int) -> str:
    """RFC 3339 in UTC, with as many of three, six or nine digits as it takes, or none."""
    digits = next(d for d in (0, 3, 6, 9) if instant % 10 ** (9 - d) == 0)
    return _text(instant, digits, "T", "Z")


FIRST = (date(1, 1, 1).toordinal() - _EPOCH_DAY) * 86_400 * _SECOND
LAST = (date(9999, 12, 31).toordinal() - _EPOCH_DAY + 1) * 86_400 * _SECOND - 1_000_000

Instant = Annotated[
    int,
    BeforeValidator(parse_instant),
    PlainSerializer(text_of, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]


def in_units(instant: int, unit: EpochUnit | None) -> int:
    """The smallest number of units (None: milliseconds) since 1970 that is not before an instant."""
    return -(-instant // _NANOSECONDS[unit])


def bound_of_job(instant: int, unit: EpochUnit | None) -> str:
    """A bound in the job config: RFC 3339, with the three, six or nine digits of a second that the unit has at most.

    Rounded up to those; the connector rounds up to whole seconds where it must, for the year 10000 has no such text.
    """
    finest = unit if unit in ("Microseconds", "Nanoseconds") else None
    digits = {"Microseconds": 6, "Nanoseconds": 9}.get(finest or "", 3)
    return _text(in_units(instant, finest) * _NANOSECONDS[finest], digits, "T", "Z")


def bound_of_sql(instant: int, unit: EpochUnit | None) -> str:
    """A bound in Lindorm's SQL: a number, or a TIMESTAMP as text in a session whose time zone is UTC."""
    if unit is None:
        return "'" + _text(in_units(instant, unit) * _NANOSECONDS[unit], 3, " ", "") + "'"
    return str(in_units(instant, unit))
