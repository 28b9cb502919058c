"""What the operator sees of a cluster, and what it can do to one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

GROUP, VERSION, PLURAL = "flink.apache.org", "v1beta1", "flinkdeployments"
API_VERSION = f"{GROUP}/{VERSION}"
FINALIZER = "flinkdeployments.flink.apache.org/finalizer"


@dataclass(frozen=True)
class Release:
    """In what operators differ, as far as whoever made a FlinkDeployment can notice."""

    emr: bool = True
    """EMR's: knows EMR's fields, has rules of its own for them, and fills in the service account. The upstream one
    writes the spec back without what it does not know when it adds its finalizer, so that a new resource gets
    generation 2; EMR's, which knows more, perhaps not (never seen)."""
    observed_generation: bool = True
    """Since 1.8 (EMR 7.2). Before, the generation stands in lastReconciledSpec only."""


EMR = Release()
UPSTREAM = Release(emr=False)
UPSTREAM_1_7 = Release(emr=False, observed_generation=False)


@dataclass(frozen=True)
class Job:
    """One entry of Flink's job overview (`/jobs/overview`)."""

    id: str
    name: str
    state: str
    start_time: int


@dataclass(frozen=True)
class Failure:
    """Why a job failed, from `/jobs/<id>/execution-result`: the exception's class and message, and its causes."""

    type: str
    message: str
    causes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Seen:
    """One look at a cluster. The default is: there is none."""

    deployed_generation: int | None = None
    """The generation of the spec that the JobManager's deployment was made from; None: no deployment."""
    port_ready: bool = False
    """Whether the JobManager's REST port takes connections."""
    waiting: tuple[str, str] | None = None
    """Reason and message of the JobManager container's waiting state, where that is an error."""
    jobs: tuple[Job, ...] | None = None
    """The job overview; None: the REST API does not answer."""
    failure: Failure | None = None
    """Why the job failed, where the overview says FAILED."""
    last_checkpoint: str | None = None
    """Where the latest completed checkpoint is, of a job that has ended."""
    checkpoints_error: str | None = None
    """Why Flink would not say so."""
    ha_metadata: bool = False
    """Whether the job's HA ConfigMap exists."""
    ha_checkpoint: bool = False
    """Whether that ConfigMap knows a checkpoint."""
    cluster_info: Json = field(default_factory=dict)


# --- actions, in the order in which a pass wants them done ---


@dataclass(frozen=True)
class AddFinalizer:
    """Put the operator's finalizer on the resource, and with it this spec in place of the one that is there."""

    spec: Json | None = None


@dataclass(frozen=True)
class RemoveFinalizer:
    """Take it off: the last step of a deletion."""


@dataclass(frozen=True)
class WriteStatus:
    """Write this status before going on: what a crash in the next action must find."""

    status: Json


@dataclass(frozen=True)
class Submit:
    """Start an application cluster from this spec."""

    spec: Json
    generation: int
    job_id: str
    savepoint: str | None
    require_ha_metadata: bool


@dataclass(frozen=True)
class Cancel:
    """Cancel the job by REST; with `quietly` a failure to do so is no error."""

    job_id: str
    quietly: bool


@dataclass(frozen=True)
class DeleteCluster:
    """End the cluster's processes; with `ha_metadata` remove its HA ConfigMaps as well."""

    ha_metadata: bool


@dataclass(frozen=True)
class Event:
    """A Kubernetes event on the FlinkDeployment."""

    type: str
    reason: str
    message: str


Action = AddFinalizer | RemoveFinalizer | WriteStatus | Submit | Cancel | DeleteCluster | Event


@dataclass(frozen=True)
class Outcome:
    """What one pass of the operator wants: actions in order, then this status."""

    actions: tuple[Action, ...]
    status: Json
