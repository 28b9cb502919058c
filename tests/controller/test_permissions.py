"""The list of permissions is what the controller uses: every call of every kind of life is listed, and nothing else is.

The real API server's audit log says the same of Kubernetes (tests/faults/test_real_services.py).
"""

import inspect
import re
from functools import cache
from pathlib import Path

import pytest

from lindorm_import.permissions import needed
from lindorm_import.permissions.needed import ARNS, CONDITIONS, CONTROLLER_AWS, CONTROLLER_KUBERNETES, JOB_AWS
from tests.controller.aws import AwsCall
from tests.controller.fakes import World
from tests.controller.kubernetes_api import Call
from tests.controller.lives import DELETE, LIVES, make_table, works

# kopf's own part: it watches the imports, sets and drops the finalizer and posts events (tests/faults proves them).
KOPFS = {
    ("lindorm.io", "lindormimports", "watch"),
    ("lindorm.io", "lindormimports", "patch"),
    ("", "events", "create"),
    ("apiextensions.k8s.io", "customresourcedefinitions", "list"),
    ("apiextensions.k8s.io", "customresourcedefinitions", "watch"),
    ("", "namespaces", "list"),
    ("", "namespaces", "watch"),
}
# Whoever is asked about, IAM lets everyone ask who they are; and every user may ask Kubernetes what they may do.
FREE = {"sts:GetCallerIdentity"}


@cache
def used() -> tuple[frozenset[str], frozenset[tuple[str, str, str]]]:
    """AWS operations and Kubernetes requests of every life there is, and of the options that the lives leave out."""
    aws: set[str] = set()
    kubernetes: set[tuple[str, str, str]] = set()

    def note(call: AwsCall | Call) -> None:
        if isinstance(call, AwsCall):
            aws.add(str(call))
        elif call.resource != "selfsubjectaccessreviews":
            kubernetes.add((call.group, call.resource, call.verb))

    for life in LIVES.values():
        life(World(faults=note))
    _options(note)
    return frozenset(aws), frozenset(kubernetes)


def _options(note: object) -> None:
    """A virtual cluster, rates changed while the job runs, auto scaling that was there before, and a time to live;
    and a pod of the job that waits."""
    world = World(faults=note)  # type: ignore[arg-type]
    world.api.add(
        "pods",
        {"metadata": {"name": "x", "labels": {"app": "limport-readings-r1a2b3c4d"}}, "status": {"phase": "Pending"}},
    )
    world.aws.emr.clusters["abc123"] = ("RUNNING", "default")
    capacity = {"mode": "Provisioned", "writeUnits": 50, "autoscaling": {"min": 10, "max": 90}}
    world.flink.endless = True
    world.apply(**DELETE, **{"job.virtualClusterId": "abc123", "ttlAfterFinished": "1m", "target.capacity": capacity})
    world.drive(lambda _: works(world))
    world.edit(**{"source.maxRowsPerSecond": 10, "target.capacity": {"mode": "Provisioned", "writeUnits": 50}})
    world.drive(lambda _: not world.aws.scaling.targets)
    world.edit(**{"target.capacity": {"mode": "Provisioned", "writeUnits": 50}})
    world.flink.endless = False
    world.drive(lambda _: world.gone())
    _keeps_bounds(note)


def _keeps_bounds(note: object) -> None:
    """Bounds that were there stay, and only the import's own policy goes."""
    world = World(faults=note)  # type: ignore[arg-type]
    make_table(world, units=20)
    world.aws.scaling.targets["table/readings"] = (5, 40)
    capacity = {"mode": "Provisioned", "writeUnits": 30, "autoscaling": {"min": 10, "max": 90}}
    world.apply(**DELETE, **{"target.capacity": capacity})
    world.run_to_end()
    world.remove()
    assert world.aws.scaling.targets["table/readings"] == (5, 40)


def test_every_aws_call_is_listed_and_every_listed_one_is_made() -> None:
    listed = {call for action in CONTROLLER_AWS for call in action.calls}
    assert used()[0] - FREE - listed == set(), "called, but not listed"
    assert listed - used()[0] == set(), "listed, but never called"


def test_every_kubernetes_request_is_listed_and_every_listed_one_is_made() -> None:
    listed = {(rule.group, rule.resource, verb) for rule in CONTROLLER_KUBERNETES for verb in rule.verbs}
    assert used()[1] - listed == set(), "requested, but not listed"
    assert listed - used()[1] == KOPFS


def test_an_action_without_a_call_stands_behind_one_that_is_made() -> None:
    calls = {call for action in (*CONTROLLER_AWS, *JOB_AWS) for call in action.calls}
    for action in (*CONTROLLER_AWS, *JOB_AWS):
        assert bool(action.calls) != bool(action.behind), action.action
        assert set(action.behind) <= calls, action.action


def test_every_write_is_bound_to_a_resource_and_nothing_is_listed_twice() -> None:
    reads = ("Describe", "Get", "List")
    for actions in (CONTROLLER_AWS, JOB_AWS):
        assert len({a.action for a in actions}) == len(actions)
        for action in actions:
            assert action.resource in ARNS
            assert action.condition is None or action.condition in CONDITIONS
            bounded = action.resource != "any" or action.condition is not None
            assert bounded or action.action.split(":")[1].startswith(reads), action.action


def test_every_asterisk_of_the_list_has_its_reason_beside_it() -> None:
    source = Path(inspect.getfile(needed)).read_text()
    lines = source[source.index("ARNS:") : source.index("class AwsAction")].splitlines()
    starred = [(number, line) for number, line in enumerate(lines) if re.search(r"""["'][^"']*\*[^"']*["']""", line)]
    assert len(starred) >= 6
    for number, line in starred:
        assert "  # " in line or lines[number - 1].lstrip().startswith("# "), line


@pytest.mark.parametrize("actions", [CONTROLLER_AWS, JOB_AWS])
def test_what_is_done_to_buckets_and_scaling_is_bound_to_the_account_and_to_tables(
    actions: tuple[needed.AwsAction, ...],
) -> None:
    """Their ARNs say neither."""
    for action in actions:
        if action.resource in ("bucket", "objects"):
            assert "aws:ResourceAccount" in str(CONDITIONS[action.condition or ""]), action.action
        if action.resource == "scaling":
            assert "application-autoscaling:service-namespace" in str(CONDITIONS[action.condition or ""]), action.action


def test_deleting_a_table_is_allowed_only_where_it_carries_an_imports_tag() -> None:
    delete = next(a for a in CONTROLLER_AWS if a.action == "dynamodb:DeleteTable")
    assert delete.condition == "ours"
    assert CONDITIONS["ours"] == {"Null": {"aws:ResourceTag/lindorm.io/uid": "false"}}
