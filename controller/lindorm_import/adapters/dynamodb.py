"""The target table."""

from dataclasses import replace
from datetime import UTC
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from lindorm_import.adapters.errors import aws_code, aws_errors, first_pages
from lindorm_import.adapters.scaling import look_at_scaling
from lindorm_import.api.status import TableSettings
from lindorm_import.domain import names
from lindorm_import.domain.observed import IndexKey, TableIndex, TableKey, TableSeen

if TYPE_CHECKING:
    from mypy_boto3_application_autoscaling import ApplicationAutoScalingClient
    from mypy_boto3_dynamodb import DynamoDBClient


def look_at_table(
    dynamodb: "DynamoDBClient", scaling: "ApplicationAutoScalingClient", name: str, policy: str
) -> TableSeen:
    """The table with its key, its owner's UID and its settings. Raises TroubleError."""
    seen = look_at_capacity(dynamodb, scaling, name, policy)
    if not seen.exists:
        return seen
    with aws_errors(f"dynamodb:ListTagsOfResource on table {name}"):
        pages = dynamodb.get_paginator("list_tags_of_resource").paginate(ResourceArn=seen.arn)
        tags = {
            tag["Key"]: tag["Value"]
            for page in first_pages(pages, f"the list of the tags of table {name}")
            for tag in page["Tags"]
        }
    with aws_errors(f"dynamodb:DescribeContinuousBackups on table {name}"):
        backups = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    recovery = backups.get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus")
    return replace(seen, owner_uid=tags.get(names.UID_LABEL), point_in_time_recovery=recovery == "ENABLED")


def look_at_capacity(
    dynamodb: "DynamoDBClient", scaling: "ApplicationAutoScalingClient", name: str, policy: str
) -> TableSeen:
    """The same without tags and backups: what can matter while the job runs. policy: the name of this import's own
    scaling policy. Raises TroubleError."""
    with aws_errors(f"dynamodb:DescribeTable on table {name}"):
        try:
            table = dynamodb.describe_table(TableName=name)["Table"]
        except ClientError as error:
            if aws_code(error) == "ResourceNotFoundException":
                left = look_at_scaling(scaling, name, policy)  # a table that is deleted leaves its target behind
                return TableSeen(exists=False, scaling_target=left.target if left else None)
            raise
    types = {a["AttributeName"]: a["AttributeType"] for a in table["AttributeDefinitions"]}
    key = {part["KeyType"]: part["AttributeName"] for part in table["KeySchema"]}

    def part(role: str) -> TableKey | None:
        return TableKey(key[role], types[key[role]]) if role in key else None

    provisioned = table.get("ProvisionedThroughput", {})
    # A table that was never on demand has no BillingModeSummary (API: TableDescription).
    on_demand = table.get("BillingModeSummary", {}).get("BillingMode") == "PAY_PER_REQUEST"
    limits = table.get("OnDemandThroughput", {})
    warm = table.get("WarmThroughput", {})
    bounds = None if on_demand else look_at_scaling(scaling, name, policy)
    return TableSeen(
        exists=True,
        arn=table["TableArn"],
        table_id=table.get("TableId"),
        created_at=table["CreationDateTime"].astimezone(UTC),
        status=table["TableStatus"],
        partition=part("HASH"),
        sort=part("RANGE"),
        settings=TableSettings(
            mode="OnDemand" if on_demand else "Provisioned",
            write_units=_limit(limits.get("MaxWriteRequestUnits")) if on_demand else provisioned["WriteCapacityUnits"],
            scaling_min=bounds.minimum if bounds else None,
            scaling_max=bounds.maximum if bounds else None,
        ),
        read_units=provisioned.get("ReadCapacityUnits") or 0,
        max_read_units=_limit(limits.get("MaxReadRequestUnits")),
        warm_reads=warm.get("ReadUnitsPerSecond"),
        warm_writes=warm.get("WriteUnitsPerSecond"),
        warming=warm.get("Status") == "UPDATING",
        scaling_target=bounds.target if bounds else None,
        decreases=provisioned.get("NumberOfDecreasesToday", 0),
        decreased_at=provisioned.get("LastDecreaseDateTime"),
        protected=table.get("DeletionProtectionEnabled", False),
        indexes=(
            *(_index(index, local=True) for index in table.get("LocalSecondaryIndexes", [])),
            *(_index(index, local=False) for index in table.get("GlobalSecondaryIndexes", [])),
        ),
        index_keys=_index_keys(table, types),
    )


def _index_keys(table: Any, types: dict[str, Any]) -> tuple[IndexKey, ...]:
    return tuple(
        IndexKey(
            index=index["IndexName"],
            name=part["AttributeName"],
            type=types[part["AttributeName"]],
            role="Partition" if part["KeyType"] == "HASH" else "Sort",
        )
        for kind in ("LocalSecondaryIndexes", "GlobalSecondaryIndexes")
        for index in table.get(kind, [])
        for part in index["KeySchema"]
    )


def _index(index: Any, local: bool) -> TableIndex:
    projection = index.get("Projection", {})
    everything = projection.get("ProjectionType") == "ALL"
    return TableIndex(
        name=index["IndexName"],
        key=tuple(part["AttributeName"] for part in index["KeySchema"]),
        projected=None if everything else tuple(projection.get("NonKeyAttributes", [])),
        local=local,
        write_units=index.get("ProvisionedThroughput", {}).get("WriteCapacityUnits") or None,  # 0: on demand
    )


def _limit(units: int | None) -> int | None:
    """-1 means no maximum (API: OnDemandThroughput)."""
    return None if units is None or units < 0 else units


def update_table(dynamodb: "DynamoDBClient", request: dict[str, Any]) -> None:
    """Raises TroubleError; one that is being changed already is left to the next look."""
    with aws_errors(f"dynamodb:UpdateTable of table {request['TableName']}"):
        try:
            dynamodb.update_table(**request)
        except ClientError as error:
            if aws_code(error) != "ResourceInUseException":
                raise


def enable_point_in_time_recovery(dynamodb: "DynamoDBClient", name: str) -> None:
    """Raises TroubleError."""
    with aws_errors(f"dynamodb:UpdateContinuousBackups of table {name}"):
        dynamodb.update_continuous_backups(
            TableName=name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
        )


def create_table(dynamodb: "DynamoDBClient", request: dict[str, Any]) -> None:
    """Creates; a table of that name that is there already is left to the next look. Raises TroubleError."""
    with aws_errors(f"dynamodb:CreateTable of table {request['TableName']}"):
        try:
            dynamodb.create_table(**request)
        except ClientError as error:
            if aws_code(error) != "ResourceInUseException":
                raise


def tag_table(dynamodb: "DynamoDBClient", name: str, table_id: str, tags: dict[str, str]) -> None:
    """Tags the table if it still is the one with that TableId; another of its name is left to the next look. Raises
    TroubleError."""
    with aws_errors(f"dynamodb:DescribeTable on table {name}"):
        try:
            table = dynamodb.describe_table(TableName=name)["Table"]
        except ClientError as error:
            if aws_code(error) == "ResourceNotFoundException":
                return
            raise
    if table.get("TableId") != table_id:
        return
    with aws_errors(f"dynamodb:TagResource on table {name}"):
        try:
            pairs: Any = [{"Key": k, "Value": v} for k, v in tags.items()]
            dynamodb.tag_resource(ResourceArn=table["TableArn"], Tags=pairs)
        except ClientError as error:
            if aws_code(error) != "ResourceInUseException":
                raise


def delete_table(dynamodb: "DynamoDBClient", name: str) -> None:
    """Deletes; already gone is success. Raises TroubleError."""
    with aws_errors(f"dynamodb:DeleteTable of table {name}"):
        try:
            dynamodb.delete_table(TableName=name)
        except ClientError as error:
            if aws_code(error) != "ResourceNotFoundException":
                raise
