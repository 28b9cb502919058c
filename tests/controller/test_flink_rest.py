"""What the controller reads from Flink's REST API, against a server that answers as Flink 1.20 does."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from lindorm_import.adapters.flink import look_at_job
from lindorm_import.domain.observed import JobSeen

JOB = "a" * 32
SUMS = {"items.rowsRead": 500.0, "items.itemsWritten": 400.0, "items.rowsRejected": 3.0}
NO_FAILURE: dict[str, Any] = {"exceptionHistory": {"entries": []}}


class Flink:
    """One job with two vertices, the second of which is the items operator's."""

    def __init__(self) -> None:
        self.state, self.plan = "RUNNING", True
        self.sums: dict[str, float] = dict(SUMS)
        self.exceptions = NO_FAILURE
        self.checkpoints: dict[str, Any] = {"latest": {"completed": None}}
        self.restarts = [{"id": "numRestarts", "value": "2"}]
        self.broken = ""  # the last part of a path that is answered with 500

    def answer(self, path: str, query: dict[str, list[str]]) -> Any:
        job = f"/jobs/{JOB}"
        asked = query.get("get", [""])[0].split(",")
        if self.broken and path.endswith(f"/{self.broken}"):
            return 500
        return {
            job: {"state": self.state, "vertices": [{"id": "v1"}, {"id": "v2"}]} if self.plan else 500,
            f"{job}/status": {"status": self.state},
            f"{job}/checkpoints": self.checkpoints,
            f"{job}/exceptions": self.exceptions,
            f"{job}/metrics": self.restarts,
            f"{job}/vertices/v1/subtasks/metrics": [],
            f"{job}/vertices/v2/subtasks/metrics": [
                {"id": m, "sum": self.sums[m], "max": self.sums[m] / 2} for m in asked if m in self.sums
            ],
        }.get(path)

    def failed(self, trace: str) -> None:
        self.exceptions = {"exceptionHistory": {"entries": [{"exceptionName": "X", "stacktrace": trace}]}}


@pytest.fixture
def flink() -> Flink:
    return Flink()


@pytest.fixture
def base(flink: Flink) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            answer = flink.answer(parts.path, parse_qs(parts.query))
            self.send_response(404 if answer is None else 500 if answer == 500 else 200)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def seen(base: str) -> JobSeen:
    found = look_at_job(base, JOB)
    assert found is not None
    return found


def test_the_time_of_the_counts_is_the_latest_of_the_subtasks_clocks(base: str, flink: Flink) -> None:
    assert seen(base).counted_at is None, "a job of an older image has no such clock"
    flink.sums["items.clock"] = 2 * 1795597605479.0
    assert seen(base).counted_at == datetime(2026, 11, 25, 9, 6, 45, 479000, tzinfo=UTC)


def test_counts_are_the_sums_of_the_vertex_that_has_them(base: str) -> None:
    found = seen(base)
    assert (found.rows_read, found.items_written, found.rows_rejected, found.restarts) == (500, 400, 3, 2)


def test_units_and_throttled_puts_are_read_where_the_job_tells_them(base: str, flink: Flink) -> None:
    assert (seen(base).write_units, seen(base).throttled) == (None, None)
    flink.sums |= {"items.writeUnits": 450.0, "items.throttled": 7.0}
    assert (seen(base).write_units, seen(base).throttled) == (450, 7)


def test_the_last_checkpoint_is_told_with_its_time(base: str, flink: Flink) -> None:
    completed = {"external_path": "s3://b/chk-7", "latest_ack_timestamp": 1_795_000_000_123}
    flink.checkpoints = {"latest": {"completed": completed}}
    found = seen(base)
    assert found.checkpoint == "s3://b/chk-7"
    assert found.checkpoint_time == datetime.fromtimestamp(1_795_000_000, UTC)


@pytest.mark.parametrize("part", ["checkpoints", "metrics", "exceptions", "status"])
def test_a_job_manager_that_cannot_answer_a_part_yet_is_one_that_does_not_answer(
    base: str, flink: Flink, part: str
) -> None:
    """A real one answers 500 for a moment while it starts its job."""
    if part == "status":
        flink.plan = False
    flink.broken = part
    assert look_at_job(base, JOB) is None


def test_the_jobs_own_words_are_final(base: str, flink: Flink) -> None:
    flink.failed(
        "java.lang.RuntimeException: outer\nCaused by: UserError: LindormImport: Lindorm has no table x\n\tat y"
    )
    assert (seen(base).failure, seen(base).hopeless) == ("Lindorm has no table x", True)


def test_a_job_that_runs_and_was_never_restarted_is_not_asked_for_failures(base: str, flink: Flink) -> None:
    flink.restarts = [{"id": "numRestarts", "value": "0"}]
    flink.failed("A: disk full")
    assert seen(base).failure is None
    flink.state = "RESTARTING"
    assert seen(base).failure == "A: disk full"


def test_any_other_failure_is_told_by_its_root_cause_and_may_be_retried(base: str, flink: Flink) -> None:
    flink.failed("java.lang.RuntimeException: outer\n\tat a\nCaused by: A: middle\nCaused by: B: disk full\n\tat b")
    assert (seen(base).failure, seen(base).hopeless) == ("B: disk full", False)


def test_a_main_that_failed_is_told_although_flink_cannot_show_its_job(base: str, flink: Flink) -> None:
    """As Flink 1.20 answers then (tests/local/test_flink_stack.py); the operator continues saying RECONCILING."""
    flink.state, flink.plan = "FAILED", False
    flink.failed("ProgramAbortException: outer\n\tat a\nCaused by: java.lang.RuntimeException: no such column\n\tat b")
    found = seen(base)
    assert (found.failed, found.hopeless, found.rows_read) == (True, False, None)
    assert found.failure == "java.lang.RuntimeException: no such column. The JobManager's log says more"


def test_a_job_that_flink_cannot_show_and_that_has_not_failed_is_no_answer(base: str, flink: Flink) -> None:
    flink.plan = False
    assert look_at_job(base, JOB) is None


def test_a_job_that_failed_while_it_ran_keeps_its_counts(base: str, flink: Flink) -> None:
    assert not seen(base).failed
    flink.state = "FAILED"
    assert (seen(base).failed, seen(base).rows_read) == (True, 500)


@pytest.mark.parametrize("value", [None, "not a list"])
def test_an_answer_that_makes_no_sense_is_no_answer(base: str, flink: Flink, value: Any) -> None:
    flink.restarts = value
    assert look_at_job(base, JOB) is None


def test_a_job_manager_that_is_not_there_is_no_answer() -> None:
    assert look_at_job("http://127.0.0.1:9", JOB) is None
