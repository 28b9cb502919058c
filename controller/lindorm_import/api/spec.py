"""What a user writes: the spec of a LindormImport.

Everything has a default except source.url, source.table, source.credentials, source.timeRange,
target.region, target.table and staging.bucket. Rules that one document can break are checked here and, by the
CRD generated from these models (api/crd.py), at admission; what only the world can tell becomes a condition.
"""

import re
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from lindorm_import.api.base import SpecModel
from lindorm_import.api.change import Change
from lindorm_import.api.durations import DURATION_PATTERN, parse_duration
from lindorm_import.api.filters import check_filter
from lindorm_import.api.instants import EpochUnit, Instant, in_units, text_of
from lindorm_import.api.modes import CapacityMode, is_provisioned
from lindorm_import.api.paths import OWN_PATHS, OWN_PATHS_TOLD, Bucket, Prefix, S3Uri

AttributeType = Literal[
    "String", "Number", "Binary", "Boolean", "Iso8601", "EpochMillis", "EpochSeconds", "Json", "JsonDocument"
]

LoadMethod = Literal["BatchWrite", "ImportTable", "BulkPut"]
BULK_LEAST_UNITS = 1024  # StartBulkPutItems, MaxWriteRequestUnits (API reference)
IMPORT_CREATES_TOLD = (
    "load.method ImportTable makes the table, so target.create must be IfMissing: for a table that exists use "
    "BatchWrite or BulkPut"
)
IMPORT_CAPACITY_TOLD = (
    "load.method ImportTable uses no write capacity: leave out mode: Provisioned, writeUnits, warm and autoscaling; "
    "capacity.after says what the table is left with"
)
BULK_CAPACITY_TOLD = (
    "load.method BulkPut leaves the table's capacity as it is: of capacity only writeUnits has a meaning, the most "
    "write units a second that the operation may use"
)
BULK_UNITS_TOLD = f"load.method BulkPut takes capacity.writeUnits of {BULK_LEAST_UNITS} or more"

# At most some 44 years: now and a duration must be a time that there is.
CHECKPOINT_PATTERN = r"^([0-9]{1,3}h)?([0-9]{1,5}m)?([0-9]{1,7}s)?$"
MINIMUM_PROCESS_MEMORY = 1024  # MiB; below it Flink's own parts (metaspace, network, overhead) leave no heap
# Characters of all entries together. The whole import must fit into etcd's 1.5 MiB, beside what kubectl and the API
# server keep of it (last-applied-configuration, managedFields), and leave room for its status; a character is up to
# four bytes.
MAX_SPLIT_POINTS = 65536
MAX_ATTRIBUTES = 65536
MAX_COLUMNS = 32768
MAX_FLINK_CONFIGURATION = 32768
# Flink's settings go through a file of lines `key: value`: what looks like another line would be another setting, past
# who lets only some keys by.
SETTING_KEY = r"^[A-Za-z0-9$._-]{1,255}$"
SETTING_KEY_TOLD = "a key of flinkConfiguration is of A-Z a-z 0-9 $ . _ - and has at most 255 characters"
LINE_BREAK = r"[\n\r\u0085\u2028\u2029]"
LINE_BREAK_TOLD = "a value of flinkConfiguration is one line"
# A name as DNS has it, others in its own form (xn--…): nothing by which a driver reads more than one host (`a,b`),
# properties (`(host=a)`) or an escape (Connector/J's reference, "Connection URL Syntax"), and one reading everywhere.
_LABEL = r"[A-Za-z0-9_-]{1,63}"
# What drivers decode (% and +) or read as more than a name, one may read otherwise than another.
_DATABASE = r"[^/?#%+&;\\\x00-\x20\x7f]+"
_PORT = r"(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3})"
JDBC_PATTERN = rf"^jdbc:(mysql|lindorm)://{_LABEL}(\.{_LABEL})*\.?:{_PORT}/{_DATABASE}$"


def mebibytes(memory: str) -> int:
    """'4096m' -> 4096, '4g' -> 4096; the pattern has been checked by the model."""
    return int(memory[:-1]) * (1024 if memory.endswith("g") else 1)


def _bounded(what: str, characters: int, most: int) -> None:
    if characters > most:
        raise ValueError(f"{what} have more than {most} characters together")


Duration = Annotated[str, Field(pattern=DURATION_PATTERN, min_length=1, max_length=32)]
CheckpointDuration = Annotated[str, Field(pattern=CHECKPOINT_PATTERN, min_length=1, max_length=20)]


class Credentials(SpecModel):
    """Where the user name and password for Lindorm are."""

    secret_name: str = Field(
        min_length=1,
        max_length=253,
        description="A Secret in the import's namespace with the keys username and password.",
    )


class Tls(SpecModel):
    """How the connections to Lindorm are encrypted; the modes are those of MySQL's clients."""

    mode: Literal["Disabled", "Preferred", "Required", "VerifyCA", "VerifyIdentity"] = Field(
        "Preferred",
        description="Preferred: encrypted where Lindorm offers it. Required: or not at all. VerifyCA: also with a "
        "certificate that ca.crt, a third key of the Secret, vouches for (Lindorm's console has it). VerifyIdentity: "
        "and that names the host of the url.",
    )

    @property
    def verifies(self) -> bool:
        return self.mode in ("VerifyCA", "VerifyIdentity")


class TimeRange(SpecModel):
    """Rows with start <= column < end are imported; instants may be as fine as you like, whatever the column counts."""

    column: str = Field(
        min_length=1, max_length=255, description="The time column: a TIMESTAMP, or an integer with unit."
    )
    start: Instant = Field(description="First instant that is imported.")
    end: Instant = Field(description="End of the range (exclusive).")
    unit: EpochUnit | None = Field(None, description="What an integer column counts since 1970-01-01T00:00:00Z.")

    @model_validator(mode="after")
    def _start_before_end(self) -> Self:
        if self.start >= self.end:
            raise ValueError("start must be before end (the range is start <= t < end)")
        return self

    @model_validator(mode="after")
    def _fits_the_column(self) -> Self:
        first, end = in_units(self.start, self.unit), in_units(self.end, self.unit)
        if not -(2**63) <= first <= end < 2**63:
            raise ValueError(
                f"a column that counts {self.unit} holds no times before {text_of(-(2**63))} or after "
                f"{text_of(2**63 - 1)}: bring start and end within"
            )
        return self


class Source(SpecModel):
    """The Lindorm table and the rows of it to import."""

    url: Annotated[str, Change.FIXED] = Field(
        pattern=JDBC_PATTERN,
        max_length=512,
        description="jdbc:mysql://HOST:33060/DATABASE; jdbc:lindorm://HOST:PORT/DATABASE means the same.",
    )
    table: Annotated[str, Change.FIXED] = Field(min_length=1, max_length=255)
    credentials: Annotated[Credentials, Change.AT_RESUME]
    tls: Annotated[Tls, Change.FIXED] = Field(default_factory=Tls)
    columns: Annotated[list[Annotated[str, Field(min_length=1, max_length=255)]] | None, Change.FIXED] = Field(
        None,
        min_length=1,
        max_length=1000,
        description="Columns to import; default: all. The primary key is always read.",
    )
    time_range: Annotated[TimeRange, Change.FIXED]
    filter: Annotated[Annotated[str, AfterValidator(check_filter)] | None, Change.FIXED] = Field(
        None,
        min_length=1,
        max_length=4096,
        description="A further condition of SQL, ANDed: one expression, without comments. A quote within a text is "
        "written twice.",
    )
    page_size: Annotated[int, Change.FIXED] = Field(
        2000, ge=1, le=2000, description="Rows in one read; Lindorm serves at most 2,000."
    )
    max_rows_per_second: Annotated[int | None, Change.NOW] = Field(
        None, ge=1, le=1_000_000_000, description="Protects the source; shared by all readers."
    )
    split_points: Annotated[list[Annotated[str, Field(max_length=2048)]], Change.FIXED] = Field(
        default_factory=list,
        max_length=10000,
        description="Values of the first key column at which to split the table.",
    )

    @model_validator(mode="after")
    def _fits_into_the_object(self) -> Self:
        _bounded("splitPoints", sum(map(len, self.split_points)), MAX_SPLIT_POINTS)
        _bounded("columns", sum(map(len, self.columns or ())), MAX_COLUMNS)
        return self

    @property
    def host(self) -> str:
        return self.url.split("://", 1)[1].split("/", 1)[0].rsplit(":", 1)[0]

    @property
    def port(self) -> int:
        return int(self.url.split("://", 1)[1].split("/", 1)[0].rsplit(":", 1)[1])

    @property
    def database(self) -> str:
        return self.url.split("://", 1)[1].split("/", 1)[1]

    @property
    def mysql_url(self) -> str:
        return "jdbc:mysql://" + self.url.split("://", 1)[1]


class Key(SpecModel):
    """The target's key. A column name, or a template such as "{ts}#{seq}" that joins columns to a string."""

    partition: str = Field(min_length=1, max_length=1024)
    sort: str | None = Field(None, min_length=1, max_length=1024)
    partition_name: str = Field(
        "pk", min_length=1, max_length=255, description="Attribute name where partition is a template."
    )
    sort_name: str = Field("sk", min_length=1, max_length=255, description="Attribute name where sort is a template.")


class Attribute(SpecModel):
    """Renames or retypes one column."""

    column: str = Field(min_length=1, max_length=255)
    name: str | None = Field(None, min_length=1, max_length=255, description="Attribute name; default: the column's.")
    type_: AttributeType | None = Field(None, alias="as", description="Default: what the column's type maps to.")


class Autoscaling(SpecModel):
    """Application Auto Scaling of a provisioned table's write capacity."""

    min: int = Field(ge=1, le=10_000_000)
    max: int = Field(ge=1, le=10_000_000)
    target_utilization: int = Field(70, ge=20, le=90, description="Percent. DynamoDB takes 20 to 90.")

    @model_validator(mode="after")
    def _min_below_max(self) -> Self:
        if self.min > self.max:
            raise ValueError("autoscaling.min must not be more than autoscaling.max")
        return self


class CapacityAfter(SpecModel):
    """What the table is left with when the import has ended. The mode of a table that was there before stays."""

    mode: CapacityMode = Field(
        description="Of a table that the import created. Where an existing table's mode is another one, this is not "
        "applied: the table gets its own settings back.",
    )
    write_units: int | None = Field(None, ge=1, le=10_000_000, description="OnDemand: the cap, none by default.")
    read_units: int | None = Field(
        None,
        ge=1,
        le=10_000_000,
        description="Provisioned: read units a second; OnDemand: the cap on reads. Default: they stay as they are; a "
        "table that the import made provisioned has 5.",
    )

    @model_validator(mode="after")
    def _provisioned_has_units(self) -> Self:
        if is_provisioned(self.mode) and self.write_units is None:
            raise ValueError("capacity.after with mode: Provisioned needs writeUnits")
        return self


class Capacity(SpecModel):
    """How fast, and how it is paid."""

    mode: Annotated[CapacityMode | None, Change.NOW] = Field(
        None, description="Default: OnDemand for a table that the import creates; an existing table keeps its own."
    )
    write_units: Annotated[int | None, Change.NOW] = Field(
        None,
        ge=1,
        le=10_000_000,
        description="Write units a second. OnDemand: the cap; Provisioned: what to provision.",
    )
    warm: Annotated[bool, Change.NOW] = Field(
        False, description="Pre-warm the table to writeUnits (a one-time charge)."
    )
    autoscaling: Annotated[Autoscaling | None, Change.NOW] = None
    after: Annotated[CapacityAfter | None, Change.AT_END] = Field(
        None,
        description="Default: a table that the import created is left on demand without a cap (provisioned capacity "
        "costs money as long as it stands); an existing table gets its own settings back.",
    )

    @model_validator(mode="after")
    def _modes_fit(self) -> Self:
        if self.autoscaling and not is_provisioned(self.mode):
            raise ValueError("capacity.autoscaling needs mode: Provisioned")
        if is_provisioned(self.mode) and self.write_units is None:
            raise ValueError("mode: Provisioned needs capacity.writeUnits")
        if self.warm and self.write_units is None:
            raise ValueError("warm: true needs capacity.writeUnits")
        return self


class Load(SpecModel):
    """How the items get into the table (docs/loading.md)."""

    method: Annotated[LoadMethod, Change.FIXED] = Field(
        "BatchWrite",
        description="BatchWrite: the job writes to the table. ImportTable: the job writes files, and DynamoDB makes a "
        "new table of them, at a fraction of the price. BulkPut: the job writes files, and DynamoDB puts them into a "
        "table that exists (StartBulkPutItems).",
    )

    @property
    def from_files(self) -> bool:
        return self.method != "BatchWrite"


class Target(SpecModel):
    """The DynamoDB table and how a row becomes an item."""

    region: Annotated[str, Change.FIXED] = Field(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]+$", max_length=32)
    table: Annotated[str, Change.FIXED] = Field(pattern=r"^[a-zA-Z0-9_.-]{3,255}$", max_length=255)
    key: Annotated[Key | None, Change.FIXED] = Field(
        None, description="Default: Lindorm's primary key, its first column and its second."
    )
    attributes: Annotated[list[Attribute], Change.FIXED] = Field(default_factory=list, max_length=1000)
    partition_shards: Annotated[int | None, Change.FIXED] = Field(
        None,
        ge=2,
        le=1000,
        description="Appends #0 … #n-1 to the partition key, hashed from the whole source key.",
    )
    nulls: Annotated[Literal["Omit", "Write"], Change.FIXED] = "Omit"
    load: Load = Field(default_factory=lambda: Load())
    capacity: Capacity = Field(default_factory=lambda: Capacity())
    create: Annotated[Literal["IfMissing", "Never"], Change.FIXED] = "IfMissing"
    tags: Annotated[dict[str, Annotated[str, Field(max_length=256)]], Change.FIXED] = Field(
        default_factory=dict,
        max_length=40,
        description="Of a table that the import creates. Keys that begin with aws: or lindorm.io/ are not the user's.",
    )
    point_in_time_recovery: Annotated[bool, Change.FIXED] = False
    deletion_protection: Annotated[bool, Change.FIXED] = False
    kms_key_arn: Annotated[str | None, Change.FIXED] = Field(None, pattern=r"^arn:[^:]+:kms:.+$", max_length=2048)
    deletion_policy: Annotated[Literal["Retain", "Delete"], Change.AT_END] = Field(
        "Retain",
        description="What deleting the import does to a table that this import created, or was handed over by the one "
        "that did. What other imports use stays, and goes with the last of them.",
    )

    @model_validator(mode="after")
    def _has_a_meaning_in_the_method(self) -> Self:
        method, capacity = self.load.method, self.capacity
        if method == "ImportTable" and self.create == "Never":
            raise ValueError(IMPORT_CREATES_TOLD)
        if method == "ImportTable" and (is_provisioned(capacity.mode) or capacity.write_units or capacity.warm):
            raise ValueError(IMPORT_CAPACITY_TOLD)
        if method == "BulkPut" and (is_provisioned(capacity.mode) or capacity.warm or capacity.after):
            raise ValueError(BULK_CAPACITY_TOLD)
        if method == "BulkPut" and (capacity.write_units or BULK_LEAST_UNITS) < BULK_LEAST_UNITS:
            raise ValueError(BULK_UNITS_TOLD)
        return self

    @property
    def table_capacity(self) -> Capacity:
        """What the import makes of the table's own capacity: a load through files uses none of it."""
        if self.load.method == "ImportTable":
            return Capacity(after=self.capacity.after)
        return self.capacity if self.load.method == "BatchWrite" else Capacity()

    @model_validator(mode="after")
    def _tags_can_be_set(self) -> Self:
        for key in self.tags:
            if not 1 <= len(key) <= 128 or key.startswith(("aws:", "lindorm.io/")):
                raise ValueError("a tag's key has 1 to 128 characters and does not begin with aws: or lindorm.io/")
        return self

    @model_validator(mode="after")
    def _fits_into_the_object(self) -> Self:
        _bounded("attributes", sum(len(a.column) + len(a.name or "") for a in self.attributes), MAX_ATTRIBUTES)
        return self


class Staging(SpecModel):
    """Where checkpoints, rejects and the result are kept."""

    bucket: Annotated[Bucket, Change.FIXED]
    prefix: Annotated[Prefix, Change.FIXED] = Field(
        "lindorm-import/", description="Of all keys; each of its segments ends with /."
    )
    create: Annotated[Literal["IfMissing", "Never"], Change.FIXED] = "IfMissing"
    deletion_policy: Annotated[Literal["Retain", "Delete"], Change.AT_END] = Field(
        "Delete",
        description="Delete: everything of this import, and a bucket it created, once no other import uses it. Retain: "
        "result and rejects stay.",
    )


class TaskManager(SpecModel):
    """One Flink TaskManager. Memory as Flink writes it: 4096m."""

    slots: int = Field(4, ge=1, le=64)
    process_memory: str = Field("4096m", pattern=r"^[0-9]+[mg]$", max_length=16)
    managed_memory: str = Field(
        "0m",
        pattern=r"^[0-9]+[mg]$",
        max_length=16,
        description="This job needs none: its state is a few keys a split.",
    )
    cpu: int = Field(2, ge=1, le=96)

    @model_validator(mode="after")
    def _memory_is_enough(self) -> Self:
        if mebibytes(self.process_memory) < MINIMUM_PROCESS_MEMORY + mebibytes(self.managed_memory):
            raise ValueError(
                "processMemory must be at least 1024m more than managedMemory: Flink's own parts and the heap need that"
            )
        return self


class Checkpoint(SpecModel):
    """How often the job saves where it is."""

    interval: CheckpointDuration = "60s"
    min_pause: CheckpointDuration = "30s"
    timeout: CheckpointDuration = "10m"

    @model_validator(mode="after")
    def _in_bounds(self) -> Self:
        hour, day = timedelta(hours=1), timedelta(days=1)
        if not timedelta(seconds=1) <= parse_duration(self.interval) <= hour:
            raise ValueError("interval must be 1s to 1h: what was read since the last checkpoint is read again")
        if parse_duration(self.min_pause) > hour:
            raise ValueError("minPause must be at most 1h")
        if not timedelta(seconds=10) <= parse_duration(self.timeout) <= day:
            raise ValueError("timeout must be 10s to 24h")
        return self


class Monitoring(SpecModel):
    """Where EMR keeps the job's logs (its monitoringConfiguration). It adds a sidecar to the job's pods."""

    s3_log_uri: S3Uri | None = Field(None, alias="s3LogURI", description="s3://BUCKET/PREFIX")
    log_group: str | None = Field(
        None, pattern=r"^[.\-_/#A-Za-z0-9]+$", max_length=512, description="A CloudWatch log group that exists."
    )


class Job(SpecModel):
    """The Flink application on EMR on EKS."""

    execution_role_arn: Annotated[str | None, Change.AT_RESUME] = Field(
        None, pattern=r"^arn:[^:]+:iam::[0-9]{12}:role/.+$", max_length=2048
    )
    emr_release_label: Annotated[str, Change.AT_RESUME] = Field(
        "emr-7.13.0-flink-latest", pattern=r"^emr-[0-9]+\.[0-9]+\.[0-9]+-flink-[a-z0-9]+$", max_length=64
    )
    image: Annotated[str | None, Change.AT_RESUME] = Field(
        None, max_length=1024, description="Default: the controller's setting."
    )
    virtual_cluster_id: Annotated[str | None, Change.FIXED] = Field(None, pattern=r"^[0-9a-z]+$", max_length=64)
    service_account: Annotated[str | None, Change.AT_RESUME] = Field(
        None,
        pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
        max_length=253,
        description="Default: the one that EMR makes for executionRoleArn.",
    )
    run_as_user: Annotated[int | None, Change.AT_RESUME] = Field(
        None,
        ge=1,
        le=2_147_483_647,
        description="The number of the image's user. With it the job's pods keep to the pod security standard "
        "restricted. Without it only to baseline: EMR's images have their user by name, of which a kubelet cannot tell "
        "that it is not root.",
    )
    monitoring: Annotated[Monitoring | None, Change.AT_RESUME] = None
    parallelism: Annotated[int | None, Change.AT_RESUME] = Field(
        None, ge=1, le=2000, description="Default: from the plan."
    )
    task_manager: Annotated[TaskManager, Change.AT_RESUME] = Field(default_factory=lambda: TaskManager())
    node_selector: Annotated[dict[str, Annotated[str, Field(max_length=63)]], Change.AT_RESUME] = Field(
        default_factory=dict, max_length=20
    )
    checkpoint: Annotated[Checkpoint, Change.AT_RESUME] = Field(default_factory=lambda: Checkpoint())
    flink_configuration: Annotated[dict[str, Annotated[str, Field(max_length=8192)]], Change.AT_RESUME] = Field(
        default_factory=dict, max_length=200
    )

    @model_validator(mode="after")
    def _fits_into_the_object(self) -> Self:
        settings = self.flink_configuration.items()
        _bounded("flinkConfiguration", sum(len(k) + len(v) for k, v in settings), MAX_FLINK_CONFIGURATION)
        if any(key in OWN_PATHS for key in self.flink_configuration):
            raise ValueError(OWN_PATHS_TOLD)
        if not all(re.fullmatch(SETTING_KEY, key) for key in self.flink_configuration):
            raise ValueError(SETTING_KEY_TOLD)
        if any(re.search(LINE_BREAK, value) for value in self.flink_configuration.values()):
            raise ValueError(LINE_BREAK_TOLD)
        for key in self.node_selector:
            if not 1 <= len(key) <= 317:
                raise ValueError("a label of nodeSelector has 1 to 317 characters")
        return self


class Rejects(SpecModel):
    """Rows that cannot be items."""

    max: Annotated[int, Change.LOWER] = Field(
        1000,
        ge=0,
        le=1_000_000_000,
        description="More rejected rows than this: the import fails. Cannot be raised once the job is submitted.",
    )


class Budget(SpecModel):
    """Bounds the import must not exceed; it is held back when the plan does."""

    max_cost_usd: str | None = Field(None, alias="maxCostUSD", pattern=r"^[0-9]+(\.[0-9]{1,2})?$", max_length=16)
    max_duration: Duration | None = None

    @property
    def cost(self) -> Decimal | None:
        return None if self.max_cost_usd is None else Decimal(self.max_cost_usd)


class ImportSpec(SpecModel):
    """The spec of a LindormImport."""

    source: Source
    target: Target
    staging: Staging
    job: Job = Field(default_factory=lambda: Job())
    rejects: Rejects = Field(default_factory=lambda: Rejects())
    budget: Annotated[Budget, Change.NOW] = Field(default_factory=lambda: Budget())
    suspend: Annotated[bool, Change.NOW] = Field(
        False,
        description="Stops the job at its last checkpoint; false continues from there. True from the start: everything "
        "is checked and planned, and nothing is made.",
    )
    ttl_after_finished: Annotated[Duration | None, Change.NOW] = Field(
        None,
        description="How long a finished import (Complete or Failed) is kept before it deletes itself; "
        "deletion policies apply.",
    )
