"""The operator stand-in's decisions, without any cluster."""

from __future__ import annotations

import copy
import json
from dataclasses import replace

import pytest

from local.flink import status
from local.flink.decide import error_status, reconcile
from local.flink.model import (
    FINALIZER,
    UPSTREAM,
    UPSTREAM_1_7,
    AddFinalizer,
    Cancel,
    DeleteCluster,
    Event,
    Failure,
    Job,
    Json,
    Outcome,
    Release,
    RemoveFinalizer,
    Seen,
    Submit,
    WriteStatus,
)
from local.flink.rest import effective_state
from local.flink.timing import REAL, back_off_text

NOW = 1_700_000_000_000
JOB_ID = "a" * 32
NEXT_JOB_ID = "b" * 32
NO_SUCH_THING = Seen()


def deployment(**job: object) -> Json:
    """A FlinkDeployment as the controller makes it, never seen by the operator."""
    return {
        "apiVersion": "flink.apache.org/v1beta1",
        "kind": "FlinkDeployment",
        "metadata": {"name": "one", "namespace": "default", "uid": "u", "generation": 1},
        "spec": {
            "flinkVersion": "v1_20",
            "flinkConfiguration": {
                "taskmanager.numberOfTaskSlots": "2",
                "execution.checkpointing.dir": "s3://bucket/checkpoints",
                "execution.checkpointing.savepoint-dir": "s3://bucket/savepoints",
            },
            "jobManager": {
                "highAvailabilityEnabled": True,
                "storageDir": "s3://bucket/ha",
                "replicas": 1,
                "resource": {"memory": "2048m", "cpu": 1},
            },
            "taskManager": {"resource": {"memory": "4g", "cpu": 2}},
            "job": {"entryClass": "Main", "parallelism": 3, "upgradeMode": "last-state", "state": "running", **job},
        },
    }


def look(resource: Json, seen: Seen, now: int = NOW, job_id: str = JOB_ID) -> Outcome:
    """One pass, which must not touch what it is given."""
    before = copy.deepcopy(resource)
    outcome = reconcile(resource, seen, now, job_id, {})
    assert resource == before
    return outcome


def after(resource: Json, seen: Seen, now: int = NOW, job_id: str = JOB_ID) -> Json:
    """The resource after one pass, its actions taken for done."""
    outcome = look(resource, seen, now, job_id)
    resource = copy.deepcopy(resource)
    if AddFinalizer() in outcome.actions:
        resource["metadata"]["finalizers"] = [FINALIZER]
    resource["status"] = outcome.status
    return resource


def changed(resource: Json, **job: object) -> Json:
    """The resource after a user has edited `spec.job`."""
    resource = copy.deepcopy(resource)
    resource["metadata"]["generation"] += 1
    resource["spec"]["job"].update(job)
    return resource


def cluster(state: str | None, generation: int = 1, **more: object) -> Seen:
    """A cluster whose REST API answers; state: the job's, None: no job yet."""
    jobs = () if state is None else (Job(JOB_ID, "copy", state, NOW),)
    return replace(Seen(deployed_generation=generation, port_ready=True, jobs=jobs), **more)  # type: ignore[arg-type]


def in_state(state: str, **job: object) -> Json:
    """A deployment that has gone all the way to this state of its job, first submitted as `deployment(**job)`."""
    resource = after(after(deployment(**job), NO_SUCH_THING), NO_SUCH_THING)
    for _ in range(2):
        resource = after(resource, cluster(None))
    if state != "RUNNING":
        resource = after(resource, cluster("RUNNING"))
    resource = after(resource, cluster(state))
    assert resource["status"]["jobStatus"]["state"] == state
    return resource


def summary(resource: Json) -> tuple[str, str, str, str]:
    """What a controller looks at."""
    found = resource["status"]
    return (
        found["jobManagerDeploymentStatus"],
        found["jobStatus"].get("state"),
        found["lifecycleState"],
        found["reconciliationStatus"]["state"],
    )


def actions(outcome: Outcome) -> list[object]:
    """The actions but for events and written statuses."""
    return [action for action in outcome.actions if not isinstance(action, Event | WriteStatus)]


def submitted(outcome: Outcome) -> Submit:
    return next(action for action in outcome.actions if isinstance(action, Submit))


def error(resource: Json) -> str:
    return str(json.loads(resource["status"]["error"])["message"])


# --- start ---


def test_the_finalizer_is_set_before_anything_else_happens() -> None:
    outcome = look(deployment(), NO_SUCH_THING)
    assert outcome.actions == (AddFinalizer(),)


def test_the_attempt_is_on_record_before_the_cluster_is_started() -> None:
    outcome = look(after(deployment(), NO_SUCH_THING), NO_SUCH_THING)
    kinds = [type(action) for action in outcome.actions]
    assert kinds.index(WriteStatus) < kinds.index(Submit)
    first = next(action for action in outcome.actions if isinstance(action, WriteStatus))
    assert first.status["lifecycleState"] == "UPGRADING"
    assert submitted(outcome).job_id == JOB_ID
    assert submitted(outcome).savepoint is None


def test_a_new_deployment_is_reconciling_until_its_job_runs() -> None:
    resource = after(after(deployment(), NO_SUCH_THING), NO_SUCH_THING)
    assert summary(resource) == ("DEPLOYING", "RECONCILING", "DEPLOYED", "DEPLOYED")
    assert resource["status"]["observedGeneration"] == 1
    assert resource["status"]["taskManager"] == {"labelSelector": "component=taskmanager,app=one", "replicas": 2}
    resource = after(resource, Seen(deployed_generation=1))
    assert summary(resource)[0] == "DEPLOYING"
    resource = after(resource, cluster(None))
    assert summary(resource)[0] == "DEPLOYED_NOT_READY"
    resource = after(resource, cluster(None))
    assert summary(resource) == ("READY", "RECONCILING", "DEPLOYED", "DEPLOYED")
    assert resource["status"]["error"] == "Job Not Found"
    resource = after(resource, cluster("RUNNING"))
    assert summary(resource) == ("READY", "RUNNING", "STABLE", "DEPLOYED")
    assert "error" not in resource["status"]
    assert resource["status"]["jobStatus"]["updateTime"] == str(NOW)


def test_a_first_deployment_starts_from_the_initial_savepoint() -> None:
    resource = after(deployment(initialSavepointPath="s3://bucket/chk-7"), NO_SUCH_THING)
    assert submitted(look(resource, NO_SUCH_THING)).savepoint == "s3://bucket/chk-7"


def test_a_deployment_that_is_born_suspended_is_left_alone() -> None:
    resource = after(deployment(state="suspended"), NO_SUCH_THING)
    outcome = look(resource, NO_SUCH_THING)
    assert outcome.actions == ()
    assert outcome.status["lifecycleState"] == "CREATED"


def test_an_operator_that_died_after_the_deployment_does_not_deploy_again() -> None:
    resource = after(deployment(), NO_SUCH_THING)
    written = [a for a in look(resource, NO_SUCH_THING).actions if isinstance(a, WriteStatus)][-1]
    resource["status"] = written.status
    assert summary(resource)[2] == "UPGRADING"
    outcome = look(resource, Seen(deployed_generation=1), job_id=NEXT_JOB_ID)
    assert actions(outcome) == []
    assert outcome.status["reconciliationStatus"]["state"] == "DEPLOYED"
    assert outcome.status["jobStatus"]["jobId"] == JOB_ID


def test_an_operator_that_died_before_the_first_deployment_starts_over() -> None:
    resource = after(deployment(), NO_SUCH_THING)
    resource["status"] = [a for a in look(resource, NO_SUCH_THING).actions if isinstance(a, WriteStatus)][-1].status
    assert submitted(look(resource, NO_SUCH_THING)).spec["job"]["state"] == "running"


# --- the end of a job ---


def test_a_job_that_ends_by_itself_is_stable_and_its_job_manager_stays() -> None:
    resource = in_state("FINISHED")
    assert summary(resource) == ("READY", "FINISHED", "STABLE", "DEPLOYED")
    assert actions(look(resource, cluster("FINISHED"))) == []


def test_the_job_manager_of_an_ended_job_goes_after_its_time_and_the_state_stays() -> None:
    resource = in_state("FINISHED")
    outcome = look(resource, cluster("FINISHED"), now=NOW + 24 * 3600 * 1000 + 1)
    assert actions(outcome) == [DeleteCluster(ha_metadata=False)]
    assert outcome.status["jobStatus"]["state"] == "FINISHED"
    assert outcome.status["jobManagerDeploymentStatus"] == "MISSING"


def test_a_failed_job_is_failed_and_says_why() -> None:
    why = Failure("org.apache.flink.runtime.JobException", "Recovery is suppressed", (("E", "LindormImport: no"),))
    resource = after(in_state("RUNNING"), cluster("FAILED", failure=why))
    assert summary(resource) == ("READY", "FAILED", "FAILED", "DEPLOYED")
    found = json.loads(resource["status"]["error"])
    assert found["message"] == "org.apache.flink.runtime.JobException: Recovery is suppressed"
    assert found["throwableList"][0]["message"] == "LindormImport: no"
    assert actions(look(resource, cluster("FAILED", failure=why))) == []


def test_an_ended_job_without_checkpoint_statistics_never_gets_there() -> None:
    """FLINK-37370: a main that fails ends so in 1.10, for Flink submits a job without checkpoints in its place."""
    resource = in_state("RUNNING")
    resource["status"]["jobStatus"]["state"] = "RECONCILING"
    before = copy.deepcopy(resource["status"])
    ended = cluster("FAILED", failure=Failure("E", "no"), checkpoints_error="Checkpointing has not been enabled.")
    found = after(resource, ended)["status"]
    assert "Could not observe latest savepoint information" in json.loads(found.pop("error"))["message"]
    assert found == before


def test_a_job_that_someone_cancels_by_rest_is_deployed_again_and_from_nothing() -> None:
    """Its last reconciled spec says `stateless`, as every first deployment's does, and the next one inherits that."""
    resource = in_state("RUNNING")
    outcome = look(resource, cluster("CANCELED", last_checkpoint="s3://bucket/chk-3"), job_id=NEXT_JOB_ID)
    assert any(isinstance(a, Event) and "to CANCELED" in a.message for a in outcome.actions)
    assert actions(outcome)[0] == DeleteCluster(ha_metadata=True)
    assert submitted(outcome).savepoint is None
    assert submitted(outcome).job_id == NEXT_JOB_ID
    assert outcome.status["jobStatus"]["state"] == "RECONCILING"


def test_a_rest_api_that_stops_answering_makes_a_running_job_reconciling() -> None:
    resource = after(in_state("RUNNING"), Seen(deployed_generation=1))
    assert summary(resource) == ("DEPLOYING", "RECONCILING", "STABLE", "DEPLOYED")


# --- suspend and resume ---


def test_a_suspended_job_is_finished_too_but_not_stable() -> None:
    resource = changed(in_state("RUNNING"), state="suspended")
    outcome = look(resource, cluster("RUNNING", ha_metadata=True, ha_checkpoint=True))
    assert actions(outcome) == [DeleteCluster(ha_metadata=False)]
    resource["status"] = outcome.status
    assert summary(resource) == ("MISSING", "FINISHED", "SUSPENDED", "DEPLOYED")
    assert resource["status"]["observedGeneration"] == 2
    resource = after(resource, NO_SUCH_THING)
    assert summary(resource) == ("MISSING", "FINISHED", "SUSPENDED", "DEPLOYED")


def test_a_job_resumes_from_its_last_state_under_its_old_id() -> None:
    suspended = changed(in_state("RUNNING"), state="suspended")
    suspended = after(suspended, cluster("RUNNING", ha_metadata=True, ha_checkpoint=True))
    resumed = changed(suspended, state="running")
    outcome = look(resumed, Seen(ha_metadata=True, ha_checkpoint=True), job_id=NEXT_JOB_ID)
    assert submitted(outcome).job_id == JOB_ID
    assert submitted(outcome).savepoint == status.LAST_STATE_DUMMY_PATH
    assert submitted(outcome).require_ha_metadata


def test_a_job_whose_ha_metadata_is_gone_does_not_resume_from_nothing() -> None:
    suspended = changed(in_state("RUNNING"), state="suspended")
    suspended = after(suspended, cluster("RUNNING", ha_metadata=True, ha_checkpoint=True))
    resource = after(changed(suspended, state="running"), NO_SUCH_THING)
    assert error(resource).startswith("HA metadata not available to restore from last state.")
    assert not any(isinstance(a, Submit) for a in look(resource, NO_SUCH_THING).actions)


# --- change ---


def test_a_change_of_a_running_deployment_goes_on_from_the_last_state() -> None:
    resource = changed(in_state("RUNNING"), parallelism=8)
    resource = after(resource, cluster("RUNNING", ha_metadata=True, ha_checkpoint=True))
    assert summary(resource) == ("MISSING", "FINISHED", "UPGRADING", "UPGRADING")
    outcome = look(resource, Seen(ha_metadata=True, ha_checkpoint=True))
    assert submitted(outcome).savepoint == status.LAST_STATE_DUMMY_PATH
    assert submitted(outcome).spec["job"]["parallelism"] == 8
    assert outcome.status["lifecycleState"] == "DEPLOYED"


def test_a_change_of_a_stateless_deployment_cancels_and_starts_over() -> None:
    resource = changed(in_state("RUNNING", upgradeMode="stateless"), parallelism=8)
    outcome = look(resource, cluster("RUNNING", ha_metadata=True), job_id=NEXT_JOB_ID)
    assert actions(outcome) == [Cancel(JOB_ID, quietly=True), DeleteCluster(ha_metadata=True)]
    outcome = look({**resource, "status": outcome.status}, NO_SUCH_THING, job_id=NEXT_JOB_ID)
    assert submitted(outcome).job_id == NEXT_JOB_ID
    assert submitted(outcome).savepoint is None


def test_a_change_of_a_finished_deployment_runs_it_again() -> None:
    outcome = look(changed(in_state("FINISHED"), args=["--again"]), cluster("FINISHED"), job_id=NEXT_JOB_ID)
    assert actions(outcome)[0] == DeleteCluster(ha_metadata=True)
    assert submitted(outcome).spec["job"]["args"] == ["--again"]
    assert submitted(outcome).job_id == NEXT_JOB_ID


@pytest.mark.parametrize(
    "field",
    [{"upgradeMode": "stateless"}, {"initialSavepointPath": "s3://bucket/x"}, {"allowNonRestoredState": True}],
)
def test_a_change_that_the_operator_ignores_moves_only_the_generation(field: Json) -> None:
    outcome = look(changed(in_state("RUNNING"), **field), cluster("RUNNING"))
    assert actions(outcome) == []
    assert outcome.status["observedGeneration"] == 2
    assert outcome.status["lifecycleState"] == "STABLE"


def test_a_change_without_ha_cancels_first_and_waits() -> None:
    resource = changed(in_state("RUNNING"), parallelism=8)
    outcome = look(resource, cluster("RUNNING", ha_metadata=False))
    assert actions(outcome) == [Cancel(JOB_ID, quietly=False)]
    assert outcome.status["jobStatus"]["state"] == "CANCELLING"
    resource["status"] = outcome.status
    assert actions(look(resource, cluster("CANCELLING"))) == []
    outcome = look(resource, cluster("CANCELED", last_checkpoint="s3://bucket/chk-5"), job_id=NEXT_JOB_ID)
    assert submitted(outcome).savepoint == "s3://bucket/chk-5"


# --- what goes wrong ---


def test_a_job_manager_in_a_crash_loop_is_an_error_that_is_not_failed() -> None:
    resource = after(after(deployment(), NO_SUCH_THING), NO_SUCH_THING)
    crash = Seen(deployed_generation=1, waiting=("CrashLoopBackOff", "back-off 10s restarting failed container"))
    resource = after(resource, crash)
    assert summary(resource) == ("ERROR", "RECONCILING", "DEPLOYED", "DEPLOYED")
    assert error(resource) == "back-off 10s restarting failed container"
    resource = after(resource, crash)
    assert summary(resource)[0] == "ERROR"
    resource = after(after(after(resource, cluster(None)), cluster(None)), cluster("RUNNING"))
    assert summary(resource) == ("READY", "RUNNING", "STABLE", "DEPLOYED")
    assert "error" not in resource["status"]


def test_a_crash_loop_without_ha_data_cannot_be_upgraded() -> None:
    resource = after(after(deployment(), NO_SUCH_THING), NO_SUCH_THING)
    crash = Seen(deployed_generation=1, waiting=("CrashLoopBackOff", "back-off"))
    resource = after(changed(after(resource, crash), parallelism=8), crash)
    assert error(resource).endswith("Manual restore required.")


def test_a_deployment_that_vanishes_is_recovered_from_its_last_state() -> None:
    outcome = look(in_state("RUNNING"), Seen(ha_metadata=True, ha_checkpoint=True))
    assert outcome.status["jobStatus"]["state"] == "RECONCILING"
    resource = {**in_state("RUNNING"), "status": outcome.status}
    if not any(isinstance(action, Submit) for action in outcome.actions):
        outcome = look(resource, Seen(ha_metadata=True, ha_checkpoint=True))
    assert submitted(outcome).require_ha_metadata
    assert submitted(outcome).job_id == JOB_ID


def test_a_spec_that_breaks_a_rule_is_never_deployed() -> None:
    resource = deployment()
    resource["metadata"]["name"] = "x" * 46
    resource = after(after(resource, NO_SUCH_THING), NO_SUCH_THING)
    assert summary(resource)[2] == "FAILED"
    assert "no more than 45 characters" in error(resource)
    assert "observedGeneration" not in resource["status"]


def test_a_running_deployment_goes_on_as_it_is_when_its_new_spec_is_wrong() -> None:
    resource = changed(in_state("RUNNING"), parallelism=0)
    outcome = look(resource, cluster("RUNNING", ha_metadata=True))
    assert actions(outcome) == []
    assert outcome.status["observedGeneration"] == 1
    assert outcome.status["lifecycleState"] == "STABLE"
    assert json.loads(outcome.status["error"])["message"] == "Job parallelism must be larger than 0"


def test_a_failed_action_is_said_in_the_error_and_changes_nothing_else() -> None:
    resource = in_state("RUNNING")
    failed = error_status(resource, "POST /jobs/x/stop: connection refused")
    assert json.loads(failed.pop("error"))["message"] == "POST /jobs/x/stop: connection refused"
    assert failed == resource["status"]


# --- deletion ---


def deleted(resource: Json) -> Json:
    resource = copy.deepcopy(resource)
    resource["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    return resource


def test_deletion_ends_everything_and_then_drops_the_finalizer() -> None:
    outcome = look(deleted(in_state("RUNNING")), cluster("RUNNING", ha_metadata=True))
    assert actions(outcome) == [Cancel(JOB_ID, quietly=True), DeleteCluster(ha_metadata=True), RemoveFinalizer()]


def test_deletion_writes_no_status_the_last_one_stays_until_the_resource_is_gone() -> None:
    resource = deleted(in_state("RUNNING"))
    outcome = look(resource, cluster("FINISHED"))
    assert not [action for action in outcome.actions if isinstance(action, WriteStatus)]
    assert outcome.status == resource["status"]


def test_a_job_that_has_just_ended_is_not_cancelled_when_its_resource_is_deleted() -> None:
    outcome = look(deleted(in_state("RUNNING")), cluster("FINISHED"))
    assert actions(outcome) == [DeleteCluster(ha_metadata=True), RemoveFinalizer()]


def test_deletion_of_a_failed_job_leaves_it_failed() -> None:
    resource = in_state("FAILED")
    resource["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    outcome = look(resource, cluster("FAILED"))
    assert actions(outcome) == [DeleteCluster(ha_metadata=True), RemoveFinalizer()]
    assert outcome.status["jobStatus"]["state"] == "FAILED"


def test_a_deleted_resource_without_the_finalizer_is_none_of_the_operators_business() -> None:
    resource = deployment()
    resource["metadata"] |= {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["someone/else"]}
    assert look(resource, NO_SUCH_THING).actions == ()


# --- releases ---


def upstream(resource: Json, seen: Seen, release: Release = UPSTREAM) -> Json:
    outcome = reconcile(resource, seen, NOW, JOB_ID, {}, release)
    resource = copy.deepcopy(resource)
    for action in outcome.actions:
        if isinstance(action, AddFinalizer):
            resource["metadata"]["finalizers"] = [FINALIZER]
            resource["spec"] = action.spec
    resource["status"] = outcome.status
    return resource


def upstream_deployment() -> Json:
    resource = deployment()
    resource["spec"] |= {"serviceAccount": "flink", "emrReleaseLabel": "emr-7.13.0-flink-latest"}
    return resource


def test_the_upstream_operator_drops_emrs_fields_when_it_adds_its_finalizer() -> None:
    spec = upstream(upstream_deployment(), NO_SUCH_THING)["spec"]
    assert "emrReleaseLabel" not in spec
    assert set(spec["jobManager"]) == {"replicas", "resource"}
    assert spec["flinkConfiguration"]["high-availability.storageDir"] == "s3://bucket/ha"


def test_the_upstream_operator_demands_a_service_account() -> None:
    resource = upstream_deployment()
    del resource["spec"]["serviceAccount"]
    resource = upstream(upstream(resource, NO_SUCH_THING), NO_SUCH_THING)
    assert resource["status"]["lifecycleState"] == "FAILED"
    assert error(resource).startswith("spec.serviceAccount must be defined")


def test_before_1_8_only_the_last_reconciled_spec_tells_the_generation() -> None:
    resource = upstream_deployment()
    resource["metadata"]["generation"] = 2
    resource = upstream(upstream(resource, NO_SUCH_THING, UPSTREAM_1_7), NO_SUCH_THING, UPSTREAM_1_7)
    assert "observedGeneration" not in resource["status"]
    told = json.loads(resource["status"]["reconciliationStatus"]["lastReconciledSpec"])["resource_metadata"]
    assert told["metadata"] == {"generation": 2}


def test_before_1_8_too_an_operator_that_died_after_the_deployment_finds_it() -> None:
    resource = upstream(upstream_deployment(), NO_SUCH_THING, UPSTREAM_1_7)
    outcome = reconcile(resource, NO_SUCH_THING, NOW, JOB_ID, {}, UPSTREAM_1_7)
    resource["status"] = [action for action in outcome.actions if isinstance(action, WriteStatus)][-1].status
    found = reconcile(resource, Seen(deployed_generation=1), NOW, JOB_ID, {}, UPSTREAM_1_7)
    assert actions(found) == []
    assert found.status["reconciliationStatus"]["state"] == "DEPLOYED"


# --- what Flink says, and when the operator asks ---


@pytest.mark.parametrize(
    ("state", "tasks", "effective"),
    [
        ("RUNNING", {"total": 3, "running": 3, "finished": 0}, "RUNNING"),
        ("RUNNING", {"total": 3, "running": 1, "finished": 2}, "RUNNING"),
        ("RUNNING", {"total": 3, "running": 2, "finished": 0, "scheduled": 1}, "CREATED"),
        ("INITIALIZING", {"total": 0, "running": 0, "finished": 0}, "INITIALIZING"),
        ("FINISHED", {"total": 3, "running": 0, "finished": 3}, "FINISHED"),
    ],
)
def test_a_job_is_created_and_not_running_while_one_of_its_tasks_does_not_run(
    state: str, tasks: dict[str, int], effective: str
) -> None:
    assert effective_state({"state": state, "tasks": tasks}) == effective


def test_a_container_that_keeps_dying_waits_as_a_kubelet_lets_it_wait() -> None:
    assert [REAL.backoff(deaths) for deaths in range(1, 9)] == [0, 10, 20, 40, 80, 160, 300, 300]
    assert [back_off_text(REAL.backoff(deaths)) for deaths in (2, 5, 7)] == ["10s", "1m20s", "5m0s"]


@pytest.mark.parametrize(
    ("jm_status", "job_state", "seconds"),
    [
        ("DEPLOYING", "RECONCILING", 5),
        ("DEPLOYED_NOT_READY", "RECONCILING", 10),
        ("READY", "RUNNING", 15),
        ("ERROR", "RECONCILING", 15),
        ("READY", "CANCELLING", 5),
    ],
)
def test_the_operator_looks_again_when_the_real_one_would(jm_status: str, job_state: str, seconds: float) -> None:
    now = {"jobManagerDeploymentStatus": jm_status, "jobStatus": {"state": job_state}}
    assert REAL.next_look(now, now) == seconds


def test_an_upgrade_that_has_just_begun_is_looked_at_at_once() -> None:
    upgrading: Json = {"reconciliationStatus": {"state": "UPGRADING"}, "jobManagerDeploymentStatus": "MISSING"}
    assert REAL.next_look(upgrading, {}) == 0
    assert REAL.next_look(upgrading, upgrading) == 15
