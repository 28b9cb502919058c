"""What an edit of each spec field does: every declaration of api/spec.py is tried on a whole life in memory."""

from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel

from lindorm_import.api.change import Change, changes
from lindorm_import.api.crd import crd
from lindorm_import.api.spec import ImportSpec
from tests.controller.fakes import World
from tests.controller.lives import DELETE, works

DECLARED = dict(changes(ImportSpec))
RUN = "limport-readings-r1a2b3c4d"


def with_(change: Change) -> set[str]:
    return {path for path, declared in DECLARED.items() if declared is change}


def working(**changed: Any) -> World:
    world = World()
    world.flink.endless = True
    world.apply(**DELETE | changed)
    world.drive(lambda _: works(world))
    return world


def passes(world: World, count: int = 6) -> None:
    for _ in range(count):
        world.run_pass()
        world.tick(61)


def deployed(world: World) -> Any:
    found = world.api.get("flinkdeployments", RUN)
    assert found
    return found


# --- the declarations ---


def test_a_field_that_does_not_say_when_an_edit_takes_effect_is_an_error() -> None:
    class Forgotten(BaseModel):
        model_config: ClassVar = {"alias_generator": lambda name: name}
        new: int = 1

    with pytest.raises(TypeError, match="new does not say when an edit of it takes effect"):
        list(changes(Forgotten))


def test_every_fixed_field_has_a_rule_in_the_crd_and_no_other_has() -> None:
    schema = crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    messages = [rule["message"] for rule in schema["x-kubernetes-validations"]]
    fixed = {
        m.split(" is fixed once the import has created something")[0]
        for m in messages
        if "is fixed once the import has created something" in m
    }
    assert fixed == with_(Change.FIXED)


# --- fixed, once something has been made ---

EDITS: dict[str, Any] = {
    "source.url": "jdbc:mysql://other.example:33060/default",
    "source.table": "others",
    "source.filter": "val > 1",
    "target.table": "elsewhere",
    "staging.bucket": "another-bucket",
    "staging.prefix": "elsewhere/",
}


@pytest.mark.parametrize(("path", "value"), EDITS.items())
def test_an_import_that_has_made_nothing_yet_takes_any_edit(path: str, value: Any) -> None:
    world = World()
    world.apply(**DELETE, suspend=True)
    passes(world, 4)
    world.edit(**{path: value, "suspend": False})
    world.run_to_end()
    assert world.conditions()["Complete"] == "True"
    bucket, table = ("another-bucket" if path == "staging.bucket" else "my-import-bucket"), "readings"
    assert world.status()["run"]["prefix"].startswith(
        f"s3://{bucket}/" + ("elsewhere/" if path == "staging.prefix" else "lindorm-import/")
    )
    assert set(world.aws.dynamodb.tables) == {"elsewhere" if path == "target.table" else table}
    assert set(world.aws.s3.buckets) == {bucket}


# --- when the job is submitted or resumed ---

AT_RESUME: dict[str, tuple[Any, Callable[[Any], Any]]] = {
    "source.credentials": (
        {"secretName": "rotated"},
        lambda spec: spec["podTemplate"]["spec"]["volumes"][2]["secret"]["secretName"] == "rotated",
    ),
    "job.executionRoleArn": (
        "arn:aws:iam::123456789012:role/other",
        lambda spec: spec["executionRoleArn"] == "arn:aws:iam::123456789012:role/other",
    ),
    "job.emrReleaseLabel": ("emr-7.99.0-flink-latest", lambda spec: spec["emrReleaseLabel"].startswith("emr-7.99")),
    "job.image": ("registry/job:2", lambda spec: spec["image"] == "registry/job:2"),
    "job.serviceAccount": ("other", lambda spec: spec["serviceAccount"] == "other"),
    "job.runAsUser": (999, lambda spec: spec["podTemplate"]["spec"]["securityContext"]["runAsUser"] == 999),
    "job.monitoring": ({"logGroup": "logs"}, lambda spec: "cloudWatchMonitoringConfiguration" in str(spec)),
    "job.parallelism": (3, lambda spec: spec["job"]["parallelism"] == 3),
    "job.taskManager": (
        {"slots": 4, "processMemory": "9216m", "managedMemory": "0m", "cpu": 2},
        lambda spec: spec["taskManager"]["resource"]["memory"] == "9216m",
    ),
    "job.nodeSelector": ({"a": "b"}, lambda spec: spec["podTemplate"]["spec"]["nodeSelector"] == {"a": "b"}),
    "job.checkpoint": (
        {"interval": "17s", "minPause": "1s", "timeout": "1m"},
        lambda spec: spec["flinkConfiguration"]["execution.checkpointing.interval"] == "17000 ms",
    ),
    "job.flinkConfiguration": ({"x.y": "z"}, lambda spec: spec["flinkConfiguration"]["x.y"] == "z"),
}


def test_every_field_that_takes_effect_at_resume_is_tried() -> None:
    assert set(AT_RESUME) == with_(Change.AT_RESUME)


@pytest.mark.parametrize("path", AT_RESUME)
def test_an_edit_that_takes_effect_at_resume_waits_is_told_and_then_takes_effect(path: str) -> None:
    value, in_effect = AT_RESUME[path]
    world = working()
    world.api.add("secrets", {**world.api.objects["secrets", "default", "lindorm"], "metadata": {"name": "rotated"}})
    before = deployed(world)["spec"]
    world.edit(**{path: value})
    passes(world)
    assert deployed(world)["spec"] == before, "a running job is left alone"
    assert "take effect when it is suspended and resumed" in world.condition("JobRunning")["message"]
    world.edit(suspend=True)
    world.drive(lambda _: world.conditions().get("Suspended") == "True")
    world.edit(suspend=False)
    world.drive(lambda _: works(world))
    assert in_effect(deployed(world)["spec"])
    passes(world, 3)
    assert "waits" not in world.condition("JobRunning")["message"]
    assert world.flink.violations == [], "the job went on from where it was"


def test_what_somebody_else_has_put_into_the_flink_deployment_survives_a_resume() -> None:
    world = working()
    world.edit(suspend=True)
    world.drive(lambda _: world.conditions().get("Suspended") == "True")
    found = deployed(world)
    world.api.change(found, {**found, "spec": {**found["spec"], "ingress": {"template": "x"}, "image": "registry/old"}})
    world.edit(suspend=False)
    world.drive(lambda _: works(world))
    assert deployed(world)["spec"]["ingress"] == {"template": "x"}
    assert deployed(world)["spec"].get("image") != "registry/old", "ours is what today's spec says"


# --- at once ---


def test_every_field_that_takes_effect_at_once_is_tried_by_name() -> None:
    """By the tests of capacity, rates, budget, suspend and ttl; a new field must be added here and tried there."""
    assert with_(Change.NOW) == {
        "source.maxRowsPerSecond", "target.capacity.mode", "target.capacity.writeUnits", "target.capacity.warm",
        "target.capacity.autoscaling", "budget", "suspend", "ttlAfterFinished",
    }  # fmt: skip
    assert with_(Change.LOWER) == {"rejects.max"}


def test_edited_rates_reach_the_running_job() -> None:
    world = working()
    world.edit(**{"source.maxRowsPerSecond": 123, "target.capacity": {"writeUnits": 4567}})
    passes(world, 3)
    rates = world.api.get("configmaps", f"{RUN}-rates")
    assert rates
    assert "123" in rates["data"]["rates.json"]
    assert "4567" in rates["data"]["rates.json"]


def test_an_edited_capacity_reaches_the_table() -> None:
    world = working()
    scaled = {"mode": "Provisioned", "writeUnits": 600, "autoscaling": {"min": 100, "max": 700}}
    world.edit(**{"target.capacity": scaled})
    passes(world, 8)
    table = world.aws.dynamodb.tables["readings"]
    assert "600" in str(table) or "700" in str(world.aws.scaling.targets)
    assert world.aws.scaling.targets


def test_an_edited_budget_stops_the_running_job() -> None:
    world = working()
    world.edit(**{"budget.maxDuration": "1s"})
    world.drive(lambda _: world.ended())
    assert world.condition("Failed")["reason"] == "OverBudget"


# --- at the end ---


def test_every_field_that_takes_effect_at_the_end_is_tried() -> None:
    assert with_(Change.AT_END) == {"target.capacity.after", "target.deletionPolicy", "staging.deletionPolicy"}


def test_edited_deletion_policies_are_those_that_a_deletion_applies() -> None:
    world = working(**{"target.deletionPolicy": "Delete"})
    world.edit(**{"target.deletionPolicy": "Retain", "staging.deletionPolicy": "Retain"})
    passes(world, 2)
    world.remove()
    assert set(world.aws.dynamodb.tables) == {"readings"}
    assert set(world.aws.s3.buckets) == {"my-import-bucket"}


def test_an_edited_after_is_what_the_table_is_left_with() -> None:
    world = World()
    world.apply(**DELETE)
    world.drive(lambda _: works(world))
    world.edit(**{"target.capacity.after": {"mode": "OnDemand", "writeUnits": 321}})
    world.run_to_end()
    assert "321" in str(world.aws.dynamodb.tables["readings"])
