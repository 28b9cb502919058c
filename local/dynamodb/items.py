"""Reads and writes of items: capacity is taken before a write goes to DynamoDB Local, and given back if it fails.

An item of a batch that finds no capacity is not sent on and comes back as unprocessed; an exception is raised only when
nothing was sent. So no write is lost or done twice by the gate.
"""

from __future__ import annotations

import json
import time
from typing import Any, NamedTuple

from local.dynamodb import answers
from local.dynamodb.backend import Backend
from local.dynamodb.capacity import Cause, Meter, Side, item_size, key_text, limits, write_units
from local.dynamodb.control_plane import Tables
from local.dynamodb.metrics import Counters
from local.dynamodb.settings import Settings
from local.dynamodb.tables import TableState

_MALFORMED = (KeyError, TypeError, ValueError, ArithmeticError, AttributeError)
MAX_BATCH = 25


class _Put(NamedTuple):
    """One put or delete of a batch, and what it costs."""

    state: TableState
    request: dict[str, Any]
    key: str
    partition: str
    units: int


class Items:
    def __init__(self, backend: Backend, tables: Tables, counters: Counters, settings: Settings) -> None:
        self._backend = backend
        self._tables = tables
        self._counters = counters
        self.settings = settings
        self._meters: dict[tuple[str, Side], Meter] = {}
        self.unprocessed_next = 0  # this many items of batches that follow come back unprocessed

    def forget(self, table: str) -> None:
        """The table is new or gone: its capacity starts afresh."""
        for side in Side:
            self._meters.pop((table, side), None)

    async def answer(self, operation: str, body: bytes, authorization: str) -> tuple[int, bytes] | None:
        """(status, body) of an operation on items; None for one that is not metered here."""
        match operation:
            case "BatchWriteItem":
                return await self._batch_write(body, authorization)
            case "PutItem" | "DeleteItem" | "UpdateItem":
                return await self._write(operation, body, authorization)
            case "GetItem" | "Query" | "Scan" | "BatchGetItem":
                return await self._read(operation, body, authorization)
        return None

    def meter(self, state: TableState, side: Side) -> Meter:
        now, settings, throughput = time.monotonic(), self.settings, state.throughput
        write = side is Side.WRITE
        current = limits(
            side,
            provisioned=throughput.provisioned[write] if throughput.provisioned else None,
            on_demand_max=throughput.max_write if write else throughput.max_read,
            warm=throughput.warm_write if write else throughput.warm_read,
            scale=settings.scale,
            partition=settings.partition_write_units if write else settings.partition_read_units,
            quota=settings.table_quota,
            burst_seconds=settings.burst_seconds,
        )
        meter = self._meters.get((state.name, side))
        if meter is None:
            meter = self._meters[(state.name, side)] = Meter(current, now)
        meter.change(current, now)
        return meter

    # Batches

    async def _batch_write(self, body: bytes, authorization: str) -> tuple[int, bytes]:
        request = json.loads(body)
        try:
            puts = [
                _put(await self._tables.writable(name, authorization), put)
                for name, puts in request["RequestItems"].items()
                for put in puts
            ]
        except _MALFORMED:
            return await self._backend.send("BatchWriteItem", body, authorization)  # it says what is wrong
        if not 0 < len(puts) <= MAX_BATCH or len({(put.state.name, put.key) for put in puts}) < len(puts):
            return await self._backend.send("BatchWriteItem", body, authorization)
        taken, refused = self._admit(puts)
        if not taken:
            for name in {put.state.name for put, _ in refused}:
                self._counters.throttled_request(name, "BatchWriteItem")
            first = refused[0][0].state
            raise answers.throttled(Side.WRITE, first.throughput.on_demand, [cause for _, cause in refused], first.arn)
        if refused:
            body = json.dumps({**request, "RequestItems": _by_table(taken)}).encode()
        status, answer = await self._backend.send("BatchWriteItem", body, authorization)
        self._settle(taken, consumed=status == 200)
        wanted = request.get("ReturnConsumedCapacity", "NONE")
        if status != 200 or (not refused and wanted == "NONE"):
            return status, answer
        value = json.loads(answer)
        if refused:
            value["UnprocessedItems"] = _by_table([put for put, _ in refused])
        if wanted != "NONE":
            value["ConsumedCapacity"] = [
                _consumed(name, sum(put.units for put in taken if put.state.name == name), wanted)
                for name in dict.fromkeys(put.state.name for put in taken)
            ]
        return status, json.dumps(value).encode()

    def _admit(self, puts: list[_Put]) -> tuple[list[_Put], list[tuple[_Put, Cause]]]:
        now = time.monotonic()
        meters = {name: self.meter(state, Side.WRITE) for name, state in {p.state.name: p.state for p in puts}.items()}
        taken: list[_Put] = []
        refused: list[tuple[_Put, Cause]] = []
        for put in puts:
            if self.unprocessed_next:
                self.unprocessed_next -= 1
                cause: Cause | None = Cause.KEY_RANGE
            else:
                cause = meters[put.state.name].take(put.partition, put.units, now)
            if cause:
                refused.append((put, cause))
                self._counters.throttled(Side.WRITE, put.state.name, cause)
            else:
                taken.append(put)
        return taken, refused

    def _settle(self, taken: list[_Put], *, consumed: bool) -> None:
        for put in taken:
            if consumed:
                self._counters.consumed(Side.WRITE, put.state.name, put.units, time.time())
            else:
                self.meter(put.state, Side.WRITE).give_back(put.partition, put.units, time.monotonic())

    # Single items

    async def _write(self, operation: str, body: bytes, authorization: str) -> tuple[int, bytes]:
        request = json.loads(body)
        state = await self._tables.writable(request["TableName"], authorization)
        try:
            item = request["Item"] if operation == "PutItem" else request["Key"]
            partition, units = key_text(item[state.partition_key]), write_units(item_size(item))
        except _MALFORMED:
            return await self._backend.send(operation, body, authorization)
        meter = self.meter(state, Side.WRITE)
        cause = meter.take(partition, units, time.monotonic())
        if cause:
            self._throttle(Side.WRITE, state, operation, cause)
        wanted = request.pop("ReturnConsumedCapacity", "NONE")
        request["ReturnConsumedCapacity"] = "TOTAL"
        status, answer = await self._backend.send(operation, json.dumps(request).encode(), authorization)
        if status != 200 and b"ConditionalCheckFailed" not in answer:
            meter.give_back(partition, units, time.monotonic())
            return status, answer
        value = json.loads(answer)
        # The item that was there counts too: an update, or a put or delete of a bigger item, costs what Local says.
        local = value.pop("ConsumedCapacity", {}).get("CapacityUnits", units)
        total = max(units, round(local))
        if total > units:
            meter.give_back(partition, units - total, time.monotonic())
        self._counters.consumed(Side.WRITE, state.name, total, time.time())
        if status == 200 and wanted != "NONE":
            value["ConsumedCapacity"] = _consumed(state.name, total, wanted)
        return status, json.dumps(value).encode()

    async def _read(self, operation: str, body: bytes, authorization: str) -> tuple[int, bytes]:
        """A read is let through while there is capacity, and pays afterwards what DynamoDB Local says it cost."""
        request = json.loads(body)
        names = list(request["RequestItems"]) if operation == "BatchGetItem" else [request["TableName"]]
        states = [await self._tables.writable(name, authorization) for name in names]
        try:
            key = request["Key"] if operation == "GetItem" else {}
            partition = key_text(key[states[0].partition_key]) if key else ""
        except _MALFORMED:
            partition = ""
        for state in states:
            cause = self.meter(state, Side.READ).take(partition, 0.5, time.monotonic())
            if cause:
                self._throttle(Side.READ, state, operation, cause)
        wanted = request.pop("ReturnConsumedCapacity", "NONE")
        request["ReturnConsumedCapacity"] = "TOTAL"
        status, answer = await self._backend.send(operation, json.dumps(request).encode(), authorization)
        if status != 200:
            return status, answer
        value = json.loads(answer)
        consumed = value.pop("ConsumedCapacity", [])
        parts = consumed if isinstance(consumed, list) else [consumed]
        shown = []
        for state, part in zip(states, parts, strict=False):
            units = float(part.get("CapacityUnits", 0.5))
            self.meter(state, Side.READ).give_back(partition, 0.5 - units, time.monotonic())
            self._counters.consumed(Side.READ, state.name, units, time.time())
            shown.append(_consumed(state.name, units, wanted))
        if wanted != "NONE":
            value["ConsumedCapacity"] = shown if operation == "BatchGetItem" else shown[0]
        return status, json.dumps(value).encode()

    def _throttle(self, side: Side, state: TableState, operation: str, cause: Cause) -> None:
        self._counters.throttled(side, state.name, cause)
        self._counters.throttled_request(state.name, operation)
        raise answers.throttled(side, state.throughput.on_demand, [cause], state.arn)


def _put(state: TableState, request: dict[str, Any]) -> _Put:
    """Raises one of _MALFORMED where the request is not one put or delete of an item with this table's key."""
    ((kind, content),) = request.items()
    item = content["Item"] if kind == "PutRequest" else content["Key"]
    partition = key_text(item[state.partition_key])
    key = f"{partition}\0{key_text(item[state.sort_key])}" if state.sort_key else partition
    return _Put(state, request, key, partition, write_units(item_size(item)))


def _by_table(puts: list[_Put]) -> dict[str, list[dict[str, Any]]]:
    requests: dict[str, list[dict[str, Any]]] = {}
    for put in puts:
        requests.setdefault(put.state.name, []).append(put.request)
    return requests


def _consumed(table: str, units: float, wanted: str) -> dict[str, Any]:
    shown: dict[str, Any] = {"TableName": table, "CapacityUnits": float(units)}
    if wanted == "INDEXES":
        shown["Table"] = {"CapacityUnits": float(units)}
    return shown
