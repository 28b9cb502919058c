"""Lindorm's metadata over its MySQL protocol. The controller reads no rows but a small sample."""

import re

from lindorm_import.adapters.errors import lindorm_number
from lindorm_import.adapters.lindorm_rows import COUNT_TIMEOUT_MS, look_at_rows, quoted
from lindorm_import.adapters.lindorm_wire import Session
from lindorm_import.api.spec import ImportSpec
from lindorm_import.domain.observed import Column, KeyColumn, Login, SourceSeen
from lindorm_import.domain.trouble import Trouble, TroubleError

_HASHED_KEY = re.compile(r"PRIMARY\s+KEY\s*\(\s*(hash\d+\s*\([^)]*\))", re.IGNORECASE)
UNSUPPORTED = {1064, 1235, 9001}  # what a server says to a statement that it does not have
_MAX_COLUMNS = 10_000
_DESCRIBED = ("COLUMN_NAME", "TYPE", "IS_PRIMARY_KEY", "SORT_ORDER")


def look_at_source(spec: ImportSpec, login: Login, count: bool) -> SourceSeen:
    """Describes the table; with count also counts (or estimates) and samples the range. Raises TroubleError.

    A password is never part of an error: PyMySQL's messages name user and host only.
    """
    with Session(spec.source, login) as session:
        use_utc(session)
        columns, key = _describe(session, spec.source.table)
        key_hash = _key_hash(session, spec.source.table)
        # mapping.py tells the user of a hash, and of a time column that is not there.
        if key_hash or not count or spec.source.time_range.column not in {c.name for c in columns}:
            return SourceSeen(columns, key, key_hash=key_hash)
        seen = look_at_rows(session, spec, columns, key, COUNT_TIMEOUT_MS)
        return SourceSeen(columns, key, seen.rows, seen.error_percent, seen.sample)


def use_utc(session: Session) -> None:
    """TIMESTAMP is shown and compared in the session's zone, UTC+8 unless told otherwise
    (https://www.alibabacloud.com/help/en/lindorm/user-guide/how-to-set-the-time-zone-for-a-connection)."""
    session.ask("SET time_zone = '+00:00'", rows=0)


def _key_hash(session: Session, table: str) -> str | None:
    """The hash function that the primary key begins with, as PRIMARY KEY (hash32(a), a, b): DESCRIBE does not show it.

    None for none, and where Lindorm is older than the statement: then it refuses the first read of a range itself.
    """
    try:
        _, rows = session.ask(f"SHOW CREATE TABLE {quoted(table)}", rows=1)
    except TroubleError as error:
        if lindorm_number(error) in UNSUPPORTED:
            return None
        raise
    found = _HASHED_KEY.search(_text(rows[0][-1])) if rows and rows[0] else None
    return found[1] if found else None


def _describe(session: Session, table: str) -> tuple[tuple[Column, ...], tuple[KeyColumn, ...]]:
    """DESCRIBE answers in Lindorm's shape: TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, TYPE, IS_PRIMARY_KEY, SORT_ORDER
    (https://help.aliyun.com/en/lindorm/developer-reference/describe-3)."""
    names, found = session.ask(f"DESCRIBE {quoted(table)}", rows=_MAX_COLUMNS)
    names = [name.upper() for name in names]
    missing = [name for name in _DESCRIBED if name not in names]
    if missing:
        message = (
            f"{session.where} answers DESCRIBE with the columns {', '.join(names)[:200]} and without "
            f"{', '.join(missing)}, as Lindorm does not: is spec.source.url that of a MySQL server? It must be "
            "Lindorm's MySQL endpoint (port 33060)"
        )
        raise TroubleError(Trouble("NotLindorm", message))
    rows = [{name: _text(value) for name, value in zip(names, row, strict=True)} for row in found]
    columns = tuple(Column(r["COLUMN_NAME"], r["TYPE"]) for r in rows)
    key = tuple(
        KeyColumn(r["COLUMN_NAME"], "DESC" if r["SORT_ORDER"].upper() == "DESC" else "ASC")
        for r in rows
        if r["IS_PRIMARY_KEY"].lower() == "true"
    )
    if not key:
        message = (
            f"{session.where} shows no primary key in its {len(columns)} columns, as every table of Lindorm's has one: "
            "is spec.source.url that of Lindorm's MySQL endpoint (port 33060), and this a table and no view?"
        )
        raise TroubleError(Trouble("NotLindorm", message))
    return columns, key


def _text(value: bytes | None) -> str:
    return (value or b"").decode(errors="replace")
