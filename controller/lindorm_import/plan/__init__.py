"""The arithmetic users get wrong: write units, time, cost, sizing. Pure; prices come from one dated file.

The command line, status.plan and the budget check all use make_plan(). Read in this order: items (how large an item
is), rates (how fast the table takes it), ways (what that costs), cluster, and this module, which puts them together.
"""

from dataclasses import dataclass
from decimal import Decimal

from lindorm_import.api.spec import Budget, Capacity, Job, LoadMethod
from lindorm_import.domain.observed import TableSeen
from lindorm_import.plan.cluster import NODE_TYPE, Cluster, size_cluster
from lindorm_import.plan.files import MAX_OBJECTS, UNKNOWN_ROWS_INTERVAL, files_of
from lindorm_import.plan.items import KB, Load, load_of, number_bytes, write_units_per_item
from lindorm_import.plan.prices import Prices, PricesError
from lindorm_import.plan.rates import (
    NEW_ON_DEMAND_TABLE,
    NEW_ON_DEMAND_TABLE_READS,
    TABLE_QUOTA,
    Quota,
    mode_of,
    needed_rate,
    quotas,
    rate_limit,
)
from lindorm_import.plan.ways import Setting, Way, cents, chosen, recommend, ways

__all__ = [
    "MAX_OBJECTS",
    "NEW_ON_DEMAND_TABLE",
    "NEW_ON_DEMAND_TABLE_READS",
    "NODE_TYPE",
    "TABLE_QUOTA",
    "UNKNOWN_ROWS_INTERVAL",
    "Load",
    "Plan",
    "Prices",
    "PricesError",
    "Quota",
    "Way",
    "load_of",
    "make_plan",
    "mode_of",
    "number_bytes",
    "rate_limit",
    "size_cluster",
    "write_units_per_item",
    "wrong_figure",
]

HOURS = (1, 4, 8, 24)
ITEM_OVERHEAD = 100  # bytes that storage adds to each item, in the table and in each index (AWS: item sizes)
GIB = 1024**3


@dataclass(frozen=True)
class Plan:
    """What an import will take, as the spec has it, and what else it could take.

    way: the spec's own; needed: hours -> write units a second of the table; checkpoint_seconds: between checkpoints,
    where it goes through files; storage_gib: table and indexes.
    """

    load: Load
    way: Way
    ways: tuple[Way, ...]
    recommended: str
    why: str
    needed: dict[int, int]
    quotas: tuple[Quota, ...]
    cluster: Cluster
    checkpoint_seconds: int | None
    storage_gib: Decimal
    storage_usd_month: Decimal
    prices: Prices

    @property
    def rows(self) -> int:
        return self.load.rows

    @property
    def write_units(self) -> int:
        return self.load.write_units

    @property
    def rate(self) -> int:
        return self.way.rate

    @property
    def seconds(self) -> int:
        return self.way.seconds

    @property
    def cost_usd(self) -> Decimal:
        """DynamoDB's part."""
        return self.way.cost_usd

    @property
    def total_usd(self) -> Decimal:
        """With the cluster and S3: what the budget is compared with."""
        return self.way.total_usd


def make_plan(
    load: Load,
    capacity: Capacity,
    prices: Prices,
    table: TableSeen | None = None,
    job: Job | None = None,
    rows_per_second: int | None = None,
    budget: Budget | None = None,
    method: LoadMethod = "BatchWrite",
) -> Plan:
    """The plan for a load. table: the target as it is, None where it is not known (then a new one is assumed);
    rows_per_second: the limit on reading the source."""
    job = job or Job()
    setting = Setting(load, job, prices, rows_per_second)
    own, open_ways = chosen(setting, capacity, table, method), ways(setting, capacity, table)
    name, why = recommend(open_ways, budget or Budget())
    stored = load.rows * (load.item_bytes + ITEM_OVERHEAD) if load.rows else 0
    for index in load.indexes:
        entries = load.rows if index.units_per_item else 0
        stored += entries * (index.item_bytes + ITEM_OVERHEAD)
    return Plan(
        load=load,
        way=own,
        ways=open_ways,
        recommended=name,
        why=why,
        needed={hours: needed_rate(load, hours) for hours in HOURS},
        quotas=quotas(load, capacity, table) if method == "BatchWrite" else (),
        cluster=size_cluster(own.rows_per_second, job),
        checkpoint_seconds=(
            round(files_of(load, job, rows_per_second).interval.total_seconds()) if method != "BatchWrite" else None
        ),
        storage_gib=(Decimal(stored) / GIB).quantize(Decimal("0.1")),
        storage_usd_month=cents(Decimal(stored) / GIB * prices.storage_gb_month),
        prices=prices,
    )


def wrong_figure(item_bytes: int) -> str | None:
    """One line on the figure in circulation; None where an item fills its kilobyte."""
    if not 0 < item_bytes <= KB // 2:
        return None
    return (
        f"'{KB / item_bytes:.1f} records per WCU' ({KB} / {item_bytes} bytes) is wrong: DynamoDB rounds each item up "
        f"to 1 KB and BatchWriteItem merges nothing, so an item of {item_bytes} bytes costs 1 write unit in any batch"
    )
