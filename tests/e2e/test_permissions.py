"""What the job's role is allowed is what the real job calls: DynamoDB's gate and the S3 stand-in see its requests."""

import json
import re
import urllib.request
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest

from controller.permissions import JOB_AWS
from local.demo import World, condition, told
from tests.e2e.test_import import eventually, named, until
from tests.e2e.test_interruptions import FAST, PACED, ROWS, written

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]

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
ONLY_IN_TROUBLE = ("s3:AbortMultipartUpload",)


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


def made_by_the_job(world: World) -> Iterator[str]:
    """Every call that was not made by boto3 (the controller, and the tests): s3:GetObject, …"""
    for line in (world.stack.folder / "log" / "moto.log").read_text().splitlines():
        if (found := _REQUEST.search(line)) and "aws-sdk-java" in found["agent"]:  # not who waits for the server
            yield f"s3:{operation(found['method'], found['target'])}"
    url = f"{world.stack.environment['AWS_ENDPOINT_URL_DYNAMODB']}/_gate"
    with urllib.request.urlopen(url, timeout=30) as answer:
        callers = json.load(answer)["callers"]
    for name, agents in callers.items():
        if set(agents) - {"Boto3"}:
            yield f"dynamodb:{name}"


def test_the_jobs_role_is_allowed_what_the_real_job_calls_and_nothing_else(world: World) -> None:
    """It has state, rejects and a result, and goes on after a suspension."""
    changes = {**PACED, "rejects.max": ROWS, "target.key": {"partition": "{metric}e{device}", "sort": "ts"}}
    world.apply(named(world, "rights", **changes))
    until(world, "rights", lambda d: written(d) > 0)
    world.apply(named(world, "rights", **changes, suspend=True))
    until(world, "rights", lambda d: condition(d, "Suspended") == "True")
    world.apply(named(world, "rights", **{**changes, **FAST}, suspend=False))
    found = world.wait_ended("rights")
    assert condition(found, "Complete") == "True", told(found)
    assert found["status"]["results"]["rejectedByReason"]["AmbiguousKey"] > 0
    world.delete("rights")
    eventually(lambda: world.read("rights") is None, "the import is gone")
    called = set(made_by_the_job(world))
    listed = {call for action in JOB_AWS for call in action.calls}
    assert called - listed == set(), "called, but not listed"
    assert listed - called == set(ONLY_IN_TROUBLE), "listed, but never called"
