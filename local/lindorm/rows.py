"""Rows of a result as packets of MySQL's text or binary protocol.

A page is encoded column by column and then joined row by row: one Python call per value is what a row server in
Python costs, so nothing else is done per value.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from local.lindorm.times import Zone
from local.lindorm.types import NAN, Kind, LindormType, Stored, decimal_text

_SHORT = [bytes([n]) for n in range(251)]
_INTEGERS = {Kind.BOOLEAN: "b", Kind.TINYINT: "b", Kind.SMALLINT: "h", Kind.INTEGER: "i", Kind.BIGINT: "q"}
Encoder = Callable[[Any], bytes]


@dataclass(frozen=True)
class ResultColumn:
    """A column of a result: its name and type, and where it comes from."""

    name: str
    type: LindormType
    table: str = ""
    key: bool = False
    database: str = "default"


def length_encoded(raw: bytes) -> bytes:
    """A length-encoded string."""
    size = len(raw)
    if size < 251:
        return _SHORT[size] + raw
    return length_encoded_int(size) + raw


def length_encoded_int(value: int) -> bytes:
    """A length-encoded integer."""
    if value < 251:
        return _SHORT[value]
    if value < 1 << 16:
        return b"\xfc" + value.to_bytes(2, "little")
    if value < 1 << 24:
        return b"\xfd" + value.to_bytes(3, "little")
    return b"\xfe" + value.to_bytes(8, "little")


def float32_text(value: float) -> str:
    """The shortest decimal that reads back as the same 32-bit float."""
    for digits in (6, 7, 8):
        text = f"{value:.{digits}g}"
        if struct.pack("<f", float(text)) == struct.pack("<f", value):
            return text
    return f"{value:.9g}"


def _floating_text(kind: Kind) -> Encoder:
    shortest = float32_text if kind is Kind.FLOAT else repr

    def encode(value: float | bytes) -> bytes:
        if isinstance(value, bytes):
            return NAN
        if math.isinf(value):
            return b"Infinity" if value > 0 else b"-Infinity"
        return shortest(value).encode()

    return encode


def text_encoder(kind: LindormType, zone: Zone) -> Encoder:
    """Text of one stored value, without its length."""
    match kind.kind:
        case Kind.FLOAT | Kind.DOUBLE:
            return _floating_text(kind.kind)
        case Kind.DECIMAL:
            return lambda value: decimal_text(value, kind.scale)
        case Kind.TIMESTAMP:
            return zone.text
        case Kind.UNSIGNED:
            return lambda value: b"%d" % (value + 2**63)
        case Kind.BOOLEAN | Kind.TINYINT | Kind.SMALLINT | Kind.INTEGER | Kind.BIGINT:
            return lambda value: b"%d" % value
    return str.encode if kind.order else bytes


def _binary_encoder(kind: LindormType, zone: Zone) -> Encoder:
    """One stored value in the binary protocol, complete."""
    match kind.kind:
        case Kind.FLOAT | Kind.DOUBLE:
            pack = struct.Struct("<f" if kind.kind is Kind.FLOAT else "<d").pack
            return lambda value: pack(math.nan if type(value) is bytes else value)
        case Kind.DECIMAL:
            return lambda value: length_encoded(decimal_text(value, kind.scale))
        case Kind.TIMESTAMP:
            return zone.binary
        case Kind.DATE:
            return lambda value: struct.pack("<BHBB", 4, int(value[:4]), int(value[5:7]), int(value[8:]))
        case Kind.TIME:
            return lambda value: struct.pack("<BBIBBB", 8, 0, 0, int(value[:2]), int(value[3:5]), int(value[6:]))
        case Kind.UNSIGNED:
            unsigned = struct.Struct("<Q").pack
            return lambda value: unsigned(value + 2**63)
    if kind.kind in _INTEGERS:
        return struct.Struct("<" + _INTEGERS[kind.kind]).pack
    return (lambda value: length_encoded(value.encode())) if kind.order else length_encoded


def _frame(payloads: list[bytes], sequence: int) -> tuple[bytes, int]:
    """Payloads as packets, numbered from `sequence`, and the number after the last."""
    out: list[bytes] = []
    for payload in payloads:
        size = len(payload)
        if size >= 0xFFFFFF:
            packet, sequence = large_packet(payload, sequence)
            out.append(packet)
            continue
        out.append((size | sequence << 24).to_bytes(4, "little"))
        out.append(payload)
        sequence = (sequence + 1) & 0xFF
    return b"".join(out), sequence


def large_packet(payload: bytes, sequence: int) -> tuple[bytes, int]:
    """A payload as one packet, or as several when it has 16 MB - 1 bytes or more."""
    out = []
    for start in range(0, len(payload) + 1, 0xFFFFFF):
        part = payload[start : start + 0xFFFFFF]
        out.append((len(part) | sequence << 24).to_bytes(4, "little") + part)
        sequence = (sequence + 1) & 0xFF
    return b"".join(out), sequence


def text_rows(
    rows: Sequence[Sequence[Stored]], columns: Sequence[ResultColumn], zone: Zone, sequence: int
) -> tuple[bytes, int]:
    """Packets of the text protocol and the next sequence number."""
    encoded = []
    for values, column in zip(zip(*rows, strict=True), columns, strict=False):
        encode = text_encoder(column.type, zone)
        encoded.append([b"\xfb" if value is None else length_encoded(encode(value)) for value in values])
    return _frame([b"".join(parts) for parts in zip(*encoded, strict=True)], sequence)


def binary_rows(
    rows: Sequence[Sequence[Stored]], columns: Sequence[ResultColumn], zone: Zone, sequence: int
) -> tuple[bytes, int]:
    """Packets of the binary protocol and the next sequence number."""
    width = (len(columns) + 9) // 8
    encoded = []
    nulls = [0] * len(rows)
    for index, (values, column) in enumerate(zip(zip(*rows, strict=True), columns, strict=False)):
        encode = _binary_encoder(column.type, zone)
        if None in values:
            for row, value in enumerate(values):
                if value is None:
                    nulls[row] |= 1 << (index + 2)
            encoded.append([b"" if value is None else encode(value) for value in values])
        else:
            encoded.append([encode(value) for value in values])
    heads = [b"\0" + bits.to_bytes(width, "little") for bits in nulls]
    return _frame([b"".join(parts) for parts in zip(heads, *encoded, strict=True)], sequence)
