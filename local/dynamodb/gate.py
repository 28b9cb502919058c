"""The gate's HTTP side: DynamoDB's protocol on every path, and `/_gate` for tests.

GET  /_gate    {"settings": {...}, "tables": {table: {metric: sum}}, "operations": {operation: {…}},
                "unitsBySecond": {table: {epoch second: write units}}}
POST /_gate    {"settings": {"scale": 0.1, ...}, "inject": [{"operation", "kind", "count"}], "reset": true,
                "flush": true}; every member optional, done in this order: reset (settings, faults and counts as at
                start), settings, inject, flush (send the counts to CloudWatch now)
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict, fields
from typing import Any

from aiohttp import web

from local.dynamodb import answers
from local.dynamodb.backend import Backend
from local.dynamodb.bulk_puts import BULK_PUTS, BulkPuts
from local.dynamodb.capacity import Cause, Side
from local.dynamodb.control_plane import Tables
from local.dynamodb.imports import IMPORTS, Imports
from local.dynamodb.items import Items
from local.dynamodb.metrics import Counters, Publisher
from local.dynamodb.settings import Fault, Settings

METRICS_SECONDS = 5.0
_MAX_BODY = 20 * 1024 * 1024


class Gate:
    def __init__(self, backend_url: str, aws_url: str | None) -> None:
        """aws_url: moto, where metrics and logs go and files are read; None: neither."""
        self.settings = Settings()
        self.counters = Counters()
        self.faults: list[Fault] = []
        self.backend = Backend(backend_url)
        self.tables = Tables(self.backend, self.settings)
        self.items = Items(self.backend, self.tables, self.counters, self.settings)
        self.imports = Imports(self.backend, self.tables, self.settings, aws_url, self.items.forget)
        self.bulk_puts = BulkPuts(self.backend, self.tables, self.settings, aws_url)
        self.publisher = Publisher(self.counters, aws_url, "us-west-2") if aws_url else None

    def application(self) -> web.Application:
        app = web.Application(client_max_size=_MAX_BODY)
        app.router.add_get("/_gate", self._state)
        app.router.add_post("/_gate", self._control)
        app.router.add_route("*", "/{path:.*}", self._dynamodb)
        app.cleanup_ctx.append(self._running)
        return app

    async def _running(self, _app: web.Application) -> Any:
        await self.backend.open()
        await self.backend.wait()
        sending = asyncio.create_task(self.publisher.run(METRICS_SECONDS)) if self.publisher else None
        yield
        if sending:
            sending.cancel()
        await self.imports.close()
        await self.bulk_puts.close()
        await self.backend.close()

    async def _dynamodb(self, request: web.Request) -> web.Response:
        operation = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
        authorization = request.headers.get("Authorization", "")
        body = await request.read()
        self.counters.operations[operation]["requests"] += 1
        self.counters.callers[operation].add(request.headers.get("User-Agent", "").partition("/")[0])
        if self.settings.latency_ms:
            await asyncio.sleep(self.settings.latency_ms / 1000)
        fault = self._fault(operation)
        try:
            if fault == "error":
                raise answers.internal()
            if fault == "denied":
                raise answers.access_denied(operation, "*")
            if fault == "limit":
                raise answers.limit_exceeded("Subscriber limit exceeded (ordered from the gate)")
            if fault == "throttle":
                self.counters.operations[operation]["throttled"] += 1
                raise answers.throttled(Side.WRITE, False, [Cause.PROVISIONED], "")
            response = await self._answer(operation, body, authorization)
            if fault == "lost-reply":
                raise answers.internal()
        except answers.DynamoDBError as error:
            return answers.answer_error(error)
        return response

    async def _answer(self, operation: str, body: bytes, authorization: str) -> web.Response:
        on_items = await self.items.answer(operation, body, authorization)
        if on_items:
            return answers.answer(*on_items)
        if operation in IMPORTS:
            return answers.answer_json(await self.imports.answer(operation, json.loads(body), authorization))
        if operation in BULK_PUTS:
            return answers.answer_json(await self.bulk_puts.answer(operation, json.loads(body), authorization))
        try:
            request = json.loads(body)
            on_tables = await self.tables.answer(operation, request, authorization)
        except (KeyError, ValueError):
            on_tables = None  # DynamoDB Local says what is wrong with it
        if on_tables is not None:
            if operation in ("CreateTable", "DeleteTable"):
                self.items.forget(request["TableName"])
            return answers.answer_json(on_tables)
        return answers.answer(*await self.backend.send(operation, body, authorization))

    def _fault(self, operation: str) -> str | None:
        """Use up one of the faults ordered for an operation."""
        for fault in self.faults:
            if fault.operation in (operation, "*"):
                fault.count -= 1
                if fault.count <= 0:
                    self.faults.remove(fault)
                return fault.kind
        return None

    async def _state(self, _request: web.Request) -> web.Response:
        return web.json_response(
            {
                "settings": asdict(self.settings),
                "tables": self.counters.tables,
                "operations": self.counters.operations,
                "callers": {operation: sorted(agents) for operation, agents in self.counters.callers.items()},
                "unitsBySecond": self.counters.units_by_second,
            }
        )

    async def _control(self, request: web.Request) -> web.Response:
        try:
            given = await request.json()
            self._order(given)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            return web.json_response({"error": f"{type(error).__name__}: {error}"}, status=400)
        if given.get("flush") and self.publisher:
            await self.publisher.flush()
        return web.json_response({})

    def _order(self, given: dict[str, Any]) -> None:
        if given.get("reset"):
            self.counters.reset()
            self.faults.clear()
            self.items.unprocessed_next = self.imports.fail_next = self.bulk_puts.fail_next = 0
            self._set(asdict(Settings()))
        self._set(given.get("settings", {}))
        for order in given.get("inject", []):
            fault = Fault(**order)
            if fault.kind == "unprocessed":
                self.items.unprocessed_next += fault.count
            elif fault.kind == "fails" and fault.operation == "ImportTable":
                self.imports.fail_next += fault.count
            elif fault.kind == "fails":
                self.bulk_puts.fail_next += fault.count
            else:
                self.faults.append(fault)

    def _set(self, values: dict[str, Any]) -> None:
        known = {item.name for item in fields(Settings)}
        if set(values) - known:
            raise ValueError(f"unknown settings {sorted(set(values) - known)}; there are {sorted(known)}")
        for name, value in values.items():
            setattr(self.settings, name, value)
