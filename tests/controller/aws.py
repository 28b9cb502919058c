"""The controller's AWS in memory: botocore's events hand each call to aws_services.py, before anything is sent.

The controller's own clients run unchanged, with botocore's checks of every parameter, and a request that comes too
late after its signature is refused. Each call passes `before` and
`after`, which count, refuse, or end the controller's process.
"""

import io
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Any, NamedTuple

from botocore import xform_name
from botocore.exceptions import ReadTimeoutError
from botocore.response import StreamingBody

from lindorm_import.world.clients import Clients
from tests.controller.aws_services import S3, CloudWatch, DynamoDB, EmrContainers, Iam, Logs, Refused, Scaling

Document = dict[str, Any]
REGION = "us-west-2"
ACCOUNT = "000000000000"
_READS = ("Describe", "List", "Get", "Head", "Simulate")

_current: list["Aws"] = []  # the AWS of the test that runs


@dataclass(frozen=True)
class AwsCall:
    """One call of the controller: service as in IAM ("dynamodb"), operation ("CreateTable"), its parameters."""

    service: str
    operation: str
    params: Document = field(hash=False, compare=False, default_factory=dict)

    @property
    def mutates(self) -> bool:
        return not self.operation.startswith(_READS)

    def __str__(self) -> str:
        return f"{self.service}:{self.operation}"


class _Answer(NamedTuple):
    """As much of a response as botocore looks at."""

    status_code: int
    headers: Document


@dataclass
class Aws:
    """before and after see each of the controller's calls; before may raise Refused (the answer) or what a
    connection raises; after may raise too, when the call has been done."""

    before: Callable[[AwsCall], None] = lambda call: None
    after: Callable[[AwsCall], None] = lambda call: None
    dynamodb: DynamoDB = field(default_factory=DynamoDB)
    s3: S3 = field(default_factory=S3)
    scaling: Scaling = field(default_factory=Scaling)
    logs: Logs = field(default_factory=Logs)
    cloudwatch: CloudWatch = field(default_factory=CloudWatch)
    emr: EmrContainers = field(default_factory=EmrContainers)
    iam: Iam = field(default_factory=Iam)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        self.dynamodb.loads.s3, self.dynamodb.loads.logs = self.s3, self.logs
        self.activate()

    def activate(self) -> None:
        """From now on the controller's calls come here."""
        _current[:] = [self]

    def answer(self, call: AwsCall) -> tuple[_Answer, Document]:
        services = {
            "dynamodb": self.dynamodb,
            "s3": self.s3,
            "application-autoscaling": self.scaling,
            "cloudwatch": self.cloudwatch,
            "logs": self.logs,
            "emr-containers": self.emr,
            "iam": self.iam,
            "sts": self.iam,
        }
        operation = getattr(services[call.service], xform_name(call.operation), None)
        assert operation is not None, f"aws_services.py does not know {call}"
        try:
            signed = self.s3.now
            self.before(call)
            # IAM User Guide, "Signing AWS API requests"; S3 API reference, "Authenticating requests".
            if self.s3.now - signed > timedelta(minutes=15 if call.service == "s3" else 5):
                raise Refused("RequestExpired", "Signature expired", 403)
            with self.lock:
                parsed: Document = operation(**self._owned(call))
        except Refused as refused:
            error = {"Code": refused.code, "Message": refused.message}
            return _Answer(refused.status, {}), {"Error": error, "ResponseMetadata": _metadata(refused.status)}
        self.after(call)
        if isinstance(parsed.get("Body"), bytes):
            parsed["ContentLength"] = len(parsed["Body"])
            parsed["Body"] = StreamingBody(io.BytesIO(parsed["Body"]), len(parsed["Body"]))
        return _Answer(200, {}), {**parsed, "ResponseMetadata": _metadata(200)}

    def _owned(self, call: AwsCall) -> Document:
        """The call's parameters without the owner that its bucket must have. Raises Refused for another one."""
        params = dict(call.params)
        owner = params.pop("ExpectedBucketOwner", None)
        if owner and owner != self.s3.owners.get(params["Bucket"], ACCOUNT) and params["Bucket"] in self.s3.buckets:
            raise Refused("AccessDenied" if not call.operation.startswith("Head") else "403", "Forbidden", 403)
        return params


def _metadata(status: int) -> Document:
    return {"HTTPStatusCode": status, "HTTPHeaders": {}, "RetryAttempts": 0, "RequestId": "in-memory"}


@cache
def controllers_clients() -> Clients:
    """boto3's clients take most of a second to make; the worlds, which live one after the other, share them."""
    clients = Clients(None, "http://flink/{namespace}/{name}")  # type: ignore[arg-type]
    session = clients._session
    session._session.set_credentials("in-memory", "in-memory")

    def remember(params: Document, context: Document, **_: Any) -> None:
        context["params"] = params

    def answer(model: Any, context: Document, **_: Any) -> Any:
        session.events.emit(f"before-send.{model.service_model.service_name}.{model.name}", request=None)
        return _current[0].answer(AwsCall(model.service_model.service_name, model.name, context["params"]))

    session.events.register("provide-client-params", remember)
    session.events.register("before-call", answer)
    clients._account = ACCOUNT  # asked for once a process, which many tests share
    for service in ("dynamodb", "s3", "application-autoscaling", "cloudwatch", "emr-containers", "iam", "sts", "logs"):
        clients._client(service, REGION)
    return clients


def reply_lost() -> Exception:
    """What botocore raises where no answer comes."""
    return ReadTimeoutError(endpoint_url="in-memory")
