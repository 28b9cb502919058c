"""What a cluster of the operator stand-in is made of: configuration, arguments, mounts, validation."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from local.flink import config, mounts, validate
from local.flink.diff import Change, change
from local.flink.model import Json
from local.flink.status import merge_patch

MIB = 2**20
LAPTOP = config.Laptop(job_manager=1200 * MIB, task_manager=1536 * MIB)
DEPLOYMENT = config.Deployment("ns", "one", "a" * 32, None, "nonce", 8081, 6123, "/venv/bin/python", "/tmp/one")


def spec(**changes: object) -> Json:
    return {
        "flinkVersion": "v1_20",
        "flinkConfiguration": {"taskmanager.numberOfTaskSlots": "4", "state.checkpoints.dir": "s3://b/c"},
        "jobManager": {"storageDir": "s3://b/ha/", "replicas": 1, "resource": {"memory": "2048m"}},
        "taskManager": {"resource": {"memory": "52428m"}},
        "job": {"entryClass": "Main", "parallelism": 10, "args": []},
        **changes,
    }


def made(wanted: Json, **defaults: str) -> dict[str, str]:
    return config.cluster_configuration(wanted, defaults, DEPLOYMENT, LAPTOP)[0]


# --- configuration ---


@pytest.mark.parametrize(
    ("text", "size"), [("52428m", 52428 * MIB), ("2Gi", 2048 * MIB), ("1.5 gb", 1536 * MIB), ("1024", 1024)]
)
def test_memory_is_read_as_flink_and_kubernetes_write_it(text: str, size: int) -> None:
    assert config.parse_memory(text) == size


def test_as_many_task_managers_run_as_the_parallelism_needs() -> None:
    assert config.task_managers(spec(), {"taskmanager.numberOfTaskSlots": "4"}) == 3
    assert config.task_managers(spec(taskManager={"replicas": 5}), {"taskmanager.numberOfTaskSlots": "4"}) == 5


def test_emr_high_availability_becomes_kubernetes_ha_with_a_result_store_of_its_own() -> None:
    found = made(spec())
    assert found["high-availability.type"] == "kubernetes"
    assert found["high-availability.storageDir"] == "s3://b/ha/"
    assert found["job-result-store.storage-path"] == "s3://b/ha/job-result-store/one/nonce"
    assert found["kubernetes.cluster-id"] == "one"


def test_ha_that_is_switched_off_leaves_no_trace() -> None:
    found = made(spec(jobManager={"highAvailabilityEnabled": False, "resource": {"memory": "2g"}}))
    assert not config.is_ha(found)
    assert "job-result-store.storage-path" not in found


def test_the_job_manager_outlives_its_job_whatever_the_user_says() -> None:
    wanted = spec(flinkConfiguration={"execution.shutdown-on-application-finish": "true"})
    assert made(wanted)["execution.shutdown-on-application-finish"] == "false"


def test_memory_is_capped_and_the_log_says_so() -> None:
    wanted = spec()
    wanted["flinkConfiguration"]["taskmanager.memory.managed.size"] = "32768m"
    found, said = config.cluster_configuration(wanted, {}, DEPLOYMENT, LAPTOP)
    assert found["taskmanager.memory.process.size"] == "1536m"
    assert "taskmanager.memory.managed.size" not in found
    assert "taskmanager: 52428m of memory was asked for, 1536m is what it gets on this machine" in said


def test_memory_that_fits_is_given_as_asked() -> None:
    found = made(spec(taskManager={"resource": {"memory": "1g"}}))
    assert found["taskmanager.memory.process.size"] == "1024m"


def test_the_spec_overrules_the_operators_defaults_and_its_own_options_reach_no_cluster() -> None:
    wanted = spec(flinkConfiguration={"s3.endpoint": "http://mine", "kubernetes.operator.x": "1"})
    found = made(wanted, **{"s3.endpoint": "http://moto"})
    assert found["s3.endpoint"] == "http://mine"
    assert "kubernetes.operator.x" not in found


def test_paths_of_the_container_become_local_ones() -> None:
    folders = {"/opt/flink/usrlib": "/repo/flink_job", "/etc/lindorm-import/job": "/stack/job"}
    arguments = ["-py", "/opt/flink/usrlib/main.py", "/etc/lindorm-import/job", "/etc/lindorm-import/jobs", "x"]
    wanted = spec(job={"entryClass": "Main", "parallelism": 1, "args": arguments})
    assert config.job_arguments(wanted, DEPLOYMENT, folders) == [
        *("--job-classname", "Main", "--job-id", "a" * 32),
        *("-py", "/repo/flink_job/main.py", "/stack/job", "/etc/lindorm-import/jobs", "x"),
    ]


def test_a_savepoint_is_given_to_the_job() -> None:
    deployment = config.Deployment("ns", "one", "a" * 32, "s3://b/sp", "n", 1, 2, "python", "/tmp/x")
    wanted = spec(job={"entryClass": "Main", "allowNonRestoredState": True})
    arguments = config.job_arguments(wanted, deployment, {})
    assert arguments[4:] == ["--fromSavepoint", "s3://b/sp", "--allowNonRestoredState"]


def test_the_configuration_is_a_flat_file_without_quotes_and_without_options_of_the_image() -> None:
    written = config.flink_conf(made(spec()))
    assert "pipeline.name: one\n" in written
    assert "env.java.opts.all" not in written
    assert "--add-opens" not in written


# --- validation ---


def problem(wanted: Json, name: str = "one", last: Json | None = None) -> str:
    return validate.problem(name, wanted, last, {}) or ""


def test_a_right_spec_breaks_no_rule() -> None:
    assert problem(spec()) == ""


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"flinkVersion": None}, "Flink Version must be defined"),
        ({"flinkVersion": "v2_0"}, "not supported by this operator version"),
        ({"flinkConfiguration": {"kubernetes.cluster-id": "x"}}, "Forbidden Flink config key: kubernetes.cluster-id"),
        ({"logConfiguration": {"log4j.xml": "x"}}, "Invalid log config key: log4j.xml"),
        ({"job": None}, "spec.job must be defined"),
        ({"job": {"parallelism": 0}}, "Job parallelism must be larger than 0"),
        ({"taskManager": {}}, "spec.taskManager.resource.memory"),
        ({"taskManager": {"resource": {"memory": "lots"}}}, "TaskManager resource memory parse error"),
        ({"jobManager": {"resource": {"memory": "2g"}}}, "storageDir must be defined"),
        ({"jobManager": {"resource": {"memory": "2g"}, "storageDir": "file:///x"}}, "must be a path in S3"),
        (
            {"jobManager": {"resource": {"memory": "2g"}, "highAvailabilityEnabled": False}},
            "High availability should be enabled when starting standby JobManagers",
        ),
        ({"job": {"parallelism": 1, "upgradeMode": "savepoint"}}, "upgradeMode must be stateless or last-state"),
        (
            {"job": {"parallelism": 1, "upgradeMode": "last-state"}, "flinkConfiguration": {}},
            "Checkpoint directory[execution.checkpointing.dir] must be defined",
        ),
    ],
)
def test_a_wrong_spec_is_told_which_rule_it_breaks(changes: Json, words: str) -> None:
    assert words in problem(spec(**changes))


@pytest.mark.parametrize("name", ["x" * 46, "1one", "one-", "One", "one.two"])
def test_a_name_that_flink_cannot_use_is_refused(name: str) -> None:
    assert "is invalid" in problem(spec(), name=name)


# --- what counts as a change ---


def test_fields_without_a_value_are_no_change() -> None:
    assert change(spec(), spec(image=None, podTemplate={})) is Change.NONE


def test_configuration_of_the_operator_itself_is_no_change() -> None:
    wanted = spec()
    wanted["flinkConfiguration"]["kubernetes.operator.jm-deployment.shutdown-ttl"] = "1 h"
    assert change(spec(), wanted) is Change.NONE


def test_a_restart_nonce_counts_when_it_is_new() -> None:
    assert change(spec(), spec(restartNonce=1)) is Change.UPGRADE
    assert change(spec(restartNonce=1), spec(restartNonce=1)) is Change.NONE
    assert change(spec(restartNonce=1), spec()) is Change.NONE


def test_a_merge_patch_removes_what_is_gone() -> None:
    old = {"a": 1, "b": {"c": 1, "d": 2}, "e": 3}
    assert merge_patch(old, {"a": 1, "b": {"c": 1, "d": 4}}) == {"b": {"d": 4}, "e": None}


# --- mounts ---


class Objects:
    """ConfigMaps and Secrets by name."""

    def __init__(self, config_maps: dict[str, dict[str, bytes]], secrets: dict[str, dict[str, bytes]]) -> None:
        self.config_maps, self.secrets = config_maps, secrets

    def config_map(self, namespace: str, name: str) -> dict[str, bytes] | None:
        return self.config_maps.get(name)

    def secret(self, namespace: str, name: str) -> dict[str, bytes] | None:
        return self.secrets.get(name)


def pod(*volumes: Json) -> Json:
    container = {
        "name": mounts.CONTAINER,
        "env": [{"name": "A", "value": "1"}, {"name": "B", "valueFrom": {}}],
        "volumeMounts": [{"name": volume["name"], "mountPath": f"/etc/{volume['name']}"} for volume in volumes],
    }
    return {"podTemplate": {"spec": {"containers": [container], "volumes": list(volumes)}}}


SECRET_VOLUME = {"name": "credentials", "secret": {"secretName": "lindorm"}}
CONFIG_VOLUME = {"name": "job", "configMap": {"name": "job"}}


def shown(folder: Path) -> list[str]:
    """What a program sees that lists the folder, without the kubelet's own entries."""
    return sorted(p.name for p in folder.iterdir() if not p.name.startswith(".."))


def test_config_maps_and_secrets_become_files_that_all_in_the_pod_can_read(tmp_path: Path) -> None:
    objects = Objects({"job": {"job.json": b"{}"}}, {"lindorm": {"password": b"\xff"}})
    folders = mounts.mount(pod(SECRET_VOLUME, CONFIG_VOLUME), "ns", tmp_path, objects)
    assert folders == {"/etc/credentials": str(tmp_path / "credentials"), "/etc/job": str(tmp_path / "job")}
    secret = tmp_path / "credentials" / "password"
    assert secret.read_bytes() == b"\xff"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o644
    assert stat.S_IMODE((tmp_path / "credentials").stat().st_mode) == 0o700
    assert (tmp_path / "job" / "job.json").read_text() == "{}"


def test_a_missing_secret_is_told_as_the_kubelet_tells_it(tmp_path: Path) -> None:
    with pytest.raises(
        mounts.NotMountable, match=r'^MountVolume\.SetUp failed for volume "credentials" : secret "lindorm" not found$'
    ):
        mounts.mount(pod(SECRET_VOLUME), "ns", tmp_path, Objects({}, {}))


def test_a_missing_key_is_told_too(tmp_path: Path) -> None:
    volume = {"name": "job", "configMap": {"name": "job", "items": [{"key": "nope", "path": "x"}]}}
    with pytest.raises(mounts.NotMountable, match="references non-existent configmap key: nope"):
        mounts.mount(pod(volume), "ns", tmp_path, Objects({"job": {"job.json": b""}}, {}))


def test_an_optional_object_may_be_missing_and_chosen_keys_get_their_paths(tmp_path: Path) -> None:
    optional = {"name": "credentials", "secret": {"secretName": "no", "optional": True}}
    chosen = {"name": "job", "configMap": {"name": "job", "items": [{"key": "a", "path": "deep/b"}]}}
    mounts.mount(pod(optional, chosen), "ns", tmp_path, Objects({"job": {"a": b"1", "c": b"2"}}, {}))
    assert shown(tmp_path / "credentials") == []
    assert shown(tmp_path / "job") == ["deep"]
    assert (tmp_path / "job" / "deep" / "b").read_bytes() == b"1"


def test_a_second_mount_replaces_what_was_there(tmp_path: Path) -> None:
    mounts.mount(pod(CONFIG_VOLUME), "ns", tmp_path, Objects({"job": {"old": b""}}, {}))
    mounts.mount(pod(CONFIG_VOLUME), "ns", tmp_path, Objects({"job": {"new": b""}}, {}))
    assert shown(tmp_path / "job") == ["new"]


def test_plain_environment_variables_of_the_container_are_known() -> None:
    assert mounts.environment(pod()) == {"A": "1"}
