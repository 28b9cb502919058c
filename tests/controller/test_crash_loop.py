"""A JobManager that keeps crashing fails the import, after a bounded time; one that an import survives never does."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lindorm_import.api.status import ImportStatus
from lindorm_import.decide import Decision, decide
from lindorm_import.decide.crash_loop import LOOP
from lindorm_import.domain.observed import DeploymentSeen, JobSeen, Observed
from tests.controller.factories import IDENTITY, NOW, READY_TO_START, RUNNING, spec
from tests.controller.test_decide import SETTINGS, reason, truth

Look = tuple[float, str, JobSeen | None]
BACKOFF = "back-off 20s restarting failed container=flink-main-container pod=x"
STARTING, WAITING = replace(RUNNING, job_state="RECONCILING"), replace(RUNNING, job_state="RECONCILING", error=BACKOFF)
HOUR = 3600.0


def seen(job_manager: str) -> DeploymentSeen:
    return replace(WAITING if job_manager == "ERROR" else STARTING, job_manager=job_manager)


class Import:
    """One that has read half its rows. Every look may be that of a new controller: the status is all it knows."""

    def __init__(self) -> None:
        first = decide(IDENTITY, spec(), ImportStatus(), Observed(), NOW, SETTINGS)
        submitted = decide(IDENTITY, spec(), first.status, READY_TO_START, NOW, SETTINGS)
        self.decision = submitted
        self.look(0, replace(RUNNING), JobSeen("RUNNING", rows_read=500, items_written=400))

    def look(
        self, seconds: float, deployment: DeploymentSeen, job: JobSeen | None = None, **changes: object
    ) -> Decision:
        status = ImportStatus.model_validate(self.decision.status.model_dump(mode="json", by_alias=True))
        at = NOW + timedelta(seconds=seconds)
        self.decision = decide(
            IDENTITY, spec(**changes), status, Observed(deployment=deployment, job=job), at, SETTINGS
        )
        return self.decision

    @property
    def failed(self) -> bool:
        return truth(self.decision).get("Failed") == "True"

    def failed_at(self, looks: Iterator[Look]) -> float | None:
        """At which look the import fails; None: at none of them."""
        for seconds, job_manager, job in looks:
            self.look(seconds, seen(job_manager), job)
            if self.failed:
                return seconds
        return None


def sampled(states: Iterator[tuple[float, str, JobSeen | None]], chance: Random, poll: float) -> Iterator[Look]:
    """What looks every `poll` seconds, with jitter, see of states that last that long."""
    at, until = 0.0, 0.0
    for lasts, job_manager, job in states:
        until += lasts
        while at < until:
            yield at, job_manager, job
            at += poll * chance.uniform(0.5, 1.5)


def crash_loop(chance: Random, up: float) -> Iterator[tuple[float, str, JobSeen | None]]:
    """The kubelet's pauses (10 s, 20 s, … 5 minutes), and each start that comes as far as it does in `up` seconds."""
    pause = 10.0
    while True:
        yield chance.uniform(5, 30), "DEPLOYING", None
        if chance.random() < 0.7:
            yield chance.uniform(5, 15), "DEPLOYED_NOT_READY", None
            if chance.random() < 0.7:
                # It reads again what lay after its last checkpoint, and no further.
                yield up * chance.random(), "READY", JobSeen("RUNNING", rows_read=chance.randrange(400, 501))
        yield chance.uniform(0, 15), "DEPLOYING", None
        yield pause, "ERROR", None
        pause = min(300.0, 2 * pause)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32), poll=st.sampled_from([5.0, 10.0, 60.0]), up=st.floats(1, 120))
def test_a_crash_loop_fails_the_import_after_a_bounded_time(seed: int, poll: float, up: float) -> None:
    crashing, chance = Import(), Random(seed)
    at = crashing.failed_at(sampled(crash_loop(chance, up), chance, poll))
    assert at is not None
    # Not before the time that a JobManager may be broken; then with the next end that is seen.
    assert 600 < at < 600 + 2 * (300 + 60 + 120 + poll * 1.5)
    assert reason(crashing.decision, "Failed") == "JobCannotStart"
    job = crashing.decision.status.job
    assert job is not None
    assert job.crashes is not None
    assert job.crashes.count >= LOOP or job.broken_since is not None


def losses(chance: Random, hours: float) -> Iterator[tuple[float, str, JobSeen | None]]:
    """An import that loses its JobManager all the time and reads on in between."""
    rows, passed = 500, 0.0
    while passed < hours * HOUR:
        rows += chance.randrange(1, 50)
        lasts = chance.uniform(60, 600)
        yield lasts, "READY", JobSeen("RUNNING", rows_read=rows)
        for down, job_manager in ((15, "DEPLOYING"), (chance.uniform(0, 60), "ERROR"), (20, "DEPLOYING")):
            yield down, job_manager, None
        yield 10, "DEPLOYED_NOT_READY", None
        passed += lasts + 105


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32), poll=st.sampled_from([10.0, 30.0]))
def test_an_import_that_reads_on_after_each_loss_of_its_job_manager_does_not_fail(seed: int, poll: float) -> None:
    chance = Random(seed)
    assert Import().failed_at(sampled(losses(chance, hours=3), chance, poll)) is None


@pytest.mark.parametrize(
    "progress",
    [
        JobSeen("RUNNING", rows_read=501),
        JobSeen("RUNNING", rows_read=500, items_written=401),
        JobSeen("RUNNING", rows_read=500, rows_rejected=1),
        JobSeen("RUNNING", rows_read=500, checkpoint="s3://b/chk-9", checkpoint_time=NOW),
    ],
)
def test_what_shows_that_an_import_gets_further_ends_the_count(progress: JobSeen) -> None:
    one = Import()
    for second in range(0, 3000, 100):
        one.look(second, seen("ERROR" if second % 200 else "DEPLOYING"))
        if second == 500:
            one.look(second + 1, seen("READY"), progress)
            assert one.decision.status.job is not None
            assert one.decision.status.job.crashes is None
        if one.failed:
            assert second > 500 + 600
            return
    pytest.fail("it crashed on without getting further")


def test_one_look_at_a_time_counts_each_end_of_a_job_manager_once() -> None:
    one = Import()
    counts = []
    for number, job_manager in enumerate(
        ["READY", "DEPLOYING", "DEPLOYING", "ERROR", "ERROR", "DEPLOYING", "ERROR", "DEPLOYING", "DEPLOYED_NOT_READY",
         "DEPLOYING", "ERROR", "DEPLOYING", "DEPLOYED_NOT_READY", "READY", "MISSING"]
    ):  # fmt: skip
        one.look(number, seen(job_manager))
        crashes = one.decision.status.job.crashes if one.decision.status.job else None
        counts.append(crashes.count if crashes else 0)
    assert counts == [0, 1, 1, 1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3, 4]
    assert "has ended or failed to start 4 times since 05:00 UTC" in next(
        c.message for c in one.decision.status.conditions if c.type == "JobRunning"
    )


def test_a_job_manager_in_error_without_a_break_fails_the_import_though_it_ended_once() -> None:
    one = Import()
    assert one.failed_at(iter([(float(second), "ERROR", None) for second in range(0, 1200, 10)])) == 610


def test_a_job_manager_that_is_up_when_the_time_is_over_gets_its_chance() -> None:
    one = Import()
    for second in range(0, 600, 100):
        one.look(second, seen("ERROR" if second % 200 else "DEPLOYING"))
    one.look(700, seen("READY"))
    one.look(5000, seen("READY"))
    assert not one.failed


def test_pods_that_find_no_node_after_one_crash_are_waited_for() -> None:
    one = Import()
    one.look(0, seen("ERROR"))
    for second in range(10, 7200, 60):
        one.look(second, seen("DEPLOYING"))
    assert not one.failed


def test_stops_that_were_asked_for_are_no_crashes() -> None:
    one = Import()
    for turn in range(20):
        at = turn * 1000.0
        one.look(at, replace(RUNNING, wanted_state="running"), suspend=True)
        stopped = replace(
            RUNNING, wanted_state="suspended", lifecycle="SUSPENDED", job_manager="MISSING", job_state="FINISHED"
        )
        one.look(at + 100, stopped, suspend=True)
        one.look(at + 200, replace(stopped, wanted_state="running"))
        one.look(at + 210, replace(STARTING, lifecycle="UPGRADING", job_manager="MISSING"))
        one.look(at + 220, replace(STARTING, lifecycle="DEPLOYED", job_manager="DEPLOYING"))
        one.look(at + 230, replace(RUNNING))
        assert one.decision.status.job is not None
        assert one.decision.status.job.crashes is None


def test_a_flink_deployment_that_is_made_again_begins_a_new_count() -> None:
    one = Import()
    for second in range(0, 500, 100):
        one.look(second, seen("ERROR" if second % 200 else "DEPLOYING"))
    gone = replace(READY_TO_START, deployment=replace(RUNNING, exists=False))
    one.decision = decide(IDENTITY, spec(), one.decision.status, gone, NOW + timedelta(seconds=600), SETTINGS)
    one.look(610, seen("DEPLOYING"))
    one.look(700, seen("ERROR"))
    assert not one.failed
