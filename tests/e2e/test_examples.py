"""Every example is admitted by a real API server, with nothing in it that the resource does not know."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from local.demo import World
from local.stack import Stack

pytestmark = pytest.mark.stack

EXAMPLES = sorted((Path(__file__).resolve().parents[2] / "examples").glob("*.yaml"))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with Stack(tmp_path_factory.mktemp("kube"), parts=["kube"]) as stack:
        yield World(stack)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_the_example_is_admitted(world: World, example: Path) -> None:
    document = yaml.safe_load(example.read_text())
    document["metadata"]["namespace"] = world.namespace
    assert world.apply(document)["metadata"]["name"] == example.stem
