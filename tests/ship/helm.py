"""Runs Helm on the chart."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from dev.chart import CHART

Document = dict[str, Any]
REPOSITORY_VALUE = "registry.example/lindorm-import/controller"


class HelmError(Exception):
    """Helm refused; the message is what it said."""


@dataclass
class Helm:
    """One Helm, with a home of its own: nothing of the user's is read or written."""

    program: Path
    home: Path
    kubeconfig: Path | None = None
    environment: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        folders = {f"HELM_{kind}_HOME": str(self.home / kind.lower()) for kind in ("CONFIG", "CACHE", "DATA")}
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(self.home), **folders}
        self.environment["KUBECONFIG"] = str(self.kubeconfig or self.home / "none")

    def run(self, *arguments: str, values: Document | None = None) -> str:
        """What Helm prints. values: as a file with -f. Raises HelmError."""
        command = [str(self.program), *arguments]
        if values is not None:
            command += ["-f", "-"]
        result = subprocess.run(
            command, env=self.environment, input=json.dumps(values or {}), capture_output=True, text=True, check=False
        )
        if result.returncode != 0:
            raise HelmError(result.stdout + result.stderr)
        return result.stdout

    def template(self, values: Document | None = None, *arguments: str, namespace: str = "system") -> list[Document]:
        """What `helm install imports` would apply, hooks left out. image.repository is given unless the values do."""
        given = {"image": {"repository": REPOSITORY_VALUE}, **(values or {})}
        rendered = self.run("template", "imports", str(CHART), "-n", namespace, *arguments, values=given)
        documents = [document for document in yaml.safe_load_all(rendered) if document]
        return [d for d in documents if "helm.sh/hook" not in d["metadata"].get("annotations", {})]


def of_kind(documents: list[Document], kind: str) -> list[Document]:
    return [document for document in documents if document["kind"] == kind]


def only(documents: list[Document], kind: str) -> Document:
    """The one document of a kind."""
    (found,) = of_kind(documents, kind)
    return found


def container(documents: list[Document]) -> Document:
    """The controller's container."""
    (found,) = only(documents, "Deployment")["spec"]["template"]["spec"]["containers"]
    return dict(found)


def granted(rules: list[Document]) -> set[tuple[str, str, str]]:
    """RBAC rules as (group, resource, verb)."""
    return {
        (group, resource, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
