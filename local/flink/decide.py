"""One pass of the operator as a pure function, after FlinkDeploymentController and what it calls in 1.10.0.

Names of methods in the comments are those of apache/flink-kubernetes-operator, tag release-1.10.0. What it does
surprisingly is done here just so: see facts/flink-on-emr.md, section 0. Left out: rollback, the autoscaler, session
clusters, savepoints by nonce, and the restart of failed jobs (all off by default, or not for an import).
"""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass
from typing import Any

from local.flink import config, status, validate
from local.flink.diff import Change, change
from local.flink.model import (
    FINALIZER,
    Action,
    AddFinalizer,
    Cancel,
    DeleteCluster,
    Event,
    Job,
    Json,
    Outcome,
    RemoveFinalizer,
    Seen,
    StopWithSavepoint,
    Submit,
    WriteStatus,
)

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
_REST_EXCEPTION = "org.apache.flink.runtime.rest.util.RestClientException"
_DEFAULT_SHUTDOWN_TTL_MS = 24 * 3600 * 1000


class _OperatorError(Exception):
    """An exception of the operator's own that ends a pass: its Java class (short), event reason, message."""

    def __init__(self, kind: str, reason: str, message: str) -> None:
        super().__init__(message)
        self.kind, self.reason, self.message = kind, reason, message


class _Unobservable(Exception):  # noqa: N818 - named for what it means to the pass
    """The last checkpoint of an ended job cannot be asked for: the operator throws away all that it has observed."""


class _WaitForSavepoint(Exception):  # noqa: N818 - not an error: the pass is run again with the outcome
    """The pass needs the outcome of the StopWithSavepoint that it has just asked for."""


@dataclass(frozen=True)
class _Upgrade:
    """JobUpgrade: how the running job is to be stopped (None: not now), and how the next one finds its state."""

    suspend: str | None
    restore: str = ""
    other_actions: bool = False


def reconcile(resource: Json, seen: Seen, now_ms: int, new_job_id: str, defaults: dict[str, str]) -> Outcome:
    """What the operator does about this FlinkDeployment now.

    resource: the object as the API server returns it. now_ms: milliseconds since 1970. new_job_id: 32 hex digits,
    used where a job needs a new id. defaults: the operator's default Flink configuration. When the outcome asks for
    StopWithSavepoint, the pass has to be run again at once with its result in `seen`; nothing else was decided.
    """
    return _Pass(resource, seen, now_ms, new_job_id, defaults).run()


def error_status(resource: Json, message: str) -> Json:
    """The status after an action has failed (ReconciliationUtils.toErrorStatusUpdateControl): `error` is set."""
    failed = copy.deepcopy(resource.get("status") or status.initial())
    failed["error"] = status.error_json("ReconciliationException", message)
    failed["lifecycleState"] = status.lifecycle_state(failed)
    return failed


class _Pass:
    """The state of one pass. It changes only its own copies."""

    def __init__(self, resource: Json, seen: Seen, now_ms: int, new_job_id: str, defaults: dict[str, str]) -> None:
        self.meta: Json = resource["metadata"]
        self.generation: int = self.meta.get("generation", 1)
        self.spec = status.with_defaults(resource.get("spec") or {})
        stored = copy.deepcopy(resource.get("status") or {})
        self.status: Json = {**status.initial(), **stored}
        self.seen, self.now, self.new_job_id, self.defaults = seen, now_ms, new_job_id, defaults
        self.actions: list[Action] = []

    # --- the controller ---

    def run(self) -> Outcome:
        before = copy.deepcopy(self.status)
        if self.meta.get("deletionTimestamp"):
            return self._cleanup() if FINALIZER in self.meta.get("finalizers", []) else Outcome((), before)
        if FINALIZER not in self.meta.get("finalizers", []):
            return Outcome((AddFinalizer(),), before)
        try:
            self._observe()
            if self._valid():
                self._reconcile()
        except _WaitForSavepoint:
            return Outcome(tuple(self.actions), before)
        except _Unobservable as error:
            return Outcome(tuple(self.actions), self._unobserved(before, str(error)))
        except _OperatorError as error:
            if error.kind == "DeploymentFailedException":
                self.status["jobManagerDeploymentStatus"] = "ERROR"
                self.job["state"] = "RECONCILING"
            self.status["error"] = status.error_json(error.kind, error.message)
            self._event("Warning", error.reason, error.message)
        return Outcome(tuple(self.actions), self._finished())

    def _unobserved(self, before: Json, why: str) -> Json:
        """toErrorStatusUpdateControl: the status of before, with an error.

        The trap (FLINK-37370, mended after 1.10): a job that has no checkpoints at all, such as the stand-in that
        Flink submits for a main that failed, never gets to FINISHED or FAILED.
        """
        message = "Could not observe latest savepoint information"
        self._event("Warning", "ClusterDeploymentException", message)
        cause = (status.RECONCILIATION_EXCEPTION, message)
        text = f"{status.RECONCILIATION_EXCEPTION}: {message}"
        before["error"] = status.error_json("ReconciliationException", text, (cause, (_REST_EXCEPTION, why)))
        return before

    def _finished(self) -> Json:
        self.status["lifecycleState"] = status.lifecycle_state(self.status)
        return copy.deepcopy(self.status)

    def _valid(self) -> bool:
        """validateDeployment: with a wrong spec the operator goes on with the last one that it reconciled."""
        wrong = validate.problem(self.meta["name"], self.spec, self.last_spec, self.defaults)
        if wrong is None:
            return True
        self._event("Warning", "ValidationError", wrong)
        self.status["error"] = status.error_json("ValidationException", wrong)
        if self.last_spec is None:
            return False
        self.spec = self.last_spec
        if self.reconciliation["state"] == "UPGRADING":
            self.spec["job"]["state"] = "running"
        self.generation = self.status.get("observedGeneration", self.generation)
        return True

    def _cleanup(self) -> Outcome:
        """ApplicationReconciler.cleanupInternal. The trap: its end state, too, is FINISHED."""
        self._event("Normal", "Cleanup", "Cleaning up FlinkDeployment")
        if self.last_spec is not None and self.job_state not in status.GLOBALLY_TERMINAL:
            if self.job.get("jobId") and self.job_state != "RECONCILING":
                self.actions.append(Cancel(self.job["jobId"], quietly=True))
            self.job["state"] = "FINISHED"
        self._delete_cluster(ha_metadata=True)
        self.actions += [WriteStatus(self._finished()), RemoveFinalizer()]
        return Outcome(tuple(self.actions), self._finished())

    # --- shorthands ---

    @property
    def job(self) -> Json:
        found: Json = self.status["jobStatus"]
        return found

    @property
    def job_state(self) -> str | None:
        return self.job.get("state")

    @property
    def reconciliation(self) -> Json:
        found: Json = self.status["reconciliationStatus"]
        return found

    @property
    def last_spec(self) -> Json | None:
        return status.read_spec(self.reconciliation.get("lastReconciledSpec"))

    @property
    def last(self) -> Json:
        """The last reconciled spec, where there must be one."""
        spec = self.last_spec
        assert spec is not None, "asked for the last reconciled spec before the first deployment"
        return spec

    @property
    def jm_status(self) -> str:
        return str(self.status["jobManagerDeploymentStatus"])

    @property
    def terminal(self) -> bool:
        return self.job_state in status.GLOBALLY_TERMINAL

    @property
    def observed_configuration(self) -> dict[str, str]:
        return config.user_configuration(self.last, self.defaults)

    def _event(self, kind: str, reason: str, message: str) -> None:
        self.actions.append(Event(kind, reason, message))

    def _rewrite_last_spec(self, **job: Any) -> None:
        """ReconciliationUtils.updateLastReconciledSpec, as both callers use it: no first deployment any more."""
        spec = self.last
        spec["job"].update(job)
        self.reconciliation["lastReconciledSpec"] = status.write_spec(spec, first_deployment=False)

    # --- observer ---

    def _observe(self) -> None:
        """AbstractFlinkResourceObserver.observe."""
        if self.last_spec is None:
            return
        if self.job_state != "CANCELLING" and self.reconciliation["state"] == "UPGRADING":
            if self.jm_status == "MISSING" and self.seen.deployed_generation == self.status.get("observedGeneration"):
                self._already_upgraded()
            else:
                if status.is_first_deployment(self.reconciliation.get("lastReconciledSpec")):
                    self.reconciliation.pop("lastReconciledSpec")
                return
        if self.jm_status != "READY":
            self._observe_job_manager()
        if self.jm_status == "READY":
            self._observe_job()
        if self.jm_status == "READY" and self.seen.cluster_info:
            self.status["clusterInfo"] = {**self.status.get("clusterInfo", {}), **self.seen.cluster_info}
        healthy = self.jm_status != "ERROR" and self.job_state != "FAILED"
        if healthy and status.is_stable(self.reconciliation):
            self.status.pop("error", None)

    def _already_upgraded(self) -> None:
        """The operator died between the deployment and the status that says so."""
        self.status["jobManagerDeploymentStatus"] = "DEPLOYING"
        self.job["state"] = "RECONCILING"
        first = status.is_first_deployment(self.reconciliation["lastReconciledSpec"])
        spec = self.last
        spec["job"]["state"] = "running"
        self.reconciliation.update(state="DEPLOYED", lastReconciledSpec=status.write_spec(spec, first))

    def _observe_job_manager(self) -> None:
        """observeJmDeployment."""
        suspended = self.spec["job"]["state"] == self.last["job"]["state"] == "suspended"
        if self.jm_status == "MISSING" and suspended:
            return
        previous = self.jm_status
        if previous == "DEPLOYED_NOT_READY":
            self.status["jobManagerDeploymentStatus"] = "READY"
            return
        if self.seen.deployed_generation is None:
            self.status["jobManagerDeploymentStatus"] = "MISSING"
            self.job["state"] = "RECONCILING"
            if previous not in ("MISSING", "ERROR"):
                message = "Missing JobManager deployment"
                self.status["error"] = status.error_json("MissingJobManagerException", message)
                self._event("Warning", "Missing", message)
            return
        if self.seen.port_ready:
            self.status["jobManagerDeploymentStatus"] = "DEPLOYED_NOT_READY"
            return
        if self.seen.waiting is not None:
            self.job["state"] = "RECONCILING"
            if previous != "ERROR":
                reason, message = self.seen.waiting
                raise _OperatorError("DeploymentFailedException", reason, message)
            return
        self.status["jobManagerDeploymentStatus"] = "DEPLOYING"

    def _observe_job(self) -> None:
        """JobStatusObserver.observe and SnapshotObserver.observeLatestCheckpoint."""
        if self.last["job"]["state"] == "suspended":
            return
        if self.seen.jobs is None:
            if self.job_state == "RUNNING":
                self.job["state"] = "RECONCILING"
            self._observe_job_manager()  # the REST call timed out: onTimeout
            return
        found = next((job for job in self.seen.jobs if job.id == self.job.get("jobId")), None)
        if found is None:
            self._event("Warning", "Missing", "Job Not Found")
            self.reconciliation["state"] = "DEPLOYED"
            self.job["state"] = "RECONCILING"
            self.status["error"] = "Job Not Found"
            return
        self._update_job(found)
        stable = found.state == "RUNNING" or (found.state == "FINISHED" and self.last["job"]["state"] == "running")
        if stable and self.reconciliation["state"] == "DEPLOYED":
            self.reconciliation["lastStableSpec"] = self.reconciliation["lastReconciledSpec"]
        if self.terminal:
            if self.seen.checkpoints_error is not None:
                raise _Unobservable(self.seen.checkpoints_error)
            if self.seen.last_checkpoint is not None:
                self.job["upgradeSavepointPath"] = self.seen.last_checkpoint
            elif self.job_state == "CANCELED":
                self.job.pop("upgradeSavepointPath", None)

    def _update_job(self, found: Job) -> None:
        """updateJobStatus. A job that someone else cancelled counts as suspended: the next pass deploys it again."""
        previous = self.job_state
        self.job.update(state=found.state, jobName=found.name, startTime=str(found.start_time))
        if found.state == previous:
            return
        self.job["updateTime"] = str(self.now)
        cancelled = found.state == "CANCELED"
        if cancelled or (found.state in status.GLOBALLY_TERMINAL and previous == "CANCELLING"):
            self._rewrite_last_spec(state="suspended")
        if found.state == "FAILED" and self.seen.failure is not None:
            self.status["error"] = status.failure_json(self.seen.failure)
        change_of = f"changed from {previous} to {found.state}" if previous else f"changed to {found.state}"
        self._event("Normal", "JobStatusChanged", f"Job status {change_of}")

    # --- reconciler ---

    def _reconcile(self) -> None:
        """AbstractFlinkResourceReconciler.reconcile."""
        if self.last_spec is None:
            self._first_deployment()
            return
        kind = change(self.last, self.spec)
        if kind is Change.NONE and self.reconciliation["state"] != "UPGRADING":
            self.status["observedGeneration"] = self.generation
        else:
            if self.reconciliation["state"] == "DEPLOYED" and self.spec == self.last:
                self._record_deployed()
                return
            if kind is not Change.NONE:
                message = f"{kind.value} change(s) detected, starting reconciliation."
                self._event("Normal", "SpecChanged", message)
            if self._spec_changed(kind):
                return
        self._other_changes()

    def _first_deployment(self) -> None:
        if self.spec["job"]["state"] == "suspended":
            return
        savepoint = self.spec["job"].get("initialSavepointPath")
        if savepoint:
            self.job["upgradeSavepointPath"] = savepoint
        self.spec["job"]["upgradeMode"] = "savepoint" if savepoint else "stateless"
        self._record_attempt()
        self.actions.append(WriteStatus(self._finished()))
        self._deploy(self.spec, savepoint, require_ha=False)
        self._record_deployed()

    def _spec_changed(self, kind: Change) -> bool:
        """AbstractJobReconciler.reconcileSpecChange; whether the pass ends here."""
        last = self.last
        current_state, desired = last["job"]["state"], self.spec["job"]["state"]
        if kind is Change.SAVEPOINT_REDEPLOY:
            self._redeploy_from_savepoint()
            return True
        if current_state == "running":
            upgrade = self._job_upgrade()
            if upgrade.suspend is None:
                return not upgrade.other_actions
            if upgrade.suspend != "NOOP":
                self._event("Normal", "Suspended", "Suspending existing deployment.")
            if upgrade.suspend == "CANCEL":
                self.actions.append(Cancel(self.job["jobId"], quietly=False))
                self.job["state"] = "CANCELLING"
                self.reconciliation["state"] = "UPGRADING"
                self._rewrite_last_spec(upgradeMode=upgrade.restore)
                return True
            self._suspend(upgrade.suspend)
            self.spec["job"]["upgradeMode"] = upgrade.restore
            if desired == "running":
                self._record_attempt()
            else:
                self._record_deployed()
            if upgrade.suspend == "NOOP":
                last["job"]["upgradeMode"] = upgrade.restore
                current_state = "suspended"
        if current_state == "suspended" and desired == "running":
            if self.spec["job"]["upgradeMode"] != "stateless":
                self.spec["job"]["upgradeMode"] = last["job"]["upgradeMode"]
            self._record_attempt()
            self.actions.append(WriteStatus(self._finished()))
            self._restore(self.spec, require_ha=last["job"]["upgradeMode"] == "last-state")
            self._record_deployed()
        return True

    def _job_upgrade(self) -> _Upgrade:
        """getJobUpgrade of AbstractJobReconciler, then of ApplicationReconciler."""
        mode, running = self.spec["job"]["upgradeMode"], self.job_state == "RUNNING"
        if mode == "stateless":
            return _Upgrade("NOOP" if self.terminal else "STATELESS", "stateless")
        ha = self.seen.ha_metadata and config.is_ha(self.observed_configuration)
        if self.job_state == "CANCELED" or (self.terminal and not ha):
            if self.job.get("upgradeSavepointPath") == status.LAST_STATE_DUMMY_PATH:
                raise _OperatorError("UpgradeFailureException", "UpgradeFailed", _MANUAL_RESTORE_TERMINAL)
            return _Upgrade("NOOP", "savepoint")
        if self.job_state == "CANCELLING":
            return _Upgrade(None)
        if mode == "savepoint" and running:
            return _Upgrade("SAVEPOINT", "savepoint")
        # A job that cannot make a savepoint now falls back to its last state (last-state-fallback.enabled).
        if self.last.get("flinkVersion") != self.spec.get("flinkVersion"):
            if running and config.savepoint_directory(self.observed_configuration):
                return _Upgrade("SAVEPOINT", "savepoint")
            cancellable = self.job_state != "RECONCILING"
            return _Upgrade("CANCEL", "savepoint") if cancellable else _Upgrade(None, other_actions=True)
        if self.job_state != "RECONCILING" and not ha:
            return _Upgrade("CANCEL", "savepoint")
        if running or ha:
            return _Upgrade("LAST_STATE", "last-state")
        if self.jm_status in ("MISSING", "ERROR"):
            raise _OperatorError("UpgradeFailureException", "UpgradeFailed", _MANUAL_RESTORE_MISSING)
        return _Upgrade(None, other_actions=True)

    def _suspend(self, mode: str) -> None:
        """AbstractFlinkService.cancelJob. The trap: whatever the mode, the state afterwards is FINISHED."""
        if mode == "NOOP":
            return
        if mode == "SAVEPOINT":
            self._await_savepoint()
        elif mode == "STATELESS" and self.job_state != "RECONCILING":
            self.actions.append(Cancel(self.job["jobId"], quietly=True))
        if mode in ("STATELESS", "LAST_STATE"):
            self.job["state"] = "FINISHED"
            self._delete_cluster(ha_metadata=mode != "LAST_STATE")
        self.job["state"] = "FINISHED"

    def _await_savepoint(self) -> None:
        """Stop the job with a savepoint. Its JobManager stays: the next deployment removes it."""
        if self.seen.savepoint_error is not None:
            message = f"Savepoint Error: {self.seen.savepoint_error}"
            raise _OperatorError("UpgradeFailureException", "SavepointError", message)
        if self.seen.savepoint is None:
            directory = config.savepoint_directory(self.observed_configuration)
            self.actions = [StopWithSavepoint(self.job["jobId"], directory)]
            raise _WaitForSavepoint
        self.job["upgradeSavepointPath"] = self.seen.savepoint

    def _redeploy_from_savepoint(self) -> None:
        """redeployWithSavepoint: from `initialSavepointPath`, whatever state the job is in."""
        self._suspend("STATELESS")
        savepoint = self.spec["job"]["initialSavepointPath"]
        self.spec["job"]["upgradeMode"] = "savepoint"
        self.job["upgradeSavepointPath"] = savepoint
        if self.spec["job"]["state"] == "running":
            self._deploy(self.spec, savepoint, require_ha=False)
        self._record_deployed()
        self.reconciliation["lastStableSpec"] = self.reconciliation["lastReconciledSpec"]

    def _restore(self, spec: Json, *, require_ha: bool) -> None:
        savepoint = self.job.get("upgradeSavepointPath") if spec["job"]["upgradeMode"] == "savepoint" else None
        self._deploy(spec, savepoint, require_ha=require_ha)

    def _deploy(self, spec: Json, savepoint: str | None, *, require_ha: bool) -> None:
        """ApplicationReconciler.deploy."""
        if savepoint is None and require_ha and self.seen.ha_checkpoint:
            # A path that does not exist: should the HA data vanish, the job fails instead of starting from nothing.
            savepoint = status.LAST_STATE_DUMMY_PATH
            self.job["upgradeSavepointPath"] = savepoint
        if self.jm_status != "MISSING":
            self._delete_cluster(ha_metadata=not require_ha)
        if self.job.get("jobId") is None or not require_ha:
            self.job["jobId"] = self.new_job_id
        if require_ha and not self.seen.ha_metadata:
            raise _OperatorError("UpgradeFailureException", "RestoreFailed", _NO_HA_METADATA)
        self._event("Normal", "Submit", "Starting deployment")
        self.actions.append(WriteStatus(self._finished()))
        self.actions.append(Submit(spec, self.generation, self.job["jobId"], savepoint, require_ha))
        self.job["state"] = "RECONCILING"
        self.status["jobManagerDeploymentStatus"] = "DEPLOYING"

    def _delete_cluster(self, *, ha_metadata: bool) -> None:
        """deleteClusterDeployment and updateStatusAfterClusterDeletion."""
        self.actions.append(DeleteCluster(ha_metadata))
        self.status["jobManagerDeploymentStatus"] = "MISSING"
        if not self.terminal:
            self.job["state"] = "FINISHED"

    def _other_changes(self) -> None:
        """reconcileOtherChanges: a lost JobManager is deployed again; one that has outlived its job is removed."""
        configuration = self.observed_configuration
        lost = self.jm_status == "MISSING" and self.last["job"]["state"] == "running" and not self.terminal
        stateless = self.spec["job"]["upgradeMode"] == "stateless"
        if lost and (stateless or config.is_ha(configuration)):
            self._event("Warning", "RecoverDeployment", "Recovering lost deployment")
            spec = self.last
            if config.is_ha(configuration):
                spec["job"]["upgradeMode"] = "last-state"
            self._restore(spec, require_ha=config.is_ha(configuration))
        elif self.terminal and self.jm_status != "MISSING":
            ttl = _milliseconds(configuration.get("kubernetes.operator.jm-deployment.shutdown-ttl"))
            if self.now > int(self.job.get("updateTime") or self.now) + ttl:
                self._delete_cluster(ha_metadata=False)

    # --- what the status says was reconciled ---

    def _record_attempt(self) -> None:
        """updateStatusBeforeDeploymentAttempt: should the operator die now, nothing counts as running yet."""
        self._record("suspended", "UPGRADING")

    def _record_deployed(self) -> None:
        """updateStatusForDeployedSpec."""
        self._record(self.spec["job"]["state"], "DEPLOYED")

    def _record(self, job_state: str, state: str) -> None:
        # ReconciliationMetadata.from: an attempt after the first one is a first deployment no more.
        first = self.last_spec is None or (
            state == "DEPLOYED" and status.is_first_deployment(self.reconciliation["lastReconciledSpec"])
        )
        self.status.pop("error", None)
        spec = copy.deepcopy(self.spec)
        spec["job"]["state"] = job_state
        running = job_state == "running"
        configuration = config.user_configuration(spec, self.defaults)
        self.status["taskManager"] = {
            "labelSelector": f"component=taskmanager,app={self.meta['name']}" if running else "",
            "replicas": config.task_managers(spec, configuration) if running else 0,
        }
        self.reconciliation.update(
            state=state, reconciliationTimestamp=self.now, lastReconciledSpec=status.write_spec(spec, first)
        )
        self.status["observedGeneration"] = self.generation
        if self.spec["job"]["state"] == "suspended":
            self.reconciliation["lastStableSpec"] = self.reconciliation["lastReconciledSpec"]


def _milliseconds(duration: str | None) -> int:
    """A Flink duration ("60 s", "1 d", "500ms") in milliseconds; the operator's default of a day for None."""
    if duration is None:
        return _DEFAULT_SHUTDOWN_TTL_MS
    match = re.fullmatch(r"\s*(\d+)\s*([a-z]*)\s*", duration)
    units = {"": 1, "ms": 1, "s": 1000, "min": 60_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
    if match is None or match[2] not in units:
        raise ValueError(f"{duration!r} is no duration")
    return int(match[1]) * units[match[2]]
