"""Flink's REST API: counts, restarts, checkpoints, the cause of a failure (docs/contracts.md, "What the job shows
while it runs").

A JobManager is a tenant's pod: what it answers is bounded in bytes and time, and believed of this import alone.
"""

import re
import time
from typing import Any
from urllib.parse import quote

import urllib3

from lindorm_import.adapters.bounded import MB, bound
from lindorm_import.adapters.errors import FLINK_ERRORS
from lindorm_import.adapters.foreign import at, count, instant, items, parsed, text
from lindorm_import.domain.observed import JobSeen
from lindorm_import.domain.pods import PodSeen

# Of one answer, and of a whole look, which are about eight of them.
ANSWER_SECONDS, ANSWER_BYTES, LOOK_SECONDS = 5.0, 2 * MB, 10.0
_EACH = urllib3.Timeout(connect=2, read=ANSWER_SECONDS)
_OWN_WORDS = "LindormImport: "
_COUNTS = ("rowsRead", "itemsWritten", "rowsRejected", "writeUnits", "throttled")
_CLOCK = "clock"
_MOST_VERTICES = 20  # the import's job has about five
_WORDS = 1000  # of what is told of a failure
_ADDRESS = 1024 + 100  # S3: User Guide, "Creating object key names"
_NAME = 253  # of an object of Kubernetes
# KubernetesPod.getTerminatedDiagnostics of Flink 1.20: with it a job fails whose TaskManager's pod ended. Flink removes
# such a pod within moments, so that Kubernetes itself can hardly ever be asked.
_POD_ENDED = "Pod terminated, container termination statuses: ["
_CONTAINER = re.compile(
    r"([\w.-]{1,253})\(exitCode=(\d{1,3}), reason=(\w{1,100}), message=(.*?)\)(?=\]|, ?[\w.-]+\(exitCode=)", re.DOTALL
)
_POD_STATUS = re.compile(r"pod status: \w+\(reason=(\w{1,100}), message=(.*?)\)$", re.MULTILINE)
# org.apache.flink.api.common.JobStatus
_STATES = {
    "INITIALIZING", "CREATED", "RUNNING", "FAILING", "FAILED", "CANCELLING", "CANCELED", "FINISHED", "RESTARTING",
    "SUSPENDED", "RECONCILING",
}  # fmt: skip


def look_at_job(base: str, job_id: str) -> JobSeen | None:
    """The job as its JobManager sees it; None while the JobManager does not answer (it may be starting), or answers as
    none does."""
    try:
        with _JobManager(base, job_id) as job:
            return _look(job)
    except FLINK_ERRORS:
        return None


class _Failed(ValueError):  # noqa: N818  (an answer of its own kind)
    """The JobManager answers 500, as it also does for a moment while it starts: one of FLINK_ERRORS."""


class _JobManager:
    """One look's connection. No proxy, no redirects, no second tries."""

    def __init__(self, base: str, job_id: str) -> None:
        self._job = f"{base}/jobs/{quote(job_id, safe='')}"
        self._until = time.monotonic() + LOOK_SECONDS
        self._pools = urllib3.PoolManager(timeout=_EACH, retries=False)
        bound(self._pools, ANSWER_SECONDS, ANSWER_BYTES)

    def get(self, path: str = "", **query: str) -> Any:
        """The JSON of an answer. Raises FLINK_ERRORS, _Failed among them."""
        if time.monotonic() > self._until:
            raise TimeoutError("the JobManager takes too long")
        answer = self._pools.request("GET", self._job + path, fields=query, redirect=False)
        if answer.status == 500:
            raise _Failed
        if answer.status != 200:
            raise ValueError(f"HTTP {answer.status}")
        return parsed(answer.data)

    def __enter__(self) -> "_JobManager":
        return self

    def __exit__(self, *_: object) -> None:
        self._pools.clear()


def _look(job: _JobManager) -> JobSeen | None:
    try:
        details = job.get()
    except _Failed:
        return _failed_main(job)
    state = at(details, "state")
    if not isinstance(state, str) or state not in _STATES:
        raise ValueError("no state of a job")
    counts = _counts(job, _list(at(details, "vertices"), _MOST_VERTICES))
    latest = at(job.get("/checkpoints"), "latest", "completed")
    restarts = _restarts(job.get("/metrics", get="numRestarts"))
    untroubled = state == "RUNNING" and restarts == 0  # for nearly all of an import: a call less each time
    failure, hopeless, pod = (None, False, None) if untroubled else _last_failure(job)
    acknowledged = instant(at(latest, "latest_ack_timestamp"))
    return JobSeen(
        state=state,
        counted_at=instant(counts.get(_CLOCK)),
        rows_read=counts.get("rowsRead"),
        items_written=counts.get("itemsWritten"),
        rows_rejected=counts.get("rowsRejected"),
        write_units=counts.get("writeUnits"),
        throttled=counts.get("throttled"),
        restarts=restarts,
        checkpoint=text(at(latest, "external_path"), _ADDRESS),
        checkpoint_time=acknowledged.replace(microsecond=0) if acknowledged else None,
        failure=failure,
        failed=state == "FAILED",
        hopeless=hopeless,
        ended_pod=pod,
    )


def _failed_main(job: _JobManager) -> JobSeen | None:
    """A main that failed before there was a job: Flink 1.20 shows one in its place that has no checkpoints, and cannot
    show its details (a NullPointerException: it has no plan). The operator never sees it fail (FLINK-37370)."""
    if at(job.get("/status"), "status") != "FAILED":
        return None
    failure, hopeless, _ = _last_failure(job)
    return JobSeen("FAILED", failure=f"{failure}. The JobManager's log says more", failed=True, hopeless=hopeless)


def _restarts(metrics: Any) -> int:
    """numRestarts of this JobManager; one that was started again begins at 0."""
    found = (count(at(m, "value")) for m in _list(metrics, 1) if at(m, "id") == "numRestarts")
    return next(found, None) or 0


def _list(value: Any, most: int) -> list[Any]:
    """What Flink answers as a list, always. Raises ValueError."""
    if not isinstance(value, list):
        raise ValueError("no list")
    return value[:most]


def _counts(job: _JobManager, vertices: list[Any]) -> dict[str, int]:
    """The sums over subtasks of the operator `items`, on whichever vertex has it; of its clock the latest."""
    wanted = {f"items.{name}": name for name in (*_COUNTS, _CLOCK)}
    for vertex in vertices:
        id_ = quote(text(at(vertex, "id"), 64) or "", safe="")
        found = _list(job.get(f"/vertices/{id_}/subtasks/metrics", get=",".join(wanted), agg="sum,max"), len(wanted))
        if found:
            named = ((wanted.get(at(m, "id")), m) for m in found if isinstance(at(m, "id"), str))
            told = {name: count(at(m, "max" if name == _CLOCK else "sum")) for name, m in named if name}
            return {name: number for name, number in told.items() if number is not None}
    return {}


def _last_failure(job: _JobManager) -> tuple[str | None, bool, PodSeen | None]:
    """The last failure in one line, whether it is final, and the pod whose end it was: the job's own words for the user
    where it has some (docs/contracts.md, "What the job shows while it runs"), else the root cause's first line."""
    history = items(at(job.get("/exceptions", maxExceptions="1"), "exceptionHistory", "entries"), 1)
    if not history:
        return None, False, None
    trace = at(history[0], "stacktrace")
    lines = [line.strip() for line in trace.splitlines()] if isinstance(trace, str) else []
    for line in lines:
        if _OWN_WORDS in line:
            return text(line.split(_OWN_WORDS, 1)[1], _WORDS), True, None
    causes = [line.removeprefix("Caused by: ") for line in lines if line.startswith("Caused by: ")]
    told = causes[-1] if causes else lines[0] if lines else at(history[0], "exceptionName")
    return text(told, _WORDS), False, ended_pod(history[0])


def ended_pod(failure: Any) -> PodSeen | None:
    """The TaskManager's pod whose end an entry of Flink's exception history is; None where it is something else."""
    trace, name = at(failure, "stacktrace"), text(at(failure, "taskManagerId"), _NAME)
    _, found, said = trace.partition(_POD_ENDED) if isinstance(trace, str) else ("", "", "")
    if not found or name is None:
        return None
    if status := _POD_STATUS.search(said, 0, 4 * _WORDS):  # Evicted, …
        return PodSeen(name, job_manager=False, reason=status[1], message=_not_null(status[2]))
    for container, code, reason, message in _CONTAINER.findall(said, 0, 4 * _WORDS):
        if int(code):
            words = _not_null(message)
            return PodSeen(name, False, reason, words, container=container, exit_code=int(code))
    return None


def _not_null(words: str) -> str:
    """What Java makes of a text that may be absent."""
    return "" if words == "null" else text(words, _WORDS) or ""
