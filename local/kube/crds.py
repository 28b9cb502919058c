"""The FlinkDeployment CRD that EMR's operator serves: the official one of 1.10.0 with EMR's fields added."""

from __future__ import annotations

import copy
from typing import Any

_STRING = {"type": "string"}


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


# Field -> schema, below `spec`. EMR publishes its fields in prose only; each source is named with its group.
# jobruns-flink-kubernetes-operator-run-application.html, pyflink-for-flink.html
_EMR_SPEC = {
    "emrReleaseLabel": _STRING,
    "executionRoleArn": _STRING,
    # jobruns-flink-monitoring-configuration.html
    "monitoringConfiguration": _object(
        image=_STRING,
        s3MonitoringConfiguration=_object(logUri=_STRING),
        cloudWatchMonitoringConfiguration=_object(logGroupName=_STRING, logStreamNamePrefix=_STRING),
        sideCarResources=_object(limits=_object(cpuLimit=_STRING, memoryLimit=_STRING)),
        containerLogRotationConfiguration=_object(
            rotationSize=_STRING, maxFilesToKeep={"type": "integer", "minimum": 1, "maximum": 50}
        ),
    ),
}
# jobruns-flink-using-ha.html
_EMR_JOB_MANAGER = {"highAvailabilityEnabled": {"type": "boolean"}, "storageDir": _STRING}


def with_emr_fields(official: dict[str, Any]) -> dict[str, Any]:
    """A copy of the official CRD (as parsed YAML) that takes what EMR's operator takes.

    Without these fields the API server prunes them silently: no part of the official schema preserves unknown ones.
    """
    crd = copy.deepcopy(official)
    # An object that comes out of the CRD generator carries no status that an API server would accept.
    crd.pop("status", None)
    for version in crd["spec"]["versions"]:
        spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
        spec.update(copy.deepcopy(_EMR_SPEC))
        spec["jobManager"]["properties"].update(copy.deepcopy(_EMR_JOB_MANAGER))
    return crd
