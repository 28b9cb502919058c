"""The arithmetic. Every expected figure is derived from AWS's rules in a comment."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lindorm_import.api.spec import Budget, Capacity, Job
from lindorm_import.api.status import TableSettings
from lindorm_import.domain.observed import TableIndex, TableSeen
from lindorm_import.plan import (
    Load,
    Plan,
    Prices,
    PricesError,
    load_of,
    make_plan,
    number_bytes,
    rate_limit,
    size_cluster,
    write_units_per_item,
    wrong_figure,
)
from lindorm_import.plan.files import files_of
from lindorm_import.plan.items import attribute_bytes
from lindorm_import.plan.mapping import Mapping, map_table
from lindorm_import.plan.status import load_from, over_budget, plan_status
from tests.controller.factories import SOURCE, spec

PRICES = Prices.load()
REFERENCE = Load.of(1_250_000_000, 80)


def capacity(**fields: object) -> Capacity:
    return Capacity.model_validate(fields)


def mapping(**changes: Any) -> Mapping:
    found = map_table(spec(**changes), SOURCE)
    assert isinstance(found, Mapping)
    return found


def row(**changes: Any) -> dict[str, Any]:
    return {"device": "dev-1", "ts": datetime(2023, 1, 1, tzinfo=UTC), "metric": "temp", "val": 21.5, **changes}


def costs(plan: Plan) -> dict[str, tuple[Decimal, int]]:
    return {way.name: (way.cost_usd, way.seconds) for way in plan.ways}


# --- the size of an item ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("item_bytes", "units"), [(1, 1), (80, 1), (1024, 1), (1025, 2), (2048, 2), (409_600, 400)])
def test_an_item_costs_its_size_rounded_up_to_whole_kilobytes(item_bytes: int, units: int) -> None:
    assert write_units_per_item(item_bytes) == units


@pytest.mark.parametrize(("value", "size"), [(0, 2), (7, 2), (99, 2), (100, 2), (123, 3), (1234567890, 6)])
def test_a_number_takes_a_byte_for_two_significant_digits_and_one_more(value: int, size: int) -> None:
    assert number_bytes(value) == size  # 100 has one significant digit


def test_an_item_is_as_large_as_its_attribute_names_and_values() -> None:
    assert attribute_bytes(row(), mapping(), "Omit", None) == {
        "device": 6 + 5,
        "ts": 2 + 24,  # 2023-01-01T00:00:00.000Z
        "metric": 6 + 4,
        "val": 3 + 3,  # 21.5: three digits are two bytes, and one more
    }


def test_a_renamed_attribute_and_an_epoch_make_the_item_smaller() -> None:
    changed = mapping(
        **{"target.attributes": [{"column": "ts", "name": "t", "as": "EpochMillis"}, {"column": "val", "name": "wert"}]}
    )
    sizes = attribute_bytes(row(), changed, "Omit", None)
    assert sizes["t"] == 1 + 5  # 1672531200000: eight significant digits are four bytes, and one more
    assert sizes["wert"] == 4 + 3


def test_a_null_is_left_out_or_takes_a_byte() -> None:
    assert "val" not in attribute_bytes(row(val=None), mapping(), "Omit", None)
    assert attribute_bytes(row(val=None), mapping(), "Write", None)["val"] == 3 + 1


def test_a_joined_key_is_an_attribute_of_its_own() -> None:
    joined = mapping(**{"target.key": {"partition": "device", "sort": "{ts}#{metric}"}})
    # name sk, 24 bytes of time, '#', 'temp'
    assert attribute_bytes(row(), joined, "Omit", None)["sk"] == 2 + 24 + 1 + 4


def test_a_shard_suffix_makes_the_partition_key_longer() -> None:
    assert attribute_bytes(row(), mapping(**{"target.partitionShards": 16}), "Omit", 16)["device"] == 6 + 5 + len("#15")


def test_units_are_a_mean_over_the_items_not_the_units_of_a_mean_item() -> None:
    # 53 - 4 + 4 = 53 bytes cost 1, 53 - 4 + 1,996 = 2,045 cost 2: mean 1.5, though the mean item of 1,049 would cost 2.
    load = load_of(1000, [row(), row(metric="x" * 1996)], mapping(), "Omit", None)
    assert load.units_per_item == Fraction(3, 2)
    assert (load.item_bytes, load.write_units) == (1049, 1500)


# --- golden plans ----------------------------------------------------------------------------------------------


def test_golden_the_reference_import() -> None:
    plan = make_plan(REFERENCE, capacity(writeUnits=40_000, warm=True), PRICES)
    assert plan.write_units == 1_250_000_000  # 80 bytes round up to 1 KB: one write unit a row
    assert plan.seconds == 31_250  # 1.25e9 / 40,000
    assert costs(plan) == {
        "on-demand": (Decimal("781.25"), 312_500),  # 1,250 million x $0.625; unwarmed 1.25e9 / 4,000
        "on-demand-warm": (Decimal("804.65"), 31_250),  # and (40,000 - 4,000) x $0.00065 once = $23.40
        "provisioned-100": (Decimal("225.69"), 31_250),  # 31,250 s / 3,600 x 40,000 x $0.00065
        "provisioned-90": (Decimal("250.78"), 34_723),  # 1.25e9 / 36,000 = 34,722.2; / 3,600 x $26
        "provisioned-80": (Decimal("282.12"), 39_063),  # 1.25e9 / 32,000 = 39,062.5
        "provisioned-70": (Decimal("322.42"), 44_643),  # 1.25e9 / 28,000 = 44,642.9
        "import-table": (Decimal("27.38"), 3_572),  # 1.25e9 x (80 + 66) bytes x $0.15 a GB
    }
    assert plan.recommended == "import-table"
    assert "not known" in plan.why
    assert plan.needed == {1: 347_223, 4: 86_806, 8: 43_403, 24: 14_468}  # 1.25e9 / 3,600 / hours, rounded up
    assert plan.storage_gib == Decimal("209.5")  # (80 + 100 of overhead) x 1.25e9 / 2^30 = 209.55 (half to even)
    assert plan.storage_usd_month == Decimal("52.39")  # x $0.25
    # 40,000 rows/s / 10,000 a slot = 4 slots: a TaskManager (2 vCPU, 4 GB) and a JobManager (1 vCPU, 2 GB).
    assert (plan.cluster.parallelism, plan.cluster.task_managers, plan.cluster.nodes) == (4, 1, 1)
    # $0.504 (EC2) + $0.10 (EKS) + 3 x $0.01012 + 6 x $0.00111125 (EMR) = $0.6410 for 8.681 h = $5.565;
    # S3: 521 checkpoints of at most 10 PUTs at $0.005 a thousand = $0.026
    assert plan.way.cluster_usd == Decimal("5.59")
    assert plan.total_usd == Decimal("810.24")


def test_golden_items_of_1025_bytes_cost_twice_as_much_as_items_of_1024() -> None:
    plan = make_plan(Load.of(1_000_000, 1025), capacity(), PRICES)
    assert plan.write_units == 2_000_000  # 1,025 bytes round up to 2 KB
    assert plan.seconds == 500  # 2,000,000 / 4,000
    assert plan.cost_usd == Decimal("1.25")  # 2 million x $0.625
    assert plan.rate == 4_000


def test_golden_an_existing_table_with_two_secondary_indexes() -> None:
    table = TableSeen(
        exists=True,
        status="ACTIVE",
        settings=TableSettings(mode="OnDemand"),
        warm_writes=10_000,
        indexes=(
            TableIndex("by-metric", key=("metric", "ts"), projected=None),  # the whole item
            TableIndex("by-val", key=("val",), projected=()),  # keys only
        ),
    )
    # Items: 53 bytes - 4 + 1,500 = 1,549, so 2 write units. by-metric holds all of it: 2 more, but only of the row that
    # has a metric: on average 1. by-val holds device, ts and val, 43 bytes: 1.
    rows = [row(metric="m" * 1500), row(metric=None, device="d" * 1505)]
    load = load_of(1_000_000, rows, mapping(), "Omit", None, table.indexes)
    assert [(i.name, i.units_per_item) for i in load.indexes] == [
        ("by-metric", Fraction(1)),
        ("by-val", Fraction(3, 2)),
    ]
    # The second row has no metric (10 bytes less) and a device of 1,505: its entry in by-val is 1,543 bytes: 2.
    assert load.write_units_per_item == Fraction(2 + 1) + Fraction(3, 2)
    plan = make_plan(load, capacity(), PRICES, table)
    assert plan.write_units == 4_500_000
    assert plan.rate == 10_000  # what the existing table has grown to
    assert plan.seconds == 200  # the table's own 2,000,000 / 10,000; each index has throughput of its own
    assert costs(plan) == {"on-demand": (Decimal("2.81"), 200)}  # 4.5 million x $0.625 = $2.8125; the mode stays


def test_golden_an_existing_provisioned_table_whose_index_is_too_small() -> None:
    table = TableSeen(
        exists=True,
        status="ACTIVE",
        settings=TableSettings(mode="Provisioned", write_units=1_000),
        indexes=(TableIndex("by-val", key=("val",), projected=(), write_units=100),),
    )
    load = load_of(3_600_000, [row()], mapping(), "Omit", None, table.indexes)
    plan = make_plan(load, capacity(), PRICES, table)
    assert plan.write_units == 7_200_000  # 1 in the table, 1 in the index
    assert plan.rate == 1_000
    assert plan.seconds == 36_000  # not 3,600: the index takes 100 a second and throttles the table
    assert plan.cost_usd == Decimal("0.00")  # the table and its index have their capacity anyway
    raised = make_plan(load, capacity(writeUnits=3_000), PRICES, table)
    assert raised.cost_usd == Decimal("13.00")  # 10 h (the index) x (3,000 - 1,000) x $0.00065
    assert [q.name for q in plan.quotas if q.exceeded] == ["index by-val"]


def test_golden_a_new_provisioned_table_with_auto_scaling() -> None:
    wanted = capacity(mode="Provisioned", writeUnits=1_000, autoscaling={"min": 1_000, "max": 10_000})
    plan = make_plan(Load.of(72_000_000, 80), wanted, PRICES)
    assert plan.rate == 10_000
    assert plan.seconds == 7_200  # 72e6 / 10,000
    assert plan.cost_usd == Decimal("13.00")  # 2 h x 10,000 x $0.00065


# --- rates, ways, limits ---------------------------------------------------------------------------------------


def test_a_new_on_demand_table_takes_4000_write_units_until_it_is_warmed() -> None:
    assert rate_limit(capacity(writeUnits=40_000)) == 4_000
    assert rate_limit(capacity(writeUnits=40_000, warm=True)) == 40_000
    assert rate_limit(capacity(writeUnits=100)) == 100
    assert rate_limit(capacity()) == 4_000


def test_an_existing_provisioned_table_without_a_wish_keeps_its_own_rate() -> None:
    table = TableSeen(exists=True, settings=TableSettings(mode="Provisioned", write_units=250))
    assert rate_limit(capacity(), table) == 250
    assert make_plan(REFERENCE, capacity(), PRICES, table).seconds == 5_000_000


def test_provisioned_capacity_is_paid_for_an_hour_at_least_so_a_small_import_goes_on_demand() -> None:
    plan = make_plan(Load.of(100_000, 80), capacity(mode="Provisioned", writeUnits=4_000), PRICES)
    assert plan.seconds == 25
    assert plan.cost_usd == Decimal("2.60")  # 4,000 x $0.00065 for one hour
    on_demand, provisioned = costs(plan)["on-demand"][0], costs(plan)["provisioned-90"][0]
    assert on_demand == Decimal("0.06")  # 0.1 million x $0.625
    assert on_demand < provisioned


def test_the_recommended_way_keeps_to_the_budget_where_one_can() -> None:
    plan = make_plan(
        REFERENCE, capacity(writeUnits=40_000), PRICES, budget=Budget.model_validate({"maxDuration": "9h"})
    )
    assert plan.recommended == "on-demand-warm"  # 8.7 h; provisioned at 90 % takes 9.6 h
    assert "left out" in plan.why


def test_a_rate_over_the_tables_quota_is_told_and_not_recommended_quietly() -> None:
    plan = make_plan(REFERENCE, capacity(writeUnits=100_000, warm=True), PRICES)
    assert "table (default quota)" in [q.name for q in plan.quotas if q.exceeded]
    assert plan.recommended == "import-table", "which takes no write capacity"
    table = TableSeen(exists=True)
    existing = make_plan(REFERENCE, capacity(writeUnits=100_000, warm=True), PRICES, table)
    assert existing.recommended == "on-demand"  # 4,000/s keeps it
    assert "left out" in existing.why


def test_reading_slower_than_the_table_writes_sets_the_time() -> None:
    assert (
        make_plan(REFERENCE, capacity(writeUnits=40_000, warm=True), PRICES, rows_per_second=5_000).seconds == 250_000
    )


def test_an_import_of_no_rows_takes_no_time_and_costs_nothing() -> None:
    plan = make_plan(Load.of(0, 0), capacity(), PRICES)
    assert (plan.write_units, plan.seconds, plan.total_usd) == (0, 0, Decimal("0.00"))


def test_the_wrong_figure_is_explained_in_one_line() -> None:
    line = wrong_figure(80)
    assert line is not None
    assert "12.8 records per WCU" in line
    assert "\n" not in line
    assert wrong_figure(1000) is None


# --- cluster ---------------------------------------------------------------------------------------------------


def test_the_cluster_is_sized_for_the_rate() -> None:
    size = size_cluster(40_000, Job())
    assert (size.parallelism, size.task_managers) == (4, 1)
    assert "10,000" in size.reason


def test_the_users_parallelism_wins() -> None:
    size = size_cluster(4_000, Job.model_validate({"parallelism": 40}))
    assert size.task_managers == 10
    assert size.nodes == 4  # three TaskManagers of 2 vCPU on a node of 7.91; the JobManager beside the last one


def test_the_reference_set_up_of_ten_large_task_managers_needs_a_node_each() -> None:
    large = {"parallelism": 40, "taskManager": {"slots": 4, "processMemory": "52428m", "cpu": 7}}
    assert size_cluster(40_000, Job.model_validate(large)).nodes == 11  # and one for the JobManager


def test_memory_is_told_in_round_gigabytes() -> None:
    manager = {"slots": 4, "processMemory": "52428m", "managedMemory": "0m", "cpu": 8}
    assert " and 51.2 GB, " in size_cluster(1000, Job.model_validate({"taskManager": manager})).reason


def test_a_task_manager_larger_than_a_node_is_told() -> None:
    size = size_cluster(4_000, Job.model_validate({"taskManager": {"cpu": 16}}))
    assert size.nodes is None
    assert "larger than an r5.2xlarge" in size.reason


# --- status.plan and prices ------------------------------------------------------------------------------------


def test_a_plan_is_made_again_from_the_status_as_it_was() -> None:
    load = load_of(1000, [row(), row(metric="x" * 1996)], mapping(), "Omit", None, (), "Estimated", 7)
    made = make_plan(load, capacity(), PRICES)
    assert load_from(plan_status(made), None) == load


def test_over_budget_says_by_how_much_and_what_to_do() -> None:
    made = make_plan(REFERENCE, capacity(writeUnits=40_000, warm=True), PRICES)
    told = over_budget(made, Budget.model_validate({"maxCostUSD": "500"}))
    assert told is not None
    assert told.startswith("the plan costs $810.24 (DynamoDB $804.65, cluster and S3 $5.59), budget.maxCostUSD is 500")
    assert over_budget(made, Budget.model_validate({"maxCostUSD": "900", "maxDuration": "24h"})) is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "is not JSON"),
        ("{}", "asOf"),
        (json.dumps({"asOf": "2026-11-01", "nodeHour": -1}), "region"),
    ],
)
def test_a_price_file_that_cannot_be_used_says_which_field(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "prices.json"
    file.write_text(text)
    with pytest.raises(PricesError, match=told):
        Prices.load(file)


@given(rows=st.integers(0, 10**12), size=st.integers(1, 409_600), rate=st.integers(1, 10**6))
def test_the_planned_time_always_suffices_for_all_write_units(rows: int, size: int, rate: int) -> None:
    plan = make_plan(Load.of(rows, size), capacity(mode="Provisioned", writeUnits=rate), PRICES)
    assert plan.seconds * rate >= plan.write_units > (plan.seconds - 1) * rate or rows == 0


@given(
    rows=st.integers(1, 10**10),
    size=st.integers(1, 409_600),
    units=st.integers(1, 10**6),
    warm=st.booleans(),
    hours=st.integers(1, 100),
)
def test_the_recommended_way_is_one_of_the_ways_and_none_that_fits_is_cheaper(
    rows: int, size: int, units: int, warm: bool, hours: int
) -> None:
    budget = Budget.model_validate({"maxDuration": f"{hours}h"})
    plan = make_plan(Load.of(rows, size), capacity(writeUnits=units, warm=warm), PRICES, budget=budget)
    best = next(way for way in plan.ways if way.name == plan.recommended)
    fitting = [
        w for w in plan.ways if 0 < w.rate <= 40_000 and w.seconds <= hours * 3600 and w.name != "provisioned-100"
    ]
    assert all(best.total_usd <= w.total_usd for w in fitting)
    assert best in fitting or not fitting


# --- files ------------------------------------------------------------------------------------------------------


def test_golden_the_reference_import_through_files() -> None:
    way = next(way for way in make_plan(REFERENCE, capacity(), PRICES).ways if way.name == "import-table")
    assert way.cost_usd == Decimal("27.38")  # 1.25e9 x (80 + 66) bytes = 182.5 GB x $0.15
    assert way.seconds == 3572  # 35 slots of 10,000 rows/s
    assert way.total_usd < 60
    assert "not known" in way.unknown, "nobody knows how long ImportTable takes"


def test_an_import_from_files_costs_no_more_with_indexes() -> None:
    def cost(indexes: int) -> Decimal:
        plan = make_plan(Load.of(10**9, 80, indexes), capacity(), PRICES)
        return next(way.cost_usd for way in plan.ways if way.name == "import-table")

    assert cost(0) == cost(3)


def test_import_table_is_no_way_into_a_table_that_exists() -> None:
    table = TableSeen(exists=True)
    assert "import-table" not in costs(make_plan(REFERENCE, capacity(), PRICES, table))


def test_a_bulk_put_is_a_way_only_into_a_table_that_exists_and_at_a_price_that_the_file_has() -> None:
    table = TableSeen(exists=True)
    priced = PRICES.model_copy(update={"bulk_put_gb": Decimal("0.20")})
    assert "bulk-put" not in costs(make_plan(REFERENCE, capacity(), PRICES, table))
    assert "bulk-put" not in costs(make_plan(REFERENCE, capacity(), priced))
    assert costs(make_plan(REFERENCE, capacity(), priced, table))["bulk-put"][0] == Decimal("36.50")  # 182.5 GB


def test_a_price_file_of_an_older_release_offers_no_files(tmp_path: Path) -> None:
    old = {k: v for k, v in json.loads(PRICES.model_dump_json(by_alias=True)).items() if k not in ("importGB",)}
    old["bulkPutGB"] = None
    (tmp_path / "prices.json").write_text(json.dumps(old))
    plan = make_plan(REFERENCE, capacity(), Prices.load(tmp_path / "prices.json"))
    assert "import-table" not in costs(plan)


@given(rows=st.integers(0, 10**11), limit=st.none() | st.integers(1, 10**7), slots=st.none() | st.integers(1, 2000))
def test_no_plan_makes_more_objects_than_an_import_takes(rows: int, limit: int | None, slots: int | None) -> None:
    job = Job.model_validate({} if slots is None else {"parallelism": slots})
    files = files_of(Load.of(rows, 80), job, limit)
    assert files.objects <= 50_000
    assert files.seconds * files.rows_per_second >= rows


def test_the_pace_of_the_source_makes_files_later_and_not_more_than_an_import_takes() -> None:
    files = files_of(REFERENCE, Job(), 2_000)
    assert (files.rows_per_second, files.seconds) == (2_000, 625_000)
    assert files.interval == timedelta(seconds=60)  # 10,417 files of one slot
    slow = files_of(REFERENCE, Job.model_validate({"parallelism": 40}), 2_000)
    assert slow.interval == timedelta(seconds=1000)  # 40 slots x 625,000 s / 25,000
    assert slow.objects == 25_000


def test_a_line_is_as_long_as_the_job_writes_it() -> None:
    load = load_of(1, [row()], mapping(), "Omit", None)
    line = (
        '{"Item":{"device":{"S":"dev-1"},"ts":{"S":"2023-01-01T00:00:00.000Z"},'
        '"metric":{"S":"temp"},"val":{"N":"21.5"}}}\n'
    )
    assert load.line_bytes is not None
    assert abs(load.line_bytes - len(line)) <= 2
