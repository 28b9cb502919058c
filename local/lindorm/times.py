"""TIMESTAMP values: epoch milliseconds inside, a wall clock in the session's time zone outside.

Lindorm shows and reads a TIMESTAMP in the session's zone, UTC+8 unless SET says otherwise
(https://www.alibabacloud.com/help/en/lindorm/user-guide/how-to-set-the-time-zone-for-a-connection).
Days are counted by arithmetic and not by datetime, so that years 0001 and 9999 work in any zone.
"""

from __future__ import annotations

import re
import struct
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from local.lindorm import errors

DEFAULT_ZONE = "+08:00"
_OFFSET = re.compile(r"([+-])(\d{1,2}):(\d{2})\Z")
_TEXT = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[ T](\d{1,2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?)?\Z")
_EPOCH = re.compile(r"-?\d{5,}\Z")
_DAY_MS = 86_400_000
_SAFE_LOW, _SAFE_HIGH = -62_135_510_400, 253_402_214_400  # seconds datetime can hold in any zone


def days_from_civil(year: int, month: int, day: int) -> int:
    """Days from 1970-01-01 to a date of the proleptic Gregorian calendar."""
    year -= month <= 2
    era = year // 400
    year_of_era = year - era * 400
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return era * 146_097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year - 719_468


def civil_from_days(days: int) -> tuple[int, int, int]:
    """(year, month, day) of a count of days from 1970-01-01."""
    days += 719_468
    era = days // 146_097
    day_of_era = days - era * 146_097
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * day_of_year + 2) // 153
    month = shifted + 3 if shifted < 10 else shifted - 9
    return year_of_era + era * 400 + (month <= 2), month, day_of_year - (153 * shifted + 2) // 5 + 1


class Zone:
    """A session's time zone: its name as it was set, and the offset it gives an instant."""

    def __init__(self, name: str) -> None:
        """Raises 1298 for a name that is neither an offset (+hh:mm) nor a zone of the tz database."""
        self.name = name
        self._info: ZoneInfo | None = None
        self._fixed = 0
        match = _OFFSET.match(name)
        if match:
            sign, hours, minutes = match.groups()
            seconds = int(hours) * 3600 + int(minutes) * 60
            if seconds > 14 * 3600:
                raise errors.unknown_time_zone(name)
            self._fixed = (-seconds if sign == "-" else seconds) * 1000
        elif name.upper() == "SYSTEM":
            self._fixed = 8 * 3_600_000
        elif name.upper() != "UTC":
            try:
                self._info = ZoneInfo(name)
            except (ZoneInfoNotFoundError, ValueError) as error:
                raise errors.unknown_time_zone(name) from error
        self._texts: dict[int, bytes] = {}
        self._binaries: dict[int, bytes] = {}

    def offset_at(self, epoch_ms: int) -> int:
        """Milliseconds to add to an instant to get its wall clock here."""
        if self._info is None:
            return self._fixed
        seconds = min(max(epoch_ms // 1000, _SAFE_LOW), _SAFE_HIGH)
        offset = datetime.fromtimestamp(seconds, UTC).astimezone(self._info).utcoffset() or timedelta()
        return round(offset.total_seconds() * 1000)

    def from_wall(self, year: int, month: int, day: int, ms_of_day: int) -> int:
        """The instant, in epoch milliseconds, that a wall clock here shows. Of an ambiguous hour, the first."""
        wall = days_from_civil(year, month, day) * _DAY_MS + ms_of_day
        if self._info is None:
            return wall - self._fixed
        if not 1 < year < 9999:
            return wall - self.offset_at(wall)
        naive = datetime(year, month, day, tzinfo=self._info) + timedelta(milliseconds=ms_of_day)
        return wall - round((naive.utcoffset() or timedelta()).total_seconds() * 1000)

    def wall(self, epoch_ms: int) -> tuple[int, int, int, int]:
        """(year, month, day, milliseconds of the day) of an instant here."""
        days, ms_of_day = divmod(epoch_ms + self.offset_at(epoch_ms), _DAY_MS)
        return (*civil_from_days(days), ms_of_day)

    def text(self, epoch_ms: int) -> bytes:
        """`yyyy-mm-dd hh:mm:ss.SSS` here."""
        second, ms = divmod(epoch_ms, 1000)
        prefix = self._texts.get(second)
        if prefix is None:
            year, month, day, ms_of_day = self.wall(second * 1000)
            of_day = ms_of_day // 1000
            prefix = (
                f"{year:04d}-{month:02d}-{day:02d} {of_day // 3600:02d}:{of_day // 60 % 60:02d}:{of_day % 60:02d}."
            ).encode()
            _remember(self._texts, second, prefix)
        return prefix + b"%03d" % ms

    def binary(self, epoch_ms: int) -> bytes:
        """MySQL's binary form: length, date, time, microseconds."""
        second, ms = divmod(epoch_ms, 1000)
        prefix = self._binaries.get(second)
        if prefix is None:
            year, month, day, ms_of_day = self.wall(second * 1000)
            of_day = ms_of_day // 1000
            prefix = struct.pack(
                "<BHBBBBB", 11, year & 0xFFFF, month, day, of_day // 3600, of_day // 60 % 60, of_day % 60
            )
            _remember(self._binaries, second, prefix)
        return prefix + (ms * 1000).to_bytes(4, "little")

    def parse(self, text: str) -> int | None:
        """Epoch milliseconds of a client's text: a wall clock here, or epoch milliseconds. None if neither."""
        if _EPOCH.match(text):
            return int(text)
        match = _TEXT.match(text)
        if not match:
            return None
        year, month, day, hour, minute, second, fraction = match.groups()
        if not (1 <= int(month) <= 12 and 1 <= int(day) <= 31):
            return None
        clock = [int(part or 0) for part in (hour, minute, second)]
        if clock[0] > 23 or clock[1] > 59 or clock[2] > 59:
            return None
        if civil_from_days(days_from_civil(int(year), int(month), int(day))) != (int(year), int(month), int(day)):
            return None
        ms = (clock[0] * 3600 + clock[1] * 60 + clock[2]) * 1000 + int((fraction or "0").ljust(3, "0")[:3])
        return self.from_wall(int(year), int(month), int(day), ms)


def _remember(cache: dict[int, bytes], second: int, value: bytes) -> None:
    if len(cache) > 100_000:
        cache.clear()
    cache[second] = value
