"""DynamoDB's loads from S3 in memory, as strict as was measured (local/dynamodb/imports.py says where).

An import tells no counts before it ends; its token counts only while it runs, and then whatever else is asked for gives
what runs; its table is CREATING meanwhile, has no tags, and stays where the import fails. Files are read at the end:
what is deleted before is missing.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tests.controller.factories import NOW

if TYPE_CHECKING:
    from tests.controller.aws_services import S3, DynamoDB, Logs

Document = dict[str, Any]
SECONDS = 20.0
TOKEN_SECONDS = 8 * 3600


@dataclass
class Load:
    """An import or a bulk operation. until: when it ends; fails: how (a failure code)."""

    description: Document
    request: Document
    table: str
    until: float
    fails: str | None = None
    running: bool = True


@dataclass
class Loads:
    """fail_next: how the next that are started fail, one after the other; refuse_items: so many items of a bulk put are
    refused; limit: how often a start is refused because too many run; lose_items: items that an import drops without a
    word; slow: how long they take."""

    imports: list[Load] = field(default_factory=list)
    puts: list[Load] = field(default_factory=list)
    fail_next: list[str] = field(default_factory=list)
    refuse_items: int = 0
    lose_items: int = 0
    limit: int = 0
    slow: float = SECONDS
    dynamodb: DynamoDB = None  # type: ignore[assignment]
    s3: S3 = None  # type: ignore[assignment]
    logs: Logs = None  # type: ignore[assignment]

    @property
    def _now(self) -> float:
        return self.dynamodb.seconds

    def _time(self) -> Any:
        return NOW + timedelta(seconds=self._now)

    def _refused(self, code: str, message: str) -> Exception:
        from tests.controller.aws_services import Refused

        return Refused(code, message)

    def _may_start(self) -> None:
        if self.limit:
            self.limit -= 1
            raise self._refused("LimitExceededException", "Subscriber limit exceeded")

    # -- imports -------------------------------------------------------------------------------------------------------

    def import_table(self, **request: Any) -> Document:
        wanted = request["TableCreationParameters"]
        name = wanted["TableName"]
        for one in self.imports:
            if one.running and one.request["ClientToken"] == request["ClientToken"]:
                if one.table != name:
                    raise self._refused("ImportConflictException", "Duplicate request detected")
                return {"ImportTableDescription": one.description}
        self._may_start()
        made = self.dynamodb.create_table(**wanted)["TableDescription"]  # refuses a table that is there
        table = self.dynamodb.tables[name]
        table.until = float("inf")
        description = {
            "ImportArn": f"{made['TableArn']}/import/{len(self.imports) + 1:014d}-00000000",
            "ImportStatus": "IN_PROGRESS",
            "TableArn": made["TableArn"],
            "TableId": made["TableId"],
            "ClientToken": request["ClientToken"],
            "S3BucketSource": request["S3BucketSource"],
            "TableCreationParameters": wanted,
            "InputFormat": request["InputFormat"],
            "StartTime": self._time(),
            "ProcessedItemCount": 0,
            "ImportedItemCount": 0,
            "ErrorCount": 0,
        }
        fails = self.fail_next.pop(0) if self.fail_next else None
        self.imports.append(Load(description, request, name, self._now + self.slow, fails))
        return {"ImportTableDescription": description}

    def describe_import(self, ImportArn: str) -> Document:  # noqa: N803
        for one in self.imports:
            if one.description["ImportArn"] == ImportArn:
                return {"ImportTableDescription": dict(one.description)}
        raise self._refused("ImportNotFoundException", ImportArn)

    def list_imports(self, PageSize: int = 25, NextToken: str = "0", **_: Any) -> Document:  # noqa: N803
        start = int(NextToken, 16)
        names = ("ImportArn", "ImportStatus", "TableArn", "S3BucketSource", "StartTime")
        found = [{name: one.description[name] for name in names} for one in self.imports]
        more = {"NextToken": f"{start + PageSize:0112x}"} if start + PageSize < len(found) else {}
        return {"ImportSummaryList": found[start : start + PageSize], **more}

    # -- bulk puts -----------------------------------------------------------------------------------------------------

    def start_bulk_put_items(self, **request: Any) -> Document:
        for one in self.puts:
            if one.request["ClientToken"] == request["ClientToken"] and self._now - one.until < TOKEN_SECONDS:
                if one.request != request:
                    raise self._refused("IdempotentParameterMismatchException", "other parameters")
                return {"BulkOperationDescription": one.description}
        self._may_start()
        name = request["TableName"]
        table = self.dynamodb._table(name, idle=True)
        if any(one.running and one.table == name for one in self.puts):
            raise self._refused("LimitExceededException", "an operation of the table is in progress")
        description = {
            "BulkOperationArn": f"{table.description['TableArn']}/bulk-operation/{len(self.puts) + 1:014d}",
            "BulkOperationStatus": "IN_PROGRESS",
            "TableDetails": [{"TableName": name, "TableId": table.description["TableId"]}],
            "InputS3Configuration": request["InputS3Configuration"],
            "StartTime": self._time(),
            "ProcessedItemCount": 0,
            "FailedItemCount": 0,
        }
        fails = self.fail_next.pop(0) if self.fail_next else None
        self.puts.append(Load(description, request, name, self._now + self.slow, fails))
        return {"BulkOperationDescription": description}

    def describe_bulk_operation(self, BulkOperationArn: str) -> Document:  # noqa: N803
        for one in self.puts:
            if one.description["BulkOperationArn"] == BulkOperationArn:
                return {"BulkOperationDescription": dict(one.description)}
        raise self._refused("ResourceNotFoundException", BulkOperationArn)

    def cancel_bulk_operation(self, BulkOperationArn: str) -> Document:  # noqa: N803
        for one in self.puts:
            if one.description["BulkOperationArn"] == BulkOperationArn and one.running:
                one.description["BulkOperationStatus"] = "CANCELLING"
                one.until, one.fails = self._now + 2, "Cancelled"
                return {"BulkOperationArn": BulkOperationArn, "BulkOperationStatus": "CANCELLING"}
        raise self._refused("ValidationException", "has ended")

    def list_bulk_operations(self, **_: Any) -> Document:
        names = ("BulkOperationArn", "BulkOperationStatus", "StartTime")
        return {"BulkOperationsSummaryList": [{name: one.description[name] for name in names} for one in self.puts]}

    # -- time ----------------------------------------------------------------------------------------------------------

    def pass_time(self) -> None:
        for one in self.imports:
            if one.running and self._now >= one.until:
                self._end_import(one)
        for one in self.puts:
            if one.running:
                self._move_put(one)

    def _read(self, source: Document) -> tuple[int, int] | None:
        """Items and bytes below the prefix; None where there is no such bucket."""
        if source["S3Bucket"] not in self.s3.buckets:
            return None
        objects = self.s3.buckets[source["S3Bucket"]].objects
        texts = [gzip.decompress(objects[k][0]) for k in sorted(objects) if k.startswith(source["S3KeyPrefix"])]
        return sum(len(text.splitlines()) for text in texts), sum(map(len, texts))

    def _end_import(self, one: Load) -> None:
        one.running = False
        end: Document = {"EndTime": self._time(), "ImportStatus": "COMPLETED"}
        read = self._read(one.request["S3BucketSource"])
        if read is None:
            del self.dynamodb.tables[one.table]
            one.description |= {**end, "ImportStatus": "FAILED", "FailureCode": "S3NoSuchBucket"}
            return
        items, text_bytes = read
        if one.fails:
            items //= 2
            end |= {"ImportStatus": "FAILED", "FailureCode": one.fails, "FailureMessage": "ordered by the test"}
        if one.fails == "ItemValidationError":
            end["ErrorCount"] = 1
            stream = one.description["ImportArn"].rpartition("/")[2] + "/error"
            entry = {"itemS3Pointer": {"key": "items/items-a.json.gz", "itemIndex": 7}, "errorMessages": ["too large"]}
            self.logs.streams[stream] = [json.dumps(entry)]
        items = max(0, items - self.lose_items)
        end |= {"ImportedItemCount": items, "ProcessedSizeBytes": text_bytes}
        end["ProcessedItemCount"] = items + end.get("ErrorCount", 0)
        one.description |= end
        table = self.dynamodb.tables[one.table]
        table.items, table.until = items, self._now

    def _move_put(self, one: Load) -> None:
        read = self._read(one.request["InputS3Configuration"]) or (0, 0)
        table = self.dynamodb.tables.get(one.table)
        done = read[0] if self._now >= one.until and not one.fails else read[0] // 2
        failed = self.refuse_items if self._now >= one.until and not one.fails else 0
        if table is not None:
            table.items = max(table.items, done - failed)
        one.description |= {"ProcessedItemCount": max(one.description["ProcessedItemCount"], done)}
        if self._now < one.until:
            return
        one.running = False
        status = "COMPLETED_WITH_ERRORS" if failed else "COMPLETED"
        if one.fails:
            status = "CANCELLED" if one.fails == "Cancelled" else "FAILED"
            one.description["FailureCode"] = one.fails
        one.description |= {"BulkOperationStatus": status, "FailedItemCount": failed, "EndTime": self._time()}
