"""The arithmetic of scale on paper, and the plan's sizing beside what was measured."""

import json
import math

from bench.__main__ import RESULTS
from bench.scale import HEAD, table
from lindorm_import.api.spec import Job
from lindorm_import.plan import Prices
from lindorm_import.plan.cluster import ROWS_PER_SLOT, gigabytes


def test_the_reference_size_takes_the_hours_and_dollars_that_the_design_says() -> None:
    reference = dict(zip(HEAD, table(40_000, Prices.load())[0], strict=True))

    assert reference["source"] == "100 GB, 1.25 billion rows"
    assert reference["hours"] == "8.7"
    assert reference["cores busy"] == "1.0"
    assert reference["DynamoDB, on demand"] == "$781"
    assert reference["DynamoDB, provisioned"] == "$226"


def test_ten_times_the_rate_takes_a_tenth_of_the_time_and_costs_the_same_units() -> None:
    slow, fast = table(40_000, Prices.load())[2:]

    assert (slow[2], fast[2]) == ("868.1", "86.8")
    assert slow[6:8] == fast[6:8]


def test_a_slot_of_the_plan_has_four_times_the_cpu_that_was_measured() -> None:
    manager = Job().task_manager
    rows_per_cpu_second = json.loads(RESULTS.read_text())["direct.project"]["rowsPerCpuSecond"]

    assert rows_per_cpu_second * manager.cpu / manager.slots >= 4 * ROWS_PER_SLOT


def test_the_plans_task_manager_has_the_smallest_heap_that_keeps_the_speed() -> None:
    """Flink 1.20, set up memory: of the process 256 MiB are metaspace and a tenth the JVM's, of the rest a tenth is the
    network's and 128 MiB are off the heap; none is managed."""
    manager = Job().task_manager
    process = float(gigabytes(manager.process_memory)) * 1024
    heap = (process - 256 - process / 10) * 0.9 - 128
    smallest = json.loads(RESULTS.read_text())["memory.smallest"]

    assert manager.slots == smallest["slots"]
    assert math.ceil(heap) >= smallest["heapMiB"]
