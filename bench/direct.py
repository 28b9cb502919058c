"""The direct path, each of its halves against the floor, the path into files: direct.*, source.*, sink.*, files.*."""

from __future__ import annotations

from collections.abc import Callable

from bench.cpu import Slope
from bench.lab import MANY_READINGS, Floor, Lab
from bench.results import Case, Figures, case, of_slope, ratio

_POSTERS = 4  # connections of the bare poster: enough to keep two cores busy


FAMILIES = ("direct", "source", "sink", "files")


def measure(
    lab: Lab,
    wanted: Callable[[str], bool],
    rounds: int,
    script_rows: int,
    stock_halves: bool,
    say: Callable[[str], None],
) -> dict[str, Case]:
    """One round that warms up, then `rounds` of everything in turn.

    wanted: of FAMILIES. stock_halves: stock source and sink alone, too.
    """
    floors: dict[str, Floor] = {}
    runs: dict[str, Callable[[], Slope]] = {}
    if wanted("direct"):
        runs |= {
            "direct.project": lab.project_direct,
            "direct.stock": lab.stock_direct,
            "direct.script": lambda: lab.script(1, script_rows),
            "direct.script.2": lambda: lab.script(2, script_rows),
        }
    if wanted("files"):
        runs |= {
            "files.project": lab.project_files,
            "files.stock": lab.stock_files,
            "files.direct": lab.project_direct,  # beside them, whatever else runs on the machine
        }
    jars = lab.layout.bench / "lib"
    if wanted("source"):
        floors["source"] = Floor(jars, "KeysetLoop", lab.database.url(*_KEYSET), MANY_READINGS, "2000")
        runs |= {"source.project": lab.project_source, "source.stock": lab.stock_source}
        runs["source.floor"] = floors["source"].round
    if wanted("sink"):
        floors["sink"] = Floor(jars, "BatchPoster", str(lab.answers.port), str(_POSTERS), str(lab.rows))
        runs |= {"sink.project": lab.project_sink, "sink.stock": lab.stock_sink}
        runs["sink.floor"] = floors["sink"].round
    if not stock_halves:
        runs = {name: run for name, run in runs.items() if name not in ("source.stock", "sink.stock")}
    try:
        measured = _rounds(runs, rounds, say)
    finally:
        for floor in floors.values():
            floor.stop()
    cases = {name: case(figures) for name, figures in measured.items()}
    _add_ratios(cases, measured)
    return cases


def _rounds(runs: dict[str, Callable[[], Slope]], rounds: int, say: Callable[[str], None]) -> dict[str, list[Figures]]:
    measured: dict[str, list[Figures]] = {name: [] for name in runs}
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
    return measured


# As the project's source connects (LindormServer).
_KEYSET = ("useServerPrepStmts=true", "cachePrepStmts=true", "useLocalSessionState=true", "characterEncoding=UTF-8")


def _add_ratios(cases: dict[str, Case], measured: dict[str, list[Figures]]) -> None:
    cpu, per_cpu, per_second = "cpuSecondsPerMillionRows", "rowsPerCpuSecond", "rowsPerSecond"
    if "files.project" in measured:
        files = measured["files.project"]
        cases["files.project"] |= {
            "rowsPerCpuSecondTimesDirect": ratio(files, measured["files.direct"], per_cpu),
            "rowsPerCpuSecondTimesStock": ratio(files, measured["files.stock"], per_cpu),
        }
    if "direct.project" in measured:
        project = measured["direct.project"]
        cases["direct.project"] |= {
            "cpuPerRowTimesStock": ratio(project, measured["direct.stock"], cpu),
            "rowsPerCpuSecondTimesScript": ratio(project, measured["direct.script"], per_cpu),
            "rowsPerCpuSecondTimesScript2": ratio(project, measured["direct.script.2"], per_cpu),
        }
    for half in ("source", "sink"):
        for name in (f"{half}.project", f"{half}.stock"):
            if name in cases:
                floor = measured[f"{half}.floor"]
                cases[name]["cpuPerRowTimesFloor"] = ratio(measured[name], floor, cpu)
                cases[name]["rowsPerSecondTimesFloor"] = ratio(measured[name], floor, per_second)
