"""What stands in S3, and what answers in AWS's place (a proxy, a wrong endpoint), is read within bounds."""

import json
import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lindorm_import.adapters import dynamodb, errors, s3
from lindorm_import.adapters.foreign import MOST
from lindorm_import.domain.trouble import TroubleError
from lindorm_import.world import clients as made_clients
from lindorm_import.world.clients import MOST_REGIONS, Clients
from tests.controller.hostile_http import HostileServer, Peer, eventually, hostile_server

REGION = "us-west-2"
RESULT = {
    "version": 1, "runId": "r1a2b3c4d", "rowsRead": 3, "itemsWritten": 2, "rowsRejected": 1,
    "rejectedByReason": {"EmptyKey": 1},
}  # fmt: skip


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[HostileServer]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setattr(made_clients, "ANSWER_SECONDS", 1.0)
    with hostile_server(lambda peer: None) as started:
        monkeypatch.setenv("AWS_ENDPOINT_URL", started.address)
        yield started


@pytest.fixture
def aws(server: HostileServer) -> Iterator[Clients]:
    clients = Clients(None, "")  # type: ignore[arg-type]
    clients._account = "000000000000"  # what STS says is no part of these tests
    yield clients
    clients.close()


def result(aws: Clients) -> Any:
    return s3.look_for_result(aws.s3(REGION), "bucket", "result/result.json")


def trouble(look: Callable[[], Any]) -> Any:
    tracemalloc.start()
    try:
        begun = time.monotonic()
        with pytest.raises(TroubleError) as told:
            look()
        assert time.monotonic() - begun < 60, "of the machine's load: three tries of a second"
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 200_000_000, f"{peak:,}"
    assert len(told.value.trouble.message) < 1000
    return told.value.trouble


def s3_key(peer: Peer) -> bool:
    return "result.json" in peer.path


def test_a_result_is_read_over_a_real_connection(aws: Clients, server: HostileServer) -> None:
    server.answer = lambda peer: peer.answer(json.dumps(RESULT).encode())
    seen = result(aws)
    assert (seen.run_id, seen.rows_read, seen.items_written, seen.rows_rejected) == ("r1a2b3c4d", 3, 2, 1)
    assert seen.rejected_by_reason == {"EmptyKey": 1}


def endless_object(peer: Peer) -> None:
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5497558138880\r\n\r\n")
    peer.pour(b" " * 65536)


def object_larger_than_told(peer: Peer) -> None:
    peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 10\r\n\r\n")
    peer.pour(b"10000\r\n" + b" " * 65536 + b"\r\n")


def dripping_object(peer: Peer) -> None:
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    peer.drip(b" ", 0.1)


def dripping_head(peer: Peer) -> None:
    peer.drip(b"HTTP/1.1 200 OK\r\nx: y", 0.1)


def deep_object(peer: Peer) -> None:
    peer.answer(b"[" * 60_000)


def moved(peer: Peer) -> None:
    peer.answer(b"", "302 Found", "Location: http://127.0.0.1:9/latest/meta-data")


@pytest.mark.parametrize(
    "answer",
    [endless_object, object_larger_than_told, dripping_object, dripping_head, deep_object, moved],
    ids=lambda answer: answer.__name__,
)
def test_a_hostile_object_in_the_results_place_is_a_trouble_soon_and_within_bounds(
    aws: Clients, server: HostileServer, answer: Callable[[Peer], None]
) -> None:
    server.answer = answer
    assert trouble(lambda: result(aws)).reason in ("ResultUnreadable", "AwsUnreachable", "AwsError")
    aws.close()
    assert eventually(lambda: server.open == 0), "a connection is left open"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.sampled_from([2**70, "3", -1]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


NAMES = st.sampled_from(sorted(RESULT))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    changes=st.dictionaries(st.sampled_from(sorted(RESULT)), JSON, min_size=1),
    gone=st.sets(st.sampled_from(sorted(RESULT))),
)
def test_a_result_is_whole_numbers_of_a_run_or_none(changes: dict[str, Any], gone: set[str]) -> None:
    """A result decides that an import is Complete: what is not certainly one is none."""
    document = {name: value for name, value in (RESULT | changes).items() if name not in gone}
    try:
        seen = s3._result(document)
    except ValueError:
        return
    counts = [seen.rows_read, seen.items_written, seen.rows_rejected, *seen.rejected_by_reason.values()]
    assert all(type(n) is int and 0 <= n <= MOST for n in counts), seen
    assert [seen.rows_read, seen.items_written, seen.rows_rejected] == [
        document["rowsRead"], document["itemsWritten"], document["rowsRejected"],
    ]  # fmt: skip
    assert isinstance(document["runId"], str)


def listing(keys: list[str], token: str | None) -> bytes:
    entries = "".join(
        f"<Contents><Key>{key}</Key><LastModified>2026-11-24T05:00:00.000Z</LastModified><Size>1</Size></Contents>"
        for key in keys
    )
    more = f"<IsTruncated>true</IsTruncated><NextContinuationToken>{token}</NextContinuationToken>" if token else ""
    return f"<ListBucketResult>{entries}{more}</ListBucketResult>".encode()


@pytest.mark.parametrize("tokens", ["all new", "the same", "in turn"])
def test_a_list_of_objects_that_does_not_end_is_left(
    aws: Clients, server: HostileServer, monkeypatch: pytest.MonkeyPatch, tokens: str
) -> None:
    """Millions of keys below checkpoints/, or a token that comes back."""
    monkeypatch.setattr(errors, "MOST_PAGES", 20)

    def answer(peer: Peer) -> None:
        number = len(server.requests)
        token = {"all new": number, "the same": 1, "in turn": number % 2}[tokens]
        peer.answer(listing([f"run/checkpoints/j/shared/{number}"], f"token-{token}"))

    server.answer = answer
    told = trouble(lambda: s3.newest_checkpoint(aws.s3(REGION), "bucket", "run/checkpoints/"))
    assert told.reason in ("TooManyEntries", "AwsUnreachable")
    assert len(server.requests) <= 21


def test_a_list_that_comes_slowly_has_an_end_in_time(
    aws: Clients, server: HostileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(errors, "PAGES_SECONDS", 1.0)

    def answer(peer: Peer) -> None:
        peer.stop.wait(0.3)
        peer.answer(listing([], f"token-{len(server.requests)}"))

    server.answer = answer
    told = trouble(lambda: s3.newest_checkpoint(aws.s3(REGION), "bucket", "run/checkpoints/"))
    assert told.reason == "TooManyEntries"
    assert len(server.requests) < 8


def test_a_list_that_ends_is_read_to_its_end(aws: Clients, server: HostileServer) -> None:
    def answer(peer: Peer) -> None:
        number = len(server.requests)
        peer.answer(listing([f"run/checkpoints/j/chk-{number}/_metadata"], f"token-{number}" if number < 5 else None))

    server.answer = answer
    assert s3.newest_checkpoint(aws.s3(REGION), "bucket", "run/checkpoints/") == "s3://bucket/run/checkpoints/j/chk-5"


def test_the_tags_of_a_table_have_an_end(aws: Clients, server: HostileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errors, "MOST_PAGES", 20)
    table = {
        "TableName": "t", "TableArn": "arn:aws:dynamodb:us-west-2:1:table/t", "TableStatus": "ACTIVE",
        "CreationDateTime": 1795000000, "AttributeDefinitions": [{"AttributeName": "k", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "k", "KeyType": "HASH"}],
        "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
    }  # fmt: skip

    def answer(peer: Peer) -> None:
        tags = b"ListTagsOfResource" in peer.head
        document = {"Tags": [], "NextToken": f"n{len(server.requests)}"} if tags else {"Table": table}
        peer.answer(json.dumps(document).encode(), "200 OK", "Content-Type: application/x-amz-json-1.0")

    server.answer = answer
    told = trouble(lambda: dynamodb.look_at_table(aws.dynamodb(REGION), aws.scaling(REGION), "t", "policy"))
    assert told.reason == "TooManyEntries"
    assert len(server.requests) <= 22


@pytest.mark.parametrize(
    "answer",
    [
        lambda peer: (peer.send(b"HTTP/1.1 200 OK\r\n\r\n"), peer.pour(b'{"a":' * 9999)),
        lambda peer: (peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"), peer.drip(b" ", 0.1)),
        lambda peer: peer.answer(b'{"Table":' + b"[" * 99_999),
        moved,
    ],
    ids=["endless", "dripping", "deep", "redirect"],
)
def test_what_answers_in_awss_place_is_a_trouble_soon_and_within_bounds(
    aws: Clients, server: HostileServer, answer: Callable[[Peer], None]
) -> None:
    server.answer = answer
    told = trouble(lambda: dynamodb.look_at_capacity(aws.dynamodb(REGION), aws.scaling(REGION), "t", "p"))
    assert told.reason in ("AwsUnreachable", "AwsError")


def test_an_import_for_each_of_many_regions_leaves_the_clients_of_few_and_closes_the_others(
    aws: Clients, server: HostileServer
) -> None:
    server.answer = lambda peer: peer.answer(b'{"__type":"ResourceNotFoundException"}', "400 Bad Request")
    for number in range(3 * MOST_REGIONS):
        client = aws.dynamodb(f"us-west-{number}")
        with pytest.raises(client.exceptions.ResourceNotFoundException):
            client.describe_table(TableName="t")
        assert aws.dynamodb(REGION), "the one that is used all the time stays"
    assert len(aws._made) == MOST_REGIONS
    assert REGION in aws._made
    assert eventually(lambda: server.open <= MOST_REGIONS), f"{server.open} connections are open"
    aws.close()
    assert eventually(lambda: server.open == 0)


def test_clients_that_are_closed_while_a_request_is_under_way_let_it_have_its_answer(
    aws: Clients, server: HostileServer
) -> None:
    def answer(peer: Peer) -> None:
        aws.close()
        peer.answer(json.dumps(RESULT).encode())

    server.answer = answer
    assert result(aws).rows_read == 3
    assert result(aws).rows_read == 3
