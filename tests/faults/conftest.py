"""The real API server, DynamoDB Local behind its gate and moto, without Flink: a thread ends every job at once."""

import json
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from lindorm_import.permissions.needed import CONTROLLER_KUBERNETES
from local.demo import World
from local.lindorm.data import Shape, load
from local.lindorm.store import Store
from local.stack import Stack

FLINK = ("flink.apache.org", "v1beta1", "default", "flinkdeployments")
ACCOUNT = "system:serviceaccount:default:controller"
Document = dict[str, Any]


class QuickFlink(threading.Thread):
    """Stands in for Flink and its operator: a job is FINISHED, with its result in S3, as soon as it is seen."""

    def __init__(self, world: World) -> None:
        super().__init__(daemon=True)
        self.world, self.stopped = world, threading.Event()

    def run(self) -> None:
        while not self.stopped.wait(0.05):
            try:
                found: Any = self.world.objects.list_namespaced_custom_object(*FLINK)
                for deployment in found["items"]:
                    if "status" not in deployment:
                        self._finish(deployment)
            except ApiException as error:
                # Deleted meanwhile, or the API server is still making room for the new CRD.
                if error.status not in (404, 429):
                    raise

    def _finish(self, deployment: Document) -> None:
        meta = deployment["metadata"]
        config: Any = self.world.core.read_namespaced_config_map(meta["name"], "default").data
        document = json.loads(config["job.json"])
        bucket, key = document["result"]["path"].removeprefix("s3://").split("/", 1)
        counts = {"rowsRead": 10, "itemsWritten": 10, "rowsRejected": 0, "rejectedByReason": {}}
        result = {"version": 1, "runId": document["import"]["runId"], **counts}
        self.world.aws("s3").put_object(Bucket=bucket, Key=key, Body=json.dumps(result))
        status = {
            "observedGeneration": meta["generation"],
            "lifecycleState": "STABLE",
            "reconciliationStatus": {"state": "DEPLOYED"},
            "jobManagerDeploymentStatus": "READY",
            "jobStatus": {"state": "FINISHED", "jobId": "a" * 32},
        }
        self.world.objects.patch_namespaced_custom_object_status(*FLINK, meta["name"], {"status": status})


@pytest.fixture(scope="package")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    parts = ["kube", "aws", "dynamodb", "lindorm"]
    with Stack(tmp_path_factory.mktemp("faults"), parts=parts) as stack, closing(World(stack)) as world:
        load(Store(stack.folder / "lindorm"), Shape(rows=20))
        world.create_secret()
        _grant_what_is_listed(world)
        flink = QuickFlink(world)
        flink.start()
        yield world
        flink.stopped.set()
        flink.join()


@pytest.fixture(autouse=True)
def environment(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in world.stack.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LINDORM_IMPORT_FLINK_REST_URL", "http://127.0.0.1:9/{namespace}/{name}")


def _grant_what_is_listed(world: World) -> None:
    """A service account with the listed rules and no others, as a kubeconfig in the stack's folder."""
    api = client.RbacAuthorizationV1Api(world.core.api_client)
    rules = [
        {"apiGroups": [rule.group], "resources": [rule.resource], "verbs": list(rule.verbs)}
        for rule in CONTROLLER_KUBERNETES
    ]
    meta = {"name": "controller", "namespace": "default"}
    subject = {"kind": "ServiceAccount", **meta}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "controller"}
    documents: Any = (
        {"metadata": meta},
        {"metadata": {"name": "controller"}, "rules": rules},
        {"metadata": {"name": "controller"}, "subjects": [subject], "roleRef": role},
    )
    world.core.create_namespaced_service_account("default", documents[0])
    api.create_cluster_role(documents[1])
    api.create_cluster_role_binding(documents[2])
    request: Any = {"spec": {"expirationSeconds": 3600}}
    issued: Any = world.core.create_namespaced_service_account_token("controller", "default", request)
    world.stack.kube.write_kubeconfig(kubeconfig(world), "controller", issued.status.token)


def kubeconfig(world: World) -> Path:
    """The controller's own access."""
    return world.stack.folder / "controller.kubeconfig"


def audited(world: World) -> set[tuple[str, str, str]]:
    """Group, resource and verb of each request that the controller's account has made and was allowed."""
    found: set[tuple[str, str, str]] = set()
    for line in world.stack.kube.audit_log.read_text().splitlines():
        event = json.loads(line)
        reference = event.get("objectRef") or {}
        if event["user"]["username"] != ACCOUNT or "resource" not in reference:
            continue
        assert event.get("responseStatus", {}).get("code") != 403, event
        part = f"/{reference['subresource']}" if "subresource" in reference else ""
        found.add((reference.get("apiGroup", ""), reference["resource"] + part, event["verb"]))
    return found
