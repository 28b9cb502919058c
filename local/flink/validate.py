"""The operator's admission rules: DefaultValidator of 1.10.0, and what EMR's documents add.

EMR's samples leave `serviceAccount` out beside `executionRoleArn`, so its operator must fill it in; the upstream one
demands it.
"""

from __future__ import annotations

import re

from local.flink import config
from local.flink.model import EMR, Json, Release

_NAME = re.compile(r"[a-z]([-a-z\d]{0,43}[a-z\d])?")
_FORBIDDEN = ("kubernetes.namespace", "kubernetes.cluster-id", "high-availability.cluster-id")
_FLINK_VERSIONS = frozenset({"v1_15", "v1_16", "v1_17", "v1_18", "v1_19", "v1_20"})
_HA_PAGE = "see jobruns-flink-using-ha.html in EMR's guide"


def problem(
    name: str, spec: Json, last_reconciled: Json | None, defaults: dict[str, str], release: Release = EMR
) -> str | None:
    """The first rule that a FlinkDeployment breaks, in the operator's words; None where it breaks none."""
    configuration = config.user_configuration(spec, defaults)
    return (
        _name(name)
        or _flink_version(spec)
        or _configuration(configuration)
        or _log_configuration(spec)
        or _job(spec, configuration)
        or _job_manager(spec, configuration, release)
        or _resources("taskmanager", "TaskManager", spec.get("taskManager") or {}, configuration)
        or _change(spec, last_reconciled)
        or _service_account(spec, release)
    )


def _name(name: str) -> str | None:
    if _NAME.fullmatch(name):
        return None
    return (
        f"The FlinkDeployment name: {name} is invalid, must consist of lower case alphanumeric characters or '-', "
        "start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or "
        "'abc-123'), and the length must be no more than 45 characters."
    )


def _flink_version(spec: Json) -> str | None:
    version = spec.get("flinkVersion")
    if version is None:
        return "Flink Version must be defined."
    if version not in _FLINK_VERSIONS:
        return f"Flink version {version} is not supported by this operator version"
    return None


def _configuration(configuration: dict[str, str]) -> str | None:
    return next((f"Forbidden Flink config key: {key}" for key in _FORBIDDEN if key in configuration), None)


def _log_configuration(spec: Json) -> str | None:
    allowed = ("log4j-console.properties", "logback-console.xml")
    for key in spec.get("logConfiguration") or {}:
        if key not in allowed:
            return f"Invalid log config key: {key}. Allowed keys are [{', '.join(allowed)}]"
    return None


def _job(spec: Json, configuration: dict[str, str]) -> str | None:
    job = spec.get("job")
    if job is None:
        return "Session clusters are not what this stand-in runs: spec.job must be defined."
    mode = job.get("upgradeMode") or "stateless"
    if mode == "savepoint":
        return "Savepoints are not what this stand-in makes: spec.job.upgradeMode must be stateless or last-state."
    if mode != "stateless" and not config.checkpoint_directory(configuration):
        return (
            "Checkpoint directory[execution.checkpointing.dir] must be defined for last-state and savepoint "
            "upgrade modes"
        )
    replicas = (spec.get("taskManager") or {}).get("replicas")
    if replicas is not None and replicas < 1:
        return "TaskManager replicas must be larger than 0"
    if replicas is None and int(job.get("parallelism") or 0) < 1:
        return "Job parallelism must be larger than 0"
    return None


def _job_manager(spec: Json, configuration: dict[str, str], release: Release) -> str | None:
    job_manager = spec.get("jobManager") or {}
    wrong = _resources("jobmanager", "JobManager", job_manager, configuration)
    if wrong:
        return wrong
    if release.emr and (wrong := _emr_high_availability(job_manager)):
        return wrong
    replicas = job_manager.get("replicas", 2 if release.emr else 1)
    if replicas < 1:
        return "JobManager replicas should not be configured less than one."
    if replicas > 1 and not config.is_ha(configuration):
        return "High availability should be enabled when starting standby JobManagers."
    return None


def _emr_high_availability(job_manager: Json) -> str | None:
    enabled = job_manager.get("highAvailabilityEnabled", True)
    storage = job_manager.get("storageDir")
    if enabled and not storage:
        return f"spec.jobManager.storageDir must be defined while high availability is enabled ({_HA_PAGE})"
    if enabled and not str(storage).startswith(("s3://", "s3a://", "s3p://")):
        return f"spec.jobManager.storageDir: {storage} must be a path in S3 ({_HA_PAGE})"
    return None


def _service_account(spec: Json, release: Release) -> str | None:
    if release.emr or spec.get("serviceAccount"):
        return None
    return (
        "spec.serviceAccount must be defined. If you use helm, its value should be the same with the name of "
        "jobServiceAccount."
    )


def _resources(role: str, component: str, part: Json, configuration: dict[str, str]) -> str | None:
    memory = (part.get("resource") or {}).get("memory")
    if memory is None:
        sizes = ("process.size", "flink.size")
        if any(f"{role}.memory.{size}" in configuration for size in sizes):
            return None
        field = component[0].lower() + component[1:]
        return f"{component} resource memory must be defined using `spec.{field}.resource.memory`"
    try:
        config.parse_memory(str(memory))
    except ValueError as error:
        return f"{component} resource memory parse error: {error}"
    return None


def _change(spec: Json, last: Json | None) -> str | None:
    if last is None:
        return None
    if (last.get("mode") or "native") != (spec.get("mode") or "native"):
        return "Cannot switch between native kubernetes and standalone kubernetes cluster"
    return None
