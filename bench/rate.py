"""Whether the rate that was given is kept over any minute, by several writers, and after a change: case `rate`."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench import capacity, pipelines
from bench.flink import Cluster
from bench.results import Case, rounded
from bench.servers import BenchError, MariaDB
from local.processes import wait_until

SHAPE = capacity.SHAPES[0]
PARTS = (0.5, 0.8)  # of what the table takes: so that it is the given rate that holds, and not the table
MINUTE = 60
_SETTLE = 15.0  # seconds from the first item, or from a change of the file, until it counts


def measure(
    folder: Path, database: MariaDB, cluster: Cluster, scale: float, seconds: int, say: Callable[[str], None]
) -> dict[str, Case]:
    """A job whose rate is changed while it runs. seconds: for each rate, more than a minute; looked at each second."""
    table_units = capacity.TABLE_UNITS * scale
    target = "rate_project"
    capacity.fill(database, SHAPE, round(table_units * (seconds + 2 * _SETTLE) * len(PARTS)))
    worst: list[float] = []
    with capacity.Gate(folder, scale) as gate:
        gate.create(target)
        job = capacity.project_job(cluster, database, SHAPE, target, gate.url, round(table_units * PARTS[0]))
        if not wait_until(lambda: bool(gate.counts(target)), 120.0):
            raise BenchError(f"{target} gets no items: see {cluster.folder / 'log'}")
        for part in PARTS:
            pipelines.write_rate(cluster, target, round(table_units * part))
            time.sleep(_SETTLE)
            parts = [units / (table_units * part) for units in minutes(_samples(gate, target, seconds))]
            worst += [min(parts), max(parts)]
            say(f"rate, {table_units * part:g} units a second: {min(parts):.1%} to {max(parts):.1%} in any minute")
        if (state := cluster.job(job)["state"]) != "RUNNING":
            raise BenchError(f"the job that writes {target} is {state}, too early to be looked at")
        cluster.abandon([job])
    return {
        "rate": {
            "leastOfRate": rounded(min(worst)),
            "mostOfRate": rounded(max(worst)),
            "writers": float(capacity.WRITERS),
        }
    }


def _samples(gate: capacity.Gate, target: str, seconds: int) -> list[tuple[float, float]]:
    """Time and units written so far, each second."""
    begun = time.monotonic()
    found = []
    for second in range(seconds + 1):
        time.sleep(max(0.0, begun + second - time.monotonic()))
        found.append((time.monotonic(), gate.counts(target)["ConsumedWriteCapacityUnits"]))
    return found


def minutes(samples: Sequence[tuple[float, float]]) -> list[float]:
    """Units a second in each minute."""
    pairs = zip(samples, samples[MINUTE:], strict=False)
    return [(after - before) / (later - at) for (at, before), (later, after) in pairs]
