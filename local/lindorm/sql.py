"""From a statement's text to a syntax tree: comments, hints and placeholders are read here, before sqlglot.

sqlglot drops hints when it writes SQL, and does not number placeholders; both are needed. CREATE TABLE is read by hand,
because sqlglot's MySQL dialect does not know DESC in a primary key.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from local.lindorm import errors
from local.lindorm.store import Column, Table
from local.lindorm.types import parse_type

# One quoted string, identifier or comment; or a placeholder.
_LEXEMES = re.compile(
    r"""'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*"|`[^`]*`|/\*.*?\*/|--[ \t][^\n]*|\#[^\n]*|\?""", re.DOTALL
)
_HINT = re.compile(r"(\s*(?:EXPLAIN\b[\w\s]*?)?SELECT)\s*/\*\+(.*?)\*/", re.IGNORECASE | re.DOTALL)
_HINT_ITEM = re.compile(r"(\w+)(?:\s*\(\s*'?([\w]*)'?\s*\))?\s*,?\s*")

# https://help.aliyun.com/document_detail/445131.html
HINTS = {
    "_l_allow_filtering_",
    "_l_force_index_",
    "_l_ignore_index_",
    "_l_operation_timeout_",
    "_l_versions_",
    "_l_ts_",
    "_l_ts_min_",
    "_l_ts_max_",
    "_l_hot_only_",
}


@dataclass(frozen=True)
class Text:
    """A statement without comments: the hints of its SELECT, and its placeholders numbered `:p0`, `:p1`, …"""

    sql: str
    hints: dict[str, str] = field(default_factory=dict)
    placeholders: int = 0


def read_text(sql: str) -> Text:
    """Raises 9001 for a hint that Lindorm does not have."""
    sql = sql.strip().rstrip(";").strip()
    while sql.startswith("/*") and not sql.startswith("/*+"):
        sql = sql[sql.index("*/") + 2 :].lstrip() if "*/" in sql else ""
    hints: dict[str, str] = {}
    match = _HINT.match(sql)
    if match:
        for name, value in _HINT_ITEM.findall(match[2].strip()):
            if name.lower() not in HINTS:
                raise errors.unsupported(f"hint {name}")
            hints[name.lower()] = value
        sql = match[1] + " " + sql[match.end() :]
    count = 0

    def number(found: re.Match[str]) -> str:
        nonlocal count
        if found[0] == "?":
            count += 1
            return f" :p{count - 1} "
        return " " if found[0].startswith(("/*", "--", "#")) else found[0]

    numbered = _LEXEMES.sub(number, sql).strip()
    return Text(numbered, hints, count)


def parse(sql: str) -> exp.Expr:
    """The tree of one statement. Raises 1064 where it cannot be read."""
    try:
        statements = [tree for tree in sqlglot.parse(sql, dialect="mysql") if tree is not None]
    except SqlglotError as error:
        raise errors.syntax(str(error).split("\n")[0]) from error
    if len(statements) != 1:
        raise errors.syntax("exactly one statement is expected")
    return statements[0]


_CREATE = re.compile(
    r"CREATE\s+TABLE\s+(IF\s+NOT\s+EXISTS\s+)?((?:[`\w]+\.)?[`\w-]+)\s*\((.*)\)\s*(WITH\s*\(.*\))?\s*\Z",
    re.IGNORECASE | re.DOTALL,
)
_KEY = re.compile(r"PRIMARY\s+KEY\s*\((.*)\)\Z", re.IGNORECASE | re.DOTALL)
_HASH = re.compile(r"hash(8|32|64)\s*\([\w`,\s]+\)\Z", re.IGNORECASE)
_COLUMN = re.compile(r"(`[^`]+`|\w+)\s+(.*?)\s*(NOT\s+NULL|NULL)?\Z", re.IGNORECASE | re.DOTALL)


def split_name(text: str, database: str) -> tuple[str, str]:
    """(database, table) of a name that may be qualified and quoted."""
    parts = [part.strip("`") for part in text.strip().split(".")]
    return (parts[0], parts[1]) if len(parts) == 2 else (database, parts[0])


def parse_create(sql: str, database: str) -> tuple[Table, bool]:
    """A CREATE TABLE's definition, and whether it says IF NOT EXISTS. Raises 1064, 9001."""
    match = _CREATE.match(sql)
    if not match:
        raise errors.syntax("CREATE TABLE name (column type, …, PRIMARY KEY (column, …))")
    columns: list[Column] = []
    key: dict[str, bool] = {}
    hashed = ""
    for item in _split(match[3]):
        key_match = _KEY.match(item)
        if key_match:
            for part in _split(key_match[1]):
                function = _HASH.match(part)
                if function and not key and not hashed:
                    hashed = re.sub(r"\s|`", "", part)
                    continue
                name, _, direction = part.partition(" ")
                if "(" in name:
                    raise errors.unsupported(f"key function {name}")
                if direction.strip().upper() not in ("", "ASC", "DESC"):
                    raise errors.syntax(f"PRIMARY KEY {part}")
                key[name.strip("`")] = direction.strip().upper() == "DESC"
            continue
        column = _COLUMN.match(item)
        if not column:
            raise errors.syntax(item)
        columns.append(Column(column[1].strip("`"), parse_type(column[2])))
    table = Table(*split_name(match[2], database), tuple(columns), key, hashed)
    for name in table.hashed_columns:
        table.column(name)
    for name in key:
        if table.column(name).type.kind.value == "JSON":
            raise errors.unsupported("JSON in a primary key")
    if not 1 <= len(key) <= 5:
        raise errors.unsupported("a primary key has one to five columns")
    return table, bool(match[1])


def _split(text: str) -> list[str]:
    """Split at commas that are in no parentheses."""
    items, depth, start = [], 0, 0
    for position, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if character == "," and not depth:
            items.append(text[start:position].strip())
            start = position + 1
    return [*items, text[start:].strip()]
