"""The table's capacity: during the import what the spec says, afterwards what it is left with."""

from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from lindorm_import.api.status import ImportStatus, TableSettings
from lindorm_import.decide import decide_deletion
from lindorm_import.domain.actions import Action, CreateTable, DeleteTable, RemoveScaling, SetScaling, UpdateTable
from lindorm_import.domain.observed import BucketSeen, JobSeen, Observed, TableIndex, TableSeen
from lindorm_import.manifests import build
from tests.controller.factories import (
    IDENTITY,
    NO_DEPLOYMENT,
    NOW,
    OTHER_UID,
    READY_TO_START,
    RESULT,
    RUNNING,
    TABLE,
    UID,
    spec,
)
from tests.controller.fakes import World
from tests.controller.lives import make_table
from tests.controller.situations import SETTINGS, allocated, condition, running, step, submitted, told

POLICY = "lindorm-import-r1a2b3c4d"
PROVISIONED = {"mode": "Provisioned", "writeUnits": 4000}
SCALED = {"mode": "Provisioned", "writeUnits": 4000, "autoscaling": {"min": 1000, "max": 40000}}
THEIRS = replace(TABLE, owner_uid=OTHER_UID, read_units=5)


def with_capacity(**capacity: Any) -> Any:
    return spec(**{"target.capacity": capacity})


def having(table: TableSeen, mode: str, units: int | None = None, **more: Any) -> TableSeen:
    scaling = {k: more.pop(k) for k in ("scaling_min", "scaling_max") if k in more}
    settings = TableSettings.model_validate({"mode": mode, "write_units": units, **scaling})
    return replace(table, settings=settings, **more)


def before_start(table: TableSeen, wanted: Any) -> tuple[Action, ...]:
    """The actions on the table before the job is submitted; none when it is submitted."""
    decision = step(allocated(wanted), replace(READY_TO_START, table=table), wanted)
    return () if decision.status.job else decision.actions


def follow(status: ImportStatus, table: TableSeen, wanted: Any) -> tuple[Action, ...]:
    return step(status, Observed(deployment=RUNNING, table=table), wanted).actions


def after_end(status: ImportStatus, table: TableSeen, wanted: Any) -> tuple[Action, ...]:
    """The actions on the table once the import has ended and its pods are gone."""
    finished = replace(RUNNING, job_state="FINISHED")
    ended = step(status, Observed(deployment=finished, table=table, result=RESULT), wanted).status
    return step(ended, Observed(deployment=NO_DEPLOYMENT, table=table), wanted).actions


# -- on demand ---------------------------------------------------------------------------------------------------


def test_a_cap_is_set_and_the_reads_limit_stays() -> None:
    [update] = before_start(replace(TABLE, max_read_units=300), with_capacity(writeUnits=7000))
    assert isinstance(update, UpdateTable)
    assert update.request["OnDemandThroughput"] == {"MaxReadRequestUnits": 300, "MaxWriteRequestUnits": 7000}
    assert "BillingMode" not in update.request


def test_a_changed_cap_reaches_the_table_while_the_job_runs() -> None:
    [update] = follow(running(), having(TABLE, "OnDemand", 7000), with_capacity(writeUnits=9000))
    assert isinstance(update, UpdateTable)
    assert update.request["OnDemandThroughput"]["MaxWriteRequestUnits"] == 9000


def test_the_cap_of_a_table_that_the_import_created_goes_at_the_end() -> None:
    capped = with_capacity(writeUnits=7000)
    [update] = after_end(running(capped), having(TABLE, "OnDemand", 7000), capped)
    assert isinstance(update, UpdateTable)
    assert update.request["OnDemandThroughput"]["MaxWriteRequestUnits"] == -1


# -- warm throughput ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("units", "warmed"), [(3000, False), (4000, False), (9000, True)])
def test_a_new_table_is_created_warm_only_where_that_raises_what_it_takes_anyway(units: int, warmed: bool) -> None:
    wanted = with_capacity(writeUnits=units, warm=True)
    missing = replace(READY_TO_START, table=TableSeen(exists=False))
    [create] = step(allocated(wanted), missing, wanted).actions
    assert isinstance(create, CreateTable)
    assert ("WarmThroughput" in create.request) == warmed


def test_an_existing_table_is_warmed_when_asked_and_the_reads_stay() -> None:
    cold = having(THEIRS, "OnDemand", 9000, warm_reads=12000, warm_writes=4000)
    [update] = before_start(cold, with_capacity(writeUnits=9000, warm=True))
    assert isinstance(update, UpdateTable)
    assert update.request == {
        "TableName": "readings",
        "WarmThroughput": {"ReadUnitsPerSecond": 12000, "WriteUnitsPerSecond": 9000},
    }


@pytest.mark.parametrize("warm", [9000, 20000, None])
def test_a_table_that_is_warm_enough_or_does_not_say_is_left_alone(warm: int | None) -> None:
    table = having(THEIRS, "OnDemand", 9000, warm_reads=12000, warm_writes=warm)
    assert before_start(table, with_capacity(writeUnits=9000, warm=True)) == ()


def test_the_job_waits_while_the_table_is_being_warmed() -> None:
    wanted = with_capacity(writeUnits=9000, warm=True)
    warming = having(TABLE, "OnDemand", 9000, warm_reads=12000, warm_writes=4000, warming=True)
    decision = step(allocated(wanted), replace(READY_TO_START, table=warming), wanted)
    assert decision.actions == ()
    assert told(decision, "TableReady") == ("False", "Warming")


def test_warming_comes_after_the_cap_because_dynamodb_takes_one_change_at_a_time() -> None:
    cold = replace(TABLE, warm_reads=12000, warm_writes=4000)
    [update] = before_start(cold, with_capacity(writeUnits=9000, warm=True))
    assert isinstance(update, UpdateTable)
    assert "WarmThroughput" not in update.request


# -- provisioned and auto scaling --------------------------------------------------------------------------------


def test_provisioned_capacity_is_set_for_the_load_before_the_job_starts() -> None:
    [update] = before_start(TABLE, with_capacity(**PROVISIONED))
    assert isinstance(update, UpdateTable)
    assert update.request["BillingMode"] == "PROVISIONED"
    assert update.request["ProvisionedThroughput"] == {"ReadCapacityUnits": 1, "WriteCapacityUnits": 4000}


def test_auto_scaling_aims_at_70_percent_unless_told_otherwise() -> None:
    table = having(TABLE, "Provisioned", 4000)
    assert before_start(table, with_capacity(**SCALED)) == (SetScaling("readings", 1000, 40000, 70, POLICY),)
    busy = {**SCALED, "autoscaling": {"min": 1000, "max": 40000, "targetUtilization": 85}}
    assert before_start(table, with_capacity(**busy)) == (SetScaling("readings", 1000, 40000, 85, POLICY),)


def test_a_crash_between_bounds_and_policy_is_made_good() -> None:
    table = having(TABLE, "Provisioned", 4000, scaling_min=1000, scaling_max=40000)
    assert before_start(table, with_capacity(**SCALED)) == (SetScaling("readings", 1000, 40000, 70, POLICY),)
    assert before_start(replace(table, scaling_target=70), with_capacity(**SCALED)) == ()


def test_a_changed_target_reaches_the_policy_while_the_job_runs() -> None:
    table = having(TABLE, "Provisioned", 4000, scaling_min=1000, scaling_max=40000, scaling_target=70)
    busy = {**SCALED, "autoscaling": {"min": 1000, "max": 40000, "targetUtilization": 85}}
    assert follow(running(), table, with_capacity(**busy)) == (SetScaling("readings", 1000, 40000, 85, POLICY),)


def test_auto_scaling_taken_out_of_the_spec_is_taken_off_the_table() -> None:
    table = having(TABLE, "Provisioned", 4000, scaling_min=1000, scaling_max=40000, scaling_target=70)
    assert follow(running(), table, with_capacity(**PROVISIONED)) == (RemoveScaling("readings", POLICY, keep=False),)


def test_what_auto_scaling_has_made_of_the_units_is_not_undone() -> None:
    table = having(TABLE, "Provisioned", 22000, scaling_min=1000, scaling_max=40000, scaling_target=70)
    assert follow(running(), table, with_capacity(**SCALED)) == ()


def test_a_created_table_is_left_on_demand_and_without_scaling() -> None:
    wanted = with_capacity(**SCALED)
    table = having(TABLE, "Provisioned", 22000, scaling_min=1000, scaling_max=40000, scaling_target=70)
    remove, update = after_end(running(wanted), table, wanted)
    assert remove == RemoveScaling("readings", POLICY, keep=False)
    assert isinstance(update, UpdateTable)
    assert update.request == {"TableName": "readings", "BillingMode": "PAY_PER_REQUEST"}


@pytest.mark.parametrize("failed", [True, False])
def test_after_says_what_the_table_is_left_with_also_when_the_import_fails(failed: bool) -> None:
    wanted = with_capacity(**PROVISIONED, after={"mode": "Provisioned", "writeUnits": 10})
    table, status = having(TABLE, "Provisioned", 4000), running(with_capacity(**PROVISIONED))
    if failed:
        dead = replace(RUNNING, job_state="FAILED")
        seen = Observed(deployment=dead, table=table, job=JobSeen(failure="no", hopeless=True))
        ended = step(status, seen, wanted).status
        [update] = step(ended, Observed(deployment=NO_DEPLOYMENT, table=table), wanted).actions
    else:
        [update] = after_end(status, table, wanted)
    assert isinstance(update, UpdateTable)
    assert update.request["ProvisionedThroughput"]["WriteCapacityUnits"] == 10


def test_the_reads_of_a_created_table_are_those_of_after_or_stay() -> None:
    fives: dict[str, Any] = {**PROVISIONED, "after": {"mode": "Provisioned", "writeUnits": 10}}
    table = having(replace(TABLE, read_units=5), "Provisioned", 4000)
    for wanted, reads in ((fives, 5), ({**fives, "after": {**fives["after"], "readUnits": 300}}, 300)):
        [update] = after_end(running(with_capacity(**PROVISIONED)), table, with_capacity(**wanted))
        assert isinstance(update, UpdateTable)
        assert update.request["ProvisionedThroughput"] == {"ReadCapacityUnits": reads, "WriteCapacityUnits": 10}


def test_a_table_that_becomes_provisioned_for_the_first_time_has_five_read_units() -> None:
    missing = replace(READY_TO_START, table=TableSeen(exists=False))
    [create] = step(allocated(), missing, with_capacity(**PROVISIONED)).actions
    assert isinstance(create, CreateTable)
    assert create.request["ProvisionedThroughput"] == {"ReadCapacityUnits": 5, "WriteCapacityUnits": 4000}
    wanted = with_capacity(after={"mode": "Provisioned", "writeUnits": 10})
    [update] = after_end(running(wanted), replace(TABLE, read_units=0), wanted)
    assert isinstance(update, UpdateTable)
    assert update.request["ProvisionedThroughput"] == {"ReadCapacityUnits": 5, "WriteCapacityUnits": 10}


def test_each_global_index_gets_units_in_the_switch_to_provisioned_capacity_and_only_then() -> None:
    indexes = (TableIndex("by_day", ("day",), None), TableIndex("local", ("x",), None, local=True))
    wanted = with_capacity(**PROVISIONED)
    [update] = before_start(replace(TABLE, indexes=indexes, read_units=0), wanted)
    assert isinstance(update, UpdateTable)
    units = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 4000}
    assert update.request["GlobalSecondaryIndexUpdates"] == [
        {"Update": {"IndexName": "by_day", "ProvisionedThroughput": units}}
    ]
    [lower] = before_start(having(replace(TABLE, indexes=indexes), "Provisioned", 9000), wanted)
    assert isinstance(lower, UpdateTable)
    assert "GlobalSecondaryIndexUpdates" not in lower.request


def test_after_provisioned_needs_units() -> None:
    with pytest.raises(ValidationError, match="needs writeUnits"):
        with_capacity(after={"mode": "Provisioned"})


# -- a table that was there before -------------------------------------------------------------------------------


def test_an_existing_table_gets_its_settings_back_at_the_end() -> None:
    wanted = with_capacity(writeUnits=4000)
    before = having(THEIRS, "Provisioned", 20, scaling_min=10, scaling_max=100)
    seen = replace(READY_TO_START, table=before)
    held = step(allocated(wanted), seen, wanted)
    update, scaling = held.actions
    assert isinstance(update, UpdateTable)
    assert update.request["ProvisionedThroughput"] == {"ReadCapacityUnits": 5, "WriteCapacityUnits": 4000}
    assert scaling == SetScaling("readings", 4000, 4000, None, POLICY), "scaling that is there must not lower it"
    raised = having(THEIRS, "Provisioned", 4000, scaling_min=4000, scaling_max=4000)
    started = step(held.status, replace(seen, table=raised), wanted).status
    assert started.job is not None
    back, bounds = after_end(started, raised, wanted)
    assert isinstance(back, UpdateTable)
    assert back.request["ProvisionedThroughput"] == {"ReadCapacityUnits": 5, "WriteCapacityUnits": 20}
    assert bounds == SetScaling("readings", 10, 100, None, POLICY)


@pytest.mark.parametrize("during", [{}, {"writeUnits": 700}], ids=str)
@pytest.mark.parametrize(
    ("mode", "after"),
    [("OnDemand", {"mode": "Provisioned", "writeUnits": 5}), ("Provisioned", {"mode": "OnDemand", "readUnits": 7})],
)
def test_after_does_not_change_the_mode_of_an_existing_table_and_says_so(
    mode: str, after: dict[str, Any], during: dict[str, Any]
) -> None:
    before, wanted = having(THEIRS, mode, 20), with_capacity(after=after, **during)
    seen = replace(READY_TO_START, table=before)
    held = step(allocated(wanted), seen, wanted)
    raised = having(THEIRS, mode, during.get("writeUnits", 20))
    started = step(held.status, replace(seen, table=raised), wanted)
    found = condition(started, "TableReady")
    assert found is not None
    assert f"from {mode} to {after['mode']} you have to switch it yourself" in found.message
    actions = after_end(started.status, raised, wanted)
    assert len(actions) == len(during)
    for update in actions:
        assert isinstance(update, UpdateTable)
        assert update.request.get("BillingMode", "PROVISIONED") == "PROVISIONED"
        units = update.request.get("ProvisionedThroughput")
        assert units == ({"ReadCapacityUnits": 5, "WriteCapacityUnits": 20} if mode == "Provisioned" else None)


def test_after_of_an_existing_table_changes_what_it_names_and_leaves_its_auto_scaling() -> None:
    wanted = with_capacity(after={"mode": "Provisioned", "writeUnits": 50, "readUnits": 80})
    table = having(THEIRS, "Provisioned", 20, scaling_min=10, scaling_max=100)
    [update] = after_end(running(wanted, replace(READY_TO_START, table=table)), table, wanted)
    assert isinstance(update, UpdateTable)
    assert update.request["ProvisionedThroughput"] == {"ReadCapacityUnits": 80, "WriteCapacityUnits": 20}


def test_the_cap_on_reads_is_changed_only_where_after_names_one() -> None:
    table = having(replace(THEIRS, max_read_units=300), "OnDemand", 20)
    for more, reads in (({}, 300), ({"readUnits": 900}, 900)):
        wanted = with_capacity(after={"mode": "OnDemand", "writeUnits": 50, **more})
        [update] = after_end(running(wanted, replace(READY_TO_START, table=table)), table, wanted)
        assert isinstance(update, UpdateTable)
        assert update.request["OnDemandThroughput"] == {"MaxReadRequestUnits": reads, "MaxWriteRequestUnits": 50}


def test_an_existing_tables_mode_is_never_changed() -> None:
    decision = step(allocated(), replace(READY_TO_START, table=THEIRS), with_capacity(**PROVISIONED))
    assert decision.actions == ()
    assert told(decision, "TableReady") == ("False", "CapacityModeDiffers")


def test_a_mode_that_cannot_be_while_the_job_runs_is_told_and_the_job_goes_on() -> None:
    status = submitted(seen=replace(READY_TO_START, table=THEIRS))
    decision = step(status, Observed(deployment=RUNNING, table=THEIRS), with_capacity(**PROVISIONED))
    assert decision.actions == ()
    assert told(decision, "TableReady") == ("False", "CapacityModeDiffers")
    assert told(decision, "JobRunning") == ("True", "Running")


def test_an_existing_table_that_the_spec_says_nothing_about_is_not_touched() -> None:
    assert before_start(having(THEIRS, "OnDemand", 55), spec()) == ()


# -- protection, recovery, deletion ------------------------------------------------------------------------------


def test_protection_missing_after_a_crash_is_added_to_a_created_table_only() -> None:
    protected = spec(**{"target.deletionProtection": True})
    [update] = before_start(TABLE, protected)
    assert update == UpdateTable({"TableName": "readings", "DeletionProtectionEnabled": True})
    assert before_start(replace(TABLE, protected=True), protected) == ()
    assert before_start(THEIRS, protected) == ()


def test_encryption_tags_and_protection_come_with_the_table() -> None:
    key = "arn:aws:kms:us-west-2:123456789012:key/k"
    wanted = spec(**{"target.kmsKeyArn": key, "target.tags": {"team": "iot"}, "target.deletionProtection": True})
    [create] = step(allocated(), replace(READY_TO_START, table=TableSeen(exists=False)), wanted).actions
    assert isinstance(create, CreateTable)
    assert create.request["SSESpecification"] == {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": key}
    assert create.request["DeletionProtectionEnabled"] is True
    assert {"Key": "team", "Value": "iot"} in create.request["Tags"]
    assert {"Key": "lindorm.io/uid", "Value": UID} in create.request["Tags"]


def deleting(table: TableSeen, **changes: Any) -> Any:
    wanted = spec(**{"target.deletionPolicy": "Delete", **changes})
    seen = Observed(deployment=NO_DEPLOYMENT, table=table, bucket=BucketSeen(exists=False), others=())
    return decide_deletion(IDENTITY, wanted, submitted(wanted), seen, NOW, SETTINGS)


def test_a_table_that_the_import_itself_protected_is_unprotected_and_then_deleted() -> None:
    first = deleting(replace(TABLE, protected=True), **{"target.deletionProtection": True})
    assert first.actions == (UpdateTable({"TableName": "readings", "DeletionProtectionEnabled": False}),)
    assert not first.release
    updating = deleting(replace(TABLE, status="UPDATING"), **{"target.deletionProtection": True})
    assert (updating.actions, updating.release) == ((), False)
    assert deleting(TABLE, **{"target.deletionProtection": True}).actions == (DeleteTable("readings"),)


def test_a_protection_that_somebody_else_added_is_respected_and_told() -> None:
    decision = deleting(replace(TABLE, protected=True))
    assert decision.actions == ()
    assert told(decision, "TableReady") == ("False", "TableProtected")


def test_a_table_still_being_created_is_deleted_when_it_is_there() -> None:
    assert deleting(replace(TABLE, status="CREATING")).actions == ()


def test_the_documents_of_table_and_rates_agree_on_the_cap() -> None:
    wanted = with_capacity(writeUnits=7000)
    missing = replace(READY_TO_START, table=TableSeen(exists=False))
    [create] = step(allocated(wanted), missing, wanted).actions
    assert isinstance(create, CreateTable)
    assert create.request["OnDemandThroughput"]["MaxWriteRequestUnits"] == 7000
    assert '"writeUnitsPerSecond": 7000' in build.rates(wanted)


# -- through the AWS services -------------------------------------------------------------------------------------


def test_a_table_on_demand_that_was_there_before_stays_on_demand_whatever_after_says() -> None:
    world = World()
    make_table(world)
    before = dict(world.aws.dynamodb.tables["readings"].description)
    world.apply(**{"target.capacity.after": {"mode": "Provisioned", "writeUnits": 5}})
    world.run_to_end()
    assert world.aws.dynamodb.tables["readings"].description == before
    assert "is not applied" in world.condition("TableReady")["message"]


def test_a_created_table_with_a_global_index_is_left_provisioned_with_its_index() -> None:
    world = World()
    world.apply(**{"target.capacity.after": {"mode": "Provisioned", "writeUnits": 7, "readUnits": 30}})
    world.drive(lambda _: bool(world.flink.running()))
    table = world.aws.dynamodb.tables["readings"].description
    table["GlobalSecondaryIndexes"] = [{"IndexName": "by_day", "KeySchema": [], "Projection": {}}]
    world.run_to_end()
    table = world.aws.dynamodb.tables["readings"].description
    units = {"ReadCapacityUnits": 30, "WriteCapacityUnits": 7}
    assert table["ProvisionedThroughput"] == units
    assert table["GlobalSecondaryIndexes"][0]["ProvisionedThroughput"] == units
