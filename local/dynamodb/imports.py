"""ImportTable, DescribeImport and ListImports: a new table from files in S3.

As strict as what was measured on AWS (scylladb's test/alternator/test_import.py) and what the Developer Guide says
(S3DataImport.HowItWorks.html): counters stay 0 and EndTime is absent until the end; a client token counts only while
its import runs, and then whatever bucket, prefix, format or compression comes with it gives the import that runs; a
prefix without objects is a success; a bad item fails the import and leaves the table with the good ones; nothing can be
cancelled, and the table neither changed nor deleted, before the end. Only DYNAMODB_JSON is read.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import boto3

from local.dynamodb import answers
from local.dynamodb.backend import ACCOUNT, Backend, region
from local.dynamodb.control_plane import Tables
from local.dynamodb.files import S3, NoSuchBucketError
from local.dynamodb.loading import Counts, Load, Refusal
from local.dynamodb.service_model import check_request
from local.dynamodb.settings import Settings
from local.dynamodb.tables import TableState

log = logging.getLogger("dynamodb.gate")
IMPORTS = ("ImportTable", "DescribeImport", "ListImports")
RUNNING_IMPORTS = 50
MAX_OBJECTS = 50_000
LOG_GROUP = "/aws-dynamodb/imports"
FOR_EVER = float("inf")
_ARN = re.compile(r"arn:aws:dynamodb:[\w-]+:\d{12}:table/[a-zA-Z0-9_.-]{3,255}/import/\d{14}-[0-9a-f]{8}")
_SUMMARY = ("ImportArn", "ImportStatus", "TableArn", "S3BucketSource", "CloudWatchLogGroupArn", "InputFormat")


@dataclass
class Import:
    """description: as ImportTable answered it, with what the end added."""

    description: dict[str, Any]
    table: str
    counts: Counts = field(default_factory=Counts)

    @property
    def running(self) -> bool:
        return bool(self.description["ImportStatus"] == "IN_PROGRESS")

    def summary(self) -> dict[str, Any]:
        times = [name for name in ("StartTime", "EndTime") if name in self.description]
        return {name: self.description[name] for name in (*_SUMMARY, *times)}


class Imports:
    """The imports since the gate started. `changed` is called with a table's name when it is new or gone."""

    def __init__(
        self, backend: Backend, tables: Tables, settings: Settings, aws_url: str | None, changed: Callable[[str], None]
    ) -> None:
        self._backend, self._tables, self.settings = backend, tables, settings
        self._aws_url, self._changed = aws_url, changed
        self.imports: dict[str, Import] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.fail_next = 0  # so many imports that are accepted from now on fail half-way

    async def answer(self, operation: str, request: dict[str, Any], authorization: str) -> dict[str, Any]:
        """The answer to one of IMPORTS. Raises the API's exceptions."""
        check_request(operation, request)
        match operation:
            case "ImportTable":
                return {"ImportTableDescription": await self._start(request, authorization)}
            case "DescribeImport":
                return {"ImportTableDescription": self._find(request["ImportArn"]).description}
            case _:
                return self._list(request)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # -- requests ------------------------------------------------------------------------------------------------------

    async def _start(self, request: dict[str, Any], authorization: str) -> dict[str, Any]:
        if "InputFormatOptions" in request and request["InputFormat"] != "CSV":
            raise answers.validation("InputFormatOptions can only be given with InputFormat CSV")
        wanted = request["TableCreationParameters"]
        running = [one for one in self.imports.values() if one.running]
        for one in running:
            if one.description["ClientToken"] != request["ClientToken"]:
                continue
            if one.table != wanted["TableName"]:
                raise answers.import_conflict("Duplicate request detected with conflicting parameters")
            return one.description  # the import that runs, whatever else this request asks for
        if len(running) >= RUNNING_IMPORTS:
            raise answers.limit_exceeded(f"up to {RUNNING_IMPORTS} simultaneous import table operations are allowed")
        if self._aws_url is None:
            raise answers.validation("the gate has no S3: start it with --aws")
        made = await self._tables.answer("CreateTable", dict(wanted), authorization)
        assert made is not None, "CreateTable is answered"
        state = await self._tables.state(wanted["TableName"], authorization)
        state.status, state.status_until = "CREATING", FOR_EVER
        self._changed(state.name)
        now = time.time()
        arn = f"{state.arn}/import/{int(now * 1000):014d}-{secrets.token_hex(4)}"
        description = {
            "ImportArn": arn,
            "ImportStatus": "IN_PROGRESS",
            "TableArn": state.arn,
            "TableId": made["TableDescription"]["TableId"],
            "ClientToken": request["ClientToken"],
            "S3BucketSource": request["S3BucketSource"],
            "ErrorCount": 0,
            "CloudWatchLogGroupArn": f"arn:aws:logs:{region(authorization)}:{ACCOUNT}:log-group:{LOG_GROUP}:*",
            "InputFormat": request["InputFormat"],
            "InputCompressionType": request.get("InputCompressionType", "NONE"),
            "TableCreationParameters": wanted,
            "StartTime": now,
            "ProcessedItemCount": 0,
            "ImportedItemCount": 0,
        }
        self.imports[arn] = one = Import(description, state.name)
        fails = self.fail_next > 0
        self.fail_next -= fails
        task = asyncio.create_task(self._run(one, state, authorization, fails))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return dict(description)

    def _find(self, arn: str) -> Import:
        if not _ARN.fullmatch(arn):
            raise answers.validation(f"Invalid Import ARN: {arn}")
        if arn not in self.imports:
            raise answers.import_not_found(f"Import not found: {arn}")
        return self.imports[arn]

    def _list(self, request: dict[str, Any]) -> dict[str, Any]:
        found = [
            one.summary()
            for one in reversed(self.imports.values())
            if request.get("TableArn", one.description["TableArn"]) == one.description["TableArn"]
        ]
        start = page_start(request.get("NextToken"), len(found))
        size = request.get("PageSize", 25)
        more = {"NextToken": page_token(start + size)} if start + size < len(found) else {}
        return {"ImportSummaryList": found[start : start + size], **more}

    # -- the import itself ---------------------------------------------------------------------------------------------

    async def _run(self, one: Import, state: TableState, authorization: str, fails: bool) -> None:
        try:
            failure = await self._load(one, state, authorization, fails)
        except Exception as error:  # the import ends, whatever happens; what it was stands in the gate's log
            log.exception("import %s", one.description["ImportArn"])
            failure = ("InternalError", f"{type(error).__name__}: {error}")
        while time.time() < one.description["StartTime"] + self.settings.import_seconds:
            await asyncio.sleep(0.05)
        counts = one.counts
        ended = {
            "ImportStatus": "FAILED" if failure else "COMPLETED",
            "EndTime": time.time(),
            "ErrorCount": len(counts.refused),
            "ImportedItemCount": counts.written,
            "ProcessedItemCount": counts.processed,
        }
        if counts.text_bytes:
            ended["ProcessedSizeBytes"] = counts.text_bytes
        if failure:
            ended["FailureCode"], ended["FailureMessage"] = failure
        if counts.refused:
            await asyncio.to_thread(self._log, one, region(authorization), counts.refused)
        if failure and failure[0] == "S3NoSuchBucket":
            await self._tables.drop(state.name, authorization)
            self._changed(state.name)
        else:
            state.status_until = 0.0
        one.description |= ended

    async def _load(self, one: Import, state: TableState, authorization: str, fails: bool) -> tuple[str, str] | None:
        """Why it failed; None where it did not."""
        assert self._aws_url is not None, "checked before"
        source = one.description["S3BucketSource"]
        s3, bucket = S3(self._aws_url, region(authorization)), source["S3Bucket"]
        try:
            objects = await asyncio.to_thread(s3.objects, bucket, source.get("S3KeyPrefix", ""))
        except NoSuchBucketError:
            return "S3NoSuchBucket", f"The specified bucket does not exist: {bucket}"
        if len(objects) > MAX_OBJECTS:
            return "LimitExceeded", f"more than {MAX_OBJECTS} objects"
        if one.description["InputFormat"] != "DYNAMODB_JSON":
            return "InternalError", "the gate reads DYNAMODB_JSON only"

        async def before_batch(_items: int) -> None:
            return

        load = Load(
            self._backend,
            s3,
            state,
            authorization,
            bucket,
            one.description["InputCompressionType"],
            one_error_ends_object=True,
            before_batch=before_batch,
            counts=one.counts,
        )
        await load.run(objects[: len(objects) // 2] if fails else objects)
        if fails:
            return "S3AccessDenied", "An object could not be read any more (ordered from the gate)"
        if one.counts.refused:
            return "ItemValidationError", "Some of the items failed validation checks and were not imported"
        return None

    def _log(self, one: Import, region_name: str, refused: list[Refusal]) -> None:
        """CloudWatch's log of an import (Developer Guide, S3DataImport.Requesting, "Error logs")."""
        arn = one.description["ImportArn"]
        try:
            logs = boto3.client(
                "logs",
                endpoint_url=self._aws_url,
                region_name=region_name,
                aws_access_key_id="gate",
                aws_secret_access_key="gate",
            )
            if not logs.describe_log_groups(logGroupNamePrefix=LOG_GROUP)["logGroups"]:
                logs.create_log_group(logGroupName=LOG_GROUP)
            stream = f"{arn.rpartition('/')[2]}/error"
            logs.create_log_stream(logGroupName=LOG_GROUP, logStreamName=stream)
            bucket = one.description["S3BucketSource"]["S3Bucket"]
            events = [
                {
                    "timestamp": int(time.time() * 1000),
                    "message": json.dumps(
                        {
                            "itemS3Pointer": {"bucket": bucket, "key": each.key, "itemIndex": each.index},
                            "importArn": arn,
                            "errorMessages": [each.message],
                        }
                    ),
                }
                for each in refused[:1000]
            ]
            logs.put_log_events(logGroupName=LOG_GROUP, logStreamName=stream, logEvents=events)
        except Exception as error:
            log.warning("the log of import %s: %s", arn, error)


def page_token(start: int) -> str:
    """A token as the model wants it: at least 112 hex digits, in groups of sixteen."""
    return f"{start:0112x}"


def page_start(token: str | None, length: int) -> int:
    """Where the page begins. Raises ValidationException for a token that was never given out."""
    if token is None:
        return 0
    start = int(token, 16)
    if not 0 < start < length:
        raise answers.validation("Invalid NextToken")
    return start
