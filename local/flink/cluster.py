"""One Flink cluster as processes: what Kubernetes would do for a JobManager deployment and its TaskManagers.

Everything about a cluster is in its folder, `cluster.json` first of all: processes outlive the operator stand-in, as
pods would, and a new one finds them there.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import shutil
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from local.flink import config, mounts
from local.flink.model import Json
from local.flink.timing import Timing, back_off_text
from local.processes import Process, accepts_connections, free_port, start, wait_until

_log = logging.getLogger("local.flink.cluster")

_RESPAWN = 2.0  # seconds between two starts of TaskManagers
_CONF_FILES = ("log4j-console.properties", "logback-console.xml")  # what the operator ships beside flink-conf.yaml


@dataclass(frozen=True)
class Distribution:
    """What clusters are made from."""

    flink_home: Path
    """The Flink distribution inside PyFlink."""
    python: Path
    """The interpreter that has PyFlink."""
    plugins: tuple[Path, ...]
    """Jars of plugins; each gets a folder of its own."""
    jars: tuple[Path, ...]
    """The job's jars, for `lib/`."""
    usrlib: Path
    """What /opt/flink/usrlib holds in the image."""
    laptop: config.Laptop
    defaults: dict[str, str]
    """The operator's default Flink configuration."""
    timing: Timing


class Cluster:
    """The JobManager and TaskManagers of one FlinkDeployment. Safe to use from several threads."""

    def __init__(
        self,
        folder: Path,
        namespace: str,
        name: str,
        distribution: Distribution,
        reader: mounts.ObjectReader,
        pod_event: Callable[[str, str], None],
    ) -> None:
        """folder: the cluster's own. pod_event: told reason and message when a pod's state changes for the worse."""
        self.folder, self.namespace, self.name = folder, namespace, name
        self._distribution, self._reader, self._pod_event = distribution, reader, pod_event
        self._lock = threading.RLock()
        self._last_worker_start = 0.0
        self._last_refresh = 0.0
        self._pending: str | None = None
        self._record: Json = {}
        if self._file.exists():
            self._record = json.loads(self._file.read_text())

    @property
    def _file(self) -> Path:
        return self.folder / "cluster.json"

    def _save(self) -> None:
        new = self._file.with_suffix(".new")
        new.touch(mode=0o600)
        new.write_text(json.dumps(self._record, indent=1))
        new.rename(self._file)

    # --- what the operator sees ---

    @property
    def deployed_generation(self) -> int | None:
        """The generation of the spec that is deployed; None where nothing is."""
        return self._record.get("generation")

    @property
    def rest_port(self) -> int | None:
        """The JobManager's REST port on 127.0.0.1; None where nothing is deployed."""
        return self._record.get("rest_port")

    @property
    def port_ready(self) -> bool:
        """Whether the REST port takes connections."""
        port = self.rest_port
        return port is not None and accepts_connections(port)

    @property
    def waiting(self) -> tuple[str, str] | None:
        """The container's waiting state where it is an error: CrashLoopBackOff from the second death on."""
        deaths = self._record.get("deaths", 0)
        if deaths < 2 or self.alive:
            return None
        pause = back_off_text(self._timing.backoff(deaths))
        pod = f"{self.name}_{self.namespace}"
        return "CrashLoopBackOff", f"back-off {pause} restarting failed container={mounts.CONTAINER} pod={pod}"

    @property
    def _timing(self) -> Timing:
        return self._distribution.timing

    @property
    def alive(self) -> bool:
        """Whether the JobManager's process runs: what the readiness of its deployment would say."""
        record = self._record.get("job_manager")
        return record is not None and Process.from_json(record).alive

    def processes(self) -> dict[str, Process]:
        """The processes on record by name (`jobmanager`, `taskmanager-1`, …), whether they still run or not."""
        with self._lock:
            found = {}
            if self._record.get("job_manager"):
                found["jobmanager"] = Process.from_json(self._record["job_manager"])
            for number, record in enumerate(self._record.get("task_managers", []), start=1):
                found[f"taskmanager-{number}"] = Process.from_json(record)
            return found

    # --- what the operator does ---

    def deploy(self, spec: Json, generation: int, job_id: str, savepoint: str | None) -> None:
        """Make this the cluster's desired state; `keep` starts the processes."""
        with self._lock:
            self._end_processes()
            taken: set[int] = set()
            self._record = {
                "generation": generation,
                "spec": spec,
                "job_id": job_id,
                "savepoint": savepoint,
                "nonce": secrets.token_hex(8),
                "rest_port": free_port(taken),
                "rpc_port": free_port(taken),
                "deaths": 0,
                "started": 0.0,
                "ended": 0.0,
                "task_managers": [],
            }
            self._write_folders()
            self._save()

    def delete(self) -> None:
        """End every process and forget the deployment. Logs stay."""
        with self._lock:
            self._end_processes()
            self._record = {}
            _remove_temporary(self.folder)
            self._file.unlink(missing_ok=True)

    def keep(self, job_ended: bool) -> None:
        """What a kubelet and Flink's own resource manager do now: start what should run, notice what died.

        job_ended: the job is in a terminal state, so no TaskManager is needed any more.
        """
        with self._lock:
            if self.deployed_generation is None:
                return
            self._keep_job_manager()
            self._refresh_mounts()
            if job_ended:
                self._end_task_managers()
            elif self.alive and self.port_ready:
                self._keep_task_managers()

    def _refresh_mounts(self) -> None:
        """What the mounted objects say now reaches the running processes; what is gone stays as it was mounted."""
        if self.alive and time.time() - self._last_refresh > self._timing.mounts:
            self._last_refresh = time.time()
            self._mount()

    def _keep_job_manager(self) -> None:
        now = time.time()
        if self.alive:
            if now - self._record["started"] > self._timing.healthy_after:
                self._record["deaths"] = 0
            return
        dead = self._record.pop("job_manager", None)
        if dead is not None:
            Process.from_json(dead).end_orphans()
            self._record.update(deaths=self._record["deaths"] + 1, ended=now)
            self._save()
            _log.warning("%s/%s: JobManager died, %d times", self.namespace, self.name, self._record["deaths"])
            if self.waiting:
                self._pod_event("BackOff", f"Back-off restarting failed container {mounts.CONTAINER}")
        if now - self._record["ended"] < self._timing.backoff(self._record["deaths"]):
            return
        folders = self._mount()
        if folders is None:
            return
        deployment = self._deployment()
        arguments = config.job_arguments(self._record["spec"], deployment, folders)
        self._record["started"] = now
        self._record["job_manager"] = self._start("standalone-job.sh", arguments, "jobmanager").as_json()
        self._save()

    def _keep_task_managers(self) -> None:
        running = []
        for record in self._record["task_managers"]:
            process = Process.from_json(record)
            if process.alive:
                running.append(record)
            else:
                process.end_orphans()
                _log.warning("%s/%s: a TaskManager died", self.namespace, self.name)
        spec = self._record["spec"]
        wanted = config.task_managers(spec, config.user_configuration(spec, self._distribution.defaults))
        if len(running) < wanted and time.time() - self._last_worker_start > _RESPAWN and self._mount() is not None:
            self._last_worker_start = time.time()
            for _ in range(wanted - len(running)):
                number = self._record["workers_started"] = self._record.get("workers_started", 0) + 1
                running.append(self._start("taskmanager.sh", [], f"taskmanager-{number}").as_json())
        if running != self._record["task_managers"]:
            self._record["task_managers"] = running
            self._save()

    # --- processes ---

    def _deployment(self) -> config.Deployment:
        return config.Deployment(
            namespace=self.namespace,
            name=self.name,
            job_id=self._record["job_id"],
            savepoint=self._record["savepoint"],
            nonce=self._record["nonce"],
            rest_port=self._record["rest_port"],
            rpc_port=self._record["rpc_port"],
            python=str(self._distribution.python),
            temporary=str(self.folder / "tmp"),
        )

    def _write_folders(self) -> None:
        """conf/, lib/ and plugins/ of this deployment, as an image would hold them."""
        home = self._distribution.flink_home
        for name in ("conf", "lib", "plugins", "tmp", "mounts"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        for name in ("conf", "lib", "plugins", "tmp"):
            (self.folder / name).mkdir(parents=True)
        for name in _CONF_FILES:
            shutil.copy(home / "conf" / name, self.folder / "conf")
        for jar in [*home.glob("lib/*.jar"), *self._distribution.jars]:
            (self.folder / "lib" / jar.name).symlink_to(jar)
        for plugin in home.glob("plugins/*/"):
            (self.folder / "plugins" / plugin.name).symlink_to(plugin)
        for jar in self._distribution.plugins:
            (self.folder / "plugins" / jar.stem).mkdir()
            (self.folder / "plugins" / jar.stem / jar.name).symlink_to(jar)
        configuration, said = config.cluster_configuration(
            self._record["spec"], self._distribution.defaults, self._deployment(), self._distribution.laptop
        )
        for sentence in said:
            _log.info("%s/%s: %s", self.namespace, self.name, sentence)
        file = self.folder / "conf" / "flink-conf.yaml"
        file.touch(mode=0o600)
        file.write_text(config.flink_conf(configuration))

    def _mount(self) -> dict[str, str] | None:
        """Mount the volumes; None while one of them cannot be: the pod is not there yet, it is ContainerCreating."""
        try:
            folders = mounts.mount(self._record["spec"], self.namespace, self.folder / "mounts", self._reader)
        except mounts.NotMountable as error:
            if str(error) != self._pending:
                self._pending = str(error)
                _log.warning("%s/%s: ContainerCreating: %s", self.namespace, self.name, error)
                self._pod_event("FailedMount", str(error))
            return None
        self._pending = None
        return {"/opt/flink/usrlib": str(self._distribution.usrlib), **folders}

    def _start(self, script: str, arguments: list[str], name: str) -> Process:
        home = self._distribution.flink_home
        environment = {
            **os.environ,
            **mounts.environment(self._record["spec"]),
            "FLINK_HOME": str(home),
            "FLINK_CONF_DIR": str(self.folder / "conf"),
            "FLINK_LIB_DIR": str(self.folder / "lib"),
            # flink-python is there, and comes to a job by its own class loader.
            "FLINK_OPT_DIR": str(home / "opt"),
            "FLINK_PLUGINS_DIR": str(self.folder / "plugins"),
            "FLINK_LOG_DIR": str(self.folder / "log"),
            "FLINK_PID_DIR": str(self.folder / "tmp"),
            "FLINK_IDENT_STRING": name,
        }
        environment.pop("PYTHONPATH", None)  # the stand-in's own, not the job's
        (self.folder / "log").mkdir(exist_ok=True)
        (self.folder / "tmp").mkdir(exist_ok=True)
        command = [str(home / "bin" / script), "start-foreground", *arguments]
        process = start(command, self.folder / "log" / f"{name}.log", env=environment, cwd=self.folder)
        _log.info("%s/%s: started %s as %d", self.namespace, self.name, name, process.pid)
        return process

    def _end_task_managers(self) -> None:
        if self._record.get("task_managers"):
            end_all([Process.from_json(record) for record in self._record["task_managers"]], self._timing.termination)
            self._record["task_managers"] = []
            self._save()

    def _end_processes(self) -> None:
        end_all(list(self.processes().values()), self._timing.termination)


def _remove_temporary(folder: Path) -> None:
    """Remove what only a running cluster needs, mounted Secrets above all."""
    for name in ("mounts", "tmp"):
        shutil.rmtree(folder / name, ignore_errors=True)


def end_all(processes: list[Process], patience: float) -> None:
    """Ask all to end at once, and kill those that have not after `patience` seconds."""
    for process in processes:
        process.signal(signal.SIGTERM)
    wait_until(lambda: not any(process.alive for process in processes), patience)
    for process in processes:
        process.end(patience=0)


def end_clusters(stack_folder: Path) -> None:
    """End every process of every cluster below a stack's folder: for `down`, when no operator runs any more."""
    found = []
    files = list((stack_folder / "flink").glob("*/*/cluster.json"))
    for file in files:
        record = json.loads(file.read_text())
        found += [Process.from_json(entry) for entry in record.get("task_managers", [])]
        found += [Process.from_json(record["job_manager"])] if record.get("job_manager") else []
    end_all(found, patience=1.0)
    for file in files:
        _remove_temporary(file.parent)
        file.unlink()
