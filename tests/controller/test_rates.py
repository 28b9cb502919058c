"""The rates that may change while the job runs."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from lindorm_import.decide import decide_deletion
from lindorm_import.domain.actions import CreateObject, DeleteConfigMap, SetRates
from lindorm_import.domain.observed import BucketSeen, Observed, TableSeen
from lindorm_import.domain.trouble import Trouble
from lindorm_import.manifests import build
from tests.controller.factories import IDENTITY, NO_DEPLOYMENT, NOW, READY_TO_START, RUNNING, TABLE, UID, spec
from tests.controller.situations import SETTINGS, allocated, running, step, submitted, told

NAME = "limport-readings-r1a2b3c4d-rates"


@pytest.mark.parametrize(
    ("capacity", "units"),
    [
        ({}, None),
        ({"writeUnits": 7000}, 7000),
        ({"mode": "Provisioned", "writeUnits": 100, "autoscaling": {"min": 50, "max": 900}}, 900),
        ({"mode": "Provisioned", "writeUnits": 1000, "autoscaling": {"min": 50, "max": 900}}, 1000),
    ],
)
def test_the_write_rate_is_what_the_capacity_allows_at_most(capacity: dict[str, Any], units: int | None) -> None:
    document = json.loads(build.rates(spec(**{"target.capacity": capacity})))
    assert document == {"version": 1, "writeUnitsPerSecond": units, "rowsPerSecond": None}


def test_the_row_rate_is_the_sources() -> None:
    assert json.loads(build.rates(spec(**{"source.maxRowsPerSecond": 50000})))["rowsPerSecond"] == 50000


def test_the_rates_are_there_before_the_job_that_mounts_them() -> None:
    decision = step(allocated(), replace(READY_TO_START, rates=""))
    names = [a.body["metadata"]["name"] for a in decision.actions if isinstance(a, CreateObject)]
    assert names == [NAME, "limport-readings-r1a2b3c4d", "limport-readings-r1a2b3c4d"]
    rates = decision.actions[0]
    assert isinstance(rates, CreateObject)
    assert "immutable" not in rates.body
    assert rates.body["metadata"]["labels"]["lindorm.io/uid"] == IDENTITY.uid


def test_a_changed_rate_reaches_the_running_job_and_touches_nothing_else() -> None:
    faster = spec(**{"source.maxRowsPerSecond": 9000})
    decision = step(running(), Observed(deployment=RUNNING, table=TABLE, rates=build.rates(spec())), faster)
    assert decision.actions == (SetRates(NAME, build.rates(faster)),)


def test_rates_as_they_should_be_are_left_alone() -> None:
    assert step(running(), Observed(deployment=RUNNING, table=TABLE, rates=build.rates(spec()))).actions == ()


def test_rates_removed_by_hand_are_made_again() -> None:
    [create] = step(running(), Observed(deployment=RUNNING, table=TABLE, rates="")).actions
    assert isinstance(create, CreateObject)
    assert create.body["metadata"]["name"] == NAME


def test_rates_that_cannot_be_seen_are_told_and_the_counts_go_on() -> None:
    seen = Observed(deployment=RUNNING, table=TABLE, rates=Trouble("KubernetesForbidden", "not allowed"))
    decision = step(running(), seen, later=timedelta(seconds=10))
    assert told(decision, "Reconciling") == ("True", "KubernetesForbidden")
    assert told(decision, "JobRunning") == ("True", "Running")
    assert decision.status.job is not None


def test_deletion_takes_the_rates_along() -> None:
    seen = Observed(
        deployment=NO_DEPLOYMENT,
        config=True,
        rates="{}",
        table=TableSeen(exists=False),
        bucket=BucketSeen(exists=False),
    )
    decision = decide_deletion(IDENTITY, spec(), submitted(), seen, NOW, SETTINGS)
    assert DeleteConfigMap(NAME, UID) in decision.actions
    assert DeleteConfigMap("limport-readings-r1a2b3c4d", UID) in decision.actions
