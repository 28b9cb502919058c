"""Application Auto Scaling of a table's write capacity."""

from typing import TYPE_CHECKING, Final, NamedTuple

from botocore.exceptions import ClientError

from lindorm_import.adapters.errors import aws_code, aws_errors
from lindorm_import.domain.actions import RemoveScaling, SetScaling

if TYPE_CHECKING:
    from mypy_boto3_application_autoscaling import ApplicationAutoScalingClient

_DIMENSION: Final = "dynamodb:table:WriteCapacityUnits"


class Bounds(NamedTuple):
    """target: the percentage that this import's own policy aims at, None where there is no such policy."""

    minimum: int
    maximum: int
    target: int | None


def look_at_scaling(scaling: "ApplicationAutoScalingClient", table: str, policy: str) -> Bounds | None:
    """The bounds of the table's write capacity, None where it is not registered. Raises TroubleError."""
    with aws_errors(f"application-autoscaling:DescribeScalableTargets for table {table}"):
        found = scaling.describe_scalable_targets(
            ServiceNamespace="dynamodb", ResourceIds=[f"table/{table}"], ScalableDimension=_DIMENSION
        )["ScalableTargets"]
    if not found:
        return None
    with aws_errors(f"application-autoscaling:DescribeScalingPolicies for table {table}"):
        policies = scaling.describe_scaling_policies(
            ServiceNamespace="dynamodb",
            ResourceId=f"table/{table}",
            ScalableDimension=_DIMENSION,
            PolicyNames=[policy],
        )["ScalingPolicies"]
    tracking = policies[0].get("TargetTrackingScalingPolicyConfiguration") if policies else None
    target = round(tracking["TargetValue"]) if tracking else None
    return Bounds(found[0]["MinCapacity"], found[0]["MaxCapacity"], target)


def set_scaling(scaling: "ApplicationAutoScalingClient", wanted: SetScaling) -> None:
    """Registers the bounds and, where a target is given, our policy. Raises TroubleError."""
    resource = f"table/{wanted.table}"
    with aws_errors(f"application-autoscaling:RegisterScalableTarget for table {wanted.table}"):
        scaling.register_scalable_target(
            ServiceNamespace="dynamodb",
            ResourceId=resource,
            ScalableDimension=_DIMENSION,
            MinCapacity=wanted.minimum,
            MaxCapacity=wanted.maximum,
        )
    if wanted.target is None:
        return
    with aws_errors(f"application-autoscaling:PutScalingPolicy for table {wanted.table}"):
        scaling.put_scaling_policy(
            PolicyName=wanted.policy,
            ServiceNamespace="dynamodb",
            ResourceId=resource,
            ScalableDimension=_DIMENSION,
            PolicyType="TargetTrackingScaling",
            TargetTrackingScalingPolicyConfiguration={
                "TargetValue": float(wanted.target),
                "PredefinedMetricSpecification": {"PredefinedMetricType": "DynamoDBWriteCapacityUtilization"},
            },
        )


def remove_scaling(scaling: "ApplicationAutoScalingClient", unwanted: RemoveScaling) -> None:
    """Deregisters the table (its policies go with it), or removes our policy alone. Gone already is success."""
    resource = f"table/{unwanted.table}"
    what = "DeleteScalingPolicy" if unwanted.keep else "DeregisterScalableTarget"
    with aws_errors(f"application-autoscaling:{what} for table {unwanted.table}"):
        try:
            if unwanted.keep:
                scaling.delete_scaling_policy(
                    PolicyName=unwanted.policy,
                    ServiceNamespace="dynamodb",
                    ResourceId=resource,
                    ScalableDimension=_DIMENSION,
                )
            else:
                scaling.deregister_scalable_target(
                    ServiceNamespace="dynamodb", ResourceId=resource, ScalableDimension=_DIMENSION
                )
        except ClientError as error:
            if aws_code(error) != "ObjectNotFoundException":
                raise
