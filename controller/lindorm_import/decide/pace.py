"""How fast the import reads, and when it will be done: over minutes, and by the times of the counts themselves.

A count is older than the look that finds it: a JobManager asks its TaskManagers at most every 10 seconds
(metrics.fetcher.update-interval,
https://nightlies.apache.org/flink/flink-docs-release-1.20/docs/deployment/config/#metrics-fetcher-update-interval), and
only when somebody asks it. So the counts carry the time at which they were taken, and the difference of two times is
what a rate is divided by. Where a job tells no such time, the look's own has to do.
"""

from datetime import timedelta

from lindorm_import.api.durations import format_duration
from lindorm_import.api.status import Mark, Progress
from lindorm_import.decide.passes import Pass
from lindorm_import.domain.observed import JobSeen
from lindorm_import.domain.words import counted

# A rate is measured from the older of two marks, which gives way when the other is that old: over 2.5 to 5 minutes.
# Marks are of what was counted, so that rows which are read again after a failure are in the rate.
MARK_EVERY = timedelta(seconds=150)
# The first rate is told after that long.
FIRST = timedelta(seconds=30)
# So long without counts is a break, across which nothing is measured.
BREAK = 2 * MARK_EVERY
# So long without a row, an item or a reject more is a standstill.
STILL = timedelta(minutes=3)


def progress_of(p: Pass, job: JobSeen) -> Progress:
    """The counts of this look, which never go back: after a failure the job reads again what lay after its last
    checkpoint. Without counts those of before, and the rate of an import that stands still."""
    before = p.before.progress or Progress()
    if job.rows_read is None:
        return _still(p, before)
    rows, at = max(before.rows_read, job.rows_read), job.counted_at or p.now
    counts = {
        "rows_read": rows,
        "items_written": max(before.items_written, job.items_written or 0),
        "items_rejected": max(before.items_rejected, job.rows_rejected or 0),
    }
    further = any(count > getattr(before, name) for name, count in counts.items())
    marks = _marks(before.marks, Mark(at=at, rows_read=job.rows_read))
    measured = at - marks[0].at
    rate = (job.rows_read - marks[0].rows_read) / measured.total_seconds() if measured >= FIRST else None
    total = p.status.plan.rows if p.status.plan else None
    progress = before.model_copy(
        update={
            **counts,
            "percent": min(99, rows * 100 // total) if total else None,
            "rows_per_second": None if rate is None else round(rate),
            **_end(p, total - job.rows_read if total and rows < total else 0, rate),
            "observed_at": p.now,
            "advanced_at": p.now if further else before.advanced_at or p.now,
            "marks": marks,
        }
    )
    return _still(p, progress)


def _marks(before: tuple[Mark, ...], new: Mark) -> tuple[Mark, ...]:
    """The mark to measure from, the one to measure from later, and the last counts."""
    if len(before) != 3:
        return (new, new, new)
    older, newer, last = before
    again = new.at < last.at or new.rows_read < last.rows_read  # another machine's clock, or a checkpoint's counts
    if again or new.at - last.at > BREAK:
        return (new, new, new)
    return (newer, new, new) if new.at - newer.at >= MARK_EVERY else (older, newer, new)


def _end(p: Pass, left: int, rate: float | None) -> dict[str, object]:
    """When the rest is read at that rate, as a time and in words; neither where there is no rate or no rest."""
    if not rate or round(rate) == 0 or left <= 0:
        return {"estimated_completion_time": None, "eta": None}
    seconds = round(left / rate)
    if seconds > timedelta(days=999).total_seconds():
        return {"estimated_completion_time": None, "eta": "more than 999d"}
    end = p.now + timedelta(seconds=seconds)
    day = "" if end.date() == p.now.date() else f"{end:%b} {end.day} "
    return {"estimated_completion_time": end, "eta": f"{day}{end:%H:%M}Z (in {format_duration(seconds)})"}


def _still(p: Pass, progress: Progress) -> Progress:
    """An old rate is not the rate of what does not move."""
    if not stands_still(p, progress):
        return progress
    none = {"estimated_completion_time": None, "eta": None}
    marks = progress.marks[-1:] * 3  # what follows is measured from here
    return progress.model_copy(update={**none, "rows_per_second": 0, "marks": marks})


def stands_still(p: Pass, progress: Progress) -> bool:
    return progress.advanced_at is not None and p.since(progress.advanced_at) >= STILL


def told_progress(p: Pass) -> str:
    """A sentence for a job that runs."""
    progress = p.status.progress
    if progress is None or progress.observed_at is None:
        return "the job runs; no counts yet"
    percent = "" if progress.percent is None else f" ({progress.percent} %)"
    told = f"{counted(progress.rows_read, 'row')} read{percent}, {counted(progress.items_written, 'item')} written"
    if progress.advanced_at and stands_still(p, progress):
        told += f"; no more rows or items since {progress.advanced_at:%H:%M} UTC"
    return told
