"""What can go wrong with the job, and what a user does to it, on whole lives in memory; more in test_faults.py."""

from datetime import timedelta

from lindorm_import.api import PLURAL
from lindorm_import.domain.observed import SourceSeen
from lindorm_import.domain.trouble import Trouble, TroubleError
from tests.controller.factories import SOURCE
from tests.controller.fakes import AnyCall, World
from tests.controller.lives import DELETE, works
from tests.controller.test_faults import NOTHING, RUN, ends_as_undisturbed, left


def test_a_flink_deployment_deleted_by_hand_is_made_again_and_goes_on_from_its_checkpoint() -> None:
    world = World()
    world.flink.endless = True
    world.apply(**DELETE)
    world.drive(lambda _: works(world))
    world.api.remove("flinkdeployments", RUN)
    world.drive(lambda _: world.flink.submissions == 2 and works(world))
    world.flink.endless = False
    world.run_to_end()
    assert world.conditions()["Complete"] == "True"
    assert world.flink.violations == []
    assert world.wire.done["create flinkdeployments"] == 2


def test_a_flink_deployment_and_its_config_map_deleted_by_hand_are_both_made_again() -> None:
    world = World()
    world.flink.endless = True
    world.apply(**DELETE)
    world.drive(lambda _: works(world))
    world.api.remove("flinkdeployments", RUN)
    world.api.remove("configmaps", RUN)
    world.flink.endless = False
    world.run_to_end()
    assert world.conditions()["Complete"] == "True"
    assert world.flink.violations == []


def test_a_job_that_finishes_while_the_controller_is_down_is_complete_when_it_is_back() -> None:
    world = World()
    world.apply(**DELETE)
    world.drive(lambda _: bool(world.flink.running()))
    for _ in range(60):
        world.tick()
    ends_as_undisturbed(world)


def test_a_job_that_finishes_and_whose_flink_deployment_is_gone_before_anybody_looks_is_not_run_twice() -> None:
    world = World()
    world.flink.rejected = 0
    world.apply(**DELETE)
    world.drive(lambda _: works(world))
    while not world.aws.s3.keys("my-import-bucket", "lindorm-import/default/readings/r1a2b3c4d/result/"):
        world.tick()
    world.api.objects.pop(("flinkdeployments", "default", RUN))
    world.run_to_end()
    assert world.conditions()["Complete"] == "True"
    assert world.flink.submissions == 1
    assert world.status()["results"]["rowsRead"] == 1000


def test_a_flink_deployment_that_fails_and_recovers_between_two_looks_changes_nothing() -> None:
    """RUNNING, RECONCILING (the JobManager is lost) and RUNNING again: only the end counts."""
    world = World()
    world.flink.endless = True
    world.apply(**DELETE)
    world.drive(lambda _: works(world))
    cluster = world.flink.clusters[RUN]
    cluster.state, cluster.age = "CREATED", 0
    world.tick()
    world.tick()
    world.tick()
    assert cluster.state == "RUNNING"
    world.flink.endless = False
    ends_as_undisturbed(world)


def test_a_flink_deployment_deleted_and_made_again_by_somebody_else_is_not_touched() -> None:
    world = World()
    world.flink.endless = True
    world.apply(**DELETE)
    world.drive(lambda _: works(world))
    world.api.objects.pop(("flinkdeployments", "default", RUN))
    theirs = {"metadata": {"name": RUN, "labels": {"team": "theirs"}}, "spec": {"job": {"state": "running"}}}
    world.flink.down = True
    world.api.add("flinkdeployments", theirs)
    world.drive(lambda o: o.trouble is not None)
    assert world.condition("Ready")["reason"] == "NameTaken"
    world.remove()
    assert world.api.names("flinkdeployments") == [RUN]


def test_finished_without_a_result_is_never_success() -> None:
    """The operator says FINISHED; the result that proves it is not there."""
    world = World()
    world.apply(**DELETE)
    world.drive(lambda _: works(world))
    gone = ("lindorm-import/default/readings/r1a2b3c4d/result/result.json",)
    for _ in range(12):
        world.tick()
    world.aws.s3.delete_objects("my-import-bucket", {"Objects": [{"Key": gone[0]}]})
    world.drive(lambda _: world.condition("JobRunning").get("reason") == "ResultMissing")
    assert not world.ended()
    world.tick(timedelta(minutes=6).total_seconds())
    world.drive(lambda _: world.ended())
    assert world.conditions().get("Failed") == "True"
    assert "nothing proves" in world.condition("Failed")["message"]


def test_a_job_manager_that_cannot_start_fails_the_import_after_a_bounded_time() -> None:
    world = World()
    world.flink.waiting = ("ErrImagePull", "no such image")
    world.apply(**DELETE)
    world.drive(lambda _: world.condition("JobRunning").get("reason") == "JobManagerError")
    assert "no such image" in world.condition("Ready")["message"]
    world.tick(timedelta(minutes=11).total_seconds())
    world.run_to_end()
    assert world.condition("Failed")["reason"] == "JobCannotStart"
    world.remove()
    assert left(world) == NOTHING


def test_a_config_map_deleted_by_hand_while_the_job_runs_is_made_again() -> None:
    """Otherwise a pod that starts again would wait for it for ever."""
    world = World()
    world.flink.endless = True
    world.apply(**DELETE)
    world.drive(lambda _: works(world))
    made = world.api.get("configmaps", RUN)
    assert made
    document = made["data"]
    world.source = unreachable
    world.api.remove("configmaps", RUN)
    world.drive(lambda _: world.conditions().get("SourceReady") == "False")
    assert world.conditions()["JobRunning"] == "True", "the job needs it only when a pod starts"
    world.source = lambda: SOURCE
    world.drive(lambda _: RUN in world.api.names("configmaps"))
    again = world.api.get("configmaps", RUN)
    assert again
    assert again["data"] == document
    assert world.conditions()["SourceReady"] == "True"
    world.flink.endless = False
    world.run_to_end()
    assert world.conditions()["Complete"] == "True"


def unreachable() -> SourceSeen:
    raise TroubleError(Trouble("LindormUnreachable", "cannot be reached"))


def test_a_job_whose_pods_find_no_node_says_so_after_a_bounded_time_and_starts_when_there_is_one() -> None:
    """The Flink operator has no word for a pod that is Pending: it says DEPLOYING for ever."""
    world = World()
    world.flink.pending = True
    world.apply(**DELETE)
    world.drive(lambda _: world.condition("JobRunning").get("reason") == "NotRunning")
    world.tick(timedelta(minutes=11).total_seconds())
    world.drive(lambda _: world.condition("JobRunning").get("reason") == "JobNotStarting")
    assert "no node has room" in world.condition("Ready")["message"]
    assert f"app={RUN}" in world.condition("Ready")["message"]
    assert not world.ended()
    world.flink.pending = False
    ends_as_undisturbed(world)


def test_a_main_that_fails_at_once_fails_the_import_with_its_words_though_the_operator_never_says_so() -> None:
    """FLINK-37370: RECONCILING for ever; only Flink's REST API says FAILED."""
    world = World()
    world.flink.broken_main = True
    world.apply(**DELETE)
    world.drive(lambda _: world.condition("JobRunning").get("reason") == "JobFailed")
    assert "no such column" in world.condition("JobRunning")["message"]
    world.run_to_end()
    assert world.condition("Failed")["reason"] == "JobFailed"
    assert world.condition("Failed")["message"] == "no such column (submitted 4 times)"
    assert world.flink.submissions == 4


def test_a_flink_operator_that_is_down_only_costs_time() -> None:
    world = World()
    world.flink.down = True
    world.apply(**DELETE)
    world.drive(lambda _: "not seen by the Flink operator yet" in world.condition("JobRunning").get("message", ""))
    for _ in range(5):
        world.run_pass()
        world.tick(60)
    assert not world.ended()
    world.flink.down = False
    ends_as_undisturbed(world)


def test_an_import_deleted_while_the_flink_operator_is_down_waits_for_it_and_leaves_nothing() -> None:
    """The job runs on, and writes: table and bucket must not go before it."""
    world = World()
    world.flink.endless = True
    world.apply(**DELETE)
    world.drive(lambda _: works(world))
    world.flink.down = True
    world.delete()
    for _ in range(5):
        world.run_pass()
        world.tick(60)
    assert world.condition("Reconciling")["reason"] == "StoppingJob"
    assert list(world.aws.dynamodb.tables) == ["readings"]
    assert world.flink.running() == [RUN]
    world.flink.down = False
    world.drive(lambda _: world.gone())
    assert left(world) == NOTHING


def test_a_passing_error_of_the_operator_is_not_told_as_the_jobs_failure() -> None:
    world = World()
    world.flink.endless = True
    world.apply(**DELETE)
    world.drive(lambda _: works(world))
    found = world.api.get("flinkdeployments", RUN)
    assert found
    world.flink.down = True
    world.api.change(found, {**found, "status": {**found["status"], "error": "Job Not Found"}})
    world.drive(lambda _: True)
    assert "failure" not in world.status()["job"]


def test_a_job_that_has_read_nothing_yet_is_starting_and_not_restarting() -> None:
    world = World()
    seen = set()

    def note() -> bool:
        seen.add(world.status().get("summary"))
        return works(world)

    world.apply(**DELETE)
    world.drive(lambda _: note())
    assert "Starting" in seen
    assert "Restarting" not in seen


# --- the user ---


def test_a_user_who_edits_in_the_middle_of_a_pass_makes_it_start_over_without_acting() -> None:
    world = World()
    world.apply(**DELETE)
    edits = iter([True])

    def edit_first(call: AnyCall) -> None:
        if str(call) == f"patch {PLURAL}/status" and next(edits, False):
            world.edit(**{"rejects.max": 7})

    world.faults = edit_first
    outcome = world.run_pass()
    assert outcome
    assert outcome.requeue is not None
    assert world.wire.done == {}
    world.run_to_end()
    assert world.conditions()["Complete"] == "True"


def test_an_import_suspended_before_its_start_starts_when_it_is_resumed() -> None:
    world = World()
    world.apply(**DELETE, suspend=True)
    world.drive(lambda _: world.conditions().get("Suspended") == "True")
    assert world.idle(5) == 0
    assert world.flink.submissions == 0
    world.edit(suspend=False)
    world.run_to_end()
    assert world.conditions()["Complete"] == "True"


def test_suspending_and_resuming_again_and_again_reads_nothing_twice() -> None:
    world = World()
    world.flink.endless = True
    world.apply(**DELETE)
    world.drive(lambda _: works(world))
    for _ in range(3):
        world.edit(suspend=True)
        world.drive(lambda _: not world.flink.running())
        world.edit(suspend=False)
        world.drive(lambda _: works(world))
    world.flink.endless = False
    world.run_to_end()
    assert world.conditions()["Complete"] == "True"
    assert world.flink.violations == []


def test_an_import_suspended_just_when_its_job_finishes_completes_when_it_is_resumed() -> None:
    world = World()
    world.apply(**DELETE)
    world.drive(lambda _: works(world))
    while world.flink.clusters[RUN].state != "FINISHED":
        world.tick()
    world.edit(suspend=True)
    for _ in range(10):
        world.run_pass()
        world.tick()
    world.edit(suspend=False)
    world.run_to_end()
    assert world.conditions()["Complete"] == "True"
    assert world.flink.violations == []
