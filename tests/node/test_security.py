"""Pods with as few rights as they can have, on a kubelet that enforces it."""

import pytest

from local.node import NodeError
from local.node.cluster import SYSTEM
from tests.node.alongside import alongside
from tests.node.imports import Cluster

pytestmark = pytest.mark.node

HADOOP = 999  # the user of the job's image here


@alongside
def test_without_the_users_number_the_user_is_told_what_the_standard_restricted_lacks(cluster: Cluster) -> None:
    with cluster.beside("strict") as strict:
        run = strict.start("unnumbered")
        words = ("PodSecurityViolated", "restricted", "runAsNonRoot", "Set job.runAsUser")
        run.wait("it says what is lacking", lambda: run.says("Ready", *words))
        run.change(**{"suspend": True, "job.runAsUser": HADOOP})
        run.wait_until_suspended()
        run.change(suspend=False)
        run.must_end_well()


def test_the_controllers_pod_keeps_to_the_standard_restricted_and_writes_no_file(cluster: Cluster) -> None:
    node = cluster.node
    standard = node.get("namespace", SYSTEM)["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
    assert standard == "restricted"
    [pod] = node.pods("app.kubernetes.io/name=lindorm-import", SYSTEM)
    [status] = pod["status"]["containerStatuses"]
    assert (status["ready"], status["restartCount"]) == (True, 0)
    for folder in ("/", "/opt/venv"):  # /tmp is a volume of its own
        command = ["exec", "-n", SYSTEM, pod["metadata"]["name"], "--"]
        with pytest.raises(NodeError, match="Read-only file system"):
            node.kubectl(*command, "python", "-c", f"open('{folder}/x', 'w')")
    tokens = [v for v in pod["spec"]["volumes"] if "projected" in v]
    assert len(tokens) == 1, "its service account's token is all that is mounted"
