"""AWS as the user's own credentials reach it."""

from typing import Any

import boto3
from botocore.config import Config

from lindorm_import.adapters import dynamodb
from lindorm_import.adapters.bounded import MB, bound_aws
from lindorm_import.adapters.bucket_owner import expect_owner
from lindorm_import.api.spec import ImportSpec
from lindorm_import.domain.observed import TableSeen

# A person waits: an endpoint that does not answer is said after seconds.
_CONFIG = Config(
    connect_timeout=3,
    read_timeout=10,
    retries={"mode": "standard", "max_attempts": 2},
    user_agent_extra="lindorm-import",
)


def client(service: str, region: str) -> Any:
    made = boto3.client(service, region_name=region, config=_CONFIG)  # type: ignore[call-overload]
    bound_aws(made, seconds=20.0, size=16 * MB)
    expect_owner(made, lambda: str(client("sts", region).get_caller_identity()["Account"]))
    return made


def look_at_target(spec: ImportSpec) -> TableSeen:
    """The target table as it is. Raises TroubleError."""
    region = spec.target.region
    return dynamodb.look_at_table(
        client("dynamodb", region), client("application-autoscaling", region), spec.target.table, policy=""
    )
