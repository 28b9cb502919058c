"""The whole stack with the controller running, once for these tests; each test takes names of its own."""

from collections.abc import Iterator

import pytest

from local.demo import World
from local.lindorm.data import Shape, load
from local.lindorm.store import Store
from local.stack import Stack
from tests.e2e import calls


@pytest.fixture(scope="package")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with Stack(tmp_path_factory.mktemp("stack")) as stack:
        world = World(stack)
        store = Store(stack.folder / "lindorm")
        load(store, Shape(rows=4_000))
        load(store, Shape(rows=40_000, table="many"))
        world.create_secret()
        world.start_controller()
        yield world
        log = (stack.folder / "log" / "controller.log").read_text()
        assert "Traceback" not in log, log[-4000:]
        assert stack.environment["LINDORM_PASSWORD"] not in log
        assert calls.made_by_the_job(world) - calls.listed() == set(), "the job called what its role is not allowed"
