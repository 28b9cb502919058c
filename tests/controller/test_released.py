"""An import that has ended and whose pods or table still cost money is seen as such until they do not."""

from typing import Any

import pytest

from lindorm_import.api import PLURAL
from tests.controller.aws_services import Refused
from tests.controller.fakes import AnyCall, World
from tests.controller.kstatus import kstatus
from tests.controller.kubernetes_api import Refusal
from tests.controller.lives import SCALED, make_table


def refused(call: AnyCall) -> None:
    """What gives a table its capacity back, and what removes the pods."""
    if str(call) in ("dynamodb:UpdateTable", "application-autoscaling:DeregisterScalableTarget"):
        raise Refused("AccessDeniedException", "not authorized")


def test_an_import_is_in_progress_from_its_first_moment_on() -> None:
    world = World()
    world.apply()
    assert kstatus(world.read()) == "InProgress"
    world.run_pass()
    assert world.status()["observedGeneration"] == 1
    assert kstatus(world.read()) == "InProgress"


@pytest.mark.parametrize("adopted", [False, True])
def test_complete_is_not_ready_before_the_table_has_what_it_is_left_with(adopted: bool) -> None:
    world = World()
    changes: dict[str, Any] = SCALED
    if adopted:
        make_table(world, units=7)
        changes = {"target.capacity.writeUnits": 400}
    world.apply(**changes)
    world.drive(lambda _: world.conditions().get("JobRunning") == "True")
    world.faults = refused
    events: list[tuple[str, str]] = []
    world.drive(lambda o: bool(events.extend((e.type, e.reason) for e in o.events)) or world.ended())
    for _ in range(6):
        outcome = world.run_pass()
        assert outcome
        events.extend((e.type, e.reason) for e in outcome.events)
        world.tick(2)
    told = world.condition("Released")
    assert (told["status"], told["reason"]) == ("False", "AwsAccessDenied")
    assert "table readings" in told["message"]
    assert world.conditions()["Complete"] == "True", "every row is there"
    assert world.conditions()["Ready"] == "False"
    assert kstatus(world.read()) == "InProgress"
    assert ("Warning", "AwsAccessDenied") in events
    world.faults = lambda call: None
    world.run_to_end()
    assert (world.conditions()["Released"], world.conditions()["Ready"]) == ("True", "True")
    assert kstatus(world.read()) == "Current"
    assert "items written" in world.condition("Ready")["message"]


def test_a_failed_import_stays_failed_and_says_that_its_table_was_not_given_back() -> None:
    world = World()
    make_table(world, units=7)
    world.flink.fail_at, world.flink.hopeless = [1], True
    world.apply(**{"target.capacity.writeUnits": 400})
    world.drive(
        lambda _: world.aws.dynamodb.tables["readings"].description["ProvisionedThroughput"]["WriteCapacityUnits"] > 7
    )
    world.faults = refused
    world.drive(lambda _: world.condition("Released").get("reason") == "AwsAccessDenied")
    assert (world.conditions()["Failed"], world.conditions()["Released"]) == ("True", "False")
    assert kstatus(world.read()) == "Failed"
    world.faults = lambda call: None
    world.run_to_end()
    assert (world.conditions()["Failed"], world.conditions()["Released"]) == ("True", "True")
    assert kstatus(world.read()) == "Failed"


def test_pods_that_cannot_be_removed_are_seen_after_the_end() -> None:
    world = World()
    world.apply()
    world.drive(lambda _: world.ended())

    def stays(call: AnyCall) -> None:
        if str(call) == "delete flinkdeployments":
            raise Refusal(403, "may not delete")

    world.faults = stays
    world.drive(lambda _: world.condition("Released").get("reason") == "KubernetesForbidden")
    assert "pods are still there" in world.condition("Released")["message"]
    assert kstatus(world.read()) == "InProgress"
    world.faults = lambda call: None
    world.run_to_end()
    assert kstatus(world.read()) == "Current"


def test_a_table_that_somebody_is_deleting_after_the_end_costs_nothing() -> None:
    world = World()
    world.apply(**SCALED)
    world.drive(lambda _: world.ended())
    world.aws.dynamodb.tables["readings"].until = 1e9
    world.aws.dynamodb.tables["readings"].state = "DELETING"
    world.run_to_end()
    assert world.conditions()["Released"] == "True"
    assert world.api.names(PLURAL) == ["readings"]
