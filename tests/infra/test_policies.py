"""The roles' policies, as deployed, judged by IAM's rules: what controller and job call is allowed, nothing more is.

The list of what they call is controller/lindorm_import/permissions; it is tested against what they really called
elsewhere. IAM's rules, and which action knows which resources and condition keys, come from
@cloud-copilot/iam-simulate. Not tried against the real IAM.
"""

import fnmatch
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws

from lindorm_import.domain.names import UID_LABEL
from lindorm_import.permissions.needed import ARNS, CONTROLLER_AWS, JOB_AWS, AwsAction
from tests.infra.conftest import ACCOUNT, INFRA, REGION, Deployed, deploy

ISSUER = "oidc.eks.us-west-2.amazonaws.com/id/0123ABCD"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
# EMR's logging sidecar takes the job's role too, and it never runs here (EMR on EKS guide, "Using monitoring
# configuration": these four).
LOGGING = {"logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams", "logs:DescribeLogGroups"}
LOGS = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/lindorm-import/imports/jobs:*"
ROLES = {"ControllerRole": CONTROLLER_AWS, "JobRole": JOB_AWS}


@dataclass(frozen=True)
class Request:
    action: str
    resource: str
    context: dict[str, Any] = field(default_factory=dict)


@pytest.fixture(scope="module")
def stacks() -> Iterator[dict[str, Deployed]]:
    """With a table key; for a family of tables; with as little as possible."""
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        common = {"S3BucketName": "my-import-bucket", "OidcIssuer": ISSUER}
        yield {
            "keyed": deploy("imports", "import.yaml", DynamoDBTableName="readings", TableKeyArn=KEY, **common),
            "family": deploy(
                "family", "import.yaml", DynamoDBTableName="sensors-*", Namespace="f", CreateS3Bucket="false", **common
            ),
            "plain": deploy("plain", "import.yaml", Namespace="p", CreateS3Bucket="false", **common),
        }


@pytest.fixture(scope="module")
def stack(stacks: dict[str, Deployed]) -> Deployed:
    return stacks["keyed"]


Judge = Callable[[str, list[Request]], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def judge(stack: Deployed, checks: Path) -> Judge:
    """What IAM says to each request of a role."""

    def ask(role: str, requests: list[Request]) -> list[dict[str, Any]]:
        question = {
            "account": ACCOUNT,
            "principal": f"arn:aws:iam::{ACCOUNT}:role/{stack.resources[role]}",
            "policies": [{"name": str(i), "policy": p} for i, p in enumerate(stack.policies[role])],
            # KMS asks the key's own policy first; this one, the default, leaves it to IAM.
            "keyPolicy": {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
                        "Action": "kms:*",
                        "Resource": "*",
                    }
                ],
            },
            "requests": [r.__dict__ for r in requests],
        }
        script = INFRA.parent / "tests" / "infra" / "iam" / "simulate.mjs"
        answered = subprocess.run(
            ["node", script, checks], input=json.dumps(question), capture_output=True, text=True, timeout=120
        )
        assert answered.returncode == 0, answered.stderr
        answers: list[dict[str, Any]] = json.loads(answered.stdout)
        assert len(answers) == len(requests)
        return answers

    return ask


def ours(stack: Deployed) -> dict[str, str]:
    return {
        "partition": "aws",
        "region": REGION,
        "account": ACCOUNT,
        "table": "readings",
        "bucket": "my-import-bucket",
        "prefix": "lindorm-import/default/readings/",
        "virtual_cluster": stack.outputs["VirtualClusterId"],
        "kms_key": KEY,
        "role": stack.resources["JobRole"],
    }


def others(stack: Deployed) -> dict[str, str]:
    """The same, of somebody else in the same account."""
    return ours(stack) | {
        "table": "payroll",
        "bucket": "payroll-backups",
        "prefix": "backups/",
        "virtual_cluster": "othersvirtualcluster",
        "kms_key": KEY.replace("1234abcd", "9999abcd"),
        "role": "payroll",
    }


# What each condition of controller/lindorm_import/permissions looks like in a request: with it, and without it.
MET: dict[str | None, dict[str, Any]] = {
    None: {},
    "ours": {f"aws:ResourceTag/{UID_LABEL}": "u-1"},
    "marked": {f"aws:RequestTag/{UID_LABEL}": "u-1", "aws:TagKeys": [UID_LABEL]},
    "unclaimed": {f"aws:RequestTag/{UID_LABEL}": "u-1", "aws:TagKeys": [UID_LABEL]},
    "own-account": {"aws:ResourceAccount": ACCOUNT},
    "marked-bucket": {
        f"aws:RequestTag/{UID_LABEL}": "u-1",
        "aws:TagKeys": [UID_LABEL],
        "aws:ResourceAccount": ACCOUNT,
    },
    "table-writes": {
        "application-autoscaling:service-namespace": "dynamodb",
        "application-autoscaling:scalable-dimension": "dynamodb:table:WriteCapacityUnits",
    },
    "scaling-role": {"iam:AWSServiceName": "dynamodb.application-autoscaling.amazonaws.com"},
    "own-metrics": {"cloudwatch:namespace": "LindormImport"},
    "dynamodb-only": {"kms:ViaService": f"dynamodb.{REGION}.amazonaws.com"},
}
UNMET: dict[str, dict[str, Any]] = {
    "ours": {},
    "marked": {},
    "unclaimed": {
        f"aws:RequestTag/{UID_LABEL}": "u-1",
        f"aws:ResourceTag/{UID_LABEL}": "u-2",
        "aws:TagKeys": [UID_LABEL],
    },
    "own-account": {"aws:ResourceAccount": "999999999999"},
    "marked-bucket": {
        f"aws:RequestTag/{UID_LABEL}": "u-1",
        "aws:TagKeys": [UID_LABEL],
        "aws:ResourceAccount": "999999999999",
    },
    "table-writes": {
        "application-autoscaling:service-namespace": "ecs",
        "application-autoscaling:scalable-dimension": "ecs:service:DesiredCount",
    },
    "scaling-role": {"iam:AWSServiceName": "rds.application-autoscaling.amazonaws.com"},
    "own-metrics": {"cloudwatch:namespace": "AWS/DynamoDB"},
    "dynamodb-only": {"kms:ViaService": f"s3.{REGION}.amazonaws.com"},
}


def requested(action: AwsAction, names: dict[str, str], context: dict[str, Any]) -> Request:
    resource = ARNS[action.resource].format(**names)
    resource = resource if resource == "*" else resource.replace("*", "x")  # a request names one thing
    return Request(action.action, resource, context)


# Newer than the simulator's list of actions: what the policy grants of them is compared word by word instead.
UNKNOWN = {a.action for a in CONTROLLER_AWS if "Bulk" in a.action and a.action.startswith("dynamodb:")}


def test_bulk_operations_are_granted_on_our_tables_and_nothing_else(stack: Deployed) -> None:
    written = {
        (action, statement["Resource"])
        for document in stack.policies["ControllerRole"]
        for statement in document["Statement"]
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
        if action in UNKNOWN
    }
    listed = [a for a in CONTROLLER_AWS if a.action in UNKNOWN]
    assert written == {(a.action, ARNS[a.resource].format(**ours(stack))) for a in listed}
    assert len(written) == 4


@pytest.mark.parametrize("role", ROLES)
def test_every_call_of_the_list_is_allowed(stack: Deployed, judge: Judge, role: str) -> None:
    requests = [requested(a, ours(stack), MET[a.condition]) for a in ROLES[role] if a.action not in UNKNOWN]
    for request, answer in zip(requests, judge(role, requests), strict=True):
        assert answer.get("result") == "Allowed", (request, answer)
        # A key that AWS does not know for the action would be a condition that never holds.
        assert answer["ignored"] == [], (request, answer)


@pytest.mark.parametrize("role", ROLES)
def test_no_call_is_allowed_without_its_condition(stack: Deployed, judge: Judge, role: str) -> None:
    requests = [requested(a, ours(stack), UNMET[a.condition]) for a in ROLES[role] if a.condition]
    assert requests
    for request, answer in zip(requests, judge(role, requests), strict=True):
        assert answer.get("result") == "ImplicitlyDenied", (request, answer)


@pytest.mark.parametrize("missing", ["aws:ResourceAccount", "application-autoscaling:scalable-dimension"])
def test_a_call_that_does_not_say_whose_or_what_it_is_on_is_not_allowed(
    stack: Deployed, judge: Judge, missing: str
) -> None:
    needs = [a for a in CONTROLLER_AWS if missing in MET[a.condition] and a.condition != "marked-bucket"]
    requests = []
    for action in needs:
        context = {key: value for key, value in MET[action.condition].items() if key != missing}
        requests.append(requested(action, ours(stack), context))
    assert requests
    for request, answer in zip(requests, judge("ControllerRole", requests), strict=True):
        assert answer.get("result") == "ImplicitlyDenied", (request, answer)


def test_a_bucket_is_made_whether_or_not_s3_says_whose_it_is_going_to_be(stack: Deployed, judge: Judge) -> None:
    """Its documents do not say which."""
    makes = [a for a in CONTROLLER_AWS if a.condition == "marked-bucket"]
    assert {a.action for a in makes} == {"s3:CreateBucket", "s3:TagResource"}
    requests = [requested(a, ours(stack), MET["marked"]) for a in makes]
    assert [answer.get("result") for answer in judge("ControllerRole", requests)] == ["Allowed"] * len(makes)


# What a statement on "*" may name although there are resources to name: why, see the template.
NAMED_ANYHOW = {"cloudwatch:DescribeAlarms"}


@pytest.mark.parametrize("role", ROLES)
def test_what_is_allowed_on_everything_could_not_be_bound_to_a_resource(
    stack: Deployed, checks: Path, role: str
) -> None:
    """By AWS's Service Authorization Reference, as data."""
    reference = checks / "node_modules" / "@cloud-copilot" / "iam-data" / "data" / "actions"
    everything = [s for d in stack.policies[role] for s in d["Statement"] if s["Resource"] == "*"]
    assert everything
    for statement in everything:
        actions = [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
        for action in [a for a in actions if a not in UNKNOWN]:
            service, name = action.split(":")
            known = json.loads((reference / f"{service}.json").read_text())[name.lower()]
            bound = [t["name"] for t in known["resourceTypes"] if t["required"]]
            assert not bound or action in NAMED_ANYHOW, (action, bound)


@pytest.mark.parametrize("template", ["import.yaml", "cluster.yaml"])
def test_every_asterisk_of_a_policy_has_its_reason_beside_it(template: str) -> None:
    """On its line, or on the line above it; of a text block, above its first line."""
    lines = (INFRA / template).read_text().splitlines()
    start = lines.index("Resources:")
    starred, unexplained, block = 0, [], (0, 0)  # the line where a text block begins, and its indentation
    for number in range(start, len(lines)):
        line = lines[number]
        code, _, comment = line.partition(" #")
        indentation = len(line) - len(line.lstrip())
        if line.strip() and indentation <= block[1]:
            block = (0, 0)
        if re.search(r"[:-] (!\w+ )?[|>]-?$", code) and not block[0]:
            block = (number, indentation)
        if "*" not in code or code.lstrip().startswith("#"):
            continue
        starred += 1
        above = lines[(block[0] or number) - 1].lstrip()
        if len(comment.strip()) < 5 and not above.startswith("# "):
            unexplained.append(f"{template}:{number + 1}: {line.strip()}")
    assert starred > 3
    assert unexplained == []


@pytest.mark.parametrize("role", ROLES)
def test_no_call_is_allowed_on_what_is_not_ours(stack: Deployed, judge: Judge, role: str) -> None:
    scoped = [
        a for a in ROLES[role] if ARNS[a.resource].format(**ours(stack)) != ARNS[a.resource].format(**others(stack))
    ]
    assert len(scoped) > len(ROLES[role]) / 2
    requests = [requested(a, others(stack), MET[a.condition]) for a in scoped if a.action not in UNKNOWN]
    for request, answer in zip(requests, judge(role, requests), strict=True):
        assert answer.get("result") == "ImplicitlyDenied", (request, answer)


def granted(stack: Deployed, role: str) -> list[tuple[str, str]]:
    """(Sid, action) of all that a role's policies allow."""
    found = []
    for document in stack.policies[role]:
        for statement in document["Statement"]:
            assert statement["Effect"] == "Allow"
            assert "NotAction" not in statement
            assert "NotResource" not in statement
            actions = statement["Action"]
            found += [(statement["Sid"], a) for a in ([actions] if isinstance(actions, str) else actions)]
    return found


@pytest.mark.parametrize("role", ROLES)
def test_no_action_is_granted_that_is_not_on_the_list(stack: Deployed, role: str) -> None:
    actions = [action for _, action in granted(stack, role)]
    assert sorted(actions) == sorted({a.action for a in ROLES[role]} | (LOGGING if role == "JobRole" else set()))
    assert not any("*" in action for action in actions)


@pytest.mark.parametrize("role", ROLES)
def test_each_statement_has_its_own_name(stack: Deployed, role: str) -> None:
    sids = [s["Sid"] for document in stack.policies[role] for s in document["Statement"]]
    assert len(sids) == len(set(sids))
    assert all(sid.isalnum() for sid in sids)


@pytest.mark.parametrize("role", ROLES)
def test_every_resource_is_possible_so_none_is_there_only_because_the_list_is_wide(stack: Deployed, role: str) -> None:
    """Each resource of a policy is one of the list's, filled in: no statement covers more than the list says."""
    known = {
        ARNS[a.resource].format(**(ours(stack) | {"prefix": "lindorm-import/", "role": stack.resources[either]}))
        for a in ROLES[role]
        for either in ROLES
    }
    known |= {LOGS, "*"} if role == "JobRole" else set()
    written = {
        resource
        for document in stack.policies[role]
        for statement in document["Statement"]
        for resource in ([statement["Resource"]] if isinstance(statement["Resource"], str) else statement["Resource"])
    }
    assert written == known


def test_a_name_with_an_asterisk_covers_a_family_of_tables(stacks: dict[str, Deployed]) -> None:
    written = {s["Resource"] for s in stacks["family"].policies["JobRole"][0]["Statement"] if s["Sid"] == "WriteItems"}
    assert written == {f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/sensors-*"}


@pytest.mark.parametrize("role", ROLES)
def test_without_a_table_key_no_key_is_granted(stacks: dict[str, Deployed], role: str) -> None:
    assert not any(action.startswith("kms:") for _, action in granted(stacks["plain"], role))


def trusts(document: dict[str, Any], service_account: str) -> bool:
    """Whether IRSA lets this service account take the role."""
    for statement in document["Statement"]:
        if statement["Action"] != "sts:AssumeRoleWithWebIdentity":
            continue
        assert statement["Principal"]["Federated"] == f"arn:aws:iam::{ACCOUNT}:oidc-provider/{ISSUER}"
        assert statement["Condition"]["StringEquals"][f"{ISSUER}:aud"] == "sts.amazonaws.com"
        patterns = [tests[f"{ISSUER}:sub"] for tests in statement["Condition"].values() if f"{ISSUER}:sub" in tests]
        assert len(patterns) == 1
        return fnmatch.fnmatchcase(service_account, patterns[0])
    return False


def test_only_the_controller_s_service_account_takes_the_controller_s_role(stack: Deployed) -> None:
    trust = stack.trust["ControllerRole"]
    assert trusts(trust, "system:serviceaccount:lindorm-import-system:lindorm-import")
    assert not trusts(trust, "system:serviceaccount:lindorm-import-system:default")
    assert not trusts(trust, "system:serviceaccount:default:lindorm-import")
    pod_identity = next(s for s in trust["Statement"] if "Service" in s["Principal"])
    assert pod_identity["Principal"] == {"Service": "pods.eks.amazonaws.com"}
    assert set(pod_identity["Action"]) == {"sts:AssumeRole", "sts:TagSession"}
    assert pod_identity["Condition"]["StringEquals"] == {
        "aws:SourceAccount": ACCOUNT,
        "aws:RequestTag/eks-cluster-name": "lindorm-import",
        "aws:RequestTag/kubernetes-namespace": "lindorm-import-system",
        "aws:RequestTag/kubernetes-service-account": "lindorm-import",
    }


def test_no_service_account_of_the_namespace_of_imports_and_jobs_takes_the_controller_s_role(stack: Deployed) -> None:
    """A job may run as any service account of its namespace (spec.job.serviceAccount)."""
    documents = json.dumps(stack.trust["ControllerRole"])
    named = {part.split('"')[0] for part in documents.split("system:serviceaccount:")[1:]}
    assert named == {"lindorm-import-system:lindorm-import"}
    assert not trusts(stack.trust["ControllerRole"], "system:serviceaccount:lindorm-import:lindorm-import")
    cluster, namespace, account, _ = stack.resources["ControllerIdentity"].split("|")
    assert (cluster, namespace, account) == ("lindorm-import", "lindorm-import-system", "lindorm-import")


def base36(text: str) -> str:
    """How EMR writes a role's name at the end of a service account's (AWS CLI, emr-containers)."""
    number, digits = int.from_bytes(text.encode(), "big"), ""
    while number:
        number, digit = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return digits


@pytest.mark.parametrize("pod", ["jobmanager", "taskmanager"])
def test_the_pods_that_emr_s_operator_makes_take_the_job_s_role_and_no_others_do(stack: Deployed, pod: str) -> None:
    trust = stack.trust["JobRole"]
    account = f"emr-containers-sa-flink-{pod}-{ACCOUNT}-{base36(stack.resources['JobRole'])}"
    assert trusts(trust, f"system:serviceaccount:lindorm-import:{account}")
    assert not trusts(trust, f"system:serviceaccount:elsewhere:{account}")
    assert not trusts(trust, "system:serviceaccount:lindorm-import:lindorm-import")
    assert not any("Service" in s["Principal"] for s in trust["Statement"])
