"""DynamoDB's own loads from S3: ImportTable, and the bulk puts (StartBulkPutItems).

Starting one answers nothing that is believed: a lost answer is as good as one that came, because the next look finds
what runs by the prefix that it reads (decide/load.py).
"""

import gzip
import json
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from lindorm_import.adapters.errors import AWS_FAILURES, aws_code, aws_errors, first_pages
from lindorm_import.domain.observed import LoadSeen, LoadState
from lindorm_import.domain.trouble import Trouble, TroubleError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

LOG_GROUP = "/aws-dynamodb/imports"  # Developer Guide, S3DataImport.Requesting
ERRORS = 5  # so many errors are told; all of them are where AWS leaves them
_ERROR_LENGTH = 300
# AWS's clock and ours.
_CLOCKS_DIFFER = timedelta(minutes=5)
_IMPORT_STATES: dict[str, LoadState] = {
    "IN_PROGRESS": "Running",
    "COMPLETED": "Completed",
    "CANCELLING": "Cancelling",
    "CANCELLED": "Cancelled",
    "FAILED": "Failed",
}
_BULK_STATES: dict[str, LoadState] = {**_IMPORT_STATES, "COMPLETED_WITH_ERRORS": "CompletedWithErrors"}


def start_import(dynamodb: "DynamoDBClient", request: dict[str, Any]) -> None:
    """Asks for an import. A table of that name that is there, or an import that runs, is left to the next look. Raises
    TroubleError."""
    table = request["TableCreationParameters"]["TableName"]
    with aws_errors(f"dynamodb:ImportTable of table {table}"):
        try:
            dynamodb.import_table(**request)
        except ClientError as error:
            if aws_code(error) in ("ResourceInUseException", "ImportConflictException"):
                return
            _raise_limit(error, f"table {table}: DynamoDB runs as many imports as the account may have (50)")
            raise


def start_bulk_put(dynamodb: "DynamoDBClient", request: dict[str, Any]) -> None:
    """Asks for a bulk put. One that runs is left to the next look. Raises TroubleError."""
    table = request["TableName"]
    client: Any = dynamodb  # the stubs do not know the operation yet
    with aws_errors(f"dynamodb:StartBulkPutItems into table {table}"):
        try:
            client.start_bulk_put_items(**request)
        except ClientError as error:
            if aws_code(error) == "IdempotentParameterMismatchException":
                return
            _raise_limit(error, f"table {table}: DynamoDB runs as many bulk operations as table or account may have")
            raise


def _raise_limit(error: ClientError, told: str) -> None:
    if aws_code(error) == "LimitExceededException":
        message = f"{told}; it is tried again. It says: {error.response['Error'].get('Message', '')}"
        raise TroubleError(Trouble("TooManyLoads", message)) from error


def cancel_bulk_put(dynamodb: "DynamoDBClient", arn: str) -> None:
    """Asks for its end; one that has ended is left to the next look. Raises TroubleError."""
    client: Any = dynamodb
    with aws_errors(f"dynamodb:CancelBulkOperation of {arn}"):
        try:
            client.cancel_bulk_operation(BulkOperationArn=arn)
        except ClientError as error:
            if aws_code(error) not in ("ResourceNotFoundException", "ValidationException"):
                raise


def look_for_imports(dynamodb: "DynamoDBClient", bucket: str, prefix: str) -> tuple[LoadSeen, ...]:
    """Every import of the last 90 days that reads exactly this prefix, running ones too. Raises TroubleError."""
    found = []
    with aws_errors("dynamodb:ListImports"):
        for page in first_pages(_pages(dynamodb), "the list of imports from S3"):
            for summary in page["ImportSummaryList"]:
                source = summary.get("S3BucketSource", {})
                if (source.get("S3Bucket"), source.get("S3KeyPrefix")) == (bucket, prefix):
                    found.append(summary["ImportArn"])
    return tuple(look_at_import(dynamodb, None, arn) for arn in found)


def _pages(dynamodb: "DynamoDBClient") -> Iterator[Any]:
    """botocore has no paginator for it."""
    token: dict[str, Any] = {}
    while True:
        page: Any = dynamodb.list_imports(PageSize=25, **token)
        yield page
        if not page.get("NextToken"):
            return
        token = {"NextToken": page["NextToken"]}


def look_at_import(dynamodb: "DynamoDBClient", logs: Any, arn: str) -> LoadSeen:
    """One import. logs: CloudWatch Logs' client, for what a failed import could not load; None: without that. Raises
    TroubleError."""
    with aws_errors(f"dynamodb:DescribeImport of {arn}"):
        told: Any = dynamodb.describe_import(ImportArn=arn)["ImportTableDescription"]
    state = _IMPORT_STATES[told["ImportStatus"]]
    source, errors = told.get("S3BucketSource", {}), told.get("ErrorCount", 0)
    return LoadSeen(
        arn=arn,
        state=state,
        table=told["TableCreationParameters"]["TableName"],
        table_id=told.get("TableId"),
        bucket=source.get("S3Bucket", ""),
        prefix=source.get("S3KeyPrefix", ""),
        started_at=_time(told.get("StartTime")),
        ended_at=_time(told.get("EndTime")),
        processed=told.get("ImportedItemCount", 0) + errors,
        failed=errors,
        text_bytes=told.get("ProcessedSizeBytes", 0),
        failure_code=told.get("FailureCode"),
        failure_message=told.get("FailureMessage"),
        errors=_logged(logs, arn) if logs is not None and errors else (),
    )


def _logged(logs: Any, arn: str) -> tuple[str, ...]:
    """What the import's log says of its errors, a few; nothing where it does not let itself be read: it only tells
    more."""
    try:
        stream = f"{arn.rpartition('/')[2]}/error"
        events = logs.get_log_events(logGroupName=LOG_GROUP, logStreamName=stream, limit=ERRORS, startFromHead=True)
    except AWS_FAILURES:
        return ()
    return tuple(_error(event.get("message", "")) for event in events.get("events", [])[:ERRORS])


def _error(message: str) -> str:
    """'items/a.json.gz, item 3: One of the required keys …'."""
    try:
        entry = json.loads(message)
        where, said = entry["itemS3Pointer"], "; ".join(map(str, entry["errorMessages"]))
        return f"{where['key']}, item {where['itemIndex']}: {said}"[:_ERROR_LENGTH]
    except (ValueError, KeyError, TypeError):
        return message[:_ERROR_LENGTH]


def look_for_bulk_puts(dynamodb: "DynamoDBClient", bucket: str, prefix: str, since: datetime) -> tuple[LoadSeen, ...]:
    """Every bulk put since that time that reads exactly this prefix. Their list has no prefix, so each is described.
    Raises TroubleError."""
    client: Any = dynamodb
    arns = []
    with aws_errors("dynamodb:ListBulkOperations"):
        pages = client.get_paginator("list_bulk_operations").paginate()
        for page in first_pages(pages, "the list of bulk operations"):
            for summary in page["BulkOperationsSummaryList"]:
                if summary["StartTime"].astimezone(UTC) >= since - _CLOCKS_DIFFER:
                    arns.append(summary["BulkOperationArn"])
    described = (look_at_bulk_put(dynamodb, arn) for arn in arns)
    return tuple(one for one in described if (one.bucket, one.prefix) == (bucket, prefix))


def look_at_bulk_put(dynamodb: "DynamoDBClient", arn: str, s3: "S3Client | None" = None, errors: str = "") -> LoadSeen:
    """One bulk put. s3: to read some of the errors that it has reported below that prefix; None: without that. Raises
    TroubleError."""
    client: Any = dynamodb
    with aws_errors(f"dynamodb:DescribeBulkOperation of {arn}"):
        told: Any = client.describe_bulk_operation(BulkOperationArn=arn)["BulkOperationDescription"]
    source = told.get("InputS3Configuration", {})
    table = (told.get("TableDetails") or [{}])[0]
    failed = told.get("FailedItemCount", 0)
    bucket = source.get("S3Bucket", "")
    return LoadSeen(
        arn=arn,
        state=_BULK_STATES[told["BulkOperationStatus"]],
        table=table.get("TableName", "").rpartition("/")[2],
        table_id=table.get("TableId"),
        bucket=bucket,
        prefix=source.get("S3KeyPrefix", ""),
        started_at=_time(told.get("StartTime")),
        ended_at=_time(told.get("EndTime")),
        processed=told.get("ProcessedItemCount", 0),
        failed=failed,
        failure_code=told.get("FailureCode"),
        failure_message=told.get("FailureMessage"),
        errors=_reported(s3, bucket, errors) if s3 is not None and failed and told.get("EndTime") else (),
    )


def _reported(s3: "S3Client", bucket: str, prefix: str) -> tuple[str, ...]:
    """Some lines of the ERROR output. How it is laid out was not found in what could be read: JSON lines, compressed or
    not, are believed; where that is wrong nothing is told, and the files are there to look at."""
    try:
        listed = s3.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=20).get("Contents", [])
        out: list[str] = []
        for entry in listed:
            body = s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read(1_000_000)
            text = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
            out += [line[:_ERROR_LENGTH].decode(errors="replace") for line in text.splitlines() if b"rror" in line]
            if len(out) >= ERRORS:
                break
        return tuple(out[:ERRORS])
    except (*AWS_FAILURES, OSError, EOFError, zlib.error):
        return ()


def _time(told: datetime | None) -> datetime | None:
    return told.astimezone(UTC) if told else None
