"""Counting, estimating and sampling against the Lindorm stand-in, which refuses what Lindorm refuses."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import pymysql
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lindorm_import.adapters.lindorm import use_utc
from lindorm_import.adapters.lindorm_rows import Rows, look_at_rows, ratio
from lindorm_import.adapters.lindorm_values import spread
from lindorm_import.adapters.lindorm_wire import Session
from lindorm_import.api.spec import ImportSpec
from lindorm_import.domain.observed import Column, KeyColumn, Login
from local.lindorm.controls import Controls
from local.lindorm.data import Shape, load
from local.lindorm.server import Server
from local.lindorm.store import Store
from tests.controller.factories import SOURCE, spec

ROWS, IN_RANGE = 40_000, 20_000  # the range is the middle half of what the loader makes
PLENTY, NO_TIME = 20_000, 1


@dataclass
class Lindorm:
    connection: Any
    controls: Controls
    port: int

    def rows(self, timeout_ms: int, table: str = "readings", key: str = "device", **changes: Any) -> Rows:
        wanted: ImportSpec = spec(**{"source.table": table, **changes})
        first = KeyColumn(key, "DESC" if table == "backwards" else "ASC")
        return self.look(wanted, SOURCE.columns, first, timeout_ms)

    def look(self, wanted: ImportSpec, columns: tuple[Column, ...], first: KeyColumn, timeout_ms: int) -> Rows:
        url = f"jdbc:mysql://127.0.0.1:{self.port}/default"
        source = wanted.source.model_copy(update={"url": url})
        with Session(source, Login("reader", "secret")) as session:
            use_utc(session)
            return look_at_rows(session, wanted, columns, (first,), timeout_ms)


@pytest.fixture(scope="module")
def lindorm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lindorm]:
    store, controls = Store(tmp_path_factory.mktemp("lindorm")), Controls()
    load(store, Shape(rows=ROWS))
    server = Server(0, store, controls, "reader", "secret")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    connection = pymysql.connect(
        host="127.0.0.1",
        port=server.server_address[1],
        user="reader",
        password="secret",
        database="default",
        autocommit=None,
    )
    with connection.cursor() as cursor:
        cursor.execute("SET time_zone = '+00:00'")
        for table, key in (("by_time", "ts, device"), ("backwards", "device DESC, ts")):
            cursor.execute(
                f"CREATE TABLE {table} (device VARCHAR, ts TIMESTAMP, metric VARCHAR, val DOUBLE, PRIMARY KEY ({key}))"
            )
            for hour in range(0, 24 * 60, 2):
                day, rest = divmod(hour, 24)
                at = (
                    datetime(2022, 12, 20 + day, rest)
                    if day < 12
                    else datetime(2023, 1 + (day - 12) // 31, (day - 12) % 31 + 1, rest)
                )
                cursor.execute(f"UPSERT INTO {table} VALUES (%s, %s, 'temp', 1.5)", (f"dev-{hour % 7}", str(at)))
    controls.settings.scan_rows_per_second = 0
    yield Lindorm(connection, controls, server.server_address[1])
    connection.close()
    server.shutdown()
    server.server_close()


@pytest.mark.stack
def test_a_range_that_can_be_counted_is_counted(lindorm: Lindorm) -> None:
    seen = lindorm.rows(PLENTY)
    assert (seen.rows, seen.error_percent) == (IN_RANGE, None)


@pytest.mark.stack
def test_the_sample_comes_from_all_over_the_key_and_from_the_range_only(lindorm: Lindorm) -> None:
    seen = lindorm.rows(PLENTY)
    assert len({row["device"] for row in seen.sample}) >= 10
    assert 150 <= len(seen.sample) <= 200
    assert all(datetime(2023, 1, 1) <= row["ts"] < datetime(2023, 2, 1) for row in seen.sample)


@pytest.mark.stack
def test_a_range_too_large_to_count_is_estimated_and_the_error_is_said(lindorm: Lindorm) -> None:
    lindorm.controls.settings.scan_rows_per_second = 100_000
    try:
        seen = lindorm.rows(NO_TIME)
    finally:
        lindorm.controls.settings.scan_rows_per_second = 0
    assert seen.rows is not None
    assert seen.error_percent is not None
    assert 0 <= seen.error_percent <= 20
    assert abs(seen.rows - IN_RANGE) <= IN_RANGE * (seen.error_percent + 1) / 100


@pytest.mark.stack
def test_the_filter_counts_too(lindorm: Lindorm) -> None:
    everything, some = lindorm.rows(PLENTY), lindorm.rows(PLENTY, **{"source.filter": "metric = 'temp'"})
    assert some.rows is not None
    assert 0 < some.rows < (everything.rows or 0)
    assert {row["metric"] for row in some.sample} == {"temp"}


@pytest.mark.stack
def test_a_key_that_begins_with_the_time_is_estimated_from_windows_without_lindorms_own_estimate(
    lindorm: Lindorm,
) -> None:
    counted = lindorm.rows(PLENTY, table="by_time", key="ts")
    assert counted.rows == 31 * 12
    assert counted.sample


@pytest.mark.stack
def test_a_descending_key_is_sampled_too(lindorm: Lindorm) -> None:
    assert len({row["device"] for row in lindorm.rows(PLENTY, table="backwards").sample}) == 7


@pytest.mark.stack
def test_an_empty_range_has_no_rows_and_no_sample(lindorm: Lindorm) -> None:
    empty = {"column": "ts", "start": "1999-01-01T00:00:00Z", "end": "1999-02-01T00:00:00Z"}
    assert lindorm.rows(PLENTY, **{"source.timeRange": empty}) == Rows(0, None, ())


@pytest.mark.stack
@pytest.mark.parametrize(
    ("table", "unit", "start", "end", "rows"),
    [
        ("millis", None, "2023-01-31T23:59:59.998Z", "2023-01-31T23:59:59.999999Z", 2),
        ("millis", None, "2023-01-31T23:59:59.998001Z", "2023-01-31T23:59:59.9990001Z", 1),
        ("micros", "Microseconds", "1970-01-01T00:00:00.0005Z", "1970-01-01T00:00:00.0009Z", 400),
        ("micros", "Microseconds", "1970-01-01T00:00:00.0004999Z", "1970-01-01T00:00:00.0008991Z", 400),
    ],
)
def test_the_count_keeps_to_bounds_finer_than_the_column(
    lindorm: Lindorm, table: str, unit: str | None, start: str, end: str, rows: int
) -> None:
    with lindorm.connection.cursor() as cursor:
        kind = "BIGINT" if unit else "TIMESTAMP"
        cursor.execute(f"CREATE TABLE IF NOT EXISTS {table} (ts {kind}, device VARCHAR, PRIMARY KEY (ts, device))")
        times = [str(n) for n in range(1000)] if unit else [f"'2023-01-31 23:59:59.99{n}'" for n in (7, 8, 9)]
        cursor.execute(f"UPSERT INTO {table} VALUES " + ", ".join(f"({t}, 'd')" for t in times))
    wanted = spec(
        **{"source.table": table, "source.timeRange": {"column": "ts", "start": start, "end": end, "unit": unit}}
    )
    columns = (Column("ts", "BIGINT" if unit else "TIMESTAMP"), Column("device", "VARCHAR"))
    assert lindorm.look(wanted, columns, KeyColumn("ts", "ASC"), PLENTY).rows == rows


@pytest.mark.stack
def test_without_an_estimate_of_lindorms_the_rows_stay_unknown(lindorm: Lindorm) -> None:
    settings = lindorm.controls.settings
    settings.scan_rows_per_second, settings.show_estimated_rows = 100_000, False
    try:
        seen = lindorm.rows(NO_TIME)
    finally:
        settings.scan_rows_per_second, settings.show_estimated_rows = 0, True
    assert (seen.rows, seen.error_percent) == (None, None)
    assert seen.sample


@pytest.mark.stack
@pytest.mark.parametrize("shown", ["DECIMAL(5,2)", "DECIMAL"])
@pytest.mark.parametrize("order", ["ASC", "DESC"])
def test_a_key_of_decimals_is_sampled_whether_describe_shows_their_digits_or_not(
    lindorm: Lindorm, shown: str, order: Any
) -> None:
    table = f"decimals_{order}"
    with lindorm.connection.cursor() as cursor:
        cursor.execute(
            f"CREATE TABLE IF NOT EXISTS {table} (k DECIMAL(5,2), ts TIMESTAMP, PRIMARY KEY (k {order}, ts))"
        )
        rows = ", ".join(f"({n / 100}, '2023-01-01')" for n in range(-50, 50))
        cursor.execute(f"UPSERT INTO {table} VALUES {rows}")
    columns = (Column("k", shown), Column("ts", "TIMESTAMP"))
    seen = lindorm.look(spec(**{"source.table": table}), columns, KeyColumn("k", order), PLENTY)
    assert seen.rows == 100
    assert len({row["k"] for row in seen.sample}) >= 10


@pytest.mark.stack
def test_a_key_that_is_no_finite_number_is_left_out_of_the_positions(lindorm: Lindorm) -> None:
    with lindorm.connection.cursor() as cursor:
        cursor.execute("CREATE TABLE floats (k DOUBLE, ts TIMESTAMP, PRIMARY KEY (k, ts))")
        rows = ", ".join(f"({k}, '2023-01-01')" for k in ("'-Infinity'", "-1e0", "2.5e0", "'Infinity'", "'NaN'"))
        cursor.execute(f"UPSERT INTO floats VALUES {rows}")
    columns = (Column("k", "DOUBLE"), Column("ts", "TIMESTAMP"))
    seen = lindorm.look(spec(**{"source.table": "floats"}), columns, KeyColumn("k", "ASC"), PLENTY)
    assert seen.rows == 5
    assert seen.sample


@pytest.mark.stack
@pytest.mark.parametrize("device", ["it's", "a''b", "back\\slash'", '"', "%s"])
def test_a_quote_in_a_value_is_written_twice(lindorm: Lindorm, device: str) -> None:
    lindorm.controls.served.clear()
    with lindorm.connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS quotes")
        cursor.execute("CREATE TABLE quotes (device VARCHAR, ts TIMESTAMP, PRIMARY KEY (device, ts))")
        cursor.execute("UPSERT INTO quotes VALUES (%s, '2023-01-01')", (device,))
    wanted, columns = spec(**{"source.table": "quotes"}), (Column("device", "VARCHAR"), Column("ts", "TIMESTAMP"))
    seen = lindorm.look(wanted, columns, KeyColumn("device", "ASC"), PLENTY)
    assert [row["device"] for row in seen.sample] == [device]
    if "\\" not in device:
        sent = [str(read["sql"]) for read in lindorm.controls.served if "FROM `quotes`" in read["sql"]]
        assert len(sent) > 2
        assert not any("\\" in sql for sql in sent)


def test_the_ratio_of_equal_clusters_has_no_error() -> None:
    assert ratio([(50, 100), (5, 10), (1, 2)]) == (0.5, 0.0)


def test_the_ratio_of_clusters_that_differ_says_how_much() -> None:
    # shares 0.4 and 0.6 of 100 each: 0.5; residuals -10 and 10: variance 200; 1.96 x sqrt(200 / 2) / 100 / 0.5
    share, error = ratio([(40, 100), (60, 100)]) or (0.0, 0.0)
    assert share == 0.5
    assert error == pytest.approx(0.392)


def test_a_single_cluster_tells_nothing() -> None:
    assert ratio([(40, 100)]) is None


@pytest.mark.parametrize(
    ("low", "high"),
    [("dev-000", "dev-999"), (1, 10**6), (Decimal(1), Decimal("2.5")), (datetime(2023, 1, 1), datetime(2024, 1, 1))],
)
def test_values_between_two_keys_are_in_order_and_between_them(low: Any, high: Any) -> None:
    values = spread(low, high, 8)
    assert values == sorted(values)
    assert all(low <= v <= high for v in values)
    assert len(values) == 7


@given(st.text(max_size=12), st.text(max_size=12))
def test_any_two_texts_can_be_spread(low: str, high: str) -> None:
    assert len(spread(low, high, 5)) == 4


def test_a_type_that_cannot_be_spread_has_no_values_between() -> None:
    assert spread(True, False, 5) == []
    assert spread(b"a", b"b", 5) == []
