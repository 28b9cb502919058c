"""One node for all tests here, with the controller installed by its chart. Nothing of it may be left afterwards."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from local.demo import World
from local.node import Node, leftovers
from local.node.cluster import IMPORTS

ROWS = 200_000  # half of them are in the example's time range


@pytest.fixture(scope="session")
def node() -> Iterator[Node]:
    before = leftovers.look()
    with Node() as node:
        node.load_rows(ROWS)
        node.create_secret()
        node.install_controller()
        yield node
    assert leftovers.look() - before == set(), "the node left something on the machine"


@pytest.fixture(scope="session")
def world(node: Node) -> Iterator[World]:
    """Clients of the node's API server and AWS, from outside."""
    with closing(World(node, IMPORTS)) as world:
        yield world
