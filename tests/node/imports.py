"""An import on the node, as its user has it: applied, watched, disturbed, compared with its source, deleted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from local.demo import World, condition
from local.node import Node, NodeError
from local.node.cluster import IMPORTS, SYSTEM
from local.node.kube import ADDRESS

Document = dict[str, Any]

PATIENCE = 900.0  # seconds; a machine that does other things starts a JobManager in a minute or two
TABLE, ROWS = "few", 10_000
"""The source of imports that are not about size, and how many of its rows are in the example's time range."""
BESIDE = {"crowded": "baseline", "strict": "restricted"}
"""Further namespaces of imports, with the pod security standards that they enforce."""
_SETTINGS = ["env.java.opts.*", "jobmanager.memory.*", "taskmanager.memory.*"]
VALUES: Document = {
    "watch": {"namespaces": [IMPORTS, *BESIDE]},
    "policy": {"allow": {"sourceHosts": [ADDRESS], "images": ["localhost/*"], "flinkConfiguration": _SETTINGS}},
}
"""What the chart gets besides the node's own values."""


@dataclass
class Cluster:
    """A namespace of imports on the node; to be closed."""

    node: Node
    namespace: str = IMPORTS
    world: World = field(init=False)

    def __post_init__(self) -> None:
        self.world = World(self.node, self.namespace)  # type: ignore[arg-type]

    def close(self) -> None:
        """Closes the connections."""
        self.world.close()

    @contextmanager
    def beside(self, namespace: str) -> Iterator[Cluster]:
        """Another namespace of the same node."""
        with closing(Cluster(self.node, namespace)) as other:
            yield other

    def kubectl(self, *arguments: str) -> str:
        """kubectl in this namespace."""
        return self.node.kubectl("-n", self.namespace, *arguments)

    def start(self, name: str, **changes: Any) -> Import:
        """Applies the example with a small source, table and bucket of its own; changes by dotted path.

        At its rate it reads for ten minutes, so that whatever is done to it finds it at work, however busy the machine
        is; then `finish` lets it go. Its one TaskManager is as small as it can be.
        """
        own = {
            "source.url": self.node.pod_environment["LINDORM_URL"],
            "source.table": TABLE,
            "source.maxRowsPerSecond": ROWS // 600,
            "target.table": name,
            "staging.bucket": f"staging-{name}",
            "job.parallelism": 2,
            "job.taskManager": {"slots": 2, "processMemory": "1024m", "cpu": 1},
            "job.checkpoint": {"interval": "5s", "minPause": "1s"},
        }
        document = self.world.example(**(own | changes))
        document["metadata"]["name"] = name
        self.node.apply(document)
        return Import(self, name, document)


@dataclass
class Import:
    """One import."""

    cluster: Cluster
    name: str
    document: Document

    # --- what it says ---

    def read(self) -> Document:
        """The import as it is now."""
        found = self.cluster.world.read(self.name)
        assert found is not None, f"the import {self.name} is gone"
        return found

    @property
    def status(self) -> Document:
        found: Document = self.read().get("status") or {}
        return found

    @property
    def rows_read(self) -> int:
        return int((self.status.get("progress") or {}).get("rowsRead") or 0)

    @property
    def deployment(self) -> str:
        """The name of its FlinkDeployment."""
        return str(self.status["run"]["deployment"])

    def condition(self, type_: str) -> Document:
        """A condition; empty where there is none."""
        return next((c for c in self.status.get("conditions") or [] if c["type"] == type_), {})

    def says(self, type_: str, *words: str) -> bool:
        """Whether a condition's reason and message have all these words."""
        found = self.condition(type_)
        text = f"{found.get('reason')} {found.get('message')}"
        return all(word in text for word in words)

    def warns(self, reason: str, *words: str) -> bool:
        """Whether a Warning event of it has that reason, and all these words in its message."""
        uid = self.read()["metadata"]["uid"]
        fields = f"involvedObject.uid={uid},type=Warning,reason={reason}"
        found = self.cluster.node.get("events", "-n", self.cluster.namespace, f"--field-selector={fields}")["items"]
        return any(all(word in event["message"] for word in words) for event in found)

    # --- its pods ---

    def pods(self, component: str) -> list[Document]:
        """Its pods of `jobmanager` or `taskmanager`, but those that are going."""
        selector = f"app={self.deployment},component={component}"
        found = self.cluster.node.pods(selector, self.cluster.namespace)
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def job_manager(self) -> Document:
        """Its one JobManager."""
        self.wait("it has one JobManager", lambda: len(self.pods("jobmanager")) == 1)
        return self.pods("jobmanager")[0]

    # --- waiting ---

    def wait(self, what: str, so: Callable[[], bool], seconds: float = PATIENCE) -> None:
        """Waits until something is so. Raises AssertionError with all that its user could look at."""
        until = time.monotonic() + seconds
        while not so():
            ended = next((t for t in ("Complete", "Failed") if condition(self.read(), t) == "True"), None)
            if ended or time.monotonic() > until:
                why = f"it is {ended}" if ended else f"{seconds:.0f} s have passed"
                if so():
                    return
                raise AssertionError(f"{self.name}: {why}, and it is not so: {what}\n{self.all_there_is_to_see()}")
            time.sleep(0.5)

    def wait_for_checkpoint(self) -> None:
        """Waits until it has read some rows, has a checkpoint, and has rows to read."""
        job = lambda: self.status.get("job") or {}  # noqa: E731
        self.wait("it has a checkpoint", lambda: self.rows_read > 0 and bool(job().get("lastCheckpoint")))
        assert self.rows_read < ROWS, "the import is over before anything could happen to it"

    def wait_until_suspended(self) -> None:
        """Waits until it is suspended and no pod of it is left."""
        self.wait("it is suspended", lambda: self.condition("Suspended").get("status") == "True")
        self.wait("its pods are gone", lambda: not self.pods("jobmanager") and not self.pods("taskmanager"))

    def flink_deployment_uid(self) -> str | None:
        """Of its FlinkDeployment; None where there is none."""
        found = self.cluster.node.get("flinkdeployments", "-n", self.cluster.namespace)["items"]
        return next((d["metadata"]["uid"] for d in found if d["metadata"]["name"] == self.deployment), None)

    def change(self, **spec: Any) -> None:
        """Edits the spec; changes by dotted path."""
        patch: Document = {}
        for path, value in spec.items():
            node = patch
            *parents, last = path.split(".")
            for part in parents:
                node = node.setdefault(part, {})
            node[last] = value
        self.cluster.world.objects.patch_namespaced_custom_object(
            "lindorm.io", "v1alpha1", self.cluster.namespace, "lindormimports", self.name, {"spec": patch}
        )

    # --- its end ---

    def must_complete(self) -> None:
        """Waits for the end: Complete, every value of the table as in the source, the counts exact."""
        self.wait("it is Complete", lambda: self.condition("Complete").get("status") == "True")
        differences = self.cluster.world.differences(self.document)
        assert differences.none, f"{differences}\n{self.all_there_is_to_see()}"
        results = self.status["results"]
        counts = (differences.rows, differences.items, results["rowsRead"], results["itemsWritten"])
        assert counts == (ROWS,) * 4, f"{results}\n{self.all_there_is_to_see()}"
        assert results["rowsRejected"] == 0

    def must_leave_nothing(self, table: bool = True) -> None:
        """Deletes it; then only its table is left, where table is true."""
        deployment, prefix = self.deployment, self.status["run"]["prefix"]
        bucket = self.document["spec"]["staging"]["bucket"]
        assert prefix.startswith(f"s3://{bucket}/")
        try:
            self.cluster.kubectl("delete", "limport", self.name, f"--timeout={PATIENCE:.0f}s")
        except NodeError as error:
            raise AssertionError(f"{error}\n{self.all_there_is_to_see()}") from error
        node, world = self.cluster.node, self.cluster.world
        kinds = "flinkdeployments,deployments,pods,services,configmaps"

        def left() -> list[str]:
            found = node.get(kinds, "-n", self.cluster.namespace)["items"]
            names = [(d["kind"], d["metadata"]["name"]) for d in found]
            return [f"{kind} {name}" for kind, name in names if name.startswith(deployment)]

        node.wait_for(f"nothing is left of {self.name}", lambda: left() == [], PATIENCE)
        assert bucket not in [b["Name"] for b in world.aws("s3").list_buckets()["Buckets"]], f"bucket {bucket} is left"
        assert world.table_exists(self.document["spec"]["target"]["table"]) == table

    def finish(self) -> None:
        """Takes the limit off its rate."""
        self.change(**{"source.maxRowsPerSecond": None})

    def must_end_well(self) -> None:
        """Without a limit to its rate: Complete, equal to the source, and nothing left."""
        self.finish()
        self.must_complete()
        self.must_leave_nothing()

    def all_there_is_to_see(self) -> str:
        """What a user would look at."""
        app = f"app={(self.status.get('run') or {}).get('deployment')}"
        looks = [
            ["-n", self.cluster.namespace, "describe", "limport", self.name],
            ["-n", self.cluster.namespace, "get", "flinkdeployment", "-o", "yaml"],
            ["-n", self.cluster.namespace, "describe", "pods", "-l", app],
            ["-n", self.cluster.namespace, "get", "events", "--sort-by=.lastTimestamp"],
            ["-n", self.cluster.namespace, "logs", "-l", app, "--tail=60", "--prefix"],
            ["-n", SYSTEM, "logs", "-l", "app.kubernetes.io/name=lindorm-import", "--tail=60"],
            ["-n", "flink-operator", "logs", "deployment/flink-operator", "--tail=40"],
        ]
        told = []
        for look in looks:
            told.append(f"$ kubectl {' '.join(look)}")
            with suppress(NodeError):
                told.append(self.cluster.node.kubectl(*look))
        return "\n".join(told)
