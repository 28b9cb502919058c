"""SELECT and DELETE: what Lindorm would refuse is refused, the rest becomes SQLite's SQL with typed constants.

Limits: https://help.aliyun.com/document_detail/472249.html (quotas). ORDER BY in storage order only:
https://www.alibabacloud.com/help/en/lindorm/latest/order-by-clause-in-lindorm-sql. Whether Lindorm refuses or cuts a
read of more than 2,000 rows is not documented: `over_limit` of `controls.Settings` has both.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from sqlglot import exp

from local.lindorm import errors
from local.lindorm.rows import ResultColumn
from local.lindorm.sql import Text
from local.lindorm.store import Column, Table
from local.lindorm.times import DEFAULT_ZONE, Zone
from local.lindorm.types import Given, Kind, LindormType, Stored, to_stored

MAX_ROWS = 2_000
MAX_BYTES = 16 * 1024 * 1024
MAX_IN = 2_000
MAX_LIMIT = 10_000
MAX_OFFSET = 10_000
MAX_GROUPS = 1_000

Binder = Callable[[Sequence[Given], Zone], Stored]
_BIGINT, _DOUBLE, _VARCHAR = LindormType(Kind.BIGINT), LindormType(Kind.DOUBLE), LindormType(Kind.VARCHAR)
_COMPARISONS: dict[type[exp.Expr], str] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.GT: ">",
    exp.GTE: ">=",
    exp.LT: "<",
    exp.LTE: "<=",
}
_MIRROR = {"=": "=", "<>": "<>", ">": "<", ">=": "<=", "<": ">", "<=": ">="}
_ARITHMETIC: dict[type[exp.Expr], str] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Mod: "%"}
_PLAIN_NUMBERS = {Kind.TINYINT, Kind.SMALLINT, Kind.INTEGER, Kind.BIGINT, Kind.FLOAT, Kind.DOUBLE, Kind.BOOLEAN}
_ALLOWED_PARTS = {"expressions", "from_", "where", "order", "limit", "offset", "group", "distinct", "hint", "kind"}


@dataclass(frozen=True)
class Select:
    """A checked query. `counted_sql` is the same with a call of `_l_scan` for every row that the scan touches."""

    table: Table
    sql: str
    counted_sql: str
    binders: tuple[Binder, ...]
    columns: tuple[ResultColumn, ...]
    timeout_ms: int | None
    grouped: bool

    def bind(self, params: Sequence[Given], zone: Zone) -> list[Stored]:
        return [binder(params, zone) for binder in self.binders]


def constant(node: exp.Expr) -> Callable[[Sequence[Given]], Given] | None:
    """What reads a constant's value at run time: a literal or a placeholder. None for anything else."""
    if isinstance(node, exp.Paren):
        return constant(node.this)
    if isinstance(node, exp.Placeholder):
        index = int(node.name[1:])
        return lambda params: params[index]
    value: Given
    if isinstance(node, exp.Null):
        value = None
    elif isinstance(node, exp.Boolean):
        value = int(node.this)
    elif isinstance(node, exp.HexString):
        value = bytes.fromhex(node.name if len(node.name) % 2 == 0 else "0" + node.name)
    elif isinstance(node, exp.Literal):
        value = node.name if node.is_string else _literal_number(node.name)
    elif isinstance(node, exp.Neg):
        inner = constant(node.this)
        number = inner(()) if inner and not isinstance(node.this, exp.Placeholder) else None
        if not isinstance(number, int | float | Decimal):
            return None
        value = -number
    elif isinstance(node, exp.Cast) and node.to.this.name in ("TIMESTAMP", "TIMESTAMPTZ", "DATE", "TIME"):
        return constant(node.this)
    elif isinstance(node, exp.Introducer):
        return constant(node.expression)
    else:
        return None
    return lambda _: value


def _literal_number(text: str) -> int | Decimal:
    return int(text) if text.isdigit() else Decimal(text)


class _Compiler:
    def __init__(self, table: Table, names: set[str]) -> None:
        self.table = table
        self.names = names
        self.binders: list[Binder] = []

    def column(self, node: exp.Expr) -> Column | None:
        if isinstance(node, exp.Paren):
            return self.column(node.this)
        if not isinstance(node, exp.Column):
            return None
        if node.table and node.table not in self.names:
            raise errors.unknown_column(f"{node.table}.{node.name}")
        return self.table.column(node.name)

    def sql_of(self, column: Column) -> str:
        return self.table.sqlite_column(column.name)

    def constant_sql(self, node: exp.Expr, column: Column) -> str:
        """A placeholder for a constant that is compared with a column."""
        read = constant(node)
        if read is None:
            raise errors.unsupported(f"comparison of column {column.name} with {node.sql()}")
        kind, name = column.type, column.name
        if isinstance(node.unnest(), exp.Placeholder) or kind.kind is Kind.TIMESTAMP:
            self.binders.append(lambda params, zone: to_stored(kind, read(params), zone, name, strict=False))
        else:
            stored = to_stored(kind, read(()), Zone(DEFAULT_ZONE), name, strict=False)
            self.binders.append(lambda _params, _zone: stored)
        return "?"

    def condition(self, node: exp.Expr) -> str:
        if isinstance(node, exp.Paren):
            return f"({self.condition(node.this)})"
        if isinstance(node, exp.And | exp.Or):
            word = "AND" if isinstance(node, exp.And) else "OR"
            return f"({self.condition(node.this)} {word} {self.condition(node.expression)})"
        if isinstance(node, exp.Not):
            return f"(NOT {self.condition(node.this)})"
        operator = _COMPARISONS.get(type(node))
        if operator:
            return self.comparison(node.this, operator, node.expression)
        if isinstance(node, exp.Like | exp.Escape):
            return self.like(node)
        column = self.column(node.this if isinstance(node, exp.In | exp.Between | exp.Is) else node)
        if isinstance(node, exp.In):
            return self.membership(node, column)
        if column is None:
            raise errors.unsupported(f"condition {node.sql()}")
        name = self.sql_of(column)
        if isinstance(node, exp.Between):
            low = self.constant_sql(node.args["low"], column)
            return f"({name} BETWEEN {low} AND {self.constant_sql(node.args['high'], column)})"
        if isinstance(node, exp.Is) and isinstance(node.expression, exp.Null):
            return f"({name} IS NULL)"
        if isinstance(node, exp.Column) and column.type.kind is Kind.BOOLEAN:
            return f"({name} <> 0)"
        raise errors.unsupported(f"condition {node.sql()}")

    def like(self, node: exp.Like | exp.Escape) -> str:
        """LIKE of a text column, with its wildcards % and _; case and escape as the docs of Lindorm leave it open."""
        escape = "\\"
        if isinstance(node, exp.Escape):
            escape, node = node.expression.name, node.this
        column, read = self.column(node.this), constant(node.expression)
        texts = column is not None and column.type.kind in (Kind.VARCHAR, Kind.CHAR)
        if not isinstance(node, exp.Like) or column is None or not texts or read is None or len(escape) != 1:
            raise errors.unsupported(f"condition {node.sql()}")
        self.binders.append(lambda params, zone: to_stored(_VARCHAR, read(params), zone, "LIKE", strict=False))
        self.binders.append(lambda _params, _zone: escape)
        self.binders.append(lambda _params, _zone: int(column.type.order == "case-insensitive"))
        word = "NOT _l_like" if node.args.get("negate") else "_l_like"
        return f"({word}({self.sql_of(column)}, ?, ?, ?))"

    def comparison(self, left: exp.Expr, operator: str, right: exp.Expr) -> str:
        left, right = left.unnest(), right.unnest()
        if isinstance(left, exp.Tuple) and isinstance(right, exp.Tuple):
            return self.row_comparison(left, operator, right)
        first, second = self.column(left), self.column(right)
        if first and second:
            if first.type.kind is not second.type.kind or first.type.scale != second.type.scale:
                raise errors.unsupported(f"comparison of {first.name} with {second.name}")
            return f"({self.sql_of(first)} {operator} {self.sql_of(second)})"
        if first and constant(right):
            return f"({self.sql_of(first)} {operator} {self.constant_sql(right, first)})"
        if second and constant(left):
            return f"({self.sql_of(second)} {_MIRROR[operator]} {self.constant_sql(left, second)})"
        return f"({self.number(left)} {operator} {self.number(right)})"

    def row_comparison(self, left: exp.Tuple, operator: str, right: exp.Tuple) -> str:
        columns = [self.column(node) for node in left.expressions]
        if len(columns) != len(right.expressions) or None in columns:
            raise errors.unsupported(f"comparison {left.sql()} {operator} {right.sql()}")
        names = ", ".join(self.sql_of(column) for column in columns if column)
        values = [
            self.constant_sql(value, column) for column, value in zip(columns, right.expressions, strict=True) if column
        ]
        return f"(({names}) {operator} ({', '.join(values)}))"

    def membership(self, node: exp.In, column: Column | None) -> str:
        values = node.expressions
        if not values:
            raise errors.unsupported("subqueries")
        if len(values) > MAX_IN:
            raise errors.resource_limit(f"IN takes at most {MAX_IN} values")
        if isinstance(node.this, exp.Tuple):
            rows = [self.row_comparison(node.this, "=", value) for value in values if isinstance(value, exp.Tuple)]
            return f"({' OR '.join(rows)})"
        if column is None:
            raise errors.unsupported(f"condition {node.sql()}")
        return f"({self.sql_of(column)} IN ({', '.join(self.constant_sql(value, column) for value in values)}))"

    def number(self, node: exp.Expr) -> str:
        """Arithmetic over columns of plain numbers."""
        node = node.unnest()
        word = _ARITHMETIC.get(type(node))
        if word:
            return f"({self.number(node.this)} {word} {self.number(node.expression)})"
        column = self.column(node)
        if column and column.type.kind in _PLAIN_NUMBERS:
            return self.sql_of(column)
        read = constant(node)
        if column or read is None:
            raise errors.unsupported(f"expression {node.sql()}")
        self.binders.append(lambda params, zone: to_stored(_DOUBLE, read(params), zone, "constant", strict=False))
        return "?"

    # What is selected

    def selected(self, node: exp.Expr) -> list[tuple[str, ResultColumn]]:
        """(SQLite expression, column of the result) of one item of the select list."""
        if isinstance(node, exp.Star):
            return [(self.sql_of(column), self.result(column, column.name)) for column in self.table.columns]
        alias = node.alias if isinstance(node, exp.Alias) else ""
        inner = node.this if isinstance(node, exp.Alias) else node
        column = self.column(inner)
        if column:
            return [(self.sql_of(column), self.result(column, alias or column.name))]
        if isinstance(inner, exp.AggFunc):
            return [self.aggregate(inner, alias or inner.sql(dialect="mysql"))]
        if isinstance(inner, exp.Literal):
            kind = _VARCHAR if inner.is_string else _BIGINT if inner.name.isdigit() else _DOUBLE
            read = constant(inner)
            assert read is not None
            stored = to_stored(kind, read(()), Zone(DEFAULT_ZONE), "constant", strict=False)
            self.binders.append(lambda _params, _zone: stored)
            return [("?", ResultColumn(alias or inner.name, kind))]
        raise errors.unsupported(f"select item {node.sql()}")

    def result(self, column: Column, name: str) -> ResultColumn:
        return ResultColumn(name, column.type, self.table.name, column.name in self.table.key, self.table.database)

    def aggregate(self, node: exp.AggFunc, name: str) -> tuple[str, ResultColumn]:
        if isinstance(node, exp.Count):
            if isinstance(node.this, exp.Star) or constant(node.this):
                return "COUNT(*)", ResultColumn(name, _BIGINT)
            column = self.column(node.this)
            if column:
                return f"COUNT({self.sql_of(column)})", ResultColumn(name, _BIGINT)
        column = self.column(node.this)
        if column and isinstance(node, exp.Min | exp.Max):
            word = "MIN" if isinstance(node, exp.Min) else "MAX"
            return f"{word}({self.sql_of(column)})", ResultColumn(name, column.type)
        if column and isinstance(node, exp.Sum | exp.Avg) and column.type.kind in _PLAIN_NUMBERS:
            whole = isinstance(node, exp.Sum) and column.type.kind not in (Kind.FLOAT, Kind.DOUBLE)
            word = "SUM" if isinstance(node, exp.Sum) else "AVG"
            return f"{word}({self.sql_of(column)})", ResultColumn(name, _BIGINT if whole else _DOUBLE)
        raise errors.unsupported(f"aggregate {node.sql()}")

    def order(self, nodes: list[exp.Expr], fixed: set[str]) -> str:
        """ORDER BY, if it is the order in which the rows are stored, or exactly its reverse. `fixed`: key columns
        that the condition holds to one value."""
        remaining = [(name, descending) for name, descending in self.table.key.items()]
        parts: list[str] = []
        reverse: bool | None = None
        for node in nodes:
            column = self.column(node.this)
            descending = bool(node.args.get("desc"))
            while remaining and column and remaining[0][0] != column.name and remaining[0][0] in fixed:
                remaining.pop(0)
            if column is None or not remaining or remaining[0][0] != column.name:
                raise errors.unsupported(f"ORDER BY {node.sql()}: not the order of the primary key")
            turned = descending != remaining.pop(0)[1]
            if reverse is None and column.name not in fixed:
                reverse = turned
            if column.name not in fixed and reverse != turned:
                raise errors.unsupported("ORDER BY in directions that are not the primary key's or its reverse")
            parts.append(self.sql_of(column) + (" DESC" if descending else ""))
        return ", ".join(parts)


def like(value: bytes | str | None, pattern: bytes | None, escape: str, fold: int) -> int | None:
    """SQLite's own LIKE finds nothing in bytes, which text is kept as. None, which is NULL, where either is NULL."""
    if value is None or pattern is None:
        return None
    text = value if isinstance(value, str) else value.decode(errors="surrogateescape")
    return int(_pattern(pattern.decode(errors="surrogateescape"), escape, bool(fold)).fullmatch(text) is not None)


@lru_cache(maxsize=100)
def _pattern(pattern: str, escape: str, fold: bool) -> re.Pattern[str]:
    def one(found: re.Match[str]) -> str:
        part = found[0]
        if len(part) > 1:
            return re.escape(part[1])
        return {"%": ".*", "_": "."}.get(part) or re.escape(part)

    parts = re.sub(rf"{re.escape(escape)}.|.", one, pattern, flags=re.DOTALL)
    return re.compile(parts, re.DOTALL | (re.IGNORECASE if fold else 0))


def _conjuncts(node: exp.Expr | None) -> list[exp.Expr]:
    if node is None:
        return []
    node = node.unnest()
    if isinstance(node, exp.And):
        return _conjuncts(node.this) + _conjuncts(node.expression)
    return [node]


def _bounds(node: exp.Expr, name: str) -> bool:
    """Whether a condition gives the column a lower or upper bound (the leftmost-prefix rule)."""
    node = node.unnest()
    if isinstance(node, exp.And):
        return _bounds(node.this, name) or _bounds(node.expression, name)
    if isinstance(node, exp.Or):
        return _bounds(node.this, name) and _bounds(node.expression, name)
    if isinstance(node, exp.NEQ):
        return False
    if type(node) in _COMPARISONS:
        sides = [node.this.unnest(), node.expression.unnest()]
        firsts = [side.expressions[0] if isinstance(side, exp.Tuple) else side for side in sides]
        return any(isinstance(first, exp.Column) and first.name == name for first in firsts) and any(
            constant(first) for first in firsts
        )
    if isinstance(node, exp.In):
        first = node.this.expressions[0] if isinstance(node.this, exp.Tuple) else node.this
        return isinstance(first, exp.Column) and first.name == name
    return isinstance(node, exp.Between) and isinstance(node.this, exp.Column) and node.this.name == name


def _fixed(condition: exp.Expr | None) -> set[str]:
    """Columns that the condition holds to one value."""
    found = set()
    for node in _conjuncts(condition):
        if isinstance(node, exp.EQ):
            for side, other in ((node.this, node.expression), (node.expression, node.this)):
                if isinstance(side.unnest(), exp.Column) and constant(other):
                    found.add(side.unnest().name)
    return found


def _where(compiler: _Compiler, tree: exp.Expr, text: Text) -> tuple[str, exp.Expr | None]:
    where = tree.args.get("where")
    condition = where.this if where else None
    first_key = next(iter(compiler.table.key))
    hashed = compiler.table.hashed_columns
    # Of a hashed key each hashed column needs one value: hashes of a range of values are all over the table.
    narrow = set(hashed) <= _fixed(condition) if hashed else bool(condition and _bounds(condition, first_key))
    if "_l_allow_filtering_" not in text.hints and not narrow:
        if condition:
            compiler.condition(condition)  # an unknown column is the better message
            compiler.binders.clear()
        raise errors.inefficient(text.sql)
    return (compiler.condition(condition) if condition else ""), condition


def _bounded(compiler: _Compiler, node: exp.Expr | None, word: str, most: int) -> str:
    if node is None:
        return ""
    read = constant(node.expression)
    if read is None:
        raise errors.syntax(f"{word} takes a number")

    def bind(params: Sequence[Given], _zone: Zone) -> int:
        given = read(params)
        value = int(given) if isinstance(given, bytes | str) and given.isdigit() else given
        if not isinstance(value, int) or value < 0:
            raise errors.syntax(f"{word} {given!r}")
        if value > most:
            raise errors.resource_limit(f"{word} {value} is over the maximum of {most}")
        return value

    if not isinstance(node.expression, exp.Placeholder):
        bind((), Zone(DEFAULT_ZONE))
    compiler.binders.append(bind)
    return f" {word} ?"


def compile_select(tree: exp.Select, text: Text, find: Callable[[str, str], Table]) -> Select:
    """Check a query and translate it. `find` gives the table of a (database or "", name), or raises 1146."""
    extra = [part for part, value in tree.args.items() if value and part not in _ALLOWED_PARTS]
    if extra:
        raise errors.unsupported(" ".join(extra).upper())
    source = tree.args["from_"].this
    if not isinstance(source, exp.Table):
        raise errors.unsupported("subqueries")
    table = find(source.db, source.name)
    compiler = _Compiler(table, {source.alias or table.name})
    items = [item for node in tree.expressions for item in compiler.selected(node)]
    where, condition = _where(compiler, tree, text)
    grouped, group = bool(tree.args.get("distinct")), tree.args.get("group")
    tail = ""
    if group:
        grouped = True
        columns = [compiler.column(node) for node in group.expressions]
        if None in columns:
            raise errors.unsupported(group.sql())
        tail += " GROUP BY " + ", ".join(compiler.sql_of(column) for column in columns if column)
    order = tree.args.get("order")
    if order:
        if not tree.args.get("limit"):
            raise errors.unsupported("ORDER BY without LIMIT")
        tail += " ORDER BY " + compiler.order(order.expressions, _fixed(condition))
    tail += _bounded(compiler, tree.args.get("limit"), "LIMIT", MAX_LIMIT)
    tail += _bounded(compiler, tree.args.get("offset"), "OFFSET", MAX_OFFSET)
    head = "SELECT " + ("DISTINCT " if tree.args.get("distinct") else "") + ", ".join(item[0] for item in items)
    head += f" FROM {table.sqlite_name}"
    counted = f" WHERE _l_scan({compiler.sql_of(table.column(next(iter(table.key))))})"
    return Select(
        table=table,
        sql=head + (f" WHERE {where}" if where else "") + tail,
        counted_sql=head + counted + (f" AND {where}" if where else "") + tail,
        binders=tuple(compiler.binders),
        columns=tuple(item[1] for item in items),
        timeout_ms=int(text.hints["_l_operation_timeout_"]) if text.hints.get("_l_operation_timeout_") else None,
        grouped=grouped,
    )


def compile_delete(tree: exp.Delete, text: Text, find: Callable[[str, str], Table]) -> tuple[str, tuple[Binder, ...]]:
    """A DELETE with a condition on the primary key, as SQLite's SQL and its constants."""
    if not isinstance(tree.this, exp.Table):
        raise errors.syntax("DELETE FROM table WHERE …")
    table = find(tree.this.db, tree.this.name)
    compiler = _Compiler(table, {table.name})
    where, _ = _where(compiler, tree, text)
    return f"DELETE FROM {table.sqlite_name} WHERE {where}", tuple(compiler.binders)
