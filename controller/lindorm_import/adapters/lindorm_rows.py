"""How many rows the range has, and what they look like: a count where Lindorm can, else an estimate; and a sample.

Lindorm counts some hundred thousand rows a second and server (https://help.aliyun.com/document_detail/405253.html), and
ends a statement after two minutes (https://help.aliyun.com/document_detail/445131.html). So beyond some million rows
this estimates: SHOW ESTIMATED ROWS (LindormTable 2.8.2, instant, from file metadata) says how large the table is, and
counts under some values of the first key column, each a short scan of the key, say which share of it lies in the range.
Where the first key column is the time column itself, short windows of the range are counted and no estimate of the
whole table is needed.
"""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from lindorm_import.adapters.errors import lindorm_answers, lindorm_number
from lindorm_import.adapters.lindorm_values import read_value, spread
from lindorm_import.adapters.lindorm_wire import LARGE, SMALL, Row, Session
from lindorm_import.api.instants import bound_of_sql
from lindorm_import.api.spec import ImportSpec, TimeRange
from lindorm_import.domain.observed import Column, KeyColumn
from lindorm_import.domain.trouble import TroubleError

COUNT_TIMEOUT_MS = 20_000
_SHORT_TIMEOUT_MS = 5_000
_POSITIONS = 16
_SAMPLE = 200
_ENOUGH = 8 * 1024 * 1024  # bytes of a sample: rows so large need not be many
_WINDOWS = 1_000  # the time range is cut in this many windows, of which _POSITIONS are counted
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

    session: Session
    spec: ImportSpec
    columns: tuple[Column, ...]
    first: KeyColumn

    @property
    def name(self) -> str:
        return quoted(self.spec.source.table)

    @property
    def in_range(self) -> str:
        return self.filtered(range_condition(self.spec.source.time_range))

    def filtered(self, condition: str) -> str:
        own = self.spec.source.filter
        return f"{condition} AND (\n{own}\n)" if own else condition

    def first_is(self, value: Any, sign: str = "=") -> str:
        return f"{quoted(self.first.name)} {sign} {self.session.literal(value)}"

    def count(self, condition: str, timeout_ms: int) -> int | None:
        """None where Lindorm cannot count in time."""
        hint = f"/*+ _l_allow_filtering_, _l_operation_timeout_({timeout_ms}) */"
        try:
            rows = self._select(f"SELECT {hint} COUNT(*) FROM {self.name} WHERE {condition}", 1)  # noqa: S608
        except TroubleError as error:
            if error.trouble.reason != "LindormTimeout":
                raise
            return None
        return self._read("BIGINT", rows[0][0]) if rows else None

    def sample(self, condition: str, limit: int) -> list[dict[str, Any]]:
        """Some rows of a condition; none once the sample is large enough."""
        if self.session.received > _ENOUGH:
            return []
        types = {c.name: c.type for c in self.columns}
        wanted = [c for c in self.spec.source.columns or types if c in types]
        wanted += [c for c in (self.first.name,) if c not in wanted]
        picked = ", ".join(quoted(c) for c in wanted)
        hint = f"/*+ _l_allow_filtering_, _l_operation_timeout_({COUNT_TIMEOUT_MS}) */"
        rows = self._select(
            f"SELECT {hint} {picked} FROM {self.name} WHERE {condition} LIMIT {limit}",  # noqa: S608
            limit,
            len(wanted),
            LARGE,
        )
        return [{c: self._read(types[c], raw) for c, raw in zip(wanted, row, strict=True)} for row in rows]

    def _select(self, sql: str, limit: int, columns: int = 1, size: int = SMALL) -> list[Row]:
        names, rows = self.session.ask(sql, limit, columns, size)
        with lindorm_answers(self.session.where):
            if len(names) != columns:
                raise ValueError(f"{len(names)} columns where {columns} were asked for")
        return rows

    def end_of_key(self, last: bool) -> Any:
        """The first value of the first key column, or the last one; None for an empty table."""
        descending = (self.first.order == "DESC") != last
        return self._one(f"ORDER BY {quoted(self.first.name)} {'DESC' if descending else 'ASC'} LIMIT 1")

    def seek(self, value: Any) -> Any:
        """The first value of the first key column at or after this one, in the order of the key."""
        sign, order = ("<=", "DESC") if self.first.order == "DESC" else (">=", "ASC")
        return self._one(f"WHERE {self.first_is(value, sign)} ORDER BY {quoted(self.first.name)} {order} LIMIT 1")

    def _one(self, rest: str) -> Any:
        hint = "/*+ _l_allow_filtering_ */"
        rows = self._select(f"SELECT {hint} {quoted(self.first.name)} FROM {self.name} {rest}", 1)  # noqa: S608
        type_ = next(c.type for c in self.columns if c.name == self.first.name)
        return self._read(type_, rows[0][0]) if rows else None

    def _read(self, type_: str, raw: bytes | None) -> Any:
        with lindorm_answers(self.session.where):
            return read_value(type_, raw)


def look_at_rows(
    session: Session, spec: ImportSpec, columns: tuple[Column, ...], key: tuple[KeyColumn, ...], timeout_ms: int
) -> Rows:
    """Counts or estimates, and samples. timeout_ms: how long Lindorm may count."""
    table = _Table(session, spec, columns, key[0])
    rows = table.count(table.in_range, timeout_ms)
    if rows == 0:
        return Rows(0, None, ())
    if table.first.name == spec.source.time_range.column:
        windows = spread_windows(spec.source.time_range, _POSITIONS)
        each = _SAMPLE // _POSITIONS
        sample = [row for w in windows for row in table.sample(table.filtered(range_condition(w)), each)]
        estimate = None if rows is not None else _from_windows(table, windows)
    else:
        values = _key_values(table)
        each = max(1, _SAMPLE // max(1, len(values)))
        sample = [row for v in values for row in table.sample(f"{table.first_is(v)} AND {table.in_range}", each)]
        estimate = None if rows is not None else _from_share(table, values)
    sample = sample or table.sample(table.in_range, _SAMPLE)
    if rows is not None:
        return Rows(rows, None, tuple(sample))
    return Rows(estimate[0], estimate[1], tuple(sample)) if estimate else Rows(None, None, tuple(sample))


def _key_values(table: _Table) -> list[Any]:
    """Values of the first key column from all over it."""
    low, high = table.end_of_key(last=False), table.end_of_key(last=True)
    if low is None:
        return []
    between = [table.seek(value) for value in spread(low, high, _POSITIONS)]
    found = dict.fromkeys([low, high, *between])  # in order, each once
    # No SQL has a form for the infinities and NaN.
    return [v for v in found if v is not None and not (isinstance(v, float) and not math.isfinite(v))]


def _from_share(table: _Table, values: Sequence[Any]) -> tuple[int, int] | None:
    total = _estimated_rows(table)
    if total is None:
        return None
    pairs = []
    for value in values:
        every = table.count(table.first_is(value), _SHORT_TIMEOUT_MS)
        inside = table.count(f"{table.first_is(value)} AND {table.in_range}", _SHORT_TIMEOUT_MS)
        if every and inside is not None:
            pairs.append((inside, every))
    share = ratio(pairs)
    if share is None:
        return None
    return round(total * share[0]), math.ceil(share[1] * 100)


def _from_windows(table: _Table, windows: Sequence[TimeRange]) -> tuple[int, int] | None:
    counts = [table.count(table.filtered(range_condition(w)), _SHORT_TIMEOUT_MS) for w in windows]
    share = ratio([(c, 1) for c in counts if c is not None])
    return (round(share[0] * _WINDOWS), math.ceil(share[1] * 100)) if share else None


def _estimated_rows(table: _Table) -> int | None:
    """Lindorm's own estimate; None where this Lindorm has none. That the statement takes FROM, and that the number is
    the last one of its first row, is not documented in what we could read: anything else counts as none."""
    try:
        _, rows = table.session.ask(f"SHOW ESTIMATED ROWS FROM {table.name}", rows=16)
    except TroubleError as error:
        if lindorm_number(error) is None:
            raise
        return None
    numbers = [int(v) for v in (rows[0] if rows else ()) if v and re.fullmatch(rb"[0-9]{1,18}", v)]
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
    """`name`, for Lindorm's SQL (docs/lindorm.md)."""
    return "`" + identifier.replace("`", "``") + "`"
