"""Which values the chart takes, and what it makes of those that only some installations need."""

import json
from typing import Any

import pytest

from dev.chart import CHART
from tests.ship.helm import REPOSITORY_VALUE, Document, Helm, HelmError, container, only

LONG = "x" * 64
ROLE = "arn:aws:iam::123456789012:role/{}".format
SELECTOR = ("app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/component")


def nested(path: str, value: Any) -> Document:
    """{"a": {"b": value}} for a.b; of a value that is a list, `a.b[]` is one of its entries."""
    for key in reversed(path.split(".")):
        value = {key.removesuffix("[]"): [value] if key.endswith("[]") else value}
    return dict(value)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        *(("podLabels", {key: "x"}) for key in SELECTOR),
        *(("commonLabels", {key: "x"}) for key in (*SELECTOR, "helm.sh/chart", "app.kubernetes.io/version")),
        ("podLabels", {"-team": "x"}),
        ("podLabels", {"a/b/c": "x"}),
        ("podLabels", {"Bad_Prefix/x": "x"}),
        ("podLabels", {LONG: "x"}),
        ("podLabels", {"team": "not a value"}),
        ("podLabels", {"team": LONG}),
        ("podLabels", {"team": 1}),
        ("podAnnotations", {"not a key": "x"}),
        ("podAnnotations", {"a": True}),
        ("serviceAccount.annotations", {"a": {"b": "c"}}),
        ("metrics.podMonitor.labels", {"release": "not a value"}),
        ("nodeSelector", {"kubernetes.io/arch": "amd 64"}),
        ("nodeSelector", {"a b": "x"}),
        ("resources.requests.cpu", "lots"),
        ("resources.requests.cpu", -1),
        ("resources.requests.memory", "512 Mi"),
        ("resources.requests.memory", "512MB"),
        ("resources.limits.memory", "1gi"),
        ("resources.limits.memory", ""),
        ("resources.request", {"cpu": 1}),
        ("rbac.secretNames[]", "Bad_Name"),
        ("rbac.secretNames[]", "-x"),
        ("rbac.secretNames[]", "*"),
        ("fullnameOverride", "Bad_Name"),
        ("fullnameOverride", "1-imports"),
        ("fullnameOverride", "default"),
        ("fullnameOverride", "imports-"),
        ("fullnameOverride", "x" * 51),
        ("nameOverride", "Bad_Name"),
        ("nameOverride", LONG),
        ("imagePullSecrets[].name", "Bad_Name"),
        ("imagePullSecrets[]", "registry"),
        ("serviceAccount.name", "Bad_Name"),
        ("serviceAccount.name", "default"),
        ("serviceAccount.roleArn", "lindorm-import-controller"),
        ("serviceAccount.roleArn", "arn:aws:iam::1234:role/x"),
        ("serviceAccount.roleArn", "arn:aws:iam::123456789012:user/x"),
        ("serviceAccount.roleArn", ROLE("x y")),
        ("image.repository", "https://registry.example/x"),
        ("image.repository", "registry.example/x:1"),
        ("image.repository", "registry.example/X"),
        ("image.repository", "registry.example//x"),
        ("image.repository", "registry.example/x@sha256:" + "0" * 64),
        ("image.tag", "a b"),
        ("image.tag", ".x"),
        ("image.digest", "latest"),
        ("image.digest", "sha256:" + "0" * 63),
        ("image.pullPolicy", "Sometimes"),
        ("job.image", "registry.example/job:"),
        ("job.image", "registry.example/job@sha256:1"),
        ("job.image", "registry.example/job:1:2"),
        ("job.image", "-x"),
        ("priorityClassName", "High Priority"),
        ("terminationGracePeriodSeconds", 5),
        ("terminationGracePeriodSeconds", "90s"),
        ("controller.pollSeconds", 0),
        ("controller.pollSeconds", "10s"),
        ("controller.logLevel", "verbose"),
        ("controller.logLevel", "DEBUG"),
        ("controller.pricesConfigMap", "Our_Prices"),
        ("controller.env[]", {"name": "A B", "value": "x"}),
        ("controller.env[]", {"name": "A", "value": 3128}),
        ("controller.env[]", {"name": "A", "value": "x", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}),
        ("controller.env[]", {"name": "A", "from": "x"}),
        ("controller.env[]", {"value": "x"}),
        ("controller.envFrom[]", {}),
        ("controller.envFrom[]", {"secretRef": {}}),
        ("controller.envFrom[]", {"secretRef": {"name": "Bad_Name"}}),
        ("controller.envFrom[]", {"secretRef": {"name": "a"}, "configMapRef": {"name": "a"}}),
        ("controller.extraVolumes[]", {"name": "ca"}),
        ("controller.extraVolumes[]", {"configMap": {"name": "ca"}}),
        ("controller.extraVolumes[]", {"name": "tmp", "emptyDir": {}}),
        ("controller.extraVolumes[]", {"name": "Bad_Name", "emptyDir": {}}),
        ("controller.extraVolumes[]", {"name": "ca", "configMap": {"name": "a"}, "secret": {"secretName": "a"}}),
        ("controller.extraVolumeMounts[]", {"name": "ca"}),
        ("controller.extraVolumeMounts[]", {"name": "ca", "mountPath": "etc/ca"}),
        ("controller.extraVolumeMounts[]", {"name": "ca", "mountPath": "/tmp"}),
        ("controller.extraVolumeMounts[]", {"name": "ca", "mountPath": "/a:b"}),
        ("tolerations[]", {"key": "a", "operator": "Sometimes"}),
        ("tolerations[]", {"effect": "Never"}),
        ("tolerations[]", {"keys": "a"}),
        ("affinity", {"podAffinities": {}}),
        ("topologySpreadConstraints[]", {"maxSkew": 1}),
        ("topologySpreadConstraints[]", {"maxSkew": 0, "topologyKey": "a", "whenUnsatisfiable": "DoNotSchedule"}),
        ("topologySpreadConstraints[]", {"maxSkew": 1, "topologyKey": "a", "whenUnsatisfiable": "Perhaps"}),
        ("dnsPolicy", "Cluster"),
        ("dnsConfig", {"nameservers": ["dns.example"]}),
        ("dnsConfig", {"nameservers": ["10.0.0.1"] * 4}),
        ("dnsConfig", {"nameserver": []}),
        ("dnsConfig", {"searches": ["a b"]}),
        ("dnsConfig", {"options": [{"value": "5"}]}),
        ("watch.namespaces[]", "Not-A-Namespace"),
        ("watch.namespaces[]", "a.b"),
        ("watch.namespaces[]", LONG),
        ("watch.namespace", ["a"]),
        ("replicas", 2),
        ("metrics.podMonitor.interval", "often"),
        ("metrics.podMonitor.interval", "1s1h"),
        ("metrics.podMonitor.interval", "0s"),
        ("metrics.podMonitor.interval", ""),
        ("metrics.serviceMonitor.interval", 30),
        ("metrics.rules.runbookUrl", "docs.example"),
        ("networkPolicy.lindormPorts[]", "mysql"),
        ("networkPolicy.lindormPorts[]", 0),
        ("networkPolicy.httpsPorts[]", 65536),
        ("networkPolicy.httpsPorts", []),
        ("networkPolicy.metricsFrom[]", {"namespaces": {}}),
        ("networkPolicy.metricsFrom[]", {"ipBlock": {"cidr": "10.0.0.0"}}),
        ("networkPolicy.egress[]", {"ports": [{"port": 70000}]}),
        ("networkPolicy.egress[]", {"from": []}),
        ("policy.action", "Refuse"),
        ("policy.allow.images[]", "registry.example*"),
        ("policy.allow.images[]", "*.example/x"),
        ("policy.allow.images[]", "registry.example/a b"),
        ("policy.allow.images[]", ""),
        ("policy.allow.executionRoles[]", "jobs"),
        ("policy.allow.kmsKeys[]", "alias/x"),
        ("policy.allow.sourceHosts[]", "Ld.Example"),
        ("policy.allow.sourceHosts[]", "ld.example:33060"),
        ("policy.allow.sourceHosts[]", "ld.example."),
        *((f"policy.allow.{name}", []) for name in ("sourceHosts", "secretNames", "tables", "regions", "buckets")),
        ("policy.allow.tables", "readings"),
        ("policy.allow.roles", []),
    ],
)  # fmt: skip
def test_nonsense_is_refused_and_the_value_is_named(helm: Helm, path: str, value: object) -> None:
    with pytest.raises(HelmError, match="values don't meet the specifications") as refused:
        helm.template(nested(path, value) if path.startswith("image.") else {**nested(path, value), **IMAGE})
    told = str(refused.value).replace("/", ".")
    parent, _, name = path.replace("[]", ".0").rpartition(".")
    unknown = parent and f"at '.{parent}': additional properties '{name}'" in told
    assert unknown or f"at '.{path.replace('[]', '.0')}" in told or f"additional properties '{path}'" in told, told


IMAGE = {"image": {"repository": REPOSITORY_VALUE}}


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"image": {"repository": ""}}, "image.repository: say where"),
        ({"watch": {"allNamespaces": True, "namespaces": ["a"]}}, "exclude each other"),
        ({"metrics": {m: {"enabled": True} for m in ("podMonitor", "serviceMonitor")}}, "enable one of them"),
        ({"serviceAccount": {"create": False}}, "serviceAccount.name"),
        ({"dnsPolicy": "None"}, "dnsConfig': missing property 'nameservers'"),
        ({"controller": {"extraVolumeMounts": [{"name": "ca", "mountPath": "/ca"}]}}, "there is no volume ca"),
    ],
)
def test_values_that_do_not_fit_together_are_refused_by_name(helm: Helm, values: Document, told: str) -> None:
    with pytest.raises(HelmError, match=told):
        helm.template(values)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("resources.requests", {"cpu": 1, "memory": "1e9", "ephemeral-storage": "1.5Gi", "vendor.example/gpu": "1"}),
        ("resources.limits", {"cpu": "0.5", "memory": "128974848"}),
        ("resources", {}),
        ("fullnameOverride", "lindorm-import"),
        ("rbac.secretNames[]", "lindorm.readings-1"),
        ("image.repository", "localhost:5000/a/b__c/d-e"),
        ("image.repository", "controller"),
        ("job.image", "123456789012.dkr.ecr.us-west-2.amazonaws.com/x/job:1.0@sha256:" + "0" * 64),
        ("job.image", "job"),
        ("serviceAccount.roleArn", "arn:aws-cn:iam::123456789012:role/path/of/x@y"),
        ("serviceAccount.roleArn", "arn:aws-us-gov:iam::123456789012:role/x"),
        ("podLabels", {"team": "", "example.com/a.b_c": "A-1"}),
        ("podAnnotations", {"a": "any text: of {any} kind"}),
        ("metrics.podMonitor.interval", "1m30s"),
        ("terminationGracePeriodSeconds", 60),
        ("dnsPolicy", "ClusterFirst"),
        ("policy.allow.sourceHosts", ["*"]),
        ("policy.allow.images", ["registry.example/team/*", "*"]),
    ],
)
def test_what_kubernetes_takes_is_taken(helm: Helm, path: str, value: object) -> None:
    assert helm.template(nested(path, value))


def test_what_a_proxy_needs_is_given_to_the_controller(helm: Helm) -> None:
    """Variables, also of a Secret, and the certificate of its CA."""
    documents = helm.template(
        {
            "controller": {
                "env": [{"name": "AWS_CA_BUNDLE", "value": "/etc/ca/ca.pem"}],
                "envFrom": [{"secretRef": {"name": "proxy"}}, {"configMapRef": {"name": "more", "optional": True}}],
                "extraVolumes": [{"name": "ca", "configMap": {"name": "proxy-ca"}}],
                "extraVolumeMounts": [{"name": "ca", "mountPath": "/etc/ca", "readOnly": True}],
            }
        }
    )
    found = container(documents)
    assert found["envFrom"] == [{"secretRef": {"name": "proxy"}}, {"configMapRef": {"name": "more", "optional": True}}]
    assert {"name": "ca", "mountPath": "/etc/ca", "readOnly": True} in found["volumeMounts"]
    pod = only(documents, "Deployment")["spec"]["template"]["spec"]
    assert {"name": "ca", "configMap": {"name": "proxy-ca"}} in pod["volumes"]
    assert {v["name"] for v in pod["volumes"]} == {"tmp", "ca"}, "what the chart mounts itself is still there"


def test_the_pod_gets_dns_and_spread_as_they_are_given(helm: Helm) -> None:
    spread = {"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "ScheduleAnyway"}
    other = {"labelSelector": {"matchLabels": {"a": "b"}}}
    dns = {"nameservers": ["10.0.0.10"], "searches": ["example."], "options": [{"name": "ndots", "value": "2"}]}
    documents = helm.template(
        {"dnsPolicy": "None", "dnsConfig": dns, "topologySpreadConstraints": [spread, {**spread, **other}]}
    )
    deployment = only(documents, "Deployment")["spec"]
    pod = deployment["template"]["spec"]
    assert (pod["dnsPolicy"], pod["dnsConfig"]) == ("None", dns)
    own = {"labelSelector": deployment["selector"]}
    assert pod["topologySpreadConstraints"] == [{**spread, **own}, {**spread, **other}]
    plain = only(helm.template(), "Deployment")["spec"]["template"]["spec"]
    assert not plain.keys() & {"dnsPolicy", "dnsConfig", "topologySpreadConstraints"}


EVERYTHING = {
    "rbac": {"aggregateToUsers": True},
    "metrics": {
        "serviceMonitor": {"enabled": True, "labels": {"team": "monitoring"}},
        "rules": {"enabled": True},
        "dashboard": {"enabled": True},
    },
    "networkPolicy": {"enabled": True},
}


def test_common_labels_are_on_everything_and_select_nothing(helm: Helm) -> None:
    documents = helm.template({**EVERYTHING, "commonLabels": {"team": "data"}, "podLabels": {"team": "pods"}})
    kinds = {d["kind"] for d in documents}
    assert {"Deployment", "NetworkPolicy", "ServiceMonitor", "ValidatingAdmissionPolicy", "ClusterRole"} <= kinds
    for document in documents:
        wanted = "monitoring" if document["kind"] == "ServiceMonitor" else "data"
        assert document["metadata"]["labels"]["team"] == wanted, (document["kind"], document["metadata"]["name"])
        assert document["metadata"]["labels"]["app.kubernetes.io/instance"] == "imports"
    deployment = only(documents, "Deployment")["spec"]
    assert deployment["template"]["metadata"]["labels"]["team"] == "pods", "the nearer label wins"
    assert set(deployment["selector"]["matchLabels"]) == set(SELECTOR)
    assert deployment["selector"]["matchLabels"].items() <= deployment["template"]["metadata"]["labels"].items()


@pytest.mark.parametrize("level", ["debug", "warning"])
def test_the_controller_is_told_its_log_level(helm: Helm, level: str) -> None:
    assert f"--log-level={level}" in container(helm.template({"controller": {"logLevel": level}}))["args"]


def test_the_schema_is_one_that_json_schema_knows() -> None:
    """A keyword beside a $ref is without effect in draft 7, and so would a misspelt one be."""
    known = {
        *(
            "$schema",
            "title",
            "description",
            "type",
            "properties",
            "additionalProperties",
            "patternProperties",
            "required",
        ),
        *("items", "minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties", "enum", "const"),
        "pattern",
        *("minLength", "maxLength", "minimum", "maximum", "allOf", "anyOf", "oneOf", "not", "if", "then"),
        "definitions",
    }

    def walk(node: Any) -> None:
        if node is False:
            return
        assert isinstance(node, dict)
        if "$ref" in node:
            assert node.keys() == {"$ref"}
            return
        assert node.keys() <= known, node.keys() - known
        for key in ("properties", "patternProperties", "definitions"):
            for child in node.get(key, {}).values():
                walk(child)
        for key in ("additionalProperties", "items", "not", "if", "then"):
            if isinstance(node.get(key), dict):
                walk(node[key])
        for key in ("allOf", "anyOf", "oneOf"):
            for child in node.get(key, []):
                walk(child)

    walk(json.loads((CHART / "values.schema.json").read_text()))
