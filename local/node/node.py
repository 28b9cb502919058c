"""A node on this machine, seen from outside: start, stop, and what a test does to it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml
from kubernetes import client

from local.bootstrap import REPOSITORY, Layout, layout
from local.kube.access import api_client
from local.lindorm.data import Shape, load
from local.lindorm.store import Store as LindormStore
from local.node import cluster
from local.node.images import Builder, Images, Store
from local.node.kube import CGROUP, CONTAINERD_SOCKET, NODE
from local.node.machine import check
from local.node.parts import NodeLayout, bootstrap_node, node_layout
from local.processes import Process, start, wait_until

Document = dict[str, Any]
_PATIENCE = 180.0  # seconds for a node to be ready, its images loaded for the first time


class NodeError(Exception):
    """The node did not start, or did not do what it was told; the message says what and why."""


def prepare(say: Callable[[str], None] = print) -> Images:
    """Checks the machine and builds all that the cache lacks. Raises MachineError, BootstrapError."""
    check(REPOSITORY, node_layout().root)
    where = bootstrap_node(say)
    return Builder(Store(where.root / "images"), layout(), where, say).build()


class Node:
    """One node in one folder. It ends with `stop`, or with its process."""

    def __init__(self, folder: Path = REPOSITORY / ".stack" / "node") -> None:
        self.root = folder.resolve()
        self._layout: Layout = layout()
        self._parts: NodeLayout = node_layout()

    # --- life ---

    def __enter__(self) -> Node:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, say: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True)) -> None:
        """Starts the node and the Flink operator on it; waits until both are ready. Builds what is missing.

        Raises MachineError, BootstrapError, NodeError; then nothing is left running.
        """
        check(self.root)
        images = prepare(say)
        self.stop()
        shutil.rmtree(self.root, ignore_errors=True)
        self.root.mkdir(parents=True)
        (self.root / "images.json").write_text(json.dumps(asdict(images)))
        try:
            self._start()
            self._install_operator()
        except BaseException:
            self.stop()
            raise

    def _start(self) -> None:
        command = [sys.executable, "-m", "local.node.outside", str(self.root)]
        process = start(command, self.log, cwd=REPOSITORY)
        (self.root / "node.json").write_text(json.dumps(process.as_json()))
        wait_until(lambda: (self.root / "up").exists() or not process.alive, _PATIENCE)
        if not (self.root / "up").exists():
            raise NodeError(f"The node did not start; the end of {self.log}:\n{process.tail(25)}")

    def stop(self) -> None:
        """Ends the node and all that runs on it. What it leaves on the machine then are files in its folder only.

        Raises NodeError where a process does not end.
        """
        first = self._recorded("first.json")
        if (process := self._recorded("node.json")) is not None:
            process.signal(signal.SIGKILL)
        # The kernel ends a namespace's first process after all the others.
        if first is not None and not wait_until(lambda: not first.alive, 30):
            raise NodeError(f"The node's process {first.pid} does not end.")
        for record in ("first.json", "node.json", "up"):
            (self.root / record).unlink(missing_ok=True)
        remove_cgroups()

    def _recorded(self, name: str) -> Process | None:
        try:
            return Process.from_json(json.loads((self.root / name).read_text()))
        except FileNotFoundError:
            return None

    def _first_process(self) -> int:
        """The process id here of the namespaces' first process."""
        first = self._recorded("first.json")
        if first is None or not first.alive:
            raise NodeError("No node is up.")
        return first.pid

    @property
    def running(self) -> bool:
        """Whether the node is up."""
        process = self._recorded("node.json")
        return process is not None and process.alive and (self.root / "up").exists()

    # --- where things are ---

    @property
    def folder(self) -> Path:
        """The stack's folder: `log/`, `env`, and `node/pods/` with the pods' logs."""
        return self.root / "stack"

    @property
    def log(self) -> Path:
        """What the node says of itself."""
        return self.root / "node.log"

    @property
    def environment(self) -> dict[str, str]:
        """The variables to use from this machine (docs/contracts.md)."""
        lines = (self.folder / "env").read_text().splitlines()
        return dict(re.findall(r"^export (\w+)='(.*)'$", "\n".join(lines), re.MULTILINE))

    @property
    def pod_environment(self) -> dict[str, str]:
        """The same as pods must have them."""
        return cluster.pod_environment(self.environment)

    @property
    def kubeconfig(self) -> Path:
        """Admin access, from this machine."""
        return self.folder / "kube" / "kubeconfig"

    @property
    def images(self) -> Images:
        """What the node runs."""
        return Images(**json.loads((self.root / "images.json").read_text()))

    def api_client(self) -> client.ApiClient:
        """A new admin client of the API server."""
        return api_client(self.kubeconfig)

    # --- kubectl and helm ---

    def _tool(self, program: Path, arguments: Sequence[str], text: str | None) -> str:
        environment = {**os.environ, **self.environment, "HELM_CACHE_HOME": str(self.root / "helm")}
        done = subprocess.run([str(program), *arguments], env=environment, input=text, capture_output=True, text=True)
        if done.returncode:
            raise NodeError(f"{program.name} {' '.join(arguments)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def kubectl(self, *arguments: str, text: str | None = None) -> str:
        """What kubectl prints. text: its input. Raises NodeError with what it complains of."""
        return self._tool(self._parts.kubernetes / "kubectl", arguments, text)

    def helm(self, *arguments: str, text: str | None = None) -> str:
        """What Helm prints. text: its input. Raises NodeError with what it complains of."""
        return self._tool(self._layout.helm, arguments, text)

    def apply(self, *documents: Document) -> str:
        """kubectl apply."""
        return self.kubectl("apply", "-f", "-", text=yaml.safe_dump_all(documents))

    def get(self, *arguments: str) -> Any:
        """What `kubectl get … -o json` says."""
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    def wait_for(self, what: str, condition: Callable[[], bool], seconds: float = 120.0) -> None:
        """Waits until something is so. Raises NodeError that says what was not."""
        if not wait_until(condition, seconds, every=0.5):
            raise NodeError(f"After {seconds:.0f} s it was still not so: {what}")

    # --- what is installed ---

    def _install_operator(self) -> None:
        old = is_before_flink_120(self.images.operator)
        documents = cluster.operator_manifests(self.images, self.environment, old)
        self.kubectl("create", "-f", "-", text=yaml.safe_dump_all([*cluster.crds(self._layout), *documents]))
        self.kubectl("rollout", "status", "deployment/flink-operator", "-n", "flink-operator", "--timeout=180s")

    def install_controller(self, *arguments: str, values: Document | None = None) -> None:
        """`helm upgrade --install` of the project's chart, and waits until the controller is ready.

        values: over those that name images and endpoints. arguments: further ones for Helm.
        """
        given = cluster.chart_values(self.images, self.environment) | (values or {})
        command = ["upgrade", "--install", cluster.RELEASE, str(cluster.CHART), "-n", cluster.SYSTEM, "-f", "-"]
        self.helm(*command, "--wait", "--timeout", "3m", *arguments, text=json.dumps(given))

    def uninstall_controller(self) -> None:
        """`helm uninstall`; imports stay."""
        self.helm("uninstall", cluster.RELEASE, "-n", cluster.SYSTEM, "--wait")

    def load_rows(self, rows: int, table: str = "readings") -> None:
        """Fills a table of the Lindorm stand-in; half of the rows are in the examples' time range."""
        load(LindormStore(self.folder / "lindorm"), Shape(rows=rows, table=table))

    def create_secret(self, name: str = "lindorm", namespace: str = cluster.IMPORTS) -> None:
        """The Secret with Lindorm's password, in a namespace of imports."""
        data = {"username": self.environment["LINDORM_USERNAME"], "password": self.environment["LINDORM_PASSWORD"]}
        data["ca.crt"] = Path(self.environment["LINDORM_CA_FILE"]).read_text()
        metadata = {"name": name, "namespace": namespace}
        self.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data})

    # --- pods and their processes ---

    def pods(self, selector: str = "", namespace: str = cluster.IMPORTS) -> list[Document]:
        """The pods of a namespace, oldest first."""
        options = ["-l", selector] if selector else []
        found: list[Document] = self.get("pods", "-n", namespace, *options, "--sort-by=.metadata.creationTimestamp")[
            "items"
        ]
        return found

    def processes(self, pod: Document) -> list[int]:
        """Ids, on this machine, of the processes in a pod's containers."""
        # containerd's cgroup for a pod is named by its UID
        uid = pod["metadata"]["uid"]
        return [pid for pid in _pids() if f"pod{uid}" in _read(pid, "cgroup") and "/pause" not in _read(pid, "cmdline")]

    def kill_processes(self, pod: Document, number: int = signal.SIGKILL) -> int:
        """Signals every process of a pod's containers: the kubelet starts them again. How many there were."""
        found = self.processes(pod)
        for pid in found:
            os.kill(pid, number)
        return len(found)

    # --- the node's own programs ---

    def program(self, name: str) -> int:
        """The process id, on this machine, of a program of the node (`kubelet`, `containerd`, `kube-apiserver`, …)."""
        inside = json.loads((self.folder / "stack.json").read_text())["processes"][name]["pid"]
        first = self._first_process()
        namespace = os.readlink(f"/proc/{first}/ns/pid")
        for pid in _pids():
            ids = re.search(r"^NSpid:\s*(.*)$", _read(pid, "status"), re.MULTILINE)
            if ids and ids[1].split()[-1] == str(inside) and _namespace(pid) == namespace:
                return pid
        raise NodeError(f"{name} does not run.")

    def signal(self, name: str, number: int) -> None:
        """Signals a program of the node. One that ends is started again after a moment; SIGSTOP holds it."""
        os.kill(self.program(name), number)

    def restart(self, name: str) -> None:
        """Kills a program of the node, and waits until it runs again."""
        before = self.program(name)
        os.kill(before, signal.SIGKILL)

        def another() -> bool:
            try:
                return self.program(name) != before
            except NodeError:
                return False

        self.wait_for(f"{name} runs again", another)

    def wait_ready(self) -> None:
        """Waits until the node says that it is ready."""
        self.kubectl("wait", "--for=condition=Ready", f"node/{NODE}", "--timeout=120s")

    def drain(self) -> None:
        """`kubectl drain`: every pod is evicted, and none comes back until `uncordon`."""
        options = ["--ignore-daemonsets", "--delete-emptydir-data", "--force", "--timeout=180s"]
        self.kubectl("drain", NODE, *options)

    def uncordon(self) -> None:
        """Pods may run on the node again."""
        self.kubectl("uncordon", NODE)

    def command_inside(self, *command: str) -> list[str]:
        """A command line that runs a command in the node's namespaces."""
        return ["nsenter", "--target", str(self._first_process()), "--all", "--", *command]

    def load_image(self, archive: Path) -> None:
        """Loads an image archive (docker or OCI) into the node."""
        load = ["ctr", "--address", str(CONTAINERD_SOCKET), "--namespace", "k8s.io", "images", "import", str(archive)]
        done = subprocess.run(self.command_inside(*load), capture_output=True, text=True)
        if done.returncode:
            raise NodeError(f"{archive} could not be loaded: {done.stderr.strip()}")


def is_before_flink_120(operator: str) -> bool:
    """Whether an operator's image is, by its tag, of a version that knows no Flink 1.20."""
    version = re.match(r"v?(\d+)\.(\d+)", operator.rpartition(":")[2])
    return version is not None and (int(version[1]), int(version[2])) < (1, 10)


def remove_cgroups() -> None:
    """Removes the cgroups of a node that has ended."""
    for mount in _cgroup_mounts():
        top = mount / CGROUP.lstrip("/")
        for folder, _, _ in os.walk(top, topdown=False):
            wait_until(lambda folder=folder: _removed(Path(folder)), 5)  # type: ignore[misc]


def _removed(cgroup: Path) -> bool:
    try:
        cgroup.rmdir()
    except FileNotFoundError:
        return True
    except OSError:  # the kernel has not yet let go of its last process
        return False
    return True


def _cgroup_mounts() -> Iterator[Path]:
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, where, kind, *_ = line.split()
        if kind in ("cgroup", "cgroup2"):
            yield Path(where)


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _read(pid: int, file: str) -> str:
    """A file of a process; "" where it has ended."""
    try:
        return Path(f"/proc/{pid}/{file}").read_text(errors="replace")
    except OSError:
        return ""


def _namespace(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:
        return ""
