"""Files of items that the real Flink leaves in S3: every row once, whatever is killed, as the items of a table are."""

from __future__ import annotations

import os
import random
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Context, Decimal
from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer

from lindorm_import.api.spec import ImportSpec
from local.demo import World
from local.lindorm.data import Shape, load, readings
from local.lindorm.store import Store
from local.stack import Stack
from tests.flink_job.every_type import make_table
from tests.flink_job.running import Job

pytestmark = [pytest.mark.stack, pytest.mark.timeout(1800)]

ROWS = 12_000
SHAPE = Shape(rows=2 * ROWS, table="many")
CHECKPOINTS = {"job.checkpoint": {"interval": "1s", "minPause": "1s"}}
SLOW = {"source.maxRowsPerSecond": 400}  # 30 s: long enough to be caught in the middle
ROUNDS = int(os.environ.get("KILLS", "1"))  # more of them by hand


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with Stack(tmp_path_factory.mktemp("files")) as stack:
        world = World(stack)
        load(Store(stack.folder / "lindorm"), SHAPE)
        world.create_secret()
        world.aws("s3").create_bucket(
            Bucket=world.example()["spec"]["staging"]["bucket"],
            CreateBucketConfiguration={"LocationConstraint": "us-west-2"},
        )
        yield world
        world.close()


def job(world: World, name: str, changes: dict[str, Any], method: str | None = "ImportTable") -> Job:
    told = {"target.table": name, **CHECKPOINTS, **changes}
    return Job(world, name, ImportSpec.model_validate(world.example(**told)["spec"]), method)


def in_range() -> set[tuple[str, str]]:
    """The keys of SHAPE's rows in January 2023."""
    start, end = datetime(2023, 1, 1, tzinfo=UTC), datetime(2023, 2, 1, tzinfo=UTC)
    keys = set()
    for row in readings(SHAPE):
        at = datetime.fromtimestamp(row.ts // 1000, UTC).replace(microsecond=row.ts % 1000 * 1000)
        if start <= at < end:
            keys.add((row.device, at.isoformat(timespec="milliseconds").replace("+00:00", "Z")))
    return keys


def assert_each_row_once(done: Job) -> None:
    seen = Counter((item["device"]["S"], item["ts"]["S"]) for item in done.items())
    assert [key for key, times in seen.items() if times > 1] == []
    assert seen.keys() == in_range()
    result = done.wait_result()
    assert (result["version"], result["rowsRead"], result["rowsRejected"]) == (2, len(seen), 0)


def test_every_row_is_in_the_files_once_and_a_file_holds_many_ranges_of_the_key(world: World) -> None:
    with job(world, "whole", {"source.table": "many"}) as done:
        assert_each_row_once(done)
        for items in done.files():
            devices = [item["device"]["S"] for item in items]
            for begin in range(0, len(devices) - 1000, 1000):
                # In the order of the key these would be of one device, or two: it has a thousand rows.
                assert len(set(devices[begin : begin + 1000])) >= 4
        assert max(len(items) for items in done.files()) >= 2000, "large enough to see it"


@pytest.mark.parametrize("round_", range(ROUNDS))
@pytest.mark.parametrize("victim", ["taskmanager-1", "jobmanager"])
def test_whoever_is_killed_the_files_hold_every_row_once_and_nothing_else_is_beside_them(
    world: World, victim: str, round_: int
) -> None:
    chance = random.Random(f"{victim} {round_}")
    with job(world, f"{victim}-{round_}", {"source.table": "many", **SLOW}) as done:
        for _ in range(2):
            more = len(done.objects()) + chance.randint(1, 6)
            done.wait(lambda more=more: len(done.objects()) >= more or done.result() is not None, "some more objects")  # type: ignore[misc]
            done.kill(victim)
        assert_each_row_once(done)


def test_a_range_without_rows_leaves_an_empty_manifest_and_no_object(world: World) -> None:
    empty = {"source.timeRange": {"column": "ts", "start": "1990-01-01T00:00:00Z", "end": "1990-02-01T00:00:00Z"}}
    with job(world, "nothing", {"source.table": "many", **empty}) as done:
        result = done.wait_result()
        assert done.objects() == {}
        assert (result["itemsWritten"], result["files"]["objects"], result["files"]["bytes"]) == (0, 0, 0)
        assert done.get(result["files"]["manifest"]["path"]) == b""


def each(value: Any, type_: str, change: Callable[[str], Any]) -> Any:
    """DynamoDB's JSON with the values of one type changed, those in documents too."""
    if isinstance(value, dict):
        if value.keys() == {type_} and isinstance(value[type_], str):
            return {type_: change(value[type_])}
        return {name: each(inner, type_, change) for name, inner in value.items()}
    return [each(inner, type_, change) for inner in value] if isinstance(value, list) else value


def shortest(number: str) -> str:
    """DynamoDB Local tells 9.9E+125 in 126 digits, of which boto3 refuses to read more than 38."""
    return str(Decimal(number).normalize(Context(prec=200)))


@pytest.mark.parametrize("seed", [1, 2])
def test_what_boto3_reads_from_the_files_is_what_the_same_rows_are_in_a_table(world: World, seed: int) -> None:
    changes = make_table(Store(world.stack.folder / "lindorm"), f"random{seed}", random.Random(seed), rows=600)
    files, direct = (
        job(world, f"random{seed}-{name}", changes, method) for name, method in (("files", "BulkPut"), ("direct", None))
    )
    files.start()
    direct.start()
    read = TypeDeserializer()

    def plain(items: Iterator[dict[str, Any]]) -> dict[Any, Any]:
        found = {}
        for item in items:
            values = {name: read.deserialize(value) for name, value in item.items()}
            found[values["k"]] = values
        return found

    result = direct.wait_result()
    table = world.aws("dynamodb").get_paginator("scan").paginate(TableName=f"random{seed}-direct", ConsistentRead=True)
    stored = plain(each(item, "N", shortest) for page in table for item in page["Items"])
    loaded = plain(each(item, "B", b64decode) for item in files.items())  # as boto3's client reads answers
    assert loaded == stored
    assert len(loaded) == result["itemsWritten"] > 300
    counts = ("rowsRead", "itemsWritten", "rowsRejected", "rejectedByReason")
    assert [files.wait_result()[name] for name in counts] == [result[name] for name in counts]
    assert any(isinstance(value, Decimal) for item in loaded.values() for value in item.values())
    files.stop()
    direct.stop()
