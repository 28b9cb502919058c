"""Which change of a spec the operator acts on (ReflectiveDiffBuilder and the SpecDiff annotations of 1.10.0)."""

from __future__ import annotations

from enum import Enum
from typing import Any

from local.flink.model import Json

_IGNORED_JOB_FIELDS = frozenset(
    {
        "savepointTriggerNonce",
        "savepointRedeployNonce",
        "checkpointTriggerNonce",
        "initialSavepointPath",
        "upgradeMode",
        "allowNonRestoredState",
    }
)
_IGNORED_PREFIXES = ("job.autoscaler", "parallelism.default", "kubernetes.operator")


class Change(Enum):
    """What a difference between two specs asks for."""

    NONE = "IGNORE"
    UPGRADE = "UPGRADE"


def _compared(spec: Json) -> Json:
    """The part of a spec that is compared; fields without a value are as good as absent."""
    job = {k: v for k, v in (spec.get("job") or {}).items() if k not in _IGNORED_JOB_FIELDS}
    configuration = {
        key: value
        for key, value in (spec.get("flinkConfiguration") or {}).items()
        if not key.startswith(_IGNORED_PREFIXES)
    }
    rest = {key: value for key, value in spec.items() if key not in ("restartNonce", "job", "flinkConfiguration")}
    compared: Json = _without_nothing({**rest, "job": job, "flinkConfiguration": configuration})
    return compared


def _without_nothing(value: Any) -> Any:
    if isinstance(value, dict):
        inner = {key: _without_nothing(item) for key, item in value.items()}
        return {key: item for key, item in inner.items() if item not in (None, {}, [])}
    return value


def change(last: Json, current: Json) -> Change:
    """What the difference between the last reconciled spec and the current one asks for.

    A nonce counts when it has a value, and another one than before.
    """
    restart = current.get("restartNonce")
    if restart is not None and restart != last.get("restartNonce"):
        return Change.UPGRADE
    return Change.NONE if _compared(last) == _compared(current) else Change.UPGRADE
