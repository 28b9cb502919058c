"""What Lindorm's documents leave open: the stand-in gives either answer, as it is told."""

from __future__ import annotations

import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pymysql
import pytest

from local.lindorm.control import ControlServer
from local.lindorm.controls import Controls
from local.lindorm.errors import SqlError
from local.lindorm.server import Server
from local.lindorm.session import Session
from local.lindorm.store import Store
from local.lindorm.tls import tls_context


@pytest.fixture
def controls() -> Controls:
    return Controls()


@pytest.fixture
def session(tmp_path: Path, controls: Controls) -> Iterator[Session]:
    opened = Session(Store(tmp_path), controls, 1)
    yield opened
    opened.close()


def column(session: Session, sql: str, index: int = 0) -> list[Any]:
    return [row[index] for row in session.execute(sql).rows]


@pytest.fixture
def texts(session: Session) -> Session:
    session.execute("CREATE TABLE t (k VARCHAR, PRIMARY KEY (k))")
    for text in ("temp", "Temp", "100%", "100 km", "", "a\nb", "it's"):
        session.execute("UPSERT INTO t VALUES (?)", [text])
    return session


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("LIKE 'temp'", ["temp"]),
        ("LIKE '%emp'", ["Temp", "temp"]),
        ("LIKE 't_mp'", ["temp"]),
        (r"LIKE '100\%'", ["100%"]),
        ("LIKE '100!%' ESCAPE '!'", ["100%"]),
        ("LIKE '100%'", ["100 km", "100%"]),
        ("LIKE 'a%b'", ["a\nb"]),
        ("LIKE 'it''s'", ["it's"]),
        ("LIKE ''", [""]),
        ("NOT LIKE '%'", []),
        ("NOT LIKE '%e%'", ["", "100 km", "100%", "a\nb", "it's"]),
    ],
)
def test_like_finds_what_its_pattern_matches(texts: Session, condition: str, found: list[str]) -> None:
    rows = column(texts, f"SELECT /*+ _l_allow_filtering_ */ k FROM t WHERE k {condition}")
    assert sorted(bytes(k).decode() for k in rows) == found


def test_null_is_neither_like_a_pattern_nor_not(session: Session) -> None:
    session.execute("CREATE TABLE n (k INTEGER, v VARCHAR, PRIMARY KEY (k))")
    session.execute("UPSERT INTO n VALUES (1, NULL)")
    for condition in ("v LIKE '%'", "v NOT LIKE '%'"):
        assert column(session, f"SELECT k FROM n WHERE k = 1 AND {condition}") == []


@pytest.fixture
def many(session: Session) -> Session:
    session.execute("CREATE TABLE many (k INTEGER, PRIMARY KEY (k))")
    for start in range(0, 2500, 500):
        session.execute("UPSERT INTO many VALUES " + ", ".join(f"({n})" for n in range(start, start + 500)))
    return session


def test_a_read_of_too_many_rows_is_refused(many: Session) -> None:
    with pytest.raises(SqlError, match="2000 rows"):
        many.execute("SELECT k FROM many WHERE k >= 0")


def test_or_is_cut_short_without_a_word(many: Session, controls: Controls) -> None:
    controls.settings.over_limit = "cut"
    assert column(many, "SELECT k FROM many WHERE k >= 0") == list(range(2000))
    assert column(many, "SELECT k FROM many WHERE k >= 1000") == list(range(1000, 2500))


def test_describe_shows_arguments_of_types_or_not(session: Session, controls: Controls) -> None:
    session.execute("CREATE TABLE d (k DECIMAL(5,2), c CHAR(3), PRIMARY KEY (k))")
    assert column(session, "DESCRIBE d", 3) == [b"DECIMAL(5,2)", b"CHAR(3)"]
    controls.settings.show_type_arguments = False
    assert column(session, "DESCRIBE d", 3) == [b"DECIMAL", b"CHAR"]


def test_describe_can_answer_as_a_mysql_server(session: Session, controls: Controls) -> None:
    session.execute("CREATE TABLE d (k DECIMAL(5,2), v VARCHAR, PRIMARY KEY (k))")
    controls.settings.describe_shape = "mysql"
    answer = session.execute("DESCRIBE d")
    assert [c.name for c in answer.columns] == ["Field", "Type", "Null", "Key", "Default", "Extra"]
    assert answer.rows[0] == [b"k", b"decimal(5,2)", b"NO", b"PRI", None, b""]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("bytes", ["A", "B", "a", "b", "\ufb00", "\U0001f600"]),
        ("case-insensitive", ["A", "a", "B", "b", "\ufb00", "\U0001f600"]),
        ("utf-16", ["A", "B", "a", "b", "\U0001f600", "\ufb00"]),
    ],
)
def test_text_is_ordered_compared_and_kept_as_it_was_told(
    session: Session, controls: Controls, order: str, expected: list[str]
) -> None:
    controls.settings.text_order = order
    session.execute("CREATE TABLE o (k VARCHAR, n INTEGER, PRIMARY KEY (k, n))")
    for n, text in enumerate(["b", "A", "\ufb00", "a", "\U0001f600", "B"]):
        session.execute("UPSERT INTO o VALUES (?, ?)", [text, {"A": 1, "a": 2, "B": 1, "b": 2}.get(text, n)])

    def texts(rest: str) -> list[str]:
        found = column(session, f"SELECT /*+ _l_allow_filtering_ */ k FROM o {rest} LIMIT 100")
        return [k if isinstance(k, str) else k.decode() for k in found]

    assert texts("ORDER BY k, n") == expected
    assert texts("WHERE k > 'a' ORDER BY k, n") == [
        k for k in expected if k not in ("A", "a") and (order != "bytes" or k > "a") and (order != "utf-16" or k != "B")
    ]
    assert set(texts("WHERE k = 'a'")) == ({"A", "a"} if order == "case-insensitive" else {"a"})


def test_keys_that_compare_as_equal_are_one_row(session: Session, controls: Controls) -> None:
    controls.settings.text_order = "case-insensitive"
    session.execute("CREATE TABLE e (k VARCHAR, PRIMARY KEY (k))")
    session.execute("UPSERT INTO e VALUES ('a'), ('A')")
    assert len(session.execute("SELECT k FROM e WHERE k >= ''").rows) == 1


def test_there_can_be_other_databases(session: Session) -> None:
    session.execute("CREATE DATABASE plant")
    session.execute("CREATE TABLE plant.t (k INTEGER, PRIMARY KEY (k))")
    with pytest.raises(SqlError, match=r"default\.t"):
        session.execute("DESCRIBE t")
    session.execute("USE plant")
    assert column(session, "SHOW TABLES") == [b"t"]
    assert column(session, "SHOW DATABASES") == [b"default", b"plant"]
    session.execute("DROP TABLE t")
    session.execute("DROP DATABASE plant")
    with pytest.raises(SqlError, match="plant"):
        session.use("plant")


@pytest.fixture
def server(tmp_path: Path, controls: Controls) -> Iterator[Server]:
    with Server(0, Store(tmp_path), controls, "reader", "secret", tls_context(tmp_path / "tls")) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def login(server: Server, password: str, encrypted: bool) -> None:
    context = None
    if encrypted:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    port = server.server_address[1]
    with (
        closing(
            pymysql.connect(
                host="127.0.0.1",
                port=port,
                user="reader",
                password=password,
                database="default",
                ssl=context,
                ssl_disabled=not encrypted,
            )
        ) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SHOW TABLES")


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("plugin", ["caching_sha2_password", "sha256_password", "mysql_clear_password"])
def test_a_password_is_checked_by_each_plugin_and_whether_it_could_be_read_is_counted(
    server: Server, controls: Controls, plugin: str, encrypted: bool
) -> None:
    controls.settings.auth_plugin = plugin
    with pytest.raises(pymysql.OperationalError, match="Access denied"):
        login(server, "wrong", encrypted)
    login(server, "secret", encrypted)
    before = controls.counters.readable_passwords
    assert before >= 1
    login(server, "secret", encrypted)
    again = controls.counters.readable_passwords - before
    assert again == (0 if plugin == "caching_sha2_password" else 1)  # its second login shows no password


def test_a_native_password_cannot_be_read(server: Server, controls: Controls) -> None:
    login(server, "secret", encrypted=False)
    assert controls.counters.readable_passwords == 0


def test_a_setting_that_has_no_such_value_is_refused(controls: Controls, tmp_path: Path) -> None:
    with ControlServer(controls, Store(tmp_path)) as control:
        threading.Thread(target=control.serve_forever, daemon=True).start()
        port = control.server_address[1]
        request = urllib.request.Request(f"http://127.0.0.1:{port}/settings", b'{"over_limit": "split"}', method="POST")
        with pytest.raises(urllib.error.HTTPError, match="400"):
            urllib.request.urlopen(request, timeout=10)
        control.shutdown()
    assert controls.settings.over_limit == "refuse"
