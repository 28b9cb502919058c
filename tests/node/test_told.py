"""What the user is told where Kubernetes does not let the job's pods run: what, of which pod, and what to change."""

import pytest

from tests.node.alongside import alongside
from tests.node.imports import Cluster

pytestmark = pytest.mark.node

# A heap that is touched from the start, and nothing for the rest of the process: the kernel kills it.
_JOB_MANAGER = {
    "jobmanager.memory.jvm-overhead.min": "1m",
    "jobmanager.memory.jvm-overhead.max": "1m",
    "jobmanager.memory.jvm-metaspace.size": "64m",
    "env.java.opts.jobmanager": "-XX:+AlwaysPreTouch",
}
_TASK_MANAGER = {
    "taskmanager.memory.jvm-overhead.min": "1m",
    "taskmanager.memory.jvm-overhead.max": "1m",
    "taskmanager.memory.jvm-metaspace.size": "100m",
    "env.java.opts.taskmanager": "-XX:+AlwaysPreTouch",
}


@alongside
def test_a_task_manager_that_takes_more_memory_than_its_limit_is_told_with_the_field_to_raise(
    cluster: Cluster,
) -> None:
    """Flink removes such a pod at once and starts the job again: the import goes on, and says why it is slow."""
    run = cluster.start("oom", **{"job.flinkConfiguration": _TASK_MANAGER})
    run.wait_for_checkpoint()
    pod = f"TaskManager's pod {run.deployment}-taskmanager-"
    words = (pod, "container flink-main-container was killed", "OOMKilled", "Raise job.taskManager.processMemory")
    run.wait("it says why its job was started again", lambda: run.says("JobRunning", *words, "which is 1024m"))
    run.wait("an event says so", lambda: run.warns("JobRestarted", *words))
    run.change(**{"suspend": True, "job.taskManager.processMemory": "2048m", "job.flinkConfiguration": None})
    run.wait_until_suspended()
    run.change(suspend=False)
    run.must_end_well()


@alongside
def test_a_job_manager_that_takes_more_memory_than_its_limit_is_told_with_the_setting_to_raise(
    cluster: Cluster,
) -> None:
    """The Flink operator says of it only that the kubelet waits before it starts the container again."""
    run = cluster.start("oomjm", **{"job.flinkConfiguration": _JOB_MANAGER})
    field = 'Raise job.flinkConfiguration["jobmanager.memory.process.size"], which is 2048m'
    words = ("OOMKilled", "container flink-main-container was killed", field)
    run.wait("it says why its JobManager does not start", lambda: run.says("Ready", *words))
    assert run.says("Ready", f"JobManager's pod {run.deployment}-")
    run.wait("an event says so", lambda: run.warns("OOMKilled", field))
    run.change(**{"suspend": True, "job.flinkConfiguration": None})
    run.wait_until_suspended()
    run.change(suspend=False)
    run.must_end_well()


@alongside
def test_an_image_that_cannot_be_pulled_is_told_with_pod_and_image_and_can_be_corrected(cluster: Cluster) -> None:
    run = cluster.start("image", **{"job.image": "localhost/no-such-image:1"})
    run.wait("it has begun", lambda: bool(run.status.get("run")))
    words = (f"JobManager's pod {run.deployment}-", "localhost/no-such-image:1", "correct job.image")
    run.wait("it names the image", lambda: run.says("Ready", *words))
    reason = run.condition("Ready")["reason"]
    assert reason in ("ErrImagePull", "ImagePullBackOff")
    run.wait("an event says so", lambda: run.warns(reason, *words))
    run.change(suspend=True, **{"job.image": None})
    run.wait_until_suspended()
    run.change(suspend=False)
    run.must_end_well()


@alongside
def test_a_quota_without_room_is_named_and_the_import_goes_on_when_there_is_room(cluster: Cluster) -> None:
    """No room for the JobManager, then none for the TaskManager, of which only the JobManager's log says anything."""
    node = cluster.node
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "room", "namespace": "crowded"},
        "spec": {"hard": {"pods": "0"}},
    }
    node.apply(quota)
    with cluster.beside("crowded") as crowded:
        run = crowded.start("quota")
        run.wait("it names the quota", lambda: run.says("Ready", "exceeded quota: room"))
        assert run.condition("Ready")["reason"] == "QuotaExceeded"
        node.apply({**quota, "spec": {"hard": {"pods": "1"}}})
        words = ("QuotaExceeded", "0 of 1 TaskManagers have a pod", "ResourceQuota room", "pods 1 of 1 used")
        run.wait("it names the quota again", lambda: run.says("JobRunning", *words))
        node.apply({**quota, "spec": {"hard": {"pods": "2"}}})
        run.must_end_well()
