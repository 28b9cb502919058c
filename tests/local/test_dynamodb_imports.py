"""ImportTable and the bulk operations of the gate, by boto3, with files in moto's S3: the traps that AWS has, too."""

from __future__ import annotations

import contextlib
import gzip
import itertools
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.dynamodb.service_model import answer_problems
from tests.local.running_gate import KEY, Running, started

pytestmark = pytest.mark.stack
BUCKET = "staging"
_names = (f"t{number:04}" for number in itertools.count(1))
PATIENCE = 120.0


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with started(tmp_path_factory.mktemp("imports")) as gate:
        location: Any = {"LocationConstraint": "us-west-2"}
        gate.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=location)
        # What the gate puts on the wire is held against botocore's model, whatever a test asks for.
        gate.client.meta.events.register("before-parse.dynamodb.*", _fits_the_model)
        yield gate


def _fits_the_model(operation_model: Any, response_dict: Any, **_: Any) -> None:
    name = operation_model.name
    if response_dict["status_code"] == 200 and ("Import" in name or "Bulk" in name):
        found = answer_problems(name, json.loads(response_dict["body"]))
        assert not found, f"{name}: {found}"


@pytest.fixture(autouse=True)
def _fresh(running: Running) -> None:
    still = {"create_seconds": 0.0, "update_seconds": 0.0, "delete_seconds": 0.0, "import_seconds": 0.0}
    running.control(reset=True, settings=still)


def item(device: str, at: int, **more: Any) -> dict[str, Any]:
    return {"device": {"S": device}, "at": {"N": str(at)}, **more}


def line(device: str, at: int, **more: Any) -> str:
    return json.dumps({"Item": item(device, at, **more)})


def put(running: Running, prefix: str, **objects: list[str] | bytes) -> int:
    """Objects below the prefix, gzip'd where they are lines; the bytes of the lines."""
    total = 0
    for name, content in objects.items():
        if isinstance(content, list):
            text = "".join(each + "\n" for each in content).encode()
            total += len(text)
            content = gzip.compress(text)
        running.s3.put_object(Bucket=BUCKET, Key=f"{prefix}{name}.json.gz", Body=content)
    return total


def request(prefix: str, table: str, **changes: Any) -> Any:
    return {
        "S3BucketSource": {"S3Bucket": BUCKET, "S3KeyPrefix": prefix},
        "InputFormat": "DYNAMODB_JSON",
        "InputCompressionType": "GZIP",
        "TableCreationParameters": {"TableName": table, "BillingMode": "PAY_PER_REQUEST", **KEY},
        **changes,
    }


def start(running: Running, prefix: str, table: str, **changes: Any) -> Any:
    return running.client.import_table(**request(prefix, table, **changes))["ImportTableDescription"]


def describe(running: Running, arn: str) -> Any:
    return running.client.describe_import(ImportArn=arn)["ImportTableDescription"]


def wait(look: Callable[[], Any], ended: Callable[[Any], bool]) -> Any:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        seen = look()
        if ended(seen):
            return seen
        time.sleep(0.05)
    raise AssertionError(f"not there after {PATIENCE} s: {look()}")


def finish(running: Running, arn: str) -> Any:
    return wait(lambda: describe(running, arn), lambda seen: seen["ImportStatus"] != "IN_PROGRESS")


@contextlib.contextmanager
def refused(code: str) -> Iterator[None]:
    with pytest.raises(ClientError) as caught:
        yield
    assert caught.value.response["Error"]["Code"] == code


def test_an_import_makes_the_table_with_every_item_and_tells_counts_at_its_end_only(running: Running) -> None:
    table, prefix = next(_names), "whole/"
    size = put(running, prefix, a=[line("d", n, v={"S": "ü" * n}) for n in range(30)], b=[line("e", 1)])
    running.control(settings={"import_seconds": 3600.0})
    first = start(running, prefix, table)
    running.s3.head_bucket(Bucket=BUCKET)
    wait(lambda: running.state()["operations"], lambda seen: "ImportTable" in seen)
    seen = describe(running, first["ImportArn"])
    assert (seen["ImportStatus"], seen["ProcessedItemCount"], seen["ImportedItemCount"]) == ("IN_PROGRESS", 0, 0)
    assert not {"EndTime", "ProcessedSizeBytes", "FailureCode"} & set(seen)
    assert running.client.describe_table(TableName=table)["Table"]["TableStatus"] == "CREATING"
    running.control(settings={"import_seconds": 0.0})
    last = finish(running, first["ImportArn"])
    assert last["ImportStatus"] == "COMPLETED"
    assert (last["ImportedItemCount"], last["ProcessedItemCount"], last["ErrorCount"]) == (31, 31, 0)
    assert last["ProcessedSizeBytes"] == size, "uncompressed, newlines included"
    described = running.client.describe_table(TableName=table)["Table"]
    assert (described["TableStatus"], described["TableId"]) == ("ACTIVE", first["TableId"])
    assert running.items(table) == {("d", str(n)) for n in range(30)} | {("e", "1")}


def test_nothing_of_the_table_can_be_changed_before_the_import_ends(running: Running) -> None:
    table = next(_names)
    running.control(settings={"import_seconds": 3600.0})
    one = start(running, "nothing-here/", table)
    arn, client = one["TableArn"], running.client
    with refused("ResourceInUseException"):
        client.delete_table(TableName=table)
    with refused("ResourceInUseException"):
        client.update_table(TableName=table, DeletionProtectionEnabled=True)
    with refused("ResourceInUseException"):
        client.tag_resource(ResourceArn=arn, Tags=[{"Key": "k", "Value": "v"}])
    with refused("ContinuousBackupsUnavailableException"):
        recovery: Any = {"PointInTimeRecoveryEnabled": True}
        client.update_continuous_backups(TableName=table, PointInTimeRecoverySpecification=recovery)
    with refused("ResourceNotFoundException"):
        client.put_item(TableName=table, Item=item("d", 1))
    running.control(settings={"import_seconds": 0.0})
    assert finish(running, one["ImportArn"])["ImportStatus"] == "COMPLETED", "a prefix without objects is a success"
    assert client.list_tags_of_resource(ResourceArn=arn)["Tags"] == []
    assert client.describe_table(TableName=table)["Table"]["DeletionProtectionEnabled"] is False
    assert running.items(table) == set()


def test_a_token_gives_the_running_import_for_any_other_files_and_nothing_afterwards(running: Running) -> None:
    table = next(_names)
    running.control(settings={"import_seconds": 3600.0})
    first = start(running, "one/", table, ClientToken="token")
    other = start(running, "two/", table, ClientToken="token", InputCompressionType="NONE")
    assert (other["ImportArn"], other["S3BucketSource"]) == (first["ImportArn"], first["S3BucketSource"])
    with refused("ImportConflictException"):
        start(running, "one/", next(_names), ClientToken="token")
    with refused("ResourceInUseException"):
        start(running, "one/", table, ClientToken="another")
    running.control(settings={"import_seconds": 0.0})
    finish(running, first["ImportArn"])
    with refused("ResourceInUseException"):
        start(running, "one/", table, ClientToken="token")


def test_the_first_line_that_is_no_item_drops_the_rest_of_its_object_and_fails_the_import(running: Running) -> None:
    table, prefix = next(_names), "bad/"
    bad = {
        "json": "{",
        "noitem": "{}",
        "nokey": json.dumps({"Item": {"at": {"N": "1"}}}),
        "wrongtype": json.dumps({"Item": {"device": {"S": "x"}, "at": {"S": "1"}}}),
        "emptykey": line("", 1),
        "toolarge": line("big", 1, v={"S": "x" * 410_000}),
        "notgzip": b"plain",
    }
    put(running, prefix, good=[line("good", 1), "", "   ", line("good", 2)], empty=b"")
    for name, content in bad.items():
        lines = [line(name, 1), content, line(name, 3)] if isinstance(content, str) else content
        put(running, prefix, **{name: lines})
    last = finish(running, start(running, prefix, table)["ImportArn"])
    assert (last["ImportStatus"], last["FailureCode"]) == ("FAILED", "ItemValidationError")
    assert last["ErrorCount"] == len(bad)
    assert last["ProcessedItemCount"] == last["ImportedItemCount"] + last["ErrorCount"]
    kept = {(name, "1") for name, content in bad.items() if isinstance(content, str)}
    assert running.items(table) == kept | {("good", "1"), ("good", "2")}, "the table stays with what came before"
    assert running.client.describe_table(TableName=table)["Table"]["TableStatus"] == "ACTIVE"
    stream = last["ImportArn"].rpartition("/")[2] + "/error"
    events = running.logs.get_log_events(logGroupName="/aws-dynamodb/imports", logStreamName=stream)["events"]
    told = {entry["itemS3Pointer"]["key"]: entry for entry in (json.loads(event["message"]) for event in events)}
    assert set(told) == {f"{prefix}{name}.json.gz" for name in bad}
    assert told[f"{prefix}nokey.json.gz"]["itemS3Pointer"]["itemIndex"] == 1
    assert "device" in told[f"{prefix}nokey.json.gz"]["errorMessages"][0]


def test_writes_are_counted_and_not_the_items_that_are_left(running: Running) -> None:
    table, prefix = next(_names), "double/"
    put(running, prefix, a=[line("d", 1), line("d", 2)], b=[line("d", 2), line("d", 2), line("d", 3)])
    last = finish(running, start(running, prefix, table)["ImportArn"])
    assert (last["ImportStatus"], last["ImportedItemCount"]) == ("COMPLETED", 5)
    assert running.items(table) == {("d", "1"), ("d", "2"), ("d", "3")}


def test_of_several_gzip_members_only_the_first_is_read(running: Running) -> None:
    table, prefix = next(_names), "members/"
    members = [gzip.compress(f"{line('d', n)}\n".encode()) for n in (1, 2)]
    put(running, prefix, a=b"".join(members))
    last = finish(running, start(running, prefix, table)["ImportArn"])
    assert (last["ImportStatus"], last["ImportedItemCount"]) == ("COMPLETED", 1), "silently, as other importers"


def test_a_missing_bucket_fails_and_leaves_no_table(running: Running) -> None:
    table = next(_names)
    one = start(running, "x/", table, S3BucketSource={"S3Bucket": "no-such-bucket", "S3KeyPrefix": "x/"})
    assert finish(running, one["ImportArn"])["FailureCode"] == "S3NoSuchBucket"
    with refused("ResourceNotFoundException"):
        running.client.describe_table(TableName=table)
    assert finish(running, start(running, "nothing-here/", table)["ImportArn"])["ImportStatus"] == "COMPLETED"


def test_imports_are_listed_by_table_in_pages_the_running_ones_too(running: Running) -> None:
    table, other = next(_names), next(_names)
    finish(running, start(running, "nothing-here/", other)["ImportArn"])
    running.control(settings={"import_seconds": 3600.0})
    one = start(running, "nothing-here/", table)
    listed = running.client.list_imports(TableArn=one["TableArn"])["ImportSummaryList"]
    assert [(each["ImportArn"], each["ImportStatus"]) for each in listed] == [(one["ImportArn"], "IN_PROGRESS")]
    assert listed[0]["S3BucketSource"] == {"S3Bucket": BUCKET, "S3KeyPrefix": "nothing-here/"}
    page = running.client.list_imports(PageSize=1)
    assert [each["ImportArn"] for each in page["ImportSummaryList"]] == [one["ImportArn"]]
    again = running.client.list_imports(PageSize=1, NextToken=page["NextToken"])["ImportSummaryList"]
    assert again[0]["ImportArn"] != one["ImportArn"]
    with refused("ValidationException"):
        running.client.list_imports(NextToken="0" * 112)
    with refused("ImportNotFoundException"):
        describe(running, one["ImportArn"][:-8] + "0badf00d")
    running.control(settings={"import_seconds": 0.0})
    finish(running, one["ImportArn"])


@pytest.mark.parametrize(
    "changes",
    [
        {"InputFormat": "PARQUET"},
        {"InputCompressionType": "BZIP2"},
        {"S3BucketSource": {"S3Bucket": "-nope!"}},
        {"S3BucketSource": {"S3Bucket": BUCKET, "S3KeyPrefix": "p" * 1025}},
        {"TableCreationParameters": {"TableName": "not a name!", **KEY}},
        {"InputFormatOptions": {"Csv": {"Delimiter": ","}}},
        {"ClientToken": "with$dollar"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_what_the_model_forbids_is_refused_before_anything_is_made(running: Running, changes: Any) -> None:
    with refused("ValidationException"):
        start(running, "x/", next(_names), **changes)


def test_the_faults_of_an_import_can_be_ordered(running: Running) -> None:
    table, prefix = next(_names), "faults/"
    put(running, prefix, **{f"o{n}": [line("d", n)] for n in range(10)})
    running.control(inject=[{"operation": "ImportTable", "kind": "limit"}])
    with refused("LimitExceededException"):
        start(running, prefix, table)
    running.control(
        inject=[{"operation": "ImportTable", "kind": "lost-reply"}, {"operation": "ImportTable", "kind": "fails"}]
    )
    with refused("InternalServerError"):
        start(running, prefix, table)
    (listed,) = (
        each for each in running.client.list_imports()["ImportSummaryList"] if each["TableArn"].endswith(f"/{table}")
    )
    last = finish(running, listed["ImportArn"])
    assert last["ImportStatus"] == "FAILED"
    assert len(running.items(table)) == 5, "half of it stays, in a table that is ACTIVE"


def test_only_so_many_imports_run_at_once(running: Running) -> None:
    running.control(settings={"import_seconds": 3600.0})
    started_ones = [start(running, "nothing-here/", next(_names))["ImportArn"] for _ in range(50)]
    with refused("LimitExceededException"):
        start(running, "nothing-here/", next(_names))
    running.control(settings={"import_seconds": 0.0})
    for arn in started_ones:
        finish(running, arn)


# Bulk puts


def bulk(running: Running, prefix: str, table: str, **changes: Any) -> Any:
    client: Any = running.client  # the stubs do not know the operation yet
    answer = client.start_bulk_put_items(
        **{
            "InputS3Configuration": {
                "S3Bucket": BUCKET,
                "S3KeyPrefix": prefix,
                "InputFormat": "DYNAMODB_JSON",
                "InputCompressionType": "GZIP",
            },
            "OutputS3Configuration": {"S3Bucket": BUCKET, "S3KeyPrefix": f"out/{table}/", "OutputType": ["ERROR"]},
            "TableName": table,
            **changes,
        }
    )
    return answer["BulkOperationDescription"]


def bulk_seen(running: Running, arn: str) -> Any:
    client: Any = running.client
    return client.describe_bulk_operation(BulkOperationArn=arn)["BulkOperationDescription"]


def bulk_end(running: Running, arn: str) -> Any:
    return wait(
        lambda: bulk_seen(running, arn),
        lambda seen: seen["BulkOperationStatus"] not in ("IN_PROGRESS", "CANCELLING"),
    )


def test_a_bulk_put_writes_into_a_table_that_exists_and_what_was_there_stays(running: Running) -> None:
    table, prefix = next(_names), "bulk/"
    running.create(table)
    running.client.put_item(TableName=table, Item=item("old", 1))
    put(running, prefix, a=[line("d", n) for n in range(60)])
    last = bulk_end(running, bulk(running, prefix, table)["BulkOperationArn"])
    assert last["BulkOperationStatus"] == "COMPLETED"
    assert (last["ProcessedItemCount"], last["FailedItemCount"]) == (60, 0)
    assert last["ProcessedInputBytes"] == last["TotalInputBytes"] > 0
    assert running.items(table) == {("d", str(n)) for n in range(60)} | {("old", "1")}


def test_a_bulk_put_needs_its_table_and_takes_it_for_itself(running: Running) -> None:
    table = next(_names)
    with refused("ResourceNotFoundException"):
        bulk(running, "x/", table)
    running.create(table)
    running.control(settings={"import_seconds": 3600.0})
    one = bulk(running, "nothing-here/", table, ClientToken="t1")
    assert bulk(running, "nothing-here/", table, ClientToken="t1")["BulkOperationArn"] == one["BulkOperationArn"]
    with refused("IdempotentParameterMismatchException"):
        bulk(running, "x/", table, ClientToken="t1")
    with refused("LimitExceededException"):
        bulk(running, "x/", table)
    running.control(settings={"import_seconds": 0.0})
    bulk_end(running, one["BulkOperationArn"])
    assert bulk(running, "nothing-here/", table, ClientToken="t1")["BulkOperationArn"] == one["BulkOperationArn"]


def test_items_that_a_bulk_put_cannot_write_are_in_its_error_output_and_the_rest_is_written(running: Running) -> None:
    table, prefix = next(_names), "bulkbad/"
    running.create(table)
    put(running, prefix, a=[line("d", 1), json.dumps({"Item": {"at": {"N": "2"}}}), line("d", 3)])
    last = bulk_end(running, bulk(running, prefix, table)["BulkOperationArn"])
    assert (last["BulkOperationStatus"], last["FailedItemCount"], last["ProcessedItemCount"]) == (
        "COMPLETED_WITH_ERRORS",
        1,
        3,
    )
    assert running.items(table) == {("d", "1"), ("d", "3")}
    (found,) = running.s3.list_objects_v2(Bucket=BUCKET, Prefix=f"out/{table}/")["Contents"]
    body = running.s3.get_object(Bucket=BUCKET, Key=found["Key"])["Body"].read()
    report = json.loads(gzip.decompress(body))
    assert report["Item"] == {"at": {"N": "2"}}
    assert "device" in report["errorMessage"]


def test_a_bulk_put_keeps_its_rate_shows_its_counts_and_can_be_cancelled(running: Running) -> None:
    table, prefix = next(_names), "slow/"
    running.create(table)
    put(running, prefix, a=[line("d", n) for n in range(200)])
    running.control(settings={"scale": 0.001, "burst_seconds": 0.05})  # one item a second after the first 51
    one = bulk(running, prefix, table, MaxWriteRequestUnits=1024)
    arn = one["BulkOperationArn"]
    seen = wait(lambda: bulk_seen(running, arn), lambda seen: seen["ProcessedItemCount"] > 0)
    assert seen["BulkOperationStatus"] == "IN_PROGRESS"
    client: Any = running.client
    assert client.cancel_bulk_operation(BulkOperationArn=arn)["BulkOperationStatus"] == "CANCELLING"
    last = bulk_end(running, arn)
    running.control(settings={"scale": 1.0, "burst_seconds": 1.0})
    assert last["BulkOperationStatus"] == "CANCELLED"
    assert 0 < last["ProcessedItemCount"] == len(running.items(table)) < 200, "what is written stays"
    listed = client.list_bulk_operations(MaxResults=1)["BulkOperationsSummaryList"]
    assert [each["BulkOperationArn"] for each in listed] == [arn]


def test_a_bulk_put_that_fails_half_way_leaves_what_it_wrote(running: Running) -> None:
    table, prefix = next(_names), "bulkfails/"
    running.create(table)
    put(running, prefix, **{f"o{n}": [line("d", n)] for n in range(4)})
    running.control(inject=[{"operation": "StartBulkPutItems", "kind": "fails"}])
    last = bulk_end(running, bulk(running, prefix, table)["BulkOperationArn"])
    assert (last["BulkOperationStatus"], len(running.items(table))) == ("FAILED", 2)
    assert last["FailureCode"]
