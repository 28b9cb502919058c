"""Rate and time to go are steady while the job is, and never those of a job that is not."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lindorm_import.api.status import ImportStatus, Progress
from lindorm_import.decide import Decision, decide
from lindorm_import.decide.pace import FIRST, MARK_EVERY, STILL
from lindorm_import.domain.observed import JobSeen, Observed
from tests.controller.factories import IDENTITY, NOW, READY_TO_START, RUNNING, SOURCE, spec
from tests.controller.test_decide import SETTINGS

FETCH = 10.0  # metrics.fetcher.update-interval
HOUR = 3600.0
seeds, polls = st.integers(0, 2**32), st.sampled_from([5.0, 10.0, 15.0, 30.0, 60.0])
rates = st.sampled_from([60, 800, 12_345, 250_000])


@dataclass
class Job:
    """A job that reads `rate` rows a second, and a JobManager that keeps counts for a while.

    It answers a question with what an earlier one has left behind where that is younger than FETCH, and else, as it
    happens, with that or with what it fetches then. offset: of the TaskManager's clock, seconds.
    """

    chance: Random
    rate: float
    offset: float = 0.0
    tells_time: bool = True
    rows: float = 0.0
    at: float = 0.0
    kept: tuple[float, float] | None = None

    def pass_to(self, at: float) -> None:
        self.rows += self.rate * (at - self.at)
        self.at = at

    def asked(self) -> JobSeen:
        fresh = (self.at, self.rows)
        if self.kept is None or (self.at - self.kept[0] >= FETCH and self.chance.random() < 0.5):
            self.kept = fresh
        at, rows = self.kept
        if self.at - self.kept[0] >= FETCH:
            self.kept = fresh  # the fetch that this question has begun
        time = NOW + timedelta(seconds=at + self.offset) if self.tells_time else None
        return JobSeen("RUNNING", counted_at=time, rows_read=round(rows), items_written=round(rows))

    def lost(self) -> None:
        """It continues from a checkpoint of up to a minute ago, on another machine."""
        self.rows = max(0.0, self.rows - self.rate * self.chance.uniform(0, 60))
        self.offset, self.kept = self.chance.choice([-HOUR, 0.0, HOUR]) + self.chance.uniform(-1, 1), None


@dataclass
class Import:
    """An import and its looks; each may be that of a new controller."""

    job: Job
    total: int
    decision: Decision = field(init=False)

    def __post_init__(self) -> None:
        first = decide(IDENTITY, spec(), ImportStatus(), Observed(), NOW, SETTINGS)
        seen = replace(READY_TO_START, source=replace(SOURCE, rows=self.total))
        self.decision = decide(IDENTITY, spec(), first.status, seen, NOW, SETTINGS)

    def look(self, at: float, up: bool = True, **changes: object) -> Progress | None:
        status = ImportStatus.model_validate(self.decision.status.model_dump(mode="json", by_alias=True))
        self.job.pass_to(at) if up else None
        stopped = replace(RUNNING, wanted_state="suspended", lifecycle="SUSPENDED", job_state="FINISHED")
        deployment = stopped if changes.get("suspend") else RUNNING if up else replace(RUNNING, job_state="RECONCILING")
        seen = Observed(deployment=deployment, job=self.job.asked() if up else None)
        self.decision = decide(IDENTITY, spec(**changes), status, seen, NOW + timedelta(seconds=at), SETTINGS)
        return self.decision.status.progress

    def told(self) -> str:
        return next(c.message for c in self.decision.status.conditions if c.type == "Ready")


def times(chance: Random, poll: float, until: float, since: float = 0.0) -> list[float]:
    found = [since]
    while found[-1] < until:
        found.append(found[-1] + poll * chance.uniform(0.7, 1.3))
    return found


@settings(max_examples=20, deadline=None)
@given(seed=seeds, poll=polls, rate=rates, offset=st.sampled_from([0.0, -HOUR, 7.3, HOUR]))
def test_the_rate_of_a_steady_job_is_right_to_a_few_percent_after_the_first_window(
    seed: int, poll: float, rate: int, offset: float
) -> None:
    chance = Random(seed)
    one = Import(Job(chance, rate, offset), total=int(rate * 2 * HOUR))
    window = MARK_EVERY.total_seconds()
    for at in times(chance, poll, 0.5 * HOUR):
        progress = one.look(at)
        assert progress is not None
        if at < FIRST.total_seconds():
            assert progress.rows_per_second is None
        if at > window:
            assert progress.rows_per_second == pytest.approx(rate, rel=0.03, abs=1)
            end = progress.estimated_completion_time
            assert end is not None
            # The counts are a poll and a fetch old at most.
            assert (end - NOW).total_seconds() == pytest.approx(2 * HOUR, rel=0.03, abs=poll * 1.3 + FETCH)


@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_a_job_that_tells_no_time_has_a_rate_that_is_steady_too(seed: int) -> None:
    chance = Random(seed)
    one = Import(Job(chance, 800, tells_time=False), total=int(800 * 2 * HOUR))
    for at in times(chance, 10.0, 0.5 * HOUR):
        progress = one.look(at)
        assert progress is not None
        if at > MARK_EVERY.total_seconds():
            assert progress.rows_per_second == pytest.approx(800, rel=0.2)


@settings(max_examples=20, deadline=None)
@given(seed=seeds, poll=polls, rate=rates)
def test_no_loss_of_the_job_makes_a_rate_negative_or_too_high(seed: int, poll: float, rate: int) -> None:
    chance = Random(seed)
    one = Import(Job(chance, rate), total=int(rate * 2 * HOUR))
    at = 0.0
    for _ in range(8):
        up = times(chance, poll, at + chance.uniform(30, 900), since=at + 1)
        for at in up:
            check(one.look(at), rate)
        one.job.lost()
        down = times(chance, poll, at + chance.uniform(1, 600), since=at + 1)
        for at in down:
            check(one.look(at, up=False), rate)
        one.job.at = at


def check(progress: Progress | None, rate: int) -> None:
    if progress is None or progress.rows_per_second is None:
        return
    assert 0 <= progress.rows_per_second <= rate * 1.05 + 1
    if progress.rows_per_second == 0:
        assert progress.eta is None


@settings(max_examples=20, deadline=None)
@given(seed=seeds, poll=polls)
def test_a_pause_that_was_asked_for_is_in_no_rate(seed: int, poll: float) -> None:
    chance = Random(seed)
    one = Import(Job(chance, 800), total=int(800 * 2 * HOUR))
    for at in times(chance, poll, 600):
        one.look(at)
    for at in times(chance, poll, 3000, since=601):
        asleep = one.look(at, up=False, suspend=True)
        assert asleep is not None
        assert (asleep.rows_per_second, asleep.eta, asleep.estimated_completion_time) == (None, None, None)
    one.job.at, one.job.kept = 3100.0, None
    for at in times(chance, poll, 4000, since=3100):
        awake = one.look(at)
        assert awake is not None
        assert awake.rows_per_second in (None, pytest.approx(800, rel=0.05))
    assert awake.rows_per_second is not None


@settings(max_examples=20, deadline=None)
@given(seed=seeds, poll=polls, up=st.booleans())
def test_an_import_that_stands_still_says_so_and_tells_no_old_rate(seed: int, poll: float, up: bool) -> None:
    chance = Random(seed)
    one = Import(Job(chance, 800), total=int(800 * 2 * HOUR))
    for at in times(chance, poll, 600):
        one.look(at)
    one.job.rate = 0.0
    noticed = at + STILL.total_seconds() + 2 * 1.3 * poll + FETCH
    for at in times(chance, poll, 1500, since=601):
        progress = one.look(at, up=up)
        assert progress is not None
        if at > noticed:
            assert (progress.rows_per_second, progress.eta, progress.estimated_completion_time) == (0, None, None)
            assert not up or "no more rows or items since 05:" in one.told()
    one.job.rate, one.job.at = 800.0, at
    again = times(chance, poll, at + 600, since=at + 1)
    for at in again:
        progress = one.look(at)
    assert progress is not None
    assert progress.rows_per_second == pytest.approx(800, rel=0.2), "what stood still is in no rate for long"


@pytest.mark.parametrize(
    ("hours", "eta"),
    [
        (0.5, "05:30Z (in 29m 00s)"),
        (2, "07:00Z (in 1h 59m)"),
        (30, "Nov 25 11:00Z (in 1d 05h)"),
        (1e6, "more than 999d"),
    ],
)
def test_the_time_to_go_is_a_text_that_a_person_reads(hours: float, eta: str) -> None:
    one = Import(Job(Random(1), 100), total=round(100 * hours * HOUR))
    for at in (0, 60):
        progress = one.look(at)
    assert progress is not None
    assert progress.eta == eta
