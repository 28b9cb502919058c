"""DynamoDB Local, for a test without the gate before it."""

import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3

from local.bootstrap import layout
from local.dynamodb.backend import command
from local.processes import accepts_connections, free_port, wait_until

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient


@contextmanager
def dynamodb(folder: Path) -> Iterator[tuple[int, "DynamoDBClient"]]:
    """Its port, and a client. folder: for its log."""
    port = free_port()
    with (
        (folder / "dynamodb.log").open("w") as log,
        subprocess.Popen(command(layout().dynamodb_local, port), stdout=log, stderr=log, cwd=folder) as process,
    ):
        try:
            assert wait_until(lambda: accepts_connections(port), 120)
            login: Any = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-west-2"}
            with closing(boto3.client("dynamodb", endpoint_url=f"http://127.0.0.1:{port}", **login)) as client:
                yield port, client
        finally:
            process.terminate()
