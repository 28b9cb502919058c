"""What DynamoDB Local says of the cases that plan and mapper share: both sides must not only agree with each other."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.local.running_gate import started

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

pytestmark = pytest.mark.stack

# What is the converter's own business, before there is an item: DynamoDB never sees a name twice, or what is no JSON.
_OURS = (
    *("a name twice", "no document", "nothing", "two documents", "NaN in a document", "10,000 lists"),
    *("half of a surrogate pair", "half of a pair in a name", "a number in hexadecimal", "white space about a number"),
)
# AWS's page on quotas against DynamoDB Local 3.3.1.
_OTHERWISE = ("a number with underscores",)
CASES = [
    case
    for case in json.loads((Path(__file__).parents[1] / "data" / "dynamodb-limits.json").read_text("utf-8"))["rows"]
    if case["told"] not in (*_OURS, *_OTHERWISE)
]


def text_of(told: Any) -> str | None:
    if not isinstance(told, dict):
        return None if told is None else str(told)
    return str(told.get("before", "")) + str(told["text"]) * int(told.get("times", 1)) + str(told.get("after", ""))


def typed(value: Any) -> dict[str, Any]:
    """A parsed document in DynamoDB's notation."""
    if isinstance(value, dict):
        return {"M": {name: typed(inner) for name, inner in value.items()}}
    if isinstance(value, list):
        return {"L": [typed(inner) for inner in value]}
    if value is None or isinstance(value, bool):
        return {"NULL": True} if value is None else {"BOOL": value}
    return {"N": value} if isinstance(value, Number) else {"S": value}


class Number(str):
    """The digits of a number, as they stand."""


def item_of(case: dict[str, Any]) -> dict[str, Any]:
    item: dict[str, Any] = {}
    for name in "ksv":
        text = text_of(case.get(name, name))
        as_ = case.get("as", "String") if name == "v" else "String"
        if text is None:
            if case.get("nulls") == "Write":
                item[name] = {"NULL": True}
        elif as_ == "JsonDocument":
            item[name] = typed(json.loads(text, parse_int=Number, parse_float=Number))
        else:
            item[name] = {
                {"Number": "N", "Binary": "B", "String": "S"}[as_]: text.encode() if as_ == "Binary" else text
            }
    return item


@pytest.fixture(scope="module")
def dynamodb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DynamoDBClient]:
    with started(tmp_path_factory.mktemp("limits")) as running:
        running.control(settings={"scale": 1000.0})  # large items one after the other into one partition
        yield running.client


def table_of(dynamodb: DynamoDBClient, case: dict[str, Any]) -> str:
    """A table with the case's index."""
    index = case.get("index")
    name = "limits-" + (re.sub(r"\W+", "-", "-".join(index.values())) if index else "none")
    if name in dynamodb.list_tables()["TableNames"]:
        return name
    types = {"k": "S", "s": "S"} | ({index["name"]: index["type"]} if index else {})
    request: dict[str, Any] = {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [{"AttributeName": "k", "KeyType": "HASH"}, {"AttributeName": "s", "KeyType": "RANGE"}],
    }
    if index:
        hash_ = index["name"] if index["role"] == "Partition" else "other"
        types |= {hash_: types.get(hash_, "S")}
        schema = [{"AttributeName": hash_, "KeyType": "HASH"}]
        if index["role"] == "Sort":
            schema.append({"AttributeName": index["name"], "KeyType": "RANGE"})
        request["GlobalSecondaryIndexes"] = [
            {"IndexName": "by-it", "KeySchema": schema, "Projection": {"ProjectionType": "ALL"}}
        ]
    request["AttributeDefinitions"] = [{"AttributeName": n, "AttributeType": t} for n, t in types.items()]
    dynamodb.create_table(**request)
    dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
    return name


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["told"])
def test_dynamodb_takes_what_the_cases_call_items_and_nothing_else(
    dynamodb: DynamoDBClient, case: dict[str, Any]
) -> None:
    item = item_of(case)
    if case.get("index", {}).get("role") == "Sort":
        item["other"] = {"S": "o"}
    try:
        dynamodb.put_item(TableName=table_of(dynamodb, case), Item=item)
        refused = None
    except ClientError as error:
        refused = error.response["Error"]["Message"]
    assert (refused is not None) == (case["reject"] is not None), refused
    if refused is None and "N" in item.get("v", {}):
        found = dynamodb.get_item(TableName=table_of(dynamodb, case), Key={"k": item["k"], "s": item["s"]})["Item"]
        assert Decimal(found["v"]["N"]) == Decimal(item["v"]["N"])
