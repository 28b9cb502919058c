"""What answers at source.url need not be Lindorm: whatever it sends becomes a sentence, soon and within bounds, and it
never gets a password that it can read."""

import resource
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from lindorm_import.adapters import lindorm_wire
from lindorm_import.adapters.lindorm import look_at_source
from lindorm_import.domain.observed import Login, SourceSeen
from lindorm_import.domain.trouble import TroubleError
from lindorm_import.plan.items import load_of
from lindorm_import.plan.mapping import Mapping, map_table
from local.lindorm.controls import Controls
from local.lindorm.server import Server
from local.lindorm.store import Store
from local.lindorm.tls import tls_context
from tests.controller.factories import spec

PASSWORD = "s3cret-pass%word"
_CAPABILITIES = 1 << 3 | 1 << 9 | 1 << 15 | 1 << 19  # CONNECT_WITH_DB, PROTOCOL_41, SECURE_CONNECTION, PLUGIN_AUTH
OK = b"\0\0\0\2\0\0\0"
EOF = b"\xfe\0\0\2\0"


def greeting(plugin: bytes = b"mysql_native_password") -> bytes:
    return (
        b"\x0a8.0.30\0"
        + struct.pack("<I", 1)
        + b"12345678\0"
        + struct.pack("<HBHHB", _CAPABILITIES & 0xFFFF, 45, 2, _CAPABILITIES >> 16, 21)
        + b"\0" * 10
        + b"123456789012\0"
        + plugin
        + b"\0"
    )


class Wire:
    """The server's end of one connection."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.sequence = 0
        self.heard = b""

    def send(self, *payloads: bytes) -> None:
        for payload in payloads:
            self.connection.sendall(struct.pack("<I", len(payload) | self.sequence << 24) + payload)
            self.sequence = (self.sequence + 1) & 0xFF

    def read(self) -> bytes:
        head = self._exactly(4)
        self.sequence = (head[3] + 1) & 0xFF
        return self._exactly(int.from_bytes(head[:3], "little"))

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = self.connection.recv(size - len(data))
            if not part:
                raise ConnectionError
            data += part
        self.heard += data
        return data

    def login(self) -> None:
        """Greets, takes any password, and the client's SET NAMES and SET time_zone."""
        self.send(greeting())
        self.read()
        self.send(OK)
        for _ in range(2):
            self.read()
            self.send(OK)


Script = Callable[[Wire], None]


@contextmanager
def answering(script: Script) -> Iterator[tuple[int, list[Wire]]]:
    """A server that does the same to everybody who connects: its port, and the connections so far."""
    listener = socket.create_server(("127.0.0.1", 0))
    wires: list[Wire] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            wire = Wire(connection)
            wires.append(wire)
            with connection:
                try:
                    script(wire)
                except OSError:
                    continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listener.getsockname()[1], wires
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(10)


def look(port: int, mode: str = "Preferred", ca: str | None = None, **changes: Any) -> SourceSeen:
    url = f"jdbc:mysql://localhost:{port}/default"
    return look_at_source(
        spec(**{"source.url": url, "source.tls": {"mode": mode}, **changes}), Login("reader", PASSWORD, ca), count=True
    )


def told(script: Script) -> Any:
    with answering(script) as (port, _), pytest.raises(TroubleError) as caught:
        look(port)
    return caught.value.trouble


def column(name: bytes) -> bytes:
    fixed = struct.pack("<HIBHB", 45, 255, 253, 0, 0)
    return b"\x03def\0\0\0" + bytes([len(name)]) + name + b"\0\x0c" + fixed + b"\0\0"


def endless_rows(wire: Wire) -> None:
    wire.login()
    wire.read()
    wire.send(b"\1", column(b"COLUMN_NAME"), EOF)
    while True:
        wire.send(b"\xfc\0\x40" + b"x" * 0x4000)


def endless_columns(wire: Wire) -> None:
    wire.login()
    wire.read()
    wire.send(b"\xfe" + b"\xff" * 7 + b"\x7f")
    while True:
        wire.send(column(b"c"))


def endless_packet(wire: Wire) -> None:
    wire.login()
    wire.read()
    while True:
        wire.send(b"\1" * 0xFFFFFF)


def endless_greeting(wire: Wire) -> None:
    wire.connection.sendall(b"\xff\xff\xff\0\x0a")
    while True:
        wire.connection.sendall(b"8" * 10_000)


@pytest.mark.parametrize("script", [endless_rows, endless_columns, endless_packet, endless_greeting])
def test_an_endless_answer_ends_within_seconds_and_megabytes(script: Script) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.monotonic()
    trouble = told(script)
    assert trouble.reason == "LindormUnreadable"
    assert "more rows or bytes than were asked for" in trouble.message
    assert time.monotonic() - start < 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 150 * 1024  # KiB


def drip_greeting(wire: Wire) -> None:
    for byte in struct.pack("<I", 80) + greeting():
        wire.connection.sendall(bytes([byte]))
        time.sleep(0.05)


def drip_answer(wire: Wire) -> None:
    wire.login()
    wire.read()
    while True:
        wire.connection.sendall(b"\1")
        time.sleep(0.05)


def say_nothing(wire: Wire) -> None:
    wire.connection.recv(1)


@pytest.mark.parametrize("script", [drip_greeting, drip_answer, say_nothing])
def test_an_answer_that_drips_or_never_comes_ends_by_the_clock(script: Script, monkeypatch: Any) -> None:
    monkeypatch.setattr(lindorm_wire, "CONNECT_SECONDS", 1)
    monkeypatch.setattr(lindorm_wire, "STATEMENT_SECONDS", 1)
    start = time.monotonic()
    trouble = told(script)
    assert trouble.reason == "LindormUnreachable"
    assert "too slow" in trouble.message
    assert time.monotonic() - start < 4


def test_the_whole_look_has_an_end_too(monkeypatch: Any) -> None:
    monkeypatch.setattr(lindorm_wire, "SESSION_SECONDS", 0)
    assert told(lambda wire: wire.login()).reason == "LindormUnreachable"


def load_local(wire: Wire) -> None:
    wire.login()
    wire.read()
    wire.send(b"\xfb/etc/passwd")
    wire.read()


def another_protocol(wire: Wire) -> None:
    wire.connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


def wrong_sequence(wire: Wire) -> None:
    wire.sequence = 7
    wire.send(greeting())


def short_error(wire: Wire) -> None:
    wire.send(b"\xff")


def short_row(wire: Wire) -> None:
    wire.login()
    wire.read()
    wire.send(b"\2", column(b"COLUMN_NAME"), column(b"TYPE"), EOF, b"\1x", EOF)


def foreign_name(wire: Wire) -> None:
    wire.login()
    wire.read()
    wire.send(b"\1", column(b"caf\xe9"), EOF, EOF)


def unknown_plugin(wire: Wire) -> None:
    wire.send(greeting())
    wire.read()
    wire.send(b"\xfedialog\0Password: \0")
    wire.read()


@pytest.mark.parametrize(
    "script", [load_local, another_protocol, wrong_sequence, short_error, short_row, foreign_name, unknown_plugin]
)
def test_an_answer_that_no_server_of_the_protocol_gives_is_told(script: Script) -> None:
    trouble = told(script)
    assert trouble.reason == "LindormUnreadable"
    assert "Lindorm at localhost:" in trouble.message
    assert PASSWORD not in trouble.message


def test_a_file_of_the_controllers_is_given_to_nobody() -> None:
    with answering(load_local) as (port, wires), pytest.raises(TroubleError):
        look(port)
    assert b"DESCRIBE" in wires[-1].heard
    assert b"root:" not in wires[-1].heard


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(["greeting", "login", "answer"]),
    st.lists(
        st.binary(max_size=40) | st.sampled_from([OK, EOF, b"\1", b"\xff", b"\xfb", b"\xfe", b"\1\4"]), max_size=6
    ),
)
@example("greeting", [b"\0" + b"\1" * 14])
@example("answer", [b"\xfc"])
@example("answer", [b"\1", b"\3def"])
@example("login", [b"\1\2\3"])
def test_whatever_comes_becomes_a_sentence(moment: str, payloads: list[bytes]) -> None:
    def script(wire: Wire) -> None:
        if moment == "login":
            wire.send(greeting())
            wire.read()
        elif moment == "answer":
            wire.login()
            wire.read()
        wire.send(*payloads)

    assert told(script).reason in {"LindormUnreadable", "LindormUnreachable", "LindormError", "NotLindorm"}


def test_an_error_of_a_megabyte_is_cut() -> None:
    def script(wire: Wire) -> None:
        wire.send(b"\xff\x16\x04#HY000" + b"x" * 60_000)

    assert len(told(script).message) < 1000


@contextmanager
def stand_in(folder: Path, tls: bool = True) -> Iterator[Server]:
    context = tls_context(folder / "tls") if tls else None
    with Server(0, Store(folder / "data"), Controls(), "reader", PASSWORD, context) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with lindorm_wire.Session(source_at(server, "Disabled"), Login("reader", PASSWORD)) as session:
            session.ask(
                "CREATE TABLE readings (device VARCHAR, ts TIMESTAMP, val VARCHAR, PRIMARY KEY (device, ts))", 0
            )
        yield server
        server.shutdown()


def source_at(server: Server, mode: str) -> Any:
    url = f"jdbc:mysql://localhost:{server.server_address[1]}/default"
    return spec(**{"source.url": url, "source.tls": {"mode": mode}}).source


@pytest.fixture
def lindorm(tmp_path: Path) -> Iterator[Server]:
    with stand_in(tmp_path) as server:
        yield server


PLUGINS = ["caching_sha2_password", "sha256_password", "mysql_clear_password"]


@pytest.mark.parametrize("tls", [True, False], ids=["tls", "plain"])
@pytest.mark.parametrize("mode", ["Disabled", "Preferred", "Required"])
@pytest.mark.parametrize("plugin", PLUGINS)
def test_nobody_unverified_gets_a_password_that_can_be_read(plugin: str, mode: str, tls: bool, tmp_path: Path) -> None:
    if mode == "Required" and not tls:
        return
    with stand_in(tmp_path, tls) as server:
        server.controls.settings.auth_plugin = plugin
        with pytest.raises(TroubleError) as caught:
            look(server.server_address[1], mode)
        assert caught.value.trouble.reason == "LindormNotVerified"
        assert plugin in caught.value.trouble.message
        assert "VerifyCA" in caught.value.trouble.message
        while server.controls.open:  # each connection's end comes after all that it has counted
            time.sleep(0.01)
        assert server.controls.counters.readable_passwords == 0


@pytest.mark.parametrize("plugin", PLUGINS)
def test_who_is_verified_gets_the_password_as_it_asks_for_it(plugin: str, lindorm: Server, tmp_path: Path) -> None:
    lindorm.controls.settings.auth_plugin = plugin
    ca = (tmp_path / "tls/ca.crt").read_text()
    assert look(lindorm.server_address[1], "VerifyIdentity", ca).rows == 0
    assert lindorm.controls.counters.readable_passwords == 1


def test_a_clear_password_is_not_among_the_bytes_that_were_sent() -> None:
    def script(wire: Wire) -> None:
        wire.send(greeting(b"sha256_password"))
        wire.read()
        wire.send(b"\xfemysql_clear_password\0\0")
        wire.read()

    with answering(script) as (port, wires), pytest.raises(TroubleError) as caught:
        look(port)
    assert caught.value.trouble.reason == "LindormNotVerified"
    assert wires[-1].heard
    assert PASSWORD.encode() not in wires[-1].heard


def test_a_certificate_with_any_writing_beside_it_is_read(lindorm: Server, tmp_path: Path) -> None:
    ca = "# Zürich 中文\n" + (tmp_path / "tls/ca.crt").read_text() + "# Ende – fin\n"
    assert look(lindorm.server_address[1], "VerifyCA", ca).rows == 0


def test_a_mysql_server_in_lindorms_place_is_named(lindorm: Server) -> None:
    lindorm.controls.settings.describe_shape = "mysql"
    with pytest.raises(TroubleError) as caught:
        look(lindorm.server_address[1])
    assert caught.value.trouble.reason == "NotLindorm"
    assert "FIELD, TYPE, NULL, KEY" in caught.value.trouble.message


def filled(lindorm: Server, *rows: str) -> None:
    with lindorm_wire.Session(source_at(lindorm, "Disabled"), Login("reader", PASSWORD)) as session:
        session.ask("SET time_zone = '+00:00'", 0)
        for row in rows:
            session.ask(f"UPSERT INTO readings VALUES ({row})", 0)


def test_text_that_is_not_utf_8_is_sampled_and_planned_as_the_job_will_take_it(lindorm: Server) -> None:
    at = "'2023-01-01 00:00:00'"
    filled(lindorm, f"'a', {at}, 'fine!!'", f"'caf\udce9', {at}, 'key'", f"'z', {at}, 'caf\udce9'")
    seen = look(lindorm.server_address[1])
    assert seen.rows == 3
    assert {row["device"].encode(errors="surrogateescape") for row in seen.sample} == {b"a", b"caf\xe9", b"z"}
    mapping = map_table(spec(), seen)
    assert isinstance(mapping, Mapping)
    assert load_of(3, seen.sample, mapping, "Omit", None).item_bytes == len("devicea" + "ts" + "valfine!!") + 24
    binary = map_table(spec(**{"target.attributes": [{"column": "val", "as": "Binary"}]}), seen)
    assert isinstance(binary, Mapping)
    assert load_of(3, seen.sample, binary, "Omit", None).item_bytes == 41  # "z" with caf\xe9 is an item then


def test_a_percent_sign_is_nothing_special_in_a_filter_or_a_name(lindorm: Server) -> None:
    with lindorm_wire.Session(source_at(lindorm, "Disabled"), Login("reader", PASSWORD)) as session:
        session.ask("CREATE TABLE rate (`%s` VARCHAR, ts TIMESTAMP, `50%` VARCHAR, PRIMARY KEY (`%s`, ts))", 0)
        session.ask("SET time_zone = '+00:00'", 0)
        session.ask("UPSERT INTO rate VALUES ('100%', '2023-01-01 00:00:00', 'temp'), ('%', '2023-01-02', 'x')", 0)
    seen = look(lindorm.server_address[1], **{"source.table": "rate", "source.filter": "`50%` LIKE 't%p'"})
    assert (seen.rows, [row["%s"] for row in seen.sample]) == (1, ["100%"])


@pytest.mark.parametrize(
    "url",
    [
        "jdbc:mysql://a..b:33060/default",
        "jdbc:mysql://.a:33060/default",
        f"jdbc:mysql://{'a' * 64}:33060/default",
        "jdbc:mysql://bücher.example:33060/default",
        "jdbc:mysql://user@host:33060/default",
        "jdbc:mysql://evil.example,ld.lindorm.aliyuncs.com:33060/default",
        "jdbc:mysql://(host=evil,x=.lindorm.aliyuncs.com):33060/default",
        "jdbc:mysql://evil%2eexample:33060/default",
        "jdbc:mysql://a;b:33060/default",
        "jdbc:mysql://a&b=c:33060/default",
        "jdbc:mysql://host:65536/default",
        "jdbc:mysql://host:0/default",
    ],
)
def test_a_host_or_port_that_cannot_be_is_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        spec(**{"source.url": url})


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("jdbc:mysql://10.0.0.7:33060/default", "10.0.0.7"),
        (
            "jdbc:lindorm://ld-x-proxy-lindorm-pub.lindorm.aliyuncs.com.:65535/a",
            "ld-x-proxy-lindorm-pub.lindorm.aliyuncs.com.",
        ),
        ("jdbc:mysql://xn--bcher-kva.example:1/default", "xn--bcher-kva.example"),
    ],
)
def test_any_other_host_is_taken(url: str, host: str) -> None:
    assert spec(**{"source.url": url}).source.host == host
