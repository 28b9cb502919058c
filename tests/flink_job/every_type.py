"""A table with a column for every type and every form that it can become, full of random and of awkward values."""

from __future__ import annotations

import json
import math
import random
import string
from collections.abc import Callable
from typing import Any

from lindorm_import.plan.mapping import CHOICES
from local.lindorm.data import RANGE_START_MS, load_stored
from local.lindorm.sql import parse_create
from local.lindorm.store import DEFAULT_DATABASE, Store
from local.lindorm.types import Stored

_LENGTHS = {"DECIMAL": "DECIMAL(38,10)", "CHAR": "CHAR(12)", "VARCHAR": "VARCHAR", "BINARY": "BINARY(5)"}
_TEXTS = (
    "",
    "a",
    " b ",
    'quote " \\ \x00\n\t',
    "é ü 漢字 \U0001f600",
    "\ufeff",
    "\u2028",
    "</script>",
    "{",
    "x" * 3000,
)
_NUMBERS = ("0", "-0", "1", "1.50", "-7e3", "1e-130", "9.9e125", "123456789012345678901234567890.12345678", " 5 ")


def _text(chance: random.Random) -> str:
    if chance.random() < 0.5:
        return chance.choice(_TEXTS)
    return "".join(chance.choice(string.printable + "äß€漢\U0001f680") for _ in range(chance.randint(0, 40)))


def _document(chance: random.Random, depth: int = 0) -> Any:
    kind = chance.randrange(8 if depth < 6 else 6)
    if kind == 6:
        return [_document(chance, depth + 1) for _ in range(chance.randint(0, 4))]
    if kind == 7:
        return {_text(chance)[:20] or "n": _document(chance, depth + 1) for _ in range(chance.randint(0, 4))}
    plain: list[Any] = [
        None,
        True,
        chance.randint(-(2**70), 2**70),
        round(chance.uniform(-1e6, 1e6), 6),
        _text(chance),
        "",
    ]
    return plain[kind]


def _integer(bits: int) -> Callable[[random.Random], Stored]:
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    return lambda chance: chance.choice((low, high, 0, -1, chance.randint(low, high)))


def _decimal(chance: random.Random) -> Stored:
    unscaled = chance.choice((0, 10**38 - 1, 1 - 10**38, 1, chance.randint(-(10**20), 10**20), 15 * 10**9))
    return (unscaled + (1 << 127)).to_bytes(16, "big")


def _double(chance: random.Random) -> Stored:
    return chance.choice((0.0, -0.0, 1.0, 0.1, 1e100, -1e-100, 1.7e308, math.inf, chance.gauss(0, 1e5)))


def _float(chance: random.Random) -> Stored:
    return chance.choice((0.0, 0.5, -1.25, 1e30, float(chance.randint(-(2**20), 2**20)) / 8))


def _bytes(length: int | None) -> Callable[[random.Random], Stored]:
    return lambda chance: chance.randbytes(chance.randint(0, 40) if length is None else length)


_VALUES: dict[str, Callable[[random.Random], Stored]] = {
    "BOOLEAN": lambda chance: chance.randrange(2),
    "TINYINT": _integer(8),
    "SMALLINT": _integer(16),
    "INTEGER": _integer(32),
    "BIGINT": _integer(64),
    "BIGINT UNSIGNED": _integer(64),
    "DECIMAL": _decimal,
    "FLOAT": _float,
    "DOUBLE": _double,
    "CHAR": lambda chance: _text(chance)[:12].ljust(12).encode(),
    "VARCHAR": lambda chance: _text(chance).encode(),
    "BINARY": _bytes(5),
    "VARBINARY": _bytes(None),
    "TIMESTAMP": lambda chance: RANGE_START_MS + chance.randint(-(10**12), 10**12),
    "DATE": lambda chance: b"%04d-%02d-%02d" % (chance.randint(1, 9999), chance.randint(1, 12), chance.randint(1, 28)),
    "TIME": lambda chance: b"%02d:%02d:%02d" % (chance.randrange(24), chance.randrange(60), chance.randrange(60)),
    "JSON": lambda chance: json.dumps(_document(chance)).encode(),
}


def _value(type_: str, as_: str, chance: random.Random) -> Stored:
    if chance.random() < 0.1:
        return None
    if type_ in ("CHAR", "VARCHAR"):
        if as_ == "Number":  # one in a hundred is none, and so its row a reject
            text = chance.choice(_NUMBERS) if chance.random() < 0.99 else "none"
            return text[:12].encode()
        if as_ == "JsonDocument":
            return b"[1,2]" if type_ == "CHAR" else json.dumps(_document(chance)).encode()
    value = _VALUES[type_](chance)
    if isinstance(value, float) and abs(value) > 1e125 and chance.random() < 0.9:
        return 1.5  # most of those that DynamoDB has no number for would leave no row
    return value


def make_table(store: Store, name: str, chance: random.Random, rows: int) -> dict[str, Any]:
    """Makes it, and returns what an import of it has in its spec."""
    forms = [(type_, as_) for type_, choices in CHOICES.items() for as_ in choices]
    columns = {f"{type_}_{as_}".replace(" ", "_").lower(): (type_, as_) for type_, as_ in forms}
    told = ", ".join(f"{column} {_LENGTHS.get(type_, type_)}" for column, (type_, _) in columns.items())
    table = parse_create(f"CREATE TABLE {name} (k VARCHAR, ts TIMESTAMP, {told}, PRIMARY KEY (k))", DEFAULT_DATABASE)[0]
    load_stored(
        store,
        table,
        (
            (
                f"{number:06d}".encode(),
                RANGE_START_MS + number,
                *(_value(type_, as_, chance) for type_, as_ in columns.values()),
            )
            for number in range(rows)
        ),
    )
    return {
        "source.table": name,
        "target.attributes": [{"column": column, "as": as_} for column, (_, as_) in columns.items()],
        "target.nulls": chance.choice(("Omit", "Write")),
        "rejects.max": rows,
    }
