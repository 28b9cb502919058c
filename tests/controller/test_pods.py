"""What the user is told of the job's pods: by name, with Kubernetes' reason and the field to change.

The statuses are as a kubelet wrote them (tests/node), cut down to what is read.
"""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from lindorm_import.adapters.flink import ended_pod
from lindorm_import.adapters.pods import pod_of, quotas_of
from lindorm_import.api.status import ImportStatus
from lindorm_import.decide import Decision
from lindorm_import.domain.observed import DeploymentSeen, JobSeen, Observed
from lindorm_import.domain.pods import PodSeen, PodsSeen, QuotaSeen
from lindorm_import.manifests.build import flink_deployment
from tests.controller.factories import IDENTITY, READY_TO_START, RUNNING, spec
from tests.controller.fakes import AnyCall, World
from tests.controller.kubernetes_api import Call, Refusal
from tests.controller.lives import DELETE
from tests.controller.test_decide import step

RUN = "limport-readings-r1a2b3c4d"
IMAGE = "registry.example/job:1"
STARTING = replace(RUNNING, job_manager="DEPLOYING", job_state="RECONCILING")
BROKEN = replace(RUNNING, job_manager="ERROR", job_state="RECONCILING", error="back-off 10s restarting")
WAITING = replace(RUNNING, job_state="CREATED")
MANAGER = PodSeen("limport-x-abc", job_manager=True)


def pod(component: str = "jobmanager", phase: str = "Pending", **status: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "limport-x", "uid": "u-1", "labels": {"app": RUN, "component": component}},
        "status": {"phase": phase, **status},
    }


def container(state: dict[str, Any], last: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    return [{"name": "flink-main-container", "image": IMAGE, "state": state, "lastState": last or {}}]


KILLED = {"exitCode": 137, "reason": "OOMKilled", "finishedAt": "2026-11-25T14:00:08Z"}
LOW = "The node was low on memory"
NO_IMAGE = {"waiting": {"reason": "ErrImagePull", "message": "no"}}
BACKOFF = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 1m20s restarting failed container"}}


@pytest.mark.parametrize(
    ("status", "reason", "message"),
    [
        ({"containerStatuses": container(NO_IMAGE)}, "ErrImagePull", "no"),
        ({"containerStatuses": container({"waiting": {"reason": "ContainerCreating"}})}, "", ""),
        ({"containerStatuses": container(BACKOFF, {"terminated": KILLED})}, "OOMKilled", ""),
        ({"containerStatuses": container({"terminated": KILLED})}, "OOMKilled", ""),
        ({"initContainerStatuses": container({"terminated": {"exitCode": 0, "reason": "Completed"}})}, "", ""),
        ({"initContainerStatuses": container({"waiting": {"reason": "InvalidImageName"}})}, "InvalidImageName", ""),
        ({"phase": "Failed", "reason": "Evicted", "message": LOW}, "Evicted", LOW),
        (
            {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1"}]},
            "Unschedulable",
            "0/1",
        ),
        (
            {"conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}]},
            "EvictionByEvictionAPI",
            "",
        ),
        ({"conditions": [{"type": "PodScheduled", "status": "True"}]}, "", ""),
        ({}, "", ""),
    ],
)  # fmt: skip
def test_the_reason_of_a_pod_is_kubernetes_own(status: dict[str, Any], reason: str, message: str) -> None:
    seen = pod_of(pod(**status))
    assert (seen.reason, seen.message, seen.job_manager) == (reason, message, True)


def test_a_container_that_ended_and_runs_again_says_so() -> None:
    seen = pod_of(pod(phase="Running", containerStatuses=container({"running": {}}, {"terminated": KILLED})))
    assert (seen.reason, seen.runs, seen.exit_code) == ("OOMKilled", True, 137)
    assert seen.ended_at is not None


def test_quotas_are_counted_in_whole_ones_cores_and_bytes_and_those_with_a_scope_not_at_all() -> None:
    status = {"hard": {"pods": "3", "requests.cpu": "1500m", "limits.memory": "4Gi"}, "used": {"pods": "1"}}
    quota = {"metadata": {"name": "room"}, "spec": {}, "status": status}
    assert list(quotas_of(quota)) == [
        QuotaSeen("room", "pods", Decimal(1), Decimal(3)),
        QuotaSeen("room", "requests.cpu", Decimal(0), Decimal("1.5")),
        QuotaSeen("room", "limits.memory", Decimal(0), Decimal(4 * 1024**3)),
    ]
    assert list(quotas_of({**quota, "spec": {"scopes": ["BestEffort"]}})) == []


def entry(said: str) -> dict[str, Any]:
    trace = f"java.lang.Exception: {said}\n\tat org.apache.flink.runtime.resourcemanager.active.ActiveResourceManager"
    return {"stacktrace": trace, "taskManagerId": "limport-x-taskmanager-1-1"}


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("[main(exitCode=137, reason=OOMKilled, message=null)]", ("main", 137, "OOMKilled", "")),
        (
            "[logs(exitCode=0, reason=Completed, message=null), main(exitCode=1, reason=Error, message=a (b), c)]",
            ("main", 1, "Error", "a (b), c"),
        ),
        ("[], pod status: Failed(reason=Evicted, message=The node was low)", ("", None, "Evicted", "The node was low")),
    ],
)
def test_the_end_of_a_task_managers_pod_is_read_from_flinks_history(said: str, wanted: tuple[Any, ...]) -> None:
    seen = ended_pod(entry(f"Pod terminated, container termination statuses: {said}"))
    assert seen is not None
    assert seen.name == "limport-x-taskmanager-1-1"
    assert (seen.container, seen.exit_code, seen.reason, seen.message) == wanted


def test_another_failure_is_no_pods_end() -> None:
    assert ended_pod(entry("disk full")) is None
    assert ended_pod(entry("Pod terminated, container termination statuses: []")) is None


# -- what is told ------------------------------------------------------------------------------------------------------


@pytest.fixture
def submitted() -> ImportStatus:
    first = step(ImportStatus(), Observed())
    return step(first.status, READY_TO_START).status


def look(
    status: ImportStatus,
    deployment: DeploymentSeen,
    *pods: PodSeen,
    quotas: tuple[QuotaSeen, ...] = (),
    job: JobSeen | None = None,
    later: timedelta = timedelta(),
    **changes: Any,
) -> Decision:
    return step(status, Observed(deployment=deployment, pods=PodsSeen(pods, quotas), job=job), spec(**changes), later)


def told(decision: Decision, type_: str = "Ready") -> tuple[str, str]:
    return next((c.reason, c.message) for c in decision.status.conditions if c.type == type_)


@pytest.mark.parametrize("deployment", [STARTING, BROKEN])
def test_an_image_that_cannot_be_pulled_is_named_with_its_pod(
    submitted: ImportStatus, deployment: DeploymentSeen
) -> None:
    bad = replace(MANAGER, reason="ImagePullBackOff", message="not found", container="main", image=IMAGE)
    reason, message = told(look(submitted, deployment, bad, **{"job.image": IMAGE}))
    assert reason == "ImagePullBackOff"
    for word in ("limport-x-abc", IMAGE, "not found", "correct job.image"):
        assert word in message


def test_a_container_that_was_killed_for_its_memory_is_named_with_the_field_to_raise(submitted: ImportStatus) -> None:
    killed = replace(MANAGER, reason="OOMKilled", container="flink-main-container", exit_code=137)
    reason, message = told(look(submitted, BROKEN, killed))
    assert reason == "OOMKilled"
    assert "limport-x-abc, container flink-main-container" in message
    assert 'job.flinkConfiguration["jobmanager.memory.process.size"], which is 2048m' in message
    _, message = told(look(submitted, STARTING, MANAGER, replace(killed, name="tm-1", job_manager=False)))
    assert "TaskManager's pod tm-1" in message
    assert "job.taskManager.processMemory, which is 4096m" in message


def test_a_job_that_flink_started_again_says_why_while_it_runs(submitted: ImportStatus) -> None:
    killed = PodSeen("tm-1", job_manager=False, reason="OOMKilled", container="main", exit_code=137)
    job = JobSeen("RUNNING", rows_read=5, restarts=2, failure="java.lang.Exception: Pod terminated", ended_pod=killed)
    running = look(submitted, RUNNING, job=job)
    _, message = told(running, "JobRunning")
    assert "started it again 2 times, last because: TaskManager's pod tm-1, container main was killed" in message
    assert running.status.job is not None
    assert "processMemory" in (running.status.job.failure or "")


def test_a_quota_without_room_for_a_task_manager_is_named(submitted: ImportStatus) -> None:
    """Flink asks every 3 seconds and is refused; only the JobManager's log says so."""
    full = QuotaSeen("room", "pods", Decimal(1), Decimal(1))
    room = QuotaSeen("memory", "requests.memory", Decimal(1), Decimal(64 * 1024**3))
    reason, message = told(look(submitted, WAITING, MANAGER, quotas=(full, room)))
    assert reason == "QuotaExceeded"
    assert "ResourceQuota room leaves no room for another (pods 1 of 1 used)" in message
    there = replace(MANAGER, name="tm-1", job_manager=False)
    parallelism = {"job.parallelism": 1}
    assert told(look(submitted, WAITING, MANAGER, there, quotas=(full,), **parallelism))[0] == "NotRunning"
    assert told(look(submitted, STARTING, MANAGER, quotas=(full,)))[0] == "NotRunning", "Flink has not asked yet"


def test_task_managers_that_are_not_made_for_another_reason_are_told_with_where_to_look(
    submitted: ImportStatus,
) -> None:
    first = look(submitted, WAITING, MANAGER)
    assert told(first)[0] == "NotRunning"
    reason, message = told(look(first.status, WAITING, MANAGER, later=timedelta(seconds=90)))
    assert reason == "NoTaskManagers"
    assert "logs limport-x-abc | grep" in message


@pytest.mark.parametrize(
    ("said", "reason", "advice"),
    [
        ('pods "x" is forbidden: exceeded quota: room, used: pods=1', "QuotaExceeded", "Raise the ResourceQuota"),
        ('pods "x" is forbidden: violates PodSecurity "restricted:latest"', "PodSecurityViolated", "job.runAsUser"),
        ("something else", "JobManagerError", ""),
    ],
)
def test_a_job_managers_pod_that_is_refused_is_told_in_kubernetes_words(
    submitted: ImportStatus, said: str, reason: str, advice: str
) -> None:
    """Of this one the Flink operator repeats what the Deployment says, and goes on doing so when the pod is there."""
    assert told(look(submitted, replace(STARTING, error=said), MANAGER))[0] == "NotRunning"
    found, message = told(look(submitted, replace(BROKEN, error=said)))
    assert found == reason
    assert said in message
    assert advice in message


def test_an_import_that_fails_for_its_pods_says_what_they_said(submitted: ImportStatus) -> None:
    killed = replace(MANAGER, reason="OOMKilled", container="main", exit_code=137)
    first = look(submitted, BROKEN, killed)
    failed = look(first.status, BROKEN, killed, later=timedelta(minutes=11))
    reason, message = told(failed, "Failed")
    assert reason == "JobCannotStart"
    assert "limport-x-abc" in message
    assert "OOMKilled" in message


def test_the_job_managers_memory_can_be_raised() -> None:
    raised = spec(**{"job.flinkConfiguration": {"jobmanager.memory.process.size": "3g"}})
    made = flink_deployment(IDENTITY, raised, "s3://b/p/", None, None, 1)
    assert made["spec"]["jobManager"]["resource"]["memory"] == "3g"


# -- through the clients -----------------------------------------------------------------------------------------------


def test_a_pod_that_waits_for_a_volume_is_told_by_its_event_as_a_warning_and_the_import_goes_on() -> None:
    world = World()
    world.flink.pending = True
    world.apply(**DELETE)
    world.api.add("pods", pod(containerStatuses=container({"waiting": {"reason": "ContainerCreating"}})))
    message = 'MountVolume.SetUp failed for volume "credentials" : secret "lindorm" not found'
    for name, type_, text in (("a", "Normal", "Scheduled"), ("b", "Warning", message)):
        event = {"type": type_, "reason": "FailedMount", "message": text, "involvedObject": {"uid": "u-1"}}
        world.api.add("events", {"metadata": {"name": name}, **event})
    outcome = world.drive(lambda _: world.condition("JobRunning").get("reason") == "FailedMount")
    assert message in world.condition("Ready")["message"]
    assert next(e.type for e in outcome.events if e.reason == "FailedMount") == "Warning"
    world.flink.pending = False
    world.api.remove("pods", "limport-x")
    world.run_to_end()
    assert world.conditions()["Complete"] == "True"


def test_what_cannot_be_seen_of_the_pods_holds_up_nothing() -> None:
    """A chart of a release before has no such rule."""

    def refuse(call: AnyCall) -> None:
        if isinstance(call, Call) and call.resource in ("pods", "resourcequotas", "events"):
            raise Refusal(403, f"cannot {call}")

    world = World(faults=refuse)
    world.apply(**DELETE)
    world.run_to_end()
    assert world.conditions()["Complete"] == "True"
    assert world.calls["list pods"]
