"""Clocks that are set back or forward, or differ: cost, deadlines and deletion go by real time."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lindorm_import.api.status import ActivePass, ImportStatus
from lindorm_import.decide import Settings
from lindorm_import.domain.trouble import TroubleError
from lindorm_import.runtime.reconcile import Reconciler
from lindorm_import.world import fence
from lindorm_import.world.clock import ImportTimes, steps_forward, uptime
from lindorm_import.world.fence import Fence
from tests.controller.factories import NOW, UID
from tests.controller.fakes import World
from tests.controller.lives import DELETE, works

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
PROVISIONED = {"target.capacity": {"mode": "Provisioned", "writeUnits": 500}}
REQUEST_LIFE = Settings().request_life.total_seconds()
LONGEST_WAIT = REQUEST_LIFE + fence.ACTS_FOR.total_seconds()


def running(**changes: Any) -> World:
    """An import whose job works and does not come to an end."""
    world = World()
    world.flink.endless = True
    world.apply(**PROVISIONED | changes)
    world.drive(lambda _: works(world))
    world.run_pass()
    return world


def spent(world: World) -> dict[str, Any]:
    return dict(world.status()["spending"])


def passes(world: World, seconds: int, step: int = 10) -> None:
    for _ in range(seconds // step):
        world.tick(step)
        world.run_pass()


def jumped(by: timedelta, **changes: Any) -> World:
    world = running(**changes)
    world.set_clock(by)
    world.run_pass()
    return world


# -- what it costs ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", [-DAY, -HOUR, -MINUTE, MINUTE, HOUR, DAY], ids=str)
def test_a_clock_that_is_set_neither_takes_from_what_was_spent_nor_adds_to_it(by: timedelta) -> None:
    world = running()
    before = spent(world)
    world.set_clock(by)
    world.run_pass()
    assert spent(world)["jobSeconds"] == before["jobSeconds"]
    passes(world, 600)
    assert spent(world)["jobSeconds"] - before["jobSeconds"] == pytest.approx(600, abs=2)
    assert spent(world)["provisionedUnitSeconds"] - before["provisionedUnitSeconds"] == pytest.approx(300_000, abs=1000)


def test_a_clock_that_is_set_back_while_no_controller_runs_takes_nothing_from_what_was_spent() -> None:
    world = running()
    before = spent(world)
    world.set_clock(-HOUR)
    world.reconciler = world.controller()
    world.run_pass()
    assert spent(world)["jobSeconds"] == before["jobSeconds"]
    passes(world, 600)
    assert spent(world)["jobSeconds"] - before["jobSeconds"] == pytest.approx(600, abs=2)


def test_two_controllers_whose_clocks_differ_count_no_time_twice() -> None:
    world = running()
    before = spent(world)
    late, right = world.controller(ahead=-10 * MINUTE), world.reconciler
    for number in range(60):
        world.reconciler = (late, right)[number % 2]
        passes(world, 10)
    assert spent(world)["jobSeconds"] - before["jobSeconds"] == pytest.approx(600, abs=2)


def test_a_controller_whose_clock_has_no_counter_beside_it_takes_no_step_back_for_time() -> None:
    world = running()
    world.reconciler = Reconciler(world.reconciler.clients, Settings(poll=1), now=lambda: world.now)
    world.run_pass()
    before = spent(world)
    world.set_clock(-HOUR)
    world.run_pass()
    passes(world, 600)
    assert spent(world)["jobSeconds"] - before["jobSeconds"] == pytest.approx(600, abs=2)


# -- deadlines --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", [-DAY, DAY], ids=str)
def test_a_budget_of_time_is_kept_by_real_time(by: timedelta) -> None:
    world = jumped(by, **{"budget.maxDuration": "2h"})
    passes(world, 6600, 60)
    assert not world.ended()
    passes(world, 900, 60)
    assert world.condition("Failed")["reason"] == "OverBudget"


@pytest.mark.parametrize("by", [-DAY, DAY], ids=str)
def test_a_budget_of_money_is_kept_by_real_time(by: timedelta) -> None:
    world = jumped(by, **{"budget.maxCostUSD": "2", "target.capacity.writeUnits": 2000})
    passes(world, 3600, 60)
    assert not world.ended()
    passes(world, 3600, 60)
    assert world.condition("Failed")["reason"] == "OverBudget"


@pytest.mark.parametrize("by", [-DAY, DAY], ids=str)
def test_a_job_that_failed_is_submitted_again_after_its_real_pause(by: timedelta) -> None:
    world = World()
    world.flink.fail_at = [1]
    world.apply()
    world.drive(lambda _: "retryAfter" in world.status().get("job", {}))
    world.set_clock(by)
    world.drive(lambda _: world.flink.running() != [], passes=20)
    assert world.uptime < 120


@pytest.mark.parametrize("by", [-DAY, DAY], ids=str)
def test_a_finished_import_deletes_itself_after_its_real_time(by: timedelta) -> None:
    world = World()
    world.apply(ttlAfterFinished="1h")
    world.drive(lambda _: world.ended())
    ended = world.uptime
    world.set_clock(by)
    world.drive(lambda _: world.gone(), passes=3000)
    assert world.uptime - ended == pytest.approx(3600, abs=60)


# -- deletion and the fence -------------------------------------------------------------------------------------------


def left_over(world: World) -> None:
    """A pass of a controller that died in the middle of it."""
    found = world.read()
    entry = ActivePass(by="gone-1", until=world.reconciler.times.now(UID, None) + fence.ACTS_FOR)
    found["status"]["activePasses"] = [entry.model_dump(mode="json", by_alias=True)]
    world.api.change(world.read(), found)


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("by", [-DAY, -HOUR, DAY], ids=str)
def test_a_deletion_waits_for_a_dead_controller_no_longer_than_it_really_must(by: timedelta, restarted: bool) -> None:
    world = running(**DELETE)
    left_over(world)
    began = world.uptime
    world.set_clock(by)
    if restarted:
        world.reconciler = world.controller()
    world.delete()
    world.drive(lambda _: world.gone(), passes=400)
    assert world.uptime - began <= LONGEST_WAIT + 60
    if not (restarted and by > timedelta()):
        assert world.uptime - began >= REQUEST_LIFE


class Machine:
    """Its clock, and its counter that nobody sets."""

    def __init__(self) -> None:
        self.wall, self.seconds = NOW, 0.0

    def passes(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.seconds += seconds

    def fence(self) -> Fence:
        return Fence(lambda: self.wall, lambda: self.seconds)


def test_a_clock_set_back_in_a_pass_gives_it_no_more_time() -> None:
    machine = Machine()
    with machine.fence().acts():
        machine.wall -= HOUR
        machine.passes(59)
        fence.check()
        machine.passes(1)
        with pytest.raises(TroubleError, match="took longer than 60 s"):
            fence.check()


def test_a_machine_that_stood_still_with_its_counter_acts_no_more_when_its_clock_is_right_again() -> None:
    machine = Machine()
    with machine.fence().acts():
        machine.wall += HOUR
        with pytest.raises(TroubleError, match="took longer than 60 s"):
            fence.check()


# -- the times themselves ---------------------------------------------------------------------------------------------


def test_a_counter_made_of_a_clock_counts_its_steps_forward_only() -> None:
    machine = Machine()
    ticks = steps_forward(lambda: machine.wall)
    seen = []
    for step in (5, -100, 7, 0, -1, 3):
        machine.wall += timedelta(seconds=step)
        seen.append(ticks())
    assert seen == [5, 5, 12, 12, 12, 15]


def test_the_counter_of_the_machine_goes_on() -> None:
    assert uptime() <= uptime()


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["passes", "set", "restart", "other"]),
            st.one_of(st.integers(-100_000, 100_000), st.sampled_from([1, 10, 60])),
        ),
        max_size=40,
    )
)
def test_whatever_happens_to_the_clocks_an_imports_time_never_goes_back_and_grows_by_real_time(
    happens: list[tuple[str, int]],
) -> None:
    """Two machines, whose clocks are set at random. Wrong at most by what a clock was ahead when a process began."""
    machines, turn = [Machine(), Machine()], 0

    def process(machine: Machine) -> ImportTimes:
        return ImportTimes(lambda: machine.wall, lambda: machine.seconds)

    processes = [process(machine) for machine in machines]
    written = start = processes[0].now(UID, None)
    real, excess = 0.0, 0.0
    looked: set[int] = {0}
    for what, amount in happens:
        if what == "passes":
            for machine in machines:
                machine.passes(abs(amount))
            real += abs(amount)
        elif what == "set":
            machines[turn].wall += timedelta(seconds=amount)
        elif what == "restart":
            processes[turn] = process(machines[turn])
            looked.discard(turn)
        else:
            turn = 1 - turn
        before = written
        if turn not in looked:  # its clock counts now, and never again
            excess += max(0.0, (machines[turn].wall - before).total_seconds())
            looked.add(turn)
        written = processes[turn].now(UID, before)
        assert written >= before
    grown = (written - start).total_seconds()
    assert grown <= real + excess + 1e-3
    lost = sum(what in ("restart", "other") for what, _ in happens)
    if not lost:
        assert grown == pytest.approx(real, abs=1e-3)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.integers(1, 120), st.integers(-200_000, 200_000)), min_size=3, max_size=12))
def test_cost_is_monotonic_and_right_under_random_jumps_of_the_clock(jumps: list[tuple[int, int]]) -> None:
    world = running()
    before, began = spent(world), world.uptime
    last = before
    for seconds, by in jumps:
        world.tick(seconds)
        world.set_clock(timedelta(seconds=by))
        world.run_pass()
        now = spent(world)
        assert now["jobSeconds"] >= last["jobSeconds"]
        assert float(now["costUSD"]) >= float(last["costUSD"])
        assert times_of(world) == sorted(times_of(world))
        last = now
    assert last["jobSeconds"] - before["jobSeconds"] == pytest.approx(world.uptime - began, abs=len(jumps) + 1)
    world.delete()
    deleted = world.uptime
    world.drive(lambda _: world.gone(), passes=60)
    assert world.uptime - deleted < 120


def times_of(world: World) -> list[datetime]:
    status = ImportStatus.model_validate(world.status())
    return [moment.at for moment in status.history]


def test_no_time_of_a_status_is_later_than_the_time_at_which_it_was_written() -> None:
    world = running()
    for by in (HOUR, -2 * HOUR, DAY, -DAY):
        world.set_clock(by)
        passes(world, 30)
        status = ImportStatus.model_validate(world.status())
        assert status.observed_at is not None
        assert all(c.last_transition_time <= status.observed_at for c in status.conditions)
        assert status.spending is not None
        assert status.spending.observed_at <= status.observed_at
