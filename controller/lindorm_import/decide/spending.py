"""What the import has cost so far, in the plan's terms, as it was really used and really stood.

On demand: the write units that the job says were consumed, at least those of the acknowledged items. Provisioned: the
units that the table had, for as long as it had them, used or not: also while the import is prepared, suspended or
waits, and until its capacity is released; of an existing table only what is above its own. Warming: once, what was
added. The cluster: while the job's pods stand.
"""

from decimal import Decimal

from lindorm_import import plan
from lindorm_import.api.modes import is_provisioned
from lindorm_import.api.status import Spending
from lindorm_import.decide.passes import Pass
from lindorm_import.decide.throttling import grown
from lindorm_import.domain.observed import DeploymentSeen, TableSeen
from lindorm_import.plan.cluster import s3_cost
from lindorm_import.plan.files import GB
from lindorm_import.plan.status import load_from
from lindorm_import.plan.ways import cents

# What merely stands is counted once a minute, so that an import at rest is not written at every look.
_GRAIN = 60.0


def spend(p: Pass, *, at_rest: bool = False) -> None:
    """Brings status.spending up to now. at_rest: nothing else of the status changes, so do it rarely."""
    table = p.seen.table if isinstance(p.seen.table, TableSeen) and p.seen.table.exists else None
    if table is None and is_provisioned(p.spec.target.table_capacity.mode):
        return  # not seen: counted by the next look
    before = p.status.spending or Spending(observed_at=p.now)
    elapsed = p.since(before.observed_at).total_seconds()
    if at_rest and p.status.spending and elapsed < _GRAIN:
        return
    counter = p.seen.job.write_units if p.seen.job else None
    standing, units = before.provisioned_unit_seconds, before.write_units
    if table and is_provisioned(table.settings.mode):
        standing += round(_standing(p, table) * elapsed)
    else:
        if counter is not None and before.job_write_units is not None:
            units += grown(before.job_write_units, counter)
        elif counter is not None:  # all of it since the start, of which the items have been counted already
            units = max(units, counter)
        if standing == 0 and not p.spec.target.load.from_files:  # on demand from the first item on
            units = max(units, _written(p, table))
    now = Spending(
        write_units=units,
        provisioned_unit_seconds=standing,
        warmed_from=before.warmed_from or _ready(p, table),
        warmed_units=max(before.warmed_units, _warmed(p, table, before.warmed_from)),
        loaded_bytes=_loaded(p),
        job_seconds=before.job_seconds + (round(elapsed) if _pods_stand(p) else 0),
        job_write_units=before.job_write_units if counter is None else counter,
        observed_at=max(p.now, before.observed_at),
    )
    table_usd = _table(p, now)
    cost = {"table_usd": str(cents(table_usd)), "cost_usd": str(cents(table_usd + _cluster(p, now)))}
    p.update(spending=now.model_copy(update=cost))


def _table(p: Pass, spent: Spending) -> Decimal:
    prices = p.settings.prices
    cost = spent.write_units * prices.on_demand_write_per_million / 1_000_000
    cost += Decimal(spent.provisioned_unit_seconds) / 3600 * prices.provisioned_write_unit_hour
    return cost + spent.warmed_units * prices.warm_write_unit + load_cost(p, spent.loaded_bytes)


def load_cost(p: Pass, text_bytes: int) -> Decimal:
    """What loading so many bytes costs; 0 where the prices file has no figure."""
    prices = p.settings.prices
    price = prices.import_gb if p.spec.target.load.method == "ImportTable" else prices.bulk_put_gb
    return Decimal(text_bytes) / GB * (price or 0)


def _loaded(p: Pass) -> int:
    """All that has been read by loads that have ended, and all that the one that runs is going to read: it is billed
    even where it fails."""
    load = p.status.load
    if load is None:
        return 0
    running = load.intended_at is not None and load.ended_at is None
    return load.billed_bytes + (load.bytes_ or 0 if running else 0)


def _cluster(p: Pass, spent: Spending) -> Decimal:
    if p.status.plan is None:
        return Decimal(0)
    job = p.spec.job.model_copy(update={"parallelism": p.status.plan.parallelism})
    size, seconds = plan.size_cluster(1, job), spent.job_seconds
    return size.cost(seconds, p.settings.prices) + s3_cost(seconds, size.parallelism, job, p.settings.prices)


def _pods_stand(p: Pass) -> bool:
    deployment = p.seen.deployment
    return isinstance(deployment, DeploymentSeen) and deployment.exists and not deployment.stopped


def _written(p: Pass, table: TableSeen | None) -> int:
    """What the acknowledged items cost at least."""
    items = p.status.progress.items_written if p.status.progress else 0
    load = load_from(p.status.plan, table, items) if p.status.plan else None
    return load.write_units if load else items


def _standing(p: Pass, table: TableSeen) -> int:
    """Provisioned write units that stand because of this import; of a table that it made, those of its indexes too."""
    entry = p.status.resource("Table")
    units = table.settings.write_units or 0
    if entry is None or entry.origin == "Created":
        return units + sum(index.write_units or 0 for index in table.indexes)
    if not entry.holds:  # nothing of it has been changed, or by another import
        return 0
    assert entry.before is not None
    own = entry.before.write_units if is_provisioned(entry.before.mode) else 0
    return max(0, units - (own or 0))


def _ready(p: Pass, table: TableSeen | None) -> int | None:
    """What the table took at once before this import."""
    entry = p.status.resource("Table")
    if table is None or entry is None:
        return None
    return plan.NEW_ON_DEMAND_TABLE if entry.origin == "Created" else table.warm_writes


def _warmed(p: Pass, table: TableSeen | None, before: int | None) -> int:
    """A table that is used grows by itself, for nothing: only what was asked for is paid."""
    wanted = p.spec.target.table_capacity
    if not wanted.warm or wanted.write_units is None or table is None or table.warm_writes is None:
        return 0
    ready = before or _ready(p, table) or 0
    return max(0, min(wanted.write_units, table.warm_writes) - ready)
