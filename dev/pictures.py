"""The pictures of docs/cli.md: what `watch` and `report` show of one run of `make demo`, as its status told it."""

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml
from rich.console import Console
from rich.panel import Panel

from lindorm_import.cli.report import to_picture
from lindorm_import.cli.view import View
from lindorm_import.cli.watch import picture
from local.bootstrap import REPOSITORY

_EXAMPLE = REPOSITORY / "examples" / "readings.yaml"
_SUBMITTED = datetime(2026, 11, 24, 20, 4, 23, tzinfo=UTC)
# Seconds after the submission: rows read, items written, write units a second.
_HISTORY = [(70, 0, 0, 0), (81, 18_241, 5_676, 0), (91, 58_002, 28_577, 0), (105, 100_000, 100_000, 1_029)]


def _at(seconds: int) -> str:
    return (_SUBMITTED + timedelta(seconds=seconds)).isoformat()


def _view(seconds: int) -> View:
    """The import that many seconds after it was submitted."""
    history = [moment for moment in _HISTORY if moment[0] <= seconds]
    _, rows, items, units = history[-1]
    percent = rows // 1_000
    words = f"{rows:,} rows read ({percent} %), {items:,} items written"
    ready = {"type": "Ready", "status": "False", "reason": "Running", "message": words, "lastTransitionTime": _at(70)}
    document = yaml.safe_load(_EXAMPLE.read_text())
    document["status"] = {
        "summary": "Running",
        "conditions": [ready],
        "run": {"id": "r1", "deployment": "limport-readings-r1", "prefix": "s3://b/p/r1/", "startTime": _at(0)},
        "plan": {
            "rows": 100_000,
            "writeUnitsPerSecond": 4_000,
            "parallelism": 1,
            "taskManagers": 1,
            "pricesAsOf": "2026-11-24",
            "totalUSD": "0.06",
        },
        "progress": {
            "rowsRead": rows,
            "itemsWritten": items,
            "percent": percent,
            "rowsPerSecond": 5_770,
            "estimatedCompletionTime": _at(98),
        },
        "job": {"state": "RUNNING", "lastCheckpointTime": _at(seconds - 7)},
        "throttling": {"consumedWriteUnits": units},
        "spending": {"observedAt": _at(seconds), "costUSD": "0.03", "tableUSD": "0.02"},
        "history": [{"at": _at(s), "rowsRead": r, "itemsWritten": i, "writeUnits": u} for s, r, i, u in history],
    }
    flink = {"lifecycleState": "STABLE", "jobManagerDeploymentStatus": "READY", "taskManager": {"replicas": 1}}
    return View.of(document, {"status": flink}, _SUBMITTED + timedelta(seconds=seconds + 3))


def _watch() -> str:
    """A terminal of 100 columns. Without the picture's own frame: the terminal around it is one, and characters that
    draw lines meet only where the viewer has the font that they were measured in."""
    shown = picture(_view(91))
    assert isinstance(shown, Panel)
    terminal = Console(record=True, width=100, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    terminal.print(shown.renderable)
    return terminal.export_svg(title="lindorm-import watch readings", unique_id="watch")


def render() -> dict[Path, str]:
    """Every picture, by file."""
    images = REPOSITORY / "docs" / "images"
    return {images / "watch.svg": _watch(), images / "report.svg": to_picture(_view(105))}
