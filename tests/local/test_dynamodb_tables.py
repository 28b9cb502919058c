"""The rules of a table's settings. No server."""

from __future__ import annotations

from typing import Any

import pytest

from local.dynamodb.answers import DynamoDBError
from local.dynamodb.tables import TableState, Throughput, changed_throughput

ON_DEMAND = {"BillingMode": "PAY_PER_REQUEST"}
HOUR, DAY = 3_600.0, 86_400.0


def provisioned(write: int, read: int = 5) -> dict[str, Any]:
    return {"ProvisionedThroughput": {"ReadCapacityUnits": read, "WriteCapacityUnits": write}}


def table(throughput: Throughput | None = None) -> TableState:
    arn = "arn:aws:dynamodb:us-west-2:123456789012:table/readings"
    return TableState("readings", arn, "device", "ts", throughput or Throughput())


def refused(state: TableState, request: dict[str, Any], now: float = 0.0) -> str:
    with pytest.raises(DynamoDBError) as caught:
        state.update({"TableName": "readings", **request}, now, 1.0)
    return f"{caught.value.body['__type']}: {caught.value}"


def test_a_new_on_demand_table_is_warm_for_4000_writes_and_12000_reads() -> None:
    assert changed_throughput(Throughput(), ON_DEMAND, creating=True) == Throughput(None, None, None, 12_000, 4_000)


def test_a_table_without_a_billing_mode_is_provisioned_and_needs_its_units() -> None:
    with pytest.raises(DynamoDBError, match="must both be specified"):
        changed_throughput(Throughput(), {}, creating=True)
    assert changed_throughput(Throughput(), provisioned(7), creating=True).provisioned == (5, 7)


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({**ON_DEMAND, **provisioned(5)}, "PAY_PER_REQUEST"),
        ({**provisioned(5), "OnDemandThroughput": {"MaxWriteRequestUnits": 5}}, "OnDemandThroughput"),
        ({**ON_DEMAND, "OnDemandThroughput": {"MaxWriteRequestUnits": 0}}, "at least 1"),
        ({**ON_DEMAND, "WarmThroughput": {"WriteUnitsPerSecond": 3_999}}, "lower than the current"),
        ({**ON_DEMAND, "WarmThroughput": {"WriteUnitsPerSecond": 40_001}}, "quota"),
        (provisioned(40_001), "quota"),
        (provisioned(0), "greater than or equal to 1"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(request_: dict[str, Any], words: str) -> None:
    with pytest.raises(DynamoDBError, match=words):
        changed_throughput(Throughput(), request_, creating=True)


def test_a_change_holds_after_the_time_of_updating_and_not_before() -> None:
    state = table(Throughput((5, 5), warm_read=5, warm_write=5))
    state.update({"TableName": "readings", **provisioned(100)}, 10.0, 2.0)
    assert state.describe({})["TableStatus"] == "UPDATING"
    assert state.describe({})["ProvisionedThroughput"]["WriteCapacityUnits"] == 5
    assert "ResourceInUseException" in refused(state, provisioned(200), 11.0)
    assert state.settle(12.0)
    assert state.describe({})["TableStatus"] == "ACTIVE"
    assert state.describe({})["ProvisionedThroughput"]["WriteCapacityUnits"] == 100
    assert state.describe({})["WarmThroughput"]["WriteUnitsPerSecond"] == 100


def test_asking_for_what_the_table_has_is_refused() -> None:
    state = table(Throughput((5, 7)))
    assert "will not change" in refused(state, provisioned(7))
    assert "At least one of" in refused(state, {})


def test_capacity_goes_down_four_times_and_then_once_an_hour() -> None:
    state, now = table(Throughput((5, 1_000))), 10 * DAY
    for step in range(4):
        state.update({"TableName": "readings", **provisioned(900 - step)}, now, 0.0)
        state.settle(now)
    assert "LimitExceededException" in refused(state, provisioned(100), now + 60)
    state.update({"TableName": "readings", **provisioned(100)}, now + HOUR, 0.0)
    state.settle(now + HOUR)
    assert state.describe({})["ProvisionedThroughput"]["NumberOfDecreasesToday"] == 5


def test_a_table_becomes_on_demand_four_times_a_day() -> None:
    state = table(Throughput((5, 10)))
    for turn in range(4):
        state.update({"TableName": "readings", **ON_DEMAND}, turn, 0.0)
        state.settle(turn)
        state.update({"TableName": "readings", "BillingMode": "PROVISIONED", **provisioned(10)}, turn, 0.0)
        state.settle(turn)
    assert "LimitExceededException" in refused(state, ON_DEMAND, 100.0)
    state.update({"TableName": "readings", **ON_DEMAND}, DAY + 10, 0.0)


def test_the_maximum_on_demand_is_shown_and_taken_away_by_minus_one() -> None:
    state = table()
    state.update({"TableName": "readings", "OnDemandThroughput": {"MaxWriteRequestUnits": 700}}, 0.0, 0.0)
    state.settle(0.0)
    assert state.describe({})["OnDemandThroughput"] == {"MaxReadRequestUnits": -1, "MaxWriteRequestUnits": 700}
    state.update({"TableName": "readings", "OnDemandThroughput": {"MaxWriteRequestUnits": -1}}, 1.0, 0.0)
    state.settle(1.0)
    assert "OnDemandThroughput" not in state.describe({})


def indexed(throughput: Throughput, **units: tuple[int, int] | None) -> TableState:
    state = table(throughput)
    state.indexes = dict(units)
    return state


def index_update(name: str, write: int) -> dict[str, Any]:
    return {"Update": {"IndexName": name, **provisioned(write)}}


def test_a_switch_to_provisioned_capacity_names_the_units_of_each_global_index() -> None:
    state = indexed(Throughput(), by_day=None, by_place=None)
    switch = {"BillingMode": "PROVISIONED", **provisioned(10)}
    assert "ProvisionedThroughput must be specified for index: by_day,by_place" in refused(state, switch)
    one = {**switch, "GlobalSecondaryIndexUpdates": [index_update("by_day", 10)]}
    assert "ProvisionedThroughput must be specified for index: by_place" in refused(state, one)
    both = {**switch, "GlobalSecondaryIndexUpdates": [index_update("by_day", 10), index_update("by_place", 4)]}
    state.update({"TableName": "readings", **both}, 0.0, 0.0)
    assert state.indexes == {"by_day": (5, 10), "by_place": (5, 4)}
    described = state.describe({"GlobalSecondaryIndexes": [{"IndexName": "by_place"}]})["GlobalSecondaryIndexes"]
    assert described[0]["ProvisionedThroughput"]["WriteCapacityUnits"] == 4


def test_an_index_of_a_table_on_demand_has_no_units() -> None:
    state = indexed(Throughput(), by_day=None)
    update = {"GlobalSecondaryIndexUpdates": [index_update("by_day", 10)]}
    assert "should not be specified for index: by_day" in refused(state, update)
    state = indexed(Throughput((5, 10)), by_day=(5, 10))
    state.update({"TableName": "readings", **ON_DEMAND}, 0.0, 0.0)
    assert state.indexes == {"by_day": None}
