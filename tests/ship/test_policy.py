"""What the chart's policy lets an import ask for: real CEL, in a real API server."""

import copy
import itertools
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from dev.chart import CHART
from local.bootstrap import Layout
from local.demo import GROUP, PLURAL, VERSION, World
from local.kube.dry_run import dry_run
from local.processes import wait_until
from local.stack import Stack
from tests.ship.helm import REPOSITORY_VALUE, Document, Helm, HelmError, of_kind

pytestmark = pytest.mark.stack

ROLE = "arn:aws:iam::123456789012:role/jobs"
CONTROLLER_ROLE = "arn:aws:iam::123456789012:role/controller"
JOB_IMAGE = f"registry.example/job@sha256:{'1' * 64}"
HOST = "ld-x-proxy-lindorm-vpc.lindorm.aliyuncs.com"
PATIENCE = 120
CONTROLLER = "system:serviceaccount:system:imports-lindorm-import"
KEY = "arn:aws:kms:us-west-2:123456789012:key/1"
# What an import asks for, by the list that bounds it, its field, a value, and another value.
FIELDS = {
    "images": ("job.image", "registry.example/team/a:1", "registry.example/team-b/a:1"),
    "executionRoles": ("job.executionRoleArn", ROLE, "arn:aws:iam::123456789012:role/jobs2"),
    "serviceAccounts": ("job.serviceAccount", "flink", "flinks"),
    "virtualClusters": ("job.virtualClusterId", "abc123", "abc1234"),
    "logGroups": ("job.monitoring.logGroup", "/ours/jobs", "/theirs/jobs"),
    "secretNames": ("source.credentials.secretName", "lindorm", "admin"),
    "tables": ("target.table", "readings", "payroll"),
    "regions": ("target.region", "us-west-2", "us-west-1"),
    "kmsKeys": ("target.kmsKeyArn", KEY, KEY + "2"),
    "buckets": ("staging.bucket", "my-import-bucket", "their-import-bucket"),
}


class Cluster:
    """The API server, and the chart installed there with the policy that a test asks for."""

    def __init__(self, world: World, helm: Helm) -> None:
        self.world, self.helm, self.turn = world, helm, itertools.count()

    def install(self, allow: Document | None = None, **values: Any) -> None:
        """Installs or changes the release in namespace system, watching team-a, and waits until its policy holds."""
        mark = f"probe.example/{next(self.turn)}"
        images = [mark, *(allow or {}).get("images", [])]
        given = {
            "image": {"repository": REPOSITORY_VALUE},
            "job": {"image": JOB_IMAGE},
            "watch": {"namespaces": ["team-a"]},
            "serviceAccount": {"roleArn": CONTROLLER_ROLE},
            "policy": {"allow": {**(allow or {}), "images": images}},
            **values,
        }
        self.helm.run("upgrade", "--install", "imports", str(CHART), "-n", "system", values=given)
        self.world.stack.wait_crd(f"{PLURAL}.{GROUP}")
        # Images are held to their list first; before the policy holds, anything goes.
        namespaces = given["watch"].get("namespaces") or ["team-a", "elsewhere"]
        for namespace in namespaces:
            probes = ((mark, False), (f"not-{mark}", True))
            for image, refused in probes:
                held = f"spec.job.image: {image} "
                assert wait_until(
                    lambda: (held in self.said(namespace, **{"job.image": image})) == refused,  # noqa: B023
                    PATIENCE,
                ), self.said(namespace, **{"job.image": image})

    def document(self, namespace: str = "team-a", name: str = "readings", **changes: Any) -> Document:
        found = self.world.example(**{"source.url": f"jdbc:mysql://{HOST}:33060/default", **changes})
        found["metadata"] |= {"namespace": namespace, "name": name}
        return found

    def said(self, namespace: str = "team-a", **changes: Any) -> str:
        """What the API server says to such an import; empty: it takes it."""
        return refused(lambda: dry_run(self.world.stack.api_client(), self.document(namespace, **changes)))

    def create(self, name: str, **changes: Any) -> Document:
        found: Any = self.world.objects.create_namespaced_custom_object(
            GROUP, VERSION, "team-a", PLURAL, self.document(name=name, **changes)
        )
        return dict(found)

    def patch(self, name: str, **spec: Any) -> str:
        """What it says to a merge patch of the spec."""
        return self.merge(name, {"spec": spec})

    def merge(self, name: str, patch: Document, api: client.ApiClient | None = None, part: str = "") -> str:
        objects = client.CustomObjectsApi(api) if api else self.world.objects
        call = objects.patch_namespaced_custom_object_status if part else objects.patch_namespaced_custom_object
        return refused(
            lambda: call(GROUP, VERSION, "team-a", PLURAL, name, patch, _content_type="application/merge-patch+json")
        )

    def as_user(self, name: str) -> client.ApiClient:
        api = self.world.stack.api_client()
        api.set_default_header("Impersonate-User", name)
        return api


def refused(call: Callable[[], object]) -> str:
    """The message of the policy's refusal, empty for none."""
    try:
        call()
    except ApiException as error:
        if error.status != 403 or "denied request" not in str(error.body):
            raise
        return re.sub(r"\\(.)", r"\1", str(error.body))
    return ""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, tools: Layout) -> Iterator[Cluster]:
    with Stack(tmp_path_factory.mktemp("kube"), parts=["kube"], crds=[]) as stack:
        stack.environment["LINDORM_URL"] = "unused"
        world = World(stack, namespace="team-a")
        for name in ("system", "team-a", "elsewhere"):
            world.core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name=name)))
        yield Cluster(world, Helm(tools.helm, tmp_path_factory.mktemp("helm"), stack.kubeconfig))
        world.close()


@pytest.fixture(scope="module")
def strict(cluster: Cluster) -> Cluster:
    """With nothing allowed but the defaults."""
    cluster.install()
    return cluster


def test_an_import_that_asks_for_nothing_of_its_own_is_taken(strict: Cluster) -> None:
    assert strict.said() == ""
    assert strict.said(**{"job.image": JOB_IMAGE, "job.parallelism": 4}) == ""


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("job.image", "evil.example/miner:1"),
        ("job.image", JOB_IMAGE + "2"),
        ("job.executionRoleArn", ROLE),
        ("job.serviceAccount", "default"),
        ("job.serviceAccount", "imports-lindorm-import"),
    ],
)
def test_without_a_word_of_the_platforms_no_import_names_image_role_or_service_account(
    strict: Cluster, field: str, value: str
) -> None:
    said = strict.said(**{field: value})
    assert f"spec.{field}: {value} is not allowed; allowed: " in said
    assert "policy.allow." in said


@pytest.mark.parametrize(
    "key",
    [
        "kubernetes.service-account",
        "kubernetes.jobmanager.service-account",
        "kubernetes.pod-template-file.default",
        "kubernetes.hostnetwork.enabled",
        "kubernetes.container.image.ref",
        "kubernetes.secrets",
        "kubernetes.env.secretKeyRef",
        "kubernetes.config.file",
        "kubernetes.operator.job.upgrade.last-state-fallback.enabled",
        "containerized.master.env.LD_PRELOAD",
        "containerized.taskmanager.env.JAVA_TOOL_OPTIONS",
        "env.java.opts",
        "env.java.opts.all",
        "env.java.default-opts.all",
        "env.java.home",
        "env.log.dir",
        "env.ssh.opts",
        "s3.access-key",
        "s3.endpoint",
        "s3.aws.credentials.provider",
        "fs.s3a.assumed.role.arn",
        "fs.allowed-fallback-filesystems",
        "fs.output.always-create-directory",
        "security.kerberos.login.keytab",
        "security.ssl.internal.keystore",
        "security.security.factory.classes",
        "security.delegation.token.provider.s3.access-key",
        "high-availability.type",
        "high-availability",
        "recovery.zookeeper.storageDir",
        "state.backend.type",
        "state.backend",
        "state.backend.fs.checkpointdir",
        "state.checkpoint-storage",
        "execution.checkpointing.storage",
        "execution.checkpointing.local-backup.dirs",
        "restart-strategy.type",
        "restart-strategy",
        "pipeline.jars",
        "pipeline.classpaths",
        "pipeline.default-kryo-serializers",
        "python.files",
        "python.archives",
        "python.executable",
        "python.client.executable",
        "python.pythonpath",
        "classloader.parent-first-patterns.additional",
        "plugin.classloader.parent-first-patterns.default",
        "external-resources",
        "external-resource.gpu.driver-factory.class",
        "metrics.reporter.x.factory.class",
        "events.reporter.x.factory.class",
        "traces.reporter.x.factory.class",
        "execution.job-listeners",
        "execution.job-status-changed-listeners",
        "jobmanager.failure-enrichers",
        "job-result-store.storage-path",
        "jobmanager.archive.fs.dir",
        "historyserver.archive.fs.dir",
        "blob.storage.directory",
        "io.tmp.dirs",
        "web.upload.dir",
        "web.log.path",
        "web.submit.enable",
        "jobmanager.rpc.address",
        "rest.bind-address",
        "rest.address",
        "taskmanager.network.netty.sendReceiveBufferSize",
        "taskmanager.network.memory",
        "taskmanager.memoryx",
        "user.artifacts.base-dir",
        "$internal.application.main",
        "table.catalog-store.file.path",
        "sql-gateway.endpoint.rest.address",
        "yarn.security.kerberos.additionalFileSystems",
        "zookeeper.sasl.disable",
    ],
)
def test_no_key_of_flink_that_runs_code_reads_files_or_reaches_others_is_allowed_by_default(
    strict: Cluster, key: str
) -> None:
    said = strict.said(**{"job.flinkConfiguration": {key: "x"}})
    assert f"spec.job.flinkConfiguration: {key} is not allowed; allowed: " in said


def test_settings_that_are_numbers_are_allowed_by_default(strict: Cluster) -> None:
    settings = {
        "taskmanager.memory.network.max": "256m",
        "jobmanager.memory.process.size": "2g",
        "restart-strategy.exponential-delay.max-backoff": "2 min",
        "heartbeat.timeout": "90 s",
        "execution.checkpointing.unaligned.enabled": "true",
    }
    assert strict.said(**{"job.flinkConfiguration": settings}) == ""
    said = strict.said(**{"job.flinkConfiguration": settings | {"env.java.opts": "-agentlib:x", "s3.endpoint": "y"}})
    assert re.search(r"spec\.job\.flinkConfiguration: (env.java.opts, s3.endpoint|s3.endpoint, env.java.opts) is", said)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "169.254.169.254",
        "localhost",
        "kubernetes.default.svc",
        "lindorm.aliyuncs.com",
        "evil-lindorm.aliyuncs.com",
        "ld.lindorm.aliyuncs.com.evil.example",
        "ldxlindormxaliyuncsxcom",
    ],
)
def test_the_controller_is_sent_to_no_host_but_lindorms_by_default(strict: Cluster, host: str) -> None:
    said = strict.said(**{"source.url": f"jdbc:mysql://{host}:33060/default"})
    assert f"the host of spec.source.url: {host} is not allowed; allowed: *.lindorm.aliyuncs.com" in said


@pytest.mark.parametrize(
    "host", ["LD-x.Lindorm.Aliyuncs.com", "ld-x.lindorm.aliyuncs.com.", "ld-x-pub.lindorm.rds.aliyuncs.com"]
)
def test_a_host_of_lindorms_is_taken_however_it_is_written(strict: Cluster, host: str) -> None:
    assert strict.said(**{"source.url": f"jdbc:lindorm://{host}:33060/default"}) == ""


def test_what_is_long_is_refused_with_a_sentence_too_and_the_largest_import_is_within_the_servers_bounds(
    strict: Cluster,
) -> None:
    """The API server bounds what a policy's CEL may cost, and a message's length."""
    keys = {f"taskmanager.memory.{'x' * 130}.{n}": "1" for n in range(200)}
    points = ["x" * 2000 for n in range(32)]
    assert strict.said(**{"job.flinkConfiguration": keys, "source.splitPoints": points}) == ""
    bad = {f"kubernetes.{'x' * 130}.{n}": "1" for n in range(200)}
    said = strict.said(**{"job.flinkConfiguration": bad, "source.splitPoints": points})
    assert "spec.job.flinkConfiguration: what it asks for is not allowed; allowed: " in said
    said = strict.said(**{"job.image": "evil.example/" + "x" * 1000})
    assert "is not allowed; allowed: " in said


def test_a_value_of_two_lines_is_refused_with_a_sentence_too(strict: Cluster) -> None:
    assert "spec.job.image: what it asks for is not allowed" in strict.said(**{"job.image": f"{JOB_IMAGE}\nevil"})


def test_the_lists_are_one_import_s_bounds(cluster: Cluster) -> None:
    """Every list, with the value alone."""
    cluster.install({name: [value] for name, (_, value, _) in FIELDS.items()})
    allowed = {field: value for field, value, _ in FIELDS.values()}
    assert cluster.said(**allowed) == ""
    for field, value, other in FIELDS.values():
        said = cluster.said(**allowed | {field: other})
        assert other in said, field
        assert f"{field}" in said
        assert value in said.partition("allowed: ")[2], field


def test_an_asterisk_stands_for_any_characters_and_nothing_else_does(cluster: Cluster) -> None:
    cluster.install(
        {
            "images": ["registry.example/team/*"],
            "executionRoles": ["arn:aws:iam::123456789012:role/*-jobs"],
            "tables": ["team.a-*"],
            "buckets": ["*-import-bucket"],
            "secretNames": ["team-*-lindorm", "other"],
            "sourceHosts": ["*.lindorm.example", "10.0.0.7"],
        }
    )
    host = "jdbc:mysql://{}:33060/default".format
    good = {
        "source.url": host("ld.lindorm.example"),
        "source.credentials.secretName": "team-a-lindorm",
        "target.table": "team.a-readings",
        "staging.bucket": "my-import-bucket",
    }
    assert cluster.said(**good) == ""
    roles = "arn:aws:iam::123456789012:role/"
    for field, taken, refused_ in [
        ("job.image", "registry.example/team/a@sha256:2", "registry.example/team"),
        ("job.executionRoleArn", roles + "a-jobs", roles + "a-jobs2"),
        ("target.table", "team.a-", "teamXa-readings"),
        ("staging.bucket", "their-import-bucket", "their-import-bucket2"),
        ("source.credentials.secretName", "other", "others"),
        ("source.credentials.secretName", "team-b-lindorm", "team-lindorm"),
        ("source.url", host("10.0.0.7"), host("10.0.0.70")),
        ("source.url", host("x.lindorm.example"), host("lindorm.example")),
        ("source.url", host("x.lindorm.example"), host("x.lindorm.example.evil")),
    ]:
        assert cluster.said(**good | {field: taken}) == "", (field, taken)
        assert "is not allowed" in cluster.said(**good | {field: refused_}), (field, refused_)


def test_logs_are_written_into_allowed_buckets_too(cluster: Cluster) -> None:
    cluster.install({"buckets": ["my-import-bucket"]})
    staging = {"staging.bucket": "my-import-bucket"}
    assert cluster.said(**staging, **{"job.monitoring.s3LogURI": "s3://my-import-bucket/logs/"}) == ""
    said = cluster.said(**staging, **{"job.monitoring.s3LogURI": "s3://payroll-bucket/logs/"})
    assert "spec.job.monitoring.s3LogURI: payroll-bucket is not allowed" in said


def test_no_list_gives_a_job_the_controllers_own_service_account_or_role(cluster: Cluster) -> None:
    everything = {"serviceAccounts": ["*"], "executionRoles": ["*"], "flinkConfiguration": ["*"]}
    cluster.install(everything, watch={"allNamespaces": True})
    own = "imports-lindorm-import"
    assert "is the controller's own" in cluster.said("system", **{"job.serviceAccount": own})
    for part in ("", ".jobmanager", ".taskmanager"):
        settings = {f"kubernetes{part}.service-account": own}
        assert "is the controller's own" in cluster.said("system", **{"job.flinkConfiguration": settings})
    assert "is the controller's own" in cluster.said(**{"job.executionRoleArn": CONTROLLER_ROLE})
    # Of that name in another namespace it is somebody else.
    assert cluster.said(**{"job.serviceAccount": own}) == ""
    assert cluster.said("system", **{"job.serviceAccount": "flink", "job.executionRoleArn": ROLE}) == ""


def test_the_policy_holds_in_the_namespaces_of_the_release_and_nowhere_else(cluster: Cluster) -> None:
    evil = {"job.image": "evil.example/miner:1"}
    cluster.install()
    assert cluster.said("elsewhere", **evil) == ""
    cluster.install(watch={"allNamespaces": True})
    assert "is not allowed" in cluster.said("elsewhere", **evil)


def test_what_an_import_has_it_keeps_and_can_be_stopped_slowed_and_deleted_when_the_lists_have_changed(
    cluster: Cluster,
) -> None:
    settings = {"env.java.opts.all": "-Xlog:gc", "s3.endpoint": "a"}
    cluster.install({"images": ["evil.example/*"], "flinkConfiguration": ["*"]})
    cluster.create("old", **{"job.image": "evil.example/a", "job.flinkConfiguration": settings})
    cluster.install()
    finalizer = {"metadata": {"finalizers": ["lindorm.io/cleanup"], "annotations": {"lindorm.io/abandon": "true"}}}
    assert cluster.merge("old", finalizer) == ""
    assert cluster.patch("old", source={"maxRowsPerSecond": 5}, target={"capacity": {"writeUnits": 5}}) == ""
    assert "spec.job.image: evil.example/b is not allowed" in cluster.patch("old", job={"image": "evil.example/b"})
    said = cluster.patch("old", job={"flinkConfiguration": {"env.java.opts.all": "-javaagent:x"}})
    assert "spec.job.flinkConfiguration: env.java.opts.all is not allowed" in said
    assert cluster.patch("old", job={"flinkConfiguration": {"s3.endpoint": None}}) == ""
    assert cluster.patch("old", suspend=True) == ""
    assert "spec.job.image: evil.example/a is not allowed" in cluster.patch("old", suspend=False)
    replaced = {"image": JOB_IMAGE, "flinkConfiguration": {"env.java.opts.all": None}}
    assert cluster.patch("old", suspend=False, job=replaced) == ""
    cluster.world.delete("old")
    assert cluster.merge("old", {"metadata": {"finalizers": None}}) == ""
    assert wait_until(lambda: cluster.world.read("old") is None, PATIENCE)


def test_an_import_that_breaks_the_lists_is_deleted_while_they_hold(cluster: Cluster) -> None:
    cluster.install({"images": ["evil.example/*"]})
    cluster.create("old", **{"job.image": "evil.example/a"})
    assert cluster.merge("old", {"metadata": {"finalizers": ["lindorm.io/cleanup"]}}) == ""
    cluster.install()
    cluster.world.delete("old")
    assert cluster.merge("old", {"metadata": {"finalizers": None}}) == ""
    assert wait_until(lambda: cluster.world.read("old") is None, PATIENCE)


def test_nobody_but_the_controller_writes_a_status(cluster: Cluster) -> None:
    cluster.install()
    cluster.create("kept")
    status = {"status": {"summary": "Running"}}
    admin = "the status of an import is written by the controller alone (service account imports-lindorm-import"
    assert wait_until(lambda: admin in cluster.merge("kept", status, part="status"), PATIENCE)
    assert cluster.merge("kept", status, cluster.as_user(CONTROLLER), part="status") == ""
    cluster.world.delete("kept")


def test_a_list_can_be_tried_before_it_is_held_to(cluster: Cluster) -> None:
    cluster.install()
    cluster.helm.run("upgrade", "imports", str(CHART), "-n", "system", "--reuse-values", "--set", "policy.action=Warn")
    assert wait_until(lambda: cluster.said(**{"job.image": "evil.example/miner:1"}) == "", PATIENCE)


def test_the_api_server_has_no_doubt_about_the_types_of_the_policies(cluster: Cluster) -> None:
    """Its controller evaluates every expression against the resource's schema."""
    cluster.install({name: [value] for name, (_, value, _) in FIELDS.items()})
    policies = client.AdmissionregistrationV1Api(cluster.world.stack.api_client())

    def checked() -> bool:
        found = policies.list_validating_admission_policy().items
        assert len(found) == 2
        return all(p.status and p.status.observed_generation == p.metadata.generation for p in found)

    assert wait_until(checked, PATIENCE)
    for policy in policies.list_validating_admission_policy().items:
        assert policy.status.type_checking is None or not policy.status.type_checking.expression_warnings


HOSTILE = ['"] || true || ["', "\\", "'", "${x}", "{{ .Values }}", "x.*", "(", "é\u2028", "*\\E.*"]


def test_whatever_stands_in_a_list_is_a_value_and_never_cel(cluster: Cluster) -> None:
    """Without the schema, which lets none of this by."""
    values = {
        "image": {"repository": REPOSITORY_VALUE},
        "watch": {"namespaces": ["team-a"]},
        "policy": {"allow": {"images": HOSTILE, "secretNames": ["lindorm", *HOSTILE]}},
    }
    rendered = cluster.helm.template(values, "--skip-schema-validation")
    for document in of_kind(rendered, "ValidatingAdmissionPolicy"):
        document = copy.deepcopy(document)
        document["metadata"]["name"] = "hostile"
        dry_run(cluster.world.stack.api_client(), document)  # it is compiled
    cluster.helm.run(
        "upgrade", "--install", "imports", str(CHART), "-n", "system", "--skip-schema-validation", values=values
    )
    assert wait_until(lambda: "x.*" in cluster.said(**{"job.image": "evil"}), PATIENCE)
    for hostile in HOSTILE:
        if "*" not in hostile:
            assert cluster.said(**{"job.image": hostile}) == "", hostile
    for other in ("true", "x", "xx.y", "X", "a"):
        assert "is not allowed" in cluster.said(**{"job.image": f"evil{other}"}), other


def test_an_api_server_that_knows_no_such_policies_is_named(helm: Helm) -> None:
    with pytest.raises(HelmError, match=r"takes Kubernetes 1\.30, and this is v1\.29\.14.*policy\.enabled"):
        helm.template({}, "--kube-version", "v1.29.14")
    documents = helm.template({"policy": {"enabled": False}}, "--kube-version", "v1.29.14")
    assert of_kind(documents, "ValidatingAdmissionPolicy") == []
    assert len(of_kind(helm.template({}, "--kube-version", "v1.30.0-eks-1"), "ValidatingAdmissionPolicy")) == 2


def test_the_command_line_says_what_the_policy_says(cluster: Cluster, tmp_path: Path) -> None:
    def refusal(*arguments: str) -> str:
        command = [sys.executable, "-m", "lindorm_import.cli", *arguments]
        environment = os.environ | {"KUBECONFIG": str(cluster.world.stack.kubeconfig)}
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert ended.returncode == 2, ended
        return ended.stderr

    evil = {"job.image": "evil.example/miner:1"}
    told = "error: the cluster refuses the import: spec.job.image: evil.example/miner:1 is not allowed; allowed: "
    cluster.install()
    secret = client.V1Secret(
        metadata=client.V1ObjectMeta(name="lindorm"), string_data={"username": "x", "password": "x"}
    )
    cluster.world.core.create_namespaced_secret("team-a", secret)
    manifest = tmp_path / "import.yaml"
    manifest.write_text(yaml.safe_dump(cluster.document(name="told", **evil)))
    assert refusal("submit", "-f", str(manifest)).startswith(told)
    cluster.install({"images": ["evil.example/*"]})
    cluster.create("told", **evil, suspend=True)
    cluster.install()
    assert refusal("resume", "told", "-n", "team-a").startswith(told)
    cluster.world.delete("told")
