"""What a pass may do to the world. decide.py asks for these, act.py does them, each idempotent. Pure data."""

from dataclasses import dataclass
from typing import Any

from lindorm_import.api.status import Resource

Document = dict[str, Any]


@dataclass(frozen=True)
class CreateBucket:
    name: str
    region: str
    tags: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class CreateTable:
    """request: the arguments of DynamoDB's CreateTable."""

    request: Document


@dataclass(frozen=True)
class CreateObject:
    """A Kubernetes object; one of the same name that carries this import's UID label counts as created."""

    body: Document


@dataclass(frozen=True)
class SetRates:
    """Puts the rates into their ConfigMap, which the running job reads again."""

    config_map: str
    text: str


@dataclass(frozen=True)
class SuspendJob:
    """Through the Flink operator, never by Flink's REST API (it would deploy again)."""

    deployment: str


@dataclass(frozen=True)
class ResumeJob:
    """body: the FlinkDeployment as today's spec makes it, so that what has been edited meanwhile takes effect."""

    body: Document


@dataclass(frozen=True)
class DeleteDeployment:
    name: str
    uid: str


@dataclass(frozen=True)
class DeleteConfigMap:
    """uid: the import's, whose it must be."""

    name: str
    uid: str


@dataclass(frozen=True)
class DeleteObjects:
    """Deletes the objects below each prefix, a bounded number a call."""

    bucket: str
    prefixes: tuple[str, ...]


@dataclass(frozen=True)
class DeleteBucket:
    name: str


@dataclass(frozen=True)
class DeleteTable:
    name: str


@dataclass(frozen=True)
class UpdateTable:
    """request: the arguments of DynamoDB's UpdateTable."""

    request: Document


@dataclass(frozen=True)
class StartImport:
    """request: the arguments of DynamoDB's ImportTable."""

    request: Document


@dataclass(frozen=True)
class StartBulkPut:
    """request: the arguments of DynamoDB's StartBulkPutItems."""

    request: Document


@dataclass(frozen=True)
class CancelBulkPut:
    arn: str


@dataclass(frozen=True)
class TagTable:
    """Marks the table as this import's, if it still is the one with that TableId: IAM cannot tell a table that an
    import has made from any other that nobody has tagged."""

    name: str
    table_id: str
    tags: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class EnablePointInTimeRecovery:
    table: str


@dataclass(frozen=True)
class DeleteImport:
    """Deletes the import itself, when its time is over; the finalizer then does what deletion does."""

    name: str
    uid: str


@dataclass(frozen=True)
class HandOver:
    """Writes into another import's status that it is to see to the end of a table or bucket that this one made, unless
    that one is being deleted too. resource: the entry, where it has none yet."""

    namespace: str
    name: str
    uid: str
    resource: Resource


@dataclass(frozen=True)
class SetScaling:
    """Application Auto Scaling of the table's write capacity. target: percent of use to aim at, with a policy of
    the given name; None leaves the policies that are there."""

    table: str
    minimum: int
    maximum: int
    target: int | None
    policy: str


@dataclass(frozen=True)
class RemoveScaling:
    """Deregisters the table's write capacity, or with keep only removes our policy of that name."""

    table: str
    policy: str
    keep: bool


@dataclass(frozen=True)
class Metrics:
    """Values of one import's own CloudWatch metrics: (name, value)."""

    namespace: str
    import_namespace: str
    import_name: str
    values: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class PublishMetrics:
    metrics: Metrics


@dataclass(frozen=True)
class PutDashboard:
    """body: the dashboard's JSON."""

    name: str
    body: str


@dataclass(frozen=True)
class DeleteDashboard:
    name: str


# What only reports: where it fails the pass continues, and the log says so.
REPORTS = (PublishMetrics, PutDashboard)

Action = (
    CreateBucket
    | CreateTable
    | CreateObject
    | SetRates
    | SuspendJob
    | ResumeJob
    | DeleteImport
    | HandOver
    | DeleteDeployment
    | DeleteConfigMap
    | DeleteObjects
    | DeleteBucket
    | DeleteTable
    | UpdateTable
    | StartImport
    | StartBulkPut
    | CancelBulkPut
    | TagTable
    | EnablePointInTimeRecovery
    | SetScaling
    | RemoveScaling
    | PublishMetrics
    | PutDashboard
    | DeleteDashboard
)
