"""How large an item is, and what writing it costs, by DynamoDB's own arithmetic. Pure.

Rules, with their source (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/, by title):
- an item's size is the UTF-8 bytes of its attribute names plus its values (AWS: "DynamoDB item sizes and formats");
- one write unit writes one item of up to 1 KB; a larger item rounds up; BatchWriteItem merges nothing
  (AWS: "Provisioned capacity mode", API reference of BatchWriteItem);
- a new item that has an index's key attributes costs one more write there, of the size of what the index projects
  (AWS: "Using Global Secondary Indexes", "Local Secondary Indexes": provisioned throughput considerations).
"""

import math
import re
from collections.abc import Mapping as Row
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal, assert_never

from lindorm_import.api.spec import AttributeType
from lindorm_import.domain.observed import IndexKey, Role, TableIndex
from lindorm_import.plan import limits
from lindorm_import.plan.mapping import KeyPart, Mapping, columns_of, key_type

KB = 1024
# What DynamoDB JSON adds to an item of four attributes, two of them numbers: {"Item":{"device":{"S":"…"},…}}.
LINE_OVERHEAD = 66
_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")
_ISO = len("2023-01-01T00:00:00.000Z")
_DAY = len("2023-01-01")
_TIME = len("00:00:00.000")

Basis = Literal["Counted", "Estimated", "Given"]


@dataclass(frozen=True)
class IndexLoad:
    """What the import writes to one secondary index. units_per_item: a mean over all items; 0 for the items that
    lack its key. local: a local index, which takes its units from the table. provisioned: its own write units a
    second, where the table is provisioned and the index global."""

    name: str
    units_per_item: Fraction
    item_bytes: int
    local: bool = False
    provisioned: int | None = None


@dataclass(frozen=True)
class Load:
    """What an import has to write. item_bytes, units_per_item: means of the table's own items; line_bytes: the mean of
    an item as a line of a file, None where no row was seen.
    rows_error_percent: half the width of the 95 % interval of rows; None where rows is exact (or given)."""

    rows: int
    item_bytes: int
    units_per_item: Fraction
    indexes: tuple[IndexLoad, ...] = ()
    basis: Basis = "Given"
    rows_error_percent: int | None = None
    line_bytes: int | None = None

    @classmethod
    def of(cls, rows: int, item_bytes: int, indexes: int = 0) -> "Load":
        """rows items of one size, and that many global indexes that hold the whole item."""
        units = Fraction(write_units_per_item(item_bytes))
        names = [f"index {n + 1}" for n in range(indexes)]
        return cls(rows, item_bytes, units, tuple(IndexLoad(name, units, item_bytes) for name in names))

    @property
    def text_bytes(self) -> int:
        """Bytes of an item as a line of DynamoDB JSON."""
        return self.item_bytes + LINE_OVERHEAD if self.line_bytes is None else self.line_bytes

    @property
    def global_indexes(self) -> tuple[IndexLoad, ...]:
        return tuple(i for i in self.indexes if not i.local)

    @property
    def table_units_per_item(self) -> Fraction:
        """The table's own write units, those of its local indexes among them."""
        return self.units_per_item + sum((i.units_per_item for i in self.indexes if i.local), Fraction(0))

    @property
    def write_units_per_item(self) -> Fraction:
        """All write units of one row: table and indexes."""
        return self.units_per_item + sum((i.units_per_item for i in self.indexes), Fraction(0))

    @property
    def table_units(self) -> int:
        return math.ceil(self.rows * self.table_units_per_item)

    @property
    def write_units(self) -> int:
        return math.ceil(self.rows * self.write_units_per_item)


def write_units_per_item(item_bytes: int) -> int:
    """1 to 1,024 bytes cost 1 write unit, 1,025 cost 2."""
    return max(1, math.ceil(item_bytes / KB))


def number_bytes(value: Decimal | int) -> int:
    """About one byte for two significant digits, and one more (AWS: item sizes and formats)."""
    digits = Decimal(value).normalize().as_tuple().digits
    return math.ceil(len(digits) / 2) + 1


def load_of(
    rows: int,
    sample: Sequence[Row[str, Any]],
    mapping: Mapping,
    nulls: Literal["Omit", "Write"],
    shards: int | None,
    indexes: Sequence[TableIndex] = (),
    basis: Basis = "Counted",
    rows_error_percent: int | None = None,
    index_keys: Sequence[IndexKey] = (),
) -> Load:
    """The load of `rows` rows that look like the sample (column -> value, as adapters/lindorm_values.py gives it)."""
    found = [
        (row, item) for row in sample if (item := _attribute_bytes(row, mapping, nulls, shards, index_keys)) is not None
    ]
    items, lines = [item for _, item in found], [_line_bytes(row, item, mapping) for row, item in found]
    if not items:
        return Load(rows, 0, Fraction(1), (), basis, rows_error_percent)
    sizes = [sum(item.values()) for item in items]
    return Load(
        rows=rows,
        item_bytes=math.ceil(Fraction(sum(sizes), len(sizes))),
        units_per_item=Fraction(sum(write_units_per_item(size) for size in sizes), len(sizes)),
        indexes=tuple(_index_load(index, items, mapping) for index in indexes),
        basis=basis,
        rows_error_percent=rows_error_percent,
        line_bytes=math.ceil(Fraction(sum(lines), len(lines))),
    )


def _index_load(index: TableIndex, items: list[dict[str, int]], mapping: Mapping) -> IndexLoad:
    table_key = {part.name for part in (mapping.partition, mapping.sort) if part}
    entries = []
    for item in items:
        if not all(name in item for name in index.key):
            continue  # an item without the index's key is not in the index
        projected = None if index.projected is None else table_key | set(index.key) | set(index.projected)
        entries.append(sum(size for name, size in item.items() if projected is None or name in projected))
    return IndexLoad(
        name=index.name,
        units_per_item=Fraction(sum(write_units_per_item(size) for size in entries), len(items)),
        item_bytes=math.ceil(Fraction(sum(entries), len(entries))) if entries else 0,
        local=index.local,
        provisioned=index.write_units,
    )


def _attribute_bytes(
    row: Row[str, Any],
    mapping: Mapping,
    nulls: Literal["Omit", "Write"],
    shards: int | None,
    index_keys: Sequence[IndexKey],
) -> dict[str, int] | None:
    """None for a row that cannot be an item: a reject."""
    try:
        return attribute_bytes(row, mapping, nulls, shards, index_keys)
    except (ArithmeticError, RecursionError, ValueError):
        return None


def attribute_bytes(
    row: Row[str, Any],
    mapping: Mapping,
    nulls: Literal["Omit", "Write"],
    shards: int | None,
    index_keys: Sequence[IndexKey] = (),
) -> dict[str, int]:
    """Attribute name -> bytes of name and value, for the item that this row becomes. Raises RejectedError for what
    DynamoDB would not take (limits)."""
    values: dict[str, tuple[str, int]] = {}  # attribute name -> DynamoDB's type, bytes of the value
    as_ = {a.column: a.as_ for a in mapping.attributes}
    for attribute in mapping.attributes:
        value = row.get(attribute.column)
        if value is not None:
            values[attribute.name] = _type(value, attribute.as_), value_bytes(value, attribute.as_)
        elif nulls == "Write":
            values[attribute.name] = "NULL", 1  # the null type takes one byte
    roles: dict[Role, KeyPart | None] = {"Partition": mapping.partition, "Sort": mapping.sort}
    for role, part in roles.items():
        if part is None:
            continue
        if any(row.get(column) is None for column in columns_of(part.template)):
            raise limits.RejectedError("NullKey")
        suffix = len(f"#{shards - 1}") if shards and part is mapping.partition else 0
        if suffix or part.template != "{" + columns_of(part.template)[0] + "}":
            values[part.name] = "S", _template_bytes(part, row, as_) + suffix
        limits.check_key(role, values[part.name][1])
    for key in index_keys:
        if key.name in values:
            limits.check_index_key(key, *values[key.name])
    out = {name: len(name.encode()) + size for name, (_, size) in values.items()}
    limits.check_item(sum(out.values()))
    return out


def _type(value: Any, as_: AttributeType) -> str:
    """DynamoDB's type of a value, as far as a key of an index may want to know."""
    if as_ != "JsonDocument":
        return key_type(as_) or "BOOL"
    found = limits.document(value)
    return "S" if isinstance(found, str) else "N" if isinstance(found, Decimal) else "other"


def _line_bytes(row: Row[str, Any], item: dict[str, int], mapping: Mapping) -> int:
    """An item as a line {"Item":{"name":{"S":"text"},…}}: 12 bytes around each attribute, numbers as digits, bytes as
    base64, and a document about as much again as it holds. An estimate: escapes are not counted."""
    line = 13 + 12 * len(item) + sum(item.values())
    for attribute in mapping.attributes:
        value = row.get(attribute.column)
        if value is None or attribute.name not in item:
            continue
        size = value_bytes(value, attribute.as_)
        if attribute.as_ in ("Number", "EpochMillis", "EpochSeconds"):
            line += len(_digits(value, attribute.as_)) - size
        elif attribute.as_ == "Binary":
            line += math.ceil(size / 3)
        elif attribute.as_ == "JsonDocument":
            line += size
    return line


def _digits(value: Any, as_: AttributeType) -> str:
    return str(value) if as_ == "Number" else str(_epoch(value, as_))


def _template_bytes(part: KeyPart, row: Row[str, Any], as_: dict[str, AttributeType]) -> int:
    """A joined key is text: its literals and each column in its text form."""
    literals = len(_PLACEHOLDER.sub("", part.template).encode())
    values = ((row.get(column), as_[column]) for column in columns_of(part.template))
    return literals + sum(_text_bytes(value, type_) for value, type_ in values if value is not None)


def _text_bytes(value: Any, as_: AttributeType) -> int:
    if as_ in ("EpochMillis", "EpochSeconds"):
        return len(str(_epoch(value, as_)))
    if as_ == "Number":
        return len(str(value))
    return value_bytes(value, as_)


def value_bytes(value: Any, as_: AttributeType) -> int:
    """Bytes of one value as DynamoDB counts them, names not included."""
    match as_:
        case "Boolean":
            return 1
        case "Number":
            return number_bytes(limits.number(value))
        case "EpochMillis" | "EpochSeconds":
            return number_bytes(_epoch(value, as_))
        case "Iso8601":
            return _iso_bytes(value)
        case "JsonDocument":
            return _document_bytes(limits.document(value))
        case "Binary":
            return len(value if isinstance(value, bytes) else str(value).encode(errors="surrogateescape"))
        case "String" | "Json":
            return 2 * len(value) if isinstance(value, bytes) else len(limits.text(str(value)))  # bytes as hexadecimal
        case _:
            assert_never(as_)


def _epoch(value: Any, as_: AttributeType) -> int:
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    if not isinstance(value, datetime):
        return int(value)
    seconds = (value.replace(tzinfo=None) - datetime(1970, 1, 1)).total_seconds()
    return int(seconds * 1000) if as_ == "EpochMillis" else int(seconds)


def _iso_bytes(value: Any) -> int:
    """TIMESTAMP and epoch columns become an instant in UTC with milliseconds; DATE and TIME have their own form."""
    if isinstance(value, timedelta):
        return _TIME
    return _ISO if isinstance(value, datetime | int) else _DAY


def _document_bytes(value: Any) -> int:
    """A list or map takes 3 bytes and one for each element (AWS: item sizes and formats)."""
    if isinstance(value, dict):
        return 3 + sum(1 + len(k.encode()) + _document_bytes(v) for k, v in value.items())
    if isinstance(value, list):
        return 3 + sum(1 + _document_bytes(v) for v in value)
    if value is None or isinstance(value, bool):
        return 1
    if isinstance(value, Decimal):
        return number_bytes(value)
    return len(str(value).encode())
