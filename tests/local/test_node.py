"""What a node decides without running: what the machine lacks, addresses in pods, versions of operators."""

from pathlib import Path

import pytest

from local.node import machine
from local.node.cluster import chart_values, flink_defaults, pod_environment
from local.node.images import Images
from local.node.node import is_before_flink_120

ENVIRONMENT = {
    "KUBECONFIG": "/somewhere/kubeconfig",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:20001",
    "AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:20002",
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "LINDORM_URL": "jdbc:mysql://127.0.0.1:20003/default",
}


def test_a_user_who_is_not_root_is_told_so_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert any("takes root on Linux" in problem for problem in machine.problems())


def test_missing_packages_are_named_and_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "PACKAGES", {"no-such-program": "some-package", "sh": "dash"})
    assert machine.missing_packages() == ["some-package"]
    (sentence,) = [problem for problem in machine.problems() if "some-package" in problem]
    assert "make node-setup" in sentence


def test_a_folder_that_the_node_would_hide_from_itself_is_refused() -> None:
    assert any("/var/lib/ci" in problem for problem in machine.problems(Path("/var/lib/ci/checkout")))


def test_pods_get_no_address_of_the_machines_own_loopback_and_no_path_of_it() -> None:
    found = pod_environment(ENVIRONMENT)
    assert found["LINDORM_URL"] == "jdbc:mysql://10.88.0.1:20003/default"
    assert "KUBECONFIG" not in found
    assert "127.0.0.1" not in "".join([*found.values(), *flink_defaults(ENVIRONMENT).values()])


def test_the_chart_gets_images_by_tag_and_where_aws_is() -> None:
    images = Images("pause:1", "operator:1", "localhost/controller:abc", "localhost/job:def")
    values = chart_values(images, ENVIRONMENT)
    assert values["image"] == {"repository": "localhost/controller", "tag": "abc"}
    assert values["job"] == {"image": "localhost/job:def"}
    assert {"name": "AWS_ENDPOINT_URL", "value": "http://10.88.0.1:20001"} in values["controller"]["env"]


@pytest.mark.parametrize(
    ("image", "old"),
    [
        ("localhost/lindorm-import/operator:1.7.0-0123456789ab", True),
        ("ghcr.io/apache/flink-kubernetes-operator:1.10.0", False),
        ("ghcr.io/apache/flink-kubernetes-operator:0315e7d", False),
    ],
)
def test_only_an_operator_that_knows_no_flink_1_20_is_told_1_18(image: str, old: bool) -> None:
    assert is_before_flink_120(image) is old
