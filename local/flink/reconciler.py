"""What the operator does about a spec: AbstractFlinkResourceReconciler, AbstractJobReconciler and
ApplicationReconciler of 1.10.0."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass

from local.flink import config, status
from local.flink.diff import Change, change
from local.flink.model import Cancel, DeleteCluster, Json, Submit
from local.flink.passes import OperatorError, Pass

_MANUAL_RESTORE_TERMINAL = (
    "Job is in terminal state but last checkpoint is unknown, possibly due to an unrecoverable restore error. "
    "Manual restore required."
)
_MANUAL_RESTORE_MISSING = (
    "JobManager deployment is missing and HA data is not available to make stateful upgrades. "
    "It is possible that the job has finished or terminally failed, or the configmaps have been deleted. "
    "Manual restore required."
)
_NO_HA_METADATA = (
    "HA metadata not available to restore from last state. "
    "It is possible that the job has finished or terminally failed, or the configmaps have been deleted. "
)
_DEFAULT_SHUTDOWN_TTL_MS = 24 * 3600 * 1000


@dataclass(frozen=True)
class _Upgrade:
    """JobUpgrade: how the running job is to be stopped (None: not now), and how the next one finds its state."""

    suspend: str | None
    restore: str = ""
    other_actions: bool = False


def reconcile_spec(p: Pass) -> None:
    """AbstractFlinkResourceReconciler.reconcile."""
    if p.last_spec is None:
        _first_deployment(p)
        return
    kind = change(p.last, p.spec)
    if kind is Change.NONE and p.reconciliation["state"] != "UPGRADING":
        p.observe_generation()
    else:
        if p.reconciliation["state"] == "DEPLOYED" and p.spec == p.last:
            _record_deployed(p)
            return
        if kind is not Change.NONE:
            message = f"{kind.value} change(s) detected, starting reconciliation."
            p.event("Normal", "SpecChanged", message)
        if _spec_changed(p):
            return
    _other_changes(p)


def _first_deployment(p: Pass) -> None:
    if p.spec["job"]["state"] == "suspended":
        return
    savepoint = p.spec["job"].get("initialSavepointPath")
    if savepoint:
        p.job["upgradeSavepointPath"] = savepoint
    p.spec["job"]["upgradeMode"] = "savepoint" if savepoint else "stateless"
    _record_attempt(p)
    p.write_status()
    _deploy(p, p.spec, savepoint, require_ha=False)
    _record_deployed(p)


def _spec_changed(p: Pass) -> bool:
    """AbstractJobReconciler.reconcileSpecChange; whether the pass ends here."""
    last = p.last
    current_state, desired = last["job"]["state"], p.spec["job"]["state"]
    if current_state == "running":
        upgrade = _job_upgrade(p)
        if upgrade.suspend is None:
            return not upgrade.other_actions
        if upgrade.suspend != "NOOP":
            p.event("Normal", "Suspended", "Suspending existing deployment.")
        if upgrade.suspend == "CANCEL":
            p.actions.append(Cancel(p.job["jobId"], quietly=False))
            p.job["state"] = "CANCELLING"
            p.reconciliation["state"] = "UPGRADING"
            p.rewrite_last_spec(upgradeMode=upgrade.restore)
            return True
        _suspend(p, upgrade.suspend)
        p.spec["job"]["upgradeMode"] = upgrade.restore
        if desired == "running":
            _record_attempt(p)
        else:
            _record_deployed(p)
        if upgrade.suspend == "NOOP":
            last["job"]["upgradeMode"] = upgrade.restore
            current_state = "suspended"
    if current_state == "suspended" and desired == "running":
        if p.spec["job"]["upgradeMode"] != "stateless":
            p.spec["job"]["upgradeMode"] = last["job"]["upgradeMode"]
        _record_attempt(p)
        p.write_status()
        _restore(p, p.spec, require_ha=last["job"]["upgradeMode"] == "last-state")
        _record_deployed(p)
    return True


def _job_upgrade(p: Pass) -> _Upgrade:
    """getJobUpgrade of AbstractJobReconciler, then of ApplicationReconciler."""
    if p.spec["job"]["upgradeMode"] == "stateless":
        return _Upgrade("NOOP" if p.terminal else "STATELESS", "stateless")
    ha = p.seen.ha_metadata and config.is_ha(p.observed_configuration)
    if p.job_state == "CANCELED" or (p.terminal and not ha):
        if p.job.get("upgradeSavepointPath") == status.LAST_STATE_DUMMY_PATH:
            raise OperatorError("UpgradeFailureException", "UpgradeFailed", _MANUAL_RESTORE_TERMINAL)
        return _Upgrade("NOOP", "savepoint")
    if p.job_state == "CANCELLING":
        return _Upgrade(None)
    if p.job_state != "RECONCILING" and not ha:
        return _Upgrade("CANCEL", "savepoint")
    if p.job_state == "RUNNING" or ha:
        return _Upgrade("LAST_STATE", "last-state")
    if p.jm_status in ("MISSING", "ERROR"):
        raise OperatorError("UpgradeFailureException", "UpgradeFailed", _MANUAL_RESTORE_MISSING)
    return _Upgrade(None, other_actions=True)


def _suspend(p: Pass, mode: str) -> None:
    """AbstractFlinkService.cancelJob. The trap: whatever the mode, the state afterwards is FINISHED."""
    if mode == "NOOP":
        return
    if mode == "STATELESS" and p.job_state != "RECONCILING":
        p.actions.append(Cancel(p.job["jobId"], quietly=True))
    p.job["state"] = "FINISHED"
    delete_cluster(p, ha_metadata=mode != "LAST_STATE")


def _restore(p: Pass, spec: Json, *, require_ha: bool) -> None:
    savepoint = p.job.get("upgradeSavepointPath") if spec["job"]["upgradeMode"] == "savepoint" else None
    _deploy(p, spec, savepoint, require_ha=require_ha)


def _deploy(p: Pass, spec: Json, savepoint: str | None, *, require_ha: bool) -> None:
    """ApplicationReconciler.deploy."""
    if savepoint is None and require_ha and p.seen.ha_checkpoint:
        # A path that does not exist: should the HA data vanish, the job fails instead of starting from nothing.
        savepoint = status.LAST_STATE_DUMMY_PATH
        p.job["upgradeSavepointPath"] = savepoint
    if p.jm_status != "MISSING":
        delete_cluster(p, ha_metadata=not require_ha)
    if p.job.get("jobId") is None or not require_ha:
        p.job["jobId"] = p.new_job_id
    if require_ha and not p.seen.ha_metadata:
        raise OperatorError("UpgradeFailureException", "RestoreFailed", _NO_HA_METADATA)
    p.event("Normal", "Submit", "Starting deployment")
    p.write_status()
    p.actions.append(Submit(spec, p.generation, p.job["jobId"], savepoint, require_ha))
    p.job["state"] = "RECONCILING"
    p.status["jobManagerDeploymentStatus"] = "DEPLOYING"


def delete_cluster(p: Pass, *, ha_metadata: bool) -> None:
    """deleteClusterDeployment and updateStatusAfterClusterDeletion."""
    p.actions.append(DeleteCluster(ha_metadata))
    p.status["jobManagerDeploymentStatus"] = "MISSING"
    if not p.terminal:
        p.job["state"] = "FINISHED"


def _other_changes(p: Pass) -> None:
    """reconcileOtherChanges: a lost JobManager is deployed again; one that has outlived its job is removed."""
    configuration = p.observed_configuration
    lost = p.jm_status == "MISSING" and p.last["job"]["state"] == "running" and not p.terminal
    stateless = p.spec["job"]["upgradeMode"] == "stateless"
    if lost and (stateless or config.is_ha(configuration)):
        p.event("Warning", "RecoverDeployment", "Recovering lost deployment")
        spec = p.last
        if config.is_ha(configuration):
            spec["job"]["upgradeMode"] = "last-state"
        _restore(p, spec, require_ha=config.is_ha(configuration))
    elif p.terminal and p.jm_status != "MISSING":
        ttl = _milliseconds(configuration.get("kubernetes.operator.jm-deployment.shutdown-ttl"))
        if p.now > int(p.job.get("updateTime") or p.now) + ttl:
            delete_cluster(p, ha_metadata=False)


def _record_attempt(p: Pass) -> None:
    """updateStatusBeforeDeploymentAttempt: should the operator die now, nothing counts as running yet."""
    _record(p, "suspended", "UPGRADING")


def _record_deployed(p: Pass) -> None:
    """updateStatusForDeployedSpec."""
    _record(p, p.spec["job"]["state"], "DEPLOYED")


def _record(p: Pass, job_state: str, state: str) -> None:
    # ReconciliationMetadata.from: an attempt after the first one is a first deployment no more.
    first = p.last_spec is None or (
        state == "DEPLOYED" and status.is_first_deployment(p.reconciliation["lastReconciledSpec"])
    )
    p.status.pop("error", None)
    spec = copy.deepcopy(p.spec)
    spec["job"]["state"] = job_state
    running = job_state == "running"
    configuration = config.user_configuration(spec, p.defaults)
    p.status["taskManager"] = {
        "labelSelector": f"component=taskmanager,app={p.meta['name']}" if running else "",
        "replicas": config.task_managers(spec, configuration) if running else 0,
    }
    p.reconciliation.update(state=state, reconciliationTimestamp=p.now, lastReconciledSpec=p.write_spec(spec, first))
    p.observe_generation()
    if p.spec["job"]["state"] == "suspended":
        p.reconciliation["lastStableSpec"] = p.reconciliation["lastReconciledSpec"]


def _milliseconds(duration: str | None) -> int:
    """A Flink duration ("60 s", "1 d", "500ms") in milliseconds; the operator's default of a day for None."""
    if duration is None:
        return _DEFAULT_SHUTDOWN_TTL_MS
    match = re.fullmatch(r"\s*(\d+)\s*([a-z]*)\s*", duration)
    units = {"": 1, "ms": 1, "s": 1000, "min": 60_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
    if match is None or match[2] not in units:
        raise ValueError(f"{duration!r} is no duration")
    return int(match[1]) * units[match[2]]
