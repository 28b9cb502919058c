"""deploy.sh and teardown.sh, run: the AWS CLI is the real one, against moto's server; helm and kubectl are stand-ins
(tests/infra/commands), except that the chart is rendered by the real Helm. Never run against a real account."""

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
import yaml
from moto.server import ThreadedMotoServer

from local.bootstrap import bootstrap
from tests.infra.conftest import INFRA, REGION

pytestmark = pytest.mark.slow

NEEDED = ["S3BucketName=my-import-bucket", "ApiAccessCidr=203.0.113.7/32"]
IMPORTS = "lindormimports.lindorm.io"
JOBS = "flinkdeployments.flink.apache.org"
LINDORM = "lindorm-import-system/lindorm-import"


@dataclass
class Account:
    """An AWS account in moto with, in its one cluster, what the stand-ins for helm and kubectl keep in a file."""

    endpoint: str
    state_file: Path
    environment: dict[str, str]

    def run(self, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [INFRA / script, *arguments], capture_output=True, text=True, timeout=300, env=self.environment
        )

    def client(self, service: str) -> Any:
        return boto3.client(
            service,  # type: ignore[call-overload]
            region_name=REGION,
            endpoint_url=self.endpoint,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )

    def stacks(self) -> list[str]:
        return sorted(s["StackName"] for s in self.client("cloudformation").describe_stacks()["Stacks"])

    @property
    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads(self.state_file.read_text())
        return state

    def change(self, **changes: Any) -> None:
        self.state_file.write_text(json.dumps(self.state | changes))

    def own_cluster(self, name: str) -> None:
        """An EKS cluster that was there before."""
        self.client("eks").create_cluster(
            name=name, roleArn="arn:aws:iam::123456789012:role/x", resourcesVpcConfig={"subnetIds": ["subnet-1"]}
        )

    def push_images(self, *targets: str) -> None:
        """What the user does with docker, between two runs of deploy.sh."""
        for target in targets:
            manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": target}
            self.client("ecr").put_image(
                repositoryName=f"lindorm-import/{target}", imageTag="0.1.0", imageManifest=json.dumps(manifest)
            )

    def forget_images(self, *targets: str) -> None:
        """AWS empties the repositories itself (EmptyOnDelete), which moto does not know."""
        for target in targets:
            self.client("ecr").batch_delete_image(
                repositoryName=f"lindorm-import/{target}", imageIds=[{"imageTag": "0.1.0"}]
            )


@pytest.fixture
def account(tmp_path: Path, checks: Path) -> Iterator[Account]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    commands = tmp_path / "bin"
    commands.mkdir()
    for name, program in {
        "aws": checks / "bin" / "aws",
        "helm": INFRA.parent / "tests/infra/commands/helm",
        "kubectl": INFRA.parent / "tests/infra/commands/kubectl",
    }.items():
        (commands / name).symlink_to(program)
    state = tmp_path / "state.json"
    state.write_text(json.dumps({"namespaces": ["default"], "releases": {}, "objects": {}}))
    yield Account(
        endpoint,
        state,
        {
            "PATH": f"{commands}:{os.environ['PATH']}",
            "HOME": str(tmp_path),
            "TMPDIR": str(tmp_path),
            "STATE": str(state),
            "HELM": str(bootstrap(["tools"]).helm),
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
        },
    )
    requests.post(f"{endpoint}/moto-api/reset", timeout=30)
    server.stop()


def test_shellcheck_has_nothing_to_say(checks: Path) -> None:
    scripts = sorted(INFRA.glob("*.sh"))
    assert len(scripts) == 3
    checked = subprocess.run(
        [checks / "bin" / "shellcheck", "--external-sources", *scripts],
        capture_output=True,
        text=True,
    )
    assert (checked.returncode, checked.stdout) == (0, "")


def test_an_account_s_life_from_nothing_to_nothing_but_the_data(account: Account) -> None:
    first = account.run("deploy.sh", "DynamoDBTableName=readings", *NEEDED)
    assert first.returncode == 3, first.stderr  # the images are missing, and how to push them is said
    assert "docker build --platform linux/amd64 --target job" in first.stdout
    assert account.stacks() == ["lindorm-import", "lindorm-import-cluster"]
    assert LINDORM not in account.state["releases"]

    account.push_images("controller", "job")
    second = account.run("deploy.sh", "DynamoDBTableName=readings", *NEEDED)
    assert second.returncode == 0, second.stderr
    releases = account.state["releases"]
    assert releases["lindorm-import/flink-kubernetes-operator"]["version"] == "7.13.0"
    assert releases["cert-manager/cert-manager"]["version"].startswith("v1.")

    manifest = [d for d in yaml.safe_load_all(releases[LINDORM]["manifest"]) if d]
    deployment = next(d for d in manifest if d["kind"] == "Deployment")
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    registry = f"123456789012.dkr.ecr.{REGION}.amazonaws.com/lindorm-import"
    assert container["image"].startswith(f"{registry}/controller@sha256:")
    assert any(f"{registry}/job@sha256:" in argument for argument in container["args"])
    annotations = next(d for d in manifest if d["kind"] == "ServiceAccount")["metadata"]["annotations"]
    assert ":role/" in annotations["eks.amazonaws.com/role-arn"]

    before = account.state
    third = account.run("deploy.sh", "DynamoDBTableName=readings", *NEEDED)
    assert third.returncode == 0, third.stderr
    assert account.state == before
    assert "No changes to deploy" in third.stdout + third.stderr
    assert "executionRoleArn" in third.stdout  # what an import takes from here
    assert not (Path(account.environment["HOME"]) / ".kube").exists()  # the user's kubectl stays where it was

    # Tearing down: it refuses while there are imports, and keeps the controller until they are gone.
    account.change(objects={IMPORTS: ["lindorm-import/readings", "elsewhere/others"], JOBS: []})

    refused = account.run("teardown.sh")
    assert refused.returncode == 1
    assert "there are imports" in refused.stderr
    assert f"{IMPORTS}/readings" in refused.stderr
    assert len(account.state["releases"]) == 3

    account.change(stuck=True)
    stuck = account.run("teardown.sh", "--delete-imports")
    assert stuck.returncode == 1
    assert "says what holds it" in stuck.stderr
    assert len(account.state["releases"]) == 3  # the controller must stay alive: it removes the finalizer

    account.change(stuck=False)
    account.forget_images("controller", "job")
    done = account.run("teardown.sh", "--delete-imports")
    assert done.returncode == 0, done.stderr
    assert account.state["releases"] == {}
    assert account.state["objects"][IMPORTS] == ["elsewhere/others"]
    assert account.stacks() == []
    assert [b["Name"] for b in account.client("s3").list_buckets()["Buckets"]] == ["my-import-bucket"]

    again = account.run("teardown.sh", "--delete-imports")
    assert again.returncode == 0, again.stderr
    assert again.stdout.count("there is none") == 2


def test_a_stack_that_cannot_be_read_is_not_taken_for_gone(account: Account) -> None:
    account.environment["AWS_ENDPOINT_URL"] = "http://127.0.0.1:9"
    account.environment["AWS_MAX_ATTEMPTS"] = "1"
    refused = account.run("teardown.sh")
    assert refused.returncode == 1
    assert "cannot be read" in refused.stderr


def test_a_cluster_of_ones_own_is_used_and_stays(account: Account) -> None:
    account.own_cluster("mine")
    account.change(objects={IMPORTS: ["elsewhere/others"], JOBS: []})  # somebody's Flink operator is there
    deploy = ["deploy.sh", "--existing-cluster", "mine", "--name", "team-a", NEEDED[0], "Namespace=team-a"]
    deployed = account.run(*deploy)
    assert deployed.returncode == 3, deployed.stderr  # up to the images
    assert "the cluster has one" in deployed.stdout
    assert account.stacks() == ["team-a"]
    assert account.state["releases"] == {}
    assert "team-a" in account.state["namespaces"]

    # The namespace is the stack's, whatever the default is.
    account.change(objects={IMPORTS: ["elsewhere/others"], JOBS: ["team-a/others"]}, releases={LINDORM: {}})
    teardown = ["teardown.sh", "--name", "team-a", "--delete-imports"]
    refused = account.run(*teardown)
    assert refused.returncode == 1
    assert "Flink jobs of others in namespace team-a" in refused.stderr

    account.change(objects={IMPORTS: ["elsewhere/others"], JOBS: []})
    gone = account.run(*teardown)
    assert gone.returncode == 0, gone.stderr
    assert account.stacks() == []
    again = account.run(*teardown)
    assert again.returncode == 0, again.stderr
    assert account.state["releases"].keys() == {LINDORM}  # of another namespace
    assert account.state["objects"][IMPORTS] == ["elsewhere/others"]
    assert account.client("eks").list_clusters()["clusters"] == ["mine"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "give S3BucketName"),
        (["S3BucketName=b-1"], "give ApiAccessCidr"),
        ([*NEEDED, "TableName=x"], "neither template has a parameter TableName"),
        ([*NEEDED, "--dryrun"], "--dryrun is no option"),
        ([*NEEDED, "--name"], "--name needs a name"),
        ([*NEEDED, "DynamoDBWriteCapacity=10", "DynamoDBTableName=sensors-*"], "must be its whole name"),
    ],
)
def test_deploying_says_what_is_wrong_before_it_does_anything(arguments: list[str], told: str, tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "AWS_REGION": REGION, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    refused = subprocess.run([INFRA / "deploy.sh", *arguments], capture_output=True, text=True, env=environment)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert told in refused.stderr


@pytest.mark.parametrize("script", ["deploy.sh", "teardown.sh"])
def test_without_a_region_nothing_is_done(script: str) -> None:
    refused = subprocess.run([INFRA / script], capture_output=True, text=True, env={"PATH": os.environ["PATH"]})
    assert refused.returncode == 1
    assert "set AWS_REGION" in refused.stderr


@pytest.mark.parametrize(
    ("script", "arguments", "commands"),
    [
        ("deploy.sh", NEEDED, {"aws cloudformation deploy": 2, "helm upgrade --install": 3, "kubectl apply": 1}),
        ("teardown.sh", ["--delete-imports"], {"aws cloudformation delete-stack": 2, "helm uninstall": 3}),
    ],
)
def test_a_dry_run_shows_every_command_and_runs_none(
    script: str, arguments: list[str], commands: dict[str, int], tmp_path: Path
) -> None:
    for tool in ("aws", "helm", "kubectl"):
        program = tmp_path / tool
        program.write_text(f"#!/bin/sh\ntouch {tmp_path}/called\n")
        program.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "AWS_REGION": REGION}
    shown = subprocess.run([INFRA / script, "--dry-run", *arguments], capture_output=True, text=True, env=environment)
    assert shown.returncode == 0, shown.stderr
    assert {command: shown.stdout.count(f"    {command}") for command in commands} == commands
    assert not (tmp_path / "called").exists()
