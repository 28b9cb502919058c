"""Why the job's pods do not run, with the field to change. It reports, and decides nothing."""

import math
from datetime import timedelta
from decimal import Decimal

from lindorm_import.api.spec import mebibytes
from lindorm_import.decide.passes import Pass
from lindorm_import.domain.observed import DeploymentSeen
from lindorm_import.domain.pods import PodSeen, PodsSeen, QuotaSeen
from lindorm_import.domain.trouble import Trouble
from lindorm_import.manifests.build import job_manager_memory

# The kubelet's words for an image that it does not get.
_IMAGE = (
    *("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError"),
    *("RegistryUnavailable", "SignatureValidationFailed"),
)
_OOM = "OOMKilled"
# A pod that Flink has asked for is there within a second or two.
_PODS_APPEAR = timedelta(seconds=60)
_RESUME = "it takes effect when the import is suspended and resumed"


def pod_trouble(p: Pass, deployment: DeploymentSeen) -> Trouble | None:
    """What the user has to know of the pods of a job that does not run; None where nothing stands out."""
    seen = p.seen.pods if isinstance(p.seen.pods, PodsSeen) else PodsSeen()
    if deployment.job_manager == "ERROR" and not any(pod.job_manager for pod in seen.pods):
        return _refused(deployment.error or "")
    bad = sorted((pod for pod in seen.pods if pod.reason), key=lambda pod: (pod.runs, not pod.job_manager, pod.name))
    if bad and not bad[0].runs:
        return told_pod(p, bad[0])
    refused = _not_made(p, deployment, seen)
    return refused or (told_pod(p, bad[0]) if bad else None)


def told_pod(p: Pass, pod: PodSeen) -> Trouble:
    """One pod that does not run or has ended, in a sentence with its name and what to change."""
    what = "JobManager" if pod.job_manager else "TaskManager"
    who = f"{what}'s pod {pod.name}" + (f", container {pod.container}" if pod.container else "")
    said = f": {pod.message}" if pod.message else ""
    at = f" at {pod.ended_at:%H:%M:%S} UTC" if pod.ended_at else ""
    if pod.reason in _IMAGE:
        whose = "job.image" if p.spec.job.image else "job.image (the controller's setting, where the spec names none)"
        words = f"{who}: {pod.reason} of image {pod.image}{said}. Put the image there, or correct {whose}; {_RESUME}"
    elif pod.reason == _OOM:
        words = f"{who} was killed{at} because it took more memory than its limit (OOMKilled). {_more_memory(p, pod)}"
    elif pod.reason == "Unschedulable":
        words = f"{who} finds no node{said}. Make room, or correct job.nodeSelector; {_RESUME}"
    elif pod.exit_code is not None:
        log = f"kubectl -n {p.identity.namespace} logs {pod.name}{' --previous' if pod.job_manager else ''}"
        words = f"{who} ended{at} with exit code {pod.exit_code} ({pod.reason}){said}. Its log says more: {log}"
    else:
        words = f"{who}: {pod.reason}{said}"
    return Trouble(pod.reason, words)


def _more_memory(p: Pass, pod: PodSeen) -> str:
    if pod.job_manager:
        field, now = 'job.flinkConfiguration["jobmanager.memory.process.size"]', job_manager_memory(p.spec)
    else:
        field, now = "job.taskManager.processMemory", p.spec.job.task_manager.process_memory
    return f"Raise {field}, which is {now}; {_RESUME}"


def _refused(said: str) -> Trouble | None:
    """A JobManager's pod that Kubernetes does not let be, in its words that the Flink operator repeats."""
    if "exceeded quota: " in said:
        return Trouble("QuotaExceeded", f"{said}. Raise the ResourceQuota, or make room")
    if "violates PodSecurity " in said:
        return Trouble("PodSecurityViolated", f"{said}. Set job.runAsUser to the number of the image's user; {_RESUME}")
    return None


def _not_made(p: Pass, deployment: DeploymentSeen, seen: PodsSeen) -> Trouble | None:
    """TaskManagers that Flink has asked for and Kubernetes does not let be: only the JobManager's log says so."""
    wanted, there = _task_managers(p), sum(not pod.job_manager for pod in seen.pods)
    if deployment.job_manager != "READY" or there >= wanted:
        return None
    missing = f"{there} of {wanted} TaskManagers have a pod"
    if full := [quota for quota in seen.quotas if quota.used + _needs(p, quota) > quota.hard]:
        names = ", ".join(sorted({quota.quota for quota in full}))
        counts = ", ".join(f"{quota.resource} {quota.used:f} of {quota.hard:f} used" for quota in full)
        words = f"{missing}: ResourceQuota {names} leaves no room for another ({counts}). Raise it, or make room"
        return Trouble("QuotaExceeded", words)
    since = p.status.job.waiting_since if p.status.job else None
    if there or since is None or p.since(since) < _PODS_APPEAR:
        return None
    manager = next((pod.name for pod in seen.pods if pod.job_manager), None)
    if manager is None:
        return None
    log = f'kubectl -n {p.identity.namespace} logs {manager} | grep "Could not create pod"'
    return Trouble("NoTaskManagers", f"{missing}: Kubernetes may refuse them. The JobManager's log says why: {log}")


def _task_managers(p: Pass) -> int:
    parallelism = p.spec.job.parallelism or (p.status.plan.parallelism if p.status.plan else 1)
    return math.ceil(parallelism / p.spec.job.task_manager.slots)


def _needs(p: Pass, quota: QuotaSeen) -> Decimal:
    """What one TaskManager counts: Flink gives its pod requests and limits alike."""
    kind = quota.resource.removeprefix("requests.").removeprefix("limits.")
    manager = p.spec.job.task_manager
    sizes = {"cpu": manager.cpu, "memory": mebibytes(manager.process_memory) * 1024**2, "pods": 1, "count/pods": 1}
    return Decimal(sizes.get(kind, 0))
