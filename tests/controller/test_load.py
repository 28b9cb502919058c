"""Loads through files: what is loaded, what counts as a success, and what is never taken for ours."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lindorm_import.api.status import KeyAttribute, LoadStatus
from lindorm_import.decide.load import compare
from lindorm_import.domain.observed import LoadSeen
from lindorm_import.manifests import build
from tests.controller.factories import IDENTITY, OTHER_UID, SOURCE, UID, spec
from tests.controller.fakes import World
from tests.controller.flink_operator import REJECTED, ROWS
from tests.controller.lives import DELETE, IMPORT, PUT, make_table, works

ITEMS = ROWS - REJECTED
BUCKET = "my-import-bucket"
RUN = "lindorm-import/default/readings/r1a2b3c4d/"


def loads(world: World) -> Any:
    return world.aws.dynamodb.loads


def files_written(world: World) -> None:
    """Until all files are written, and before anything is asked for."""
    world.drive(lambda _: world.status().get("load", {}).get("items") is not None)
    assert loads(world).imports == [] == loads(world).puts


def importing(world: World) -> None:
    world.drive(lambda _: bool(world.status().get("load", {}).get("arn")))


def failed(world: World) -> str:
    world.run_to_end()
    assert world.conditions().get("Complete") != "True"
    assert world.conditions().get("Failed") == "True", world.status()
    return str(world.condition("Failed")["reason"])


def test_an_import_ends_complete_with_all_items_and_what_an_import_cannot_set() -> None:
    world = World()
    more = {"target.pointInTimeRecovery": True, "target.deletionProtection": True, "target.tags": {"team": "data"}}
    world.apply(**IMPORT, **more)
    world.run_to_end()
    table = world.aws.dynamodb.tables["readings"]
    assert world.conditions()["Complete"] == "True"
    assert table.items == ITEMS
    assert (table.recovery, table.description["DeletionProtectionEnabled"]) == (True, True)
    assert table.tags["lindorm.io/uid"] == UID
    assert table.tags["team"] == "data"
    assert world.status()["load"]["done"] is True
    assert len(loads(world).imports) == 1


def test_the_job_is_gone_before_its_files_are_loaded() -> None:
    world = World()
    world.apply(**IMPORT)
    importing(world)
    assert world.api.names("flinkdeployments") == []


@pytest.mark.parametrize("change", ["surplus", "missing", "size", "manifest", "no manifest", "temporary"])
def test_files_that_are_not_those_of_the_manifest_fail_the_import_and_are_never_loaded(change: str) -> None:
    world = World()
    world.apply(**IMPORT)
    files_written(world)
    objects = world.aws.s3.buckets[BUCKET].objects
    a, manifest = f"{RUN}items/items-a.json.gz", f"{RUN}result/manifest.jsonl"
    match change:
        case "surplus":
            world.aws.s3.put_object(BUCKET, f"{RUN}items/items-c.json.gz", objects[a][0])
        case "temporary":
            world.aws.s3.put_object(BUCKET, f"{RUN}items/_items-a_tmp_1", b"")
        case "missing":
            del objects[a]
        case "size":
            world.aws.s3.put_object(BUCKET, a, objects[a][0] + b"x")
        case "manifest":
            world.aws.s3.put_object(BUCKET, manifest, objects[manifest][0] + b"\n")
        case "no manifest":
            del objects[manifest]
    assert failed(world) == "FilesDiffer"
    assert loads(world).imports == []
    assert "readings" not in world.aws.dynamodb.tables


def test_a_table_that_exists_is_refused_with_the_methods_that_fit() -> None:
    world = World()
    make_table(world)
    world.apply(**IMPORT)
    world.drive(lambda o: o.trouble is not None and o.trouble.reason == "TableExists")
    message = world.condition("TableReady")["message"]
    assert "BulkPut" in message
    assert "BatchWrite" in message
    assert world.flink.submissions == 0


def test_a_foreign_table_that_appears_meanwhile_is_neither_loaded_nor_tagged_nor_deleted() -> None:
    world = World()
    world.apply(**DELETE, **IMPORT)
    files_written(world)
    make_table(world)
    world.drive(lambda o: o.trouble is not None and o.trouble.reason == "TableExists")
    world.remove()
    assert world.aws.dynamodb.tables["readings"].tags == {}


def test_resource_in_use_at_the_call_is_no_success_where_the_table_is_anothers() -> None:
    """The table appears between the look and the call."""
    world = World()
    world.apply(**DELETE, **IMPORT)
    files_written(world)

    def somebody(call: Any) -> None:
        if str(call) == "dynamodb:ImportTable" and "readings" not in world.aws.dynamodb.tables:
            make_table(world)

    world.faults = somebody
    world.drive(lambda o: o.trouble is not None and o.trouble.reason == "TableExists")
    world.remove()
    assert world.aws.dynamodb.tables["readings"].tags == {}


def test_an_import_of_other_files_under_our_token_is_not_ours() -> None:
    """For a token AWS gives what runs, whatever is asked for: the prefix tells, and the import of another's files is
    not taken for ours, nor its table."""
    world = World()
    world.apply(**DELETE, **IMPORT)
    files_written(world)
    request = build.import_request(IDENTITY, spec(**IMPORT), f"s3://{BUCKET}/{RUN}", (_key("device"), _key("ts")), 1)
    request["S3BucketSource"] = {"S3Bucket": BUCKET, "S3KeyPrefix": "somebody/else/"}
    world.aws.dynamodb.import_table(**request)
    world.drive(lambda o: o.trouble is not None and o.trouble.reason == "TableExists")
    world.tick(60)
    world.run_pass()
    assert world.conditions().get("Complete") != "True"
    world.remove()
    assert "lindorm.io/uid" not in world.aws.dynamodb.tables["readings"].tags


def _key(name: str) -> Any:
    from lindorm_import.domain.observed import TableKey

    return TableKey(name, "S")


def test_as_many_imports_as_the_account_may_have_are_waited_for() -> None:
    world = World()
    loads(world).limit = 3
    world.apply(**IMPORT)
    world.drive(lambda o: o.trouble is not None and o.trouble.reason == "TooManyLoads")
    world.run_to_end()
    assert world.conditions()["Complete"] == "True"


def test_lost_lines_are_no_success() -> None:
    world = World()
    loads(world).lose_items = 1
    world.apply(**IMPORT)
    assert failed(world) == "LinesLost"


def test_a_bad_item_fails_the_import_with_what_the_log_says_and_is_not_tried_again() -> None:
    world = World()
    loads(world).fail_next = ["ItemValidationError"]
    world.apply(**IMPORT)
    assert failed(world) == "ItemsRefused"
    message = world.condition("Failed")["message"]
    assert "items-a.json.gz, item 7: too large" in message
    assert len(loads(world).imports) == 1
    assert world.aws.s3.keys(BUCKET, f"{RUN}items/"), "the files stay"


def test_an_import_that_fails_again_and_again_ends_and_each_attempt_is_billed() -> None:
    world = World()
    loads(world).fail_next = ["InternalServerError"] * 9
    world.apply(**IMPORT)
    assert failed(world) == "LoadFailed"
    assert len(loads(world).imports) == 4
    assert len({one.request["ClientToken"] for one in loads(world).imports}) == 4
    load = world.status()["load"]
    assert load["billedBytes"] == 4 * load["bytes"]


def test_a_failed_import_s_table_is_made_anew_only_where_it_is_the_one_that_we_made() -> None:
    world = World()
    loads(world).fail_next = ["InternalServerError"]
    world.apply(**DELETE, **IMPORT)
    importing(world)
    world.drive(lambda _: world.status()["load"]["attempts"] == 2)
    table = world.aws.dynamodb.tables["readings"]
    table.description["TableId"] = "99999999-9999-4999-8999-999999999999"  # somebody has made it anew
    world.drive(lambda o: o.trouble is not None and o.trouble.reason == "TableExists")
    world.remove()
    assert world.aws.dynamodb.tables["readings"] is table
    assert table.tags == {}


def test_deletion_waits_for_the_end_of_an_import_says_so_and_keeps_the_files_until_then() -> None:
    world = World()
    loads(world).slow = 300
    world.apply(**DELETE, **IMPORT)
    importing(world)
    world.delete()
    world.drive(lambda _: world.condition("Ready").get("reason") == "LoadRuns")
    assert "cannot be cancelled" in world.condition("Ready")["message"]
    assert world.aws.s3.keys(BUCKET, f"{RUN}items/")
    world.drive(lambda _: world.gone(), passes=600)
    assert world.aws.dynamodb.tables == {}
    assert world.aws.s3.buckets == {}


def test_suspend_has_no_effect_on_an_import_that_runs_and_says_so() -> None:
    world = World()
    world.apply(**IMPORT)
    importing(world)
    world.edit(suspend=True)
    world.drive(lambda _: "no effect" in world.condition("Ready").get("message", ""))
    world.run_to_end()
    assert world.conditions()["Complete"] == "True"


def test_a_suspended_import_does_not_begin_to_load() -> None:
    world = World()
    world.apply(**IMPORT)
    files_written(world)
    world.edit(suspend=True)
    world.drive(lambda _: world.conditions().get("Suspended") == "True" and not world.flink.running())
    assert loads(world).imports == []
    world.edit(suspend=False)
    world.run_to_end()
    assert world.conditions()["Complete"] == "True"


def test_what_the_budget_has_no_room_for_is_not_loaded() -> None:
    world = World()
    settings = world.reconciler.settings
    dear = settings.prices.model_copy(update={"import_gb": 10**9})
    world.apply(**IMPORT)
    files_written(world)
    world.edit(**{"budget.maxCostUSD": "1"})
    world.reconciler = replace(world.reconciler, settings=replace(settings, prices=dear))
    assert failed(world) == "OverBudget"
    assert loads(world).imports == []


def test_a_reply_that_is_lost_starts_no_second_import_even_after_a_long_time() -> None:
    world = World()
    world.apply(**IMPORT)
    files_written(world)
    lost = {"times": 1}

    def after(call: Any) -> None:
        if str(call) == "dynamodb:ImportTable" and lost["times"]:
            lost["times"] -= 1
            from tests.controller.aws import reply_lost

            raise reply_lost()

    kept = world.aws.after
    world.aws.after = lambda call: (kept(call), after(call))[0]
    world.drive(lambda _: bool(loads(world).imports))
    world.tick(1000)  # it has long ended when it is looked for
    world.run_to_end()
    assert world.conditions()["Complete"] == "True"
    assert len(loads(world).imports) == 1


# Bulk puts


def test_a_bulk_put_shows_live_counts_and_leaves_the_table_s_settings_alone() -> None:
    world = World()
    make_table(world, units=7)
    before = dict(world.aws.dynamodb.tables["readings"].description)
    world.apply(**PUT)
    world.drive(lambda _: world.status().get("progress", {}).get("itemsLoaded", 0) == ITEMS // 2)
    assert loads(world).puts[0].request["MaxWriteRequestUnits"] == 2000
    world.run_to_end()
    assert world.status()["progress"]["itemsLoaded"] == ITEMS
    assert world.aws.dynamodb.tables["readings"].description == before
    assert world.aws.dynamodb.tables["readings"].items == ITEMS


def test_items_that_a_bulk_put_refuses_are_rejects_with_a_reason() -> None:
    world = World()
    make_table(world)
    loads(world).refuse_items = 3
    world.apply(**PUT)
    world.run_to_end()
    assert world.conditions()["Complete"] == "True"
    results = world.status()["results"]
    assert (results["rowsRead"], results["itemsWritten"], results["rowsRejected"]) == (ROWS, ITEMS - 3, REJECTED + 3)
    assert results["rejectedByReason"]["RefusedByDynamoDB"] == 3


def test_more_refused_items_than_may_be_rejected_fail_the_import() -> None:
    world = World()
    make_table(world)
    loads(world).refuse_items = 3
    world.apply(**PUT, **{"rejects.max": REJECTED + 2})
    assert failed(world) == "TooManyRejects"


# Comparing


def load_of(items: int, text_bytes: int, method: str = "ImportTable") -> LoadStatus:
    key = KeyAttribute(name="device", type="S")
    return LoadStatus.model_validate(
        {"method": method, "partition": key.model_dump(by_alias=True), "items": items, "bytes": text_bytes}
    )


def seen(**changes: Any) -> LoadSeen:
    plain: dict[str, Any] = {"state": "Completed", "processed": 10, "text_bytes": 99}
    return LoadSeen("arn", table="readings", table_id="t", bucket="b", prefix="p", **(plain | changes))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"processed": 9}, "LinesLost"),
        ({"processed": 11}, "FilesTwice"),
        ({"text_bytes": 98}, "BytesDiffer"),
        ({"text_bytes": 0}, "BytesDiffer"),
        ({"failed": 1}, "ItemsRefused"),
        ({"processed": 11, "failed": 1}, "ItemsRefused"),
        ({"state": "Failed"}, "LoadFailed"),
        ({"state": "Cancelled"}, "LoadFailed"),
        ({"state": "Failed", "failure_code": "ItemValidationError"}, "ItemsRefused"),
        ({"state": "CompletedWithErrors"}, "LoadFailed"),
    ],
)
def test_anything_but_a_load_of_exactly_the_files_is_no_success(changes: Any, reason: str | None) -> None:
    wrong = compare(load_of(10, 99), seen(**changes))
    assert (wrong[0] if wrong else None) == reason


@given(
    st.sampled_from(["Completed", "Failed", "Cancelled", "CompletedWithErrors"]),
    st.integers(0, 20),
    st.integers(0, 5),
    st.integers(97, 101),
)
def test_only_one_outcome_of_an_import_is_a_success(state: Any, processed: int, errors: int, size: int) -> None:
    success = compare(load_of(10, 99), seen(state=state, processed=processed, failed=errors, text_bytes=size)) is None
    assert success == ((state, processed, errors, size) == ("Completed", 10, 0, 99))


# What is asked for at admission, and the job's document


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({**IMPORT, "target.create": "Never"}, "IfMissing"),
        ({**IMPORT, "target.capacity": {"writeUnits": 5}}, "no write capacity"),
        ({**IMPORT, "target.capacity": {"mode": "Provisioned", "writeUnits": 5}}, "no write capacity"),
        ({"target.load.method": "BulkPut", "target.capacity": {"writeUnits": 1023}}, "1024 or more"),
        ({"target.load.method": "BulkPut", "target.capacity": {"writeUnits": 2000, "warm": True}}, "as it is"),
        ({"target.load.method": "BulkPut", "target.capacity": {"after": {"mode": "OnDemand"}}}, "as it is"),
    ],
)
def test_what_has_no_meaning_in_a_method_is_refused_with_a_sentence(changes: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        spec(**changes)


def test_the_job_s_document_names_files_only_where_it_writes_them() -> None:
    world = World()
    world.apply(**IMPORT)
    world.flink.endless = True
    world.drive(lambda _: works(world))
    (name,) = [n for n in world.api.names("configmaps") if not n.endswith("-rates")]
    document = json.loads(world.api.get("configmaps", name)["data"]["job.json"])  # type: ignore[index]
    assert document["version"] == 2
    assert document["load"] == {
        "method": "ImportTable",
        "items": f"s3://{BUCKET}/{RUN}items/",
        "manifest": f"s3://{BUCKET}/{RUN}result/manifest.jsonl",
        "maxObjects": 50_000,
    }


def test_the_checkpoint_interval_is_the_plan_s_where_the_spec_s_would_make_too_many_files() -> None:
    world = World()
    world.source = lambda: replace(SOURCE, rows=10**10)
    world.flink.endless = True
    world.apply(**IMPORT, **{"source.maxRowsPerSecond": 1000, "job.parallelism": 40})
    world.drive(lambda _: works(world))
    (made,) = world.api.all("flinkdeployments")
    interval = made["spec"]["flinkConfiguration"]["execution.checkpointing.interval"]
    assert int(interval.split()[0]) / 1000 >= 10**7 * 40 / 25_000  # seconds of writing x slots / half of the objects
    assert timedelta(seconds=int(interval.split()[0]) / 1000) > timedelta(hours=4)


def test_another_import_s_deletion_never_takes_a_table_that_is_being_imported() -> None:
    world = World()
    world.apply(**DELETE, **IMPORT)
    importing(world)
    world.apply(uid=OTHER_UID, name="other", **DELETE, **{"source.table": "other"})
    world.run_pass("other")
    world.run_pass("other")
    world.remove("other")
    world.run_to_end()
    assert world.conditions()["Complete"] == "True"
    assert world.aws.dynamodb.tables["readings"].items == ITEMS
