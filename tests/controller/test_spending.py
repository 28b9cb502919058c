"""What an import has cost so far: as it was really used and really stood."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from lindorm_import.api.status import ImportStatus, Spending, TableSettings
from lindorm_import.domain.observed import JobSeen, Observed, TableIndex, TableSeen
from tests.controller.factories import NO_DEPLOYMENT, OTHER_UID, READY_TO_START, RESULT, RUNNING, TABLE, spec
from tests.controller.situations import allocated, condition, running, step, told

HOUR = timedelta(hours=1)
STOPPED = replace(RUNNING, wanted_state="suspended", job_state="FINISHED", lifecycle="SUSPENDED")


def provisioned(units: int, table: TableSeen = TABLE) -> TableSeen:
    return replace(table, settings=TableSettings(mode="Provisioned", write_units=units))


def spending(status: ImportStatus) -> Spending:
    assert status.spending is not None
    return status.spending


def prov(units: int = 4000, **more: Any) -> Any:
    return spec(**{"target.capacity": {"mode": "Provisioned", "writeUnits": units}, **more})


def test_nothing_is_spent_before_there_is_a_table() -> None:
    missing = replace(READY_TO_START, table=TableSeen(exists=False))
    assert step(allocated(), missing).status.spending is None


def test_on_demand_costs_the_units_that_the_job_says_were_consumed() -> None:
    seen = Observed(deployment=RUNNING, table=TABLE, job=JobSeen(write_units=8_000_000))
    spent = spending(step(running(), seen, later=timedelta(seconds=1)).status)
    assert (spent.write_units, spent.table_usd) == (8_000_000, "5.00")  # 8 x $0.625


def test_units_written_again_after_a_failure_cost_again() -> None:
    first = step(running(), Observed(deployment=RUNNING, table=TABLE, job=JobSeen(write_units=5_000_000)))
    again = Observed(deployment=RUNNING, table=TABLE, job=JobSeen(write_units=3_000_000))
    assert spending(step(first.status, again, later=timedelta(seconds=10)).status).write_units == 8_000_000


def test_without_the_jobs_counter_the_acknowledged_items_are_the_least() -> None:
    seen = Observed(deployment=RUNNING, table=TABLE, job=JobSeen(rows_read=16_000_000, items_written=16_000_000))
    assert spending(step(running(), seen).status).table_usd == "10.00"


def test_provisioned_capacity_costs_as_long_as_it_stands_used_or_not() -> None:
    wanted = prov()
    status = running(wanted, replace(READY_TO_START, table=provisioned(4000)))
    seen = Observed(deployment=RUNNING, table=provisioned(4000), job=JobSeen(items_written=1))
    spent = spending(step(status, seen, wanted, later=2 * HOUR).status)
    assert spent.provisioned_unit_seconds == 2 * 3600 * 4000
    assert spent.table_usd == "5.20"  # 2 h x 4,000 x $0.00065
    assert spent.write_units == 0


def test_capacity_that_auto_scaling_raised_costs_what_it_is() -> None:
    wanted = prov()
    status = running(wanted, replace(READY_TO_START, table=provisioned(4000)))
    one = step(status, Observed(deployment=RUNNING, table=provisioned(4000)), wanted, later=HOUR).status
    two = step(one, Observed(deployment=RUNNING, table=provisioned(40_000)), wanted, later=2 * HOUR).status
    assert spending(two).provisioned_unit_seconds == 3600 * 44_000


def test_capacity_stands_while_the_import_is_suspended_and_its_pods_do_not() -> None:
    wanted = prov(suspend=True)
    status = running(prov(), replace(READY_TO_START, table=provisioned(4000)))
    asleep = step(status, Observed(deployment=STOPPED, table=provisioned(4000)), wanted, later=HOUR).status
    assert spending(asleep).provisioned_unit_seconds == 3600 * 4000
    assert spending(asleep).job_seconds == spending(status).job_seconds


def test_the_units_of_a_created_tables_indexes_stand_as_well() -> None:
    wanted, table = prov(), replace(provisioned(4000), indexes=(TableIndex("by_day", ("day",), None, write_units=500),))
    status = running(wanted, replace(READY_TO_START, table=table))
    later = step(status, Observed(deployment=RUNNING, table=table), wanted, later=HOUR).status
    assert spending(later).provisioned_unit_seconds == 3600 * 4500


def test_of_an_existing_table_only_what_was_added_is_spent() -> None:
    wanted = spec(**{"target.capacity.writeUnits": 4000})
    theirs = provisioned(1000, replace(TABLE, owner_uid=OTHER_UID))
    raised = provisioned(4000, replace(TABLE, owner_uid=OTHER_UID))
    held = step(allocated(wanted), replace(READY_TO_START, table=theirs), wanted).status
    started = step(held, replace(READY_TO_START, table=raised), wanted).status
    later = step(started, Observed(deployment=RUNNING, table=raised), wanted, later=HOUR).status
    assert spending(later).provisioned_unit_seconds == 3600 * 3000


def test_warming_is_paid_once_and_only_as_far_as_it_was_asked_for() -> None:
    wanted = spec(**{"target.capacity": {"writeUnits": 9000, "warm": True}})
    capped = replace(TABLE, settings=TableSettings(mode="OnDemand", write_units=9000), warm_writes=9000)
    status = running(wanted, replace(READY_TO_START, table=capped))
    grown = Observed(deployment=RUNNING, table=replace(capped, warm_writes=50_000))
    assert spending(step(status, grown, wanted).status).warmed_units == 5000
    assert spending(step(status, grown, wanted).status).table_usd == "3.25"  # 5,000 x $0.00065


def test_the_jobs_pods_cost_while_they_stand() -> None:
    seen = Observed(deployment=RUNNING, table=TABLE)
    spent = spending(step(running(), seen, later=HOUR).status)
    assert spent.job_seconds == 3600
    assert float(spent.cost_usd) > float(spent.table_usd) == 0


def test_an_import_over_its_budget_is_stopped_also_while_it_is_suspended() -> None:
    wanted = prov(suspend=True, **{"budget.maxCostUSD": "5"})
    status = running(prov(), replace(READY_TO_START, table=provisioned(4000)))
    seen = Observed(deployment=STOPPED, table=provisioned(4000))
    fine = step(status, seen, wanted, later=HOUR)
    assert condition(fine, "Failed") is None
    over = step(fine.status, seen, wanted, later=2 * HOUR)
    assert told(over, "Failed") == ("True", "OverBudget")
    found = condition(over, "Failed")
    assert found is not None
    assert "$5.20" in found.message


def test_what_stands_is_counted_until_it_is_released() -> None:
    wanted = prov()
    status = running(wanted, replace(READY_TO_START, table=provisioned(4000)))
    finished = replace(RUNNING, job_state="FINISHED")
    ended = step(status, Observed(deployment=finished, table=provisioned(4000), result=RESULT), wanted, later=HOUR)
    held_up = step(ended.status, Observed(deployment=NO_DEPLOYMENT, table=provisioned(4000)), wanted, later=2 * HOUR)
    assert spending(held_up.status).provisioned_unit_seconds == 2 * 3600 * 4000
    free = step(held_up.status, Observed(deployment=NO_DEPLOYMENT, table=TABLE), wanted, later=2 * HOUR).status
    assert step(free, Observed(deployment=NO_DEPLOYMENT, table=TABLE), wanted, later=9 * HOUR).status == free


@pytest.mark.parametrize("seconds", [10, 59])
def test_an_import_at_rest_is_not_written_at_every_look(seconds: int) -> None:
    wanted = prov(suspend=True)
    status = running(prov(), replace(READY_TO_START, table=provisioned(4000)))
    asleep = step(status, Observed(deployment=STOPPED, table=provisioned(4000)), wanted, later=HOUR).status
    seen = Observed(deployment=STOPPED, table=provisioned(4000))
    assert step(asleep, seen, wanted, later=HOUR + timedelta(seconds=seconds)).status == asleep
