"""status.history: how the counts grew, kept with the import so that a report can be made long after its end.

Bounded: a status is written often and read by everybody. CloudWatch keeps one minute as its grain and needs rights of
its own; this needs neither, and fits a run of a minute as well as one of a day.
"""

from lindorm_import.api.status import Moment
from lindorm_import.decide.passes import Pass

KEPT = 60


def note(p: Pass) -> None:
    """Adds the counts of this pass, if there are new ones."""
    progress = p.status.progress
    if progress is None or (p.before.progress and progress.observed_at == p.before.progress.observed_at):
        return
    throttling = p.status.throttling
    now = Moment(
        at=p.now,
        rows_read=progress.rows_read,
        items_written=progress.items_written,
        write_units=throttling.consumed_write_units if throttling else 0,
        throttled=throttling.events if throttling else 0,
    )
    p.update(history=with_moment(p.status.history, now))


def with_moment(history: tuple[Moment, ...], now: Moment) -> tuple[Moment, ...]:
    """The history with one more moment, the first and the last always among them, at most 2 x KEPT in all."""
    if len(history) >= 2 and (now.at - history[-2].at) * KEPT < now.at - history[0].at:
        return (*history[:-1], now)  # finer than the picture: the last one moves on
    longer = (*history, now)
    return longer if len(longer) <= 2 * KEPT else (*longer[:-1:2], now)
