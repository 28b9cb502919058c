"""DynamoDB Local itself: the command that starts it, and the gate's way to it."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from pathlib import Path
from typing import Any

import aiohttp

from local.dynamodb import answers

# DynamoDB Local's region and account in ARNs; the gate shows the client's region and moto's account.
log = logging.getLogger("dynamodb.gate")
_LOCAL_OWNER = b"ddblocal:000000000000"
ACCOUNT = "123456789012"
_SCOPE = re.compile(r"Credential=[^/]+/\d+/([\w-]+)/")


def command(folder: Path, port: int) -> list[str]:
    """Starts DynamoDB Local in memory, on all interfaces' `port`, from a folder that pom.xml's command filled."""
    return [
        "java",
        f"-Djava.library.path={folder}",
        "-cp",
        f"{folder}/*",
        "software.amazon.dynamodb.services.local.main.ServerRunner",
        "-inMemory",
        "-sharedDb",
        "-disableTelemetry",
        "-port",
        str(port),
    ]


class Backend:
    """Sends a request on. It never repeats one: whether to try again is the client's business."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        # Jetty closes idle connections after 30 s: ours are closed before, so that none is used as it goes away.
        connector = aiohttp.TCPConnector(limit=256, keepalive_timeout=15)
        self._session = aiohttp.ClientSession(connector=connector, auto_decompress=False)

    async def wait(self) -> None:
        """Return when DynamoDB Local answers, whatever it answers."""
        assert self._session is not None
        while True:
            try:
                async with self._session.get(self._url):
                    return
            except aiohttp.ClientError:
                await asyncio.sleep(0.2)

    async def close(self) -> None:
        if self._session:
            await self._session.close()

    async def send(self, operation: str, body: bytes, authorization: str) -> tuple[int, bytes]:
        """(HTTP status, body) of DynamoDB Local's answer. Raises InternalServerError where there is none."""
        assert self._session is not None
        headers = {
            "X-Amz-Target": f"DynamoDB_20120810.{operation}",
            "Content-Type": answers.CONTENT_TYPE,
            "Authorization": authorization,
            "Accept-Encoding": "identity",
        }
        owner = f"{region(authorization)}:{ACCOUNT}".encode()
        try:
            async with self._session.post(self._url, data=body.replace(owner, _LOCAL_OWNER), headers=headers) as reply:
                return reply.status, (await reply.read()).replace(_LOCAL_OWNER, owner)
        except aiohttp.ClientError as error:
            log.warning("%s: %r", operation, error)
            raise answers.internal() from error

    async def ask(self, operation: str, request: dict[str, Any], authorization: str) -> dict[str, Any]:
        """The answer to a request; raises DynamoDB Local's exception as it came."""
        status, body = await self.send(operation, json.dumps(request).encode(), authorization)
        value: dict[str, Any] = json.loads(body)
        if status != 200:
            error = answers.DynamoDBError(status, value.get("__type", ""), "")
            error.body = value
            raise error
        return value


def region(authorization: str) -> str:
    """The region in a signature's scope."""
    match = _SCOPE.search(authorization)
    return match[1] if match else "us-west-2"
