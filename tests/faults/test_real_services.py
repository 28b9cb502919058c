"""The main faults against the real API server, DynamoDB Local behind its gate, and moto's S3."""

import contextvars
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from kubernetes import client
from urllib3.exceptions import ProtocolError

from lindorm_import.adapters.kube import Kube
from lindorm_import.decide import Settings
from lindorm_import.domain.observed import PermissionsSeen
from lindorm_import.permissions.needed import CONTROLLER_KUBERNETES
from lindorm_import.runtime.reconcile import Outcome, Reconciler
from lindorm_import.world import fence
from lindorm_import.world.clients import Clients
from local.demo import GROUP, PLURAL, VERSION, World, condition, told
from local.kube.access import api_client
from tests.controller.fakes import Crash
from tests.faults.conftest import audited, kubeconfig

pytestmark = [pytest.mark.stack, pytest.mark.timeout(400)]
MODES = ["after", "reply lost"]
FINALIZER = "lindorm.io/finalizer"


class Wire:
    """Counts the controller's writes to Kubernetes and AWS; at number `at` it dies after it, or hears no reply."""

    def __init__(self, at: int | None = None, mode: str = "after") -> None:
        self.at, self.mode, self.count = at, mode, 0
        self.done: Counter[str] = Counter()

    def wrote(self, what: str, lost: Exception) -> None:
        self.count += 1
        self.done[what] += 1
        if self.count == self.at:
            raise Crash if self.mode == "after" else lost


class Life:
    """One import's life in this process, pass by pass, with the controller's own access; to be closed."""

    def __init__(self, world: World, name: str, wire: Wire, settings: Settings | None = None) -> None:
        self.world, self.name, self.wire = world, name, wire
        self.api = api = api_client(kubeconfig(world))
        pool = api.rest_client.pool_manager
        ask = pool.request

        def request(method: str, url: str, **options: Any) -> Any:
            answer = ask(method, url, **options)
            if method != "GET" and answer.status < 300 and "selfsubjectaccessreviews" not in url:
                resource = url.split("/namespaces/default/")[1].split("/")[0]
                try:
                    self.wire.wrote(f"{method} {resource}", ProtocolError("no answer"))
                except (Crash, ProtocolError):
                    answer.close()  # nobody reads it any more
                    raise
            return answer

        pool.request = request  # type: ignore[method-assign]
        self.clients = clients = Clients(
            Kube(client.CoreV1Api(api), client.CustomObjectsApi(api)),
            "http://127.0.0.1:9/{namespace}/{name}",
            look_at_permissions=lambda *_: PermissionsSeen(),  # DynamoDB Local and moto know no IAM
        )
        clients._session.events.register("after-call", self._after_aws)
        self.reconciler = Reconciler(clients, settings or Settings(poll=0.1))
        document = world.example(
            **{"target.table": name, "target.deletionPolicy": "Delete", "staging.bucket": f"staging-{name}"}
        )
        document["metadata"] |= {"name": name, "finalizers": [FINALIZER]}
        self.document = document
        self.uid = world.apply(document)["metadata"]["uid"]
        self.last_action: Any = None

    def close(self) -> None:
        self.api.close()  # type: ignore[no-untyped-call]
        self.clients.close()

    def _after_aws(self, http_response: Any, model: Any, **_: Any) -> None:
        read = model.name.startswith(("Describe", "List", "Get", "Head"))
        if not read and http_response.status_code < 300:
            self.wire.wrote(model.name, ReadTimeoutError(endpoint_url="lost"))

    def drive(self, until: Callable[[Outcome], bool], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                outcome = self.reconciler.run_pass("default", self.name, self.uid, self.last_action)
            except Crash:
                self.last_action = None
                continue
            self.last_action = outcome.last_action
            if until(outcome):
                return
            time.sleep(0.05)
        raise AssertionError(f"not there: {told(self.world.read(self.name) or {})}")

    def live(self) -> None:
        """From its creation to its end and its deletion."""
        self.drive(lambda o: o.requeue is None and o.trouble is None and self.complete())
        before = self.wire.count
        for _ in range(3):
            self.reconciler.run_pass("default", self.name, self.uid)
        assert self.wire.count == before, "passes after the end change nothing"
        self.remove()

    def remove(self) -> None:
        self.world.objects.delete_namespaced_custom_object(GROUP, VERSION, "default", PLURAL, self.name)
        self.drive(lambda o: o.release)
        self.world.objects.patch_namespaced_custom_object(
            GROUP, VERSION, "default", PLURAL, self.name, {"metadata": {"finalizers": []}}
        )

    def complete(self) -> bool:
        found = self.world.read(self.name)
        return found is not None and condition(found, "Complete") == "True"


def test_a_crash_at_any_write_to_the_real_services_leads_to_the_same_end(world: World) -> None:
    with closing(Life(world, "whole", Wire())) as whole:
        whole.live()
    assert whole.wire.count > 15
    # How many status writes a life takes depends on the time: the last numbers may not be reached.
    for at in range(1, whole.wire.count + 1):
        mode = MODES[at % 2]
        with closing(Life(world, f"crash-{at}", Wire(at, mode))) as life:
            life.live()
        assert life.wire.count >= min(at, 15), "the fault happened"
        assert world.leftovers(life.document) == [], (mode, at)
        assert not world.table_exists(life.name), (mode, at)
        for made in ("CreateTable", "CreateBucket", "POST flinkdeployments", "POST configmaps"):
            assert life.wire.done[made] == whole.wire.done[made], (mode, at, made)


def test_a_controller_that_sleeps_before_a_call_of_the_real_services_does_nothing_when_it_wakes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is about to create the table when another deletes the import, waits for as long as it must and lets it go."""
    monkeypatch.setattr(fence, "ACTS_FOR", timedelta(seconds=2))
    settings = Settings(poll=0.1, request_life=timedelta(seconds=1))
    with closing(Life(world, "asleep", Wire(), settings)) as life:
        first = life.reconciler
        sleeps = iter([True])

        def sleep(**_: Any) -> None:
            if next(sleeps, False):
                life.reconciler = Reconciler(life.clients, settings)
                contextvars.Context().run(life.remove)
                life.reconciler = first

        life.clients._session.events.register("before-sign.dynamodb.CreateTable", sleep)
        life.drive(lambda o: o.trouble is not None and o.trouble.reason == "ReconcileTimeout")
        assert life.wire.done["CreateBucket"] == life.wire.done["DeleteBucket"] == 1
        assert world.read("asleep") is None
        assert first.run_pass("default", "asleep", life.uid).release
        assert world.leftovers(life.document) == []
        assert not world.table_exists("asleep")


def test_a_table_and_a_bucket_of_somebody_else_are_left_as_they_were_by_the_real_services(world: World) -> None:
    s3, dynamodb = world.aws("s3"), world.aws("dynamodb")
    s3.create_bucket(Bucket="staging-theirs", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    s3.put_object(Bucket="staging-theirs", Key="precious", Body=b"1")
    dynamodb.create_table(
        TableName="theirs",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "device", "KeyType": "HASH"}, {"AttributeName": "ts", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in ("device", "ts")],
    )
    with closing(Life(world, "theirs", Wire())) as life:
        life.live()
    assert world.table_exists("theirs")
    assert [o["Key"] for o in s3.list_objects_v2(Bucket="staging-theirs")["Contents"]] == ["precious"]
    with pytest.raises(ClientError, match="NoSuchTagSet"):
        s3.get_bucket_tagging(Bucket="staging-theirs")


def test_the_whole_controller_works_with_the_listed_rules_of_rbac_and_needs_each_of_them(world: World) -> None:
    """The process itself, kopf included, as a service account that has the listed rules and nothing else."""

    world.stack.start_process(
        "controller",
        [sys.executable, "-m", "lindorm_import.cli", "controller", "--namespace", "default", "--poll", "0.2"],
        env={
            "KUBECONFIG": str(kubeconfig(world)),
            "LINDORM_IMPORT_FLINK_REST_URL": "http://127.0.0.1:9/{namespace}/{name}",
        },
    )
    document = world.example(**{"target.table": "rbac", "staging.bucket": "staging-rbac", "ttlAfterFinished": "1s"})
    document["metadata"]["name"] = "rbac"
    world.apply(document)
    for found in world.watch("rbac"):
        assert condition(found, "Failed") != "True", told(found)
    world.stack.stop_process("controller")
    used = audited(world) - {("authorization.k8s.io", "selfsubjectaccessreviews", "create")}
    listed = {(rule.group, rule.resource, verb) for rule in CONTROLLER_KUBERNETES for verb in rule.verbs}
    assert used - listed == set()
    # What a life without suspension, changed rates and pods that wait for long does not ask for; that these are used is
    # asked in tests/controller/test_permissions.py.
    waits = {("", "pods", "list"), ("", "resourcequotas", "list"), ("", "events", "list")}
    assert listed - used - waits == {("flink.apache.org", "flinkdeployments", "patch"), ("", "configmaps", "patch")}
    assert "Traceback" not in (world.stack.folder / "log" / "controller.log").read_text()
