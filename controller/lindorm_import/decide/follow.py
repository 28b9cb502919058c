"""While the job runs: its state, its counts, its troubles. Success is not decided here (core.py)."""

from datetime import datetime, timedelta
from decimal import Decimal

from lindorm_import.api.durations import parse_duration
from lindorm_import.api.modes import is_provisioned
from lindorm_import.api.status import JobStatus
from lindorm_import.decide import capacity, history
from lindorm_import.decide.crash_loop import count_crashes, gives_up, told_crashes
from lindorm_import.decide.monitoring import monitor
from lindorm_import.decide.own_rights import keep_own_rights
from lindorm_import.decide.pace import progress_of, told_progress
from lindorm_import.decide.passes import Pass
from lindorm_import.decide.pods import pod_trouble, told_pod
from lindorm_import.decide.spending import spend
from lindorm_import.decide.throttling import count_throttling
from lindorm_import.domain import names
from lindorm_import.domain.actions import Action, CreateObject, DeleteDeployment, ResumeJob, SetRates, SuspendJob
from lindorm_import.domain.observed import DeploymentSeen, JobSeen, SourceSeen, TableSeen
from lindorm_import.domain.trouble import Trouble
from lindorm_import.domain.words import counted
from lindorm_import.manifests import build
from lindorm_import.plan.mapping import Mapping, map_table

# The pause before each new submission of a job that Flink itself gave up; after the last one the import fails.
RETRY_PAUSES = (timedelta(minutes=1), timedelta(minutes=2), timedelta(minutes=4))

# Metrics are up to 10 s old when they are looked at, every 10 s.
_STILL_READS = timedelta(seconds=30)


def follow(p: Pass, deployment: DeploymentSeen) -> float:
    _count(p, deployment)
    count_throttling(p)
    history.note(p)
    monitor(p)
    spend(p, at_rest=deployment.stopped)
    progress = p.status.progress
    if progress and progress.items_rejected > p.spec.rejects.max:
        return p.fail("TooManyRejects", too_many(p, progress.items_rejected))
    if (deployment.failed or (p.seen.job and p.seen.job.failed)) and not deployment.deleting:
        return _retry_or_fail(p, deployment)
    if over := _over_cost(p):
        return p.fail("OverBudget", over)
    wanted = "suspended" if p.spec.suspend else "running"
    if deployment.wanted_state != wanted and not deployment.deleting:
        if p.spec.suspend:
            p.actions.append(SuspendJob(p.run.deployment))
        else:
            _result_or_hold(p)  # a job that has finished would run once more
            keep_own_rights(p)
            p.actions.append(_resume(p))
    capacity.keep_up(p)
    if rates := _changed_rates(p):
        p.actions.append(rates)
    if p.seen.config is False:
        _make_config_again(p)
    if p.spec.suspend:
        return _suspend(p, deployment)
    if p.conditions.get("Suspended"):
        p.conditions.drop("Suspended")
        p.update(run=p.run.model_copy(update={"active_since": p.now}))
    if over := _over_time(p):
        return p.fail("OverBudget", over)
    if gives_up(p):
        return _crashing(p, deployment)
    return _told_state(p, deployment)


def _told_state(p: Pass, deployment: DeploymentSeen) -> float:
    if deployment.deleting:
        p.conditions.set(
            "JobRunning", "False", "Stopping", "the FlinkDeployment is being deleted; it will be made again"
        )
        p.working("Restarting", "Stopping", "the FlinkDeployment was deleted; waiting until it is gone")
    elif _finished(p, deployment):
        return _without_result(p)
    elif deployment.job_manager == "ERROR":
        return _broken(p, deployment)
    elif deployment.job_state == "RUNNING" or _reads(p):
        message = f"FlinkDeployment {p.run.deployment} runs the job"
        if deployment.settings not in (None, build.settings_hash(p.spec)):
            message += "; edits of spec.job and source.credentials take effect when it is suspended and resumed"
        message += _told_restarts(p)
        p.conditions.set("JobRunning", "True", "Running", message)
        p.working("Running", "Running", told_progress(p))
    else:
        _not_running(p, deployment)
    return p.settings.poll


def _reads(p: Pass) -> bool:
    """The Flink operator says CREATED for up to a minute of a job that reads already: it looks every 15 seconds, and
    wants every task to run."""
    job, progress = p.seen.job, p.status.progress
    if job is None or job.state != "RUNNING" or progress is None or progress.advanced_at is None:
        return False
    return p.since(progress.advanced_at) < _STILL_READS


def _not_running(p: Pass, deployment: DeploymentSeen) -> None:
    """It starts, or starts again. For minutes it does so where a pod waits for a node, of which the operator says
    nothing; nodes that are made for it may take their time, so that is told and does not fail the import."""
    state = deployment.job_state or deployment.job_manager or "not seen by the Flink operator yet"
    reason, message = "NotRunning", f"FlinkDeployment {p.run.deployment}: {state}"
    trouble = pod_trouble(p, deployment)
    since = p.status.job.waiting_since if p.status.job else None
    if trouble:
        reason, message = trouble.reason, f"{message}. {trouble.message}"
    elif since and p.since(since) > p.settings.start_timeout:
        reason = "JobNotStarting"
        message += (
            f" since {since:%H:%M} UTC. Look at its pods (kubectl -n {p.identity.namespace} get pods -l "
            f"app={p.run.deployment}): if one is Pending, no node has room for it, or none matches job.nodeSelector"
        )
    message += _told_restarts(p) + told_crashes(p)
    p.conditions.set("JobRunning", "False", reason, message)
    p.working(_again(p), reason, message)


def _told_restarts(p: Pass) -> str:
    """A part of a sentence for a job that Flink has started again: how often, and why last."""
    job = p.status.job
    if job is None or not job.restarts:
        return ""
    times = "once" if job.restarts == 1 else f"{job.restarts} times"
    return f"; Flink has started it again {times}" + (f", last because: {job.failure}" if job.failure else "")


def _again(p: Pass) -> str:
    """The summary of an import whose job does not run (yet)."""
    begun = p.status.job and p.status.job.attempts > 1
    read = p.status.progress and p.status.progress.rows_read
    return "Restarting" if begun or read else "Starting"


def _suspend(p: Pass, deployment: DeploymentSeen) -> float:
    if deployment.stopped:
        _result_or_hold(p)
        p.suspended(f"suspended; the job continues from its last checkpoint when spec.suspend is false{_standing(p)}")
    else:
        message = "the Flink operator is stopping the job at its last checkpoint"
        if _cannot_be_stopped(deployment):
            _result_or_hold(p)
            p.actions.append(DeleteDeployment(p.run.deployment, deployment.uid))
            message = "the Flink operator cannot stop a job that did not start: its FlinkDeployment is deleted instead"
        p.conditions.set("Suspended", "False", "Suspending", message)
        p.working("Suspending", "Suspending", message)
    return p.settings.poll


def _cannot_be_stopped(deployment: DeploymentSeen) -> bool:
    """Whether the operator will never suspend it, nor do anything else: its JobManager is broken and has left no HA
    data to stop at, because it never came so far (ApplicationReconciler.getAvailableUpgradeMode of 1.7 to 1.10; it
    recognizes a JobManager that never started only where its Deployment's times agree to the second)."""
    no_data = any(f"{what} not available" in (deployment.error or "") for what in ("HA data is", "HA metadata"))
    return no_data and deployment.job_manager in ("ERROR", "MISSING") and not deployment.deleting


def _resume(p: Pass) -> Action:
    """With today's spec.job and credentials: a job that is suspended anyway can take another image or more memory."""
    planned = p.status.plan
    assert planned is not None, "planned before the job was submitted"
    parallelism, interval = p.spec.job.parallelism or planned.parallelism, planned.checkpoint_seconds
    image = p.settings.image
    return ResumeJob(build.flink_deployment(p.identity, p.spec, p.run.prefix, image, None, parallelism, interval))


def _standing(p: Pass) -> str:
    """Suspending an import does not stop what its table costs."""
    table = p.seen.table
    entry = p.status.resource("Table")
    if isinstance(table, Trouble) or table is None or not is_provisioned(table.settings.mode) or entry is None:
        return ""
    if entry.origin == "Adopted" and (not entry.holds or entry.before == table.settings):
        return ""
    kept = counted(table.settings.write_units or 0, "provisioned write unit")
    return f". Table {entry.name} keeps {kept}, which cost money"


def _changed_rates(p: Pass) -> Action | None:
    """The rates are part of the spec that may change while the job runs; it reads their ConfigMap again and again."""
    if isinstance(p.seen.rates, Trouble):
        p.hold("Reconciling", p.seen.rates)
    return set_rates(p, p.seen.rates)


def _make_config_again(p: Pass) -> None:
    """Somebody has deleted the job's ConfigMap: the job runs on, but none of its pods could start again."""
    source = p.seen.source
    mapping = map_table(p.spec, source) if isinstance(source, SourceSeen) else source
    if isinstance(mapping, Mapping) and isinstance(source, SourceSeen):
        p.actions.append(make_config(p, mapping, source))
        p.conditions.set("SourceReady", "True", "Described", f"{counted(len(mapping.columns), 'column')} to read")
    elif isinstance(mapping, Trouble):
        p.conditions.set("SourceReady", "False", mapping.reason, f"the job's ConfigMap is gone. {mapping.message}")


def make_config(p: Pass, mapping: Mapping, source: SourceSeen) -> Action:
    """Creates the ConfigMap with the job's document."""
    key = [{"name": k.name, "order": k.order} for k in source.primary_key]
    table = p.seen.table
    index_keys = table.index_keys if isinstance(table, TableSeen) else ()
    config = build.job_config(p.identity, p.spec, mapping, key, p.run.prefix, index_keys)
    return CreateObject(build.config_map(p.identity, config))


def set_rates(p: Pass, seen: str | None) -> Action | None:
    """What brings the ConfigMap of the rates to what the spec says; None when it says so."""
    wanted = build.rates(p.spec)
    if seen == "":
        return CreateObject(build.rates_config_map(p.identity, p.spec))
    if seen is not None and seen != wanted:
        return SetRates(names.rates(p.identity.name, p.identity.uid), wanted)
    return None


def _retry_or_fail(p: Pass, deployment: DeploymentSeen) -> float:
    """A failed job is submitted again, from its last checkpoint, a bounded number of times and with a growing pause.
    Counted once for each FlinkDeployment, however often this pass is repeated."""
    job = p.status.job
    assert job is not None, "counted before"
    failure = _failure(p, deployment) or "the Flink job failed without a message"
    hopeless = p.seen.job is not None and p.seen.job.hopeless
    if job.failed_deployment_uid != deployment.uid:
        _result_or_hold(p)
        if hopeless or job.attempts > len(RETRY_PAUSES):
            tried = "" if job.attempts == 1 else f" (submitted {job.attempts} times)"
            return p.fail("JobFailed", failure + tried)
        after = p.now + RETRY_PAUSES[job.attempts - 1]
        p.update(
            job=job.model_copy(
                update={"attempts": job.attempts + 1, "failed_deployment_uid": deployment.uid, "retry_after": after}
            )
        )
    p.actions.append(DeleteDeployment(p.run.deployment, deployment.uid))
    message = f"the job failed and is submitted again from its last checkpoint: {failure}"
    p.conditions.set("JobRunning", "False", "JobFailed", message)
    p.working("Restarting", "JobFailed", message)
    return 1.0


def _over_time(p: Pass) -> str | None:
    """Why the running import has to stop: it took longer than its budget allows, since its start or last resume."""
    wanted, started = p.spec.budget.max_duration, p.run.active_since or p.run.start_time
    if wanted is None or started is None or p.since(started) <= parse_duration(wanted):
        return None
    return (
        f"the import has been running since {started:%Y-%m-%d %H:%M} UTC, longer than budget.maxDuration {wanted}: its "
        f"checkpoint stays in {p.run.prefix}checkpoints/"
    )


def _over_cost(p: Pass) -> str | None:
    limit, spent = p.spec.budget.cost, p.status.spending
    if limit is None or spent is None or Decimal(spent.cost_usd) <= limit:
        return None
    return (
        f"the import has cost ${spent.cost_usd} so far (${spent.table_usd} for DynamoDB, the rest for its pods), "
        f"budget.maxCostUSD is {limit}"
    )


def _without_result(p: Pass) -> float:
    """FINISHED with no result.json: S3 may answer late, but for minutes it means that the proof is missing."""
    p.conditions.set("JobRunning", "False", "ResultMissing", "the job has finished; waiting for its result in S3")
    _result_or_hold(p)
    since = p.status.job.finished_since if p.status.job else None
    if since and p.since(since) > p.settings.result_timeout:
        return p.fail(
            "ResultMissing",
            f"the job says FINISHED but left no {p.run.prefix}result/result.json: without it nothing proves that "
            "every row arrived. Look into the JobManager's log, delete this import and create it again",
        )
    p.working("Finishing", "ResultMissing", "the job has finished; waiting for its result in S3")
    return 1.0


def _finished(p: Pass, deployment: DeploymentSeen) -> bool:
    """The job ended by itself: so says the Flink operator, or Flink of a job that nobody has asked to stop."""
    asked_to_stop = deployment.deleting or deployment.wanted_state != "running" or p.spec.suspend
    return deployment.finished or (p.seen.job is not None and p.seen.job.state == "FINISHED" and not asked_to_stop)


def _result_or_hold(p: Pass) -> None:
    """Nothing is called failed, or at rest, while S3 does not say whether the job's result is there."""
    p.optional_or_hold(p.seen.result, "StagingReady")


def _broken(p: Pass, deployment: DeploymentSeen) -> float:
    """ERROR of the JobManager never becomes FAILED by itself (crash_loop.py)."""
    trouble = pod_trouble(p, deployment)
    reason = trouble.reason if trouble else "JobManagerError"
    said = trouble.message if trouble else deployment.error or "the Flink operator gives no reason"
    message = f"the JobManager cannot start: {said}{told_crashes(p)}"
    p.conditions.set("JobRunning", "False", reason, message)
    p.working(_again(p), reason, message)
    return p.settings.poll


def _crashing(p: Pass, deployment: DeploymentSeen) -> float:
    _result_or_hold(p)
    trouble = pod_trouble(p, deployment)
    said = trouble.message if trouble else deployment.error or (p.status.job.failure if p.status.job else None)
    return p.fail(
        "JobCannotStart",
        f"the JobManager of FlinkDeployment {p.run.deployment} does not stay up: "
        f"{said or 'the Flink operator gives no reason'}{told_crashes(p)}",
    )


def _count(p: Pass, deployment: DeploymentSeen) -> None:
    job = p.seen.job or JobSeen()
    before = p.before.job or JobStatus(state="Submitted")
    p.update(
        job=before.model_copy(
            update={
                "state": deployment.job_state or deployment.job_manager or "Submitted",
                "job_id": deployment.job_id or before.job_id,
                "restarts": max(job.restarts, before.restarts),
                "last_checkpoint": job.checkpoint or before.last_checkpoint,
                "last_checkpoint_time": job.checkpoint_time or before.last_checkpoint_time,
                "failure": _failure(p, deployment) or before.failure,
                "waiting_since": _waiting_since(p, deployment, before.waiting_since),
                **count_crashes(p, deployment, before),
                "finished_since": (before.finished_since or p.now) if _finished(p, deployment) else None,
            }
        )
    )
    if job.rows_read is not None or p.before.progress:
        p.update(progress=progress_of(p, job))


def _waiting_since(p: Pass, deployment: DeploymentSeen, before: datetime | None) -> datetime | None:
    if deployment.job_state in ("RUNNING", "FINISHED") or deployment.deleting or p.spec.suspend:
        return None
    return before or p.now


def _failure(p: Pass, deployment: DeploymentSeen) -> str | None:
    """What the job says, or the Flink operator of a job that has failed; its other errors pass ("Job Not Found")."""
    if p.seen.job and p.seen.job.ended_pod:
        return told_pod(p, p.seen.job.ended_pod).message
    told = p.seen.job.failure if p.seen.job else None
    return told or (deployment.error if deployment.failed else None)


def too_many(p: Pass, rejected: int) -> str:
    return (
        f"{counted(rejected, 'row')} rejected, rejects.max is {p.spec.rejects.max:,}: see {p.run.prefix}rejects/ for "
        "the rows and the reasons; correct them in Lindorm or raise rejects.max, and create the import again"
    )
