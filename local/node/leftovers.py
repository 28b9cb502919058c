"""What a node could leave on the machine: looked at before its start and after its end, nothing may be new."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from local.bootstrap import cache_root
from local.node.kube import CGROUP

_FOLDERS = ("/var/lib/kubelet", "/var/lib/cni", "/var/log/pods", "/var/log/containers", "/run/node", "/run/netns")
_SETTINGS = (
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
    "net/ipv4/ip_forward",
    "net/ipv4/conf/all/route_localnet",
    "net/bridge/bridge-nf-call-iptables",
    "net/netfilter/nf_conntrack_max",
)
_COMMANDS = ("iptables-save", "ip6tables-save", "iptables-legacy-save", "nft list ruleset", "ip link show", "ip route")
_PROGRAMS = ("containerd-shim", "local.node.", str(cache_root() / "node"), "/pause")


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _rules() -> set[str]:
    found = set()
    for command in _COMMANDS:
        try:
            done = subprocess.run(command.split(), capture_output=True, text=True)
        except FileNotFoundError:
            continue
        lines = done.stdout.splitlines() if done.returncode == 0 else []
        # Comments have the time; a chain's line has counters.
        found |= {f"{command}: {line.partition(' [')[0]}" for line in lines if line and not line.startswith("#")}
    return found


def _cgroups() -> set[str]:
    return {str(path) for path in Path("/sys/fs/cgroup").glob(f"**{CGROUP}") if path.is_dir()}


def _processes() -> set[str]:
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        command = _read(folder / "cmdline").replace("\0", " ").strip()
        of_a_node = CGROUP in _read(folder / "cgroup") or any(program in command for program in _PROGRAMS)
        if of_a_node and int(folder.name) != os.getpid():
            found.add(f"process {folder.name}: {command}")
    return found


def look() -> set[str]:
    """One line for each thing on the machine that a node could have made or changed."""
    mounts = {f"mount {' '.join(line.split()[:3])}" for line in _read(Path("/proc/self/mounts")).splitlines()}
    folders = {folder for folder in _FOLDERS if Path(folder).exists()}
    settings = {f"{name} = {_read(Path('/proc/sys', name)).strip()}" for name in _SETTINGS}
    return mounts | folders | settings | _rules() | _cgroups() | _processes()
