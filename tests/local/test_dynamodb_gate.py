"""The gate before the real DynamoDB Local, by boto3: throttling as DynamoDB does it, settings, faults, metrics."""

from __future__ import annotations

import time
import urllib.request
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.local.running_gate import KEY, Running, started

if TYPE_CHECKING:
    pass

pytestmark = pytest.mark.stack
# Buckets as full as without it, but filled a hundred times slower, so that no test depends on the machine's speed.
SLOW_REFILL = {"scale": 0.01, "burst_seconds": 100.0}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with started(tmp_path_factory.mktemp("dynamodb")) as gate:
        yield gate


@pytest.fixture(autouse=True)
def _fresh(running: Running) -> None:
    running.control(reset=True, settings={"create_seconds": 0.0, "update_seconds": 0.0, "delete_seconds": 0.0})


def put(device: str, at: int, size: int = 10) -> Any:
    return {"PutRequest": {"Item": {"device": {"S": device}, "at": {"N": str(at)}, "v": {"S": "x" * size}}}}


def reason(error: ClientError) -> tuple[str, list[str]]:
    """(exception, reasons) of a throttled request."""
    body: Any = error.response
    reasons = body.get("ThrottlingReasons") or body.get("throttlingReasons") or []
    return body["Error"]["Code"], [each["reason"] for each in reasons]


def test_a_batch_over_the_partition_s_limit_comes_back_in_part_and_nothing_is_lost_or_doubled(running: Running) -> None:
    running.create("partial")
    running.control(settings={"partition_write_units": 10})
    answer = running.client.batch_write_item(
        RequestItems={"partial": [put("hot", n) for n in range(20)] + [put("cold", n) for n in range(5)]},
        ReturnConsumedCapacity="INDEXES",
    )
    back = answer["UnprocessedItems"]["partial"]
    assert [each["PutRequest"]["Item"]["device"]["S"] for each in back] == ["hot"] * 10
    assert answer["ConsumedCapacity"] == [
        {"TableName": "partial", "CapacityUnits": 15.0, "Table": {"CapacityUnits": 15.0}}
    ]
    assert len(running.items("partial")) == 15
    while back:
        time.sleep(0.1)
        try:
            back = running.client.batch_write_item(RequestItems={"partial": back})["UnprocessedItems"].get("partial")
        except running.client.exceptions.ThrottlingException:
            continue
    assert len(running.items("partial")) == 25
    counted = running.state()["tables"]["partial"]
    assert counted["ConsumedWriteCapacityUnits"] == 25
    assert counted["WriteKeyRangeThroughputThrottleEvents"] == counted["WriteThrottleEvents"] >= 10


def test_a_batch_is_an_exception_only_when_every_item_is_throttled(running: Running) -> None:
    running.control(settings=SLOW_REFILL)
    running.create("whole", **{"ProvisionedThroughput": {"ReadCapacityUnits": 50, "WriteCapacityUnits": 5}})
    running.client.batch_write_item(RequestItems={"whole": [put(f"d{n}", n) for n in range(5)]})
    with pytest.raises(ClientError) as caught:
        running.client.batch_write_item(RequestItems={"whole": [put(f"e{n}", n) for n in range(5)]})
    assert reason(caught.value) == (
        "ProvisionedThroughputExceededException",
        ["TableWriteProvisionedThroughputExceeded"],
    )
    assert len(running.items("whole")) == 5
    counted = running.state()["tables"]["whole"]
    assert counted["WriteProvisionedThroughputThrottleEvents"] == 5
    assert counted["ThrottledRequests"] == 1


def test_a_put_says_which_limit_it_met(running: Running) -> None:
    running.control(settings=SLOW_REFILL)
    running.create("capped", BillingMode="PAY_PER_REQUEST", OnDemandThroughput={"MaxWriteRequestUnits": 3})
    for n in range(3):
        running.client.put_item(TableName="capped", Item=put(f"d{n}", n)["PutRequest"]["Item"])
    with pytest.raises(ClientError) as caught:
        running.client.put_item(TableName="capped", Item=put("d", 9)["PutRequest"]["Item"])
    assert reason(caught.value) == ("ThrottlingException", ["TableWriteMaxOnDemandThroughputExceeded"])
    running.control(settings={"table_quota": 0})
    with pytest.raises(ClientError) as caught:
        running.client.put_item(TableName="capped", Item=put("d", 9)["PutRequest"]["Item"])
    assert reason(caught.value)[1] == ["TableWriteAccountLimitExceeded"]


def test_items_cost_their_kilobytes(running: Running) -> None:
    running.create("sizes")
    answer = running.client.put_item(
        TableName="sizes", Item=put("d", 1, 3000)["PutRequest"]["Item"], ReturnConsumedCapacity="TOTAL"
    )
    assert answer["ConsumedCapacity"] == {"TableName": "sizes", "CapacityUnits": 3.0}
    batch = running.client.batch_write_item(
        RequestItems={"sizes": [put("d", 2, 3000), put("d", 3, 10)]}, ReturnConsumedCapacity="TOTAL"
    )
    assert batch["ConsumedCapacity"] == [{"TableName": "sizes", "CapacityUnits": 4.0}]
    assert running.state()["tables"]["sizes"]["ConsumedWriteCapacityUnits"] == 7


def test_reads_have_a_capacity_of_their_own(running: Running) -> None:
    running.create("reads", **{"ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 100}})
    running.client.batch_write_item(RequestItems={"reads": [put("d", n, 2000) for n in range(25)]})
    answer = running.client.scan(TableName="reads", ReturnConsumedCapacity="TOTAL")
    assert answer["ConsumedCapacity"]["CapacityUnits"] > 5
    with pytest.raises(ClientError) as caught:
        running.client.get_item(TableName="reads", Key={"device": {"S": "d"}, "at": {"N": "1"}})
    assert reason(caught.value)[1] == ["TableReadProvisionedThroughputExceeded"]


def test_a_bad_batch_is_dynamodb_s_to_refuse_and_uses_no_capacity(running: Running) -> None:
    running.create("bad")
    bad: list[Any] = [
        [put("d", 1), put("d", 1)],
        [put("", 1)],
        [put("d", n) for n in range(26)],
        [{"PutRequest": {"Item": {"device": {"S": "d"}}}}],
        [put("d", 1, 409_600)],
    ]
    for batch in bad:
        with pytest.raises(ClientError) as caught:
            running.client.batch_write_item(RequestItems={"bad": batch})
        assert caught.value.response["Error"]["Code"] == "ValidationException"
    assert "bad" not in running.state()["tables"]
    with pytest.raises(ClientError) as caught:
        running.client.batch_write_item(RequestItems={"missing": [put("d", 1)]})
    assert caught.value.response["Error"]["Code"] == "ResourceNotFoundException"


def test_answers_carry_dynamodb_s_headers(running: Running) -> None:
    request = urllib.request.Request(
        running.url,
        b"{}",
        {"X-Amz-Target": "DynamoDB_20120810.ListTables", "Content-Type": "application/x-amz-json-1.0"},
    )
    request.add_header("Authorization", "AWS4-HMAC-SHA256 Credential=test/20260101/us-west-2/dynamodb/aws4_request")
    with urllib.request.urlopen(request, timeout=30) as answer:
        body = answer.read()
        assert int(answer.headers["x-amz-crc32"]) == zlib.crc32(body)
        assert len(answer.headers["x-amzn-RequestId"]) == 52
        assert answer.headers["Content-Type"] == "application/x-amz-json-1.0"


def test_a_table_is_creating_for_a_while_and_takes_no_items_yet(running: Running) -> None:
    running.control(settings={"create_seconds": 0.6, "update_seconds": 0.6, "delete_seconds": 0.6})
    client = running.client
    client.create_table(TableName="slow", BillingMode="PAY_PER_REQUEST", **KEY)
    assert client.describe_table(TableName="slow")["Table"]["TableStatus"] == "CREATING"
    for call in (
        lambda: client.put_item(TableName="slow", Item=put("d", 1)["PutRequest"]["Item"]),
        lambda: client.delete_table(TableName="slow"),
        lambda: client.create_table(TableName="slow", BillingMode="PAY_PER_REQUEST", **KEY),
    ):
        with pytest.raises(ClientError) as caught:
            call()
        assert caught.value.response["Error"]["Code"] in ("ResourceNotFoundException", "ResourceInUseException")
    time.sleep(0.7)
    assert client.describe_table(TableName="slow")["Table"]["TableStatus"] == "ACTIVE"
    client.update_table(TableName="slow", OnDemandThroughput={"MaxWriteRequestUnits": 9})
    assert client.describe_table(TableName="slow")["Table"]["TableStatus"] == "UPDATING"
    time.sleep(0.7)
    table = client.describe_table(TableName="slow")["Table"]
    assert (table["TableStatus"], table["OnDemandThroughput"]["MaxWriteRequestUnits"]) == ("ACTIVE", 9)
    assert client.delete_table(TableName="slow")["TableDescription"]["TableStatus"] == "DELETING"
    assert client.describe_table(TableName="slow")["Table"]["TableStatus"] == "DELETING"
    time.sleep(0.7)
    with pytest.raises(ClientError) as caught:
        client.describe_table(TableName="slow")
    assert caught.value.response["Error"]["Code"] == "ResourceNotFoundException"


def test_settings_that_dynamodb_local_lacks_are_kept_and_shown(running: Running) -> None:
    client = running.client
    running.create(
        "kept",
        BillingMode="PAY_PER_REQUEST",
        WarmThroughput={"ReadUnitsPerSecond": 12_000, "WriteUnitsPerSecond": 7_000},
        SSESpecification={"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": "arn:aws:kms:us-west-2:1:key/k"},
        DeletionProtectionEnabled=True,
        Tags=[{"Key": "lindorm.io/uid", "Value": "u-1"}],
    )
    table = client.describe_table(TableName="kept")["Table"]
    assert table["TableArn"] == "arn:aws:dynamodb:us-west-2:123456789012:table/kept"
    assert table["WarmThroughput"] == {
        "ReadUnitsPerSecond": 12_000,
        "WriteUnitsPerSecond": 7_000,
        "Status": "ACTIVE",
    }
    assert table["SSEDescription"]["KMSMasterKeyArn"] == "arn:aws:kms:us-west-2:1:key/k"
    arn = table["TableArn"]
    client.tag_resource(ResourceArn=arn, Tags=[{"Key": "a", "Value": "b"}])
    client.untag_resource(ResourceArn=arn, TagKeys=["a"])
    assert client.list_tags_of_resource(ResourceArn=arn)["Tags"] == [{"Key": "lindorm.io/uid", "Value": "u-1"}]
    on: Any = {"PointInTimeRecoveryEnabled": True}
    client.update_continuous_backups(TableName="kept", PointInTimeRecoverySpecification=on)
    backups = client.describe_continuous_backups(TableName="kept")["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    with pytest.raises(ClientError, match="protected against deletion"):
        client.delete_table(TableName="kept")
    client.update_table(TableName="kept", DeletionProtectionEnabled=False)
    client.update_table(
        TableName="kept",
        BillingMode="PROVISIONED",
        ProvisionedThroughput={"ReadCapacityUnits": 5, "WriteCapacityUnits": 6},
    )
    assert client.describe_table(TableName="kept")["Table"]["ProvisionedThroughput"]["WriteCapacityUnits"] == 6
    client.delete_table(TableName="kept")


def test_a_switch_to_provisioned_capacity_takes_the_indexes_along_as_on_aws(running: Running) -> None:
    client, units = running.client, {"ReadCapacityUnits": 5, "WriteCapacityUnits": 6}
    by_v: Any = {"IndexName": "by_v", "KeySchema": [{"AttributeName": "v", "KeyType": "HASH"}]}
    by_v["Projection"] = {"ProjectionType": "ALL"}
    running.create("indexed")
    client.update_table(
        TableName="indexed",
        AttributeDefinitions=[{"AttributeName": "v", "AttributeType": "S"}],
        GlobalSecondaryIndexUpdates=[{"Create": by_v}],
    )
    with pytest.raises(ClientError, match="ProvisionedThroughput must be specified for index: by_v"):
        client.update_table(TableName="indexed", BillingMode="PROVISIONED", ProvisionedThroughput=units)
    client.update_table(
        TableName="indexed",
        BillingMode="PROVISIONED",
        ProvisionedThroughput=units,
        GlobalSecondaryIndexUpdates=[{"Update": {"IndexName": "by_v", "ProvisionedThroughput": units}}],
    )
    [index] = client.describe_table(TableName="indexed")["Table"]["GlobalSecondaryIndexes"]
    assert index["ProvisionedThroughput"]["WriteCapacityUnits"] == 6
    client.update_table(TableName="indexed", BillingMode="PAY_PER_REQUEST")
    [index] = client.describe_table(TableName="indexed")["Table"]["GlobalSecondaryIndexes"]
    assert index["ProvisionedThroughput"]["WriteCapacityUnits"] == 0


def test_faults_come_when_they_are_ordered_and_only_so_often(running: Running) -> None:
    running.create("faults")
    item = put("d", 1)["PutRequest"]["Item"]
    expected = {
        "throttle": "ProvisionedThroughputExceededException",
        "error": "InternalServerError",
        "denied": "AccessDeniedException",
        "lost-reply": "InternalServerError",
    }
    for kind, code in expected.items():
        running.control(inject=[{"operation": "PutItem", "kind": kind, "count": 1}])
        with pytest.raises(ClientError) as caught:
            running.client.put_item(TableName="faults", Item=item)
        assert caught.value.response["Error"]["Code"] == code
        assert len(running.items("faults")) == (kind == "lost-reply")
    running.client.put_item(TableName="faults", Item=item)
    running.control(inject=[{"operation": "BatchWriteItem", "kind": "unprocessed", "count": 2}])
    answer = running.client.batch_write_item(RequestItems={"faults": [put("e", n) for n in range(3)]})
    assert len(answer["UnprocessedItems"]["faults"]) == 2


def test_counts_arrive_in_cloudwatch_and_zeros_do_not(running: Running) -> None:
    running.control(settings=SLOW_REFILL)
    running.create("metrics", BillingMode="PAY_PER_REQUEST", OnDemandThroughput={"MaxWriteRequestUnits": 4})
    running.client.batch_write_item(RequestItems={"metrics": [put(f"d{n}", n) for n in range(10)]})
    running.control(flush=True)
    now = datetime.now(UTC)

    def total(name: str) -> float:
        points = running.cloudwatch.get_metric_statistics(
            Namespace="AWS/DynamoDB",
            MetricName=name,
            Dimensions=[{"Name": "TableName", "Value": "metrics"}],
            StartTime=now - timedelta(minutes=5),
            EndTime=now + timedelta(minutes=5),
            Period=60,
            Statistics=["Sum"],
        )["Datapoints"]
        return sum(point["Sum"] for point in points)

    assert total("ConsumedWriteCapacityUnits") == 4
    assert total("WriteThrottleEvents") == 6
    assert total("WriteMaxOnDemandThroughputThrottleEvents") == 6
    assert total("WriteKeyRangeThroughputThrottleEvents") == 0


def test_the_rate_that_gets_through_is_the_table_s(running: Running) -> None:
    running.create("rate", **{"ProvisionedThroughput": {"ReadCapacityUnits": 50, "WriteCapacityUnits": 200}})
    written, start = 0, time.monotonic()
    while time.monotonic() - start < 3:
        batch = [put(f"d{written + n}", 1) for n in range(25)]
        try:
            back = running.client.batch_write_item(RequestItems={"rate": batch})["UnprocessedItems"]
            written += 25 - len(back.get("rate", []))
        except ClientError:
            time.sleep(0.01)
    assert written == pytest.approx(200 + 200 * 3, rel=0.05)
    assert len(running.items("rate")) == written
    by_second = running.state()["unitsBySecond"]["rate"]
    assert sum(by_second.values()) == written
