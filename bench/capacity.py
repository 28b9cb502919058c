"""How much of a table's write capacity is used, and how much is throttled: case names capacity.*.

Against the gate of local/dynamodb, which throttles as DynamoDB does, with every limit scaled down so that one small
machine can reach it: a table of 4,000 write units a second and partitions of 1,000, each times `scale`. Every key value
is a partition of its own there, as it is in DynamoDB once a partition has been split for heat.

A run is a job that has more rows than it can write in the time; it is looked at over the steady part, and cancelled.
"""

from __future__ import annotations

import bisect
import itertools
import json
import random
import time
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3

from bench import pipelines
from bench.flink import Cluster
from bench.results import Case, case
from bench.servers import BenchError, MariaDB
from local.processes import wait_until
from local.stack import Stack

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TABLE_UNITS = 4_000
PARTITION_UNITS = 1_000
WRITERS = 2  # of each job
ZIPF_KEYS = 1_000
ZIPF_EXPONENT = 1.3
STEEP_EXPONENT = 2.0
SHARDS = 16
_PATIENCE = 120.0
_MORE_ROWS = 4  # times what the table takes meanwhile: the first job of a group waits for the start of the last


@dataclass(frozen=True)
class Shape:
    """A table to import. device, second: SQL of `seq`; allowed: the share of the table's units that the partitions'
    limits allow in the long run, with keys coming in this order; exponent: of Zipf's law, for the keys; ramp: seconds
    from the last job's first item until all count as steady."""

    name: str
    device: str
    second: str
    key: tuple[str, ...]
    allowed: float
    shards: int | None = None
    exponent: float | None = None
    ramp: float = 12.0

    @property
    def table(self) -> str:
        return "capacity_" + self.name.replace(".", "_")


def zipf_shares(exponent: float) -> list[float]:
    """Each key's share of the rows, the hottest first."""
    weights = [1 / rank**exponent for rank in range(1, ZIPF_KEYS + 1)]
    return [weight / sum(weights) for weight in weights]


_ONE_PARTITION = PARTITION_UNITS / TABLE_UNITS


def _zipf(name: str, exponent: float, ramp: float) -> Shape:
    """In the order of time, as a table whose key begins with it: each key comes with its share, all the time."""
    device = "CONCAT('dev-', LPAD(number, 8, '0'))"
    allowed = _ONE_PARTITION / zipf_shares(exponent)[0]
    return Shape(name, device, "seq", ("ts", "device"), allowed, exponent=exponent, ramp=ramp)


SHAPES = (
    # A key for each row, in no order that its text shows.
    Shape("even", "LEFT(MD5(seq), 12)", "seq", ("device", "ts"), 1.0),
    # 1,000 rows a device, in key order: neighbours in Lindorm that hit one partition.
    Shape("neighbours", "CONCAT('dev-', LPAD(seq DIV 1000, 8, '0'))", "MOD(seq, 1000)", ("device", "ts"), 1.0),
    _zipf("zipf", ZIPF_EXPONENT, ramp=12.0),
    # So steep that the writers' rooms are full of the first key's rows when it counts, as in a long import.
    _zipf("zipf.steep", STEEP_EXPONENT, ramp=75.0),
    Shape("hot", "'dev-00000000'", "seq", ("device", "ts"), _ONE_PARTITION),
    Shape("hot.shards", "'dev-00000000'", "seq", ("device", "ts"), 1.0, SHARDS),
)


def fill(database: MariaDB, shape: Shape, rows: int) -> None:
    """Make the table of a shape."""
    key = ", ".join(shape.key)
    if shape.exponent:
        database.create_with(shape.table, zipf_keys(rows, shape.exponent), shape.device, shape.second, key)
    else:
        database.create(shape.table, rows, shape.device, shape.second, key)


def zipf_keys(rows: int, exponent: float) -> list[int]:
    """A key for each row, the same every time."""
    sums = list(itertools.accumulate(zipf_shares(exponent)))
    chance = random.Random(8)  # noqa: S311 - not a secret
    return [min(bisect.bisect(sums, chance.random()), ZIPF_KEYS - 1) for _ in range(rows)]


class Gate:
    """The gate and DynamoDB Local, with scaled limits."""

    def __init__(self, folder: Path, scale: float) -> None:
        self._stack = Stack(folder, parts=["dynamodb"])
        self._scale = scale

    def __enter__(self) -> Gate:
        self._stack.start()
        self._control("POST", {"reset": True, "settings": {"scale": self._scale, "create_seconds": 0.1}})
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.stop()

    @property
    def url(self) -> str:
        return self._stack.environment["AWS_ENDPOINT_URL_DYNAMODB"]

    def _client(self) -> DynamoDBClient:
        return boto3.client(
            "dynamodb",
            endpoint_url=self.url,
            region_name=pipelines.REGION,
            aws_access_key_id="local",
            aws_secret_access_key="local",
        )

    def delete(self, table: str) -> None:
        """An account has 80,000 provisioned write units for all of its tables."""
        self._client().delete_table(TableName=table)

    def create(self, table: str) -> None:
        """A table of TABLE_UNITS write units with the key of the reference shape."""
        client = self._client()
        names = [("device", "HASH"), ("ts", "RANGE")]
        client.create_table(
            TableName=table,
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in names],
            KeySchema=[{"AttributeName": name, "KeyType": role} for name, role in names],  # type: ignore[typeddict-item]
            ProvisionedThroughput={"ReadCapacityUnits": 100, "WriteCapacityUnits": TABLE_UNITS},
        )
        client.get_waiter("table_exists").wait(TableName=table, WaiterConfig={"Delay": 1})

    def counts(self, table: str) -> dict[str, float]:
        """What CloudWatch would have summed up for a table so far."""
        found: dict[str, float] = self._control("GET")["tables"].get(table, {})
        return found

    def _control(self, method: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_gate", data, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)


def measure(
    folder: Path,
    database: MariaDB,
    clusters: dict[str, Cluster],
    groups: Sequence[Sequence[str]],
    scale: float,
    seconds: float,
    rounds: int,
    say: Callable[[str], None],
) -> dict[str, Case]:
    """Every shape by the project and by the stock parts. groups: names of shapes that are measured at the same time.

    clusters: `project`, `stock` or both, running, with at least two slots for each shape of a group.
    """
    by_name = {shape.name: shape for shape in SHAPES}
    for group in groups:
        ramp = max(by_name[name].ramp for name in group)
        for name in group:
            fill(database, by_name[name], int(TABLE_UNITS * scale * (seconds + ramp) * _MORE_ROWS))
    measured: dict[str, list[dict[str, float]]] = {}
    with Gate(folder, scale) as gate:
        for number, group, kind in itertools.product(range(rounds), groups, clusters):
            shapes = [by_name[name] for name in group]
            for name, figures in _run(gate, database, clusters[kind], kind, number, shapes, scale, seconds).items():
                say(
                    f"{name}, round {number + 1}: {figures['capacityUsed']:.1%} of the table's capacity, "
                    f"{figures['throttledShare']:.1%} throttled"
                )
                measured.setdefault(name, []).append(figures)
    return {name: case(figures) for name, figures in measured.items()}


def _run(
    gate: Gate,
    database: MariaDB,
    cluster: Cluster,
    kind: str,
    number: int,
    shapes: list[Shape],
    scale: float,
    seconds: float,
) -> dict[str, dict[str, float]]:
    """Several jobs at the same time, each into a new table of its own; the figures of each over the steady part.

    Raises BenchError when a job does not start, or has no more to write.
    """
    targets = {f"{shape.table}_{kind}_{number}": shape for shape in shapes}
    jobs = {}
    for target, shape in targets.items():
        gate.create(target)
        jobs[target] = (
            project_job(cluster, database, shape, target, gate.url, round(TABLE_UNITS * scale))
            if kind == "project"
            else pipelines.stock(cluster, database, shape.table, gate.url, target)
        )
    if not wait_until(lambda: all(gate.counts(target) for target in targets), _PATIENCE):
        raise BenchError(f"some of {', '.join(targets)} get no items: see {cluster.folder / 'log'}")
    time.sleep(max(shape.ramp for shape in shapes))
    before, started = {target: gate.counts(target) for target in targets}, time.monotonic()
    time.sleep(seconds)
    after, elapsed = {target: gate.counts(target) for target in targets}, time.monotonic() - started
    for target, job in jobs.items():
        if (state := cluster.job(job)["state"]) != "RUNNING":
            raise BenchError(f"the job that writes {target} is {state}, too early to be looked at")
    cluster.abandon(jobs.values())
    for target in targets:
        gate.delete(target)
    suffix = "" if kind == "project" else ".stock"
    return {
        f"capacity.{shape.name}{suffix}": figures_of(
            shape, before[target], after[target], TABLE_UNITS * scale * elapsed
        )
        for target, shape in targets.items()
    }


def figures_of(shape: Shape, before: dict[str, float], after: dict[str, float], table_units: float) -> dict[str, float]:
    """What went on between two counts, in which the table could have taken this many units."""
    units, refused = (
        after.get(metric, 0.0) - before.get(metric, 0.0)
        for metric in ("ConsumedWriteCapacityUnits", "WriteThrottleEvents")
    )
    used = units / table_units
    return {
        "capacityUsed": used,
        "usedOfAllowed": used / shape.allowed,
        "throttledShare": refused / (units + refused),
    }


def project_job(cluster: Cluster, database: MariaDB, shape: Shape, target: str, endpoint: str, units: int) -> str:
    """Submit the job that writes a shape with WRITERS writers and this many units a second; its id."""
    config = pipelines.job_config(cluster.folder / target, database, shape.table, list(shape.key), shape.shards)
    config["target"]["table"] = target
    return pipelines.project(cluster, config, endpoint, {"parallelism.default": str(WRITERS)}, units)
