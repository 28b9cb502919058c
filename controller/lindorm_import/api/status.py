"""What a user sees: the status of a LindormImport. It is also the controller's write-ahead log:
names of what will be created stand here before anything is created."""

from datetime import datetime
from typing import Literal, get_args

from pydantic import Field

from lindorm_import.api.base import StatusModel
from lindorm_import.api.conditions import Condition
from lindorm_import.api.modes import CapacityMode

Cause = Literal["KeyRange", "Provisioned", "OnDemandMaximum", "Account", "Unknown"]
CAUSES: tuple[Cause, ...] = get_args(Cause)
Kind = Literal["Bucket", "Table"]
Origin = Literal["Created", "Adopted"]
DeletionPolicy = Literal["Retain", "Delete"]
# The summary of an import that has been let go: whoever finds it does nothing any more.
DELETED = "Deleted"
# The API server fills it in: the generation that the controller has seen of an import that it has not seen.
NOT_SEEN = -1


class ActivePass(StatusModel):
    """A pass of a controller that may be changing something outside Kubernetes."""

    by: str = Field(description="The controller's process, and the number of the pass.")
    until: datetime = Field(description="It sends no request after this time.")


class Run(StatusModel):
    """The one run of this import. Names derive from the import's UID."""

    id: str
    deployment: str = Field(description="Name of the FlinkDeployment and of the job's ConfigMap.")
    prefix: str = Field(description="s3://bucket/… below which the run keeps its files.")
    start_time: datetime | None = None
    active_since: datetime | None = Field(
        None, description="Start or last resume: budget.maxDuration counts from here."
    )
    completion_time: datetime | None = None


class PlanIndex(StatusModel):
    """What a secondary index of an existing table adds to each row."""

    name: str
    write_units_per_item: str
    item_bytes: int
    local: bool = False


class PlanStatus(StatusModel):
    """What was planned before the start."""

    rows: int | None = Field(None, description="Rows in the range; absent when Lindorm could not tell in time.")
    rows_error_percent: int | None = Field(
        None,
        description="Half the width of the 95 % interval where rows is an estimate; absent where they were counted.",
    )
    item_bytes: int | None = Field(None, description="Mean size of an item, from a sample of rows.")
    line_bytes: int | None = Field(None, description="Mean size of an item as a line of a file, from the same rows.")
    write_units_per_item: str | None = Field(None, description="Mean for one row, in the table alone.")
    indexes: tuple[PlanIndex, ...] = Field((), description="What each secondary index of an existing table adds.")
    write_units: int | None = Field(None, description="In all, secondary indexes included.")
    write_units_per_second: int | None = Field(None, description="What the table takes.")
    duration_seconds: int | None = None
    cost_usd: str | None = Field(None, alias="costUSD", description="DynamoDB's part: writes and warming.")
    total_usd: str | None = Field(
        None, alias="totalUSD", description="With EMR, EKS, EC2 and S3: what the budget is compared with."
    )
    recommended: str | None = Field(None, description="The way to take; `lindorm-import plan` says why.")
    parallelism: int
    task_managers: int
    checkpoint_seconds: int | None = Field(None, description="Between checkpoints, where the job writes files.")
    prices_as_of: str


class Mark(StatusModel):
    """What the job had counted at a time, by its own clock: what a rate is measured from."""

    at: datetime
    rows_read: int


class Progress(StatusModel):
    """Counts of the run; they never go back."""

    rows_read: int = 0
    items_written: int = Field(0, description="Acknowledged by DynamoDB, as of the last checkpoint.")
    items_rejected: int = 0
    items_loaded: int | None = Field(None, description="Of the items in files: loaded by DynamoDB, where it tells.")
    percent: int | None = None
    rows_per_second: int | None = Field(
        None, description="Rows read a second over the last minutes; 0 when nothing has moved for three."
    )
    estimated_completion_time: datetime | None = Field(None, description="At that rate.")
    eta: str | None = Field(None, description="The same for kubectl get: the time in UTC, and how long that is.")
    observed_at: datetime | None = None
    advanced_at: datetime | None = Field(None, description="When a look last found more than the one before.")
    marks: tuple[Mark, ...] = ()

    def at_rest(self) -> "Progress":
        """The counts of a job that does not run: no rate, and none is measured across the pause."""
        none = ("rows_per_second", "estimated_completion_time", "eta", "advanced_at")
        return self.model_copy(update={**dict.fromkeys(none), "marks": ()})


class Moment(StatusModel):
    """The counts at one time of the run."""

    at: datetime
    rows_read: int
    items_written: int
    write_units: int = Field(0, description="Consumed a second, lately.")
    throttled: int = Field(0, description="Throttled writes since the start.")


class Throttling(StatusModel):
    """The load on DynamoDB: counts from the job at once, the cause from CloudWatch (one to three minutes late)."""

    events: int = 0
    events_per_minute: int = 0
    cause: Cause | None = None
    consumed_write_units: int = Field(0, description="A second, lately.")
    observed_at: datetime | None = Field(None, description="When CloudWatch was asked.")
    job_events: int | None = Field(None, description="The job's own counter as last seen; starts again with the job.")
    job_write_units: int | None = Field(None, description="The same, of write units.")
    job_observed_at: datetime | None = None


class Spending(StatusModel):
    """What the import has cost so far, at the plan's prices: units consumed while the table is on demand, units
    provisioned while it is provisioned (of an existing table, above what it had), warming, and the job's pods."""

    cost_usd: str = Field("0.00", alias="costUSD")
    table_usd: str = Field("0.00", alias="tableUSD", description="DynamoDB's part of it.")
    loaded_bytes: int = Field(0, description="Read by ImportTable or a bulk put, the one that runs included.")
    write_units: int = Field(0, description="Consumed on demand.")
    provisioned_unit_seconds: int = Field(0, description="Provisioned write units, times the seconds they stood.")
    warmed_from: int | None = Field(None, description="Write units a second that the table took at once before.")
    warmed_units: int = Field(0, description="What warming has added to that.")
    job_seconds: int = Field(0, description="How long the job's pods have stood.")
    job_write_units: int | None = Field(None, description="The job's own counter as last seen.")
    observed_at: datetime


class Crashes(StatusModel):
    """Ends of the JobManager that nobody asked for, since the import got further last."""

    count: int
    since: datetime = Field(description="The first.")
    last: datetime = Field(description="The last.")
    down: bool = Field(description="The last has been counted, and no JobManager has started since.")


class JobStatus(StatusModel):
    """The Flink job as last seen."""

    state: str
    job_id: str | None = None
    restarts: int = 0
    last_checkpoint: str | None = Field(None, description="S3 address of the last completed checkpoint.")
    last_checkpoint_time: datetime | None = None
    failure: str | None = None
    attempts: int = Field(1, description="How often the job has been submitted.")
    failed_deployment_uid: str | None = Field(
        None,
        alias="failedDeploymentUID",
        description="UID of the last FlinkDeployment that failed: it is deleted before the job is submitted again.",
    )
    retry_after: datetime | None = Field(None, description="No new submission before this time.")
    waiting_since: datetime | None = Field(None, description="Since when the job neither runs nor has finished.")
    job_manager: str | None = Field(
        None, description="What the Flink operator says of the JobManager: READY, DEPLOYING, ERROR, …"
    )
    broken_since: datetime | None = Field(None, description="Since when the JobManager is ERROR without a break.")
    crashes: Crashes | None = None
    finished_since: datetime | None = Field(None, description="Since when Flink says that the job has finished.")


class KeyAttribute(StatusModel):
    """A key attribute of the table that is going to be made."""

    name: str
    type_: Literal["S", "N", "B"] = Field(alias="type")


class LoadStatus(StatusModel):
    """Items that get into the table through files. What it is going to do stands here before it is done; an attempt
    that has ended without success leaves its ARN in `ended`, and the next begins without arn and intended_at."""

    method: Literal["ImportTable", "BulkPut"]
    partition: KeyAttribute
    sort: KeyAttribute | None = None
    items: int | None = Field(None, description="In the files; absent until all are written.")
    bytes_: int | None = Field(None, alias="bytes", description="Of their lines, uncompressed: what AWS bills.")
    objects: int | None = None
    stored_bytes: int | None = None
    manifest_sha256: str | None = Field(None, description="Of the list of the files, as result.json has it.")
    attempts: int = Field(1, description="How often the load has been started.")
    retry_after: datetime | None = Field(None, description="No new attempt before this time.")
    intended_at: datetime | None = Field(None, description="Since when this attempt may have been asked for.")
    write_units: int | None = Field(None, description="BulkPut: the most a second, as this attempt was asked for.")
    arn: str | None = Field(None, description="Of the import or bulk operation of this attempt.")
    table_id: str | None = Field(None, description="DynamoDB's TableId of the table that it writes to.")
    state: str | None = Field(None, description="What DynamoDB says of it.")
    started_at: datetime | None = None
    ended_at: datetime | None = None
    loaded_items: int | None = Field(None, description="BulkPut: so far; ImportTable tells it when it has ended.")
    failed_items: int | None = None
    billed_bytes: int = Field(0, description="What all attempts that have ended have read.")
    ended: tuple[str, ...] = Field((), description="ARNs of attempts that have ended.")
    failure: str | None = Field(None, description="Why the last attempt was no success.")
    done: bool = Field(False, description="All items are in the table: counts and bytes are those of the files.")


class TableSettings(StatusModel):
    """A table's write capacity. write_units: provisioned units, or the on-demand maximum (absent: none);
    scaling_*: Application Auto Scaling's bounds, where it is registered."""

    mode: CapacityMode
    write_units: int | None = None
    scaling_min: int | None = None
    scaling_max: int | None = None


class Holder(StatusModel):
    """Another import, which sets the capacity of the table that both use: its namespace/name, and copies of what it
    has noted."""

    name: str
    before: TableSettings | None = None
    during: tuple[TableSettings, ...] = ()


class Resource(StatusModel):
    """Something outside Kubernetes that the import uses, and whether it made it.

    before: an existing table's settings, which come back when the import ends; during: what the import has set since,
    or was about to, the latest last; settings_restored: the settings are back (or the created table has what
    capacity.after says), and the import no longer touches it. waits_for: the import that sets the table's capacity now;
    this one takes it as it is. inherits: what an import that has gone without restoring it would have restored.
    """

    kind: Kind
    name: str
    origin: Origin
    arn: str | None = None
    intended_at: datetime | None = Field(
        None, description="Since when this import has been going to create it; written before it does."
    )
    created_at: datetime | None = Field(
        None, description="When AWS says that it was made, which tells it from a later one of its name."
    )
    table_id: str | None = Field(None, description="DynamoDB's TableId, the same for a table.")
    made_by: str | None = Field(
        None,
        description="UID of an import that made it and was deleted while this one used it: if this one is the last to "
        "use it, its own deletionPolicy decides.",
    )
    deletion_policy: DeletionPolicy
    before: TableSettings | None = None
    during: tuple[TableSettings, ...] = ()
    waits_for: Holder | None = None
    inherits: TableSettings | None = None
    settings_restored: bool = False

    @property
    def holds(self) -> bool:
        """Whether the import is the one that sets the table's capacity."""
        return (self.origin == "Created" or self.before is not None) and not self.settings_restored


class Results(StatusModel):
    """Where the evidence is."""

    result: str
    rejects: str
    rows_read: int
    items_written: int
    rows_rejected: int
    rejected_by_reason: dict[str, int] = Field(default_factory=dict)


class Dashboard(StatusModel):
    """The import's dashboard in CloudWatch."""

    name: str
    url: str


class ImportStatus(StatusModel):
    """The status of a LindormImport."""

    observed_generation: int | None = Field(
        None, description="Of the spec that the controller has seen last; -1 before it has seen any."
    )
    observed_at: datetime | None = Field(
        None, description="When this was written, in the import's time: nothing in it is later, and it never goes back."
    )
    summary: str | None = Field(None, description="One word for kubectl get: Preparing, Running, Complete, …")
    conditions: tuple[Condition, ...] = ()
    run: Run | None = None
    plan: PlanStatus | None = None
    progress: Progress | None = None
    history: tuple[Moment, ...] = Field((), description="Some moments of the run, for the report.")
    throttling: Throttling | None = None
    spending: Spending | None = None
    job: JobStatus | None = None
    load: LoadStatus | None = None
    resources: tuple[Resource, ...] = ()
    results: Results | None = None
    dashboard: Dashboard | None = None
    active_passes: tuple[ActivePass, ...] = Field(
        (), description="Passes that may still be changing something; nothing is final before their time is over."
    )

    def resource(self, kind: Kind) -> Resource | None:
        """The entry of that kind; an import uses one bucket and one table."""
        return next((r for r in self.resources if r.kind == kind), None)
