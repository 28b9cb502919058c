"""The operator stand-in with real Flink behind a real API server."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from lindorm_import.adapters.flink import look_at_job
from lindorm_import.manifests.build import JAVA_OPTIONS
from local.bootstrap import layout
from local.flink.model import FINALIZER, GROUP, PLURAL, VERSION, Json
from local.processes import Process
from local.stack import Stack

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

BUCKET = "flink-operator-tests"
FOREVER = {"rows": 1_000_000, "rowsPerSecond": 100}


class Flink:
    """FlinkDeployments in the namespace `default` of a stack."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        api = stack.api_client()
        self.core, self.custom = client.CoreV1Api(api), client.CustomObjectsApi(api)

    def apply(
        self, name: str, job: Json | None, *, job_manager_memory: str = "1g", configuration: Json | None = None
    ) -> None:
        """Create a FlinkDeployment that runs data/usrlib/count.py; job: its document, None: no ConfigMap yet."""
        if job is not None:
            self.config_map(name, job)
        container = {
            "name": "flink-main-container",
            "volumeMounts": [{"name": "job-config", "mountPath": "/etc/lindorm-import/job"}],
        }
        root = f"s3://{BUCKET}/{name}"
        spec = {
            "flinkVersion": "v1_20",
            "emrReleaseLabel": "emr-7.13.0-flink-latest",
            "executionRoleArn": "arn:aws:iam::123456789012:role/job",
            "flinkConfiguration": {
                "env.java.default-opts.all": JAVA_OPTIONS,
                "execution.checkpointing.interval": "1 s",
                "execution.checkpointing.dir": f"{root}/checkpoints",
                "execution.checkpointing.savepoint-dir": f"{root}/savepoints",
                "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
                # One more may complete while a job is cancelled, after Flink's REST API has named the last.
                "execution.checkpointing.num-retained": "3",
                "restart-strategy.type": "fixed-delay",
                "restart-strategy.fixed-delay.attempts": "100",
                "restart-strategy.fixed-delay.delay": "1 s",
                **(configuration or {}),
            },
            "jobManager": {
                "highAvailabilityEnabled": True,
                "storageDir": f"{root}/ha",
                "replicas": 1,
                "resource": {"memory": job_manager_memory, "cpu": 1},
            },
            "taskManager": {"resource": {"memory": "52428m", "cpu": 8}},
            "podTemplate": {
                "spec": {
                    "containers": [container],
                    "volumes": [{"name": "job-config", "configMap": {"name": name}}],
                }
            },
            "job": {
                "jarURI": "local:///opt/flink/usrlib/lindorm-flink.jar",
                "entryClass": "org.apache.flink.client.python.PythonDriver",
                "args": ["-py", "/opt/flink/usrlib/count.py", "--config", "/etc/lindorm-import/job/job.json"],
                "parallelism": 1,
                "upgradeMode": "last-state",
                "state": "running",
            },
        }
        body = {"apiVersion": f"{GROUP}/{VERSION}", "kind": "FlinkDeployment", "metadata": {"name": name}, "spec": spec}
        self.custom.create_namespaced_custom_object(GROUP, VERSION, "default", PLURAL, body)

    def config_map(self, name: str, job: Json) -> None:
        body: Any = {"metadata": {"name": name}, "data": {"job.json": json.dumps(job)}}
        self.core.create_namespaced_config_map("default", body)

    def get(self, name: str) -> Json | None:
        try:
            found: Any = self.custom.get_namespaced_custom_object(GROUP, VERSION, "default", PLURAL, name)
        except ApiException as error:
            if error.status == 404:
                return None
            raise
        resource: Json = found
        return resource

    def patch_job(self, name: str, **job: object) -> None:
        patch: Any = {"spec": {"job": job}}
        self.custom.patch_namespaced_custom_object(GROUP, VERSION, "default", PLURAL, name, patch)

    def delete(self, name: str) -> None:
        self.custom.delete_namespaced_custom_object(GROUP, VERSION, "default", PLURAL, name)

    def summary(self, name: str) -> tuple[str | None, str | None, str | None]:
        """JobManager, job, life cycle."""
        status = (self.get(name) or {}).get("status") or {}
        return (
            status.get("jobManagerDeploymentStatus"),
            status.get("jobStatus", {}).get("state"),
            status.get("lifecycleState"),
        )

    def rest(self, name: str, path: str, method: str = "GET") -> Json:
        """A call through the stack's proxy."""
        base = self.stack.environment["LINDORM_IMPORT_FLINK_REST_URL"].format(namespace="default", name=name)
        request = urllib.request.Request(base + path, method=method)
        with urllib.request.urlopen(request, timeout=30) as response:
            answer: Json = json.loads(response.read())
            return answer

    def job_id(self, name: str) -> str:
        return str((self.get(name) or {})["status"]["jobStatus"]["jobId"])

    def restored_checkpoint(self, name: str) -> Json | None:
        """What the running job was restored from."""
        found: Json | None = self.rest(name, f"/jobs/{self.job_id(name)}/checkpoints")["latest"]["restored"]
        return found

    def completed_checkpoints(self, name: str) -> int:
        return int(self.rest(name, f"/jobs/{self.job_id(name)}/checkpoints")["counts"]["completed"])

    def process(self, name: str, process: str) -> Process:
        found = self.stack.flink_process("default", name, process)
        assert found is not None
        return found

    def wait(self, name: str, condition: Callable[[], bool], seconds: float = 120) -> None:
        """Wait for a condition; what is not reachable yet counts as not so."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                if condition():
                    return
            except (OSError, KeyError, TypeError, AssertionError):
                pass
            if time.monotonic() > deadline:
                status = json.dumps((self.get(name) or {}).get("status"), indent=1)
                pytest.fail(f"{name} did not get there; {status}\n{self.stack.tail('flink-operator', 40)}")
            time.sleep(0.2)

    def wait_for(self, name: str, *wanted: str | None) -> None:
        self.wait(name, lambda: self.summary(name) == wanted)


@pytest.fixture(scope="module")
def flink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flink]:
    usrlib = Path(__file__).parent / "data" / "usrlib"
    parts = ["kube", "aws", "flink"]
    with Stack(tmp_path_factory.mktemp("flink"), parts=parts, usrlib=usrlib, jars=[], crds=[]) as stack:
        s3 = boto3.client(
            "s3",
            endpoint_url=stack.environment["AWS_ENDPOINT_URL"],
            aws_access_key_id="local",
            aws_secret_access_key="local",
            region_name="us-east-1",
        )
        s3.create_bucket(Bucket=BUCKET)
        s3.close()
        yield Flink(stack)


@pytest.fixture
def running(flink: Flink) -> str:
    """The name of a deployment whose job runs and has checkpoints; each test leaves it so."""
    if flink.get("forever") is None:
        flink.apply("forever", FOREVER)
    flink.wait_for("forever", "READY", "RUNNING", "STABLE")
    flink.wait("forever", lambda: flink.completed_checkpoints("forever") > 0)
    return "forever"


def test_a_bounded_job_finishes_its_job_manager_stays_and_deletion_leaves_nothing(flink: Flink) -> None:
    flink.apply("bounded", {"rows": 300, "rowsPerSecond": 100})
    flink.wait_for("bounded", "READY", "FINISHED", "STABLE")
    resource = flink.get("bounded")
    assert resource is not None
    assert resource["metadata"]["finalizers"] == [FINALIZER]
    status = resource["status"]
    assert status["observedGeneration"] == resource["metadata"]["generation"]
    assert status["reconciliationStatus"]["state"] == "DEPLOYED"
    assert status["clusterInfo"]["flink-version"].startswith("1.20")
    assert "error" not in status
    assert flink.rest("bounded", f"/jobs/{status['jobStatus']['jobId']}")["state"] == "FINISHED"
    flink.wait("bounded", lambda: flink.stack.flink_process("default", "bounded", "taskmanager-1") is None)
    job_manager = flink.process("bounded", "jobmanager")

    flink.delete("bounded")
    flink.wait("bounded", lambda: flink.get("bounded") is None)
    assert not job_manager.alive
    ha: Any = flink.core.list_namespaced_config_map("default", label_selector="app=bounded")
    assert ha.items == []
    with pytest.raises(urllib.error.HTTPError, match="503"):
        flink.rest("bounded", "/jobs/overview")


def test_a_job_manager_that_is_killed_is_started_again_and_goes_on_from_a_checkpoint(
    flink: Flink, running: str
) -> None:
    job_id, killed = flink.job_id(running), flink.process(running, "jobmanager")
    killed.signal()
    flink.wait(running, lambda: flink.process(running, "jobmanager").pid != killed.pid)
    flink.wait(running, lambda: flink.restored_checkpoint(running) is not None)
    flink.wait_for(running, "READY", "RUNNING", "STABLE")
    assert flink.job_id(running) == job_id


def test_a_task_manager_that_is_killed_is_replaced_and_the_job_restarts(flink: Flink, running: str) -> None:
    killed = flink.process(running, "taskmanager-1")
    killed.signal()
    flink.wait(running, lambda: flink.process(running, "taskmanager-1").pid != killed.pid)
    job_id = flink.job_id(running)
    flink.wait(running, lambda: flink.rest(running, f"/jobs/{job_id}")["state"] == "RUNNING")
    flink.wait(running, lambda: flink.restored_checkpoint(running) is not None)
    flink.wait_for(running, "READY", "RUNNING", "STABLE")


def test_clusters_outlive_the_operator_and_the_next_one_finds_them(flink: Flink, running: str) -> None:
    job_manager = flink.process(running, "jobmanager")
    flink.stack.kill("flink-operator")
    flink.stack.restart("flink-operator")
    flink.wait(running, lambda: flink.rest(running, "/jobs/overview")["jobs"][0]["state"] == "RUNNING")
    flink.wait_for(running, "READY", "RUNNING", "STABLE")
    assert flink.process(running, "jobmanager") == job_manager
    assert job_manager.alive


def test_suspending_says_finished_and_resuming_goes_on_from_the_last_state(flink: Flink, running: str) -> None:
    job_id, job_manager = flink.job_id(running), flink.process(running, "jobmanager")
    flink.patch_job(running, state="suspended")
    flink.wait_for(running, "MISSING", "FINISHED", "SUSPENDED")
    assert not job_manager.alive
    flink.patch_job(running, state="running")
    flink.wait_for(running, "READY", "RUNNING", "STABLE")
    assert flink.job_id(running) == job_id
    flink.wait(running, lambda: flink.restored_checkpoint(running) is not None)


def test_a_deployment_waits_for_its_config_map_and_a_main_that_fails_never_gets_to_failed(flink: Flink) -> None:
    """The second half is the trap FLINK-37370: only Flink's own REST API says FAILED."""
    flink.apply("waiting", None)
    flink.wait_for("waiting", "DEPLOYING", "RECONCILING", "DEPLOYED")

    def told() -> bool:
        events: Any = flink.core.list_namespaced_event("default", field_selector="reason=FailedMount")
        return any('configmap "waiting" not found' in event.message for event in events.items)

    flink.wait("waiting", told)
    assert flink.stack.flink_process("default", "waiting", "jobmanager") is None
    flink.config_map("waiting", {"failsWith": "no such column"})
    unobserved = "Could not observe latest savepoint information"
    flink.wait("waiting", lambda: unobserved in (flink.get("waiting") or {})["status"]["error"])
    # Whether READY was written before the main failed is a matter of time: nothing is after it.
    assert flink.summary("waiting")[0] in ("DEPLOYED_NOT_READY", "READY")
    assert flink.summary("waiting")[1:] == ("RECONCILING", "DEPLOYED")
    assert flink.rest("waiting", "/jobs/overview")["jobs"][0]["state"] == "FAILED"
    base = flink.stack.environment["LINDORM_IMPORT_FLINK_REST_URL"].format(namespace="default", name="waiting")
    told_by_rest = look_at_job(base, flink.job_id("waiting"))
    assert told_by_rest is not None
    assert told_by_rest.failed
    assert "Python process exits with code: 1. The JobManager's log says more" in (told_by_rest.failure or "")
    flink.delete("waiting")
    flink.wait("waiting", lambda: flink.get("waiting") is None)


def test_a_job_that_fails_while_it_runs_is_failed_and_says_why(flink: Flink) -> None:
    job = {"rows": 1000, "rowsPerSecond": 100, "failsAt": 200}
    flink.apply("failing", job, configuration={"restart-strategy.type": "none"})
    flink.wait_for("failing", "READY", "FAILED", "FAILED")
    error = json.loads((flink.get("failing") or {})["status"]["error"])
    assert "Recovery is suppressed" in error["message"]
    assert any("/ by zero" in cause["message"] for cause in error["throwableList"])
    flink.delete("failing")
    flink.wait("failing", lambda: flink.get("failing") is None)


def test_a_job_manager_that_cannot_start_is_an_error_and_not_failed(flink: Flink) -> None:
    flink.apply("crashing", FOREVER, job_manager_memory="200m")
    flink.wait_for("crashing", "ERROR", "RECONCILING", "DEPLOYED")
    error = json.loads((flink.get("crashing") or {})["status"]["error"])
    assert error["type"].endswith("DeploymentFailedException")
    assert "restarting failed container=flink-main-container" in error["message"]
    flink.delete("crashing")
    flink.wait("crashing", lambda: flink.get("crashing") is None)


def test_without_java_options_of_its_own_a_python_job_cannot_start_on_java_17(flink: Flink) -> None:
    """In native mode nothing of the image's configuration is read (docs/stand-in.md)."""
    flink.apply("closed", {"rows": 100, "rowsPerSecond": 100}, configuration={"env.java.default-opts.all": ""})

    def told() -> bool:
        log = flink.stack.folder / "flink" / "default" / "closed" / "log" / "jobmanager.log"
        return "InaccessibleObjectException" in log.read_text()

    flink.wait("closed", told)
    flink.delete("closed")
    flink.wait("closed", lambda: flink.get("closed") is None)


def test_the_controllers_java_options_are_those_of_flinks_own_configuration() -> None:
    stock = yaml.safe_load((layout().flink_home / "conf" / "config.yaml").read_text())["env"]["java"]["opts"]["all"]
    of_a_jre = [option for option in stock.split() if "=jdk.compiler/" not in option]
    assert JAVA_OPTIONS.split() == of_a_jre


def test_stopping_the_stack_leaves_no_process_and_no_mounted_file_of_a_cluster(flink: Flink, running: str) -> None:
    processes = [flink.process(running, name) for name in ("jobmanager", "taskmanager-1")]
    flink.stack.stop()
    assert [process.alive for process in processes] == [False, False]
    assert not list((flink.stack.folder / "flink").glob("*/*/mounts"))
