"""Permissions, asked for before anything is made."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

from lindorm_import.adapters.cache import AnswerCache
from lindorm_import.adapters.iam import look_at_permissions
from lindorm_import.adapters.kube import Kube
from lindorm_import.domain.observed import BucketSeen, PermissionsSeen, TableSeen
from lindorm_import.domain.trouble import Trouble, TroubleError
from lindorm_import.permissions.needed import CONDITIONS
from lindorm_import.permissions.preflight import PermissionScope, controller_actions
from tests.controller.factories import READY_TO_START, UID, spec
from tests.controller.situations import allocated, condition, step, told

CALLER = "arn:aws:sts::123456789012:assumed-role/controller/pod-1"
ROLE = "arn:aws:iam::123456789012:role/job"
Decide = Callable[[str, str], tuple[str, list[str]]]


class Sts:
    def get_caller_identity(self) -> dict[str, Any]:
        return {"Arn": CALLER}


class Iam:
    """A policy simulator; decide says decision and missing context of an action on a resource."""

    def __init__(self, decide: Decide) -> None:
        self._decide = decide
        self.asked: list[dict[str, Any]] = []

    def simulate_principal_policy(self, **request: Any) -> dict[str, Any]:
        self.asked.append(request)
        results = []
        for action in request["ActionNames"]:
            decision, missing = self._decide(action, request["ResourceArns"][0])
            results.append({"EvalActionName": action, "EvalDecision": decision, "MissingContextValues": missing})
        return {"EvaluationResults": results}


class KubeAnswers:
    def __init__(self, denied: tuple[str, ...] = (), trouble: Trouble | None = None) -> None:
        self._denied, self._trouble = denied, trouble

    def denied(self, namespace: str) -> tuple[str, ...]:
        if self._trouble:
            raise TroubleError(self._trouble)
        return self._denied


def all_allowed(action: str, resource: str) -> tuple[str, list[str]]:
    return "allowed", []


def denies(wanted: str, decision: str = "implicitDeny", missing: tuple[str, ...] = ()) -> Decide:
    return lambda action, _: (decision, list(missing)) if action == wanted else ("allowed", [])


def question(exists: bool = False, **changes: Any) -> PermissionScope:
    return PermissionScope("default", UID, spec(**changes), exists, exists)


def look(iam: Iam, asked: PermissionScope, kube: KubeAnswers | None = None) -> PermissionsSeen:
    return look_at_permissions(iam, Sts(), cast(Kube, kube or KubeAnswers()), asked, AnswerCache())


def test_the_controllers_role_is_asked_for_what_this_import_needs_on_its_own_resources() -> None:
    iam = Iam(all_allowed)
    assert look(iam, question()) == PermissionsSeen()
    asked = {(a, request["ResourceArns"][0]) for request in iam.asked for a in request["ActionNames"]}
    assert ("dynamodb:CreateTable", "arn:aws:dynamodb:us-west-2:123456789012:table/readings") in asked
    assert ("s3:CreateBucket", "arn:aws:s3:::my-import-bucket") in asked
    assert ("s3:GetObject", "arn:aws:s3:::my-import-bucket/lindorm-import/*") in asked
    assert {request["PolicySourceArn"] for request in iam.asked} == {"arn:aws:iam::123456789012:role/controller"}
    keys = {entry["ContextKeyName"] for entry in iam.asked[0]["ContextEntries"]}
    assert "aws:RequestTag/lindorm.io/uid" in keys


@pytest.mark.parametrize(
    ("changes", "exists", "action", "needed"),
    [
        ({}, True, "dynamodb:CreateTable", False),
        ({}, False, "dynamodb:DeleteTable", False),
        ({"target.deletionPolicy": "Delete"}, False, "dynamodb:DeleteTable", True),
        ({"target.deletionPolicy": "Delete"}, True, "dynamodb:DeleteTable", False),
        ({"staging.deletionPolicy": "Retain"}, False, "s3:DeleteBucket", False),
        ({}, False, "dynamodb:UpdateTable", False),
        ({"target.capacity.writeUnits": 7000}, True, "dynamodb:UpdateTable", True),
        ({}, False, "application-autoscaling:PutScalingPolicy", False),
        (
            {"target.capacity": {"mode": "Provisioned", "writeUnits": 9, "autoscaling": {"min": 1, "max": 9}}},
            False,
            "application-autoscaling:PutScalingPolicy",
            True,
        ),
        ({}, False, "cloudwatch:GetMetricData", False),
        ({}, False, "iam:SimulatePrincipalPolicy", False),
    ],
)
def test_nothing_is_asked_for_that_this_import_will_not_do(
    changes: dict[str, Any], exists: bool, action: str, needed: bool
) -> None:
    assert (action in {a.action for a in controller_actions(question(exists, **changes))}) == needed


def test_the_jobs_role_is_asked_too() -> None:
    iam = Iam(denies("dynamodb:BatchWriteItem"))
    seen = look(iam, question(**{"job.executionRoleArn": ROLE}))
    table = "arn:aws:dynamodb:us-west-2:123456789012:table/readings"
    assert seen.denied == (f"{ROLE} may not dynamodb:BatchWriteItem on {table}",)


def test_an_implicit_denial_on_what_exists_is_doubtful_because_its_own_policy_may_allow_it() -> None:
    iam = Iam(denies("s3:GetObject"))
    assert look(iam, question(exists=False)).denied
    seen = look(iam, question(exists=True))
    assert seen.denied == ()
    assert len(seen.doubtful) == 1


def test_an_explicit_denial_is_certain_wherever_it_is() -> None:
    assert look(Iam(denies("s3:GetObject", "explicitDeny")), question(exists=True)).denied


def test_a_denial_that_hangs_on_an_unknown_condition_is_doubtful() -> None:
    seen = look(Iam(denies("dynamodb:CreateTable", missing=("aws:SourceIp",))), question())
    assert (seen.denied, len(seen.doubtful)) == ((), 1)


def test_a_simulator_that_may_not_be_asked_denies_nothing() -> None:
    def refuse(action: str, resource: str) -> tuple[str, list[str]]:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "SimulatePrincipalPolicy")

    seen = look(Iam(refuse), question(**{"job.executionRoleArn": ROLE}))
    assert seen.denied == ()
    assert len(seen.doubtful) == 2
    assert all("AccessDenied" in words for words in seen.doubtful)


def test_missing_rbac_is_certain_and_an_api_server_that_does_not_say_is_doubtful() -> None:
    iam = Iam(all_allowed)
    assert look(iam, question(), KubeAnswers(("may not delete configmaps",))).denied == ("may not delete configmaps",)
    away = KubeAnswers(trouble=Trouble("KubernetesUnreachable", "no answer"))
    assert look(iam, question(), away) == PermissionsSeen(doubtful=("no answer",))


NOTHING_THERE = replace(READY_TO_START, table=TableSeen(exists=False), bucket=BucketSeen(exists=False))


def test_what_is_surely_missing_holds_the_import_before_anything_is_made_and_heals() -> None:
    denied = replace(NOTHING_THERE, permissions=PermissionsSeen(denied=("role x may not y",)))
    held = step(allocated(), denied)
    assert held.actions == ()
    assert told(held, "PermissionsReady") == ("False", "PermissionMissing")
    assert held.trouble is not None
    assert not held.trouble.spec, "the world must change, so it is asked again"
    healed = step(held.status, replace(NOTHING_THERE, permissions=PermissionsSeen()))
    assert told(healed, "PermissionsReady") == ("True", "Simulated")
    assert len(healed.actions) == 1


def test_what_is_doubtful_is_told_and_holds_nothing() -> None:
    seen = replace(NOTHING_THERE, permissions=PermissionsSeen(doubtful=("role x was not checked",)))
    decision = step(allocated(), seen)
    assert told(decision, "PermissionsReady") == ("Unknown", "Unverified")
    found = condition(decision, "PermissionsReady")
    assert found is not None
    assert "role x was not checked" in found.message
    assert len(decision.actions) == 1


def test_a_budget_that_the_plan_exceeds_leaves_nothing_behind() -> None:
    costly = replace(NOTHING_THERE, source=replace(cast(Any, READY_TO_START.source), rows=1_250_000_000))
    decision = step(allocated(), costly, spec(**{"budget.maxCostUSD": "100"}))
    assert decision.actions == ()
    assert decision.status.resources == allocated().resources
    assert told(decision, "Stalled") == ("True", "OverBudget")
    assert decision.status.plan is not None, "the user sees what it would have cost"


def test_imports_that_have_the_same_questions_ask_them_once_a_minute() -> None:
    now = [0.0]
    iam, answers = Iam(all_allowed), AnswerCache(lambda: now[0])

    def ask(**changes: Any) -> int:
        """How many calls it takes."""
        before = len(iam.asked)
        about = question(**{"job.executionRoleArn": ROLE, **changes})
        assert look_at_permissions(iam, Sts(), cast(Kube, KubeAnswers()), about, answers) == PermissionsSeen()
        return len(iam.asked) - before

    assert ask() == 7
    assert ask() == 0
    assert ask(**{"target.table": "other"}) == 2, "the controller's role and the job's, on that table"
    now[0] = 60
    assert ask() == 7


def test_who_asks_what_is_being_asked_waits_for_that_answer_and_nobody_else_does() -> None:
    answers, begun, answer = AnswerCache(), threading.Event(), threading.Event()
    calls: list[str] = []

    def slow() -> str:
        calls.append("slow")
        begun.set()
        answer.wait(10)
        return "yes"

    with ThreadPoolExecutor(8) as threads:
        waiting = [threads.submit(answers.get, "question", slow) for _ in range(6)]
        begun.wait(10)
        assert answers.get("another", lambda: "no") == "no"
        answer.set()
        assert [w.result() for w in waiting] == ["yes"] * 6
    assert calls == ["slow"]


def test_an_answer_that_raises_is_asked_for_again() -> None:
    answers = AnswerCache()
    with pytest.raises(ZeroDivisionError):
        answers.get("question", lambda: 1 // 0)
    assert answers.get("question", lambda: 1) == 1


def test_the_simulator_is_told_what_the_policies_conditions_ask_for() -> None:
    """What it is not told it would call missing, or deny."""
    iam = Iam(lambda *_: ("allowed", []))
    look(iam, question())
    assert iam.asked
    for request in iam.asked:
        entries = {e["ContextKeyName"]: e["ContextKeyValues"] for e in request["ContextEntries"]}
        account = request["PolicySourceArn"].split(":")[4]
        assert entries["aws:ResourceAccount"] == [account]
        assert entries["application-autoscaling:service-namespace"] == ["dynamodb"]
        wanted = {key for c in CONDITIONS.values() for key in c.get("StringEquals", {})}
        assert wanted <= entries.keys()
