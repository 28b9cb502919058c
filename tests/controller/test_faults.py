"""What can go wrong outside, on whole lives in memory: each fault holds the import up, is told, and heals.

Every test ends where the undisturbed life ends, or where the user is told why not. docs/failure-modes.md names these
tests row by row.
"""

import random
from collections.abc import Callable
from typing import Any

import pytest

from lindorm_import.api import PLURAL
from lindorm_import.api.status import NOT_SEEN
from lindorm_import.domain import names
from lindorm_import.domain.observed import SourceSeen
from lindorm_import.domain.trouble import Trouble, TroubleError
from tests.controller.aws import AwsCall, reply_lost
from tests.controller.aws_services import Refused
from tests.controller.factories import OTHER_UID, SOURCE, UID
from tests.controller.fakes import AnyCall, World, difference
from tests.controller.kubernetes_api import Call, Refusal, connection_lost
from tests.controller.lives import DELETE, SCALED, make_bucket, make_table, works
from tests.controller.test_crashes import CREATES, undisturbed

NOTHING: dict[str, Any] = {"buckets": {}, "tables": {}, "flinkDeployments": [], "configMaps": [], "clusters": []}
RUN = "limport-readings-r1a2b3c4d"


def ends_as_undisturbed(world: World, life: str = "plain") -> None:
    """The import runs to its end, leaves nothing to do and is removed, all as in the life without faults."""
    world.run_to_end()
    assert difference(world.snapshot(), undisturbed(life).stages["ended"]) is None
    assert world.idle() == 0
    world.remove()
    assert difference(world.snapshot(), undisturbed(life).stages["removed"]) is None
    assert world.flink.violations == []
    for created in CREATES:
        assert world.wire.done[created] <= undisturbed(life).done.get(created, 0), created


def left(world: World) -> dict[str, Any]:
    return {part: content for part, content in world.snapshot().items() if part in NOTHING}


def failing(error: Callable[[], Exception], what: str, times: int | None = None) -> Callable[[AnyCall], None]:
    """A fault: calls whose name contains `what` get the error, the first `times` of them or all."""
    seen = iter(range(times)) if times is not None else None

    def fault(call: AnyCall) -> None:
        if what in str(call) and (seen is None or next(seen, None) is not None):
            raise error()

    return fault


def throttled() -> Exception:
    return Refused("ThrottlingException", "Rate exceeded")


def denied() -> Exception:
    return Refused("AccessDeniedException", "User is not authorized to perform this")


# --- AWS ---


@pytest.mark.parametrize(
    "operation",
    [
        "s3:HeadBucket", "s3:ListObjectsV2", "s3:GetBucketTagging", "s3:ListBuckets", "s3:CreateBucket", "s3:GetObject",
        "dynamodb:DescribeTable", "dynamodb:ListTagsOfResource", "dynamodb:DescribeContinuousBackups",
        "dynamodb:CreateTable", "cloudwatch:GetMetricData",
    ],
)  # fmt: skip
@pytest.mark.parametrize("error", [throttled, denied, reply_lost], ids=["throttled", "denied", "unreachable"])
def test_an_aws_call_that_fails_a_few_times_holds_the_import_up_and_no_more(
    operation: str, error: Callable[[], Exception]
) -> None:
    world = World(faults=failing(error, operation, times=3))
    world.apply(**DELETE)
    ends_as_undisturbed(world)


@pytest.mark.parametrize(
    "operation",
    ["dynamodb:DeleteTable", "s3:DeleteObjects", "s3:DeleteBucket", "delete flinkdeployments", "delete configmaps"],
)
def test_a_removal_that_fails_a_few_times_is_done_in_the_end(operation: str) -> None:
    kube = operation.startswith("delete")
    world = World(faults=failing(lambda: Refusal(500, "etcd timeout") if kube else throttled(), operation, times=3))
    world.apply(**DELETE)
    ends_as_undisturbed(world)


def test_access_denied_is_told_with_the_action_and_heals_without_a_restart() -> None:
    world = World(faults=failing(denied, "dynamodb:CreateTable"))
    world.apply(**DELETE)
    world.drive(lambda o: o.trouble is not None)
    world.drive(lambda o: o.trouble is not None)
    ready = world.condition("Ready")
    assert (ready["status"], ready["reason"]) == ("False", "AwsAccessDenied")
    assert "dynamodb:CreateTable on table readings" in ready["message"] or "dynamodb:CreateTable" in ready["message"]
    world.faults = lambda call: None
    ends_as_undisturbed(world)


def test_a_storm_of_throttling_on_every_aws_call_ends_when_it_ends() -> None:
    """One call of AWS in ten is refused, for the whole life."""
    chance = random.Random(1)

    def one_in_ten(call: AnyCall) -> None:
        if isinstance(call, AwsCall) and chance.random() < 0.1:
            raise throttled()

    world = World(faults=one_in_ten)
    world.apply(**DELETE)
    ends_as_undisturbed(world)


def test_what_cannot_be_removed_is_named_and_the_annotation_lets_the_import_go() -> None:
    world = World()
    world.apply(**DELETE)
    world.run_to_end()
    world.faults = failing(denied, "dynamodb:DeleteTable")
    world.delete()
    for _ in range(3):
        world.drive(lambda o: o.trouble is not None)
        world.tick()
    assert "dynamodb:DeleteTable" in world.condition("Ready")["message"]
    assert not world.gone()
    found = world.read()
    world.api.change(found, {**found, "metadata": {**found["metadata"], "annotations": {"lindorm.io/abandon": "true"}}})
    outcome = world.run_pass()
    assert outcome
    assert outcome.release
    assert "readings" in outcome.events[0].message
    assert world.gone()


# --- Kubernetes ---


@pytest.mark.parametrize("status", [409, 500, 503], ids=["conflict", "error", "unavailable"])
def test_a_status_write_that_fails_right_after_the_submission_submits_nothing_twice(status: int) -> None:
    world = World()
    world.apply(**DELETE)
    submitted = iter([True])

    def fault(call: AnyCall) -> None:
        after = world.wire.done["create flinkdeployments"] == 1
        if after and str(call) == f"patch {PLURAL}/status" and next(submitted, False):
            raise Refusal(status, "injected", "Conflict" if status == 409 else "InternalError")

    world.faults = fault
    ends_as_undisturbed(world)
    assert next(submitted, None) is None, "the fault happened"
    assert world.flink.submissions == 1


@pytest.mark.parametrize("times", [1, 5])
@pytest.mark.parametrize(
    "operation",
    [
        f"get {PLURAL}", f"patch {PLURAL}/status", "get secrets", "get configmaps", "get flinkdeployments",
        "create flinkdeployments", "create configmaps",
    ],
)  # fmt: skip
def test_an_api_server_that_is_away_for_a_while_only_costs_time(operation: str, times: int) -> None:
    world = World(faults=failing(connection_lost, operation, times))
    world.apply(**DELETE)
    ends_as_undisturbed(world)


def test_two_controllers_at_once_create_each_thing_once() -> None:
    """Their passes alternate, and the second looks at what the first is about to change."""
    world = World()
    world.apply(**DELETE)
    other = iter(range(10**9))
    turn = {"inside": False}

    def second_controller(call: AnyCall) -> None:
        """Before each mutation of the first, the second makes a whole pass of its own."""
        if call.mutates and not turn["inside"] and next(other) < 40:
            turn["inside"] = True
            world.reconciler.run_pass("default", "readings", UID)
            turn["inside"] = False

    world.faults = second_controller
    world.run_to_end()
    assert world.conditions()["Complete"] == "True"
    assert world.flink.submissions == 1
    world.faults = lambda call: None
    world.remove()
    assert left(world) == NOTHING
    for created in CREATES:
        assert world.wire.done[created] == undisturbed("plain").done.get(created, 0), created


def test_an_import_whose_namespace_is_deleted_still_removes_what_it_made() -> None:
    """The Secret and the ConfigMap go first; nothing new can be created there."""
    world = World()
    world.flink.endless = True
    world.apply(**DELETE, **SCALED)
    world.drive(lambda _: works(world))
    world.api.terminating.add("default")
    world.tick()
    world.drive(lambda _: world.gone())
    assert left(world) == NOTHING
    assert world.aws.scaling.targets == {}


def test_a_secret_that_vanishes_stops_no_running_job_and_no_deletion() -> None:
    world = World()
    world.apply(**DELETE)
    world.drive(lambda _: works(world))
    world.api.remove("secrets", "lindorm")
    world.run_to_end()
    assert world.conditions()["Complete"] == "True"
    world.remove()
    assert left(world) == NOTHING


# --- Lindorm ---


def test_a_source_that_fails_and_heals_holds_the_import_only_meanwhile() -> None:
    def broken() -> SourceSeen:
        raise TroubleError(Trouble("LindormUnreachable", "cannot be reached"))

    world = World(source=broken)
    world.apply(**DELETE)
    world.drive(lambda o: o.trouble is not None)
    assert world.conditions()["SourceReady"] == "False"
    world.source = lambda: SOURCE
    ends_as_undisturbed(world)


# --- by hand ---


def test_an_import_deleted_while_its_table_is_being_created_waits_and_leaves_nothing() -> None:
    world = World()
    world.apply(**DELETE)
    world.drive(lambda _: "readings" in world.aws.dynamodb.tables)
    assert world.aws.dynamodb.tables["readings"].state == "CREATING"
    world.remove()
    world.tick(5)
    assert left(world) == NOTHING


@pytest.mark.parametrize("moment", range(14))
def test_an_import_deleted_in_any_moment_of_its_life_leaves_nothing(moment: int) -> None:
    world = World()
    world.apply(**DELETE, **SCALED)
    seen = iter(range(moment))
    world.drive(lambda _: next(seen, None) is None)
    world.remove()
    world.tick(5)
    assert left(world) == NOTHING
    assert world.aws.scaling.targets == {}


@pytest.mark.parametrize("what", ["table", "bucket", "configmaps", "everything"])
def test_what_was_removed_by_hand_before_the_deletion_is_success(what: str) -> None:
    world = World()
    world.apply(**DELETE)
    world.run_to_end()
    if what in ("table", "everything"):
        world.aws.dynamodb.tables.clear()
    if what in ("bucket", "everything"):
        world.aws.s3.buckets.clear()
    if what in ("configmaps", "everything"):
        world.api.remove("configmaps", RUN)
    world.remove()
    assert left(world) == NOTHING


@pytest.mark.parametrize("by_hand", ["deleted", "deleted and made again", "being deleted"])
def test_a_table_that_is_not_the_one_written_to_any_more_fails_the_import(by_hand: str) -> None:
    """Going on from the checkpoint would end in Complete, with everything written before it missing."""
    world = World()
    world.flink.endless = True
    world.apply(**DELETE)
    world.drive(lambda _: works(world))
    world.tick(5)
    if by_hand == "being deleted":
        world.aws.dynamodb.delete_table("readings")
    else:
        world.aws.dynamodb.tables.clear()
    if by_hand == "deleted and made again":
        make_table(world)
    theirs = world.snapshot()["tables"]
    world.run_to_end()
    failed = world.condition("Failed")
    assert (failed["status"], failed["reason"]) == ("True", "TableLost")
    assert "create it again" in failed["message"]
    world.remove()
    assert world.flink.running() == []
    assert world.snapshot()["tables"] == (theirs if by_hand == "deleted and made again" else {})


def test_auto_scaling_of_a_table_that_was_deleted_by_hand_goes_as_well() -> None:
    world = World()
    world.flink.endless = True
    world.apply(**SCALED)
    world.drive(lambda _: works(world))
    world.aws.dynamodb.tables.clear()
    world.remove()
    assert world.aws.scaling.targets == {}


# --- not ours ---


def test_a_table_and_a_bucket_of_somebody_else_survive_the_import_untouched() -> None:
    world = World()
    make_bucket(world, "precious")
    make_table(world, team="theirs")
    before = world.snapshot()
    world.apply(**DELETE)
    world.run_to_end()
    world.remove()
    assert difference(world.snapshot(), before) is None


def test_an_empty_bucket_that_somebody_makes_by_hand_under_the_name_of_ours_stays_theirs() -> None:
    """The controller died after it wrote down that it would create the bucket; then the user created one."""
    world = World()
    world.apply(**DELETE)
    world.drive(lambda _: bool(world.status().get("resources")))
    world.aws.s3.buckets.clear()
    make_bucket(world)
    world.run_to_end()
    world.remove()
    assert world.snapshot()["buckets"] == {"my-import-bucket": []}
    assert world.aws.s3.buckets["my-import-bucket"].tags == {}


def test_a_bucket_of_another_account_is_told_and_never_written() -> None:
    world = World()
    world.aws.s3.elsewhere.add("my-import-bucket")
    world.apply(**DELETE)
    world.drive(lambda o: o.trouble is not None)
    condition = world.condition("StagingReady")
    assert condition["status"] == "False"
    assert "my-import-bucket" in condition["message"]
    world.remove()
    assert left(world) == NOTHING


def test_a_table_that_another_import_made_is_used_but_neither_deleted_nor_left_changed() -> None:
    world = World()
    make_table(world, units=9, **{names.UID_LABEL: OTHER_UID})
    before = world.snapshot()["tables"]
    world.apply(**DELETE, **{"target.capacity.writeUnits": 300})
    world.run_to_end()
    world.remove()
    assert difference(world.snapshot()["tables"], before) is None


def test_an_import_created_again_under_the_same_name_does_not_touch_the_firsts_things() -> None:
    world = World()
    world.apply()
    world.run_to_end()
    world.api.objects.pop((PLURAL, "default", "readings"))  # abandoned: nothing was cleaned up
    world.tick()
    before = world.snapshot()
    world.apply(uid=OTHER_UID, **DELETE)
    world.run_to_end()
    world.remove()
    assert difference(world.snapshot(), before) is None


def test_a_pass_for_an_import_that_was_replaced_does_nothing() -> None:
    world = World()
    world.apply(uid=OTHER_UID)
    outcome = world.reconciler.run_pass("default", "readings", UID)
    assert outcome.release
    assert world.wire.count == 0


def test_an_import_replaced_in_the_middle_of_a_pass_gets_nothing_of_the_olds() -> None:
    """Between reading the import and writing its status it is deleted and created again under the same name."""
    world = World()
    world.apply(**DELETE)
    replaced = iter([True])

    def fault(call: AnyCall) -> None:
        if isinstance(call, Call) and call.resource == f"{PLURAL}/status" and next(replaced, False):
            world.api.objects.pop((PLURAL, "default", "readings"))
            world.apply(uid=OTHER_UID)

    world.faults = fault
    world.run_pass()
    assert world.status() == {"observedGeneration": NOT_SEEN}
    assert left(world) == NOTHING
