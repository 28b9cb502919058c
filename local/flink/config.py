"""The Flink configuration of a cluster, and what a laptop makes of it.

What the operator's FlinkConfigBuilder and EMR's additions would make of a spec, plus what stands in for Kubernetes:
addresses, ports, folders, and memory within what one machine can give.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local.flink.model import Json

_UNITS = {
    "": 1, "b": 1, "k": 2**10, "kb": 2**10, "kib": 2**10, "ki": 2**10, "m": 2**20, "mb": 2**20, "mib": 2**20,
    "mi": 2**20, "g": 2**30, "gb": 2**30, "gib": 2**30, "gi": 2**30, "t": 2**40, "tb": 2**40, "ti": 2**40,
}  # fmt: skip


def parse_memory(text: str) -> int:
    """Bytes of a memory size as Flink and Kubernetes write them ("2048m", "2Gi", "1.5 gb").

    Raises ValueError.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", text)
    if match is None or match[2].lower() not in _UNITS:
        raise ValueError(f"Could not parse value {text!r} as a memory size")
    return int(float(match[1]) * _UNITS[match[2].lower()])


def mebibytes(size: int) -> str:
    """A size in bytes in the form in which Flink's scripts want it."""
    return f"{size // 2**20}m"


@dataclass(frozen=True)
class Laptop:
    """The most that one process of a cluster gets here, in bytes, whatever was asked for on EMR."""

    job_manager: int = 1200 * 2**20
    task_manager: int = 1536 * 2**20


def high_availability(spec: Json) -> dict[str, str]:
    """EMR's `jobManager.highAvailabilityEnabled` (default true) and `storageDir` as Flink's options."""
    job_manager = spec.get("jobManager") or {}
    if job_manager.get("highAvailabilityEnabled") is False or not job_manager.get("storageDir"):
        return {}
    return {"high-availability.type": "kubernetes", "high-availability.storageDir": job_manager["storageDir"]}


def user_configuration(spec: Json, defaults: dict[str, str]) -> dict[str, str]:
    """The operator's default configuration, the spec's own, and HA: what validation and decisions look at."""
    return {**defaults, **(spec.get("flinkConfiguration") or {}), **high_availability(spec)}


def is_ha(configuration: dict[str, str]) -> bool:
    """Whether Flink's Kubernetes HA is on, under its new or its old name."""
    kind = configuration.get("high-availability.type") or configuration.get("high-availability") or "NONE"
    return kind.upper() != "NONE"


def checkpoint_directory(configuration: dict[str, str]) -> str:
    """Where checkpoints go, under the option's new or old name; "" where that is not said."""
    return configuration.get("execution.checkpointing.dir") or configuration.get("state.checkpoints.dir") or ""


def task_slots(configuration: dict[str, str]) -> int:
    """Slots of one TaskManager."""
    return max(1, int(configuration.get("taskmanager.numberOfTaskSlots") or 1))


def parallelism(spec: Json, configuration: dict[str, str]) -> int:
    """The job's parallelism: replicas x slots where replicas are given, else what the job says."""
    replicas = (spec.get("taskManager") or {}).get("replicas")
    if replicas:
        return int(replicas) * task_slots(configuration)
    return int((spec.get("job") or {}).get("parallelism") or 1)


def task_managers(spec: Json, configuration: dict[str, str]) -> int:
    """How many TaskManagers the job needs (FlinkUtils.getNumTaskManagers)."""
    return math.ceil(parallelism(spec, configuration) / task_slots(configuration))


def _fit(configuration: dict[str, str], role: str, asked: str | None, cap: int) -> str | None:
    """Set a process's memory, at most `cap`; a sentence for the log where that is less than was asked for."""
    key = f"{role}.memory.process.size"
    wanted = asked or configuration.get(key)
    size = cap if wanted is None else parse_memory(wanted)
    if size <= cap and wanted is not None:
        configuration[key] = mebibytes(size)
        return None
    # Parts of a process that were given in bytes would not fit any more: let Flink divide what there is.
    parts = re.compile(rf"{role}\.memory\..*\.(size|min|max)")
    for other in [name for name in configuration if parts.fullmatch(name)]:
        del configuration[other]
    configuration[key] = mebibytes(cap)
    if role == "taskmanager":
        configuration["taskmanager.memory.managed.fraction"] = "0.1"  # heap is what is scarce here
    return f"{role}: {wanted} of memory was asked for, {mebibytes(cap)} is what it gets on this machine"


def scale_to_laptop(spec: Json, configuration: dict[str, str], laptop: Laptop) -> tuple[dict[str, str], list[str]]:
    """The configuration with memory that fits, and what to say about that in the log."""
    scaled = dict(configuration)
    said = []
    for role, field, cap in (
        ("jobmanager", "jobManager", laptop.job_manager),
        ("taskmanager", "taskManager", laptop.task_manager),
    ):
        asked = ((spec.get(field) or {}).get("resource") or {}).get("memory")
        if sentence := _fit(scaled, role, asked, cap):
            said.append(sentence)
    return scaled, said


@dataclass(frozen=True)
class Deployment:
    """What distinguishes one deployment of a spec from the next."""

    namespace: str
    name: str
    job_id: str
    savepoint: str | None
    nonce: str
    """Random text: the job result store of each deployment has a path of its own (FLINK-27569)."""
    rest_port: int
    rpc_port: int
    python: str
    """The interpreter that has PyFlink."""
    temporary: str
    """A folder for spilled data and uploaded artifacts."""


def cluster_configuration(
    spec: Json, defaults: dict[str, str], deployment: Deployment, laptop: Laptop
) -> tuple[dict[str, str], list[str]]:
    """The whole configuration of a cluster, and what to say in the log about what was changed to fit."""
    user = {
        key: value
        for key, value in user_configuration(spec, defaults).items()
        if not key.startswith("kubernetes.operator.")  # FlinkService.removeOperatorConfigs
    }
    configuration, said = scale_to_laptop(spec, user, laptop)
    configuration.setdefault("execution.submit-failed-job-on-application-error", "true")
    configuration.setdefault("web.cancel.enable", "false")
    configuration.setdefault("pipeline.name", deployment.name)
    # It plans and coordinates, and is started often: the quick compiler alone takes a third off its start.
    configuration.setdefault("env.java.opts.jobmanager", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
    configuration |= {
        "execution.shutdown-on-application-finish": "false",
        "execution.target": "embedded",
        "kubernetes.cluster-id": deployment.name,
        "kubernetes.namespace": deployment.namespace,
        "parallelism.default": str(parallelism(spec, user)),
        "rest.address": "127.0.0.1",
        "rest.bind-address": "127.0.0.1",
        "rest.port": str(deployment.rest_port),
        "rest.bind-port": str(deployment.rest_port),
        "jobmanager.rpc.address": "127.0.0.1",
        "jobmanager.rpc.port": str(deployment.rpc_port),
        "jobmanager.bind-host": "127.0.0.1",
        "taskmanager.host": "127.0.0.1",
        "taskmanager.bind-host": "127.0.0.1",
        "python.client.executable": deployment.python,
        "python.executable": deployment.python,
        "io.tmp.dirs": deployment.temporary,
        "web.tmpdir": deployment.temporary,
        "blob.storage.directory": deployment.temporary,
    }
    if is_ha(configuration):
        storage = configuration["high-availability.storageDir"].rstrip("/")
        configuration.setdefault("job-result-store.delete-on-commit", "false")
        configuration["job-result-store.storage-path"] = (
            f"{storage}/job-result-store/{deployment.name}/{deployment.nonce}"
        )
    if deployment.savepoint is None:
        configuration.pop("execution.savepoint.path", None)
        configuration.pop("execution.state-recovery.path", None)
    return configuration, said


def job_arguments(spec: Json, deployment: Deployment, folders: dict[str, str]) -> list[str]:
    """The arguments of `standalone-job.sh start-foreground`.

    `folders` maps a path inside the container to the local folder that holds the same files: arguments at or below
    it are rewritten (docs/contracts.md, "The FlinkDeployment").
    """
    job = spec["job"]
    arguments = ["--job-classname", str(job["entryClass"]), "--job-id", deployment.job_id]
    if deployment.savepoint is not None:
        arguments += ["--fromSavepoint", deployment.savepoint]
        if job.get("allowNonRestoredState"):
            arguments.append("--allowNonRestoredState")
    return arguments + [rewrite_path(str(argument), folders) for argument in job.get("args") or []]


def rewrite_path(argument: str, folders: dict[str, str]) -> str:
    """An argument whose path inside the container, if it is one, has become the local one; longest match first."""
    for inside in sorted(folders, key=len, reverse=True):
        prefix = inside.rstrip("/")
        if argument == prefix or argument.startswith(prefix + "/"):
            return folders[inside] + argument[len(prefix) :]
    return argument


def flink_conf(configuration: Mapping[str, str]) -> str:
    """The text of flink-conf.yaml, the only configuration in a pod's /opt/flink/conf.

    In native mode the operator mounts a ConfigMap over that folder: the image's own config.yaml, with the Java options
    in it, is never read. Flink reads a file of this name with its old parser (no quotes; what follows a # is lost).
    """
    return "".join(f"{key}: {value}\n" for key, value in sorted(configuration.items()))


def operator_defaults(kubeconfig: Path, s3: Mapping[str, str]) -> dict[str, str]:
    """The operator's `defaultConfiguration`: where S3 and Kubernetes are."""
    return {"kubernetes.config.file": str(kubeconfig), **s3}
