"""Many imports at once: none starves, a call that hangs holds up its own import only, and calls are bounded.

The loops are the operator's own, with its threads; only its pauses are shortened, and kopf is left out.
"""

import asyncio
import functools
import gc
import math
import resource
import statistics
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import kopf
import pytest

from lindorm_import.api import PLURAL
from lindorm_import.decide import Settings
from lindorm_import.runtime import operator
from lindorm_import.runtime.operator import THREADS, Loop
from lindorm_import.runtime.reconcile import Outcome, Reconciler
from tests.controller.aws import AwsCall
from tests.controller.aws_services import Refused
from tests.controller.fakes import AnyCall, World
from tests.controller.flink_operator import FLINK
from tests.controller.lives import DELETE, works

MANY = 200
HANGING, FAILING = 40, 10
# Real pauses are seconds: the loops' own, divided by this.
HASTE = 50.0

# What one import asks of each side in a minute, every ten seconds once (the default), while its job runs on demand;
# docs/failure-modes.md states it.
CALLS_A_MINUTE = {
    "get lindormimports": 6,
    "patch lindormimports/status": 6,
    "get flinkdeployments": 6,
    "get configmaps": 12,
    "dynamodb:DescribeTable": 6,
    "cloudwatch:GetMetricData": 1,
    "cloudwatch:PutMetricData": 1,
    "cloudwatch:GetDashboard": 1,
}

# What one import asks until its job is submitted, on demand, with a role for its job, alone in the cluster. The next
# one of the same minute, role, namespace and bucket asks IAM for less, and neither for reviews nor STS.
CALLS_TO_START = {
    "get lindormimports": 5,
    "list lindormimports": 8,
    "patch lindormimports/status": 5,
    "get flinkdeployments": 4,
    "get configmaps": 8,
    "get secrets": 4,
    "create selfsubjectaccessreviews": 10,
    "create configmaps": 2,
    "create flinkdeployments": 1,
    "s3:HeadBucket": 4,
    "s3:ListObjectsV2": 3,
    "s3:GetBucketTagging": 3,
    "s3:ListBuckets": 3,
    "s3:CreateBucket": 1,
    "dynamodb:DescribeTable": 4,
    "dynamodb:ListTagsOfResource": 2,
    "dynamodb:DescribeContinuousBackups": 2,
    "dynamodb:CreateTable": 1,
    "application-autoscaling:DescribeScalableTargets": 2,
    "sts:GetCallerIdentity": 1,
    "iam:SimulatePrincipalPolicy": 7,
}


class Crowd:
    """MANY imports, each of a table of its own, in one world; their loops run until each has ended."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.passes: Counter[str] = Counter()
        for number in range(MANY):
            name = f"import-{number:03d}"
            uid = f"{number:08x}-0000-4000-8000-000000000000"
            world.apply(uid=uid, name=name, **{"target.table": name, **DELETE})
        self.seconds: list[float] = []

    def live(self, names: list[str], seconds: float = 120) -> None:
        """Runs the loops of all imports until those named have ended."""
        asyncio.run(asyncio.wait_for(self._live(names), seconds))

    async def _live(self, names: list[str]) -> None:
        threads = ThreadPoolExecutor(max_workers=THREADS)
        loops = [asyncio.create_task(self._follow(name, threads)) for name in self.world.api.names(PLURAL)]
        try:
            while not all(self.world.ended(name) for name in names):
                self.world.tick()
                await asyncio.sleep(1 / HASTE)
        finally:
            for loop in loops:
                loop.cancel()
            self.world.hung.set()
            await asyncio.gather(*loops, return_exceptions=True)
            threads.shutdown()

    async def _follow(self, name: str, threads: ThreadPoolExecutor) -> None:
        body = kopf.Body({"metadata": self.world.read(name)["metadata"]})
        loop = Loop(self.world.reconciler, threads, body, asyncio.Lock())
        while True:
            started = time.monotonic()
            outcome = await loop.step()
            self.seconds.append(time.monotonic() - started)
            self.passes[name] += 1
            if outcome.trouble is None and outcome.requeue is None:
                return
            await asyncio.sleep((loop.delay() or 1.0) / HASTE)


class CrowdWorld(World):
    """hanging, failing: tables whose calls do not come back, and come back with an error."""

    def __init__(self) -> None:
        self.hung = threading.Event()
        self.hanging: set[str] = set()
        self.failing: set[str] = set()
        super().__init__(faults=self._hang_or_fail)

    def _hang_or_fail(self, call: AnyCall) -> None:
        table = call.params.get("TableName", "") if isinstance(call, AwsCall) else ""
        if table in self.hanging:
            self.hung.wait()
        if table in self.failing:
            raise Refused("InternalServerError", status=500)


@pytest.fixture(autouse=True)
def no_events(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operator.kopf, "event", lambda *_, **__: None)


@pytest.mark.timeout(180)
@pytest.mark.slow
def test_imports_whose_aws_calls_hang_or_fail_hold_up_none_of_the_others() -> None:
    """More hang than fit into a pool of 32 threads."""
    world = CrowdWorld()
    crowd = Crowd(world)
    names = world.api.names(PLURAL)
    world.hanging, world.failing = set(names[:HANGING]), set(names[HANGING : HANGING + FAILING])
    others = names[HANGING + FAILING :]
    crowd.live(others)
    assert all(world.conditions(name).get("Complete") == "True" for name in others)
    assert not any(world.ended(name) for name in names[: HANGING + FAILING])
    assert world.flink.violations == []
    told = statistics.quantiles(crowd.seconds, n=20)[-1]
    what = f"{len(crowd.seconds)} passes of {MANY} imports, {HANGING} of them hanging"
    print(f"{what}: p95 {told:.3f} s, the wait for a thread included")
    for name in others:
        assert crowd.passes[name] <= 40, "a life takes some twenty passes, however many others there are"


def test_a_running_import_asks_so_much_a_minute_and_no_more() -> None:
    world = World()
    world.reconciler = Reconciler(world.reconciler.clients, Settings(), now=lambda: world.now)
    world.flink.endless = True
    world.apply()
    world.drive(lambda _: works(world))
    world.drive(lambda _: world.condition("JobRunning").get("status") == "True")
    for _ in range(12):
        outcome = world.run_pass()
        assert outcome
        world.tick(outcome.requeue or 0)
    world.calls.clear()
    for _ in range(6):
        outcome = world.run_pass()
        assert outcome
        assert outcome.requeue == 10
        world.tick(10)
    over = {call: count for call, count in world.calls.items() if count > CALLS_A_MINUTE.get(call, 0)}
    assert over == {}, world.calls


def test_an_import_asks_so_much_until_its_job_is_submitted_and_the_next_one_less() -> None:
    world = World()
    role = {"job.executionRoleArn": "arn:aws:iam::000000000000:role/job"}
    asks_once = {"create selfsubjectaccessreviews", "sts:GetCallerIdentity"}
    for number, name in enumerate(("first", "second")):
        uid = f"{number:08x}-0000-4000-8000-000000000000"
        world.calls.clear()
        world.apply(uid=uid, name=name, **role, **{"target.table": name, "staging.bucket": "my-import-bucket"})
        submitted = f"limport-{name}-"
        world.drive(lambda _, wanted=submitted: any(n.startswith(wanted) for n in world.api.names(FLINK)), name)  # type: ignore[misc]
        allowed = CALLS_TO_START if number == 0 else CALLS_TO_START | dict.fromkeys(asks_once, 0)
        allowed = allowed | ({"iam:SimulatePrincipalPolicy": 3} if number else {})
        over = {call: count for call, count in world.calls.items() if count > allowed.get(call, 0)}
        assert over == {}, (name, world.calls)


def test_an_import_that_has_ended_asks_nothing() -> None:
    world = World()
    world.apply()
    world.run_to_end()
    outcome = world.run_pass()
    assert outcome
    assert (outcome.requeue, outcome.trouble) == (None, None), "no pass before the import changes"


def test_an_import_that_is_held_up_asks_ever_less() -> None:
    """Its pauses grow to a minute, and begin anew when it is not held up any more."""
    world = World()
    world.apply()
    world.run_pass()
    world.faults = failing_tables
    pauses = held_up(world, seconds=1200)
    assert all(0.5 * min(60, 2**n) <= pause <= min(60, 2**n) for n, pause in enumerate(pauses))
    world.calls.clear()
    passes = len(held_up(world, seconds=600, failures=len(pauses)))
    assert passes <= 20
    assert world.calls["get lindormimports"] == passes
    assert max(world.calls.values()) <= 2 * passes, "the job's ConfigMap and that of the rates; every other call once"
    world.faults = lambda call: None
    assert held_up(world, seconds=1)[0] <= 1


def test_an_import_whose_spec_must_change_is_not_looked_at_before_it_has() -> None:
    world = World()
    world.apply(**{"source.timeRange.unit": "Seconds"})
    world.drive(lambda o: o.trouble is not None)
    world.calls.clear()
    assert held_up(world, seconds=1200) == [math.inf]
    assert world.calls["get lindormimports"] == 1


def failing_tables(call: AnyCall) -> None:
    if str(call) == "dynamodb:DescribeTable":
        raise Refused("InternalServerError", status=500)


def held_up(world: World, seconds: float, failures: int = 0) -> list[float]:
    """The pauses that the operator's loop makes in a time of the world; for ever is infinite."""

    async def follow() -> list[float]:
        pauses: list[float] = []
        with ThreadPoolExecutor(1) as threads:
            loop = Loop(world.reconciler, threads, kopf.Body(world.read()), asyncio.Lock())
            loop._failures = failures
            while sum(pauses) < seconds:
                await loop.step()
                delay = loop.delay()
                pauses.append(math.inf if delay is None else delay)
                if delay is not None:
                    world.tick(delay)
        return pauses

    return asyncio.run(follow())


def test_memory_does_not_grow_with_the_passes() -> None:
    world = World()
    world.flink.endless = True
    world.apply()
    world.drive(lambda _: works(world))

    def passes(count: int) -> tuple[int, int]:
        """So many; the objects that there are afterwards, and the process's resident KiB."""
        for _ in range(count):
            world.run_pass()
            world.tick(10)
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return len(gc.get_objects()), pages * resource.getpagesize() // 1024

    passes(120)  # caches and the history in the status fill
    objects, resident = passes(10)
    more_objects, more_resident = passes(120)
    assert more_objects - objects < 300, "objects in 120 passes"
    assert more_resident - resident < 2048, "KiB in 120 passes"


def test_passes_of_one_import_take_turns_and_a_cancelled_one_is_waited_for() -> None:
    """kopf cancels the daemon while its pass creates a table, and starts the delete handler."""
    running, finish = threading.Event(), threading.Event()
    order: list[str] = []

    class Slow:
        def run_pass(self, *_: Any) -> Outcome:
            order.append("begin")
            running.set()
            finish.wait(10)
            order.append("end")
            return Outcome()

    async def scene() -> None:
        body = kopf.Body({"metadata": {"namespace": "n", "name": "i", "uid": "u"}})
        turn, threads = asyncio.Lock(), ThreadPoolExecutor(4)
        loop = functools.partial(Loop, Slow(), threads, body, turn)  # type: ignore[arg-type]
        daemon = asyncio.create_task(loop().step())
        await asyncio.to_thread(running.wait, 10)
        daemon.cancel()
        deletion = asyncio.create_task(loop().step())
        await asyncio.sleep(0.05)
        assert order == ["begin"], "the deletion waits for its turn"
        finish.set()
        await deletion
        assert daemon.cancelled()
        threads.shutdown()

    asyncio.run(scene())
    assert order == ["begin", "end", "begin", "end"]
