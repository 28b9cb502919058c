"""The controller starts as in a pod: any user, an empty environment, and no place to write to but /tmp, if that."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from lindorm_import.api import GROUP, PLURAL, VERSION
from lindorm_import.runtime.operator import FINALIZER
from local.bootstrap import REPOSITORY
from local.processes import free_port
from tests.controller.factories import SPEC, UID

NOBODY = 65532
PATIENCE = 60.0
# What a pod of the chart has in its environment: the API server (here a kubeconfig) and EKS's web identity.
ROLE = {"AWS_ROLE_ARN": "arn:aws:iam::000000000000:role/imports", "AWS_REGION": "us-west-2"}


def _resource(name: str, kind: str, namespaced: bool = True) -> dict[str, Any]:
    verbs = ["get", "list", "watch", "patch", "update", "delete", "create"]
    return {"name": name, "singularName": kind.lower(), "kind": kind, "namespaced": namespaced, "verbs": verbs}


def _group(name: str, version: str) -> dict[str, Any]:
    served = {"groupVersion": f"{name}/{version}", "version": version}
    return {"name": name, "versions": [served], "preferredVersion": served}


_VERSION = (
    "major",
    "minor",
    "gitVersion",
    "gitCommit",
    "gitTreeState",
    "buildDate",
    "goVersion",
    "compiler",
    "platform",
)
_CRDS = "apiextensions.k8s.io"
_DISCOVERY = {
    "/version": dict.fromkeys(_VERSION, "34"),
    "/api": {"versions": ["v1"]},
    "/api/v1": {"resources": [_resource("namespaces", "Namespace", False), _resource("events", "Event")]},
    "/apis": {"groups": [_group(GROUP, VERSION), _group(_CRDS, "v1")]},
    f"/apis/{GROUP}/{VERSION}": {"resources": [_resource(PLURAL, "LindormImport")]},
    f"/apis/{_CRDS}/v1": {"resources": [_resource("customresourcedefinitions", "CustomResourceDefinition", False)]},
}


class ApiServer(ThreadingHTTPServer):
    """As much of one as kopf and the controller ask of it: discovery, one LindormImport, its status."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.object: dict[str, Any] = {
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": "LindormImport",
            "metadata": {
                "name": "readings",
                "namespace": "default",
                "uid": UID,
                "generation": 1,
                "resourceVersion": "1",
                "creationTimestamp": "2026-11-24T05:00:00Z",
                "finalizers": [FINALIZER],
            },
            "spec": {**SPEC, "source": {**SPEC["source"], "url": "jdbc:mysql://127.0.0.1:1/default"}},
        }
        self.written = threading.Condition()
        self.closing = threading.Event()
        self.statuses: list[dict[str, Any]] = []

    def wait_for_status(self, wanted: Any, alive: Any) -> dict[str, Any]:
        """The first status that is as wanted."""
        deadline = time.monotonic() + PATIENCE
        with self.written:
            while not (found := [s for s in self.statuses if wanted(s)]):
                assert time.monotonic() < deadline, self.statuses
                assert alive(), "the controller has ended"
                self.written.wait(0.5)
            return found[0]


class _Handler(BaseHTTPRequestHandler):
    server: ApiServer

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        path = path.rstrip("/")
        if path in _DISCOVERY:
            self._answer(_DISCOVERY[path])
        elif "watch=true" in query:
            self._watch()
        elif path.endswith(("/namespaces", "/customresourcedefinitions")):
            self._answer({"metadata": {"resourceVersion": "1"}, "items": []})
        elif path.endswith(f"/{PLURAL}"):
            self._answer({"metadata": {"resourceVersion": "1"}, "items": [self.server.object]})
        elif path.endswith(f"/{PLURAL}/readings"):
            self._answer(self.server.object)
        elif path.endswith("/secrets/lindorm"):
            self._answer({"data": {"username": "dQ==", "password": "cA=="}})
        else:
            self._answer({"kind": "Status", "reason": "NotFound", "code": 404}, 404)

    def do_PATCH(self) -> None:
        body = self._body()
        if self.path.partition("?")[0].endswith("/status"):  # the controller's; others are kopf's notes to itself
            status = next(operation["value"] for operation in body if operation["path"] == "/status")
            with self.server.written:
                self.server.object = {**self.server.object, "status": status}
                self.server.statuses.append(status)
                self.server.written.notify_all()
        self._answer(self.server.object)

    def do_POST(self) -> None:
        body = self._body()
        self._answer({**body, "status": {"allowed": True}}, 201)

    def _watch(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.flush()
        self.server.closing.wait(PATIENCE)  # nothing happens

    def _body(self) -> Any:
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def _answer(self, document: Any, code: int = 200) -> None:
        body = json.dumps(document).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """What the controller says is enough."""


@pytest.fixture
def server() -> Iterator[ApiServer]:
    server = ApiServer()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.closing.set()
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """One that everybody may read, as a container's is, and nobody but us may write."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="module")
def program(folder: Path) -> list[str]:
    """The entry point of the wheel, made as the Dockerfile makes it; the packages are those of this environment."""
    source = folder / "source"
    for part in ("controller", "requirements"):
        shutil.copytree(REPOSITORY / part, source / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "pyproject.toml", source)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    wheel = [*pip, "wheel", "--no-index", "--no-build-isolation", "--no-deps", "--wheel-dir", str(folder), str(source)]
    subprocess.run(wheel, check=True, cwd=folder)
    (made,) = folder.glob("*.whl")
    installed = folder / "site-packages"
    subprocess.run([*pip, "install", "--no-index", "--no-deps", "--target", str(installed), str(made)], check=True)
    shutil.rmtree(source)
    return ["env", "-i", f"PYTHONPATH={installed}", sys.executable, str(installed / "bin" / "lindorm-import")]


@pytest.fixture(scope="module")
def as_nobody() -> list[str]:
    """What runs a command as a user without a name, who may read this environment's files and write none.

    setpriv, which only root may use, else root by sudo, else a namespace in which we are called so.
    """
    switch = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    read = ["--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search"]
    namespace = ["unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}"]
    nameless = (
        f"import os, pwd; assert os.getuid() == {NOBODY}; assert {NOBODY} not in [p.pw_uid for p in pwd.getpwall()]"
    )
    for way in ([*switch, *read], ["sudo", "-n", *switch, *read], namespace):
        command = [*way, "env", "-i", sys.executable, "-c", nameless]
        if shutil.which(way[0]) and subprocess.run(command, capture_output=True, check=False).returncode == 0:
            return way
    if os.environ.get("CI"):
        pytest.fail("nothing here can start a process as another user: setpriv by root or sudo, or unshare --user")
    pytest.skip("nothing here can start a process as another user: setpriv by root or sudo, or unshare --user")


def kubeconfig(folder: Path, server: ApiServer) -> Path:
    entry = {"cluster": "c", "user": "u", "namespace": "default"}
    path = folder / "kubeconfig"
    document = {
        "current-context": "x",
        "contexts": [{"name": "x", "context": entry}],
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
    }
    path.write_text(yaml.safe_dump(document))
    return path


@pytest.mark.parametrize("nothing_to_write", [False, True], ids=["with /tmp", "with no file to write at all"])
def test_the_controller_starts_under_any_uid_with_an_empty_environment(
    server: ApiServer, folder: Path, program: list[str], as_nobody: list[str], nothing_to_write: bool
) -> None:
    """It comes as far as the AWS account, without which it can do nothing more; and stops when it is told to."""
    port = free_port()
    token = folder / "token"
    token.write_text("a web identity's")
    variables = {
        "KUBECONFIG": str(kubeconfig(folder, server)),
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(token),
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        **ROLE,
    }
    clean, *rest = program[:2], *program[2:]
    # A write to any file is refused as a read-only file system refuses it.
    limits = ["prlimit", "--fsize=0"] if nothing_to_write else []
    command = [*as_nobody, *limits, *clean, *(f"{k}={v}" for k, v in variables.items()), *rest]
    command += ["controller", f"--listen=127.0.0.1:{port}"]
    with subprocess.Popen(
        command, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        lines: list[str] = []
        assert process.stdout is not None
        output = process.stdout
        reader = threading.Thread(target=lambda: lines.extend(line.decode() for line in output), daemon=True)
        reader.start()
        try:
            status = server.wait_for_status(lambda s: s.get("summary") == "Waiting", lambda: process.poll() is None)
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=10) as answer:
                assert answer.status == 200
        except AssertionError as error:
            pytest.fail(f"{error}\n{''.join(lines)}")
        finally:
            process.send_signal(signal.SIGTERM)
            ended = process.wait(timeout=PATIENCE)
            reader.join(timeout=PATIENCE)
    said = "".join(lines)
    unready = {c["type"]: c["message"] for c in status["conditions"] if c["status"] == "False"}
    assert "127.0.0.1" in unready["SourceReady"], said
    assert "KeyError" not in said
    assert ended == 0, said


def test_the_command_line_writes_its_words_under_any_uid_with_an_empty_environment(
    program: list[str], as_nobody: list[str]
) -> None:
    command = [*as_nobody, *program, "plan", "--rows", "1000000", "--item-bytes", "80"]
    said = subprocess.run(command, cwd="/", capture_output=True, check=False)
    assert said.returncode == 0, said.stderr.decode()
    assert "write units" in said.stdout.decode("utf-8")
