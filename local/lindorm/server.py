"""The MySQL protocol over TCP: handshake, password, text queries and server-side prepared statements.

Protocol: https://dev.mysql.com/doc/dev/mysql-server/latest/PAGE_PROTOCOL.html. As at Lindorm, there is no
COM_RESET_CONNECTION, COM_CHANGE_USER, COM_DEBUG or COM_SET_OPTION
(https://alibabacloud.com/help/en/lindorm/latest/mysql-protocol-development-instructions); cursors (COM_STMT_FETCH)
are not documented there, and are refused here. One thread serves one connection.
"""

from __future__ import annotations

import itertools
import logging
import os
import socket
import socketserver
import ssl
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from local.lindorm import errors
from local.lindorm.controls import Controls
from local.lindorm.errors import SqlError
from local.lindorm.passwords import password_is_right
from local.lindorm.rows import ResultColumn, binary_rows, large_packet, length_encoded, length_encoded_int, text_rows
from local.lindorm.select import MAX_BYTES
from local.lindorm.session import VERSION, Result, Session
from local.lindorm.store import Store
from local.lindorm.types import BINARY_CHARSET, UTF8MB4, Given, WallClock, wire_type

log = logging.getLogger("lindorm")

_CONNECT_WITH_DB, _SSL, _PLUGIN_AUTH, _LENENC_AUTH = 1 << 3, 1 << 11, 1 << 19, 1 << 21
_SSL_REQUEST_BYTES = 32  # the first part of a HandshakeResponse41, and no more
# LONG_PASSWORD, LONG_FLAG, PROTOCOL_41, TRANSACTIONS, SECURE_CONNECTION, MULTI_RESULTS, PS_MULTI_RESULTS, CONNECT_ATTRS
_CAPABILITIES = 1 | 1 << 2 | 1 << 9 | 1 << 13 | 1 << 15 | 1 << 17 | 1 << 18 | 1 << 20
_CAPABILITIES |= _CONNECT_WITH_DB | _PLUGIN_AUTH | _LENENC_AUTH
_AUTOCOMMIT = 2
_COMMANDS = {
    4: "COM_FIELD_LIST",
    13: "COM_DEBUG",
    17: "COM_CHANGE_USER",
    27: "COM_SET_OPTION",
    28: "COM_STMT_FETCH",
    31: "COM_RESET_CONNECTION",
}
_INTEGER_PARAMS = {1: ("b", 1), 2: ("h", 2), 3: ("i", 4), 8: ("q", 8), 9: ("i", 4), 13: ("h", 2)}


@dataclass
class Prepared:
    """A prepared statement: types of its parameters are sent once, long data before the execution."""

    sql: str
    parameters: int
    types: list[int] = field(default_factory=list)
    long_data: dict[int, bytes] = field(default_factory=dict)


class Server(socketserver.ThreadingTCPServer):
    """Listens at once; `serve_forever` answers."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 256

    def __init__(
        self,
        port: int,
        store: Store,
        controls: Controls,
        user: str,
        password: str,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(("127.0.0.1", port), _Connection)
        self.tls = tls
        self.store = store
        self.controls = controls
        self.user = user
        self.password = password.encode()
        self.numbers = itertools.count(1)


class _Connection(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.sequence = 0
        self.connection: socket.socket = self.request
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # Not a byte ahead of what is asked for: behind a request for TLS comes TLS.
        self.input = self.connection.makefile("rb", buffering=1)
        self.node = cast(Server, self.server)
        self.number = next(self.node.numbers)
        self.encrypted = False
        self.prepared: dict[int, Prepared] = {}
        self.statements = itertools.count(1)
        controls = self.node.controls
        with controls.lock:
            controls.counters.connections += 1
            controls.open[self.number] = self._shut
        session = Session(self.node.store, controls, self.number)
        try:
            if self._handshake(session):
                while self._command(session):
                    pass
        except OSError as error:
            log.info("connection %d: %s", self.number, error)
        finally:
            with controls.lock:
                controls.open.pop(self.number, None)
            session.close()
            self.input.close()
            self.connection.close()

    def _shut(self) -> None:
        """Close the connection under whatever it is doing."""
        try:
            # Not SSLSocket's own, which would pull its state from under the thread that reads.
            socket.socket.shutdown(self.connection, socket.SHUT_RDWR)
        except OSError:
            log.debug("connection %d was closed already", self.number)

    # Packets

    def _read(self) -> bytes:
        """One packet's payload; b"" where the client is gone."""
        parts = []
        while True:
            header = self.input.read(4)
            if len(header) < 4:
                return b""
            size = int.from_bytes(header[:3], "little")
            self.sequence = (header[3] + 1) & 0xFF
            parts.append(self.input.read(size))
            if size < 0xFFFFFF:
                return b"".join(parts)

    def _packet(self, payload: bytes) -> bytes:
        packet, self.sequence = large_packet(payload, self.sequence)
        return packet

    def _send_error(self, error: SqlError) -> None:
        self.node.controls.count(errors=1)
        payload = (
            b"\xff"
            + struct.pack("<H", error.code)
            + b"#"
            + error.state.encode()
            + error.message.encode(errors="replace")
        )
        self.connection.sendall(self._packet(payload))

    def _ok(self, session: Session, affected: int = 0) -> bytes:
        status = _AUTOCOMMIT if session.autocommit else 0
        return self._packet(b"\0" + length_encoded_int(affected) + b"\0" + struct.pack("<HH", status, 0))

    def _eof(self, session: Session) -> bytes:
        return self._packet(b"\xfe" + struct.pack("<HH", 0, _AUTOCOMMIT if session.autocommit else 0))

    # Connecting (passwords.Client)

    def send(self, payload: bytes) -> None:
        self.connection.sendall(self._packet(payload))

    def read(self) -> bytes:
        return self._read()

    @property
    def knows_password(self) -> bool:
        return self.node.controls.knows_password

    @knows_password.setter
    def knows_password(self, known: bool) -> None:
        self.node.controls.knows_password = known

    def told_password(self) -> None:
        self.node.controls.count(readable_passwords=1)

    def _handshake(self, session: Session) -> bool:
        controls = self.node.controls
        settings = controls.settings
        if settings.refuse_connections or len(controls.open) > settings.max_connections:
            self._send_error(errors.too_many_connections(settings.max_connections))
            return False
        capabilities = _CAPABILITIES | (_SSL if self.node.tls else 0)
        plugin = settings.auth_plugin
        # No server greets with a plugin that is for the asking only.
        greeting = "mysql_native_password" if plugin == "mysql_clear_password" else plugin
        nonce = bytes(byte % 127 + 1 for byte in os.urandom(20))  # without NUL, which ends it on the wire
        self.connection.sendall(
            self._packet(
                b"\x0a"
                + VERSION.encode()
                + b"\0"
                + struct.pack("<I", self.number)
                + nonce[:8]
                + b"\0"
                + struct.pack("<HBHHB", capabilities & 0xFFFF, UTF8MB4, _AUTOCOMMIT, capabilities >> 16, 21)
                + b"\0" * 10
                + nonce[8:]
                + b"\0"
                + greeting.encode()
                + b"\0"
            )
        )
        payload = self._read()
        if self.node.tls and len(payload) == _SSL_REQUEST_BYTES and struct.unpack_from("<I", payload)[0] & _SSL:
            self.connection = self.node.tls.wrap_socket(self.connection, server_side=True)
            self.input = self.connection.makefile("rb", buffering=1)
            self.encrypted = True
            controls.count(encrypted=1)
            payload = self._read()
        if not payload:
            return False
        self.input = self.connection.makefile("rb", buffering=65536)
        try:
            user, answer, database, taken = _handshake_response(payload)
            if (taken or greeting.encode()) != plugin.encode():
                self.send(b"\xfe" + plugin.encode() + b"\0" + nonce + b"\0")
                answer = self._read()
            right = password_is_right(self, plugin, self.node.password, nonce, answer)
            if user != self.node.user or not right:
                raise errors.access_denied(user)
            session.user = user
            session.use(database)
        except SqlError as error:
            self._send_error(error)
            return False
        self.connection.sendall(self._ok(session))
        return True

    # Commands

    def _command(self, session: Session) -> bool:
        """Answer one command; False where the connection ends."""
        payload = self._read()
        if not payload or payload[0] == 1:
            return False
        command, body = payload[0], payload[1:]
        try:
            match command:
                case 2:
                    session.use(body.decode())
                    self.connection.sendall(self._ok(session))
                case 3:
                    self._send_result(session, session.execute(body.decode(errors="surrogateescape")), binary=False)
                case 14:
                    self.connection.sendall(self._ok(session))
                case 22:
                    self._prepare(session, body)
                case 23:
                    self._execute(session, body)
                case 24:
                    statement, parameter = struct.unpack_from("<IH", body)
                    if statement in self.prepared:  # no answer, whatever comes of it
                        data = self.prepared[statement].long_data
                        data[parameter] = data.get(parameter, b"") + body[6:]
                case 25:
                    self.prepared.pop(struct.unpack_from("<I", body)[0], None)
                case 26:
                    self._statement(body).long_data.clear()
                    self.connection.sendall(self._ok(session))
                case _:
                    raise errors.unknown_command(_COMMANDS.get(command, f"command {command}"))
        except SqlError as error:
            self._send_error(error)
        except ConnectionAbortedError:
            self.connection.sendall(b"\x01")  # the first byte of an answer that never comes
            return False
        except OSError:
            raise
        except Exception as error:
            log.exception("connection %d: %r", self.number, payload[:2000])
            self._send_error(SqlError(1105, "HY000", f"{type(error).__name__}: {error}"))
        return True

    def _statement(self, body: bytes) -> Prepared:
        number = struct.unpack_from("<I", body)[0]
        if number not in self.prepared:
            raise errors.unknown_statement(number)
        return self.prepared[number]

    def _prepare(self, session: Session, body: bytes) -> None:
        sql = body.decode(errors="surrogateescape")
        parameters, columns = session.prepare(sql)
        number = next(self.statements)
        self.prepared[number] = Prepared(sql, parameters)
        out = [self._packet(b"\0" + struct.pack("<IHHBH", number, len(columns), parameters, 0, 0))]
        if parameters:
            unknown = b"\x03def\0\0\0\x01?\0\x0c" + struct.pack("<HIBHB", BINARY_CHARSET, 0, 253, 128, 0) + b"\0\0"
            out += [self._packet(unknown) for _ in range(parameters)] + [self._eof(session)]
        if columns:
            out += [self._packet(_definition(column)) for column in columns] + [self._eof(session)]
        self.connection.sendall(b"".join(out))

    def _execute(self, session: Session, body: bytes) -> None:
        statement = self._statement(body)
        params = _parameters(statement, body[9:])
        statement.long_data.clear()
        self._send_result(session, session.execute(statement.sql, params), binary=True)

    def _send_result(self, session: Session, result: Result, *, binary: bool) -> None:
        if not result.columns:
            self.connection.sendall(self._ok(session, result.affected))
            return
        first = self.sequence
        head = [self._packet(length_encoded_int(len(result.columns)))]
        head += [self._packet(_definition(column)) for column in result.columns] + [self._eof(session)]
        encode = binary_rows if binary else text_rows
        before, rows = self.sequence, result.rows
        body, self.sequence = encode(rows, result.columns, session.zone, before)
        if len(body) > MAX_BYTES and self.node.controls.settings.over_limit == "cut":
            rows = rows[: _rows_within(MAX_BYTES, [len(encode([r], result.columns, session.zone, 0)[0]) for r in rows])]
            body, self.sequence = encode(rows, result.columns, session.zone, before)
        if len(body) > MAX_BYTES or (result.rows and not rows):
            self.sequence = first
            raise errors.resource_limit(f"one read returns at most {MAX_BYTES} bytes")
        self.node.controls.count(bytes=len(body))
        self.connection.sendall(b"".join(head) + body + self._eof(session))


def _rows_within(most: int, sizes: Sequence[int]) -> int:
    """How many rows, from the first on, have at most that many bytes together."""
    return sum(1 for total in itertools.accumulate(sizes) if total <= most)


def _definition(column: ResultColumn) -> bytes:
    wire = wire_type(column.type)
    table = length_encoded(column.table.encode())
    name = length_encoded(column.name.encode())
    flags = wire.flags | (3 if column.key else 0)  # NOT_NULL, PRI_KEY
    fixed = struct.pack("<HIBHB", wire.charset, wire.length, wire.type, flags, wire.decimals)
    return (
        b"\x03def" + length_encoded(column.database.encode()) + table + table + name + name + b"\x0c" + fixed + b"\0\0"
    )


def _handshake_response(payload: bytes) -> tuple[str, bytes, str, bytes]:
    """(user, answer, database, plugin) of a HandshakeResponse41. Raises 1043."""
    try:
        capabilities = struct.unpack_from("<I", payload)[0] & _CAPABILITIES
        end = payload.index(b"\0", 32)
        user, position = payload[32:end].decode(), end + 1
        size = payload[position]
        answer, position = payload[position + 1 : position + 1 + size], position + 1 + size
        database, plugin = "", b""
        if capabilities & _CONNECT_WITH_DB:
            end = payload.index(b"\0", position)
            database, position = payload[position:end].decode(), end + 1
        if capabilities & _PLUGIN_AUTH:
            plugin = payload[position : payload.index(b"\0", position)]
    except (ValueError, IndexError, struct.error) as error:
        raise errors.bad_handshake(str(error)) from error
    return user, answer, database, plugin


def _parameters(statement: Prepared, body: bytes) -> Sequence[Given]:
    """The parameters of an execution, as Python values. Strings stay bytes."""
    count = statement.parameters
    if not count:
        return ()
    width = (count + 7) // 8
    nulls, position = body[:width], width + 1
    if body[width]:
        statement.types = [struct.unpack_from("<H", body, position + 2 * i)[0] for i in range(count)]
        position += 2 * count
    values: list[Given] = []
    for index, kind in enumerate(statement.types):
        if nulls[index // 8] >> index % 8 & 1:
            values.append(None)
        elif index in statement.long_data:
            values.append(statement.long_data[index])
        else:
            value, position = _parameter(kind, body, position)
            values.append(value)
    return values


def _parameter(kind: int, body: bytes, position: int) -> tuple[Given, int]:
    """One value of the binary protocol, and where the next begins."""
    base, unsigned = kind & 0xFF, bool(kind & 0x8000)
    if base in _INTEGER_PARAMS:
        letter, size = _INTEGER_PARAMS[base]
        return struct.unpack_from("<" + (letter.upper() if unsigned else letter), body, position)[0], position + size
    if base == 4:
        return struct.unpack_from("<f", body, position)[0], position + 4
    if base == 5:
        return struct.unpack_from("<d", body, position)[0], position + 8
    if base == 6:
        return None, position
    if base in (7, 10, 12):
        size = body[position]
        data = body[position + 1 : position + 1 + size].ljust(11, b"\0")
        year, month, day, hour, minute, second, micros = struct.unpack("<HBBBBBI", data)
        ms = (hour * 3600 + minute * 60 + second) * 1000 + micros // 1000
        return WallClock(year, month, day, ms), position + 1 + size
    if base == 11:
        size = body[position]
        data = body[position + 1 : position + 1 + size].ljust(12, b"\0")
        _negative, _days, hour, minute, second, micros = struct.unpack("<BIBBBI", data)
        return WallClock(0, 0, 0, (hour * 3600 + minute * 60 + second) * 1000 + micros // 1000), position + 1 + size
    size, position = _length(body, position)
    return body[position : position + size], position + size


def _length(body: bytes, position: int) -> tuple[int, int]:
    """A length-encoded integer, and where the data begins."""
    first = body[position]
    if first < 0xFB:
        return first, position + 1
    width = {0xFC: 2, 0xFD: 3, 0xFE: 8}[first]
    return int.from_bytes(body[position + 1 : position + 1 + width], "little"), position + 1 + width
