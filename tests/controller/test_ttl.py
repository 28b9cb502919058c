"""ttlAfterFinished: the import deletes itself, when everything temporary is gone."""

from dataclasses import replace
from datetime import timedelta

import pytest

from lindorm_import.api.status import ImportStatus
from lindorm_import.domain.actions import DeleteDeployment, DeleteImport
from lindorm_import.domain.observed import JobSeen, Observed
from tests.controller.factories import IDENTITY, NO_DEPLOYMENT, RESULT, RUNNING, TABLE, spec
from tests.controller.situations import running, step

HOUR = spec(ttlAfterFinished="1h")
FINISHED = replace(RUNNING, job_state="FINISHED")
GONE = Observed(deployment=NO_DEPLOYMENT, table=TABLE)


@pytest.fixture
def complete() -> ImportStatus:
    return step(running(), Observed(deployment=FINISHED, table=TABLE, result=RESULT)).status


def test_the_import_is_looked_at_again_when_its_time_is_over_and_then_deleted(complete: ImportStatus) -> None:
    waiting = step(complete, GONE, HOUR, later=timedelta(minutes=15))
    assert (waiting.actions, waiting.requeue) == ((), 45 * 60)
    over = step(waiting.status, GONE, HOUR, later=timedelta(minutes=60))
    assert over.actions == (DeleteImport("readings", IDENTITY.uid),)
    assert over.status == waiting.status, "a deletion that failed is tried again from the same status"


def test_a_failed_import_is_deleted_after_the_same_time() -> None:
    hopeless = JobSeen(failure="no such table", hopeless=True)
    failed = step(running(), Observed(deployment=replace(RUNNING, job_state="FAILED"), table=TABLE, job=hopeless))
    assert step(failed.status, GONE, HOUR, later=timedelta(hours=2)).actions == (
        DeleteImport("readings", IDENTITY.uid),
    )


def test_the_time_waits_for_the_clean_up(complete: ImportStatus) -> None:
    late = step(complete, Observed(deployment=FINISHED, table=TABLE), HOUR, later=timedelta(hours=2))
    assert late.actions == (DeleteDeployment("limport-readings-r1a2b3c4d", "d-1"),)


def test_a_time_that_is_set_or_prolonged_later_counts(complete: ImportStatus) -> None:
    assert step(complete, GONE, later=timedelta(days=30)).requeue is None
    longer = step(complete, GONE, spec(ttlAfterFinished="2h"), later=timedelta(hours=1))
    assert (longer.actions, longer.requeue) == ((), 3600)
