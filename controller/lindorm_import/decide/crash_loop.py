"""A JobManager that keeps crashing: counted by what happened, not by how things look at one moment.

The kubelet starts a container that ended again and again, after 10 s, 20 s, … 5 minutes
(https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy), and the Flink operator calls the
JobManager ERROR only while it waits, READY or DEPLOYING in between, and never FAILED. So each end of a JobManager that
nobody asked for is counted, and forgotten as soon as the import has got further: more rows, items or rejects than ever
before, or a later checkpoint. An import that runs for weeks may lose its JobManager every day.
"""

from datetime import datetime

from lindorm_import.api.status import Crashes, JobStatus, Progress
from lindorm_import.decide.passes import Pass
from lindorm_import.domain.observed import DeploymentSeen, JobSeen

_UP = ("READY", "DEPLOYED_NOT_READY")
_DOWN = ("DEPLOYING", "MISSING")
_ERROR = "ERROR"
# Life cycles in which the operator itself starts or stops the JobManager.
_ASKED_FOR = ("CREATED", "UPGRADING", "SUSPENDED", "ROLLING_BACK")
# So many in a row, over at least settings.start_timeout, are a loop. Two may be one bad moment of a node.
LOOP = 3


def count_crashes(p: Pass, deployment: DeploymentSeen, before: JobStatus) -> dict[str, object]:
    """The fields of status.job that hold the record."""
    if p.spec.suspend or deployment.deleting:
        return {"job_manager": None, "broken_since": None, "crashes": None}
    now = deployment.job_manager
    crashes = None if _got_further(p, before) else before.crashes
    if deployment.lifecycle not in _ASKED_FOR:
        crashes = _counted(crashes, before.job_manager, now, p.now)
    return {
        "job_manager": now or None,
        "broken_since": (before.broken_since or p.now) if now == _ERROR else None,
        "crashes": crashes,
    }


def _counted(crashes: Crashes | None, was: str | None, now: str, at: datetime) -> Crashes | None:
    """One end, one count: a JobManager that was up, is down, and that the operator then calls ERROR has ended once."""
    told = crashes is not None and crashes.down
    if now in _UP or (now in _DOWN and was == _ERROR):
        return crashes.model_copy(update={"down": False}) if crashes else None
    if told or not (now == _ERROR or (now in _DOWN and was in _UP)):
        return crashes
    count, since = (crashes.count, crashes.since) if crashes else (0, at)
    return Crashes(count=count + 1, since=since, last=at, down=True)


def _got_further(p: Pass, before: JobStatus) -> bool:
    job, known = p.seen.job or JobSeen(), p.before.progress or Progress()
    checkpoint, last = job.checkpoint_time, before.last_checkpoint_time
    return (
        (job.rows_read or 0) > known.rows_read
        or (job.items_written or 0) > known.items_written
        or (job.rows_rejected or 0) > known.items_rejected
        or (checkpoint is not None and (last is None or checkpoint > last))
    )


def gives_up(p: Pass) -> bool:
    """Whether the JobManager has been ERROR without a break, or has kept crashing, for longer than start_timeout.

    Asked of a loop only in its worse moments: while the JobManager is up it may get further after all.
    """
    job = p.status.job
    if job is None or job.crashes is None:
        return False
    if job.broken_since and p.since(job.broken_since) > p.settings.start_timeout:
        return True
    down = job.crashes.down or job.broken_since is not None
    return down and job.crashes.count >= LOOP and p.since(job.crashes.since) > p.settings.start_timeout


def told_crashes(p: Pass) -> str:
    """A part of a sentence for what is not running: how often its JobManager has ended; empty where it has not."""
    crashes = p.status.job.crashes if p.status.job else None
    if crashes is None:
        return ""
    times = "once" if crashes.count == 1 else f"{crashes.count} times"
    since = f"{times} since {crashes.since:%H:%M} UTC"
    return f"; its JobManager has ended or failed to start {since}, and the import got no further"


def forget(p: Pass) -> None:
    """There is no JobManager (any more): the next one's ends are its own."""
    if p.status.job:
        p.update(job=p.status.job.model_copy(update={"job_manager": None, "broken_since": None, "crashes": None}))
