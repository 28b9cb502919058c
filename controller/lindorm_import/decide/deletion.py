"""Deleting an import: stop the job, remove what is temporary, apply the deletion policies, drop the finalizer last.

Already gone is success. Nothing is removed that this import did not make, and nothing that another one uses
(ownership.py). What cannot be removed is named in the conditions; the annotation lindorm.io/abandon: "true" lets the
import go and leaves the rest.

The import goes only when everything is seen to be gone and no other pass can make it again. That it may go is written
into the status first: another controller's pass that began before then fails at its status, and one that begins
after it does nothing.
"""

from datetime import datetime, timedelta

from lindorm_import.api import ABANDON
from lindorm_import.api.spec import ImportSpec
from lindorm_import.api.status import DELETED, ImportStatus
from lindorm_import.decide import capacity, load, monitoring, ownership
from lindorm_import.decide.passes import Decision, Pass, Settings, StopPass
from lindorm_import.domain import names
from lindorm_import.domain.actions import (
    DeleteBucket,
    DeleteConfigMap,
    DeleteDeployment,
    DeleteObjects,
    DeleteTable,
    UpdateTable,
)
from lindorm_import.domain.identity import Identity, staged_prefixes
from lindorm_import.domain.observed import Observed
from lindorm_import.domain.trouble import Trouble


def decide_deletion(
    identity: Identity, spec: ImportSpec, before: ImportStatus, seen: Observed, now: datetime, settings: Settings
) -> Decision:
    """The next step of an import that is being deleted; release=True when the finalizer may go."""
    p = Pass(identity, spec, before, seen, now, settings)
    if before.run is None or before.summary == DELETED:
        return Decision(before, release=True)  # nothing was ever created: names stand before; or all is gone
    try:
        requeue, trouble = _remove(p), None
        if requeue is None:
            requeue = 0.0 if p.actions else _wait_for_others(p)
        release = requeue is None
    except StopPass as held:
        requeue, release, trouble = held.requeue, False, held.trouble
    if seen.last_action and p.actions:
        p.report("Reconciling", seen.last_action)
    p.update(summary=DELETED if release else "Deleting")
    return Decision(p.finished_status(), tuple(p.actions), requeue, trouble, release)


def _remove(p: Pass) -> float | None:
    """Seconds until the next look, or None when all is done."""
    deployment = p.seen_or_hold(p.seen.deployment, "JobRunning")
    if deployment.exists and deployment.owner_uid == p.identity.uid:
        if not deployment.deleting:
            p.actions.append(DeleteDeployment(p.run.deployment, deployment.uid))
        p.working("Deleting", "StoppingJob", f"stopping the job: deleting FlinkDeployment {p.run.deployment}")
        return 1.0
    uid = p.identity.uid
    if _ours(p, p.seen.config):
        p.actions.append(DeleteConfigMap(p.run.deployment, uid))
    if _ours(p, p.seen.rates):
        p.actions.append(DeleteConfigMap(names.rates(p.identity.name, uid), uid))
    monitoring.remove(p)
    if (wait := load.leave(p)) is not None:
        return wait
    return _remove_table(p) or _remove_staging(p)


def _ours(p: Pass, facet: Trouble | bool | str | None) -> bool:
    """Whether a ConfigMap of ours is there; one of somebody else's holds up no deletion."""
    if isinstance(facet, Trouble) and facet.reason == "NameTaken":
        return False
    return bool(p.optional_or_hold(facet, "JobRunning"))


def _wait_for_others(p: Pass) -> float | None:
    left = p.others_for()
    if not left:
        return None
    until = p.now + timedelta(seconds=left)
    message = (
        f"everything is removed; waiting until {until:%H:%M:%S} UTC, when no request can arrive any longer from a "
        f"controller that was at work on this import and did not come back (annotation {ABANDON}=true: do not wait)"
    )
    p.working("Deleting", "WaitingForOtherController", message)
    return left


def _remove_table(p: Pass) -> float | None:
    entry = p.status.resource("Table")
    if entry is None:
        return None
    table = p.seen_or_hold(p.seen.table, "TableReady")
    if ownership.kept(p, "Table", table, p.spec.target.deletion_policy):
        wait = capacity.release(p)
        if wait is not None:
            p.working("Deleting", "RestoringCapacity", f"giving table {entry.name} its final capacity")
        return wait
    if table.status == "ACTIVE" and capacity.unscale(p, table):
        p.actions.append(_unprotect(p, entry.name) if table.protected else DeleteTable(entry.name))
    p.working("Deleting", "DeletingTable", f"deleting table {entry.name}, which was created for imports")
    return 1.0


def _unprotect(p: Pass, table: str) -> UpdateTable:
    """The protection that the spec asked for ends with the import; one that somebody else added stays."""
    if not p.spec.target.deletion_protection:
        message = f"table {table} is protected against deletion, and not by this import: remove the protection"
        p.hold("TableReady", Trouble("TableProtected", message))
    return UpdateTable({"TableName": table, "DeletionProtectionEnabled": False})


def _remove_staging(p: Pass) -> float | None:
    entry = p.status.resource("Bucket")
    if entry is None:
        return None
    bucket = p.seen_or_hold(p.seen.bucket, "StagingReady")
    if not bucket.exists:
        return None
    if p.optional_or_hold(p.seen.staged, "StagingReady"):
        p.actions.append(DeleteObjects(entry.name, staged_prefixes(p.spec, p.identity)))
        p.working("Deleting", "DeletingStaging", f"deleting the run's files in {p.run.prefix}")
        return 0.0
    if ownership.kept(p, "Bucket", bucket, p.spec.staging.deletion_policy):
        return None
    if not bucket.empty:
        message = f"bucket {entry.name} stays: it holds files that do not belong to this import"
        p.conditions.set("StagingReady", "True", "Kept", message)
        return None
    p.actions.append(DeleteBucket(entry.name))
    p.working("Deleting", "DeletingBucket", f"deleting bucket {entry.name}, which was created for imports")
    return 0.0
