"""The CloudFormation templates: linted, checked against known bad practice, and deployed to moto."""

import ipaddress
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

from lindorm_import.api.spec import ImportSpec
from tests.infra.conftest import INFRA, REGION, Deployed, deploy
from tests.infra.stand_ins import STAND_INS

TEMPLATES = ["cluster.yaml", "import.yaml"]
IMPORT = {"OidcIssuer": "oidc.eks.us-west-2.amazonaws.com/id/0123ABCD", "S3BucketName": "my-import-bucket"}


# DynamoDB's bulk operations are in botocore's model and not yet in cfn-lint's list of actions (1.58.0, the newest).
UNKNOWN_TO_CFN_LINT = {"StartBulkPutItems", "DescribeBulkOperation", "CancelBulkOperation", "ListBulkOperations"}


def test_cfn_lint_has_nothing_to_say_in_any_region_but_of_actions_that_it_does_not_know() -> None:
    files = [str(INFRA / name) for name in TEMPLATES]
    command = [Path(sys.executable).with_name("cfn-lint"), "--include-checks", "I", "--format", "json", "--", *files]
    checked = subprocess.run(command, capture_output=True, text=True)
    found = [
        f"{match['Rule']['Id']} {match['Message'].split(' is not one of')[0]}" for match in json.loads(checked.stdout)
    ]
    assert sorted(set(found)) == sorted(f"W3037 {action.lower()!r}" for action in UNKNOWN_TO_CFN_LINT), checked.stderr
    assert (
        set(boto3.client("dynamodb", region_name="us-west-2").meta.service_model.operation_names) > UNKNOWN_TO_CFN_LINT
    )


@pytest.mark.slow
def test_checkov_finds_nothing_but_what_is_excused_with_a_reason(checks: Path) -> None:
    command = [
        checks / "bin" / "checkov",
        "--framework",
        "cloudformation",
        "-d",
        INFRA,
        "--skip-download",
        "-o",
        "json",
    ]
    checked = subprocess.run(command, capture_output=True, text=True)
    assert checked.stdout.startswith("{"), checked.stdout[-2000:] + checked.stderr[-2000:]
    results = json.loads(checked.stdout)["results"]
    assert [f"{c['check_id']} {c['resource']}" for c in results["failed_checks"]] == []
    assert len(results["passed_checks"]) > 60
    assert all(len(c["check_result"]["suppress_comment"]) > 20 for c in results["skipped_checks"])


@pytest.fixture
def cluster(aws: None) -> Deployed:
    return deploy("lindorm-import-cluster", "cluster.yaml", ApiAccessCidr="203.0.113.7/32")


def test_the_cluster_s_stack_deploys(cluster: Deployed) -> None:
    assert cluster.outputs["ClusterName"] == "lindorm-import"
    assert cluster.outputs["OidcIssuer"].startswith("oidc.eks.us-west-2.amazonaws.com/id/")
    assert cluster.outputs["NatAddress"].count(".") == 3
    assert cluster.outputs["ApplicationLogGroup"] == "/aws/containerinsights/lindorm-import/application"


def test_what_is_written_to_dynamodb_and_s3_does_not_pass_the_nat_gateway(cluster: Deployed) -> None:
    endpoints = boto3.client("ec2", REGION).describe_vpc_endpoints()["VpcEndpoints"]
    assert {e["ServiceName"].rsplit(".", 1)[1] for e in endpoints} == {"dynamodb", "s3"}
    for endpoint in endpoints:
        assert endpoint["VpcEndpointType"] == "Gateway"
        assert endpoint["RouteTableIds"] == [cluster.outputs["PrivateRouteTableId"]]


def test_subnets_do_not_overlap_and_private_ones_leave_by_the_nat_gateway(cluster: Deployed) -> None:
    subnets = boto3.client("ec2", REGION).describe_subnets(
        Filters=[{"Name": "vpc-id", "Values": [cluster.outputs["VpcId"]]}]
    )["Subnets"]
    networks = [ipaddress.ip_network(s["CidrBlock"]) for s in subnets]
    assert len(networks) == 4
    assert not any(a.overlaps(b) for i, a in enumerate(networks) for b in networks[:i])
    tables = boto3.client("ec2", REGION).describe_route_tables()["RouteTables"]
    private = next(t for t in tables if t["RouteTableId"] == cluster.outputs["PrivateRouteTableId"])
    default = next(r for r in private["Routes"] if r.get("DestinationCidrBlock") == "0.0.0.0/0")
    assert default["NatGatewayId"] == cluster.resources["NatGateway"]


def test_every_log_group_ends(cluster: Deployed) -> None:
    groups = boto3.client("logs", REGION).describe_log_groups()["logGroups"]
    assert len(groups) == 6
    assert all(g["retentionInDays"] == 30 for g in groups)


def test_node_groups_are_those_of_the_reference_set_up() -> None:
    nodes = template("cluster.yaml")["Parameters"]
    assert (nodes["JobInstanceType"]["Default"], nodes["JobNodes"]["Default"], nodes["JobNodesMax"]["Default"]) == (
        "r5.2xlarge",
        10,
        15,
    )
    assert nodes["SystemInstanceType"]["Default"] == "m5.2xlarge"


def test_by_default_the_stack_makes_a_bucket_and_leaves_tables_to_the_controller(aws: None) -> None:
    deploy("imports", "import.yaml", **IMPORT)
    assert [b["Name"] for b in boto3.client("s3").list_buckets()["Buckets"]] == ["my-import-bucket"]
    assert boto3.client("dynamodb", REGION).list_tables()["TableNames"] == []


def test_a_bucket_that_is_there_is_used(aws: None) -> None:
    deploy("imports", "import.yaml", CreateS3Bucket="false", **IMPORT)
    assert boto3.client("s3").list_buckets()["Buckets"] == []


def test_with_the_parameters_of_the_reference_set_up_it_makes_the_table_too(aws: None) -> None:
    deploy("imports", "import.yaml", DynamoDBTableName="readings", DynamoDBWriteCapacity="7000", **IMPORT)
    table = boto3.client("dynamodb", REGION).describe_table(TableName="readings")["Table"]
    assert table["ProvisionedThroughput"]["WriteCapacityUnits"] == 7000
    assert table["KeySchema"] == [{"AttributeName": "id", "KeyType": "HASH"}]


def test_that_table_can_have_a_sort_key(aws: None) -> None:
    deploy(
        "imports",
        "import.yaml",
        DynamoDBTableName="readings",
        DynamoDBWriteCapacity="10",
        DynamoDBPartitionKey="device",
        DynamoDBSortKey="at",
        DynamoDBSortKeyType="N",
        **IMPORT,
    )
    table = boto3.client("dynamodb", REGION).describe_table(TableName="readings")["Table"]
    assert [k["AttributeName"] for k in table["KeySchema"]] == ["device", "at"]
    assert {a["AttributeName"]: a["AttributeType"] for a in table["AttributeDefinitions"]} == {"device": "S", "at": "N"}


def test_what_holds_data_outlives_the_stack_and_the_rest_goes_with_it(aws: None) -> None:
    kept = {
        name
        for name, resource in template("import.yaml")["Resources"].items()
        if resource.get("DeletionPolicy") == "Retain"
    }
    assert kept == {"StagingBucket", "Table"}


@pytest.mark.parametrize("log_group", ["", "/aws/containerinsights/c/application"])
def test_the_dashboard_is_valid_and_shows_consumption_and_every_cause_of_throttling(aws: None, log_group: str) -> None:
    deploy("imports", "import.yaml", DynamoDBTableName="readings", ApplicationLogGroup=log_group, **IMPORT)
    body = json.loads(boto3.client("cloudwatch", REGION).get_dashboard(DashboardName="imports")["DashboardBody"])
    metrics = {m[1] for w in body["widgets"] for m in w["properties"].get("metrics", []) if len(m) > 1}
    assert "ConsumedWriteCapacityUnits" in metrics
    causes = {m for m in metrics if m.endswith("ThrottleEvents")}
    assert len(causes) == 4
    assert body["variables"][0]["defaultValue"] == "readings"
    assert len([w for w in body["widgets"] if w["type"] == "log"]) == bool(log_group)


def test_an_import_takes_the_stack_s_output_as_it_is(aws: None) -> None:
    stack = deploy("imports", "import.yaml", **IMPORT)
    values = yaml.safe_load(stack.outputs["ImportValues"])
    spec: dict[str, Any] = {
        "source": {
            "url": "jdbc:mysql://ld.example:33060/default",
            "table": "readings",
            "credentials": {"secretName": "lindorm"},
            "timeRange": {"column": "ts", "start": "2023-01-01T00:00:00Z", "end": "2023-02-01T00:00:00Z"},
        },
        "target": {"table": "readings", **values["target"]},
        "staging": values["staging"],
        "job": values["job"],
    }
    taken = ImportSpec.model_validate(spec)
    assert taken.job.execution_role_arn == stack.outputs["JobRoleArn"]
    assert (
        taken.staging.prefix
        == "lindorm-import/"
        == ImportSpec.model_fields["staging"].annotation.model_fields["prefix"].default
    )  # type: ignore[union-attr]


@pytest.mark.parametrize("key", ["", "arn:aws:kms:us-west-2:123456789012:key/1234abcd"])
def test_the_chart_is_told_to_allow_what_the_stack_made_and_no_more(aws: None, key: str) -> None:
    stack = deploy("imports", "import.yaml", DynamoDBTableName="sensors-*", TableKeyArn=key, **IMPORT)
    values = yaml.safe_load(stack.outputs["HelmValues"])
    fields = yaml.safe_load(stack.outputs["ImportValues"])
    assert values["watch"] == {"namespaces": ["lindorm-import"]}
    assert values["policy"]["allow"] == {
        "executionRoles": [fields["job"]["executionRoleArn"]],
        "virtualClusters": [fields["job"]["virtualClusterId"]],
        "logGroups": [fields["job"]["monitoring"]["logGroup"]],
        "tables": ["sensors-*"],
        "regions": [fields["target"]["region"]],
        "buckets": [fields["staging"]["bucket"]],
        "kmsKeys": [key] if key else [],
    }


def test_every_type_that_moto_lacks_has_a_stand_in_that_is_used(aws: None) -> None:
    used = {r["Type"] for name in TEMPLATES for r in template(name)["Resources"].values()}
    assert STAND_INS.keys() <= used


class _Tags(yaml.SafeLoader):
    """YAML with CloudFormation's short forms, which these tests do not look into."""


_Tags.add_multi_constructor("!", lambda loader, suffix, node: suffix)


def template(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.load((INFRA / name).read_text(), _Tags)
    return loaded
