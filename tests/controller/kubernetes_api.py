"""An API server in memory, behind the real Kubernetes client: it takes the place of the client's connections.

So the controller's own adapter and the client's own code run in the tests, and what is refused is refused as the API
server does it: a write over a newer version (409), a name that is taken (409), a new object in a namespace that goes
(403), a change of an immutable ConfigMap (422). The status is a subresource, a merge patch keeps what it does not name,
a finalizer keeps an object, generation moves with the spec only, and a write that changes nothing makes no version.
"""

import itertools
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import urllib3
from kubernetes import client

from lindorm_import.adapters.kube import Kube
from lindorm_import.api import PLURAL
from lindorm_import.api.status import NOT_SEEN

Document = dict[str, Any]
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete", "GET": "get"}
_REASONS = {403: "Forbidden", 404: "NotFound", 409: "Conflict", 422: "Invalid", 500: "InternalError"}
_WITH_STATUS = (PLURAL, "flinkdeployments")
_REVIEWS = "selfsubjectaccessreviews"
DELETED_AT = "2026-11-24T05:00:00Z"


@dataclass(frozen=True)
class Call:
    """One request of the controller, in RBAC's words: resource is 'lindormimports/status' for the subresource."""

    verb: str
    group: str
    resource: str
    namespace: str
    name: str

    @property
    def mutates(self) -> bool:
        return self.verb not in ("get", "list", "watch") and self.resource != _REVIEWS

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}"


class Refusal(Exception):  # noqa: N818  (an answer of the API server)
    """The API server's answer to what it does not do."""

    def __init__(self, status: int, message: str, reason: str | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.reason = status, message, reason or _REASONS[status]

    def body(self) -> Document:
        return {"kind": "Status", "status": "Failure", "reason": self.reason, "message": self.message}


def connection_lost() -> Exception:
    """What the client raises where no answer comes."""
    return urllib3.exceptions.ProtocolError("Connection aborted.", "no answer")


@dataclass
class KubernetesApi:
    """The objects, by resource, namespace and name. before and after see each of the controller's requests; before
    may raise Refusal (the answer), or anything that a connection raises. forbidden: what reviews of the controller's
    own access deny ("patch flinkdeployments"); terminating: namespaces that are being deleted; selectable: the fields
    that imports can be listed by (none: an API server before 1.31)."""

    before: Callable[[Call], None] = lambda call: None
    after: Callable[[Call], None] = lambda call: None
    objects: dict[tuple[str, str, str], Document] = field(default_factory=dict)
    forbidden: set[str] = field(default_factory=set)
    terminating: set[str] = field(default_factory=set)
    selectable: frozenset[str] = frozenset({"spec.target.table", "spec.staging.bucket"})
    lock: threading.RLock = field(default_factory=threading.RLock)
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def kube(self) -> Kube:
        """The controller's adapter, connected to this API server."""
        configuration = client.Configuration()
        configuration.host = "http://api"
        api = client.ApiClient(configuration)
        api.rest_client.pool_manager = _Connections(self)  # type: ignore[assignment]
        return Kube(client.CoreV1Api(api), client.CustomObjectsApi(api))

    # -- everybody but the controller --------------------------------------------------------------------------

    def get(self, resource: str, name: str, namespace: str = "default") -> Document | None:
        """The object itself, not a copy."""
        return self.objects.get((resource, namespace, name))

    def names(self, resource: str) -> list[str]:
        return sorted(name for kind, _, name in self.objects if kind == resource)

    def all(self, resource: str) -> list[Document]:
        return [found for (kind, _, _), found in list(self.objects.items()) if kind == resource]

    def add(self, resource: str, document: Document) -> Document:
        """Creates an object as kubectl does; its uid may be given."""
        meta = document["metadata"]
        namespace = meta.setdefault("namespace", "default")
        if namespace in self.terminating:
            raise Refusal(403, f"namespace {namespace} is being terminated")
        if (resource, namespace, meta["name"]) in self.objects:
            raise Refusal(409, f'{resource} "{meta["name"]}" already exists', "AlreadyExists")
        number = next(self._numbers)
        meta.setdefault("uid", f"00000000-0000-4000-8000-{number:012d}")
        meta |= {"generation": 1, "resourceVersion": str(number), "creationTimestamp": DELETED_AT}
        if resource in _WITH_STATUS:
            document.pop("status", None)
        if resource == PLURAL:
            document["status"] = {"observedGeneration": NOT_SEEN}  # the CRD's default
        self.objects[resource, namespace, meta["name"]] = document
        return document

    def change(self, found: Document, new: Document) -> None:
        """Puts new content into an object: the rules of versions, generations and finalizers."""
        if found.get("immutable") and new.get("data") != found.get("data"):
            raise Refusal(422, "data: Forbidden: field is immutable when `immutable` is set")
        new = _copy(new)
        if new.get("spec") != found.get("spec"):
            new["metadata"]["generation"] = found["metadata"]["generation"] + 1
        if new == found:
            return
        found.clear()
        found.update(new)
        found["metadata"]["resourceVersion"] = str(next(self._numbers))
        self._drop_when_free(found)

    def remove(self, resource: str, name: str, namespace: str = "default") -> None:
        """Deletes as kubectl does: at once, or when the last finalizer goes."""
        found = self.objects[resource, namespace, name]
        if found["metadata"].get("finalizers"):
            if "deletionTimestamp" not in found["metadata"]:
                found["metadata"]["deletionTimestamp"] = DELETED_AT
                found["metadata"]["generation"] += 1
                found["metadata"]["resourceVersion"] = str(next(self._numbers))
        else:
            del self.objects[resource, namespace, name]

    def set_finalizers(self, found: Document, finalizers: list[str]) -> None:
        self.change(found, {**found, "metadata": {**found["metadata"], "finalizers": finalizers}})

    def collect_garbage(self) -> None:
        """What an owner that is gone has left, and everything in a namespace that is being deleted."""
        uids = {found["metadata"]["uid"] for found in self.objects.values()}
        for (resource, namespace, name), found in list(self.objects.items()):
            owners = {owner["uid"] for owner in found["metadata"].get("ownerReferences", [])}
            if namespace in self.terminating or (owners and not owners & uids):
                self.remove(resource, name, namespace)

    def _drop_when_free(self, found: Document) -> None:
        meta = found["metadata"]
        if "deletionTimestamp" in meta and not meta.get("finalizers"):
            for key, value in list(self.objects.items()):
                if value is found:
                    del self.objects[key]

    # -- the controller's requests ------------------------------------------------------------------------------

    def answer(self, method: str, url: str, headers: dict[str, str], body: Any) -> tuple[int, bytes]:
        """One request: the tripwire, the rules, the tripwire."""
        call = _call(method, url)
        try:
            self.before(call)
            with self.lock:
                status, document = self._serve(call, headers, body, _selector(url), _label(url))
                data = json.dumps(document).encode()
        except Refusal as refusal:
            return refusal.status, json.dumps(refusal.body()).encode()
        self.after(call)
        return status, data

    def _serve(
        self,
        call: Call,
        headers: dict[str, str],
        body: Any,
        selector: tuple[str, str] | None,
        label: tuple[str, str] | None,
    ) -> tuple[int, Document]:
        resource, _, subresource = call.resource.partition("/")
        if resource == _REVIEWS:
            asked = body["spec"]["resourceAttributes"]
            subject = "/".join(part for part in (asked["resource"], asked.get("subresource")) if part)
            return 201, {**body, "status": {"allowed": f"{asked['verb']} {subject}" not in self.forbidden}}
        if call.verb == "create":
            body["metadata"]["namespace"] = call.namespace
            return 201, self.add(resource, body)
        if call.verb == "list":
            if selector and resource == PLURAL and selector[0] not in self.selectable:
                raise Refusal(400, f"field label not supported: {selector[0]}", "BadRequest")
            items = [
                found
                for (kind, space, _), found in self.objects.items()
                if kind == resource
                and call.namespace in ("", space)
                and (selector is None or _field(found, selector[0]) == selector[1])
                and (label is None or found["metadata"].get("labels", {}).get(label[0]) == label[1])
            ]
            return 200, {"items": items, "metadata": {}}
        found = self.objects.get((resource, call.namespace, call.name))
        if found is None:
            raise Refusal(404, f'{resource} "{call.name}" not found')
        if call.verb == "delete":
            wanted = ((body or {}).get("preconditions") or {}).get("uid", found["metadata"]["uid"])
            if wanted != found["metadata"]["uid"]:
                raise Refusal(409, f"Precondition failed: UID in precondition: {wanted}")
            self.remove(resource, call.name, call.namespace)
        elif call.verb in ("update", "patch"):
            self._write(call, found, body, subresource, headers)
        return 200, found

    def _write(self, call: Call, found: Document, body: Document, subresource: str, headers: dict[str, str]) -> None:
        if call.verb == "patch" and "json-patch" in headers.get("Content-Type", ""):
            body = _patched(found, body)
        elif call.verb == "patch":
            assert "merge-patch" in headers.get("Content-Type", ""), headers
            body = _merged(found, body)
        elif "resourceVersion" not in body["metadata"]:
            raise Refusal(422, "metadata.resourceVersion: Invalid value: must be specified for an update")
        if body["metadata"].get("resourceVersion") != found["metadata"]["resourceVersion"]:
            raise Refusal(409, "the object has been modified; please apply your changes to the latest version")
        if body["metadata"].get("uid", found["metadata"]["uid"]) != found["metadata"]["uid"]:
            raise Refusal(409, f"Precondition failed: UID in precondition: {body['metadata']['uid']}")
        if subresource:
            new = {**found, "status": body.get("status") or {}}
        else:
            new = body
            if "status" in found and call.resource in _WITH_STATUS:
                new["status"] = found["status"]
        self.change(found, new)


@dataclass
class _Connections:
    """Takes the place of urllib3's pool in the client."""

    api: KubernetesApi

    def request(self, method: str, url: str, headers: dict[str, str] | None = None, **options: Any) -> Any:
        text = options.get("body")
        body = json.loads(text) if text else None
        status, data = self.api.answer(method, url, headers or {}, body)
        kind = {"Content-Type": "application/json"}
        return urllib3.HTTPResponse(body=data, status=status, headers=kind, preload_content=True)


def _call(method: str, url: str) -> Call:
    """/api/v1/namespaces/NS/configmaps/NAME, /apis/GROUP/VERSION/namespaces/NS/RESOURCE/NAME/status."""
    address = urlsplit(url)
    parts = [unquote(part) for part in address.path.strip("/").split("/")]
    group, rest = ("", parts[2:]) if parts[0] == "api" else (parts[1], parts[3:])
    if rest[0] == "namespaces":
        namespace, resource, name, subresource = rest[1], rest[2], *[*rest[3:], "", ""][:2]
    else:
        namespace, resource, name, subresource = "", rest[0], "", ""
    verb = _VERBS[method]
    if verb == "get" and not name:
        verb = "watch" if "watch" in parse_qs(address.query) else "list"
    return Call(verb, group, f"{resource}/{subresource}" if subresource else resource, namespace, name)


def _selector(url: str) -> tuple[str, str] | None:
    """The one field selector of a list; None for none."""
    for text in parse_qs(urlsplit(url).query).get("fieldSelector", []):
        name, _, value = text.partition("=")
        return name, value
    return None


def _label(url: str) -> tuple[str, str] | None:
    """The one label selector of a list; None for none."""
    for text in parse_qs(urlsplit(url).query).get("labelSelector", []):
        name, _, value = text.partition("=")
        return name, value
    return None


def _field(found: Document, path: str) -> str:
    """A string of an object by its path, "" where it is absent."""
    node: Any = found
    for part in path.split("."):
        node = node.get(part, {})
    return node if isinstance(node, str) else ""


def _patched(old: Document, operations: list[Document]) -> Document:
    """RFC 6902, as far as it is used: members of objects are added or replaced."""
    out = _copy(old)
    for operation in operations:
        *parents, last = operation["path"].strip("/").split("/")  # no ~ in those used
        node = out
        for parent in parents:
            node = node[parent]
        assert operation["op"] == "add" or (operation["op"] == "replace" and last in node), operation
        node[last] = operation["value"]
    return out


def _merged(old: Any, patch: Any) -> Any:
    """RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    out = dict(old) if isinstance(old, dict) else {}
    for key, value in patch.items():
        if value is None:
            out.pop(key, None)
        else:
            out[key] = _merged(out.get(key), value)
    return out


def _copy(document: Document) -> Document:
    """Much faster than deepcopy, and refuses what is no JSON."""
    copied: Document = json.loads(json.dumps(document))
    return copied
