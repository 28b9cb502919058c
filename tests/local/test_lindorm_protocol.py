"""The stand-in over its sockets: PyMySQL and the real Connector/J, passwords, time zones, faults on demand."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pymysql
import pytest
from pymysql.constants import FIELD_TYPE

from local.lindorm import data
from local.lindorm.control import ControlServer
from local.lindorm.controls import Controls
from local.lindorm.server import Server
from local.lindorm.store import Store

pytestmark = pytest.mark.stack
ROWS = 6_000


@dataclass
class Running:
    port: int
    control: int

    def connect(self, password: str = "secret", **options: Any) -> pymysql.Connection[Any]:
        return pymysql.connect(
            host="127.0.0.1", port=self.port, user="reader", password=password, database="default", **options
        )

    def post(self, path: str, value: object = None) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.control}{path}", json.dumps(value or {}).encode(), method="POST"
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.control}{path}", timeout=30) as answer:
            return json.loads(answer.read())


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    store, controls = Store(tmp_path_factory.mktemp("lindorm")), Controls()
    server = Server(0, store, controls, "reader", "secret")
    control = ControlServer(controls, store)
    for each in (server, control):
        threading.Thread(target=each.serve_forever, daemon=True).start()
    started = Running(server.server_address[1], control.server_address[1])
    assert started.post("/load", {"rows": ROWS})["rows"] == ROWS
    with closing(started.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE every (k INTEGER, b BOOLEAN, t TINYINT, s SMALLINT, i INTEGER, l BIGINT, u BIGINT UNSIGNED,"
            " f FLOAT, d DOUBLE, n DECIMAL(38,6), c CHAR(5), v VARCHAR, y BINARY(4), z VARBINARY, da DATE, ti TIME,"
            " ts TIMESTAMP, j JSON, PRIMARY KEY (k))"
        )
        cursor.execute("SET time_zone = '+00:00'")
        cursor.execute(
            "UPSERT INTO every VALUES (1, TRUE, -128, 32767, -2147483648, 9223372036854775807, 18446744073709551615,"
            " 1.25, -0.1, 12345678901234567890123456789012.123456, 'ab', 'h\u00e9 \U0001f600', x'00ff', x'00fe80',"
            " '0001-01-01', '23:59:58', '2023-07-01 12:34:56.789', '{\"a\": [1, null]}')"
        )
        nulls = ", NULL" * 17
        cursor.execute(f"UPSERT INTO every VALUES (2{nulls})")
    yield started
    for each in (server, control):
        each.shutdown()
        each.server_close()


@pytest.fixture(autouse=True)
def _fresh(running: Running) -> None:
    running.post("/reset")


def fails_with(code: int, running: Running, sql: str, connection: pymysql.Connection[Any] | None = None) -> None:
    opened = connection or running.connect()
    with opened.cursor() as cursor, pytest.raises(pymysql.err.MySQLError) as caught:
        cursor.execute(sql)
    assert caught.value.args[0] == code
    if connection is None:
        opened.close()


@pytest.mark.parametrize("password", ["wrong", "", "SECRET"])
def test_a_wrong_password_is_refused_with_1045(running: Running, password: str) -> None:
    with pytest.raises(pymysql.err.OperationalError) as caught:
        running.connect(password=password)
    assert caught.value.args == (1045, "Access denied for 'reader'")


def test_an_unknown_user_or_database_is_refused(running: Running) -> None:
    with pytest.raises(pymysql.err.OperationalError) as caught:
        pymysql.connect(host="127.0.0.1", port=running.port, user="other", password="secret")
    assert caught.value.args[0] == 1045
    with pytest.raises(pymysql.err.OperationalError) as caught:
        pymysql.connect(host="127.0.0.1", port=running.port, user="reader", password="secret", database="nope")
    assert caught.value.args == (1049, "Unknown database 'nope'")


def test_every_type_comes_back_as_it_went_in(running: Running) -> None:
    with closing(running.connect(init_command="SET time_zone='+00:00'")) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT * FROM every WHERE k >= 1 ORDER BY k LIMIT 2")
        row, nulls = cursor.fetchall()
        assert row[:13] == (
            1, 1, -128, 32767, -(2**31), 2**63 - 1, 2**64 - 1, 1.25, -0.1,
            Decimal("12345678901234567890123456789012.123456"), "ab   ", "h\u00e9 \U0001f600", b"\x00\xff\x00\x00",
        )  # fmt: skip
        assert row[13] == b"\x00\xfe\x80"
        assert str(row[14]) == "0001-01-01"
        assert row[15:17] == (timedelta(hours=23, minutes=59, seconds=58), datetime(2023, 7, 1, 12, 34, 56, 789000))
        assert json.loads(row[17]) == {"a": [1, None]}
        assert nulls == (2, *[None] * 17)
        types = [column[1] for column in cursor.description]
        assert types[1] == FIELD_TYPE.TINY
        assert types[9] == FIELD_TYPE.NEWDECIMAL
        assert types[16] == FIELD_TYPE.TIMESTAMP


@pytest.mark.parametrize("raw", [bytes(range(256)), b"", b"'", b"\\", b"\xff?\x00", b"\x1a%_"])
def test_binary_values_and_broken_utf_8_arrive_byte_for_byte(running: Running, raw: bytes) -> None:
    with closing(running.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("UPSERT INTO every (k, z, v) VALUES (50, %s, %s)", (raw, raw))
        cursor.execute("SELECT z FROM every WHERE k = 50 AND z = %s", (raw,))
        assert cursor.fetchone() == (raw,)
        assert cursor.execute("SELECT k FROM every WHERE k = 50 AND v = %s", (raw,)) == 1


def test_a_timestamp_without_a_zone_is_shown_in_utc_plus_8(running: Running) -> None:
    with closing(running.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT ts FROM every WHERE k = 1")
        assert cursor.fetchone() == (datetime(2023, 7, 1, 20, 34, 56, 789000),)
        cursor.execute("SELECT @@time_zone")
        assert cursor.fetchone() == ("+08:00",)
        cursor.execute("SET time_zone = 'Europe/Berlin'")
        cursor.execute("SELECT ts FROM every WHERE k = 1")
        assert cursor.fetchone() == (datetime(2023, 7, 1, 14, 34, 56, 789000),)


def test_commands_that_lindorm_does_not_have_are_refused_and_the_connection_lives(running: Running) -> None:
    with closing(running.connect()) as connection:
        for command in (31, 17, 13, 27, 28):  # RESET_CONNECTION, CHANGE_USER, DEBUG, SET_OPTION, STMT_FETCH
            connection._execute_command(command, b"\0" * 8)  # type: ignore[attr-defined]
            with pytest.raises(pymysql.err.MySQLError) as caught:
                connection._read_packet()  # type: ignore[attr-defined]
            assert caught.value.args[0] == 1047
        connection.ping(reconnect=False)


def test_faults_come_when_they_are_ordered_and_only_so_often(running: Running) -> None:
    sql = "SELECT * FROM readings WHERE device > '' ORDER BY device, ts LIMIT 10"
    with closing(running.connect()) as connection:
        running.post("/settings", {"timeout_next": 2, "resource_limit_next": 1})
        fails_with(3024, running, sql, connection)
        fails_with(3024, running, sql, connection)
        fails_with(8008, running, sql, connection)
        with connection.cursor() as cursor:
            assert cursor.execute(sql) == 10
    running.post("/settings", {"drop_next": 1})
    connection = running.connect()
    with pytest.raises(pymysql.err.OperationalError, match="Lost connection"), connection.cursor() as cursor:
        cursor.execute(sql)
    running.post("/settings", {"refuse_connections": True})
    with pytest.raises(pymysql.err.OperationalError) as caught:
        running.connect()
    assert caught.value.args == (1040, "Too many connections (current limit: 4000)")


def test_open_connections_can_be_dropped(running: Running) -> None:
    connection = running.connect()
    assert running.post("/drop")["dropped"] >= 1
    with pytest.raises(pymysql.err.OperationalError), connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def test_page_latency_is_added_and_what_was_served_is_counted(running: Running) -> None:
    running.post("/settings", {"page_latency_ms": 50})
    with closing(running.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT * FROM readings WHERE device > '' ORDER BY device, ts LIMIT 2000")
    state = running.get("/state")
    assert (state["counters"]["reads"], state["counters"]["rows"]) == (1, 2000)
    (read,) = running.get("/served")
    assert read["ms"] >= 50
    assert read["sql"].startswith("SELECT * FROM readings")


def test_a_page_of_more_than_16_mb_is_refused(running: Running) -> None:
    with closing(running.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS big (k INTEGER, v VARCHAR, PRIMARY KEY (k))")
        for key in range(17):
            cursor.execute("UPSERT INTO big VALUES (%s, %s)", (key, "x" * 1_000_000))
        assert cursor.execute("SELECT * FROM big WHERE k < 16") == 16
        fails_with(8008, running, "SELECT * FROM big WHERE k >= 0", connection)
        assert cursor.execute("SELECT * FROM big WHERE k = 3") == 1


def test_pages_by_key_give_every_row_of_the_range_once(running: Running) -> None:
    wanted = [
        (row.device, row.ts, row.metric, row.val)
        for row in data.readings(data.Shape(rows=ROWS))
        if data.RANGE_START_MS <= row.ts < data.RANGE_END_MS
    ]
    found: list[tuple[str, int, str, float]] = []
    with closing(running.connect(init_command="SET time_zone='+00:00'")) as connection, connection.cursor() as cursor:
        last: tuple[Any, Any] = ("", 0)
        while True:
            count = cursor.execute(
                "SELECT device, ts, metric, val FROM readings WHERE (device, ts) > (%s, %s)"
                " AND ts >= '2023-01-01' AND ts < '2023-02-01' ORDER BY device, ts LIMIT 700",
                last,
            )
            for device, ts, metric, value in cursor.fetchall():
                found.append((device, round(ts.replace(tzinfo=UTC).timestamp() * 1000), metric, value))
                last = (device, ts)
            if count < 700:
                break
    assert found == wanted


JAVA = r"""
import java.sql.*; import java.math.*; import java.time.*; import java.util.*;
public class Probe {
  public static void main(String[] args) throws Exception {
    Properties login = new Properties(); login.put("user", "reader"); login.put("password", args[1]);
    try (Connection c = DriverManager.getConnection(args[0], login)) {
      try (PreparedStatement p = c.prepareStatement("SELECT * FROM every WHERE k >= ? AND k < ? ORDER BY k LIMIT ?")) {
        for (int round = 0; round < 2; round++) {
          p.setInt(1, 1); p.setInt(2, 3); p.setInt(3, 10);
          try (ResultSet r = p.executeQuery()) {
            r.next();
            System.out.println(r.getObject("b").getClass().getSimpleName() + " " + r.getBoolean("b"));
            System.out.println(r.getByte("t") + " " + r.getShort("s") + " " + r.getInt("i") + " " + r.getLong("l"));
            System.out.println(r.getObject("u") + " " + r.getFloat("f") + " " + r.getDouble("d"));
            System.out.println(r.getBigDecimal("n") + " " + r.getString("c") + "| " + r.getString("v"));
            HexFormat hex = HexFormat.of();
            System.out.println(hex.formatHex(r.getBytes("y")) + " " + hex.formatHex(r.getBytes("z")));
            System.out.println(r.getString("da") + " " + r.getObject("ti", LocalTime.class));
            System.out.println(r.getTimestamp("ts").toInstant() + " " + r.getString("j"));
            r.next();
            boolean all = true;
            for (int i = 2; i <= r.getMetaData().getColumnCount(); i++) { all &= r.getObject(i) == null; }
            System.out.println(all + " " + r.next());
          }
        }
      }
      try (PreparedStatement p = c.prepareStatement("UPSERT INTO every (k, ts, z, n, u) VALUES (?, ?, ?, ?, ?)")) {
        p.setInt(1, 9); p.setTimestamp(2, Timestamp.from(Instant.parse("2024-02-29T23:59:59.999Z")));
        p.setBytes(3, new byte[] {0, -1}); p.setBigDecimal(4, new BigDecimal("-0.000001"));
        p.setString(5, "18446744073709551614");  // of a BigInteger it would send the low 64 bits as signed
        p.executeUpdate();
      }
      try (Statement s = c.createStatement();
           ResultSet r = s.executeQuery("SELECT ts, z, n, u FROM every WHERE k = 9")) {
        r.next();
        System.out.println(r.getTimestamp(1).toInstant() + " " + r.getBytes(2).length + " "
            + r.getBigDecimal(3).toPlainString() + " " + r.getObject(4));
      }
    }
  }
}
"""
EXPECTED_ROUND = [
    "Boolean true",
    "-128 32767 -2147483648 9223372036854775807",
    "18446744073709551615 1.25 -0.1",
    "12345678901234567890123456789012.123456 ab   | h\u00e9 \U0001f600",
    "00ff0000 00fe80",
    "0001-01-01 23:59:58",
    '2023-07-01T12:34:56.789Z {"a": [1, null]}',
    "true false",
]


@pytest.fixture(scope="module")
def connector_j() -> Path:
    """The driver's jar, as Maven keeps it."""
    repository = Path(os.environ.get("MAVEN_REPOSITORY", Path.home() / ".m2" / "repository"))
    jar = repository / "com/mysql/mysql-connector-j/8.3.0/mysql-connector-j-8.3.0.jar"
    if not jar.exists():
        subprocess.run(
            ["mvn", "-B", "-q", "dependency:get", "-Dartifact=com.mysql:mysql-connector-j:8.3.0"],
            check=True,
            timeout=300,
        )
    assert shutil.which("java")
    return jar


def probe(running: Running, jar: Path, folder: Path, options: str, password: str) -> subprocess.CompletedProcess[str]:
    source = folder / "Probe.java"
    source.write_text(JAVA)
    url = f"jdbc:mysql://127.0.0.1:{running.port}/default?sslMode=disabled&allowPublicKeyRetrieval=true&{options}"
    return subprocess.run(
        ["java", "-Dfile.encoding=UTF-8", "-Dstdout.encoding=UTF-8", "-cp", str(jar), str(source), url, password],
        capture_output=True, text=True, encoding="utf-8", timeout=120, env={**os.environ, "TZ": "America/New_York"},
    )  # fmt: skip


@pytest.mark.parametrize(
    "options",
    [
        "useServerPrepStmts=true&cachePrepStmts=true&useLocalSessionState=true"
        "&connectionTimeZone=UTC&forceConnectionTimeZoneToSession=true",
        "connectionTimeZone=UTC&sessionVariables=time_zone='%2B00:00'",
        "useServerPrepStmts=true&connectionTimeZone=SERVER",
    ],
)
def test_connector_j_reads_and_writes_every_type(
    running: Running, connector_j: Path, tmp_path: Path, options: str
) -> None:
    shown = probe(running, connector_j, tmp_path, options, "secret")
    assert shown.returncode == 0, shown.stderr
    lines = shown.stdout.splitlines()
    assert lines[:16] == EXPECTED_ROUND * 2
    assert lines[16] == "2024-02-29T23:59:59.999Z 2 -0.000001 18446744073709551614"


def test_connector_j_reads_the_wrong_instant_where_nobody_sets_the_zone(
    running: Running, connector_j: Path, tmp_path: Path
) -> None:
    shown = probe(running, connector_j, tmp_path, "useServerPrepStmts=true&connectionTimeZone=UTC", "secret")
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.splitlines()[6].startswith("2023-07-01T20:34:56.789Z")


def test_connector_j_hears_of_a_wrong_password(running: Running, connector_j: Path, tmp_path: Path) -> None:
    shown = probe(running, connector_j, tmp_path, "useServerPrepStmts=true", "wrong")
    assert shown.returncode != 0
    assert "Access denied for 'reader'" in shown.stderr
