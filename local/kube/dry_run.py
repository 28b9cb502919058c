"""Asks the API server what it would say to a document, as `kubectl apply --dry-run=server --validate=strict` does.

It runs the whole admission (schema, CEL, defaults, pod security) and stores nothing. A field that the kind does not
have, or that is there twice, is an error.
"""

from __future__ import annotations

import json
from typing import Any

from kubernetes import client
from kubernetes.client.exceptions import ApiException

Document = dict[str, Any]


class UnknownKindError(Exception):
    """The API server does not serve the kind; the message names it."""


def dry_run(api: client.ApiClient, document: Document, namespace: str = "default") -> Document:
    """What would be stored, with defaults filled in. namespace: where the document, if it has one, names none.

    Raises ApiException where the API server refuses it, UnknownKindError where it does not know the kind.
    """
    version = document["apiVersion"]
    base = f"/apis/{version}" if "/" in version else f"/api/{version}"
    try:
        served = _call(api, "GET", base)["resources"]
    except ApiException as error:
        if error.status != 404:
            raise
        served = []
    resource = next((r for r in served if r["kind"] == document["kind"] and "/" not in r["name"]), None)
    if resource is None:
        raise UnknownKindError(f"{version} {document['kind']}")
    if resource["namespaced"]:
        base += f"/namespaces/{document['metadata'].get('namespace', namespace)}"
    return _call(api, "POST", f"{base}/{resource['name']}?dryRun=All&fieldValidation=Strict", document)


def _call(api: client.ApiClient, method: str, path: str, body: Document | None = None) -> Document:
    headers = {"Accept": "application/json", "Content-Type": "application/json"}
    request = api.param_serialize(method, path, header_params=headers, body=body, auth_settings=["BearerToken"])
    response = api.call_api(*request)
    content: bytes = response.read()  # type: ignore[no-untyped-call]
    if not 200 <= response.status < 300:
        raise ApiException(status=response.status, reason=response.reason, body=content.decode())
    found: Document = json.loads(content)
    return found
