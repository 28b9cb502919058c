"""What a user does to an import while it runs: suspend and resume, change its rates, delete it."""

import pytest

from tests.node.alongside import alongside
from tests.node.imports import ROWS, Cluster

pytestmark = pytest.mark.node


@alongside
def test_an_import_that_is_suspended_and_resumed_goes_on_from_its_checkpoint(cluster: Cluster) -> None:
    run = cluster.start("suspend")
    run.wait_for_checkpoint()
    run.change(suspend=True)
    run.wait_until_suspended()
    read = run.rows_read
    assert 0 < read < ROWS
    run.change(suspend=False)
    run.must_end_well()


@alongside
def test_an_import_that_is_suspended_before_its_first_checkpoint_begins_again(cluster: Cluster) -> None:
    run = cluster.start("early", **{"job.checkpoint": {"interval": "10m"}})
    run.wait("it reads", lambda: run.rows_read > 0)
    assert not run.status["job"].get("lastCheckpoint")
    run.change(suspend=True)
    run.wait_until_suspended()
    run.change(suspend=False)
    run.must_end_well()


@alongside
def test_the_rate_of_a_running_import_can_be_changed(cluster: Cluster) -> None:
    """At the rate it begins with it would take hours; a kubelet renews a mounted ConfigMap within about a minute."""
    run = cluster.start("rates", **{"source.maxRowsPerSecond": 1})
    run.wait("it reads", lambda: run.rows_read > 0)
    before = run.status["job"]["jobId"]
    run.change(**{"source.maxRowsPerSecond": ROWS // 5})
    run.must_complete()
    assert (run.status["job"]["jobId"], run.status["job"]["restarts"]) == (before, 0), "it was not started again"
    run.must_leave_nothing()


@alongside
def test_an_import_that_is_deleted_while_it_runs_leaves_nothing_not_even_its_table(cluster: Cluster) -> None:
    run = cluster.start("remove", **{"target.deletionPolicy": "Delete"})
    run.wait_for_checkpoint()
    run.must_leave_nothing(table=False)


@alongside
def test_an_import_that_is_deleted_while_its_pods_start_leaves_only_the_table_that_it_should(cluster: Cluster) -> None:
    run = cluster.start("remove2")
    run.wait("its JobManager's pod is there", lambda: bool(run.status.get("run")) and bool(run.pods("jobmanager")))
    run.must_leave_nothing(table=True)
