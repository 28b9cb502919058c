"""A network between the job and DynamoDB, in bytes: it may answer in DynamoDB's place, or change what it answers.

One listener; each request meets the next fault of a list, and after the last one nothing is wrong any more.
"""

import asyncio
import contextlib
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, get_args

from tests.flink_job.streams import connected, listening

HTML = b"<html><body>Please sign in to the network</body></html>"
_SUCCESS_WITHOUT_CAPACITY = b'{"UnprocessedItems":{}}'
_ERROR = b'{"__type":"%s","message":"as the test wants"}'

# What others than DynamoDB answer, or DynamoDB itself where something is wrong. None of them has written anything, and
# none is what BatchWriteItem answers to a put that is done: no client could tell such a lie from the truth.
BODIES: dict[str, bytes] = {
    "nothing": b"",
    "null": b"null",
    "empty object": b"{}",
    "list": b"[]",
    "text": b"OK",
    "portal": HTML,
    "other JSON": b'{"status":"healthy"}',
    "no capacity": _SUCCESS_WITHOUT_CAPACITY,
    "capacity of another table": b'{"UnprocessedItems":{},"ConsumedCapacity":[{"TableName":"u","CapacityUnits":25}]}',
    "items of another table": b'{"UnprocessedItems":{"u":[]},"ConsumedCapacity":[]}',
    "gateway's JSON": b'{"message":"Forbidden"}',
    "another service's error": _ERROR % b"com.amazonaws.kinesis.v20131202#ResourceNotFoundException",
    "an error of no service": _ERROR % b"ResourceNotFoundException",
    "server error": _ERROR % b"com.amazonaws.dynamodb.v20120810#InternalServerError",
    "conflict": _ERROR % b"com.amazonaws.dynamodb.v20120810#ReplicatedWriteConflictException",
    "throttled": _ERROR % b"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",
    "slow down": _ERROR % b"com.amazon.coral.service#SlowDown",
    "no right": _ERROR % b"com.amazon.coral.service#AccessDeniedException",
}
# Those that DynamoDB means for good, with a status of an error.
FATAL = {"no right"}
STATUSES = (
    200,
    201,
    202,
    206,
    300,
    301,
    302,
    307,
    308,
    400,
    401,
    403,
    404,
    405,
    407,
    408,
    413,
    429,
    500,
    502,
    503,
    504,
)

Mangle = Literal[
    "whole",
    "cut",
    "cut and shortened",
    "doubled",
    "twice",
    "trailing",
    "wrong checksum",
    "chunked and cut",
    "late",
    "drip",
]
MANGLES: tuple[Mangle, ...] = get_args(Mangle)


@dataclass(frozen=True)
class Fault:
    """What a request meets.

    kind: "answer" (status and body of somebody else), "dynamodb" (its own answer, mangled), "replay" (an answer that
    came before, again, without asking; one that never came could not be told from the truth), "close before" and
    "close after" (DynamoDB did it). at: where something is cut, 0 to 1.
    then_dynamodb: with an answer of somebody else, DynamoDB did it all the same.
    """

    kind: Literal["answer", "dynamodb", "replay", "close before", "close after"]
    status: int = 200
    body: str = "nothing"
    mangle: Mangle = "whole"
    at: float = 0.5
    then_dynamodb: bool = False


@dataclass
class Network:
    """Listens on `port`, passes on to DynamoDB on `backend`. Change `faults` between runs only."""

    backend: int
    port: int = 0
    faults: list[Fault] = field(default_factory=list)
    met: int = 0
    _last: bytes = b""

    def start_with(self, faults: list[Fault]) -> None:
        self.faults, self.met, self._last = list(faults), 0, b""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (request := await _message(reader)) is not None:
                fault = self.faults.pop(0) if self.faults else None
                self.met += fault is not None
                if not await self._answer(request, fault, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the writer has given up on this one

    async def _answer(self, request: bytes, fault: Fault | None, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection stays open."""
        if fault is None:
            self._last = await self._dynamodb(request)
            writer.write(self._last)
            await writer.drain()
            return True
        if fault.kind == "close before":
            return False
        if fault.kind == "close after":
            await self._dynamodb(request)
            return False
        if fault.kind == "replay":
            writer.write(self._last or _http(502, HTML))
            await writer.drain()
            return True
        if fault.kind == "answer":
            if fault.then_dynamodb:
                await self._dynamodb(request)
            head, body = _head(fault.status, BODIES[fault.body]), BODIES[fault.body]
        else:
            head, _, body = (await self._dynamodb(request)).partition(b"\r\n\r\n")
            head += b"\r\n\r\n"
        return await _send(writer, head, body, fault)

    async def _dynamodb(self, request: bytes) -> bytes:
        async with connected(self.backend) as (reader, writer):
            writer.write(request)
            answer = await _message(reader)
        assert answer is not None, "DynamoDB has closed"
        return answer


async def _send(writer: asyncio.StreamWriter, head: bytes, body: bytes, fault: Fault) -> bool:
    at = min(len(body) - 1, int(fault.at * len(body))) if body else 0
    match fault.mangle:
        case "whole":
            writer.write(head + body)
        case "cut":
            writer.write(head + body[:at])
            await writer.drain()
            return False
        case "cut and shortened":
            writer.write(_with_length(head, at) + body[:at])
        case "doubled":
            writer.write(_with_length(head, 2 * len(body)) + body + body)
        case "twice":
            writer.write((head + body) * 2)
        case "trailing":
            writer.write(_with_length(head, len(body) + 2) + body + b"{}")
        case "wrong checksum":
            checksum = b"x-amz-crc32: %d\r\n\r\n" % (zlib.crc32(body) ^ 1)
            writer.write(b"".join([_without(head, b"x-amz-crc32")[:-2], checksum, body]))
        case "chunked and cut":
            chunked = _without(head, b"content-length")[:-2] + b"Transfer-Encoding: chunked\r\n\r\n"
            writer.write(chunked + b"%x\r\n%b\r\n" % (len(body), body) if body else chunked)
            await writer.drain()
            return False
        case "late":
            await asyncio.sleep(fault.at)  # the writer waits for half a second
            writer.write(head + body)
        case "drip":
            writer.write(head)
            for byte in body:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.3 if fault.at > 0.5 else 0.002)
    await writer.drain()
    return True


def _head(status: int, body: bytes) -> bytes:
    location = "Location: http://127.0.0.1:1/login\r\n" if 300 <= status < 400 else ""
    return f"HTTP/1.1 {status} X\r\nServer: a network\r\n{location}Content-Length: {len(body)}\r\n\r\n".encode()


def _http(status: int, body: bytes) -> bytes:
    return _head(status, body) + body


def _without(head: bytes, name: bytes) -> bytes:
    return b"\r\n".join(line for line in head.split(b"\r\n") if not line.lower().startswith(name + b":"))


def _with_length(head: bytes, length: int) -> bytes:
    return _without(head, b"content-length")[:-2] + b"Content-Length: %d\r\n\r\n" % length


async def _message(reader: asyncio.StreamReader) -> bytes | None:
    """A whole HTTP message, its body with a Content-Length; None where the other side has closed."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    body = b""
    for line in head.lower().split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name == b"content-length":
            body = await reader.readexactly(int(value))
        if name == b"transfer-encoding":
            while size := int((await reader.readline()).strip(), 16):
                body += (await reader.readexactly(size + 2))[:-2]
            await reader.readline()
            head = _with_length(_without(head, b"transfer-encoding"), len(body))
    return head + body


@contextlib.contextmanager
def between(backend: int) -> Iterator[Network]:
    """A network that runs in a thread of its own."""
    network = Network(backend)
    with listening(network.serve) as network.port:
        yield network


def shown(faults: list[Fault]) -> str:
    return json.dumps([fault.__dict__ for fault in faults])
