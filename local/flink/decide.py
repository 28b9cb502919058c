"""One pass of the operator as a pure function, after FlinkDeploymentController in 1.10.0.

Names of methods in the comments are those of apache/flink-kubernetes-operator, tag release-1.10.0. What it does
surprisingly is done here just so: docs/stand-in.md, and tests/local/test_flink_recordings.py, which holds it to what
a real one wrote. Left out: rollback, the autoscaler, session clusters, savepoints, a change of Flink's version, and the
restart of failed jobs (all off by default, or not for an import).
"""

from __future__ import annotations

import contextlib
import copy

from local.flink import status, validate
from local.flink.model import EMR, FINALIZER, AddFinalizer, Cancel, Json, Outcome, Release, RemoveFinalizer, Seen
from local.flink.observer import observe
from local.flink.passes import OperatorError, Pass, Unobservable
from local.flink.reconciler import delete_cluster, reconcile_spec

_REST_EXCEPTION = "org.apache.flink.runtime.rest.util.RestClientException"


def reconcile(
    resource: Json, seen: Seen, now_ms: int, new_job_id: str, defaults: dict[str, str], release: Release = EMR
) -> Outcome:
    """What the operator does about this FlinkDeployment now.

    resource: the object as the API server returns it. now_ms: milliseconds since 1970. new_job_id: 32 hex digits,
    used where a job needs a new id. defaults: the operator's default Flink configuration.
    """
    p = Pass(resource, seen, now_ms, new_job_id, defaults, release)
    before = copy.deepcopy(p.status)
    finalizers = p.meta.get("finalizers", [])
    if p.meta.get("deletionTimestamp"):
        return _cleanup(p, before) if FINALIZER in finalizers else Outcome((), before)
    if FINALIZER not in finalizers:
        return Outcome((AddFinalizer(None if release.emr else status.as_upstream(resource["spec"])),), before)
    try:
        observe(p)
        valid = _validate(p)
        if p.status != before:
            p.write_status()
        if valid:
            reconcile_spec(p)
    except Unobservable as error:
        return Outcome(tuple(p.actions), _unobserved(p, before, str(error)))
    except OperatorError as error:
        metadata = {}
        if error.kind == "DeploymentFailedException":
            p.status["jobManagerDeploymentStatus"] = "ERROR"
            p.job["state"] = "RECONCILING"
            metadata = {"reason": error.reason}
        p.status["error"] = status.error_json(error.kind, error.message, metadata=metadata)
        p.event("Warning", error.reason, error.message)
    return Outcome(tuple(p.actions), p.finished())


def error_status(resource: Json, message: str) -> Json:
    """The status after an action has failed (ReconciliationUtils.toErrorStatusUpdateControl): `error` is set."""
    failed = copy.deepcopy(resource.get("status") or status.initial())
    failed["error"] = status.error_json("ReconciliationException", message)
    failed["lifecycleState"] = status.lifecycle_state(failed)
    return failed


def _unobserved(p: Pass, before: Json, why: str) -> Json:
    """toErrorStatusUpdateControl: the status of before, with an error.

    The trap (FLINK-37370, fixed after 1.10): a job that has no checkpoints at all, such as the stand-in that
    Flink submits for a main that failed, never gets to FINISHED or FAILED.
    """
    message = "Could not observe latest savepoint information"
    p.event("Warning", "ClusterDeploymentException", message)
    cause = (status.RECONCILIATION_EXCEPTION, message)
    text = f"{status.RECONCILIATION_EXCEPTION}: {message}"
    before["error"] = status.error_json("ReconciliationException", text, (cause, (_REST_EXCEPTION, why)))
    return before


def _validate(p: Pass) -> bool:
    """validateDeployment: with a wrong spec the operator continues with the last one that it reconciled."""
    wrong = validate.problem(p.meta["name"], p.spec, p.last_spec, p.defaults, p.release)
    if wrong is None:
        return True
    p.event("Warning", "ValidationError", wrong)
    p.status["error"] = status.error_json("ValidationException", wrong)
    if p.last_spec is None:
        return False
    p.spec = p.last_spec
    if p.reconciliation["state"] == "UPGRADING":
        p.spec["job"]["state"] = "running"
    p.generation = p.target_generation or p.generation
    return True


def _cleanup(p: Pass, before: Json) -> Outcome:
    """FlinkDeploymentController.cleanup, ApplicationReconciler.cleanupInternal.

    What it finds and does is written nowhere: the status that was there stays until the resource is gone.
    """
    p.event("Normal", "Cleanup", "Cleaning up FlinkDeployment")
    with contextlib.suppress(OperatorError, Unobservable):  # "Error while observing for cleanup": only its log says so
        observe(p)
    cancellable = p.job.get("jobId") and p.job_state != "RECONCILING"
    if p.last_spec is not None and not p.terminal and cancellable:
        p.actions.append(Cancel(p.job["jobId"], quietly=True))
    delete_cluster(p, ha_metadata=True)
    p.actions.append(RemoveFinalizer())
    return Outcome(tuple(p.actions), before)
