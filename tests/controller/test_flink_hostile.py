"""A JobManager is a tenant's pod: whatever it answers, a look at it ends soon, within bounds, and stays a look."""

import gzip
import json
import time
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lindorm_import.adapters import flink
from lindorm_import.adapters.flink import look_at_job
from lindorm_import.adapters.foreign import MOST
from lindorm_import.domain.observed import JobSeen
from tests.controller.hostile_http import HostileServer, Peer, eventually, hostile_server

JOB = "a" * 32
DETAILS = {"state": "RUNNING", "vertices": [{"id": "b" * 32}]}
HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flink, "ANSWER_SECONDS", 1.0)
    monkeypatch.setattr(flink, "LOOK_SECONDS", 2.0)


@pytest.fixture
def _measured() -> Iterator[None]:
    """No look keeps more than a few times the largest answer."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 30 * flink.ANSWER_BYTES, f"{peak:,}"


def endless_body(peer: Peer) -> None:
    peer.send(HEAD + b"\r\n[")
    peer.pour(b'"x",' * 16384)


def body_larger_than_told(peer: Peer) -> None:
    peer.send(HEAD + b"Content-Length: 99999999999999\r\n\r\n")
    peer.pour(b" " * 65536)


def endless_chunks(peer: Peer) -> None:
    peer.send(CHUNKED)
    peer.pour(b"1\r\n \r\n" * 8192)


def chunk_larger_than_told(peer: Peer) -> None:
    peer.send(CHUNKED + b"fffffffffff\r\n")
    peer.pour(b" " * 65536)


def endless_trailers(peer: Peer) -> None:
    peer.send(CHUNKED + b"2\r\n{}\r\n0\r\n")
    peer.pour(b"x: y\r\n" * 8192)


def endless_headers(peer: Peer) -> None:
    peer.send(HEAD)
    peer.pour(b"x: y\r\n" * 8192)


def endless_interim_answers(peer: Peer) -> None:
    peer.pour(b"HTTP/1.1 100 Continue\r\n\r\n" * 4096)


def dripping_status_line(peer: Peer) -> None:
    peer.drip(b"HTTP/1.1 200 OK", 0.1)


def dripping_headers(peer: Peer) -> None:
    peer.send(HEAD)
    peer.drip(b"x-header: y\r\n", 0.1)


def dripping_body(peer: Peer) -> None:
    peer.send(HEAD + b"Content-Length: 100000\r\n\r\n")
    peer.drip(b"[1, 2]", 0.1)


def dripping_chunks(peer: Peer) -> None:
    peer.send(CHUNKED)
    peer.drip(b"1\r\n \r\n", 0.1)


def silence(peer: Peer) -> None:
    peer.connection.recv(1)


_BOMB = gzip.compress(b"[" + b" " * 200_000_000 + b"]", 1)


def gzip_bomb(peer: Peer) -> None:
    peer.answer(_BOMB, "200 OK", "Content-Encoding: gzip")


def deep_json(peer: Peer) -> None:
    peer.answer(b'{"state":' * 100_000 + b"1" + b"}" * 100_000)


def many_objects(peer: Peer) -> None:
    peer.answer(b"[" + b"{}," * 600_000 + b"{}]")


def no_http(peer: Peer) -> None:
    peer.send(b"\x16\x03\x01\x02\x00 not HTTP\r\n\r\n")
    peer.connection.close()


def closed_in_the_middle(peer: Peer) -> None:
    peer.send(HEAD + b'Content-Length: 100\r\n\r\n{"state":')
    peer.connection.close()


HOSTILE = [
    endless_body, body_larger_than_told, endless_chunks, chunk_larger_than_told, endless_trailers, endless_headers,
    endless_interim_answers, dripping_status_line, dripping_headers, dripping_body, dripping_chunks, silence,
    gzip_bomb, deep_json, many_objects, no_http, closed_in_the_middle,
]  # fmt: skip


@pytest.mark.usefixtures("_measured")
@pytest.mark.parametrize("answer", HOSTILE, ids=lambda answer: answer.__name__)
def test_a_hostile_job_manager_is_one_that_does_not_answer_soon_and_within_bounds(
    answer: Callable[[Peer], None],
) -> None:
    with hostile_server(answer) as server:
        begun = time.monotonic()
        assert look_at_job(server.address, JOB) is None
        assert time.monotonic() - begun < 30, "of the machine's load: the bound of an answer is 1 s here"
        assert len(server.requests) == 1, "it is not asked again in the same look"
        assert eventually(lambda: server.open == 0), "a connection is left open"


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
def test_a_redirect_is_not_followed(status: str) -> None:
    with hostile_server(lambda peer: peer.answer(json.dumps(DETAILS).encode())) as elsewhere:
        to = f"Location: {elsewhere.address}/latest/meta-data"
        with hostile_server(lambda peer: peer.answer(b"", status, to)) as server:
            assert look_at_job(server.address, JOB) is None
            assert len(server.requests) == 1
        assert elsewhere.requests == []


def test_a_job_of_a_million_vertices_is_not_asked_for_each() -> None:
    details = json.dumps({"state": "RUNNING", "vertices": [{"id": f"{n:032}"} for n in range(20_000)]}).encode()

    def answer(peer: Peer) -> None:
        peer.answer(details if peer.path.endswith(JOB) else b"[]" if "metrics" in peer.path else b"{}")

    with hostile_server(answer) as server:
        assert look_at_job(server.address, JOB) == JobSeen("RUNNING")
        assert len(server.requests) < 30


def test_a_job_manager_that_takes_its_time_for_each_answer_does_not_get_it_for_all() -> None:
    details = json.dumps({"state": "RUNNING", "vertices": [{"id": f"{n:032}"} for n in range(20)]}).encode()

    def answer(peer: Peer) -> None:
        peer.stop.wait(0.7)
        peer.answer(details if peer.path.endswith(JOB) else b"[]")

    with hostile_server(answer) as server:
        assert look_at_job(server.address, JOB) is None
        assert len(server.requests) <= 4


def test_what_others_wrote_as_an_id_stays_one_segment_of_the_path() -> None:
    vertex = "../../../jars/x/run?a="

    def answer(peer: Peer) -> None:
        details = json.dumps({"state": "RUNNING", "vertices": [{"id": vertex}]}).encode()
        peer.answer(details if "vertices" not in peer.path and "metrics" not in peer.path else b"[]")

    with hostile_server(answer) as server:
        look_at_job(server.address, "../../config#")
        assert all(path.startswith("/jobs/..%2F..%2Fconfig%23") for path in server.requests), server.requests
        assert any("/vertices/..%2F..%2F..%2Fjars%2Fx%2Frun%3Fa%3D/subtasks" in path for path in server.requests)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["RUNNING", "FAILED", "1e999", "-1", 10**400, "\ud800"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["state", "vertices", "id", "value", "sum", "max", "latest", "completed", "external_path", "status",
                 "latest_ack_timestamp", "exceptionHistory", "entries", "stacktrace", "exceptionName"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[HostileServer]:
    with hostile_server(lambda peer: peer.answer(b"")) as made:
        yield made


@settings(max_examples=150, deadline=None, derandomize=True)
@given(details=JSON, answers=st.lists(JSON, min_size=1, max_size=6), shown=st.booleans())
def test_any_json_is_a_look_whose_values_can_stand_in_a_status(
    server: HostileServer, details: Any, answers: list[Any], shown: bool
) -> None:
    """Otherwise one pod's answer makes a status that cannot be written, and the import sticks."""
    told = iter([details, *answers * 30])

    def answer(peer: Peer) -> None:
        peer.answer(json.dumps(next(told)).encode(), "200 OK" if shown or not peer.path.endswith(JOB) else "500 Error")

    server.answer = answer
    seen = look_at_job(server.address, JOB)
    if seen is None:
        return
    assert seen.state in flink._STATES
    for number in (seen.rows_read, seen.items_written, seen.rows_rejected, seen.write_units, seen.throttled):
        assert number is None or (type(number) is int and 0 <= number <= MOST)
    assert type(seen.restarts) is int
    for text in (seen.checkpoint, seen.failure):
        assert text is None or len(text.encode()) < 8000
    for time_ in (seen.counted_at, seen.checkpoint_time):
        assert time_ is None or datetime(1970, 1, 1, tzinfo=UTC) < time_ < datetime(2100, 1, 1, tzinfo=UTC)
