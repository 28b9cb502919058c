"""The gate before the real DynamoDB Local and moto, in this process, for tests by boto3."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from aiohttp import web
from botocore.config import Config

from local.bootstrap import layout
from local.dynamodb.backend import command
from local.dynamodb.gate import Gate

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_s3.client import S3Client

KEY: dict[str, Any] = {
    "KeySchema": [{"AttributeName": "device", "KeyType": "HASH"}, {"AttributeName": "at", "KeyType": "RANGE"}],
    "AttributeDefinitions": [
        {"AttributeName": "device", "AttributeType": "S"},
        {"AttributeName": "at", "AttributeType": "N"},
    ],
}
LOGIN = {"region_name": "us-west-2", "aws_access_key_id": "test", "aws_secret_access_key": "test"}


@dataclass
class Running:
    url: str
    client: DynamoDBClient
    cloudwatch: Any
    s3: S3Client
    logs: Any

    def control(self, **order: Any) -> None:
        request = urllib.request.Request(f"{self.url}/_gate", json.dumps(order).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=30):
            pass

    def state(self) -> Any:
        with urllib.request.urlopen(f"{self.url}/_gate", timeout=30) as answer:
            return json.loads(answer.read())

    def create(self, name: str, **settings: Any) -> None:
        self.client.create_table(TableName=name, **KEY, **(settings or {"BillingMode": "PAY_PER_REQUEST"}))
        self.client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})

    def items(self, table: str) -> set[tuple[str, str]]:
        pages = self.client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
        return {(item["device"]["S"], item["at"]["N"]) for page in pages for item in page["Items"]}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def started(folder: Path) -> Iterator[Running]:
    """Everything is up, and down again afterwards. folder: an empty one, for logs."""
    port = free_port()
    from moto.server import ThreadedMotoServer  # slow to import: not for those who only collect

    log = (folder / "log").open("w")
    # It leaves a file of metadata wherever it is started.
    local = subprocess.Popen(command(layout().dynamodb_local, port), stdout=log, stderr=log, cwd=folder)
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    moto_url = "http://{}:{}".format(*moto.get_host_and_port())
    loop, ready, addresses = asyncio.new_event_loop(), threading.Event(), []

    async def serve() -> web.AppRunner:
        runner = web.AppRunner(Gate(f"http://127.0.0.1:{port}", moto_url).application(), access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        addresses.append(runner.addresses[0])
        ready.set()
        return runner

    def run() -> None:
        runner = loop.run_until_complete(serve())
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())
        loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(60)
    url = "http://{}:{}".format(*addresses[0])
    client = boto3.client("dynamodb", endpoint_url=url, config=Config(retries={"total_max_attempts": 1}), **LOGIN)
    cloudwatch = boto3.client("cloudwatch", endpoint_url=moto_url, **LOGIN)
    s3 = boto3.client("s3", endpoint_url=moto_url, **LOGIN)
    logs = boto3.client("logs", endpoint_url=moto_url, **LOGIN)
    yield Running(url, client, cloudwatch, s3, logs)
    client.close()
    cloudwatch.close()
    loop.call_soon_threadsafe(loop.stop)
    thread.join(30)
    moto.stop()
    local.terminate()
    local.wait(30)
    log.close()
