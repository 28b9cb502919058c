"""The direct path, and each of its halves against the floor: case names direct.*, source.*, sink.*."""

from __future__ import annotations

from collections.abc import Callable

from bench.cpu import Slope
from bench.lab import MANY_READINGS, Floor, Lab
from bench.results import Case, Figures, case, of_slope, ratio

_POSTERS = 4  # connections of the bare poster: enough to keep two cores busy


def measure(lab: Lab, rounds: int, script_rows: int, stock_halves: bool, say: Callable[[str], None]) -> dict[str, Case]:
    """One round that warms up, then `rounds` of everything in turn. stock_halves: stock source and sink alone, too."""
    source_floor = Floor(lab.layout.bench / "lib", "KeysetLoop", lab.database.url(*_KEYSET), MANY_READINGS, "2000")
    sink_floor = Floor(lab.layout.bench / "lib", "BatchPoster", str(lab.answers.port), str(_POSTERS), str(lab.rows))
    runs: dict[str, Callable[[], Slope]] = {
        "direct.project": lab.project_direct,
        "direct.stock": lab.stock_direct,
        "direct.script": lambda: lab.script(1, script_rows),
        "direct.script.2": lambda: lab.script(2, script_rows),
        "source.project": lab.project_source,
        "source.stock": lab.stock_source,
        "source.floor": source_floor.round,
        "sink.project": lab.project_sink,
        "sink.stock": lab.stock_sink,
        "sink.floor": sink_floor.round,
    }
    if not stock_halves:
        del runs["source.stock"], runs["sink.stock"]
    measured: dict[str, list[Figures]] = {name: [] for name in runs}
    try:
        for number in range(rounds + 1):
            for name, run in runs.items():
                if number == 0 and name.startswith("direct.script"):
                    continue  # Python has no compiler to warm up
                figures = of_slope(run())
                warm = "warm-up" if number == 0 else f"round {number}"
                say(
                    f"{name}, {warm}: {figures['rowsPerSecond']:,.0f} rows/s, "
                    f"{figures['cpuSecondsPerMillionRows']:.1f} CPU s per million rows"
                )
                if number > 0:
                    measured[name].append(figures)
    finally:
        source_floor.stop()
        sink_floor.stop()
    cases = {name: case(figures) for name, figures in measured.items()}
    _add_ratios(cases, measured)
    return cases


# As the project's source connects (LindormServer).
_KEYSET = ("useServerPrepStmts=true", "cachePrepStmts=true", "useLocalSessionState=true", "characterEncoding=UTF-8")


def _add_ratios(cases: dict[str, Case], measured: dict[str, list[Figures]]) -> None:
    cpu, per_cpu = "cpuSecondsPerMillionRows", "rowsPerCpuSecond"
    project = measured["direct.project"]
    cases["direct.project"] |= {
        "cpuPerRowTimesStock": ratio(project, measured["direct.stock"], cpu),
        "rowsPerCpuSecondTimesScript": ratio(project, measured["direct.script"], per_cpu),
        "rowsPerCpuSecondTimesScript2": ratio(project, measured["direct.script.2"], per_cpu),
    }
    for half in ("source", "sink"):
        floor = measured[f"{half}.floor"]
        for name in (f"{half}.project", f"{half}.stock"):
            if name in cases:
                cases[name]["cpuPerRowTimesFloor"] = ratio(measured[name], floor, cpu)
