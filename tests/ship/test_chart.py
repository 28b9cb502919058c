"""What the chart makes of its values, without a server."""

import json
from typing import Any

import pytest
import yaml

from dev import chart
from dev.chart import CHART
from lindorm_import.permissions.needed import CONTROLLER_KUBERNETES
from local.bootstrap import REPOSITORY
from tests.ship.helm import Document, Helm, container, granted, of_kind, only

ROLE = "arn:aws:iam::123456789012:role/lindorm-import-controller"
NAMESPACED = {(r.group, r.resource, verb) for r in CONTROLLER_KUBERNETES if not r.cluster for verb in r.verbs}
CLUSTER = {(r.group, r.resource, verb) for r in CONTROLLER_KUBERNETES if r.cluster for verb in r.verbs}


def test_lint_has_nothing_to_say(helm: Helm) -> None:
    said = helm.run("lint", "--strict", str(CHART), values={"image": {"repository": "registry.example/c"}})
    assert "0 chart(s) failed" in said
    assert "WARNING" not in said


def test_the_crd_is_the_generated_one_and_stays_when_the_release_goes(helm: Helm) -> None:
    crd = only(helm.template(), "CustomResourceDefinition")
    generated = yaml.safe_load((REPOSITORY / "crds" / "lindormimports.lindorm.io.yaml").read_text())
    assert crd["spec"] == generated["spec"]
    assert crd["metadata"]["name"] == generated["metadata"]["name"]
    assert crd["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}


def test_the_crd_can_be_left_to_somebody_else_or_to_the_release(helm: Helm) -> None:
    assert of_kind(helm.template({"crds": {"install": False}}), "CustomResourceDefinition") == []
    crd = only(helm.template({"crds": {"keep": False}}), "CustomResourceDefinition")
    assert "annotations" not in crd["metadata"]


def role_of(documents: list[Document], namespace: str) -> Document:
    (role,) = [r for r in of_kind(documents, "Role") if r["metadata"]["namespace"] == namespace]
    return role


def bound(documents: list[Document], kind: str) -> set[tuple[str | None, str, str, str]]:
    """(namespace of the binding, role, subject's namespace, subject) of every binding of a kind."""
    return {
        (b["metadata"].get("namespace"), b["roleRef"]["name"], s["namespace"], s["name"])
        for b in of_kind(documents, kind)
        for s in b["subjects"]
    }


@pytest.mark.parametrize(
    ("watch", "namespaces"),
    [({}, ["system"]), ({"namespaces": ["a"]}, ["a"]), ({"namespaces": ["a", "b"]}, ["a", "b"])],
)
def test_in_each_watched_namespace_and_no_other_the_controller_may_do_exactly_what_it_does(
    helm: Helm, watch: Document, namespaces: list[str]
) -> None:
    documents = helm.template({"watch": watch})
    assert [r["metadata"]["namespace"] for r in of_kind(documents, "Role")] == namespaces
    for namespace in namespaces:
        assert granted(role_of(documents, namespace)["rules"]) == NAMESPACED
    assert bound(documents, "RoleBinding") == {
        (n, "imports-lindorm-import", "system", "imports-lindorm-import") for n in namespaces
    }
    assert bound(documents, "ClusterRoleBinding") == {
        (None, "system-imports-lindorm-import-discovery", "system", "imports-lindorm-import")
    }


def test_for_all_namespaces_the_same_rules_hold_in_the_whole_cluster(helm: Helm) -> None:
    documents = helm.template({"watch": {"allNamespaces": True}})
    assert of_kind(documents, "Role") == []
    roles = {r["metadata"]["name"]: r for r in of_kind(documents, "ClusterRole")}
    assert granted(roles["system-imports-lindorm-import"]["rules"]) == NAMESPACED
    assert {role for _, role, _, _ in bound(documents, "ClusterRoleBinding")} == {
        "system-imports-lindorm-import",
        "system-imports-lindorm-import-discovery",
    }
    assert not any(argument.startswith("--namespace") for argument in container(documents)["args"])


def test_what_has_no_namespace_may_be_looked_at_or_be_left_out(helm: Helm) -> None:
    roles = {r["metadata"]["name"]: r for r in of_kind(helm.template(), "ClusterRole")}
    assert granted(roles["system-imports-lindorm-import-discovery"]["rules"]) == CLUSTER
    without = helm.template({"rbac": {"discovery": False}})
    assert of_kind(without, "ClusterRole") == []
    assert of_kind(without, "ClusterRoleBinding") == []


def test_the_secrets_that_may_be_read_can_be_named(helm: Helm) -> None:
    documents = helm.template({"rbac": {"secretNames": ["lindorm"]}})
    (rule,) = [r for r in role_of(documents, "system")["rules"] if r["resources"] == ["secrets"]]
    assert rule["resourceNames"] == ["lindorm"]
    assert rule["verbs"] == ["get"]


def test_nobody_gets_a_right_to_imports_by_a_role_that_he_has_unless_it_is_asked_for(helm: Helm) -> None:
    labels = [label for d in helm.template() for label in d["metadata"]["labels"]]
    assert not [label for label in labels if "aggregate-to" in label]


def test_who_may_view_or_edit_a_namespace_may_do_so_with_its_imports_but_never_with_a_status(helm: Helm) -> None:
    roles = of_kind(helm.template({"rbac": {"aggregateToUsers": True}}), "ClusterRole")
    by_label = {
        label: granted(r["rules"]) for r in roles for label in r["metadata"]["labels"] if "aggregate-to" in label
    }
    assert {verb for _, _, verb in by_label["rbac.authorization.k8s.io/aggregate-to-view"]} == {"get", "list", "watch"}
    assert {resource for rules in by_label.values() for _, resource, _ in rules} == {"lindormimports"}


def test_the_controller_is_started_with_what_the_values_say(helm: Helm) -> None:
    documents = helm.template(
        {
            "watch": {"namespaces": ["a", "b"]},
            "job": {"image": "registry.example/job:1"},
            "controller": {"pollSeconds": 5, "env": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}]},
        }
    )
    assert container(documents)["args"] == [
        "controller",
        "--namespace=a",
        "--namespace=b",
        "--poll=5",
        "--job-image=registry.example/job:1",
        "--listen=:8080",
        "--log-level=info",
    ]
    assert container(documents)["env"] == [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}]


def test_other_prices_are_mounted_where_the_controller_is_told_to_read_them(helm: Helm) -> None:
    documents = helm.template({"controller": {"pricesConfigMap": "our-prices"}})
    volumes = {v["name"]: v for v in only(documents, "Deployment")["spec"]["template"]["spec"]["volumes"]}
    assert volumes["prices"]["configMap"] == {"name": "our-prices"}
    (mount,) = [m for m in container(documents)["volumeMounts"] if m["name"] == "prices"]
    assert f"--prices={mount['mountPath']}/prices.json" in container(documents)["args"]


def test_one_controller_at_a_time(helm: Helm) -> None:
    spec = only(helm.template(), "Deployment")["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})


@pytest.mark.parametrize(
    ("image", "reference"),
    [
        ({"repository": "r/c"}, "r/c:0.1.0"),
        ({"repository": "r/c", "tag": "1.2"}, "r/c:1.2"),
        ({"repository": "r/c", "tag": "1.2", "digest": "sha256:" + "0" * 64}, "r/c@sha256:" + "0" * 64),
    ],
)
def test_the_image_is_named_by_digest_then_tag_then_version(helm: Helm, image: Document, reference: str) -> None:
    assert container(helm.template({"image": image}))["image"] == reference


def test_the_role_of_irsa_is_an_annotation_and_pod_identity_needs_none(helm: Helm) -> None:
    account = only(helm.template({"serviceAccount": {"roleArn": ROLE}}), "ServiceAccount")
    assert account["metadata"]["annotations"] == {"eks.amazonaws.com/role-arn": ROLE}
    assert "annotations" not in only(helm.template(), "ServiceAccount")["metadata"]


def test_a_service_account_that_is_there_is_bound_and_not_made(helm: Helm) -> None:
    documents = helm.template({"serviceAccount": {"create": False, "name": "mine"}})
    assert of_kind(documents, "ServiceAccount") == []
    assert bound(documents, "RoleBinding") == {("system", "imports-lindorm-import", "system", "mine")}
    assert only(documents, "Deployment")["spec"]["template"]["spec"]["serviceAccountName"] == "mine"


def test_nothing_of_the_monitoring_or_the_network_policy_is_there_unless_asked_for(helm: Helm) -> None:
    kinds = {d["kind"] for d in helm.template()}
    assert kinds == {
        "ServiceAccount", "CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding",
        "Deployment", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding",
    }  # fmt: skip


def test_the_network_policy_opens_what_the_controller_calls_and_the_port_of_its_metrics(helm: Helm) -> None:
    policy = only(helm.template({"networkPolicy": {"enabled": True, "lindormPorts": [33060, 30020]}}), "NetworkPolicy")
    spec = policy["spec"]
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert spec["podSelector"]["matchLabels"] == only(helm.template(), "Deployment")["spec"]["selector"]["matchLabels"]
    opened = {port["port"] for rule in spec["egress"] for port in rule["ports"]}
    assert opened == {53, 80, 443, 8081, 30020, 33060}
    named = {port["name"] for port in container(helm.template())["ports"]}
    assert {port["port"] for rule in spec["ingress"] for port in rule["ports"]} <= named


@pytest.mark.parametrize("monitor", ["podMonitor", "serviceMonitor"])
def test_a_monitor_scrapes_the_port_that_serves_the_metrics(helm: Helm, monitor: str) -> None:
    documents = helm.template({"metrics": {monitor: {"enabled": True, "labels": {"release": "prometheus"}}}})
    kind = monitor[0].upper() + monitor[1:]
    found = only(documents, kind)
    assert found["metadata"]["labels"]["release"] == "prometheus"
    (endpoint,) = found["spec"].get("podMetricsEndpoints") or found["spec"]["endpoints"]
    labels = only(documents, "Deployment")["spec"]["template"]["metadata"]["labels"]
    assert found["spec"]["selector"]["matchLabels"].items() <= labels.items()
    ports = {p["name"]: p["containerPort"] for p in container(documents)["ports"]}
    assert f"--listen=:{ports[endpoint['port']]}" in container(documents)["args"]


# One value each, explained as a whole.
WHOLE = {"resources", "affinity", "dnsConfig"}


def schema_paths(node: Document, definitions: Document, prefix: str = "") -> set[str]:
    """Every value that the schema knows, by path; a free map or list is one value."""
    if "$ref" in node:
        node = definitions[node["$ref"].rsplit("/", 1)[1]]
    if "properties" not in node or "patternProperties" in node or prefix in WHOLE:
        return {prefix}
    return {
        path
        for name, child in node["properties"].items()
        for path in schema_paths(child, definitions, f"{prefix}.{name}" if prefix else name)
    }


def test_the_schema_knows_every_value_that_is_documented_and_no_other() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    known = schema_paths(schema, schema["definitions"]) - {"global"}
    documented = {value.path for value in chart.documented((CHART / "values.yaml").read_text())}
    assert known == documented


def test_what_is_made_from_other_files_is_up_to_date() -> None:
    assert [path for path, content in chart.generated().items() if path.read_text() != content] == [], (
        "run `make generate`"
    )


def test_a_value_without_an_explanation_is_named() -> None:
    with pytest.raises(chart.ChartError, match=r"a\.b has no comment"):
        list(chart.documented("a:\n  b: 1\n"))


def test_the_chart_has_the_version_of_the_package() -> None:
    described: dict[str, Any] = yaml.safe_load((CHART / "Chart.yaml").read_text())
    project = (REPOSITORY / "pyproject.toml").read_text()
    assert f'version = "{described["appVersion"]}"' in project
    assert described["version"] == described["appVersion"]
