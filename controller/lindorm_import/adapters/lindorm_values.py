"""Values of Lindorm's columns: read from the bytes that the MySQL protocol's text rows have, and spread over a key."""

import math
import string
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from itertools import zip_longest
from typing import Any

from pymysql.converters import convert_date, convert_datetime, convert_timedelta

from lindorm_import.domain.column_types import INTEGERS, TEXTS, parse_type

_EXACT = Context(prec=100, rounding=ROUND_HALF_EVEN)


def read_value(type_: str, raw: bytes | None) -> Any:
    """A value of a column, whose type is as DESCRIBE says it; None for NULL.

    Text that is not UTF-8 keeps its bytes as surrogates (PEP 383), so that it can be sent back; a time that Python has
    no form for stays text; what is of an unknown type stays bytes. Raises ValueError for what is no value of the type.
    """
    parsed = parse_type(type_)
    if raw is None or parsed is None or parsed.name in ("BINARY", "VARBINARY"):
        return raw
    if parsed.name in TEXTS:
        return raw.decode(errors="surrogateescape")
    text = raw.decode("ascii")
    if parsed.name in INTEGERS:
        return int(text)
    if parsed.name in ("FLOAT", "DOUBLE"):
        return float(text)
    if parsed.name == "DECIMAL":
        return Decimal(text, _EXACT)
    if parsed.name == "BOOLEAN":
        return text.lower() in ("1", "true")
    convert: dict[str, Callable[[str], Any]] = {
        "TIMESTAMP": convert_datetime,
        "DATE": convert_date,
        "TIME": convert_timedelta,
    }
    return convert[parsed.name](text)


def spread(low: Any, high: Any, count: int) -> list[Any]:
    """Values between two keys, evenly spaced and of the column's own precision: numbers and times by value, text by its
    first differing characters; other types have none."""
    if isinstance(low, bool) or type(low) is not type(high):
        return []
    steps = range(1, count)
    if isinstance(low, int):
        return [low + (high - low) * n // count for n in steps]
    if isinstance(low, float) and math.isfinite(high - low):
        return [low + (high - low) / count * n for n in steps]
    if isinstance(low, Decimal):
        # With as many digits after the point as the values have: a column refuses what has more.
        last = min(d.as_tuple().exponent for d in (low, high))
        unit = Decimal((0, (1,), int(last)))
        span = _EXACT.divide(_EXACT.subtract(high, low), Decimal(count))
        return [_EXACT.quantize(_EXACT.fma(span, Decimal(n), low), unit) for n in steps]
    if isinstance(low, datetime):
        step = (high - low) / count
        return [_to_milliseconds(low + step * n) for n in steps]
    if isinstance(low, date):
        return [low + timedelta(days=(high - low).days * n // count) for n in steps]
    if isinstance(low, str):
        return _spread_text(low, high, count)
    return []


def _to_milliseconds(at: datetime) -> datetime:
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


_CLASSES = (string.digits, string.ascii_uppercase, string.ascii_lowercase)
_DIGITS = 8


def _spread_text(low: str, high: str, count: int) -> list[str]:
    """Texts are read as numbers after what both begin with; a place takes the kinds of characters that the two have
    there, so that values lie where keys can be."""
    length = next((n for n, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), min(len(low), len(high)))
    low_rest, high_rest = low[length : length + _DIGITS], high[length : length + _DIGITS]
    places = [sorted({*_kind(a), *_kind(b)} or {" "}) for a, b in zip_longest(low_rest, high_rest, fillvalue="")]
    first, last = sorted((_number(low_rest, places), _number(high_rest, places)))
    return [low[:length] + _text(first + (last - first) * n // count, places) for n in range(1, count)]


def _kind(character: str) -> str:
    return next((c for c in _CLASSES if character and character in c), character)


def _number(text: str, places: list[list[str]]) -> int:
    out = 0
    for character, place in zip_longest(text, places, fillvalue=""):
        out = out * len(place) + (place.index(character) if character in place else 0)
    return out


def _text(number: int, places: list[list[str]]) -> str:
    out = []
    for place in reversed(places):
        number, rest = divmod(number, len(place))
        out.append(place[rest])
    return "".join(reversed(out))
