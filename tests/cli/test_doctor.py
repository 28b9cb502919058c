"""The parts of doctor that decide, without the servers they ask."""

from typing import Any

import pytest

from controller.cli.checks_aws import trusts
from controller.cli.checks_source import lindorm
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
