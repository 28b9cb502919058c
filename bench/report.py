"""What docs/benchmarks.md shows of bench/results.json: tables and a picture, between markers."""

from __future__ import annotations

import re
from typing import Any

from bench import scale
from bench.chart import Bar, Panel, svg
from lindorm_import.plan import Prices

Results = dict[str, Any]

BEGIN, END = "<!-- bench: begin (written by `make bench`) -->", "<!-- bench: end -->"
PICTURE = "images/benchmarks.svg"
PROFILE = "images/profile.svg"

# (case, figure, what it says, target or None, whether less is better)
_TARGETS: tuple[tuple[str, str, str, float, bool], ...] = (
    ("direct.project", "cpuPerRowTimesStock", "CPU per row, times the stock pipeline's", 0.6, True),
    ("direct.project", "rowsPerCpuSecondTimesScript", "rows per CPU second, times the script's", 8.0, False),
    (
        "files.project",
        "rowsPerCpuSecondTimesDirect",
        "into files: rows per CPU second, times the direct path's",
        2.5,
        False,
    ),
    ("files.project", "rowsPerCpuSecondTimesStock", "into files, times Flink's jdbc source to JSON files", 2.0, False),
    ("source.project", "rowsPerSecondTimesFloor", "one connection reads, times a bare Connector/J loop", 0.7, False),
    ("capacity.even", "capacityUsed", "evenly spread keys: share of the table's capacity used", 0.95, False),
    ("capacity.even", "throttledShare", "evenly spread keys: share of puts throttled", 0.02, True),
    ("capacity.neighbours", "capacityUsed", "neighbours: share of the table's capacity used", 0.95, False),
    ("capacity.neighbours", "throttledShare", "neighbours: share of puts throttled", 0.02, True),
    ("capacity.zipf", "usedOfAllowed", "Zipf keys: share used of what partitions allow", 0.90, False),
    ("capacity.zipf.steep", "usedOfAllowed", "steeper Zipf keys: share used of what partitions allow", 0.90, False),
    ("rate", "leastOfRate", "the given rate: least of it in any minute", 0.98, False),
    ("rate", "mostOfRate", "the given rate: most of it in any minute", 1.02, True),
)

_PIPELINES = (
    ("direct.project", "this project"),
    ("direct.stock", "Flink's jdbc source to its dynamodb sink"),
    ("direct.script", "PyMySQL and boto3, one process"),
    ("direct.script.2", "PyMySQL and boto3, two processes"),
    ("files.project", "into files that DynamoDB loads: this project"),
    ("files.stock", "into files: Flink's jdbc source to its filesystem sink, plain JSON"),
    ("files.direct", "the direct path in the same rounds"),
    ("source.project", "source alone: this project"),
    ("source.stock", "source alone: Flink's jdbc source"),
    ("source.floor", "source alone: bare Connector/J loop"),
    ("sink.project", "sink alone: this project"),
    ("sink.stock", "sink alone: Flink's dynamodb sink"),
    ("sink.floor", "sink alone: ready-made requests posted"),
)
_SHAPES = (
    ("even", "evenly spread keys"),
    ("neighbours", "neighbours (1,000 rows a device, in key order)"),
    ("zipf", "Zipf keys (exponent 1.3, 1,000 keys)"),
    ("zipf.steep", "steeper Zipf keys (exponent 2)"),
    ("hot", "one hot key"),
    ("hot.shards", "one hot key, 16 shards"),
)


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in [head, ["---"] + ["---:"] * (len(head) - 1), *rows]]
    return "\n".join(lines)


def _machine(machine: dict[str, Any], quick: bool) -> str:
    how = "`make bench QUICK=1`" if quick else "`make bench`"
    return (
        f"Measured {machine['measuredAt']} by {how} at commit {machine['commit']}: {machine['cores']} cores of "
        f"{machine['processor']}, {machine['memoryGiB']} GiB, Linux {machine['kernel']}, Java {machine['java']}, "
        f"Python {machine['python']}; the load average before the start was {machine['loadBefore']}. Everything "
        "that is measured, and what it is measured against, shares these cores."
    )


def _targets(results: Results) -> str:
    rows = []
    for name, figure, text, target, less in _TARGETS:
        if name in results:
            value = results[name][figure]
            met = value <= target if less else value >= target
            rows.append([text, f"{'≤' if less else '≥'} {target:g}", f"{value:.3g}", "met" if met else "**missed**"])
    return _table(["target", "wanted", "measured", ""], rows)


def _pipelines(results: Results) -> str:
    rows = [
        [
            text,
            f"{results[name]['rowsPerSecond']:,.0f}",
            f"{results[name]['rowsPerCpuSecond']:,.0f}",
            f"{results[name]['cpuSecondsPerMillionRows']:.1f}",
            f"{results[name]['cpuPerRowTimesFloor']:.1f}" if "cpuPerRowTimesFloor" in results[name] else "",
        ]
        for name, text in _PIPELINES
        if name in results
    ]
    head = ["pipeline", "rows/s", "rows per CPU s", "CPU s per million rows", "CPU per row, times the floor's"]
    return _table(head, rows)


def _capacity(results: Results) -> str:
    rows = []
    for shape, text in _SHAPES:
        for suffix, who in (("", "this project"), (".stock", "stock sink")):
            case = results.get(f"capacity.{shape}{suffix}")
            if case:
                shares = [f"{case[f]:.1%}" for f in ("capacityUsed", "usedOfAllowed", "throttledShare")]
                rows.append([text, who, *shares])
    head = ["keys", "", "table's capacity used", "used of what partitions allow", "puts throttled"]
    return _table(head, rows)


def _scale(results: Results) -> str:
    if "direct.project" not in results:
        return ""
    prices = Prices.load()
    per_cpu = results["direct.project"]["rowsPerCpuSecond"]
    told = f"On paper, at {per_cpu:,.0f} rows per CPU second and prices as of {prices.as_of}:"
    return told + "\n\n" + _table(scale.HEAD, scale.table(per_cpu, prices))


def _others(results: Results) -> str:
    """A table for each family of the other cases: cases below each other where there are more cases than figures."""
    known = {name for name, _ in _PIPELINES} | {"machine", "quick"}
    families: dict[str, list[str]] = {}
    for name in results:
        if name not in known and not name.startswith("capacity."):
            families.setdefault(name.partition(".")[0], []).append(name)
    return "\n\n".join(_family({name: results[name] for name in names}) for names in families.values())


def _family(cases: Results) -> str:
    figures = list(dict.fromkeys(figure for case in cases.values() for figure in case if figure != "rounds"))
    if len(cases) >= len(figures):
        head = ["case", *map(_words, figures)]
        return _table(head, [[name, *(_shown(case.get(f)) for f in figures)] for name, case in cases.items()])
    rows = [[_words(figure), *(_shown(case.get(figure)) for case in cases.values())] for figure in figures]
    return _table(["", *cases], rows)


def _words(figure: str) -> str:
    """rowsPerCpuSecond -> rows per cpu second."""
    return (
        re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", figure)
        .lower()
        .replace("cpu", "CPU")
        .replace("mi b", "MiB")
        .replace("sdk", "SDK")
    )


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}" if value >= 1_000 else f"{value:.4g}"


def picture(results: Results) -> str:
    """The direct path and the capacity cases as bars."""

    def kind(name: str) -> str:
        return (
            "stock"
            if name.endswith(".stock")
            else "project"
            if "floor" not in name and "script" not in name
            else "other"
        )

    direct = [
        Bar(text, results[name]["rowsPerCpuSecond"], f"{results[name]['rowsPerCpuSecond']:,.0f}", kind(name))
        for name, text in _PIPELINES[:4]
        if name in results
    ]
    panels = [Panel("Direct path: rows per CPU second", direct)]
    bars = []
    for shape, words in _SHAPES:
        for suffix, who in (("", "this project"), (".stock", "stock sink")):
            case = results.get(f"capacity.{shape}{suffix}")
            if case:
                text = f"{case['usedOfAllowed']:.0%}, {case['throttledShare']:.1%} throttled"
                kind_ = "stock" if suffix else "project"
                bars.append(Bar(f"{words.partition(' (')[0]}, {who}", case["usedOfAllowed"], text, kind_, 1.0))
    if bars:
        panels.append(Panel("Write capacity: share used of what table and partitions allow", bars))
    return svg(panels)


def section(results: Results) -> str:
    """Everything between the markers."""
    parts = [
        _machine(results["machine"], results["quick"]),
        f"![Rows per CPU second, and share of write capacity used]({PICTURE})",
        _targets(results),
        _pipelines(results),
        _capacity(results),
        _others(results),
        _scale(results),
        f"![Flame graph of the TaskManager on the direct path]({PROFILE})" if "profile" in results else "",
    ]
    return "\n\n".join(part for part in parts if part)


def replace_section(text: str, new: str) -> str:
    """The page with another section between its markers. Errors: ValueError where it has none."""
    pattern = re.compile(re.escape(BEGIN) + r".*?" + re.escape(END), re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"the page has no line {BEGIN}")
    return pattern.sub(lambda _: f"{BEGIN}\n\n{new}\n\n{END}", text)
