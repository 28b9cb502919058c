"""The embedded API server, and the stack around it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from local.bootstrap import REPOSITORY
from local.kube.access import api_client
from local.processes import Process
from local.record import recorded
from local.stack import Stack, StackError

pytestmark = [pytest.mark.stack, pytest.mark.timeout(180)]

DEPLOYMENT = {"apiVersion": "flink.apache.org/v1beta1", "kind": "FlinkDeployment"}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """An API server alone."""
    with Stack(tmp_path_factory.mktemp("kube"), parts=["kube"], crds=[]) as running:
        yield running


def eventually(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_emr_fields_of_a_flink_deployment_are_not_pruned(stack: Stack) -> None:
    custom = client.CustomObjectsApi(stack.api_client())
    spec = {"emrReleaseLabel": "emr-7.13.0-flink-latest", "jobManager": {"storageDir": "s3://b/ha"}, "nonsense": 1}
    body = {**DEPLOYMENT, "metadata": {"name": "emr"}, "spec": spec}
    where = ("flink.apache.org", "v1beta1", "default", "flinkdeployments")
    found: Any = custom.create_namespaced_custom_object(*where, body)
    assert found["spec"] == {k: v for k, v in spec.items() if k != "nonsense"}


def test_configuration_values_that_are_no_strings_are_refused(stack: Stack) -> None:
    custom = client.CustomObjectsApi(stack.api_client())
    body = {**DEPLOYMENT, "metadata": {"name": "n"}, "spec": {"flinkConfiguration": {"parallelism.default": 2}}}
    with pytest.raises(ApiException, match="must be of type string"):
        custom.create_namespaced_custom_object("flink.apache.org", "v1beta1", "default", "flinkdeployments", body)


def test_owned_objects_are_collected_and_namespaces_go(stack: Stack) -> None:
    core = client.CoreV1Api(stack.api_client())
    core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name="owned")))
    owner: Any = core.create_namespaced_config_map("owned", {"metadata": {"name": "owner"}})  # type: ignore[arg-type]
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner.metadata.uid}
    body: Any = {"metadata": {"name": "child", "ownerReferences": [reference]}}
    core.create_namespaced_config_map("owned", body)
    core.delete_namespaced_config_map("owner", "owned")
    eventually(lambda: "child" not in [cm.metadata.name for cm in _items(core.list_namespaced_config_map("owned"))])
    core.delete_namespace("owned")
    eventually(lambda: "owned" not in [ns.metadata.name for ns in _items(core.list_namespace())])


def _items(listed: Any) -> list[Any]:
    return list(listed.items)


def test_a_service_account_may_do_what_its_role_says_and_the_audit_log_tells(stack: Stack, tmp_path: Path) -> None:
    core = client.CoreV1Api(stack.api_client())
    core.create_namespaced_service_account("default", {"metadata": {"name": "reader"}})  # type: ignore[arg-type]
    body: Any = {"spec": {"audiences": ["https://kubernetes.default.svc"]}}
    token: Any = core.create_namespaced_service_account_token("reader", "default", body)
    stack.kube.write_kubeconfig(tmp_path / "kubeconfig", "reader", token.status.token)
    theirs = client.CoreV1Api(api_client(tmp_path / "kubeconfig"))
    with pytest.raises(ApiException, match="forbidden"):
        theirs.list_namespaced_secret("default")
    rbac = client.RbacAuthorizationV1Api(stack.api_client())
    role: Any = {
        "metadata": {"name": "reader"},
        "rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]}],
    }
    rbac.create_namespaced_role("default", role)
    binding: Any = {
        "metadata": {"name": "reader"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"},
        "subjects": [{"kind": "ServiceAccount", "name": "reader", "namespace": "default"}],
    }
    rbac.create_namespaced_role_binding("default", binding)

    def allowed() -> bool:
        try:
            theirs.list_namespaced_secret("default")
        except ApiException:
            return False
        return True

    eventually(allowed)
    user = "system:serviceaccount:default:reader"
    entries = [json.loads(line) for line in stack.kube.audit_log.read_text().splitlines()]
    assert {(e["verb"], e["objectRef"]["resource"]) for e in entries if e["user"]["username"] == user} == {
        ("list", "secrets")
    }


def test_a_part_that_is_killed_comes_back_with_its_data_at_the_same_address(stack: Stack) -> None:
    core = client.CoreV1Api(stack.api_client())
    core.create_namespaced_config_map("default", {"metadata": {"name": "kept"}})  # type: ignore[arg-type]
    stack.kill("kube-apiserver")
    eventually(lambda: not stack.process("kube-apiserver").alive)
    stack.restart("kube-apiserver")
    found: Any = core.read_namespaced_config_map("kept", "default")
    assert found.metadata.name == "kept"


def test_a_process_of_the_users_own_is_waited_for_and_named_when_it_fails(stack: Stack, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    stack.start_process("mine", ["sh", "-c", f"echo $KUBECONFIG > {mark}; sleep 60"], ready=mark.exists)
    eventually(lambda: mark.read_text().strip() == str(stack.kubeconfig))
    with pytest.raises(StackError, match=r"(?s)broken ended before it was ready.*no such thing"):
        stack.start_process("broken", ["sh", "-c", "echo no such thing; exit 1"], ready=lambda: False)


def test_a_refused_crd_is_told_with_the_reason(stack: Stack) -> None:
    crd = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "a.b"}}
    with pytest.raises(StackError, match=r"refuses the CRD a\.b.*spec"):
        stack.apply_crd({**crd, "spec": {"group": "b", "scope": "Namespaced", "names": {"plural": "a", "kind": "A"}}})


def test_up_status_env_and_down_work_by_hand(tmp_path: Path) -> None:
    """With an empty stack of the same shape: a stack whose record names one process."""
    stack = Stack(tmp_path / "stack", parts=[])
    stack.start()
    stack.start_process("mine", ["sleep", "60"])

    def local(command: str) -> tuple[int, str]:
        arguments = [sys.executable, "-m", "local", command, "--dir", str(stack.folder)]
        result = subprocess.run(arguments, cwd=REPOSITORY, capture_output=True, text=True, check=False)
        return result.returncode, result.stdout

    assert local("up")[0] == 0  # it is up already
    code, table = local("status")
    assert code == 0
    assert "running" in table
    assert "export AWS_ACCESS_KEY_ID='local'" in local("env")[1]
    process: Process = stack.process("mine")
    assert local("down") == (0, "")
    assert not process.alive
    assert recorded(stack.folder) == {}
    assert local("status")[0] == 1


def test_a_new_stack_ends_what_a_crashed_one_left_in_its_folder(tmp_path: Path) -> None:
    crashed = Stack(tmp_path / "stack", parts=[])
    crashed.start()
    left = crashed.start_process("left", ["sleep", "60"])
    with Stack(tmp_path / "stack", parts=[]) as stack:
        assert not left.alive
        assert stack.folder == crashed.folder
