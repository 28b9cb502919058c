"""Lindorm's metadata over its MySQL protocol. The controller reads no rows but a small sample."""

import math
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pymysql
from pymysql.cursors import Cursor

from controller import plan
from controller.adapters.errors import lindorm_errors
from controller.api.spec import ImportSpec, TimeRange
from controller.observed import Column, KeyColumn, SourceSeen, TroubleError

_SAMPLE = 200
_COUNT_TIMEOUT_MS = 20_000
_PER_SECOND = {"Seconds": 1, "Milliseconds": 1_000, "Microseconds": 1_000_000, "Nanoseconds": 1_000_000_000}


def look_at_source(spec: ImportSpec, username: str, password: str, count: bool) -> SourceSeen:
    """Describes the table; with count also counts the range and samples its items' size. Raises TroubleError.

    A password is never part of an error: PyMySQL's messages name user and host only.
    """
    source = spec.source
    where = f"Lindorm at {source.host}:{source.port}, table {source.table},"
    with lindorm_errors(where):
        connection = pymysql.connect(
            host=source.host,
            port=source.port,
            user=username,
            password=password,
            database=source.database,
            connect_timeout=5,
            read_timeout=40,
            charset="utf8mb4",
            autocommit=None,
        )
    try:
        with connection.cursor() as cursor, lindorm_errors(where):
            # TIMESTAMP is shown and compared in the session's zone, UTC+8 unless told otherwise (facts: section 3).
            cursor.execute("SET time_zone = '+00:00'")
            columns, key = _describe(cursor, source.table)
            if not count:
                return SourceSeen(columns, key)
            rows, size = _count_and_sample(cursor, spec, columns)
            return SourceSeen(columns, key, rows, size)
    finally:
        connection.close()


def _describe(cursor: Cursor, table: str) -> tuple[tuple[Column, ...], tuple[KeyColumn, ...]]:
    """DESCRIBE answers in Lindorm's shape: TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, TYPE, IS_PRIMARY_KEY, SORT_ORDER."""
    cursor.execute(f"DESCRIBE {quoted(table)}")
    names = [d[0].upper() for d in cursor.description or ()]
    rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    columns = tuple(Column(str(r["COLUMN_NAME"]), str(r["TYPE"])) for r in rows)
    key = tuple(
        KeyColumn(str(r["COLUMN_NAME"]), "DESC" if str(r["SORT_ORDER"]).upper() == "DESC" else "ASC")
        for r in rows
        if str(r["IS_PRIMARY_KEY"]).lower() == "true"
    )
    return columns, key


def _count_and_sample(cursor: Cursor, spec: ImportSpec, columns: tuple[Column, ...]) -> tuple[int | None, int | None]:
    """Rows in the range (None where Lindorm cannot count in time) and the mean size of a sample's items."""
    source = spec.source
    types = {c.name: c.type for c in columns}
    if source.time_range.column not in types:
        return None, None  # mapping.py tells the user
    condition = _range(source.time_range)
    if source.filter:
        condition += f" AND ({source.filter})"
    hint = f"/*+ _l_allow_filtering_, _l_operation_timeout_({_COUNT_TIMEOUT_MS}) */"
    wanted = [c for c in source.columns or types if c in types]
    try:
        with lindorm_errors("counting"):
            cursor.execute(f"SELECT {hint} COUNT(*) FROM {quoted(source.table)} WHERE {condition}")  # noqa: S608
            counted = cursor.fetchone()
            rows = int(counted[0]) if counted else None
    except TroubleError as error:
        if error.trouble.reason != "LindormTimeout":
            raise
        rows = None
    # The user's own SQL on the user's own table, with the user's own rights: identifiers are quoted, values are ours.
    picked = ", ".join(quoted(c) for c in wanted)
    cursor.execute(f"SELECT {hint} {picked} FROM {quoted(source.table)} WHERE {condition} LIMIT {_SAMPLE}")  # noqa: S608
    sizes = [sum(_bytes(n, v) for n, v in zip(wanted, row, strict=True)) for row in cursor.fetchall()]
    return rows, math.ceil(sum(sizes) / len(sizes)) if sizes else None


def _range(time: TimeRange) -> str:
    """start <= t < end, as SQL; the session's zone is UTC."""

    def bound(at: datetime) -> str:
        if time.unit is None:
            return "'" + at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + "'"
        since = at - datetime(1970, 1, 1, tzinfo=UTC)
        micros = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
        return str(math.ceil(Decimal(micros) * _PER_SECOND[time.unit] / 1_000_000))

    column = quoted(time.column)
    return f"{column} >= {bound(time.start)} AND {column} < {bound(time.end)}"


def _bytes(name: str, value: Any) -> int:
    """An attribute's size by DynamoDB's arithmetic, by the value's default type; NULL is left out."""
    if value is None:
        return 0
    size = len(name.encode())
    if isinstance(value, bool):
        return size + 1
    if isinstance(value, int | Decimal):
        return size + plan.number_bytes(value)
    if isinstance(value, float):
        return size + plan.number_bytes(Decimal(repr(value)))
    if isinstance(value, bytes):
        return size + len(value)
    if isinstance(value, datetime):
        return size + len("2023-01-01T00:00:00.000Z")
    return size + len(str(value).encode())


def quoted(identifier: str) -> str:
    """`name`, for Lindorm's SQL (backticks; facts: lindorm, section 4)."""
    return "`" + identifier.replace("`", "``") + "`"
