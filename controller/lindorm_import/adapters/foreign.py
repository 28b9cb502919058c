"""Reads documents of others, which may be anything that JSON can say: what is not of the expected kind is not there."""

import json
from datetime import UTC, datetime
from typing import Any

from lindorm_import.api.text import printable

# More than any import has of anything; sums and percentages of it fit the API server's int64.
MOST = 10**15


def parsed(text: str | bytes) -> Any:
    """Raises ValueError, for what is nested too deep to be read as well."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def at(document: Any, *path: str) -> Any:
    """What stands there; None where nothing does."""
    for name in path:
        document = document.get(name) if isinstance(document, dict) else None
    return document


def items(value: Any, most: int) -> list[Any]:
    """The first entries of a list; none of what is no list."""
    return value[:most] if isinstance(value, list) else []


def text(value: Any, most: int) -> str | None:
    """A text, as far as it goes, printable; None for none or an empty one."""
    return printable(value[:most]) or None if isinstance(value, str) else None


def integer(value: Any) -> int | None:
    """A whole number from 0 to MOST, as JSON has it: True is none, though Python calls it 1."""
    return value if type(value) is int and 0 <= value <= MOST else None


def count(value: Any) -> int | None:
    """A number of things: 0 to MOST. Flink gives them as floats, and as text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = round(float(value)) if not isinstance(value, int) else value
    except (ValueError, OverflowError):
        return None
    return number if 0 <= number <= MOST else None


def instant(milliseconds: Any) -> datetime | None:
    """A time since the epoch, of this century."""
    since = count(milliseconds)
    return datetime.fromtimestamp(since / 1000, UTC) if since and since < 4_102_444_800_000 else None
