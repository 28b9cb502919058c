"""What a pass sees of the world, in this project's words. observe.py fills it, decide.py reads it.

Each facet is what was seen, None where it was not looked at, or Trouble where the world did not let itself be
seen. Nothing here does I/O.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from lindorm_import.api.status import Kind, Resource, TableSettings, Throttling
from lindorm_import.domain.pods import PodSeen, PodsSeen
from lindorm_import.domain.trouble import Trouble


@dataclass(frozen=True)
class Login:
    """What the Secret holds for Lindorm. ca: the certificate of the authority to trust, as PEM, where it is there."""

    username: str
    password: str = field(repr=False)
    ca: str | None = None


@dataclass(frozen=True)
class Column:
    """A Lindorm column; type as DESCRIBE says it, e.g. DECIMAL(10,2)."""

    name: str
    type: str


@dataclass(frozen=True)
class KeyColumn:
    name: str
    order: Literal["ASC", "DESC"]


@dataclass(frozen=True)
class SourceSeen:
    """The Lindorm table. rows: in the range, None where Lindorm could neither count nor estimate them in time;
    rows_error_percent: half the width of the 95 % interval of an estimate, None for a count; sample: some rows of the
    range (column -> value), empty for an empty range; key_hash: the function that the primary key begins with, as
    hash32(device), None for none."""

    columns: tuple[Column, ...]
    primary_key: tuple[KeyColumn, ...]
    rows: int | None = None
    rows_error_percent: int | None = None
    sample: tuple[Mapping[str, Any], ...] = ()
    key_hash: str | None = None


@dataclass(frozen=True)
class BucketSeen:
    """A bucket. created_at: when S3 says it was made."""

    exists: bool
    owner_uid: str | None = None
    created_at: datetime | None = None
    empty: bool = False


@dataclass(frozen=True)
class TableKey:
    name: str
    type: Literal["S", "N", "B"]


Role = Literal["Partition", "Sort"]


@dataclass(frozen=True)
class IndexKey:
    """An attribute that is a key of a secondary index, or one of several: which index, and what it has to be."""

    index: str
    name: str
    type: Literal["S", "N", "B"]
    role: Role


@dataclass(frozen=True)
class TableIndex:
    """A secondary index. key: its key attributes; projected: further attributes it holds, None for all; write_units:
    a provisioned global index's own, which is beside the table's."""

    name: str
    key: tuple[str, ...]
    projected: tuple[str, ...] | None
    local: bool = False
    write_units: int | None = None


@dataclass(frozen=True)
class TableSeen:
    """A DynamoDB table; exists=False where there is none. owner_uid and point_in_time_recovery are only looked at
    before the start and on deletion; read_units (0 on demand), max_read_units and warm_reads are what an update has to
    repeat.

    warm_writes: write units a second that the table takes at once; warming: it is being raised. scaling_target: the
    percentage that this import's own scaling policy aims at, None where there is no such policy. decreases: how often
    its provisioned capacity was lowered on this UTC day, decreased_at: when last.
    """

    exists: bool
    arn: str = ""
    table_id: str | None = None
    created_at: datetime | None = None
    status: str = ""
    partition: TableKey | None = None
    sort: TableKey | None = None
    owner_uid: str | None = None
    settings: TableSettings = field(default_factory=lambda: TableSettings(mode="OnDemand"))
    read_units: int = 1
    max_read_units: int | None = None
    warm_reads: int | None = None
    warm_writes: int | None = None
    warming: bool = False
    scaling_target: int | None = None
    decreases: int = 0
    decreased_at: datetime | None = None
    protected: bool = False
    indexes: tuple[TableIndex, ...] = ()
    index_keys: tuple[IndexKey, ...] = ()
    point_in_time_recovery: bool = False


@dataclass(frozen=True)
class VirtualClusterSeen:
    """EMR on EKS's registration of a namespace; exists=False for an unknown id."""

    exists: bool
    state: str = ""
    namespace: str = ""


@dataclass(frozen=True)
class PermissionsSeen:
    """What asking, without doing, says of permissions. denied: surely missing; doubtful: denied by the role's own
    policies, but a policy of the resource may allow it, or nobody may be asked. Each in words."""

    denied: tuple[str, ...] = ()
    doubtful: tuple[str, ...] = ()


@dataclass(frozen=True)
class DeploymentSeen:
    """A FlinkDeployment, as the Flink operator reports it:
    https://nightlies.apache.org/flink/flink-kubernetes-operator-docs-main/docs/custom-resource/reference/."""

    exists: bool
    uid: str = ""
    owner_uid: str | None = None
    deleting: bool = False
    generation: int = 0
    observed_generation: int = 0
    settings: str | None = None  # build.settings_hash of what it was made from; None: of a release without it
    wanted_state: str = "running"
    lifecycle: str = ""
    reconciliation: str = ""
    job_manager: str = ""
    job_state: str = ""
    job_id: str | None = None
    error: str | None = None

    @property
    def finished(self) -> bool:
        """The job ended by itself. FINISHED alone also stands there after a suspend or a delete."""
        return (
            self.job_state == "FINISHED"
            and self.lifecycle == "STABLE"
            and self.reconciliation == "DEPLOYED"
            and self.generation == self.observed_generation
            and self.wanted_state == "running"
            and not self.deleting
        )

    @property
    def stopped(self) -> bool:
        """The Flink operator has suspended the job, as it was asked to."""
        return (
            self.wanted_state == "suspended"
            and self.lifecycle == "SUSPENDED"
            and self.generation == self.observed_generation
        )

    @property
    def failed(self) -> bool:
        return self.job_state == "FAILED" or self.lifecycle == "FAILED"


@dataclass(frozen=True)
class JobSeen:
    """What Flink's REST API says. Counts of rows and items are sums over subtasks, restored from the checkpoint after
    a failure; write_units (consumed) and throttled (refused writes) may start again at 0. None: not known (yet).
    state: Flink's word for it; counted_at: when the counts were taken, by the job's clock; failed: the job has ended
    so, which the Flink operator may never say (FLINK-37370); hopeless: the failure is one that the job itself says no
    retry can fix; ended_pod: the TaskManager's pod that ended and made it fail, as Flink saw it."""

    state: str = ""
    counted_at: datetime | None = None
    rows_read: int | None = None
    items_written: int | None = None
    rows_rejected: int | None = None
    write_units: int | None = None
    throttled: int | None = None
    restarts: int = 0
    checkpoint: str | None = None
    checkpoint_time: datetime | None = None
    failure: str | None = None
    failed: bool = False
    hopeless: bool = False
    ended_pod: PodSeen | None = None

    @property
    def goes_on(self) -> bool:
        """The JobManager itself says that the job has not ended (org.apache.flink.api.common.JobStatus)."""
        return self.state not in ("", "FINISHED", "CANCELED", "FAILED", "SUSPENDED")


@dataclass(frozen=True)
class FilesResult:
    """What result.json says of the files of a load."""

    objects: int
    text_bytes: int
    stored_bytes: int
    manifest_sha256: str


@dataclass(frozen=True)
class FilesSeen:
    """The files of a load, compared with their manifest: items and bytes by the manifest, stored_bytes and objects by
    the listing. problem: the first difference and how many there are, in words; None where they are the same."""

    items: int = 0
    text_bytes: int = 0
    stored_bytes: int = 0
    objects: int = 0
    problem: str | None = None


LoadState = Literal["Running", "Completed", "CompletedWithErrors", "Cancelling", "Cancelled", "Failed"]


@dataclass(frozen=True)
class LoadSeen:
    """An ImportTable or a bulk put. table: its name; processed: items read, the failed ones included; text_bytes: what
    ImportTable has read, uncompressed, None of a bulk put; errors: some of what could not be loaded, in words."""

    arn: str
    state: LoadState
    table: str
    table_id: str | None
    bucket: str
    prefix: str
    started_at: datetime | None = None
    ended_at: datetime | None = None
    processed: int = 0
    failed: int = 0
    text_bytes: int | None = None
    failure_code: str | None = None
    failure_message: str | None = None
    errors: tuple[str, ...] = ()

    @property
    def ended(self) -> bool:
        return self.state not in ("Running", "Cancelling")


@dataclass(frozen=True)
class ResultSeen:
    """result.json, the only proof of success (docs/contracts.md, "What the job leaves in S3")."""

    run_id: str
    rows_read: int
    items_written: int
    rows_rejected: int
    rejected_by_reason: dict[str, int] = field(default_factory=dict)
    files: FilesResult | None = None


@dataclass(frozen=True)
class OtherImport:
    """Another import whose spec names the same table (region and name) or the same bucket.

    started: it has got its run, so it may have looked at, made or written to what it names; one without has not, and
    looks before it does. deleting: it has its deletion timestamp; gone: it has been let go and does nothing any more.
    sets_capacity: its spec says something of the table's capacity; capacity_mode: which mode. resources: what its
    status says it uses, and whether it made it.
    """

    namespace: str
    name: str
    uid: str
    created_at: datetime
    uses_table: bool
    uses_bucket: bool
    started: bool = False
    ended: bool = False
    deleting: bool = False
    gone: bool = False
    sets_capacity: bool = False
    capacity_mode: str | None = None
    resources: tuple[Resource, ...] = ()

    def resource(self, kind: Kind) -> Resource | None:
        """The entry of that kind in its status."""
        return next((r for r in self.resources if r.kind == kind), None)

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True)
class Observed:
    """One look at the world.

    result: None also where there is none yet. checkpoint: newest retained one of the run. staged: objects of the run
    that deleting the import has to remove (counted up to one page). config: the run's ConfigMap exists; None where it
    was not looked at. rates: what the ConfigMap of the rates says, "" where there is none. others: the imports that
    name the same table or bucket, in the order of their creation, as the API server has them at this moment and as far
    as this controller sees them: in the namespaces that it watches, so none of other clusters or other controllers.
    pods: looked at only while the job does not run.
    files: looked at before a load is started; loads: those that read this run's files, where it is not known which is
    ours; load: that one.
    last_action: why the last action of the pass before did not work; forgotten when the controller restarts.
    """

    source: Trouble | SourceSeen | None = None
    bucket: Trouble | BucketSeen | None = None
    table: Trouble | TableSeen | None = None
    deployment: Trouble | DeploymentSeen | None = None
    config: Trouble | bool | None = None
    rates: Trouble | str | None = None
    permissions: PermissionsSeen | None = None
    job: JobSeen | None = None
    pods: Trouble | PodsSeen | None = None
    result: Trouble | ResultSeen | None = None
    checkpoint: Trouble | str | None = None
    staged: Trouble | int = 0
    virtual_cluster: Trouble | VirtualClusterSeen | None = None
    throttling: Throttling | None = None
    dashboard: Trouble | bool | None = None
    others: Trouble | tuple[OtherImport, ...] | None = None
    files: Trouble | FilesSeen | None = None
    loads: Trouble | tuple[LoadSeen, ...] | None = None
    load: Trouble | LoadSeen | None = None
    last_action: Trouble | None = None

    def after(self, last_action: Trouble | None) -> "Observed":
        """The same look, with the outcome of the pass before."""
        return replace(self, last_action=last_action)
