"""Everything that can happen, in any order: three imports of one table and bucket, a user, crashes, errors and time.

Whatever the order: never two jobs for one import, never a job that starts from nothing in the middle of a run, never a
write to what is nobody's of ours, never a Complete import whose table went with another one; and once the faults stop,
every import comes to an end, stays there without further writes, and can be deleted without leaving anything that was
made for imports.
"""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from lindorm_import.api import PLURAL
from lindorm_import.domain import names
from tests.controller.aws import AwsCall, reply_lost
from tests.controller.aws_services import Refused
from tests.controller.fakes import AnyCall, Crash, World, difference
from tests.controller.flink_operator import FLINK
from tests.controller.kubernetes_api import Call, Refusal, connection_lost
from tests.controller.lives import SCALED, make_bucket, make_table

NAMES = ("readings", "copy", "third")
TABLE, BUCKET = "readings", "my-import-bucket"
AWS_ERRORS = {
    "throttled": lambda: Refused("ThrottlingException"),
    "denied": lambda: Refused("AccessDeniedException"),
    "internal": lambda: Refused("InternalServerError", status=500),
    "unreachable": reply_lost,
}
KUBERNETES_ERRORS = {
    "conflict": lambda: Refusal(409, "the object has been modified"),
    "internal": lambda: Refusal(500, "etcd timeout"),
    "unreachable": connection_lost,
}


class Interleavings(RuleBasedStateMachine):
    """world: everything outside; faults: errors that the next calls get; foreign: what must never change."""

    @initialize(rejected=st.sampled_from([0, 2]))
    def begin(self, rejected: int) -> None:
        self.world = World(faults=self.fault)
        self.world.flink.rejected = rejected
        self.faults: list[tuple[str, str]] = []
        self.made = 0
        self.kept = False  # some import wanted its table to be kept
        self.by_hand: set[str] = set()  # TableIds of tables that somebody else made
        make_bucket(self.world, "precious", name="theirs")
        make_table(self.world, "theirs", units=5)
        metadata = {"name": "theirs", "labels": {names.UID_LABEL: "somebody"}}
        self.world.api.add("configmaps", {"metadata": metadata, "data": {"a": "b"}})
        self.foreign = self.look_at_foreign()

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

    def look_at_foreign(self) -> dict[str, Any]:
        snapshot = self.world.snapshot()
        return {
            "table": snapshot["tables"]["theirs"],
            "bucket": snapshot["buckets"]["theirs"],
            "configMap": dict(self.world.api.get("configmaps", "theirs") or {}),
        }

    # -- the user ----------------------------------------------------------------------------------------------------

    @rule(
        name=st.sampled_from(NAMES),
        keep=st.booleans(),
        scaled=st.booleans(),
        suspend=st.booleans(),
    )
    def creates(self, name: str, keep: bool, scaled: bool, suspend: bool) -> None:
        if self.world.gone(name):
            self.made += 1
            self.kept |= keep
            policy = {"target.deletionPolicy": "Retain" if keep else "Delete"}
            capacity = SCALED if scaled else {}
            uid = f"{self.made:08x}-0000-4000-8000-000000000000"
            self.world.apply(uid=uid, name=name, suspend=suspend, **policy, **capacity)

    @rule(name=st.sampled_from(NAMES), suspend=st.booleans(), units=st.sampled_from([100, 900]))
    def edits(self, name: str, suspend: bool, units: int) -> None:
        if not self.world.gone(name) and "deletionTimestamp" not in self.world.read(name)["metadata"]:
            self.world.edit(name, suspend=suspend, **{"target.capacity.writeUnits": units})

    @rule(name=st.sampled_from(NAMES))
    def deletes(self, name: str) -> None:
        if not self.world.gone(name):
            self.world.delete(name)

    @rule(what=st.sampled_from([FLINK, "configmaps"]), which=st.integers(0, 3))
    def removes_by_hand(self, what: str, which: int) -> None:
        ours = [name for name in self.world.api.names(what) if name != "theirs"]
        if which < len(ours):
            self.world.api.remove(what, ours[which])

    @rule(which=st.integers(0, 2), tagged=st.booleans())
    def makes_a_table_by_hand(self, which: int, tagged: bool) -> None:
        """Under the name of the imports' own, perhaps with one's UID on it: but while one is about to make it, no tag
        could tell it from that one's."""
        if TABLE in self.world.aws.dynamodb.tables:
            return
        entries = [r for name in NAMES for r in self.world.status(name).get("resources", []) if r["kind"] == "Table"]
        about_to = any(r["origin"] == "Created" and "createdAt" not in r for r in entries)
        found = self.world.api.get(PLURAL, NAMES[which])
        tags = {names.UID_LABEL: found["metadata"]["uid"]} if found and tagged and not about_to else {}
        make_table(self.world, **tags)
        self.by_hand.add(self.world.aws.dynamodb.tables[TABLE].description["TableId"])

    @rule(which=st.integers(0, 2))
    def marks_by_hand(self, which: int) -> None:
        """Puts the UID of an import on what is somebody's."""
        found = self.world.api.get(PLURAL, NAMES[which])
        table = self.world.aws.dynamodb.tables.get(TABLE)
        if found and table and table.description["TableId"] in self.by_hand:
            table.tags[names.UID_LABEL] = found["metadata"]["uid"]

    # -- the controller, and what fails ------------------------------------------------------------------------------

    @rule(
        name=st.sampled_from(NAMES), dies_at=st.integers(0, 4), mode=st.sampled_from(["before", "after", "reply lost"])
    )
    def passes(self, name: str, dies_at: int, mode: str) -> None:
        """One pass; with dies_at the controller dies (or does not hear the reply) at that mutation of it."""
        if self.world.gone(name):
            return
        wire = self.world.wire
        wire.at, wire.mode = (wire.count + dies_at if dies_at else None), mode
        self.world.run_pass(name)
        wire.at = None

    @rule(name=st.sampled_from(NAMES), count=st.integers(2, 12))
    def goes_on(self, name: str, count: int) -> None:
        """Passes without a fault, each a second after the other."""
        for _ in range(count):
            if not self.world.gone(name):
                self.world.run_pass(name)
            self.world.tick()

    @rule()
    def another_controller_takes_over(self) -> None:
        """The one before does not come back, and nobody tells the new one."""
        self.world.reconciler = replace(self.world.reconciler)

    @rule(error=st.sampled_from(sorted(AWS_ERRORS)), times=st.integers(1, 3))
    def aws_will_fail(self, error: str, times: int) -> None:
        self.faults += [("aws", error)] * times

    @rule(error=st.sampled_from(sorted(KUBERNETES_ERRORS)), times=st.integers(1, 3))
    def kubernetes_will_fail(self, error: str, times: int) -> None:
        self.faults += [("kubernetes", error)] * times

    @rule(step=st.integers(0, 2))
    def a_job_will_fail(self, step: int) -> None:
        self.world.flink.fail_at = [step]

    @rule(down=st.booleans())
    def the_flink_operator(self, down: bool) -> None:
        self.world.flink.down = down

    @rule(seconds=st.sampled_from([1, 3, 70, 700]))
    def time_passes(self, seconds: int) -> None:
        self.world.tick(seconds)

    # -- what must hold ------------------------------------------------------------------------------------------------

    @invariant()
    @precondition(lambda self: hasattr(self, "world"))
    def holds(self) -> None:
        assert self.world.flink.violations == []
        assert difference(self.look_at_foreign(), self.foreign) is None
        table = self.world.aws.dynamodb.tables.get(TABLE)
        id_ = table.description["TableId"] if table and table.state != "DELETING" else None
        assert self.by_hand <= {id_}, "a table of somebody else's is gone"
        for name in NAMES:
            complete = self.world.conditions(name).get("Complete") == "True"
            if complete and "deletionTimestamp" not in self.world.read(name)["metadata"]:
                written = next(r for r in self.world.status(name)["resources"] if r["kind"] == "Table")
                assert written["tableId"] == id_, f"{name} is Complete, and what it wrote is gone"

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.every_import_comes_to_an_end()
            self.every_import_can_be_deleted()
            self.holds()

    def every_import_comes_to_an_end(self) -> None:
        world = self.world
        self.faults.clear()
        world.flink.fail_at, world.flink.down = [], False
        living = [name for name in NAMES if not world.gone(name)]
        for name in living:
            if "deletionTimestamp" in world.read(name)["metadata"]:
                world.drive(lambda _, name=name: world.gone(name), name)  # type: ignore[misc]
            else:
                world.edit(name, suspend=False, **{"target.capacity": None})
        living = [name for name in living if not world.gone(name)]
        for name in living:
            world.drive(lambda o, name=name: self.at_rest(name, o.requeue, o.trouble), name, passes=400)  # type: ignore[misc]
        for name in living:  # one import's end may have been what the other was waiting for
            world.run_to_end(name)
            assert world.idle(3, name) == 0

    def at_rest(self, name: str, requeue: float | None, trouble: object) -> bool:
        return self.world.ended(name) and requeue is None and trouble is None

    def every_import_can_be_deleted(self) -> None:
        world = self.world
        for name in NAMES:
            if not world.gone(name):
                world.remove(name)
        world.tick(5)
        assert world.flink.running() == []
        assert world.api.names(FLINK) == []
        assert world.api.names("configmaps") == ["theirs"]
        assert world.api.names(PLURAL) == []
        assert world.aws.scaling.targets == {}
        assert sorted(world.aws.s3.buckets) == ["theirs"]
        if not self.kept and not self.by_hand:
            assert sorted(world.aws.dynamodb.tables) == ["theirs"]


TestInterleavings = pytest.mark.timeout(300)(Interleavings.TestCase)
TestInterleavings.settings = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    report_multiple_bugs=False,
    derandomize=True,  # CI repeats itself; `--hypothesis-seed` and more examples look for more
    suppress_health_check=list(HealthCheck),
)


def test_the_machine_can_crash_the_controller() -> None:
    """Otherwise nothing above would be tried."""
    world = World()
    world.apply()
    world.wire.at = 1
    assert world.run_pass() is None
    world.wire.at = world.wire.count + 1
    with pytest.raises(Crash):
        world.reconciler.run_pass("default", "readings", world.read()["metadata"]["uid"])
