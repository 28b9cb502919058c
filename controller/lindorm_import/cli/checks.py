"""What a check of `doctor` is, and the ones that look at the cluster. Each is explained on its own."""

from dataclasses import dataclass
from typing import Any, Literal

from kubernetes import client
from kubernetes.client.exceptions import ApiException

from lindorm_import.adapters.errors import kube_errors
from lindorm_import.api import GROUP, PLURAL
from lindorm_import.api.crd import crd
from lindorm_import.api.text import printable
from lindorm_import.cli.cluster import Cluster
from lindorm_import.domain.observed import Login
from lindorm_import.domain.trouble import TroubleError

Level = Literal["ok", "warn", "fail", "skip"]
_TIMEOUT = (3, 15)
_EMR_FIELDS = ("emrReleaseLabel", "executionRoleArn")
_OPERATOR_CHART = "helm install flink-kubernetes-operator oci://public.ecr.aws/emr-on-eks/flink-kubernetes-operator"


@dataclass(frozen=True)
class Check:
    """One check. found: what was seen; advice: why it matters and what to do, where it is not ok."""

    name: str
    level: Level
    found: str
    advice: str = ""

    def __post_init__(self) -> None:
        for name in ("found", "advice"):
            object.__setattr__(self, name, printable(getattr(self, name)))


def ok(name: str, found: str) -> Check:
    return Check(name, "ok", found)


def trouble(name: str, error: TroubleError, level: Level = "fail") -> Check:
    return Check(name, level, error.trouble.message)


def kubernetes(cluster: Cluster) -> list[Check]:
    """Everything that the API server tells."""
    api = cluster.kube.core.api_client
    try:
        with kube_errors("read the version of the cluster"):
            version = client.VersionApi(api).get_code(_request_timeout=_TIMEOUT)
    except TroubleError as error:
        return [trouble("cluster", error)]
    out = [ok("cluster", f"Kubernetes {version.git_version}, namespace {cluster.namespace}")]
    for look in (_own_resource, _flink_resource, _flink_operator, _cert_manager, _controller, _rights):
        name = look.__name__.strip("_").replace("_", " ")
        try:
            out.append(look(name, cluster))
        except TroubleError as error:
            out.append(trouble(name, error, "warn"))
    return out


def _definition(cluster: Cluster, name: str) -> Any:
    """The CustomResourceDefinition; None where there is none. Raises TroubleError."""
    extensions = client.ApiextensionsV1Api(cluster.kube.core.api_client)
    with kube_errors(f"read CustomResourceDefinition {name}"):
        try:
            return extensions.read_custom_resource_definition(name, _request_timeout=_TIMEOUT)
        except ApiException as error:
            if error.status == 404:
                return None
            raise


def _deployments(cluster: Cluster, selector: str) -> list[Any]:
    apps = client.AppsV1Api(cluster.kube.core.api_client)
    with kube_errors(f"list Deployments with {selector}"):
        items: list[Any] = apps.list_deployment_for_all_namespaces(
            label_selector=selector, _request_timeout=_TIMEOUT
        ).items
    return items


def _own_resource(name: str, cluster: Cluster) -> Check:
    found = _definition(cluster, f"{PLURAL}.{GROUP}")
    if found is None:
        return Check(
            name,
            "fail",
            f"the cluster does not know LindormImport ({PLURAL}.{GROUP})",
            "install the definition: kubectl apply --server-side -f crds/ (a Helm upgrade does not do it)",
        )
    ours = _fields(crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"])
    theirs = _fields(found.spec.versions[0].schema.to_dict()["open_apiv3_schema"]["properties"]["spec"])
    if missing := sorted(ours - theirs):
        return Check(
            name,
            "warn",
            f"the cluster's definition lacks {', '.join(missing[:5])}: it is older than this program",
            "those fields are silently dropped: kubectl apply --server-side -f crds/",
        )
    return ok(name, f"{PLURAL}.{GROUP} has every field that this program knows")


def _fields(schema: dict[str, Any], path: str = "spec") -> set[str]:
    out = set()
    for name, child in (schema.get("properties") or {}).items():
        out |= {f"{path}.{name}"} | _fields(child, f"{path}.{name}")
    return out


def _flink_resource(name: str, cluster: Cluster) -> Check:
    found = _definition(cluster, "flinkdeployments.flink.apache.org")
    if found is None:
        return Check(
            name, "fail", "the cluster does not know FlinkDeployment", f"install the operator: {_OPERATOR_CHART}"
        )
    schema = found.spec.versions[0].schema.to_dict()["open_apiv3_schema"]["properties"]["spec"]
    missing = [field for field in _EMR_FIELDS if field not in (schema.get("properties") or {})]
    if missing:
        return Check(
            name,
            "fail",
            f"FlinkDeployment has no {' and no '.join(missing)}: it is the upstream operator's",
            "EMR's fields would be silently dropped, and the job would run without its role; they come with "
            f"EMR's own chart: {_OPERATOR_CHART}",
        )
    return ok(name, "FlinkDeployment has EMR's fields")


def _running(name: str, found: list[Any], what: str, advice: str) -> Check:
    if not found:
        return Check(name, "warn", f"no Deployment of {what} was found by its usual label", advice)
    for item in found:
        where = f"{item.metadata.namespace}/{item.metadata.name}"
        if not item.status.available_replicas:
            return Check(
                name, "fail", f"{where} has no available pod", f"kubectl -n {item.metadata.namespace} get pods"
            )
    return ok(name, ", ".join(f"{i.metadata.namespace}/{i.metadata.name}" for i in found) + " is available")


def _flink_operator(name: str, cluster: Cluster) -> Check:
    found = _deployments(cluster, "app.kubernetes.io/name=flink-kubernetes-operator")
    return _running(name, found, "EMR's Flink operator", f"nothing starts jobs without it: {_OPERATOR_CHART}")


def _cert_manager(name: str, cluster: Cluster) -> Check:
    advice = "EMR's Flink operator needs it for its webhook: see https://cert-manager.io/docs/installation/"
    if _definition(cluster, "certificates.cert-manager.io") is None:
        return Check(name, "warn", "cert-manager is not installed", advice)
    return _running(name, _deployments(cluster, "app.kubernetes.io/name=cert-manager"), "cert-manager", advice)


def _controller(name: str, cluster: Cluster) -> Check:
    found = _deployments(cluster, "app.kubernetes.io/name=lindorm-import")
    return _running(name, found, "the controller", "imports stay Pending without it: helm install, see docs")


def _rights(name: str, cluster: Cluster) -> Check:
    """The user's own: who may not create imports learns it here and not from a stack of errors."""
    api = client.AuthorizationV1Api(cluster.kube.core.api_client)
    missing = []
    for verb in ("create", "get", "patch", "delete"):
        attributes = client.V1ResourceAttributes(namespace=cluster.namespace, group=GROUP, resource=PLURAL, verb=verb)
        review = client.V1SelfSubjectAccessReview(
            spec=client.V1SelfSubjectAccessReviewSpec(resource_attributes=attributes)
        )
        with kube_errors("ask for your own permissions"):
            answer = api.create_self_subject_access_review(review, _request_timeout=_TIMEOUT)
        if answer.status is None or not answer.status.allowed:
            missing.append(verb)
    if missing:
        return Check(
            name,
            "fail",
            f"you may not {', '.join(missing)} {PLURAL} in {cluster.namespace}",
            "ask for the ClusterRole edit in that namespace (the chart adds imports to it)",
        )
    return ok(name, f"you may create, change and delete imports in {cluster.namespace}")


def secret(cluster: Cluster, name: str) -> tuple[Check, Login | None]:
    """The Secret, and what it holds."""
    try:
        found = cluster.kube.credentials(cluster.namespace, name)
    except TroubleError as error:
        return trouble("secret", error), None
    return ok("secret", f"{name} has username and password"), found
