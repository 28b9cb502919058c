"""Keys and attributes: what is accepted, and which data loss is refused before it happens."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lindorm_import.domain.observed import Column, KeyColumn, SourceSeen, TableKey
from lindorm_import.domain.trouble import Trouble
from lindorm_import.plan.mapping import CHOICES, Mapping, base_type, map_table
from tests.controller.factories import SOURCE, spec


def mapped(source: SourceSeen = SOURCE, **changes: Any) -> Mapping:
    result = map_table(spec(**changes), source)
    assert isinstance(result, Mapping), result
    return result


def refused(source: SourceSeen = SOURCE, **changes: Any) -> Trouble:
    result = map_table(spec(**changes), source)
    assert isinstance(result, Trouble), result
    return result


THREE_KEYS = SourceSeen(
    columns=(Column("device", "VARCHAR"), Column("ts", "TIMESTAMP"), Column("seq", "BIGINT"), Column("val", "DOUBLE")),
    primary_key=(KeyColumn("device", "ASC"), KeyColumn("ts", "DESC"), KeyColumn("seq", "ASC")),
)


def test_the_default_key_is_lindorms_first_and_second_key_column() -> None:
    mapping = mapped()
    assert mapping.partition.table_key == TableKey("device", "S")
    assert mapping.sort is not None
    assert mapping.sort.table_key == TableKey("ts", "S")


def test_a_hashed_primary_key_is_refused_because_lindorm_reads_it_by_whole_key_values_only() -> None:
    trouble = refused(replace(SOURCE, key_hash="hash32(device)"))
    assert (trouble.reason, trouble.spec) == ("HashedKey", True)
    assert "hash32(device)" in trouble.message
    assert "LTS" in trouble.message


def test_every_column_becomes_an_attribute_of_its_types_default() -> None:
    assert [(a.name, a.as_) for a in mapped().attributes] == [
        ("device", "String"),
        ("ts", "Iso8601"),
        ("metric", "String"),
        ("val", "Number"),
    ]


def test_a_renamed_key_column_keeps_being_the_key() -> None:
    mapping = mapped(**{"target.attributes": [{"column": "ts", "name": "at", "as": "EpochMillis"}]})
    assert mapping.sort is not None
    assert mapping.sort.table_key == TableKey("at", "N")


def test_the_primary_key_is_read_even_when_the_column_list_leaves_it_out() -> None:
    assert [c.name for c in mapped(**{"source.columns": ["val"]}).columns] == ["device", "ts", "val"]


def test_a_key_that_leaves_out_a_primary_key_column_is_refused() -> None:
    trouble = refused(**{"target.key": {"partition": "device"}})
    assert (trouble.reason, trouble.spec) == ("KeyNotUnique", True)
    assert "ts" in trouble.message


def test_a_primary_key_of_three_columns_needs_a_template_and_the_message_proposes_one() -> None:
    trouble = refused(THREE_KEYS)
    assert trouble.reason == "KeyNotUnique"
    assert "{ts}#{seq}" in trouble.message


def test_a_template_joins_key_columns_to_a_string() -> None:
    mapping = mapped(THREE_KEYS, **{"target.key": {"partition": "device", "sort": "{ts}#{seq}"}})
    assert mapping.sort is not None
    assert (mapping.sort.name, mapping.sort.type, mapping.sort.template) == ("sk", "S", "{ts}#{seq}")


def test_a_template_without_separator_is_refused_because_rows_could_collide() -> None:
    trouble = refused(THREE_KEYS, **{"target.key": {"partition": "device", "sort": "{ts}{seq}"}})
    assert trouble.reason == "KeyNotUnique"


def test_a_key_timestamp_in_whole_seconds_is_refused_because_rows_could_collide() -> None:
    trouble = refused(**{"target.attributes": [{"column": "ts", "as": "EpochSeconds"}]})
    assert trouble.reason == "KeyNotUnique"


CONVERSIONS = [
    case
    for case in json.loads((Path(__file__).parents[1] / "data" / "key-conversions.json").read_text())
    if case["type"]  # the others are of SQL alone, whose types are not Lindorm's
]


@pytest.mark.parametrize("case", CONVERSIONS, ids=lambda case: f"{case['type']} as {case['as']}")
def test_a_form_that_makes_one_key_of_two_is_refused_and_no_other(case: dict[str, Any]) -> None:
    source = replace(SOURCE, columns=(Column("device", case["type"]), *SOURCE.columns[1:]))
    found = map_table(spec(**{"target.attributes": [{"column": "device", "as": case["as"]}]}), source)
    if case["exact"]:
        assert isinstance(found, Mapping), found
    else:
        assert isinstance(found, Trouble)
        assert found.reason == "KeyNotUnique"
        assert "overwrite each other" in found.message


def test_the_cases_of_keys_have_every_type_in_every_form_that_a_key_can_have() -> None:
    told = {(base_type(case["type"]), case["as"]) for case in CONVERSIONS}
    no_key = ("Boolean", "JsonDocument")
    assert told == {(type_, as_) for type_, choices in CHOICES.items() for as_ in choices if as_ not in no_key}


def test_two_columns_with_one_attribute_name_are_refused() -> None:
    trouble = refused(**{"target.attributes": [{"column": "metric", "name": "val"}]})
    assert trouble.reason == "DuplicateAttribute"
    assert "metric" in trouble.message
    assert "val" in trouble.message


def test_a_key_template_named_like_a_column_is_refused() -> None:
    trouble = refused(THREE_KEYS, **{"target.key": {"partition": "device", "sort": "{ts}#{seq}", "sortName": "val"}})
    assert trouble.reason == "DuplicateAttribute"


def test_sharding_makes_the_partition_key_a_string() -> None:
    numbers = replace(SOURCE, columns=(Column("device", "BIGINT"), *SOURCE.columns[1:]))
    assert mapped(numbers).partition.type == "N"
    assert mapped(numbers, **{"target.partitionShards": 16}).partition.type == "S"


def test_an_unknown_column_is_told_with_those_that_exist() -> None:
    trouble = refused(**{"source.timeRange.column": "time"})
    assert trouble.reason == "UnknownColumn"
    assert "device, ts, metric, val" in trouble.message


@pytest.mark.parametrize(
    ("type_", "unit", "told"),
    [("TIMESTAMP", "Seconds", "remove"), ("BIGINT", None, "unit"), ("VARCHAR", None, "TIMESTAMP or an integer")],
)
def test_a_time_column_whose_type_and_unit_do_not_fit_is_refused(type_: str, unit: str | None, told: str) -> None:
    source = replace(SOURCE, columns=(SOURCE.columns[0], Column("ts", type_), *SOURCE.columns[2:]))
    trouble = refused(source, **{"source.timeRange.unit": unit})
    assert trouble.reason == "InvalidTimeRange"
    assert told in trouble.message


def test_a_conversion_that_would_change_the_value_is_refused() -> None:
    assert refused(**{"target.attributes": [{"column": "val", "as": "Binary"}]}).reason == "UnsupportedConversion"


def test_text_as_a_number_cannot_be_the_key() -> None:
    trouble = refused(**{"target.attributes": [{"column": "device", "as": "Number"}]})
    assert trouble.reason == "KeyNotUnique"
    assert "1.0" in trouble.message


def test_a_type_that_cannot_be_imported_is_refused_by_name() -> None:
    source = replace(SOURCE, columns=(*SOURCE.columns, Column("shape", "GEOMETRY")))
    assert "shape" in refused(source).message
    assert "shape" not in [c.name for c in mapped(source, **{"source.columns": ["val"]}).columns]
