"""The plain script that an import is compared with: PyMySQL's streaming cursor into boto3's batch_writer.

    python -m bench.script PORT TABLE PROCESSES ROWS

Each process takes an equal share of the devices. Prints the number of items.
"""

from __future__ import annotations

import itertools
import sys
from datetime import datetime
from decimal import Decimal
from multiprocessing import Pool
from typing import Any

import boto3
import pymysql
import pymysql.cursors


def item(row: dict[str, Any]) -> dict[str, Any]:
    """A row as boto3 takes it: no float, and a time as the project writes it."""
    at: datetime = row["ts"]
    return {**row, "ts": at.isoformat(timespec="milliseconds") + "Z", "val": Decimal(str(row["val"]))}


def copy(port: int, table: str, low: str, high: str) -> int:
    """Copy the devices from low up to but not including high."""
    target = boto3.resource("dynamodb").Table(table)
    connection = pymysql.connect(
        host="127.0.0.1",
        port=port,
        user="bench",
        password="bench",
        database="default",
        cursorclass=pymysql.cursors.SSDictCursor,
    )
    items = 0
    with connection, connection.cursor() as cursor, target.batch_writer() as batch:
        cursor.execute(f"SELECT * FROM {table} WHERE device >= %s AND device < %s", (low, high))
        for row in cursor:
            batch.put_item(Item=item(row))
            items += 1
    return items


def main() -> None:
    port, table, processes, rows = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    cuts = [f"dev-{rows // 1000 * n // processes:08d}" for n in range(processes + 1)]
    with Pool(processes) as pool:
        parts = [(port, table, low, high) for low, high in itertools.pairwise(cuts)]
        print(sum(pool.starmap(copy, parts)))


if __name__ == "__main__":
    main()
