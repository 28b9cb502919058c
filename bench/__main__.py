"""`make bench`: measure, write bench/results.json, and put tables and a picture into docs/benchmarks.md.

python -m bench                     # everything; `make bench`
python -m bench --quick             # within 5 minutes on two cores; `make bench QUICK=1`
python -m bench --only capacity     # these cases anew (repeatable); the others stay as they are in results.json
python -m bench --report            # only docs/benchmarks.md, from results.json
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import capacity, clients, controllers, direct, memory, profile, rate, resume
from bench.flink import Cluster
from bench.lab import Lab
from bench.machine import describe
from bench.report import PICTURE, PROFILE, picture, replace_section, section
from bench.results import Case
from local.bootstrap import REPOSITORY, Layout, bootstrap

RESULTS = REPOSITORY / "bench" / "results.json"
PAGE = REPOSITORY / "docs" / "benchmarks.md"
FOLDER = REPOSITORY / ".stack" / "bench"
PARTS = ("kube", "dev-venv", "job-venv", "job-jar", "dynamodb-local", "flink", "bench")
FAMILIES = (*direct.FAMILIES, "client", "profile", "memory", "capacity", "rate", "resume", "controller")


@dataclass(frozen=True)
class Effort:
    """How much is measured. rows: long against a sample (0.2 s) and a job's start."""

    rows: int
    source_rows: int
    script_rows: int
    rounds: int
    stock_halves: bool
    capacity_groups: tuple[tuple[str, ...], ...]
    capacity_scale: float
    capacity_seconds: float
    capacity_rounds: int
    resume_rounds: int
    resume_checkpoint_seconds: int
    imports: tuple[int, ...]
    controller_seconds: float
    heaps: tuple[int, ...]
    profile: bool
    client_items: int
    rate_seconds: int


FULL = Effort(
    rows=1_000_000,
    source_rows=8_000_000,
    script_rows=100_000,
    rounds=3,
    stock_halves=True,
    capacity_groups=(("even", "neighbours"), ("zipf", "zipf.steep", "hot", "hot.shards")),
    capacity_scale=0.1,
    capacity_seconds=40.0,
    capacity_rounds=1,
    resume_rounds=3,
    resume_checkpoint_seconds=5,
    imports=(200, 1_000),
    controller_seconds=120.0,
    heaps=(4_096, 2_741, 1_024, 512),
    profile=True,
    client_items=1_000_000,
    rate_seconds=90,
)
QUICK = Effort(
    rows=300_000,
    source_rows=1_000_000,
    script_rows=60_000,
    rounds=2,
    stock_halves=False,
    capacity_groups=(("even", "neighbours", "zipf", "hot", "hot.shards"),),
    capacity_scale=0.05,
    capacity_seconds=12.0,
    capacity_rounds=1,
    resume_rounds=1,
    resume_checkpoint_seconds=1,
    imports=(100,),
    controller_seconds=15.0,
    heaps=(),
    profile=False,
    client_items=0,
    rate_seconds=0,
)


def say(text: str) -> None:
    print(f"bench {time.strftime('%H:%M:%S')}: {text}", flush=True)


Keep = Callable[[dict[str, Case]], None]


def measure(effort: Effort, only: list[str], keep: Keep) -> None:
    """Every case whose family (the part of its name before the point) is in `only`, or all; kept as soon as it is
    there, for the whole takes most of an hour."""
    layout = bootstrap(PARTS, say)
    wanted: Callable[[str], bool] = lambda family: not only or family in only  # noqa: E731
    if any(wanted(family) for family in FAMILIES[:-1]):
        _measure_pipelines(effort, wanted, layout, keep)
    for imports in effort.imports if wanted("controller") else ():
        keep(controllers.measure(FOLDER / f"controller-{imports}", imports, effort.controller_seconds, say))


def _measure_pipelines(effort: Effort, wanted: Callable[[str], bool], layout: Layout, keep: Keep) -> None:
    """All but the controller: what needs source data and Flink."""
    slots = str(2 * max(len(group) for group in effort.capacity_groups))
    with Lab(layout, FOLDER, effort.rows, effort.source_rows, {"taskmanager.numberOfTaskSlots": slots}) as lab:
        say("starting Flink")
        with ThreadPoolExecutor() as both:
            list(both.map(Cluster.start, (lab.project, lab.stock)))
        if any(wanted(family) for family in direct.FAMILIES):
            keep(direct.measure(lab, wanted, effort.rounds, effort.script_rows, effort.stock_halves, say))
        if wanted("client") and effort.client_items:
            keep(clients.measure(lab, effort.client_items, effort.rounds, say))
        if wanted("profile") and effort.profile:
            keep(profile.measure(lab, PAGE.parent / PROFILE, say))
        if wanted("memory") and effort.heaps:
            keep(memory.measure(lab, effort.heaps, effort.rounds, say))
        if wanted("capacity"):
            keep(
                capacity.measure(
                    FOLDER / "dynamodb",
                    lab.database,
                    {"project": lab.project, "stock": lab.stock},
                    effort.capacity_groups,
                    effort.capacity_scale,
                    effort.capacity_seconds,
                    effort.capacity_rounds,
                    say,
                )
            )
        if wanted("rate") and effort.rate_seconds:
            scale = effort.capacity_scale
            keep(rate.measure(FOLDER / "dynamodb", lab.database, lab.project, scale, effort.rate_seconds, say))
        if wanted("resume"):
            keep(resume.measure(lab, effort.resume_rounds, effort.resume_checkpoint_seconds, say))


def report(results: dict[str, Any]) -> None:
    """Write the page's section and its picture."""
    (PAGE.parent / PICTURE).parent.mkdir(exist_ok=True)
    (PAGE.parent / PICTURE).write_text(picture(results))
    PAGE.write_text(replace_section(PAGE.read_text(), section(results)))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="within 5 minutes on two cores")
    parser.add_argument("--only", action="append", default=[], choices=FAMILIES, help="these cases anew")
    parser.add_argument("--report", action="store_true", help="measure nothing, write docs/benchmarks.md anew")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="FILE", help="default: bench/results.json")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started is stopped
    results: dict[str, Any] = json.loads(options.results.read_text()) if options.results.exists() else {}
    if not options.report:
        old = results if options.only else {}
        results = {**old, "machine": describe(), "quick": options.quick or bool(old.get("quick"))}

        def keep(cases: dict[str, Case]) -> None:
            results.update(cases)
            options.results.write_text(json.dumps(results, indent=1) + "\n")

        measure(QUICK if options.quick else FULL, options.only, keep)
        say(f"wrote {options.results}")
    if options.results == RESULTS:
        report(results)
        say(f"wrote {PAGE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
