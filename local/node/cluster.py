"""What is installed in the node's cluster: the Flink operator with EMR's ways, and the controller by its chart."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from local.bootstrap import CRD_FILE, REPOSITORY, Layout
from local.node.images import Images
from local.node.kube import ADDRESS, PODS

Document = dict[str, Any]

SYSTEM = "lindorm-system"
"""The controller's namespace."""
IMPORTS = "migration"
"""The namespace of the imports."""
RELEASE = "lindorm-import"
CHART = REPOSITORY / "helm" / "lindorm-import"
_MANIFESTS = Path(__file__).parent / "manifests"
_HIDDEN_FROM_PODS = ("KUBECONFIG", "LINDORM_CA_FILE")

# Java 17 needs them for PyFlink and Kryo. Upstream's chart sets them since 1.11; in an image they would not be read,
# since native mode mounts a ConfigMap over /opt/flink/conf.
_JAVA_OPTIONS = " ".join(
    [
        *(f"--add-exports={name}=ALL-UNNAMED" for name in (
            "java.base/sun.net.util", "java.rmi/sun.rmi.registry", "java.security.jgss/sun.security.krb5",
        )),
        *(f"--add-opens=java.base/{name}=ALL-UNNAMED" for name in (
            "java.lang", "java.net", "java.io", "java.nio", "sun.nio.ch", "java.lang.reflect", "java.text", "java.time",
            "java.util", "java.util.concurrent", "java.util.concurrent.atomic", "java.util.concurrent.locks",
        )),
    ]
)  # fmt: skip


def pod_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The stack's variables as pods must have them: 127.0.0.1 of the node is another address there."""
    return {
        name: value.replace("127.0.0.1", ADDRESS)
        for name, value in environment.items()
        if name not in _HIDDEN_FROM_PODS
    }


def aws_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """The AWS_* among the variables of pods."""
    return {name: value for name, value in pod_environment(environment).items() if name.startswith("AWS_")}


def flink_defaults(environment: Mapping[str, str]) -> dict[str, str]:
    """The operator's configuration, which is the default of every Flink cluster: where AWS is, as EMR's roles and
    network say it on EMR. Intervals are the operator's own.
    """
    aws = aws_variables(environment)
    variables = {
        f"containerized.{process}.env.{name}": value
        for process in ("master", "taskmanager")
        for name, value in aws.items()
    }
    return {
        "env.java.opts.all": _JAVA_OPTIONS,
        "kubernetes.operator.health.probe.enabled": "true",
        "kubernetes.operator.health.probe.port": "8085",
        "kubernetes.rest-service.exposed.type": "ClusterIP",
        "s3.endpoint": aws["AWS_ENDPOINT_URL"],
        "s3.path.style.access": "true",
        "s3.access-key": aws["AWS_ACCESS_KEY_ID"],
        "s3.secret-key": aws["AWS_SECRET_ACCESS_KEY"],
        **variables,
    }


def crds(layout: Layout) -> list[Document]:
    """The Flink operator's CustomResourceDefinitions besides FlinkDeployment, which is the stack's."""
    found = []
    for file in sorted(layout.flink.glob("*-v1.yml")):
        if file.name != CRD_FILE:
            crd = yaml.safe_load(file.read_text())
            crd.pop("status", None)  # the generator's, which no API server would take
            found.append(crd)
    return found


def operator_manifests(images: Images, environment: Mapping[str, str], old: bool) -> list[Document]:
    """Namespaces, policies and the Flink operator. old: it knows no Flink 1.20."""
    files = ["namespaces.yaml", "emr.yaml", *(["old-operator.yaml"] if old else []), "operator.yaml"]
    documents = [d for file in files for d in yaml.safe_load_all((_MANIFESTS / file).read_text())]
    for document in documents:
        if document["kind"] == "ConfigMap":
            lines = [f"{name}: {value}" for name, value in flink_defaults(environment).items()]
            document["data"]["flink-conf.yaml"] = "\n".join(lines) + "\n"
        if document["kind"] == "Deployment":
            document["spec"]["template"]["spec"]["containers"][0]["image"] = images.operator
    return documents


def namespace(name: str, standard: str) -> list[Document]:
    """Another namespace of imports, with the account that EMR makes for an execution role. standard: the pod security
    standard that it enforces."""
    documents = list(yaml.safe_load_all((_MANIFESTS / "namespaces.yaml").read_text()))
    imports = [d for d in documents if IMPORTS in (d["metadata"]["name"], d["metadata"].get("namespace"))]
    for document in imports:
        if document["kind"] == "Namespace":
            labels = {"pod-security.kubernetes.io/enforce": standard}
            document["metadata"] = {"name": name, "labels": labels}
        else:
            document["metadata"]["namespace"] = name
        for subject in document.get("subjects", []):
            subject["namespace"] = name
    return imports


def chart_values(images: Images, environment: Mapping[str, str]) -> Document:
    """Values of the chart: the images, and where AWS is. All else is as the chart has it."""
    repository, _, tag = images.controller.rpartition(":")
    return {
        "image": {"repository": repository, "tag": tag},
        "job": {"image": images.job},
        "watch": {"namespaces": [IMPORTS]},
        "controller": {"env": [{"name": n, "value": v} for n, v in sorted(aws_variables(environment).items())]},
        "policy": {"allow": {"sourceHosts": [ADDRESS]}},
        # AWS, Lindorm and the API server are all at the node's address here, at ports that nobody knows before.
        "networkPolicy": {"enabled": True, "egress": [{"to": [{"ipBlock": {"cidr": PODS}}]}]},
    }
