"""The generated CRD against a real API server: what it fills in, refuses and lets change."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from kubernetes.client.exceptions import ApiException

from lindorm_import.adapters.kube import Kube
from lindorm_import.api.spec import ImportSpec
from local.demo import GROUP, PLURAL, VERSION, World
from local.stack import Stack
from tests.controller.kstatus import kstatus

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Only the API server: no controller looks at what these tests create."""
    with Stack(tmp_path_factory.mktemp("kube"), parts=["kube"]) as stack:
        stack.environment["LINDORM_URL"] = "jdbc:mysql://ld.example:33060/default"
        yield World(stack)


@pytest.fixture
def created(world: World) -> Iterator[dict[str, Any]]:
    yield world.apply(world.example())
    world.delete("readings")


def refusal(world: World, **changes: Any) -> str:
    with pytest.raises(ApiException) as refused:
        world.apply(world.example(**changes))
    # 500 is what this API server answers to a server-side apply of a document that does not fit the schema.
    assert refused.value.status in (400, 422, 500), refused.value
    return str(refused.value.body)


def test_the_example_is_accepted_and_its_defaults_are_filled_in(created: dict[str, Any]) -> None:
    spec = created["spec"]
    assert spec["source"]["pageSize"] == 2000
    assert spec["target"]["deletionPolicy"] == "Retain"
    assert spec["job"]["taskManager"]["slots"] == 4
    assert spec["suspend"] is False


def test_an_import_that_the_controller_has_not_seen_is_in_progress_for_kstatus(
    world: World, created: dict[str, Any]
) -> None:
    assert created["status"] == {"observedGeneration": -1}
    assert kstatus(created) == "InProgress"
    (listed,) = Kube(world.core, world.objects)._list("", "spec.target.table=readings")["items"]
    assert kstatus(listed) == "InProgress"


def test_who_else_uses_a_table_is_asked_of_the_api_server_by_field(world: World, created: dict[str, Any]) -> None:
    kube = Kube(world.core, world.objects)
    spec = ImportSpec.model_validate(created["spec"])
    found = kube.look_at_others("another-uid", spec)
    assert [(o.name, o.uses_table, o.uses_bucket) for o in found] == [("readings", True, True)]
    assert kube.look_at_others(created["metadata"]["uid"], spec) == ()
    listed = kube._list("", f"spec.target.table={spec.target.table}")
    assert len(listed["items"]) == 1
    assert kube._list("", "spec.target.table=another")["items"] == []


def test_what_the_api_server_fills_in_is_what_the_controller_would_have_assumed(
    world: World, created: dict[str, Any]
) -> None:
    written = ImportSpec.model_validate(world.example()["spec"])
    assert ImportSpec.model_validate(created["spec"]) == written


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("source.timeRange.end", "2022-01-01T00:00:00Z", "start must be before end"),
        ("source.timeRange.start", "0001-01-01T00:00:00+14:00", "start and end must be between 0001-01-01T00:00:00Z"),
        ("source.timeRange.end", "9999-12-31T23:59:59.9999Z", "and 9999-12-31T23:59:59.999Z"),
        (
            "source.timeRange",
            {"column": "ts", "start": "2023-01-01T00:00:00Z", "end": "2300-01-01T00:00:00Z", "unit": "Nanoseconds"},
            "a column that counts Nanoseconds holds no times",
        ),
        ("source.url", "ld.example:33060", "spec.source.url"),
        ("source.pageSize", 2001, "less than or equal to 2000"),
        ("source.credentials", {}, "secretName"),
        ("target.capacity", {"autoscaling": {"min": 1, "max": 2}}, "autoscaling needs mode: Provisioned"),
        ("target.capacity", {"mode": "Provisioned"}, "mode: Provisioned needs writeUnits"),
        ("target.capacity", {"warm": True}, "warm: true needs writeUnits"),
        ("target.attributes", [{"column": "a", "name": "x"}, {"column": "a", "name": "y"}], "duplicate entries"),
        ("target.partitionShards", 1, "greater than or equal to 2"),
        ("target.deletionPolicy", "Keep", "Unsupported value"),
        ("staging.bucket", "Not_A_Bucket", "spec.staging.bucket"),
        ("staging.bucket", "bucket.2024", "a bucket is a host name"),
        ("staging.prefix", "a/./b/", "Flink would write elsewhere than the controller looks"),
        ("staging.prefix", "x/../y/", "Flink would write elsewhere than the controller looks"),
        ("staging.prefix", "/a/", "Flink would write elsewhere than the controller looks"),
        ("staging.prefix", "a/\n", "Flink would write elsewhere than the controller looks"),
        ("job.monitoring", {"s3LogURI": "s3://logs/a//b"}, "s3://BUCKET/PREFIX"),
        ("job.flinkConfiguration", {"state.checkpoints.dir": "s3://x/y"}, "the controller looks below staging.prefix"),
        ("job.flinkConfiguration", {"a: 1\nenv.java.opts": "x"}, "a key of flinkConfiguration is of"),
        ("job.flinkConfiguration", {"a" * 256: "x"}, "a key of flinkConfiguration is of"),
        ("job.flinkConfiguration", {"a": "1\nenv.java.opts.all: -agentlib:x"}, "a value of flinkConfiguration is one"),
        ("job.flinkConfiguration", {"a": "1\renv.java.opts.all: x"}, "a value of flinkConfiguration is one line"),
        ("job.flinkConfiguration", {"a": "1\u2028env.java.opts.all: x"}, "a value of flinkConfiguration is one line"),
        ("source.url", "jdbc:mysql://ld.example:33060/a%41", "spec.source.url"),
        ("source.url", "jdbc:mysql://evil.example,ld.example:33060/a", "spec.source.url"),
        ("source.url", "jdbc:mysql://(host=evil):33060/a", "spec.source.url"),
        ("job.checkpoint.interval", "1 minute", "interval"),
        ("job.checkpoint.interval", "0s", "interval must be 1s to 1h"),
        ("job.checkpoint.interval", "2h", "interval must be 1s to 1h"),
        ("job.checkpoint.minPause", "61m", "minPause must be at most 1h"),
        ("job.checkpoint.timeout", "9s", "timeout must be 10s to 24h"),
        ("job.taskManager", {"processMemory": "1m"}, "processMemory must be at least 1024m more than managedMemory"),
        ("job.taskManager", {"managedMemory": "999g"}, "processMemory must be at least 1024m more than managedMemory"),
        ("job.taskManager", {"processMemory": "4g", "managedMemory": "3073m"}, "at least 1024m more"),
        ("ttlAfterFinished", "9999999d", "ttlAfterFinished"),
        ("target.tags", {"aws:x": "y"}, "a tag's key"),
        ("target.tags", {"lindorm.io/uid": "y"}, "a tag's key"),
        ("target.tags", {"x": "y" * 257}, "may not be more than 256"),
        ("targetTable", "x", "field not declared in schema"),
        ("budget.maxCostUSD", "a lot", "maxCostUSD"),
    ],
)
def test_a_spec_that_breaks_a_rule_is_refused_with_the_reason(
    world: World, path: str, value: object, told: str
) -> None:
    assert told in refusal(world, **{path: value})


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("source.table", "other"),
        ("source.columns", ["val"]),
        ("source.filter", "val > 0"),
        ("source.timeRange.end", "2023-03-01T00:00:00Z"),
        ("target.table", "other"),
        ("target.key", {"partition": "device", "sort": "ts"}),
        ("target.attributes", [{"column": "val", "name": "value"}]),
        ("target.partitionShards", 4),
        ("target.nulls", "Write"),
        ("staging.bucket", "another-bucket"),
    ],
)
def test_what_is_fixed_can_change_until_something_has_been_made(
    world: World, created: dict[str, Any], path: str, value: object
) -> None:
    assert world.apply(world.example(**{path: value}))["metadata"]["generation"] > 1
    bucket = {"kind": "Bucket", "name": "b", "origin": "Created", "deletionPolicy": "Delete"}
    world.objects.patch_namespaced_custom_object_status(
        GROUP, VERSION, world.namespace, PLURAL, created["metadata"]["name"], {"status": {"resources": [bucket]}}
    )
    assert f"{path.removesuffix('.end')} is fixed once the import has created something" in refusal(world)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("suspend", True),
        ("budget", {"maxCostUSD": "900", "maxDuration": "24h"}),
        ("target.capacity", {"mode": "OnDemand", "writeUnits": 7000}),
        ("source.maxRowsPerSecond", 50000),
        ("ttlAfterFinished", "168h"),
    ],
)
def test_rates_budget_and_suspend_can_change(world: World, created: dict[str, Any], path: str, value: object) -> None:
    assert world.apply(world.example(**{path: value}))["metadata"]["generation"] > 1


def test_the_limit_of_rejects_can_be_raised_until_the_job_is_submitted_and_then_only_lowered(
    world: World, created: dict[str, Any]
) -> None:
    assert world.apply(world.example(**{"rejects.max": 2_000}))["spec"]["rejects"]["max"] == 2_000
    job = {"status": {"job": {"state": "RUNNING", "restarts": 0, "attempts": 1}}}
    world.objects.patch_namespaced_custom_object_status(
        GROUP, VERSION, world.namespace, PLURAL, created["metadata"]["name"], job
    )
    assert world.apply(world.example(**{"rejects.max": 500}))["spec"]["rejects"]["max"] == 500
    assert "cannot be raised once the job is submitted" in refusal(world, **{"rejects.max": 501})


def table(world: World) -> dict[str, Any]:
    """What `kubectl get limport` prints: the API server's own columns and cells."""
    request = world.stack.api_client().param_serialize(
        "GET",
        "/apis/lindorm.io/v1alpha1/namespaces/default/lindormimports",
        header_params={"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"},
        auth_settings=["BearerToken"],
    )
    found: dict[str, Any] = json.loads(world.stack.api_client().call_api(*request).read())
    return found


def test_kubectl_get_shows_state_rows_percent_throttled_eta_and_age(world: World, created: dict[str, Any]) -> None:
    columns = [c["name"] for c in table(world)["columnDefinitions"] if c["priority"] == 0]
    assert columns == ["Name", "State", "Rows", "Percent", "Throttled", "ETA", "Released", "Age"]


def test_kubectl_get_shows_the_time_to_go_and_not_an_age_of_what_is_to_come(
    world: World, created: dict[str, Any]
) -> None:
    end = datetime.now(UTC) + timedelta(hours=2)
    told = f"{end:%H:%M}Z (in 2h 00m)"
    progress = {"rowsRead": 500, "percent": 50, "estimatedCompletionTime": end.isoformat(), "eta": told}
    status: Any = {"status": {"summary": "Running", "progress": progress}}
    world.objects.patch_namespaced_custom_object_status(GROUP, VERSION, "default", PLURAL, "readings", status)
    shown = table(world)
    (row,) = shown["rows"]
    cells = dict(zip([c["name"] for c in shown["columnDefinitions"]], row["cells"], strict=True))
    assert (cells["State"], cells["Rows"], cells["Percent"], cells["ETA"]) == ("Running", 500, 50, told)
    assert "<invalid>" not in map(str, row["cells"])
    if kubectl := shutil.which("kubectl"):
        command = [kubectl, "--kubeconfig", str(world.stack.kubeconfig), "get", "limport", "-o", "wide"]
        printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert told in printed
        assert "<invalid>" not in printed
