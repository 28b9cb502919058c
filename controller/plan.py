"""The arithmetic users get wrong: write units, time, cost, sizing. Pure; prices come from one dated file.

Rules, with their source (facts: dynamodb, section 1):
- an item's size is the UTF-8 bytes of its attribute names plus its values (AWS: "DynamoDB item sizes and formats");
- one write unit writes one item of up to 1 KB; a larger item rounds up; BatchWriteItem merges nothing
  (AWS: "Provisioned capacity mode", API reference of BatchWriteItem);
- a new on-demand table takes 4,000 write units a second until it is warmed; a table's default quota is 40,000;
- each secondary index that holds the item costs the same again.
"""

import json
import math
from dataclasses import dataclass
from decimal import Decimal
from importlib import resources
from typing import Any

from controller.api.spec import Capacity

KB = 1024
NEW_ON_DEMAND_TABLE = 4_000
NEW_ON_DEMAND_TABLE_READS = 12_000
TABLE_QUOTA = 40_000
# Rows a second that one slot moved, source to DynamoDB client, on two cores (facts: parts.md, stock pipeline,
# 36,000 rows/s on 2 cores); a conservative floor until `make bench` measures this job.
ROWS_PER_SLOT = 9_000


@dataclass(frozen=True)
class Prices:
    """Prices in USD as of a date; see prices.json for the units in the names."""

    as_of: str
    on_demand_write_per_million: Decimal
    provisioned_write_unit_hour: Decimal
    storage_gb_month: Decimal
    node_hour: Decimal

    @classmethod
    def load(cls, text: str | None = None) -> "Prices":
        """From the text of a price file; default: the one that comes with this version."""
        data: dict[str, Any] = json.loads(
            text if text is not None else resources.files("controller").joinpath("prices.json").read_text(),
            parse_float=Decimal,
        )
        return cls(
            as_of=data["asOf"],
            on_demand_write_per_million=Decimal(data["onDemandWritePerMillion"]),
            provisioned_write_unit_hour=Decimal(data["provisionedWriteUnitHour"]),
            storage_gb_month=Decimal(data["storageGBMonth"]),
            node_hour=Decimal(data["nodeHour"]),
        )


@dataclass(frozen=True)
class Plan:
    """What an import will take. write_units: in all; seconds at `rate` write units a second."""

    rows: int
    item_bytes: int
    write_units_per_item: int
    write_units: int
    rate: int
    seconds: int
    cost_usd: Decimal


@dataclass(frozen=True)
class Sizing:
    parallelism: int
    task_managers: int


def write_units_per_item(item_bytes: int) -> int:
    """1 to 1,024 bytes cost 1 write unit, 1,025 cost 2."""
    return max(1, math.ceil(item_bytes / KB))


def number_bytes(value: Decimal | int) -> int:
    """About one byte for two significant digits, and one more (AWS: item sizes and formats)."""
    digits = Decimal(value).normalize().as_tuple().digits
    return math.ceil(len(digits) / 2) + 1


def rate_limit(capacity: Capacity) -> int:
    """Write units a second that the table takes, as the spec has it."""
    if capacity.mode == "Provisioned":
        ceiling = capacity.autoscaling.max if capacity.autoscaling else 0
        return max(capacity.write_units or 0, ceiling)
    if capacity.write_units is None:
        return NEW_ON_DEMAND_TABLE
    return capacity.write_units if capacity.warm else min(capacity.write_units, NEW_ON_DEMAND_TABLE)


def make_plan(rows: int, item_bytes: int, capacity: Capacity, prices: Prices) -> Plan:
    """The load of `rows` items of `item_bytes` each at the spec's capacity.

    On demand pays for write units, whatever the time; provisioned pays for the hours that the capacity stands.
    """
    units = rows * write_units_per_item(item_bytes)
    rate = rate_limit(capacity)
    seconds = math.ceil(units / rate)
    if capacity.mode != "Provisioned":
        cost = units * prices.on_demand_write_per_million / 1_000_000
    else:
        cost = Decimal(seconds) / 3600 * rate * prices.provisioned_write_unit_hour
    return Plan(
        rows=rows,
        item_bytes=item_bytes,
        write_units_per_item=write_units_per_item(item_bytes),
        write_units=units,
        rate=rate,
        seconds=seconds,
        cost_usd=cost.quantize(Decimal("0.01")),
    )


def sizing(capacity: Capacity, slots: int, parallelism: int | None) -> Sizing:
    """As many slots as the write rate needs: DynamoDB is the limit that holds, not the cluster."""
    chosen = parallelism or max(1, math.ceil(rate_limit(capacity) / ROWS_PER_SLOT))
    return Sizing(parallelism=chosen, task_managers=math.ceil(chosen / slots))
