"""An import's time: it continues as time does and never back, whatever the machine's clock is set to.

A machine's clock is set forward and back, by hand or by NTP, and no two machines' agree. What an import has cost and
when it has waited long enough are differences of times in its status, so these must never shrink, nor grow by a jump,
nor count the same hour again when a clock that was wrong is put right:

- At its first look at an import a process takes the machine's clock, or the time at which the status was last written
  (status.observedAt) where that is later.
- From there on the import's time grows by what an unadjusted counter has grown by; the clock is not looked at again.
- What another process has written since with a later time moves it on.

So the only error left is that of a clock which is ahead when a process begins: that much is counted once, for it cannot
be told from a time without a controller. AWS accepts no request whose clock is off by more than five minutes (IAM User
Guide, "Signing AWS API requests").
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Lock

Wall = Callable[[], datetime]
Ticks = Callable[[], float]


def utc_now() -> datetime:
    return datetime.now(UTC)


def uptime() -> float:
    """Seconds that no setting of the clock changes, a sleep of the machine included (clock_gettime(2))."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


def steps_forward(wall: Wall) -> Ticks:
    """A counter made of a clock that has none beside it: what the clock goes back by is no time."""
    lock, seconds, last = Lock(), 0.0, wall()

    def ticks() -> float:
        nonlocal seconds, last
        with lock:
            now = wall()
            seconds += max(0.0, (now - last).total_seconds())
            last = now
            return seconds

    return ticks


class ImportTimes:
    """The times of the imports that this process looks at, by their UIDs."""

    def __init__(self, wall: Wall, ticks: Ticks) -> None:
        self._wall, self._ticks = wall, ticks
        self._known: dict[str, tuple[datetime, float]] = {}
        self._lock = Lock()

    def now(self, uid: str, written: datetime | None) -> datetime:
        """The import's time. written: when its status was written, if it ever was; nothing in it is later."""
        with self._lock:
            ticks = self._ticks()
            if uid in self._known:
                at, since = self._known[uid]
                now = at + timedelta(seconds=ticks - since)
            else:
                now = self._wall()
            now = max(now, written or now)
            self._known[uid] = now, ticks
            return now

    def forget(self, uid: str) -> None:
        with self._lock:
            self._known.pop(uid, None)
