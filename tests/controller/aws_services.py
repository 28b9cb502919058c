"""The AWS services in memory, as far as the controller calls them, as strict as their API references say.

DynamoDB: a table is CREATING, UPDATING and DELETING for a while and refuses to be changed or deleted meanwhile
(ResourceInUseException), and its tags are listed seconds after it was made; an update that changes nothing, less warm
throughput than there is, a switch to provisioned capacity without units for each global index and the deletion of a
protected table are refused (ValidationException).
S3: a bucket has its tags from its creation on, one with objects is not deleted, one of another account answers 403.
Application Auto Scaling: policies go with their target; a deleted table leaves its target behind.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.controller.aws_loads import Loads
from tests.controller.factories import NOW

Document = dict[str, Any]
_TAGS_APPEAR = 2
_SECONDS = {"CREATING": 2, "UPDATING": 1, "DELETING": 2}
NEW_WRITES, NEW_READS = 4_000, 12_000


class Refused(Exception):  # noqa: N818  (an answer of AWS)
    """AWS's answer to what it does not do."""

    def __init__(self, code: str, message: str = "refused", status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.status = code, message, status


@dataclass
class Table:
    """description: as DescribeTable tells it, without status; until: when its present state ends; tags_from: its tags
    are not listed before; decreases: when its provisioned capacity was lowered on this day."""

    description: Document
    tags: dict[str, str]
    state: str = "ACTIVE"
    until: float = 0.0
    tags_from: float = 0.0
    recovery: bool = False
    decreases: list[float] = field(default_factory=list)
    items: int = 0  # written by loads


@dataclass
class DynamoDB:
    tables: dict[str, Table] = field(default_factory=dict)
    seconds: float = 0.0
    made: int = 0
    loads: Loads = field(default_factory=lambda: Loads())

    def __post_init__(self) -> None:
        self.loads.dynamodb = self

    def __getattr__(self, name: str) -> Any:
        """The operations of loads.py are DynamoDB's, too."""
        if name.startswith("__") or "loads" not in self.__dict__:
            raise AttributeError(name)
        return getattr(self.loads, name)

    def pass_time(self, seconds: float) -> None:
        self.seconds += seconds
        self.loads.pass_time()
        for name, table in list(self.tables.items()):
            if table.state != "ACTIVE" and self.seconds >= table.until:
                if table.state == "DELETING":
                    del self.tables[name]
                table.state = "ACTIVE"

    def create_table(self, **request: Any) -> Document:
        name = request["TableName"]
        if name in self.tables:
            raise Refused("ResourceInUseException", f"Table already exists: {name}")
        description = {key: request[key] for key in ("KeySchema", "AttributeDefinitions")}
        description |= {"TableName": name, "TableArn": f"arn:aws:dynamodb:us-west-2:000000000000:table/{name}"}
        self.made += 1
        description["TableId"] = f"{self.made:08x}-1111-4111-8111-111111111111"
        description["CreationDateTime"] = NOW + timedelta(seconds=self.seconds)
        description["DeletionProtectionEnabled"] = request.get("DeletionProtectionEnabled", False)
        description["WarmThroughput"] = {"ReadUnitsPerSecond": NEW_READS, "WriteUnitsPerSecond": NEW_WRITES}
        self._set_throughput(description, request)
        tags = {tag["Key"]: tag["Value"] for tag in request.get("Tags", [])}
        self.tables[name] = Table(description, tags, tags_from=self.seconds + _TAGS_APPEAR)
        self._begin(self.tables[name], "CREATING")
        return {"TableDescription": description}

    def describe_table(self, TableName: str) -> Document:  # noqa: N803  (AWS's names)
        table = self._table(TableName)
        shown = {**table.description, "TableStatus": table.state}
        if table.decreases:
            last = NOW + timedelta(seconds=table.decreases[-1])
            counted = {"NumberOfDecreasesToday": len(self._today(table)), "LastDecreaseDateTime": last}
            shown["ProvisionedThroughput"] = {**shown["ProvisionedThroughput"], **counted}
        return {"Table": shown}

    def update_table(self, **request: Any) -> Document:
        table = self._table(request.pop("TableName"), idle=True)
        new = dict(table.description)
        self._set_throughput(new, request)
        if "DeletionProtectionEnabled" in request:
            new["DeletionProtectionEnabled"] = request["DeletionProtectionEnabled"]
        if new == table.description:
            raise Refused("ValidationException", f"the update changes nothing: {request}")
        self._count_decrease(table, new)
        table.description = new
        self._begin(table, "UPDATING")
        return {"TableDescription": new}

    def _today(self, table: Table) -> list[float]:
        """UTC days begin at midnight; the world begins at NOW."""
        day = (NOW + timedelta(seconds=self.seconds)).date()
        return [at for at in table.decreases if (NOW + timedelta(seconds=at)).date() == day]

    def _count_decrease(self, table: Table, new: Document) -> None:
        """Four decreases at any time of a UTC day, then one where there was none in the last hour ("Quotas")."""
        was, wanted = table.description.get("ProvisionedThroughput", {}), new["ProvisionedThroughput"]
        modes = {d.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED") for d in (table.description, new)}
        if modes != {"PROVISIONED"} or all(wanted[key] >= was[key] for key in wanted):
            return
        today = self._today(table)
        if len(today) >= 4 and self.seconds - today[-1] < 3600:
            raise Refused("LimitExceededException", "Subscriber limit exceeded: Provisioned throughput decreases")
        table.decreases.append(self.seconds)

    def delete_table(self, TableName: str) -> Document:  # noqa: N803
        table = self._table(TableName, idle=True)
        if table.description["DeletionProtectionEnabled"]:
            raise Refused("ValidationException", "Resource cannot be deleted as it is currently protected")
        self._begin(table, "DELETING")
        return {"TableDescription": table.description}

    def tag_resource(self, ResourceArn: str, Tags: list[Document]) -> Document:  # noqa: N803
        table = self._table(ResourceArn.rsplit("/", 1)[1], idle=True)
        table.tags |= {tag["Key"]: tag["Value"] for tag in Tags}
        table.tags_from = self.seconds + _TAGS_APPEAR
        return {}

    def list_tags_of_resource(self, ResourceArn: str) -> Document:  # noqa: N803
        table = self._table(ResourceArn.rsplit("/", 1)[1])
        shown = table.tags if self.seconds >= table.tags_from else {}
        return {"Tags": [{"Key": key, "Value": value} for key, value in shown.items()]}

    def describe_continuous_backups(self, TableName: str) -> Document:  # noqa: N803
        if TableName not in self.tables:
            raise Refused("TableNotFoundException", f"Table not found: {TableName}")
        status = "ENABLED" if self.tables[TableName].recovery else "DISABLED"
        recovery = {"PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": status}}
        return {"ContinuousBackupsDescription": {"ContinuousBackupsStatus": "ENABLED", **recovery}}

    def update_continuous_backups(self, TableName: str, **request: Any) -> Document:  # noqa: N803
        table = self._table(TableName)
        if table.state == "CREATING":
            raise Refused("ContinuousBackupsUnavailableException", "backups are not enabled yet")
        table.recovery = request["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]
        return self.describe_continuous_backups(TableName)

    def _table(self, name: str, idle: bool = False) -> Table:
        if name not in self.tables:
            raise Refused("ResourceNotFoundException", f"Requested resource not found: Table: {name} not found")
        table = self.tables[name]
        if idle and table.state != "ACTIVE":
            raise Refused("ResourceInUseException", f"Table is being {table.state}: {name}")
        return table

    def _begin(self, table: Table, state: str) -> None:
        table.state, table.until = state, self.seconds + _SECONDS[state]

    @staticmethod
    def _set_indexes(description: Document, request: Document, mode: str) -> None:
        updates = [update["Update"] for update in request.get("GlobalSecondaryIndexUpdates", [])]
        given = {update["IndexName"]: update["ProvisionedThroughput"] for update in updates}
        none = {"ReadCapacityUnits": 0, "WriteCapacityUnits": 0}
        indexes = []
        for index in description.get("GlobalSecondaryIndexes", []):
            has = given.get(index["IndexName"], index.get("ProvisionedThroughput", none))
            if mode == "PROVISIONED" and has == none:
                told = f"ProvisionedThroughput must be specified for index: {index['IndexName']}"
                raise Refused("ValidationException", f"One or more parameter values were invalid: {told}")
            if mode != "PROVISIONED" and index["IndexName"] in given:
                told = f"ProvisionedThroughput should not be specified for index: {index['IndexName']}"
                raise Refused("ValidationException", f"One or more parameter values were invalid: {told}")
            indexes.append({**index, "ProvisionedThroughput": dict(has if mode == "PROVISIONED" else none)})
        if indexes:
            description["GlobalSecondaryIndexes"] = indexes

    @staticmethod
    def _set_throughput(description: Document, request: Document) -> None:
        """Billing mode, provisioned units, on-demand maximum and warm throughput of a request."""
        was = description.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED")
        mode = request.get("BillingMode", was)
        units, maximum = request.get("ProvisionedThroughput"), request.get("OnDemandThroughput")
        if mode == "PROVISIONED":
            if maximum or not (units or (was == mode and "ProvisionedThroughput" in description)):
                raise Refused("ValidationException", "provisioned tables have ProvisionedThroughput and only that")
            if units:
                description["ProvisionedThroughput"] = dict(units)
            description.pop("OnDemandThroughput", None)
        else:
            if units:
                raise Refused("ValidationException", "ProvisionedThroughput cannot be specified when PAY_PER_REQUEST")
            description["ProvisionedThroughput"] = {"ReadCapacityUnits": 0, "WriteCapacityUnits": 0}
            if maximum:
                description["OnDemandThroughput"] = dict(maximum)
        DynamoDB._set_indexes(description, request, mode)
        if mode != was or "BillingModeSummary" in description or mode == "PAY_PER_REQUEST":
            description["BillingModeSummary"] = {"BillingMode": mode}
        if warm := request.get("WarmThroughput"):
            has = description["WarmThroughput"]
            if any(warm.get(key, has[key]) < has[key] for key in has):
                raise Refused("ValidationException", f"warm throughput cannot be lowered: {has} to {warm}")
            description["WarmThroughput"] = {**has, **warm}


@dataclass
class OwnBucket:
    made_at: datetime = NOW
    tags: dict[str, str] = field(default_factory=dict)
    objects: dict[str, tuple[bytes, datetime]] = field(default_factory=dict)


@dataclass
class S3:
    """buckets: those that the role may reach; owners: whose they are, where not this account's; elsewhere: names that
    another account has; now: the time of what is put."""

    buckets: dict[str, OwnBucket] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    elsewhere: set[str] = field(default_factory=set)
    now: datetime = NOW

    def put_object(self, bucket: str, key: str, body: bytes) -> None:
        """Somebody's object: the controller puts none."""
        self.buckets[bucket].objects[key] = (body, self.now)

    def keys(self, bucket: str, prefix: str = "") -> list[str]:
        return sorted(key for key in self.buckets[bucket].objects if key.startswith(prefix))

    def head_bucket(self, Bucket: str, **_: Any) -> Document:  # noqa: N803
        if Bucket in self.elsewhere:
            raise Refused("403", "Forbidden", 403)
        if Bucket not in self.buckets:
            raise Refused("404", "Not Found", 404)
        return {}

    def create_bucket(self, Bucket: str, **request: Any) -> Document:  # noqa: N803
        if Bucket in self.elsewhere:
            raise Refused("BucketAlreadyExists", "The requested bucket name is not available", 409)
        if Bucket in self.buckets:
            raise Refused("BucketAlreadyOwnedByYou", "you already own it", 409)
        tags = request.get("CreateBucketConfiguration", {}).get("Tags", [])
        self.buckets[Bucket] = OwnBucket(self.now, {tag["Key"]: tag["Value"] for tag in tags})
        return {}

    def list_buckets(self, Prefix: str = "", **_: Any) -> Document:  # noqa: N803
        found = [
            {"Name": name, "CreationDate": bucket.made_at}
            for name, bucket in sorted(self.buckets.items())
            if name.startswith(Prefix)
        ]
        return {"Buckets": found}

    def get_bucket_tagging(self, Bucket: str, **_: Any) -> Document:  # noqa: N803
        tags = self._bucket(Bucket).tags
        if not tags:
            raise Refused("NoSuchTagSet", "The TagSet does not exist", 404)
        return {"TagSet": [{"Key": key, "Value": value} for key, value in tags.items()]}

    def put_bucket_tagging(self, Bucket: str, Tagging: Document, **_: Any) -> Document:  # noqa: N803
        self._bucket(Bucket).tags = {tag["Key"]: tag["Value"] for tag in Tagging["TagSet"]}
        return {}

    def delete_bucket(self, Bucket: str, **_: Any) -> Document:  # noqa: N803
        if self._bucket(Bucket).objects:
            raise Refused("BucketNotEmpty", "The bucket you tried to delete is not empty", 409)
        del self.buckets[Bucket]
        return {}

    def list_objects_v2(self, Bucket: str, Prefix: str = "", MaxKeys: int = 1000, **_: Any) -> Document:  # noqa: N803
        objects = self._bucket(Bucket).objects
        found = [
            {"Key": key, "LastModified": objects[key][1], "Size": len(objects[key][0])}
            for key in sorted(objects)
            if key.startswith(Prefix)
        ]
        assert len(found) <= 1000, "more than a page"
        return {"KeyCount": len(found[:MaxKeys]), "Contents": found[:MaxKeys], "IsTruncated": False}

    def get_object(self, Bucket: str, Key: str, **_: Any) -> Document:  # noqa: N803
        objects = self._bucket(Bucket).objects
        if Key not in objects:
            raise Refused("NoSuchKey", "The specified key does not exist", 404)
        return {"Body": objects[Key][0]}

    def delete_objects(self, Bucket: str, Delete: Document, **_: Any) -> Document:  # noqa: N803
        for entry in Delete["Objects"]:
            self._bucket(Bucket).objects.pop(entry["Key"], None)
        return {}

    def _bucket(self, name: str) -> OwnBucket:
        if name not in self.buckets:
            raise Refused("NoSuchBucket", "The specified bucket does not exist", 404)
        return self.buckets[name]


@dataclass
class Scaling:
    """targets: bounds by resource ("table/readings"); policies: names and target values by resource."""

    targets: dict[str, tuple[int, int]] = field(default_factory=dict)
    policies: dict[str, dict[str, float]] = field(default_factory=dict)

    def describe_scalable_targets(self, ResourceIds: list[str], **_: Any) -> Document:  # noqa: N803
        found = [
            {"ResourceId": resource, "MinCapacity": self.targets[resource][0], "MaxCapacity": self.targets[resource][1]}
            for resource in ResourceIds
            if resource in self.targets
        ]
        return {"ScalableTargets": found}

    def describe_scaling_policies(self, ResourceId: str, PolicyNames: list[str], **_: Any) -> Document:  # noqa: N803
        found = [
            {
                "PolicyName": name,
                "PolicyType": "TargetTrackingScaling",
                "TargetTrackingScalingPolicyConfiguration": {"TargetValue": value},
            }
            for name, value in self.policies.get(ResourceId, {}).items()
            if name in PolicyNames
        ]
        return {"ScalingPolicies": found}

    def register_scalable_target(self, ResourceId: str, **request: Any) -> Document:  # noqa: N803
        self.targets[ResourceId] = (request["MinCapacity"], request["MaxCapacity"])
        return {}

    def put_scaling_policy(self, ResourceId: str, PolicyName: str, **request: Any) -> Document:  # noqa: N803
        self._known(ResourceId in self.targets, ResourceId)
        value = request["TargetTrackingScalingPolicyConfiguration"]["TargetValue"]
        self.policies.setdefault(ResourceId, {})[PolicyName] = value
        return {"PolicyARN": f"arn:aws:autoscaling:us-west-2:000000000000:scalingPolicy:{PolicyName}"}

    def delete_scaling_policy(self, ResourceId: str, PolicyName: str, **_: Any) -> Document:  # noqa: N803
        self._known(PolicyName in self.policies.get(ResourceId, {}), PolicyName)
        del self.policies[ResourceId][PolicyName]
        return {}

    def deregister_scalable_target(self, ResourceId: str, **_: Any) -> Document:  # noqa: N803
        self._known(ResourceId in self.targets, ResourceId)
        del self.targets[ResourceId]
        self.policies.pop(ResourceId, None)
        return {}

    @staticmethod
    def _known(known: bool, what: str) -> None:
        if not known:
            raise Refused("ObjectNotFoundException", f"{what} is not registered")


@dataclass
class Logs:
    """CloudWatch Logs: messages by stream."""

    streams: dict[str, list[str]] = field(default_factory=dict)

    def get_log_events(self, logStreamName: str, limit: int, **_: Any) -> Document:  # noqa: N803
        if logStreamName not in self.streams:
            raise Refused("ResourceNotFoundException", "The specified log stream does not exist.")
        return {"events": [{"message": message} for message in self.streams[logStreamName][:limit]]}


@dataclass
class CloudWatch:
    """sums: what a metric counted in the present minute, by its name; dashboards: bodies by name;
    published: the last value of each metric of the import's own, by namespace and name."""

    sums: Counter[str] = field(default_factory=Counter)
    dashboards: dict[str, str] = field(default_factory=dict)
    published: dict[tuple[str, str], int] = field(default_factory=dict)

    def get_metric_data(self, MetricDataQueries: list[Document], EndTime: datetime, **_: Any) -> Document:  # noqa: N803
        results = []
        for query in MetricDataQueries:
            total = self.sums[query["MetricStat"]["Metric"]["MetricName"]]
            at = [EndTime - timedelta(minutes=2)] if total else []
            results.append({"Id": query["Id"], "Timestamps": at, "Values": [float(total)] if total else []})
        return {"MetricDataResults": results}

    def get_dashboard(self, DashboardName: str) -> Document:  # noqa: N803
        if DashboardName not in self.dashboards:
            raise Refused("ResourceNotFound", f"Dashboard {DashboardName} does not exist", 404)
        return {"DashboardName": DashboardName, "DashboardBody": self.dashboards[DashboardName]}

    def put_metric_data(self, Namespace: str, MetricData: list[Document]) -> Document:  # noqa: N803
        for metric in MetricData:
            self.published[Namespace, metric["MetricName"]] = metric["Value"]
        return {}

    def put_dashboard(self, DashboardName: str, DashboardBody: str) -> Document:  # noqa: N803
        self.dashboards[DashboardName] = DashboardBody
        return {"DashboardValidationMessages": []}

    def delete_dashboards(self, DashboardNames: list[str]) -> Document:  # noqa: N803
        missing = [name for name in DashboardNames if name not in self.dashboards]
        if missing:
            raise Refused("ResourceNotFound", f"Dashboard {missing} does not exist", 404)
        for name in DashboardNames:
            del self.dashboards[name]
        return {}


@dataclass
class EmrContainers:
    """clusters: state and namespace by id."""

    clusters: dict[str, tuple[str, str]] = field(default_factory=dict)

    def describe_virtual_cluster(self, id: str) -> Document:
        if id not in self.clusters:
            raise Refused("ResourceNotFoundException", f"Virtual cluster {id} doesn't exist.")
        state, namespace = self.clusters[id]
        provider = {"info": {"eksInfo": {"namespace": namespace}}}
        return {"virtualCluster": {"id": id, "state": state, "containerProvider": provider}}


@dataclass
class Iam:
    """IAM's policy simulator, and STS; denied: actions that the simulator says are denied."""

    denied: set[str] = field(default_factory=set)

    def get_caller_identity(self) -> Document:
        return {"Account": "000000000000", "Arn": "arn:aws:sts::000000000000:assumed-role/controller/session"}

    def simulate_principal_policy(self, ActionNames: list[str], **_: Any) -> Document:  # noqa: N803
        decisions = {True: "implicitDeny", False: "allowed"}
        results = [{"EvalActionName": name, "EvalDecision": decisions[name in self.denied]} for name in ActionNames]
        return {"EvaluationResults": results}
