"""The controller with many imports at a time: case names controller.<number of imports>.

kube-apiserver, moto, the DynamoDB gate and the Lindorm stand-in are the embedded stack's. Jobs are not run, they would
take the machine: a thread here marks each FlinkDeployment as running, as the operator would, and a small HTTP server
answers for all of their JobManagers. So every import is one that runs, which is what a controller mostly has.
"""

from __future__ import annotations

import json
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import quantiles
from typing import Any
from urllib.parse import urlsplit

import yaml
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from bench.cpu import tree_seconds
from bench.results import Case, case
from bench.servers import BenchError
from local.bootstrap import REPOSITORY
from local.lindorm.data import Shape, load
from local.lindorm.store import Store
from local.processes import wait_until
from local.stack import Stack

NAMESPACE = "default"
_IMPORTS = ("lindorm.io", "v1alpha1", NAMESPACE, "lindormimports")
_DEPLOYMENTS = ("flink.apache.org", "v1beta1", NAMESPACE, "flinkdeployments")
_PATIENCE = 900.0

Document = dict[str, Any]


class _JobManagers(BaseHTTPRequestHandler):
    """Flink's REST API as far as the controller asks for it, for a job that has read 1,000,000 rows."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        body = json.dumps(self._answer(path)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    @staticmethod
    def _answer(path: str) -> Any:
        if path.endswith("/subtasks/metrics"):
            counts = {"items.rowsRead": 1_000_000, "items.itemsWritten": 990_000, "items.rowsRejected": 0}
            return [{"id": name, "sum": float(value)} for name, value in counts.items()]
        if path.endswith("/checkpoints"):
            latest = {"external_path": "s3://bench/chk-7", "latest_ack_timestamp": int(time.time() * 1000)}
            return {"latest": {"completed": latest}}
        if path.endswith("/exceptions"):
            return {"exceptionHistory": {"entries": []}}
        if path.endswith("/metrics"):
            return [{"id": "numRestarts", "value": "0"}]
        return {"jid": path.rpartition("/")[2], "state": "RUNNING", "vertices": [{"id": "v"}]}

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: thousands of requests."""


@dataclass
class _World:
    """The stack's clients, and what the stand-in for jobs has to know."""

    stack: Stack
    objects: client.CustomObjectsApi

    def served(self) -> bool:
        """Whether FlinkDeployments can be listed: right after their definition they cannot."""
        try:
            self.objects.list_namespaced_custom_object(*_DEPLOYMENTS)
        except ApiException as error:
            if error.status not in (404, 429):
                raise
            return False
        return True

    def make_run(self, stop: threading.Event) -> None:
        """Mark every new FlinkDeployment as running, until told to stop."""
        while not stop.wait(0.5):
            found: Any = self.objects.list_namespaced_custom_object(*_DEPLOYMENTS)
            for deployment in found["items"]:
                if not deployment.get("status"):
                    self._mark(deployment)

    def _mark(self, deployment: Document) -> None:
        meta = deployment["metadata"]
        status = {
            "observedGeneration": meta["generation"],
            "lifecycleState": "STABLE",
            "jobManagerDeploymentStatus": "READY",
            "reconciliationStatus": {"state": "DEPLOYED"},
            "jobStatus": {"jobId": meta["uid"].replace("-", ""), "state": "RUNNING"},
        }
        self.objects.patch_namespaced_custom_object_status(*_DEPLOYMENTS, meta["name"], {"status": status})

    def create_import(self, number: int) -> None:
        """One import, into a table of its own."""
        document: Document = yaml.safe_load((REPOSITORY / "examples" / "readings.yaml").read_text())
        document["metadata"] = {"name": f"readings-{number:04d}", "namespace": NAMESPACE}
        document["spec"]["source"]["url"] = self.stack.environment["LINDORM_URL"]
        document["spec"]["target"]["table"] = f"readings-{number:04d}"
        self.objects.create_namespaced_custom_object(*_IMPORTS, document)

    def running(self) -> int:
        """How many imports run."""
        found: Any = self.objects.list_namespaced_custom_object(*_IMPORTS)
        return sum((item.get("status") or {}).get("summary") == "Running" for item in found["items"])


@contextmanager
def _world(folder: Path) -> Iterator[_World]:
    """The stack without Flink, a Lindorm table, credentials, and jobs that run."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _JobManagers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    stop = threading.Event()
    with Stack(folder, parts=["kube", "aws", "dynamodb", "lindorm"]) as stack:
        stack.environment["LINDORM_IMPORT_FLINK_REST_URL"] = (
            f"http://127.0.0.1:{server.server_address[1]}" + "/{namespace}/{name}"
        )
        load(Store(folder / "lindorm"), Shape(rows=1_000))
        world = _World(stack, client.CustomObjectsApi(stack.api_client()))
        secret = {key: stack.environment[f"LINDORM_{key.upper()}"] for key in ("username", "password")}
        client.CoreV1Api(stack.api_client()).create_namespaced_secret(
            NAMESPACE, client.V1Secret(metadata=client.V1ObjectMeta(name="lindorm"), string_data=secret)
        )
        if not wait_until(world.served, _PATIENCE):
            raise BenchError("the API server does not serve FlinkDeployments")
        marking = threading.Thread(target=world.make_run, args=(stop,))
        marking.start()
        try:
            yield world
        finally:
            stop.set()
            marking.join()
            server.shutdown()


def measure(folder: Path, imports: int, seconds: float, say: Callable[[str], None]) -> dict[str, Case]:
    """Start `imports` imports, wait until all run, and look at the controller for `seconds`."""
    report = folder.parent / f"{folder.name}.passes.jsonl"
    with _world(folder) as world:
        command = [sys.executable, "-m", "bench.timed_controller", str(report), "controller", "--namespace", NAMESPACE]
        world.stack.start_process("controller", command)
        started = time.monotonic()
        with ThreadPoolExecutor(max_workers=8) as pool:
            list(pool.map(world.create_import, range(imports)))
        while (running := world.running()) < imports:
            if time.monotonic() - started > _PATIENCE or not world.stack.process("controller").alive:
                raise BenchError(f"{running} of {imports} imports run:\n{world.stack.tail('controller')}")
            time.sleep(1.0)
        until_all_run = time.monotonic() - started
        say(f"controller.{imports}: all imports run after {until_all_run:.0f} s")
        pid = world.stack.process("controller").pid
        since, cpu = time.time(), tree_seconds([pid])
        time.sleep(seconds)
        cpu = tree_seconds([pid]) - cpu
        resident = int(re.findall(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[0])
        passes = [json.loads(line) for line in report.read_text().splitlines()]
    figures = _figures([line for line in passes if line["at"] >= since], seconds)
    figures |= {
        "secondsBetweenLooks": imports / figures["passesPerMinute"] * 60,
        "cpuSecondsPerMinute": cpu / seconds * 60,
        "memoryMiB": resident / 1024,
        "secondsUntilAllRun": until_all_run,
    }
    say(
        f"controller.{imports}: p95 {figures['reconcileP95Milliseconds']:.0f} ms, "
        f"{figures['callsPerMinute']:,.0f} calls/min"
    )
    return {f"controller.{imports}": case([figures])}


def _figures(passes: list[Document], seconds: float) -> dict[str, float]:
    """What the passes of the time tell. Errors: BenchError where there are too few."""
    if len(passes) < 20:
        raise BenchError(f"only {len(passes)} passes in {seconds:.0f} s")
    cuts = quantiles([line["seconds"] * 1000 for line in passes], n=100)
    first, last = passes[0], passes[-1]
    minutes = (last["at"] - first["at"]) / 60
    calls = last["calls"] - first["calls"]
    return {
        "reconcileP50Milliseconds": cuts[49],
        "reconcileP95Milliseconds": cuts[94],
        "reconcileP99Milliseconds": cuts[98],
        "passesPerMinute": (len(passes) - 1) / minutes,
        "callsPerMinute": calls / minutes,
        "callsPerPass": calls / (len(passes) - 1),
    }
