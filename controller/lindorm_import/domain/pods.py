"""What the job's pods, and the quotas of their namespace, say of themselves, in this project's words."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True)
class PodSeen:
    """A pod of the job. reason: Kubernetes' word for why it does not run, or why it (or its container) ended last, ""
    for none (ImagePullBackOff, OOMKilled, Unschedulable, Evicted, …); message: Kubernetes' own sentence. container and
    image: those that it is about; exit_code and ended_at: of a container that ended; runs: it runs again; pending:
    not every container of it has started yet."""

    name: str
    job_manager: bool
    reason: str = ""
    message: str = ""
    container: str = ""
    image: str = ""
    exit_code: int | None = None
    ended_at: datetime | None = None
    runs: bool = False
    pending: bool = False


@dataclass(frozen=True)
class QuotaSeen:
    """One resource that a ResourceQuota counts (pods, requests.memory, …), in whole ones, cores or bytes."""

    quota: str
    resource: str
    used: Decimal
    hard: Decimal


@dataclass(frozen=True)
class PodsSeen:
    """The job's pods, and what the namespace's quotas count."""

    pods: tuple[PodSeen, ...] = ()
    quotas: tuple[QuotaSeen, ...] = ()
