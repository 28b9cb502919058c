"""The embedded stack: starts its parts, waits until each is ready, stops them by id (docs/contracts.md, "What a stack
gives to the outside").

    with Stack(folder) as stack:                       # all parts; Stack(folder, parts=["kube", "flink"]) for some
        stack.environment["KUBECONFIG"]
        stack.start_process("controller", [sys.executable, "-m", "lindorm_import.cli", "controller"], ready=lambda: …)
        stack.kill("moto"); stack.restart("moto")

Everything is in the stack's folder: logs in `log/`, `stack.json` (processes), `env` (a shell file). Data do not
survive a stop: S3, DynamoDB and Kubernetes start empty together.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import ssl
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from local.bootstrap import REPOSITORY, Layout, layout
from local.flink.config import operator_defaults
from local.kube.access import api_client
from local.kube.commands import Kube
from local.kube.crds import with_emr_fields
from local.machine import java_tool
from local.processes import Process, Ready, accepts_connections, free_port, http_ready, start
from local.record import stop_recorded

PARTS = ("kube", "aws", "dynamodb", "lindorm", "flink")
ACCESS_KEY, SECRET_KEY, REGION = "local", "local", "us-west-2"
LINDORM_USER, LINDORM_PASSWORD = "importer", "local-only-password"

_CRDS = ("apiextensions.k8s.io", "v1", "customresourcedefinitions")
_PATIENCE = 90.0  # seconds that a part may take to be ready, on a busy machine


class StackError(Exception):
    """A part did not start; the message says which and shows the end of its log."""


@dataclass
class _Managed:
    """A named process: how it was started (so that it can be again), and what it is now."""

    command: list[str]
    environment: dict[str, str]
    cwd: Path
    ready: Ready
    process: Process


@dataclass(frozen=True)
class _Ports:
    """Every port of the stack, chosen once: a part that is restarted comes back at the same address."""

    taken: set[int] = field(default_factory=set)
    numbers: dict[str, int] = field(default_factory=dict)

    def __getitem__(self, name: str) -> int:
        if name not in self.numbers:
            self.numbers[name] = free_port(self.taken)
        return self.numbers[name]


class Stack:
    """One embedded stack in one folder."""

    def __init__(
        self,
        folder: Path,
        *,
        parts: Collection[str] = PARTS,
        usrlib: Path | None = None,
        jars: Sequence[Path] | None = None,
        crds: Sequence[Path] | None = None,
        flink_options: Sequence[str] = (),
        ports: Mapping[str, int] | None = None,
    ) -> None:
        """parts: which of PARTS. usrlib, jars: what Flink runs instead of flink_job/ and its jars.

        crds: files of CustomResourceDefinitions besides Flink's, instead of those in crds/. flink_options: further
        options of `python -m local.flink`. ports: those that were chosen
        before, by the processes' names; the rest are free ones.
        """
        if unknown := set(parts) - set(PARTS):
            raise ValueError(f"unknown parts {sorted(unknown)}; there are {', '.join(PARTS)}")
        self.folder = folder.resolve()
        self.parts = frozenset(parts)
        self.environment: dict[str, str] = {}
        """What `.stack/env` exports: the variables of docs/contracts.md, "What a stack gives to the outside"."""
        self._layout: Layout = layout()
        self._ports = _Ports(set((ports or {}).values()), dict(ports or {}))
        self._managed: dict[str, _Managed] = {}
        self._usrlib = usrlib or REPOSITORY / "flink_job"
        self._jars = [self._layout.job_jar, self._layout.jdbc_driver] if jars is None else list(jars)
        self._crds = sorted((REPOSITORY / "crds").glob("*.yaml")) if crds is None else list(crds)
        self._flink_options = list(flink_options)
        self._kube = self._control_plane()

    def _control_plane(self, kind: type[Kube] = Kube) -> Kube:
        return kind(
            self.folder / "kube",
            self._layout.kube,
            self._ports["etcd"],
            self._ports["etcd-peer"],
            self._ports["kube-apiserver"],
            self._ports["kube-controller-manager"],
        )

    # --- life ---

    def __enter__(self) -> Stack:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start every part and wait until each is ready. What an earlier stack left in the folder is ended first.

        Raises StackError; then nothing is left running.
        """
        stop_recorded(self.folder)
        shutil.rmtree(self.folder, ignore_errors=True)
        (self.folder / "log").mkdir(parents=True)
        try:
            self._start_parts()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End every process of the stack, Flink's included. Logs stay."""
        stop_recorded(self.folder)
        self._managed.clear()

    def _start_parts(self) -> None:
        self._prepare_environment()
        wanted = [
            (self._start_kube_storage, "kube"),
            (self._start_moto, "aws"),
            (self._start_dynamodb_local, "dynamodb"),
            (self._start_lindorm, "lindorm"),
            (self._start_apiserver, "kube"),
            (self._start_gate, "dynamodb"),
            (self._finish_kube, "kube"),
            (self._start_flink, "flink"),
        ]
        for step, part in wanted:
            if part in self.parts:
                step()
        for name in list(self._managed):
            self.wait_ready(name)
        self._write_env()

    def _prepare_environment(self) -> None:
        self.environment = {
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        if "kube" in self.parts:
            self.environment["KUBECONFIG"] = str(self.kubeconfig)
        if "aws" in self.parts:
            self.environment["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{self._ports['moto']}"
        if "dynamodb" in self.parts:
            self.environment["AWS_ENDPOINT_URL_DYNAMODB"] = f"http://127.0.0.1:{self._ports['dynamodb-gate']}"
        if "flink" in self.parts:
            base = f"http://127.0.0.1:{self._ports['flink-operator']}"
            self.environment["LINDORM_IMPORT_FLINK_REST_URL"] = base + "/{namespace}/{name}"
        if "lindorm" in self.parts:
            self.environment |= {
                "LINDORM_URL": f"jdbc:mysql://127.0.0.1:{self._ports['lindorm']}/default",
                "LINDORM_USERNAME": LINDORM_USER,
                "LINDORM_PASSWORD": LINDORM_PASSWORD,
                "LINDORM_CA_FILE": str(self.folder / "lindorm-tls" / "ca.crt"),
            }

    def _write_env(self) -> None:
        path = self.folder / "env"
        path.touch(mode=0o600)
        path.write_text("".join(f"export {key}='{value}'\n" for key, value in self.environment.items()))

    # --- named processes ---

    def start_process(
        self,
        name: str,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path = REPOSITORY,
        ready: Ready = lambda: True,
        wait: bool = True,
    ) -> Process:
        """Start a process that ends with the stack; its log is `log/<name>.log`.

        env: in addition to the machine's and the stack's. ready: asked until it says yes, unless `wait` is False.
        Raises StackError when the process ends or is not ready in time.
        """
        environment = {**os.environ, **self.environment, **(env or {})}
        process = self._launch(name, list(command), environment, cwd)
        self._managed[name] = _Managed(list(command), environment, cwd, ready, process)
        self._save()
        if wait:
            self.wait_ready(name)
        return process

    def _launch(self, name: str, command: list[str], environment: dict[str, str], cwd: Path) -> Process:
        try:
            return start(command, self.folder / "log" / f"{name}.log", env=environment, cwd=cwd)
        except OSError as error:
            raise StackError(f"{name} cannot be started: {error}") from error

    def _save(self) -> None:
        record = {
            "processes": {name: {**m.process.as_json(), "command": m.command} for name, m in self._managed.items()},
            "ports": self._ports.numbers,
        }
        new = self.folder / "stack.json.new"
        new.write_text(json.dumps(record, indent=1))
        new.rename(self.folder / "stack.json")

    def wait_ready(self, name: str, seconds: float = _PATIENCE) -> None:
        """Wait until a named process is ready.

        Raises StackError when it has ended, or is not ready in time.
        """
        managed = self._managed[name]
        deadline = time.monotonic() + seconds
        while not managed.ready():
            if not managed.process.alive:
                raise StackError(
                    f"{name} ended before it was ready; the end of {managed.process.log}:\n{self.tail(name)}"
                )
            if time.monotonic() > deadline:
                raise StackError(
                    f"{name} was not ready after {seconds:.0f} s; the end of {managed.process.log}:\n{self.tail(name)}"
                )
            time.sleep(0.05)

    def tail(self, name: str, lines: int = 15) -> str:
        """The last lines of a process's log."""
        return self._managed[name].process.tail(lines)

    def process(self, name: str) -> Process:
        """A named process as it runs now."""
        return self._managed[name].process

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """Signal a named process, and nothing more: see `restart`."""
        self._managed[name].process.signal(number)

    def stop_process(self, name: str) -> None:
        """End a named process; `restart` can bring it back."""
        self._managed[name].process.end()

    def restart(self, name: str, env: Mapping[str, str] | None = None) -> Process:
        """End a named process if it runs, start it again as before, and wait until it is ready.

        env: variables to change from now on. moto and DynamoDB Local come back empty.
        """
        managed = self._managed[name]
        managed.process.end()
        managed.environment |= env or {}
        managed.process = self._launch(name, managed.command, managed.environment, managed.cwd)
        self._save()
        self.wait_ready(name)
        return managed.process

    # --- what tests and demo ask for ---

    @property
    def kubeconfig(self) -> Path:
        """Admin access to the API server."""
        return self._kube.kubeconfig

    @property
    def kube(self) -> Kube:
        """The API server: URL, CA, audit log, further kubeconfigs."""
        return self._kube

    def api_client(self) -> client.ApiClient:
        """A new admin client of the API server."""
        return api_client(self.kubeconfig)

    def ready_info(self, name: str) -> dict[str, Any]:
        """What one of our own servers wrote into its ready file: its ports, under names of its own."""
        found: dict[str, Any] = json.loads((self.folder / f"{name}.ready").read_text())
        return found

    def flink_process(self, namespace: str, name: str, process: str) -> Process | None:
        """A process of a FlinkDeployment's cluster (`jobmanager`, `taskmanager-1`, …); None where it is not there."""
        file = self.folder / "flink" / namespace / name / "cluster.json"
        try:
            record = json.loads(file.read_text())
        except FileNotFoundError:
            return None
        found: dict[str, Any] = {"jobmanager": record.get("job_manager")}
        found |= {f"taskmanager-{n}": entry for n, entry in enumerate(record.get("task_managers", []), start=1)}
        return Process.from_json(found[process]) if found.get(process) else None

    def apply_crd(self, crd: dict[str, Any]) -> None:
        """Create a CustomResourceDefinition, or replace it, and wait until it is served.

        Raises StackError with the API server's reason where it refuses it.
        """
        # As a custom object: the typed client would drop what its own model does not know.
        api = client.CustomObjectsApi(self.api_client())
        name = crd["metadata"]["name"]
        try:
            api.create_cluster_custom_object(*_CRDS, crd)
        except ApiException as error:
            if error.status != 409:
                raise StackError(f"the API server refuses the CRD {name}: {error.body}") from error
            api.patch_cluster_custom_object(*_CRDS, name, crd)
        self.wait_crd(name)

    def wait_crd(self, name: str) -> None:
        """Wait until a CustomResourceDefinition is served.

        Raises StackError when it is not in time, ApiException when it is not there.
        """
        api = client.CustomObjectsApi(self.api_client())
        deadline = time.monotonic() + _PATIENCE
        while True:
            found: Any = api.get_cluster_custom_object(*_CRDS, name)
            conditions = {c["type"]: c["status"] for c in found.get("status", {}).get("conditions") or []}
            if conditions.get("Established") == "True":
                return
            if time.monotonic() > deadline:
                raise StackError(f"the API server does not serve {name}: {conditions}")
            time.sleep(0.05)

    # --- the parts ---

    def _python(self, module: str, *arguments: str) -> list[str]:
        return [sys.executable, "-m", module, *arguments]

    def _start_kube_storage(self) -> None:
        self._kube.write_files()
        ready = http_ready(f"http://127.0.0.1:{self._kube.etcd_port}/health")
        self.start_process("etcd", self._kube.etcd(), ready=ready, wait=False)

    def _start_apiserver(self) -> None:
        self.wait_ready("etcd")
        trust = ssl.create_default_context(cafile=str(self._kube.folder / "ca.crt"))
        ready = http_ready(f"{self._kube.url}/readyz", trust)
        self.start_process("kube-apiserver", self._kube.apiserver(), ready=ready, wait=False)

    def _finish_kube(self) -> None:
        self.wait_ready("kube-apiserver")
        port = self._kube.controller_manager_port
        command = self._kube.controller_manager()
        self.start_process("kube-controller-manager", command, ready=lambda: accepts_connections(port), wait=False)
        self.apply_crd(with_emr_fields(yaml.safe_load(self._layout.flink_crd.read_text())))
        for file in self._crds:
            for crd in yaml.safe_load_all(file.read_text()):
                if crd:
                    self.apply_crd(crd)

    def _start_moto(self) -> None:
        port = self._ports["moto"]
        command = self._python("local.aws", "-H", "127.0.0.1", "-p", str(port))
        ready = http_ready(f"http://127.0.0.1:{port}/moto-api/data.json")
        self.start_process("moto", command, ready=ready, wait=False)

    def _start_dynamodb_local(self) -> None:
        port, folder = self._ports["dynamodb-local"], self._layout.dynamodb_local
        command = [
            java_tool("java"),
            "-Xmx1g",
            f"-Djava.library.path={folder}",
            "-cp",
            f"{folder}/*",
            "software.amazon.dynamodb.services.local.main.ServerRunner",
            "-inMemory",
            "-sharedDb",
            "-disableTelemetry",
            "-port",
            str(port),
        ]
        ready = http_ready(f"http://127.0.0.1:{port}/")
        # It leaves a file of metadata wherever it is started.
        self.start_process("dynamodb-local", command, cwd=self.folder, ready=ready, wait=False)

    def _start_gate(self) -> None:
        self.wait_ready("dynamodb-local")
        if "aws" in self.parts:
            self.wait_ready("moto")
        arguments = [
            *("--port", str(self._ports["dynamodb-gate"])),
            *("--backend", f"http://127.0.0.1:{self._ports['dynamodb-local']}"),
            *("--aws", self.environment.get("AWS_ENDPOINT_URL", "none")),
        ]
        self._start_with_ready_file("dynamodb-gate", "local.dynamodb", arguments)

    def _start_lindorm(self) -> None:
        arguments = [
            *("--port", str(self._ports["lindorm"])),
            *("--data", str(self.folder / "lindorm")),
            *("--user", LINDORM_USER),
            *("--password", LINDORM_PASSWORD),
            *("--tls", str(self.folder / "lindorm-tls")),
        ]
        self._start_with_ready_file("lindorm", "local.lindorm", arguments)

    def _start_flink(self) -> None:
        defaults = self.folder / "flink-defaults.json"
        defaults.touch(mode=0o600)
        settings = operator_defaults(self.kubeconfig, self._s3_settings())
        defaults.write_text(json.dumps(settings, indent=1))
        arguments = [
            *("--kubeconfig", str(self.kubeconfig)),
            *("--stack-dir", str(self.folder)),
            *("--port", str(self._ports["flink-operator"])),
            *("--defaults", str(defaults)),
            *("--usrlib", str(self._usrlib)),
            *(option for jar in self._jars for option in ("--jar", str(jar))),
            *self._flink_options,
        ]
        self._start_with_ready_file("flink-operator", "local.flink", arguments)

    def _s3_settings(self) -> dict[str, str]:
        if "aws" not in self.parts:
            return {}
        return {
            "s3.endpoint": self.environment["AWS_ENDPOINT_URL"],
            "s3.path.style.access": "true",
            "s3.access-key": ACCESS_KEY,
            "s3.secret-key": SECRET_KEY,
        }

    def _start_with_ready_file(self, name: str, module: str, arguments: list[str]) -> None:
        """Start one of our own servers: it removes nothing itself, so a restart looks at the port as well."""
        file, port = self.folder / f"{name}.ready", self._ports[name]
        command = self._python(module, *arguments, "--ready-file", str(file))
        self.start_process(name, command, ready=lambda: file.exists() and accepts_connections(port), wait=False)
