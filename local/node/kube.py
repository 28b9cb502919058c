"""The control plane of a cluster that has a node, and the programs of the node with the files they read. Pure but for
`write_files`.
"""

from __future__ import annotations

import ipaddress
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509

from local.kube.commands import Kube

NODE = "node-1"
BRIDGE = "cni0"
ADDRESS = "10.88.0.1"
"""The node's address, the bridge's, where pods reach the node and what listens on its 127.0.0.1."""
PODS = "10.88.0.0/16"
CGROUP = "/lindorm-import-node"
RUN = Path("/run/node")  # in a tmpfs of the node's own
CONTAINERD_SOCKET = RUN / "containerd.sock"
_API_SERVICE = "10.99.0.1"  # the first of the service addresses is the API server's


class NodeKube(Kube):
    """An API server for pods, and every controller of the controller manager."""

    @property
    def users(self) -> dict[str, tuple[str, str]]:
        """The node's programs as well."""
        return super().users | {
            "kubelet.kubeconfig": (f"system:node:{NODE}", "system:nodes"),
            "scheduler.kubeconfig": ("system:kube-scheduler", ""),
            "proxy.kubeconfig": ("system:kube-proxy", ""),
        }

    @property
    def names(self) -> list[x509.GeneralName]:
        """What pods call the API server as well."""
        more: list[x509.GeneralName] = [x509.DNSName("kubernetes.default.svc.cluster.local")]
        return super().names + more + [x509.IPAddress(ipaddress.ip_address(a)) for a in (ADDRESS, _API_SERVICE)]

    def apiserver_flags(self) -> dict[str, str]:
        """Pods get service accounts, and the kubelet no more than its own. Policies that mutate are beta in 1.34."""
        return super().apiserver_flags() | {
            "bind-address": "0.0.0.0",
            "advertise-address": ADDRESS,
            "authorization-mode": "Node,RBAC",
            "enable-admission-plugins": "NodeRestriction",
            "disable-admission-plugins": "",
            "endpoint-reconciler-type": "lease",
            "feature-gates": "MutatingAdmissionPolicy=true",
            "runtime-config": "admissionregistration.k8s.io/v1beta1=true",
            "kubelet-preferred-address-types": "InternalIP",
        }

    def controller_manager_flags(self) -> dict[str, str]:
        """All of its controllers."""
        return super().controller_manager_flags() | {
            "controllers": "*",
            "root-ca-file": str(self.folder / "ca.crt"),
            "service-account-private-key-file": str(self.folder / "service-accounts.key"),
        }


_CONTAINERD = """\
version = 2
root = "{root}"
state = "{run}/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper"]
[grpc]
  address = "{socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  disable_apparmor = true
  # Without CAP_SYS_RESOURCE (root in some virtual machines) runc may not make a process less likely to be killed.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{cni}"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
"""

_COREFILE = """\
.:53 {{
  bind {address}
  errors
  cache 5
  kubernetes cluster.local in-addr.arpa {{
    kubeconfig {kubeconfig}
    pods insecure
    ttl 5
  }}
}}
"""


@dataclass(frozen=True)
class Daemons:
    """The node's programs."""

    folder: Path
    """Where their files and data go."""
    kube: NodeKube
    kubernetes: Path
    """The folder of kubelet, kube-scheduler, kube-proxy."""
    programs: Path
    """The folder of coredns."""
    images: Path
    """containerd's root: it stays, so that an image is loaded once."""
    pause: str
    """Reference of the pause image."""

    def write_files(self) -> None:
        """Writes the configuration of every program."""
        cni = self.folder / "cni"
        cni.mkdir(parents=True)
        network = {"cniVersion": "0.4.0", "name": "bridge", "plugins": self._networks()}
        (cni / "10-bridge.conflist").write_text(json.dumps(network, indent=1))
        containerd = _CONTAINERD.format(root=self.images, run=RUN, socket=CONTAINERD_SOCKET, pause=self.pause, cni=cni)
        (self.folder / "containerd.toml").write_text(containerd)
        corefile = _COREFILE.format(address=ADDRESS, kubeconfig=self.kube.kubeconfig)
        (self.folder / "Corefile").write_text(corefile)
        (self.folder / "resolv.conf").write_text(f"nameserver {ADDRESS}\n")
        (self.folder / "kubelet.yaml").write_text(json.dumps(self._kubelet_configuration(), indent=1))
        (self.folder / "proxy.yaml").write_text(json.dumps(self._proxy_configuration(), indent=1))

    def _networks(self) -> list[dict[str, Any]]:
        ranges = [[{"subnet": PODS, "rangeStart": "10.88.1.1"}]]
        ipam = {"type": "host-local", "dataDir": str(RUN / "ipam"), "ranges": ranges, "routes": [{"dst": "0.0.0.0/0"}]}
        bridge = {"type": "bridge", "bridge": BRIDGE, "isGateway": True, "ipMasq": True, "hairpinMode": True}
        return [{**bridge, "ipam": ipam}, {"type": "portmap", "capabilities": {"portMappings": True}}]

    def _kubelet_configuration(self) -> dict[str, Any]:
        return {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "failCgroupV1": False,
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": CGROUP,
            "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
            "authorization": {"mode": "AlwaysAllow"},
            "clusterDNS": [ADDRESS],
            "clusterDomain": "cluster.local",
            "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
            "resolvConf": str(self.folder / "resolv.conf"),
            "podLogsDir": str(self.folder / "pods"),
            "failSwapOn": False,
            "localStorageCapacityIsolation": False,
            "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
            "imageGCHighThresholdPercent": 100,
            "nodeStatusUpdateFrequency": "5s",
            "syncFrequency": "10s",
            "maxPods": 60,
        }

    def _proxy_configuration(self) -> dict[str, Any]:
        return {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "iptables",
            "clientConnection": {"kubeconfig": str(self.kube.folder / "proxy.kubeconfig")},
            "clusterCIDR": PODS,
            "hostnameOverride": NODE,
            "conntrack": {"maxPerCore": 0},
            "iptables": {"minSyncPeriod": "100ms", "syncPeriod": "30s"},
        }

    def commands(self) -> dict[str, list[str]]:
        """Name -> command of every program, in the order of their start."""
        scheduler = f"{self.kube.folder / 'scheduler.kubeconfig'}"
        return {
            "containerd": ["containerd", "-c", str(self.folder / "containerd.toml")],
            "coredns": [str(self.programs / "coredns"), "-conf", str(self.folder / "Corefile")],
            "kubelet": [
                str(self.kubernetes / "kubelet"),
                f"--config={self.folder / 'kubelet.yaml'}",
                f"--kubeconfig={self.kube.folder / 'kubelet.kubeconfig'}",
                f"--root-dir={self.folder / 'kubelet'}",
                f"--cert-dir={self.folder / 'kubelet-pki'}",
                f"--hostname-override={NODE}",
                f"--node-ip={ADDRESS}",
            ],
            "kube-scheduler": [
                str(self.kubernetes / "kube-scheduler"),
                f"--kubeconfig={scheduler}",
                f"--authentication-kubeconfig={scheduler}",
                f"--authorization-kubeconfig={scheduler}",
                "--leader-elect=false",
                "--bind-address=127.0.0.1",
                f"--cert-dir={self.folder / 'scheduler-pki'}",
            ],
            "kube-proxy": [str(self.kubernetes / "kube-proxy"), f"--config={self.folder / 'proxy.yaml'}"],
        }
