"""The arithmetic. Every expected figure is derived from AWS's rules in a comment."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.api.spec import Capacity
from controller.plan import Prices, make_plan, number_bytes, rate_limit, sizing, write_units_per_item

PRICES = Prices.load()


def capacity(**fields: object) -> Capacity:
    return Capacity.model_validate(fields)


@pytest.mark.parametrize(("item_bytes", "units"), [(1, 1), (80, 1), (1024, 1), (1025, 2), (2048, 2), (409_600, 400)])
def test_an_item_costs_its_size_rounded_up_to_whole_kilobytes(item_bytes: int, units: int) -> None:
    assert write_units_per_item(item_bytes) == units


def test_the_reference_import_costs_one_write_unit_a_row_because_batches_merge_nothing() -> None:
    plan = make_plan(1_250_000_000, 80, capacity(writeUnits=40_000, warm=True), PRICES)
    assert plan.write_units == 1_250_000_000
    assert plan.seconds == 31_250  # 1.25e9 / 40,000
    assert plan.cost_usd == Decimal("781.25")  # 1,250 million x $0.625


def test_provisioned_capacity_is_paid_for_the_hours_it_stands() -> None:
    plan = make_plan(1_250_000_000, 80, capacity(mode="Provisioned", writeUnits=40_000), PRICES)
    assert plan.cost_usd == Decimal("225.69")  # 31,250 s / 3,600 x 40,000 x $0.00065


def test_a_new_on_demand_table_takes_4000_write_units_until_it_is_warmed() -> None:
    assert rate_limit(capacity(writeUnits=40_000)) == 4_000
    assert rate_limit(capacity(writeUnits=40_000, warm=True)) == 40_000
    assert rate_limit(capacity(writeUnits=100)) == 100
    assert rate_limit(capacity()) == 4_000


def test_an_import_of_no_rows_takes_no_time_and_costs_nothing() -> None:
    plan = make_plan(0, 0, capacity(), PRICES)
    assert (plan.write_units, plan.seconds, plan.cost_usd) == (0, 0, Decimal("0.00"))


@pytest.mark.parametrize(("value", "size"), [(0, 2), (7, 2), (99, 2), (100, 2), (123, 3), (1234567890, 6)])
def test_a_number_takes_a_byte_for_two_significant_digits_and_one_more(value: int, size: int) -> None:
    assert number_bytes(value) == size  # 100 has one significant digit


def test_the_cluster_is_sized_for_the_write_rate() -> None:
    size = sizing(capacity(writeUnits=40_000, warm=True), slots=4, parallelism=None)
    assert (size.parallelism, size.task_managers) == (5, 2)


def test_the_users_parallelism_wins() -> None:
    assert sizing(capacity(), slots=4, parallelism=40).task_managers == 10


@given(rows=st.integers(0, 10**12), size=st.integers(1, 409_600), rate=st.integers(1, 10**6))
def test_the_planned_time_always_suffices_for_all_write_units(rows: int, size: int, rate: int) -> None:
    plan = make_plan(rows, size, capacity(mode="Provisioned", writeUnits=rate), PRICES)
    assert plan.seconds * rate >= plan.write_units > (plan.seconds - 1) * rate or rows == 0
