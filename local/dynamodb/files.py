"""Objects in S3 with items in DynamoDB JSON, one `{"Item": {…}}` a line, as ImportTable reads them.

What was measured on AWS is kept (scylladb's test/alternator/test_import.py): blank lines and empty plain objects are
nothing; the first line that is no item ends its object and counts as one error; bytes are counted uncompressed, with
newlines. What nobody has measured is as bad as it can be: of several gzip members in an object only the first is read.
"""

from __future__ import annotations

import json
import logging
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

log = logging.getLogger("dynamodb.gate")


class NoSuchBucketError(Exception):
    """There is no bucket of that name."""


class UnreadableError(Exception):
    """A line is no item. `index`: its number among the items of its object, from 0."""

    def __init__(self, index: int, message: str) -> None:
        super().__init__(message)
        self.index = index


@dataclass(frozen=True)
class Object:
    key: str
    size: int


class S3:
    """S3 as DynamoDB reads and writes it. Every method blocks."""

    def __init__(self, url: str, region: str) -> None:
        self._client: S3Client = boto3.client(
            "s3",
            endpoint_url=url,
            region_name=region,
            aws_access_key_id="gate",
            aws_secret_access_key="gate",
        )

    def objects(self, bucket: str, prefix: str) -> list[Object]:
        """All objects whose key begins with the prefix. Raises NoSuchBucketError."""
        try:
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
            return [Object(each["Key"], each["Size"]) for page in pages for each in page.get("Contents", [])]
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchBucket":
                raise NoSuchBucketError(bucket) from error
            raise

    def read(self, bucket: str, key: str) -> bytes:
        return self._client.get_object(Bucket=bucket, Key=key)["Body"].read()

    def write(self, bucket: str, key: str, body: bytes) -> None:
        self._client.put_object(Bucket=bucket, Key=key, Body=body)


def uncompressed(body: bytes, compression: str) -> bytes:
    """The text of an object. Raises UnreadableError where it is not so compressed, or cut off."""
    if compression == "NONE":
        return body
    if compression != "GZIP":
        raise UnreadableError(0, f"the gate reads no {compression}")
    stream = zlib.decompressobj(wbits=31)
    try:
        text = stream.decompress(body) + stream.flush()
    except zlib.error as error:
        raise UnreadableError(0, f"not gzip: {error}") from error
    if not stream.eof:
        raise UnreadableError(0, "the gzip member ends before its end")
    return text


def items(text: bytes) -> Iterator[tuple[int, dict[str, Any]]]:
    """(number of the item in its object, item) of each line. Raises UnreadableError at the first line that is none."""
    index = 0
    for line in text.split(b"\n"):
        if not line.strip():
            continue
        try:
            document = json.loads(line)
            item = document["Item"]
            if not isinstance(item, dict) or not all(isinstance(value, dict) for value in item.values()):
                raise TypeError("Item is not a map of attribute values")
        except (ValueError, KeyError, TypeError) as error:
            raise UnreadableError(index, f"Invalid JSON: {error}") from error
        yield index, item
        index += 1
