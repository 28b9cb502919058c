"""The job's result decides, in every state of its FlinkDeployment; and what it costs to look for it."""

from dataclasses import replace
from typing import Any

import pytest

from lindorm_import.api.status import ImportStatus
from lindorm_import.decide import decide
from lindorm_import.domain.actions import DeleteDeployment
from lindorm_import.domain.observed import DeploymentSeen, JobSeen, Observed, ResultSeen
from lindorm_import.domain.trouble import Trouble
from tests.controller.factories import IDENTITY, NO_DEPLOYMENT, NOW, READY_TO_START, RESULT, RUNNING, TABLE, spec
from tests.controller.fakes import World
from tests.controller.lives import DELETE, works
from tests.controller.test_decide import SETTINGS, allocated, reason, running, step, submitted, truth  # noqa: F401  (fixtures)
from tests.controller.test_faults import RUN
from tests.controller.test_many import CALLS_A_MINUTE

RESULT_KEY = "lindorm-import/default/readings/r1a2b3c4d/result/result.json"
GET = "s3:GetObject"
# What Flink 1.20 and operators up to 1.15 say of a job and of its JobManager, what they may say one day, and nothing.
JOB_STATES = [
    "RECONCILING", "CREATED", "INITIALIZING", "RUNNING", "RESTARTING", "FAILING", "FAILED", "CANCELLING", "CANCELED",
    "SUSPENDED", "FINISHED", "SOMETHING_NEW", "",
]  # fmt: skip
JOB_MANAGERS = ["READY", "DEPLOYED_NOT_READY", "DEPLOYING", "MISSING", "ERROR", "SOMETHING_NEW", ""]
OTHERWISE: list[dict[str, Any]] = [
    {},
    {"deleting": True},
    {"wanted_state": "suspended", "lifecycle": "SUSPENDED", "job_manager": "MISSING"},
    {"wanted_state": "suspended", "lifecycle": "UPGRADING"},
    {"lifecycle": "FAILED"},
    {"lifecycle": "ROLLED_BACK"},
    {"reconciliation": "UPGRADING"},
    {"observed_generation": 0},
    {"lifecycle": "", "reconciliation": "", "job_id": None},
]
DEPLOYMENTS = [
    *(replace(RUNNING, job_state=state) for state in JOB_STATES),
    *(replace(RUNNING, job_state="RECONCILING", job_manager=state, error="CrashLoopBackOff") for state in JOB_MANAGERS),
    *(replace(RUNNING, **{"job_state": "FINISHED", **other}) for other in OTHERWISE),
    *(replace(RUNNING, **{"job_state": "RECONCILING", **other}) for other in OTHERWISE),
    NO_DEPLOYMENT,
]


def name(deployment: DeploymentSeen) -> str:
    parts = (deployment.job_state, deployment.job_manager, deployment.lifecycle, deployment.reconciliation)
    asked = ("deleting",) if deployment.deleting else (deployment.wanted_state,)
    return "-".join((*parts, *asked)) if deployment.exists else "gone"


every_state = pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=name)


@every_state
@pytest.mark.parametrize("result", [RESULT, replace(RESULT, items_written=1000, rows_rejected=0)])
@pytest.mark.parametrize("suspend", [False, True])
def test_the_result_makes_an_import_complete_in_every_state(
    running: ImportStatus,  # noqa: F811
    deployment: DeploymentSeen,
    result: ResultSeen,
    suspend: bool,
) -> None:
    decision = step(running, replace(READY_TO_START, deployment=deployment, result=result), spec(suspend=suspend))
    assert truth(decision)["Complete"] == "True"
    assert decision.status.results is not None
    assert decision.status.results.items_written == result.items_written
    after = step(decision.status, Observed(deployment=deployment, table=TABLE))
    removed = [DeleteDeployment("limport-readings-r1a2b3c4d", "d-1")]
    assert list(after.actions[:1]) == (removed if deployment.exists and not deployment.deleting else [])


@every_state
@pytest.mark.parametrize("job", [None, JobSeen("RUNNING", rows_read=1000), JobSeen("FINISHED", rows_read=1000)])
def test_nothing_but_the_result_makes_an_import_complete(
    running: ImportStatus,  # noqa: F811
    deployment: DeploymentSeen,
    job: JobSeen | None,
) -> None:
    status = running
    for minutes in range(0, 60, 5):
        seen = replace(READY_TO_START, deployment=deployment, job=job if deployment.exists else None)
        later = NOW.replace(minute=minutes)
        status = decide(IDENTITY, spec(), status, seen, later, SETTINGS).status
        assert "Complete" not in {c.type for c in status.conditions}


@every_state
def test_an_import_does_not_fail_while_s3_does_not_say_whether_there_is_a_result(
    running: ImportStatus,  # noqa: F811
    deployment: DeploymentSeen,
) -> None:
    status = running
    trouble = Trouble("AwsUnreachable", "S3 does not answer")
    for minutes in range(0, 60, 5):
        seen = replace(READY_TO_START, deployment=deployment, result=trouble)
        decision = decide(IDENTITY, spec(), status, seen, NOW.replace(minute=minutes), SETTINGS)
        assert not {"Complete", "Failed"} & truth(decision).keys()
        assert not decision.actions
        status = decision.status


def test_a_result_of_another_run_does_not_end_a_job_that_goes_on(running: ImportStatus) -> None:  # noqa: F811
    seen = Observed(deployment=replace(RUNNING, job_state="RECONCILING"), result=replace(RESULT, run_id="r00000000"))
    assert not {"Complete", "Failed"} & truth(step(running, seen)).keys()


def test_a_job_that_flink_calls_finished_and_the_operator_never_does_is_not_waited_for_for_ever(
    running: ImportStatus,  # noqa: F811
) -> None:
    seen = Observed(deployment=RUNNING, job=JobSeen("FINISHED", rows_read=1000))
    first = decide(IDENTITY, spec(), running, seen, NOW, SETTINGS)
    assert reason(first, "JobRunning") == "ResultMissing"
    later = decide(IDENTITY, spec(), first.status, seen, NOW.replace(minute=6), SETTINGS)
    assert reason(later, "Failed") == "ResultMissing"


@pytest.mark.parametrize("job_manager", ["ERROR", "DEPLOYING", "MISSING", "READY"])
def test_a_job_that_finished_and_whose_job_manager_died_before_the_operator_looked_is_complete(
    job_manager: str,
) -> None:
    """The operator never says FINISHED of it: the new JobManager runs main again, which Flink refuses, and crashes."""
    world = World()
    world.apply(**DELETE)
    world.drive(lambda _: works(world))
    world.flink.down = True
    while not world.aws.s3.keys("my-import-bucket", RESULT_KEY):
        world.tick()
    del world.flink.clusters[RUN]
    deployment = world.api.get("flinkdeployments", RUN)
    assert deployment is not None
    status = {**deployment["status"], "jobManagerDeploymentStatus": job_manager}
    status["jobStatus"] = {**status["jobStatus"], "state": "RECONCILING"}
    world.api.change(deployment, {**deployment, "status": status})
    world.drive(lambda _: world.ended())
    assert world.conditions()["Complete"] == "True"
    assert world.flink.submissions == 1


def asked(world: World, passes: int = 20) -> int:
    """How often that many passes ask S3 for the result."""
    world.idle(3)
    world.calls.clear()
    world.idle(passes)
    return world.calls[GET]


def at_work() -> World:
    world = World()
    world.flink.endless = True
    world.apply(**DELETE)
    world.drive(lambda _: works(world))
    return world


def test_the_result_is_not_asked_for_while_flink_says_that_the_job_goes_on() -> None:
    assert asked(at_work()) == 0
    assert GET not in CALLS_A_MINUTE


def test_the_result_is_asked_for_once_a_look_while_the_job_manager_does_not_answer() -> None:
    world = at_work()
    world.reconciler.clients.look_at_job = lambda base, job_id: None
    assert asked(world, passes=20) == 20


def test_an_import_at_rest_asks_for_no_result() -> None:
    world = at_work()
    world.edit(suspend=True)
    world.drive(lambda _: world.conditions().get("Suspended") == "True")
    assert asked(world) == 0
