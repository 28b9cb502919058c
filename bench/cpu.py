"""CPU time of process trees, from /proc, and samples of it beside a count of rows."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

_TICKS = os.sysconf("SC_CLK_TCK")


def _stat(pid: str) -> list[str] | None:
    """The fields of /proc/<pid>/stat after the name; None where the process has gone."""
    try:
        return Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def tree_seconds(roots: Iterable[int]) -> float:
    """CPU seconds (user and system) of these processes and all their descendants, those that have ended included.

    An ended child counts through its parent, once that has waited for it.
    """
    fields = {pid: stat for pid in os.listdir("/proc") if pid.isdigit() and (stat := _stat(pid))}
    children: dict[str, list[str]] = {}
    for pid, stat in fields.items():
        children.setdefault(stat[1], []).append(pid)
    todo = [str(root) for root in roots]
    ticks = 0
    while todo:
        pid = todo.pop()
        if pid in fields:
            ticks += sum(int(number) for number in fields[pid][11:15])  # utime, stime, cutime, cstime
            todo += children.get(pid, [])
    return ticks / _TICKS


@dataclass(frozen=True)
class Sample:
    """at: seconds of the monotonic clock; count: rows so far; cpu: CPU seconds so far."""

    at: float
    count: int
    cpu: float


@dataclass(frozen=True)
class Slope:
    """What went on between two samples."""

    rows: int
    seconds: float
    cpu: float

    @property
    def rows_per_second(self) -> float:
        return self.rows / self.seconds

    @property
    def rows_per_cpu_second(self) -> float:
        return self.rows / self.cpu

    @property
    def cpu_seconds_per_million_rows(self) -> float:
        return self.cpu / self.rows * 1e6


def between(first: Sample, last: Sample) -> Slope:
    """The slope from one sample to a later one."""
    return Slope(last.count - first.count, last.at - first.at, last.cpu - first.cpu)


def steady(samples: list[Sample], start: float = 0.1, end: float = 0.95) -> Slope:
    """The slope over the middle of a run: from the first sample that has `start` of all rows to the last that has
    at most `end` of them. So neither the start of a job nor the wait for its last checkpoint is in it.

    Raises ValueError where there are too few samples in between.
    """
    lowest, highest = samples[0].count, samples[-1].count
    inside = [s for s in samples if start <= (s.count - lowest) / max(1, highest - lowest) <= end]
    if len(inside) < 4:
        raise ValueError(f"only {len(inside)} samples between {start:.0%} and {end:.0%} of {highest - lowest} rows")
    return between(inside[0], inside[-1])


class Sampler:
    """Samples a count and the CPU time of processes from entry to exit, every 0.2 s."""

    def __init__(self, count: Callable[[], int], roots: Callable[[], Iterable[int]]) -> None:
        self._count, self._roots = count, roots
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.samples: list[Sample] = []

    def __enter__(self) -> Sampler:
        self._take()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._take()

    def _take(self) -> None:
        self.samples.append(Sample(time.monotonic(), self._count(), tree_seconds(self._roots())))

    def _run(self) -> None:
        while not self._stop.wait(0.2):
            self._take()
