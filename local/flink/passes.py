"""The state of one pass of the operator: the status as it stands, what was seen, what is to be done."""

from __future__ import annotations

import copy
from typing import Any

from local.flink import config, status
from local.flink.model import Action, Event, Json, Release, Seen, WriteStatus


class OperatorError(Exception):
    """An exception of the operator's own that ends a pass: its Java class (short), event reason, message."""

    def __init__(self, kind: str, reason: str, message: str) -> None:
        super().__init__(message)
        self.kind, self.reason, self.message = kind, reason, message


class Unobservable(Exception):  # noqa: N818 - named for what it means to the pass
    """The last checkpoint of an ended job cannot be asked for: the operator throws away all that it has observed."""


class Pass:
    """What observer and reconciler read and change. It changes only its own copies."""

    def __init__(
        self,
        resource: Json,
        seen: Seen,
        now_ms: int,
        new_job_id: str,
        defaults: dict[str, str],
        release: Release,
    ) -> None:
        self.meta: Json = resource["metadata"]
        self.generation: int = self.meta.get("generation", 1)
        self.spec = status.with_defaults(resource.get("spec") or {})
        self.status: Json = {**status.initial(), **copy.deepcopy(resource.get("status") or {})}
        self.seen, self.now, self.new_job_id, self.defaults, self.release = seen, now_ms, new_job_id, defaults, release
        self.actions: list[Action] = []

    @property
    def job(self) -> Json:
        """`status.jobStatus`, to be changed in place."""
        found: Json = self.status["jobStatus"]
        return found

    @property
    def job_state(self) -> str | None:
        """The job's state on record; None before the first deployment."""
        return self.job.get("state")

    @property
    def reconciliation(self) -> Json:
        """`status.reconciliationStatus`, to be changed in place."""
        found: Json = self.status["reconciliationStatus"]
        return found

    @property
    def last_spec(self) -> Json | None:
        """The last reconciled spec; None before the first deployment."""
        return status.read_spec(self.reconciliation.get("lastReconciledSpec"))

    @property
    def last(self) -> Json:
        """The last reconciled spec, where there must be one."""
        spec = self.last_spec
        assert spec is not None, "asked for the last reconciled spec before the first deployment"
        return spec

    @property
    def jm_status(self) -> str:
        """`status.jobManagerDeploymentStatus`."""
        return str(self.status["jobManagerDeploymentStatus"])

    @property
    def terminal(self) -> bool:
        """Whether the job on record has ended for good."""
        return self.job_state in status.GLOBALLY_TERMINAL

    @property
    def observed_configuration(self) -> dict[str, str]:
        """The Flink configuration of the last reconciled spec."""
        return config.user_configuration(self.last, self.defaults)

    @property
    def target_generation(self) -> int | None:
        """getUpgradeTargetGeneration: of the spec that was deployed or is about to be."""
        if self.release.observed_generation:
            return self.status.get("observedGeneration")
        return status.spec_generation(self.reconciliation.get("lastReconciledSpec"))

    def event(self, kind: str, reason: str, message: str) -> None:
        """Ask for an event on the FlinkDeployment."""
        self.actions.append(Event(kind, reason, message))

    def write_status(self) -> None:
        """Ask for the status as it stands to be written before what comes next."""
        self.actions.append(WriteStatus(self.finished()))

    def finished(self) -> Json:
        """The status as it stands, with its life cycle."""
        self.status["lifecycleState"] = status.lifecycle_state(self.status)
        return copy.deepcopy(self.status)

    def write_spec(self, spec: Json, first_deployment: bool) -> str:
        """The text of a reconciled spec, as this release writes it."""
        generation = None if self.release.observed_generation else self.generation
        return status.write_spec(spec, first_deployment, generation)

    def observe_generation(self) -> None:
        """The status has caught up with the spec, and says so as this release does (updateReconciliationMetadata)."""
        if self.release.observed_generation:
            self.status["observedGeneration"] = self.generation
            return
        text = self.reconciliation["lastReconciledSpec"]
        if status.spec_generation(text) != self.generation:
            self.reconciliation["lastReconciledSpec"] = self.write_spec(self.last, status.is_first_deployment(text))

    def rewrite_last_spec(self, **job: Any) -> None:
        """ReconciliationUtils.updateLastReconciledSpec, as both callers use it: no first deployment any more."""
        spec = self.last
        spec["job"].update(job)
        self.reconciliation["lastReconciledSpec"] = self.write_spec(spec, first_deployment=False)
