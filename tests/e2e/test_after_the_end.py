"""The JobManager is lost after the job's end and before anybody looked, with the real Flink."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from local.demo import World, condition, told
from tests.e2e.test_import import eventually, named, until
from tests.e2e.test_interruptions import FAST, PACED, ROWS, written

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]
ENDED = "LindormImport: this run has ended before"
FLINK_IS_CONTENT = "Application completed SUCCESSFULLY"


@contextmanager
def paused(world: World, *parts: str) -> Iterator[None]:
    """Parts of the stack that do nothing meanwhile."""
    for part in parts:
        world.stack.process(part).signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for part in parts:
            world.stack.process(part).signal(signal.SIGCONT)


def test_a_main_that_runs_again_after_the_end_of_its_job_sees_its_result_and_leaves_the_job_manager_up(
    world: World,
) -> None:
    document = named(world, "late", **PACED)
    world.apply(document)
    started = until(world, "late", lambda d: written(d) > 0)
    world.apply(named(world, "late", **{**PACED, **FAST}))
    deployment = started["status"]["run"]["deployment"]
    bucket, prefix = started["status"]["run"]["prefix"].removeprefix("s3://").split("/", 1)
    log = world.stack.folder / "flink" / "default" / deployment / "log" / "jobmanager.log"

    def said(words: str) -> bool:
        return words in log.read_text(errors="replace")

    def recorded() -> bool:
        listed = files.list_objects_v2(Bucket=bucket, Prefix=f"{prefix}ha/job-result-store/").get("Contents", [])
        return any(found["Key"].endswith(".json") for found in listed)

    files = world.aws("s3")
    with paused(world, "controller"):
        with paused(world, "flink-operator"):
            eventually(
                lambda: files.list_objects_v2(Bucket=bucket, Prefix=f"{prefix}result/")["KeyCount"] == 1,
                "the job has left its result",
            )
            # Not before: killed between FINISHED and this record, the job runs again from its last checkpoint.
            eventually(recorded, "Flink has kept a record of the job's end")
            lost = world.stack.flink_process("default", deployment, "jobmanager")
            assert lost is not None
            lost.signal(signal.SIGKILL)
        eventually(lambda: said(ENDED), "main has run again and seen its result")
        eventually(lambda: said(FLINK_IS_CONTENT), "Flink counts the application as done")
        again = world.stack.flink_process("default", deployment, "jobmanager")
        assert again is not None
        assert again.alive
        assert again.pid != lost.pid
    found = world.wait_ended("late")
    assert condition(found, "Complete") == "True", told(found)
    assert found["status"]["results"]["rowsRead"] == ROWS
    assert found["status"]["job"]["attempts"] == 1
    differences = world.differences(document)
    assert differences.none, differences
    world.delete("late")
