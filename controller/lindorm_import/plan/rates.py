"""How many write units a second the table takes, and which limits stand in the way. Pure.

Sources: on-demand-capacity-mode.html and ServiceQuotas.html of
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/. A new on-demand table takes 4,000 write units a
second until it is warmed; a
table's default quota is 40,000 in both modes; one partition takes 1,000; with provisioned capacity, an account's
default quota is 80,000 and a global index has capacity of its own, for want of which it throttles the table.
"""

import math
from dataclasses import dataclass
from fractions import Fraction

from lindorm_import.api.modes import CapacityMode, is_provisioned
from lindorm_import.api.spec import Capacity
from lindorm_import.domain.observed import TableSeen
from lindorm_import.plan.items import IndexLoad, Load

NEW_ON_DEMAND_TABLE = 4_000
NEW_ON_DEMAND_TABLE_READS = 12_000
TABLE_QUOTA = 40_000
ACCOUNT_QUOTA = 80_000
PARTITION = 1_000


@dataclass(frozen=True)
class Quota:
    """A limit that the import meets. exceeded: it stands in the way as planned; message: what to do about it."""

    name: str
    write_units_per_second: int
    exceeded: bool
    message: str


def mode_of(capacity: Capacity, table: TableSeen | None) -> CapacityMode:
    """The mode during the import: an existing table keeps its own."""
    if capacity.mode:
        return capacity.mode
    return table.settings.mode if table and table.exists else "OnDemand"


def ready_units(table: TableSeen | None) -> int:
    """What an on-demand table takes at once, before anybody warms it."""
    warm = table.warm_writes if table and table.exists else None
    return max(NEW_ON_DEMAND_TABLE, warm or 0)


def rate_limit(capacity: Capacity, table: TableSeen | None = None) -> int:
    """Write units a second that the table takes, as spec and table have it. At least 1."""
    known = table.settings.write_units if table and table.exists else None
    if is_provisioned(mode_of(capacity, table)):
        ceiling = capacity.autoscaling.max if capacity.autoscaling else 0
        return max(capacity.write_units or known or 1, ceiling)
    cap = capacity.write_units or known
    ready = ready_units(table)
    if cap is None:
        return ready
    return cap if capacity.warm else min(cap, ready)


def needed_rate(load: Load, hours: int) -> int:
    """Write units a second of the table that end the load in this many hours."""
    return math.ceil(load.table_units / (hours * 3600))


def seconds_at(load: Load, rate: int, rows_per_second: int | None = None) -> int:
    """Time for the load at this many write units a second of the table. A provisioned index with less capacity than
    its share holds the table back; so does the limit on reading the source."""
    seconds = math.ceil(load.table_units / rate)
    for index in load.global_indexes:
        if index.provisioned:
            seconds = max(seconds, math.ceil(load.rows * index.units_per_item / index.provisioned))
    if rows_per_second:
        seconds = max(seconds, math.ceil(load.rows / rows_per_second))
    return seconds


def quotas(load: Load, capacity: Capacity, table: TableSeen | None) -> tuple[Quota, ...]:
    """The limits that the wanted rate meets; those that it keeps too, since silence would not tell that they were
    looked at."""
    wanted = (capacity.autoscaling.max if capacity.autoscaling else capacity.write_units) or rate_limit(capacity, table)
    provisioned = is_provisioned(mode_of(capacity, table))
    out = [_default_quota("table (default quota)", TABLE_QUOTA, wanted), _partition_key(wanted)]
    if provisioned:
        total = wanted * (1 + len(load.global_indexes))
        out.append(_default_quota("account, provisioned (default quota)", ACCOUNT_QUOTA, total))
    else:
        out.insert(0, _unwarmed(wanted, capacity, table))
    return (*out, *(_index(i, wanted * i.units_per_item / load.table_units_per_item) for i in load.global_indexes))


def _unwarmed(wanted: int, capacity: Capacity, table: TableSeen | None) -> Quota:
    ready = ready_units(table)
    if wanted <= ready:
        message = "kept"
    elif capacity.warm:
        message = f"lifted by capacity.warm: true, from {ready:,} to {wanted:,}"
    else:
        message = (
            f"set capacity.warm: true to start at {wanted:,}; without it the table grows from {ready:,} by itself, at "
            "most to double its peak within 30 minutes"
        )
    return Quota("on-demand table before warming", ready, wanted > ready and not capacity.warm, message)


def _default_quota(name: str, limit: int, wanted: int) -> Quota:
    ask = f"ask AWS for at least {wanted:,} in Service Quotas, DynamoDB, before the start"
    return Quota(name, limit, wanted > limit, ask if wanted > limit else "kept")


def _partition_key(wanted: int) -> Quota:
    keys = math.ceil(wanted / PARTITION)
    message = (
        f"{wanted:,} a second need at least {keys} partition keys written at the same time; with fewer, set "
        f"target.partitionShards to {keys} or more"
    )
    return Quota("one partition key", PARTITION, False, message if keys > 1 else "kept by any key")


def _index(index: IndexLoad, needed: Fraction) -> Quota:
    limit = index.provisioned or TABLE_QUOTA
    message = (
        f"takes {limit:,} write units a second but needs {math.ceil(needed):,}, and throttles the table: raise it for "
        "the time of the import"
    )
    return Quota(f"index {index.name}", limit, needed > limit, message if needed > limit else "kept")
