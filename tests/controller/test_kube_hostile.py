"""What others write into a FlinkDeployment, or what answers in the API server's place, is not believed further than it
can be used."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from kubernetes import client, config

from lindorm_import.adapters import kube
from lindorm_import.adapters.kube import Kube, _deployment
from lindorm_import.domain.trouble import TroubleError
from tests.controller.factories import spec
from tests.controller.fakes import World
from tests.controller.flink_operator import FLINK
from tests.controller.hostile_http import Peer, hostile_server

META = {"name": "one", "namespace": "default", "uid": "u", "generation": 3}
DEEP = "[" * 100_000


def seen(status: Any, **more: Any) -> Any:
    return _deployment({"metadata": META, "status": status, **more})


@pytest.mark.parametrize("status", [None, "text", 7, True, [], [{}], {"jobStatus": "RUNNING"}, {"error": {"a": 1}}])
def test_a_status_of_another_kind_says_nothing(status: Any) -> None:
    found = seen(status)
    assert (found.observed_generation, found.lifecycle, found.job_state, found.error) == (0, "", "", None)
    assert {found.finished, found.failed, found.stopped} == {False}


@pytest.mark.parametrize(
    "generation", [True, False, "3", 3.0, -3, 2**70, None, [3], {"a": 3}, {"observedGeneration": 3}]
)
def test_only_a_whole_number_is_a_generation(generation: Any) -> None:
    last = json.dumps({"resource_metadata": {"metadata": {"generation": generation}}})
    for status in ({"observedGeneration": generation}, {"reconciliationStatus": {"lastReconciledSpec": last}}):
        assert seen(status).observed_generation == 0


@pytest.mark.parametrize("last", [DEEP, "null", "7", '"text"', '{"resource_metadata": "x"}', "{", 7, None, ["a"], {}])
def test_a_last_reconciled_spec_that_is_none_has_no_generation(last: Any) -> None:
    assert seen({"reconciliationStatus": {"lastReconciledSpec": last}}).observed_generation == 0


@pytest.mark.parametrize("status", [{"reconciliationStatus": x} for x in ("text", 7, None, [1])])
def test_a_reconciliation_status_of_another_kind_has_no_generation(status: Any) -> None:
    assert seen(status).observed_generation == 0


@pytest.mark.parametrize(
    ("error", "told"),
    [
        ('{"type": "x", "message": "no image"}', "no image"),
        ("plain", "plain"),
        ('{"message": 7}', '{"message": 7}'),
        ('"text"', '"text"'),
        (DEEP, DEEP[:1000]),
        ("x" * 5000, "x" * 1000),
        (["a"], None),
    ],
)
def test_an_error_is_told_in_its_own_words_as_far_as_it_has_some(error: Any, told: str | None) -> None:
    assert seen({"error": error}).error == told


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5) | st.just("x" * 2000),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                ["lifecycleState", "jobManagerDeploymentStatus", "jobStatus", "state", "jobId", "error",
                 "observedGeneration", "reconciliationStatus", "lastReconciledSpec", "metadata", "generation"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=15,
)  # fmt: skip


@settings(max_examples=60, deadline=None, derandomize=True)
@given(status=ANYTHING, text=ANYTHING)
@example(status={"reconciliationStatus": {"lastReconciledSpec": DEEP}}, text=None)
def test_whatever_a_flink_deployments_status_is_the_pass_goes_on_and_tells_of_nothing_unexpected(
    status: Any, text: Any
) -> None:
    world = World()
    world.apply()
    world.drive(lambda _: bool(world.flink.running()))
    world.flink.down = True
    (found,) = world.api.all(FLINK)
    if isinstance(status, dict) and "reconciliationStatus" in status and text is not None:
        status = {**status, "reconciliationStatus": {"lastReconciledSpec": json.dumps(text)}}
    found["status"] = status
    for _ in range(3):
        outcome = world.run_pass()
        assert outcome
        assert outcome.trouble is None or outcome.trouble.reason != "UnexpectedError", outcome.trouble
        world.tick()
    world.flink.down = False
    found.pop("status", None)
    world.delete()
    world.drive(lambda _: world.gone())
    assert world.gone()


@pytest.fixture
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kube, "_ANSWER_SECONDS", 1.0)
    monkeypatch.setattr(kube, "_TIMEOUT", (3, 1))


def kube_at(address: str, monkeypatch: pytest.MonkeyPatch) -> Kube:
    """The controller's own client, with a kubeconfig that names this server."""

    def load(**_: Any) -> None:
        configuration = client.Configuration()
        configuration.host = address
        client.Configuration.set_default(configuration)

    monkeypatch.setattr(config, "load_incluster_config", load)
    return Kube.connect()


@pytest.fixture(autouse=True)
def _default_configuration() -> Iterator[None]:
    yield
    client.Configuration.set_default(None)


def endless(peer: Peer) -> None:
    peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
    peer.pour(b" " * 65536)


def dripping(peer: Peer) -> None:
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n")
    peer.drip(b" ", 0.1)


def deep(peer: Peer) -> None:
    peer.answer(DEEP.encode(), "200 OK", "Content-Type: application/json")


def moved(peer: Peer) -> None:
    peer.answer(b"", "307 Temporary Redirect", "Location: /elsewhere")


@pytest.mark.usefixtures("_soon")
@pytest.mark.parametrize("answer", [endless, dripping, deep, moved], ids=lambda a: a.__name__)
def test_what_answers_in_the_api_servers_place_holds_no_pass_up(
    answer: Callable[[Peer], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kube, "_ANSWER_BYTES", 1_000_000)
    with hostile_server(answer) as server:
        there, begun = kube_at(server.address, monkeypatch), time.monotonic()
        with pytest.raises(TroubleError) as told:
            there.read_import("default", "one")
        assert told.value.trouble.reason in ("KubernetesUnreachable", "KubernetesError")
        assert time.monotonic() - begun < 60
        assert not any("elsewhere" in path for path in server.requests)


def test_a_list_whose_pages_never_end_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(peer: Peer) -> None:
        token = len(server.requests) if turning else 1
        page = {"items": [], "metadata": {"continue": f"token{token}"}}
        peer.answer(json.dumps(page).encode(), "200 OK", "Content-Type: application/json")

    for turning in (False, True):
        with hostile_server(answer) as server:
            there = kube_at(server.address, monkeypatch)
            with pytest.raises(TroubleError, match="does not come to an end"):
                there.look_at_others("uid", spec())
            assert len(server.requests) <= (kube._MOST_PAGES if turning else 2)
