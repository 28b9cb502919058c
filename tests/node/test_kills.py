"""What is killed while an import runs: it goes on from its last checkpoint, nothing is lost, nothing is there twice."""

import pytest

from tests.node.alongside import alongside
from tests.node.imports import Cluster

pytestmark = pytest.mark.node

_BY_FORCE = ("--force", "--grace-period=0")


@alongside
def test_an_import_survives_the_loss_of_its_task_managers_pod(cluster: Cluster) -> None:
    run = cluster.start("killtm")
    run.wait_for_checkpoint()
    for pod in run.pods("taskmanager"):
        cluster.kubectl("delete", "pod", pod["metadata"]["name"], *_BY_FORCE)
    run.must_end_well()


@alongside
def test_an_import_survives_the_loss_of_its_job_managers_pod(cluster: Cluster) -> None:
    run = cluster.start("killjm")
    run.wait_for_checkpoint()
    cluster.kubectl("delete", "pod", run.job_manager()["metadata"]["name"], *_BY_FORCE)
    run.must_end_well()


@alongside
def test_an_import_survives_a_job_managers_pod_that_is_asked_to_end(cluster: Cluster) -> None:
    run = cluster.start("stopjm")
    run.wait_for_checkpoint()
    cluster.kubectl("delete", "pod", run.job_manager()["metadata"]["name"])
    run.must_end_well()


@alongside
def test_an_import_survives_the_end_of_its_job_managers_process_twice(cluster: Cluster) -> None:
    """The kubelet starts the container again: at once, then after a pause."""
    run = cluster.start("killjmp")
    run.wait_for_checkpoint()
    for restarts in (1, 2):
        assert cluster.node.kill_processes(run.job_manager()) > 0
        run.wait("the kubelet has started it again", lambda n=restarts: started(run.job_manager()) == n)  # type: ignore[misc]
    run.must_end_well()


def started(pod: dict[str, object]) -> int:
    """How often the kubelet has started the pod's container again, where it runs."""
    [container] = pod["status"]["containerStatuses"]  # type: ignore[index]
    return int(container["restartCount"]) if "running" in container["state"] else -1


@alongside
def test_a_flink_deployment_deleted_by_hand_is_made_again_and_the_import_goes_on(cluster: Cluster) -> None:
    run = cluster.start("nodep")
    run.wait_for_checkpoint()
    uid = cluster.node.get("flinkdeployment", run.deployment, "-n", cluster.namespace)["metadata"]["uid"]
    cluster.kubectl("delete", "flinkdeployment", run.deployment, "--timeout=300s")
    run.wait("there is another", lambda: run.flink_deployment_uid() not in (None, uid))
    run.must_end_well()
