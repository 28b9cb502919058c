"""Every class of error that a library has for the faults of the world becomes a Trouble, also in its next version."""

import inspect
import socket
import ssl
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import ModuleType
from typing import Any

import botocore.exceptions
import botocore.parsers
import kubernetes.client.exceptions
import pymysql.err
import pytest
import urllib3.exceptions

from lindorm_import.adapters.errors import aws_errors, kube_errors, lindorm_errors
from lindorm_import.domain.trouble import TroubleError

# Of arguments that this program gave, or of botocore's own files; not of what came back.
OURS = {
    *("OpenApiException", "ApiTypeError", "ApiKeyError", "ApiAttributeError"),
    *("MissingServiceIdError", "UndefinedModelAttributeError"),
}


def errors_of(module: ModuleType) -> list[type[Exception]]:
    """The exceptions that a module defines, warnings left out."""
    found = [c for _, c in inspect.getmembers(module, inspect.isclass) if issubclass(c, Exception)]
    ours = [c for c in found if c.__module__ == module.__name__ and not issubclass(c, Warning)]
    return [c for c in ours if c.__name__ not in OURS]


def an(error: type[Exception]) -> Exception:
    """One of them, however it is made."""
    made: Any = error.__new__(error)
    Exception.__init__(made, "it says why")
    made.response, made.status, made.reason, made.body = {}, 500, "why", ""
    return made  # type: ignore[no-any-return]


Mapped = Callable[[str], AbstractContextManager[None]]
CASES: list[tuple[Mapped, type[Exception]]] = [
    *((aws_errors, e) for e in [*errors_of(botocore.exceptions), *errors_of(botocore.parsers)]),
    *((kube_errors, e) for e in [*errors_of(kubernetes.client.exceptions), *errors_of(urllib3.exceptions)]),
    *((lindorm_errors, e) for e in errors_of(pymysql.err)),
    *(
        (lindorm_errors, e)
        for e in (ConnectionResetError, BrokenPipeError, TimeoutError, socket.gaierror, ssl.SSLError)
    ),
    (lindorm_errors, EOFError),
]


@pytest.mark.parametrize(("mapped", "error"), CASES, ids=lambda x: getattr(x, "__name__", ""))
def test_every_error_of_the_libraries_becomes_a_trouble(mapped: Mapped, error: type[Exception]) -> None:
    with pytest.raises(TroubleError) as told, mapped("do it"):
        raise an(error)
    assert told.value.trouble.reason.isalnum()
    assert told.value.trouble.message
    assert not told.value.trouble.spec  # the world's fault: it is tried again


def test_there_are_errors_to_try() -> None:
    assert {mapped.__name__ for mapped, _ in CASES} == {"aws_errors", "kube_errors", "lindorm_errors"}
    assert len(CASES) > 100
