"""What the controller reads of a running job, by the names under which the job really has it."""

from datetime import UTC, datetime, timedelta

import pytest

from lindorm_import.adapters.flink import look_at_job
from lindorm_import.domain.observed import JobSeen
from local.demo import World
from tests.e2e.test_import import eventually, named, until

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]


def test_every_count_and_the_clock_of_the_counts_is_read_from_a_running_job(world: World) -> None:
    """A gauge by another name would be missed in silence: rates would be measured by the times of the looks."""
    world.apply(named(world, "metrics", **{"source.table": "many", "source.maxRowsPerSecond": 500}))
    found = until(world, "metrics", lambda d: d.get("status", {}).get("progress", {}).get("itemsWritten", 0) > 0)
    run, job = found["status"]["run"]["deployment"], found["status"]["job"]["jobId"]
    base = world.stack.environment["LINDORM_IMPORT_FLINK_REST_URL"].format(namespace="default", name=run)
    looks: list[JobSeen] = []

    def told() -> bool:
        seen = look_at_job(base, job)
        if seen is not None and seen.counted_at is not None:
            looks.append(seen)
        return len({seen.counted_at for seen in looks}) > 1

    eventually(told, "items.clock is a gauge of the job, and goes on")
    first, last = looks[0], looks[-1]
    assert None not in (last.rows_read, last.items_written, last.rows_rejected, last.write_units, last.throttled)
    assert first.counted_at is not None
    assert last.counted_at is not None
    assert first.counted_at < last.counted_at
    assert abs(datetime.now(UTC) - last.counted_at) < timedelta(minutes=3)
    world.delete("metrics")
    eventually(lambda: world.read("metrics") is None, "the import is gone")
