"""What the real job calls of AWS: DynamoDB's gate and the S3 stand-in see its requests."""

import json
import re
import urllib.request
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

from lindorm_import.permissions.needed import JOB_AWS
from local.demo import World

_REQUEST = re.compile(r'"(?P<method>[A-Z]+) (?P<target>\S+) HTTP/1.1" (?P<code>\d+) "(?P<agent>[^"]*)"')
# The first of the query's words that tells more than the method, and what the request is then.
_OPERATIONS = {
    ("GET", "list-type"): "ListObjectsV2",
    ("GET", "uploads"): "ListMultipartUploads",
    ("GET", "uploadId"): "ListParts",
    ("GET", "location"): "GetBucketLocation",
    ("POST", "delete"): "DeleteObjects",
    ("POST", "uploads"): "CreateMultipartUpload",
    ("POST", "uploadId"): "CompleteMultipartUpload",
    ("PUT", "uploadId"): "UploadPart",
    ("DELETE", "uploadId"): "AbortMultipartUpload",
}

# What the stand-ins give no cause for. Hadoop's S3A aborts an upload of which S3 refused a part or that it cannot end
# (hadoop-aws, S3ABlockOutputStream); without the permission the parts would stay and cost money.
ONLY_IN_TROUBLE = {"s3:AbortMultipartUpload"}


def operation(method: str, target: str) -> str:
    """S3's operation, from a path-style request."""
    address = urlsplit(target)
    for word in parse_qs(address.query, keep_blank_values=True):
        if (method, word) in _OPERATIONS:
            return _OPERATIONS[method, word]
    kind = "Object" if address.path.strip("/").count("/") else "Bucket"
    if (method, kind) == ("GET", "Bucket"):
        return "ListObjects"
    return {"GET": "Get", "HEAD": "Head", "PUT": "Put", "DELETE": "Delete", "POST": "Post"}[method] + kind


def made_by_the_job(world: World) -> set[str]:
    """Every call of every job so far that was not made by boto3 (the controller, and the tests): s3:GetObject, …"""
    return set(_seen(world))


def _seen(world: World) -> Iterator[str]:
    for line in (world.stack.folder / "log" / "moto.log").read_text().splitlines():
        if (found := _REQUEST.search(line)) and "aws-sdk-java" in found["agent"]:  # not who waits for the server
            yield f"s3:{operation(found['method'], found['target'])}"
    url = f"{world.stack.environment['AWS_ENDPOINT_URL_DYNAMODB']}/_gate"
    with urllib.request.urlopen(url, timeout=30) as answer:
        callers = json.load(answer)["callers"]
    for name, agents in callers.items():
        if set(agents) - {"Boto3"}:
            yield f"dynamodb:{name}"


def listed() -> set[str]:
    """What the job's role is allowed."""
    return {call for action in JOB_AWS for call in action.calls}
