"""One client's session: its variables, and what each statement does."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp

from local.lindorm import errors, store
from local.lindorm.controls import Controls
from local.lindorm.rows import ResultColumn
from local.lindorm.select import MAX_GROUPS, MAX_ROWS, Binder, Select, compile_delete, compile_select, constant, like
from local.lindorm.sql import Text, parse, parse_create, read_text, split_name
from local.lindorm.store import DEFAULT_DATABASE, Column, Store, Table
from local.lindorm.times import DEFAULT_ZONE, Zone
from local.lindorm.types import Given, Kind, LindormType, Stored, to_stored

VERSION = "8.0.30-lindorm-stand-in"
_VARCHAR, _BIGINT = LindormType(Kind.VARCHAR), LindormType(Kind.BIGINT)
_CACHED_PLANS = 500

# What Connector/J and others ask for when they connect, besides what SET changes.
_VARIABLES: dict[str, str | int | None] = {
    "auto_increment_increment": 1,
    "autocommit": 1,
    "character_set_client": "utf8mb4",
    "character_set_connection": "utf8mb4",
    "character_set_database": "utf8mb4",
    "character_set_results": "utf8mb4",
    "character_set_server": "utf8mb4",
    "collation_connection": "utf8mb4_general_ci",
    "collation_database": "utf8mb4_general_ci",
    "collation_server": "utf8mb4_general_ci",
    "init_connect": "",
    "interactive_timeout": 600,
    "license": "",
    "lower_case_table_names": 0,
    "max_allowed_packet": 67_108_864,
    "net_buffer_length": 16_384,
    "net_write_timeout": 60,
    "performance_schema": 0,
    "sql_mode": "",
    "sql_select_limit": 2**63 - 1,
    "system_time_zone": "CST",
    "time_zone": DEFAULT_ZONE,
    "transaction_isolation": "READ-COMMITTED",
    "transaction_read_only": 0,
    "tx_isolation": "READ-COMMITTED",
    "tx_read_only": 0,
    "version": VERSION,
    "version_comment": "Lindorm stand-in",
    "wait_timeout": 600,
}


@dataclass
class Result:
    """Columns and rows of an answer; without columns, how many rows a write touched."""

    columns: tuple[ResultColumn, ...] = ()
    rows: Sequence[Sequence[Stored]] = ()
    affected: int = 0


@dataclass(frozen=True)
class Write:
    """An INSERT, UPSERT or DELETE: SQLite's statement and, for each of its executions, the constants."""

    sql: str
    rows: tuple[tuple[Binder, ...], ...]


@dataclass(frozen=True)
class Plan:
    """A statement that has been read: what to run, and the schema version it was read under."""

    text: Text
    work: Select | Write | None
    schema: int


def _column(name: str, kind: LindormType = _VARCHAR) -> ResultColumn:
    return ResultColumn(name, kind)


@dataclass
class Session:
    source: Store
    controls: Controls
    number: int
    user: str = ""
    database: str = DEFAULT_DATABASE
    variables: dict[str, str | int | None] = field(default_factory=lambda: dict(_VARIABLES))
    zone: Zone = field(default_factory=lambda: Zone(DEFAULT_ZONE))

    def __post_init__(self) -> None:
        self._plans: dict[str, Plan] = {}
        self._connection: sqlite3.Connection = self.source.connect()
        self._connection.create_function("_l_scan", 1, self._scan)
        self._connection.create_function("_l_like", 4, like, deterministic=True)
        self._scanned = 0
        self._scan_budget: float | None = None

    def close(self) -> None:
        self._connection.close()

    def use(self, database: str) -> None:
        """Raises 1049 for a database that is not there."""
        if database:
            self._check_database(database)
        self.database = database or DEFAULT_DATABASE

    @property
    def autocommit(self) -> bool:
        return str(self.variables["autocommit"]).lower() in ("1", "on", "true")

    def prepare(self, sql: str) -> tuple[int, tuple[ResultColumn, ...]]:
        """(number of placeholders, columns of the result) of a statement."""
        plan = self._plan(sql)
        if isinstance(plan.work, Select):
            return plan.text.placeholders, plan.work.columns
        if plan.work is None and not plan.text.placeholders and _SHOWS.match(plan.text.sql):
            return 0, self._command(plan.text.sql).columns
        return plan.text.placeholders, ()

    def execute(self, sql: str, params: Sequence[Given] = ()) -> Result:
        """Run a statement. Raises SqlError, and ConnectionAbortedError where a test ordered a dropped connection."""
        plan = self._plan(sql)
        if isinstance(plan.work, Select):
            return self._select(plan.work, sql, params)
        if isinstance(plan.work, Write):
            return self._write(plan.work, params)
        return self._command(plan.text.sql)

    # Reading a statement

    def _plan(self, sql: str) -> Plan:
        schema = store.schema_version(self._connection)
        plan = self._plans.get(sql)
        if plan is None or plan.schema != schema:
            text = read_text(sql)
            plan = Plan(text, self._compile(text), schema)
            if len(self._plans) >= _CACHED_PLANS:
                self._plans.clear()
            self._plans[sql] = plan
        return plan

    def _find(self, database: str, name: str) -> Table:
        return store.find_table(self._connection, database or self.database, name)

    def _compile(self, text: Text) -> Select | Write | None:
        word = text.sql.split(None, 1)[0].upper() if text.sql else ""
        if word == "SELECT":
            tree = parse(text.sql)
            if not isinstance(tree, exp.Select):
                raise errors.unsupported("UNION and other set operations")
            return compile_select(tree, text, self._find) if tree.args.get("from_") else None
        if word in ("INSERT", "UPSERT", "REPLACE"):
            if word == "REPLACE":
                raise errors.unsupported("REPLACE")
            return self._compile_insert(parse("INSERT" + text.sql[len(word) :]))
        if word == "DELETE":
            tree = parse(text.sql)
            if not isinstance(tree, exp.Delete):
                raise errors.syntax(text.sql)
            sql, binders = compile_delete(tree, text, self._find)
            return Write(sql, (binders,))
        return None

    def _compile_insert(self, tree: exp.Expr) -> Write:
        if not isinstance(tree, exp.Insert) or not isinstance(tree.expression, exp.Values):
            raise errors.syntax("INSERT INTO table (columns) VALUES (…)")
        target = tree.this
        named = isinstance(target, exp.Schema)
        source = target.this if named else target
        table = self._find(source.db, source.name)
        names = [node.name for node in target.expressions] if named else [c.name for c in table.columns]
        columns = [table.column(name) for name in names]
        for key in table.key:
            if key not in names:
                raise errors.null_key(key)
        missing = [c for c in table.columns if c.name not in names]
        order = {name: i for i, name in enumerate(names)}
        rows = []
        for values in tree.expression.expressions:
            if len(values.expressions) != len(columns):
                raise errors.syntax("column count doesn't match value count")
            if missing and not named:
                raise errors.syntax("column list")
            given = values.expressions
            rows.append(
                tuple(
                    self._writer(c, given[order[c.name]] if c.name in order else exp.null(), table)
                    for c in table.columns
                )
            )
        return Write(store.upsert_sql(table), tuple(rows))

    def _writer(self, column: Column, node: exp.Expr, table: Table) -> Binder:
        read = constant(node)
        if read is None:
            raise errors.unsupported(f"value {node.sql()}")
        key = column.name in table.key

        def bind(params: Sequence[Given], zone: Zone) -> Stored:
            stored = to_stored(column.type, read(params), zone, column.name, strict=True)
            if stored is None and key:
                raise errors.null_key(column.name)
            return stored

        return bind

    # Tables

    def _scan(self, _first_key: Stored) -> int:
        self._scanned += 1
        if self._scan_budget is not None and self._scanned > self._scan_budget:
            raise TimeoutError
        return 1

    def _select(self, work: Select, sql: str, params: Sequence[Given]) -> Result:
        settings = self.controls.settings
        start = time.monotonic()
        if self.controls.take("timeout_next"):
            raise errors.timeout()
        if self.controls.take("resource_limit_next"):
            raise errors.resource_limit("injected")
        limit = (work.timeout_ms or settings.statement_timeout_ms) / 1000
        rate = settings.scan_rows_per_second
        self._scanned, self._scan_budget = 0, limit * rate if rate else None
        self._connection.set_progress_handler(lambda: time.monotonic() - start > limit, 20_000)
        bound = work.bind(params, self.zone)
        try:
            cursor = self._connection.execute(work.counted_sql if rate else work.sql, bound)
            rows = cursor.fetchmany(MAX_ROWS + 1)
            cursor.close()
        except sqlite3.OperationalError as error:
            if rate and self._scan_budget is not None and self._scanned > self._scan_budget:
                time.sleep(max(0.0, start + limit - time.monotonic()))
            elif "interrupt" not in str(error):
                raise
            raise errors.timeout() from error
        finally:
            self._connection.set_progress_handler(None, 0)
        if settings.over_limit == "cut":
            rows = rows[:MAX_ROWS]
        if len(rows) > MAX_ROWS:
            raise errors.resource_limit(f"one read returns at most {MAX_ROWS} rows")
        if work.grouped and len(rows) > MAX_GROUPS:
            raise errors.resource_limit(f"DISTINCT and GROUP BY return at most {MAX_GROUPS} values")
        pause = settings.page_latency_ms / 1000 + (self._scanned / rate if rate else 0)
        if pause:
            left = start + min(pause, limit) - time.monotonic()
            time.sleep(max(0.0, left))
            if pause > limit:
                raise errors.timeout()
        shown = [value.decode(errors="replace") if isinstance(value, bytes) else value for value in params]
        self.controls.served_read(sql, shown, len(rows), (time.monotonic() - start) * 1000)
        if self.controls.take("drop_next"):
            raise ConnectionAbortedError
        return Result(work.columns, rows)

    def _write(self, work: Write, params: Sequence[Given]) -> Result:
        bound = [[binder(params, self.zone) for binder in row] for row in work.rows]
        cursor = self._connection.executemany(work.sql, bound)
        self.controls.count(writes=len(bound))
        return Result(affected=max(cursor.rowcount, 0))

    # Everything else

    def _command(self, sql: str) -> Result:
        word = sql.split(None, 1)[0].upper() if sql else ""
        match word:
            case "SELECT":
                return self._select_values(sql)
            case "SET":
                return self._set(sql)
            case "SHOW":
                return self._show(sql)
            case "DESCRIBE" | "DESC":
                return self._describe(re.sub(r"^\w+\s+(TABLE\s+)?", "", sql, flags=re.IGNORECASE))
            case "EXPLAIN":
                return self._explain(sql)
            case "USE":
                self.use(sql.split(None, 1)[1].strip(" `;"))
                return Result()
            case "CREATE" if _DATABASE.match(sql):
                return self._database(sql)
            case "CREATE":
                table, if_missing = parse_create(sql, self.database)
                self._check_database(table.database)
                if self.controls.settings.text_order != "bytes":
                    table = table.ordered(self.controls.settings.text_order)
                store.create_table(self._connection, table, if_missing=if_missing)
                return Result()
            case "DROP":
                return self._database(sql) if _DATABASE.match(sql) else self._drop(sql)
            case "COMMIT" | "ROLLBACK":
                return Result()  # drivers send them; there is nothing to commit
            case "BEGIN" | "START" | "SAVEPOINT" | "LOCK":
                raise errors.unsupported("transactions over several rows")
            case "":
                raise errors.syntax("empty statement")
        raise errors.unsupported(f"statement {word}")

    def _check_database(self, database: str) -> None:
        if database not in store.list_databases(self._connection):
            raise errors.unknown_database(database)

    def _database(self, sql: str) -> Result:
        """CREATE and DROP DATABASE; what is dropped must be empty."""
        match = _DATABASE.match(sql)
        assert match
        word, tolerant, name = match[1].upper(), match[2], match[3].strip("`")
        there = name in store.list_databases(self._connection)
        if word == "DROP" and there and store.list_tables(self._connection, name):
            raise errors.unsupported(f"DROP DATABASE {name}: it has tables")
        if there == (word == "CREATE") and not tolerant:
            raise errors.database_exists(name) if there else errors.unknown_database(name)
        (store.create_database if word == "CREATE" else store.drop_database)(self._connection, name)
        return Result()

    def _drop(self, sql: str) -> Result:
        match = re.match(r"DROP\s+TABLE\s+(IF\s+EXISTS\s+)?([`\w.-]+)\Z", sql, re.IGNORECASE)
        if not match:
            raise errors.unsupported(sql)
        try:
            store.drop_table(self._connection, self._find(*split_name(match[2], self.database)))
        except errors.SqlError:
            if not match[1]:
                raise
        return Result()

    def _describe(self, name: str) -> Result:
        """https://help.aliyun.com/en/lindorm/developer-reference/describe-3: key columns first, in key order."""
        table = self._find(*split_name(name, self.database))
        if self.controls.settings.describe_shape == "mysql":
            return self._describe_as_mysql(table)
        key = list(table.key)
        ordered = key + [column.name for column in table.columns if column.name not in table.key]
        rows = []
        for column in ordered:
            order = ("DESC" if table.key[column] else "ASC") if column in table.key else ""
            values = (
                table.database,
                table.name,
                column,
                self._shown(table.column(column).type),
                "true" if column in table.key else "false",
                order,
            )
            rows.append([value.encode() for value in values])
        names = ("TABLE_SCHEMA", "TABLE_NAME", "COLUMN_NAME", "TYPE", "IS_PRIMARY_KEY", "SORT_ORDER")
        return Result(tuple(_column(name) for name in names), rows)

    def _shown(self, kind: LindormType) -> str:
        return str(kind) if self.controls.settings.show_type_arguments else kind.kind.value

    def _describe_as_mysql(self, table: Table) -> Result:
        """https://dev.mysql.com/doc/refman/8.4/en/show-columns.html"""
        rows = []
        for column in table.columns:
            key = "PRI" if column.name in table.key else ""
            values = (column.name, self._shown(column.type).lower(), "NO" if key else "YES", key, None, "")
            rows.append([value if value is None else value.encode() for value in values])
        return Result(tuple(_column(n) for n in ("Field", "Type", "Null", "Key", "Default", "Extra")), rows)

    def _show_databases(self, _match: re.Match[str]) -> tuple[list[ResultColumn], list[list[bytes]]]:
        return [_column("Database")], [[name.encode()] for name in store.list_databases(self._connection)]

    def _show(self, sql: str) -> Result:
        settings = self.controls.settings
        for words, known in (
            (r"SHOW\s+CREATE\b", settings.show_create_table),
            (r"SHOW\s+ESTIMATED\b", settings.show_estimated_rows),
        ):
            if not known and re.match(words, sql, re.IGNORECASE):
                raise errors.unsupported(sql)
        for pattern, answer in (
            (r"SHOW\s+DATABASES\Z", self._show_databases),
            (r"SHOW\s+TABLES(?:\s+(?:FROM|IN)\s+([`\w]+))?\Z", self._show_tables),
            (r"SHOW\s+CREATE\s+TABLE\s+([`\w.-]+)\Z", self._show_create),
            (r"SHOW\s+(?:SESSION\s+|GLOBAL\s+)?VARIABLES(?:\s+LIKE\s+'([^']*)')?\Z", self._show_variables),
            (r"SHOW\s+ESTIMATED\s+ROWS\s+FROM\s+([`\w.-]+)\Z", self._show_estimated_rows),
            (r"SHOW\s+WARNINGS\b", lambda _: ([_column(n) for n in ("Level", "Code", "Message")], [])),
        ):
            match = re.match(pattern, sql, re.IGNORECASE)
            if match:
                columns, rows = answer(match)
                return Result(tuple(columns), rows)
        match = re.match(r"SHOW\s+COLUMNS\s+(?:FROM|IN)\s+([`\w.-]+)\Z", sql, re.IGNORECASE)
        if match:
            return self._describe(match[1])
        raise errors.unsupported(sql)

    def _show_tables(self, match: re.Match[str]) -> tuple[list[ResultColumn], list[list[bytes]]]:
        database = (match[1] or self.database).strip("`")
        self._check_database(database)
        names = store.list_tables(self._connection, database)
        return [_column(f"Tables_in_{database}")], [[name.encode()] for name in names]

    def _show_create(self, match: re.Match[str]) -> tuple[list[ResultColumn], list[list[bytes]]]:
        table = self._find(*split_name(match[1], self.database))
        return [_column("TABLE"), _column("CREATE TABLE")], [[table.name.encode(), table.ddl().encode()]]

    def _show_estimated_rows(self, match: re.Match[str]) -> tuple[list[ResultColumn], list[list[bytes]]]:
        """Lindorm (2.8.2) takes it from its files' metadata. Its syntax and its columns are not documented in what we
        could read."""
        table = self._find(*split_name(match[1], self.database))
        (rows,) = self._connection.execute(f"SELECT COUNT(*) FROM {table.sqlite_name}").fetchone()
        return [_column("TABLE_NAME"), _column("ROWS")], [[table.name.encode(), str(rows).encode()]]

    def _show_variables(self, match: re.Match[str]) -> tuple[list[ResultColumn], list[list[bytes]]]:
        pattern = re.escape(match[1] or "%").replace("%", ".*").replace("_", ".")
        rows = [
            [name.encode(), str(value or "").encode()]
            for name, value in self.variables.items()
            if re.fullmatch(pattern, name)
        ]
        return [_column("Variable_name"), _column("Value")], rows

    def _explain(self, sql: str) -> Result:
        """Not Lindorm's plan: what this stand-in would do, in SQLite's words, and whether the key narrows the scan."""
        match = re.match(
            r"EXPLAIN\s+(?:PLAN\s+)?(?:WITH\s+TYPE\s+|WITHOUT\s+IMPLEMENTATION\s+)?(?:FOR\s+)?(SELECT\b.*)",
            sql,
            re.IGNORECASE | re.DOTALL,
        )
        if not match:
            raise errors.unsupported(sql)
        hints = read_text("EXPLAIN " + match[1]).hints
        tree = parse(match[1])
        if not isinstance(tree, exp.Select):
            raise errors.unsupported("EXPLAIN of anything but SELECT")
        hints.setdefault("_l_allow_filtering_", "")
        work = compile_select(tree, Text(match[1], hints), self._find)
        plan = self._connection.execute(f"EXPLAIN QUERY PLAN {work.sql}", [None] * len(work.binders)).fetchall()
        steps = "\n".join("  " + bytes(row[3]).decode() if isinstance(row[3], bytes) else f"  {row[3]}" for row in plan)
        for index, column in enumerate(work.table.columns):
            steps = re.sub(rf"\bc{index}\b", column.name, steps)
        return Result((_column("PLAN"),), [[f"StandInScan(table=[{work.table.name}])\n{steps}".encode()]])

    def _select_values(self, sql: str) -> Result:
        """SELECT without FROM: variables, functions and constants."""
        tree = parse(sql)
        if not isinstance(tree, exp.Select):
            raise errors.unsupported(sql)
        columns, row = [], []
        for node in tree.expressions:
            inner = node.this if isinstance(node, exp.Alias) else node
            value = self._value(inner)
            columns.append(
                _column(node.alias or inner.sql(dialect="mysql"), _BIGINT if isinstance(value, int) else _VARCHAR)
            )
            row.append(value.encode() if isinstance(value, str) else value)
        return Result(tuple(columns), [row])

    def _value(self, node: exp.Expr) -> Any:
        if isinstance(node, exp.SessionParameter | exp.Parameter):
            return self._variable(node.name)
        if isinstance(node, exp.Dot) or node.sql().startswith("@@"):
            return self._variable(node.sql().rpartition(".")[2].strip("@"))
        if isinstance(node, exp.CurrentSchema) or node.sql().upper() == "DATABASE()":
            return self.database
        if node.sql().upper() in ("VERSION()", "CURRENT_VERSION()"):
            return VERSION
        if node.sql().upper() == "CONNECTION_ID()":
            return self.number
        if node.sql().upper() in ("USER()", "CURRENT_USER", "CURRENT_USER()"):
            return self.user
        read = constant(node)
        if read is None:
            raise errors.unsupported(f"expression {node.sql()}")
        value = read(())
        return value if isinstance(value, int | str) or value is None else str(value)

    def _variable(self, name: str) -> str | int | None:
        if name.lower() not in self.variables:
            raise errors.unknown_variable(name)
        return self.variables[name.lower()]

    def _set(self, sql: str) -> Result:
        if re.match(r"SET\s+(SESSION\s+)?TRANSACTION\b", sql, re.IGNORECASE):
            return Result()
        tree = parse(sql)
        if not isinstance(tree, exp.Set):
            raise errors.unsupported(sql)
        for item in tree.expressions:
            if item.args.get("kind") in ("NAMES", "CHARACTER SET"):
                continue
            if not isinstance(item.this, exp.EQ):
                raise errors.unsupported(sql)
            name = item.this.this.name.lower()
            if name not in self.variables:
                raise errors.unknown_variable(name)
            right = item.this.expression
            value = right.name if isinstance(right, exp.Column | exp.Var) else self._value(right)
            if name == "time_zone":
                self.zone = Zone(str(value))
            if name not in ("version", "system_time_zone"):
                self.variables[name] = value
        return Result()


_DATABASE = re.compile(
    r"(CREATE|DROP)\s+(?:DATABASE|SCHEMA)\s+(IF\s+(?:NOT\s+)?EXISTS\s+)?(`[^`]+`|\w+)\s*\Z", re.IGNORECASE
)
_SHOWS = re.compile(r"(SHOW|DESCRIBE|DESC|EXPLAIN|SELECT)\b", re.IGNORECASE)
