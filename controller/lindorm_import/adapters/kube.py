"""The API server: imports, their status, Secrets, ConfigMaps, FlinkDeployments."""

import base64
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import urllib3
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from pydantic import ValidationError
from urllib3.exceptions import HTTPError

from lindorm_import.adapters.bounded import MB, bound
from lindorm_import.adapters.errors import kube_errors
from lindorm_import.adapters.foreign import at, integer, parsed, text
from lindorm_import.adapters.login import read_login
from lindorm_import.api import GROUP, PLURAL, VERSION
from lindorm_import.api.spec import ImportSpec
from lindorm_import.api.status import DELETED, Resource
from lindorm_import.domain import names
from lindorm_import.domain.observed import DeploymentSeen, Login, OtherImport
from lindorm_import.domain.trouble import Trouble, TroubleError
from lindorm_import.manifests.build import FLINK_SPEC
from lindorm_import.permissions.needed import CONTROLLER_KUBERNETES

Document = dict[str, Any]
_FLINK = ("flink.apache.org", "v1beta1")
_TIMEOUT = (3, 15)
# Of one answer. The largest are lists: an object may have 1.5 MB (etcd's limit of a request).
_ANSWER_SECONDS, _ANSWER_BYTES, _PAGE = 30.0, 64 * MB, 20
_MOST_PAGES = 500  # of a list
_WORD, _WORDS = 100, 1000  # of what the Flink operator says: of one word, of a sentence
FIELD_MANAGER = "lindorm-import"  # as whom managedFields names the controller


def own_user(token: Path = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")) -> str | None:
    """What the API server calls the pod's service account, system:serviceaccount:NAMESPACE:NAME, as its token says (a
    JWT: RFC 7519, "sub"); None where there is no pod."""
    try:
        claims = token.read_text().split(".")[1]
        return str(json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["sub"])
    except (OSError, ValueError, LookupError, TypeError):
        return None


class Conflict(Exception):  # noqa: N818  (not an error: the pass is done again from what is there now)
    """The import changed since it was read."""


@dataclass(frozen=True)
class Kube:
    """Clients for one API server; thread-safe. namespaces: those that are watched, empty for all."""

    core: client.CoreV1Api
    objects: client.CustomObjectsApi
    namespaces: tuple[str, ...] = ()

    @classmethod
    def connect(cls, namespaces: tuple[str, ...] = ()) -> "Kube":
        """By the pod's service account, else by KUBECONFIG."""
        try:
            config.load_incluster_config()  # type: ignore[no-untyped-call]
        except config.ConfigException:
            config.load_kube_config()  # type: ignore[no-untyped-call]
        configuration = client.Configuration.get_default_copy()
        configuration.connection_pool_maxsize = 256  # as many as passes run at once (operator.py)
        # Idle connections may have been closed meanwhile; more than a second try takes a pass too long.
        configuration.retries = urllib3.Retry(total=2, read=1, redirect=0)
        api = client.ApiClient(configuration)
        bound(api.rest_client.pool_manager, _ANSWER_SECONDS, _ANSWER_BYTES)
        return cls(client.CoreV1Api(api), client.CustomObjectsApi(api), namespaces)

    def answers(self) -> bool:
        """Whether the API server is there."""
        try:
            client.VersionApi(self.core.api_client).get_code(_request_timeout=_TIMEOUT)
        except (ApiException, HTTPError):
            return False
        return True

    def read_import(self, namespace: str, name: str) -> Document | None:
        """The LindormImport as it is now; None when it is gone. Raises TroubleError."""
        with kube_errors(f"read LindormImport {namespace}/{name}"):
            try:
                return cast(
                    Document,
                    self.objects.get_namespaced_custom_object(
                        GROUP, VERSION, namespace, PLURAL, name, _request_timeout=_TIMEOUT
                    ),
                )
            except ApiException as error:
                if error.status == 404:
                    return None
                raise

    def look_at_others(self, uid: str, spec: ImportSpec) -> tuple[OtherImport, ...]:
        """The other imports that name the table or the bucket of this one, the oldest first; each list is what the API
        server has at that moment (no resourceVersion is given: API concepts, "Semantics for get and list").
        Raises TroubleError."""
        target, bucket = spec.target, spec.staging.bucket
        found: dict[str, OtherImport] = {}
        for field in (f"spec.target.table={target.table}", f"spec.staging.bucket={bucket}"):
            for resource in self._list_imports(field):
                other = _other(resource, target.region, target.table, bucket)
                if other.uid != uid and (other.uses_table or other.uses_bucket):
                    found[other.uid] = other
        return tuple(sorted(found.values(), key=lambda o: (o.created_at, o.uid)))

    def _list_imports(self, field: str) -> Iterator[Document]:
        """All imports with that field selector, where they are watched. An API server before 1.31 knows no selectable
        fields of custom resources and says 400: then all imports are read."""
        for namespace in self.namespaces or ("",):
            with kube_errors(f"list LindormImports {f'in {namespace}' if namespace else 'of all namespaces'}"):
                try:
                    yield from self._listed(namespace, field)
                except ApiException as error:
                    if error.status != 400:
                        raise
                    yield from self._listed(namespace, "")

    def _listed(self, namespace: str, selector: str) -> Iterator[Document]:
        """Page by page, of one moment: the first page's (API concepts, "Retrieving large results sets in chunks")."""
        token = ""
        for _ in range(_MOST_PAGES):
            page = self._list(namespace, selector, token)
            yield from page["items"]
            before, token = token, page["metadata"].get("continue") or ""
            if not token:
                return
            if token == before:
                break
        raise TroubleError(Trouble("KubernetesError", "a list of LindormImports does not come to an end"))

    def _list(self, namespace: str, selector: str, token: str = "") -> Document:
        options: Any = {"field_selector": selector, "limit": _PAGE, "_request_timeout": _TIMEOUT}
        if token:
            options["_continue"] = token
        if namespace:
            found = self.objects.list_namespaced_custom_object(GROUP, VERSION, namespace, PLURAL, **options)
        else:
            found = self.objects.list_cluster_custom_object(GROUP, VERSION, PLURAL, **options)
        return cast(Document, found)

    def write_status(self, resource: Document, status: Document) -> None:
        """Replaces the status, provided that nobody changed the import since it was read.

        Only the status travels, as a JSON patch: with the whole import, an import near etcd's limit would exceed the
        API server's limit of a request (3 MiB, in which the client writes a character of four bytes as twelve).
        Raises Conflict when somebody changed it (or it is gone), TroubleError otherwise.
        """
        meta = resource["metadata"]
        patch = [
            # The API server compares it with what it has, and answers 409: optimistic locking.
            {"op": "replace", "path": "/metadata/resourceVersion", "value": meta["resourceVersion"]},
            {"op": "add", "path": "/status", "value": status},
        ]
        with kube_errors(f"write the status of LindormImport {meta['namespace']}/{meta['name']}"):
            try:
                self.objects.patch_namespaced_custom_object_status(
                    GROUP,
                    VERSION,
                    meta["namespace"],
                    PLURAL,
                    meta["name"],
                    patch,
                    field_manager=FIELD_MANAGER,
                    _content_type="application/json-patch+json",
                    _request_timeout=_TIMEOUT,
                )
            except ApiException as error:
                if error.status in (404, 409):
                    raise Conflict from error
                raise

    def hand_over(self, namespace: str, name: str, uid: str, given: Resource) -> None:
        """Writes whose the table or bucket was (made_by) into the entry of another import's status. Leaves it to the
        next look where that import is another, changes meanwhile, is being deleted, or knows another one of that name.
        Raises TroubleError."""
        found = self.read_import(namespace, name)
        if found is None or found["metadata"]["uid"] != uid or "deletionTimestamp" in found["metadata"]:
            return
        status = found.get("status") or {}
        entries = status.get("resources") or []
        new = given.model_dump(mode="json", by_alias=True, exclude_none=True)
        identity = {key: new[key] for key in ("tableId", "createdAt", "arn") if key in new}
        known = next((e for e in entries if e.get("kind") == given.kind), new)
        if known.get("createdAt") not in (None, new.get("createdAt")):
            return
        entry = known | identity | {"madeBy": given.made_by}
        rest = [e for e in entries if e.get("kind") != given.kind]
        with suppress(Conflict):
            self.write_status(found, {**status, "resources": [*rest, entry]})

    def denied(self, namespace: str) -> tuple[str, ...]:
        """What the controller may not change in the namespace although it has to, in words. Raises TroubleError."""
        api = client.AuthorizationV1Api(self.core.api_client)
        missing = []
        for rule in CONTROLLER_KUBERNETES:
            resource, _, part = rule.resource.partition("/")
            for verb in rule.verbs if rule.needed and not rule.cluster else ():
                if verb in ("get", "list", "watch"):
                    continue  # that shows by itself, in every pass
                attributes = client.V1ResourceAttributes(
                    namespace=namespace, group=rule.group, resource=resource, subresource=part or None, verb=verb
                )
                spec = client.V1SelfSubjectAccessReviewSpec(resource_attributes=attributes)
                with kube_errors("ask for the controller's own permissions"):
                    review = api.create_self_subject_access_review(
                        client.V1SelfSubjectAccessReview(spec=spec), _request_timeout=_TIMEOUT
                    )
                if review.status is None or not review.status.allowed:
                    missing.append(f"the controller's RBAC does not allow it to {verb} {rule.resource} in {namespace}")
        return tuple(missing)

    def credentials(self, namespace: str, secret: str) -> Login:
        """What the Secret says of Lindorm. Raises TroubleError."""
        advice = f"create it: kubectl -n {namespace} create secret generic {secret} --from-literal=username=… "
        advice += "--from-literal=password=…"
        with kube_errors(f"read Secret {namespace}/{secret}"):
            try:
                data = self.core.read_namespaced_secret(secret, namespace, _request_timeout=_TIMEOUT).data or {}
            except ApiException as error:
                if error.status == 404:
                    message = f"Secret {secret} is not in namespace {namespace}: {advice}"
                    raise TroubleError(Trouble("SecretMissing", message)) from error
                raise
        return read_login(data, f"Secret {secret} in namespace {namespace}")

    def has_config_map(self, namespace: str, name: str, uid: str) -> bool:
        """Whether the run's ConfigMap is there and this import's. Raises TroubleError."""
        return self._config_map(namespace, name, uid) is not None

    def look_at_rates(self, namespace: str, name: str, uid: str) -> str:
        """What the ConfigMap of the rates says, "" where there is none. Raises TroubleError."""
        found = self._config_map(namespace, name, uid)
        return (found.data or {}).get(names.RATES_KEY, "{}") if found else ""

    def _config_map(self, namespace: str, name: str, uid: str) -> client.V1ConfigMap | None:
        with kube_errors(f"read ConfigMap {namespace}/{name}"):
            try:
                found = self.core.read_namespaced_config_map(name, namespace, _request_timeout=_TIMEOUT)
            except ApiException as error:
                if error.status == 404:
                    return None
                raise
        meta: Any = found.metadata
        if _owner(meta.labels, [owner.uid for owner in meta.owner_references or []]) != uid:
            raise TroubleError(
                Trouble("NameTaken", f"ConfigMap {namespace}/{name} belongs to something else: remove or rename it")
            )
        return found

    def look_at_deployment(self, namespace: str, name: str) -> DeploymentSeen:
        """The FlinkDeployment. Raises TroubleError."""
        with kube_errors(f"read FlinkDeployment {namespace}/{name}"):
            try:
                found = self.objects.get_namespaced_custom_object(
                    *_FLINK, namespace, "flinkdeployments", name, _request_timeout=_TIMEOUT
                )
            except ApiException as error:
                if error.status != 404:
                    raise
                if "page not found" in str(error.body):
                    raise TroubleError(
                        Trouble(
                            "FlinkOperatorMissing",
                            "the cluster has no FlinkDeployment resource: install EMR's Flink operator "
                            "(helm chart flink-kubernetes-operator of EMR on EKS)",
                        )
                    ) from error
                return DeploymentSeen(exists=False)
        return _deployment(cast(Document, found))

    def create(self, body: Document) -> None:
        """Creates a ConfigMap or FlinkDeployment; one of that name that is there is left to the next look."""
        kind, meta = body["kind"], body["metadata"]
        with kube_errors(f"create {kind} {meta['namespace']}/{meta['name']}"):
            try:
                if kind == "ConfigMap":
                    self.core.create_namespaced_config_map(
                        meta["namespace"],
                        cast(client.V1ConfigMap, body),  # the client sends documents as they are
                        field_manager=FIELD_MANAGER,
                        _request_timeout=_TIMEOUT,
                    )
                else:
                    self.objects.create_namespaced_custom_object(
                        *_FLINK,
                        meta["namespace"],
                        "flinkdeployments",
                        body,
                        field_manager=FIELD_MANAGER,
                        _request_timeout=_TIMEOUT,
                    )
            except ApiException as error:
                if error.status != 409 or "AlreadyExists" not in str(error.body):
                    raise

    def set_rates(self, namespace: str, name: str, text: str) -> None:
        """Changes the rates in their ConfigMap. Raises TroubleError."""
        with kube_errors(f"change ConfigMap {namespace}/{name}"):
            self.core.patch_namespaced_config_map(
                name,
                namespace,
                cast(client.V1ConfigMap, {"data": {names.RATES_KEY: text}}),
                field_manager=FIELD_MANAGER,
                _request_timeout=_TIMEOUT,
            )

    def delete_import(self, namespace: str, name: str, uid: str) -> None:
        """Deletes the import of that UID; already gone is success. Raises TroubleError."""
        with kube_errors(f"delete LindormImport {namespace}/{name}"):
            try:
                self.objects.delete_namespaced_custom_object(
                    GROUP,
                    VERSION,
                    namespace,
                    PLURAL,
                    name,
                    body=client.V1DeleteOptions(preconditions=client.V1Preconditions(uid=uid)),
                    _request_timeout=_TIMEOUT,
                )
            except ApiException as error:
                if error.status not in (404, 409):
                    raise

    def suspend_job(self, namespace: str, name: str) -> None:
        """Tells the Flink operator to stop the job at its last checkpoint. Raises TroubleError."""
        with kube_errors(f"suspend FlinkDeployment {namespace}/{name}"):
            self.objects.patch_namespaced_custom_object(
                *_FLINK,
                namespace,
                "flinkdeployments",
                name,
                {"spec": {"job": {"state": "suspended"}}},
                field_manager=FIELD_MANAGER,
                _request_timeout=_TIMEOUT,
            )

    def resume_job(self, body: Document) -> None:
        """Gives a suspended FlinkDeployment the spec of `body`; what is not ours in it stays. Raises TroubleError."""
        namespace, name = body["metadata"]["namespace"], body["metadata"]["name"]
        with kube_errors(f"resume FlinkDeployment {namespace}/{name}"):
            found = cast(
                Document,
                self.objects.get_namespaced_custom_object(
                    *_FLINK, namespace, "flinkdeployments", name, _request_timeout=_TIMEOUT
                ),
            )
            theirs = {key: value for key, value in found["spec"].items() if key not in FLINK_SPEC}
            job = {**found["spec"].get("job", {}), **body["spec"]["job"]}  # initialSavepointPath
            annotations = {**(found["metadata"].get("annotations") or {}), **body["metadata"]["annotations"]}
            patch = [
                {"op": "replace", "path": "/metadata/resourceVersion", "value": found["metadata"]["resourceVersion"]},
                {"op": "add", "path": "/metadata/annotations", "value": annotations},
                {"op": "replace", "path": "/spec", "value": {**theirs, **body["spec"], "job": job}},
            ]
            self.objects.patch_namespaced_custom_object(
                *_FLINK,
                namespace,
                "flinkdeployments",
                name,
                patch,
                field_manager=FIELD_MANAGER,
                _content_type="application/json-patch+json",
                _request_timeout=_TIMEOUT,
            )

    def delete_deployment(self, namespace: str, name: str, uid: str) -> None:
        """Deletes the FlinkDeployment that was seen, and no other of its name. Raises TroubleError."""
        with kube_errors(f"delete FlinkDeployment {namespace}/{name}"):
            try:
                self.objects.delete_namespaced_custom_object(
                    *_FLINK,
                    namespace,
                    "flinkdeployments",
                    name,
                    body=client.V1DeleteOptions(preconditions=client.V1Preconditions(uid=uid)),
                    _request_timeout=_TIMEOUT,
                )
            except ApiException as error:
                if error.status not in (404, 409):
                    raise

    def delete_config_map(self, namespace: str, name: str, uid: str) -> None:
        """Deletes the ConfigMap of the import of that UID, and no other of its name; already gone is success. Raises
        TroubleError."""
        found = self._config_map(namespace, name, uid)
        if found is None or found.metadata is None:
            return
        with kube_errors(f"delete ConfigMap {namespace}/{name}"):
            try:
                self.core.delete_namespaced_config_map(
                    name,
                    namespace,
                    body=client.V1DeleteOptions(preconditions=client.V1Preconditions(uid=found.metadata.uid)),
                    _request_timeout=_TIMEOUT,
                )
            except ApiException as error:
                if error.status not in (404, 409):
                    raise


def _other(found: Document, region: str, table: str, bucket: str) -> OtherImport:
    """Reads no more than it must, and nothing that a spec or status of another version may have otherwise."""
    meta, spec, status = found["metadata"], found.get("spec") or {}, found.get("status") or {}
    target = spec.get("target") or {}
    method = (target.get("load") or {}).get("method", "BatchWrite")
    capacity = (target.get("capacity") or {}) if method == "BatchWrite" else {}
    conditions = {c.get("type"): c.get("status") for c in status.get("conditions") or []}
    return OtherImport(
        namespace=meta["namespace"],
        name=meta["name"],
        uid=meta["uid"],
        created_at=datetime.fromisoformat(meta["creationTimestamp"]),
        uses_table=(target.get("region"), target.get("table")) == (region, table),
        uses_bucket=(spec.get("staging") or {}).get("bucket") == bucket,
        started=bool(status.get("run")),
        ended="True" in (conditions.get("Complete"), conditions.get("Failed")),
        deleting="deletionTimestamp" in meta,
        gone=status.get("summary") == DELETED,
        sets_capacity=any(capacity.get(key) for key in ("mode", "writeUnits", "after")),
        capacity_mode=capacity.get("mode"),
        resources=tuple(_resources(status)),
    )


def _resources(status: Document) -> Iterator[Resource]:
    for entry in status.get("resources") or []:
        try:
            yield Resource.model_validate(entry)
        except ValidationError:
            continue  # a newer controller's


def _owner(labels: dict[str, str] | None, owners: list[str]) -> str | None:
    """The UID of the import that an object belongs to: by its label, which a copy may carry too, and by its owner
    references, for which the API server removes it with that import."""
    uid = (labels or {}).get(names.UID_LABEL)
    return uid if uid in owners else None


def _deployment(found: Document) -> DeploymentSeen:
    """What the Flink operator wrote, and who else may write it: the API server knows no schema of most of it."""
    meta, status = found["metadata"], found.get("status")
    settings = at(meta, "annotations", names.SETTINGS)
    return DeploymentSeen(
        exists=True,
        uid=meta["uid"],
        owner_uid=_owner(meta.get("labels"), [owner.get("uid") for owner in meta.get("ownerReferences") or []]),
        deleting="deletionTimestamp" in meta,
        generation=meta.get("generation") or 0,
        observed_generation=_observed_generation(status),
        settings=text(settings, _WORD),
        wanted_state=text(at(found, "spec", "job", "state"), _WORD) or "running",
        lifecycle=text(at(status, "lifecycleState"), _WORD) or "",
        reconciliation=text(at(status, "reconciliationStatus", "state"), _WORD) or "",
        job_manager=text(at(status, "jobManagerDeploymentStatus"), _WORD) or "",
        job_state=text(at(status, "jobStatus", "state"), _WORD) or "",
        job_id=text(at(status, "jobStatus", "jobId"), _WORD),
        error=_message(at(status, "error")),
    )


def _observed_generation(status: Any) -> int:
    """The generation of the spec that the status is about; 0 where it does not say.

    Operators before 1.8 (EMR before 7.2) have no `observedGeneration`: they tell it in the text of the last reconciled
    spec, as `resource_metadata.metadata.generation` (ReconciliationMetadata of release-1.7.0).
    """
    if told := integer(at(status, "observedGeneration")):
        return told
    last = _json(at(status, "reconciliationStatus", "lastReconciledSpec"))
    return integer(at(last, "resource_metadata", "metadata", "generation")) or 0


def _message(error: Any) -> str | None:
    """status.error is a JSON string {type, message, …}, or plain text; the user gets the message."""
    return text(at(_json(error), "message"), _WORDS) or text(error, _WORDS)


def _json(value: Any) -> Any:
    """What a text says as JSON; None where it is none."""
    try:
        return parsed(value) if isinstance(value, str) and len(value) <= MB else None
    except ValueError:
        return None
