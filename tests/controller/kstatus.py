"""What kstatus makes of an object of a kind that it does not know by name: Flux, kpt and `cli-utils` wait by it.

The rules: sigs.k8s.io/cli-utils, pkg/kstatus/status, core.go (checkGenericProperties, checkReadyCondition).
"""

from typing import Any


def kstatus(resource: dict[str, Any]) -> str:
    """Terminating, InProgress, Failed or Current."""
    meta, status = resource["metadata"], resource.get("status") or {}
    if "deletionTimestamp" in meta:
        return "Terminating"
    if status.get("observedGeneration", meta["generation"]) != meta["generation"]:
        return "InProgress"
    conditions = status.get("conditions") or []
    for condition in conditions:
        if (condition["type"], condition["status"]) == ("Reconciling", "True"):
            return "InProgress"
        if (condition["type"], condition["status"]) == ("Stalled", "True"):
            return "Failed"
    ready = next((c["status"] for c in conditions if c["type"] == "Ready"), "True")
    return "Current" if ready == "True" else "InProgress"
