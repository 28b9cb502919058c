"""What the machine must have for a node, and what to say where it has not; nothing is installed unasked."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

# Program -> Debian's package (and Ubuntu's) that has it.
PACKAGES = {
    "containerd": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "buildah": "buildah",
    "mmdebstrap": "mmdebstrap",
}
KERNEL_FEATURES = ("overlay", "cgroup")
_HIDDEN = (Path("/var/lib"), Path("/var/log"), Path("/run"))  # local/node/inside.py puts something of its own there


class MachineError(Exception):
    """The machine lacks something; the message has one sentence for each thing."""


def _there(program: str) -> bool:
    # /usr/sbin is not on every user's PATH
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    return os.access(program, os.X_OK) if program.startswith("/") else shutil.which(program, path=path) is not None


def missing_packages() -> list[str]:
    """The packages whose programs are not there, in alphabetical order."""
    return sorted({package for program, package in PACKAGES.items() if not _there(program)})


def problems(*folders: Path) -> list[str]:
    """One sentence for each thing that keeps a node from running here. folders: what it reads and writes."""
    found = []
    if sys.platform != "linux" or os.geteuid() != 0:
        found.append("A node takes root on Linux: it makes namespaces, mounts and cgroups. Run it with sudo.")
    if lacking := missing_packages():
        found.append(
            f"These packages are missing: {' '.join(lacking)}. Install them (make node-setup does it with apt-get)."
        )
    filesystems = Path("/proc/filesystems").read_text() if Path("/proc/filesystems").exists() else ""
    found += [
        f"The kernel has no {feature}: load the module, or take another machine."
        for feature in KERNEL_FEATURES
        if feature not in filesystems.split()
    ]
    for folder in folders:
        if any(folder.resolve().is_relative_to(hidden) for hidden in _HIDDEN):
            found.append(f"{folder} is below /var/lib, /var/log or /run, which a node hides from itself: move it.")
    return found


def check(*folders: Path) -> None:
    """Raises MachineError when a node cannot run here."""
    if found := problems(*folders):
        raise MachineError("\n".join(found))


def install() -> None:
    """Installs the missing packages with apt-get. Raises MachineError where that fails."""
    lacking = missing_packages()
    if not lacking:
        return
    if shutil.which("apt-get") is None:
        raise MachineError(f"There is no apt-get here: install what corresponds to {' '.join(lacking)}.")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update", "-q"], ["install", "-y", "-q", "--no-install-recommends", *lacking]):
        if subprocess.run(["apt-get", *command], env=environment).returncode:
            raise MachineError(f"apt-get {command[0]} failed; its output is above.")
