"""Only what an import made is ever deleted, and nothing that another import uses."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from lindorm_import.api import PLURAL
from lindorm_import.domain import names
from tests.controller.aws import AwsCall
from tests.controller.aws_services import Refused
from tests.controller.factories import UID
from tests.controller.fakes import AnyCall, World
from tests.controller.flink_operator import FLINK
from tests.controller.kubernetes_api import Call, Refusal
from tests.controller.lives import DELETE, make_bucket, make_table, works

B, C = "0000000b-0000-4000-8000-000000000000", "0000000c-0000-4000-8000-000000000000"
KEEP = {"target.deletionPolicy": "Retain", "staging.deletionPolicy": "Retain"}
BUCKET = "my-import-bucket"


def mark(world: World, uid: str = UID) -> None:
    """Anybody who may tag can do this."""
    for table in world.aws.dynamodb.tables.values():
        table.tags[names.UID_LABEL] = uid
    for bucket in world.aws.s3.buckets.values():
        bucket.tags[names.UID_LABEL] = uid


def origins(world: World, name: str = "readings") -> dict[str, str]:
    return {r["kind"]: r["origin"] for r in world.status(name)["resources"]}


def there(world: World) -> tuple[list[str], list[str]]:
    """The tables and the buckets."""
    return sorted(world.aws.dynamodb.tables), sorted(world.aws.s3.buckets)


# --- marks that others can write -----------------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["before the import", "while it runs", "after its end"])
def test_a_table_and_a_bucket_that_were_there_stay_whatever_is_written_on_them_and_when(when: str) -> None:
    world = World()
    make_bucket(world)
    make_table(world)
    if when == "before the import":
        mark(world)
    world.flink.endless = True
    world.apply(**DELETE)
    world.drive(lambda _: works(world))
    if when == "while it runs":
        mark(world)
    world.flink.endless = False
    world.run_to_end()
    if when == "after its end":
        mark(world)
    assert origins(world) == {"Bucket": "Adopted", "Table": "Adopted"}
    world.remove()
    assert there(world) == (["readings"], [BUCKET])


@pytest.mark.parametrize("call", ["s3:CreateBucket", "dynamodb:CreateTable"])
def test_what_was_made_long_before_the_intention_is_not_ours_although_it_carries_our_uid(call: str) -> None:
    """It appears, tagged, between the look and the creation: restored from a template, say, with its tags."""
    world = World()
    world.tick(3600)
    made = world.now - timedelta(minutes=6)

    def fault(seen: AnyCall) -> None:
        if str(seen) == call and isinstance(seen, AwsCall):
            if seen.service == "s3" and BUCKET not in world.aws.s3.buckets:
                world.aws.s3.create_bucket(Bucket=BUCKET)
                world.aws.s3.buckets[BUCKET].made_at = made
            if seen.service == "dynamodb" and not world.aws.dynamodb.tables:
                world.aws.dynamodb.create_table(**{**seen.params, "Tags": []})
                world.aws.dynamodb.tables["readings"].description["CreationDateTime"] = made
            mark(world)

    world.faults = fault
    world.apply(**DELETE)
    world.run_to_end()
    kind = "Bucket" if call.startswith("s3") else "Table"
    assert origins(world)[kind] == "Adopted"
    world.remove()
    assert there(world) == ((["readings"], []) if kind == "Table" else ([], [BUCKET]))


def remake_table(world: World) -> None:
    """Another table of the name, with all the tags of the first."""
    old = world.aws.dynamodb.tables.pop("readings")
    make_table(world, **old.tags)


def remake_bucket(world: World) -> None:
    old = world.aws.s3.buckets.pop(BUCKET)
    world.aws.s3.create_bucket(Bucket=BUCKET)
    world.aws.s3.buckets[BUCKET].tags = old.tags


def untag_table(world: World) -> None:
    world.aws.dynamodb.tables["readings"].tags.clear()


def untag_bucket(world: World) -> None:
    world.aws.s3.buckets[BUCKET].tags.clear()


@pytest.mark.parametrize("change", [remake_table, remake_bucket, untag_table, untag_bucket])
def test_what_is_not_certainly_what_the_import_made_stays_and_is_named(change: Callable[[World], None]) -> None:
    world = World()
    world.apply(**DELETE)
    world.run_to_end()
    world.tick(60)
    change(world)
    world.delete()
    told: list[str] = []
    world.drive(lambda o: bool(told.extend(f"{e.reason}: {e.message}" for e in o.events)) or world.gone())
    table = "table" in change.__name__
    assert there(world) == ((["readings"], []) if table else ([], [BUCKET]))
    [kept] = [text for text in told if text.startswith("Kept")]
    assert ("readings" if table else BUCKET) in kept


def test_a_table_whose_creation_time_alone_is_the_same_is_another_one() -> None:
    world = World()
    world.apply(**DELETE)
    world.run_to_end()
    world.aws.dynamodb.tables["readings"].description["TableId"] = "22222222-2222-4222-8222-222222222222"
    world.remove()
    assert there(world)[0] == ["readings"]


@pytest.mark.parametrize("kind", ["Bucket", "Table"])
def test_a_crash_between_creation_and_the_next_look_loses_nothing_that_was_made(kind: str) -> None:
    """The status knows the intention alone when the import is deleted."""
    world = World()
    world.apply(**DELETE)
    world.drive(lambda _: kind in {r["kind"] for r in world.status().get("resources", [])})
    entry = next(r for r in world.status()["resources"] if r["kind"] == kind)
    assert (entry["origin"], "createdAt" in entry) == ("Created", False)
    world.remove()
    assert there(world) == ([], [])


def test_a_deployment_and_a_config_map_that_only_carry_the_label_are_not_touched() -> None:
    """Copies keep their labels; only owner references say to the API server whose they are."""
    world = World()
    make_bucket(world, "precious")  # the copy's job continues in it
    world.flink.endless = True
    world.apply()
    world.drive(lambda _: works(world))
    name = world.status()["run"]["deployment"]
    for resource in (FLINK, "configmaps"):
        found = world.api.objects.pop((resource, "default", name))
        meta = {"name": name, "labels": found["metadata"]["labels"]}
        world.api.add(resource, {**found, "metadata": meta})
    world.remove()
    assert world.api.names(FLINK) == [name]
    assert world.api.names("configmaps") == [name]


# --- what other imports use ------------------------------------------------------------------------------------------


def two(world: World, first: dict[str, Any] = DELETE, second: dict[str, Any] = DELETE) -> None:
    """readings makes table and bucket, copy uses them; both are complete."""
    world.apply(**first)
    world.run_to_end()
    world.apply(uid=B, name="copy", **second)
    world.run_to_end("copy")
    assert origins(world, "copy") == {"Bucket": "Adopted", "Table": "Adopted"}


def test_what_another_import_uses_stays_and_the_last_one_removes_it() -> None:
    world = World()
    two(world)
    world.delete()
    told: list[str] = []
    world.drive(lambda o: bool(told.extend(e.message for e in o.events if e.reason == "InUse")) or world.gone())
    assert there(world) == (["readings"], [BUCKET])
    assert world.conditions("copy")["Complete"] == "True"
    assert len(told) == 2, "the table's and the bucket's"
    assert all("default/copy" in text for text in told)
    assert {r.get("madeBy") for r in world.status("copy")["resources"]} == {UID}
    world.remove("copy")
    assert there(world) == ([], [])


def test_the_creator_removes_it_where_the_user_goes_first() -> None:
    world = World()
    two(world)
    world.remove("copy")
    assert there(world) == (["readings"], [BUCKET])
    world.remove()
    assert there(world) == ([], [])


def test_a_chain_of_imports_hands_it_on_until_the_last() -> None:
    world = World()
    two(world)
    world.apply(uid=C, name="third", **DELETE)
    world.run_to_end("third")
    for name in ("readings", "copy"):
        world.remove(name)
        assert there(world) == (["readings"], [BUCKET])
    world.remove("third")
    assert there(world) == ([], [])


@pytest.mark.parametrize("order", [("readings", "copy"), ("copy", "readings")])
def test_imports_that_are_deleted_at_once_leave_nothing(order: tuple[str, str]) -> None:
    world = World()
    two(world)
    for name in order:
        world.delete(name)
    for _ in range(60):
        for name in order:
            if not world.gone(name):
                world.run_pass(name)
        world.tick()
    assert world.api.names(PLURAL) == []
    assert there(world) == ([], [])


def test_retain_of_the_creator_keeps_the_table_whoever_goes_last() -> None:
    world = World()
    two(world, first=KEEP)
    world.remove()
    world.remove("copy")
    assert there(world) == (["readings"], [BUCKET])


def test_retain_of_the_last_one_keeps_the_table_and_says_so() -> None:
    world = World()
    two(world, second={"target.deletionPolicy": "Retain"})
    world.remove()
    world.delete("copy")
    told: list[str] = []
    world.drive(
        lambda o: bool(told.extend(e.message for e in o.events if e.reason == "Kept")) or world.gone("copy"), "copy"
    )
    assert there(world) == (["readings"], [])
    assert len(told) == 1
    assert told[0].endswith("this one, the last to use it, says Retain")


def test_nothing_is_deleted_while_it_cannot_be_seen_who_uses_it() -> None:
    world = World()
    two(world)

    def fault(call: AnyCall) -> None:
        if isinstance(call, Call) and call.verb == "list":
            raise Refusal(403, "may not list")

    world.delete()
    world.faults = fault
    outcome = world.drive(lambda o: o.trouble is not None)
    assert outcome.trouble
    assert outcome.trouble.reason == "KubernetesForbidden"
    for _ in range(5):
        world.run_pass()
        world.tick()
    assert there(world) == (["readings"], [BUCKET])


def test_an_import_created_while_the_maker_is_being_deleted_waits_until_it_is_gone() -> None:
    world = World()
    world.apply(**DELETE)
    world.run_to_end()
    world.delete()
    world.faults = refuse_deleting_tables
    world.drive(lambda o: o.trouble is not None)
    world.apply(uid=B, name="copy", **DELETE)
    world.drive(lambda _: world.conditions("copy").get("StagingReady") == "False", "copy")
    condition = world.condition("StagingReady", "copy")
    assert condition["reason"] == "OtherImportDeleting"
    assert "default/readings" in condition["message"]
    world.faults = lambda call: None
    world.drive(lambda _: world.gone())
    world.run_to_end("copy")
    assert world.conditions("copy")["Complete"] == "True"
    assert there(world)[0] == ["readings"]


def refuse_deleting_tables(call: AnyCall) -> None:
    if str(call) == "dynamodb:DeleteTable":
        raise Refused("AccessDeniedException")


def test_whenever_an_import_comes_while_the_maker_goes_it_does_not_end_complete_without_its_rows() -> None:
    """copy is created at each moment of the deletion of readings, and both controllers' passes alternate."""
    for moment in range(12):
        world = World()
        world.apply(**DELETE)
        world.run_to_end()
        world.delete()
        for _ in range(moment):
            if not world.gone():
                world.run_pass()
                world.tick()
        world.apply(uid=B, name="copy", **DELETE)
        made = None
        for _ in range(80):
            for name in ("copy", "readings"):
                if not world.gone(name):
                    world.run_pass(name)
            if world.status("copy").get("job") and made is None:
                made = world.aws.dynamodb.tables["readings"].description["TableId"]
            world.tick()
        assert world.gone()
        assert world.conditions("copy")["Complete"] == "True", world.status("copy")
        assert world.aws.dynamodb.tables["readings"].description["TableId"] == made, f"moment {moment}"
        world.remove("copy")
        assert there(world) == ([], [])


@pytest.mark.parametrize("mode", ["before", "after", "reply lost"])
def test_a_crash_at_any_mutation_of_two_deletions_leaves_nothing_and_takes_nothing_in_use(mode: str) -> None:
    """readings is deleted while copy uses its things, then copy; the controller dies at each mutation in turn."""
    at = 0
    while True:
        at += 1
        world = World()
        two(world)
        world.wire.at, world.wire.mode = world.wire.count + at, mode
        last = world.wire.at
        world.remove()
        assert there(world) == (["readings"], [BUCKET]), f"mutation {at}"
        world.remove("copy")
        assert there(world) == ([], []), f"mutation {at}"
        if world.wire.count < last:
            break
    assert at > 10
