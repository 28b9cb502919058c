"""The stand-in refuses what Lindorm refuses, and answers what Lindorm answers, in Lindorm's shape."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from local.lindorm import data
from local.lindorm.controls import Controls
from local.lindorm.errors import SqlError
from local.lindorm.session import Session
from local.lindorm.store import Store

ROWS = 5_000


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The reference table (5,000 rows of 5 devices) and one with a key of three columns."""
    filled = Store(tmp_path_factory.mktemp("lindorm"))
    data.load(filled, data.Shape(rows=ROWS))
    session = Session(filled, Controls(), 1)
    session.execute(
        "CREATE TABLE wide (a BIGINT NOT NULL, b VARCHAR NOT NULL, c TIMESTAMP NOT NULL, d DECIMAL(20,4), e BOOLEAN,"
        " f BIGINT UNSIGNED, g JSON, PRIMARY KEY (a, b DESC, c))"
    )
    session.close()
    return filled


@pytest.fixture
def session(store: Store) -> Iterator[Session]:
    opened = Session(store, Controls(), 1)
    yield opened
    opened.close()


def refusal(session: Session, sql: str) -> SqlError:
    with pytest.raises(SqlError) as caught:
        session.execute(sql)
    return caught.value


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM readings LIMIT 10",
        "SELECT * FROM readings WHERE ts > 5 LIMIT 10",
        "SELECT * FROM readings WHERE device <> 'x' LIMIT 10",
        "SELECT * FROM readings WHERE device > 'x' OR ts > 5 LIMIT 10",
        "SELECT * FROM readings WHERE NOT device > 'x' LIMIT 10",
        "SELECT COUNT(*) FROM readings",
        "SELECT /* _l_allow_filtering_ */ * FROM readings LIMIT 10",
    ],
)
def test_a_query_without_a_bound_on_the_first_key_column_is_a_full_scan(session: Session, sql: str) -> None:
    error = refusal(session, sql)
    assert "This query may be a full table scan and thus may have unpredictable performance" in error.message


@pytest.mark.parametrize(
    "where",
    [
        "device > 'd'",
        "'d' < device",
        "device IN ('a', 'b')",
        "device BETWEEN 'a' AND 'b'",
        "(device, ts) > ('a', 5)",
        "device = 'a' AND ts > 5",
        "(device > 'a' OR (device = 'a' AND ts > 5)) AND val > 3",
    ],
)
def test_a_bound_on_the_first_key_column_lets_a_query_through(session: Session, where: str) -> None:
    session.execute(f"SELECT * FROM readings WHERE {where} LIMIT 10")


def test_the_allow_filtering_hint_lets_a_full_scan_through(session: Session) -> None:
    found = session.execute("SELECT /*+ _l_allow_filtering_, _l_operation_timeout_(5000) */ COUNT(*) FROM readings")
    assert found.rows == [(ROWS,)]


@pytest.mark.parametrize(
    ("sql", "code", "words"),
    [
        ("SELECT * FROM readings WHERE device > 'd' ORDER BY device", 9001, "ORDER BY without LIMIT"),
        ("SELECT * FROM readings WHERE device > 'd' ORDER BY ts LIMIT 5", 9001, "not the order of the primary key"),
        ("SELECT * FROM wide WHERE a > 1 ORDER BY a, b, c LIMIT 5", 9001, "directions"),
        ("SELECT * FROM readings WHERE device > 'd' LIMIT 10001", 8008, "10001"),
        ("SELECT * FROM readings WHERE device > 'd' LIMIT 10 OFFSET 10001", 8008, "OFFSET"),
        ("SELECT * FROM readings WHERE device > 'd'", 8008, "at most 2000 rows"),
        ("SELECT * FROM readings WHERE device > 'd' LIMIT 2001", 8008, "at most 2000 rows"),
        ("SELECT a.ts FROM readings a JOIN readings b ON a.ts = b.ts WHERE a.device > 'd'", 9001, "JOIN"),
        ("SELECT ts FROM readings WHERE device = 'd' UNION SELECT ts FROM readings WHERE device = 'e'", 9001, "UNION"),
        ("SELECT * FROM (SELECT * FROM readings) x", 9001, "subqueries"),
        ("SELECT * FROM readings WHERE device IN (SELECT device FROM readings)", 9001, "subqueries"),
        ("SELECT nothing FROM readings WHERE device > 'd'", 1054, "Unknown column 'nothing'"),
        ("SELECT Device FROM readings WHERE device > 'd'", 1054, "Unknown column 'Device'"),
        ("SELECT * FROM readings WHERE nothing > 'd'", 1054, "Unknown column 'nothing'"),
        ("SELECT * FROM missing WHERE a = 1", 1146, "Table 'default.missing' doesn't exist"),
        ("DESCRIBE missing", 1146, "missing"),
        ("SELECT * FROM other.readings WHERE device > 'd'", 1146, "other.readings"),
        ("USE other", 1049, "other"),
        ("BEGIN", 9001, "transactions"),
        ("START TRANSACTION", 9001, "transactions"),
        ("SELEC 1", 9001, "SELEC"),
        ("SELECT FROM WHERE", 1064, "syntax"),
        ("SELECT /*+ _l_anything_ */ * FROM readings WHERE device > 'd' LIMIT 1", 9001, "_l_anything_"),
        ("SET time_zone = 'Mars/Base'", 1298, "Mars/Base"),
        ("SELECT @@no_such_variable", 1193, "no_such_variable"),
        ("CREATE TABLE readings (a INTEGER, PRIMARY KEY (a))", 1050, "already exists"),
        ("CREATE TABLE h (a INTEGER, PRIMARY KEY (a, hash32(a)))", 9001, "hash32"),
        ("CREATE TABLE j (a JSON, PRIMARY KEY (a))", 9001, "JSON"),
        ("INSERT INTO readings (device, metric) VALUES ('d', 'm')", 1048, "ts"),
        ("INSERT INTO wide VALUES (1, 'b', 5, 1, 2, -1, '{}')", 1366, "bigint unsigned"),
        ("INSERT INTO wide VALUES (1, 'b', 5, 1.00001, 2, 1, '{}')", 1366, "decimal(20,4)"),
        ("INSERT INTO wide VALUES (1, 'b', 5, 1, 2, 1, '{')", 1366, "json"),
        ("SHOW REGIONS FROM readings", 9001, "REGIONS"),
    ],
)
def test_a_statement_is_refused_with_lindorm_s_number(session: Session, sql: str, code: int, words: str) -> None:
    error = refusal(session, sql)
    assert error.code == code
    assert words in error.message


def test_in_takes_2000_values_and_no_more(session: Session) -> None:
    values = ", ".join(f"'{n}'" for n in range(2000))
    session.execute(f"SELECT * FROM readings WHERE device IN ({values})")
    assert refusal(session, f"SELECT * FROM readings WHERE device IN ({values}, 'x')").code == 8008


def test_distinct_and_group_by_give_at_most_1000_values(session: Session) -> None:
    assert len(session.execute("SELECT DISTINCT device FROM readings WHERE device > ''").rows) == 5
    assert refusal(session, "SELECT DISTINCT ts FROM readings WHERE device > '' LIMIT 2000").code == 8008


def test_insert_is_upsert(session: Session) -> None:
    for text in ("one", "two"):
        session.execute("INSERT INTO wide (a, b, c) VALUES (?, ?, ?)", [77, text.encode(), 5])
        session.execute("INSERT INTO wide (a, b, c, d) VALUES (77, 'same', 5, ?)", [text == "one"])
    rows = session.execute("SELECT b FROM wide WHERE a = 77").rows
    assert rows == [(b"two",), (b"same",), (b"one",)]
    session.execute("DELETE FROM wide WHERE a = 77 AND b = 'same'")
    assert session.execute("SELECT COUNT(*) FROM wide WHERE a = 77").rows == [(2,)]


def test_describe_has_lindorm_s_columns_with_the_key_first_and_in_order(session: Session) -> None:
    answer = session.execute("DESCRIBE wide")
    assert [column.name for column in answer.columns] == [
        "TABLE_SCHEMA", "TABLE_NAME", "COLUMN_NAME", "TYPE", "IS_PRIMARY_KEY", "SORT_ORDER",
    ]  # fmt: skip
    shown = [tuple(bytes(value or b"").decode() for value in row[2:]) for row in answer.rows]  # type: ignore[arg-type]
    assert shown == [
        ("a", "BIGINT", "true", "ASC"),
        ("b", "VARCHAR", "true", "DESC"),
        ("c", "TIMESTAMP", "true", "ASC"),
        ("d", "DECIMAL(20,4)", "false", ""),
        ("e", "BOOLEAN", "false", ""),
        ("f", "BIGINT UNSIGNED", "false", ""),
        ("g", "JSON", "false", ""),
    ]
    assert session.execute("SHOW COLUMNS FROM wide").rows == answer.rows
    assert session.execute("DESC TABLE `wide`").rows == answer.rows


def test_show_names_databases_tables_and_the_statement_that_makes_a_table(session: Session) -> None:
    assert session.execute("SHOW DATABASES").rows == [[b"default"]]
    assert session.execute("SHOW TABLES").rows == [[b"readings"], [b"wide"]]
    ((_, ddl),) = session.execute("SHOW CREATE TABLE wide").rows
    assert isinstance(ddl, bytes)
    assert b"PRIMARY KEY (a, b DESC, c)" in ddl


def test_explain_says_whether_the_key_narrows_the_scan(session: Session) -> None:
    ((narrow,),) = session.execute("EXPLAIN SELECT * FROM readings WHERE (device, ts) > ('a', 5) LIMIT 5").rows
    ((whole,),) = session.execute("EXPLAIN SELECT * FROM readings WHERE ts > 5").rows
    assert b"SEARCH" in bytes(narrow or b"")  # type: ignore[arg-type]
    assert b"(device,ts)>(?,?)" in bytes(narrow or b"")  # type: ignore[arg-type]
    assert b"SCAN" in bytes(whole or b"")  # type: ignore[arg-type]


def test_a_time_is_written_and_compared_in_the_session_s_zone(session: Session) -> None:
    session.execute("INSERT INTO wide (a, b, c) VALUES (88, 'tz', '2023-01-01 08:00:00')")
    instant = session.execute("SELECT c FROM wide WHERE a = 88").rows[0][0]
    assert instant == data.RANGE_START_MS
    session.execute("SET time_zone = '+00:00'")
    count = "SELECT COUNT(*) FROM wide WHERE a = 88 AND c >= '2023-01-01' AND c < '2023-01-01 00:00:00.001'"
    assert session.execute(count).rows == [(1,)]
    session.execute("SET time_zone = '+08:00'")
    assert session.execute(count).rows == [(0,)]
    assert session.execute(f"SELECT COUNT(*) FROM wide WHERE a = 88 AND c = {instant}").rows == [(1,)]


def test_a_statement_over_its_time_ends_with_3024(store: Store) -> None:
    controls = Controls()
    session = Session(store, controls, 1)
    controls.settings.statement_timeout_ms = 100
    controls.settings.scan_rows_per_second = 10_000
    scan = "SELECT * FROM readings WHERE device > '' AND val > 1000 LIMIT 5"
    start = time.monotonic()
    assert refusal(session, scan).code == 3024
    assert 0.08 < time.monotonic() - start < 1
    hinted = scan.replace("SELECT", "SELECT /*+ _l_operation_timeout_(2000) */")
    assert session.execute(hinted).rows == []
    controls.settings.scan_rows_per_second = 0
    controls.settings.timeout_next = 1
    assert refusal(session, scan).code == 3024
    assert session.execute(scan).rows == []
    session.close()


def test_served_reads_show_what_was_pushed_down(store: Store) -> None:
    controls = Controls()
    session = Session(store, controls, 1)
    sql = "SELECT val FROM readings WHERE device >= ? AND ts >= ? AND ts < ? ORDER BY device, ts LIMIT 100"
    session.execute(sql, [b"", data.RANGE_START_MS, data.RANGE_END_MS])
    (read,) = controls.served
    assert (read["sql"], read["rows"]) == (sql, 100)
    assert read["params"] == ["", data.RANGE_START_MS, data.RANGE_END_MS]
    session.close()


@pytest.mark.parametrize("skew", [0.0, 1.1])
def test_the_reference_data_is_the_same_for_the_same_seed_and_half_of_it_is_in_range(skew: float) -> None:
    shape = data.Shape(rows=20_000, devices=37, skew=skew, seed=5)
    rows = list(data.readings(shape))
    assert rows == list(data.readings(shape))
    assert rows != list(data.readings(data.Shape(rows=20_000, devices=37, skew=skew, seed=6)))
    assert len({(row.device, row.ts) for row in rows}) == 20_000
    inside = sum(data.RANGE_START_MS <= row.ts < data.RANGE_END_MS for row in rows)
    assert inside == pytest.approx(10_000, rel=0.02)
    assert rows == sorted(rows, key=lambda row: (row.device, row.ts))


def test_a_hashed_key_is_read_by_whole_values_only(session: Session) -> None:
    session.execute("CREATE TABLE h (a VARCHAR, b INTEGER, PRIMARY KEY (hash32(a), a, b))")
    session.execute("UPSERT INTO h VALUES ('x', 1), ('x', 2), ('y', 1)")
    assert len(session.execute("SELECT b FROM h WHERE a = 'x' AND b >= 0 ORDER BY b LIMIT 10").rows) == 2
    with pytest.raises(SqlError, match="full table scan"):
        session.execute("SELECT b FROM h WHERE a >= 'x' LIMIT 10")
    ddl = session.execute("SHOW CREATE TABLE h").rows[0][1]
    assert isinstance(ddl, bytes)
    assert b"PRIMARY KEY (hash32(a), a, b)" in ddl
    session.execute("DROP TABLE h")
