"""What DynamoDB says of the load, from CloudWatch.

Metrics: AWS/DynamoDB, one-minute sums, absent means zero
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html). They come one to three
minutes
late, so they report; they never steer.
"""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from lindorm_import.adapters.errors import aws_code, aws_errors, first_pages
from lindorm_import.api.status import Throttling
from lindorm_import.domain.actions import Metrics
from lindorm_import.domain.trouble import Trouble, TroubleError

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient

_CAUSES = {
    "KeyRange": "WriteKeyRangeThroughputThrottleEvents",
    "Provisioned": "WriteProvisionedThroughputThrottleEvents",
    "OnDemandMaximum": "WriteMaxOnDemandThroughputThrottleEvents",
    "Account": "WriteAccountLimitThrottleEvents",
}
_ALL = "WriteThrottleEvents"
_CONSUMED = "ConsumedWriteCapacityUnits"
_RECENT = timedelta(minutes=3)


def look_at_dashboard(cloudwatch: "CloudWatchClient", name: str, uid: str) -> bool:
    """Whether the import's dashboard is there. Raises TroubleError, also for one that is not this import's."""
    with aws_errors(f"cloudwatch:GetDashboard of {name}"):
        try:
            body = cloudwatch.get_dashboard(DashboardName=name)["DashboardBody"]
        except ClientError as error:
            if aws_code(error) in ("ResourceNotFound", "DashboardNotFoundError"):
                return False
            raise
    if uid not in body:
        raise TroubleError(Trouble("NameTaken", f"dashboard {name} belongs to something else: remove or rename it"))
    return True


def put_dashboard(cloudwatch: "CloudWatchClient", name: str, body: str) -> None:
    """Makes it, or makes it what it was. Raises TroubleError."""
    with aws_errors(f"cloudwatch:PutDashboard of {name}"):
        cloudwatch.put_dashboard(DashboardName=name, DashboardBody=body)


def delete_dashboard(cloudwatch: "CloudWatchClient", name: str) -> None:
    """Deletes; already gone is success. Raises TroubleError."""
    with aws_errors(f"cloudwatch:DeleteDashboards of {name}"):
        try:
            cloudwatch.delete_dashboards(DashboardNames=[name])
        except ClientError as error:
            if aws_code(error) not in ("ResourceNotFound", "DashboardNotFoundError"):
                raise


def publish(cloudwatch: "CloudWatchClient", metrics: Metrics) -> None:
    """Raises TroubleError."""
    dimensions: Any = [
        {"Name": "Namespace", "Value": metrics.import_namespace},
        {"Name": "Import", "Value": metrics.import_name},
    ]
    data: Any = [
        {"MetricName": name, "Dimensions": dimensions, "Value": value, "Unit": "Count"}
        for name, value in metrics.values
    ]
    with aws_errors(f"cloudwatch:PutMetricData of {metrics.namespace}"):
        cloudwatch.put_metric_data(Namespace=metrics.namespace, MetricData=data)


def look_at_throttling(cloudwatch: "CloudWatchClient", table: str, start: datetime, now: datetime) -> Throttling:
    """Writes to the table since start: throttled in all, lately and why; units consumed. Raises TroubleError."""
    metrics = [_CONSUMED, _ALL, *_CAUSES.values()]
    queries: Any = [
        {
            "Id": f"m{i}",
            "MetricStat": {
                "Metric": {
                    "Namespace": "AWS/DynamoDB",
                    "MetricName": metric,
                    "Dimensions": [{"Name": "TableName", "Value": table}],
                },
                "Period": 60,
                "Stat": "Sum",
            },
        }
        for i, metric in enumerate(metrics)
    ]
    sums: dict[str, dict[datetime, float]] = {metric: {} for metric in metrics}
    with aws_errors(f"cloudwatch:GetMetricData for table {table}"):
        pages = cloudwatch.get_paginator("get_metric_data").paginate(
            MetricDataQueries=queries,
            StartTime=start.replace(second=0, microsecond=0),
            EndTime=now + timedelta(minutes=1),
        )
        for page in first_pages(pages, f"what CloudWatch has of table {table}"):
            for result in page["MetricDataResults"]:
                metric = metrics[int(result["Id"][1:])]
                for at, value in zip(result["Timestamps"], result["Values"], strict=True):
                    sums[metric][at] = sums[metric].get(at, 0) + value

    def lately(metric: str) -> float:
        return sum(value for at, value in sums[metric].items() if at > now - _RECENT)

    full_minutes = [at for at in sums[_CONSUMED] if at <= now - timedelta(minutes=1)]
    last = max(full_minutes or sums[_CONSUMED], default=None)
    minutes = _RECENT / timedelta(minutes=1)
    causes = {cause: lately(metric) for cause, metric in _CAUSES.items()}
    cause = max(causes, key=lambda c: causes[c]) if any(causes.values()) else None
    recent = max(lately(_ALL), sum(causes.values()))
    return Throttling.model_validate(
        {
            "events": round(max(sum(sums[_ALL].values()), sum(sum(sums[m].values()) for m in _CAUSES.values()))),
            "eventsPerMinute": round(recent / minutes),
            "cause": cause or ("Unknown" if recent else None),
            "consumedWriteUnits": round(sums[_CONSUMED][last] / 60) if last else 0,
            "observedAt": now,
        }
    )
