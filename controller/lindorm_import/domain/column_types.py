"""The types of Lindorm's columns, read whole: what is not understood to its last character is not understood. Pure.

The list of types: https://help.aliyun.com/en/lindorm/developer-reference/basic-data-types. The connector and the job's
driver read the same; tests/data/column-types.json holds cases for all three.
"""

import re
from dataclasses import dataclass

_PLAIN = {
    *("BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "BIGINT UNSIGNED", "FLOAT", "DOUBLE"),
    *("TIMESTAMP", "DATE", "TIME", "JSON"),
}
_WITH_LENGTH = {"CHAR", "VARCHAR", "BINARY", "VARBINARY"}
_FORM = re.compile(r"([A-Z]+(?:\s+UNSIGNED)?)\s*(?:\(\s*([0-9]{1,9})\s*(?:,\s*([0-9]{1,9})\s*)?\))?", re.IGNORECASE)
INTEGERS = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "BIGINT UNSIGNED"}
TEXTS = {"CHAR", "VARCHAR", "JSON"}
MAX_PRECISION = 38


@dataclass(frozen=True)
class ColumnType:
    """name: in upper case, INT as INTEGER. arguments: a length; of a DECIMAL precision and scale; () where DESCRIBE
    shows none."""

    name: str
    arguments: tuple[int, ...] = ()

    def __str__(self) -> str:
        return self.name + (f"({','.join(map(str, self.arguments))})" if self.arguments else "")


def parse_type(text: str) -> ColumnType | None:
    """'bigint  unsigned' -> BIGINT UNSIGNED; 'DECIMAL(10)' -> DECIMAL(10,0). None for what is no type of Lindorm's."""
    match = _FORM.fullmatch(text.strip())
    if not match:
        return None
    name = " ".join(match[1].upper().split())
    name = "INTEGER" if name == "INT" else name
    first, second = (int(digits) if digits else None for digits in match.groups()[1:])
    if name == "DECIMAL":
        if first is None:
            return ColumnType(name)
        scale = second or 0
        return ColumnType(name, (first, scale)) if 1 <= first <= MAX_PRECISION and scale <= first else None
    if second is not None or (first is not None and (name not in _WITH_LENGTH or first < 1)):
        return None
    if name not in _PLAIN | _WITH_LENGTH:
        return None
    return ColumnType(name, () if first is None else (first,))
