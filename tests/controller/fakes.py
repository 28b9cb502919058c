"""A small world for crash tests: moto's AWS in this process, an API server and a Flink operator that keep the rules.

FakeKube has the methods of controller.adapters.kube.Kube and refuses what the real one refuses: a status written
over a newer one, an object of a name that is taken. Every mutation, here and in AWS, passes a tripwire that can
kill the controller just before or just after it, or lose its reply.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any, cast

import boto3
from botocore.exceptions import ReadTimeoutError

from controller import names
from controller.adapters.kube import Conflict, Kube, _deployment
from controller.api.spec import ImportSpec
from controller.clients import Clients
from controller.decide import Settings
from controller.observed import DeploymentSeen, JobSeen, PermissionsSeen, SourceSeen, Trouble, TroubleError
from controller.reconcile import Outcome, Reconciler
from tests.controller.factories import NOW, SOURCE, SPEC, UID

Document = dict[str, Any]
REGION = "us-west-2"
_READS = ("Describe", "List", "Get", "Head")


_current: list["World"] = []  # whose tripwire the clients' calls pass


@cache
def _shared_clients() -> Clients:
    """boto3's clients take most of a second to make; the worlds, which live one after the other, share them."""
    clients = Clients(cast(Kube, None), "http://{name}.{namespace}")
    for client in (clients.dynamodb(REGION), clients.s3(REGION)):
        client.meta.events.register("before-call", lambda **call: _current[0]._before_call(**call))
        client.meta.events.register("after-call", lambda **call: _current[0]._after_call(**call))
    return clients


class Crash(BaseException):
    """The controller's process dies here. No handler of the controller may catch it."""


@cache
def _plain_client(service: str) -> Any:
    """A client without tripwire, for what is not the controller."""
    return boto3.client(service, region_name=REGION)  # type: ignore[call-overload]


@dataclass
class Tripwire:
    """Counts mutations; at number `at` the controller dies before or after it, or does not hear the reply."""

    at: int | None = None
    mode: str = "before"
    count: int = 0
    done: Counter[str] = field(default_factory=Counter)

    def before(self) -> None:
        self.count += 1
        if self.count == self.at and self.mode == "before":
            raise Crash

    def after(self, what: str) -> None:
        self.done[what] += 1
        if self.count == self.at and self.mode == "after":
            raise Crash

    @property
    def loses_reply(self) -> bool:
        return self.count == self.at and self.mode == "reply lost"


class FakeKube:
    """The API server, and the Flink operator when tick() is called."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.imports: dict[str, Document] = {}
        self.deployments: dict[str, Document] = {}
        self.config_maps: dict[str, Document] = {}
        self.secrets = {"lindorm": ("user", "password")}
        self._version = 0

    @contextmanager
    def _mutation(self, what: str) -> Iterator[None]:
        wire = self._world.wire
        wire.before()
        yield
        wire.after(what)
        if wire.loses_reply:
            raise TroubleError(Trouble("KubernetesUnreachable", f"no reply to {what}"))

    def _touch(self, document: Document) -> None:
        self._version += 1
        document["metadata"]["resourceVersion"] = str(self._version)

    def read_import(self, namespace: str, name: str) -> Document | None:
        found = self.imports.get(name)
        return deepcopy(found) if found else None

    def write_status(self, resource: Document, status: Document) -> None:
        meta = resource["metadata"]
        stored = self.imports.get(meta["name"])
        if stored is None or stored["metadata"]["resourceVersion"] != meta["resourceVersion"]:
            raise Conflict
        with self._mutation("status"):
            stored["status"] = json.loads(json.dumps(status))
            self._touch(stored)

    def credentials(self, namespace: str, secret: str) -> tuple[str, str]:
        if secret not in self.secrets:
            raise TroubleError(Trouble("SecretMissing", f"Secret {secret} is missing"))
        return self.secrets[secret]

    def has_config_map(self, namespace: str, name: str, uid: str) -> bool:
        found = self.config_maps.get(name)
        if found and found["metadata"]["labels"].get(names.UID_LABEL) != uid:
            raise TroubleError(Trouble("NameTaken", name))
        return found is not None

    def look_at_rates(self, namespace: str, name: str, uid: str) -> str:
        found = self.config_maps.get(name)
        return found["data"][names.RATES_KEY] if found else ""

    def set_rates(self, namespace: str, name: str, text: str) -> None:
        with self._mutation("set rates"):
            self.config_maps[name]["data"][names.RATES_KEY] = text

    def delete_import(self, namespace: str, name: str, uid: str) -> None:
        found = self.imports.get(name)
        if found and found["metadata"]["uid"] == uid and "deletionTimestamp" not in found["metadata"]:
            with self._mutation("delete LindormImport"):
                found["metadata"]["deletionTimestamp"] = "now"
                self._touch(found)

    def look_at_deployment(self, namespace: str, name: str) -> DeploymentSeen:
        found = self.deployments.get(name)
        return _deployment(found) if found else DeploymentSeen(exists=False)

    def create(self, body: Document) -> None:
        store = self.config_maps if body["kind"] == "ConfigMap" else self.deployments
        name = body["metadata"]["name"]
        if name in store:
            return
        with self._mutation(f"create {body['kind']}"):
            document = deepcopy(body)
            document["metadata"] |= {"uid": f"d-{self._version}", "generation": 1}
            store[name] = document

    def set_job_state(self, namespace: str, name: str, state: str) -> None:
        with self._mutation(f"set {state}"):
            self.deployments[name]["spec"]["job"]["state"] = state
            self.deployments[name]["metadata"]["generation"] += 1

    def delete_deployment(self, namespace: str, name: str, uid: str) -> None:
        found = self.deployments.get(name)
        if found and found["metadata"]["uid"] == uid:
            with self._mutation("delete FlinkDeployment"):
                found["metadata"]["deletionTimestamp"] = "now"

    def delete_config_map(self, namespace: str, name: str) -> None:
        if name in self.config_maps:
            with self._mutation("delete ConfigMap"):
                del self.config_maps[name]


@dataclass
class World:
    """Everything outside the controller, and a clock."""

    wire: Tripwire = field(default_factory=Tripwire)
    now: datetime = NOW
    source: Callable[[], SourceSeen] = lambda: SOURCE
    ages: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.kube = FakeKube(self)
        clients = replace(
            _shared_clients(),
            kube=cast(Kube, self.kube),
            look_at_source=self._look_at_source,
            look_at_job=self._look_at_job,
            look_at_permissions=lambda *_: PermissionsSeen(),
        )
        self.reconciler = Reconciler(clients, Settings(poll=1), now=lambda: self.now)
        _current[:] = [self]

    def _look_at_source(self, spec: ImportSpec, username: str, password: str, count: bool) -> SourceSeen:
        return self.source()

    def _look_at_job(self, base: str, job_id: str) -> JobSeen:
        return JobSeen(rows_read=500, items_written=400)

    def _before_call(self, model: Any, **_: Any) -> None:
        if not model.name.startswith(_READS):
            self.wire.before()

    def _after_call(self, model: Any, http_response: Any, **_: Any) -> None:
        if model.name.startswith(_READS):
            return
        if http_response.status_code < 300:
            self.wire.after(model.name)
        if self.wire.loses_reply:
            raise ReadTimeoutError(endpoint_url="moto")

    # -- the user, the operator, the time ----------------------------------------------------------------------

    def apply(self, uid: str = UID, name: str = "readings", **changes: Any) -> None:
        spec = deepcopy(SPEC)
        for path, value in changes.items():
            node = spec
            *parents, last = path.split(".")
            for part in parents:
                node = node.setdefault(part, {})
            node[last] = value
        metadata = {"namespace": "default", "name": name, "uid": uid, "generation": 1}
        self.kube.imports[name] = {"metadata": metadata, "spec": spec}
        self.kube._touch(self.kube.imports[name])

    def edit(self, name: str = "readings", **changes: Any) -> None:
        document = self.kube.imports[name]
        document["spec"] |= changes
        document["metadata"]["generation"] += 1
        self.kube._touch(document)

    def delete(self, name: str = "readings") -> None:
        self.kube.imports[name]["metadata"]["deletionTimestamp"] = "now"
        self.kube._touch(self.kube.imports[name])

    def tick(self) -> None:
        """A second passes: the Flink operator and the job do their part."""
        self.now += timedelta(seconds=1)
        for name, found in list(self.kube.deployments.items()):
            if "deletionTimestamp" in found["metadata"]:
                del self.kube.deployments[name]
                continue
            meta, wanted = found["metadata"], found["spec"]["job"].get("state", "running")
            self.ages[meta["uid"]] += wanted == "running"
            state = ["RECONCILING", "RUNNING", "RUNNING", "FINISHED"][min(self.ages[meta["uid"]] - 1, 3)]
            if state == "FINISHED":
                self._leave_result(found)
            found["status"] = {
                "observedGeneration": meta["generation"],
                "lifecycleState": "STABLE" if wanted == "running" else "SUSPENDED",
                "reconciliationStatus": {"state": "DEPLOYED"},
                "jobManagerDeploymentStatus": "READY",
                "jobStatus": {"state": state if wanted == "running" else "FINISHED", "jobId": "a" * 32},
            }

    def _leave_result(self, deployment: Document) -> None:
        """As the job does: a put of the same document, whoever looks."""
        config = json.loads(self.kube.config_maps[deployment["metadata"]["name"]]["data"]["job.json"])
        bucket, key = config["result"]["path"].removeprefix("s3://").split("/", 1)
        result = {
            "version": 1,
            "runId": config["import"]["runId"],
            "rowsRead": 1000,
            "itemsWritten": 998,
            "rowsRejected": 2,
            "rejectedByReason": {"EmptyKey": 2},
        }
        _plain_client("s3").put_object(Bucket=bucket, Key=key, Body=json.dumps(result))

    # -- the controller ------------------------------------------------------------------------------------------

    def drive(self, until: Callable[[Outcome], bool], name: str = "readings", passes: int = 80) -> Outcome:
        """Passes until the condition holds; a crash costs the memory (last_action) and nothing else."""
        last_action = None
        uid = self.kube.imports[name]["metadata"]["uid"]
        for _ in range(passes):
            try:
                outcome = self.reconciler.run_pass("default", name, uid, last_action)
            except Crash:
                last_action = None
                continue
            last_action = outcome.last_action
            if until(outcome):
                return outcome
            self.tick()
        raise AssertionError(f"not there after {passes} passes: {self.status(name)}")

    def run_to_end(self, name: str = "readings") -> None:
        self.drive(lambda o: o.requeue is None and o.trouble is None and not self.kube.deployments, name)

    def remove(self, name: str = "readings") -> None:
        self.delete(name)
        self.drive(lambda o: o.release, name)
        del self.kube.imports[name]

    def status(self, name: str = "readings") -> Document:
        found: Document = self.kube.imports[name].get("status", {})
        return found

    def conditions(self, name: str = "readings") -> dict[str, str]:
        return {c["type"]: c["status"] for c in self.status(name).get("conditions", [])}

    def snapshot(self) -> Document:
        """What there is, without times: the end state that every crash must lead to."""
        s3, dynamodb = _plain_client("s3"), _plain_client("dynamodb")
        buckets = {
            b["Name"]: sorted(o["Key"] for o in s3.list_objects_v2(Bucket=b["Name"]).get("Contents", []))
            for b in s3.list_buckets()["Buckets"]
        }
        statuses = deepcopy({n: i.get("status", {}) for n, i in self.kube.imports.items()})
        for status in statuses.values():
            for condition in status.get("conditions", []):
                condition.pop("lastTransitionTime")
            status["conditions"] = sorted(status.get("conditions", []), key=lambda c: c["type"])
            for part, field_ in (
                ("run", "startTime"),
                ("run", "completionTime"),
                ("run", "activeSince"),
                ("progress", "observedAt"),
                ("throttling", "observedAt"),
                ("spending", "observedAt"),
                ("job", "restarts"),
            ):
                status.get(part, {}).pop(field_, None)
        return {
            "buckets": buckets,
            "tables": sorted(dynamodb.list_tables()["TableNames"]),
            "deployments": sorted(self.kube.deployments),
            "configMaps": sorted(self.kube.config_maps),
            "statuses": statuses,
        }
