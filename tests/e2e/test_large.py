"""Imports as large as admission lets them be, with the controller running: they are told what is wrong, and go."""

import time
from typing import Any

import pytest
from kubernetes.client.exceptions import ApiException

from lindorm_import.api.spec import MAX_ATTRIBUTES, MAX_COLUMNS, MAX_FLINK_CONFIGURATION, MAX_SPLIT_POINTS
from local.demo import GROUP, PLURAL, VERSION, World, told

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]
WIDE = "\N{MAHJONG TILE RED DRAGON}"  # four bytes, as wide as a character gets in UTF-8


def named(number: int, characters: int) -> str:
    return f"{number:04d}".ljust(characters, WIDE)


def flink_configuration(characters: int) -> dict[str, str]:
    """200 settings; their keys are ASCII."""
    return {f"{number:060d}": WIDE * (characters // 200 - 60) for number in range(200)}


def largest(world: World) -> dict[str, Any]:
    """Every list as full as it may be, by characters of four bytes."""
    return world.example(
        **{
            "source.splitPoints": [named(n, MAX_SPLIT_POINTS // 1000) for n in range(1000)],
            "source.columns": [named(n, MAX_COLUMNS // 1000) for n in range(1000)],
            "target.attributes": [{"column": named(n, MAX_ATTRIBUTES // 1000)} for n in range(1000)],
            "job.flinkConfiguration": flink_configuration(MAX_FLINK_CONFIGURATION),
            "suspend": True,
        }
    )


def test_the_largest_import_that_is_admitted_is_told_what_is_wrong_and_can_be_deleted(world: World) -> None:
    document = largest(world)
    document["metadata"] = {"name": "largest", "namespace": world.namespace}
    world.objects.create_namespaced_custom_object(GROUP, VERSION, world.namespace, PLURAL, document)
    deadline = time.monotonic() + 60
    while "no column" not in told(found := world.read("largest") or {}):
        assert time.monotonic() < deadline, found.get("status")
        time.sleep(0.2)
    annotations = found["metadata"].get("annotations", {})
    assert not any(len(text) > 100 for text in annotations.values()), "a copy of the spec is kept"
    world.delete("largest")
    while world.read("largest"):
        assert time.monotonic() < deadline, "its finalizer stays"
        time.sleep(0.2)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("source.splitPoints", [named(n, MAX_SPLIT_POINTS // 1000 + 1) for n in range(1000)]),
        ("source.columns", [named(n, MAX_COLUMNS // 1000 + 1) for n in range(1000)]),
        ("target.attributes", [{"column": named(n, MAX_ATTRIBUTES // 1000 + 1)} for n in range(1000)]),
        ("job.flinkConfiguration", flink_configuration(MAX_FLINK_CONFIGURATION + 2000)),
    ],
)
def test_one_that_is_larger_is_refused_with_the_list_that_is_too_long(world: World, path: str, value: Any) -> None:
    document = world.example(**{path: value})
    document["metadata"] = {"name": "larger", "namespace": world.namespace}
    with pytest.raises(ApiException, match=f"{path.split('.')[1]} have more than"):
        world.objects.create_namespaced_custom_object(GROUP, VERSION, world.namespace, PLURAL, document)
