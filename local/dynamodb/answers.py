"""Answers as DynamoDB gives them: body, checksum, request id, and the exceptions' exact shapes.

Exceptions: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html; throttling
reasons: .../developerguide/throttling-diagnosing-workflow.html and botocore's model (the two exceptions spell the
member differently).
"""

from __future__ import annotations

import json
import secrets
import zlib
from collections.abc import Iterable
from typing import Any

from aiohttp import web

from local.dynamodb.capacity import Cause, Side

CONTENT_TYPE = "application/x-amz-json-1.0"
_ID_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_MODEL = "com.amazonaws.dynamodb.v20120810#"
_CORAL = "com.amazon.coral.service#"
_VALIDATION = "com.amazon.coral.validate#ValidationException"


class DynamoDBError(Exception):
    """An exception of DynamoDB's API: HTTP status, and the body as it goes out."""

    def __init__(self, status: int, kind: str, message: str, **members: Any) -> None:
        super().__init__(message)
        self.status = status
        text = "Message" if kind.startswith(_CORAL + "AccessDenied") else "message"
        self.body = {"__type": kind, text: message, **members}


def answer(status: int, body: bytes) -> web.Response:
    """A response with DynamoDB's headers. The checksum is of the body as sent."""
    headers = {
        "x-amzn-RequestId": "".join(_ID_LETTERS[byte % 36] for byte in secrets.token_bytes(52)),
        "x-amz-crc32": str(zlib.crc32(body)),
        "Content-Type": CONTENT_TYPE,
    }
    return web.Response(status=status, body=body, headers=headers)


def answer_json(value: object) -> web.Response:
    return answer(200, json.dumps(value, separators=(",", ":")).encode())


def answer_error(error: DynamoDBError) -> web.Response:
    return answer(error.status, json.dumps(error.body, separators=(",", ":")).encode())


def validation(message: str) -> DynamoDBError:
    return DynamoDBError(400, _VALIDATION, message)


def not_found(message: str) -> DynamoDBError:
    return DynamoDBError(400, _MODEL + "ResourceNotFoundException", message)


def in_use(message: str) -> DynamoDBError:
    return DynamoDBError(400, _MODEL + "ResourceInUseException", message)


def limit_exceeded(message: str) -> DynamoDBError:
    return DynamoDBError(400, _MODEL + "LimitExceededException", message)


def import_conflict(message: str) -> DynamoDBError:
    return DynamoDBError(400, _MODEL + "ImportConflictException", message)


def import_not_found(message: str) -> DynamoDBError:
    return DynamoDBError(400, _MODEL + "ImportNotFoundException", message)


def idempotent_mismatch(message: str) -> DynamoDBError:
    return DynamoDBError(400, _MODEL + "IdempotentParameterMismatchException", message)


def backups_unavailable(message: str) -> DynamoDBError:
    return DynamoDBError(400, _MODEL + "ContinuousBackupsUnavailableException", message)


def internal() -> DynamoDBError:
    return DynamoDBError(500, _MODEL + "InternalServerError", "Internal server error")


def access_denied(operation: str, resource: str) -> DynamoDBError:
    message = (
        "User: arn:aws:sts::123456789012:assumed-role/import/session is not authorized to perform: "
        f"dynamodb:{operation} on resource: {resource} because no identity-based policy allows the dynamodb:{operation}"
        " action"
    )
    return DynamoDBError(400, _CORAL + "AccessDeniedException", message)


def throttled(side: Side, on_demand: bool, causes: Iterable[Cause], arn: str) -> DynamoDBError:
    """What a request gets of which nothing went through."""
    reasons = [
        {"reason": f"Table{side.value}{cause.value}Exceeded", "resource": arn}
        for cause in sorted(set(causes), key=lambda cause: cause.value)
    ]
    if on_demand:
        message = "Throughput exceeds the current capacity of your table or index."
        return DynamoDBError(400, _MODEL + "ThrottlingException", message, throttlingReasons=reasons)
    message = (
        "The level of configured provisioned throughput for the table was exceeded. "
        "Consider increasing your provisioning level with the UpdateTable API."
    )
    kind = _MODEL + "ProvisionedThroughputExceededException"
    return DynamoDBError(400, kind, message, ThrottlingReasons=reasons)
