"""The two stacks, deployed once in moto; the environment that holds the checkers."""

import ast
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from local.bootstrap import bootstrap
from tests.infra import stand_ins  # noqa: F401  (registers what moto lacks)

INFRA = Path(__file__).resolve().parents[2] / "infra"
REGION = "us-west-2"
ACCOUNT = "123456789012"  # moto's


@pytest.fixture(scope="session")
def checks() -> Path:
    """The folder with checkov, shellcheck, mkdocs, the AWS CLI and IAM's rules (local/bootstrap.py)."""
    return bootstrap(["checks"]).checks


@dataclass
class Deployed:
    """A stack: outputs by key, and its roles' documents by logical id."""

    outputs: dict[str, str]
    policies: dict[str, list[dict[str, Any]]]
    trust: dict[str, dict[str, Any]]
    resources: dict[str, str]


def _document(answered: Any) -> dict[str, Any]:
    """A policy; one that CloudFormation got as an object and not as text, moto keeps in Python's notation."""
    if not isinstance(answered, str):
        return dict(answered)
    document: dict[str, Any] = ast.literal_eval(answered) if answered.startswith("{'") else json.loads(answered)
    return document


def deploy(name: str, template: str, **parameters: str) -> Deployed:
    """Deploys a template of infra/ in moto."""
    cloudformation, iam = boto3.client("cloudformation", REGION), boto3.client("iam")
    cloudformation.create_stack(
        StackName=name,
        TemplateBody=(INFRA / template).read_text(),
        Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()],
        Capabilities=["CAPABILITY_IAM"],
    )
    stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    listed = cloudformation.list_stack_resources(StackName=name)["StackResourceSummaries"]
    found = Deployed(
        {o["OutputKey"]: o["OutputValue"] for o in stack["Outputs"]},
        {},
        {},
        {r["LogicalResourceId"]: r["PhysicalResourceId"] for r in listed},
    )
    for logical, role in found.resources.items():
        if not any(r["LogicalResourceId"] == logical and r["ResourceType"] == "AWS::IAM::Role" for r in listed):
            continue
        found.trust[logical] = _document(iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"])
        found.policies[logical] = [
            _document(iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"])
            for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]
        ]
    return found


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield
