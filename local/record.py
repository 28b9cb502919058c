"""A stack by its record alone (`stack.json`): for `down`, `status`, and a start after a crash."""

from __future__ import annotations

import json
from pathlib import Path

from local.flink.cluster import end_clusters
from local.processes import Process


def recorded(folder: Path) -> dict[str, Process]:
    """The processes that `stack.json` names, in the order of their start."""
    try:
        record = json.loads((folder / "stack.json").read_text())
    except FileNotFoundError:
        return {}
    return {name: Process.from_json(entry) for name, entry in record["processes"].items()}


def stop_recorded(folder: Path) -> None:
    """End everything that the folder's records name, youngest first; Flink's clusters after their operator.

    A process that is not the recorded one any more (its start time differs) is left alone.
    """
    for _, process in reversed(recorded(folder).items()):
        process.end()
    end_clusters(folder)
    (folder / "stack.json").unlink(missing_ok=True)
