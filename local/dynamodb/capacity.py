"""DynamoDB's arithmetic of sizes, units and throttling. Pure: time is an argument (seconds of a monotonic clock).

Sizes: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html. A write unit is
one item of up to 1 KB, and every item of a batch is rounded up by itself. A partition takes 1,000 write and 3,000 read
units a second (warm-throughput-scenarios.html); here each partition key value stands for a partition. A new on-demand
table takes 4,000 writes and 12,000 reads a second, or its warm throughput; that it would double with its traffic is not
modelled. Secondary indexes cost nothing here.

Burst: DynamoDB keeps up to 300 s of unused capacity and promises nothing. Here a limit keeps what it gives in
`burst_seconds` (1 by default), so that a rate shows within seconds. A request is let through while the bucket holds
what it needs, or is full; the bucket may then go below zero, and is paid back.
"""

from __future__ import annotations

import base64
import enum
import math
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

PARTITION_WRITE_UNITS = 1_000.0
PARTITION_READ_UNITS = 3_000.0
ON_DEMAND_WRITE_UNITS = 4_000
ON_DEMAND_READ_UNITS = 12_000
TABLE_QUOTA = 40_000
_PARTITIONS_KEPT = 200_000


class Cause(enum.Enum):
    """Why a request is throttled; the middle of the reason's name and of the CloudWatch metric's."""

    KEY_RANGE = "KeyRangeThroughput"
    PROVISIONED = "ProvisionedThroughput"
    MAX_ON_DEMAND = "MaxOnDemandThroughput"
    ACCOUNT = "AccountLimit"


class Side(enum.Enum):
    """Reads and writes have capacity of their own."""

    READ = "Read"
    WRITE = "Write"


def value_size(value: dict[str, Any]) -> int:
    """Bytes that an attribute value counts with."""
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "N":
            return number_size(content)
        case "B":
            return len(base64.b64decode(content))
        case "BOOL" | "NULL":
            return 1
        case "SS":
            return sum(len(item.encode()) for item in content)
        case "NS":
            return sum(number_size(item) for item in content)
        case "BS":
            return sum(len(base64.b64decode(item)) for item in content)
        case "L":
            return 3 + sum(1 + value_size(item) for item in content)
        case "M":
            return 3 + sum(1 + len(name.encode()) + value_size(item) for name, item in content.items())
    raise ValueError(f"unknown attribute type {kind}")


def number_size(text: str) -> int:
    """A byte for two significant digits, and one more; a sign costs one."""
    _, digits, _ = Decimal(text).normalize().as_tuple()
    return math.ceil(len(digits) / 2) + 1 + text.lstrip().startswith("-")


def item_size(item: dict[str, dict[str, Any]]) -> int:
    """Bytes of an item: names and values."""
    return sum(len(name.encode()) + value_size(value) for name, value in item.items())


def write_units(size: int) -> int:
    """Units of one write of an item of this many bytes."""
    return max(1, math.ceil(size / 1024))


@dataclass
class Bucket:
    """A rate, in units per second, with what is left of it."""

    rate: float
    burst_seconds: float
    at: float
    tokens: float = field(init=False)

    def __post_init__(self) -> None:
        self.tokens = self.full

    @property
    def full(self) -> float:
        return self.rate * self.burst_seconds

    def refill(self, now: float) -> None:
        if now > self.at:
            self.tokens = min(self.full, self.tokens + (now - self.at) * self.rate)
            self.at = now

    def holds(self, units: float, now: float) -> bool:
        """Whether this many units can go now. What needs more than a full bucket waits for a full one."""
        self.refill(now)
        return self.rate > 0 and self.tokens >= min(units, self.full)

    def change(self, rate: float, burst_seconds: float, now: float) -> None:
        """Another rate from now on."""
        self.refill(now)
        self.rate, self.burst_seconds = rate, burst_seconds
        self.tokens = min(self.tokens, self.full)


@dataclass(frozen=True)
class Limits:
    """What a table may take on one side, in units per second."""

    table: dict[Cause, float]
    partition: float
    burst_seconds: float = 1.0


def limits(
    side: Side,
    *,
    provisioned: int | None,
    on_demand_max: int | None,
    warm: int,
    scale: float = 1.0,
    partition: float | None = None,
    quota: int = TABLE_QUOTA,
    burst_seconds: float = 1.0,
) -> Limits:
    """A table's limits: provisioned units, or None: on demand, with or without a maximum. `scale` multiplies all."""
    write = side is Side.WRITE
    table = {Cause.ACCOUNT: quota * scale}
    if provisioned is not None:
        table[Cause.PROVISIONED] = provisioned * scale
    else:
        table[Cause.KEY_RANGE] = max(ON_DEMAND_WRITE_UNITS if write else ON_DEMAND_READ_UNITS, warm) * scale
        if on_demand_max is not None:
            table[Cause.MAX_ON_DEMAND] = on_demand_max * scale
    default = PARTITION_WRITE_UNITS if write else PARTITION_READ_UNITS
    return Limits(table, (default if partition is None else partition) * scale, burst_seconds)


class Meter:
    """One table's capacity on one side: its own limits, and one for each partition key value seen."""

    def __init__(self, current: Limits, now: float) -> None:
        self._limits = current
        self._table = {cause: Bucket(rate, current.burst_seconds, now) for cause, rate in current.table.items()}
        self._partitions: dict[str, Bucket] = {}

    def change(self, current: Limits, now: float) -> None:
        """Take other limits; what was used counts on."""
        if current == self._limits:
            return
        self._limits = current
        for cause, rate in current.table.items():
            if cause in self._table:
                self._table[cause].change(rate, current.burst_seconds, now)
            else:
                self._table[cause] = Bucket(rate, current.burst_seconds, now)
        for cause in set(self._table) - set(current.table):
            del self._table[cause]
        for bucket in self._partitions.values():
            bucket.change(current.partition, current.burst_seconds, now)

    def take(self, partition: str, units: float, now: float) -> Cause | None:
        """Use units, or say why not. Nothing is used by what is refused."""
        for cause, bucket in self._table.items():
            if not bucket.holds(units, now):
                return cause
        own = self._partition(partition, now)
        if not own.holds(units, now):
            return Cause.KEY_RANGE
        self._use(own, units)
        return None

    def give_back(self, partition: str, units: float, now: float) -> None:
        """Undo a `take` (negative units: use more than was taken)."""
        self._use(self._partition(partition, now), -units)

    def _use(self, own: Bucket, units: float) -> None:
        for bucket in (*self._table.values(), own):
            bucket.tokens -= units

    def _partition(self, partition: str, now: float) -> Bucket:
        bucket = self._partitions.get(partition)
        if bucket is None:
            if len(self._partitions) >= _PARTITIONS_KEPT:
                self._forget_full(now)
            bucket = Bucket(self._limits.partition, self._limits.burst_seconds, now)
            self._partitions[partition] = bucket
        return bucket

    def _forget_full(self, now: float) -> None:
        for key, bucket in list(self._partitions.items()):
            bucket.refill(now)
            if bucket.tokens >= bucket.full:
                del self._partitions[key]


def key_text(value: dict[str, Any]) -> str:
    """A key attribute's value as text; equal for values that DynamoDB takes as equal."""
    ((kind, content),) = value.items()
    if kind == "N":
        number = Decimal(content).normalize()
        return f"N{number if number else 0}"
    return f"{kind}{content}"
