"""Tests that run beside each other on the one node: an import waits for most of its time.

Each has an import of its own and does nothing to what the others use. What all of them share (the node, its kubelet,
the Flink operator, the controller) is disturbed by tests without this decorator, which run alone.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future

from tests.node.imports import Cluster

Scenario = Callable[[Cluster], None]
Running = dict[Scenario, "Future[None]"]


def alongside(scenario: Scenario) -> Callable[[Running], None]:
    """The test waits for its scenario, which has been started with all others that were selected."""

    def test(alongside: Running) -> None:
        alongside[scenario].result()

    test.__name__, test.__doc__, test.__module__ = scenario.__name__, scenario.__doc__, scenario.__module__
    test.scenario = scenario  # type: ignore[attr-defined]
    return test
