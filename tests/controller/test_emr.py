"""The FlinkDeployment as EMR's operator expects it (docs/contracts.md, "The FlinkDeployment"), and its virtual
cluster."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from lindorm_import.domain.observed import JobSeen, Observed, VirtualClusterSeen
from lindorm_import.manifests import build
from local.flink import validate
from tests.controller.factories import IDENTITY, READY_TO_START, RUNNING, TABLE, spec
from tests.controller.situations import allocated, condition, running, step, told

PREFIX = "s3://my-import-bucket/lindorm-import/default/readings/r1a2b3c4d/"
ROLE = "arn:aws:iam::123456789012:role/job"


def flink(**changes: Any) -> dict[str, Any]:
    document = build.flink_deployment(IDENTITY, spec(**changes), PREFIX, "image", None, 1)
    found: dict[str, Any] = document["spec"]
    return found


def test_the_operators_own_admission_rules_find_nothing_wrong() -> None:
    document = build.flink_deployment(IDENTITY, spec(), PREFIX, "image", None, 1)
    assert validate.problem(document["metadata"]["name"], document["spec"], None, {}) is None


def test_release_role_and_image_are_said_as_emr_says_them() -> None:
    found = flink(**{"job.executionRoleArn": ROLE, "job.emrReleaseLabel": "emr-7.9.0-flink-20250425", "job.image": "i"})
    assert (found["emrReleaseLabel"], found["executionRoleArn"], found["image"]) == (
        "emr-7.9.0-flink-20250425",
        ROLE,
        "i",
    )
    assert "serviceAccount" not in found, "EMR makes one for the role"


def test_a_service_account_is_passed_on_for_an_operator_that_makes_none() -> None:
    assert flink(**{"job.serviceAccount": "flink"})["serviceAccount"] == "flink"


def test_logs_go_where_the_spec_says_and_their_streams_are_named_after_the_job() -> None:
    found = flink(**{"job.monitoring": {"s3LogURI": "s3://logs/flink/", "logGroup": "/emr/flink"}})
    assert found["monitoringConfiguration"] == {
        "s3MonitoringConfiguration": {"logUri": "s3://logs/flink/"},
        "cloudWatchMonitoringConfiguration": {
            "logGroupName": "/emr/flink",
            "logStreamNamePrefix": "limport-readings-r1a2b3c4d",
        },
    }
    assert "monitoringConfiguration" not in flink()


def test_a_log_address_that_is_not_in_s3_is_refused() -> None:
    with pytest.raises(ValidationError):
        spec(**{"job.monitoring": {"s3LogURI": "/var/log"}})


def test_the_pods_run_where_and_as_little_privileged_as_they_can() -> None:
    pod = flink(**{"job.nodeSelector": {"node.kubernetes.io/instance-type": "r5.2xlarge"}})["podTemplate"]["spec"]
    assert pod["nodeSelector"] == {"node.kubernetes.io/instance-type": "r5.2xlarge"}
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    [container] = pod["containers"]
    assert container["name"] == "flink-main-container"
    assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def test_with_the_number_of_the_images_user_the_pods_keep_to_the_standard_restricted() -> None:
    pod = flink(**{"job.runAsUser": 999})["podTemplate"]["spec"]
    assert pod["securityContext"] == {
        "seccompProfile": {"type": "RuntimeDefault"},
        "runAsNonRoot": True,
        "runAsUser": 999,
    }


def test_every_argument_that_is_a_path_is_a_mounted_one_or_in_the_image() -> None:
    found = flink()
    [container] = found["podTemplate"]["spec"]["containers"]
    mounted = tuple(m["mountPath"] for m in container["volumeMounts"])
    volumes = {v["name"] for v in found["podTemplate"]["spec"]["volumes"]}
    assert {m["name"] for m in container["volumeMounts"]} == volumes
    paths = [a for a in found["job"]["args"] if a.startswith("/")]
    assert all(path.startswith((*mounted, "/opt/flink/usrlib")) for path in paths)


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (VirtualClusterSeen(exists=False), "does not exist"),
        (VirtualClusterSeen(exists=True, state="ARRESTED", namespace="default"), "is ARRESTED, not RUNNING"),
        (VirtualClusterSeen(exists=True, state="RUNNING", namespace="other"), "is of namespace other"),
    ],
)
def test_a_virtual_cluster_that_cannot_run_the_job_holds_the_import_and_says_why(
    seen: VirtualClusterSeen, words: str
) -> None:
    wanted = spec(**{"job.virtualClusterId": "abc123"})
    held = step(allocated(wanted), replace(READY_TO_START, virtual_cluster=seen), wanted)
    assert held.actions == ()
    assert told(held, "JobRunning") == ("False", "VirtualClusterNotReady")
    found = condition(held, "JobRunning")
    assert found is not None
    assert words in found.message
    fine = VirtualClusterSeen(exists=True, state="RUNNING", namespace="default")
    assert step(held.status, replace(READY_TO_START, virtual_cluster=fine), wanted).actions != ()


BROKEN = replace(RUNNING, job_state="RECONCILING", job_manager="ERROR", error="ImagePullBackOff")


def test_a_job_manager_that_breaks_late_has_the_whole_time_to_heal() -> None:
    """JobRunning may have been False for hours (suspended, restarting): that does not count."""
    away = replace(RUNNING, job_state="RECONCILING", job_manager="DEPLOYING")
    status = step(running(), Observed(deployment=away, table=TABLE), later=timedelta(minutes=1)).status
    first = step(status, Observed(deployment=BROKEN, table=TABLE), later=timedelta(hours=3))
    assert condition(first, "Failed") is None
    later = step(first.status, Observed(deployment=BROKEN, table=TABLE), later=timedelta(hours=3, minutes=9))
    assert condition(later, "Failed") is None
    over = step(later.status, Observed(deployment=BROKEN, table=TABLE), later=timedelta(hours=3, minutes=11))
    assert told(over, "Failed") == ("True", "JobCannotStart")
    found = condition(over, "Failed")
    assert found is not None
    assert "ImagePullBackOff" in found.message


def test_a_job_manager_that_heals_starts_a_new_count() -> None:
    first = step(running(), Observed(deployment=BROKEN, table=TABLE)).status
    well = Observed(deployment=RUNNING, table=TABLE, job=JobSeen(rows_read=600))
    healed = step(first, well, later=timedelta(minutes=5)).status
    again = step(healed, Observed(deployment=BROKEN, table=TABLE), later=timedelta(minutes=12))
    assert condition(again, "Failed") is None


def test_a_result_has_its_time_to_appear_however_long_the_job_was_not_running_before() -> None:
    away = replace(RUNNING, job_state="RECONCILING", job_manager="DEPLOYING")
    status = step(running(), Observed(deployment=away, table=TABLE), later=timedelta(minutes=1)).status
    over = Observed(deployment=replace(RUNNING, job_state="FINISHED"), table=TABLE)
    first = step(status, over, later=timedelta(hours=1))
    assert condition(first, "Failed") is None
    late = step(first.status, over, later=timedelta(hours=1, minutes=6))
    assert told(late, "Failed") == ("True", "ResultMissing")
