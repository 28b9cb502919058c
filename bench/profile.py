"""Where the direct path's CPU time goes: a flame graph (docs/images/profile.svg) and the shares of its parts.

Java Flight Recorder samples the TaskManager's threads while they run Java code, every 10 ms; time in the kernel
(sending and receiving) and garbage collection are not in it.
"""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable
from html import escape
from pathlib import Path
from typing import Any

from bench.lab import Lab
from bench.results import Case, rounded
from local.machine import java_tool

Stack = tuple[str, ...]

# A sample belongs to the first part whose package is found, from the innermost frame out.
PARTS = (
    (
        "signingShare",
        (
            "software.amazon.awssdk.auth",
            "software.amazon.awssdk.http.auth",
            "software.amazon.awssdk.checksums",
            "javax.crypto",
        ),
    ),
    ("httpClientShare", ("org.apache.hc", "software.amazon.awssdk.http")),
    ("restOfSdkShare", ("software.amazon.awssdk",)),
    ("readingShare", ("com.mysql", "io.lindorm.flink.source")),
    ("itemsShare", ("io.lindorm.flink.items",)),
    ("batchesShare", ("io.lindorm.flink.dynamodb",)),
    ("flinkShare", ("org.apache.flink",)),
)
_OTHER = "otherShare"
_COLOURS = {
    "signingShare": "#d9574a",
    "httpClientShare": "#b98fd1",
    "restOfSdkShare": "#f2c879",
    "readingShare": "#7fb77e",
    "itemsShare": "#5fa8d3",
    "batchesShare": "#e8a33d",
    "flinkShare": "#c9ced6",
    _OTHER: "#e6e6e6",
}
_DEPTH = 60
_WIDTH, _ROW = 1200, 16
_SMALLEST = 0.002  # share of all samples below which a frame is not drawn


def measure(lab: Lab, picture: Path, say: Callable[[str], None]) -> dict[str, Case]:
    """Record one run of the direct path, after one that warms up, draw it, and sum it up."""
    lab.project_direct()
    pid = str(lab.project.task_manager_pid)
    recording = lab.folder / "profile.jfr"
    _jcmd(pid, "JFR.start", "name=bench", "settings=profile")
    lab.project_direct()
    _jcmd(pid, "JFR.stop", "name=bench", f"filename={recording}")
    tool = str(Path(java_tool("jfr")))
    events = ["print", "--json", "--stack-depth", "64", "--events", "jdk.ExecutionSample", str(recording)]
    printed = subprocess.run([tool, *events], check=True, capture_output=True, text=True)
    stacks = samples(json.loads(printed.stdout))
    picture.parent.mkdir(exist_ok=True)
    picture.write_text(flame_graph(stacks, "Direct path, TaskManager: Java code by CPU time"))
    say(f"profile: {sum(stacks.values())} samples")
    return {"profile": shares(stacks)}


def _jcmd(pid: str, *command: str) -> None:
    subprocess.run([java_tool("jcmd"), pid, *command], check=True, capture_output=True)


def samples(recorded: dict[str, Any]) -> Counter[Stack]:
    """How often each stack (outermost frame first) was seen, from the output of `jfr print --json`."""
    found: Counter[Stack] = Counter()
    for event in recorded["recording"]["events"]:
        trace = event["values"]["stackTrace"]
        if trace:
            frames = [_frame(frame["method"]) for frame in trace["frames"]]
            found[tuple(reversed(frames))] += 1
    return found


def _frame(method: dict[str, Any]) -> str:
    return f"{method['type']['name'].replace('/', '.')}.{method['name']}"


def part_of(stack: Stack) -> str:
    """Which of PARTS a sample belongs to."""
    for frame in reversed(stack):
        for name, packages in PARTS:
            if frame.startswith(packages):
                return name
    return _OTHER


def shares(stacks: Counter[Stack]) -> Case:
    """Each part's share of all samples."""
    total = sum(stacks.values())
    sums: Counter[str] = Counter()
    for stack, count in stacks.items():
        sums[part_of(stack)] += count
    return {name: rounded(sums[name] / total) for name in _COLOURS}


class _Node:
    def __init__(self) -> None:
        self.count = 0
        self.children: dict[str, _Node] = {}


def _tree(stacks: Iterable[tuple[Stack, int]]) -> _Node:
    root = _Node()
    for stack, count in stacks:
        node = root
        node.count += count
        for frame in stack[:_DEPTH]:
            node = node.children.setdefault(frame, _Node())
            node.count += count
    return root


def flame_graph(stacks: Counter[Stack], title: str) -> str:
    """An SVG: a box for each frame, as wide as its share of the samples, on top of the one that called it."""
    root = _tree(stacks.items())
    boxes: list[str] = []
    depth = _draw(root, 0.0, 0, root.count, boxes)
    height = (depth + 1) * _ROW + 56
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
        f'font-family="monospace" font-size="11"><rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>'
        f'<text x="8" y="18" font-weight="600">{escape(title)} ({root.count:,} samples)</text>'
        f'{_legend(shares(stacks))}<g transform="translate(0,{height - 8}) scale(1,-1)">'
    )
    return "\n".join([head, *boxes, "</g></svg>"]) + "\n"


def _legend(found: Case) -> str:
    """What the colours mean, with each part's share."""
    step = _WIDTH // len(_COLOURS)
    return "".join(
        f'<rect x="{8 + i * step}" y="26" width="11" height="11" fill="{colour}"/>'
        f'<text x="{23 + i * step}" y="36">{name.removesuffix("Share")} {found[name]:.0%}</text>'
        for i, (name, colour) in enumerate(_COLOURS.items())
    )


def _draw(node: _Node, left: float, level: int, total: int, boxes: list[str]) -> int:
    """Draw a node's children; the deepest level drawn."""
    deepest = level
    for frame, child in sorted(node.children.items()):
        share = child.count / total
        if share >= _SMALLEST:
            boxes.append(_box(frame, left, level, share))
            deepest = max(deepest, _draw(child, left, level + 1, total, boxes))
        left += share * _WIDTH
    return deepest


def _box(frame: str, left: float, level: int, share: float) -> str:
    width = share * _WIDTH
    name = ".".join(frame.rsplit(".", 2)[-2:])
    shown = escape(name[: int(width / 6.7)]) if width > 25 else ""
    colour = _COLOURS[part_of((frame,))]
    return (
        f'<g><title>{escape(frame)} {share:.1%}</title><rect x="{left:.1f}" y="{level * _ROW}" width="{width:.1f}" '
        f'height="{_ROW - 1}" fill="{colour}"/><text transform="translate({left + 2:.1f},{level * _ROW + 4}) '
        f'scale(1,-1)">{shown}</text></g>'
    )
