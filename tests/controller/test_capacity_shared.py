"""Imports that share a table: one of them sets its capacity at a time, and it comes back to what it truly was."""

import contextvars
import itertools
from collections.abc import Callable
from typing import Any

import pytest

from lindorm_import.api import PLURAL
from lindorm_import.api.status import ImportStatus, Resource
from lindorm_import.world.fence import ACTS_FOR
from tests.controller.fakes import AnyCall, World
from tests.controller.flink_operator import WORK
from tests.controller.lives import make_bucket, make_table

NAMES = ("readings", "copy", "third")
UNITS = {"readings": 500, "copy": 900, "third": 700}
OWN = 20


def shared(*names: str, own: int | None = OWN, mode: str | None = None) -> World:
    """Imports of one table that was there before, each with other wishes, whose jobs do not end by themselves."""
    world = World()
    make_bucket(world, "precious")
    make_table(world, units=own)
    world.flink.endless = True
    for name in names:
        apply(world, name, **({"target.capacity.mode": mode} if mode else {}))
    return world


def apply(world: World, name: str, **changes: Any) -> None:
    uid = f"{NAMES.index(name) + 1:08x}-0000-4000-8000-000000000000"
    wishes = {"target.capacity.writeUnits": UNITS[name], "target.deletionPolicy": "Delete"}
    world.apply(uid=uid, name=name, **wishes | changes)


def passes(world: World, until: Callable[[], bool] | None = None, count: int = 60, step: float = 1) -> None:
    """Each import gets its passes in turn, with step seconds between: this many rounds, or until something holds."""
    for _ in range(count):
        for name in NAMES:
            if not world.gone(name):
                world.run_pass(name)
        if until and until():
            return
        world.tick(step)
    assert until is None, [(name, world.status(name)) for name in NAMES]


def units(world: World, table: str = "readings") -> int:
    found: int = world.aws.dynamodb.tables[table].description["ProvisionedThroughput"]["WriteCapacityUnits"]
    return found


def entry(world: World, name: str) -> Resource:
    found = ImportStatus.model_validate(world.status(name)).resource("Table")
    assert found is not None
    return found


def holders(world: World) -> list[str]:
    living = [name for name in NAMES if not world.gone(name)]
    found = [(name, ImportStatus.model_validate(world.status(name)).resource("Table")) for name in living]
    return [name for name, resource in found if resource and resource.holds]


def runs(world: World, name: str) -> bool:
    return world.status(name).get("summary") == "Running"


def finish(world: World, name: str) -> None:
    """Its job comes to its end, whatever the others do."""
    world.flink.clusters[world.status(name)["run"]["deployment"]].work = WORK


def released(world: World, name: str) -> bool:
    return world.gone(name) or (world.ended(name) and entry(world, name).settings_restored)


def ends(world: World, name: str) -> None:
    finish(world, name)
    passes(world, lambda: released(world, name))


def deleted(world: World, name: str) -> None:
    world.delete(name)
    passes(world, lambda: world.gone(name))


def fails(world: World, name: str) -> None:
    world.edit(name, **{"budget.maxDuration": "1s"})
    passes(world, lambda: released(world, name))


def killed_at_its_end(world: World, name: str) -> None:
    """The controller dies at each call of the end, and comes back."""
    finish(world, name)
    for _ in range(8):
        world.wire.at, world.wire.mode = world.wire.count + 1, "after"
        world.run_pass(name)
        world.tick(ACTS_FOR.total_seconds())
    world.wire.at = None
    passes(world, lambda: released(world, name), step=60)


# -- one holder -------------------------------------------------------------------------------------------------------


def test_the_second_import_runs_with_the_capacity_as_it_is_and_says_whose_it_is() -> None:
    world = shared("readings")
    passes(world, lambda: runs(world, "readings"))
    apply(world, "copy")
    passes(world, lambda: runs(world, "copy"))
    assert units(world) == 500
    told = world.condition("TableReady", "copy")
    assert (told["status"], told["reason"]) == ("True", "CapacityOfOther")
    assert "set by import default/readings until that has ended" in told["message"]
    assert world.status("copy")["spending"]["provisionedUnitSeconds"] == 0, "the other pays"


def test_when_the_first_has_ended_the_second_sets_its_own_and_gives_back_what_was_there_before_both() -> None:
    world = shared("readings")
    passes(world, lambda: runs(world, "readings"))
    apply(world, "copy")
    passes(world, lambda: runs(world, "copy"))
    ends(world, "readings")
    passes(world, lambda: units(world) == 900)
    assert holders(world) == ["copy"]
    ends(world, "copy")
    assert units(world) == OWN


def test_two_that_begin_at_once_do_not_set_the_capacity_in_turns() -> None:
    world = shared("readings", "copy")
    passes(world, lambda: runs(world, "readings") and runs(world, "copy"))
    world.wire.done.clear()
    passes(world, count=120)
    assert world.wire.done["dynamodb:UpdateTable"] == 0
    assert units(world) in (500, 900)
    assert len(holders(world)) == 1


@pytest.mark.parametrize("mode", ["Provisioned", "OnDemand"])
@pytest.mark.parametrize("end", [ends, deleted, fails, killed_at_its_end], ids=lambda f: f.__name__)
@pytest.mark.parametrize("order", list(itertools.permutations(NAMES)), ids=lambda o: "-".join(o))
def test_the_true_settings_come_back_whatever_order_three_imports_end_in(
    order: tuple[str, ...], end: Callable[[World, str], None], mode: str
) -> None:
    world = shared(*NAMES, own=OWN if mode == "Provisioned" else None)
    before = dict(world.aws.dynamodb.tables["readings"].description)
    passes(world, lambda: all(runs(world, name) for name in NAMES))
    for name in order:
        assert len(holders(world)) <= 1
        end(world, name)
    now = dict(world.aws.dynamodb.tables["readings"].description)
    limits = now.pop("OnDemandThroughput", {"MaxWriteRequestUnits": -1})
    assert limits["MaxWriteRequestUnits"] == -1
    assert now == before
    assert len(world.aws.dynamodb.tables["readings"].decreases) <= 3


def test_auto_scaling_that_the_table_had_comes_back_after_two_imports() -> None:
    world = shared()
    world.aws.scaling.targets["table/readings"] = (10, 100)
    apply(world, "readings")
    passes(world, lambda: runs(world, "readings"))
    apply(world, "copy")
    passes(world, lambda: runs(world, "copy"))
    assert world.aws.scaling.targets == {"table/readings": (500, 500)}
    ends(world, "readings")
    passes(world, lambda: units(world) == 900)
    ends(world, "copy")
    assert (units(world), world.aws.scaling.targets) == (OWN, {"table/readings": (10, 100)})


def test_a_holder_that_is_gone_without_giving_back_leaves_no_lock_and_no_lie() -> None:
    world = shared("readings")
    passes(world, lambda: runs(world, "readings"))
    apply(world, "copy")
    passes(world, lambda: runs(world, "copy"))
    world.api.objects.pop((PLURAL, "default", "readings"))  # somebody took its finalizer away
    passes(world, lambda: units(world) == 900)
    ends(world, "copy")
    assert units(world) == OWN


def test_an_abandoned_holder_hands_on_what_it_would_have_given_back() -> None:
    world = shared("readings")
    passes(world, lambda: runs(world, "readings"))
    apply(world, "copy")
    passes(world, lambda: runs(world, "copy"))
    world.delete("readings")
    found = world.read("readings")
    found["metadata"]["annotations"] = {"lindorm.io/abandon": "true"}
    world.api.change(world.read("readings"), found)
    passes(world, lambda: world.gone("readings"))
    ends(world, "copy")
    assert units(world) == OWN


def test_one_that_waits_for_another_ends_without_touching_the_table() -> None:
    world = shared("readings")
    passes(world, lambda: runs(world, "readings"))
    apply(world, "copy")
    passes(world, lambda: runs(world, "copy"))
    ends(world, "copy")
    assert units(world) == 500
    ends(world, "readings")
    assert units(world) == OWN


def test_a_running_import_whose_spec_begins_to_want_capacity_waits_for_the_one_that_has_it() -> None:
    world = shared()
    apply(world, "readings", **{"target.capacity": None})
    passes(world, lambda: runs(world, "readings"))
    apply(world, "copy")
    passes(world, lambda: units(world) == 900)
    world.edit("readings", **{"target.capacity.writeUnits": 500})
    passes(world, count=10)
    assert (units(world), holders(world)) == (900, ["copy"])
    ends(world, "copy")
    passes(world, lambda: units(world) == 500)
    ends(world, "readings")
    assert units(world) == OWN


def test_an_import_that_is_suspended_before_its_start_keeps_nobody_waiting() -> None:
    world = shared()
    apply(world, "readings", suspend=True)
    passes(world, count=5)
    apply(world, "copy")
    passes(world, lambda: units(world) == 900)


def test_one_that_wants_another_mode_than_the_table_has_keeps_nobody_waiting() -> None:
    world = shared()
    apply(world, "readings", **{"target.capacity.mode": "OnDemand"})
    passes(world, lambda: world.condition("TableReady").get("reason") == "CapacityModeDiffers")
    apply(world, "copy")
    passes(world, lambda: units(world) == 900)


def test_a_table_that_the_first_made_is_left_as_the_first_says_and_then_as_it_was_left() -> None:
    world = World()
    world.flink.endless = True
    apply(world, "readings", **{"target.capacity.mode": "Provisioned", "target.deletionPolicy": "Retain"})
    passes(world, lambda: runs(world, "readings"))
    apply(world, "copy")
    passes(world, lambda: runs(world, "copy"))
    assert (units(world), holders(world)) == (500, ["readings"])
    ends(world, "readings")
    table = world.aws.dynamodb.tables["readings"].description
    passes(world, lambda: table_cap(world) == 900)
    ends(world, "copy")
    assert table_cap(world) == -1
    assert table["BillingModeSummary"] == {"BillingMode": "PAY_PER_REQUEST"}


def table_cap(world: World) -> int:
    limits = world.aws.dynamodb.tables["readings"].description.get("OnDemandThroughput", {})
    found: int = limits.get("MaxWriteRequestUnits", -1)
    return found


# -- what somebody else sets -----------------------------------------------------------------------------------------


def somebody_sets(world: World, write: int) -> None:
    world.aws.dynamodb.update_table(
        TableName="readings", ProvisionedThroughput={"ReadCapacityUnits": 3, "WriteCapacityUnits": write}
    )
    world.tick(5)


def test_what_somebody_sets_while_the_import_runs_stays_and_is_told() -> None:
    world = shared("readings")
    passes(world, lambda: runs(world, "readings"))
    somebody_sets(world, 77)
    passes(world, count=20)
    assert units(world) == 77
    told = world.condition("TableReady")
    assert (told["status"], told["reason"]) == ("True", "ChangedByOthers")
    assert "77 provisioned write units" in told["message"]
    ends(world, "readings")
    assert units(world) == 77
    assert "what somebody has set since (77 provisioned write units)" in world.condition("TableReady")["message"]
    assert world.idle() == 0


def test_a_wish_that_changes_after_somebody_has_set_the_capacity_is_done_and_theirs_comes_back() -> None:
    world = shared("readings")
    passes(world, lambda: runs(world, "readings"))
    somebody_sets(world, 77)
    world.edit(**{"target.capacity.writeUnits": 600})
    passes(world, lambda: units(world) == 600)
    ends(world, "readings")
    assert units(world) == 77


@pytest.mark.parametrize("write", [77, 4000])
def test_what_somebody_sets_after_the_end_and_before_it_was_given_back_stays(write: int) -> None:
    world = shared("readings")
    passes(world, lambda: runs(world, "readings"))
    finish(world, "readings")
    passes(world, lambda: world.ended("readings"))
    somebody_sets(world, write)
    passes(world, lambda: released(world, "readings"))
    assert units(world) == write


def test_a_created_table_that_somebody_has_changed_is_left_so() -> None:
    world = World()
    world.flink.endless = True
    world.apply(**{"target.capacity": {"mode": "Provisioned", "writeUnits": 500}})
    passes(world, lambda: runs(world, "readings"))
    somebody_sets(world, 77)
    ends(world, "readings")
    assert units(world) == 77
    assert "somebody has set since" in world.condition("TableReady")["message"]


def test_bounds_of_auto_scaling_that_somebody_has_set_stay_while_the_units_come_back() -> None:
    world = shared("readings")
    passes(world, lambda: runs(world, "readings"))
    world.aws.scaling.targets["table/readings"] = (5, 50)
    ends(world, "readings")
    assert (units(world), world.aws.scaling.targets) == (OWN, {"table/readings": (5, 50)})


# -- the decreases of a day ------------------------------------------------------------------------------------------


def test_where_the_decreases_of_the_day_are_used_up_it_waits_for_the_next_without_asking() -> None:
    world = shared("readings")
    passes(world, lambda: runs(world, "readings"))
    table = world.aws.dynamodb.tables["readings"]
    table.decreases[:] = [world.aws.dynamodb.seconds] * 4
    began = world.uptime
    finish(world, "readings")
    world.drive(lambda _: world.ended())
    world.drive(lambda _: world.condition("TableReady").get("reason") == "DecreasesUsedUp")
    told = world.condition("TableReady")["message"]
    assert "lowered 4 times today" in told
    assert "500 provisioned write units cost money" in told
    tries = world.calls["dynamodb:UpdateTable"]
    world.drive(lambda _: released(world, "readings"))
    assert units(world) == OWN
    assert world.calls["dynamodb:UpdateTable"] == tries + 1, "nothing was refused"
    assert 3600 <= world.uptime - began < 3800
    assert float(world.status()["spending"]["tableUSD"]) > 0.3, "480 units for an hour"


def test_a_deletion_waits_for_the_next_decrease_as_well_and_says_so() -> None:
    world = shared("readings")
    passes(world, lambda: runs(world, "readings"))
    world.aws.dynamodb.tables["readings"].decreases[:] = [world.aws.dynamodb.seconds] * 4
    world.delete()
    world.drive(lambda _: world.condition("TableReady").get("reason") == "DecreasesUsedUp")
    assert world.condition("TableReady")["status"] == "False"
    world.drive(lambda _: world.gone())
    assert units(world) == OWN


# -- at the same moment ----------------------------------------------------------------------------------------------


def test_a_holder_that_is_being_deleted_holds_until_it_has_given_back() -> None:
    world = shared("readings")
    passes(world, lambda: runs(world, "readings"))
    apply(world, "copy")
    passes(world, lambda: runs(world, "copy"))
    world.delete("readings")
    for _ in range(5):
        world.run_pass("copy")
        world.tick()
    assert (holders(world), units(world)) == (["readings"], 500)


@pytest.mark.parametrize("sleeper", ["readings", "copy"])
@pytest.mark.parametrize("at", range(1, 12))
def test_an_import_that_sleeps_between_its_look_and_its_status_never_shares_the_table(sleeper: str, at: int) -> None:
    """Just before one of its status writes; another import of the table is made and lives meanwhile."""
    world, other = shared(sleeper), "copy" if sleeper == "readings" else "readings"
    writes = itertools.count(1)
    most: list[int] = []

    def sleep(call: AnyCall) -> None:
        if "lindormimports/status" in str(call) and next(writes) == at:
            contextvars.Context().run(meanwhile)

    def meanwhile() -> None:
        process, world.reconciler = world.reconciler, world.controller()
        apply(world, other)
        for _ in range(12):
            world.run_pass(other)
            world.tick()
        world.reconciler = process

    world.faults = sleep
    for _ in range(40):
        for name in (sleeper, other):
            if not world.gone(name):
                world.run_pass(name)
                most.append(len(holders(world)))
        world.tick()
    assert max(most) == 1
    assert next(writes) > at, "it slept"
    for name in (sleeper, other):
        ends(world, name)
    assert units(world) == OWN
