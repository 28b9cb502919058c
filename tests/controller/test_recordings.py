"""What a real Flink operator wrote while it ran imports on a real kubelet, played through the controller's own looks
and decisions: each import comes to what it came to there, or should have come to.

tests/data/flink-operator-1.10.0-statuses.jsonl, as in tests/local/flink_recordings.py. A recording has no answers of
Flink's REST API: they are made of the job's recorded state.
"""

import json
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from lindorm_import.domain.observed import JobSeen
from tests.controller.fakes import World
from tests.controller.flink_operator import FLINK
from tests.local.flink_recordings import RECORDINGS

Row = dict[str, Any]
LOOK = 5.0  # seconds: as often as the controller would look when it polls every 5 s


def recorded() -> dict[str, list[Row]]:
    """The lives of the FlinkDeployments: name, and which one of that name."""
    lives: dict[str, list[Row]] = {}
    number: dict[str, int] = {}
    for line in RECORDINGS.read_text().splitlines():
        row: Row = json.loads(line)
        name = row["name"].split("-")[1]
        if row["type"] == "ADDED":
            number[name] = number.get(name, 0) + 1
        lives.setdefault(f"{name} {number[name]}", []).append(row)
    return lives


LIVES = recorded()
FINISHED = ["readings 3", "second 1", "fourth 1", "fifth 2", "sixth 1", "eighth 1", "ninth 1"]
DELETED = ["readings 1", "readings 2", "third 1", "noimage 1", "fifth 1"]
CRASH_LOOP = "seventh 1"


@dataclass
class Played:
    """An import that lives through a recording. result_at: when its job has committed its result, in the recording's
    seconds; by default with the operator's word FINISHED."""

    life: str
    result_at: float | None = None
    told: dict[str, float] = field(default_factory=dict)
    """Each summary, and each reason of Ready, and when it was first told."""

    def __post_init__(self) -> None:
        self.rows = LIVES[self.life]
        self.job: JobSeen | None = None
        self.world = World()
        self.world.flink.down = True  # the recording speaks for it
        looks = replace(self.world.reconciler.clients, look_at_job=lambda base, job_id: self.job)
        self.world.reconciler = self.world.controller(looks)
        self.world.apply()
        self.world.drive(lambda _: bool(self.world.api.all(FLINK)))
        self.begun: datetime = self.world.now
        self.play()

    def play(self) -> None:
        start, rows = self.rows[0]["seconds"], list(self.rows)
        at = start
        while rows and not self.world.gone():
            while rows and rows[0]["seconds"] <= at:
                self.happens(rows.pop(0))
            if self.result_at is not None and at >= self.result_at:
                self.leave_result()
            self.look(at)
            at += LOOK
            self.world.now = self.begun + timedelta(seconds=at - start)
            self.world.uptime = at
        for _ in range(60):
            if self.world.gone():
                return
            self.look(at)
            self.world.tick(LOOK)

    def look(self, at: float) -> None:
        outcome = self.world.run_pass()
        assert outcome
        assert outcome.trouble is None or outcome.trouble.reason != "UnexpectedError", outcome.trouble
        for word in (self.world.status().get("summary"), self.world.condition("Ready").get("reason")):
            if word:
                self.told.setdefault(word, at)

    def happens(self, row: Row) -> None:
        """What the recording has at that time: a user's doing, the operator's status, a job's end."""
        status, wanted = row["status"] or {}, row["spec"]["job"]["state"]
        state = (status.get("jobStatus") or {}).get("state")
        if row["deleting"]:  # of a finished import by its controller
            if (
                self.life not in FINISHED
                and not self.world.ended()
                and not self.world.read()["metadata"].get("deletionTimestamp")
            ):
                self.world.delete()
            return
        if not self.world.ended() and (wanted == "suspended") != self.world.read()["spec"].get("suspend", False):
            self.world.edit(suspend=wanted == "suspended")
        self.job = None
        if state in ("RUNNING", "FINISHED") and status["jobManagerDeploymentStatus"] == "READY" and wanted == "running":
            self.job = JobSeen(state, rows_read=int(row["seconds"]), items_written=int(row["seconds"]))
        if state == "FINISHED" and wanted == "running" and status["lifecycleState"] == "STABLE":
            self.leave_result()
        for found in self.world.api.all(FLINK):
            found["metadata"]["generation"], found["spec"]["job"]["state"] = row["generation"], wanted
            found["status"] = status

    def leave_result(self) -> None:
        run = self.world.status()["run"]
        bucket, prefix = run["prefix"].removeprefix("s3://").split("/", 1)
        result = {"version": 1, "runId": run["id"], "rowsRead": 9000, "itemsWritten": 9000, "rowsRejected": 0}
        self.world.aws.s3.put_object(bucket, f"{prefix}result/result.json", json.dumps(result).encode())


def test_every_recorded_life_is_played() -> None:
    assert sorted([*FINISHED, *DELETED, CRASH_LOOP]) == sorted(LIVES)


@pytest.mark.parametrize("life", FINISHED)
def test_a_recorded_import_whose_job_finished_is_complete(life: str) -> None:
    """With its JobManager or a TaskManager killed on the way, suspended and resumed, or left alone."""
    played = Played(life)
    assert played.world.conditions()["Complete"] == "True"
    assert played.world.conditions()["Ready"] == "True"
    assert "Failed" not in played.told
    assert played.world.status()["results"]["rowsRead"] == 9000
    assert played.world.api.all(FLINK) == []


@pytest.mark.parametrize("life", DELETED)
def test_a_recorded_import_that_was_deleted_is_gone_and_was_never_called_failed(life: str) -> None:
    played = Played(life)
    assert played.world.gone()
    assert "Failed" not in played.told
    assert played.world.api.all(FLINK) == []


def test_the_recorded_crash_loop_fails_the_import_after_a_bounded_time() -> None:
    """Its JobManager ended first at 2613 s, and was ERROR, DEPLOYING or READY by turns until 3386 s."""
    played = Played(CRASH_LOOP)
    failed = played.told["Failed"]
    assert 2613 + 600 < failed < 2613 + 630, failed
    assert played.world.condition("Failed")["reason"] == "JobCannotStart"
    assert "has ended or failed to start 7 times" in played.world.condition("Failed")["message"], (
        played.world.condition("Failed")
    )


def test_the_recorded_crash_loop_is_complete_by_its_result() -> None:
    """As it was there: the job had finished just before its JobManager was lost, and the new one ran main again."""
    played = Played(CRASH_LOOP, result_at=2613.0)
    assert played.world.conditions()["Complete"] == "True"
    assert played.told["Complete"] <= 2613 + 4 * LOOK
    assert "Failed" not in played.told


def test_a_recorded_suspension_is_told_as_one_and_ends_with_the_resume() -> None:
    for life in ("third 1", "ninth 1"):
        told = Played(life).told
        assert "Suspended" in told, told
        assert "Failed" not in told


def test_a_recorded_wrong_image_is_told_in_the_operators_words() -> None:
    assert "JobManagerError" in Played("noimage 1").told


@pytest.mark.parametrize("life", ["second 1", "fourth 1", "sixth 1"])
def test_a_recorded_loss_of_the_job_manager_is_told_as_a_restart_and_passes(life: str) -> None:
    told = Played(life).told
    assert told["Running"] < told["Restarting"] < told["Complete"], told
