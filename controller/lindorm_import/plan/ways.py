"""The ways to pay for the writes, side by side, and which one to take. Pure.

On demand pays for write units, whatever the time; provisioned pays for the hours that the capacity stands, an hour
at least (AWS: pricing pages of both modes: "you pay a flat, hourly rate based on the capacity you provision");
warm throughput is paid once for what is added
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/warm-throughput.html).
"""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from lindorm_import.api.durations import format_duration, parse_duration
from lindorm_import.api.modes import is_provisioned
from lindorm_import.api.spec import Budget, Capacity, Job, LoadMethod
from lindorm_import.domain.observed import TableSeen
from lindorm_import.plan.cluster import s3_cost, size_cluster
from lindorm_import.plan.files import BULK_TIME_UNKNOWN, IMPORT_TIME_UNKNOWN, files_of
from lindorm_import.plan.items import Load
from lindorm_import.plan.prices import Prices
from lindorm_import.plan.rates import TABLE_QUOTA, mode_of, rate_limit, ready_units, seconds_at

CENT = Decimal("0.01")
USE = (100, 90, 80, 70)  # percent of provisioned capacity that the import really uses
USE_NOTES = {100: "; the floor: only evenly spread keys use all of it", 90: "; with room for a hot key"}
ON_DEMAND, WARM = "on-demand", "on-demand-warm"
IMPORT_TABLE, BULK_PUT = "import-table", "bulk-put"


@dataclass(frozen=True)
class Way:
    """One way. cost_usd: DynamoDB's part (writes and warming, or the import); cluster_usd: EMR, EKS, EC2 and S3 for its
    time; rate: write units a second that the table takes, 0 where the way takes none; rows_per_second: at which the job
    reads; method: spec.target.load.method; unknown: what of its time is not known, and so not in seconds."""

    name: str
    cost_usd: Decimal
    cluster_usd: Decimal
    seconds: int
    rate: int
    note: str
    rows_per_second: int
    method: LoadMethod = "BatchWrite"
    unknown: str = ""

    @property
    def total_usd(self) -> Decimal:
        return self.cost_usd + self.cluster_usd


@dataclass(frozen=True)
class Setting:
    """What all ways of one plan share."""

    load: Load
    job: Job
    prices: Prices
    rows_per_second: int | None = None

    def way(self, name: str, rate: int, cost: Decimal, seconds: int, note: str) -> Way:
        rows = rows_rate(self.load, rate, self.rows_per_second)
        return Way(name, cents(cost), cents(self.cluster(rows, seconds)), seconds, rate, note, rows)

    def seconds(self, rate: int) -> int:
        return seconds_at(self.load, rate, self.rows_per_second)

    def cluster(self, rows: int, seconds: int) -> Decimal:
        """What the pods cost that read so many rows a second, for that time."""
        size = size_cluster(rows, self.job)
        return size.cost(seconds, self.prices) + s3_cost(seconds, size.parallelism, self.job, self.prices)


def cents(cost: Decimal) -> Decimal:
    return cost.quantize(CENT)


def rows_rate(load: Load, rate: int, rows_per_second: int | None) -> int:
    """Rows a second that this many write units a second of the table are."""
    rows = int(rate / load.table_units_per_item)
    return max(1, min(rows, rows_per_second) if rows_per_second else rows)


def on_demand_cost(load: Load, prices: Prices) -> Decimal:
    return load.write_units * prices.on_demand_write_per_million / 1_000_000


def provisioned_cost(setting: Setting, rate: int, seconds: int, table: TableSeen | None) -> Decimal:
    """rate: the table's. What an existing table and its indexes have anyway is not the import's cost; a global index
    that has no capacity of its own yet is given its share."""
    load = setting.load
    own = (table.settings.write_units or 0) if table and table.exists and is_provisioned(table.settings.mode) else 0
    indexes = sum(
        (rate * i.units_per_item / load.table_units_per_item for i in load.global_indexes if i.provisioned is None),
        Fraction(0),
    )
    units = max(0, rate - own) + _decimal(indexes)
    return units * max(Decimal(seconds), Decimal(3600)) / 3600 * setting.prices.provisioned_write_unit_hour


def warm_cost(load: Load, rate: int, ready: int, prices: Prices) -> Decimal:
    """Once, for the table and each global index that takes part in the writes."""
    added = max(0, rate - ready)
    return added * (1 + len(load.global_indexes)) * prices.warm_write_unit


def _decimal(value: Fraction) -> Decimal:
    return Decimal(value.numerator) / Decimal(value.denominator)


def ways(setting: Setting, capacity: Capacity, table: TableSeen | None) -> tuple[Way, ...]:
    """All ways that are open, at the wanted rate: an existing table keeps its mode, a new one has the choice."""
    wanted = max(rate_limit(capacity, table), capacity.write_units or 0)
    existing = table.settings.mode if table and table.exists else None
    out: list[Way] = []
    if existing is None or not is_provisioned(existing):
        out += _on_demand(setting, wanted, ready_units(table))
    if existing is None or is_provisioned(existing):
        out += _provisioned(setting, wanted, table)
    if existing is None and setting.prices.import_gb is not None:  # ImportTable makes the table
        out.append(through_files(setting, "ImportTable"))
    if existing is not None and setting.prices.bulk_put_gb is not None:
        out.append(through_files(setting, "BulkPut"))
    return tuple(out)


def through_files(setting: Setting, method: LoadMethod) -> Way:
    """The way of a method that loads files. One without a price costs what its files cost, and says so."""
    prices, load = setting.prices, setting.load
    name, price, unknown = {
        "ImportTable": (IMPORT_TABLE, prices.import_gb, IMPORT_TIME_UNKNOWN),
        "BulkPut": (BULK_PUT, prices.bulk_put_gb, BULK_TIME_UNKNOWN),
    }[method]
    files = files_of(load, setting.job, setting.rows_per_second)
    puts = files.objects * prices.s3_put_per_thousand / 1000
    cost, cluster = files.gigabytes * (price or 0), setting.cluster(files.rows_per_second, files.seconds) + puts
    told = "an unknown price" if price is None else f"${price}"
    note = (
        f"{files.gigabytes.quantize(Decimal('0.1')):,} GB in {files.objects:,} files at {told} a GB, indexes "
        f"included; the time is that of writing the files, with {files.rows_per_second:,} rows/s read from Lindorm "
        "(source.maxRowsPerSecond protects it)"
    )
    seconds, rows = files.seconds, files.rows_per_second
    return Way(name, cents(cost), cents(cluster), seconds, 0, note, rows, method, unknown)


def _on_demand(setting: Setting, wanted: int, ready: int) -> list[Way]:
    load, prices = setting.load, setting.prices
    cost, cold = on_demand_cost(load, prices), min(wanted, ready)
    note = f"{load.write_units:,} write units at ${prices.on_demand_write_per_million} a million"
    if wanted > ready:
        note += f"; an unwarmed table starts at {ready:,}/s (it grows by itself, so this time is the longest)"
    out = [setting.way(ON_DEMAND, cold, cost, setting.seconds(cold), note)]
    if wanted > ready:
        extra = warm_cost(load, wanted, ready, prices)
        note = f"the same, and ${cents(extra)} once for warming from {ready:,} to {wanted:,}/s, which stays"
        out.append(setting.way(WARM, wanted, cost + extra, setting.seconds(wanted), note))
    return out


def _provisioned(setting: Setting, rate: int, table: TableSeen | None) -> list[Way]:
    out, prices = [], setting.prices
    for use in USE:
        seconds = setting.seconds(max(1, rate * use // 100))
        cost = provisioned_cost(setting, rate, seconds, table)
        hours = format_duration(max(seconds, 3600))
        note = (
            f"{rate:,}/s for {hours} at ${prices.provisioned_write_unit_hour} a unit and hour{USE_NOTES.get(use, '')}"
        )
        note += "; an hour is the minimum charge" if seconds < 3600 else ""
        note += "; what the table has anyway is not counted" if table and table.exists else ""
        out.append(setting.way(provisioned_name(use), rate, cost, seconds, note))
    return out


def provisioned_name(use: int) -> str:
    return f"provisioned-{use}"


def chosen(setting: Setting, capacity: Capacity, table: TableSeen | None, method: LoadMethod) -> Way:
    """The way that the spec takes, at the rate that the table will take."""
    if method != "BatchWrite":
        return through_files(setting, method)
    load, prices, rate = setting.load, setting.prices, rate_limit(capacity, table)
    seconds = setting.seconds(rate)
    if is_provisioned(mode_of(capacity, table)):
        note = "auto scaling needs minutes to climb to its maximum" if capacity.autoscaling else ""
        cost = provisioned_cost(setting, rate, seconds, table) if load.rows else Decimal(0)
        return setting.way(provisioned_name(100), rate, cost, seconds, note)
    cost, ready = on_demand_cost(load, prices), ready_units(table)
    if capacity.warm and rate > ready:
        return setting.way(WARM, rate, cost + warm_cost(load, rate, ready, prices), seconds, "")
    return setting.way(ON_DEMAND, rate, cost, seconds, "")


def recommend(open_ways: tuple[Way, ...], budget: Budget) -> tuple[str, str]:
    """Name of the way to take, and why. Provisioned is planned with 90 % of use: 100 % needs luck. A way whose time is
    not known keeps no limit of time."""
    realistic = [w for w in open_ways if w.name != provisioned_name(100)]
    limit = parse_duration(budget.max_duration).total_seconds() if budget.max_duration else None
    fitting = [w for w in realistic if w.rate <= TABLE_QUOTA]
    if limit is not None:
        fitting = [w for w in fitting if w.seconds <= limit and not w.unknown]
    if budget.cost is not None:
        fitting = [w for w in fitting if w.total_usd <= budget.cost]
    best = min(fitting or realistic, key=lambda w: (w.total_usd, w.seconds))
    why = f"cheapest with the cluster: ${best.total_usd} for {format_duration(best.seconds)}"
    if best.name.startswith("provisioned"):
        dearer = next((w for w in open_ways if w.name in (WARM, ON_DEMAND) and w.rate == best.rate), None)
        why += f", against ${dearer.total_usd} {dearer.name} at the same rate" if dearer else ""
        why += "; lower the capacity, or go on demand, as soon as the import has ended"
    if best.unknown:
        why = (
            f"cheapest with the cluster: ${best.total_usd} and {format_duration(best.seconds)} for the files (set "
            f"target.load.method {best.method}); {best.unknown}"
        )
    if not fitting:
        why = f"no option stays within the quota of {TABLE_QUOTA:,} and the budget; of those that do not: " + why
    elif len(fitting) < len(realistic):
        why += f" ({len(realistic) - len(fitting)} options left out: over the table's quota or over the budget)"
    return best.name, why
