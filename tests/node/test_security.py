"""Pods with as few rights as they can have, on a kubelet that enforces it."""

import pytest

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
