"""What the operator makes of what it sees: AbstractFlinkDeploymentObserver and JobStatusObserver of 1.10.0."""

from __future__ import annotations

from local.flink import status
from local.flink.model import Job
from local.flink.passes import OperatorError, Pass, Unobservable


def observe(p: Pass) -> None:
    """AbstractFlinkResourceObserver.observe."""
    if p.last_spec is None:
        return
    if p.job_state != "CANCELLING" and p.reconciliation["state"] == "UPGRADING":
        if p.jm_status == "MISSING" and p.seen.deployed_generation == p.target_generation:
            _already_upgraded(p)
        else:
            if status.is_first_deployment(p.reconciliation.get("lastReconciledSpec")):
                p.reconciliation.pop("lastReconciledSpec")
            return
    if p.jm_status != "READY":
        _observe_job_manager(p)
    if p.jm_status == "READY":
        _observe_job(p)
    if p.jm_status == "READY" and p.seen.cluster_info:
        p.status["clusterInfo"] = {**p.status.get("clusterInfo", {}), **p.seen.cluster_info}
    healthy = p.jm_status != "ERROR" and p.job_state != "FAILED"
    if healthy and status.is_stable(p.reconciliation):
        p.status.pop("error", None)


def _already_upgraded(p: Pass) -> None:
    """The operator died between the deployment and the status that says so."""
    p.status["jobManagerDeploymentStatus"] = "DEPLOYING"
    p.job["state"] = "RECONCILING"
    first = status.is_first_deployment(p.reconciliation["lastReconciledSpec"])
    spec = p.last
    spec["job"]["state"] = "running"
    p.reconciliation.update(state="DEPLOYED", lastReconciledSpec=p.write_spec(spec, first))


def _observe_job_manager(p: Pass) -> None:
    """observeJmDeployment."""
    suspended = p.spec["job"]["state"] == p.last["job"]["state"] == "suspended"
    if p.jm_status == "MISSING" and suspended:
        return
    previous = p.jm_status
    if previous == "DEPLOYED_NOT_READY":
        p.status["jobManagerDeploymentStatus"] = "READY"
        return
    if p.seen.deployed_generation is None:
        p.status["jobManagerDeploymentStatus"] = "MISSING"
        p.job["state"] = "RECONCILING"
        if previous not in ("MISSING", "ERROR"):
            message = "Missing JobManager deployment"
            p.status["error"] = status.error_json("MissingJobManagerException", message)
            p.event("Warning", "Missing", message)
        return
    if p.seen.port_ready:
        p.status["jobManagerDeploymentStatus"] = "DEPLOYED_NOT_READY"
        return
    if p.seen.waiting is not None:
        p.job["state"] = "RECONCILING"
        if previous != "ERROR":
            reason, message = p.seen.waiting
            raise OperatorError("DeploymentFailedException", reason, message)
        return
    p.status["jobManagerDeploymentStatus"] = "DEPLOYING"


def _observe_job(p: Pass) -> None:
    """JobStatusObserver.observe and SnapshotObserver.observeLatestCheckpoint."""
    if p.last["job"]["state"] == "suspended":
        return
    if p.seen.jobs is None:
        if p.job_state == "RUNNING":
            p.job["state"] = "RECONCILING"
        _observe_job_manager(p)  # the REST call timed out: onTimeout
        return
    found = next((job for job in p.seen.jobs if job.id == p.job.get("jobId")), None)
    if found is None:
        p.event("Warning", "Missing", "Job Not Found")
        p.reconciliation["state"] = "DEPLOYED"
        p.job["state"] = "RECONCILING"
        p.status["error"] = "Job Not Found"
        return
    _update_job(p, found)
    stable = found.state == "RUNNING" or (found.state == "FINISHED" and p.last["job"]["state"] == "running")
    if stable and p.reconciliation["state"] == "DEPLOYED":
        p.reconciliation["lastStableSpec"] = p.reconciliation["lastReconciledSpec"]
    if p.terminal:
        if p.seen.checkpoints_error is not None:
            raise Unobservable(p.seen.checkpoints_error)
        if p.seen.last_checkpoint is not None:
            p.job["upgradeSavepointPath"] = p.seen.last_checkpoint
        elif p.job_state == "CANCELED":
            p.job.pop("upgradeSavepointPath", None)


def _update_job(p: Pass, found: Job) -> None:
    """updateJobStatus. A job that someone else cancelled counts as suspended: the next pass deploys it again."""
    previous = p.job_state
    p.job.update(state=found.state, jobName=found.name, startTime=str(found.start_time))
    if found.state == previous:
        return
    p.job["updateTime"] = str(p.now)
    cancelled = found.state == "CANCELED"
    if cancelled or (found.state in status.GLOBALLY_TERMINAL and previous == "CANCELLING"):
        p.rewrite_last_spec(state="suspended")
    if found.state == "FAILED" and p.seen.failure is not None:
        p.status["error"] = status.failure_json(p.seen.failure)
    change_of = f"changed from {previous} to {found.state}" if previous else f"changed to {found.state}"
    p.event("Normal", "JobStatusChanged", f"Job status {change_of}")
