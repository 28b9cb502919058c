"""The images and the chart together: a whole import by the controller as the chart starts it.

The controller runs from the image's folder, with the arguments of the chart's Deployment as the API server has it, and
with a token of the chart's service account and nothing more; Flink runs the jars and the driver of the job's image.
What Kubernetes' audit log says it did is what the chart's rules allow, each of them.
"""

import json
import os
import subprocess
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from kubernetes import client

from dev.chart import CHART
from local.bootstrap import Layout
from local.demo import World, condition, told
from local.lindorm.data import Shape, load
from local.lindorm.store import Store
from local.processes import free_port
from local.stack import Stack
from tests.ship.dockerfile import Stage
from tests.ship.helm import REPOSITORY_VALUE, Document, Helm
from tests.ship.test_chart import CLUSTER, NAMESPACED

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]

ACCOUNT = "system:serviceaccount:system:imports-lindorm-import"
JOB_IMAGE = "registry.example/lindorm-import-job@sha256:" + "1" * 64


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, job_image: Stage) -> Iterator[World]:
    jars = sorted(job_image.path("/opt/flink/lib").iterdir())
    usrlib = job_image.path("/opt/flink/usrlib")
    with Stack(tmp_path_factory.mktemp("stack"), crds=[], usrlib=usrlib, jars=jars) as stack:
        world = World(stack, namespace="team-a")
        for name in ("system", "team-a"):
            world.core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name=name)))
        load(Store(stack.folder / "lindorm"), Shape(rows=40_000))
        world.create_secret()
        yield world


def as_account(world: World, image: Stage, account: str) -> dict[str, str]:
    """The variables of a container of the image whose pod has that service account."""
    request = client.AuthenticationV1TokenRequest(spec=client.V1TokenRequestSpec(audiences=[]))
    token = world.core.create_namespaced_service_account_token(account, "system", request)
    access = world.stack.folder / f"{account}.kubeconfig"
    world.stack.kube.write_kubeconfig(access, account, token.status.token)
    return {**image.environment(), "KUBECONFIG": str(access)}


def start_as_installed(world: World, image: Stage) -> int:
    """Starts the container of the installed Deployment, but for the port that it listens on; returns that port."""
    apps = client.AppsV1Api(world.stack.api_client())
    pod = apps.read_namespaced_deployment("imports-lindorm-import", "system").spec.template.spec
    (container,) = pod.containers
    port = free_port()
    arguments = [a.replace(":8080", f"127.0.0.1:{port}") for a in container.args]
    # The checkout must not be what Python imports from.
    folder = world.stack.folder / "controller"
    folder.mkdir()
    environment = as_account(world, image, pod.service_account_name)
    world.stack.start_process("controller", [*image.program(), *arguments], env=environment, cwd=folder)
    return port


def helm_test(helm: Helm, world: World, image: Stage, values: Document) -> subprocess.CompletedProcess[str]:
    """Does what the pod of `helm test` does."""
    rendered = helm.run(
        "template", "imports", str(CHART), "-n", "system", "-s", "templates/tests/rights.yaml", values=values
    )
    pod = yaml.safe_load(rendered)["spec"]
    (container,) = pod["containers"]
    environment = {**os.environ, **as_account(world, image, pod["serviceAccountName"])}
    command = [*container["command"], *container["args"]]
    where = world.stack.folder / "log"
    return subprocess.run(command, cwd=where, env=environment, capture_output=True, text=True, check=False)


def done(world: World) -> tuple[set[tuple[str, str, str]], list[str]]:
    """What the service account did, by the audit log, as (group, resource, verb); and what was forbidden to it."""
    used, forbidden = set(), []
    for line in world.stack.kube.audit_log.read_text().splitlines():
        event = json.loads(line)
        reference = event.get("objectRef")
        # To ask what it may do, as helm test does, is everybody's right.
        if event["user"]["username"] != ACCOUNT or not reference or reference["resource"].startswith("selfsubject"):
            continue
        resource = "/".join(filter(None, (reference["resource"], reference.get("subresource"))))
        if event["annotations"]["authorization.k8s.io/decision"] == "allow":
            used.add((reference.get("apiGroup", ""), resource, event["verb"]))
        else:
            forbidden.append(f"{event['verb']} {event['requestURI']}")
    return used, forbidden


def fetched(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as response:
        return str(response.read().decode())


def test_the_controller_as_the_chart_starts_it_does_an_import_with_the_charts_rights_and_uses_all_of_them(
    world: World, tools: Layout, controller_image: Stage, tmp_path_factory: pytest.TempPathFactory
) -> None:
    helm = Helm(tools.helm, tmp_path_factory.mktemp("helm"), world.stack.kubeconfig)
    values: Document = {
        "image": {"repository": REPOSITORY_VALUE},
        "job": {"image": JOB_IMAGE},
        "watch": {"namespaces": ["team-a"]},
        "controller": {"pollSeconds": 1},
        "policy": {"allow": {"sourceHosts": ["127.0.0.1"]}},
    }
    helm.run("install", "imports", str(CHART), "-n", "system", values=values)
    world.stack.wait_crd("lindormimports.lindorm.io")
    tested = helm_test(helm, world, controller_image, values)
    assert tested.returncode == 0, tested.stdout + tested.stderr
    elsewhere = helm_test(helm, world, controller_image, {**values, "watch": {"namespaces": ["default"]}})
    assert elsewhere.returncode == 1
    assert "may not get secrets in namespace default" in elsewhere.stdout
    port = start_as_installed(world, controller_image)
    document = world.example()
    world.apply(document)
    found = finished(world, document)
    assert found["status"]["results"]["itemsWritten"] == 20_000
    assert world.differences(document).none
    document["spec"]["ttlAfterFinished"] = "1s"  # so it is the controller that deletes it
    world.apply(document)
    for _ in world.watch("readings"):
        pass
    assert world.leftovers(document) == []
    used, forbidden = done(world)
    assert forbidden == []
    waits = {("", "pods", "list"), ("", "resourcequotas", "list"), ("", "events", "list")}  # of pods that wait for long
    why = "the chart grants what the controller does not do, or the other way round"
    assert used | waits == NAMESPACED | CLUSTER, why
    assert fetched(port, "/healthz") == "ok"
    assert 'lindorm_import_reconcile_total{result="done"}' in fetched(port, "/metrics")
    log = (world.stack.folder / "log" / "controller.log").read_text()
    assert "Traceback" not in log, log[-4000:]


def finished(world: World, document: Document) -> dict[str, Any]:
    """The import when it is Complete; on the way its rate is changed, and it is suspended and resumed once."""
    asked = []
    for found in world.watch(document["metadata"]["name"]):
        assert condition(found, "Failed") != "True", told(found)
        if condition(found, "Complete") == "True":
            break
        if not asked and condition(found, "JobRunning") == "True":
            deployment = found["status"]["run"]["deployment"]
            flink = world.objects.get_namespaced_custom_object(
                "flink.apache.org", "v1beta1", "team-a", "flinkdeployments", deployment
            )
            assert flink["spec"]["image"] == JOB_IMAGE  # type: ignore[call-overload]
            document["spec"]["source"]["maxRowsPerSecond"] = 15_000
            document["spec"]["suspend"] = True
            world.apply(document)
            asked.append("suspend")
        if asked == ["suspend"] and condition(found, "Suspended") == "True":
            document["spec"]["suspend"] = False
            world.apply(document)
            asked.append("resume")
    assert asked == ["suspend", "resume"], "the import ended before it could be suspended"
    return found
