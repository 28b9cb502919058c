"""No job runs as the controller's own service account, policy or not."""

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lindorm_import.adapters.kube import own_user
from lindorm_import.api.status import ImportStatus
from lindorm_import.decide import Decision, Settings, decide
from lindorm_import.domain.actions import CreateObject, ResumeJob, SuspendJob
from lindorm_import.domain.observed import DeploymentSeen, Observed
from tests.controller.factories import IDENTITY, NOW, READY_TO_START, RUNNING, spec

SETTING = "kubernetes.{}service-account".format
ROLE = "arn:aws:iam::123456789012:role/jobs"
STOPPED = replace(RUNNING, wanted_state="suspended", job_state="FINISHED", job_manager="MISSING")


def step(user: str | None, status: ImportStatus, seen: Observed, **changes: Any) -> Decision:
    return decide(IDENTITY, spec(**changes), status, seen, NOW, Settings(user=user))


def last(user: str | None, **changes: Any) -> Decision:
    """Of the passes until the job is submitted, or the import is held up."""
    decision = step(user, ImportStatus(), Observed(), **changes)
    for _ in range(5):
        decision = step(user, decision.status, READY_TO_START, **changes)
        if decision.trouble or any(isinstance(a, CreateObject) for a in decision.actions):
            break
    return decision


@pytest.mark.parametrize(
    ("account", "changes"),
    [
        ("importer", {"job.serviceAccount": "importer"}),
        ("importer", {"job.serviceAccount": "importer", "job.executionRoleArn": ROLE}),
        ("importer", {"job.flinkConfiguration": {SETTING(""): "importer"}}),
        ("importer", {"job.flinkConfiguration": {SETTING("jobmanager."): "importer"}}),
        ("importer", {"job.flinkConfiguration": {SETTING("taskmanager."): "importer"}}),
        ("default", {}),
    ],
)  # fmt: skip
def test_a_job_that_would_run_as_the_controller_is_not_submitted(account: str, changes: dict[str, Any]) -> None:
    decision = last(f"system:serviceaccount:default:{account}", **changes)
    assert decision.trouble is not None
    assert decision.trouble.reason == "ControllersServiceAccount"
    assert decision.trouble.spec, "nothing but another spec helps"
    assert f"service account {account}" in decision.trouble.message
    assert decision.actions == ()


@pytest.mark.parametrize(
    ("user", "changes"),
    [
        ("system:serviceaccount:default:importer", {}),
        ("system:serviceaccount:default:importer", {"job.serviceAccount": "flink"}),
        ("system:serviceaccount:elsewhere:importer", {"job.serviceAccount": "importer"}),
        ("system:serviceaccount:default:default", {"job.executionRoleArn": ROLE}),
        (None, {"job.serviceAccount": "importer"}),
    ],
)
def test_every_other_service_account_is_let_by(user: str | None, changes: dict[str, Any]) -> None:
    decision = last(user, **changes)
    assert decision.trouble is None
    assert any(isinstance(a, CreateObject) for a in decision.actions)


def test_a_suspended_job_is_not_resumed_as_the_controller_and_can_still_be_stopped() -> None:
    user = "system:serviceaccount:default:importer"
    status = last(user).status
    evil = {"job.serviceAccount": "importer"}
    stopped = replace(READY_TO_START, deployment=STOPPED, config=True, rates="")
    decision = step(user, status, stopped, **evil)
    assert decision.trouble is not None
    assert decision.trouble.reason == "ControllersServiceAccount"
    assert not [a for a in decision.actions if isinstance(a, ResumeJob)]
    assert [a for a in step(user, status, stopped).actions if isinstance(a, ResumeJob)]
    running: DeploymentSeen = replace(RUNNING, wanted_state="running")
    suspended = step(user, status, replace(stopped, deployment=running), **evil, suspend=True)
    assert [a for a in suspended.actions if isinstance(a, SuspendJob)]


def test_the_controller_learns_its_name_from_its_token(tmp_path: Path) -> None:
    token = tmp_path / "token"
    for name in ("a", "ab", "abc", "abcd"):
        sub = f"system:serviceaccount:system:{name}"
        claims = base64.urlsafe_b64encode(json.dumps({"sub": sub}).encode()).decode().rstrip("=")
        token.write_text(f"e30.{claims}.signature\n")
        assert own_user(token) == sub
    for nonsense in ("", "x", "e30.e30.x", "a.b.c", "e30.W10.x"):
        token.write_text(nonsense)
        assert own_user(token) is None
    assert own_user(tmp_path / "none") is None
