"""DynamoDB's arithmetic: sizes, units, limits. No server."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.dynamodb.capacity import (
    Bucket,
    Cause,
    Limits,
    Meter,
    Side,
    item_size,
    key_text,
    limits,
    number_size,
    value_size,
    write_units,
)


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ({"S": "h\u00e9"}, 3),
        ({"N": "0"}, 2),
        ({"N": "1234"}, 3),
        ({"N": "-12345"}, 5),
        ({"N": "1672531200123"}, 8),
        ({"N": "1672531200000"}, 5),
        ({"B": "AP+A"}, 3),
        ({"BOOL": True}, 1),
        ({"NULL": True}, 1),
        ({"SS": ["ab", "c"]}, 3),
        ({"L": [{"S": "ab"}, {"BOOL": False}]}, 3 + 1 + 2 + 1 + 1),
        ({"M": {"k": {"S": "ab"}}}, 3 + 1 + 1 + 2),
    ],
)
def test_a_value_counts_with_its_documented_size(value: dict[str, object], size: int) -> None:
    assert value_size(value) == size


def test_an_item_counts_names_and_values() -> None:
    assert item_size({"device": {"S": "d-1"}, "at": {"N": "1672531200123"}}) == 6 + 3 + 2 + 8


@given(st.integers(-(10**37), 10**37), st.integers(-20, 20))
def test_zeros_before_and_after_the_digits_of_a_number_cost_nothing(digits: int, shift: int) -> None:
    text = f"{Decimal(digits).scaleb(shift)}"
    assert number_size(text) == number_size(f"{Decimal(digits)}")


@pytest.mark.parametrize(("size", "units"), [(1, 1), (80, 1), (1024, 1), (1025, 2), (409_600, 400)])
def test_a_write_is_rounded_up_to_whole_kilobytes(size: int, units: int) -> None:
    assert write_units(size) == units


def test_a_batch_of_80_byte_items_costs_one_unit_each_and_not_its_bytes() -> None:
    assert sum(write_units(80) for _ in range(25)) == 25


@pytest.mark.parametrize(("one", "other"), [("1", "1.0"), ("100", "1E+2"), ("0", "-0"), ("0.10", "0.1")])
def test_numbers_that_are_equal_are_one_key(one: str, other: str) -> None:
    assert key_text({"N": one}) == key_text({"N": other})
    assert key_text({"N": one}) != key_text({"S": one})


def test_a_bucket_gives_its_rate_and_no_more() -> None:
    bucket, taken = Bucket(rate=100, burst_seconds=1, at=0.0), 0
    for tick in range(10_000):
        if bucket.holds(1, tick / 1000):
            bucket.tokens -= 1
            taken += 1
    assert taken == pytest.approx(100 + 100 * 9.999, abs=1)


def test_what_needs_more_than_a_full_bucket_goes_when_it_is_full_and_is_paid_back() -> None:
    bucket = Bucket(rate=5, burst_seconds=1, at=0.0)
    assert bucket.holds(400, 0.0)
    bucket.tokens -= 400
    assert not bucket.holds(1, 79.0)
    assert bucket.holds(1, 79.3)


def test_a_hot_key_is_throttled_for_its_partition_and_the_others_go_on() -> None:
    meter = Meter(Limits({Cause.ACCOUNT: 40_000}, partition=1_000), now=0.0)
    hot = [meter.take("hot", 1, 0.0) for _ in range(1_500)]
    assert hot.count(None) == 1_000
    assert set(hot[1_000:]) == {Cause.KEY_RANGE}
    assert meter.take("cold", 1, 0.0) is None


def test_what_is_refused_uses_nothing_and_what_failed_is_given_back() -> None:
    meter = Meter(Limits({Cause.PROVISIONED: 10}, partition=4), now=0.0)
    assert [meter.take("a", 1, 0.0) for _ in range(6)] == [None] * 4 + [Cause.KEY_RANGE] * 2
    assert [meter.take(f"b{n}", 1, 0.0) for n in range(7)] == [None] * 6 + [Cause.PROVISIONED]
    meter.give_back("a", 1, 0.0)
    assert meter.take("a", 1, 0.0) is None


@pytest.mark.parametrize(
    ("settings", "cause", "rate"),
    [
        ({"provisioned": 70, "on_demand_max": None, "warm": 4000}, Cause.PROVISIONED, 70),
        ({"provisioned": None, "on_demand_max": None, "warm": 4000}, Cause.KEY_RANGE, 4000),
        ({"provisioned": None, "on_demand_max": None, "warm": 9000}, Cause.KEY_RANGE, 9000),
        ({"provisioned": None, "on_demand_max": 500, "warm": 4000}, Cause.MAX_ON_DEMAND, 500),
        ({"provisioned": None, "on_demand_max": None, "warm": 50_000, "quota": 40_000}, Cause.ACCOUNT, 40_000),
    ],
)
def test_the_cause_of_throttling_names_the_limit_that_holds(
    settings: dict[str, int | None], cause: Cause, rate: int
) -> None:
    meter = Meter(limits(Side.WRITE, **settings), now=0.0)  # type: ignore[arg-type]
    taken = 0
    while (found := meter.take(f"key-{taken}", 1, 0.0)) is None:
        taken += 1
    assert (found, taken) == (cause, rate)


def test_scale_makes_every_limit_smaller_by_the_same_factor() -> None:
    scaled = limits(Side.WRITE, provisioned=None, on_demand_max=500, warm=4000, scale=0.1)
    assert scaled.table == {Cause.ACCOUNT: 4000, Cause.KEY_RANGE: 400, Cause.MAX_ON_DEMAND: 50}
    assert scaled.partition == 100


def test_a_change_of_limits_holds_from_then_on() -> None:
    meter = Meter(limits(Side.WRITE, provisioned=10, on_demand_max=None, warm=10), now=0.0)
    assert [meter.take(f"k{n}", 1, 0.0) for n in range(11)][-1] is Cause.PROVISIONED
    meter.change(limits(Side.WRITE, provisioned=100, on_demand_max=None, warm=100), 0.0)
    assert [meter.take(f"k{n}", 1, 1.0) for n in range(101)].count(None) == 100
