"""Whole lives of an import under other operators than EMR's."""

from functools import partialmethod

import pytest

from local.flink.model import UPSTREAM, UPSTREAM_1_7, Release
from tests.controller.fakes import World
from tests.controller.flink_operator import FLINK
from tests.controller.lives import LIVES, works


@pytest.fixture(params=[UPSTREAM, UPSTREAM_1_7], ids=["1.10.0", "1.7.0"])
def upstream(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> World:
    """A world with an upstream operator: it gives each FlinkDeployment generation 2, and makes no service account."""
    world, release = World(), request.param
    assert isinstance(release, Release)
    world.flink.release = release
    # For all worlds: those that are compared have to be asked for the same.
    monkeypatch.setattr(World, "apply", partialmethod(World.apply, **{"job.serviceAccount": "flink"}))
    return world


@pytest.mark.parametrize("life", LIVES)
def test_an_import_lives_the_same_life_under_an_upstream_operator(life: str, upstream: World) -> None:
    told = LIVES[life](upstream)
    other = World()
    expected = LIVES[life](other)
    assert told["removed"] == expected["removed"]
    assert told.get("ended") == expected.get("ended")
    assert upstream.flink.violations == []


def test_the_controller_never_puts_back_what_an_upstream_operator_has_dropped(upstream: World) -> None:
    upstream.flink.endless = True
    upstream.apply()
    upstream.drive(lambda _: bool(upstream.flink.running()))
    (found,) = upstream.api.all(FLINK)
    assert "emrReleaseLabel" not in found["spec"]
    assert found["metadata"]["generation"] == 2
    upstream.drive(lambda _: works(upstream))
    assert found["metadata"]["generation"] == 2
