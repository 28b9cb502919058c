"""Two controllers at work on one import: one is held up in the middle of a call, the other deletes the import.

The one that was held up (a paused process, a node that was cut off) wakes at last and does the call that it was about
to do. Whenever that is: nothing that the import made may be left, and what somebody else has made under the same names
since then must stay as it is.
"""

import contextvars
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import pytest

from controller.decide import Settings
from controller.reconcile import Outcome, Reconciler
from tests.controller.factories import UID
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
# How long the first sleeps, in passes of the second; None: until the import is gone and its names are taken anew.
NAPS = (1, 4, None)


class Scene:
    """The import's life with the first controller; at its mutation number `at` the second takes over for a while."""

    def __init__(self, setting: Setting, at: int | None, nap: int | None) -> None:
        self.world = World(faults=self._perhaps_sleep)
        self.first, self.second = (
            self.world.reconciler,
            Reconciler(self.world.reconciler.clients, Settings(poll=1), now=lambda: self.world.now),
        )
        self.at, self.nap, self.slept = at, nap, False
        setting.before(self.world)
        self.world.wire.count = 0
        self.before = self.world.snapshot()
        self.world.apply(**setting.changes)

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

    def wrong(self) -> str | None:
        return str(self.world.flink.violations or "") or difference(self._left(), self.before)


@cache
def mutations(setting: str) -> int:
    scene = Scene(SETTINGS[setting], None, None)
    scene.live()
    assert scene.wrong() is None
    return scene.world.wire.count


@pytest.mark.slow
@pytest.mark.parametrize("nap", NAPS)
@pytest.mark.parametrize("setting", SETTINGS)
def test_a_controller_that_sleeps_before_any_call_and_wakes_when_another_has_deleted_the_import_leaves_nothing(
    setting: str, nap: int | None
) -> None:
    failures = {}
    for at in range(1, mutations(setting) + 1):
        scene = Scene(SETTINGS[setting], at, nap)
        scene.live()
        assert scene.slept
        if told := scene.wrong():
            failures[at] = told
    assert not failures, "\n".join(f"mutation {at}: {told}" for at, told in failures.items())
