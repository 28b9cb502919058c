"""The job itself on the embedded stack, without the controller: what it is given, and what it leaves in S3."""

from __future__ import annotations

import gzip
import hashlib
import json
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kubernetes.client.exceptions import ApiException

from lindorm_import.adapters.lindorm import look_at_source
from lindorm_import.api.spec import ImportSpec
from lindorm_import.domain import names
from lindorm_import.domain.observed import Login
from lindorm_import.manifests import build
from lindorm_import.plan.mapping import Mapping, map_table
from local.demo import World
from local.flink.model import GROUP, PLURAL, VERSION
from local.processes import Process

PATIENCE = 480.0  # seconds, on a busy machine
Json = dict[str, Any]


@dataclass
class Job:
    """A job of an import that nobody looks after. method: None writes to DynamoDB, else files are written."""

    world: World
    name: str
    spec: ImportSpec
    method: str | None
    identity: build.Identity = field(init=False)
    prefix: str = field(init=False)
    mapping: Mapping = field(init=False)

    def __post_init__(self) -> None:
        uid = hashlib.md5(self.name.encode()).hexdigest()
        self.identity = build.Identity(self.world.namespace, self.name, uid, 1)
        staging = self.spec.staging
        key = names.run_prefix(staging, self.world.namespace, self.name, uid)
        self.prefix = f"s3://{staging.bucket}/{key}"

    @property
    def deployment(self) -> str:
        return names.deployment(self.name, self.identity.uid)

    def __enter__(self) -> Job:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, parallelism: int = 2) -> None:
        """Submits it, and makes the table that it writes to."""
        environment = self.world.stack.environment
        login = Login(
            environment["LINDORM_USERNAME"],
            environment["LINDORM_PASSWORD"],
            Path(environment["LINDORM_CA_FILE"]).read_text(),
        )
        source = look_at_source(self.spec, login, count=False)
        mapping = map_table(self.spec, source)
        assert isinstance(mapping, Mapping), mapping
        self.mapping = mapping
        key = [{"name": k.name, "order": k.order} for k in source.primary_key]
        config = build.job_config(self.identity, self.spec, mapping, key, self.prefix)
        if self.method:
            config["version"] = 2
            config["load"] = {
                "method": self.method,
                "items": f"{self.prefix}items/",
                "manifest": f"{self.prefix}result/manifest.jsonl",
                "maxObjects": 50_000,
            }
        else:
            request = build.table_request(self.identity, self.spec, mapping.key)
            self.world.aws("dynamodb").create_table(**request)
        for document in (build.config_map(self.identity, config), build.rates_config_map(self.identity, self.spec)):
            document["metadata"].pop("ownerReferences")
            body: Any = document
            self.world.core.create_namespaced_config_map(self.world.namespace, body)
        flink = build.flink_deployment(self.identity, self.spec, self.prefix, None, None, parallelism)
        flink["metadata"].pop("ownerReferences")
        self.world.objects.create_namespaced_custom_object(GROUP, VERSION, self.world.namespace, PLURAL, flink)

    def stop(self) -> None:
        """Removes the FlinkDeployment and waits until its processes are gone."""
        objects = self.world.objects
        objects.delete_namespaced_custom_object(GROUP, VERSION, self.world.namespace, PLURAL, self.deployment)
        wait(lambda: self.process("jobmanager") is None and self.told() is None, f"{self.name} is gone")

    def told(self) -> Json | None:
        """The FlinkDeployment; None where it is gone."""
        try:
            found: Any = self.world.objects.get_namespaced_custom_object(
                GROUP, VERSION, self.world.namespace, PLURAL, self.deployment
            )
        except ApiException as error:
            if error.status == 404:
                return None
            raise
        resource: Json = found
        return resource

    def process(self, name: str) -> Process | None:
        """`jobmanager`, `taskmanager-1`, …"""
        return self.world.stack.flink_process(self.world.namespace, self.deployment, name)

    def kill(self, name: str) -> None:
        """Kills a process of it as a node that dies would."""
        wait(lambda: self.process(name) is not None, f"{name} of {self.name} is there")
        process = self.process(name)
        assert process is not None
        process.signal(9)

    def wait(self, so: Callable[[], bool], what: str) -> None:
        """Waits for a fact of this job; shows what its operator says of it where it does not come."""
        wait(so, f"{what} of {self.name}", lambda: json.dumps((self.told() or {}).get("status"))[:3000])

    # --- what it leaves in S3 ---

    def get(self, address: str) -> bytes | None:
        """An object; None where there is none."""
        s3 = self.world.aws("s3")
        parts = urlsplit(address)
        try:
            content: bytes = s3.get_object(Bucket=parts.netloc, Key=parts.path[1:])["Body"].read()
        except s3.exceptions.NoSuchKey:
            return None
        return content

    def objects(self) -> dict[str, int]:
        """Everything below items/, by name, with its size."""
        parts = urlsplit(f"{self.prefix}items/")
        pages = (
            self.world.aws("s3").get_paginator("list_objects_v2").paginate(Bucket=parts.netloc, Prefix=parts.path[1:])
        )
        return {
            entry["Key"].removeprefix(parts.path[1:]): entry["Size"]
            for page in pages
            for entry in page.get("Contents", [])
        }

    def result(self) -> Json | None:
        content = self.get(f"{self.prefix}result/result.json")
        found: Json | None = json.loads(content) if content else None
        return found

    def wait_result(self) -> Json:
        """The result, once it is there."""
        self.wait(lambda: self.result() is not None, "the result")
        result = self.result()
        assert result is not None
        return result

    def items(self) -> Iterator[Json]:
        """The items of all objects."""
        for lines in self.files():
            yield from lines

    def files(self) -> Iterator[list[Json]]:
        """The items of each object as DynamoDB would read them, after the manifest was compared with what is there."""
        result = self.wait_result()
        content = self.get(result["files"]["manifest"]["path"])
        assert content is not None
        told = result["files"]
        assert hashlib.sha256(content).hexdigest() == told["manifest"]["sha256"]
        manifest = [json.loads(line) for line in content.splitlines()]
        assert [line["object"] for line in manifest] == sorted(line["object"] for line in manifest)
        assert {line["object"]: line["storedBytes"] for line in manifest} == self.objects()
        for total, each in (("objects", None), ("bytes", "bytes"), ("storedBytes", "storedBytes")):
            assert told[total] == sum(line[each] if each else 1 for line in manifest)
        assert result["itemsWritten"] == sum(line["items"] for line in manifest)
        for line in manifest:
            stored = self.get(told["items"] + line["object"])
            assert stored is not None
            assert hashlib.sha256(stored).hexdigest() == line["sha256"]
            text = one_member(stored)
            assert len(text) == line["bytes"]
            lines = text.split(b"\n")
            assert lines.pop() == b"", "the last line ends, too"
            assert len(lines) == line["items"] > 0
            documents = [json.loads(item) for item in lines]
            assert all(list(document) == ["Item"] for document in documents)
            yield [document["Item"] for document in documents]


def one_member(stored: bytes) -> bytes:
    """The content of a gzip that has one member and nothing after it."""
    reader = zlib.decompressobj(wbits=31)
    text = reader.decompress(stored)
    assert reader.eof
    assert reader.unused_data == b""
    assert text == gzip.decompress(stored)
    return text


def wait(so: Callable[[], bool], what: str, told: Callable[[], str] = str) -> None:
    """Waits for a fact."""
    deadline = time.monotonic() + PATIENCE
    while not so():
        assert time.monotonic() < deadline, f"waited for: {what} {told()}"
        time.sleep(0.1)
