"""What the AWS stand-in does and moto alone does not."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.applicationautoscaling.models import ApplicationAutoscalingBackend
from moto.cloudwatch.models import CloudWatchBackend
from moto.s3.responses import S3Response

from local.aws import correct

TABLE: dict[str, Any] = {
    "ServiceNamespace": "dynamodb",
    "ResourceId": "table/t",
    "ScalableDimension": "dynamodb:table:WriteCapacityUnits",
}


@pytest.fixture(autouse=True)
def corrected(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """moto with the corrections, which go again after the test."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    for owner, name in (
        (S3Response, "_bucket_response_put"),
        (ApplicationAutoscalingBackend, "deregister_scalable_target"),
        (ApplicationAutoscalingBackend, "delete_scaling_policy"),
        (CloudWatchBackend, "__init__"),
        (CloudWatchBackend, "get_metric_data"),
    ):
        monkeypatch.setattr(owner, name, getattr(owner, name))
    correct()
    with mock_aws():
        yield


def client(service: str) -> Any:
    return boto3.client(service, region_name="us-west-2")  # type: ignore[call-overload]


@pytest.mark.parametrize("tags", [[], [{"Key": "lindorm.io/uid", "Value": "u"}]])
def test_a_bucket_has_the_tags_of_its_creation(tags: list[dict[str, str]]) -> None:
    s3 = client("s3")
    s3.create_bucket(
        Bucket="a-bucket",
        CreateBucketConfiguration={"LocationConstraint": "us-west-2", **({"Tags": tags} if tags else {})},
    )
    if tags:
        assert s3.get_bucket_tagging(Bucket="a-bucket")["TagSet"] == tags
    else:
        with pytest.raises(ClientError, match="NoSuchTagSet"):
            s3.get_bucket_tagging(Bucket="a-bucket")


def test_a_scaling_policy_goes_with_its_target_and_what_is_gone_is_not_found() -> None:
    scaling = client("application-autoscaling")
    scaling.register_scalable_target(**TABLE, MinCapacity=1, MaxCapacity=10)
    scaling.put_scaling_policy(
        **TABLE,
        PolicyName="p",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": 70.0,
            "PredefinedMetricSpecification": {"PredefinedMetricType": "DynamoDBWriteCapacityUtilization"},
        },
    )
    scaling.deregister_scalable_target(**TABLE)
    assert scaling.describe_scaling_policies(ServiceNamespace="dynamodb")["ScalingPolicies"] == []
    with pytest.raises(ClientError, match="ObjectNotFoundException"):
        scaling.deregister_scalable_target(**TABLE)
    with pytest.raises(ClientError, match="ObjectNotFoundException"):
        scaling.delete_scaling_policy(**TABLE, PolicyName="p")


def test_the_sums_are_of_the_metric_that_is_asked_for_alone() -> None:
    cloudwatch, now = client("cloudwatch"), datetime.now(UTC)
    wanted, other = [{"Name": "TableName", "Value": "t"}], [{"Name": "TableName", "Value": "u"}]

    def put(namespace: str, name: str, dimensions: list[dict[str, str]], value: float) -> None:
        data = [{"MetricName": name, "Dimensions": dimensions, "Value": value, "Timestamp": now}]
        cloudwatch.put_metric_data(Namespace=namespace, MetricData=data)

    put("AWS/DynamoDB", "Consumed", wanted, 1)
    put("AWS/DynamoDB", "Consumed", wanted, 2)
    put("AWS/DynamoDB", "Consumed", other, 10)
    put("AWS/DynamoDB", "Throttled", wanted, 100)
    put("Mine", "Consumed", wanted, 1_000)
    metric = {"Namespace": "AWS/DynamoDB", "MetricName": "Consumed", "Dimensions": wanted}
    found = cloudwatch.get_metric_data(
        MetricDataQueries=[{"Id": "m", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}}],
        StartTime=now - timedelta(minutes=1),
        EndTime=now + timedelta(minutes=1),
    )
    assert sum(found["MetricDataResults"][0]["Values"]) == 3
