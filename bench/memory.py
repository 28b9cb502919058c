"""The smallest TaskManager heap that keeps the speed: cases memory.<MiB of task heap> and memory.smallest."""

from __future__ import annotations

from collections.abc import Callable

from bench.flink import Cluster
from bench.lab import Lab
from bench.results import Case, Figures, case, of_slope
from bench.servers import BenchError

KEEPS = 0.95
SLOTS = 4  # of a TaskManager, as the plan sizes it; each has its own buffers and requests on their way
_FRAMEWORK_MIB = 128  # Flink's default: taskmanager.memory.framework.heap.size


def measure(lab: Lab, heaps: tuple[int, ...], rounds: int, say: Callable[[str], None]) -> dict[str, Case]:
    """The direct path with each task heap (MiB, the largest first) until one is too small.

    Speed is rows per CPU second: collecting garbage in a small heap costs CPU, and where other work shares the cores it
    is CPU that tells.
    """
    found: dict[int, list[Figures]] = {}
    for heap in heaps:
        cluster = lab.project_cluster(f"memory-{heap}", configuration(heap))
        cluster.start()
        try:
            found[heap] = _rounds(lab, cluster, rounds)
        except BenchError as error:
            say(f"memory, {heap} MiB of task heap: {str(error)[:300]}")
            break
        finally:
            cluster.stop()
        speeds = {size: case(figures)["rowsPerCpuSecond"] for size, figures in found.items()}
        say(f"memory, {heap} MiB of task heap: {speeds[heap]:,.0f} rows per CPU second")
        if speeds[heap] < KEEPS * max(speeds.values()):
            break
    cases = {f"memory.{heap}": case(figures) for heap, figures in found.items()}
    best = max(figures["rowsPerCpuSecond"] for figures in cases.values())
    enough = [heap for heap in found if cases[f"memory.{heap}"]["rowsPerCpuSecond"] >= KEEPS * best]
    smallest = min(enough)
    cases["memory.smallest"] = {
        "taskHeapMiB": float(smallest),
        "heapMiB": float(smallest + _FRAMEWORK_MIB),
        "slots": float(SLOTS),
        "shareOfBestSpeed": cases[f"memory.{smallest}"]["rowsPerCpuSecond"] / best,
    }
    return cases


def configuration(heap: int) -> dict[str, str]:
    """Flink's settings of a TaskManager with this many MiB of task heap and no managed memory."""
    return {
        "taskmanager.memory.task.heap.size": f"{heap}m",
        "taskmanager.memory.framework.heap.size": f"{_FRAMEWORK_MIB}m",
        "taskmanager.numberOfTaskSlots": str(SLOTS),
    }


def _rounds(lab: Lab, cluster: Cluster, rounds: int) -> list[Figures]:
    """After long runs and short ones that warm up: with several slots on few cores the compiler is at it for more than
    a minute, and again after a long one."""
    for many in (True, True, False, False):
        lab.project_direct(cluster, SLOTS, many)
    return [of_slope(lab.project_direct(cluster, SLOTS)) for _ in range(rounds)]
