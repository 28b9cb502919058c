"""EMR's fields in the FlinkDeployment CRD, and the proxy to JobManagers: both without a server."""

from __future__ import annotations

import copy
import http.server
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from local.flink import proxy
from local.kube.crds import with_emr_fields

OFFICIAL = {
    "metadata": {"name": "flinkdeployments.flink.apache.org"},
    "status": {"conditions": []},
    "spec": {
        "versions": [
            {
                "schema": {
                    "openAPIV3Schema": {
                        "properties": {
                            "spec": {
                                "properties": {
                                    "image": {"type": "string"},
                                    "jobManager": {"properties": {"replicas": {"type": "integer"}}},
                                }
                            }
                        }
                    }
                }
            }
        ]
    },
}


def test_emr_fields_are_added_and_the_official_ones_stay() -> None:
    before = copy.deepcopy(OFFICIAL)
    crd = with_emr_fields(OFFICIAL)
    assert before == OFFICIAL
    assert "status" not in crd
    spec = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    assert set(spec) == {"image", "jobManager", "emrReleaseLabel", "executionRoleArn", "monitoringConfiguration"}
    assert set(spec["jobManager"]["properties"]) == {"replicas", "highAvailabilityEnabled", "storageDir"}


class Echo(http.server.BaseHTTPRequestHandler):
    """Answers with what was asked."""

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""

    def do_PATCH(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        self.send_response(418)
        self.send_header("Content-Type", "text/plain")
        self.end_headers()
        self.wfile.write(f"{self.path} {body.decode()}".encode())


@pytest.fixture
def proxied() -> Iterator[str]:
    """The address of a proxy that knows one JobManager, default/one, and one that is away, default/two."""
    backend = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    ports = {("default", "one"): int(backend.server_address[1]), ("default", "two"): 1}
    server = proxy.serve(0, lambda namespace, name: ports.get((namespace, name)))
    for running in (backend, server):
        threading.Thread(target=running.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    for running in (server, backend):
        running.shutdown()
        running.server_close()


def ask(url: str) -> tuple[int, str]:
    """A PATCH with a body; status and answer."""
    request = urllib.request.Request(url, data=b"{}", method="PATCH")
    with pytest.raises(urllib.error.HTTPError) as raised:
        urllib.request.urlopen(request, timeout=5)
    with raised.value as error:
        return error.code, error.read().decode()


def test_the_proxy_forwards_method_path_query_body_and_status(proxied: str) -> None:
    assert ask(f"{proxied}/default/one/jobs/x?mode=cancel") == (418, "/jobs/x?mode=cancel {}")


def test_the_proxy_answers_503_where_there_is_no_job_manager_or_it_is_away(proxied: str) -> None:
    assert ask(f"{proxied}/default/none/jobs")[0] == 503
    assert ask(f"{proxied}/default/two/jobs")[0] == 503
    assert ask(f"{proxied}/")[0] == 503
