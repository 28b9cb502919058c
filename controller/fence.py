"""Why a pass that was held up changes nothing late: each has until a time that stands in the status before it acts.

Two controllers can be at work on one import: a node that was cut off, a process that was paused, somebody who started
a second one. The API server refuses the status of the one that is behind, but AWS knows neither versions nor owners: a
CreateTable decided before the import was deleted is done whenever it arrives. So each pass writes into status.acting
until when it acts, and whoever deletes the import lets it go only when no other pass can reach AWS any more:

- Before each request, after it was signed, the pass looks at the clock: past its time it sends nothing.
- A request that is held up after that is refused by AWS, because its signature is too old ("In most cases, a request
  must reach AWS within five minutes of the time stamp in the request", IAM User Guide, "Signing AWS API requests";
  15 minutes with S3, its API reference, "Authenticating requests").

Both use one clock, so that one which stands still with its machine makes a signature too old rather than a bound too
late. What Kubernetes is asked for late goes by its owner reference.
"""

import itertools
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from controller.api.status import Acting
from controller.observed import Trouble, TroubleError

# A pass acts for seconds. A longer one stops, and the next goes on.
ACTS_FOR = timedelta(seconds=60)

_bound: ContextVar[tuple[datetime, Callable[[], datetime]] | None] = ContextVar("acting until, clock", default=None)


def check() -> None:
    """Raises TroubleError when the pass that runs in this thread may not act any more."""
    bound = _bound.get()
    if bound and bound[1]() >= bound[0]:
        message = f"a pass took longer than {ACTS_FOR.total_seconds():.0f} s and stopped; the next goes on"
        raise TroubleError(Trouble("PassTooLong", message))


def check_request(**_: Any) -> None:
    """The same as a handler of botocore's event before-send: the request is signed, and not on its way."""
    check()


class Fence:
    """The passes of one process. now: the clock of bounds and of passes."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._process = uuid.uuid4().hex[:8]
        self._numbers = itertools.count(1)
        self._acting: set[str] = set()
        self._lock = Lock()

    def others(self, acting: tuple[Acting, ...], request_life: timedelta) -> tuple[Acting, ...]:
        """Those that may still change something: neither of this process and back, nor long over."""
        with self._lock:
            open_ = [a for a in acting if not a.by.startswith(self._process) or a.by in self._acting]
        return tuple(a for a in open_ if a.until + request_life > self._now())

    @contextmanager
    def acts(self) -> Iterator[Acting]:
        """A pass that is going to act: what it must write into the status before it does."""
        acting = Acting(by=f"{self._process}-{next(self._numbers)}", until=self._now() + ACTS_FOR)
        with self._lock:
            self._acting.add(acting.by)
        token = _bound.set((acting.until, self._now))
        try:
            yield acting
        finally:
            _bound.reset(token)
            with self._lock:
                self._acting.discard(acting.by)
