"""What is shown of an import, in words: read from its status and its FlinkDeployment's. Pure."""

import itertools
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from lindorm_import.adapters.foreign import at, integer, text
from lindorm_import.api.conditions import Condition
from lindorm_import.api.durations import format_duration
from lindorm_import.api.read import read_status
from lindorm_import.api.spec import ImportSpec
from lindorm_import.api.status import ImportStatus, Moment
from lindorm_import.api.text import printable_document
from lindorm_import.decide.passes import RELEASING
from lindorm_import.domain.words import counted

Document = dict[str, Any]

CAUSES = {
    "KeyRange": "a partition key takes more than 1,000/s",
    "Provisioned": "the provisioned capacity is used up",
    "OnDemandMaximum": "the on-demand maximum is reached",
    "Account": "the account's quota is reached",
    "Unknown": "cause not known yet",
}
_BARS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True)
class View:
    """One look at an import."""

    name: str
    namespace: str
    spec: ImportSpec
    status: ImportStatus
    deleting: bool
    now: datetime
    cluster: str

    @classmethod
    def of(cls, resource: Document, flink: Document | None, now: datetime) -> "View":
        meta = resource["metadata"]
        return cls(
            name=meta["name"],
            namespace=meta["namespace"],
            spec=ImportSpec.model_validate(resource["spec"]),
            status=read_status(printable_document(resource.get("status"))).status,
            deleting="deletionTimestamp" in meta,
            now=now,
            cluster=cluster_state(flink),
        )

    def condition(self, type_: str) -> Condition | None:
        return next((c for c in self.status.conditions if c.type == type_), None)

    def is_true(self, type_: str) -> bool:
        found = self.condition(type_)
        return found is not None and found.status == "True"

    @property
    def ended(self) -> bool:
        return self.is_true("Complete") or self.is_true("Failed")

    @property
    def unreleased(self) -> str | None:
        """Of an import that has ended: what of it still costs money; None when nothing does."""
        found = self.condition("Released")
        return found.message if self.ended and found and found.status == "False" else None

    @property
    def at_rest(self) -> bool:
        """It has ended, and all is given back; or that is hindered, which may last."""
        found = self.condition("Released")
        return self.ended and (self.unreleased is None or (found is not None and found.reason != RELEASING))

    @property
    def summary(self) -> str:
        return "Deleting" if self.deleting else self.status.summary or "Pending"

    @property
    def message(self) -> str:
        ready = self.condition("Ready")
        return ready.message if ready else "the controller has not seen it yet (is it running?)"

    @property
    def percent(self) -> int | None:
        return self.status.progress.percent if self.status.progress else None

    @property
    def started(self) -> datetime | None:
        return self.status.run.start_time if self.status.run else None

    @property
    def elapsed(self) -> timedelta | None:
        ended = self.status.run.completion_time if self.status.run else None
        return max(timedelta(0), (ended or self.now) - self.started) if self.started else None  # clocks may differ

    @property
    def eta(self) -> str:
        eta = self.status.progress.estimated_completion_time if self.status.progress else None
        if eta is None or self.ended:
            return ""
        return f"{eta:%H:%M:%S} UTC (in {format_duration((eta - self.now).total_seconds())})"

    @property
    def rows_in_range(self) -> str:
        planned = self.status.plan
        if planned is None or planned.rows is None:
            return "an unknown number"
        about = "" if planned.rows_error_percent is None else "about "
        return f"{about}{planned.rows:,}"

    @property
    def capacity(self) -> int | None:
        """Write units a second that the table takes, as planned."""
        return self.status.plan.write_units_per_second if self.status.plan else None

    @property
    def write_units(self) -> str:
        consumed = self.status.throttling.consumed_write_units if self.status.throttling else 0
        if not self.capacity:
            return f"{consumed:,}/s consumed"
        return f"{consumed:,}/s of {self.capacity:,} ({consumed * 100 // self.capacity} %)"

    @property
    def throttled(self) -> str:
        seen = self.status.throttling
        if seen is None or not seen.events:
            return "none"
        text = f"{seen.events:,} writes, {seen.events_per_minute:,} in the last minute"
        return f"{text}: {CAUSES[seen.cause]}" if seen.cause and seen.events_per_minute else text

    @property
    def files(self) -> str | None:
        """Where the items go through files: what is in them, and what DynamoDB has loaded of it, as far as it tells."""
        load = self.status.load
        if load is None or load.items is None:
            return None
        text = f"{counted(load.items, 'item')} in {counted(load.objects or 0, 'file')}, {load.bytes_ or 0:,} bytes"
        if load.done:
            return f"{text}, all loaded"
        if load.started_at is None:
            return f"{text}; loading has not begun"
        since = format_duration(max(0.0, (self.now - load.started_at).total_seconds()))
        done = f"{load.loaded_items:,} loaded" if load.method == "BulkPut" else "no counts before the end"
        again = f", attempt {load.attempts}" if load.attempts > 1 else ""
        return f"{text}; loading for {since}{again}: {done}"

    @property
    def cost(self) -> str:
        """Spent so far, and what was planned."""
        spent, planned = self.status.spending, self.status.plan
        if spent is None:
            return "nothing yet"
        of = f" of ${planned.total_usd} planned" if planned and planned.total_usd else ""
        return f"${spent.cost_usd}{of} (DynamoDB ${spent.table_usd}, the rest cluster and S3)"

    @property
    def checkpoint(self) -> str:
        at = self.status.job.last_checkpoint_time if self.status.job else None
        return f"{format_duration((self.now - at).total_seconds())} old" if at else "none yet"

    @property
    def restarts(self) -> str:
        job = self.status.job
        if job is None:
            return "0"
        again = f", submitted {job.attempts} times" if job.attempts > 1 else ""
        failure = f": {job.failure}" if job.failure and (job.restarts or job.attempts > 1) else ""
        return f"{job.restarts}{again}{failure}"


def cluster_state(flink: Document | None) -> str:
    """'DEPLOYED, JobManager READY, 2 TaskManagers' from the FlinkDeployment's status."""
    if flink is None:
        return "no FlinkDeployment"
    status = flink.get("status")
    managers = integer(at(status, "taskManager", "replicas"))
    parts = [
        text(at(status, "lifecycleState"), 100) or "not seen by the Flink operator yet",
        f"JobManager {text(at(status, 'jobManagerDeploymentStatus'), 100) or 'MISSING'}",
        "TaskManagers unknown" if managers is None else counted(managers, "TaskManager"),
    ]
    return ", ".join(parts)


# Flink gathers its metrics every ten seconds; finer steps would show that and not the job (Flink's documentation,
# metrics.fetcher.update-interval).
_FINEST = 10.0
_STEPS = 60


def rates(history: tuple[Moment, ...], start: datetime | None) -> list[tuple[datetime, float, float]]:
    """(end of the interval, rows a second, items a second), in steps that are fit to be looked at."""
    if not history:
        return []
    points = [(start, 0, 0)] if start and start < history[0].at else []
    points += [(m.at, m.rows_read, m.items_written) for m in history]
    finest = max(_FINEST, (points[-1][0] - points[0][0]).total_seconds() / _STEPS)
    edges = points[:1]
    for point in points[1:]:
        if (point[0] - edges[-1][0]).total_seconds() >= finest:
            edges.append(point)
    if len(edges) > 1:
        edges.pop()  # the last step takes what is left over: a short one of its own would be noise
    edges.append(points[-1])
    return [
        (at, (more_rows - rows) / seconds, (more_items - items) / seconds)
        for (before, rows, items), (at, more_rows, more_items) in itertools.pairwise(edges)
        if (seconds := (at - before).total_seconds()) > 0
    ]


def sparkline(values: list[float], width: int = 40) -> str:
    """The last values as bars of text."""
    shown = values[-width:]
    top = max(shown, default=0)
    if top <= 0:
        return ""
    return "".join(_BARS[min(len(_BARS) - 1, int(v / top * (len(_BARS) - 1) + 0.5))] for v in shown)
