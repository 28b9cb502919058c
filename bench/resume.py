"""What a lost TaskManager costs: case `resume`."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable

from bench import pipelines
from bench.cpu import Sample, Sampler
from bench.flink import CHECKPOINT_INTERVAL
from bench.lab import KEY, Lab
from bench.results import Case, case
from bench.servers import BenchError


def measure(lab: Lab, rounds: int, checkpoint_seconds: int, say: Callable[[str], None]) -> dict[str, Case]:
    """A run as it is, and one whose TaskManager is killed when half of the items have arrived; `rounds` times.

    checkpoint_seconds: between two checkpoints; a run must last for several of them.
    """
    found = []
    for number in range(1, rounds + 1):
        plain, _ = _run(lab, checkpoint_seconds, kill=False)
        killed, read = _run(lab, checkpoint_seconds, kill=True)
        figures = {
            "itemsWrittenAgain": float(killed[-1].count - killed[0].count - lab.rows),
            "rowsReadAgain": float(read - lab.rows),
            "secondsLost": _seconds(killed) - _seconds(plain),
            "secondsWithoutItems": _longest_pause(killed),
            "checkpointIntervalSeconds": float(checkpoint_seconds),
        }
        say(
            f"resume, round {number}: {figures['rowsReadAgain']:,.0f} rows read again, "
            f"{figures['secondsLost']:.1f} s lost"
        )
        found.append(figures)
    return {"resume": case(found)}


def _run(lab: Lab, checkpoint_seconds: int, *, kill: bool) -> tuple[list[Sample], int]:
    """Samples of the items that arrived, and the rows that MariaDB sent (a few of them answers to point queries)."""
    config = pipelines.job_config(lab.project.folder, lab.database, "readings", KEY)
    sent = lab.database.rows_sent()
    with Sampler(lab.answers.items, lambda: []) as sampler:
        options = {CHECKPOINT_INTERVAL: f"{checkpoint_seconds} s"}
        job = pipelines.project(lab.project, config, lab.answers.url, options)
        if kill:
            half = sampler.samples[0].count + lab.rows // 2
            while sampler.samples[-1].count < half:
                if lab.project.job(job)["state"] != "RUNNING":
                    raise BenchError("the job has ended before half of its items arrived")
                time.sleep(0.05)
            lab.project.kill_task_manager()
            lab.project.start_task_manager()
        lab.project.wait(job)
    if sampler.samples[-1].count - sampler.samples[0].count < lab.rows:
        raise BenchError("items are missing after the restart")
    return sampler.samples, lab.database.rows_sent() - sent


def _seconds(samples: list[Sample]) -> float:
    """From the first item to the last."""
    moving = [s.at for s, following in itertools.pairwise(samples) if following.count > s.count]
    return moving[-1] - moving[0]


def _longest_pause(samples: list[Sample]) -> float:
    """The longest time between two samples with new items."""
    moving = [s.at for s, following in itertools.pairwise(samples) if following.count > s.count]
    return max(later - earlier for earlier, later in itertools.pairwise(moving))
