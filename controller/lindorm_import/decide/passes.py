"""One pass in the making: the next status, the conditions and the actions so far, and the words for them."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple, NoReturn, TypeVar

from lindorm_import.api.conditions import Conditions, ConditionType
from lindorm_import.api.spec import ImportSpec
from lindorm_import.api.status import ImportStatus, Progress, Run
from lindorm_import.domain.actions import Action
from lindorm_import.domain.identity import Identity
from lindorm_import.domain.observed import Observed
from lindorm_import.domain.trouble import Trouble
from lindorm_import.plan import Prices

T = TypeVar("T")

# The reason of Released=False as long as nothing hinders it.
RELEASING = "Releasing"


@dataclass(frozen=True)
class Settings:
    """How this controller is set up. poll: seconds between looks at a running job; image: the job's, where the
    spec names none; start_timeout: how long a JobManager may be broken before the import fails; prices: the plan's;
    request_life: how long after a pass's last moment AWS may still take a request of it (S3: 15 minutes after its
    signature; and a minute between the clocks); user: what the API server calls the controller, None where it runs as
    no service account."""

    poll: float = 10.0
    image: str | None = None
    start_timeout: timedelta = timedelta(minutes=10)
    result_timeout: timedelta = timedelta(minutes=5)
    prices: Prices = field(default_factory=Prices.load)
    request_life: timedelta = timedelta(minutes=16)
    user: str | None = None


class Decision(NamedTuple):
    """status is written before the actions are done. requeue: seconds until the next look, None: wait for a change
    of the spec. trouble: the pass is held up; look again after a backoff (unless trouble.spec)."""

    status: ImportStatus
    actions: tuple[Action, ...] = ()
    requeue: float | None = None
    trouble: Trouble | None = None
    release: bool = False


class StopPass(Exception):  # noqa: N818  (control flow of one pass, not an error)
    """The pass ends here: trouble, or waiting for something that takes its time."""

    def __init__(self, requeue: float | None, trouble: Trouble | None = None) -> None:
        super().__init__()
        self.requeue = requeue
        self.trouble = trouble


class Pass:
    """What a pass knows (identity, spec, before, seen, now, settings) and makes (status, conditions, actions)."""

    def __init__(
        self,
        identity: Identity,
        spec: ImportSpec,
        before: ImportStatus,
        seen: Observed,
        now: datetime,
        settings: Settings,
    ) -> None:
        self.identity = identity
        self.spec = spec
        self.before = before
        self.seen = seen
        self.now = max(now, before.observed_at or now).replace(microsecond=0)
        self.settings = settings
        self.status = before.model_copy(update={"observed_generation": identity.generation})
        self.conditions = Conditions(before.conditions, now, identity.generation)
        self.actions: list[Action] = []

    def finished_status(self) -> ImportStatus:
        return self.status.model_copy(update={"conditions": self.conditions.all()})

    @property
    def run(self) -> Run:
        assert self.status.run is not None, "allocated in the first pass"
        return self.status.run

    def others_for(self) -> float:
        """Seconds until no other pass, of another controller or a dead one, can change anything; 0: none can."""
        left = (a.until + self.settings.request_life - self.now for a in self.before.active_passes)
        return max(0.0, *(seconds.total_seconds() for seconds in left), 0.0)

    def since(self, then: datetime) -> timedelta:
        """The time that has passed; what looks as if it were still to come (a status of an older version) is none."""
        return max(timedelta(0), self.now - then)

    def update(self, **fields: object) -> None:
        self.status = self.status.model_copy(update=fields)

    def seen_or_hold(self, facet: T | Trouble | None, condition: ConditionType) -> T:
        """The facet, or the pass ends with its trouble."""
        if isinstance(facet, Trouble):
            self.hold(condition, facet)
        assert facet is not None, f"observe did not look at what {condition} needs"
        return facet

    def optional_or_hold(self, facet: T | Trouble | None, condition: ConditionType) -> T | None:
        if isinstance(facet, Trouble):
            self.hold(condition, facet)
        return facet

    def working(self, summary: str, reason: str, message: str) -> None:
        self.update(summary=summary)
        self.conditions.drop("Stalled")
        self.conditions.set("Reconciling", "True", reason, message)
        self.conditions.set("Ready", "False", reason, message)

    def wait(self, type_: ConditionType, reason: str, message: str, seconds: float) -> NoReturn:
        self.conditions.set(type_, "False", reason, message)
        self.working("Preparing", reason, message)
        self.hold_for(seconds)

    def hold_for(self, seconds: float) -> NoReturn:
        """The pass ends here, with the actions so far."""
        raise StopPass(seconds)

    def hold(self, type_: ConditionType, trouble: Trouble) -> NoReturn:
        self.report(type_, trouble)
        raise StopPass(None, trouble)

    def suspended(self, message: str) -> None:
        self.update(summary="Suspended")
        if self.status.progress:
            self.update(progress=self.status.progress.at_rest())
        self.conditions.set("Suspended", "True", "SuspendedBySpec", message)
        self.conditions.set("JobRunning", "False", "Suspended", message)
        self.conditions.set("Ready", "False", "Suspended", message)
        self.conditions.drop("Reconciling")
        self.conditions.drop("Stalled")

    def fail(self, reason: str, message: str) -> float:
        self.end("Failed", reason, message)
        self.conditions.set("Ready", "False", reason, message)
        self.conditions.set("Stalled", "True", reason, message)
        return 0.0

    def complete(self, message: str) -> float:
        """Every row is where it belongs; what still costs money is given back by the passes that follow."""
        self.end("Complete", "Complete", message)
        left = f"{message}; the job's pods are being removed, and the table is getting its final settings"
        self.conditions.set("Ready", "False", RELEASING, left)
        self.conditions.set("Reconciling", "True", RELEASING, left)
        self.conditions.drop("Stalled")
        return 0.0

    def end(self, type_: ConditionType, reason: str, message: str) -> None:
        self.conditions.set(type_, "True", reason, message)
        self.conditions.set("JobRunning", "False", type_, "the job has ended")
        left = "the job's pods are being removed, and the table is getting its final settings"
        self.conditions.set("Released", "False", RELEASING, left)
        self.conditions.drop("Reconciling")
        self.conditions.drop("Throttled")
        self.conditions.drop("Suspended")
        self.update(
            summary=type_,
            run=self.run.model_copy(update={"completion_time": self.now}),
            progress=(self.status.progress or Progress()).at_rest(),
        )

    def report(self, type_: ConditionType, trouble: Trouble) -> None:
        """Tells the user of a trouble; the pass may continue."""
        self.update(summary="Stalled" if trouble.spec else "Waiting")
        if type_ != "Reconciling":
            self.conditions.set(type_, "False", trouble.reason, trouble.message)
        self.conditions.set("Ready", "False", trouble.reason, trouble.message)
        if trouble.spec:
            self.conditions.drop("Reconciling")
            self.conditions.set("Stalled", "True", trouble.reason, trouble.message)
        else:
            self.conditions.drop("Stalled")
            self.conditions.set("Reconciling", "True", trouble.reason, trouble.message)
