"""The stand-in's operator against the recordings of a real one (docs/stand-in.md)."""

from __future__ import annotations

from typing import Any

import pytest

from lindorm_import.manifests import build
from local.flink.model import Json
from tests.controller.factories import spec
from tests.local.flink_recordings import Step, made_steps, recorded_steps

RECORDED = {
    "delete": "the import is deleted while its JobManager starts",
    "up+FINISHED delete": "the job ends before the operator asks for it the first time",
    "up+RUNNING CREATED RUNNING starting up+RUNNING FINISHED delete": "a TaskManager is killed, then the JobManager",
    "up CREATED RUNNING suspend resume up+CREATED delete": "suspended and resumed; deleted before all tasks run again",
    "suspend up CREATED": "suspended while the JobManager starts",
    "pulling delete": "a wrong image",
    "up+CREATED RUNNING starting waiting starting up+RUNNING FINISHED delete": "the JobManager's process dies twice",
    "up CREATED RUNNING CREATED RUNNING delete": "a TaskManager is killed; deleted while the job runs",
    "up INITIALIZING CREATED RUNNING FINISHED delete": "started from a savepoint",
    "up+CREATED RUNNING starting+up starting up starting up! starting waiting starting+up starting waiting delete": ""
    "the JobManager dies after the job has ended and before the operator has looked: a crash loop, ready for moments",
}
"""Scenarios that a recording is of."""

UNRECORDED = {
    "up+RUNNING RESTARTING CREATED": "a job that restarts says so for a second: it fell between two looks, 15 s apart",
    "up+RUNNING FAILED delete": "no recorded job failed for good",
    "up+RUNNING none": "nobody removed the JobManager's deployment by hand (reconcileOtherChanges deploys it again)",
    "up CREATED starting up CREATED": "no recorded JobManager died before all tasks ran: only RUNNING becomes "
    "RECONCILING then (ifRunningMoveToReconciling), CREATED stays",
    "up INITIALIZING starting up": "nor while the job was INITIALIZING, which stays as well",
    "up suspend": "no recorded import was suspended just when its REST API answered, but knew no job",
    "up+RUNNING CANCELED": "nobody cancelled a job by REST (markSuspended, then it is deployed again)",
    "waiting suspend resume": "nobody suspended an import whose JobManager could not start: without HA data the "
    "operator has nothing to suspend it with, and waits",
    "up+RUNNING FINISHED suspend": "nobody suspended a finished import",
    "up+RUNNING starting suspend": "nobody suspended an import while its JobManager was away",
    "up+RUNNING suspend delete": "nobody deleted a suspended import",
    "up+FINISHED starting": "no recorded JobManager died after the operator had seen FINISHED, which stays",
}
"""Scenarios that lead to steps in no recording, and why they are in none; there the source of 1.10.0 is followed."""


def deployment() -> Json:
    """As the controller creates it for an upstream operator."""
    changes: dict[str, Any] = {"job.serviceAccount": "flink"}
    identity = build.Identity("default", "one", "0f0e0d0c-0b0a-0908-0706-050403020100", 1)
    made = build.flink_deployment(identity, spec(**changes), "s3://b/p/", "image", None, 2)
    made["metadata"] |= {"uid": "u", "generation": 1}
    return made


def steps(scenarios: dict[str, str]) -> set[Step]:
    return set().union(*(made_steps(deployment(), scenario) for scenario in scenarios))


def test_the_stand_in_takes_every_step_that_a_real_operator_took_and_in_these_cases_no_other() -> None:
    made, recorded = steps(RECORDED), recorded_steps()
    assert sorted(recorded - made) == []
    assert sorted(made - recorded) == []


@pytest.mark.parametrize("scenario", UNRECORDED)
def test_a_case_that_is_said_to_be_in_no_recording_is_in_none(scenario: str) -> None:
    assert made_steps(deployment(), scenario) - recorded_steps()


def test_the_recordings_are_of_whole_lives() -> None:
    """What the first test would not notice: recordings of which a part was lost."""
    ends = {before.job for before, after in recorded_steps() if after.generation == "gone"}
    assert ends == {"FINISHED", "RUNNING", "CREATED", "RECONCILING"}
