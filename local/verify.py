"""Compares a target table with its source, every key and every value, by reads of its own.

Nothing here is shared with the controller or the job: it pages through Lindorm with PyMySQL and scans DynamoDB with
boto3, and says itself what item a row of the reference shape (device, ts, metric, val) must have become.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pymysql

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Key = tuple[str, str]
Item = dict[str, Any]
_PAGE = 2000
_SHOWN = 5


@dataclass
class Differences:
    """What is wrong with the target; `examples` holds the first few in words."""

    rows: int = 0
    items: int = 0
    missing: int = 0
    wrong: int = 0
    surplus: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def none(self) -> bool:
        return not (self.missing or self.wrong or self.surplus)

    def __str__(self) -> str:
        counts = f"{self.missing} rows missing, {self.wrong} items with other values, {self.surplus} items too many"
        return counts + "".join(f"; {e}" for e in self.examples)

    def note(self, example: str) -> None:
        if len(self.examples) < _SHOWN:
            self.examples.append(example)


def rows_of(environment: Mapping[str, str], table: str, start: datetime, end: datetime) -> Iterator[tuple[Any, ...]]:
    """The rows (device, ts, metric, val) with start <= ts < end in key order; ts as a naive datetime in UTC."""
    url = urlsplit(environment["LINDORM_URL"].removeprefix("jdbc:"))
    connection = pymysql.connect(
        host=url.hostname or "",
        port=url.port or 0,
        user=environment["LINDORM_USERNAME"],
        password=environment["LINDORM_PASSWORD"],
        database=url.path.lstrip("/"),
    )
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET time_zone = '+00:00'")
            device, ts = "", datetime(1970, 1, 1)
            while True:
                cursor.execute(
                    f"SELECT device, ts, metric, val FROM `{table}` WHERE device >= %s "
                    "AND (device > %s OR (device = %s AND ts > %s)) AND ts >= %s AND ts < %s "
                    f"ORDER BY device, ts LIMIT {_PAGE}",
                    (device, device, device, _text(ts), _text(start), _text(end)),
                )
                page = cursor.fetchall()
                yield from page
                if len(page) < _PAGE:
                    return
                device, ts = page[-1][0], page[-1][1]
    finally:
        connection.close()


def _text(at: datetime) -> str:
    utc = at.astimezone(UTC) if at.tzinfo else at
    return utc.strftime("%Y-%m-%d %H:%M:%S.") + f"{utc.microsecond // 1000:03d}"


def items_of(dynamodb: DynamoDBClient, table: str) -> Iterator[Item]:
    """Every item of the table, in DynamoDB's own notation."""
    for page in dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True):
        yield from page["Items"]


def expected_item(row: tuple[Any, ...]) -> Item:
    """What a row must have become: types by docs/types.md, nulls left out."""
    device, ts, metric, val = row
    item: Item = {
        "device": {"S": device},
        "ts": {"S": ts.strftime("%Y-%m-%dT%H:%M:%S.") + f"{ts.microsecond // 1000:03d}Z"},
    }
    if metric is not None:
        item["metric"] = {"S": metric}
    if val is not None:
        item["val"] = {"N": Decimal(repr(val))}
    return item


def compare(rows: Iterator[tuple[Any, ...]], items: Iterator[Item]) -> Differences:
    """Every row against every item. Numbers are compared by value: DynamoDB trims zeros."""
    differences = Differences()
    wanted: dict[Key, Item] = {}
    for row in rows:
        item = expected_item(row)
        wanted[item["device"]["S"], item["ts"]["S"]] = item
        differences.rows += 1
    for found in items:
        differences.items += 1
        for value in found.values():
            if "N" in value:
                value["N"] = Decimal(value["N"])
        key = (found.get("device", {}).get("S"), found.get("ts", {}).get("S"))
        item_wanted = wanted.pop(key, None)
        if item_wanted is None:
            differences.surplus += 1
            differences.note(f"item {key} has no row")
        elif item_wanted != found:
            differences.wrong += 1
            differences.note(f"item {key} is {found}, not {item_wanted}")
    differences.missing = len(wanted)
    for key in list(wanted)[:_SHOWN]:
        differences.note(f"row {key} has no item")
    return differences
