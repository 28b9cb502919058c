"""What the import has cost so far: DynamoDB's write capacity, as it was really used and really stood.

On demand: the write units that the job says were consumed, at least one item's for each acknowledged item. Provisioned:
the units that the table had, for as long as it had them, used or not: also while the import is prepared, suspended or
waits, and until its capacity is released; of an existing table only what is above its own. Prices come with the plan's.
"""

from decimal import Decimal

from controller.api.status import Spending
from controller.decide.passes import Pass
from controller.decide.throttling import grown
from controller.observed import TableSeen
from controller.plan import Prices
from controller.plan.status import load_from

# A standing table is counted once a minute, so that an import at rest is not written at every look.
_GRAIN = 60.0


def spend(p: Pass, *, at_rest: bool = False) -> None:
    """Brings status.spending up to now. at_rest: nothing else of the status changes, so do it rarely."""
    table = p.seen.table if isinstance(p.seen.table, TableSeen) and p.seen.table.exists else None
    mode = table.settings.mode if table else p.spec.target.capacity.mode or "OnDemand"
    if table is None and mode == "Provisioned":
        return  # not seen: counted by the next look
    before = p.status.spending or Spending(observed_at=p.now)
    elapsed = (p.now - before.observed_at).total_seconds()
    if at_rest and p.status.spending and elapsed < _GRAIN:
        return
    counter = p.seen.job.write_units if p.seen.job else None
    unit_seconds, units = before.provisioned_unit_seconds, before.write_units
    if table and mode == "Provisioned":
        unit_seconds += round(_standing(p, table) * elapsed)
    else:
        if counter is not None:
            units += grown(before.job_write_units, counter)
        if unit_seconds == 0:  # on demand from the first item on
            units = max(units, _written(p))
    p.update(
        spending=Spending(
            write_units=units,
            provisioned_unit_seconds=unit_seconds,
            cost_usd=str(_cost(units, unit_seconds, p.settings.prices)),
            job_write_units=before.job_write_units if counter is None else counter,
            observed_at=p.now,
        )
    )


def _cost(units: int, unit_seconds: int, prices: Prices) -> Decimal:
    cost = units * prices.on_demand_write_per_million / 1_000_000
    cost += Decimal(unit_seconds) / 3600 * prices.provisioned_write_unit_hour
    return cost.quantize(Decimal("0.01"))


def _written(p: Pass) -> int:
    """What the acknowledged items cost at least."""
    items = p.status.progress.items_written if p.status.progress else 0
    load = load_from(p.status.plan, None, items) if p.status.plan else None
    return load.write_units if load else items


def _standing(p: Pass, table: TableSeen) -> int:
    """Provisioned write units that stand because of this import."""
    entry = p.status.resource("Table")
    units = table.settings.write_units or 0
    if entry is None or entry.origin == "Created":
        return units
    if entry.before is None:  # nothing of it has been changed
        return 0
    own = entry.before.write_units if entry.before.mode == "Provisioned" else 0
    return max(0, units - (own or 0))
