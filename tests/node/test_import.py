"""An import by `helm install` and `kubectl apply` alone, on a real kubelet with a real Flink operator."""

from typing import Any

import pytest
import yaml

from local.demo import World, condition, told
from local.node import Node

pytestmark = pytest.mark.node

PATIENCE = 300.0  # seconds in which something must have changed, on two busy cores


def manifest(world: World, node: Node, name: str, **changes: Any) -> dict[str, Any]:
    """The example as an import of this name with a table and a bucket of its own; changes by dotted path."""
    own = {
        "source.url": node.pod_environment["LINDORM_URL"],
        "target.table": name,
        "staging.bucket": f"staging-{name}",
    }
    document = world.example(**(own | changes))
    document["metadata"]["name"] = name
    return document


def wait_ended(world: World, name: str) -> dict[str, Any]:
    """The import once it is Complete or Failed."""
    for found in world.watch(name, PATIENCE):
        if "True" in (condition(found, "Complete"), condition(found, "Failed")):
            return found
    raise AssertionError(f"the import {name} is gone")


def test_an_import_applied_with_kubectl_copies_every_value_and_leaves_nothing(node: Node, world: World) -> None:
    document = manifest(world, node, "first")
    node.kubectl("apply", "-f", "-", text=yaml.safe_dump(document))
    found = wait_ended(world, "first")
    assert condition(found, "Complete") == "True", told(found)
    differences = world.differences(document)
    assert differences.none, differences
    results = found["status"]["results"]
    assert (differences.rows, results["rowsRead"], results["itemsWritten"]) == (100_000, 100_000, 100_000)

    node.kubectl("delete", "limport", "first", "-n", world.namespace, "--timeout=180s")
    assert world.leftovers(document) == []
    node.wait_for("the job's pods are gone", lambda: node.pods() == [])
    assert world.table_exists("first")
