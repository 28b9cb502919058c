"""Up to three imports of one table that was there before, each with other wishes for its capacity, in any order.

Whatever the order, with crashes, errors, other controllers, clocks that are set and somebody who changes the table by
hand: one import at a time sets its capacity, what is read from it never changes, no cost shrinks, and when all is over
the table has what it truly had: what it had at first, or what somebody has set last.
"""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from lindorm_import.api.status import ImportStatus, TableSettings
from tests.controller.aws import AwsCall
from tests.controller.fakes import AnyCall, World
from tests.controller.kubernetes_api import Call
from tests.controller.lives import make_bucket, make_table
from tests.controller.test_interleavings import AWS_ERRORS, KUBERNETES_ERRORS

NAMES = ("readings", "copy", "third")
WISHES = st.sampled_from([None, 100, 500, 900])
TABLE, READS = "readings", 3


class SharedCapacity(RuleBasedStateMachine):
    """truth: the settings that the table must have in the end; cost: the highest of each import so far."""

    @initialize(
        scaled=st.sampled_from([False, False, True]),
        provisioned=st.sampled_from([True, True, False]),
        wishes=st.lists(st.sampled_from([100, 500, 900]), max_size=3),
        rounds=st.integers(0, 12),
    )
    def begin(self, scaled: bool, provisioned: bool, wishes: list[int], rounds: int) -> None:
        """Some imports are at work already; their jobs take long."""
        self.world = World(faults=self.fault)
        self.faults: list[tuple[str, str]] = []
        self.made = 0
        self.cost: dict[str, tuple[float, int]] = {}
        make_bucket(self.world, "precious")
        make_table(self.world, units=20 if provisioned else None)
        if scaled and provisioned:
            self.world.aws.scaling.targets[f"table/{TABLE}"] = (10, 50)
        self.truth = self.settings()
        self.world.flink.endless = True
        for name, wish in zip(NAMES, wishes, strict=False):
            self.creates(name, wish, suspend=False)
        self.go_on(list(NAMES), rounds)

    def fault(self, call: AnyCall) -> None:
        if not self.faults:
            return
        side, error = self.faults[0]
        if side == "aws" and isinstance(call, AwsCall):
            self.faults.pop(0)
            raise AWS_ERRORS[error]()
        if side == "kubernetes" and isinstance(call, Call):
            self.faults.pop(0)
            raise KUBERNETES_ERRORS[error]()

    def settings(self) -> TableSettings:
        table = self.world.aws.dynamodb.tables[TABLE].description
        bounds = self.world.aws.scaling.targets.get(f"table/{TABLE}", (None, None))
        on_demand = table.get("BillingModeSummary", {}).get("BillingMode") == "PAY_PER_REQUEST"
        cap = table.get("OnDemandThroughput", {}).get("MaxWriteRequestUnits", -1)
        units = (None if cap < 0 else cap) if on_demand else table["ProvisionedThroughput"]["WriteCapacityUnits"]
        mode = "OnDemand" if on_demand else "Provisioned"
        return TableSettings(mode=mode, write_units=units, scaling_min=bounds[0], scaling_max=bounds[1])

    # -- users -------------------------------------------------------------------------------------------------------

    @rule(name=st.sampled_from(NAMES), wish=WISHES, suspend=st.just(False))
    def creates(self, name: str, wish: int | None, suspend: bool) -> None:
        if self.world.gone(name):
            self.made += 1
            self.cost.pop(name, None)
            uid = f"{(self.made * 7) % 11:04x}{self.made:04x}-0000-4000-8000-000000000000"  # in no order
            capacity = {"target.capacity.writeUnits": wish} if wish else {}
            self.world.apply(uid=uid, name=name, suspend=suspend, **capacity)

    @rule(name=st.sampled_from(NAMES), wish=WISHES, suspend=st.booleans())
    def edits(self, name: str, wish: int | None, suspend: bool) -> None:
        if not self.world.gone(name) and "deletionTimestamp" not in self.world.read(name)["metadata"]:
            self.world.edit(name, suspend=suspend, **{"target.capacity.writeUnits": wish})

    @rule(name=st.sampled_from(NAMES))
    def deletes(self, name: str) -> None:
        if not self.world.gone(name):
            self.world.delete(name)

    @rule(write=st.sampled_from([31, 37]))
    def somebody_sets_the_units(self, write: int) -> None:
        table = self.world.aws.dynamodb.tables[TABLE]
        if self.truth.mode == "Provisioned" and self.truth.scaling_min is None and table.state == "ACTIVE":
            table.description["ProvisionedThroughput"] = {"ReadCapacityUnits": READS, "WriteCapacityUnits": write}
            self.truth = self.truth.model_copy(update={"write_units": write})

    # -- the controller, and what fails ------------------------------------------------------------------------------

    @rule(
        name=st.sampled_from(NAMES), dies_at=st.integers(0, 4), mode=st.sampled_from(["before", "after", "reply lost"])
    )
    def passes(self, name: str, dies_at: int, mode: str) -> None:
        if self.world.gone(name):
            return
        wire = self.world.wire
        wire.at, wire.mode = (wire.count + dies_at if dies_at else None), mode
        self.world.run_pass(name)
        wire.at = None

    @rule(names=st.lists(st.sampled_from(NAMES), min_size=1, max_size=3), count=st.integers(2, 12))
    def go_on(self, names: list[str], count: int) -> None:
        for _ in range(count):
            for name in names:
                if not self.world.gone(name):
                    self.world.run_pass(name)
                    self.holds()
            self.world.tick()

    @rule(ahead=st.sampled_from([-600, 0, 600]))
    def another_controller_takes_over(self, ahead: int) -> None:
        self.world.reconciler = self.world.controller(ahead=timedelta(seconds=ahead))

    @rule(by=st.sampled_from([-86_400, -300, 300, 86_400]))
    def clocks_are_set(self, by: int) -> None:
        self.world.set_clock(timedelta(seconds=by))

    @rule(error=st.sampled_from(sorted(AWS_ERRORS)), times=st.integers(1, 3))
    def aws_will_fail(self, error: str, times: int) -> None:
        self.faults += [("aws", error)] * times

    @rule(error=st.sampled_from(sorted(KUBERNETES_ERRORS)), times=st.integers(1, 3))
    def kubernetes_will_fail(self, error: str, times: int) -> None:
        self.faults += [("kubernetes", error)] * times

    @rule(endless=st.booleans())
    def jobs_take_long(self, endless: bool) -> None:
        self.world.flink.endless = endless

    @rule(seconds=st.sampled_from([1, 3, 70, 700]))
    def time_passes(self, seconds: int) -> None:
        self.world.tick(seconds)

    # -- what must hold ------------------------------------------------------------------------------------------------

    @invariant()
    @precondition(lambda self: hasattr(self, "world"))
    def holds(self) -> None:
        holders = []
        for name in NAMES:
            if self.world.gone(name):
                continue
            status = ImportStatus.model_validate(self.world.status(name))
            entry = status.resource("Table")
            if entry and entry.holds:
                holders.append(name)
            if status.spending:
                now = (float(status.spending.cost_usd), status.spending.job_seconds)
                was = self.cost.get(name, (0.0, 0))
                assert now[0] >= was[0], f"{name} has become cheaper"
                assert now[1] >= was[1], f"{name}'s pods have stood for less"
                self.cost[name] = now
        assert len(holders) <= 1, f"{holders} set the capacity of one table"
        assert self.settings().mode == self.truth.mode
        reads = self.world.aws.dynamodb.tables[TABLE].description["ProvisionedThroughput"]["ReadCapacityUnits"]
        assert reads == (READS if self.truth.mode == "Provisioned" else 0)

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        world = self.world
        self.faults.clear()
        world.flink.endless = False
        living = [name for name in NAMES if not world.gone(name)]
        for name in living:
            if "deletionTimestamp" not in world.read(name)["metadata"]:
                world.edit(name, suspend=False)
        for name in living:
            deleting = "deletionTimestamp" in world.read(name)["metadata"]
            world.drive(lambda o, n=name, d=deleting: world.gone(n) if d else world.ended(n), name, passes=400)  # type: ignore[misc]
        for name in living:
            if not world.gone(name):
                world.run_to_end(name)
        self.holds()
        assert self.settings() == self.truth
        for name in living:
            if not world.gone(name):
                world.remove(name)
        world.tick(5)
        assert self.settings() == self.truth


TestSharedCapacity = pytest.mark.timeout(300)(SharedCapacity.TestCase)
TestSharedCapacity.settings = settings(
    max_examples=80,
    stateful_step_count=40,
    deadline=None,
    report_multiple_bugs=False,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
