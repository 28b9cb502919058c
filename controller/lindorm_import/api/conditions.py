"""Conditions after Kubernetes' API conventions, kstatus and batch/v1 Job.

Ready is True only when the import is complete and nothing of it costs money any more. Complete and Failed are terminal:
every row is where it belongs, or the import has given up. Released says the rest of it: the job's pods are gone, and
the table has its final settings; until then Complete is not Ready (kstatus: InProgress). Reconciling and Stalled are
abnormal-true: absent when all is well (kstatus). Stalled: the spec must change; Reconciling: work continues, or
the world must change and the controller tries again.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from lindorm_import.api.base import StatusModel
from lindorm_import.api.text import printable

ConditionType = Literal[
    "Ready", "Complete", "Failed", "Released", "Reconciling", "Stalled",
    "SourceReady", "PermissionsReady", "StagingReady", "TableReady", "JobRunning", "Throttled", "Suspended",
]  # fmt: skip
# Messages carry words from outside; the status must stay small enough to be written.
MAX_MESSAGE = 2000
Truth = Literal["True", "False", "Unknown"]


class Condition(StatusModel):
    """One condition. lastTransitionTime changes only when status changes."""

    type: ConditionType
    status: Truth
    reason: str
    message: str
    last_transition_time: datetime
    observed_generation: int | None = None


class Conditions:
    """The conditions of one pass: starts from those in the status, keeps transition times honest."""

    def __init__(self, before: Iterable[Condition], now: datetime, generation: int) -> None:
        self._by_type: dict[str, Condition] = {c.type: c for c in before}
        self._now = now.replace(microsecond=0)
        self._generation = generation

    def set(self, type_: ConditionType, status: Truth, reason: str, message: str) -> None:
        before, message = self._by_type.get(type_), printable(message)
        self._by_type[type_] = Condition(
            type=type_,
            status=status,
            reason=reason,
            message=message if len(message) <= MAX_MESSAGE else message[: MAX_MESSAGE - 1] + "…",
            last_transition_time=before.last_transition_time if before and before.status == status else self._now,
            observed_generation=self._generation,
        )

    def drop(self, type_: ConditionType) -> None:
        self._by_type.pop(type_, None)

    def get(self, type_: ConditionType) -> Condition | None:
        return self._by_type.get(type_)

    def is_true(self, type_: ConditionType) -> bool:
        condition = self._by_type.get(type_)
        return condition is not None and condition.status == "True"

    def all(self) -> tuple[Condition, ...]:
        return tuple(self._by_type.values())
