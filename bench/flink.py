"""A Flink session cluster as processes: one JobManager, one TaskManager, and the driver that submits to them.

A session cluster, because its JVMs stay: a first run warms them up, and the rounds after it are measured warm, as
nearly all of an import's hours are.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from bench.servers import BenchError
from local.bootstrap import REPOSITORY, Layout
from local.processes import Process, free_port, start, wait_until

_PATIENCE = 300.0
_ENDED = ("CANCELED", "FINISHED", "FAILED")

# What manifests/build.py sets, with a shorter interval: a bounded job ends with its next checkpoint.
CHECKPOINT_INTERVAL = "execution.checkpointing.interval"
CHECKPOINTS = {
    CHECKPOINT_INTERVAL: "5 s",
    "execution.checkpointing.min-pause": "500 ms",
    "execution.checkpointing.mode": "EXACTLY_ONCE",
    "state.backend.type": "hashmap",
}


class Cluster:
    """One session cluster; everything is in `folder`."""

    def __init__(
        self,
        layout: Layout,
        folder: Path,
        jars: Iterable[Path],
        configuration: Mapping[str, str],
        environment: Mapping[str, str],
    ) -> None:
        """jars: for `lib/`, beside Flink's own. environment: of the processes, in addition to the machine's."""
        self._layout, self.folder, self._jars = layout, folder, list(jars)
        taken: set[int] = set()
        self.rest_port = free_port(taken)
        self._rpc_port = free_port(taken)
        self._configuration = dict(configuration)
        self._environment = dict(environment)
        self._job_manager: Process | None = None
        self._task_manager: Process | None = None
        self._driver: subprocess.Popen[str] | None = None

    # --- life ---

    def start(self) -> None:
        """Start everything and wait until the TaskManager has registered. Errors: BenchError."""
        self._write_folders()
        self._job_manager = self._start("jobmanager.sh", "jobmanager")
        self.start_task_manager()
        with (self.folder / "driver.log").open("wb") as log:
            self._driver = subprocess.Popen(
                [str(self._layout.job_python), str(REPOSITORY / "bench" / "driver.py")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**self._process_environment("driver"), "PYTHONPATH": str(REPOSITORY / "flink_job")},
                start_new_session=True,
            )

    def start_task_manager(self) -> None:
        """Start a TaskManager and wait until the JobManager has it. Errors: BenchError."""
        before = self._registered()
        self._task_manager = self._start("taskmanager.sh", "taskmanager")
        process = self._task_manager

        def registered() -> bool:
            return bool(self._registered() - before)

        if not wait_until(lambda: registered() or not process.alive, _PATIENCE) or not process.alive:
            raise BenchError(f"the TaskManager did not register:\n{process.tail(40)}")

    def _registered(self) -> set[str]:
        """The TaskManagers that the JobManager knows, one that has just died among them; none while it starts."""
        try:
            return {entry["id"] for entry in self._get("/taskmanagers")["taskmanagers"]}
        except OSError:
            return set()

    def kill_task_manager(self) -> None:
        """SIGKILL, as a lost node."""
        if self._task_manager:
            self._task_manager.signal()

    def stop(self) -> None:
        if self._driver:
            self._driver.communicate()  # it ends with its input
        for process in (self._task_manager, self._job_manager):
            if process:
                process.end(patience=2)

    @property
    def pids(self) -> list[int]:
        """What a job's CPU time is made of."""
        return [process.pid for process in (self._job_manager, self._task_manager) if process]

    @property
    def task_manager_pid(self) -> int:
        assert self._task_manager
        return self._task_manager.pid

    def _write_folders(self) -> None:
        home = self._layout.flink_home
        for name in ("lib", "plugins", "log", "tmp", "checkpoints"):
            (self.folder / name).mkdir(parents=True)
        shutil.copytree(home / "conf", self.folder / "conf")
        for jar in [*home.glob("lib/*.jar"), *home.glob("opt/flink-python-*.jar"), *self._jars]:
            (self.folder / "lib" / jar.name).symlink_to(jar)
        stock: Any = yaml.safe_load((home / "conf" / "config.yaml").read_text())
        temporary = str(self.folder / "tmp")
        configuration = {
            "env.java.opts.all": stock["env"]["java"]["opts"]["all"],
            "jobmanager.memory.process.size": "900m",
            "taskmanager.memory.managed.size": "0m",
            "execution.checkpointing.dir": (self.folder / "checkpoints").as_uri(),
            "restart-strategy.type": "fixed-delay",
            "restart-strategy.fixed-delay.attempts": "3",
            "restart-strategy.fixed-delay.delay": "1 s",
            "slotmanager.max-total-resource.cpu": "100",
            "heartbeat.interval": "2 s",
            "heartbeat.timeout": "10 s",
            "rest.address": "127.0.0.1",
            "rest.bind-address": "127.0.0.1",
            "rest.port": str(self.rest_port),
            "rest.bind-port": str(self.rest_port),
            "jobmanager.rpc.address": "127.0.0.1",
            "jobmanager.rpc.port": str(self._rpc_port),
            "jobmanager.bind-host": "127.0.0.1",
            "taskmanager.host": "127.0.0.1",
            "taskmanager.bind-host": "127.0.0.1",
            "python.client.executable": str(self._layout.job_python),
            "io.tmp.dirs": temporary,
            "web.tmpdir": temporary,
            "blob.storage.directory": temporary,
            **CHECKPOINTS,
            **self._configuration,
        }
        if "taskmanager.memory.task.heap.size" not in configuration:
            configuration["taskmanager.memory.process.size"] = "1536m"
        lines = [f"{key}: {json.dumps(value)}\n" for key, value in sorted(configuration.items())]
        (self.folder / "conf" / "config.yaml").write_text("".join(lines))

    def _process_environment(self, name: str) -> dict[str, str]:
        environment = {
            **os.environ,
            **self._environment,
            "FLINK_HOME": str(self._layout.flink_home),
            "FLINK_CONF_DIR": str(self.folder / "conf"),
            "FLINK_LIB_DIR": str(self.folder / "lib"),
            "FLINK_PLUGINS_DIR": str(self.folder / "plugins"),
            "FLINK_LOG_DIR": str(self.folder / "log"),
            "FLINK_PID_DIR": str(self.folder / "tmp"),
            "FLINK_IDENT_STRING": name,
        }
        environment.pop("PYTHONPATH", None)
        return environment

    def _start(self, script: str, name: str) -> Process:
        command = [str(self._layout.flink_home / "bin" / script), "start-foreground"]
        return start(command, self.folder / "log" / f"{name}.out", env=self._process_environment(name))

    # --- jobs ---

    def submit_main(
        self, arguments: list[str], environment: Mapping[str, str], configuration: Mapping[str, str]
    ) -> str:
        """Run flink_job/main.py as the job image does; the job's id. configuration: of this job alone."""
        return self._submit(
            {"main": list(arguments), "environment": dict(environment), "configuration": dict(configuration)}
        )

    def submit_sql(self, settings: Mapping[str, str], statements: list[str], insert: str) -> str:
        """Run DDL and one INSERT; the job's id."""
        return self._submit(
            {"settings": dict(settings), "statements": statements, "insert": insert, "configuration": {}}
        )

    def _submit(self, order: dict[str, Any]) -> str:
        """Errors: BenchError with the driver's traceback."""
        assert self._driver
        assert self._driver.stdin
        assert self._driver.stdout
        before = {job["jid"] for job in self._get("/jobs/overview")["jobs"]}
        self._driver.stdin.write(json.dumps(order) + "\n")
        self._driver.stdin.flush()
        line = self._driver.stdout.readline()
        if not line:
            raise BenchError(f"the driver has ended; its log is {self.folder / 'driver.log'}")
        if error := json.loads(line)["error"]:
            raise BenchError(error)
        new = [job["jid"] for job in self._get("/jobs/overview")["jobs"] if job["jid"] not in before]
        if len(new) != 1:
            raise BenchError(f"one job was submitted, {len(new)} have come")
        return str(new[0])

    def job(self, job_id: str) -> dict[str, Any]:
        """The job as REST shows it."""
        found: dict[str, Any] = self._get(f"/jobs/{job_id}")
        return found

    def wait(self, job_id: str, seconds: float = 600.0) -> dict[str, Any]:
        """Wait until the job has finished. Errors: BenchError when it fails or takes too long."""
        deadline = time.monotonic() + seconds
        while (job := self.job(job_id))["state"] != "FINISHED":
            if job["state"] in _ENDED:
                exceptions = self._get(f"/jobs/{job_id}/exceptions")
                raise BenchError(f"the job is {job['state']}: {json.dumps(exceptions)[:3000]}")
            if time.monotonic() > deadline:
                raise BenchError(f"the job is {job['state']} after {seconds:.0f} s; logs are in {self.folder / 'log'}")
            time.sleep(0.1)
        return job

    def abandon(self, job_ids: Iterable[str]) -> None:
        """End jobs at once: cancelled and, since a writer may not let go while it is throttled, without their
        TaskManager. A new one is started. Errors: BenchError."""
        ids = list(job_ids)
        for job_id in ids:
            self._cancel(job_id)
        self.kill_task_manager()
        if not wait_until(lambda: all(self.job(job_id)["state"] in _ENDED for job_id in ids), _PATIENCE):
            raise BenchError("jobs do not end when they are cancelled")
        self.start_task_manager()

    def _cancel(self, job_id: str) -> None:
        request = urllib.request.Request(f"http://127.0.0.1:{self.rest_port}/jobs/{job_id}?mode=cancel", method="PATCH")
        try:
            urllib.request.urlopen(request, timeout=30).close()
        except urllib.error.HTTPError as error:
            if error.code != 409:  # it has ended by itself
                raise

    def _get(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.rest_port}{path}", timeout=30) as answer:
            return json.load(answer)
