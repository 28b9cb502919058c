"""Lindorm's metadata over its MySQL protocol. The controller reads no rows but a small sample."""

import re
import ssl

import pymysql
from pymysql.constants import CR
from pymysql.cursors import Cursor

from controller.adapters.errors import lindorm_errors
from controller.adapters.lindorm_rows import COUNT_TIMEOUT_MS, look_at_rows, quoted
from controller.api.spec import ImportSpec, Source
from controller.observed import Column, KeyColumn, Login, SourceSeen, Trouble, TroubleError

_HASHED_KEY = re.compile(r"PRIMARY\s+KEY\s*\(\s*(hash\d+\s*\([^)]*\))", re.IGNORECASE)
_UNSUPPORTED = {1064, 1235, 9001}  # what a server says to a statement that it does not have


def connect(source: Source, login: Login) -> "pymysql.Connection[Cursor]":
    """A connection that asks for nothing Lindorm does not know.

    Raises PyMySQL's errors (see errors.lindorm_errors), and TroubleError where the certificate to trust is of no use.
    """
    mode = source.tls.mode
    try:
        return _connect(source, login, None if mode == "Disabled" else _context(source, login))
    except pymysql.OperationalError as error:
        if mode != "Preferred" or error.args[0] != CR.CR_SSL_CONNECTION_ERROR:
            raise
        return _connect(source, login, None)  # the server offers no TLS


def _connect(source: Source, login: Login, context: ssl.SSLContext | None) -> "pymysql.Connection[Cursor]":
    return pymysql.connect(
        host=source.host,
        port=source.port,
        user=login.username,
        password=login.password,
        database=source.database,
        connect_timeout=5,
        read_timeout=40,
        charset="utf8mb4",
        autocommit=None,
        ssl=context,
        ssl_disabled=context is None,
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
        context.load_verify_locations(cadata=login.ca)
    except (ssl.SSLError, ValueError) as error:
        raise TroubleError(Trouble("SecretUnusable", f"no certificate can be read from {where} ({error})")) from error
    return context


def look_at_source(spec: ImportSpec, login: Login, count: bool) -> SourceSeen:
    """Describes the table; with count also counts (or estimates) and samples the range. Raises TroubleError.

    A password is never part of an error: PyMySQL's messages name user and host only.
    """
    source = spec.source
    where = f"Lindorm at {source.host}:{source.port}, table {source.table},"
    with lindorm_errors(where):
        connection = connect(source, login)
    try:
        with connection.cursor() as cursor, lindorm_errors(where):
            # TIMESTAMP is shown and compared in the session's zone, UTC+8 unless told otherwise (facts: section 3).
            cursor.execute("SET time_zone = '+00:00'")
            columns, key = _describe(cursor, source.table)
            key_hash = _key_hash(cursor, source.table)
            if key_hash:
                return SourceSeen(columns, key, key_hash=key_hash)  # mapping.py tells the user
            if not count:
                return SourceSeen(columns, key)
            if not key or spec.source.time_range.column not in {c.name for c in columns}:
                return SourceSeen(columns, key)  # mapping.py tells the user
            seen = look_at_rows(cursor, spec, columns, key, COUNT_TIMEOUT_MS)
            return SourceSeen(columns, key, seen.rows, seen.error_percent, seen.sample)
    finally:
        connection.close()


def _key_hash(cursor: Cursor, table: str) -> str | None:
    """The hash function that the primary key begins with, as PRIMARY KEY (hash32(a), a, b): DESCRIBE does not show it.

    None for none, and where Lindorm is older than the statement: then it refuses the first read of a range itself.
    """
    try:
        cursor.execute(f"SHOW CREATE TABLE {quoted(table)}")
    except pymysql.err.MySQLError as error:
        if error.args[0] in _UNSUPPORTED:
            return None
        raise
    row = cursor.fetchone()
    found = _HASHED_KEY.search(str(row[-1])) if row else None
    return found[1] if found else None


def _describe(cursor: Cursor, table: str) -> tuple[tuple[Column, ...], tuple[KeyColumn, ...]]:
    """DESCRIBE answers in Lindorm's shape: TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, TYPE, IS_PRIMARY_KEY, SORT_ORDER."""
    cursor.execute(f"DESCRIBE {quoted(table)}")
    names = [d[0].upper() for d in cursor.description or ()]
    rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    columns = tuple(Column(str(r["COLUMN_NAME"]), str(r["TYPE"])) for r in rows)
    key = tuple(
        KeyColumn(str(r["COLUMN_NAME"]), "DESC" if str(r["SORT_ORDER"]).upper() == "DESC" else "ASC")
        for r in rows
        if str(r["IS_PRIMARY_KEY"]).lower() == "true"
    )
    return columns, key
