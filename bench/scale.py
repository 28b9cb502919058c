"""The reference size and a hundred times that, on paper: what the measured rate of a slot comes to. Pure."""

from __future__ import annotations

import math

from lindorm_import.api.spec import Job
from lindorm_import.plan import Prices, size_cluster

ITEM_BYTES = 80
CORES_OF_NODE = 8  # r5.2xlarge
SIZES = ((100e9, "100 GB"), (10e12, "10 TB"))
RATES = (40_000, 400_000)

Row = list[str]

HEAD: Row = [
    "source",
    "write units/s",
    "hours",
    "cores busy",
    "slots",
    "nodes (r5.2xlarge)",
    "DynamoDB, on demand",
    "DynamoDB, provisioned",
    "cluster",
]


def table(rows_per_cpu_second: float, prices: Prices) -> list[Row]:
    """A row for each size and rate. Slots and nodes are the plan's, which has its rate of a slot from here too."""
    return [_row(size, name, rate, rows_per_cpu_second, prices) for size, name in SIZES for rate in RATES]


def _row(size: float, name: str, rate: int, rows_per_cpu_second: float, prices: Prices) -> Row:
    rows = round(size / ITEM_BYTES)  # an item of 80 bytes costs one write unit
    seconds = math.ceil(rows / rate)
    cluster = size_cluster(rate, Job())
    on_demand = rows / 1_000_000 * float(prices.on_demand_write_per_million)
    provisioned = seconds / 3600 * rate * float(prices.provisioned_write_unit_hour)
    return [
        f"{name}, {rows / 1e9:,.4g} billion rows",
        f"{rate:,}",
        f"{seconds / 3600:,.1f}",
        f"{rate / rows_per_cpu_second:.1f}",
        str(cluster.parallelism),
        str(cluster.nodes),
        f"${on_demand:,.0f}",
        f"${provisioned:,.0f}",
        f"${float(cluster.cost(seconds, prices)):,.0f}",
    ]
