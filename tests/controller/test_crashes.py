"""The controller dies before or after every single mutation, or does not hear a reply; a new one goes on.

Whatever happens: the same end as without the crash, each thing created once, nothing left to do afterwards.
"""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from controller.observed import SourceSeen, Trouble, TroubleError
from tests.controller.factories import OTHER_UID
from tests.controller.fakes import REGION, Crash, Tripwire, World

POLICIES = {"target.deletionPolicy": "Delete"}
MODES = ["before", "after", "reply lost"]
# The undisturbed run's mutations, counted by test_the_number_of_mutations; one more than there are would crash nothing.
MUTATIONS = 24
# The job's document and its rates are a ConfigMap each.
CREATED = {"CreateBucket": 1, "CreateTable": 1, "create FlinkDeployment": 1, "create ConfigMap": 2}


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB"):
        monkeypatch.delenv(name, raising=False)
    with mock_aws():
        yield


def whole_life(world: World) -> tuple[dict[str, Any], dict[str, Any]]:
    """Create, run, delete; the world after the end of the run and after the deletion."""
    world.apply(**POLICIES)
    world.run_to_end()
    finished = world.snapshot()
    world.remove()
    return finished, world.snapshot()


@pytest.fixture(scope="module")
def undisturbed() -> tuple[dict[str, Any], dict[str, Any]]:
    """Both end states of a life without any crash."""
    with mock_aws():
        return whole_life(World())


def test_an_undisturbed_import_completes_and_leaves_nothing_temporary() -> None:
    world = World()
    finished, removed = whole_life(world)
    assert finished["statuses"]["readings"]["summary"] == "Complete"
    assert finished["tables"] == ["readings"]
    assert finished["deployments"] == []
    assert removed == {"buckets": {}, "tables": [], "deployments": [], "configMaps": [], "statuses": {}}


def test_the_number_of_mutations_is_known_so_that_every_one_is_crashed() -> None:
    world = World()
    whole_life(world)
    assert world.wire.count == MUTATIONS


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("at", range(1, MUTATIONS + 1))
def test_a_crash_at_any_mutation_leads_to_the_same_end_with_each_thing_created_once(
    at: int, mode: str, undisturbed: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    world = World(wire=Tripwire(at, mode))
    assert whole_life(world) == undisturbed
    for created, times in CREATED.items():
        assert world.wire.done[created] == times, created


def test_passes_after_the_end_change_nothing() -> None:
    world = World()
    world.apply()
    world.run_to_end()
    mutations = world.wire.count
    for _ in range(10):
        world.reconciler.run_pass("default", "readings", world.kube.imports["readings"]["metadata"]["uid"])
    assert world.wire.count == mutations


def test_a_table_and_a_bucket_of_somebody_else_survive_the_import_untouched() -> None:
    s3, dynamodb = boto3.client("s3", region_name=REGION), boto3.client("dynamodb", region_name=REGION)
    s3.create_bucket(Bucket="my-import-bucket", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="my-import-bucket", Key="precious", Body=b"1")
    dynamodb.create_table(
        TableName="readings",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "device", "KeyType": "HASH"}, {"AttributeName": "ts", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in ("device", "ts")],
    )
    _, removed = whole_life(World())
    assert removed["buckets"] == {"my-import-bucket": ["precious"]}
    assert removed["tables"] == ["readings"]


def test_an_import_created_again_under_the_same_name_does_not_touch_the_firsts_things() -> None:
    world = World()
    world.apply()
    world.run_to_end()
    first = world.snapshot()["buckets"]["my-import-bucket"]
    del world.kube.imports["readings"]  # abandoned: nothing was cleaned up
    world.apply(uid=OTHER_UID, **POLICIES)
    world.run_to_end()
    world.remove()
    after = world.snapshot()
    assert after["buckets"]["my-import-bucket"] == first
    assert after["tables"] == ["readings"]


def test_a_pass_for_an_import_that_was_replaced_does_nothing() -> None:
    world = World()
    world.apply(uid=OTHER_UID)
    outcome = world.reconciler.run_pass("default", "readings", "an-older-uid")
    assert outcome.release
    assert world.wire.count == 0


def test_an_import_deleted_in_any_moment_of_its_life_leaves_nothing() -> None:
    for moment in range(1, 12):
        with mock_aws():
            world = World()
            world.apply(**POLICIES)
            seen = iter(range(moment))
            world.drive(lambda _, seen=seen: next(seen, None) is None)  # type: ignore[misc]
            world.remove()
            left = world.snapshot()
            assert (left["buckets"], left["tables"], left["deployments"], left["configMaps"]) == ({}, [], [], []), (
                moment
            )


def test_a_flink_deployment_deleted_by_hand_is_made_again_and_the_import_completes() -> None:
    world = World()
    world.apply()
    world.drive(lambda _: world.conditions().get("JobRunning") == "True")
    world.kube.deployments.clear()
    world.run_to_end()
    assert world.conditions()["Complete"] == "True"
    assert world.wire.done["create FlinkDeployment"] == 2


def test_a_source_that_fails_and_heals_holds_the_import_only_meanwhile() -> None:
    world = World()
    healthy = world.source

    def broken() -> SourceSeen:
        raise TroubleError(Trouble("LindormUnreachable", "cannot be reached"))

    world.source = broken
    world.apply()
    world.drive(lambda o: o.trouble is not None)
    assert world.conditions()["SourceReady"] == "False"
    world.source = healthy
    world.run_to_end()
    assert world.conditions()["Complete"] == "True"


def test_a_user_who_edits_in_the_middle_of_a_pass_makes_it_start_over_without_acting() -> None:
    world = World()
    world.apply()
    write = world.kube.write_status
    edits = iter([True])

    def edit_first(resource: dict[str, Any], status: dict[str, Any]) -> None:
        if next(edits, False):
            world.edit(suspend=False)
        write(resource, status)

    world.kube.write_status = edit_first  # type: ignore[method-assign]
    outcome = world.reconciler.run_pass("default", "readings", world.kube.imports["readings"]["metadata"]["uid"])
    assert world.wire.count == 0
    assert outcome.requeue is not None
    world.run_to_end()
    assert world.conditions()["Complete"] == "True"


def test_two_controllers_at_once_create_each_thing_once() -> None:
    world = World()
    world.apply(**POLICIES)
    other = World.__new__(World)
    other.__dict__.update(world.__dict__)
    uid = world.kube.imports["readings"]["metadata"]["uid"]
    for _ in range(40):
        world.reconciler.run_pass("default", "readings", uid)
        other.reconciler.run_pass("default", "readings", uid)
        world.tick()
    assert world.conditions()["Complete"] == "True"
    for created, times in CREATED.items():
        assert world.wire.done[created] == times, created


def test_a_crash_is_never_swallowed() -> None:
    world = World(wire=Tripwire(1, "before"))
    world.apply()
    with pytest.raises(Crash):
        world.reconciler.run_pass("default", "readings", world.kube.imports["readings"]["metadata"]["uid"])
