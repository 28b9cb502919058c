"""Processes that are known by id and start time, and free ports."""

from __future__ import annotations

import os
import signal
import socket
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from local.processes import Process, accepts_connections, free_port, start, wait_until

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


def test_a_process_is_alive_until_it_is_ended(tmp_path: Path) -> None:
    process = start(SLEEP, tmp_path / "log")
    assert process.alive
    assert Process.from_json(process.as_json()) == process
    process.end()
    assert not process.alive
    process.end()


def test_a_process_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    process = start([sys.executable, "-c", code], tmp_path / "log")
    assert wait_until(lambda: process.tail() == "up", 10)
    process.end(patience=0.2)
    assert not process.alive


def test_a_process_with_a_recycled_id_is_left_alone(tmp_path: Path) -> None:
    process = start(SLEEP, tmp_path / "log")
    other = replace(process, start_time=process.start_time - 1)
    assert not other.alive
    other.end(patience=0.1)
    assert process.alive
    process.end()


@pytest.mark.parametrize("killed_first", [False, True])
def test_children_end_with_their_parent_even_when_it_died_before_them(tmp_path: Path, killed_first: bool) -> None:
    code = "import subprocess, sys; p = subprocess.Popen(['sleep', '60']); print(p.pid, flush=True); p.wait()"
    process = start([sys.executable, "-c", code], tmp_path / "log")
    assert wait_until(lambda: process.tail().isdigit(), 10)
    child = Path(f"/proc/{process.tail()}/cmdline")
    if killed_first:
        os.kill(process.pid, signal.SIGKILL)
        assert wait_until(lambda: not process.alive, 10)
    assert child.read_bytes()
    process.end()
    # Whoever inherits it may take a moment to reap it; until then, its command line is empty.
    assert wait_until(lambda: not child.exists() or not child.read_bytes(), 10)


def test_the_log_holds_what_the_process_says(tmp_path: Path) -> None:
    process = start(["sh", "-c", "echo one; echo two >&2"], tmp_path / "deep" / "log")
    assert wait_until(lambda: not process.alive, 10)
    assert process.tail(1) == "two"


def test_a_free_port_is_free_and_is_given_once() -> None:
    taken: set[int] = set()
    port = free_port(taken)
    assert not accepts_connections(port)
    with socket.create_server(("127.0.0.1", port)):
        assert accepts_connections(port)
    assert len({port, *(free_port(taken) for _ in range(20))}) == 21
