"""Suspend and resume: nothing is made before the start, and Suspended means that the job has stopped."""

from dataclasses import replace
from datetime import timedelta

import pytest

from lindorm_import.domain.actions import CreateObject, DeleteDeployment, ResumeJob, SuspendJob
from lindorm_import.domain.observed import BucketSeen, Observed, TableSeen
from lindorm_import.domain.trouble import Trouble
from tests.controller.factories import NO_DEPLOYMENT, READY_TO_START, RESULT, RUNNING, TABLE, spec
from tests.controller.situations import allocated, condition, running, step, told

DEPLOYMENT = "limport-readings-r1a2b3c4d"
STOPPED = replace(RUNNING, wanted_state="suspended", job_state="FINISHED", lifecycle="SUSPENDED")
SUSPENDED = spec(suspend=True)


def test_an_import_suspended_from_the_start_is_checked_and_planned_and_makes_nothing() -> None:
    nothing = replace(READY_TO_START, bucket=BucketSeen(exists=False), table=TableSeen(exists=False))
    decision = step(allocated(), nothing, SUSPENDED)
    assert decision.actions == ()
    assert told(decision, "Suspended") == ("True", "SuspendedBySpec")
    assert told(decision, "SourceReady") == ("True", "Described")
    assert decision.status.plan is not None
    assert decision.status.resources == allocated().resources


def test_the_import_is_suspended_only_when_the_flink_operator_has_stopped_the_job() -> None:
    stopping = step(running(), Observed(deployment=RUNNING, table=TABLE), SUSPENDED)
    assert stopping.actions == (SuspendJob(DEPLOYMENT),)
    assert told(stopping, "Suspended") == ("False", "Suspending")
    assert stopping.status.summary == "Suspending"
    still = replace(RUNNING, wanted_state="suspended", generation=2, lifecycle="SUSPENDED")
    seen = step(stopping.status, Observed(deployment=still, table=TABLE), SUSPENDED)
    assert told(seen, "Suspended") == ("False", "Suspending"), "of the generation before"
    stopped = step(stopping.status, Observed(deployment=STOPPED, table=TABLE), SUSPENDED)
    assert stopped.actions == ()
    assert told(stopped, "Suspended") == ("True", "SuspendedBySpec")
    assert told(stopped, "JobRunning") == ("False", "Suspended")
    assert condition(stopped, "Reconciling") is None


@pytest.mark.parametrize(
    "said",
    [
        "JobManager deployment is missing and HA data is not available to make stateful upgrades.",
        "HA metadata not available to restore from last state.",
    ],
)
def test_a_job_that_never_started_and_that_the_operator_cannot_suspend_is_deleted_instead(said: str) -> None:
    """A real operator says so for ever of an image that could not be pulled: the import could never be corrected."""
    broken = replace(RUNNING, wanted_state="suspended", job_manager="ERROR", job_state="RECONCILING", error=said)
    stuck = step(running(), Observed(deployment=broken, table=TABLE), SUSPENDED)
    assert stuck.actions == (DeleteDeployment(DEPLOYMENT, broken.uid),)
    assert told(stuck, "Suspended") == ("False", "Suspending")
    unsure = Observed(deployment=broken, table=TABLE, result=Trouble("AwsThrottled", "throttled"))
    assert step(running(), unsure, SUSPENDED).actions == (), "there may be a result"
    for other in (replace(broken, error="back-off 10s"), replace(broken, deleting=True), replace(broken, error=None)):
        assert step(running(), Observed(deployment=other, table=TABLE), SUSPENDED).actions == ()
    gone = replace(READY_TO_START, deployment=NO_DEPLOYMENT, config=True, checkpoint=None)
    suspended = step(stuck.status, gone, SUSPENDED)
    assert told(suspended, "Suspended") == ("True", "SuspendedBySpec")
    (action, *_) = step(suspended.status, gone).actions
    assert isinstance(action, CreateObject)


def test_a_suspended_import_promises_no_end() -> None:
    moving = step(running(), Observed(deployment=RUNNING, table=TABLE), later=timedelta(seconds=10)).status
    progress = step(moving, Observed(deployment=STOPPED, table=TABLE), SUSPENDED).status.progress
    assert progress is not None
    assert (progress.rows_read, progress.rows_per_second, progress.estimated_completion_time) == (500, None, None)


def test_a_resumed_import_goes_on_by_the_same_flink_deployment() -> None:
    stopped = step(running(), Observed(deployment=STOPPED, table=TABLE), SUSPENDED).status
    resumed = step(stopped, Observed(deployment=STOPPED, table=TABLE))
    (action,) = resumed.actions
    assert isinstance(action, ResumeJob)
    assert (action.body["metadata"]["name"], action.body["spec"]["job"]["state"]) == (DEPLOYMENT, "running")
    assert condition(resumed, "Suspended") is None


def test_a_suspended_job_deleted_by_hand_is_made_again_only_when_the_import_is_resumed() -> None:
    stopped = step(running(), Observed(deployment=STOPPED, table=TABLE), SUSPENDED).status
    gone = replace(READY_TO_START, deployment=NO_DEPLOYMENT, config=True, checkpoint="s3://b/chk-7")
    waiting = step(stopped, gone, SUSPENDED)
    assert waiting.actions == ()
    assert told(waiting, "Suspended") == ("True", "SuspendedBySpec")
    found = condition(waiting, "Suspended")
    assert found is not None
    assert "last checkpoint" in found.message
    [create] = step(waiting.status, gone).actions
    assert isinstance(create, CreateObject)
    assert create.body["spec"]["job"]["initialSavepointPath"] == "s3://b/chk-7"


def test_what_a_suspended_import_keeps_costing_is_told() -> None:
    provisioned = spec(suspend=True, **{"target.capacity": {"mode": "Provisioned", "writeUnits": 4000}})
    table = replace(TABLE, settings=TABLE.settings.model_copy(update={"mode": "Provisioned", "write_units": 4000}))
    stopped = step(running(), Observed(deployment=STOPPED, table=table), provisioned)
    found = condition(stopped, "Suspended")
    assert found is not None
    assert "keeps 4,000 provisioned write units" in found.message


def test_a_job_that_came_to_its_end_while_it_was_being_suspended_is_complete() -> None:
    clean = replace(RESULT, items_written=1000, rows_rejected=0)
    decision = step(running(), Observed(deployment=STOPPED, table=TABLE, result=clean), SUSPENDED)
    assert told(decision, "Complete") == ("True", "Complete")
