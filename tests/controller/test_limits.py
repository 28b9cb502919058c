"""DynamoDB's documented limits, as cases that controller and job share."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lindorm_import.adapters.dynamodb import look_at_capacity
from lindorm_import.domain.observed import Column, IndexKey, KeyColumn, SourceSeen
from lindorm_import.domain.trouble import Trouble
from lindorm_import.plan.items import attribute_bytes
from lindorm_import.plan.limits import RejectedError, index_trouble
from lindorm_import.plan.mapping import Mapping, map_table
from tests.controller.factories import NOW, SOURCE, TABLE, spec

CASES = json.loads((Path(__file__).parents[1] / "data" / "dynamodb-limits.json").read_text(encoding="utf-8"))
SOURCE_KSV = SourceSeen(
    columns=(*(Column(name, "VARCHAR") for name in "ksv"), Column("ts", "TIMESTAMP")),
    primary_key=(KeyColumn("k", "ASC"), KeyColumn("s", "ASC")),
)


def text_of(told: Any) -> str | None:
    """A value of a case: a text, or one that is repeated."""
    if not isinstance(told, dict):
        return None if told is None else str(told)
    return str(told.get("before", "")) + str(told["text"]) * int(told.get("times", 1)) + str(told.get("after", ""))


def mapping_of(case: dict[str, Any]) -> Mapping:
    found = map_table(
        spec(**{"target.attributes": [{"column": "v", "as": case.get("as", "String")}], "source.columns": list("ksv")}),
        SOURCE_KSV,
    )
    assert isinstance(found, Mapping), found
    return found


def index_keys_of(case: dict[str, Any]) -> list[IndexKey]:
    return [IndexKey("by", **case["index"])] if "index" in case else []


@pytest.mark.parametrize("case", CASES["rows"], ids=lambda case: case["told"])
def test_a_row_is_an_item_or_a_reject_as_the_cases_say(case: dict[str, Any]) -> None:
    row = {name: text_of(case.get(name, name)) for name in "ksv"}
    reason = None
    try:
        attribute_bytes(row, mapping_of(case), case.get("nulls", "Omit"), None, index_keys_of(case))
    except RejectedError as error:
        reason = error.reason
    assert reason == case["reject"]


@pytest.mark.parametrize("case", CASES["names"], ids=lambda case: case["told"])
def test_a_name_that_no_attribute_can_have_is_refused_before_the_start(case: dict[str, Any]) -> None:
    name = text_of(case["name"]) or ""
    columns = {"key": (name, "s", "v"), "attribute": ("k", "s", name)}[case["of"]]
    source = SourceSeen(
        columns=(*(Column(column, "VARCHAR") for column in columns), Column("ts", "TIMESTAMP")),
        primary_key=(KeyColumn(columns[0], "ASC"), KeyColumn("s", "ASC")),
    )
    found = map_table(spec(), source)
    assert isinstance(found, Trouble) == case["refused"], found
    if isinstance(found, Trouble):
        assert (found.reason, found.spec) == ("NameTooLong", True)
        assert len(found.message) < 300


def mapped(**changes: Any) -> Mapping:
    found = map_table(spec(**changes), SOURCE)
    assert isinstance(found, Mapping)
    return found


@pytest.mark.parametrize(
    ("name", "type_", "changes", "refused"),
    [
        ("metric", "S", {}, False),
        ("metric", "N", {}, True),
        ("val", "N", {}, False),
        ("val", "S", {}, True),
        ("val", "S", {"target.attributes": [{"column": "val", "as": "String"}]}, False),
        ("ts", "N", {}, True),  # the table's own sort key, which an index may have, too
        ("another", "B", {}, False),  # items without it are not in the index
        ("metric", "S", {"target.attributes": [{"column": "metric", "as": "JsonDocument"}]}, False),  # row by row
    ],
)
def test_an_index_whose_key_is_of_another_type_than_the_items_is_refused_before_the_start(
    name: str, type_: Any, changes: dict[str, Any], refused: bool
) -> None:
    table = replace(TABLE, index_keys=(IndexKey("by", name, type_, "Partition"),))
    trouble = index_trouble(mapped(**changes), table)
    assert (trouble is not None) == refused
    if trouble:
        assert trouble.reason == "IndexKeyMismatch"
        assert f"{name} ({type_})" in trouble.message


def test_the_keys_of_all_indexes_are_read_with_their_types_and_roles() -> None:
    def schema(*names: str) -> list[dict[str, str]]:
        return [{"AttributeName": n, "KeyType": "RANGE" if i else "HASH"} for i, n in enumerate(names)]

    projected = {"Projection": {"ProjectionType": "ALL"}}
    table = {
        "TableArn": "arn:aws:dynamodb:us-west-2:111122223333:table/t",
        "CreationDateTime": NOW,
        "TableStatus": "ACTIVE",
        "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
        "AttributeDefinitions": [
            {"AttributeName": n, "AttributeType": t}
            for n, t in (("device", "S"), ("ts", "S"), ("val", "N"), ("raw", "B"))
        ],
        "KeySchema": schema("device", "ts"),
        "LocalSecondaryIndexes": [{"IndexName": "local", "KeySchema": schema("device", "val"), **projected}],
        "GlobalSecondaryIndexes": [{"IndexName": "global", "KeySchema": schema("raw"), **projected}],
    }
    dynamodb: Any = SimpleNamespace(describe_table=lambda TableName: {"Table": table})  # noqa: N803 - AWS's name
    assert look_at_capacity(dynamodb, None, "t", "policy").index_keys == (  # type: ignore[arg-type]
        IndexKey("local", "device", "S", "Partition"),
        IndexKey("local", "val", "N", "Sort"),
        IndexKey("global", "raw", "B", "Partition"),
    )
