"""The controller dies before or after every single mutation, or does not hear a reply; a new one continues.

Whatever happens: the same end as without the crash, each thing created once, nothing left to do afterwards.
"""

from functools import cache
from typing import NamedTuple

import pytest

from tests.controller.fakes import Crash, Tripwire, World, difference
from tests.controller.lives import LIVES, Stages

MODES = ["before", "after", "reply lost"]
CREATES = (
    "s3:CreateBucket",
    "dynamodb:CreateTable",
    "create flinkdeployments",
    "create configmaps",
    "dynamodb:ImportTable",
    "dynamodb:StartBulkPutItems",
)


class Reference(NamedTuple):
    """A life without any fault: its stages, how many mutations it took, and how often each was made."""

    stages: Stages
    mutations: int
    done: dict[str, int]


@cache
def undisturbed(life: str) -> Reference:
    world = World()
    stages = LIVES[life](world)
    assert world.flink.violations == []
    return Reference(stages, world.wire.count, dict(world.wire.done))


def wrong(life: str, at: int, mode: str) -> str | None:
    """What is wrong after a crash at that mutation; None where all is well."""
    expected = undisturbed(life)
    world = World(wire=Tripwire(at, mode))
    stages = LIVES[life](world)
    if world.flink.violations:
        return f"{world.flink.violations}"
    if told := difference(stages, expected.stages):
        return told
    many = {name: world.wire.done[name] for name in CREATES if world.wire.done[name] > expected.done.get(name, 0)}
    return f"created more than once: {many}" if many else None


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("life", LIVES)
def test_a_crash_at_any_mutation_leads_to_the_same_end_with_each_thing_created_once(life: str, mode: str) -> None:
    steps = range(1, undisturbed(life).mutations + 1)
    failures = {at: told for at in steps if (told := wrong(life, at, mode))}
    assert not failures, "\n".join(f"mutation {at}, {mode}: {told}" for at, told in failures.items())


@pytest.mark.parametrize("life", LIVES)
def test_an_undisturbed_life_leaves_nothing_temporary(life: str) -> None:
    reference = undisturbed(life)
    removed = reference.stages["removed"]
    assert (removed["flinkDeployments"], removed["clusters"], removed["configMaps"]) == ([], [], [])
    others = ("adopted", "shared", "put", "put_left")
    assert removed["buckets"] == ({"my-import-bucket": ["precious"]} if life in others else {})
    assert list(removed["tables"]) == (["readings"] if life in (*others, "stopped") else [])
    assert removed["scaling"] == ({}, {})
    assert reference.mutations > 15, "the wire counts"


def test_a_crash_is_never_swallowed() -> None:
    world = World(wire=Tripwire(1, "before"))
    world.apply()
    with pytest.raises(Crash):
        world.reconciler.run_pass("default", "readings", world.read()["metadata"]["uid"])
