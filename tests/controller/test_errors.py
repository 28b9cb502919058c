"""Foreign errors as the user hears of them."""

import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import boto3
import pytest
from botocore.config import Config
from kubernetes.client.exceptions import ApiException

from lindorm_import.adapters.errors import aws_errors, kube_errors
from lindorm_import.domain.trouble import TroubleError


class _Proxy(BaseHTTPRequestHandler):
    """Answers as a proxy does whose AWS is away: HTML, no XML."""

    def do_POST(self) -> None:
        body = b"<!doctype html><title>502 Bad Gateway</title>"
        self.send_response(502)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def test_an_answer_that_is_not_aws_s_is_a_trouble_and_no_crash() -> None:
    with HTTPServer(("127.0.0.1", 0), _Proxy) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        iam = boto3.client(
            "iam",
            endpoint_url=f"http://127.0.0.1:{server.server_port}",
            region_name="us-west-2",
            aws_access_key_id="a",
            aws_secret_access_key="b",
            config=Config(retries={"total_max_attempts": 1}),
        )
        with pytest.raises(TroubleError, match=r"iam:GetRole of x failed"), aws_errors("iam:GetRole of x"):
            iam.get_role(RoleName="x")
        server.shutdown()


def test_a_policys_refusal_is_told_as_that_and_not_as_missing_rbac() -> None:
    envelope = "x is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: "
    for message, told in [
        (envelope + "only the controller writes it", "refuses: only the controller writes it"),
        ("x is forbidden: User y cannot", "RBAC"),
    ]:
        error = ApiException(status=403)
        error.body = json.dumps({"message": message})
        with pytest.raises(TroubleError, match=told), kube_errors("write the status"):
            raise error
