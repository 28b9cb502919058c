"""Requests and answers held against botocore's model of DynamoDB: shapes, required members, enums, patterns, bounds.

A real service ignores a member that it does not know; here it is refused, because no caller of the stack has a reason
to send one (ImportTable has no Tags, for example).
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import botocore.session

from local.dynamodb import answers


@cache
def _model() -> Any:
    return botocore.session.get_session().get_service_model("dynamodb")


def check_request(operation: str, request: dict[str, Any]) -> None:
    """Raises ValidationException where a request is not as the model has it. An idempotency token is required: the
    SDKs send one with every request (scylladb's test_import.py, measured: a request without one is refused)."""
    shape = _model().operation_model(operation).input_shape
    found = problems(shape, request)
    found += [
        f"Value null at '{name}' failed to satisfy constraint: Member must not be null"
        for name, member in shape.members.items()
        if member.metadata.get("idempotencyToken") and name not in request
    ]
    if found:
        count = "1 validation error" if len(found) == 1 else f"{len(found)} validation errors"
        raise answers.validation(f"{count} detected: {'; '.join(found)}")


def answer_problems(operation: str, answer: dict[str, Any]) -> list[str]:
    """What is wrong with an answer, as it goes over the wire (times are epoch seconds)."""
    return problems(_model().operation_model(operation).output_shape, answer)


def problems(shape: Any, value: Any, path: str = "") -> list[str]:
    """What is wrong with a value; empty where it fits the shape."""
    if shape.type_name == "structure":
        return _structure(shape, value, path)
    if shape.type_name == "list":
        if not isinstance(value, list):
            return [_told(path, value, "Member must be a list")]
        found = _bounds(shape, len(value), path, "length ")
        return found + [told for at, one in enumerate(value) for told in problems(shape.member, one, f"{path}[{at}]")]
    if shape.type_name == "map":
        if not isinstance(value, dict):
            return [_told(path, value, "Member must be a map")]
        return [told for key, one in value.items() for told in problems(shape.value, one, f"{path}.{key}")]
    return _scalar(shape, value, path)


def _structure(shape: Any, value: Any, path: str) -> list[str]:
    if not isinstance(value, dict):
        return [_told(path, value, "Member must be a structure")]
    prefix = f"{path}." if path else ""
    missing = [name for name in shape.required_members if value.get(name) is None]
    found = [_told(prefix + name, None, "Member must not be null") for name in missing]
    found += [f"'{prefix}{name}' is not a member of {shape.name}" for name in value if name not in shape.members]
    for name, one in value.items():
        if name in shape.members and one is not None:
            found += problems(shape.members[name], one, prefix + name)
    return found


_SCALARS: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "long": int,
    "boolean": bool,
    "timestamp": (int, float),
    "double": (int, float),
}


def _scalar(shape: Any, value: Any, path: str) -> list[str]:
    wanted = _SCALARS.get(shape.type_name)
    if wanted and (not isinstance(value, wanted) or (wanted is int and isinstance(value, bool))):
        return [_told(path, value, f"Member must be a {shape.type_name}")]
    enum, pattern = shape.metadata.get("enum"), shape.metadata.get("pattern")
    if enum and value not in enum:
        return [_told(path, value, f"Member must satisfy enum value set: [{', '.join(enum)}]")]
    if pattern and not re.fullmatch(pattern, value):
        return [_told(path, value, f"Member must satisfy regular expression pattern: {pattern}")]
    if shape.type_name == "string":
        return _bounds(shape, len(value), path, "length ")
    return _bounds(shape, value, path, "value ") if shape.type_name in ("integer", "long") else []


def _bounds(shape: Any, size: int, path: str, what: str) -> list[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and size < least:
        return [_told(path, size, f"Member must have {what}greater than or equal to {least}")]
    if most is not None and size > most:
        return [_told(path, size, f"Member must have {what}less than or equal to {most}")]
    return []


def _told(path: str, value: Any, constraint: str) -> str:
    return f"Value {value!r} at '{path}' failed to satisfy constraint: {constraint}"
