"""StartBulkPutItems, DescribeBulkOperation, CancelBulkOperation, ListBulkOperations: from S3 into an existing table.

As botocore's model and the Developer Guide describe them (BulkPutItems.html); nothing of it has been measured. What is
not said is as strict as it may be: one operation at a time writes into a table. Not modelled: what an operation takes
of the table's own capacity (nothing here) and how its ERROR output is laid out (gzip'd JSON lines here).
"""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from local.dynamodb import answers
from local.dynamodb.backend import Backend, region
from local.dynamodb.control_plane import Tables
from local.dynamodb.files import S3, NoSuchBucketError
from local.dynamodb.imports import MAX_OBJECTS, page_start, page_token
from local.dynamodb.loading import Counts, Load, StoppedError
from local.dynamodb.service_model import check_request
from local.dynamodb.settings import Settings
from local.dynamodb.tables import TableState

log = logging.getLogger("dynamodb.gate")
# "During the 8 hours after the initial request, repeated requests that use the same token and parameters return the
# same bulk operation" (API reference, StartBulkPutItems).
TOKEN_SECONDS = 8 * 3600.0
BULK_PUTS = ("StartBulkPutItems", "DescribeBulkOperation", "CancelBulkOperation", "ListBulkOperations")
_ENDED = ("COMPLETED", "COMPLETED_WITH_ERRORS", "CANCELLED", "FAILED")


@dataclass
class Operation:
    """fixed: the members that never change; total: bytes of the objects."""

    fixed: dict[str, Any]
    request: dict[str, Any]
    table: str
    status: str = "IN_PROGRESS"
    total: int = 0
    counts: Counts = field(default_factory=Counts)
    end: dict[str, Any] = field(default_factory=dict)

    @property
    def arn(self) -> str:
        return str(self.fixed["BulkOperationArn"])

    @property
    def running(self) -> bool:
        return self.status not in _ENDED

    def describe(self) -> dict[str, Any]:
        counts = self.counts
        usage = {
            "TableName": self.table,
            "BulkPutBytes": counts.text_bytes,
            "Table": {"BulkPutBytes": counts.text_bytes},
        }
        return {
            **self.fixed,
            "BulkOperationStatus": self.status,
            "ProcessedItemCount": counts.processed,
            "FailedItemCount": len(counts.refused),
            "ProcessedInputBytes": counts.stored_bytes,
            "TotalInputBytes": self.total,
            **({"BulkOperationUsage": [usage]} if not self.running else {}),
            **self.end,
        }

    def summary(self) -> dict[str, Any]:
        times = {name: value for name, value in (self.fixed | self.end).items() if name in ("StartTime", "EndTime")}
        return {"BulkOperationArn": self.arn, "BulkOperationStatus": self.status, **times}


class BulkPuts:
    """The operations since the gate started."""

    def __init__(self, backend: Backend, tables: Tables, settings: Settings, aws_url: str | None) -> None:
        self._backend, self._tables, self.settings, self._aws_url = backend, tables, settings, aws_url
        self.operations: dict[str, Operation] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.fail_next = 0  # so many operations that are accepted from now on fail half-way

    async def answer(self, operation: str, request: dict[str, Any], authorization: str) -> dict[str, Any]:
        """The answer to one of BULK_PUTS. Raises the API's exceptions."""
        check_request(operation, request)
        match operation:
            case "StartBulkPutItems":
                started = await self._start(request, authorization)
                return {"BulkOperationDescription": started.describe()}
            case "DescribeBulkOperation":
                return {"BulkOperationDescription": self._find(request["BulkOperationArn"]).describe()}
            case "CancelBulkOperation":
                found = self._find(request["BulkOperationArn"])
                if not found.running:
                    raise answers.validation(f"Bulk operation {found.arn} is {found.status}")
                found.status = "CANCELLING"
                return {"BulkOperationArn": found.arn, "BulkOperationStatus": found.status}
            case _:
                listed = [one.summary() for one in reversed(self.operations.values())]
                start, size = page_start(request.get("NextToken"), len(listed)), request.get("MaxResults", 25)
                more = {"NextToken": page_token(start + size)} if start + size < len(listed) else {}
                return {"BulkOperationsSummaryList": listed[start : start + size], **more}

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _start(self, request: dict[str, Any], authorization: str) -> Operation:
        now, token = time.time(), request["ClientToken"]
        for one in self.operations.values():
            if one.request["ClientToken"] == token and now - one.fixed["StartTime"] < TOKEN_SECONDS:
                if one.request != request:
                    raise answers.idempotent_mismatch("The token was used with other parameters")
                return one
        state = await self._tables.state(request["TableName"], authorization)
        if state.status != "ACTIVE":
            raise answers.in_use(f"Table is {state.status}: {state.name}")
        if any(one.running and one.table == state.name for one in self.operations.values()):
            raise answers.limit_exceeded(f"a bulk operation of table {state.name} is in progress")
        if self._aws_url is None:
            raise answers.validation("the gate has no S3: start it with --aws")
        description = await self._tables.answer("DescribeTable", {"TableName": state.name}, authorization)
        assert description is not None, "DescribeTable is answered"
        fixed = {
            "BulkOperationArn": f"{state.arn}/bulk-operation/{int(now * 1000):014d}-{secrets.token_hex(4)}",
            "TableDetails": [{"TableName": state.name, "TableId": description["Table"]["TableId"]}],
            "ClientToken": token,
            "InputS3Configuration": request["InputS3Configuration"],
            "OutputS3Configuration": request["OutputS3Configuration"],
            "StartTime": now,
            "PerformanceTier": request.get("PerformanceTier", "STANDARD"),
            **({"MaxWriteRequestUnits": request["MaxWriteRequestUnits"]} if "MaxWriteRequestUnits" in request else {}),
        }
        one = self.operations[fixed["BulkOperationArn"]] = Operation(fixed, request, state.name)
        fails = self.fail_next > 0
        self.fail_next -= fails
        task = asyncio.create_task(self._run(one, state, authorization, fails))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return one

    def _find(self, arn: str) -> Operation:
        if arn not in self.operations:
            raise answers.not_found(f"Bulk operation not found: {arn}")
        return self.operations[arn]

    async def _run(self, one: Operation, state: TableState, authorization: str, fails: bool) -> None:
        try:
            status = await self._load(one, state, authorization, fails)
        except BaseExceptionGroup as group:
            if group.split(StoppedError)[1] is None:
                status = "CANCELLED"
            else:
                log.exception("bulk operation %s", one.arn)
                status = "FAILED"
                one.end = {"FailureCode": "InternalError", "FailureMessage": repr(group.exceptions[0])}
        one.end |= {"EndTime": time.time()}
        one.status = status

    async def _load(self, one: Operation, state: TableState, authorization: str, fails: bool) -> str:
        """The status it ends with. Raises a group of StoppedError where it is cancelled."""
        assert self._aws_url is not None, "checked before"
        source = one.request["InputS3Configuration"]
        s3, bucket = S3(self._aws_url, region(authorization)), source["S3Bucket"]
        try:
            objects = await asyncio.to_thread(s3.objects, bucket, source.get("S3KeyPrefix", ""))
        except NoSuchBucketError:
            one.end = {"FailureCode": "S3NoSuchBucket", "FailureMessage": f"no bucket {bucket}"}
            return "FAILED"
        if len(objects) > MAX_OBJECTS:
            one.end = {"FailureCode": "LimitExceeded", "FailureMessage": f"more than {MAX_OBJECTS} objects"}
            return "FAILED"
        one.total = sum(found.size for found in objects)
        most, begun = one.request.get("MaxWriteRequestUnits"), time.monotonic()

        async def before_batch(items: int) -> None:
            while True:
                if one.status == "CANCELLING":
                    raise StoppedError
                allowed = (time.monotonic() - begun) * most * self.settings.scale if most else float("inf")
                if one.counts.written + items <= allowed + (most or 0) * self.settings.burst_seconds:
                    return
                await asyncio.sleep(0.05)

        load = Load(
            self._backend,
            s3,
            state,
            authorization,
            bucket,
            source.get("InputCompressionType", "NONE"),
            one_error_ends_object=False,
            before_batch=before_batch,
            counts=one.counts,
        )
        await load.run(objects[: len(objects) // 2] if fails else objects)
        while time.time() < one.fixed["StartTime"] + self.settings.import_seconds:
            if one.status == "CANCELLING":
                return "CANCELLED"
            await asyncio.sleep(0.05)
        if fails:
            one.end = {"FailureCode": "InternalError", "FailureMessage": "ordered from the gate"}
            return "FAILED"
        if not one.counts.refused:
            return "COMPLETED"
        if "ERROR" in one.request["OutputS3Configuration"]["OutputType"]:
            await asyncio.to_thread(self._report, one, s3)
        return "COMPLETED_WITH_ERRORS"

    def _report(self, one: Operation, s3: S3) -> None:
        """The ERROR output: below the output's prefix, in the input's bucket where it names none."""
        target = one.request["OutputS3Configuration"]
        bucket = target.get("S3Bucket", one.request["InputS3Configuration"]["S3Bucket"])
        lines = [
            {
                "errorCode": "ValidationError",
                "errorMessage": each.message,
                "itemS3Pointer": {"bucket": bucket, "key": each.key, "itemIndex": each.index},
                **({"Item": each.item} if each.item is not None else {}),
            }
            for each in one.counts.refused
        ]
        body = gzip.compress("".join(json.dumps(line) + "\n" for line in lines).encode())
        s3.write(bucket, f"{target.get('S3KeyPrefix', '')}{one.arn.rpartition('/')[2]}/ERROR/00000.json.gz", body)
