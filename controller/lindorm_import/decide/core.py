"""decide(): from the spec, the status so far and what was seen to the next status and actions. Pure: no I/O, no clock.

Level-based: nothing depends on having seen an event, and every pass may be the first one of a new process.
The job's result decides, whatever the Flink operator says of its FlinkDeployment: it is committed once, after the last
item is acknowledged and the last reject is published (docs/contracts.md, "What the job leaves in S3"), and nothing
else is success.
The order of an import: run id and names into status → source, permissions, plan, budget → staging → table → job →
result → Complete → what is temporary removed → the import itself, when ttlAfterFinished is over.
Names stand in the status one pass before anything is created under them.
"""

from datetime import datetime

from lindorm_import.api.durations import parse_duration
from lindorm_import.api.spec import ImportSpec
from lindorm_import.api.status import ImportStatus, Progress, Results, Run
from lindorm_import.decide import capacity, history, load
from lindorm_import.decide.crash_loop import forget
from lindorm_import.decide.follow import follow, too_many
from lindorm_import.decide.monitoring import monitor
from lindorm_import.decide.passes import RELEASING, Decision, Pass, Settings, StopPass
from lindorm_import.decide.prepare import prepare
from lindorm_import.decide.spending import spend
from lindorm_import.decide.throttling import count_throttling
from lindorm_import.domain import names
from lindorm_import.domain.actions import DeleteDeployment, DeleteImport
from lindorm_import.domain.identity import Identity
from lindorm_import.domain.observed import DeploymentSeen, Observed, ResultSeen, TableSeen
from lindorm_import.domain.trouble import Trouble
from lindorm_import.domain.words import counted


def decide(
    identity: Identity, spec: ImportSpec, before: ImportStatus, seen: Observed, now: datetime, settings: Settings
) -> Decision:
    """The next step of an import that is not being deleted (that is deletion.py)."""
    p = Pass(identity, spec, before, seen, now, settings)
    trouble = None
    try:
        requeue = _advance(p)
    except StopPass as held:
        requeue, trouble = held.requeue, held.trouble
    ended = p.conditions.is_true("Complete") or p.conditions.is_true("Failed")
    if seen.last_action and p.actions and not ended:
        p.report("Reconciling", seen.last_action)  # it will be retried in this pass
    return Decision(p.finished_status(), tuple(p.actions), requeue, trouble)


def _advance(p: Pass) -> float | None:
    ended = p.conditions.is_true("Complete") or p.conditions.is_true("Failed")
    if p.status.run is None or (not ended and _edited_before_anything_was_made(p)):
        return _allocate(p)
    if ended:
        return _give_back(p)
    deployment = p.seen_or_hold(p.seen.deployment, "JobRunning")
    if deployment.exists and deployment.owner_uid != p.identity.uid:
        p.hold("JobRunning", _name_taken(p))
    if p.status.job and (lost := capacity.lost(p)):
        return p.fail("TableLost", lost)
    if load.begun(p.status):
        return load.advance(p, deployment)
    result = p.seen.result
    if isinstance(result, ResultSeen) and (result.run_id == p.run.id or deployment.finished or not deployment.exists):
        return _finish(p, result)
    if not deployment.exists:
        p.optional_or_hold(result, "StagingReady")
        forget(p)
        return prepare(p)
    return follow(p, deployment)


def _edited_before_anything_was_made(p: Pass) -> bool:
    """Then every field may have changed (Change.FIXED), the bucket and the rows to count among them."""
    made = p.before.job is not None or p.before.resources
    return not made and p.before.observed_generation != p.identity.generation


def _allocate(p: Pass) -> float:
    p.conditions.drop("PermissionsReady")  # to be asked again, where it was asked for another bucket or table
    p.update(plan=None)
    uid, name = p.identity.uid, p.identity.name
    prefix = names.run_prefix(p.spec.staging, p.identity.namespace, name, uid)
    p.update(
        run=Run(
            id=names.run_id(uid),
            deployment=names.deployment(name, uid),
            prefix=f"s3://{p.spec.staging.bucket}/{prefix}",
        )
    )
    p.working("Preparing", "Preparing", "looking at source, staging and table")
    return 0.0


def _give_back(p: Pass) -> float | None:
    """After the end: what still costs money is given back, and told until it is."""
    trouble = p.seen.last_action
    try:
        return _after_the_end(p)
    except StopPass as held:
        trouble = held.trouble or trouble
        raise
    finally:
        _tell_what_is_left(p, trouble)


def _tell_what_is_left(p: Pass, trouble: Trouble | None) -> None:
    """Complete says that every row is there; Released, and with it Ready, that nothing of the import costs money."""
    entry, deployment, complete = p.status.resource("Table"), p.seen.deployment, p.conditions.get("Complete")
    left = []
    if not isinstance(deployment, DeploymentSeen):
        left.append("it is unknown whether its job's pods are gone")
    elif deployment.exists and deployment.owner_uid == p.identity.uid:
        left.append("its job's pods are still there")
    going = isinstance(p.seen.table, TableSeen) and p.seen.table.status == "DELETING"
    if entry and not entry.settings_restored and not going:
        left.append(f"table {entry.name} does not have its final settings")
    if not left:
        message = "the job's pods are gone, and the table has its final settings"
        p.conditions.set("Released", "True", "Released", message)
        if complete:
            p.conditions.set("Ready", "True", "Complete", complete.message)
            p.conditions.drop("Reconciling")
        return
    reason = trouble.reason if trouble else RELEASING
    message = f"the import has ended, but {' and '.join(left)}" + (f": {trouble.message}" if trouble else "")
    p.conditions.set("Released", "False", reason, message)
    if complete:
        p.conditions.set("Ready", "False", reason, message)
        p.conditions.set("Reconciling", "True", reason, message)


def _after_the_end(p: Pass) -> float | None:
    """The job's pods cost money as long as they stand; the evidence is in S3 and in the status."""
    deployment = p.seen.deployment
    for facet in (deployment, p.seen.table):
        if isinstance(facet, Trouble):
            raise StopPass(None, facet)  # Complete stays Complete; it will be retried
    assert isinstance(deployment, DeploymentSeen)
    ours = deployment.exists and deployment.owner_uid == p.identity.uid
    failed = p.seen.last_action
    entry = p.status.resource("Table")
    if entry and not entry.settings_restored and isinstance(p.seen.table, TableSeen):
        spend(p, at_rest=True)
    if ours:
        if not deployment.deleting:
            p.actions.append(DeleteDeployment(p.run.deployment, deployment.uid))
        if failed:
            message = f"the import has ended, but its job's pods are still there: {failed.message}"
            p.conditions.set("JobRunning", "Unknown", failed.reason, message)
        return 2.0
    p.conditions.set("JobRunning", "False", p.status.summary or "Ended", "the job has ended")
    wait = capacity.release(p)
    if wait is None:
        return p.others_for() or _expire(p)
    if failed:
        message = f"the import has ended, but its table does not have its settings back: {failed.message}"
        p.conditions.set("TableReady", "False", failed.reason, message)
    return wait


def _expire(p: Pass) -> float | None:
    """ttlAfterFinished: the import deletes itself, once everything temporary is gone."""
    ttl, ended = p.spec.ttl_after_finished, p.run.completion_time
    if ttl is None or ended is None:
        return None
    left = (parse_duration(ttl) - p.since(ended)).total_seconds()
    if left <= 0:
        p.actions.append(DeleteImport(p.identity.name, p.identity.uid))
    return max(left, 5.0)


def _finish(p: Pass, result: ResultSeen) -> float:
    p.update(
        results=Results(
            result=f"{p.run.prefix}result/result.json",
            rejects=f"{p.run.prefix}rejects/",
            rows_read=result.rows_read,
            items_written=result.items_written,
            rows_rejected=result.rows_rejected,
            rejected_by_reason=result.rejected_by_reason,
        ),
        progress=Progress(
            rows_read=result.rows_read,
            items_written=result.items_written,
            items_rejected=result.rows_rejected,
            percent=99 if p.spec.target.load.from_files else 100,
            observed_at=p.now,
        ),
    )
    count_throttling(p)
    history.note(p)
    monitor(p)
    spend(p)
    if p.status.job:
        p.update(job=p.status.job.model_copy(update={"state": "FINISHED"}))
        forget(p)
    p.conditions.set("StagingReady", "True", "BucketFound", f"staging in {p.run.prefix}")
    if result.run_id != p.run.id:
        return p.fail("ForeignResult", f"{p.run.prefix}result/result.json is of run {result.run_id}")
    if result.rows_read != result.items_written + result.rows_rejected:
        return p.fail(
            "CountsDiffer",
            f"the job read {counted(result.rows_read, 'row')} but wrote {result.items_written:,} and rejected "
            f"{result.rows_rejected:,}: do not rely on the table, and report this as a bug",
        )
    if result.rows_rejected > p.spec.rejects.max:
        return p.fail("TooManyRejects", too_many(p, result.rows_rejected))
    if p.spec.target.load.from_files:
        return load.begin(p, result)
    return p.complete(
        f"{counted(result.items_written, 'item')} written, {counted(result.rows_rejected, 'row')} rejected"
    )


def _name_taken(p: Pass) -> Trouble:
    return Trouble(
        "NameTaken",
        f"FlinkDeployment {p.run.deployment} exists but does not belong to this import: remove or rename it",
    )
