"""`make demo`: a whole import on the embedded stack, checked and cleaned up, in one command.

Starts the stack, loads the Lindorm stand-in, plans examples/readings.yaml, submits and watches it, reports, compares
the table with the source (every key, every value), deletes the import and looks at what is left. What a user would
do at the command line it does there: plan, submit, watch, report, delete.
The last line is `demo: PASS source=… imported=… rejected=… seconds=…`, or `demo: FAIL` and the reason.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import boto3
import yaml
from botocore.exceptions import ClientError
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from local import verify
from local.bootstrap import REPOSITORY
from local.lindorm.data import Shape, load
from local.lindorm.store import Store
from local.stack import Stack, StackError

GROUP, VERSION, PLURAL = "lindorm.io", "v1alpha1", "lindormimports"
EXAMPLE = REPOSITORY / "examples" / "readings.yaml"
# A stuck import must fail the demo; DynamoDB Local writes about 2,000 items a second.
_STALLED_AFTER = 180.0


class DemoError(Exception):
    """The demo cannot pass; the message is the reason."""


@dataclass
class World:
    """The stack with the clients and the helpers that the demo and the end-to-end tests share; to be closed."""

    stack: Stack
    namespace: str = "default"
    objects: client.CustomObjectsApi = field(init=False)
    core: client.CoreV1Api = field(init=False)
    _aws: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        api = self.stack.api_client()
        self.objects, self.core = client.CustomObjectsApi(api), client.CoreV1Api(api)

    def close(self) -> None:
        """Closes the connections."""
        self.core.api_client.close()
        for made in self._aws.values():
            made.close()

    def aws(self, service: str) -> Any:
        """The boto3 client of the stack's AWS."""
        env = self.stack.environment
        endpoint = env["AWS_ENDPOINT_URL_DYNAMODB"] if service == "dynamodb" else env["AWS_ENDPOINT_URL"]
        if service not in self._aws:
            self._aws[service] = boto3.client(  # type: ignore[call-overload]
                service,
                endpoint_url=endpoint,
                region_name=env["AWS_DEFAULT_REGION"],
                aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
            )
        return self._aws[service]

    def start_controller(self, *arguments: str) -> None:
        """Starts the controller as a part of the stack; its log is `log/controller.log`."""
        command = [
            sys.executable,
            "-m",
            "lindorm_import.cli",
            "controller",
            "--namespace",
            self.namespace,
            "--poll",
            "1",
        ]
        self.stack.start_process("controller", [*command, *arguments])

    def start_command(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Starts the command line, as a user of the stack would, on this terminal."""
        environment = os.environ | self.stack.environment
        return subprocess.Popen(
            [sys.executable, "-m", "lindorm_import.cli", *arguments], env=environment, cwd=REPOSITORY
        )

    def command(self, *arguments: str) -> None:
        """Runs the command line. Raises DemoError when it does not end well."""
        code = self.start_command(*arguments).wait()
        if code:
            raise DemoError(f"lindorm-import {' '.join(arguments)} ended with exit code {code}")

    def watch_command(self, name: str) -> dict[str, Any]:
        """Runs `watch` until the import has ended, and returns the import. Raises DemoError when nothing moves, or
        when its exit code is not what the import came to."""
        watching = self.start_command("watch", name, "--interval", "5")
        try:
            found = self.wait_ended(name)
            code = watching.wait(timeout=30)
        finally:
            watching.kill()
            watching.wait()
        if code != (0 if condition(found, "Complete") == "True" else 1):
            raise DemoError(f"watch ended with exit code {code}, but the import says: {told(found)}")
        return found

    def create_secret(self, name: str = "lindorm", password: str | None = None) -> None:
        env = self.stack.environment
        data = {
            "username": env["LINDORM_USERNAME"],
            "password": password or env["LINDORM_PASSWORD"],
            "ca.crt": Path(env["LINDORM_CA_FILE"]).read_text(),
        }
        body = client.V1Secret(metadata=client.V1ObjectMeta(name=name), string_data=data)
        try:
            self.core.create_namespaced_secret(self.namespace, body)
        except ApiException as error:
            if error.status != 409:
                raise
            self.core.patch_namespaced_secret(name, self.namespace, body)

    def apply(self, document: dict[str, Any]) -> dict[str, Any]:
        """Server-side apply, as kubectl does it. Raises ApiException when admission refuses."""
        self.objects.patch_namespaced_custom_object(
            GROUP,
            VERSION,
            self.namespace,
            PLURAL,
            document["metadata"]["name"],
            document,
            field_manager="demo",
            force=True,
            field_validation="Strict",
            _content_type="application/apply-patch+yaml",
        )
        applied = self.read(document["metadata"]["name"])  # the client drops the body of 201 Created
        assert applied is not None
        return applied

    def example(self, **changes: Any) -> dict[str, Any]:
        """examples/readings.yaml with the stack's Lindorm as its source; changes by dotted path below spec."""
        document: dict[str, Any] = yaml.safe_load(EXAMPLE.read_text())
        document["metadata"]["namespace"] = self.namespace
        for path, value in {"source.url": self.stack.environment["LINDORM_URL"], **changes}.items():
            node = document["spec"]
            *parents, last = path.split(".")
            for part in parents:
                node = node.setdefault(part, {})
            node[last] = value
        return document

    def read(self, name: str) -> dict[str, Any] | None:
        """The import as it is now; None when it is gone."""
        try:
            found: Any = self.objects.get_namespaced_custom_object(GROUP, VERSION, self.namespace, PLURAL, name)
        except ApiException as error:
            if error.status == 404:
                return None
            raise
        return dict(found)

    def watch(self, name: str, patience: float = _STALLED_AFTER) -> Iterator[dict[str, Any]]:
        """The import each time it has changed, until it is gone. Raises DemoError when nothing moves for too long."""
        version, moved = None, time.monotonic()
        while True:
            found = self.read(name)
            if found is None:
                return
            if found["metadata"]["resourceVersion"] != version:
                version, moved = found["metadata"]["resourceVersion"], time.monotonic()
                yield found
            if time.monotonic() - moved > patience:
                raise DemoError(f"nothing has changed for {patience:.0f} s: {told(found)}")
            time.sleep(0.2)

    def wait_ended(self, name: str) -> dict[str, Any]:
        """The import once it is Complete or Failed. Raises DemoError when it is gone before."""
        for found in self.watch(name):
            if condition(found, "Complete") == "True" or condition(found, "Failed") == "True":
                return found
        raise DemoError(f"the import {name} is gone")

    def delete(self, name: str) -> None:
        self.objects.delete_namespaced_custom_object(GROUP, VERSION, self.namespace, PLURAL, name)

    def differences(self, document: dict[str, Any]) -> verify.Differences:
        """The target table against the source, for an import of the reference shape."""
        spec = document["spec"]
        time_range = spec["source"]["timeRange"]
        rows = verify.rows_of(
            self.stack.environment,
            spec["source"]["table"],
            datetime.fromisoformat(time_range["start"]),
            datetime.fromisoformat(time_range["end"]),
        )
        return verify.compare(rows, verify.items_of(self.aws("dynamodb"), spec["target"]["table"]))

    def leftovers(self, document: dict[str, Any]) -> list[str]:
        """What is temporary and still there after the import has been deleted, in words."""
        left = []
        listed: Any = self.objects.list_namespaced_custom_object(
            "flink.apache.org", "v1beta1", self.namespace, "flinkdeployments"
        )
        left += [f"FlinkDeployment {d['metadata']['name']}" for d in listed["items"]]
        maps = self.core.list_namespaced_config_map(self.namespace, label_selector="lindorm.io/uid").items
        left += [f"ConfigMap {m.metadata.name}" for m in maps if m.metadata]
        s3, bucket = self.aws("s3"), document["spec"]["staging"]["bucket"]
        try:
            s3.head_bucket(Bucket=bucket)
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("404", "NoSuchBucket"):
                raise
        else:
            left.append(f"bucket {bucket}")
        return left

    def table_exists(self, name: str) -> bool:
        return name in self.aws("dynamodb").list_tables()["TableNames"]


def condition(document: dict[str, Any], type_: str) -> str | None:
    """The status of a condition, None where there is none."""
    conditions = document.get("status", {}).get("conditions", [])
    return next((c["status"] for c in conditions if c["type"] == type_), None)


def told(document: dict[str, Any]) -> str:
    """What the import says of itself: the message of its Ready condition."""
    conditions = document.get("status", {}).get("conditions", [])
    return next((c["message"] for c in conditions if c["type"] == "Ready"), "no status yet")


def step(text: str) -> None:
    print(f"==> {text}", flush=True)


def run(world: World, rows: int, method: str) -> str:
    """The demo, with a method of loading; returns the closing line's figures. Raises DemoError."""
    step(f"loading {rows:,} rows into the Lindorm stand-in")
    load(Store(world.stack.folder / "lindorm"), Shape(rows=rows))
    document = world.example() if method == "BatchWrite" else world.example(**{"target.load.method": method})
    name, manifest = document["metadata"]["name"], world.stack.folder / "import.yaml"
    manifest.write_text(yaml.safe_dump(document, sort_keys=False))
    step(f"lindorm-import plan -f {EXAMPLE.relative_to(REPOSITORY)}")
    world.command("plan", "-f", str(manifest))
    step(f"starting the controller; lindorm-import submit, lindorm-import watch {name}")
    world.start_controller()
    began = time.monotonic()
    world.command("submit", "-f", str(manifest))
    found = world.watch_command(name)
    if condition(found, "Complete") != "True":
        raise DemoError(f"the import failed: {told(found)}")
    seconds = time.monotonic() - began
    results = found["status"]["results"]
    folder = world.stack.folder / "report"
    step(f"lindorm-import report {name} --directory {folder}")
    world.command("report", name, "--directory", str(folder))
    step("comparing the DynamoDB table with the source, every key and every value")
    differences = world.differences(document)
    print(f"  {differences.rows:,} rows in the range, {differences.items:,} items in the table: {differences}")
    if not differences.none:
        raise DemoError(f"the table differs from the source: {differences}")
    if (results["rowsRead"], results["itemsWritten"]) != (differences.rows, differences.items):
        raise DemoError(f"the import reports {results}, the table has {differences.items} items")
    step(f"lindorm-import delete {name}")
    world.command("delete", name)
    for _ in world.watch(name):
        pass
    if left := world.leftovers(document):
        raise DemoError(f"temporary things are left: {', '.join(left)}")
    print("  gone: FlinkDeployment, ConfigMaps, staging bucket")
    if not world.table_exists(document["spec"]["target"]["table"]):
        raise DemoError("the table is gone, though target.deletionPolicy is Retain")
    print(f"  kept: DynamoDB table {document['spec']['target']['table']} with {differences.items:,} items")
    rejected = results["rowsRejected"]
    return f"source={differences.rows} imported={differences.items} rejected={rejected} seconds={seconds:.0f}"


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m local.demo", description=(__doc__ or "").split("\n", maxsplit=1)[0]
    )
    parser.add_argument("--rows", type=int, default=100_000, help="rows in Lindorm; the range takes about half")
    parser.add_argument("--dir", type=Path, default=REPOSITORY / ".stack" / "demo")
    parser.add_argument("--method", default="BatchWrite", choices=["BatchWrite", "ImportTable", "BulkPut"])
    options = parser.parse_args()
    try:
        step(f"starting the embedded stack (logs in {options.dir / 'log'})")
        with Stack(options.dir) as stack, closing(World(stack)) as world:
            figures = run(world, options.rows, options.method)
    except (DemoError, StackError) as error:
        print(f"demo: FAIL {error} (logs in {options.dir / 'log'})")
        return 1
    print(f"demo: PASS {figures}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
