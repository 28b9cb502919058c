"""From a Lindorm table and a spec to the items' shape: key, attributes, types. Pure.

The rule that protects from data loss: the DynamoDB key must tell apart every two rows that Lindorm's primary
key tells apart. So it holds every primary key column, and none in a form that loses something.
"""

import re
from dataclasses import dataclass
from typing import Literal, assert_never

from lindorm_import.api.spec import AttributeType, ImportSpec
from lindorm_import.domain.column_types import INTEGERS, parse_type
from lindorm_import.domain.observed import Column, SourceSeen, TableKey
from lindorm_import.domain.trouble import Trouble

_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")

# Lindorm's types and what each becomes unless the spec says otherwise; then what else it may become. docs/types.md has
# the same table for people, the connector's Conversion does the work; tests compare both with this one.
_INTEGER: tuple[AttributeType, ...] = ("Number", "String")
CHOICES: dict[str, tuple[AttributeType, ...]] = {
    "BOOLEAN": ("Boolean", "String", "Number"),
    "TINYINT": _INTEGER,
    "SMALLINT": _INTEGER,
    "INTEGER": _INTEGER,
    "BIGINT": _INTEGER,
    "BIGINT UNSIGNED": _INTEGER,
    "DECIMAL": _INTEGER,
    "FLOAT": _INTEGER,
    "DOUBLE": _INTEGER,
    "CHAR": ("String", "Number", "Binary", "Json", "JsonDocument"),
    "VARCHAR": ("String", "Number", "Binary", "Json", "JsonDocument"),
    "BINARY": ("Binary", "String"),
    "VARBINARY": ("Binary", "String"),
    "TIMESTAMP": ("Iso8601", "EpochMillis", "EpochSeconds", "String"),
    "DATE": ("Iso8601", "EpochMillis", "EpochSeconds", "String"),
    "TIME": ("Iso8601", "String"),
    "JSON": ("Json", "JsonDocument", "String"),
}
# AWS: "Quotas in Amazon DynamoDB", naming rules; API reference of AttributeDefinition for the names of keys.
MAX_NAME_BYTES = 65_535
MAX_KEY_NAME = 255  # characters
_TEXT_AS_NUMBER = (
    "is text, and as Number 1 and 1.0 would be one key: rows that differ only there would overwrite each other. Leave "
    "it a String"
)
# What makes one value of two, and so cannot be of a key. The job refuses the same (Conversion.loss in the connector;
# tests/data/key-conversions.json has every choice).
LOSSY_KEYS: dict[tuple[str, AttributeType], str] = {
    ("TIMESTAMP", "EpochSeconds"): (
        "as EpochSeconds loses its milliseconds: rows of one second would overwrite each other. Use EpochMillis or "
        "Iso8601"
    ),
    ("CHAR", "Number"): _TEXT_AS_NUMBER,
    ("VARCHAR", "Number"): _TEXT_AS_NUMBER,
}


def key_type(as_: AttributeType) -> Literal["S", "N", "B"] | None:
    """DynamoDB's type of a key attribute, None where no key can be of it."""
    match as_:
        case "String" | "Iso8601" | "Json":
            return "S"
        case "Number" | "EpochMillis" | "EpochSeconds":
            return "N"
        case "Binary":
            return "B"
        case "Boolean" | "JsonDocument":
            return None
        case _:
            assert_never(as_)


@dataclass(frozen=True)
class MappedAttribute:
    column: str
    name: str
    as_: AttributeType


@dataclass(frozen=True)
class KeyPart:
    """One half of the DynamoDB key. template: '{column}' alone, or text with columns in it."""

    name: str
    type: Literal["S", "N", "B"]
    template: str

    @property
    def table_key(self) -> TableKey:
        return TableKey(self.name, self.type)


@dataclass(frozen=True)
class Mapping:
    """How a row becomes an item. columns: what is read, the whole primary key among them."""

    columns: tuple[Column, ...]
    attributes: tuple[MappedAttribute, ...]
    partition: KeyPart
    sort: KeyPart | None

    @property
    def key(self) -> tuple[TableKey, TableKey | None]:
        """The table's."""
        return self.partition.table_key, self.sort.table_key if self.sort else None


def base_type(type_: str) -> str:
    """'DECIMAL(10,2)' -> 'DECIMAL'; 'bigint unsigned' -> 'BIGINT UNSIGNED'; '' for what is no type of Lindorm's."""
    parsed = parse_type(type_)
    return parsed.name if parsed else ""


def columns_of(template: str) -> tuple[str, ...]:
    """'{ts}#{seq}' -> ('ts', 'seq')."""
    return tuple(_PLACEHOLDER.findall(template))


def map_table(spec: ImportSpec, source: SourceSeen) -> Mapping | Trouble:
    """The items' shape, or why this table cannot be imported by this spec."""
    if source.key_hash:
        return Trouble(
            "HashedKey",
            f"the primary key of Lindorm table {spec.source.table} begins with {source.key_hash}: Lindorm reads such a "
            "table only by whole key values, never by ranges of keys, so it cannot be imported. Copy it into a table "
            "without the hash, or export it with Lindorm's own tools (LTS)",
            spec=True,
        )
    types = {c.name: c.type for c in source.columns}
    key_names = [k.name for k in source.primary_key]
    trouble = _check_columns(spec, types, key_names)
    if trouble:
        return trouble
    wanted = spec.source.columns or list(types)
    chosen = [c for c in source.columns if c.name in wanted or c.name in key_names]
    attributes = _attributes(spec, chosen)
    if isinstance(attributes, Trouble):
        return attributes
    key = _key(spec, attributes, key_names)
    if isinstance(key, Trouble):
        return key
    partition, sort = key
    clash = _check_names(partition, sort, attributes) or _check_key(partition, sort, attributes, types, key_names)
    return clash or Mapping(tuple(chosen), tuple(attributes), partition, sort)


def _check_columns(spec: ImportSpec, types: dict[str, str], key_names: list[str]) -> Trouble | None:
    table = spec.source.table
    named = [
        *(spec.source.columns or []),
        spec.source.time_range.column,
        *(a.column for a in spec.target.attributes),
    ]
    if spec.target.key:
        for part in (spec.target.key.partition, spec.target.key.sort or ""):
            named += columns_of(part) or ([part] if part else [])
    for column in named:
        if column not in types:
            known = ", ".join(types)
            return Trouble(
                "UnknownColumn",
                f"Lindorm table {table} has no column {column}. Its columns are: {known}. Names are case-sensitive.",
            )
    for name, type_ in types.items():
        if base_type(type_) not in CHOICES and name in (*(spec.source.columns or types), *key_names):
            return _unsupported(table, name, type_, name in key_names)
    time = spec.source.time_range
    time_type = base_type(types[time.column])
    if time_type == "TIMESTAMP" and time.unit:
        return Trouble("InvalidTimeRange", f"{time.column} is a TIMESTAMP: remove timeRange.unit", spec=True)
    if time_type in INTEGERS and not time.unit:
        return Trouble(
            "InvalidTimeRange",
            f"{time.column} is {types[time.column]}: say in timeRange.unit whether it counts Seconds, Milliseconds, "
            "Microseconds or Nanoseconds",
            spec=True,
        )
    if time_type not in INTEGERS and time_type != "TIMESTAMP":
        return Trouble(
            "InvalidTimeRange",
            f"{time.column} is {types[time.column]}: the time column must be a TIMESTAMP or an integer",
            spec=True,
        )
    return None


def _unsupported(table: str, column: str, type_: str, in_key: bool) -> Trouble:
    """What does not read as a type of Lindorm's, to its last character, is refused and not guessed at."""
    advice = (
        "It is part of the primary key, without which no row can be told from another: copy the table into one with "
        "another key, or export it with Lindorm's own tools (LTS)"
        if in_key
        else "List the other columns in spec.source.columns"
    )
    return Trouble(
        "UnsupportedType",
        f"column {column} of Lindorm table {table} has type {type_[:100]}, which cannot be imported. {advice}",
        spec=True,
    )


def _attributes(spec: ImportSpec, columns: list[Column]) -> list[MappedAttribute] | Trouble:
    changes = {a.column: a for a in spec.target.attributes}
    out: list[MappedAttribute] = []
    for column in columns:
        change = changes.get(column.name)
        choices = CHOICES[base_type(column.type)]
        as_ = change.type_ if change and change.type_ else choices[0]
        epoch = (
            base_type(column.type) in INTEGERS - {"BIGINT UNSIGNED"}
            and as_ == "Iso8601"
            and column.name == spec.source.time_range.column
        )
        if as_ not in choices and not epoch:
            return Trouble(
                "UnsupportedConversion",
                f"column {column.name} is {column.type} and cannot become {as_}; it can become {', '.join(choices)}",
                spec=True,
            )
        out.append(MappedAttribute(column.name, (change and change.name) or column.name, as_))
    seen: dict[str, str] = {}
    for attribute in out:
        if attribute.name in seen:
            return Trouble(
                "DuplicateAttribute",
                f"columns {seen[attribute.name]} and {attribute.column} would both become attribute {attribute.name}: "
                "give one another name in spec.target.attributes",
                spec=True,
            )
        seen[attribute.name] = attribute.column
    return out


def _key(
    spec: ImportSpec, attributes: list[MappedAttribute], key_names: list[str]
) -> tuple[KeyPart, KeyPart | None] | Trouble:
    wanted = spec.target.key
    if wanted is None and len(key_names) > 2:
        rest = "#".join("{" + k + "}" for k in key_names[1:])
        return Trouble(
            "KeyNotUnique",
            f"the primary key of {spec.source.table} has {len(key_names)} columns ({', '.join(key_names)}), a DynamoDB "
            f'key two: set spec.target.key, for example partition: {key_names[0]}, sort: "{rest}"',
            spec=True,
        )
    partition_text = wanted.partition if wanted else key_names[0]
    sort_text = wanted.sort if wanted else (key_names[1] if len(key_names) > 1 else None)
    partition = _key_part(partition_text, wanted.partition_name if wanted else "pk", attributes)
    if isinstance(partition, Trouble):
        return partition
    if spec.target.partition_shards:
        partition = KeyPart(partition.name, "S", partition.template)
    if sort_text is None:
        return partition, None
    sort = _key_part(sort_text, wanted.sort_name if wanted else "sk", attributes)
    return sort if isinstance(sort, Trouble) else (partition, sort)


def _key_part(text: str, template_name: str, attributes: list[MappedAttribute]) -> KeyPart | Trouble:
    by_column = {a.column: a for a in attributes}
    named = columns_of(text) or (text,)
    for column in named:
        if column not in by_column:
            return Trouble(
                "UnknownColumn",
                f"spec.target.key uses column {column}, which spec.source.columns leaves out",
                spec=True,
            )
        if key_type(by_column[column].as_) is None:
            return Trouble(
                "UnsupportedKeyType",
                f"column {column} becomes {by_column[column].as_}, which no DynamoDB key can be; give it another `as`",
                spec=True,
            )
    if columns_of(text) == () or text == "{" + named[0] + "}":
        attribute = by_column[named[0]]
        type_ = key_type(attribute.as_)
        assert type_ is not None  # refused above
        return KeyPart(attribute.name, type_, "{" + attribute.column + "}")
    if re.search(r"\}\{", text):
        return Trouble(
            "KeyNotUnique",
            f'the key template "{text}" joins columns with nothing between them, so that different rows could make the '
            'same key: put a separator between them, such as "#"',
            spec=True,
        )
    return KeyPart(template_name, "S", text)


def _check_names(partition: KeyPart, sort: KeyPart | None, attributes: list[MappedAttribute]) -> Trouble | None:
    """Names that no attribute can have. Lindorm's columns may be called anything."""
    for part in (partition, sort):
        if part and len(part.name) > MAX_KEY_NAME:
            return Trouble(
                "NameTooLong",
                f"the key attribute {part.name[:40]}… has a name of {len(part.name)} characters, DynamoDB takes "
                f"{MAX_KEY_NAME}: give the column another name in spec.target.attributes",
                spec=True,
            )
    for attribute in attributes:
        size = len(attribute.name.encode())
        if size > MAX_NAME_BYTES:
            return Trouble(
                "NameTooLong",
                f"the attribute {attribute.name[:40]}… has a name of {size:,} bytes, DynamoDB takes "
                f"{MAX_NAME_BYTES:,}: give the column another name in spec.target.attributes",
                spec=True,
            )
    return None


def _check_key(
    partition: KeyPart,
    sort: KeyPart | None,
    attributes: list[MappedAttribute],
    types: dict[str, str],
    key_names: list[str],
) -> Trouble | None:
    held = {c for part in (partition, sort) if part for c in columns_of(part.template)}
    missing = [k for k in key_names if k not in held]
    if missing:
        return Trouble(
            "KeyNotUnique",
            f"the DynamoDB key leaves out {', '.join(missing)} of Lindorm's primary key ({', '.join(key_names)}): rows "
            "that differ only there would overwrite each other. Add it to spec.target.key, in a template if need be",
            spec=True,
        )
    for attribute in attributes:
        loss = LOSSY_KEYS.get((base_type(types[attribute.column]), attribute.as_))
        if attribute.column in key_names and loss:
            return Trouble("KeyNotUnique", f"key column {attribute.column} {loss}", spec=True)
    names = {a.name: a.column for a in attributes}
    for part in (partition, sort):
        if part and part.name in names and columns_of(part.template) != (names[part.name],):
            return Trouble(
                "DuplicateAttribute",
                f"the key attribute {part.name} has the name of column {names[part.name]}'s attribute: set "
                "spec.target.key.partitionName or sortName, or rename the column",
                spec=True,
            )
    if sort and partition.name == sort.name:
        return Trouble("DuplicateAttribute", f"partition and sort key are both named {sort.name}", spec=True)
    return None
