"""Durations as the spec writes them, and as people read them."""

import re
from datetime import timedelta

DURATION_PATTERN = r"^([0-9]{1,4}d)?([0-9]{1,5}h)?([0-9]{1,6}m)?([0-9]{1,8}s)?$"
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(\d+)([smhd])")


def parse_duration(text: str) -> timedelta:
    """'1h30m' -> 90 minutes. Units s, m, h, d; the pattern has been checked by the model."""
    return timedelta(seconds=sum(int(n) * _SECONDS[unit] for n, unit in _DURATION.findall(text)))


def format_duration(seconds: float) -> str:
    """'3d 14h', '8h 41m', '2m 05s', '42s'."""
    whole = max(0, round(seconds))
    days, hours, minutes = whole // 86_400, whole % 86_400 // 3600, whole % 3600 // 60
    if days:
        return f"{days:,}d {hours:02d}h"
    if hours:
        return f"{hours}h {minutes:02d}m"
    return f"{minutes}m {whole % 60:02d}s" if minutes else f"{whole}s"
