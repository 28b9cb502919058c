"""The parts of doctor that decide, without the servers they ask."""

from typing import Any

import pytest

from lindorm_import.cli import aws, checks_aws
from lindorm_import.cli.checks_aws import trusts
from lindorm_import.cli.checks_source import lindorm
from tests.controller.factories import spec

PROVIDER = "arn:aws:iam::1:oidc-provider/oidc.eks.us-west-2.amazonaws.com/id/X"


def policy(subject: Any, operator: str = "StringLike", action: Any = "sts:AssumeRoleWithWebIdentity") -> dict[str, Any]:
    statement: dict[str, Any] = {"Effect": "Allow", "Principal": {"Federated": PROVIDER}, "Action": action}
    if subject is not None:
        statement["Condition"] = {operator: {"oidc.eks.us-west-2.amazonaws.com/id/X:sub": subject}}
    return {"Statement": [statement]}


@pytest.mark.parametrize(
    "subject",
    [
        "system:serviceaccount:migration:emr-containers-sa-*-*-123456789012-abc",  # AWS writes it so
        "system:serviceaccount:*:emr-containers-sa-flink-jobmanager-123456789012-abc",
        ["system:serviceaccount:other:x", "system:serviceaccount:migration:*"],
        None,
    ],
)
def test_a_role_that_trusts_emrs_service_accounts_in_the_namespace_is_trusted(subject: Any) -> None:
    assert trusts(policy(subject), "migration")


@pytest.mark.parametrize(
    "wrong",
    [
        policy("system:serviceaccount:other:emr-containers-sa-*-*-123456789012-abc"),
        policy("system:serviceaccount:migration:default"),
        policy(None, action="sts:AssumeRole"),
        {"Statement": {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}},
        {},
    ],
)
def test_a_role_that_trusts_others_is_not(wrong: dict[str, Any]) -> None:
    assert not trusts(wrong, "migration")


def test_a_role_for_pod_identity_is_trusted() -> None:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "pods.eks.amazonaws.com"},
        "Action": ["sts:AssumeRole", "sts:TagSession"],
    }
    assert trusts({"Statement": [statement]}, "migration")


def test_a_lindorm_that_cannot_be_reached_is_told_with_what_to_look_at() -> None:
    found, mapping = lindorm(spec(**{"source.url": "jdbc:mysql://127.0.0.1:1/default"}), ("user", "password"))
    assert mapping is None
    assert [(c.name, c.level) for c in found] == [("lindorm port", "fail")]
    assert "whitelist" in found[0].advice
    assert "password" not in found[0].found


class Cloud:
    """As much of EMR, EKS, EC2 and IAM as the checks ask; endpoints: (service, state) in the cluster's VPC."""

    def __init__(self, *endpoints: tuple[str, str], denied: str | None = None) -> None:
        self.endpoints, self.denied = endpoints, denied

    def describe_virtual_cluster(self, id: str) -> Any:
        assert id == "abc123"
        return {"virtualCluster": {"containerProvider": {"id": "cluster"}}}

    def describe_cluster(self, name: str) -> Any:
        assert name == "cluster"
        return {"cluster": {"resourcesVpcConfig": {"vpcId": "vpc-1"}}}

    def describe_vpc_endpoints(self, Filters: Any) -> Any:  # noqa: N803
        assert Filters == [{"Name": "vpc-id", "Values": ["vpc-1"]}]
        names = [{"ServiceName": f"com.amazonaws.us-west-2.{name}", "State": state} for name, state in self.endpoints]
        return {"VpcEndpoints": names}

    def simulate_principal_policy(self, ActionNames: list[str], **_: Any) -> Any:  # noqa: N803
        decisions = {name: "explicitDeny" if name == self.denied else "allowed" for name in ActionNames}
        results = [{"EvalActionName": name, "EvalDecision": decision} for name, decision in decisions.items()]
        return {"EvaluationResults": results}


def asked(monkeypatch: pytest.MonkeyPatch, cloud: Cloud) -> Any:
    monkeypatch.setattr(aws, "client", lambda service, region: cloud)
    return spec(**{"job.virtualClusterId": "abc123", "job.executionRoleArn": "arn:aws:iam::123456789012:role/job"})


def test_both_gateway_endpoints_are_wanted_and_one_that_is_not_yet_there_counts_as_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = asked(monkeypatch, Cloud(("dynamodb", "available"), ("s3", "available")))
    assert checks_aws._endpoints(whole).level == "ok"
    found = checks_aws._endpoints(asked(monkeypatch, Cloud(("dynamodb", "available"), ("s3", "pending"))))
    assert (found.level, found.found) == ("warn", "vpc-1 has no endpoint for s3")
    assert checks_aws._endpoints(spec()).level == "skip"


def test_what_the_jobs_role_is_denied_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert checks_aws._permissions(asked(monkeypatch, Cloud()), "default").level == "ok"
    denied = asked(monkeypatch, Cloud(denied="dynamodb:BatchWriteItem"))
    found = checks_aws._permissions(denied, "default")
    assert found.level == "fail"
    assert "role/job may not dynamodb:BatchWriteItem on arn:aws:dynamodb:us-west-2:123456789012:table/" in found.found
