"""Processes that outlive the one that started them, and free ports.

A process is known by its id and its start time together (field 22 of /proc/<pid>/stat), so that a recorded id that
the kernel has given to another process is never signalled. Each is started in a session of its own: its children
(the Python client of a JobManager, say) are in its process group and end with it.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

# Below Linux's ephemeral ports (32768 and up), so that no outgoing connection takes a port between its choice
# and its use, or while its server restarts.
PORTS = range(20000, 32000)

Ready = Callable[[], bool]


@dataclass(frozen=True)
class Process:
    """A running (or ended) process: its id, its start time in clock ticks since boot, and its log file."""

    pid: int
    start_time: int
    log: str

    def as_json(self) -> dict[str, Any]:
        """The record that `from_json` takes back."""
        return asdict(self)

    @staticmethod
    def from_json(record: Mapping[str, Any]) -> Process:
        """A process from its record; whether it still runs is for `alive` to say."""
        return Process(int(record["pid"]), int(record["start_time"]), str(record["log"]))

    @staticmethod
    def running(pid: int, log: str = "") -> Process:
        """The process that has this id now."""
        started = _start_time(pid)
        return Process(pid, started if started is not None else -1, log)

    @property
    def alive(self) -> bool:
        """Whether this very process runs. A zombie that this process started is reaped, and does not."""
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, os.WNOHANG)
        return _start_time(self.pid) == self.start_time

    def signal(self, number: int = signal.SIGKILL) -> None:
        """Signal the process and its group, if it is still itself."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    def end(self, patience: float = 10.0) -> None:
        """Ask the process and its group to end; after `patience` seconds kill them. Ended already is success."""
        self.signal(signal.SIGTERM)
        if not wait_until(lambda: not self.alive, patience):
            self.signal(signal.SIGKILL)
            wait_until(lambda: not self.alive, 5)
        self.end_orphans()

    def end_orphans(self) -> None:
        """Kill what is left of the group after its leader has ended.

        While a group has members the kernel gives its number to no new process; a number that is a process again,
        but another one, is left alone.
        """
        if _start_time(self.pid) is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)

    def tail(self, lines: int = 15) -> str:
        """The last lines of its log."""
        with contextlib.suppress(OSError):
            return "\n".join(Path(self.log).read_text(errors="replace").splitlines()[-lines:])
        return ""


def _start_time(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; None where there is none, or only a zombie.

    A killed process is shown as a zombie as soon as its first thread is gone (proc(5)); while others are not, it still
    has its ports.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    state, threads = fields[0], int(fields[17])
    return None if state == "X" or (state == "Z" and threads <= 1) else int(fields[19])


def start(
    command: Sequence[str], log: Path, *, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Process:
    """Start a command in a session of its own, its output appended to `log`; `env` is its whole environment.

    Raises OSError where the command cannot be run.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        popen = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=cwd, env=env, start_new_session=True
        )
    popen.returncode = 0  # from here on the process is known by its record: Popen must not wait for it
    return Process.running(popen.pid, str(log))


def wait_until(condition: Callable[[], bool], seconds: float, every: float = 0.05) -> bool:
    """Ask until the condition holds or the time is over; whether it held."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(every)
    return True


def free_port(taken: set[int] | None = None) -> int:
    """A TCP port of 127.0.0.1 that nobody listens on and that is not in `taken` (which it joins)."""
    while True:
        port = random.choice(PORTS)  # noqa: S311 - not a secret
        if taken is not None and port in taken:
            continue
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if taken is not None:
            taken.add(port)
        return port


def accepts_connections(port: int) -> bool:
    """Whether something listens on this port of 127.0.0.1."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def http_ready(url: str, trust: ssl.SSLContext | None = None) -> Ready:
    """Whether a URL answers: 200, or 400 (DynamoDB Local's answer to a request without an operation)."""

    def ready() -> bool:
        try:
            with urllib.request.urlopen(url, timeout=2, context=trust) as response:
                return bool(response.status == 200)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code == 400
        except OSError:
            return False

    return ready
