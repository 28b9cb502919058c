"""status.plan: what of a plan is kept with the import, and the load read back from it. Pure."""

from decimal import Decimal
from fractions import Fraction

from lindorm_import.api.durations import format_duration, parse_duration
from lindorm_import.api.spec import Budget
from lindorm_import.api.status import PlanIndex, PlanStatus
from lindorm_import.domain.observed import TableSeen
from lindorm_import.plan import Plan
from lindorm_import.plan.items import IndexLoad, Load


def plan_status(made: Plan) -> PlanStatus:
    """What the user sees of the plan, and enough to plan again under another capacity without counting again."""
    load = made.load
    return PlanStatus(
        rows=load.rows,
        rows_error_percent=load.rows_error_percent,
        item_bytes=load.item_bytes,
        line_bytes=load.line_bytes,
        write_units_per_item=_text(load.units_per_item),
        indexes=tuple(
            PlanIndex(name=i.name, write_units_per_item=_text(i.units_per_item), item_bytes=i.item_bytes, local=i.local)
            for i in load.indexes
        ),
        write_units=load.write_units,
        write_units_per_second=made.rate or None,
        duration_seconds=made.seconds,
        cost_usd=str(made.cost_usd),
        total_usd=str(made.total_usd),
        recommended=made.recommended,
        parallelism=made.cluster.parallelism,
        task_managers=made.cluster.task_managers,
        checkpoint_seconds=made.checkpoint_seconds,
        prices_as_of=made.prices.as_of,
    )


def load_from(known: PlanStatus, table: TableSeen | None, rows: int | None = None) -> Load | None:
    """The load that was planned, or of `rows` of its rows; None where it is not known."""
    rows = known.rows if rows is None else rows
    if rows is None or known.write_units_per_item is None:
        return None
    own = {i.name: i.write_units for i in table.indexes} if table else {}
    return Load(
        rows=rows,
        item_bytes=known.item_bytes or 0,
        units_per_item=Fraction(known.write_units_per_item),
        indexes=tuple(
            IndexLoad(i.name, Fraction(i.write_units_per_item), i.item_bytes, i.local, own.get(i.name))
            for i in known.indexes
        ),
        basis="Counted" if known.rows_error_percent is None else "Estimated",
        rows_error_percent=known.rows_error_percent,
        line_bytes=known.line_bytes,
    )


def over_budget(made: Plan, budget: Budget) -> str | None:
    """Why the plan does not fit the budget, and what to change; None where it fits."""
    if budget.cost is not None and made.total_usd > budget.cost:
        over = (
            f"the plan costs ${made.total_usd} (DynamoDB ${made.cost_usd}, cluster and S3 ${made.way.cluster_usd}), "
            f"budget.maxCostUSD is {budget.max_cost_usd}"
        )
    elif budget.max_duration and made.seconds > parse_duration(budget.max_duration).total_seconds():
        over = f"the plan takes {format_duration(made.seconds)}, budget.maxDuration is {budget.max_duration}"
    else:
        return None
    return f"{over}: raise it, or change target.capacity or target.load.method ({made.recommended} would be {made.why})"


def _text(value: Fraction) -> str:
    """'1.25': six decimals of a mean over a sample are more than it is worth."""
    rounded = (Decimal(value.numerator) / Decimal(value.denominator)).quantize(Decimal("0.000001"))
    return f"{rounded.normalize():f}"
