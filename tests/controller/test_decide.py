"""decide() without any I/O: each test is one situation."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any, Literal

import pytest

from lindorm_import.api.spec import ImportSpec
from lindorm_import.api.status import ImportStatus, Throttling
from lindorm_import.decide import Decision, Settings, decide
from lindorm_import.domain.actions import (
    CreateBucket,
    CreateObject,
    CreateTable,
    DeleteDeployment,
    ResumeJob,
    SuspendJob,
)
from lindorm_import.domain.observed import BucketSeen, IndexKey, JobSeen, Observed, SourceSeen, TableKey, TableSeen
from lindorm_import.domain.trouble import Trouble
from tests.controller.factories import (
    IDENTITY,
    NO_DEPLOYMENT,
    NOW,
    OTHER_UID,
    READY_TO_START,
    RESULT,
    RUNNING,
    SOURCE,
    TABLE,
    UID,
    spec,
)

SETTINGS = Settings()


def step(
    status: ImportStatus, seen: Observed, wanted: ImportSpec | None = None, later: timedelta = timedelta()
) -> Decision:
    return decide(IDENTITY, wanted or spec(), status, seen, NOW + later, SETTINGS)


def truth(decision: Decision) -> dict[str, str]:
    return {c.type: c.status for c in decision.status.conditions}


def reason(decision: Decision, type_: str) -> str:
    return next(c.reason for c in decision.status.conditions if c.type == type_)


@pytest.fixture
def allocated() -> ImportStatus:
    """After the first pass: names are in the status."""
    return step(ImportStatus(), Observed()).status


@pytest.fixture
def submitted(allocated: ImportStatus) -> ImportStatus:
    """After the pass that creates the job."""
    return step(allocated, READY_TO_START).status


@pytest.fixture
def running(submitted: ImportStatus) -> ImportStatus:
    return step(submitted, Observed(deployment=RUNNING, job=JobSeen(rows_read=500, items_written=400))).status


def test_the_first_pass_writes_the_names_and_does_nothing() -> None:
    decision = step(ImportStatus(), Observed())
    assert decision.status.run is not None
    assert decision.status.run.id == "r1a2b3c4d"
    assert decision.status.run.prefix == "s3://my-import-bucket/lindorm-import/default/readings/r1a2b3c4d/"
    assert decision.actions == ()
    assert decision.requeue == 0


def test_a_missing_bucket_is_recorded_before_it_is_created(allocated: ImportStatus) -> None:
    decision = step(allocated, replace(READY_TO_START, bucket=BucketSeen(exists=False)))
    assert isinstance(decision.actions[0], CreateBucket)
    assert [(r.kind, r.origin) for r in decision.status.resources] == [("Bucket", "Created")]


def test_a_bucket_that_is_there_already_is_adopted(allocated: ImportStatus) -> None:
    decision = step(allocated, READY_TO_START)
    assert [(r.kind, r.origin) for r in decision.status.resources] == [("Bucket", "Adopted"), ("Table", "Adopted")]


def test_a_table_is_created_with_the_key_and_the_owner_in_one_call(allocated: ImportStatus) -> None:
    decision = step(allocated, replace(READY_TO_START, table=TableSeen(exists=False)))
    create = decision.actions[0]
    assert isinstance(create, CreateTable)
    assert create.request["KeySchema"] == [
        {"AttributeName": "device", "KeyType": "HASH"},
        {"AttributeName": "ts", "KeyType": "RANGE"},
    ]
    assert {"Key": "lindorm.io/uid", "Value": UID} in create.request["Tags"]


def test_nothing_is_created_where_the_spec_says_never(allocated: ImportStatus) -> None:
    seen = replace(READY_TO_START, table=TableSeen(exists=False))
    decision = step(allocated, seen, spec(**{"target.create": "Never"}))
    assert decision.actions == ()
    assert decision.trouble is not None
    assert decision.trouble.reason == "TableMissing"


def test_a_table_with_another_key_is_not_touched_and_the_message_names_both_keys(allocated: ImportStatus) -> None:
    seen = replace(READY_TO_START, table=replace(TABLE, sort=TableKey("at", "N"), owner_uid=None))
    decision = step(allocated, seen)
    assert decision.actions == ()
    assert reason(decision, "TableReady") == "KeyMismatch"
    assert decision.trouble is not None
    assert "ts (S)" in decision.trouble.message
    assert "at (N)" in decision.trouble.message


def test_an_index_of_another_type_holds_the_import_and_its_keys_reach_the_job(allocated: ImportStatus) -> None:
    def decided(type_: Literal["S", "N"]) -> Decision:
        table = replace(TABLE, index_keys=(IndexKey("by-val", "val", type_, "Sort"),))
        return step(allocated, replace(READY_TO_START, table=table, config=False))

    held = decided("S")
    assert held.actions == ()
    assert reason(held, "TableReady") == "IndexKeyMismatch"
    [config] = [a.body for a in decided("N").actions if isinstance(a, CreateObject) and a.body["kind"] == "ConfigMap"]
    assert json.loads(config["data"]["job.json"])["target"]["indexKeys"] == [
        {"index": "by-val", "name": "val", "type": "N", "role": "Sort"}
    ]


def test_a_table_still_being_created_is_waited_for(allocated: ImportStatus) -> None:
    decision = step(allocated, replace(READY_TO_START, table=replace(TABLE, status="CREATING")))
    assert decision.actions == ()
    assert decision.trouble is None
    assert truth(decision)["TableReady"] == "False"


def test_a_table_of_another_import_is_adopted_not_owned(allocated: ImportStatus) -> None:
    decision = step(allocated, replace(READY_TO_START, table=replace(TABLE, owner_uid=OTHER_UID)))
    table = decision.status.resource("Table")
    assert table is not None
    assert table.origin == "Adopted"


@pytest.mark.parametrize("facet", ["source", "bucket", "table"])
def test_what_cannot_be_seen_holds_the_import_and_heals(allocated: ImportStatus, facet: str) -> None:
    changes: dict[str, Any] = {facet: Trouble("Broken", "it is broken: fix it")}
    decision = step(allocated, replace(READY_TO_START, **changes))
    assert decision.actions == ()
    assert reason(decision, "Ready") == "Broken"
    assert truth(decision)["Reconciling"] == "True"
    healed = step(decision.status, READY_TO_START)
    assert len(healed.actions) == 2
    assert healed.trouble is None


def test_a_spec_that_can_never_work_is_stalled_and_not_tried_again(allocated: ImportStatus) -> None:
    decision = step(allocated, READY_TO_START, spec(**{"target.key": {"partition": "device"}}))
    assert truth(decision)["Stalled"] == "True"
    assert "Reconciling" not in truth(decision)
    assert decision.trouble is not None
    assert decision.trouble.spec


def test_the_job_is_submitted_when_everything_is_ready(allocated: ImportStatus) -> None:
    decision = step(allocated, READY_TO_START)
    kinds = [a.body["kind"] for a in decision.actions if isinstance(a, CreateObject)]
    assert kinds == ["ConfigMap", "FlinkDeployment"]
    assert decision.status.job is not None
    assert decision.status.plan is not None
    assert decision.status.plan.cost_usd == "0.00"
    assert decision.status.plan.write_units == 1000


def test_a_plan_over_budget_starts_nothing(allocated: ImportStatus) -> None:
    rich = replace(READY_TO_START, source=replace(SOURCE, rows=10_000_000))
    decision = step(allocated, rich, spec(**{"budget.maxCostUSD": "6.69"}))  # 10 x $0.625, and the cluster
    assert decision.actions == ()
    assert reason(decision, "Stalled") == "OverBudget"
    assert step(decision.status, rich, spec(**{"budget.maxCostUSD": "6.70"})).actions != ()


def test_rows_that_could_not_be_counted_do_not_hold_an_import_without_budget(allocated: ImportStatus) -> None:
    unknown = SourceSeen(SOURCE.columns, SOURCE.primary_key)
    decision = step(allocated, replace(READY_TO_START, source=unknown))
    assert len(decision.actions) == 2
    assert decision.status.plan is not None
    assert decision.status.plan.rows is None


def test_a_suspended_import_is_prepared_but_not_started(allocated: ImportStatus) -> None:
    decision = step(allocated, READY_TO_START, spec(suspend=True))
    assert decision.actions == ()
    assert truth(decision)["Suspended"] == "True"


def test_a_flink_deployment_of_that_name_that_is_not_ours_is_not_touched(submitted: ImportStatus) -> None:
    decision = step(submitted, Observed(deployment=replace(RUNNING, owner_uid=OTHER_UID)))
    assert decision.actions == ()
    assert reason(decision, "JobRunning") == "NameTaken"


def test_a_flink_deployment_deleted_by_hand_is_made_again_from_the_newest_checkpoint(running: ImportStatus) -> None:
    decision = step(running, replace(READY_TO_START, config=True, checkpoint="s3://b/chk-7"))
    [create] = decision.actions
    assert isinstance(create, CreateObject)
    assert create.body["spec"]["job"]["initialSavepointPath"] == "s3://b/chk-7"


def test_counts_and_time_to_go_are_told_while_the_job_runs(running: ImportStatus) -> None:
    seen = Observed(deployment=RUNNING, job=JobSeen(rows_read=700, items_written=600))
    decision = step(running, seen, later=timedelta(seconds=40))
    progress = decision.status.progress
    assert progress is not None
    assert (progress.rows_read, progress.items_written, progress.percent) == (700, 600, 70)
    assert progress.rows_per_second == 5
    assert progress.estimated_completion_time == NOW + timedelta(seconds=100)  # 300 rows at 5 a second
    assert progress.eta == "05:01Z (in 1m 00s)"
    assert truth(decision)["JobRunning"] == "True"


def test_counts_never_go_back_when_the_job_reads_again_after_a_failure(running: ImportStatus) -> None:
    seen = Observed(deployment=RUNNING, job=JobSeen(rows_read=100, items_written=100))
    progress = step(running, seen, later=timedelta(seconds=5)).status.progress
    assert progress is not None
    assert (progress.rows_read, progress.items_written) == (500, 400)


def test_finished_with_a_result_that_adds_up_is_complete(running: ImportStatus) -> None:
    decision = step(running, Observed(deployment=replace(RUNNING, job_state="FINISHED"), result=RESULT))
    assert truth(decision)["Complete"] == "True"
    assert truth(decision)["Ready"] == "False", "the job's pods still stand"
    assert (truth(decision)["Released"], truth(decision)["Reconciling"]) == ("False", "True")
    assert decision.status.results is not None
    assert decision.status.results.items_written == 998


def test_finished_without_result_is_no_success_and_fails_after_a_while(running: ImportStatus) -> None:
    seen = Observed(deployment=replace(RUNNING, job_state="FINISHED"))
    waiting = step(running, seen)
    assert "Complete" not in truth(waiting)
    assert "Failed" not in truth(waiting)
    assert reason(step(waiting.status, seen, later=timedelta(minutes=6)), "Failed") == "ResultMissing"


@pytest.mark.parametrize(
    "trap",
    [
        {"lifecycle": "SUSPENDED", "wanted_state": "suspended"},
        {"lifecycle": "DEPLOYED"},
        {"reconciliation": "UPGRADING"},
        {"observed_generation": 0},
        {"deleting": True},
    ],
)
def test_finished_written_after_a_suspend_or_delete_is_no_success(running: ImportStatus, trap: dict[str, Any]) -> None:
    seen = Observed(deployment=replace(RUNNING, job_state="FINISHED", **trap))
    decision = step(running, seen)
    assert "Complete" not in truth(decision)
    assert reason(decision, "JobRunning") != "ResultMissing"


def test_counts_that_do_not_add_up_fail_the_import(running: ImportStatus) -> None:
    seen = Observed(deployment=replace(RUNNING, job_state="FINISHED"), result=replace(RESULT, items_written=997))
    assert reason(step(running, seen), "Failed") == "CountsDiffer"


def test_a_result_of_another_run_fails_the_import(running: ImportStatus) -> None:
    seen = Observed(deployment=replace(RUNNING, job_state="FINISHED"), result=replace(RESULT, run_id="r00000000"))
    assert reason(step(running, seen), "Failed") == "ForeignResult"


def test_a_result_that_cannot_be_read_starts_no_second_job(running: ImportStatus) -> None:
    decision = step(running, replace(READY_TO_START, result=Trouble("AwsAccessDenied", "not allowed")))
    assert decision.actions == ()
    assert reason(decision, "Ready") == "AwsAccessDenied"


def test_a_failed_job_gives_way_and_is_submitted_again_after_a_pause(running: ImportStatus) -> None:
    failed = Observed(deployment=replace(RUNNING, job_state="FAILED"), job=JobSeen(failure="disk full"))
    first = step(running, failed)
    assert first.actions == (DeleteDeployment("limport-readings-r1a2b3c4d", "d-1"),)
    assert truth(first).get("Failed") is None
    repeated = step(first.status, failed)
    assert first.status.job is not None
    assert repeated.status.job is not None
    assert first.status.job.attempts == repeated.status.job.attempts == 2, "counted once for each FlinkDeployment"
    again = replace(READY_TO_START, config=True, checkpoint="s3://b/chk-7")
    early = step(first.status, again, later=timedelta(seconds=30))
    assert (early.actions, early.requeue) == ((), 30)
    [create] = step(first.status, again, later=timedelta(seconds=61)).actions
    assert isinstance(create, CreateObject)
    assert create.body["spec"]["job"]["initialSavepointPath"] == "s3://b/chk-7"


def test_a_job_that_keeps_failing_fails_the_import_after_three_retries(running: ImportStatus) -> None:
    status, deaths = running, 0
    while not any(c.type == "Failed" for c in status.conditions):
        deaths += 1
        dead = replace(RUNNING, uid=f"d-{deaths}", job_state="FAILED")
        status = step(status, Observed(deployment=dead, job=JobSeen(failure="disk full"))).status
    assert deaths == 4
    assert "disk full (submitted 4 times)" in next(c.message for c in status.conditions if c.type == "Failed")


def test_an_import_that_runs_longer_than_its_budget_is_stopped(running: ImportStatus) -> None:
    hour = spec(**{"budget.maxDuration": "1h"})
    seen = Observed(deployment=RUNNING)
    assert "Failed" not in truth(step(running, seen, hour, later=timedelta(minutes=59)))
    assert reason(step(running, seen, hour, later=timedelta(minutes=61)), "Failed") == "OverBudget"


def test_time_in_suspension_does_not_count_against_the_budget(running: ImportStatus) -> None:
    hour = {"budget.maxDuration": "1h"}
    stopped = Observed(deployment=replace(RUNNING, wanted_state="suspended", job_state="FINISHED"))
    asleep = step(running, stopped, spec(suspend=True, **hour), later=timedelta(hours=3))
    assert "Failed" not in truth(asleep)
    awake = step(asleep.status, Observed(deployment=RUNNING), spec(**hour), later=timedelta(hours=3, minutes=1))
    assert "Failed" not in truth(awake)


def test_an_import_that_has_written_more_than_its_budget_pays_for_is_stopped(running: ImportStatus) -> None:
    seen = Observed(deployment=RUNNING, job=JobSeen(rows_read=20_000_000, items_written=17_000_000))
    decision = step(running, seen, spec(**{"budget.maxCostUSD": "10"}))  # 17 x $0.625 = $10.63
    assert reason(decision, "Failed") == "OverBudget"


def test_a_failure_that_no_retry_can_mend_fails_the_import_with_the_jobs_own_words(running: ImportStatus) -> None:
    job = JobSeen(failure="Lindorm has no table x", hopeless=True)
    seen = Observed(deployment=replace(RUNNING, job_state="FAILED"), job=job)
    decision = step(running, seen)
    assert truth(decision)["Failed"] == "True"
    assert truth(decision)["Stalled"] == "True"
    assert decision.trouble is None
    assert any("no table x" in c.message for c in decision.status.conditions)


def test_more_rejects_than_allowed_fail_the_import_at_once(running: ImportStatus) -> None:
    seen = Observed(deployment=RUNNING, job=JobSeen(rows_read=600, rows_rejected=1001))
    assert reason(step(running, seen), "Failed") == "TooManyRejects"


def test_a_job_manager_that_cannot_start_fails_the_import_after_a_bounded_time(submitted: ImportStatus) -> None:
    seen = Observed(deployment=replace(RUNNING, job_state="RECONCILING", job_manager="ERROR", error="ImagePullBackOff"))
    waiting = step(submitted, seen)
    assert "ImagePullBackOff" in next(c.message for c in waiting.status.conditions if c.type == "JobRunning")
    assert reason(step(waiting.status, seen, later=timedelta(minutes=11)), "Failed") == "JobCannotStart"


def test_the_pods_are_removed_after_the_end_and_the_result_stays(running: ImportStatus) -> None:
    finished = replace(RUNNING, job_state="FINISHED")
    complete = step(running, Observed(deployment=finished, result=RESULT)).status
    decision = step(complete, Observed(deployment=finished))
    assert decision.actions == (DeleteDeployment("limport-readings-r1a2b3c4d", "d-1"),)
    gone = step(decision.status, Observed(deployment=NO_DEPLOYMENT, table=TABLE))
    assert (gone.actions, gone.requeue) == ((), None)
    assert truth(gone) == {
        **{type_: status for type_, status in truth(decision).items() if type_ != "Reconciling"},
        "Released": "True",
        "Ready": "True",
    }


def test_suspend_stops_the_job_through_the_flink_operator(running: ImportStatus) -> None:
    decision = step(running, Observed(deployment=RUNNING), spec(suspend=True))
    assert decision.actions == (SuspendJob("limport-readings-r1a2b3c4d"),)
    stopped = replace(RUNNING, wanted_state="suspended", job_state="FINISHED", lifecycle="SUSPENDED")
    resumed = step(decision.status, Observed(deployment=stopped))
    assert [type(action) for action in resumed.actions] == [ResumeJob]
    assert "Suspended" not in truth(resumed)


def test_throttling_is_told_with_its_cause_and_the_remedy(running: ImportStatus) -> None:
    throttling = Throttling(events=90, events_per_minute=30, cause="KeyRange")
    decision = step(running, Observed(deployment=RUNNING, throttling=throttling))
    throttled = next(c for c in decision.status.conditions if c.type == "Throttled")
    assert (throttled.status, throttled.reason) == ("True", "KeyRange")
    assert "partitionShards" in throttled.message


def test_a_condition_keeps_its_transition_time_while_its_status_stays(running: ImportStatus) -> None:
    first = next(c for c in running.conditions if c.type == "JobRunning")
    later = step(running, Observed(deployment=RUNNING, job=JobSeen(rows_read=600)), later=timedelta(minutes=5)).status
    assert (
        next(c for c in later.conditions if c.type == "JobRunning").last_transition_time == first.last_transition_time
    )


def test_an_action_that_failed_is_told_and_tried_again(allocated: ImportStatus) -> None:
    denied = Trouble("AwsAccessDenied", "not allowed: dynamodb:CreateTable")
    decision = step(allocated, replace(READY_TO_START, table=TableSeen(exists=False), last_action=denied))
    assert reason(decision, "Ready") == "AwsAccessDenied"
    assert isinstance(decision.actions[0], CreateTable)
