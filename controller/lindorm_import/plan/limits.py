"""What DynamoDB takes of an item and of a key, as one table of rules. Pure.

Sources: "Quotas in Amazon DynamoDB" and "Supported data types and naming rules"
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html), and what its API says of names
(API reference: AttributeDefinition, KeySchemaElement). The job's mapper keeps the same rules (ItemMapper, Values and
JsonDocument in the connector); tests/data/dynamodb-limits.json has cases for both, docs/types.md the rules for people.
"""

import json
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

from lindorm_import.domain.observed import IndexKey, Role, TableSeen
from lindorm_import.domain.trouble import Trouble
from lindorm_import.plan.mapping import MAX_NAME_BYTES, Mapping, key_type

MAX_ITEM_BYTES = 400 * 1024  # names and values together
# Of the value alone, in a table and in an index alike.
MAX_KEY_BYTES: dict[Role, int] = {"Partition": 2048, "Sort": 1024}
MAX_LEVELS = 32
MAX_DIGITS = 38
MAX_EXPONENT = 125
MIN_EXPONENT = -130

Reason = Literal[
    "EmptyKey", "NullKey", "KeyTooLong", "ItemTooLarge", "NumberOutOfRange", "NotANumber", "InvalidJson", "InvalidText",
    "InvalidIndexKey",
]  # fmt: skip


class RejectedError(ValueError):
    """A row cannot be an item; reason: as the job tells it."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


def number(value: Decimal | int | float | str) -> Decimal:
    """The number that DynamoDB would keep. Raises RejectedError."""
    if isinstance(value, str) and "_" in value:  # which Python's own numbers may have
        raise RejectedError("NotANumber")
    try:
        exact = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    except InvalidOperation:
        raise RejectedError("NotANumber") from None
    if not exact.is_finite():
        raise RejectedError("NotANumber")
    if exact:
        digits = exact.as_tuple().digits
        significant = len("".join(map(str, digits)).strip("0"))
        if significant > MAX_DIGITS or not MIN_EXPONENT <= exact.adjusted() <= MAX_EXPONENT:
            raise RejectedError("NumberOutOfRange")
    return exact


def text(value: str) -> bytes:
    """A text's UTF-8. Raises RejectedError for what was none (surrogates: adapters/lindorm_values.py)."""
    try:
        return value.encode()
    except UnicodeEncodeError:
        raise RejectedError("InvalidText") from None


def document(value: str | bytes) -> Any:
    """JSON as maps, lists and values; every number as a Decimal. Raises RejectedError."""
    try:
        found = json.loads(
            value, parse_float=number, parse_int=number, parse_constant=_no_json, object_pairs_hook=_object
        )
    except RejectedError:
        raise
    except (ValueError, RecursionError):
        raise RejectedError("InvalidJson") from None
    _check_levels(found, 1)
    return found


def _no_json(_: str) -> Any:
    raise RejectedError("InvalidJson")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    for name, _ in pairs:
        if not 1 <= len(_utf8(name)) <= MAX_NAME_BYTES:
            raise RejectedError("InvalidJson")
    found = dict(pairs)
    if len(found) < len(pairs):
        raise RejectedError("InvalidJson")
    return found


def _utf8(value: str) -> bytes:
    try:
        return value.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON can write
        raise RejectedError("InvalidJson") from None


def _check_levels(value: Any, level: int) -> None:
    # A list or map stands for what it could hold: so does DynamoDB Local, where AWS's page says no more than 32 levels.
    if level + isinstance(value, dict | list) > MAX_LEVELS:
        raise RejectedError("InvalidJson")
    if isinstance(value, str):
        _utf8(value)
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _check_levels(inner, level + 1)


def check_key(role: Role, size: int) -> None:
    """The value of a table's key, of so many bytes. Raises RejectedError."""
    if size == 0:
        raise RejectedError("EmptyKey")
    if size > MAX_KEY_BYTES[role]:
        raise RejectedError("KeyTooLong")


def check_index_key(key: IndexKey, type_: str, size: int) -> None:
    """The value of an attribute that is a key of an index: of this type, and so many bytes. An item without the
    attribute is not in the index, which is no fault. Raises RejectedError."""
    if type_ != key.type or not 1 <= size <= MAX_KEY_BYTES[key.role]:
        raise RejectedError("InvalidIndexKey")


def check_item(size: int) -> None:
    """Raises RejectedError."""
    if size > MAX_ITEM_BYTES:
        raise RejectedError("ItemTooLarge")


def index_trouble(mapping: Mapping, table: TableSeen) -> Trouble | None:
    """An index of a table that is there wants its key to be of another type than the items have. An attribute that the
    items lack is none: the index will not hold them."""
    types = {a.name: key_type(a.as_) or "BOOL" for a in mapping.attributes if a.as_ != "JsonDocument"}
    types |= {part.name: part.type for part in (mapping.partition, mapping.sort) if part}
    for key in table.index_keys:
        type_ = types.get(key.name, key.type)
        if type_ != key.type:
            return Trouble(
                "IndexKeyMismatch",
                f"index {key.index} of the table has the key {key.name} ({key.type}), but the import makes {key.name} "
                f"{type_}, so DynamoDB would refuse every item: give the column another `as` or another name in "
                "spec.target.attributes, or import into another table",
                spec=True,
            )
    return None
