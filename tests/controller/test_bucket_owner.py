"""Each call that can say whose its bucket must be says so, and another account's bucket is told as that."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from moto import mock_aws

from lindorm_import.adapters.bucket_owner import OWNERS, expect_owner
from lindorm_import.adapters.errors import aws_trouble
from lindorm_import.cli import aws
from lindorm_import.domain.trouble import TroubleError
from lindorm_import.permissions.needed import CONTROLLER_AWS
from lindorm_import.world.clients import Clients
from tests.controller.aws import ACCOUNT, REGION, AwsCall
from tests.controller.aws_services import OwnBucket
from tests.controller.factories import NOW
from tests.controller.fakes import World
from tests.controller.lives import DELETE, LIVES

THEIRS = "999999999999"


def paths(shape: Any, above: tuple[str, ...] = (), seen: frozenset[str] = frozenset()) -> Iterator[tuple[str, ...]]:
    """Where a request names a bucket's owner, by botocore's model."""
    if shape is None or shape.type_name != "structure" or shape.name in seen:
        return
    for name, member in shape.members.items():
        if "BucketOwner" in name:
            yield (*above, name)
        yield from paths(member, (*above, name), seen | {shape.name})


def client(service: str) -> Any:
    return boto3.client(service, REGION, aws_access_key_id="x", aws_secret_access_key="x")  # type: ignore[call-overload]


SERVICES = ("s3", "dynamodb")
# Of every operation that names an owner, not only those that the controller calls today.
OPERATIONS = [
    (service, operation, path)
    for service in SERVICES
    for model in [client(service).meta.service_model]
    for operation in model.operation_names
    for path in paths(model.operation_model(operation).input_shape)
]


@pytest.mark.parametrize(("service", "operation", "path"), OPERATIONS, ids=str)
def test_every_operation_that_can_name_the_owner_of_a_bucket_names_ours(
    service: str, operation: str, path: tuple[str, ...]
) -> None:
    made = client(service)
    expect_owner(made, lambda: ACCOUNT)
    params: dict[str, Any] = {}
    node = params
    for name in path[:-1]:
        node[name] = node = {}
    given = {key: dict(value) for key, value in params.items()}
    event = f"before-parameter-build.{service}.{operation}"
    made.meta.events.emit(event, params=params, model=made.meta.service_model.operation_model(operation), context={})
    node = params
    for name in path[:-1]:
        node = node[name]
    assert node[path[-1]] == ACCOUNT
    assert path[-1] in OWNERS
    assert given == {key: {} for key in given}, "what the caller gave stays as it was"


def test_every_call_that_the_controller_makes_of_a_bucket_names_the_owner() -> None:
    """In every life there is; what botocore's model has no owner for is made anew, or lists one's own."""
    calls: list[AwsCall] = []
    for life in LIVES.values():
        life(World(faults=lambda call: calls.append(call) if isinstance(call, AwsCall) else None))
    made = {c.operation for c in calls if c.service == "s3"}
    listed = {call.split(":")[1] for a in CONTROLLER_AWS for call in a.calls if call.startswith("s3:")}
    assert made == listed
    model = client("s3").meta.service_model
    can = {name for name in made if "ExpectedBucketOwner" in model.operation_model(name).input_shape.members}
    assert made - can == {"CreateBucket", "ListBuckets"}
    for call in calls:
        if call.service == "s3":
            assert call.params.get("ExpectedBucketOwner") == (ACCOUNT if call.operation in can else None), call


def test_a_bucket_of_another_account_that_lets_the_role_in_is_not_used_and_told() -> None:
    world = World()
    world.aws.s3.buckets["my-import-bucket"] = OwnBucket(NOW, {})
    world.aws.s3.owners["my-import-bucket"] = THEIRS
    world.apply(**DELETE)
    world.drive(lambda _: world.condition("StagingReady").get("status") == "False")
    found = world.condition("StagingReady")
    assert found["reason"] == "AwsAccessDenied"
    assert "bucket my-import-bucket belongs to somebody else, or it is not allowed: s3:ListBucket" in found["message"]
    world.aws.s3.owners.clear()
    world.drive(lambda _: world.condition("Complete").get("status") == "True")


def test_nothing_is_deleted_from_a_bucket_that_has_become_another_accounts() -> None:
    world = World()
    world.apply(**DELETE)
    world.run_to_end()
    files = world.aws.s3.keys("my-import-bucket")
    assert files
    world.aws.s3.owners["my-import-bucket"] = THEIRS
    world.delete()
    world.drive(lambda outcome: outcome.trouble is not None)
    assert world.condition("Ready")["reason"] == "AwsAccessDenied"
    assert world.aws.s3.keys("my-import-bucket") == files


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "words"}}, "HeadBucket")


@pytest.mark.parametrize("code", ["403", "AccessDenied"])
def test_a_refusal_of_s3_says_both_things_that_it_can_mean(code: str) -> None:
    told = aws_trouble(refusal(code), "s3:ListBucket on bucket b", "b").message
    assert "bucket b belongs to somebody else, or it is not allowed: s3:ListBucket on bucket b" in told
    assert "belongs" not in aws_trouble(refusal(code), "dynamodb:DescribeTable on table t").message


def test_a_name_that_somebody_else_has_is_told_as_that() -> None:
    told = aws_trouble(refusal("BucketAlreadyExists"), "s3:CreateBucket of bucket b", "b")
    assert told.reason == "BucketTaken"
    assert "bucket b belongs to somebody else" in told.message


class Sts:
    """Answers who the caller is, or does not."""

    def __init__(self) -> None:
        self.asked, self.away = 0, False

    def get_caller_identity(self) -> dict[str, str]:
        self.asked += 1
        if self.away:
            raise EndpointConnectionError(endpoint_url="https://sts.us-west-2.amazonaws.com")
        return {"Account": ACCOUNT}


def test_the_account_is_asked_for_once_and_without_it_no_bucket_is_asked_for_anything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    clients, sts, sent = Clients(None, ""), Sts(), []  # type: ignore[arg-type,var-annotated]
    monkeypatch.setattr(clients, "sts", lambda region: sts)
    s3 = clients.s3(REGION)
    s3.meta.events.register("before-call", lambda params, **_: sent.append(params) or (Answered(), {}))
    sts.away = True
    with pytest.raises(TroubleError, match="sts:GetCallerIdentity, for the account that buckets must belong to"):
        s3.head_bucket(Bucket="b")
    assert sent == []
    sts.away = False
    s3.head_bucket(Bucket="b")
    s3.get_bucket_tagging(Bucket="b")
    assert [p["headers"]["x-amz-expected-bucket-owner"] for p in sent] == [ACCOUNT, ACCOUNT]
    assert sts.asked == 2


class Answered:
    status_code = 200
    headers: dict[str, str] = {}  # noqa: RUF012


@mock_aws
def test_the_command_lines_calls_name_the_users_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    sent: list[Any] = []
    s3 = aws.client("s3", REGION)
    s3.create_bucket(Bucket="mine", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.meta.events.register("before-call", lambda params, **_: sent.append(params["headers"]))
    s3.head_bucket(Bucket="mine")
    s3.list_objects_v2(Bucket="mine")
    assert [h["x-amz-expected-bucket-owner"] for h in sent] == ["123456789012"] * 2
