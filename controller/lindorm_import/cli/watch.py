"""`watch`: an import while it runs. A live picture on a terminal, a plain line each interval elsewhere.

It reads what the controller wrote (and the FlinkDeployment), so it needs no AWS credentials and no way to the job.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from lindorm_import.api.durations import format_duration
from lindorm_import.api.read import read_status
from lindorm_import.api.text import printable
from lindorm_import.cli.cluster import Cluster
from lindorm_import.cli.console import console
from lindorm_import.cli.errors import FAILED, OK, BadInputError
from lindorm_import.cli.view import View, rates, sparkline
from lindorm_import.domain.trouble import TroubleError

_STYLES = {"Complete": "green", "Running": "cyan", "Failed": "red", "Stalled": "red", "Waiting": "yellow"}
_LOOK_EVERY = 1.0


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "watch",
        help="an import while it runs",
        description="Follows an import until it ends and its pods and its table's capacity are released; says "
        "what still costs money if that fails. Exit code 0: complete; 1: failed or deleted; 2: no such import.",
    )
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("-n", "--namespace")
    parser.add_argument(
        "--interval", type=float, default=10.0, help="seconds between lines where there is no terminal (default 10)"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Follows to the end; returns its exit code."""
    if arguments.interval <= 0:
        raise BadInputError(f"--interval is {arguments.interval}: give seconds, more than 0")
    cluster = Cluster.connect(arguments.namespace)
    cluster.read(arguments.name)
    views = looks(cluster, arguments.name)
    out = console()
    last = _live(out, views) if out.is_terminal else _lines(views, arguments.interval)
    if last is None or not last.ended:
        print(f"{arguments.name} is gone: it was deleted", file=sys.stderr)
        return FAILED
    if last.unreleased:
        print(f"{arguments.name} still costs money: {last.unreleased}", file=sys.stderr)
    return OK if last.is_true("Complete") else FAILED


def looks(cluster: Cluster, name: str) -> Iterator[View]:
    """A look a second, until the import has ended and given back what it had, or is gone. An API server that is away
    is waited for, and that is said once."""
    away = False
    while True:
        try:
            resource = cluster.find(name)
            if resource is None:
                return
            run_ = read_status(resource.get("status")).status.run
            flink = cluster.flink(run_.deployment) if run_ else None
        except TroubleError as error:
            if not away:
                print(f"{error.trouble.message}; trying again", file=sys.stderr)
            away = True
        else:
            away = False
            view = View.of(resource, flink, datetime.now(UTC))
            yield view
            if view.at_rest and not view.deleting:
                return
        time.sleep(_LOOK_EVERY)


# --- lines ---------------------------------------------------------------------------------------------------------


def line(view: View) -> str:
    """One line for a log."""
    progress = view.status.progress
    at = f"{view.now:%H:%M:%S}"
    if progress is None:
        return f"{at} {view.summary}: {view.message}"
    if view.files and not view.ended:
        return f"{at} {view.summary:<10} {view.files}  ({view.message})"
    percent = "" if view.percent is None else f"{view.percent:3d} %  "
    rate = "" if view.ended else f"{progress.rows_per_second or 0:,} rows/s  "
    throttled = view.status.throttling.events if view.status.throttling else 0
    parts = (
        f"{at} {view.summary:<10} {percent}read {progress.rows_read:,} of {view.rows_in_range}  "
        f"written {progress.items_written:,}  rejected {progress.items_rejected:,}  {rate}"
        f"write units {view.write_units}  throttled {throttled:,}  checkpoint {view.checkpoint}  "
        f"restarts {view.status.job.restarts if view.status.job else 0}"
    )
    eta = f"  ETA {view.eta}" if view.eta else ""
    return f"{parts}{eta}"


def _lines(views: Iterator[View], interval: float) -> View | None:
    """A line for each new state, one every interval, and one for the end."""
    shown_at, state, last = float("-inf"), "", None
    for view in views:
        last = view
        now, new = time.monotonic(), f"{view.summary} {view.message if view.status.progress is None else ''}"
        if new != state or now - shown_at >= interval or view.at_rest:
            print(line(view), flush=True)
            shown_at, state = now, new
    if last is not None and last.ended:
        print(f"{last.name} {last.summary.lower()}: {last.message}", flush=True)
    return last


# --- the live picture ----------------------------------------------------------------------------------------------


def _live(out: Console, views: Iterator[View]) -> View | None:
    last = None
    with Live(console=out, auto_refresh=False) as live, suppress(KeyboardInterrupt):
        for view in views:
            last = view
            live.update(picture(view), refresh=True)
        return last
    raise KeyboardInterrupt  # the picture stays, without a traceback over it


def picture(view: View) -> RenderableType:
    """What the terminal shows."""
    style = _STYLES.get(view.summary, "cyan")
    progress = view.status.progress
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column()
    if progress:
        facts.add_row("read", f"{progress.rows_read:,} of {view.rows_in_range} rows")
        facts.add_row(
            "written", f"{progress.items_written:,} items" + ("" if view.ended else ", as of the last checkpoint")
        )
        if view.files:
            facts.add_row("files", view.files)
        facts.add_row("rejected", Text(f"{progress.items_rejected:,}", "bold red" if progress.items_rejected else ""))
        steps = [rows for _, rows, _ in rates(view.status.history, view.started)]
        speed = "" if progress.rows_per_second is None else f"{progress.rows_per_second:,} rows/s  "
        facts.add_row("speed", Text.assemble(speed, (sparkline(steps), style)))
        throttled = view.status.throttling is not None and view.status.throttling.events_per_minute > 0
        if not view.ended:
            facts.add_row("write units", view.write_units)
        facts.add_row("throttled", Text(view.throttled, "bold yellow" if throttled else ""))
    if view.status.job:
        if not view.ended:
            facts.add_row("checkpoint", view.checkpoint)
        facts.add_row("restarts", view.restarts)
    if not view.ended:
        facts.add_row("cluster", view.cluster)
    if view.status.spending:
        facts.add_row("cost", view.cost)
    if view.unreleased:
        facts.add_row("still costs", Text(view.unreleased, "bold yellow"))
    facts.add_row("", Text(view.message, style if not view.is_true("Running") else ""))
    head = Table.grid(expand=True)
    head.add_column()
    head.add_column(justify="right")
    clock = f"after {format_duration(view.elapsed.total_seconds())}" if view.elapsed else ""
    head.add_row(Text(view.summary, f"bold {style}"), Text(f"ETA {view.eta}   {clock}" if view.eta else clock))
    rows: list[RenderableType] = [head]
    if view.percent is not None:
        bar = Table.grid(expand=True, padding=(0, 1))
        bar.add_column(ratio=1)
        bar.add_column(justify="right", width=5)
        bar.add_row(ProgressBar(total=100, completed=view.percent, complete_style=style), f"{view.percent} %")
        rows.append(bar)
    title = Text(printable(f"{view.namespace}/{view.name}: {view.spec.source.table} -> {view.spec.target.table}"))
    return Panel(Group(*rows, Text(), facts), title=title, title_align="left", border_style=style)
