"""The cluster as the command line sees it: by the user's kubeconfig, with the user's rights."""

import base64
import getpass
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException

from lindorm_import.adapters.errors import kube_errors, policy_words
from lindorm_import.adapters.kube import Kube
from lindorm_import.api import GROUP, PLURAL, VERSION
from lindorm_import.cli.errors import BadInputError
from lindorm_import.domain.observed import Login
from lindorm_import.domain.trouble import TroubleError

Document = dict[str, Any]
_TIMEOUT = (3, 15)
MANAGER = "lindorm-import-cli"
# The client takes a kubeconfig as it comes: one of another shape ends in Python's own errors.
_BAD_KUBECONFIG = (config.ConfigException, yaml.YAMLError, TypeError, AttributeError, KeyError)


@dataclass(frozen=True)
class Cluster:
    """One cluster and the namespace that is meant."""

    kube: Kube
    namespace: str

    @classmethod
    def connect(cls, namespace: str | None) -> "Cluster":
        """namespace: default, the one of the kubeconfig's context. Raises BadInputError."""
        try:
            kube = Kube.connect()
            return cls(kube, namespace or _current_namespace() or "default")
        except _BAD_KUBECONFIG as error:
            raise BadInputError(
                f"no cluster to talk to ({error}): set KUBECONFIG, or run kubectl config use-context"
            ) from error

    def read(self, name: str) -> Document:
        """The import. Raises BadInputError where there is none, TroubleError."""
        found = self.find(name)
        if found is None:
            raise BadInputError(
                f"NAME: there is no LindormImport {name} in namespace {self.namespace}: see kubectl get limport -A"
            )
        return found

    def find(self, name: str) -> Document | None:
        return self.kube.read_import(self.namespace, name)

    def flink(self, name: str) -> Document | None:
        """The FlinkDeployment as it is; None where there is none. Raises TroubleError."""
        with kube_errors(f"read FlinkDeployment {self.namespace}/{name}"):
            try:
                found = self.kube.objects.get_namespaced_custom_object(
                    "flink.apache.org", "v1beta1", self.namespace, "flinkdeployments", name, _request_timeout=_TIMEOUT
                )
            except ApiException as error:
                if error.status == 404:
                    return None
                raise
        return cast(Document, found)

    def apply(self, document: Document) -> None:
        """Server-side apply, as kubectl does it. Raises BadInputError where admission refuses, TroubleError."""
        name = document["metadata"]["name"]
        with kube_errors(f"apply LindormImport {self.namespace}/{name}"):
            try:
                self.kube.objects.patch_namespaced_custom_object(
                    GROUP,
                    VERSION,
                    self.namespace,
                    PLURAL,
                    name,
                    document,
                    field_manager=MANAGER,
                    field_validation="Strict",
                    _content_type="application/apply-patch+yaml",
                    _request_timeout=_TIMEOUT,
                )
            except ApiException as error:
                if error.status in (400, 409, 422) or policy_words(error):
                    raise BadInputError(_refused(error)) from error
                if error.status == 404:
                    raise BadInputError(
                        "the cluster has no LindormImport resource: kubectl apply --server-side -f crds/"
                    ) from error
                raise

    def patch(self, name: str, change: Document) -> None:
        """Merges a change into the import. Raises BadInputError where there is none, TroubleError."""
        with kube_errors(f"change LindormImport {self.namespace}/{name}"):
            try:
                self.kube.objects.patch_namespaced_custom_object(
                    GROUP, VERSION, self.namespace, PLURAL, name, change, _request_timeout=_TIMEOUT
                )
            except ApiException as error:
                if policy_words(error):
                    raise BadInputError(_refused(error)) from error
                if error.status == 404:
                    raise BadInputError(
                        f"NAME: there is no LindormImport {name} in namespace {self.namespace}"
                    ) from error
                raise

    def delete(self, name: str) -> None:
        """Raises TroubleError; gone already is success."""
        with kube_errors(f"delete LindormImport {self.namespace}/{name}"):
            try:
                self.kube.objects.delete_namespaced_custom_object(
                    GROUP, VERSION, self.namespace, PLURAL, name, _request_timeout=_TIMEOUT
                )
            except ApiException as error:
                if error.status != 404:
                    raise

    def ensure_secret(self, name: str) -> bool:
        """Makes the Secret from what ask_credentials finds, where there is none.
        True when it was made. Raises BadInputError, TroubleError."""
        try:
            self.kube.credentials(self.namespace, name)
            return False
        except TroubleError as error:
            if error.trouble.reason != "SecretMissing":
                raise
        login = ask_credentials()
        texts = {"username": login.username, "password": login.password}
        texts |= {"ca.crt": login.ca} if login.ca else {}
        data = {key: base64.b64encode(text.encode()).decode() for key, text in texts.items()}
        body = client.V1Secret(metadata=client.V1ObjectMeta(name=name), data=data)
        with kube_errors(f"create Secret {self.namespace}/{name}"):
            self.kube.core.create_namespaced_secret(self.namespace, body, _request_timeout=_TIMEOUT)
        return True


def ask_credentials() -> Login:
    """Lindorm's user and password, by LINDORM_USERNAME and LINDORM_PASSWORD or by a prompt; never by a flag, which
    every user of the machine could see. The CA certificate is in the file LINDORM_CA_FILE, where that is set.
    Raises BadInputError."""
    username, password = os.environ.get("LINDORM_USERNAME"), os.environ.get("LINDORM_PASSWORD")
    if (not username or not password) and not sys.stdin.isatty():
        missing = "LINDORM_USERNAME" if not username else "LINDORM_PASSWORD"
        raise BadInputError(f"{missing} is not set and there is no terminal to ask on: export it")
    ca_file = os.environ.get("LINDORM_CA_FILE")
    try:
        ca = Path(ca_file).read_text() if ca_file else None
    except (OSError, ValueError) as error:
        raise BadInputError(f"LINDORM_CA_FILE is {ca_file}, which cannot be read: {error}") from error
    return Login(username or input("Lindorm user: "), password or getpass.getpass("Lindorm password: "), ca)


def _refused(error: ApiException) -> str:
    """What admission says, in its own words but without its envelope."""
    if words := policy_words(error):
        return f"the cluster refuses the import: {words}"
    try:
        details = json.loads(error.body or "{}")
        causes = (details.get("details") or {}).get("causes") or []
        told = (
            "; ".join(f"{c.get('field')}: {c.get('message')}" for c in causes) or details.get("message") or error.reason
        )
    except ValueError:
        told = str(error.body or error.reason)
    return f"the cluster refuses the import: {told}"


def _current_namespace() -> str | None:
    """The namespace of the kubeconfig's context, or that of the pod this runs in."""
    try:
        _, active = config.list_kube_config_contexts()  # type: ignore[no-untyped-call]
    except config.ConfigException:
        mounted = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"
        if not os.path.exists(mounted):
            return None
        with open(mounted) as file:
            return file.read().strip()
    namespace: str | None = active["context"].get("namespace")
    return namespace
