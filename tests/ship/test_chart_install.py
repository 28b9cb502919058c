"""Install, upgrade and uninstall on a real API server: what comes, what stays, and who may do what."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from dev.chart import CHART
from local.bootstrap import REPOSITORY, Layout
from local.demo import World
from local.kube.dry_run import UnknownKindError, dry_run
from local.processes import wait_until
from local.stack import Stack
from tests.ship.helm import REPOSITORY_VALUE, Document, Helm, HelmError, only
from tests.ship.test_chart import CLUSTER, NAMESPACED
from tests.ship.test_chart_monitoring import checked

pytestmark = pytest.mark.stack

ACCOUNT = "system:serviceaccount:system:imports-lindorm-import"
CRD = "lindormimports.lindorm.io"
TEST = "templates/tests/rights.yaml"
IMAGE = {"image": {"repository": REPOSITORY_VALUE}}
EVERYTHING: Document = {
    **IMAGE,
    "imagePullSecrets": [{"name": "registry"}],
    "job": {"image": "registry.example/job:1"},
    "commonLabels": {"cost-centre": "4711"},
    "controller": {
        "logLevel": "debug",
        "pricesConfigMap": "prices",
        "env": [
            {"name": "HTTPS_PROXY", "value": "http://proxy:3128"},
            {"name": "AWS_CA_BUNDLE", "value": "/ca/ca.pem"},
        ],
        "envFrom": [
            {"secretRef": {"name": "proxy", "optional": True}},
            {"prefix": "A_", "configMapRef": {"name": "a"}},
        ],
        "extraVolumes": [
            {"name": "ca", "secret": {"secretName": "ca", "items": [{"key": "ca.pem", "path": "ca.pem"}]}}
        ],
        "extraVolumeMounts": [{"name": "ca", "mountPath": "/ca", "readOnly": True}],
    },
    "serviceAccount": {"roleArn": "arn:aws:iam::123456789012:role/controller", "annotations": {"a": "b"}},
    "rbac": {"secretNames": ["lindorm"]},
    "podLabels": {"team": "data"},
    "podAnnotations": {"a": "b"},
    "nodeSelector": {"node.kubernetes.io/instance-type": "m5.2xlarge"},
    "tolerations": [{"key": "system", "operator": "Exists", "effect": "NoSchedule"}],
    "affinity": {"podAntiAffinity": {}},
    "topologySpreadConstraints": [
        {"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "ScheduleAnyway"}
    ],
    "dnsPolicy": "None",
    "dnsConfig": {
        "nameservers": ["10.0.0.10"],
        "searches": ["svc.example"],
        "options": [{"name": "ndots", "value": "2"}],
    },
    "policy": {"allow": {"images": ["registry.example/team/*"], "serviceAccounts": ["flink"]}},
    "priorityClassName": "system-cluster-critical",
    "metrics": {
        "podMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
        "rules": {"enabled": True, "labels": {"release": "prometheus"}, "runbookUrl": "https://docs.example/alerts"},
        "dashboard": {"enabled": True, "annotations": {"grafana_folder": "Imports"}},
    },
    "networkPolicy": {
        "enabled": True,
        "metricsFrom": [{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}],
        "egress": [{"ports": [{"protocol": "TCP", "port": 3128}]}],
    },
}

EXAMPLE_FILES = sorted((REPOSITORY / "helm" / "examples").glob("*.yaml"))
EXAMPLES: list[Document] = [yaml.safe_load(path.read_text()) for path in EXAMPLE_FILES]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """An API server without our CRD. `system`, where the chart goes, takes only pods of the standard `restricted`."""
    with Stack(tmp_path_factory.mktemp("kube"), parts=["kube"], crds=[]) as stack:
        stack.environment["LINDORM_URL"] = "jdbc:mysql://ld-x-proxy-lindorm-vpc.lindorm.aliyuncs.com:33060/default"
        world = World(stack, namespace="team-a")
        for name in ("system", "team-a", "team-b", "migration"):
            restricted = {"pod-security.kubernetes.io/enforce": "restricted"} if name == "system" else {}
            metadata = client.V1ObjectMeta(name=name, labels=restricted)
            world.core.create_namespace(client.V1Namespace(metadata=metadata))
        yield world


@pytest.fixture
def release(world: World, tools: Layout, tmp_path: Path) -> Iterator[Helm]:
    """A Helm for that server; what a test leaves installed goes, the CRD and all imports included."""
    helm = Helm(tools.helm, tmp_path, world.stack.kubeconfig)
    yield helm
    for found in json.loads(helm.run("list", "-n", "system", "-a", "-o", "json")):
        helm.run("uninstall", found["name"], "-n", "system")
    definitions = client.ApiextensionsV1Api(world.stack.api_client())
    if served(world):
        definitions.delete_custom_resource_definition(CRD)
        assert wait_until(lambda: served(world) is None, 120), "its finalizer waits until every import is gone"


def install(helm: Helm, chart: Path, values: Document, *arguments: str, name: str = "imports") -> None:
    helm.run("upgrade", "--install", name, str(chart), "-n", "system", *arguments, values={**IMAGE, **values})


def served(world: World) -> Document | None:
    """The CRD as it is now."""
    api = client.CustomObjectsApi(world.stack.api_client())
    try:
        found = api.get_cluster_custom_object("apiextensions.k8s.io", "v1", "customresourcedefinitions", CRD)
    except ApiException as error:
        if error.status == 404:
            return None
        raise
    return dict(found)  # type: ignore[call-overload]


def allowed(world: World, namespace: str | None) -> set[tuple[str, str, str]]:
    """What the chart's service account may do of all that anybody can do with the resources that it knows."""
    reviews = client.AuthorizationV1Api(world.stack.api_client())
    verbs = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
    resources = {(group, resource) for group, resource, _ in NAMESPACED | CLUSTER}
    resources |= {("", "pods"), ("", "serviceaccounts"), ("flink.apache.org", "flinkdeployments/status")}
    found = set()
    for group, resource in resources:
        plain, _, sub = resource.partition("/")
        for verb in verbs:
            attributes = client.V1ResourceAttributes(
                namespace=namespace, verb=verb, group=group, resource=plain, subresource=sub or None
            )
            spec = client.V1SubjectAccessReviewSpec(user=ACCOUNT, resource_attributes=attributes)
            answer = reviews.create_subject_access_review(client.V1SubjectAccessReview(spec=spec))
            if answer.status.allowed:
                found.add((group, resource, verb))
    return found


def test_the_service_account_may_do_what_the_controller_does_in_its_namespace_and_only_look_elsewhere(
    world: World, release: Helm
) -> None:
    install(release, CHART, {"watch": {"namespaces": ["team-a"]}})
    assert allowed(world, "team-a") == NAMESPACED | CLUSTER
    assert allowed(world, "team-b") == CLUSTER
    assert allowed(world, None) == CLUSTER


@pytest.mark.parametrize("values", [EVERYTHING, *EXAMPLES], ids=["everything", *(path.stem for path in EXAMPLE_FILES)])
def test_every_document_of_the_chart_is_taken_by_the_api_server_as_it_is(
    world: World, release: Helm, tools: Layout, values: Document
) -> None:
    others = []
    documents = release.template(values)
    for document in documents:
        try:
            dry_run(world.stack.api_client(), document, "system")
        except UnknownKindError:  # of the Prometheus operator, which this cluster does not have
            others.append(f"{document['apiVersion']} {document['kind']} {document['metadata']['name']}")
    assert checked(tools, documents) == others


def test_the_pod_meets_the_standard_restricted(world: World, release: Helm) -> None:
    template = only(release.template(EVERYTHING), "Deployment")["spec"]["template"]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "controller"}, "spec": template["spec"]}
    made = dry_run(world.stack.api_client(), pod, "system")
    assert made["spec"]["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is True
    del pod["spec"]["containers"][0]["securityContext"]
    with pytest.raises(ApiException, match="violates PodSecurity"):  # the server does look
        dry_run(world.stack.api_client(), pod, "system")
    (test,) = yaml.safe_load_all(
        release.run("template", "imports", str(CHART), "-n", "system", "-s", TEST, values=IMAGE)
    )
    assert dry_run(world.stack.api_client(), test)["kind"] == "Pod"


def older(folder: Path) -> Path:
    """The chart as if one version before: without a field of the spec that this one has."""
    copy = folder / "older"
    shutil.copytree(CHART, copy)
    description = yaml.safe_load((copy / "Chart.yaml").read_text())
    (copy / "Chart.yaml").write_text(yaml.safe_dump({**description, "version": "0.0.9"}))
    crd = yaml.safe_load((copy / "files" / "crd.yaml").read_text())
    del spec_of(crd)["ttlAfterFinished"]
    # With the line that the template looks for.
    (copy / "files" / "crd.yaml").write_text("# older\n" + yaml.safe_dump(crd, sort_keys=False))
    return copy


def spec_of(crd: Document) -> Document:
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    found: Document = schema["properties"]["spec"]["properties"]
    return found


def takes(world: World, **changes: object) -> bool:
    """Whether the API server takes the example with changes. A changed CRD is served a moment after it is stored."""
    try:
        world.apply(world.example(**changes))
    except ApiException as error:
        if "field not declared" not in str(error.body):
            raise
        return False
    return True


def names_of(world: World, kind: str) -> set[str]:
    rbac = client.RbacAuthorizationV1Api(world.stack.api_client())
    selector = "app.kubernetes.io/instance=imports"
    listed = {
        "Role": rbac.list_role_for_all_namespaces,
        "RoleBinding": rbac.list_role_binding_for_all_namespaces,
        "ClusterRole": rbac.list_cluster_role,
        "ClusterRoleBinding": rbac.list_cluster_role_binding,
    }[kind](label_selector=selector)
    return {f"{item.metadata.namespace or ''}/{item.metadata.name}" for item in listed.items}


def test_an_upgrade_brings_the_new_crd_and_leaves_the_imports(world: World, release: Helm, tmp_path: Path) -> None:
    install(release, older(tmp_path), {"watch": {"namespaces": ["team-a"]}})
    world.stack.wait_crd(CRD)
    before = world.apply(world.example())
    assert not takes(world, ttlAfterFinished="1h")
    install(release, CHART, {"watch": {"allNamespaces": True}})
    after = world.read("readings")
    assert after is not None
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert wait_until(lambda: takes(world, ttlAfterFinished="1h"), 10), "the new field is not served"
    assert names_of(world, "Role") == names_of(world, "RoleBinding") == set()
    assert "/system-imports-lindorm-import" in names_of(world, "ClusterRole")
    assert allowed(world, "team-b") == NAMESPACED | CLUSTER


def test_uninstalling_leaves_the_crd_and_the_imports_and_nothing_else(world: World, release: Helm) -> None:
    install(release, CHART, EVERYTHING | {"metrics": {"dashboard": {"enabled": True}}})
    world.stack.wait_crd(CRD)
    before = world.apply(world.example())
    release.run("uninstall", "imports", "-n", "system")
    after = world.read("readings")
    assert after is not None
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    for kind in ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"):
        assert names_of(world, kind) == set(), kind
    assert allowed(world, "team-a") == set()
    core, apps = world.core, client.AppsV1Api(world.stack.api_client())
    left = [
        item.metadata.name
        for listed in (
            core.list_namespaced_service_account("system"),
            core.list_namespaced_config_map("system"),
            core.list_namespaced_secret("system"),
            apps.list_namespaced_deployment("system"),
        )
        for item in listed.items
    ]
    # Both are Kubernetes' own.
    assert set(left) <= {"default", "kube-root-ca.crt"}


def test_a_release_of_the_same_name_takes_the_crd_over_again_and_another_only_when_told_to(
    world: World, release: Helm
) -> None:
    install(release, CHART, {})
    world.stack.wait_crd(CRD)
    release.run("uninstall", "imports", "-n", "system")
    install(release, CHART, {})
    release.run("uninstall", "imports", "-n", "system")
    with pytest.raises(HelmError, match="invalid ownership metadata"):
        install(release, CHART, {}, name="other")
    install(release, CHART, {}, "--take-ownership", name="other")
    release.run("uninstall", "other", "-n", "system")
    assert served(world) is not None


def test_the_chart_can_be_installed_without_the_right_to_make_anything_of_the_cluster(
    world: World, release: Helm
) -> None:
    """By somebody who is admin of one namespace, with a CRD that is there already."""
    install(release, CHART, {})
    release.run("uninstall", "imports", "-n", "system")
    values = {"crds": {"install": False}, "rbac": {"discovery": False}, "policy": {"enabled": False}}
    kinds = {d["kind"] for d in release.template(values)}
    assert not [k for k in kinds if k.startswith("Cluster") or k == "CustomResourceDefinition"]
    assert {d["metadata"]["namespace"] for d in release.template(values)} == {"system"}
    install(release, CHART, values)
    assert allowed(world, "system") == NAMESPACED
