"""The stand-in keeps rows in the order of Lindorm's primary key, and every value exactly."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local.lindorm.controls import Controls
from local.lindorm.rows import float32_text, text_encoder
from local.lindorm.session import Session
from local.lindorm.store import Store
from local.lindorm.times import Zone, civil_from_days, days_from_civil
from local.lindorm.types import Given, Kind, LindormType, decimal_text, parse_type, to_stored

UTC_ZONE = Zone("UTC")


def exact_decimal(unscaled: int, scale: int) -> Decimal:
    """unscaled / 10^scale with all its digits, whatever the decimal context."""
    return Decimal((int(unscaled < 0), tuple(int(digit) for digit in str(abs(unscaled))), -scale))


# For each type of a key column: values a client gives, and what they sort by. This is Lindorm's order as we define it.
KEY_TYPES: dict[str, tuple[st.SearchStrategy[Any], Callable[[Any], Any]]] = {
    "VARCHAR": (st.text(max_size=6), lambda text: text.encode()),
    "VARBINARY": (st.binary(max_size=6), bytes),
    "BIGINT": (st.integers(-(2**63), 2**63 - 1), int),
    "BIGINT UNSIGNED": (st.integers(0, 2**64 - 1), int),
    "INTEGER": (st.integers(-(2**31), 2**31 - 1), int),
    "TINYINT": (st.integers(-128, 127), int),
    "BOOLEAN": (st.booleans(), int),
    "DECIMAL(38,10)": (
        st.integers(-(10**38) + 1, 10**38 - 1).map(lambda unscaled: exact_decimal(unscaled, 10)),
        Decimal,
    ),
    "DOUBLE": (st.floats(allow_nan=False).map(lambda value: value + 0.0), float),
    "TIMESTAMP": (st.integers(-62_135_596_800_000, 253_402_300_799_999), int),
    "DATE": (st.dates().map(str), str),
}


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    opened = Session(Store(tmp_path), Controls(), 1)
    yield opened
    opened.close()


@st.composite
def keyed_rows(draw: st.DrawFn) -> tuple[list[tuple[str, bool]], list[list[Any]]]:
    """Key columns (type, descends) and distinct keys."""
    columns = draw(st.lists(st.tuples(st.sampled_from(sorted(KEY_TYPES)), st.booleans()), min_size=1, max_size=3))
    row = st.tuples(*(KEY_TYPES[kind][0] for kind, _ in columns))
    rows = draw(
        st.lists(
            row,
            max_size=30,
            unique_by=lambda key: tuple(KEY_TYPES[kind][1](v) for (kind, _), v in zip(columns, key, strict=True)),
        )
    )
    return columns, [list(key) for key in rows]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(keyed_rows())
def test_rows_come_in_the_order_of_the_key_whatever_its_types_and_directions(
    table: tuple[list[tuple[str, bool]], list[list[Any]]],
) -> None:
    columns, rows = table
    with tempfile.TemporaryDirectory() as folder:
        session = Session(Store(Path(folder)), Controls(), 1)
        definitions = ", ".join(f"k{i} {kind}" for i, (kind, _) in enumerate(columns))
        key = ", ".join(f"k{i}{' DESC' if down else ''}" for i, (_, down) in enumerate(columns))
        session.execute(f"CREATE TABLE t (n INTEGER, {definitions}, PRIMARY KEY ({key}))")
        marks = ", ".join("?" for _ in range(len(columns) + 1))
        for index, row in enumerate(rows):
            session.execute(f"UPSERT INTO t VALUES ({marks})", [index, *row])
        expected = list(range(len(rows)))
        for position, (kind, down) in reversed(list(enumerate(columns))):
            expected.sort(key=lambda n: KEY_TYPES[kind][1](rows[n][position]), reverse=down)
        found = session.execute(f"SELECT /*+ _l_allow_filtering_ */ n FROM t ORDER BY {key} LIMIT 100").rows
        assert [row[0] for row in found] == expected
        session.close()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(keyed_rows(), st.integers(1, 7))
def test_pages_by_the_last_key_meet_every_row_once(
    table: tuple[list[tuple[str, bool]], list[list[Any]]], page: int
) -> None:
    columns, rows = table
    with tempfile.TemporaryDirectory() as folder:
        session = Session(Store(Path(folder)), Controls(), 1)
        definitions = ", ".join(f"k{i} {kind}" for i, (kind, _) in enumerate(columns))
        key = ", ".join(f"k{i}{' DESC' if down else ''}" for i, (_, down) in enumerate(columns))
        session.execute(f"CREATE TABLE t (n INTEGER, {definitions}, PRIMARY KEY ({key}))")
        for index, row in enumerate(rows):
            session.execute(f"UPSERT INTO t VALUES ({', '.join('?' for _ in range(len(row) + 1))})", [index, *row])
        branches = [
            " AND ".join([f"k{j} = ?" for j in range(i)] + [f"k{i} {'<' if columns[i][1] else '>'} ?"])
            for i in range(len(columns))
        ]
        after = " OR ".join(f"({branch})" for branch in branches)
        select = "SELECT /*+ _l_allow_filtering_ */ n FROM t"
        found: list[int] = []
        while True:
            last = rows[found[-1]] if found else None
            where = f" WHERE {after}" if last else ""
            params: list[Given] = [last[j] for i in range(len(columns)) for j in range(i + 1)] if last else []
            answer = session.execute(f"{select}{where} ORDER BY {key} LIMIT {page}", params).rows
            found += [int(row[0] or 0) for row in answer]
            if len(answer) < page:
                break
        assert sorted(found) == list(range(len(rows)))
        session.close()


@given(st.integers(-(10**38) + 1, 10**38 - 1), st.integers(0, 38))
def test_a_decimal_keeps_all_its_38_digits(unscaled: int, scale: int) -> None:
    value = exact_decimal(unscaled, scale)
    stored = to_stored(LindormType(Kind.DECIMAL, 38, scale), f"{value:f}", UTC_ZONE, "c", strict=True)
    assert isinstance(stored, bytes)
    shown = decimal_text(stored, scale).decode()
    assert Decimal(shown) == value
    assert len(shown.partition(".")[2]) == scale


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_the_text_of_a_float_reads_back_as_the_same_float(value: float) -> None:
    stored = to_stored(LindormType(Kind.FLOAT), float32_text(value), UTC_ZONE, "c", strict=True)
    assert stored == value


def test_nan_and_the_infinities_are_kept_and_shown_in_words() -> None:
    encode = text_encoder(LindormType(Kind.DOUBLE), UTC_ZONE)
    shown = [
        encode(to_stored(LindormType(Kind.DOUBLE), value, UTC_ZONE, "c", strict=True))
        for value in (math.nan, math.inf, -math.inf)
    ]
    assert shown == [b"NaN", b"Infinity", b"-Infinity"]


@given(st.integers(-719_162, 2_932_896))
def test_days_and_dates_are_each_other_s_inverse(days: int) -> None:
    assert days_from_civil(*civil_from_days(days)) == days


@given(
    st.integers(-62_135_510_400_000, 253_402_214_400_000),
    st.sampled_from(["UTC", "+08:00", "-09:30", "+14:00"]),
)
def test_a_timestamp_s_text_reads_back_as_the_same_instant_in_the_same_zone(instant: int, zone: str) -> None:
    assert Zone(zone).parse(Zone(zone).text(instant).decode()) == instant


def test_a_timestamp_is_shown_and_read_in_the_zone_s_wall_clock() -> None:
    instant = round(datetime(2023, 7, 1, 0, 0, tzinfo=UTC).timestamp() * 1000)
    assert Zone("UTC").text(instant) == b"2023-07-01 00:00:00.000"
    assert Zone("+08:00").text(instant) == b"2023-07-01 08:00:00.000"
    assert Zone("Europe/Berlin").text(instant) == b"2023-07-01 02:00:00.000"
    assert Zone("Europe/Berlin").parse("2023-01-01 01:00:00") == Zone("UTC").parse("2023-01-01")


@pytest.mark.parametrize("text", ["2023-02-30 00:00:00", "2023-01-01T00:00:00Z", "yesterday", "2023-01-01 24:00:00"])
def test_what_is_no_time_is_no_timestamp(text: str) -> None:
    assert UTC_ZONE.parse(text) is None


def test_char_and_binary_are_padded_to_their_length(session: Session) -> None:
    session.execute("CREATE TABLE p (k INTEGER, c CHAR(4), b BINARY(4), PRIMARY KEY (k))")
    session.execute("UPSERT INTO p VALUES (1, 'ab', x'0102'), (2, 'é', x'010203040506')")
    rows = session.execute("SELECT c, b FROM p WHERE k >= 0").rows
    assert rows == [(b"ab  ", b"\1\2\0\0"), ("é   ".encode(), b"\1\2\3\4")]


@pytest.mark.parametrize("kind", ["DATETIME", "TEXT", "MEDIUMINT", "BIT", "INT UNSIGNED", "DECIMAL(39,1)", "ENUM('a')"])
def test_types_that_lindorm_does_not_have_are_refused(kind: str, session: Session) -> None:
    with pytest.raises(Exception, match="Unsupported"):
        session.execute(f"CREATE TABLE u (k INTEGER, c {kind}, PRIMARY KEY (k))")


@pytest.mark.parametrize("kind", ["DECIMAL(10,2)", "BIGINT UNSIGNED", "VARCHAR(20)", "CHAR(3)", "TIMESTAMP", "INT"])
def test_a_type_s_name_reads_back_as_the_type(kind: str) -> None:
    assert str(parse_type(kind)) == kind
