"""A table's settings that DynamoDB Local does not keep, and the rules for changing them.

Time is an argument: seconds since the epoch. Rules: the API reference of CreateTable and UpdateTable; warm throughput
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/warm-throughput.html) cannot be lowered; capacity may
be lowered four times at first and then once for an hour without, 27 times a day (ServiceQuotas.html); a table becomes
on demand at most four times in 24 hours (switching.capacitymode.html). A global secondary index has provisioned units
where its table has: "When switching billing mode from PAY_PER_REQUEST to PROVISIONED, DynamoDB requires you to specify
read and write capacity unit values for the table and for each global secondary index"
(https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-properties-dynamodb-globaltable-capacityautoscalingsettings.html;
the words of the refusals: https://github.com/crossplane-contrib/provider-upjet-aws/issues/1041 and
https://github.com/bchew/dynamodump/pull/266).
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

from local.dynamodb import answers
from local.dynamodb.capacity import ON_DEMAND_READ_UNITS, ON_DEMAND_WRITE_UNITS, TABLE_QUOTA

# Members of CreateTable and UpdateTable that the gate keeps and DynamoDB Local never sees.
KEPT = {
    "OnDemandThroughput",
    "WarmThroughput",
    "SSESpecification",
    "Tags",
    "TableClass",
    "DeletionProtectionEnabled",
    "ResourcePolicy",
}
CAPACITY = {"BillingMode", "ProvisionedThroughput"}
_DAY = 86_400.0


@dataclass(frozen=True)
class Throughput:
    """A table's capacity settings. provisioned: (read, write) units, None on demand. A maximum of None is none."""

    provisioned: tuple[int, int] | None = None
    max_read: int | None = None
    max_write: int | None = None
    warm_read: int = ON_DEMAND_READ_UNITS
    warm_write: int = ON_DEMAND_WRITE_UNITS

    @property
    def on_demand(self) -> bool:
        return self.provisioned is None


def changed_indexes(
    current: dict[str, tuple[int, int] | None], request: dict[str, Any], on_demand: bool
) -> dict[str, tuple[int, int] | None]:
    """The (read, write) units of each global secondary index after a CreateTable or UpdateTable, None on demand.
    on_demand: what the table is then. Raises ValidationException, ResourceNotFoundException."""
    indexes = dict(current)
    changes = [("Create", index) for index in request.get("GlobalSecondaryIndexes", [])]
    changes += [change for update in request.get("GlobalSecondaryIndexUpdates", []) for change in update.items()]
    given: set[str] = set()
    for kind, index in changes:
        name = index["IndexName"]
        if kind != "Create" and name not in indexes:
            raise answers.not_found(f"Requested resource not found: Index: {name} not found")
        if kind == "Delete":
            del indexes[name]
            continue
        indexes.setdefault(name, None)
        if "ProvisionedThroughput" in index:
            given.add(name)
            indexes[name] = _provisioned(index)
    if on_demand:
        if given:
            raise answers.validation(
                "One or more parameter values were invalid: ProvisionedThroughput should not be specified for index: "
                f"{','.join(sorted(given))} when BillingMode is PAY_PER_REQUEST"
            )
        return dict.fromkeys(indexes)
    missing = sorted(name for name, units in indexes.items() if units is None)
    if missing:
        raise answers.validation(
            "One or more parameter values were invalid: ProvisionedThroughput must be specified for index: "
            f"{','.join(missing)}"
        )
    return indexes


def _provisioned(request: dict[str, Any]) -> tuple[int, int]:
    given = request["ProvisionedThroughput"]
    units = int(given["ReadCapacityUnits"]), int(given["WriteCapacityUnits"])
    if min(units) < 1:
        raise answers.validation(
            "1 validation error detected: Value '0' at 'provisionedThroughput' failed to satisfy constraint: "
            "Member must have value greater than or equal to 1"
        )
    if max(units) > TABLE_QUOTA:
        raise answers.limit_exceeded(
            f"Subscriber limit exceeded: The requested capacity {max(units)} is over the table's quota of {TABLE_QUOTA}"
        )
    return units


def _maximum(given: dict[str, Any], name: str, current: int | None) -> int | None:
    value = given.get(name)
    if value is None:
        return current
    if int(value) != -1 and int(value) < 1:
        raise answers.validation(f"One or more parameter values were invalid: {name} must be -1 or at least 1")
    return None if int(value) == -1 else int(value)


def _warm(given: dict[str, Any], name: str, current: int) -> int:
    value = int(given.get(name, current))
    if value < current:
        raise answers.validation(
            f"One or more parameter values were invalid: Requested {name} for WarmThroughput for table is lower than"
            f" the current value of {current}"
        )
    if value > TABLE_QUOTA:
        raise answers.limit_exceeded(
            f"Subscriber limit exceeded: Requested {name} for WarmThroughput is over the table's quota of {TABLE_QUOTA}"
        )
    return value


def changed_throughput(current: Throughput, request: dict[str, Any], *, creating: bool) -> Throughput:
    """The throughput that a CreateTable or UpdateTable asks for. Raises ValidationException, LimitExceededException."""
    default = "PROVISIONED" if creating or not current.on_demand else "PAY_PER_REQUEST"
    mode = request.get("BillingMode", default)
    given = "ProvisionedThroughput" in request
    if mode == "PAY_PER_REQUEST":
        if given:
            raise answers.validation(
                "One or more parameter values were invalid: Neither ReadCapacityUnits nor WriteCapacityUnits can be "
                "specified when BillingMode is PAY_PER_REQUEST"
            )
        provisioned = None
    elif given:
        provisioned = _provisioned(request)
    elif current.provisioned and not creating:
        provisioned = current.provisioned
    else:
        raise answers.validation(
            "One or more parameter values were invalid: ReadCapacityUnits and WriteCapacityUnits must both be "
            "specified when BillingMode is PROVISIONED"
        )
    maxima = request.get("OnDemandThroughput", {})
    if maxima and provisioned is not None:
        raise answers.validation(
            "One or more parameter values were invalid: OnDemandThroughput can only be specified when BillingMode is "
            "PAY_PER_REQUEST"
        )
    warm = request.get("WarmThroughput", {})
    if creating and provisioned is not None:
        current = Throughput(warm_read=provisioned[0], warm_write=provisioned[1])
    warm_read = _warm(warm, "ReadUnitsPerSecond", current.warm_read)
    warm_write = _warm(warm, "WriteUnitsPerSecond", current.warm_write)
    if provisioned is None:
        return Throughput(
            None,
            _maximum(maxima, "MaxReadRequestUnits", current.max_read),
            _maximum(maxima, "MaxWriteRequestUnits", current.max_write),
            max(warm_read, ON_DEMAND_READ_UNITS),
            max(warm_write, ON_DEMAND_WRITE_UNITS),
        )
    return Throughput(provisioned, None, None, max(warm_read, provisioned[0]), max(warm_write, provisioned[1]))


@dataclass
class TableState:
    """What the gate knows of a table. `status_until`: when a passing status ends, and `pending` becomes true.
    `indexes`: (read, write) units of each global secondary index, None on demand."""

    name: str
    arn: str
    partition_key: str
    sort_key: str | None
    throughput: Throughput
    status: str = "ACTIVE"
    status_until: float = 0.0
    pending: Throughput | None = None
    indexes: dict[str, tuple[int, int] | None] = field(default_factory=dict)
    key_types: dict[str, str] = field(default_factory=dict)
    table_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    protected: bool = False
    sse: dict[str, Any] | None = None
    table_class: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    recovery: dict[str, Any] | None = None
    last_description: dict[str, Any] = field(default_factory=dict)
    increased_at: float | None = None
    decreases: list[float] = field(default_factory=list)
    to_on_demand: list[float] = field(default_factory=list)

    def settle(self, now: float) -> bool:
        """Let a passing status end when its time is over; False where the table is gone with it."""
        if self.status != "ACTIVE" and now >= self.status_until:
            if self.status == "DELETING":
                return False
            self.status = "ACTIVE"
            if self.pending:
                self.throughput, self.pending = self.pending, None
        return True

    def require_active(self) -> None:
        """Raises ResourceInUseException while the table is created, changed or deleted."""
        if self.status != "ACTIVE":
            raise answers.in_use(
                f"Attempt to change a resource which is still in use: Table is being {_DOING[self.status]}: {self.name}"
            )

    def take_settings(self, request: dict[str, Any]) -> None:
        """The members of a request that hold at once."""
        if "DeletionProtectionEnabled" in request:
            self.protected = bool(request["DeletionProtectionEnabled"])
        if "SSESpecification" in request:
            given = request["SSESpecification"]
            arn = given.get("KMSMasterKeyId", "arn:aws:kms:us-west-2:123456789012:alias/aws/dynamodb")
            enabled = given.get("Enabled", False)
            self.sse = {"Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": arn} if enabled else None
        if "TableClass" in request:
            self.table_class = request["TableClass"]
        for tag in request.get("Tags", []):
            self.tags[tag["Key"]] = tag["Value"]

    def update(self, request: dict[str, Any], now: float, seconds: float) -> None:
        """UpdateTable: what it asks for holds after this many seconds of UPDATING. Raises the API's exceptions."""
        self.require_active()
        if not set(request) - {"TableName"}:
            raise answers.validation(
                "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates "
                "or SSESpecification or ReplicaUpdates is required"
            )
        wanted = changed_throughput(self.throughput, request, creating=False)
        indexes = changed_indexes(self.indexes, request, wanted.on_demand)
        self._check_change(wanted, request, now)
        self.indexes = indexes
        self.take_settings(request)
        self.pending, self.status, self.status_until = wanted, "UPDATING", now + seconds

    def _check_change(self, wanted: Throughput, request: dict[str, Any], now: float) -> None:
        before, after = self.throughput.provisioned, wanted.provisioned
        if "ProvisionedThroughput" in request and before == after:
            raise answers.validation(
                "The provisioned throughput for the table will not change. The requested value equals the current "
                f"value. Current ReadCapacityUnits provisioned for the table: {before and before[0]}. "
                f"Current WriteCapacityUnits provisioned for the table: {before and before[1]}."
            )
        if before and after and (after[0] < before[0] or after[1] < before[1]):
            today = [at for at in self.decreases if at // _DAY == now // _DAY]
            if len(today) >= 27 or (len(today) >= 4 and now - today[-1] < 3600):
                raise answers.limit_exceeded(
                    "Subscriber limit exceeded: Provisioned throughput decreases are limited within a given UTC day. "
                    "After the first 4 decreases, each subsequent decrease in the same UTC day can be performed at "
                    "most once every 3600 seconds."
                )
            self.decreases = [*today, now]
        elif before and after:
            self.increased_at = now
        if before and not after:
            recent = [at for at in self.to_on_demand if now - at < _DAY]
            if len(recent) >= 4:
                raise answers.limit_exceeded(
                    "Subscriber limit exceeded: Update to PayPerRequest mode are limited to 4 times in a 24-hour period"
                )
            self.to_on_demand = [*recent, now]

    def describe(self, description: dict[str, Any]) -> dict[str, Any]:
        """DynamoDB Local's description with the gate's settings in it."""
        shown = {**description, "TableStatus": self.status, "TableArn": self.arn, "TableId": self.table_id}
        shown["DeletionProtectionEnabled"] = self.protected
        throughput = self.throughput
        read, write = throughput.provisioned or (0, 0)
        shown["ProvisionedThroughput"] = {
            "NumberOfDecreasesToday": len(self.decreases),
            "ReadCapacityUnits": read,
            "WriteCapacityUnits": write,
        }
        if "GlobalSecondaryIndexes" in description:
            shown["GlobalSecondaryIndexes"] = [
                {**index, "ProvisionedThroughput": _units(self.indexes.get(index["IndexName"]))}
                for index in description["GlobalSecondaryIndexes"]
            ]
        if self.decreases:
            shown["ProvisionedThroughput"]["LastDecreaseDateTime"] = self.decreases[-1]
        if self.increased_at:
            shown["ProvisionedThroughput"]["LastIncreaseDateTime"] = self.increased_at
        shown.pop("BillingModeSummary", None)
        if throughput.on_demand:
            shown["BillingModeSummary"] = {"BillingMode": "PAY_PER_REQUEST"}
        elif self.to_on_demand:
            shown["BillingModeSummary"] = {"BillingMode": "PROVISIONED"}
        if self.to_on_demand and "BillingModeSummary" in shown:
            shown["BillingModeSummary"]["LastUpdateToPayPerRequestDateTime"] = self.to_on_demand[-1]
        shown.pop("OnDemandThroughput", None)
        if throughput.max_read is not None or throughput.max_write is not None:
            shown["OnDemandThroughput"] = {
                "MaxReadRequestUnits": -1 if throughput.max_read is None else throughput.max_read,
                "MaxWriteRequestUnits": -1 if throughput.max_write is None else throughput.max_write,
            }
        warming = self.pending is not None and self.pending.warm_write + self.pending.warm_read != (
            throughput.warm_write + throughput.warm_read
        )
        shown["WarmThroughput"] = {
            "ReadUnitsPerSecond": throughput.warm_read,
            "WriteUnitsPerSecond": throughput.warm_write,
            "Status": "UPDATING" if warming else "ACTIVE",
        }
        if self.sse:
            shown["SSEDescription"] = self.sse
        if self.table_class:
            shown["TableClassSummary"] = {"TableClass": self.table_class}
        self.last_description = shown
        return shown


def _units(provisioned: tuple[int, int] | None) -> dict[str, int]:
    read, write = provisioned or (0, 0)
    return {"NumberOfDecreasesToday": 0, "ReadCapacityUnits": read, "WriteCapacityUnits": write}


_DOING = {"CREATING": "created", "UPDATING": "updated", "DELETING": "deleted"}
