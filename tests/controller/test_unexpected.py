"""What nothing foresaw: errors of no known kind, statuses of other releases, invalid specs."""

from collections.abc import Callable
from typing import Any

import pytest

from lindorm_import.adapters.kube import Kube
from lindorm_import.api import PLURAL
from lindorm_import.api.read import read_status
from lindorm_import.domain.observed import SourceSeen
from tests.controller.fakes import AnyCall, World
from tests.controller.kubernetes_api import Call, Refusal
from tests.controller.lives import DELETE, works

SECRET_WORDS = "secret words of the error"


class Surprise(Exception):  # noqa: N818  (what a library might raise)
    """Of no kind that any table of errors has."""


def surprise(what: str) -> Callable[[AnyCall], None]:
    def fault(call: AnyCall) -> None:
        if what in str(call):
            raise Surprise(SECRET_WORDS)

    return fault


def started(**changes: Any) -> World:
    """A world with an import whose job works."""
    world = World()
    world.apply(**DELETE | changes)
    world.drive(lambda _: works(world))
    return world


def change_status(world: World, change: Callable[[dict[str, Any]], None]) -> None:
    found = world.read()
    status = dict(found["status"])
    change(status)
    world.api.change(found, {**found, "status": status})


# --- errors of no known kind ---


def test_an_error_that_nothing_foresaw_becomes_a_condition_and_an_event_without_its_words() -> None:
    world = World(surprises=True, faults=surprise("dynamodb:DescribeTable"))
    world.apply(**DELETE)
    outcome = world.drive(lambda o: o.trouble is not None)
    ready = world.condition("Ready")
    assert (ready["status"], ready["reason"]) == ("False", "UnexpectedError")
    assert "Surprise" in ready["message"]
    assert SECRET_WORDS not in str(world.status())
    assert [e.reason for e in outcome.events if e.type == "Warning"] == ["UnexpectedError"]


def test_an_import_goes_on_when_the_unexpected_error_is_over() -> None:
    world = World(surprises=True, faults=surprise("dynamodb:DescribeTable"))
    world.apply(**DELETE)
    world.drive(lambda o: o.trouble is not None)
    world.faults = lambda call: None
    world.run_to_end()
    assert world.conditions()["Complete"] == "True"


@pytest.mark.parametrize("error", [OverflowError("x"), KeyError("x"), UnicodeDecodeError("utf-8", b"x", 0, 1, "x")])
def test_a_source_whose_answer_no_adapter_understands_holds_up_its_own_facet_only(error: Exception) -> None:
    def source() -> SourceSeen:
        raise error

    world = World(source=source, surprises=True)
    world.apply(**DELETE)
    world.drive(lambda o: o.trouble is not None)
    assert world.condition("SourceReady")["reason"] == "UnexpectedError"
    world.remove()
    assert world.gone()


@pytest.mark.parametrize("action", ["dynamodb:CreateTable", "create flinkdeployments", "create configmaps"])
def test_an_action_that_fails_unforeseen_is_told_and_tried_again(action: str) -> None:
    world = World(surprises=True, faults=surprise(action))
    world.apply(**DELETE)
    world.drive(lambda o: o.trouble is not None)
    world.drive(lambda o: o.trouble is not None)
    assert "Surprise" in world.condition("Ready")["message"]
    world.faults = lambda call: None
    world.run_to_end()
    assert world.conditions()["Complete"] == "True"


def test_a_deletion_names_what_it_cannot_remove_for_an_unforeseen_error_and_abandon_lets_it_go() -> None:
    world = started()
    world.surprises = True
    world.faults = surprise("s3:ListObjectsV2")
    world.delete()
    world.drive(lambda o: o.trouble is not None and not world.flink.running())
    assert world.condition("StagingReady")["reason"] == "UnexpectedError"
    assert world.aws.dynamodb.tables == {}, "what else there is has been removed meanwhile"
    abandon(world)
    outcome = world.run_pass()
    assert outcome
    assert outcome.release


def abandon(world: World) -> None:
    found = world.read()
    annotations = {"lindorm.io/abandon": "true"}
    world.api.change(found, {**found, "metadata": {**found["metadata"], "annotations": annotations}})


# --- a status that cannot be written ---


@pytest.mark.parametrize("answer", [422, 500])
def test_a_status_that_cannot_be_written_is_told_by_an_event_and_nothing_is_done(answer: int) -> None:
    def refuse(call: AnyCall) -> None:
        if isinstance(call, Call) and "status" in str(call):
            raise Refusal(answer, "the object is too large, or not as the schema says")

    world = World(faults=refuse)
    world.apply(**DELETE)
    for _ in range(3):
        outcome = world.run_pass()
        assert outcome
        assert [e.type for e in outcome.events] == ["Warning"]
        assert "write the status" in outcome.events[0].message
    assert world.aws.dynamodb.tables == {}


def test_a_status_whose_writing_fails_unforeseen_is_told_by_an_event(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise Surprise(SECRET_WORDS)

    world = World(surprises=True)
    world.apply(**DELETE)
    monkeypatch.setattr(Kube, "write_status", fail)
    outcome = world.run_pass()
    assert outcome
    assert outcome.trouble
    assert outcome.trouble.reason == "UnexpectedError"
    assert outcome.events


# --- statuses of other releases ---


def test_a_condition_of_a_newer_release_stays_and_the_import_goes_on() -> None:
    world = started()
    newer = {"type": "Verified", "status": "Maybe", "reason": "x", "message": "y", "lastTransitionTime": "later"}
    change_status(world, lambda s: s.update(conditions=[*s["conditions"], newer]))
    world.run_to_end()
    assert world.conditions()["Complete"] == "True"
    assert newer in world.status()["conditions"]


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("throttling", {"cause": "Moonlight", "events": "many"}),
        ("progress", {"rowsRead": "a lot"}),
        ("plan", 7),
        ("history", ["x"]),
        ("dashboard", {"address": "x"}),
        ("observedGeneration", "first"),
        ("summary", ["x"]),
        ("conditions", "none"),
        ("activePasses", [{"by": "x", "until": "for ever"}]),
        ("something", {"new": True}),
    ],
)
def test_reading_a_status_never_fails(part: str, value: Any) -> None:
    world = started()
    before = read_status(world.status()).status
    change_status(world, lambda s: s.update({part: value}))
    read = read_status(world.status())
    assert read.status.run == before.run
    assert read.status.resources == before.resources


@pytest.mark.parametrize(
    "status", [None, "x", 7, [], {}, {"run": 1, "resources": 2, "conditions": 3, "activePasses": 4}]
)
def test_reading_nonsense_gives_an_empty_status(status: Any) -> None:
    assert read_status(status).status.run is None


NEWER_KIND = {"kind": "Export", "name": "e", "origin": "Created", "deletionPolicy": "Delete"}


def test_an_import_with_a_resource_that_only_a_newer_release_knows_is_held_and_says_so() -> None:
    world = started()
    change_status(world, lambda s: s.update(resources=[*s["resources"], NEWER_KIND]))
    world.drive(lambda o: o.trouble is not None)
    assert world.condition("Ready")["reason"] == "NewerStatus"
    assert NEWER_KIND in world.status()["resources"]


def test_its_deletion_removes_what_is_known_names_the_rest_and_can_be_abandoned() -> None:
    world = started()
    change_status(world, lambda s: s.update(resources=[*s["resources"], NEWER_KIND]))
    world.delete()
    world.drive(lambda o: o.trouble is not None)
    assert world.condition("Ready")["reason"] == "NewerStatus"
    assert world.aws.dynamodb.tables == {}
    assert NEWER_KIND in world.status()["resources"]
    abandon(world)
    outcome = world.run_pass()
    assert outcome
    assert outcome.release


def test_a_run_that_cannot_be_read_is_no_run_that_never_was() -> None:
    world = started()
    change_status(world, lambda s: s.update(run={"identifier": "r1"}))
    world.delete()
    world.drive(lambda o: o.trouble is not None)
    assert not world.gone()
    assert world.status()["run"] == {"identifier": "r1"}


# --- specs that admission should have refused ---


NONSENSE = [
    ("source.timeRange.start", "0001-01-01T00:00:00+14:00"),
    ("source.timeRange.end", "9999-12-31T23:59:59-14:00"),
    ("ttlAfterFinished", "9999999d"),
    ("job.checkpoint.interval", "99999999999999999999d"),
    ("source.url", 7),
    ("source", "x"),
]


@pytest.mark.parametrize(("path", "value"), NONSENSE)
def test_a_spec_that_no_release_should_have_admitted_stalls_with_its_field_and_can_be_deleted(
    path: str, value: Any
) -> None:
    world = World()
    world.apply(**{path: value})
    outcome = world.run_pass()
    assert outcome
    assert outcome.trouble
    assert (outcome.trouble.reason, outcome.trouble.spec) == ("InvalidSpec", True)
    assert path.split(".")[0] in outcome.trouble.message
    world.remove()


@pytest.mark.parametrize(("path", "value"), NONSENSE)
def test_an_import_whose_spec_has_become_invalid_is_still_removed_whole(path: str, value: Any) -> None:
    world = started()
    world.edit(**{path: value})
    world.remove()
    assert world.aws.dynamodb.tables == {}
    assert world.api.names(PLURAL) == []
