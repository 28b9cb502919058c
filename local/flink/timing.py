"""How long operator, kubelet and Flink let things wait: as they are, or quicker, for tests and demos."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from local.flink.model import Json


@dataclass(frozen=True)
class Timing:
    """Seconds. The operator's own intervals may be 0: it looks at every round then, once a second."""

    reconcile: float
    """Between two looks of the operator at a resource that is as it should be (kubernetes.operator.reconcile.interval
    of its chart)."""
    progress: float
    """… at one that is being deployed or cancelled (kubernetes.operator.observer.progress-check.interval)."""
    rest_ready: float
    """Between a JobManager's port and the first request to it (kubernetes.operator.observer.rest-ready.delay)."""
    first_backoff: float
    """Before a container that died for the second time is started again; it doubles with each further death."""
    longest_backoff: float
    healthy_after: float
    """After this long without a death a container's deaths are forgotten."""
    termination: float
    """Between SIGTERM and SIGKILL."""
    mounts: float
    """Between two looks at what is mounted (a kubelet: its syncFrequency)."""
    flink: Mapping[str, str] = field(default_factory=dict)
    """Flink options in place of its own defaults."""

    def backoff(self, deaths: int) -> float:
        """Before a container is started again that died `deaths` times: at once, then 10 s, 20 s, … 5 min."""
        return 0.0 if deaths < 2 else min(self.first_backoff * 2.0 ** (deaths - 2), self.longest_backoff)

    def next_look(self, status: Json, before: Json) -> float:
        """Until the operator looks at a resource again (ReconciliationUtils.toUpdateControl of 1.10.0).

        status, before: the resource's status after the pass and before it.
        """

        def upgrading(of: Json) -> bool:
            return bool((of.get("reconciliationStatus") or {}).get("state") == "UPGRADING")

        if (status.get("jobStatus") or {}).get("state") == "CANCELLING":
            return self.progress
        if upgrading(status) and not upgrading(before):
            return 0.0
        intervals = {"DEPLOYING": self.progress, "DEPLOYED_NOT_READY": self.rest_ready}
        return intervals.get(status.get("jobManagerDeploymentStatus", ""), self.reconcile)


REAL = Timing(
    reconcile=15,
    progress=5,
    rest_ready=10,
    first_backoff=10,
    longest_backoff=300,
    healthy_after=600,
    termination=30,
    mounts=60,
)

QUICK = Timing(
    reconcile=0,
    progress=0,
    rest_ready=0,
    first_backoff=1,
    longest_backoff=30,
    healthy_after=60,
    termination=4,
    mounts=5,
    flink={
        "metrics.fetcher.update-interval": "1000",
        "web.refresh-interval": "1000",
        "heartbeat.interval": "2 s",
        "heartbeat.timeout": "20 s",
        "high-availability.kubernetes.leader-election.retry-period": "3 s",
    },
)
"""A tenth of what a kubelet waits after a crash, and about that of what the operator and Flink do."""


def back_off_text(seconds: float) -> str:
    """A duration as Go writes it in a kubelet's messages: 10s, 1m20s, 5m0s."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
