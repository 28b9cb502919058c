"""CPU time of process trees."""

import os
import subprocess
import sys
import time

import pytest

from bench.cpu import Sampler, tree_seconds

BURN = "import time\nend = time.process_time() + 0.5\nwhile time.process_time() < end: pass\n"


@pytest.mark.parametrize("ended", [False, True])
def test_the_time_of_a_child_counts_while_it_runs_and_after_it_has_ended(ended: bool) -> None:
    then = "" if ended else "; import time; time.sleep(60)"
    child = f"exec({BURN!r}){then}"
    parent = f"import subprocess, sys, time; subprocess.call([sys.executable, '-c', {child!r}]); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", parent], start_new_session=True)
    try:
        deadline = time.monotonic() + 30
        while (seconds := tree_seconds([process.pid])) < 0.5 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert 0.5 <= seconds < 5
    finally:
        os.killpg(process.pid, 9)
        process.wait()


def test_a_process_that_is_gone_costs_nothing() -> None:
    process = subprocess.Popen(["true"])
    process.wait()

    assert tree_seconds([process.pid]) == 0


def test_a_sampler_has_a_sample_of_the_start_and_of_the_end() -> None:
    count = 1
    with Sampler(lambda: count, lambda: [os.getpid()]) as sampler:
        count = 7
    assert (sampler.samples[0].count, sampler.samples[-1].count) == (1, 7)
    assert sampler.samples[0].at <= sampler.samples[-1].at
