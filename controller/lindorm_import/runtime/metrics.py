"""Prometheus metrics (docs/metrics.md). Per import they are read from the status at each scrape, so none is stale.

Thread-safe: passes record from their threads while the server collects.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Lock

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector

from lindorm_import.api.status import CAUSES, ImportStatus

_IMPORT = ["import_namespace", "import_name"]
_TRUTHS = ("True", "False", "Unknown")
_BUCKETS = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)

Key = tuple[str, str]


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Metrics:
    """One controller's metrics. now is a parameter so that tests own the clock."""

    def __init__(self, now: Callable[[], datetime] = _utc_now) -> None:
        self.registry = CollectorRegistry()
        self._now = now
        self._lock = Lock()
        self._imports: dict[Key, ImportStatus] = {}
        self._running: dict[object, float] = {}
        self._passes = Counter("lindorm_import_reconcile", "Passes, by result.", ["result"], registry=self.registry)
        self._errors = Counter(
            "lindorm_import_reconcile_errors",
            "Passes that did not come through, by reason.",
            ["reason"],
            registry=self.registry,
        )
        self._durations = Histogram(
            "lindorm_import_reconcile_duration_seconds",
            "Duration of a pass.",
            buckets=_BUCKETS,
            registry=self.registry,
        )
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self.registry.register(self)

    @contextmanager
    def timed_pass(self) -> Iterator[None]:
        """Around a pass: its duration, and that it runs."""
        token, started = object(), time.monotonic()
        with self._lock:
            self._running[token] = started
        try:
            yield
        finally:
            with self._lock:
                del self._running[token]
            self._durations.observe(time.monotonic() - started)

    def count(self, result: str, reason: str | None = None) -> None:
        """A pass has ended. reason: why it did not come through."""
        self._passes.labels(result).inc()
        if reason:
            self._errors.labels(reason).inc()

    def record(self, namespace: str, name: str, status: ImportStatus) -> None:
        """The status of an import as of now."""
        with self._lock:
            self._imports[namespace, name] = status

    def forget(self, namespace: str, name: str) -> None:
        """The import is gone."""
        with self._lock:
            self._imports.pop((namespace, name), None)

    def longest_pass(self) -> float:
        """Seconds that the oldest of the running passes has run; 0 when none runs."""
        with self._lock:
            return time.monotonic() - min(self._running.values()) if self._running else 0.0

    def collect(self) -> Iterator[Metric]:
        """What the registry asks for at each scrape."""
        with self._lock:
            imports, running = dict(self._imports), len(self._running)
        yield GaugeMetricFamily("lindorm_import_reconcile_running", "Passes that run now.", value=running)
        families = _families()
        for key, status in sorted(imports.items()):
            _add(families, list(key), status, self._now())
        yield from families.values()


def _families() -> dict[str, GaugeMetricFamily]:
    described = {
        "rows_read": "Rows read from Lindorm.",
        "items_written": "Items acknowledged by DynamoDB as of the last checkpoint.",
        "items_rejected": "Rows that cannot be items.",
        "progress_ratio": "Rows read of rows planned.",
        "rows_per_second": "Rows read a second.",
        "eta_seconds": "Seconds until the last row is read.",
        "write_units_consumed_per_second": "DynamoDB write units consumed a second.",
        "job_restarts": "Times Flink restarted the job.",
        "job_attempts": "Times the job was submitted.",
        "checkpoint_age_seconds": "Age of the last completed checkpoint.",
        "cost_usd": "What the table's write capacity has cost so far.",
    }
    families = {
        name: GaugeMetricFamily(f"lindorm_import_{name}", words, labels=_IMPORT) for name, words in described.items()
    }
    families["throttled_events_per_minute"] = GaugeMetricFamily(
        "lindorm_import_throttled_events_per_minute", "Throttled writes a minute.", labels=[*_IMPORT, "cause"]
    )
    families["condition"] = GaugeMetricFamily(
        "lindorm_import_condition", "1 for the status that the condition has.", labels=[*_IMPORT, "type", "status"]
    )
    return families


def _add(families: dict[str, GaugeMetricFamily], labels: list[str], status: ImportStatus, now: datetime) -> None:
    def gauge(name: str, value: float | None, *more: str) -> None:
        if value is not None:
            families[name].add_metric([*labels, *more], value)

    if progress := status.progress:
        gauge("rows_read", progress.rows_read)
        gauge("items_written", progress.items_written)
        gauge("items_rejected", progress.items_rejected)
        gauge("progress_ratio", None if progress.percent is None else progress.percent / 100)
        gauge("rows_per_second", progress.rows_per_second)
        if end := progress.estimated_completion_time:
            gauge("eta_seconds", max(0.0, (end - now).total_seconds()))
    if throttling := status.throttling:
        gauge("write_units_consumed_per_second", throttling.consumed_write_units)
        for cause in CAUSES:
            gauge("throttled_events_per_minute", throttling.events_per_minute * (cause == throttling.cause), cause)
    if job := status.job:
        gauge("job_restarts", job.restarts)
        gauge("job_attempts", job.attempts)
        if job.last_checkpoint_time and status.run and status.run.completion_time is None:
            gauge("checkpoint_age_seconds", max(0.0, (now - job.last_checkpoint_time).total_seconds()))
    if status.spending:
        gauge("cost_usd", float(status.spending.cost_usd))
    for condition in status.conditions:
        for truth in _TRUTHS:
            gauge("condition", float(condition.status == truth), condition.type, truth)
