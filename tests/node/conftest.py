"""One node for all tests here, with the controller installed by its chart. Nothing of it may be left afterwards."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing

import pytest

from local.demo import World
from local.node import Node, leftovers
from local.node.cluster import namespace
from tests.node.alongside import Running
from tests.node.imports import BESIDE, ROWS, TABLE, VALUES, Cluster

MANY = 200_000  # half of them are in the example's time range
AT_ONCE = 4  # imports that fit on two cores; a JobManager and a TaskManager each


@pytest.fixture(scope="session")
def node() -> Iterator[Node]:
    before = leftovers.look()
    with Node() as node:
        node.load_rows(MANY)
        node.load_rows(2 * ROWS, TABLE)
        node.create_secret()
        for name, standard in BESIDE.items():
            node.apply(*namespace(name, standard))
            node.create_secret(namespace=name)
        node.install_controller(values=VALUES)
        yield node
    assert leftovers.look() - before == set(), "the node left something on the machine"


@pytest.fixture(scope="session")
def cluster(node: Node) -> Iterator[Cluster]:
    """The namespace of the imports, with clients from outside."""
    with closing(Cluster(node)) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def world(cluster: Cluster) -> World:
    """Clients of the node's API server and AWS, from outside."""
    return cluster.world


@pytest.fixture(scope="session")
def alongside(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[Running]:
    """The scenarios of the selected tests, started in their order, a few at a time."""
    scenarios = [item.obj.scenario for item in request.session.items if hasattr(getattr(item, "obj", None), "scenario")]
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="import") as pool:
        yield {scenario: pool.submit(scenario, cluster) for scenario in scenarios}
        pool.shutdown(cancel_futures=True)


@pytest.fixture
def alone(alongside: Running) -> None:
    """None of the scenarios that run beside each other runs any more."""
    wait(alongside.values())
