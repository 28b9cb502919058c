"""The command lines of etcd, kube-apiserver and kube-controller-manager, and the files they read."""

from __future__ import annotations

import base64
import ipaddress
import json
import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from local.kube.certificates import write_key, write_serving_certificate

# What is of use without nodes: collection of owned objects, deletion of namespaces, the `default` service account
# of each namespace, the rules of aggregated cluster roles, and the types of admission policies.
_CONTROLLERS = (
    "garbage-collector-controller,namespace-controller,serviceaccount-controller,clusterrole-aggregation-controller,"
    "validatingadmissionpolicy-status-controller"
)
# Every request with its user, verb and resource: what the RBAC tests compare the chart's rules with. Reads of the
# control plane itself are left out.
_AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "None", "users": ["system:apiserver", "system:kube-controller-manager"]},
        {"level": "None", "nonResourceURLs": ["/*"]},
        {"level": "Metadata"},
    ],
}


@dataclass(frozen=True)
class Kube:
    """One API server: its folder, the folder of its binaries, its ports on 127.0.0.1."""

    folder: Path
    binaries: Path
    etcd_port: int
    etcd_peer_port: int
    port: int
    controller_manager_port: int

    @property
    def url(self) -> str:
        """Where the API is."""
        return f"https://127.0.0.1:{self.port}"

    @property
    def kubeconfig(self) -> Path:
        """Admin access: a token of the group system:masters."""
        return self.folder / "kubeconfig"

    @property
    def audit_log(self) -> Path:
        """One JSON object per request (level Metadata)."""
        return self.folder / "audit.log"

    @property
    def users(self) -> dict[str, tuple[str, str]]:
        """Kubeconfig's file name -> the user whose token it holds, and the user's groups."""
        return {
            "kubeconfig": ("admin", "system:masters"),
            "controller-manager.kubeconfig": ("system:kube-controller-manager", ""),
        }

    @property
    def names(self) -> list[x509.GeneralName]:
        """What the API server is called by its clients."""
        names: list[x509.GeneralName] = [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        return names + [x509.DNSName(name) for name in ("localhost", "kubernetes", "kubernetes.default.svc")]

    def write_files(self) -> None:
        """Make keys, certificates, tokens and the kubeconfigs. To be called once, in an empty folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_serving_certificate(self.folder, "kube-apiserver", self.names)
        write_key(self.folder / "service-accounts.key")
        tokens = self.folder / "tokens.csv"
        tokens.touch(mode=0o600)
        lines = []
        for file, (user, groups) in self.users.items():
            token = secrets.token_hex(16)
            lines.append(f'{token},{user},{user},"{groups}"\n')
            self.write_kubeconfig(self.folder / file, user, token)
        tokens.write_text("".join(lines))
        (self.folder / "audit-policy.yaml").write_text(json.dumps(_AUDIT_POLICY))

    def write_kubeconfig(self, path: Path, user: str, token: str) -> None:
        """Write a kubeconfig (JSON, which is YAML) for whoever holds the token; namespace `default`."""
        ca = base64.b64encode((self.folder / "ca.crt").read_bytes()).decode()
        path.touch(mode=0o600)
        path.write_text(
            json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "clusters": [{"name": "local", "cluster": {"server": self.url, "certificate-authority-data": ca}}],
                    "users": [{"name": user, "user": {"token": token}}],
                    "contexts": [
                        {"name": "local", "context": {"cluster": "local", "user": user, "namespace": "default"}}
                    ],
                    "current-context": "local",
                },
                indent=1,
            )
        )

    def etcd(self) -> list[str]:
        """etcd, without fsync: nothing here must survive the machine."""
        client, peer = f"http://127.0.0.1:{self.etcd_port}", f"http://127.0.0.1:{self.etcd_peer_port}"
        return [
            str(self.binaries / "etcd"),
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync",
            "--log-level=warn",
        ]

    def apiserver(self) -> list[str]:
        """kube-apiserver with RBAC, service account tokens and an audit log."""
        return _command(self.binaries / "kube-apiserver", self.apiserver_flags())

    def apiserver_flags(self) -> dict[str, str]:
        """The ServiceAccount admission plugin is off: it would refuse pods before the controller manager has made the
        namespace's account. The service addresses are a range that nothing routes to.
        """
        return {
            "etcd-servers": f"http://127.0.0.1:{self.etcd_port}",
            "bind-address": "127.0.0.1",
            "secure-port": str(self.port),
            "advertise-address": "127.0.0.1",
            "tls-cert-file": str(self.folder / "server.crt"),
            "tls-private-key-file": str(self.folder / "server.key"),
            "cert-dir": str(self.folder),
            "token-auth-file": str(self.folder / "tokens.csv"),
            "authorization-mode": "RBAC",
            "service-account-key-file": str(self.folder / "service-accounts.key"),
            "service-account-signing-key-file": str(self.folder / "service-accounts.key"),
            "service-account-issuer": "https://kubernetes.default.svc",
            "service-cluster-ip-range": "10.99.0.0/24",
            "disable-admission-plugins": "ServiceAccount",
            "endpoint-reconciler-type": "none",
            "audit-policy-file": str(self.folder / "audit-policy.yaml"),
            "audit-log-path": str(self.audit_log),
            "audit-log-maxsize": "50",
            "audit-log-maxbackup": "2",
        }

    def controller_manager(self) -> list[str]:
        """kube-controller-manager."""
        return _command(self.binaries / "kube-controller-manager", self.controller_manager_flags())

    def controller_manager_flags(self) -> dict[str, str]:
        """Only the controllers that make sense without nodes."""
        kubeconfig = str(self.folder / "controller-manager.kubeconfig")
        return {
            "kubeconfig": kubeconfig,
            "authentication-kubeconfig": kubeconfig,
            "authorization-kubeconfig": kubeconfig,
            "controllers": _CONTROLLERS,
            "use-service-account-credentials": "true",
            "leader-elect": "false",
            "bind-address": "127.0.0.1",
            "secure-port": str(self.controller_manager_port),
            "cert-dir": str(self.folder),
        }


def _command(program: Path, flags: dict[str, str]) -> list[str]:
    return [str(program), *(f"--{name}={value}" for name, value in flags.items())]
