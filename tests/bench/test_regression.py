"""The check that runs in CI: ratios within one run only, with wide margins, so that a busy machine does not fail it.

The targets themselves are measured by `make bench` and stand in docs/benchmarks.md.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import capacity
from bench.__main__ import PARTS
from bench.lab import Lab
from local.bootstrap import bootstrap

pytestmark = pytest.mark.stack

ROWS = 150_000
SLOTS = {"taskmanager.numberOfTaskSlots": "6"}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    layout = bootstrap([part for part in PARTS if part != "kube"])
    with Lab(layout, tmp_path_factory.mktemp("bench") / "lab", ROWS, configuration=SLOTS) as started:
        started.project.start()
        yield started


def test_a_row_costs_less_cpu_than_in_the_stock_pipeline(lab: Lab) -> None:
    lab.stock.start()
    try:
        for run in (lab.project_direct, lab.stock_direct):
            run()  # the first costs what its compiler costs
        ours, theirs = lab.project_direct(), lab.stock_direct()
    finally:
        lab.stock.stop()

    assert ours.cpu_seconds_per_million_rows < 1.0 * theirs.cpu_seconds_per_million_rows  # target: 0.6


def test_most_of_the_capacity_is_used_and_little_of_it_is_throttled(lab: Lab, tmp_path: Path) -> None:
    cases = capacity.measure(
        tmp_path / "dynamodb",
        lab.database,
        {"project": lab.project},
        groups=[("even", "neighbours", "zipf")],
        scale=0.05,
        seconds=15.0,
        rounds=1,
        say=print,
    )

    for shape in ("even", "neighbours", "zipf"):
        figures = cases[f"capacity.{shape}"]
        assert figures["usedOfAllowed"] > 0.8, figures  # targets: 0.95, and 0.9 for Zipf keys
        assert figures["throttledShare"] < 0.1, figures  # target: 0.02
