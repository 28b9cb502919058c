"""Reads objects in S3 and writes their items into DynamoDB Local: what ImportTable and StartBulkPutItems share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from local.dynamodb import answers
from local.dynamodb.backend import Backend
from local.dynamodb.capacity import item_size, key_text
from local.dynamodb.files import S3, Object, UnreadableError, items, uncompressed
from local.dynamodb.items import MAX_BATCH
from local.dynamodb.tables import TableState

_WRITERS = 4
MAX_ITEM = 400 * 1024


@dataclass
class Refusal:
    """An item that was not written, and why. index: its number in the object; item: None where there is none."""

    key: str
    index: int
    message: str
    item: dict[str, Any] | None = None


@dataclass
class Counts:
    """written: puts, not items that are left; processed: with those that were refused."""

    written: int = 0
    text_bytes: int = 0
    stored_bytes: int = 0
    refused: list[Refusal] = field(default_factory=list)

    @property
    def processed(self) -> int:
        return self.written + len(self.refused)


class StoppedError(Exception):
    """The load ends here, with what is written so far."""


@dataclass
class Load:
    """One load of a prefix into a table. `before_batch` is awaited before each write, with the number of items: it may
    wait, or raise StoppedError. `one_error_ends_object`: an item that cannot be written drops the rest of its object,
    as ImportTable does; else only itself."""

    backend: Backend
    s3: S3
    table: TableState
    authorization: str
    bucket: str
    compression: str
    one_error_ends_object: bool
    before_batch: Callable[[int], Awaitable[None]]
    counts: Counts = field(default_factory=Counts)

    async def run(self, objects: list[Object]) -> None:
        """Raises StoppedError where before_batch did."""
        todo = list(reversed(objects))

        async def writer() -> None:
            while todo:
                await self._object(todo.pop())

        async with asyncio.TaskGroup() as group:
            for _ in range(min(_WRITERS, len(objects))):
                group.create_task(writer())

    async def _object(self, found: Object) -> None:
        body = await asyncio.to_thread(self.s3.read, self.bucket, found.key)
        self.counts.stored_bytes += len(body)
        batch: dict[str, tuple[int, dict[str, Any]]] = {}
        try:
            text = uncompressed(body, self.compression) if body else b""
            self.counts.text_bytes += len(text)
            for index, item in items(text):
                try:
                    key = self._key(item)
                except _BadItemError as error:
                    if self.one_error_ends_object:
                        raise UnreadableError(index, str(error)) from error
                    self.counts.refused.append(Refusal(found.key, index, str(error), item))
                    continue
                if key in batch or len(batch) == MAX_BATCH:
                    await self._write(found.key, batch)
                batch[key] = index, item
        except UnreadableError as error:
            await self._last(found.key, batch)
            self.counts.refused.append(Refusal(found.key, error.index, str(error)))
        else:
            await self._last(found.key, batch)

    async def _last(self, object_key: str, batch: dict[str, tuple[int, dict[str, Any]]]) -> None:
        """What is left of an object."""
        try:
            await self._write(object_key, batch)
        except UnreadableError as error:
            self.counts.refused.append(Refusal(object_key, error.index, str(error)))

    def _key(self, item: dict[str, Any]) -> str:
        names = [self.table.partition_key, *([self.table.sort_key] if self.table.sort_key else [])]
        key = []
        for name in names:
            type_ = self.table.key_types.get(name)
            if name not in item:
                raise _BadItemError(f"One of the required keys was not given a value: {name}")
            if type_ and list(item[name]) != [type_]:
                raise _BadItemError(f"Type mismatch for key {name} expected: {type_}")
            if item[name] in ({"S": ""}, {"B": ""}):
                raise _BadItemError(
                    f"The AttributeValue for a key attribute cannot contain an empty value. Key: {name}"
                )
            key.append(key_text(item[name]))
        if "" in item:
            raise _BadItemError("Supplied AttributeName is empty")
        try:
            size = item_size(item)
        except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
            raise _BadItemError(f"not an attribute value: {error}") from error
        if size > MAX_ITEM:
            raise _BadItemError("Item size has exceeded the maximum allowed size")
        return "\0".join(key)

    async def _write(self, object_key: str, batch: dict[str, tuple[int, dict[str, Any]]]) -> None:
        """Puts the batch and empties it."""
        if not batch:
            return
        taken, puts = dict(batch), [{"PutRequest": {"Item": item}} for _, item in batch.values()]
        batch.clear()
        await self.before_batch(len(puts))
        try:
            request = {"RequestItems": {self.table.name: puts}}
            answer = await self.backend.ask("BatchWriteItem", request, self.authorization)
            assert not answer.get("UnprocessedItems"), "DynamoDB Local leaves nothing unprocessed"
            self.counts.written += len(puts)
        except answers.DynamoDBError:
            await self._one_by_one(object_key, taken)

    async def _one_by_one(self, object_key: str, batch: dict[str, tuple[int, dict[str, Any]]]) -> None:
        """A batch that was refused whole: each of its items for itself."""
        for index, item in batch.values():
            try:
                await self.backend.ask("PutItem", {"TableName": self.table.name, "Item": item}, self.authorization)
                self.counts.written += 1
            except answers.DynamoDBError as error:
                message = str(error.body.get("message") or error.body.get("Message"))
                if self.one_error_ends_object:
                    raise UnreadableError(index, message) from error
                self.counts.refused.append(Refusal(object_key, index, message, item))


class _BadItemError(Exception):
    """An item without the table's key, or too large."""
