"""The staging bucket: the bucket itself, the run's files, the result."""

import re
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from lindorm_import.adapters.errors import aws_code, aws_errors, first_pages
from lindorm_import.adapters.foreign import at, integer, parsed
from lindorm_import.domain import names
from lindorm_import.domain.observed import BucketSeen, FilesResult, ResultSeen
from lindorm_import.domain.trouble import Trouble, TroubleError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_CHECKPOINT = re.compile(r"/chk-(\d+)/_metadata$")
_RESULT_BYTES = 64 * 1024  # a result has some hundred
_REASON, _MOST_REASONS = (
    re.compile(r"[A-Za-z]{1,40}"),
    50,
)  # docs/contracts.md, "What the job leaves in S3", names eleven
_MISSING = {"404", "NoSuchBucket", "NoSuchKey", "NotFound"}


def look_at_bucket(s3: "S3Client", name: str) -> BucketSeen:
    """The bucket, when it was made, its owner's UID and whether it is empty. Raises TroubleError."""
    with aws_errors(f"s3:ListBucket on bucket {name}", name):
        try:
            s3.head_bucket(Bucket=name)
        except ClientError as error:
            if aws_code(error) in _MISSING:
                return BucketSeen(exists=False)
            raise
        empty = s3.list_objects_v2(Bucket=name, MaxKeys=1)["KeyCount"] == 0
    with aws_errors(f"s3:GetBucketTagging on bucket {name}", name):
        try:
            tags = {t["Key"]: t["Value"] for t in s3.get_bucket_tagging(Bucket=name)["TagSet"]}
        except ClientError as error:
            if aws_code(error) != "NoSuchTagSet":
                raise
            tags = {}
    return BucketSeen(True, tags.get(names.UID_LABEL), _made_at(s3, name), empty)


def _made_at(s3: "S3Client", name: str) -> datetime | None:
    """When the bucket was made; only the list of one's own buckets tells it. It may become later when the bucket's
    policy is changed (API: Bucket). Raises TroubleError."""
    with aws_errors(f"s3:ListAllMyBuckets, for when bucket {name} was made"):
        for page in first_pages(s3.get_paginator("list_buckets").paginate(Prefix=name), "the list of buckets"):
            for bucket in page["Buckets"]:
                if bucket["Name"] == name:
                    return bucket["CreationDate"].astimezone(UTC)
    return None


def create_bucket(s3: "S3Client", name: str, region: str, tags: dict[str, str]) -> None:
    """Creates the bucket, with its tags from the first moment on (API: CreateBucketConfiguration); one of that name
    that is there already is left to the next look. Public access is blocked by default since April 2023 (AWS: S3 User
    Guide, "Default settings for new buckets"). Raises TroubleError."""
    tag_set: Any = [{"Key": k, "Value": v} for k, v in tags.items()]
    with aws_errors(f"s3:CreateBucket of bucket {name}", name):
        configuration: Any = {"Tags": tag_set}
        if region != "us-east-1":  # which is said by leaving it out
            configuration["LocationConstraint"] = region
        try:
            s3.create_bucket(Bucket=name, CreateBucketConfiguration=configuration)
        except ClientError as error:
            if aws_code(error) != "BucketAlreadyOwnedByYou":
                raise


def delete_bucket(s3: "S3Client", name: str) -> None:
    """Deletes an empty bucket; already gone is success. Raises TroubleError."""
    with aws_errors(f"s3:DeleteBucket of bucket {name}", name):
        try:
            s3.delete_bucket(Bucket=name)
        except ClientError as error:
            if aws_code(error) not in _MISSING:
                raise


def count_objects(s3: "S3Client", bucket: str, prefixes: tuple[str, ...]) -> int:
    """Objects below the prefixes, counted up to one page each. Raises TroubleError."""
    with aws_errors(f"s3:ListBucket on bucket {bucket}", bucket):
        return sum(s3.list_objects_v2(Bucket=bucket, Prefix=prefix)["KeyCount"] for prefix in prefixes)


def delete_objects(s3: "S3Client", bucket: str, prefixes: tuple[str, ...]) -> None:
    """Deletes up to 1,000 objects below each prefix, as many as one call takes. Raises TroubleError."""
    for prefix in prefixes:
        with aws_errors(f"s3:DeleteObject below s3://{bucket}/{prefix}", bucket):
            found = s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
            if not found:
                continue
            answer = s3.delete_objects(
                Bucket=bucket, Delete={"Objects": [{"Key": o["Key"]} for o in found], "Quiet": True}
            )
            for refused in answer.get("Errors", []):
                raise TroubleError(
                    Trouble(
                        "StagingNotRemoved",
                        f"s3://{bucket}/{refused.get('Key')} cannot be deleted: {refused.get('Code')} "
                        f"{refused.get('Message')}. Delete it, or allow the controller's role to",
                    )
                )


def look_for_result(s3: "S3Client", bucket: str, key: str) -> ResultSeen | None:
    """result.json, None where there is none. Raises TroubleError, also for one that cannot be read: the job's role
    writes it, and whoever else may write there."""
    with aws_errors(f"s3:GetObject of s3://{bucket}/{key}", bucket):
        try:
            found = s3.get_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if aws_code(error) in _MISSING:
                return None
            raise
        with closing(found["Body"]) as body:
            data = body.read(_RESULT_BYTES + 1) if found["ContentLength"] <= _RESULT_BYTES else b""
    try:
        if not 0 < len(data) <= _RESULT_BYTES:
            raise ValueError(f"it has {found['ContentLength']:,} bytes")
        return _result(parsed(data))
    except ValueError as error:
        raise TroubleError(Trouble("ResultUnreadable", f"s3://{bucket}/{key} is no result: {error}")) from error


def _result(data: Any) -> ResultSeen:
    """Raises ValueError: nothing is guessed where success is decided."""
    run_id = at(data, "runId")
    counts = [integer(at(data, name)) for name in ("rowsRead", "itemsWritten", "rowsRejected")]
    rows_read, items_written, rows_rejected = counts
    if not isinstance(run_id, str) or rows_read is None or items_written is None or rows_rejected is None:
        raise ValueError("it needs runId, rowsRead, itemsWritten and rowsRejected")
    reasons = at(data, "rejectedByReason") or {}
    if not isinstance(reasons, dict) or len(reasons) > _MOST_REASONS:
        raise ValueError("rejectedByReason is no list of reasons")
    if not all(_REASON.fullmatch(reason) and integer(number) is not None for reason, number in reasons.items()):
        raise ValueError("rejectedByReason counts what is no reason, or not in whole numbers")
    return ResultSeen(run_id[:100], rows_read, items_written, rows_rejected, reasons, _files(data))


def _files(data: Any) -> FilesResult | None:
    """What a job that wrote files says of them. Raises ValueError."""
    if at(data, "files") is None:
        return None
    counts = [integer(at(data, "files", name)) for name in ("objects", "bytes", "storedBytes")]
    objects, text_bytes, stored_bytes = counts
    sha256 = at(data, "files", "manifest", "sha256")
    if objects is None or text_bytes is None or stored_bytes is None or not isinstance(sha256, str):
        raise ValueError("files needs objects, bytes, storedBytes and the manifest's sha256")
    return FilesResult(objects, text_bytes, stored_bytes, sha256[:64])


def newest_checkpoint(s3: "S3Client", bucket: str, prefix: str) -> str | None:
    """s3://… of the newest complete checkpoint below the prefix (Flink: <job id>/chk-<n>/_metadata). Raises
    TroubleError, also where so much lies there that it cannot be found: another one would import rows twice."""
    newest: tuple[datetime, int] | None = None
    address = None
    with aws_errors(f"s3:ListBucket on bucket {bucket}", bucket):
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        for page in first_pages(pages, f"the list of s3://{bucket}/{prefix}"):
            for entry in page.get("Contents", []):
                found = _CHECKPOINT.search(entry["Key"])
                # S3's times are whole seconds: of two in one second the number decides.
                age = (entry["LastModified"], int(found[1])) if found else None
                if age and (newest is None or age > newest):
                    newest = age
                    address = f"s3://{bucket}/{entry['Key'].removesuffix('/_metadata')}"
    return address
