"""What runs in the node's namespaces: their first process, and in its child the control plane and the node.

Started by local/node/outside.py, as root, in mount, network, process, IPC and UTS namespaces of its own. Everything
ends when the first process does, and of what it changes (files in /run, /var/lib and /var/log, links, rules, kernel
settings) the machine sees nothing. Its arguments are in `inside.json` in the stack's folder.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from kubernetes import client
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from local.kube.commands import Kube
from local.node.images import Images, Store
from local.node.kube import ADDRESS, BRIDGE, CGROUP, CONTAINERD_SOCKET, NODE, PODS, RUN, Daemons, NodeKube
from local.node.parts import node_layout
from local.processes import PORTS
from local.stack import Stack, StackError

# What the kubelet wants of the kernel, and would set for the whole machine where it is not so.
_KERNEL = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}
_CONTAINER_NAMESPACE = "k8s.io"


def _run(*command: str) -> str:
    """What a command prints. Raises StackError with what it complains of."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise StackError(f"{' '.join(command)} failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def prepare_mounts() -> None:
    """Gives this namespace a /run of its own, and layers over /var/lib, /var/log and the kernel's settings."""
    _run("mount", "--make-rshared", "/")  # volumes that the kubelet mounts must be seen by the containers
    _run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
    for folder in (Path("/var/lib"), Path("/var/log")):
        upper, work = (RUN / "layers" / folder.name / name for name in ("upper", "work"))
        for made in (upper, work):
            made.mkdir(parents=True)
        layers = f"lowerdir={folder},upperdir={upper},workdir={work}"
        _run("mount", "-t", "overlay", "-o", layers, "overlay", str(folder))
    for name, value in _KERNEL.items():
        file = RUN / "kernel" / name.replace("/", ".")
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"{value}\n")
        _run("mount", "--bind", str(file), f"/proc/sys/{name}")


def prepare_network() -> None:
    """The bridge of the pods, and what makes the servers on 127.0.0.1 answer on its address as well."""
    _run("ip", "link", "set", "lo", "up")
    _run("ip", "link", "add", BRIDGE, "type", "bridge")
    _run("ip", "addr", "add", f"{ADDRESS}/{PODS.partition('/')[2]}", "dev", BRIDGE)
    _run("ip", "link", "set", BRIDGE, "up")
    # Services have addresses that no interface has: without a route the node itself could not send to them.
    _run("ip", "route", "add", "default", "dev", BRIDGE)
    settings = ("ip_forward", "conf/all/route_localnet", f"conf/{BRIDGE}/route_localnet")
    for setting in settings:
        Path("/proc/sys/net/ipv4", setting).write_text("1")
    bridge = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
    if bridge.exists():
        bridge.write_text("1")
    ports = f"{PORTS.start}:{PORTS.stop}"
    for chain in (["PREROUTING", "-i", BRIDGE], ["OUTPUT"]):
        rule = ["-d", ADDRESS, "-p", "tcp", "--dport", ports, "-j", "DNAT", "--to-destination", "127.0.0.1"]
        _run("iptables", "-w", "-t", "nat", "-A", *chain, *rule)


# All pods together weigh as much as so many processes of the machine (a process: 1024, cgroup v1; 100, v2), and not as
# one: on a machine that does other things, a Flink that starts would else get no further.
_PROCESSES = 16


def prepare_cgroup() -> None:
    """The cgroup that holds all pods, in every hierarchy."""
    for root in cgroup_roots():
        group = root / CGROUP.lstrip("/")
        group.mkdir(exist_ok=True)
        for name, one in (("cpu.shares", 1024), ("cpu.weight", 100)):
            if (group / name).exists():
                (group / name).write_text(str(_PROCESSES * one))


def cgroup_roots() -> list[Path]:
    """Where each hierarchy of cgroups is mounted."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    return [Path(fields[1]) for fields in mounts if fields[2] in ("cgroup", "cgroup2")]


class NodeStack(Stack):
    """The stack's control plane, AWS and Lindorm, with a node."""

    def __init__(self, folder: Path, images: Images, ports: Mapping[str, int]) -> None:
        super().__init__(folder, parts=("kube", "aws", "dynamodb", "lindorm"), crds=[], ports=ports)
        self._images = images
        self._began = time.monotonic()
        where = node_layout()
        kube = self._kube
        assert isinstance(kube, NodeKube)
        containers = where.root / "containerd"
        containers.mkdir(parents=True, exist_ok=True)
        self._store = Store(where.root / "images")
        self._daemons = Daemons(
            self.folder / "node", kube, where.kubernetes, where.programs, containers, self._images.pause
        )

    def _control_plane(self, kind: type[Kube] = NodeKube) -> Kube:
        return super()._control_plane(kind)

    def _say(self, text: str) -> None:
        print(f"{time.monotonic() - self._began:6.1f} s  {text}", flush=True)

    def _start_parts(self) -> None:
        self._daemons.write_files()
        commands = self._daemons.commands()
        ready = {"containerd": self._containerd_is_ready, "kubelet": self._node_is_ready}
        self.start_process("containerd", commands.pop("containerd"), ready=ready["containerd"])
        self._say("containerd is ready")
        super()._start_parts()
        self._say("the control plane, AWS and Lindorm are ready")
        self._load_images()
        self._say("every image is loaded")
        for name, command in commands.items():
            self.start_process(name, command, ready=ready.get(name, lambda: True), wait=False)
        self.wait_ready("kubelet")
        self._say("the node is ready")

    @staticmethod
    def _ctr(*arguments: str) -> list[str]:
        return ["ctr", "--address", str(CONTAINERD_SOCKET), "--namespace", _CONTAINER_NAMESPACE, *arguments]

    def _containerd_is_ready(self) -> bool:
        return subprocess.run(self._ctr("version"), capture_output=True).returncode == 0

    def _node_is_ready(self) -> bool:
        core = client.CoreV1Api(self.api_client())
        try:
            node = core.read_node(NODE)
        except (ApiException, HTTPError):
            return False
        finally:
            core.api_client.close()
        conditions = (node.status and node.status.conditions) or []
        return any(c.type == "Ready" and c.status == "True" for c in conditions)

    def _load_images(self) -> None:
        """Loads what containerd lacks, and removes what an earlier node ran."""
        there = set(_run(*self._ctr("images", "ls", "-q")).split())
        for reference in self._images.all:
            if reference not in there:
                load_image(self._store, reference)
        if outdated := [name for name in there if "lindorm-import" in name and name not in self._images.all]:
            _run(*self._ctr("images", "rm", *outdated))

    def supervise(self) -> None:
        """Starts again what ends, as systemd would. Never returns."""
        while True:
            time.sleep(0.5)
            for name in list(self._managed):
                if not self.process(name).alive:
                    self._say(f"{name} ended: it is started again")
                    try:
                        self.restart(name)
                    except StackError as error:
                        self._say(f"{error}")


def load_image(store: Store, reference: str) -> None:
    """Loads an image from buildah's store into containerd. Raises StackError."""
    push = store.command("push", "--quiet", reference, f"docker-archive:/dev/stdout:{reference}")
    with subprocess.Popen(push, stdout=subprocess.PIPE, env=store.environment()) as pushing:
        load = NodeStack._ctr("images", "import", "--no-unpack=false", "-")
        loading = subprocess.run(load, stdin=pushing.stdout, capture_output=True, text=True)
    if loading.returncode or pushing.returncode:
        raise StackError(f"{reference} could not be loaded: {loading.stderr.strip()}")


def _supervise(folder: Path) -> None:
    given = json.loads((folder / "inside.json").read_text())
    prepare_mounts()
    prepare_network()
    prepare_cgroup()
    stack = NodeStack(folder / "stack", Images(**given["images"]), given["ports"])
    stack.start()
    (folder / "up").touch()
    stack.supervise()


def main() -> int:
    """The namespaces' first process: it only reaps, until its child ends."""
    folder = Path(sys.argv[1])
    child = os.fork()
    if child == 0:
        try:
            _supervise(folder)
        except StackError as error:
            print(f"node: {error}", file=sys.stderr, flush=True)
        os._exit(1)
    while True:
        ended, status = os.wait()
        if ended == child:
            return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main())
