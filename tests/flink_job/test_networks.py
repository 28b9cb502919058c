"""The whole job over two networks that cut, delay, double and lie: one to Lindorm, one to DynamoDB.

Source, items and writer are the job's own, as its driver tells Flink, with Flink's checkpoints and restarts.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from flink_job import main
from local.lindorm.data import Shape, load, readings
from local.lindorm.store import Store
from tests.flink_job import mysql_network, network
from tests.flink_job.dynamodb_local import dynamodb
from tests.flink_job.harness import Harness, running
from tests.flink_job.mysql_server import PASSWORD, USER, lindorm

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

pytestmark = pytest.mark.stack

READINGS = Shape(rows=600, devices=20)
EXPECTED = {(one.device, one.ts): one.val for one in readings(READINGS)}
SECONDS = 400  # of a run, as the last resort: it is then called a hang
COLUMNS = (
    {"name": "device", "type": "VARCHAR"},
    {"name": "ts", "type": "TIMESTAMP"},
    {"name": "val", "type": "DOUBLE"},
)


@dataclass
class Lab:
    folder: Path
    source: mysql_network.Network
    target: network.Network
    client: "DynamoDBClient"
    flink: Harness
    runs: int = 0

    def run(
        self, to_lindorm: list[mysql_network.Fault], to_dynamodb: list[network.Fault]
    ) -> tuple[str | None, dict[str, Any], dict[tuple[str, int], float]]:
        """The error, result.json (empty where there is none), and the table."""
        self.runs += 1
        table = f"table-{self.runs}"
        self.client.create_table(
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "device", "KeyType": "HASH"}, {"AttributeName": "at", "KeyType": "RANGE"}],
            AttributeDefinitions=[
                {"AttributeName": "device", "AttributeType": "S"},
                {"AttributeName": "at", "AttributeType": "N"},
            ],
        )
        self.source.start_with(to_lindorm)
        self.target.start_with(to_dynamodb)
        config = self.config(table)
        said = self.flink.ask(
            {
                "settings": {
                    **main.job_settings(config),
                    "parallelism.default": "2",
                    "execution.checkpointing.interval": "500 ms",
                    "restart-strategy.type": "fixed-delay",
                    "restart-strategy.fixed-delay.attempts": "20",
                    "restart-strategy.fixed-delay.delay": "200 ms",
                },
                "statements": [
                    main.source_table(config, USER, str(self.folder)),
                    main.items_table(config, f"http://127.0.0.1:{self.target.port}"),
                    main.insert(config),
                ],
                "seconds": SECONDS,
            }
        )
        result = Path(config["result"]["path"])
        found: dict[tuple[str, int], float] = {}
        for page in self.client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True):
            for item in page["Items"]:
                found[item["device"]["S"], int(item["at"]["N"])] = float(item["val"]["N"])
        self.client.delete_table(TableName=table)
        return said["error"], json.loads(result.read_text()) if result.exists() else {}, found

    def config(self, table: str) -> dict[str, Any]:
        folder = self.folder / table
        return {
            "version": 1,
            "import": {"namespace": "default", "name": table, "uid": table, "runId": f"r{self.runs:08x}"},
            "source": {
                "url": f"jdbc:mysql://127.0.0.1:{self.source.port}/default?socketTimeout=1000&connectTimeout=5000",
                "table": "readings",
                "tls": {"mode": "Disabled"},
                "columns": list(COLUMNS),
                "primaryKey": [{"name": "device", "order": "ASC"}, {"name": "ts", "order": "ASC"}],
                "timeRange": None,
                "filter": None,
                "pageSize": 100,
                "maxRowsPerSecond": None,
                "splitPoints": [],
            },
            "target": {
                "region": "us-west-2",
                "table": table,
                "key": {
                    "partition": {"name": "device", "type": "S", "template": "{device}"},
                    "sort": {"name": "at", "type": "N", "template": "{ts}"},
                },
                "attributes": [
                    {"column": "device", "name": "device", "as": "String"},
                    {"column": "ts", "name": "at", "as": "EpochMillis"},
                    {"column": "val", "name": "val", "as": "Number"},
                ],
                "partitionShards": None,
                "nulls": "Omit",
            },
            "rejects": {"path": str(folder / "rejects"), "max": 1000},
            "result": {"path": str(folder / "result.json")},
        }


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("networks")
    (folder / "username").write_text(USER)
    (folder / "password").write_text(PASSWORD)
    store = Store(folder / "data")
    load(store, READINGS)
    with (
        lindorm(store) as mysql,
        mysql_network.between(mysql) as source,
        dynamodb(folder) as (http, client),
        network.between(http) as target,
        running("io.lindorm.flink.SqlHarness", folder, heap="768m") as flink,
    ):
        yield Lab(folder, source, target, client, flink)


def assert_exact(lab: Lab, to_lindorm: list[mysql_network.Fault], to_dynamodb: list[network.Fault]) -> str | None:
    """The error that was told, if any."""
    error, result, found = lab.run(to_lindorm, to_dynamodb)
    what = (
        f"{(error or '')[-3000:]}, {result}, {len(found)} items, with {mysql_network.shown(to_lindorm)} "
        f"and {network.shown(to_dynamodb)}"
    )
    if error is not None:
        assert "LindormImport: " in error, what
        assert not result, what
        assert found.items() <= EXPECTED.items(), what
        return error
    assert found == EXPECTED, what
    counts = {name: result.get(name) for name in ("rowsRead", "itemsWritten", "rowsRejected")}
    assert counts == {"rowsRead": len(EXPECTED), "itemsWritten": len(EXPECTED), "rowsRejected": 0}, what
    return None


# A second's patience for the answer's first bytes, so that no run takes longer than its faults are many.
def to_dynamodb() -> st.SearchStrategy[network.Fault]:
    answers = st.builds(
        network.Fault,
        kind=st.just("answer"),
        status=st.sampled_from(network.STATUSES),
        body=st.sampled_from(sorted(set(network.BODIES) - network.FATAL)),
        mangle=st.sampled_from(network.MANGLES),
        at=st.floats(0, 0.5),
        then_dynamodb=st.booleans(),
    )
    own = st.builds(
        network.Fault, kind=st.just("dynamodb"), mangle=st.sampled_from(network.MANGLES), at=st.floats(0, 0.5)
    )
    closed = st.sampled_from([network.Fault("replay"), network.Fault("close before"), network.Fault("close after")])
    return st.one_of(answers, own, closed)


def to_lindorm() -> st.SearchStrategy[mysql_network.Fault]:
    return mysql_network.faults(mysql_network.KINDS, mysql_network.PASSING + mysql_network.LOGIN)


@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(lindorms=st.lists(to_lindorm(), max_size=4), dynamodbs=st.lists(to_dynamodb(), max_size=4))
def test_whatever_both_networks_do_the_table_and_the_result_are_exact_or_an_error_is_told(
    lab: Lab, lindorms: list[mysql_network.Fault], dynamodbs: list[network.Fault]
) -> None:
    assert_exact(lab, lindorms, dynamodbs)
