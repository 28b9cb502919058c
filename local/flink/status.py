"""The status of a FlinkDeployment as the operator keeps it (CommonStatus, ReconciliationUtils, SpecUtils of 1.10.0)."""

from __future__ import annotations

import copy
import json
from typing import Any

from local.flink import config
from local.flink.model import API_VERSION, Failure, Json

GLOBALLY_TERMINAL = frozenset({"FINISHED", "FAILED", "CANCELED"})
LAST_STATE_DUMMY_PATH = "KUBERNETES_OPERATOR_LAST_STATE"

EMR_FIELDS = frozenset({"emrReleaseLabel", "executionRoleArn", "monitoringConfiguration"})
EMR_JOB_MANAGER_FIELDS = frozenset({"highAvailabilityEnabled", "storageDir"})

_EXCEPTIONS = "org.apache.flink.kubernetes.operator.exception."
RECONCILIATION_EXCEPTION = _EXCEPTIONS + "ReconciliationException"
_FIELD_LIMIT = 2048  # kubernetes.operator.exception.field.max.length
_CAUSE_LIMIT = 2  # kubernetes.operator.exception.throwable.list.max.count

# The fields of JobSpec with their Java defaults: the operator writes all of them into lastReconciledSpec.
_JOB_DEFAULTS: Json = {
    "jarURI": None,
    "parallelism": 0,
    "entryClass": None,
    "args": [],
    "state": "running",
    "savepointTriggerNonce": None,
    "initialSavepointPath": None,
    "checkpointTriggerNonce": None,
    "upgradeMode": "stateless",
    "allowNonRestoredState": None,
    "savepointRedeployNonce": None,
}


def initial() -> Json:
    """The status of a resource that the operator has never seen."""
    return {
        "jobStatus": {
            "savepointInfo": {"lastPeriodicSavepointTimestamp": 0, "savepointHistory": []},
            "checkpointInfo": {"lastPeriodicCheckpointTimestamp": 0},
        },
        "clusterInfo": {},
        "jobManagerDeploymentStatus": "MISSING",
        "reconciliationStatus": {"reconciliationTimestamp": 0, "state": "UPGRADING"},
    }


def with_defaults(spec: Json) -> Json:
    """A copy of a spec whose `job` has every field."""
    spec = copy.deepcopy(spec)
    if spec.get("job") is not None:
        spec["job"] = {**_JOB_DEFAULTS, **spec["job"]}
    return spec


def as_upstream(spec: Json) -> Json:
    """A spec without EMR's fields, as the upstream operator writes it back.

    High availability is kept in Flink's own words: whatever brings an import to an upstream operator has to see to
    that when the FlinkDeployment is made (an admission policy, on `make node`).
    """
    spec = {key: copy.deepcopy(value) for key, value in spec.items() if key not in EMR_FIELDS}
    high_availability = config.high_availability(spec)
    if high_availability:
        spec["flinkConfiguration"] = {**(spec.get("flinkConfiguration") or {}), **high_availability}
    job_manager = spec.get("jobManager") or {}
    for field in EMR_JOB_MANAGER_FIELDS:
        job_manager.pop(field, None)
    return spec


def write_spec(spec: Json, first_deployment: bool, generation: int | None = None) -> str:
    """The JSON string that stands in lastReconciledSpec and lastStableSpec; generation: where it is told there."""
    metadata: Json = {"apiVersion": API_VERSION, "firstDeployment": first_deployment}
    if generation is not None:
        metadata["metadata"] = {"generation": generation}
    return json.dumps({"spec": spec, "resource_metadata": metadata}, sort_keys=True, separators=(",", ":"))


def read_spec(text: str | None) -> Json | None:
    """The spec out of such a string; None where there is none."""
    return json.loads(text)["spec"] if text else None


def spec_generation(text: str | None) -> int | None:
    """The generation that such a string tells; None where it tells none."""
    metadata = json.loads(text)["resource_metadata"] if text else {}
    found: int | None = (metadata.get("metadata") or {}).get("generation")
    return found


def is_first_deployment(text: str | None) -> bool:
    """Whether such a string is of a spec that was never deployed before."""
    return bool(text) and bool(json.loads(str(text))["resource_metadata"]["firstDeployment"])


def is_stable(reconciliation: Json) -> bool:
    """Whether the last reconciled spec is also the last stable one."""
    last = reconciliation.get("lastReconciledSpec")
    return last is not None and last == reconciliation.get("lastStableSpec")


def lifecycle_state(status: Json) -> str:
    """CommonStatus.getLifecycleState, in its order.

    1.10.0 has no DELETING and does not turn a missing JobManager into FAILED: both came with later releases.
    """
    reconciliation = status["reconciliationStatus"]
    last = read_spec(reconciliation.get("lastReconciledSpec"))
    if last is None:
        return "FAILED" if status.get("error") else "CREATED"
    if reconciliation["state"] in ("UPGRADING", "ROLLING_BACK"):
        return str(reconciliation["state"])
    if last.get("job") is not None and last["job"]["state"] == "suspended":
        return "SUSPENDED"
    if status["jobStatus"].get("state") == "FAILED":
        return "FAILED"
    if reconciliation["state"] == "ROLLED_BACK":
        return "ROLLED_BACK"
    return "STABLE" if is_stable(reconciliation) else "DEPLOYED"


def error_json(
    kind: str, message: str, causes: tuple[tuple[str, str], ...] = (), metadata: dict[str, str] | None = None
) -> str:
    """`status.error`: a JSON string. `kind` is a Java class name, or the short one of an operator's exception."""

    def entry(name: str, text: str) -> Json:
        return {
            "type": name[:_FIELD_LIMIT],
            "message": text[:_FIELD_LIMIT],
            "additionalMetadata": {},
            "throwableList": [],
        }

    top = entry(kind if "." in kind else _EXCEPTIONS + kind, message)
    top["additionalMetadata"] = metadata or {}
    top["throwableList"] = [entry(*cause) for cause in causes[:_CAUSE_LIMIT]]
    return json.dumps(top)


def failure_json(failure: Failure) -> str:
    """`status.error` of a job that failed: the operator sees its exception through a serialized wrapper."""
    return error_json("org.apache.flink.util.SerializedThrowable", f"{failure.type}: {failure.message}", failure.causes)


def merge_patch(old: Any, new: Any) -> Any:
    """The JSON merge patch (RFC 7396) that turns `old` into `new`."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    patch: Json = {key: None for key in old if key not in new}
    for key, value in new.items():
        if key not in old:
            patch[key] = value
        elif old[key] != value:
            patch[key] = merge_patch(old[key], value)
    return patch
