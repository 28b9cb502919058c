"""Imports at a certain point of their life, for tests of decide(): a status that real passes have made."""

from datetime import timedelta

from lindorm_import.api.conditions import Condition
from lindorm_import.api.spec import ImportSpec
from lindorm_import.api.status import ImportStatus, Resource
from lindorm_import.decide import Decision, Settings, decide
from lindorm_import.domain.observed import JobSeen, Observed
from tests.controller.factories import IDENTITY, NOW, READY_TO_START, RUNNING, spec

SETTINGS = Settings()


def step(
    status: ImportStatus, seen: Observed, wanted: ImportSpec | None = None, later: timedelta = timedelta()
) -> Decision:
    """One pass, this long after the first one."""
    return decide(IDENTITY, wanted or spec(), status, seen, NOW + later, SETTINGS)


def allocated(wanted: ImportSpec | None = None) -> ImportStatus:
    """After the first passes: names are in the status, and that the table is going to be created."""
    status = step(ImportStatus(), Observed(), wanted).status
    table = Resource(kind="Table", name="readings", origin="Created", deletion_policy="Retain", intended_at=NOW)
    return status.model_copy(update={"resources": (table,)})


def submitted(wanted: ImportSpec | None = None, seen: Observed = READY_TO_START) -> ImportStatus:
    """After the pass that creates the job."""
    return step(allocated(wanted), seen, wanted).status


def running(wanted: ImportSpec | None = None, seen: Observed = READY_TO_START) -> ImportStatus:
    """500 rows read and 400 items written, all in the first second."""
    now = Observed(deployment=RUNNING, table=seen.table, job=JobSeen(rows_read=500, items_written=400))
    return step(submitted(wanted, seen), now, wanted).status


def condition(decision: Decision, type_: str) -> Condition | None:
    return next((c for c in decision.status.conditions if c.type == type_), None)


def told(decision: Decision, type_: str) -> tuple[str, str] | None:
    """Status and reason of a condition; None where it is not set."""
    found = condition(decision, type_)
    return (found.status, found.reason) if found else None
