"""What the machine must have before anything is built. Standard library only, as local/bootstrap.py is."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

PYTHON_VERSION = (3, 11)
JDK_VERSION = 17
GO_VERSION = (1, 26)  # what local/kube/go/go.mod and tools/go.mod ask for: etcd v3.6.16 does
KUBE_BINARIES = ("etcd", "kube-apiserver", "kube-controller-manager")


def find_kube_binaries() -> Path | None:
    """A folder of the user's own that holds all of KUBE_BINARIES: `$KUBEBUILDER_ASSETS`, or one on PATH.

    setup-envtest's folder lacks kube-controller-manager, without which owned objects are never collected: such a
    folder is not taken, and the bootstrap builds its own.
    """
    candidates = [os.environ.get("KUBEBUILDER_ASSETS", ""), *os.environ.get("PATH", "").split(os.pathsep)]
    for candidate in filter(None, candidates):
        folder = Path(candidate)
        if all(os.access(folder / name, os.X_OK) for name in KUBE_BINARIES):
            return folder
    return None


def _output(*command: str) -> str:
    """What a command prints on both streams, or "" where it cannot be run."""
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return result.stdout + result.stderr if result.returncode == 0 else ""


def find_python() -> str | None:
    """A Python of exactly PYTHON_VERSION: the running one, or `python3.11` on PATH."""
    if sys.version_info[:2] == PYTHON_VERSION:
        return sys.executable
    return shutil.which("python{}.{}".format(*PYTHON_VERSION))


def java_tool(name: str) -> str:
    """`java` or `javac` as Flink's own scripts find it: JAVA_HOME first, then PATH."""
    home = os.environ.get("JAVA_HOME")
    return str(Path(home) / "bin" / name) if home else name


def missing_on_machine(tools: Collection[str]) -> list[str]:
    """One sentence for each thing that the machine lacks to build with `tools` and to run what was built.

    Only looks: nothing is downloaded or changed. Empty means that the bootstrap can continue.
    """
    problems: list[str] = []
    if not Path("/proc/self/stat").exists():
        problems.append("The embedded stack runs on Linux only: it tells its processes apart by /proc.")
    if find_python() is None:
        running = ".".join(map(str, sys.version_info[:2]))
        problems.append(
            f"Python 3.11 is missing (this is {running}, and there is no python3.11 on PATH): "
            "PyFlink 1.20 takes 3.8 to 3.11 and the controller needs 3.11; install python3.11 with venv."
        )
    elif not _output(str(find_python()), "-c", "import venv, ensurepip; print('both are there')"):
        problems.append("Python 3.11 has no venv module: install python3.11-venv.")
    if "java" in tools:
        version = _output(java_tool("javac"), "-version")
        match = re.search(r"javac (\d+)", version)
        if match is None:
            problems.append(f"A JDK {JDK_VERSION} is missing (no javac in JAVA_HOME or on PATH): install one.")
        elif int(match[1]) != JDK_VERSION:
            problems.append(
                f"JDK {match[1]} is the wrong one: Flink 1.20 runs on {JDK_VERSION}; "
                f"install JDK {JDK_VERSION} and set JAVA_HOME to it."
            )
    if "mvn" in tools and not _output("mvn", "-v"):
        problems.append("Maven is missing (no working mvn on PATH): install Maven 3.8 or newer.")
    if "go" in tools and (problem := _go_problem()):
        problems.append(problem)
    if "node" in tools and not _output("npm", "--version"):
        problems.append("Node.js is missing (no working npm on PATH): install Node.js 18 or newer, with npm.")
    return problems


def _go_problem() -> str | None:
    """What is wrong with Go, in one sentence; None when kube-apiserver can be built with it."""
    wanted = ".".join(map(str, GO_VERSION))
    instead = "or set KUBEBUILDER_ASSETS to a folder with etcd, kube-apiserver and kube-controller-manager"
    match = re.search(r"go(\d+)\.(\d+)", _output("go", "env", "GOVERSION"))
    if match is None:
        return f"Go is missing and so are ready Kubernetes binaries: install Go {wanted} or newer, {instead}."
    if (int(match[1]), int(match[2])) < GO_VERSION:
        return f"Go {match[1]}.{match[2]} is too old to build etcd: install Go {wanted} or newer, {instead}."
    return None
