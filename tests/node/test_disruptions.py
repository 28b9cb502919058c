"""What happens to that which all imports share: the node, its kubelet, the controller, the Flink operator."""

from typing import Any

import pytest

from tests.node.alongside import alongside
from tests.node.imports import Cluster, Import

pytestmark = pytest.mark.node


def job_of(run: Import) -> tuple[Any, Any]:
    """Which job it is, and how often Flink has started it again."""
    job = run.status["job"]
    return job["jobId"], job["restarts"]


@alongside
def test_a_running_import_notices_nothing_of_a_kubelet_that_is_killed(cluster: Cluster) -> None:
    run = cluster.start("kubelet")
    run.wait_for_checkpoint()
    pods, job = {pod["metadata"]["uid"] for pod in run.pods("jobmanager")}, job_of(run)
    cluster.node.restart("kubelet")
    cluster.node.wait_ready()
    assert {pod["metadata"]["uid"] for pod in run.pods("jobmanager")} == pods
    run.finish()
    run.must_complete()
    assert job_of(run) == job
    run.must_leave_nothing()
