"""The clients of one controller process: kept by region, those of the regions used last; thread-safe."""

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from lindorm_import.adapters.bounded import MB, bound_aws, close_aws
from lindorm_import.adapters.bucket_owner import expect_owner
from lindorm_import.adapters.cache import AnswerCache
from lindorm_import.adapters.errors import aws_errors
from lindorm_import.adapters.flink import look_at_job
from lindorm_import.adapters.iam import look_at_permissions
from lindorm_import.adapters.kube import Kube
from lindorm_import.adapters.lindorm import look_at_source
from lindorm_import.api.spec import ImportSpec
from lindorm_import.domain.observed import JobSeen, Login, PermissionsSeen, SourceSeen
from lindorm_import.permissions.preflight import PermissionScope
from lindorm_import.world.fence import check_request

if TYPE_CHECKING:
    from mypy_boto3_application_autoscaling import ApplicationAutoScalingClient
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_emr_containers import EMRContainersClient
    from mypy_boto3_s3 import S3Client

# A slow AWS call holds up one import's pass for seconds, not for botocore's default of minutes.
_CONFIG = Config(
    connect_timeout=5,
    read_timeout=20,
    retries={"mode": "standard", "max_attempts": 3},
    user_agent_extra="lindorm-import",
    max_pool_connections=256,  # as many as passes run at once (operator.py)
)
# Of one answer, which a proxy may give in AWS's place. CloudWatch's are the largest: 100,800 values.
ANSWER_SECONDS, ANSWER_BYTES = 30.0, 16 * MB
# An import may name any region. Its clients are some megabytes and connections each.
MOST_REGIONS = 8


@dataclass
class Clients:
    """kube: the API server; flink_rest: where a job's REST API is, with {namespace} and {name} in it;
    look_at_…: Lindorm's, Flink's and IAM's adapters, fields so that tests can put others there; answers: those of IAM
    and Kubernetes that are still good."""

    kube: Kube
    flink_rest: str
    look_at_source: Callable[[ImportSpec, Login, bool], SourceSeen] = look_at_source
    look_at_job: Callable[[str, str], JobSeen | None] = look_at_job
    look_at_permissions: Callable[[Any, Any, Kube, PermissionScope, AnswerCache], PermissionsSeen] = look_at_permissions
    answers: AnswerCache = field(default_factory=AnswerCache)
    _account: str | None = None
    _made: dict[str, dict[str, Any]] = field(default_factory=dict)  # region, service
    _lock: Lock = field(default_factory=Lock)  # making a boto3 client is not thread-safe, using it is

    @classmethod
    def connect(cls, namespaces: tuple[str, ...] = ()) -> "Clients":
        """namespaces: those that are watched, empty for all."""
        default = "http://{name}-rest.{namespace}:8081"
        return cls(Kube.connect(namespaces), os.environ.get("LINDORM_IMPORT_FLINK_REST_URL", default))

    @cached_property
    def _session(self) -> boto3.Session:
        session = boto3.Session()
        session.events.register("before-send", check_request)
        return session

    def _client(self, service: str, region: str) -> Any:
        with self._lock:
            of_region = self._made[region] = self._made.pop(region, {})  # the last in the order of use
            if service not in of_region:
                made: Any = self._session.client(service, region_name=region, config=_CONFIG)  # type: ignore[call-overload]
                bound_aws(made, ANSWER_SECONDS, ANSWER_BYTES)
                expect_owner(made, functools.partial(self.account, region))
                of_region[service] = made
            self._keep(MOST_REGIONS)
            return of_region[service]

    def _keep(self, most: int) -> None:
        """Closes the clients of all other regions. A request that is under way gets its answer."""
        while len(self._made) > most:
            for unused in self._made.pop(next(iter(self._made))).values():
                close_aws(unused)

    def close(self) -> None:
        """Closes the connections to AWS."""
        with self._lock:
            self._keep(0)

    def dynamodb(self, region: str) -> "DynamoDBClient":
        client: DynamoDBClient = self._client("dynamodb", region)
        return client

    def s3(self, region: str) -> "S3Client":
        client: S3Client = self._client("s3", region)
        return client

    def logs(self, region: str) -> Any:
        """CloudWatch Logs, where an import tells what it could not load."""
        return self._client("logs", region)

    def scaling(self, region: str) -> "ApplicationAutoScalingClient":
        client: ApplicationAutoScalingClient = self._client("application-autoscaling", region)
        return client

    def iam(self, region: str) -> Any:
        """IAM is the same in every region of a partition."""
        return self._client("iam", region)

    def sts(self, region: str) -> Any:
        return self._client("sts", region)

    def account(self, region: str) -> str:
        """The controller's AWS account, which does not change while it runs. Raises TroubleError."""
        if self._account is None:
            with aws_errors("sts:GetCallerIdentity, for the account that buckets must belong to"):
                self._account = self.sts(region).get_caller_identity()["Account"]
        return self._account

    def emr_containers(self, region: str) -> "EMRContainersClient":
        client: EMRContainersClient = self._client("emr-containers", region)
        return client

    def cloudwatch(self, region: str) -> "CloudWatchClient":
        client: CloudWatchClient = self._client("cloudwatch", region)
        return client
