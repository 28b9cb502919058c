"""Test data of the reference shape, made from a seed, and the bulk loader.

    python -m local.lindorm.data --data DIR --rows 100000

writes into the folder of a stand-in that may be running. The same arguments give the same rows on any machine.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from local.lindorm import store
from local.lindorm.sql import parse_create
from local.lindorm.store import DEFAULT_DATABASE, Store, Table
from local.lindorm.types import Stored

# The range of the examples, 2023-01-01 <= ts < 2023-02-01, is the middle half of the span.
RANGE_START_MS = round(datetime(2023, 1, 1, tzinfo=UTC).timestamp() * 1000)
RANGE_END_MS = round(datetime(2023, 2, 1, tzinfo=UTC).timestamp() * 1000)
_HALF_MS = (RANGE_END_MS - RANGE_START_MS) // 2
_METRICS = ("temp", "humidity", "pressure", "vibration", "voltage")


@dataclass(frozen=True)
class Shape:
    """What to make: `rows` over `devices`, spread evenly in time with a jitter.

    devices: 0 gives one for every thousand rows. skew: 0 gives each device as many rows; s > 0 gives the device of
    rank r a share of 1/r^s (Zipf).
    """

    table: str = "readings"
    rows: int = 100_000
    devices: int = 0
    seed: int = 1
    skew: float = 0.0
    start_ms: int = RANGE_START_MS - _HALF_MS
    end_ms: int = RANGE_END_MS + _HALF_MS

    def rows_by_device(self) -> list[int]:
        """How many rows each device has; their sum is `rows`."""
        devices = min(self.rows, self.devices or max(1, self.rows // 1000))
        if not devices:
            return []
        weights = [1 / (rank**self.skew) for rank in range(1, devices + 1)]
        total, counts, given, acc = sum(weights), [], 0, 0.0
        for weight in weights:
            acc += weight
            upto = round(self.rows * acc / total)
            counts.append(upto - given)
            given = upto
        return counts


@dataclass(frozen=True, slots=True)
class Reading:
    """A row of the reference shape; ts in epoch milliseconds."""

    device: str
    ts: int
    metric: str
    val: float


def reference_table(name: str) -> Table:
    """device, ts, metric, val under the primary key (device, ts)."""
    sql = f"CREATE TABLE {name} (device VARCHAR, ts TIMESTAMP, metric VARCHAR, val DOUBLE, PRIMARY KEY (device, ts))"
    return parse_create(sql, DEFAULT_DATABASE)[0]


def readings(shape: Shape) -> Iterator[Reading]:
    """The rows, in key order. About 80 bytes each as a DynamoDB item (names and values)."""
    for number, count in enumerate(shape.rows_by_device()):
        chance = random.Random(f"{shape.seed}:{number}")  # noqa: S311
        device = f"device-{number:06d}-plant-{chance.getrandbits(16):04x}-line-{chance.randrange(100):02d}"
        span = shape.end_ms - shape.start_ms
        if count > span:
            raise ValueError(f"{count} rows of one device need as many different milliseconds; the span has {span}")
        for index in range(count):
            low, high = span * index // count, span * (index + 1) // count
            ts = shape.start_ms + low + int(chance.random() * (high - low))
            yield Reading(device, ts, _METRICS[index % len(_METRICS)], round(chance.random() * 120 - 40, 2))


def load(target: Store, shape: Shape) -> int:
    """Make the rows and write them (the table is created if it is not there); how many."""
    rows: Iterable[tuple[Stored, ...]] = (
        (row.device.encode(), row.ts, row.metric.encode(), row.val) for row in readings(shape)
    )
    return load_stored(target, reference_table(shape.table), rows)


def load_stored(target: Store, table: Table, rows: Iterable[tuple[Stored, ...]]) -> int:
    """Write rows of stored values (see `types`), in one transaction; how many. Fastest in key order."""
    connection = target.connect()
    try:
        store.create_table(connection, table, if_missing=True)
        connection.execute("BEGIN IMMEDIATE")
        written = connection.executemany(store.upsert_sql(table), rows).rowcount
        connection.execute("COMMIT")
        return max(written, 0)
    finally:
        connection.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m local.lindorm.data", description="Load test data.")
    parser.add_argument("--data", type=Path, required=True, help="the stand-in's folder")
    for name, default in asdict(Shape()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default)
    options = vars(parser.parse_args())
    folder = Store(options.pop("data"))
    start = time.monotonic()
    print(json.dumps({"rows": load(folder, Shape(**options)), "seconds": round(time.monotonic() - start, 3)}))


if __name__ == "__main__":
    main()
