"""The description of the machine that figures were measured on."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from local.bootstrap import REPOSITORY
from local.machine import java_tool


def _first(pattern: str, text: str) -> str:
    match = re.search(pattern, text, re.MULTILINE)
    return match[1].strip() if match else "unknown"


def _output(*command: str) -> str:
    try:
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    except OSError:
        return ""
    return done.stdout + done.stderr


def describe() -> dict[str, str | int | float]:
    """Processor, memory, versions, date, the commit measured, and how busy the machine was before the start."""
    changed = bool(_output("git", "status", "--porcelain", "--", "flink_job", "controller", "local", "bench", "dev"))
    return {
        "processor": _first(r"^model name\s*:\s*(.*)$", Path("/proc/cpuinfo").read_text()),
        "cores": os.cpu_count() or 0,
        "memoryGiB": round(int(_first(r"^MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())) / 2**20, 1),
        "kernel": platform.release(),
        "java": _first(r'version "([^"]+)"', _output(java_tool("java"), "-version")),
        "python": platform.python_version(),
        "measuredAt": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": _output("git", "rev-parse", "--short", "HEAD").strip() + (" and changes" if changed else ""),
        "loadBefore": round(os.getloadavg()[0], 1),
    }
