"""Lindorm's data types: how a value is written, kept in SQLite in Lindorm's order, and announced to a MySQL client.

The list of types: https://help.aliyun.com/en/lindorm/developer-reference/basic-data-types. In SQLite a value is an
int, a float or bytes, chosen so that SQLite's own order is the type's order:

- integers and BOOLEAN as they are; BIGINT UNSIGNED minus 2^63;
- DECIMAL as 16 bytes, big-endian, of the unscaled value plus 2^127: exact, and in order of value;
- FLOAT and DOUBLE as they are; NaN as the bytes `NaN`, which sort after every number, as in Java's order;
- CHAR, VARCHAR, JSON, DATE, TIME as UTF-8 bytes; BINARY and VARBINARY as bytes;
- TIMESTAMP as epoch milliseconds.

In a table that was told to order text otherwise (`TEXT_ORDERS`), text is a str, which SQLite compares as it was told.
"""

from __future__ import annotations

import enum
import json
import math
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Context, Decimal, InvalidOperation
from typing import NamedTuple

from local.lindorm import errors
from local.lindorm.times import Zone, civil_from_days, days_from_civil

Stored = int | float | bytes | str | None
NAN = b"NaN"
_EXACT = Context(prec=100)

# Orders of text that are not that of its UTF-8 bytes: what two texts are compared by. Equal there is one key.
TEXT_ORDERS: dict[str, Callable[[str], str | bytes]] = {
    "case-insensitive": str.casefold,
    "utf-16": lambda text: text.encode("utf-16-be"),  # as Java's String.compareTo
}


class Kind(enum.Enum):
    BOOLEAN = "BOOLEAN"
    TINYINT = "TINYINT"
    SMALLINT = "SMALLINT"
    INTEGER = "INT"
    BIGINT = "BIGINT"
    UNSIGNED = "BIGINT UNSIGNED"
    FLOAT = "FLOAT"
    DOUBLE = "DOUBLE"
    DECIMAL = "DECIMAL"
    CHAR = "CHAR"
    VARCHAR = "VARCHAR"
    BINARY = "BINARY"
    VARBINARY = "VARBINARY"
    DATE = "DATE"
    TIME = "TIME"
    TIMESTAMP = "TIMESTAMP"
    JSON = "JSON"


class WallClock(NamedTuple):
    """A date-time parameter of the binary protocol: it has no zone of its own and is read in the session's."""

    year: int
    month: int
    day: int
    ms_of_day: int


# What a client can give: a literal, or a parameter of the binary protocol (whose strings are bytes).
Given = int | float | Decimal | str | bytes | WallClock | None

INTEGER_RANGES = {
    Kind.TINYINT: (-(2**7), 2**7 - 1),
    Kind.SMALLINT: (-(2**15), 2**15 - 1),
    Kind.INTEGER: (-(2**31), 2**31 - 1),
    Kind.BIGINT: (-(2**63), 2**63 - 1),
    Kind.UNSIGNED: (0, 2**64 - 1),
}


@dataclass(frozen=True)
class LindormType:
    """A type with its length (CHAR, BINARY, VARCHAR) or precision and scale (DECIMAL). order: of its text, a name of
    TEXT_ORDERS; "" for that of the bytes."""

    kind: Kind
    length: int = 0
    scale: int = 0
    order: str = ""

    def __str__(self) -> str:
        """The type with its length, or precision and scale."""
        if self.kind is Kind.DECIMAL:
            return f"DECIMAL({self.length},{self.scale})"
        return f"{self.kind.value}({self.length})" if self.length else self.kind.value


_NAME = re.compile(r"([A-Z]+)\s*(?:\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\))?(\s+UNSIGNED)?\Z", re.IGNORECASE)


def parse_type(text: str) -> LindormType:
    """The type of a column definition. Raises 9001 for types that Lindorm does not have."""
    match = _NAME.match(text.strip())
    if not match:
        raise errors.unsupported(f"data type {text}")
    name, length, scale, unsigned = match.groups()
    name = name.upper()
    if name == "INTEGER":
        name = "INT"
    if unsigned:
        name += " UNSIGNED"
    try:
        kind = Kind(name)
    except ValueError:
        raise errors.unsupported(f"data type {text}") from None
    if kind is Kind.DECIMAL:
        precision, digits = int(length or 10), int(scale or 0)
        if not 1 <= precision <= 38 or digits > precision:
            raise errors.unsupported(f"data type {text}: precision 1 to 38, scale 0 to the precision")
        return LindormType(kind, precision, digits)
    if kind in (Kind.CHAR, Kind.BINARY):
        return LindormType(kind, int(length or 1))
    if kind in (Kind.VARCHAR, Kind.VARBINARY):
        return LindormType(kind, int(length or 0))
    return LindormType(kind)


def to_stored(kind: LindormType, value: Given, zone: Zone, column: str, *, strict: bool) -> Stored:
    """What SQLite keeps, or compares with, for a value that a client gave.

    strict: the value is written, so it must fit the type (1366 otherwise); else it is compared, and may lie outside.
    """
    if value is None:
        return None
    stored = _convert(kind, value, zone, strict)
    if stored is None:
        shown = value.decode(errors="replace") if isinstance(value, bytes) else value
        raise errors.bad_value(str(kind).lower(), shown, column)
    return stored


def _convert(kind: LindormType, value: Given, zone: Zone, strict: bool) -> Stored:
    match kind.kind:
        case Kind.VARCHAR | Kind.CHAR | Kind.JSON:
            raw = _text(kind, value, strict)
            return raw.decode() if raw is not None and kind.order else raw
        case Kind.BINARY | Kind.VARBINARY:
            data = _bytes(value) if isinstance(value, bytes | str) else None
            if data is not None and kind.kind is Kind.BINARY and strict:
                data = data[: kind.length].ljust(kind.length, b"\0")
            return data
        case Kind.TIMESTAMP:
            if isinstance(value, WallClock):
                return zone.from_wall(*value)
            if isinstance(value, int):
                return value
            text = _as_str(value)
            return None if text is None else zone.parse(text)
        case Kind.DATE:
            return _date(value)
        case Kind.TIME:
            return _time(value)
    number = _number(value)
    if number is None:
        return None
    match kind.kind:
        case Kind.FLOAT | Kind.DOUBLE:
            return _floating(kind.kind, number)
        case Kind.DECIMAL:
            return _decimal(kind, number)
        case Kind.BOOLEAN:
            return int(bool(number))
    return _integer(kind.kind, number, strict)


def _bytes(value: bytes | str) -> bytes:
    """UTF-8, or the very bytes that came where they were no UTF-8."""
    return value if isinstance(value, bytes) else value.encode(errors="surrogateescape")


def _text(kind: LindormType, value: Given, strict: bool) -> bytes | None:
    if isinstance(value, WallClock) or value is None:
        return None
    raw = _bytes(value if isinstance(value, bytes | str) else str(value))
    if kind.kind is Kind.JSON and strict:
        try:
            json.loads(raw)
        except ValueError:
            return None
    if strict and kind.length and len(raw.decode(errors="replace")) > kind.length:
        return None
    if kind.kind is Kind.CHAR:
        raw += b" " * (kind.length - len(raw.decode(errors="replace")))
    return raw


def _as_str(value: Given) -> str | None:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return value if isinstance(value, str) else None


def _number(value: Given) -> int | float | Decimal | None:
    if isinstance(value, int | float | Decimal):
        return value
    text = _as_str(value)
    if text is None:
        return None
    if text.lower() in ("true", "false"):
        return int(text.lower() == "true")
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def _integer(kind: Kind, number: int | float | Decimal, strict: bool) -> int | float | None:
    if not math.isfinite(number):
        return None
    if number != int(number):
        return None if strict or kind is Kind.UNSIGNED else float(number)
    low, high = INTEGER_RANGES[kind]
    whole = int(number)
    if not low <= whole <= high:
        if strict:
            return None
        return -math.inf if whole < low else math.inf
    return whole - 2**63 if kind is Kind.UNSIGNED else whole


def _floating(kind: Kind, number: int | float | Decimal) -> float | bytes:
    value = float(number)
    if math.isnan(value):
        return NAN
    if kind is Kind.FLOAT and math.isfinite(value):
        try:
            value = float(struct.unpack("<f", struct.pack("<f", value))[0])
        except OverflowError:
            value = math.copysign(math.inf, value)
    return value


def _decimal(kind: LindormType, number: int | float | Decimal) -> bytes | None:
    exact = Decimal(repr(number)) if isinstance(number, float) else Decimal(number)
    if not exact.is_finite():
        return None
    unscaled = exact.scaleb(kind.scale, _EXACT)
    whole = int(unscaled.to_integral_value())
    if abs(whole) >= 10**kind.length or whole != unscaled:
        return None
    return (whole + (1 << 127)).to_bytes(16, "big")


def decimal_text(stored: bytes, scale: int) -> bytes:
    """The decimal digits of a stored DECIMAL, always with its scale."""
    unscaled = int.from_bytes(stored, "big") - (1 << 127)
    if not scale:
        return str(unscaled).encode()
    digits = str(abs(unscaled)).rjust(scale + 1, "0")
    return f"{'-' if unscaled < 0 else ''}{digits[:-scale]}.{digits[-scale:]}".encode()


def _date(value: Given) -> bytes | None:
    if isinstance(value, WallClock):
        return f"{value.year:04d}-{value.month:02d}-{value.day:02d}".encode()
    match = re.match(r"(\d{4})-(\d{1,2})-(\d{1,2})\Z", _as_str(value) or "")
    if not match:
        return None
    date = (int(match[1]), int(match[2]), int(match[3]))
    if not (1 <= date[1] <= 12 and 1 <= date[2] <= 31) or civil_from_days(days_from_civil(*date)) != date:
        return None
    return b"%04d-%02d-%02d" % date


def _time(value: Given) -> bytes | None:
    if isinstance(value, WallClock):
        seconds = value.ms_of_day // 1000
        return b"%02d:%02d:%02d" % (seconds // 3600, seconds // 60 % 60, seconds % 60)
    match = re.match(r"(\d{1,2}):(\d{2}):(\d{2})\Z", _as_str(value) or "")
    if not match or int(match[1]) > 23 or int(match[2]) > 59 or int(match[3]) > 59:
        return None
    return b"%02d:%02d:%02d" % (int(match[1]), int(match[2]), int(match[3]))


class Wire(NamedTuple):
    """A column definition's type byte, character set, display length in bytes, flags and decimals."""

    type: int
    charset: int
    length: int
    flags: int
    decimals: int


UTF8MB4, BINARY_CHARSET = 45, 63
_UNSIGNED_FLAG, _BINARY_FLAG = 32, 128
_NUMBERS = {
    Kind.BOOLEAN: (1, 1, 0),  # TINYINT(1), which Connector/J reads as a boolean
    Kind.TINYINT: (1, 4, 0),
    Kind.SMALLINT: (2, 6, 0),
    Kind.INTEGER: (3, 11, 0),
    Kind.BIGINT: (8, 20, 0),
    Kind.UNSIGNED: (8, 20, 0),
    Kind.FLOAT: (4, 12, 31),
    Kind.DOUBLE: (5, 22, 31),
    Kind.DATE: (10, 10, 0),
    Kind.TIME: (11, 10, 0),
    Kind.TIMESTAMP: (7, 23, 3),
}
_STRINGS = {Kind.VARCHAR: 253, Kind.CHAR: 254, Kind.VARBINARY: 253, Kind.BINARY: 254, Kind.JSON: 245}


def wire_type(kind: LindormType) -> Wire:
    """The type as MySQL's protocol names it
    (https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query_response_text_resultset_column_definition.html).
    """
    if kind.kind is Kind.DECIMAL:
        return Wire(246, BINARY_CHARSET, kind.length + 2, 0, kind.scale)
    if kind.kind in _NUMBERS:
        type_byte, length, decimals = _NUMBERS[kind.kind]
        flags = _UNSIGNED_FLAG if kind.kind is Kind.UNSIGNED else 0
        return Wire(type_byte, BINARY_CHARSET, length, flags, decimals)
    if kind.kind in (Kind.BINARY, Kind.VARBINARY):
        return Wire(_STRINGS[kind.kind], BINARY_CHARSET, kind.length or 65_535, _BINARY_FLAG, 0)
    return Wire(_STRINGS[kind.kind], UTF8MB4, (kind.length or 65_535) * 4, 0, 0)
