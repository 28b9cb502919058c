"""The job's writer over a network that answers in DynamoDB's place, and cuts, doubles, delays what DynamoDB answers.

The writer is the job's own, in one JVM; DynamoDB is DynamoDB Local. Whatever the network does: the table holds exactly
what is counted as written, or an error is told.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.flink_job.dynamodb_local import dynamodb
from tests.flink_job.harness import Harness, running
from tests.flink_job.network import BODIES, FATAL, MANGLES, STATUSES, Fault, Network, between, shown

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

pytestmark = pytest.mark.stack

ITEMS = 300


@dataclass
class Lab:
    client: "DynamoDBClient"
    network: Network
    writer: Harness
    tables: int = 0

    def run(self, faults: list[Fault], bad: list[int]) -> tuple[dict[str, Any], set[int]]:
        """What the writer says, and the numbers of the items that are in the table."""
        self.tables += 1
        table = f"table-{self.tables}"
        key: Any = {
            "KeySchema": [{"AttributeName": "p", "KeyType": "HASH"}, {"AttributeName": "s", "KeyType": "RANGE"}],
            "AttributeDefinitions": [
                {"AttributeName": name, "AttributeType": type_} for name, type_ in (("p", "S"), ("s", "N"), ("g", "S"))
            ],
            "GlobalSecondaryIndexes": [
                {
                    "IndexName": "by-g",
                    "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
                    "Projection": {"ProjectionType": "KEYS_ONLY"},
                }
            ],
        }
        self.client.create_table(TableName=table, BillingMode="PAY_PER_REQUEST", **key)
        self.network.start_with(faults)
        order = {
            "url": f"http://127.0.0.1:{self.network.port}",
            "table": table,
            "items": ITEMS,
            "partitions": 20,
            "bad": bad,
        }
        result = self.writer.ask(order)
        pages = self.client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
        there = {int(item["s"]["N"]) for page in pages for item in page["Items"]}
        self.client.delete_table(TableName=table)
        return result, there


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("network")
    with (
        dynamodb(folder) as (port, client),
        between(port) as network,
        running("io.lindorm.flink.dynamodb.WriterHarness", folder) as writer,
    ):
        yield Lab(client, network, writer)


def assert_exact(lab: Lab, faults: list[Fault], bad: list[int]) -> dict[str, Any]:
    result, there = lab.run(faults, bad)
    what = f"{result} with {shown(faults)}, met {lab.network.met}"
    if result["error"] is not None:
        # Told, and nothing is counted that is not there.
        assert "LindormImport: " in result["error"], what
        assert result["written"] <= len(there), what
        return result
    assert there == set(range(ITEMS)) - set(bad), what
    assert result["written"] == ITEMS - len(bad), what
    assert sorted(result["invalid"]) == sorted(bad), what
    return result


def faults() -> st.SearchStrategy[Fault]:
    mangles, at = st.sampled_from(MANGLES), st.floats(0, 1, exclude_max=True)
    answers = st.builds(
        Fault,
        kind=st.just("answer"),
        status=st.sampled_from(STATUSES),
        body=st.sampled_from(sorted(set(BODIES) - FATAL)),
        mangle=mangles,
        at=at,
        then_dynamodb=st.booleans(),
    )
    own = st.builds(Fault, kind=st.just("dynamodb"), mangle=mangles, at=at)
    others = st.sampled_from([Fault("replay"), Fault("close before"), Fault("close after")])
    return st.one_of(answers, own, others)


@settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(faults=st.lists(faults(), max_size=10), bad=st.lists(st.integers(0, ITEMS - 1), max_size=3, unique=True))
def test_whatever_the_network_does_the_table_holds_what_is_counted(
    lab: Lab, faults: list[Fault], bad: list[int]
) -> None:
    assert_exact(lab, faults, bad)


@pytest.mark.parametrize("body", sorted(set(BODIES) - FATAL))
def test_a_tenth_of_the_answers_that_only_look_like_success_loses_nothing(lab: Lab, body: str) -> None:
    passed = Fault("dynamodb")
    result = assert_exact(lab, [Fault("answer", 200, body), *[passed] * 9, Fault("answer", 200, body)], [])
    assert result["error"] is None


@pytest.mark.parametrize("status", [400, 403])
def test_what_dynamodb_means_for_good_is_told(lab: Lab, status: int) -> None:
    result = assert_exact(lab, [Fault("answer", status, "no right")] * 20, [])
    assert "dynamodb:BatchWriteItem" in result["error"]


def test_whoever_answers_for_long_in_dynamodbs_place_is_named(lab: Lab) -> None:
    result = assert_exact(lab, [Fault("answer", 302, "portal")] * 10_000, [])
    assert "server 'a network', to http://127.0.0.1:1/login" in result["error"]
    assert result["written"] == 0
