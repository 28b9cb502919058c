"""The files of a load, beside the manifest that the job has left of them (docs/contracts.md, "The files of a load")."""

import hashlib
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

from botocore.exceptions import ClientError

from lindorm_import.adapters.errors import aws_code, aws_errors, first_pages
from lindorm_import.adapters.foreign import at, integer, parsed
from lindorm_import.domain.observed import FilesSeen

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# 50,000 lines of some 170 bytes, and room.
_MANIFEST_BYTES = 32 * 1024 * 1024


class _Manifest(NamedTuple):
    """stored: bytes by name, below the prefix."""

    stored: dict[str, int]
    items: int
    text_bytes: int


def look_at_files(s3: "S3Client", bucket: str, prefix: str, manifest: str, sha256: str | None) -> FilesSeen:
    """The objects below the prefix, compared with the manifest whose SHA-256 the result has. Raises TroubleError."""
    body = _body(s3, bucket, manifest)
    if body is None:
        return FilesSeen(problem=f"s3://{bucket}/{manifest}, which lists them, is not there")
    if hashlib.sha256(body).hexdigest() != sha256:
        return FilesSeen(problem=f"s3://{bucket}/{manifest} is not the one of the result: its SHA-256 is another")
    try:
        wanted = _manifest(body)
    except ValueError as error:
        return FilesSeen(problem=f"s3://{bucket}/{manifest} is no manifest: {error}")
    found: dict[str, int] = {}
    with aws_errors(f"s3:ListBucket on bucket {bucket}"):
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        for page in first_pages(pages, f"the list of s3://{bucket}/{prefix}"):
            found |= {entry["Key"].removeprefix(prefix): entry["Size"] for entry in page.get("Contents", [])}
    problem = _difference(wanted.stored, found, f"s3://{bucket}/{prefix}")
    return FilesSeen(wanted.items, wanted.text_bytes, sum(found.values()), len(found), problem)


def _body(s3: "S3Client", bucket: str, key: str) -> bytes | None:
    with aws_errors(f"s3:GetObject of s3://{bucket}/{key}"):
        try:
            found = s3.get_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if aws_code(error) in ("NoSuchKey", "NoSuchBucket", "404"):
                return None
            raise
        with closing(found["Body"]) as body:
            return body.read(_MANIFEST_BYTES)


def _manifest(body: bytes) -> _Manifest:
    """Raises ValueError."""
    stored: dict[str, int] = {}
    items = text_bytes = 0
    for line in body.splitlines():
        entry = parsed(line)
        name = at(entry, "object")
        counts = [integer(at(entry, field)) for field in ("items", "bytes", "storedBytes")]
        holds, text, size = counts
        if not isinstance(name, str) or holds is None or text is None or size is None:
            raise ValueError("a line needs object, items, bytes and storedBytes")
        if name in stored:
            raise ValueError(f"it names {name} twice")
        stored[name] = size
        items, text_bytes = items + holds, text_bytes + text
    return _Manifest(stored, items, text_bytes)


def _difference(wanted: dict[str, int], found: dict[str, int], where: str) -> str | None:
    """What is wrong with a listing, name by name and size by size: the first of each kind, and how many."""
    kinds = {
        "is in the bucket and not in the manifest": found.keys() - wanted.keys(),
        "is in the manifest and not in the bucket": wanted.keys() - found.keys(),
        "has another size than in the manifest": {
            name for name in wanted.keys() & found.keys() if wanted[name] != found[name]
        },
    }
    told = [
        f"{where}{min(names)} {what}" + (f" (and {len(names) - 1} more)" if len(names) > 1 else "")
        for what, names in kinds.items()
        if names
    ]
    return "; ".join(told) or None
