"""Two controllers at work on one import: one is held up in the middle of a call, the other deletes the import.

The one that was held up (a paused process, a node that was cut off) wakes at last and does the call that it was about
to do. Whenever that is: nothing that the import made may be left, and what somebody else has made under the same names
since then must stay as it is.
"""

import contextvars
import io
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

import pytest
from botocore.awsrequest import AWSResponse
from urllib3 import HTTPResponse

from lindorm_import.decide import Settings
from lindorm_import.domain.trouble import TroubleError
from lindorm_import.runtime.reconcile import Outcome, Reconciler
from lindorm_import.world import fence
from lindorm_import.world.clients import Clients
from tests.controller.aws import REGION
from tests.controller.factories import NOW, UID
from tests.controller.fakes import AnyCall, World, difference
from tests.controller.lives import DELETE, SCALED, make_bucket, make_table


class Setting(NamedTuple):
    """An import, and what of somebody else's is there before it."""

    changes: dict[str, Any]
    before: Callable[[World], None] = lambda world: None


def somebodys(world: World) -> None:
    make_bucket(world, "precious")
    make_table(world, units=7)


SETTINGS = {
    "plain": Setting(DELETE),
    "scaled": Setting(DELETE | SCALED),
    "adopted": Setting(DELETE | {"target.capacity.writeUnits": 400}, somebodys),
}


# What Kubernetes removes again when its owner is gone, but what had better not been made: a job could start.
LATE = ("create configmaps", "create flinkdeployments")


class Scene:
    """The import's life with the first controller; just before (or after) its mutation number `at` the second takes
    over for a while: for `nap` passes, or (None) until the import is gone and somebody has taken its names."""

    def __init__(self, setting: Setting, at: int | None, nap: int | None, after: bool = False) -> None:
        self.world = World()
        if after:
            self.world.api.after = self.world.aws.after = self._after
        else:
            self.world.faults = self._perhaps_sleep
        self.first, self.second = (
            self.world.reconciler,
            Reconciler(self.world.reconciler.clients, Settings(poll=1), now=lambda: self.world.now),
        )
        self.at, self.nap, self.slept, self.late = at, nap, False, list[str]()
        setting.before(self.world)
        self.world.wire.count = 0
        self.before = self.world.snapshot()
        self.world.apply(**setting.changes)

    def _after(self, call: AnyCall) -> None:
        self.world._after(call)
        self._perhaps_sleep(call)

    def _perhaps_sleep(self, call: AnyCall) -> None:
        world = self.world
        if self.slept or not call.mutates or world.wire.count != self.at:
            return
        self.slept = True
        contextvars.Context().run(self._nap)  # another process

    def _nap(self) -> None:
        world = self.world
        world.reconciler = self.second
        if "deletionTimestamp" not in world.read()["metadata"]:
            world.delete()
        seen = iter(range(self.nap or 0))
        world.drive(lambda _: world.gone() or (self.nap is not None and next(seen, None) is None))
        if self.nap is None:
            world.tick(5)
            assert difference(self._left(), self.before) is None, "the second left something"
            if not self.before["tables"]:
                somebodys(world)
            self.before = self._left()
            self.late = [call for call in LATE if world.wire.done[call] == 0]
        world.reconciler = self.first

    def live(self) -> None:
        """The first lives the import's life and deletes it; whoever is left over makes an end of it."""
        world = self.world
        world.drive(lambda o: self.slept or (world.ended() and o.requeue is None and o.trouble is None))
        if not world.gone() and "deletionTimestamp" not in world.read()["metadata"]:
            world.delete()
        for number in range(400):
            if world.gone():
                break
            world.reconciler = (self.first, self.second)[number % 2] if self.slept else self.first
            outcome: Outcome | None = world.run_pass()
            world.tick(max(1, (outcome and outcome.requeue) or 1))
        assert world.gone()
        for _ in range(3):
            self.first.run_pass("default", "readings", UID)
            world.tick(5)

    def _left(self) -> dict[str, Any]:
        return {**self.world.snapshot(), "statuses": {}}

    def wrong(self, after: bool = False) -> str | None:
        done = [call for call in self.late if after and self.world.wire.done[call]]
        return str(self.world.flink.violations or done or "") or difference(self._left(), self.before)


@cache
def mutations(setting: str) -> int:
    scene = Scene(SETTINGS[setting], None, None)
    scene.live()
    assert scene.wrong() is None
    return scene.world.wire.count


@pytest.mark.slow
@pytest.mark.parametrize(("nap", "after"), [(1, False), (4, False), (None, False), (None, True)])
@pytest.mark.parametrize("setting", SETTINGS)
def test_a_controller_that_sleeps_in_any_moment_and_wakes_when_another_has_deleted_the_import_leaves_nothing(
    setting: str, nap: int | None, after: bool
) -> None:
    failures = {}
    for at in range(1, mutations(setting) + 1):
        scene = Scene(SETTINGS[setting], at, nap, after)
        scene.live()
        assert scene.slept
        if told := scene.wrong(after):
            failures[at] = told
    assert not failures, "\n".join(f"mutation {at}: {told}" for at, told in failures.items())


@pytest.mark.slow
@pytest.mark.parametrize("more", [4, 60])
def test_a_controller_that_sleeps_and_wakes_when_another_has_ended_the_import_leaves_the_table_as_it_is(
    more: int,
) -> None:
    """The table has its capacity back by then. more: passes of the other after that, before the first wakes."""
    failures = {}
    for at in range(1, 60):
        world = World()
        slept, others = iter([True]), list[Reconciler]()

        def end() -> None:
            first, world.reconciler = world.reconciler, replace(world.reconciler)  # noqa: B023
            world.drive(lambda _: world.ended())  # noqa: B023
            for _ in range(more):
                outcome = world.run_pass()  # noqa: B023
                world.tick(max(1, (outcome and outcome.requeue) or 1) if more > 9 else 1)  # noqa: B023
            others.append(world.reconciler)  # noqa: B023
            world.reconciler = first  # noqa: B023

        def sleep(call: AnyCall) -> None:
            if call.mutates and world.wire.count == at and next(slept, False):  # noqa: B023
                contextvars.Context().run(end)

        world.faults = sleep
        world.apply(**SCALED)
        world.drive(lambda o: world.ended() and o.requeue is None and o.trouble is None)  # noqa: B023
        world.idle()
        for world.reconciler in others:
            world.run_to_end()
        if next(slept, False):
            assert at > 25, "every mutation of the life was tried"
            break
        table = world.aws.dynamodb.tables["readings"].description
        if world.aws.scaling.targets or table["ProvisionedThroughput"]["WriteCapacityUnits"] != 5:
            failures[at] = (world.aws.scaling.targets, table["ProvisionedThroughput"])
    assert not failures


def test_a_controller_that_looked_before_another_let_the_import_go_deletes_nothing() -> None:
    """Everything was removed by hand meanwhile, and somebody has made a table of that name."""
    world = World()
    world.apply(**DELETE)
    world.run_to_end()
    table = world.aws.dynamodb.tables["readings"]
    table.state, table.until = "UPDATING", world.aws.dynamodb.seconds + 20
    world.delete()
    world.drive(lambda _: world.status().get("activePasses") == [] and not world.api.names("configmaps"))
    slept = iter([True])

    def sleep(call: AnyCall) -> None:
        if str(call).startswith("patch lindormimports/status") and next(slept, False):
            contextvars.Context().run(meanwhile)

    def meanwhile() -> None:
        world.aws.dynamodb.tables.clear()
        world.aws.s3.buckets.clear()
        second = replace(world.reconciler)
        assert second.run_pass("default", "readings", UID).release
        somebodys(world)

    world.tick(20)
    world.faults = sleep
    first = world.reconciler.run_pass("default", "readings", UID)
    assert next(slept, None) is None
    assert first.conflict
    assert list(world.aws.dynamodb.tables) == ["readings"]
    assert world.reconciler.run_pass("default", "readings", UID).release
    world.tick(5)
    assert list(world.aws.dynamodb.tables) == ["readings"]


def test_nothing_is_sent_after_the_time_of_a_pass_that_stood_in_the_status(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock passes that time just when botocore signs the request."""
    now = [NOW]
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "none")
    clients = Clients(None, "")  # type: ignore[arg-type]
    sent: list[str] = []

    def held_up(**_: Any) -> None:
        now[0] += fence.ACTS_FOR

    def send(request: Any, **_: Any) -> AWSResponse:
        sent.append(request.url)
        return AWSResponse(request.url, 200, {}, HTTPResponse(io.BytesIO(b"{}"), preload_content=False))

    clients._session.events.register("before-sign", held_up)
    clients._session.events.register_last("before-send", send)
    with closing(clients.dynamodb(REGION)) as dynamodb:
        dynamodb.list_tables()
        assert len(sent) == 1, "who does not act is not bound"
        with fence.Fence(lambda: now[0]).acts(), pytest.raises(TroubleError, match="took longer than 60 s"):
            dynamodb.delete_table(TableName="readings")
    assert len(sent) == 1


def acting(world: World) -> list[str]:
    return [one["by"] for one in world.status().get("activePasses", [])]


def wait_of_the_next(world: World) -> float:
    """Seconds that a controller which comes new takes to delete the import."""
    world.reconciler = replace(world.reconciler)
    world.delete()
    began = world.now
    world.drive(lambda _: world.gone(), passes=2000)
    return (world.now - began).total_seconds()


def test_who_comes_after_a_controller_that_ended_in_order_waits_for_none_of_its_passes() -> None:
    crashed, ended = World(), World()
    for world in (crashed, ended):
        world.apply(**DELETE)
        world.drive(lambda _: bool(acting(world)))  # noqa: B023
    ended.reconciler.sign_off("default", "readings", UID)
    assert acting(ended) == []
    assert wait_of_the_next(ended) < 120 < wait_of_the_next(crashed)


def test_a_pass_that_still_acts_is_not_signed_off() -> None:
    world = World()
    world.apply(**DELETE)
    world.drive(lambda _: bool(acting(world)))
    found = list[list[str]]()

    def sign_off(call: AnyCall) -> None:
        if call.mutates and not found and acting(world):
            found.append(acting(world))
            contextvars.Context().run(world.reconciler.sign_off, "default", "readings", UID)
            found.append(acting(world))

    world.aws.after = sign_off
    world.drive(lambda _: len(found) == 2)
    assert found[0][-1] == found[1][-1]


def test_another_controllers_pass_is_not_signed_off() -> None:
    world = World()
    world.apply(**DELETE)
    world.drive(lambda _: bool(acting(world)))
    replace(world.reconciler).sign_off("default", "readings", UID)
    assert acting(world)
