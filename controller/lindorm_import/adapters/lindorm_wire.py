"""A session with Lindorm by the MySQL protocol, which trusts the other end with nothing: neither with the password nor
with how much and how long it answers.

Rows come as bytes: what they mean, the described type of their column says (lindorm_values.py).
"""

import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pymysql
import pymysql.connections
from pymysql.constants import CR
from pymysql.converters import encoders

from lindorm_import.adapters.errors import (
    AuthPluginRefusedError,
    TooMuchError,
    lindorm_answers,
    lindorm_errors,
)
from lindorm_import.api.spec import Source
from lindorm_import.domain.observed import Login
from lindorm_import.domain.trouble import Trouble, TroubleError

CONNECT_SECONDS = 10
STATEMENT_SECONDS = 40
SESSION_SECONDS = 300
_KB, _MB = 1024, 1024 * 1024
SMALL, LARGE = 4 * _MB, 20 * _MB  # what one answer may have: Lindorm serves at most 16 MB of rows in one read

# What this plugin sends is made of the password and a number of the server's, and cannot be turned back. The others
# show the password to whoever is at the other end: in clear text, or encrypted with a key that the other end names.
_SHOWS_NOTHING = b"mysql_native_password"
_SHOWS_PASSWORD = (b"caching_sha2_password", b"sha256_password", b"mysql_clear_password")

Row = tuple[bytes | None, ...]


@dataclass
class _Allowance:
    """What the other end may still send in answer to one request."""

    seconds: float
    packets: int
    size: int

    def __post_init__(self) -> None:
        self._until = time.monotonic() + self.seconds

    def take(self, size: int) -> None:
        """Raises TooMuchError. Every packet is two reads, of its head and of its body."""
        self.packets -= 1
        self.size -= size
        if self.packets < 0 or self.size < 0:
            raise TooMuchError(CR.CR_MALFORMED_PACKET, "answers with more rows or bytes than were asked for")

    def left(self) -> float:
        """Seconds. Raises TimeoutError."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        return left


_Untyped: Any = pymysql.connections.Connection  # its stubs do not know what is overridden here


class _Connection(_Untyped):  # type: ignore[misc]
    """PyMySQL's connection, bounded: PyMySQL itself starts the clock again with each byte that comes, and keeps rows
    as long as they come."""

    def __init__(self, verified: bool, **options: Any) -> None:
        self._verified = verified
        self._allowance = _Allowance(CONNECT_SECONDS, 100, 64 * _KB)
        super().__init__(**options)

    @contextmanager
    def allowing(self, allowance: _Allowance) -> Iterator[None]:
        self._allowance = allowance
        yield

    def _read_bytes(self, num_bytes: int) -> bytes:
        data = bytearray()
        try:
            self._allowance.take(num_bytes)
            while len(data) < num_bytes:
                self._sock.settimeout(self._allowance.left())
                part = self._rfile.read1(num_bytes - len(data))
                if not part:
                    raise EOFError("the connection was closed in the middle of an answer")
                data += part
        except (OSError, EOFError) as error:
            self._force_close()
            lost = f"Lost connection to MySQL server during query ({error})"
            raise pymysql.err.OperationalError(CR.CR_SERVER_LOST, lost) from error
        except TooMuchError:
            self._force_close()
            raise
        return bytes(data)

    def refuse_unasked(self) -> None:
        """Raises TooMuchError where there is something to read: it would pass for an answer to the next question."""
        self._sock.settimeout(0)
        try:
            unasked = bool(self._rfile.peek(1))
        except (BlockingIOError, ssl.SSLWantReadError):
            unasked = False
        if unasked:
            self._force_close()
            raise TooMuchError(CR.CR_MALFORMED_PACKET, "sends what nobody has asked for")

    def _get_server_information(self) -> None:
        super()._get_server_information()
        if not self._verified:
            # Not the plugin that the server greets with, by which PyMySQL would answer at once.
            self._auth_plugin_name = _SHOWS_NOTHING.decode()

    def _process_auth(self, plugin_name: bytes, auth_packet: Any, handler: Any = None) -> Any:
        if plugin_name != _SHOWS_NOTHING and not (self._verified and plugin_name in _SHOWS_PASSWORD):
            name = plugin_name.decode(errors="replace")[:100]
            raise AuthPluginRefusedError(CR.CR_AUTH_PLUGIN_ERR, name)
        return super()._process_auth(plugin_name, auth_packet, handler)


class Session:
    """One connection to Lindorm. Everything raises TroubleError."""

    def __init__(self, source: Source, login: Login) -> None:
        """Connects."""
        self.where = f"Lindorm at {source.host}:{source.port}, table {source.table},"
        self.received = 0
        self._until = time.monotonic() + SESSION_SECONDS
        with lindorm_errors(self.where), lindorm_answers(self.where):
            self._connection = _connect(source, login)

    def ask(self, sql: str, rows: int, columns: int = 16, size: int = SMALL) -> tuple[list[str], list[Row]]:
        """Names of the columns, and the rows, of an answer with at most that many of both, and that many bytes."""
        seconds = min(STATEMENT_SECONDS, self._until - time.monotonic())
        # Two packets end columns and rows, one begins; some more, for what an earlier answer left behind.
        allowance = _Allowance(max(0.0, seconds), 2 * (rows + columns + 10), size)
        with (
            lindorm_errors(self.where),
            lindorm_answers(self.where),
            self._connection.allowing(allowance),
            self._connection.cursor() as cursor,
        ):
            # Bytes, and no arguments: PyMySQL would take each % for a place of one.
            self._connection.refuse_unasked()
            cursor.execute(sql.encode(errors="surrogateescape"))
            self._connection.refuse_unasked()
            if rows and cursor.description is None:
                raise ValueError("no rows, not even none, where rows were asked for")
            names = [description[0] for description in cursor.description or ()]
            found: list[Row] = list(cursor.fetchall())
            if any(len(row) != len(names) for row in found):
                raise ValueError("a row with another number of columns than was announced")
        self.received += size - allowance.size
        return names, found

    def literal(self, value: Any) -> str:
        """A value as it is written in SQL."""
        if isinstance(value, str) and "\\" not in value:
            # Whether Lindorm knows a quote with a backslash before it, its documents do not say; twice is right anyway.
            return "'" + value.replace("'", "''") + "'"
        return str(self._connection.escape(value))

    @property
    def server_version(self) -> str:
        return str(self._connection.get_server_info())

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        if self._connection.open:
            self._connection.close()


def _connect(source: Source, login: Login) -> _Connection:
    """Raises PyMySQL's errors, and TroubleError where the certificate to trust is of no use."""
    mode = source.tls.mode
    try:
        return _open(source, login, None if mode == "Disabled" else _context(source, login))
    except AuthPluginRefusedError as error:
        raise TroubleError(_refused(source, str(error.args[1]))) from error
    except pymysql.OperationalError as error:
        if mode != "Preferred" or error.args[0] != CR.CR_SSL_CONNECTION_ERROR:
            raise
    try:
        return _open(source, login, None)  # the server offers no TLS
    except AuthPluginRefusedError as error:
        raise TroubleError(_refused(source, str(error.args[1]))) from error


def _open(source: Source, login: Login, context: ssl.SSLContext | None) -> _Connection:
    return _Connection(
        verified=source.tls.verifies,
        host=source.host,
        port=source.port,
        user=login.username,
        password=login.password,
        database=source.database,
        connect_timeout=5,
        read_timeout=STATEMENT_SECONDS,
        write_timeout=CONNECT_SECONDS,
        charset="utf8mb4",
        use_unicode=False,
        conv=encoders,
        autocommit=None,
        ssl=context,
        ssl_disabled=context is None,
    )


def _refused(source: Source, plugin: str) -> Trouble:
    where = f"Lindorm at {source.host}:{source.port}"
    if plugin.encode() not in _SHOWS_PASSWORD:
        return Trouble(
            "LindormUnreadable", f"{where} asks for the password by {plugin}, which is not known here: is it Lindorm's?"
        )
    return Trouble(
        "LindormNotVerified",
        f"{where} asks for the password by {plugin}, which shows it to whoever is at the other end, and with "
        f"source.tls.mode {source.tls.mode} nobody has verified who that is; it was not sent. Set source.tls.mode to "
        f"VerifyCA, with the CA certificate under ca.crt in Secret {source.credentials.secret_name}; or give the "
        "import a user of mysql_native_password, which shows nothing",
    )


def _context(source: Source, login: Login) -> ssl.SSLContext:
    """What TLS must hold to. Not PyMySQL's own even where any certificate will do: that reads all of the machine's
    certificates each time, 20 ms of CPU."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = source.tls.mode == "VerifyIdentity"
    if not source.tls.verifies:
        context.verify_mode = ssl.CERT_NONE
        return context
    secret = source.credentials.secret_name
    where = (
        f"key ca.crt of Secret {secret}: source.tls.mode is {source.tls.mode}, so put the CA certificate there, which "
        "Lindorm's console offers for download, as PEM"
    )
    if login.ca is None:
        raise TroubleError(Trouble("SecretIncomplete", f"there is no {where}"))
    try:
        # What is beside the certificates, such as the names in comments, may be in any writing; they are ASCII.
        context.load_verify_locations(cadata=login.ca.encode("ascii", "replace").decode())
    except (ssl.SSLError, ValueError) as error:
        raise TroubleError(Trouble("SecretUnusable", f"no certificate can be read from {where} ({error})")) from error
    return context
