"""Figures of cases: several rounds each, their medians, and ratios within a round. Pure.

A case is `{"rowsPerSecond": median, …, "rounds": {"rowsPerSecond": [each round's]}}`; a figure's name ends with its
unit or is a share or a ratio (between 0 and 1, or times).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from bench.cpu import Slope

Figures = dict[str, float]
Case = dict[str, Any]

_DIGITS = 4


def rounded(value: float) -> float:
    """Four digits that count: what a measurement gives at most."""
    return float(f"{value:.{_DIGITS}g}")


def of_slope(slope: Slope) -> Figures:
    """What a run tells of a pipeline's speed and cost."""
    return {
        "rowsPerSecond": slope.rows_per_second,
        "rowsPerCpuSecond": slope.rows_per_cpu_second,
        "cpuSecondsPerMillionRows": slope.cpu_seconds_per_million_rows,
    }


def case(rounds: Sequence[Mapping[str, float]]) -> Case:
    """The medians of rounds that all have the same figures, and the rounds."""
    names = list(rounds[0])
    medians: Case = {name: rounded(median(figures[name] for figures in rounds)) for name in names}
    return medians | {"rounds": {name: [rounded(figures[name]) for figures in rounds] for name in names}}


def ratio(numerator: Sequence[Mapping[str, float]], denominator: Sequence[Mapping[str, float]], figure: str) -> float:
    """The median of the ratios of a figure, round by round: what disturbs the machine in a round disturbs both."""
    return rounded(median(a[figure] / b[figure] for a, b in zip(numerator, denominator, strict=True)))
