"""Throttling, told truly: how much at once from the job's own counters, why from CloudWatch's metric of each cause."""

from lindorm_import.api.status import Cause, Throttling
from lindorm_import.decide.passes import Pass
from lindorm_import.domain.observed import JobSeen

REMEDIES: dict[Cause, str] = {
    "KeyRange": "one partition is asked for more than the 1,000 write units a second that it takes: its keys are hot. "
    "Set target.partitionShards (in a new import), or warm the table up (target.capacity.warm)",
    "Provisioned": "the table's provisioned capacity is used up: raise target.capacity.writeUnits",
    "OnDemandMaximum": "the table's on-demand maximum is reached: raise target.capacity.writeUnits",
    "Account": "a quota of the account or the table is reached: ask AWS for more write throughput (Service Quotas, "
    "DynamoDB), or lower target.capacity.writeUnits",
    "Unknown": "CloudWatch does not say why yet (it is one to three minutes late)",
}


def count_throttling(p: Pass) -> None:
    """status.throttling and the condition Throttled, from what was seen in this pass."""
    before = p.before.throttling or Throttling()
    job = p.seen.job or JobSeen()
    now = _from_job(p, _from_cloudwatch(before, p.seen.throttling, job), job)
    if p.seen.throttling is None and now == before:
        return
    if now.events_per_minute == 0:
        p.update(throttling=now.model_copy(update={"cause": None}))
        p.conditions.set("Throttled", "False", "NotThrottled", "DynamoDB accepts everything that the job writes")
        return
    cause = now.cause or "Unknown"
    p.update(throttling=now.model_copy(update={"cause": cause}))
    message = f"{now.events_per_minute} throttled writes a minute: {REMEDIES[cause]}"
    p.conditions.set("Throttled", "True", cause, message)


def _from_cloudwatch(before: Throttling, seen: Throttling | None, job: JobSeen) -> Throttling:
    """The rates come from here only where the job does not say them itself: it does so at once."""
    if seen is None:
        return before
    update = {"events": max(before.events, seen.events), "cause": seen.cause, "observed_at": seen.observed_at}
    if job.throttled is None:
        update["events_per_minute"] = seen.events_per_minute
    if job.write_units is None:
        update["consumed_write_units"] = seen.consumed_write_units
    return before.model_copy(update=update)


def _from_job(p: Pass, before: Throttling, job: JobSeen) -> Throttling:
    """The counters start again with the job; the rates are smoothed, so that the condition does not flutter."""
    if job.throttled is None and job.write_units is None:
        return before
    elapsed = p.since(before.job_observed_at or p.now).total_seconds()
    update: dict[str, object] = {}
    if before.job_observed_at is None or elapsed >= 1:
        update["job_observed_at"] = p.now
        if job.throttled is not None:
            fresh = grown(before.job_events, job.throttled)
            update |= {"job_events": job.throttled, "events": before.events + fresh}
            if elapsed:
                update["events_per_minute"] = _smooth(before.events_per_minute, fresh / elapsed * 60)
        if job.write_units is not None:
            update["job_write_units"] = job.write_units
            if elapsed:
                fresh = grown(before.job_write_units, job.write_units)
                update["consumed_write_units"] = _smooth(before.consumed_write_units, fresh / elapsed)
    return before.model_copy(update=update)


def grown(before: int | None, now: int) -> int:
    """What a counter has grown by; one that is lower than before has started again."""
    return now if before is None or now < before else now - before


def _smooth(before: int, now: float) -> int:
    """Half of what it was: rounding down lets it come to 0."""
    return int(0.5 * before + 0.5 * now)
