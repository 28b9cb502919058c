"""A small world for tests of whole lives: everything outside the controller, a user, and a clock.

The controller runs as it is: its adapters, the Kubernetes client (kubernetes_api.py answers it), boto3 (aws.py
answers it) and the operator's own rule of when to look again. Flink and its operator are
flink_operator.py. Every call of the controller passes the world: it is counted, a tripwire can kill the controller
just before or just after a mutation or lose its reply, and a test can refuse it.
"""

import base64
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from lindorm_import.adapters.cache import AnswerCache
from lindorm_import.api import PLURAL
from lindorm_import.api.spec import ImportSpec
from lindorm_import.decide import Settings
from lindorm_import.domain.observed import Login, SourceSeen
from lindorm_import.domain.trouble import Trouble
from lindorm_import.runtime.reconcile import Outcome, Reconciler
from lindorm_import.world.clients import Clients
from tests.controller.aws import Aws, AwsCall, controllers_clients
from tests.controller.aws import reply_lost as aws_reply_lost
from tests.controller.factories import NOW, SOURCE, SPEC, UID
from tests.controller.flink_operator import FlinkOperator
from tests.controller.kubernetes_api import Call, KubernetesApi, connection_lost

Document = dict[str, Any]
AnyCall = Call | AwsCall
FINALIZER = "lindorm.io/finalizer"
# What no end state depends on: when something happened, what the time has cost, and how often the job was looked at.
_TIMES = {
    "startTime", "completionTime", "activeSince", "observedAt", "lastTransitionTime", "retryAfter", "createdAt",
    "lastCheckpointTime", "CreationDateTime", "until", "spending", "history",
    "brokenSince", "finishedSince", "waitingSince", "jobManager", "crashes",
    "activePasses", "intendedAt", "tableId", "TableId", "tags_from", "decreases",
    "startedAt", "endedAt", "restarts", "jobId", "lastCheckpoint", "failedDeploymentUID",
}  # fmt: skip


class Crash(BaseException):
    """The controller's process dies here. No handler of the controller may catch it."""


@dataclass
class Tripwire:
    """Counts mutations; at number `at` the controller dies before or after it, or does not hear the reply."""

    at: int | None = None
    mode: str = "before"
    count: int = 0
    done: Counter[str] = field(default_factory=Counter)

    def before(self) -> None:
        self.count += 1
        if self.count == self.at and self.mode == "before":
            raise Crash

    def after(self, call: AnyCall) -> None:
        self.done[str(call)] += 1
        if self.count == self.at and self.mode == "after":
            raise Crash
        if self.count == self.at and self.mode == "reply lost":
            raise connection_lost() if isinstance(call, Call) else aws_reply_lost()


@dataclass
class World:
    """Everything outside the controller, a clock, and how long the world has been there (the controller's counter that
    nobody sets). faults: sees each call of the controller and may raise what
    the outside answers instead (Refusal, Refused); calls: every call so far, by its name."""

    wire: Tripwire = field(default_factory=Tripwire)
    now: datetime = NOW
    uptime: float = 0.0
    source: Callable[[], SourceSeen] = lambda: SOURCE
    faults: Callable[[AnyCall], None] = lambda call: None
    calls: Counter[str] = field(default_factory=Counter)
    used: set[AnyCall] = field(default_factory=set)
    memories: dict[str, Trouble | None] = field(default_factory=dict)
    surprises: bool = False  # whether the test provokes errors that the controller does not know

    def __post_init__(self) -> None:
        self.api = KubernetesApi(before=self._before, after=self._after)
        self.aws = Aws(before=self._before, after=self._after)
        self.flink = FlinkOperator(self.api, self.aws.s3)
        text = {"username": "user", "password": "password"}
        data = {key: base64.b64encode(value.encode()).decode() for key, value in text.items()}
        self.api.add("secrets", {"metadata": {"name": "lindorm"}, "data": data})
        clients = replace(
            controllers_clients(),
            kube=self.api.kube(),
            look_at_source=self._look_at_source,
            look_at_job=self.flink.look_at_job,
            answers=AnswerCache(lambda: self.now.timestamp()),
        )
        self.reconciler = self.controller(clients)

    def controller(self, clients: Clients | None = None, ahead: timedelta = timedelta()) -> Reconciler:
        """Another process of the controller. ahead: of its machine's clock."""
        clients = clients or self.reconciler.clients
        return Reconciler(clients, Settings(poll=1), now=lambda: self.now + ahead, ticks=lambda: self.uptime)

    def _look_at_source(self, spec: ImportSpec, login: Login, count: bool) -> SourceSeen:
        assert (login.username, login.password) == ("user", "password")
        return self.source()

    def _before(self, call: AnyCall) -> None:
        self.calls[str(call)] += 1
        if call.mutates:
            self.wire.before()
        self.faults(call)

    def _after(self, call: AnyCall) -> None:
        if call.mutates:
            self.wire.after(call)

    # -- the user ----------------------------------------------------------------------------------------------------

    def apply(self, uid: str = UID, name: str = "readings", **changes: Any) -> None:
        """Creates the import of factories.SPEC, with changes by dotted path."""
        metadata = {"name": name, "uid": uid, "finalizers": [FINALIZER]}
        document = {"metadata": metadata, "spec": changed(deepcopy(SPEC), changes)}
        self.memories.pop(name, None)
        self.api.add(PLURAL, document)

    def edit(self, name: str = "readings", **changes: Any) -> None:
        found = self.read(name)
        self.api.change(found, {**found, "spec": changed(deepcopy(found["spec"]), changes)})

    def delete(self, name: str = "readings") -> None:
        self.api.remove(PLURAL, name)

    def read(self, name: str = "readings") -> Document:
        found = self.api.get(PLURAL, name)
        assert found is not None, f"import {name} is gone"
        return found

    def gone(self, name: str = "readings") -> bool:
        return self.api.get(PLURAL, name) is None

    # -- the time ------------------------------------------------------------------------------------------------------

    def tick(self, seconds: float = 1) -> None:
        """Time passes: AWS, Flink and Kubernetes do their part."""
        with self.api.lock, self.aws.lock:
            self._tick(seconds)

    def _tick(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.uptime += seconds
        self.aws.dynamodb.pass_time(seconds)
        self.aws.s3.now = self.now
        self.flink.second(self.now)
        self.api.collect_garbage()

    def set_clock(self, by: timedelta) -> None:
        """Somebody sets the clocks of all machines; no time passes."""
        self.now += by

    # -- the controller ------------------------------------------------------------------------------------------------

    def run_pass(self, name: str = "readings", uid: str | None = None) -> Outcome | None:
        """One pass, as the operator runs it; None where it died. A crash costs the memory and nothing else."""
        uid = uid or self.read(name)["metadata"]["uid"]
        self.aws.activate()
        try:
            outcome = self.reconciler.run_pass("default", name, uid, self.memories.get(name))
        except Crash:
            self.memories.pop(name, None)
            self.reconciler = replace(self.reconciler)  # a new process
            return None
        told = [outcome.trouble.reason if outcome.trouble else None, *(e.reason for e in outcome.events)]
        assert self.surprises or "UnexpectedError" not in told, f"a bug, of the controller or the fakes: {outcome}"
        self.memories[name] = outcome.last_action
        found = self.api.get(PLURAL, name)
        if outcome.release and found and "deletionTimestamp" in found["metadata"]:
            self.api.set_finalizers(found, [])
        return outcome

    def drive(self, until: Callable[[Outcome], bool], name: str = "readings", passes: int = 120) -> Outcome:
        """Passes until the condition holds, each when the one before asked for it (a trouble: in a second)."""
        for _ in range(passes):
            outcome = self.run_pass(name)
            if outcome and until(outcome):
                return outcome
            self.tick(max(1, outcome.requeue or 1) if outcome else 1)
        raise AssertionError(f"not there after {passes} passes: {self.status(name)}")

    def run_to_end(self, name: str = "readings") -> None:
        """Until the import has ended and nothing is left to do."""
        self.drive(lambda o: self.ended(name) and o.requeue is None and o.trouble is None, name)

    def remove(self, name: str = "readings") -> None:
        """Deletes the import and lets the controller do its part until it is gone."""
        self.delete(name)
        self.drive(lambda _: self.gone(name), name)

    def idle(self, passes: int = 10, name: str = "readings") -> int:
        """Passes when everything is done; how many mutations they made."""
        before = self.wire.count
        for _ in range(passes):
            self.run_pass(name)
            self.tick()
        return self.wire.count - before

    # -- what there is -----------------------------------------------------------------------------------------------

    def status(self, name: str = "readings") -> Document:
        found = self.api.get(PLURAL, name) or {}
        status: Document = found.get("status", {})
        return status

    def conditions(self, name: str = "readings") -> dict[str, str]:
        return {c["type"]: c["status"] for c in self.status(name).get("conditions", [])}

    def condition(self, type_: str, name: str = "readings") -> Document:
        found = [c for c in self.status(name).get("conditions", []) if c["type"] == type_]
        return found[0] if found else {}

    def ended(self, name: str = "readings") -> bool:
        conditions = self.conditions(name)
        return "True" in (conditions.get("Complete"), conditions.get("Failed"))

    def snapshot(self) -> Document:
        """What there is, without times: the end state that every fault must lead to."""
        return {
            "buckets": {name: _runs(self.aws.s3.keys(name)) for name in self.aws.s3.buckets},
            "tables": {name: _timeless(asdict(table)) for name, table in self.aws.dynamodb.tables.items()},
            "scaling": (dict(self.aws.scaling.targets), deepcopy(self.aws.scaling.policies)),
            "flinkDeployments": self.api.names("flinkdeployments"),
            "clusters": self.flink.running(),
            "configMaps": self.api.names("configmaps"),
            "statuses": {name: _timeless(self.status(name)) for name in self.api.names(PLURAL)},
        }


def changed(spec: Document, changes: dict[str, Any]) -> Document:
    """The spec with changes by dotted path; None takes the field away."""
    for path, value in changes.items():
        node = spec
        *parents, last = path.split(".")
        for part in parents:
            node = node.setdefault(part, {})
        node[last] = value
        if value is None:
            with suppress(KeyError):
                del node[last]
    return spec


def difference(one: Any, other: Any, where: str = "") -> str | None:
    """The first place where two snapshots differ; None where they are equal."""
    if isinstance(one, list) and isinstance(other, list):
        one, other = dict(enumerate(one)), dict(enumerate(other))
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return None if one == other else f"{where}: {one!r} and {other!r}"
    for key in {**one, **other}:
        if key not in one or key not in other:
            return f"{where}.{key}: only in the {'first' if key in one else 'second'}"
        if told := difference(one[key], other[key], f"{where}.{key}"):
            return told
    return None


def _runs(keys: list[str]) -> list[str]:
    """The kinds of files below each run, and every other key as it is: which checkpoints there are is no end state."""
    return sorted({key.split("/checkpoints/")[0] + "/checkpoints/" if "/checkpoints/" in key else key for key in keys})


def _timeless(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _timeless(value) for key, value in node.items() if key not in _TIMES}
    if isinstance(node, list):
        items = [_timeless(item) for item in node]
        return sorted(items, key=str)
    return node
