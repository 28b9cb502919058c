"""Throttling: how much at once from the job, why from CloudWatch, and what to do."""

from datetime import timedelta

import pytest

from lindorm_import.api.status import CAUSES, Cause, ImportStatus, Throttling
from lindorm_import.decide import Decision
from lindorm_import.domain.observed import JobSeen, Observed
from tests.controller.factories import NOW, RUNNING, TABLE
from tests.controller.situations import condition, running, step, told


def look(
    status: ImportStatus,
    seconds: int,
    throttled: int | None = None,
    units: int | None = None,
    cloudwatch: Throttling | None = None,
) -> Decision:
    job = JobSeen(rows_read=600, throttled=throttled, write_units=units)
    seen = Observed(deployment=RUNNING, table=TABLE, job=job, throttling=cloudwatch)
    return step(status, seen, later=timedelta(seconds=seconds))


def said(events: int, per_minute: int, cause: Cause | None, units: int = 0) -> Throttling:
    return Throttling(
        events=events, events_per_minute=per_minute, cause=cause, consumed_write_units=units, observed_at=NOW
    )


REMEDIES = {
    "KeyRange": "partitionShards",
    "Provisioned": "raise target.capacity.writeUnits",
    "OnDemandMaximum": "raise target.capacity.writeUnits",
    "Account": "Service Quotas",
    "Unknown": "does not say why yet",
}


@pytest.mark.parametrize("cause", CAUSES)
def test_each_cause_has_its_remedy_in_the_message(cause: Cause) -> None:
    decision = look(running(), 10, cloudwatch=said(90, 30, cause))
    assert told(decision, "Throttled") == ("True", cause)
    found = condition(decision, "Throttled")
    assert found is not None
    assert REMEDIES[cause] in found.message
    assert "30 throttled writes a minute" in found.message


def test_what_the_job_counts_is_told_before_cloudwatch_knows_of_it() -> None:
    first = look(running(), 10, throttled=0, units=0)
    assert told(first, "Throttled") == ("False", "NotThrottled")
    second = look(first.status, 20, throttled=100, units=40_000)
    assert told(second, "Throttled") == ("True", "Unknown")
    throttling = second.status.throttling
    assert throttling is not None
    assert (throttling.events, throttling.events_per_minute) == (100, 300)  # half of 600 a minute: smoothed
    assert throttling.consumed_write_units == 2_000  # half of 4,000 a second


def test_cloudwatch_gives_the_cause_and_does_not_hide_what_the_job_says() -> None:
    first = look(running(), 10, throttled=0)
    second = look(first.status, 20, throttled=100, cloudwatch=said(40, 13, "OnDemandMaximum"))
    assert told(second, "Throttled") == ("True", "OnDemandMaximum")
    throttling = second.status.throttling
    assert throttling is not None
    assert throttling.events == 140, "what each of them counted first"
    third = look(second.status, 30, throttled=200)
    assert told(third, "Throttled") == ("True", "OnDemandMaximum"), "the cause stays until CloudWatch says another"


def test_events_are_never_fewer_than_cloudwatch_counts() -> None:
    first = look(running(), 10, throttled=5)
    second = look(first.status, 20, throttled=5, cloudwatch=said(500, 0, None))
    assert second.status.throttling is not None
    assert second.status.throttling.events == 500


def test_counters_that_start_again_with_the_job_add_to_what_was_counted() -> None:
    first = look(running(), 10, throttled=100, units=1000)
    again = look(first.status, 20, throttled=30, units=50)
    assert again.status.throttling is not None
    assert again.status.throttling.events == 130
    assert again.status.throttling.job_events == 30


def test_the_condition_ends_soon_after_the_last_event_and_does_not_flutter() -> None:
    status, truths = look(running(), 10, throttled=0).status, []
    for turn, total in enumerate([100, 100, *[200] * 12], start=2):
        decision = look(status, 10 * turn, throttled=total)
        status = decision.status
        found = condition(decision, "Throttled")
        truths.append(found is not None and found.status == "True")
    assert truths[:4] == [True] * 4
    assert truths[-1] is False
    assert truths == sorted(truths, reverse=True), "one change, not several"


def test_a_job_that_tells_nothing_changes_nothing() -> None:
    decision = look(running(), 10)
    assert decision.status.throttling is None
    assert condition(decision, "Throttled") is None


def test_two_looks_within_a_second_give_no_rate() -> None:
    first = look(running(), 10, throttled=0)
    assert look(first.status, 10, throttled=100).status.throttling == first.status.throttling
