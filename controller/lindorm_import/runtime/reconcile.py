"""One pass over one import: read, observe, decide, write the status, act. No kopf, no loop, no memory but last_action.

The status is written before anything is done (write-ahead log), with the time until which it is done (fence.py). When
it cannot be written because the import has changed meanwhile, nothing is done and the pass is repeated from what is
there now.
"""

import logging
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from pydantic import ValidationError

from lindorm_import.adapters.kube import Conflict
from lindorm_import.api import ABANDON
from lindorm_import.api.conditions import Condition, Conditions
from lindorm_import.api.read import StatusRead, read_status, spec_for_deletion
from lindorm_import.api.spec import ImportSpec
from lindorm_import.api.status import ImportStatus
from lindorm_import.decide import Decision, Settings, decide, decide_deletion
from lindorm_import.decide.passes import RELEASING
from lindorm_import.domain.actions import REPORTS
from lindorm_import.domain.identity import Identity
from lindorm_import.domain.trouble import Trouble, TroubleError
from lindorm_import.runtime.metrics import Metrics
from lindorm_import.world.act import act
from lindorm_import.world.clients import Clients
from lindorm_import.world.clock import ImportTimes, Ticks, Wall, steps_forward, utc_now
from lindorm_import.world.fence import Fence, check
from lindorm_import.world.observe import observe, observe_deletion
from lindorm_import.world.unexpected import unexpected

Document = dict[str, Any]
log = logging.getLogger("lindorm-import")


@dataclass(frozen=True)
class Event:
    """A Kubernetes event about a change."""

    type: Literal["Normal", "Warning"]
    reason: str
    message: str


@dataclass(frozen=True)
class Outcome:
    """What a pass came to. requeue: seconds until the next, None: when something changes. release: the finalizer may
    go. last_action: to be handed to the next pass. conflict: the import changed meanwhile, nothing was done."""

    requeue: float | None = None
    trouble: Trouble | None = None
    release: bool = False
    events: tuple[Event, ...] = ()
    last_action: Trouble | None = None
    conflict: bool = False


@dataclass(frozen=True)
class Reconciler:
    """Does passes. now: the machine's clock; ticks: a counter of seconds that nobody sets (by default made of now)."""

    clients: Clients
    settings: Settings
    now: Wall = utc_now
    ticks: Ticks | None = None
    metrics: Metrics = field(default_factory=Metrics)
    fence: Fence = field(init=False)
    times: ImportTimes = field(init=False)

    def __post_init__(self) -> None:
        ticks = self.ticks or steps_forward(self.now)
        object.__setattr__(self, "fence", Fence(self.now, ticks))
        object.__setattr__(self, "times", ImportTimes(self.now, ticks))

    def run_pass(self, namespace: str, name: str, uid: str, last_action: Trouble | None = None) -> Outcome:
        """One pass. Every failure comes back as Outcome.trouble, what nothing foresaw as well."""
        outcome, result = None, "crashed"
        try:
            with self.metrics.timed_pass():
                outcome = self._pass(namespace, name, uid, last_action)
            result = _result(outcome)
            return outcome
        finally:
            self.metrics.count(result, outcome.trouble.reason if outcome and outcome.trouble else None)
            if outcome and outcome.release:
                self.metrics.forget(namespace, name)
                self.times.forget(uid)

    def sign_off(self, namespace: str, name: str, uid: str) -> None:
        """Takes this process's passes, which are all over, out of the status: it is about to end, and whoever comes
        next need not wait for what they might still do. Where that fails, it waits."""
        try:
            resource = self.clients.kube.read_import(namespace, name)
            if resource is None or resource["metadata"]["uid"] != uid:
                return
            before = read_status(resource.get("status"))
            others = tuple(a for a in before.status.active_passes if not self.fence.is_over(a))
            if others != before.status.active_passes:
                self._write(resource, before, before.status.model_copy(update={"active_passes": others}))
        except (Conflict, TroubleError) as error:
            log.info("%s/%s: not signed off: %s", namespace, name, error)
        except Exception as error:  # the last net
            log.warning("%s/%s: not signed off: %s", namespace, name, unexpected(error).message)

    def _pass(self, namespace: str, name: str, uid: str, last_action: Trouble | None) -> Outcome:
        try:
            resource = self.clients.kube.read_import(namespace, name)
            if resource is None or resource["metadata"]["uid"] != uid:
                return Outcome(release=True)  # gone, or another import of the same name: not ours to touch
        except TroubleError as error:
            return Outcome(trouble=error.trouble, last_action=last_action)
        except Exception as error:  # the last net
            return Outcome(trouble=unexpected(error), last_action=last_action)
        before = read_status(resource.get("status"))
        if _abandoned(resource):
            left = ", ".join(r.arn or r.name for r in before.status.resources) or before.unread_log
            event = Event("Warning", "Abandoned", f"left as they are: {left or 'nothing'}")
            return Outcome(release=True, events=(event,))
        try:
            return self._run(resource, before, last_action)
        except Conflict:
            return Outcome(requeue=0.1, last_action=last_action, conflict=True)
        except TroubleError as error:  # the status could not be written: nothing has been done
            return _untold(error.trouble, last_action)
        except Exception as error:  # the last net
            return self._told(resource, before, unexpected(error), last_action)

    def _told(
        self, resource: Document, before: StatusRead, trouble: Trouble, last_action: Trouble | None = None
    ) -> Outcome:
        """A pass that could not begin, with the trouble in the conditions, where those can be written."""
        meta, deleting = resource["metadata"], "deletionTimestamp" in resource["metadata"]
        generation = meta.get("generation", 1)
        now = self.times.now(meta["uid"], before.status.observed_at)
        conditions = Conditions(before.status.conditions, now, generation)
        if (conditions.is_true("Complete") or conditions.is_true("Failed")) and not deleting:
            return _untold(trouble, last_action)  # what has ended stays so
        conditions.set("Ready", "False", trouble.reason, trouble.message)
        conditions.drop("Reconciling" if trouble.spec else "Stalled")
        conditions.set("Stalled" if trouble.spec else "Reconciling", "True", trouble.reason, trouble.message)
        told = {
            "conditions": conditions.all(),
            "observed_generation": generation,
            "summary": "Deleting" if deleting else "Stalled" if trouble.spec else "Waiting",
        }
        after = before.status.model_copy(update=told)
        try:
            self._write(resource, before, after)
        except Conflict:
            return Outcome(requeue=0.1, last_action=last_action, conflict=True)
        except TroubleError as error:
            return _untold(error.trouble, last_action)
        except Exception as error:
            return _untold(unexpected(error), last_action)
        events = _events(before.status.conditions, after.conditions, trouble)
        return Outcome(trouble=trouble, events=events, last_action=last_action)

    def _run(self, resource: Document, read: StatusRead, last_action: Trouble | None) -> Outcome:
        meta = resource["metadata"]
        identity = Identity(meta["namespace"], meta["name"], meta["uid"], meta.get("generation", 1))
        before, deleting = read.status, "deletionTimestamp" in meta
        if read.unread_log and not deleting:
            return self._told(resource, read, _newer(read))
        try:
            spec = (spec_for_deletion if deleting else ImportSpec.model_validate)(resource["spec"])
        except ValidationError as error:
            return self._invalid(resource, read, error, deleting)
        now = self.times.now(identity.uid, before.observed_at)
        others = self.fence.others(before.active_passes, self.settings.request_life, now)
        known = before.model_copy(update={"active_passes": others})
        decision = self._decide(identity, spec, known, last_action, deleting, now)
        if decision.release and read.unread_log:
            return self._told(resource, read, _newer(read))
        if all(isinstance(action, REPORTS) for action in decision.actions):
            self._write(resource, read, decision.status)
            return self._act(identity, spec, before, decision)
        with self.fence.acts(self.times.now(identity.uid, before.observed_at)) as active:
            self._write(resource, read, decision.status.model_copy(update={"active_passes": (*others, active)}))
            return self._act(identity, spec, before, decision)

    def _act(self, identity: Identity, spec: ImportSpec, before: ImportStatus, decision: Decision) -> Outcome:
        """What was decided, when the status says so."""
        told = _logger(identity, decision.status)
        events = _events(before.conditions, decision.status.conditions, decision.trouble)
        events += _restarts(before, decision.status)
        for event in events:
            level = logging.WARNING if event.type == "Warning" else logging.INFO
            told.log(level, "%s: %s", event.reason, event.message)
        told.debug(
            "looked: %d actions, next look %s",
            len(decision.actions),
            "when the spec changes" if decision.requeue is None else f"in {decision.requeue:.1f} s",
        )
        failed = None
        for action in decision.actions:
            name = type(action).__name__
            try:
                check()
                told.info("executing %s", name, extra={"action": name})
                act(action, identity.namespace, spec.target.region, self.clients)
            except Exception as error:  # the last net, for what is no TroubleError
                trouble = error.trouble if isinstance(error, TroubleError) else unexpected(error)
                told.warning("%s: %s", trouble.reason, trouble.message, extra={"action": name})
                if not isinstance(action, REPORTS):
                    failed = trouble
                    break
        return Outcome(
            requeue=decision.requeue,
            trouble=failed or decision.trouble,
            release=decision.release and failed is None,
            events=events,
            last_action=failed,
        )

    def _decide(
        self,
        identity: Identity,
        spec: ImportSpec,
        before: ImportStatus,
        last_action: Trouble | None,
        deleting: bool,
        now: datetime,
    ) -> Decision:
        if deleting:
            seen = observe_deletion(identity, spec, before, self.clients)
        else:
            seen = observe(identity, spec, before, self.clients, now)
        step = decide_deletion if deleting else decide
        return step(identity, spec, before, seen.after(last_action), now, self.settings)

    def _invalid(self, resource: Document, read: StatusRead, error: ValidationError, deleting: bool) -> Outcome:
        """A spec that admission should have refused, from an older CRD perhaps. Only another spec can help."""
        told = "; ".join(f"spec.{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:3])
        if deleting and read.status.run is None and not read.unread_log:
            return Outcome(release=True)  # nothing was made
        if deleting:
            told += f". What was made cannot be found by it; annotation {ABANDON}=true lets the import go"
        return self._told(resource, read, Trouble("InvalidSpec", told, spec=True))

    def _write(self, resource: Document, before: StatusRead, after: ImportStatus) -> None:
        if after != before.status:
            now = self.times.now(resource["metadata"]["uid"], before.status.observed_at)
            after = after.model_copy(update={"observed_at": now})
            self.clients.kube.write_status(resource, before.document(after))
        self.metrics.record(resource["metadata"]["namespace"], resource["metadata"]["name"], after)


def _abandoned(resource: Document) -> bool:
    meta = resource["metadata"]
    return "deletionTimestamp" in meta and (meta.get("annotations") or {}).get(ABANDON) == "true"


def _newer(read: StatusRead) -> Trouble:
    """Something that another release has made may be in there: it can be neither used nor removed by this one."""
    return Trouble(
        "NewerStatus",
        f"{read.unread_log} holds what this release cannot read; a newer one has written it: upgrade the controller "
        f"again. A deletion waits for that, too; annotation {ABANDON}=true lets the import go and leaves what it made",
    )


def _untold(trouble: Trouble, last_action: Trouble | None) -> Outcome:
    """A trouble that could not be written into the status: an event tells it."""
    log.warning("%s: %s", trouble.reason, trouble.message)
    event = Event("Warning", trouble.reason, trouble.message)
    return Outcome(trouble=trouble, events=(event,), last_action=last_action)


class _Logger(logging.LoggerAdapter[logging.Logger]):
    """Names import, run and step in each record, beside what the call itself adds."""

    def process(self, msg: Any, kwargs: Any) -> tuple[Any, Any]:
        return msg, {**kwargs, "extra": {**(self.extra or {}), **kwargs.get("extra", {})}}


def _logger(identity: Identity, status: ImportStatus) -> _Logger:
    run = status.run.id if status.run else None
    return _Logger(log, {"import": f"{identity.namespace}/{identity.name}", "run": run, "step": status.summary})


def _result(outcome: Outcome) -> str:
    """One word for the metrics."""
    if outcome.conflict:
        return "conflict"
    if outcome.trouble is None:
        return "done"
    return "stalled" if outcome.trouble.spec else "held"


_BAD_WHEN_TRUE = {"Failed", "Stalled", "Throttled"}
# Reasons of JobRunning=False that come of what the user asked for, or of a start.
_ASKED_FOR = {"Submitting", "NotRunning", "Suspended", "Suspending", "Stopping", "ResultMissing", "Complete", "Failed"}
_MIRRORS = {"Ready"}  # repeats what another condition says


def _events(before: tuple[Condition, ...], after: tuple[Condition, ...], trouble: Trouble | None) -> tuple[Event, ...]:
    """One event for each condition whose status or reason changed; progress alone makes none."""
    known = {c.type: (c.status, c.reason) for c in before}
    bad_reasons = {trouble.reason} if trouble else set()
    bad_reasons |= {c.reason for c in after if (c.type, c.status) == ("JobRunning", "False")} - _ASKED_FOR
    out: dict[tuple[str, str], Event] = {}
    for condition in after:
        if condition.type in _MIRRORS or known.get(condition.type) == (condition.status, condition.reason):
            continue
        if condition.type in _BAD_WHEN_TRUE and condition.status == "False" and condition.type not in known:
            continue  # all is well and was
        bad = condition.type in _BAD_WHEN_TRUE and condition.status == "True"
        bad = bad or condition.reason in bad_reasons
        bad = bad or (condition.type == "Released" and condition.status == "False" and condition.reason != RELEASING)
        event = Event("Warning" if bad else "Normal", condition.reason, condition.message)
        out.setdefault((event.reason, event.message), event)
    return tuple(out.values())


def _restarts(before: ImportStatus, after: ImportStatus) -> tuple[Event, ...]:
    """Flink starts a job again by itself, between two looks perhaps: its conditions are then what they were."""
    was, now = before.job, after.job
    if now is None or not now.failure or now.restarts <= (was.restarts if was else 0):
        return ()
    return (
        Event("Warning", "JobRestarted", f"Flink has started the job again ({now.restarts} so far): {now.failure}"),
    )
