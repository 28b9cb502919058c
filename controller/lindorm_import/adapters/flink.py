"""Flink's REST API: counts, restarts, checkpoints, the cause of a failure (docs/contracts.md, section 6)."""

from datetime import UTC, datetime
from typing import Any

import requests

from lindorm_import.adapters.errors import FLINK_ERRORS
from lindorm_import.domain.observed import JobSeen

_TIMEOUT = (2, 5)
_OWN_WORDS = "LindormImport: "
_COUNTS = ("rowsRead", "itemsWritten", "rowsRejected", "writeUnits", "throttled")
_CLOCK = "clock"


def look_at_job(base: str, job_id: str) -> JobSeen | None:
    """The job as its JobManager sees it; None while the JobManager does not answer (it may be starting)."""
    try:
        with requests.Session() as session:
            session.trust_env = False  # a Service of the cluster: no proxy, no .netrc, which would be read each time
            return _look(session, f"{base}/jobs/{job_id}")
    except FLINK_ERRORS:
        return None


def _get(session: requests.Session, url: str, **params: str) -> Any:
    answer = session.get(url, params=params, timeout=_TIMEOUT)
    answer.raise_for_status()
    return answer.json()


def _look(session: requests.Session, job: str) -> JobSeen | None:
    answer = session.get(job, timeout=_TIMEOUT)
    if answer.status_code == 500:
        return _failed_main(session, job)
    answer.raise_for_status()
    details = answer.json()
    counts = _counts(session, job, details["vertices"])
    checkpoints = _get(session, f"{job}/checkpoints")
    latest = (checkpoints.get("latest") or {}).get("completed") or {}
    restarts = _restarts(_get(session, f"{job}/metrics", get="numRestarts"))
    untroubled = details["state"] == "RUNNING" and restarts == 0  # for nearly all of an import: a call less each time
    failure, hopeless = (None, False) if untroubled else _last_failure(session, job)
    at = _time(latest.get("latest_ack_timestamp"))
    return JobSeen(
        state=details["state"],
        counted_at=_time(counts.get(_CLOCK)),
        rows_read=counts.get("rowsRead"),
        items_written=counts.get("itemsWritten"),
        rows_rejected=counts.get("rowsRejected"),
        write_units=counts.get("writeUnits"),
        throttled=counts.get("throttled"),
        restarts=restarts,
        checkpoint=latest.get("external_path"),
        checkpoint_time=at.replace(microsecond=0) if at else None,
        failure=failure,
        failed=details["state"] == "FAILED",
        hopeless=hopeless,
    )


def _failed_main(session: requests.Session, job: str) -> JobSeen | None:
    """A main that failed before there was a job: Flink 1.20 shows one in its place that has no checkpoints, and cannot
    show its details (a NullPointerException: it has no plan). The operator never sees it fail (FLINK-37370)."""
    if _get(session, f"{job}/status")["status"] != "FAILED":
        return None
    failure, hopeless = _last_failure(session, job)
    return JobSeen("FAILED", failure=f"{failure}. The JobManager's log says more", failed=True, hopeless=hopeless)


def _restarts(metrics: list[dict[str, Any]]) -> int:
    """numRestarts of this JobManager; one that was started again begins at 0."""
    return next((round(float(m["value"])) for m in metrics if m["id"] == "numRestarts"), 0)


def _counts(session: requests.Session, job: str, vertices: list[dict[str, Any]]) -> dict[str, int]:
    """The sums over subtasks of the operator `items`, on whichever vertex has it; of its clock the latest."""
    wanted = {f"items.{name}": name for name in (*_COUNTS, _CLOCK)}
    for vertex in vertices:
        found = _get(session, f"{job}/vertices/{vertex['id']}/subtasks/metrics", get=",".join(wanted), agg="sum,max")
        if found:
            aggregate = {name: "max" if name == _CLOCK else "sum" for name in wanted.values()}
            named = [(wanted[m["id"]], m) for m in found if m["id"] in wanted]
            return {name: round(float(m[aggregate[name]])) for name, m in named if aggregate[name] in m}
    return {}


def _time(milliseconds: int | None) -> datetime | None:
    return datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds else None


def _last_failure(session: requests.Session, job: str) -> tuple[str | None, bool]:
    """The last failure in one line, and whether it is final: the job's own words for the user where it has some
    (docs/contracts.md, section 6), else the root cause's first line."""
    exceptions = _get(session, f"{job}/exceptions", maxExceptions="1")
    entries = (exceptions.get("exceptionHistory") or {}).get("entries") or []
    if not entries:
        return None, False
    trace = str(entries[0].get("stacktrace") or "")
    lines = [line.strip() for line in trace.splitlines()]
    for line in lines:
        if _OWN_WORDS in line:
            return line.split(_OWN_WORDS, 1)[1][:1000], True
    causes = [line.removeprefix("Caused by: ") for line in lines if line.startswith("Caused by: ")]
    return (causes[-1] if causes else lines[0] if lines else str(entries[0].get("exceptionName")))[:1000], False
