"""What a real operator wrote into FlinkDeployments, and what the stand-in decides in the same cases, in one form.

tests/data/flink-operator-1.10.0-statuses.jsonl holds what upstream's 1.10.0 (one deployment: 1.7.0) wrote while it ran
imports on a real kubelet: a line for each change of a FlinkDeployment that a watch told.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from local.bootstrap import REPOSITORY
from local.flink import status
from local.flink.decide import reconcile
from local.flink.model import (
    FINALIZER,
    UPSTREAM,
    AddFinalizer,
    Cancel,
    DeleteCluster,
    Job,
    Json,
    Outcome,
    RemoveFinalizer,
    Seen,
    Submit,
    WriteStatus,
)

RECORDINGS = REPOSITORY / "tests" / "data" / "flink-operator-1.10.0-statuses.jsonl"
JOB_ID = "a" * 32


class Shape(NamedTuple):
    """What the controller reads of a FlinkDeployment: its status, and whether that is about the present spec."""

    lifecycle: str
    job_manager: str
    job: str
    reconciliation: str
    wanted: str
    """`spec.job.state`, or `deleted`."""
    generation: str
    """`seen`, or `behind` the spec's."""


NEW = Shape("-", "-", "-", "-", "running", "behind")
GONE = Shape("-", "-", "-", "-", "deleted", "gone")
Step = tuple[Shape, Shape]


def shape(found: Json, generation: int, wanted: str) -> Shape:
    """found: the status, {} where there is none."""
    if not found:
        return NEW
    reconciliation = found["reconciliationStatus"]
    observed = found.get("observedGeneration") or status.spec_generation(reconciliation.get("lastReconciledSpec"))
    return Shape(
        found["lifecycleState"],
        found["jobManagerDeploymentStatus"],
        found["jobStatus"].get("state", "-"),
        reconciliation["state"],
        wanted,
        "seen" if observed == generation else "behind",
    )


def recorded_steps() -> set[Step]:
    """Every change from one shape to another in the recordings."""
    steps: set[Step] = set()
    last: dict[str, Shape] = {}
    for line in RECORDINGS.read_text().splitlines():
        row: Json = json.loads(line)
        wanted = "deleted" if row["deleting"] else row["spec"]["job"]["state"]
        now = GONE if row["type"] == "DELETED" else shape(row["status"] or {}, row["generation"], wanted)
        before = last.get(row["name"], now)
        if row["type"] != "ADDED" and before != now:
            steps.add((before, now))
        last[row["name"]] = now
    return steps


@dataclass
class Cluster:
    """A FlinkDeployment and its cluster, which a scenario drives and the stand-in's operator looks at."""

    resource: Json
    pod: str = "none"
    """The JobManager's: none, starting, waiting (for its back-off), pulling (in vain), up."""
    job: str | None = None
    """The state that Flink tells; None: it knows no such job."""
    ha_metadata: bool = False
    """Whether Flink's ConfigMap of the job is there: from its submission on, until it has ended."""
    checkpoints: bool = False
    generation: int = 0
    """Of the spec that is deployed."""
    shapes: list[Shape] = field(default_factory=lambda: [NEW])

    def happen(self, event: str) -> None:
        """A pod's state, a job's state (in capitals), or what a user does: suspend, resume, delete."""
        meta = self.resource["metadata"]
        if event in ("suspend", "resume"):
            meta["generation"] += 1
            self.resource["spec"]["job"]["state"] = "suspended" if event == "suspend" else "running"
            self._note()
        elif event == "delete":
            meta |= {"generation": meta["generation"] + 1, "deletionTimestamp": "2026-01-01T00:00:00Z"}
            self._note()
        elif event.isupper():
            self.job, self.ha_metadata = event, event not in status.GLOBALLY_TERMINAL
            self.checkpoints |= event == "RUNNING"
        else:
            self.pod, self.job = event, None

    def look(self) -> None:
        """A pass of the operator, and what comes of it."""
        outcome: Outcome = reconcile(self.resource, self._seen(), 1, JOB_ID, {}, UPSTREAM)
        for action in outcome.actions:
            match action:
                case AddFinalizer(spec):
                    meta = self.resource["metadata"]
                    meta |= {"finalizers": [FINALIZER], "generation": meta["generation"] + 1}
                    self.resource["spec"] = spec
                    return
                case RemoveFinalizer():
                    self.resource = {}
                    self.shapes.append(GONE)
                    return
                case WriteStatus(written):
                    self.resource["status"] = written
                    self._note()
                case Submit():
                    self.pod, self.job, self.generation = "starting", None, action.generation
                case Cancel():
                    self.happen("CANCELED")
                case DeleteCluster():
                    self.pod, self.job = "none", None
                    if action.ha_metadata:
                        self.ha_metadata = self.checkpoints = False
        self.resource["status"] = outcome.status
        self._note()

    def _note(self) -> None:
        meta = self.resource["metadata"]
        wanted = "deleted" if meta.get("deletionTimestamp") else self.resource["spec"]["job"]["state"]
        now = shape(self.resource.get("status") or {}, meta["generation"], wanted)
        if now != self.shapes[-1]:
            self.shapes.append(now)

    def _seen(self) -> Seen:
        seen = Seen(ha_metadata=self.ha_metadata, ha_checkpoint=self.ha_metadata and self.checkpoints)
        if self.pod == "none":
            return seen
        seen = replace(seen, deployed_generation=self.generation)
        if self.pod in _WAITING:
            return replace(seen, waiting=_WAITING[self.pod])
        if self.pod == "starting":
            return seen
        jobs = () if self.job is None else (Job(JOB_ID, "import", self.job, 1),)
        return replace(seen, port_ready=True, jobs=jobs)


_WAITING = {
    "waiting": ("CrashLoopBackOff", "back-off 10s restarting failed container=flink-main-container"),
    "pulling": ("ErrImagePull", "failed to pull and unpack image"),
}


def made_steps(deployment: Json, scenario: str) -> set[Step]:
    """Every change from one shape to another that the stand-in makes in a scenario.

    deployment: as the controller creates it. scenario: what happens, in order; the operator looks after each word until
    nothing changes any more, but not between words joined by a +, and a ! stands for a single look.
    """
    cluster = Cluster(copy.deepcopy(deployment))
    _settle(cluster)
    for word in scenario.split():
        if word == "!":
            cluster.look()
            continue
        once = word.endswith("!")
        for event in word.rstrip("!").split("+"):
            cluster.happen(event)
        if once:
            cluster.look()
        else:
            _settle(cluster)
    return set(zip(cluster.shapes, cluster.shapes[1:], strict=False))


def _settle(cluster: Cluster) -> None:
    """Look until a look changes nothing."""
    for _ in range(10):
        before = copy.deepcopy(cluster.resource)
        cluster.look()
        if cluster.resource in ({}, before):
            return
    raise AssertionError(f"the operator never comes to rest: {cluster.shapes[-4:]}")
