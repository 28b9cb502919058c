"""How many rows the range has, and what they look like: a count where Lindorm can, else an estimate; and a sample.

Lindorm counts some hundred thousand rows a second and server, and ends a statement after two minutes (facts: lindorm,
section 4). So beyond some million rows this estimates: SHOW ESTIMATED ROWS (LindormTable 2.8.2, instant, from file
metadata) says how large the table is, and counts under some values of the first key column, each a short scan of the
key, say which share of it lies in the range. Where the first key column is the time column itself, short windows of
the range are counted and no estimate of the whole table is needed.
"""

import math
import string
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import zip_longest
from typing import Any

import pymysql
from pymysql.cursors import Cursor

from controller.adapters.errors import lindorm_errors
from controller.api.instants import bound_of_sql
from controller.api.spec import ImportSpec, TimeRange
from controller.observed import Column, KeyColumn, TroubleError

COUNT_TIMEOUT_MS = 20_000
_SHORT_TIMEOUT_MS = 5_000
_POSITIONS = 16
_SAMPLE = 200
_WINDOWS = 1_000  # the time range is cut in so many windows, of which _POSITIONS are counted
_95_PERCENT = 1.96


@dataclass(frozen=True)
class Rows:
    """rows: in the range, None where they can be neither counted nor estimated; error_percent: half the width of the
    95 % interval, None for a count; sample: some of the range's rows, from all over the key."""

    rows: int | None
    error_percent: int | None
    sample: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class _Table:
    """The table with what every query on it shares. The SQL is the user's own, on the user's own table and with the
    user's own rights; identifiers are quoted, values are escaped."""

    cursor: Cursor
    spec: ImportSpec
    columns: tuple[Column, ...]
    first: KeyColumn

    @property
    def name(self) -> str:
        return quoted(self.spec.source.table)

    @property
    def in_range(self) -> str:
        source = self.spec.source
        condition = range_condition(source.time_range)
        return f"{condition} AND ({source.filter})" if source.filter else condition

    def count(self, condition: str, timeout_ms: int, *values: Any) -> int | None:
        """None where Lindorm cannot count in time."""
        hint = f"/*+ _l_allow_filtering_, _l_operation_timeout_({timeout_ms}) */"
        try:
            with lindorm_errors("counting"):
                self.cursor.execute(f"SELECT {hint} COUNT(*) FROM {self.name} WHERE {condition}", values or None)  # noqa: S608
                row = self.cursor.fetchone()
        except TroubleError as error:
            if error.trouble.reason != "LindormTimeout":
                raise
            return None
        return int(row[0]) if row else None

    def sample(self, condition: str, limit: int, *values: Any) -> list[dict[str, Any]]:
        types = [c.name for c in self.columns]
        wanted = [c for c in self.spec.source.columns or types if c in types]
        wanted += [c for c in (self.first.name,) if c not in wanted]
        picked = ", ".join(quoted(c) for c in wanted)
        hint = f"/*+ _l_allow_filtering_, _l_operation_timeout_({COUNT_TIMEOUT_MS}) */"
        self.cursor.execute(
            f"SELECT {hint} {picked} FROM {self.name} WHERE {condition} LIMIT {limit}",  # noqa: S608
            values or None,
        )
        return [dict(zip(wanted, row, strict=True)) for row in self.cursor.fetchall()]

    def end_of_key(self, last: bool) -> Any:
        """The first value of the first key column, or the last one; None for an empty table."""
        descending = (self.first.order == "DESC") != last
        return self._one(f"ORDER BY {quoted(self.first.name)} {'DESC' if descending else 'ASC'} LIMIT 1")

    def seek(self, value: Any) -> Any:
        """The first value of the first key column at or after this one, in the order of the key."""
        column, descending = quoted(self.first.name), self.first.order == "DESC"
        sign, order = ("<=", "DESC") if descending else (">=", "ASC")
        return self._one(f"WHERE {column} {sign} %s ORDER BY {column} {order} LIMIT 1", value)

    def _one(self, rest: str, *values: Any) -> Any:
        hint = "/*+ _l_allow_filtering_ */"
        self.cursor.execute(
            f"SELECT {hint} {quoted(self.first.name)} FROM {self.name} {rest}",  # noqa: S608
            values or None,
        )
        row = self.cursor.fetchone()
        return row[0] if row else None


def look_at_rows(
    cursor: Cursor, spec: ImportSpec, columns: tuple[Column, ...], key: tuple[KeyColumn, ...], timeout_ms: int
) -> Rows:
    """Counts or estimates, and samples. timeout_ms: how long Lindorm may count."""
    table = _Table(cursor, spec, columns, key[0])
    rows = table.count(table.in_range, timeout_ms)
    if rows == 0:
        return Rows(0, None, ())
    if table.first.name == spec.source.time_range.column:
        windows = spread_windows(spec.source.time_range, _POSITIONS)
        sample = [row for w in windows for row in table.sample(_and(table, range_condition(w)), _SAMPLE // _POSITIONS)]
        estimate = None if rows is not None else _from_windows(table, windows)
    else:
        values = _key_values(table)
        condition = f"{quoted(table.first.name)} = %s AND {table.in_range}"
        sample = [row for v in values for row in table.sample(condition, max(1, _SAMPLE // len(values)), v)]
        estimate = None if rows is not None else _from_share(table, values)
    sample = sample or table.sample(table.in_range, _SAMPLE)
    if rows is not None:
        return Rows(rows, None, tuple(sample))
    return Rows(estimate[0], estimate[1], tuple(sample)) if estimate else Rows(None, None, tuple(sample))


def _and(table: _Table, condition: str) -> str:
    return f"{condition} AND ({table.spec.source.filter})" if table.spec.source.filter else condition


def _key_values(table: _Table) -> list[Any]:
    """Values of the first key column from all over it."""
    low, high = table.end_of_key(last=False), table.end_of_key(last=True)
    if low is None:
        return []
    found = {low: None, high: None}  # in order, each once
    for between in spread(low, high, _POSITIONS):
        value = table.seek(between)
        if value is not None:
            found[value] = None
    return list(found)


def _from_share(table: _Table, values: Sequence[Any]) -> tuple[int, int] | None:
    total = _estimated_rows(table)
    if total is None:
        return None
    column = quoted(table.first.name)
    pairs = []
    for value in values:
        every = table.count(f"{column} = %s", _SHORT_TIMEOUT_MS, value)
        inside = table.count(f"{column} = %s AND {table.in_range}", _SHORT_TIMEOUT_MS, value)
        if every and inside is not None:
            pairs.append((inside, every))
    share = ratio(pairs)
    if share is None:
        return None
    return round(total * share[0]), math.ceil(share[1] * 100)


def _from_windows(table: _Table, windows: Sequence[TimeRange]) -> tuple[int, int] | None:
    counts = [table.count(_and(table, range_condition(w)), _SHORT_TIMEOUT_MS) for w in windows]
    share = ratio([(c, 1) for c in counts if c is not None])
    return (round(share[0] * _WINDOWS), math.ceil(share[1] * 100)) if share else None


def _estimated_rows(table: _Table) -> int | None:
    """Lindorm's own estimate; None where this Lindorm has none. That the statement takes FROM, and that the number is
    the last one of its first row, is not documented in what we could read: anything else counts as none."""
    try:
        table.cursor.execute(f"SHOW ESTIMATED ROWS FROM {table.name}")
        row = table.cursor.fetchone() or ()
    except pymysql.err.MySQLError:
        return None
    numbers = [int(v) for v in row if str(v).isdigit()]
    return numbers[-1] if numbers else None


def ratio(pairs: Iterable[tuple[int, int]]) -> tuple[float, float] | None:
    """Share of the first in the second, summed over the clusters, and half the width of its 95 % interval relative to
    it (the ratio estimator of cluster sampling). None with fewer than two clusters, or where nothing is inside."""
    taken = list(pairs)
    inside, every = sum(i for i, _ in taken), sum(e for _, e in taken)
    if len(taken) < 2 or not inside:
        return None
    share, mean = inside / every, every / len(taken)
    variance = sum((i - share * e) ** 2 for i, e in taken) / (len(taken) - 1)
    return share, _95_PERCENT * math.sqrt(variance / len(taken)) / mean / share


def spread(low: Any, high: Any, count: int) -> list[Any]:
    """Values between two keys, evenly spaced: numbers and times by value, text by its first differing characters;
    other types have none."""
    if isinstance(low, bool) or type(low) is not type(high):
        return []
    if isinstance(low, int | Decimal | float):
        step = (high - low) / count
        return [type(low)(low + step * n) for n in range(1, count)]
    if isinstance(low, datetime):
        return [low + (high - low) / count * n for n in range(1, count)]
    if isinstance(low, str):
        return _spread_text(low, high, count)
    return []


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


def spread_windows(time: TimeRange, count: int) -> list[TimeRange]:
    """Windows of a thousandth of the range each, evenly spaced over it."""
    whole = time.end - time.start
    width = max(1, whole // _WINDOWS)
    starts = [time.start + whole * n // count for n in range(count)]
    return [time.model_copy(update={"start": s, "end": min(time.end, s + width)}) for s in starts]


def range_condition(time: TimeRange) -> str:
    """start <= t < end, as SQL; the session's zone is UTC."""
    column, unit = quoted(time.column), time.unit
    return f"{column} >= {bound_of_sql(time.start, unit)} AND {column} < {bound_of_sql(time.end, unit)}"


def quoted(identifier: str) -> str:
    """`name`, for Lindorm's SQL (backticks; facts: lindorm, section 4)."""
    return "`" + identifier.replace("`", "``") + "`"
