"""Whole imports through the real controller, the real API server, real Flink and DynamoDB Local."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from local.demo import World, condition, told

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]


def eventually(fact: Callable[[], bool], what: str, seconds: float = 120) -> None:
    """Waits for a fact; fails with its name."""
    deadline = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < deadline, f"not true after {seconds} s: {what}"
        time.sleep(0.2)


def named(world: World, name: str, **changes: Any) -> dict[str, Any]:
    """The example under a name of its own, with a table and a bucket of its own."""
    document = world.example(**{"target.table": name, "staging.bucket": f"staging-{name}", **changes})
    document["metadata"]["name"] = name
    return document


def until(world: World, name: str, fact: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    for found in world.watch(name):
        if fact(found):
            return found
        assert condition(found, "Failed") != "True", told(found)
    raise AssertionError(f"import {name} is gone")


def taskmanager(world: World, document: dict[str, Any]) -> Any:
    name = document["status"]["run"]["deployment"]
    return world.stack.flink_process("default", name, "taskmanager-1")


def secrets_in(world: World, name: str) -> list[str]:
    """Every place that a user or a log reader can see and that must not hold the password."""
    password = world.stack.environment["LINDORM_PASSWORD"]
    flink = world.objects.list_namespaced_custom_object("flink.apache.org", "v1beta1", "default", "flinkdeployments")
    places = {
        "import": json.dumps(world.read(name)),
        "FlinkDeployments": json.dumps(flink),
        "ConfigMaps": str(world.core.list_namespaced_config_map("default").items),
        "events": str(world.core.list_namespaced_event("default").items),
    }
    for log in world.stack.folder.rglob("*.log"):
        places[str(log)] = log.read_text(errors="replace")
    return [place for place, text in places.items() if password in text]


def test_an_import_over_verified_tls_brings_every_row_of_the_range_and_cleans_up(world: World) -> None:
    url = world.stack.environment["LINDORM_URL"].replace("127.0.0.1", "localhost")  # what the certificate names
    document = named(world, "plain", **{"source.url": url, "source.tls": {"mode": "VerifyIdentity"}})
    world.apply(document)
    found = world.wait_ended("plain")
    assert condition(found, "Complete") == "True", told(found)
    differences = world.differences(document)
    assert differences.none, differences
    assert found["status"]["results"]["itemsWritten"] == differences.items == 2_000
    assert found["status"]["progress"]["percent"] == 100
    assert found["status"]["observedGeneration"] == found["metadata"]["generation"]
    assert secrets_in(world, "plain") == []
    world.delete("plain")
    for _ in world.watch("plain"):
        pass
    assert world.leftovers(document) == []
    assert world.table_exists("plain")


def test_an_import_whose_task_manager_is_killed_ends_with_the_table_equal_to_the_source(world: World) -> None:
    document = named(
        world, "killed", **{"source.table": "many", "job.checkpoint": {"interval": "2s", "minPause": "1s"}}
    )
    world.apply(document)
    started = until(world, "killed", lambda d: d.get("status", {}).get("progress", {}).get("itemsWritten", 0) > 0)
    assert started["status"]["progress"]["itemsWritten"] < 20_000, "killed in the middle, not after the end"
    victim = taskmanager(world, started)
    victim.signal(9)
    found = world.wait_ended("killed")
    assert condition(found, "Complete") == "True", told(found)
    assert found["status"]["job"]["restarts"] >= 1
    assert found["status"]["results"]["rowsRead"] == 20_000, "rows read again after the crash are counted once"
    differences = world.differences(document)
    assert differences.none, differences
    assert differences.items == 20_000
    world.delete("killed")


def test_an_import_deleted_while_its_job_runs_stops_the_job(world: World) -> None:
    document = named(world, "stopped", **{"source.table": "many", "target.deletionPolicy": "Delete"})
    world.apply(document)
    running = until(world, "stopped", lambda d: condition(d, "JobRunning") == "True")
    process = taskmanager(world, running)
    world.delete("stopped")
    for _ in world.watch("stopped"):
        pass
    assert not process.alive
    assert not world.table_exists("stopped"), "this import created the table, and its policy is Delete"


def test_a_wrong_password_is_told_and_heals_without_restart(world: World) -> None:
    world.create_secret("wrong", password="not-the-password")
    document = named(world, "password", **{"source.credentials.secretName": "wrong"})
    world.apply(document)
    held = until(world, "password", lambda d: condition(d, "SourceReady") == "False")
    assert "user name or password" in told(held)
    world.create_secret("wrong")
    until(world, "password", lambda d: condition(d, "SourceReady") == "True")
    world.delete("password")


@pytest.mark.parametrize(
    ("name", "path", "value", "told_of"),
    [
        ("no-secret", "source.credentials.secretName", "absent", "Secret absent"),
        ("no-table", "source.table", "nothing", "nothing"),
        ("no-column", "source.timeRange.column", "time", "no column time"),
        ("no-host", "source.url", "jdbc:mysql://127.0.0.1:9/default", "127.0.0.1:9"),
    ],
)
def test_what_is_wrong_outside_is_named_in_the_ready_condition(
    world: World, name: str, path: str, value: str, told_of: str
) -> None:
    world.apply(named(world, name, **{path: value}))
    held = until(world, name, lambda d: condition(d, "SourceReady") == "False")
    assert told_of in told(held)
    world.delete(name)
    for _ in world.watch(name):
        pass


def test_a_table_with_another_key_is_refused_until_it_is_gone(world: World) -> None:
    dynamodb = world.aws("dynamodb")
    dynamodb.create_table(
        TableName="other-key",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )
    dynamodb.get_waiter("table_exists").wait(TableName="other-key", WaiterConfig={"Delay": 1})
    world.apply(named(world, "other-key"))
    held = until(world, "other-key", lambda d: condition(d, "TableReady") == "False")
    assert "exists with key id (S)" in told(held)
    dynamodb.delete_table(TableName="other-key")
    until(world, "other-key", lambda d: condition(d, "TableReady") == "True")
    world.delete("other-key")


def test_the_controller_killed_in_the_middle_of_an_import_finishes_it_when_it_is_back(world: World) -> None:
    document = named(world, "orphan")
    world.apply(document)
    until(world, "orphan", lambda d: d.get("status", {}).get("job") is not None)
    world.stack.kill("controller")
    eventually(lambda: not world.stack.process("controller").alive, "the controller is dead")
    world.stack.restart("controller")
    found = world.wait_ended("orphan")
    assert condition(found, "Complete") == "True", told(found)
    assert world.differences(document).none
    world.delete("orphan")
