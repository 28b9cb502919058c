"""Bounds of the time range: one rule, with the cases that the connector is tested with too."""

import json
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lindorm_import.api.instants import LAST, bound_of_job, bound_of_sql, in_units, parse_instant, text_of
from lindorm_import.manifests import build
from lindorm_import.plan.mapping import Mapping, map_table
from tests.controller.factories import IDENTITY, SOURCE, spec

CASES = json.loads((Path(__file__).parents[1] / "data" / "time-bounds.json").read_text())
PER_SECOND = {"Seconds": 1, "Milliseconds": 10**3, None: 10**3, "Microseconds": 10**6, "Nanoseconds": 10**9}


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c['bound']} {c['unit']}")
def test_a_bound_is_rounded_up_to_the_unit_of_its_column(case: dict[str, Any]) -> None:
    instant = parse_instant(case["bound"])
    told = bound_of_sql(instant, case["unit"])
    assert told == (str(case["value"]) if case["unit"] else f"'{case['value']}'")
    assert bound_of_job(instant, case["unit"]) == case["job"]
    assert bound_of_sql(parse_instant(case["job"]), case["unit"]) == told  # the connector rounds what it is told again


@given(
    st.integers(0, 10**15 - 1),
    st.integers(-(10**10), 10**10),
    st.sampled_from(list(PER_SECOND)),
    st.integers(-839, 839),
)
def test_no_value_of_a_column_changes_sides_by_the_rounding(
    fraction: int, second: int, unit: Any, east_minutes: int
) -> None:
    east = timedelta(minutes=east_minutes)
    local = datetime(1970, 1, 1) + timedelta(seconds=second) + east
    sign = "-" if east_minutes < 0 else "+"
    zone = f"{sign}{abs(east_minutes) // 60:02d}:{abs(east_minutes) % 60:02d}"
    instant = parse_instant(f"{local.isoformat()}.{fraction:015d}{zone}")
    exact = second + Fraction(fraction, 10**15)
    value = in_units(instant, unit)
    assert Fraction(value - 1, PER_SECOND[unit]) < exact <= Fraction(value, PER_SECOND[unit])


@given(st.integers(-62_135_596_800 * 10**9, LAST))
def test_the_text_of_an_instant_reads_back_as_it(instant: int) -> None:
    assert parse_instant(text_of(instant)) == instant


@pytest.mark.parametrize("text", ["2023-01-01T00:00:00z", "2023-01-01t00:00:00Z", "2023-01-01T00:00:00-00:00"])
def test_other_ways_to_write_an_instant_that_admission_takes_are_taken(text: str) -> None:
    assert parse_instant(text) == parse_instant("2023-01-01T00:00:00Z")


def test_a_datetime_is_an_instant_too() -> None:
    assert text_of(parse_instant(datetime(2023, 1, 1, 0, 0, 0, 7, tzinfo=UTC))) == "2023-01-01T00:00:00.000007Z"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("2023-01-01T00:00:00", "time zone"),
        ("2023-01-01", "time zone"),
        ("2023-02-30T00:00:00Z", "such as 2023-01-01T00:00:00Z"),
        ("2023-01-01T24:00:00Z", "such as 2023-01-01T00:00:00Z"),
        ("0000-01-01T00:00:00Z", "such as 2023-01-01T00:00:00Z"),
        ("0001-01-01T00:00:00+14:00", "between 0001-01-01T00:00:00Z and 9999-12-31T23:59:59.999Z"),
        ("9999-12-31T23:59:59.9999Z", "between 0001-01-01T00:00:00Z and 9999-12-31T23:59:59.999Z"),
        ("9999-12-31T23:59:59-14:00", "between 0001-01-01T00:00:00Z and 9999-12-31T23:59:59.999Z"),
        ("yesterday", "such as 2023-01-01T00:00:00Z"),
        ("٢٠٢٣-01-01T00:00:00Z", "such as 2023-01-01T00:00:00Z"),
    ],
)
def test_what_is_no_instant_of_lindorms_is_refused_with_a_sentence(text: str, told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        spec(**{"source.timeRange.start": text})


@pytest.mark.parametrize(
    ("start", "end", "unit", "told"),
    [
        ("1600-01-01T00:00:00Z", "2023-01-01T00:00:00Z", "Nanoseconds", "before 1677-09-21T00:12:43.145224192Z"),
        ("2023-01-01T00:00:00Z", "2300-01-01T00:00:00Z", "Nanoseconds", "after 2262-04-11T23:47:16.854775807Z"),
    ],
)
def test_a_range_beyond_what_its_column_can_hold_is_refused(start: str, end: str, unit: Any, told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        spec(**{"source.timeRange": {"column": "ts", "start": start, "end": end, "unit": unit}})


def test_the_job_gets_a_range_of_microseconds_as_it_is() -> None:
    bounds = {"start": "1970-01-01T00:00:00.0005Z", "end": "1970-01-01T00:00:00.0009Z"}
    wanted = spec(**{"source.timeRange": {"column": "ts", "unit": "Microseconds", **bounds}})
    mapping = map_table(spec(), SOURCE)
    assert isinstance(mapping, Mapping)
    told = build.job_config(IDENTITY, wanted, mapping, [], "s3://b/p/")["source"]["timeRange"]
    assert (told["start"], told["end"]) == ("1970-01-01T00:00:00.000500Z", "1970-01-01T00:00:00.000900Z")
