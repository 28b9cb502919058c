"""What a node is built from besides the stack's parts, each once per machine (see local/bootstrap.py)."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from local.bootstrap import (
    GO_ENVIRONMENT,
    KUBERNETES_VERSION,
    REPOSITORY,
    BootstrapError,
    Part,
    bootstrap,
    build,
    build_kubernetes,
    cache_root,
    content_hash,
    copy_dependencies,
    run_logged,
)
from local.machine import missing_on_machine

_HERE = REPOSITORY / "local" / "node"
_OPERATOR_POM = _HERE / "operator" / "pom.xml"
_SUITE = "bookworm"
KUBERNETES = ("kubelet", "kube-scheduler", "kube-proxy", "kubectl")


@dataclass(frozen=True)
class NodeLayout:
    """Where each of the node's parts is, or will be once it has been built."""

    root: Path
    """The folder of all that only nodes need."""
    kubernetes: Path
    """kubelet, kube-scheduler, kube-proxy, kubectl."""
    programs: Path
    """coredns and pause."""
    operator: Path
    """The jars of Apache's Flink operator."""
    root_filesystem: Path
    """`rootfs.tar`: the smallest Debian."""


def node_layout() -> NodeLayout:
    """The folders that belong to this checkout."""
    root = cache_root() / "node"
    return NodeLayout(
        root,
        root / "kubernetes" / KUBERNETES_VERSION,
        root / "programs" / content_hash([_HERE / "go"]),
        root / "operator" / content_hash([_OPERATOR_POM]),
        root / "debian" / _SUITE,
    )


def _build_kubernetes(folder: Path, log: Path) -> None:
    build_kubernetes(KUBERNETES, folder, log)


def _build_programs(folder: Path, log: Path) -> None:
    command = ["go", "build", "-trimpath", "-ldflags", "-s -w", "-o", f"{folder}/", "./..."]
    run_logged(command, log, _HERE / "go", GO_ENVIRONMENT)


def _build_operator(folder: Path, log: Path) -> None:
    copy_dependencies(_OPERATOR_POM, folder, log)


def _build_root_filesystem(folder: Path, log: Path) -> None:
    command = ["mmdebstrap", "--variant=minbase", "--include=ca-certificates", _SUITE, str(folder / "rootfs.tar")]
    run_logged(command, log, REPOSITORY)


def node_parts(where: NodeLayout) -> list[Part]:
    """What to build, the slowest first."""
    return [
        Part("node-kubernetes", where.kubernetes, _build_kubernetes, "2 minutes", ("go",)),
        Part("node-programs", where.programs, _build_programs, "2 minutes", ("go",)),
        Part("node-operator", where.operator, _build_operator, "40 seconds", ("java", "mvn")),
        Part("node-debian", where.root_filesystem, _build_root_filesystem, "30 seconds"),
    ]


def bootstrap_node(say: Callable[[str], None] = print) -> NodeLayout:
    """Builds what the cache lacks for the stack, Helm, and the node. Raises BootstrapError."""
    bootstrap((), say)
    bootstrap(["tools"], say)
    where = node_layout()
    lacking = [part for part in node_parts(where) if not part.ready]
    if found := missing_on_machine({tool for part in lacking for tool in part.needs}):
        raise BootstrapError("\n".join(found))
    for part in lacking:
        build(part, say)
    return where


def clean(where: NodeLayout) -> None:
    """Removes all that only nodes need from the cache."""
    shutil.rmtree(where.root, ignore_errors=True)
