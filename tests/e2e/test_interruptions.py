"""Imports that are suspended, lose their JobManager or get other rates while they run: all with the real Flink."""

import json
from typing import Any

import pytest

from local.demo import World, condition, told
from tests.e2e import calls
from tests.e2e.test_import import eventually, named, until

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]

# 50 seconds: slow enough to be caught in the middle on a busy machine too, with a checkpoint every two seconds. Once
# interrupted, an import gets a higher rate, so that it need not last that long.
FAST = {"source.maxRowsPerSecond": 100_000}
PACED = {
    "source.table": "many",
    "source.maxRowsPerSecond": 400,
    "job.checkpoint": {"interval": "2s", "minPause": "1s"},
}
ROWS = 20_000


def written(document: dict[str, Any]) -> int:
    count: int = document.get("status", {}).get("progress", {}).get("itemsWritten", 0)
    return count


def started(world: World, name: str, **changes: Any) -> dict[str, Any]:
    """A paced import, once some of its items are known to be in a checkpoint."""
    world.apply(named(world, name, **PACED, **changes))
    found = until(world, name, lambda d: written(d) > 0)
    assert written(found) < ROWS, "in the middle, not at the end"
    return found


def assert_complete(world: World, name: str, document: dict[str, Any]) -> dict[str, Any]:
    found = world.wait_ended(name)
    assert condition(found, "Complete") == "True", told(found)
    assert found["status"]["results"]["rowsRead"] == ROWS, "rows read again after an interruption are counted once"
    differences = world.differences(document)
    assert differences.none, differences
    assert differences.items == ROWS
    return found


def test_a_suspended_import_stops_its_job_and_goes_on_from_its_checkpoint(world: World) -> None:
    running = started(world, "asleep")
    deployment = running["status"]["run"]["deployment"]
    world.apply(named(world, "asleep", **PACED, suspend=True))
    asleep = until(world, "asleep", lambda d: condition(d, "Suspended") == "True")
    for process in ("jobmanager", "taskmanager-1"):
        assert world.stack.flink_process("default", deployment, process) is None, "the job's pods are gone"
    assert condition(asleep, "Reconciling") is None
    read = asleep["status"]["progress"]["rowsRead"]
    assert 0 < read < ROWS
    resumed = named(world, "asleep", **{**PACED, **FAST})
    world.apply({**resumed, "spec": {**resumed["spec"], "suspend": False}})
    first = until(world, "asleep", lambda d: condition(d, "JobRunning") == "True")
    assert first["status"]["progress"]["rowsRead"] >= read, "counts never go back"
    found = assert_complete(world, "asleep", resumed)
    assert found["status"]["job"]["attempts"] == 1, "the same job went on"
    world.delete("asleep")
    # Its role is allowed this and nothing else; that no job called more is asked when all tests are through (conftest).
    assert calls.made_by_the_job(world) == calls.listed() - calls.ONLY_IN_TROUBLE


def test_an_import_whose_job_manager_is_killed_goes_on_from_its_checkpoint(world: World) -> None:
    running = started(world, "headless")
    victim = world.stack.flink_process("default", running["status"]["run"]["deployment"], "jobmanager")
    assert victim is not None
    victim.signal(9)
    hurried = named(world, "headless", **{**PACED, **FAST})
    world.apply(hurried)
    found = assert_complete(world, "headless", hurried)
    assert found["status"]["job"]["attempts"] == 1, "Flink's high availability brings it back, not a new submission"
    world.delete("headless")


def test_other_rates_and_another_cap_reach_the_running_import(world: World) -> None:
    running = started(world, "faster", **{"target.capacity.writeUnits": 3000})
    deployment = running["status"]["run"]["deployment"]
    mounted = world.stack.folder / "flink" / "default" / deployment / "mounts" / "rates" / "rates.json"
    assert json.loads(mounted.read_text())["rowsPerSecond"] == 400
    changed = named(world, "faster", **{**PACED, **FAST, "target.capacity.writeUnits": 3500})
    world.apply(changed)
    eventually(
        lambda: (
            json.loads(mounted.read_text()) == {"version": 1, "writeUnitsPerSecond": 3500, "rowsPerSecond": 100_000}
        ),
        "the job's file says the new rates",
    )
    assert written(world.read("faster") or {}) < ROWS, "the file changed while the job ran"
    dynamodb = world.aws("dynamodb")
    eventually(
        lambda: (
            dynamodb.describe_table(TableName="faster")["Table"]["OnDemandThroughput"]["MaxWriteRequestUnits"] == 3500
        ),
        "the table has the new cap",
    )
    assert_complete(world, "faster", changed)
    eventually(
        lambda: "OnDemandThroughput" not in dynamodb.describe_table(TableName="faster")["Table"],
        "the cap is gone when the import is over",
    )
    world.delete("faster")


def test_a_controller_that_is_told_to_stop_leaves_nobody_waiting_for_its_passes(world: World) -> None:
    world.apply(named(world, "handed", **PACED))
    until(world, "handed", lambda d: bool(d.get("status", {}).get("activePasses")))
    world.stack.stop_process("controller")
    left = world.read("handed")
    assert left is not None
    assert left["status"]["activePasses"] == []
    world.stack.restart("controller")
    world.delete("handed")
    for _ in world.watch("handed"):
        pass
