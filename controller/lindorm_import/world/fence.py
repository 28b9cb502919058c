"""Why a pass that was held up changes nothing late: each has until a time that stands in the status before it acts.

Two controllers can be at work on one import: a node that was cut off, a process that was paused, somebody who started
a second one. The API server refuses the status of the one that is behind, but AWS knows neither versions nor owners: a
CreateTable decided before the import was deleted is done whenever it arrives. So each pass writes into
status.activePasses until when it acts, and whoever deletes the import lets it go only when no other pass can reach AWS
any more:

- Before each request, after it was signed, the pass looks at the clock: past its time it sends nothing.
- A request that is held up after that is refused by AWS, because its signature is too old ("In most cases, a request
  must reach AWS within five minutes of the time stamp in the request", IAM User Guide, "Signing AWS API requests";
  15 minutes with S3, its API reference, "Authenticating requests").

The bound is over when either the machine's clock or the counter beside it (clock.py) says so: a clock that is set back
makes it no longer, and where the counter stands still with its machine the clock is right again when the machine goes
on, or else makes a signature too old. What Kubernetes is asked for late goes by its owner reference.
"""

import itertools
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from lindorm_import.api.status import ActivePass
from lindorm_import.domain.trouble import Trouble, TroubleError
from lindorm_import.world.clock import Ticks, Wall, steps_forward

# A pass acts for seconds. A longer one stops, and the next continues.
ACTS_FOR = timedelta(seconds=60)

_over: ContextVar[Callable[[], bool] | None] = ContextVar("whether the pass's time is over", default=None)


def check() -> None:
    """Raises TroubleError when the pass that runs in this thread may not act any more."""
    over = _over.get()
    if over and over():
        message = f"a pass took longer than {ACTS_FOR.total_seconds():.0f} s and stopped; the next one continues"
        raise TroubleError(Trouble("ReconcileTimeout", message))


def check_request(**_: Any) -> None:
    """The same as a handler of botocore's event before-send: the request is signed, and not on its way."""
    check()


class Fence:
    """The passes of one process. wall: the machine's clock; ticks: a counter of seconds that nobody sets."""

    def __init__(self, wall: Wall, ticks: Ticks | None = None) -> None:
        self._wall, self._ticks = wall, ticks or steps_forward(wall)
        self._process = uuid.uuid4().hex[:8]
        self._numbers = itertools.count(1)
        self._active: set[str] = set()
        self._lock = Lock()

    def others(self, passes: tuple[ActivePass, ...], request_life: timedelta, now: datetime) -> tuple[ActivePass, ...]:
        """Those that may still change something: neither of this process and back, nor long over. now: the
        import's time."""
        return tuple(a for a in passes if not self.is_over(a) and a.until + request_life > now)

    def is_over(self, one: ActivePass) -> bool:
        """Whether it was of this process, and is back."""
        with self._lock:
            return one.by.startswith(self._process) and one.by not in self._active

    @contextmanager
    def acts(self, now: datetime | None = None) -> Iterator[ActivePass]:
        """A pass that is going to act: what it must write into the status before it does. now: the import's time,
        by default the machine's."""
        wall, ticks = self._wall() + ACTS_FOR, self._ticks() + ACTS_FOR.total_seconds()
        active = ActivePass(by=f"{self._process}-{next(self._numbers)}", until=(now or self._wall()) + ACTS_FOR)
        with self._lock:
            self._active.add(active.by)
        token = _over.set(lambda: self._wall() >= wall or self._ticks() >= ticks)
        try:
            yield active
        finally:
            _over.reset(token)
            with self._lock:
                self._active.discard(active.by)
