"""Where tables are kept: one SQLite file, a catalog, and a table WITHOUT ROWID for each Lindorm table.

Columns are called c0, c1, … in SQLite, because Lindorm's names are case-sensitive and SQLite's are not. The key is
declared in Lindorm's directions (ASC, DESC), so that SQLite's order of rows is Lindorm's.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from local.lindorm import errors
from local.lindorm.types import TEXT_ORDERS, Kind, LindormType, parse_type

DEFAULT_DATABASE = "default"


@dataclass(frozen=True)
class Column:
    name: str
    type: LindormType


@dataclass(frozen=True)
class Table:
    """A table's definition. `key` maps each key column, in key order, to whether it descends.

    hashed: the function that the key begins with, as in PRIMARY KEY (hash32(p1), p1, p2); "" for none. Rows are not
    kept in the hash's order here, since nothing that would show it is allowed.
    """

    database: str
    name: str
    columns: tuple[Column, ...]
    key: dict[str, bool]
    hashed: str = ""
    indexes: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "indexes", {column.name: i for i, column in enumerate(self.columns)})

    @property
    def hashed_columns(self) -> list[str]:
        """What the hash is made of: a read must give each one value."""
        return self.hashed.partition("(")[2].rstrip(")").split(",") if self.hashed else []

    @property
    def sqlite_name(self) -> str:
        return '"' + f"{self.database}.{self.name}".replace('"', '""') + '"'

    def column(self, name: str) -> Column:
        """Raises 1054 for a column that the table does not have."""
        index = self.indexes.get(name)
        if index is None:
            raise errors.unknown_column(name)
        return self.columns[index]

    def sqlite_column(self, name: str) -> str:
        self.column(name)
        return f"c{self.indexes[name]}"

    def ordered(self, order: str) -> Table:
        """The same with its text in another order (`types.TEXT_ORDERS`)."""
        columns = tuple(
            Column(c.name, replace(c.type, order=order)) if c.type.kind in (Kind.CHAR, Kind.VARCHAR) else c
            for c in self.columns
        )
        return replace(self, columns=columns)

    def ddl(self) -> str:
        """The statement that SHOW CREATE TABLE shows."""
        columns = [f"{c.name} {str(c.type).lower()}{' NOT NULL' if c.name in self.key else ''}" for c in self.columns]
        key = ", ".join(name + (" DESC" if descending else "") for name, descending in self.key.items())
        key = f"{self.hashed}, {key}" if self.hashed else key
        return f"CREATE TABLE {self.name}({', '.join(columns)}, PRIMARY KEY ({key}))"


class Store:
    """The SQLite file of a data folder. Connections may be used by several threads and processes at once (WAL)."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "lindorm.sqlite"
        connection = self.connect()
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS catalog"
            " (database TEXT, name TEXT, definition TEXT, PRIMARY KEY (database, name))"
        )
        connection.execute("CREATE TABLE IF NOT EXISTS databases (name TEXT PRIMARY KEY)")
        connection.execute("INSERT OR IGNORE INTO databases VALUES (?)", (DEFAULT_DATABASE,))
        connection.close()

    def connect(self) -> sqlite3.Connection:
        """A connection in autocommit mode whose strings come as they are stored (bytes)."""
        connection = sqlite3.connect(
            self._path, timeout=120, isolation_level=None, check_same_thread=False, cached_statements=512
        )
        for pragma in ("synchronous=OFF", "case_sensitive_like=ON", "mmap_size=4294967296", "cache_size=-65536"):
            connection.execute(f"PRAGMA {pragma}")
        for name, key in TEXT_ORDERS.items():
            connection.create_collation(name, _comparison(key))
        return connection


def _comparison(key: Callable[[str], Any]) -> Callable[[str, str], int]:
    return lambda left, right: (key(left) > key(right)) - (key(left) < key(right))


def schema_version(connection: sqlite3.Connection) -> int:
    """A number that changes with every CREATE and DROP, whichever process did it."""
    return int(connection.execute("PRAGMA schema_version").fetchone()[0])


def find_table(connection: sqlite3.Connection, database: str, name: str) -> Table:
    """Raises 1146 for a table that is not there."""
    row = connection.execute(
        "SELECT definition FROM catalog WHERE database = ? AND name = ?", (database, name)
    ).fetchone()
    if row is None:
        raise errors.unknown_table(database, name)
    definition = json.loads(row[0])
    return Table(
        database,
        name,
        tuple(
            Column(column, replace(parse_type(kind), order="".join(order)))
            for column, kind, *order in definition["columns"]
        ),
        {column: bool(descending) for column, descending in definition["key"]},
        definition.get("hashed", ""),
    )


def list_tables(connection: sqlite3.Connection, database: str) -> list[str]:
    rows = connection.execute("SELECT name FROM catalog WHERE database = ? ORDER BY name", (database,))
    return [str(row[0]) for row in rows]


def list_databases(connection: sqlite3.Connection) -> list[str]:
    return [str(row[0]) for row in connection.execute("SELECT name FROM databases ORDER BY name")]


def create_database(connection: sqlite3.Connection, name: str) -> None:
    connection.execute("INSERT OR IGNORE INTO databases VALUES (?)", (name,))


def drop_database(connection: sqlite3.Connection, name: str) -> None:
    connection.execute("DELETE FROM databases WHERE name = ?", (name,))


def create_table(connection: sqlite3.Connection, table: Table, *, if_missing: bool = False) -> None:
    """Raises 1050 for a table that exists, unless if_missing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        if table.name in list_tables(connection, table.database):
            if not if_missing:
                raise errors.table_exists(table.name)
            connection.execute("COMMIT")
            return
        key = ", ".join(
            table.sqlite_column(name) + (" DESC" if descending else "") for name, descending in table.key.items()
        )
        columns = ", ".join(
            f"c{i}"
            + (f' COLLATE "{c.type.order}"' if c.type.order else "")
            + (" NOT NULL" if c.name in table.key else "")
            for i, c in enumerate(table.columns)
        )
        connection.execute(f"CREATE TABLE {table.sqlite_name} ({columns}, PRIMARY KEY ({key})) WITHOUT ROWID")
        definition = {
            "columns": [[column.name, str(column.type), column.type.order] for column in table.columns],
            "key": list(table.key.items()),
            "hashed": table.hashed,
        }
        connection.execute("INSERT INTO catalog VALUES (?, ?, ?)", (table.database, table.name, json.dumps(definition)))
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def drop_table(connection: sqlite3.Connection, table: Table) -> None:
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(f"DROP TABLE {table.sqlite_name}")
    connection.execute("DELETE FROM catalog WHERE database = ? AND name = ?", (table.database, table.name))
    connection.execute("COMMIT")


def upsert_sql(table: Table) -> str:
    """The statement that writes a whole row; one placeholder a column, in the table's order."""
    return f"INSERT OR REPLACE INTO {table.sqlite_name} VALUES ({','.join('?' * len(table.columns))})"
